"""Where a run of a verb lies, what is said while it trains, and how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from manyfit.cli import show
from manyfit.engine import RunFolder
from manyfit.errors import RunError
from manyfit.experiment.files import summary_of
from manyfit.experiment.result import Result

_ENDINGS = (
    ".gz",
    ".csv",
    ".tsv",
    ".txt",
    ".ts",
    ".parquet",
    ".npz",
    ".conllu",
    ".conll",
    ".bio",
    ".iob",
    ".iob2",
)


def new_run(out: Path | None, name: str) -> Path:
    """The folder of a new run, ``runs/NAME`` unless said; raises ``RunError`` where one lies already."""
    folder = out or Path("runs") / name
    if RunFolder(folder).exists():
        raise RunError(
            f"{folder} holds a run already: go on with it (manyfit resume {folder}), or name another folder with --out"
        )
    return folder


def stem(path: Path) -> str:
    """What a run on the data of a path is called: the file's name without its endings."""
    name = path.resolve().name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name or "run"


def voice(silent: bool) -> Callable[[str], None]:
    """What says a line beside the output, or keeps it to itself."""
    return (lambda text: None) if silent else to_stderr


def to_stderr(text: str) -> None:
    """A line beside the output."""
    print(text, file=sys.stderr)


def finish(result: Result, out: Path, as_json: bool, say: Callable[[str], None], test: Path | None) -> int:
    """Score a complete run on ``test`` data, write its report, and show it; the exit code."""
    from manyfit import report

    scores = None
    if test is not None and result.predictor is not None:
        scores = result.best.evaluate(test)
        RunFolder(out).write_json("test.json", {"source": str(test), "scores": scores})
    page = report.write(out)
    for warning in result.warnings:
        print(f"manyfit: {warning}", file=sys.stderr)
    if as_json:
        content = summary_of(result) | ({"test": scores} if scores else {}) | {"run": str(out)}
        from manyfit.engine.folder import plain

        print(json.dumps(plain(content), indent=1))
    else:
        show.result(result, scores, page)
    if result.interrupted:
        say(f"stopped; go on with: manyfit resume {out}")
        return 0 if result.out_of_budget else 130
    return 0
