"""What a person reads in the terminal: tables of data, trials and scores."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from manyfit.cli.progress import clock
from manyfit.engine import RunFolder
from manyfit.evaluate import Interval
from manyfit.experiment.generative import Judged
from manyfit.experiment.predictor import Predictor
from manyfit.experiment.result import Result, number, short_name
from manyfit.report.numbers import plural
from manyfit.tasks.task import Task

MOST_TRIALS, MOST_COLUMNS, MOST_NOTES = 12, 16, 6


def data(task: Task, say: Callable[[str], None]) -> None:
    """What was read: rows, task, columns and their kinds, warnings."""
    about = task.about
    classes = (
        f" ({', '.join(task.classes[:8])}{', …' if len(task.classes) > 8 else ''})" if task.classes else ""
    )
    aim = f"{task.kind} target {task.target!r}{classes}" if task.kind != "own" else "learned for themselves"
    say(f"{about['source']}: {task.rows} rows, {aim}")
    if "summary" in about:
        say(f"  {about['summary']}")
    columns = about.get("columns", [])
    kinds: dict[str, list[str]] = {}
    for column in columns:
        missing = f" ({column['missing']} missing)" if column.get("missing") else ""
        kinds.setdefault(column["kind"], []).append(f"{column['name']}{missing}")
    for kind, names in kinds.items():
        more = f", and {len(names) - MOST_COLUMNS} more" if len(names) > MOST_COLUMNS else ""
        say(f"  {kind} ({len(names)}): {', '.join(names[:MOST_COLUMNS])}{more}")
    notes = about.get("warnings", [])
    for note in notes[:MOST_NOTES]:
        say(f"  note: {note}")
    if len(notes) > MOST_NOTES:
        say(f"  and {len(notes) - MOST_NOTES} more notes, all in the report")


def result(found: Result, test: Mapping[str, float] | None, page: Path) -> None:
    """The leaderboard, the chosen trial's scores and where to read on."""
    console = _console()
    tested = any(trial.p_value is not None for trial in found.trials)
    died = any(trial.diverged for trial in found.trials)
    table = _table()
    table.add_column("")
    for name in ("trial", found.metric, "95 % interval", *["p"] * tested, *["diverged"] * died):
        table.add_column(name, justify="right", no_wrap=True)
    for name in found.searched:  # the name may take several lines, the values may not
        words = short_name(name).split("_")
        table.add_column(" ".join(words), justify="right", min_width=max(8, *map(len, words)))
    for trial in found.trials[:MOST_TRIALS]:
        chosen = trial.trial == found.chosen
        p = "" if trial.p_value is None else f"{trial.p_value:.3f}"
        table.add_row(
            "→" if chosen else "",
            str(trial.trial),
            number(trial.score.mean),
            _between(trial.score.low, trial.score.high),
            *[p] * tested,
            *[f"{trial.diverged} of {trial.members}"] * died,
            *(_short(trial.hyper.get(name, "")) for name in found.searched),
            style="bold" if chosen else None,
        )
    console.print(table)
    if len(found.trials) > MOST_TRIALS:
        _print(console, f"… and {len(found.trials) - MOST_TRIALS} more trials, all in {page}")
    if found.chosen is None:
        _print(console, f"Nothing chosen: {found.why}.")
    else:
        _print(console, f"→ chosen: trial {found.chosen}, {found.why}.")
        if tested:
            _print(console, "  p: corrected paired test of a trial's folds against the chosen trial's.")
        if found.search is not None:
            low, high = number(found.search.low), number(found.search.high)
            how = "a trial chosen anew in each fold"
            if found.nested:
                how = f"done anew within each fold's training rows ({found.nested} inner folds)"
            _print(
                console,
                f"  The search itself, {how}: {found.metric} "
                f"{number(found.search.mean)} ({low} – {high}); "
                + (
                    "some of the luck of the choice is left in it, for all folds steered what was tried."
                    if found.steered
                    else "free of the luck of having been chosen."
                ),
            )
        if found.pruned:
            epochs = sum(m["epochs"] for m in found.members if m["status"] == "pruned")
            _print(
                console,
                f"  {len(found.pruned)} trials were given up early, after {epochs} network epochs in all.",
            )
        _chosen(console, found, test)
    times = found.timing
    parts = [("training", "train"), ("compiling", "compile"), ("searching anew in folds", "nested")]
    parts = [(name, key) for name, key in (*parts, ("until it was resumed", "before")) if key in times]
    spent = ", ".join(f"{name} {clock_fine(times[key])}" for name, key in parts)
    counted = plural(len(found.members), "network")
    _print(console, f"{counted} in {clock_fine(times.get('total', 0))} ({spent})")
    _print(console, f"Report: {page}")


def _chosen(console: Console, found: Result, test: Mapping[str, float] | None) -> None:
    """The chosen trial's scores: a network alone, all together, and on the test data."""
    table = _table()
    several = any(row["seed"] for row in found.members)  # of one seed there is nothing to average
    together, tested = bool(found.ensemble) and several, bool(test)
    table.add_column(f"trial {found.chosen}")
    for name in ("a network", "95 % interval", *["seeds averaged"] * together, *["test data"] * tested):
        table.add_column(name, justify="right", no_wrap=True)
    for name, score in found.scores.items():
        table.add_row(
            name,
            number(score.mean),
            _between(score.low, score.high),
            *[number(found.ensemble.get(name, math.nan))] * together,
            *[number((test or {}).get(name, math.nan))] * tested,
        )
    console.print(table)


