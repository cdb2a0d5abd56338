"""``manyfit inspect`` of a run: its networks layer by layer, and how their gradients moved as they trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyfit.cli import show
from manyfit.cli.options import Inspect
from manyfit.engine import RunFolder
from manyfit.engine.folder import plain
from manyfit.errors import ConfigError, nearest
from manyfit.experiment.predictor import Predictor
from manyfit.inspect.training import PARTS, QUANTITIES, Course, courses, judged
from manyfit.objectives import Supervised
from manyfit.report.files import read_run

if TYPE_CHECKING:
    from manyfit.inspect import NetworkReport

ENDINGS = (".svg", ".html", ".dot", ".json")


def check_ending(path: Path) -> None:
    """Raises ``ConfigError`` for a graph that cannot be written in the form that its name asks for."""
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"--graph {path}: {nearest(path.suffix, ENDINGS)}")


def write_graph(report: NetworkReport, path: Path | None) -> None:
    """The graph in the form that the file's name asks for."""
    if path is None:
        return
    forms = {".svg": report.svg, ".html": report.html, ".dot": report.dot}
    form = forms.get(path.suffix.lower())
    path.write_text(form() if form else json.dumps(report.to_json(), indent=1), encoding="utf-8")


def of_run(options: Inspect) -> None:
    """The model of a run, its networks on real rows where there are any, and the probe's record."""
    predictor = Predictor.load(options.path)
    if not isinstance(predictor.objective, Supervised):
        return _arrays_alone(options, predictor)
    rows = options.data or _own_data(options.path)
    report = predictor.network(rows) if rows is not None else None
    found = _probed(options.path)
    if options.json:
        extra: dict[str, Any] = {} if report is None else {"network": report.to_json()}
        if found:
            extra["training"] = {
                quantity: {c.path: _ends(c) for c in some} for quantity, some in found.items()
            }
        show.run(options.path, predictor, True, plain(extra))
    else:
        show.run(options.path, predictor, False, {})
        if report is None:
            print(
                "\nIts data are not here: manyfit inspect RUN --data DATA shows what flows through its layers"
            )
        else:
            print(f"\nOn {rows}:\n{report}")
        if found:
            print(f"\nAs they trained (the chosen trial):\n{training(found)}")
        else:
            print("\nHow gradients moved in training was not recorded: manyfit fit --probe does")
    if report is not None:
        write_graph(report, options.graph)
    elif options.graph is not None:
        raise ConfigError("--graph needs rows to trace the network with: give --data")


def _arrays_alone(options: Inspect, predictor: Predictor) -> None:
    """Of a run without rows of inputs and targets: what its networks hold."""
    if options.graph is not None:
        raise ConfigError("--graph is for networks with inputs and a target, and this run has others")
    show.run(options.path, predictor, options.json, {})
    if not options.json:
        name = type(predictor.objective).__name__
        print(
            f"\nThese are all its arrays: layer by layer on data is for inputs with a target, not for {name}"
        )


def _own_data(path: Path) -> Path | None:
    """The data of the run, where they are still what they were called."""
    asked = (RunFolder(path).read_experiment().get("options") or {}).get("data")
    return Path(asked) if asked and Path(asked).exists() else None


def _probed(path: Path) -> dict[str, list[Course]]:
    run = read_run(path)
    chosen = ((run.summary or {}).get("chosen") or {}).get("trial")
    rows = [i for i, row in enumerate(run.members) if chosen is None or row.get("trial") == chosen]
    return courses(run.history, rows)


def _ends(course: Course) -> list[float]:
    return [course.at(part) for part in PARTS.values()]


def training(found: dict[str, list[Course]]) -> str:
    """Each quantity of each layer at the start, in the middle and at the end of training."""
    paths = list(dict.fromkeys(course.path for some in found.values() for course in some))
    order = [c.path for c in found.get("activation", [])]
    paths.sort(key=lambda path: order.index(path) if path in order else len(order))
    lines = [["layer", *(quantity.replace("-", " ") for quantity in found)]]
    for path in paths:
        cells = [path or "network"]
        for some in found.values():
            course = next((c for c in some if c.path == path), None)
            cells.append("" if course is None else "  ".join(_short(v) for v in _ends(course)))
        lines.append(cells)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = ["   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    said = ", ".join(f"{judged(found, part)} at the {name}" for name, part in PARTS.items())
    meant = "; ".join(f"{name.replace('-', ' ')}: {QUANTITIES[name]}" for name in found)
    return "\n".join([*text, "", f"start, middle, end. {meant}", f"the gradient is {said}"])


def _short(value: float) -> str:
    return f"{value:.2g}" if np.isfinite(value) else "–"
