"""What the data are: rows, columns, and what the target looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from manyfit.report import regression
from manyfit.report.columns import ColumnRow, column_rows
from manyfit.report.files import Arrays, RunFiles
from manyfit.report.numbers import grouped, plural, share, told_apart
from manyfit.report.svg import Chart, c, document
from manyfit.report.words import noun

MOST_COLUMNS = 400
MOST_CLASSES = 12


@dataclass(frozen=True)
class DataSection:
    """What the section on the data shows."""

    line: str
    columns: Sequence[ColumnRow]
    more: int
    """Columns that are not listed."""
    fingerprint: str
    warnings: Sequence[str]
    target: Chart | None


def about_data(run: RunFiles) -> DataSection:
    """Rows, columns, warnings and the target."""
    content = run.part("data")
    columns, rows = content.get("columns"), content.get("rows")
    rows = rows if isinstance(rows, int) else None
    listed = column_rows(columns, rows) if isinstance(columns, list) else []
    line = [plural(rows, noun(run))] if rows is not None else []
    if listed:
        kinds = Counter(column.kind or "unknown" for column in listed)
        line.append(
            f"{plural(len(listed), 'column')} ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})"
        )
    return DataSection(
        line=str(content.get("summary") or ", ".join(line)),
        columns=listed[:MOST_COLUMNS],
        more=max(0, len(listed) - MOST_COLUMNS),
        fingerprint=str(content.get("fingerprint") or ""),
        warnings=[str(warning) for warning in content.get("warnings") or ()],
        target=target_chart(run, run.predictions) if run.predictions is not None else None,
    )


def target_chart(run: RunFiles, predictions: Arrays) -> Chart:
    """A bar a class, or a histogram of the values."""
    target = predictions["target"]
    name = str(run.part("task").get("target") or "target")
    if predictions["output"].ndim == 1:
        figure = regression.histogram(target.astype(np.float64), name, f"Distribution of the target {name}")
        return Chart("The target", figure.render(), "How many rows have a target of about this value.")
    classes = run.classes or [str(k) for k in range(predictions["output"].shape[1])]
    return class_bars(name, classes, np.bincount(target, minlength=len(classes)))


def class_bars(name: str, classes: Sequence[str], counts: np.ndarray) -> Chart:
    """How many rows each class has; of many classes the most frequent."""
    places = list(range(len(classes)))
    if len(classes) > MOST_CLASSES:
        places = [int(k) for k in np.argsort(-counts, kind="stable")[:MOST_CLASSES]]
    names = told_apart([classes[k] for k in places], 22)
    left = 12.0 + 6.4 * max(map(len, names))
    most, total = max(int(counts.max()), 1), max(int(counts.sum()), 1)
    parts = []
    for i, k in enumerate(places):
        wide = max((400.0 - left - 92.0) * counts[k] / most, 1)
        text = f"{grouped(int(counts[k]))} · {share(counts[k] / total)}"
        y = 22 * i
        parts.append(f'<text class="tick end" x="{c(left - 6)}" y="{y + 15}">{escape(names[i])}</text>')
        parts.append(
            f'<rect class="fill a pale" x="{c(left)}" y="{y + 4}" width="{c(wide)}" height="14" rx="2"/>'
        )
        parts.append(f'<text class="tick" x="{c(left + wide + 6)}" y="{y + 15}">{text}</text>')
    rarer = len(classes) - len(places)
    return Chart(
        "The target",
        document(f"Rows of each class of {name}", 400, 22.0 * len(places) + 4, parts),
        "How many rows each class has." + (f" The {rarer} other classes are not drawn." if rarer else ""),
    )