def _between(low: float, high: float) -> str:
    """An interval; of a single network there is none."""
    return f"{number(low)} – {number(high)}" if math.isfinite(low) and math.isfinite(high) else "none"


def _console() -> Console:
    """Standard output; wide where it is no terminal, so that a file or a pipe gets whole lines."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=160)


def _print(console: Console, text: str) -> None:
    """A line of prose: wrapped by the terminal alone, square brackets meaning nothing."""
    console.print(text, soft_wrap=True, markup=False)


def _table() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def compare(paths: Sequence[Path]) -> None:
    """Runs side by side, a line each; then their differences, paired fold by fold."""
    from manyfit.report.compare import comparison
    from manyfit.report.files import read_run

    found = comparison([read_run(path) for path in paths])
    table = _table()
    table.add_column("run", overflow="fold", min_width=12)
    search = ["the search itself"] * found["searched"]
    for name in (found["metric"], "95 % interval", *search, "trials", "networks", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found["board"]:
        numbers = (row["score"].striptags(), row["interval"], *[row["search"]] * len(search))
        table.add_row(row["label"], *numbers, row["trials"], row["networks"], row["time"])
    console = _console()
    console.print(table)
    _print(console, found["headline"].striptags())
    for pair in found["pairs"]:
        _print(
            console,
            f"  {pair['pair']}: {pair['difference'].striptags()} (95 % interval {pair['interval']}), "
            f"p {pair['p'].striptags()}: {pair['verdict']}",
        )
    if found["pairs"]:
        holm = f", after Holm's correction for {len(found['pairs'])} tests" if len(found["pairs"]) > 1 else ""
        _print(console, f"  p: corrected resampled t test of the folds that both runs share{holm}.")
    for reason in [*found["reasons"], *found["doubts"]]:
        _print(console, reason)


def _short(value: Any) -> str:
    """Three significant digits, so that many columns find room."""
    return f"{value:.3g}" if isinstance(value, float) else number(value)


def clock_fine(seconds: float) -> str:
    """A duration, with a decimal below a minute."""
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def returns(found: Result, steps: int) -> None:
    """What the field asks of agents: the interquartile mean over seeds with its interval, and the speed."""
    from manyfit.evaluate.runs import interquartile_mean_interval

    here = [m["test"].get("return") for m in found.members if m["trial"] == found.chosen]
    values = [math.nan if v is None else v for v in here]
    iqm = interquartile_mean_interval(values)
    few = "; of so few seeds it is too narrow" if len(values) < 5 else ""
    _print(
        _console(),
        f"Interquartile mean of the return over {plural(len(values), 'seed')}: {number(iqm.mean)}, 95 % interval of "
        f"the bootstrap over seeds {number(iqm.low)} – {number(iqm.high)}{few}",
    )
    trained = sum(m["epochs"] for m in found.members) / max(1, max(m["epochs"] for m in found.members))
    seconds = found.timing.get("train", 0.0)
    if seconds > 0:
        _print(
            _console(),
            f"{trained * steps / seconds:,.0f} environment steps a second over all agents, learning and "
            f"evaluation included; {seconds / max(1, len(found.members)):.2g} s an agent",
        )


def scores(values: Mapping[str, float], title: str, intervals: Mapping[str, Interval]) -> None:
    """Metrics of one evaluation, and their intervals over the rows where there are some."""
    if not intervals:
        _print(_console(), f"{title}: {_line(values)}")
        return
    each = [f"{name} {number(i.mean)} [{number(i.low)}, {number(i.high)}]" for name, i in intervals.items()]
    _print(_console(), f"{title}: {', '.join(each)} (95 % over these rows, for these networks)")


def judged(found: Judged, title: str) -> None:
    """What the networks of a generative run score, beside the floor."""
    table = _table()
    for name in ("measure", "mean", "95 % interval", "each network", "other real images"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for name, score in found.scores.items():
        each = sorted(found.networks[name])
        table.add_row(
            name,
            number(score.mean),
            f"{number(score.low)} to {number(score.high)}" if score.n > 1 else "",
            f"{number(each[0])} to {number(each[-1])}",
            number(found.floor[name]),
        )
    _print(_console(), title)
    _console().print(table)


def run(path: Path, predictor: Predictor, as_json: bool, more: Mapping[str, Any]) -> None:
    """A run's model: what it reads, and its arrays with their sizes; as JSON with what ``more`` there is."""
    experiment = RunFolder(path).read_experiment()
    from manyfit.experiment.records import named_leaves

    arrays = {
        name: list(values.shape[1:])
        for name, values in named_leaves(predictor.models).items()
        if "params" in name.split("/")
    }
    count = sum(_size(shape) for shape in arrays.values())
    about: dict[str, Any] = {
        "run": str(path),
        "task": experiment["task"],
        "members": predictor.members,
        "parameters": count,
        "arrays": arrays,
    } | dict(more)
    if as_json:
        print(json.dumps(about, indent=1))
        return
    console = _console()
    task = experiment["task"]
    console.print(
        f"{path}: {task['kind']} target {task['target']!r}, "
        f"{plural(predictor.members, 'network')} of {count:,} parameters each"
    )
    table = _table()
    for name in ("array", "shape", "parameters"):
        table.add_column(name, justify="left" if name == "array" else "right")
    for name, shape in arrays.items():
        parts = name.split("/")
        said = ".".join(parts[parts.index("params") + 1 :])
        table.add_row(said, " × ".join(map(str, shape)), f"{_size(shape):,}")
    console.print(table)


def _size(shape: list[int]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def _line(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in values.items())
