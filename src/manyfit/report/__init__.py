"""The report of a run: one HTML file that needs no network, no JavaScript and no explanation.

``write`` and ``render`` read a run folder (docs/run-format.md) from its files alone: a run that was
interrupted, or made elsewhere, is shown as far as it goes. ``compare_runs`` sets several side by side.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["compare_runs", "render", "write"]

NAME = "report.html"


def render(run_folder: str | os.PathLike[str]) -> str:
    """The report of a run as HTML.

    Raises:
        RunError: it is no run folder, or one of its files is broken (the error names it).
    """
    from manyfit.report.files import read_run
    from manyfit.report.page import page
    from manyfit.report.sections import context

    return page("template.html", context(read_run(run_folder)))


def write(run_folder: str | os.PathLike[str]) -> Path:
    """Write ``report.html`` into the run folder, whole or not at all, and say where it is.

    Raises:
        RunError: as for ``render``, or the file cannot be written.
    """
    from manyfit.engine.checkpoint import write_file

    place = Path(run_folder) / NAME
    write_file(place, render(run_folder).encode("utf-8", "replace"))
    return place


def compare_runs(run_folders: Sequence[str | os.PathLike[str]]) -> str:
    """Several runs side by side as HTML: scores with intervals, and paired differences.

    Differences are paired fold by fold, and only between runs of the same data, target, metric and folds.

    Raises:
        ConfigError: fewer than two runs.
        RunError: as for ``render``.
    """
    from manyfit.report.compare import comparison
    from manyfit.report.files import read_run
    from manyfit.report.page import page

    return page("compare.html", comparison([read_run(folder) for folder in run_folders]))
