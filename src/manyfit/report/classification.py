"""Diagnostics of a classifier: what is taken for what, and whether its confidence can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from manyfit import metrics
from manyfit.evaluate import row_interval
from manyfit.report.files import Arrays
from manyfit.report.numbers import NONE, clipped, grouped, number, share, told_apart
from manyfit.report.svg import Chart, Figure, Scale, c, document

MOST_CELLS = 20
"""Classes in the confusion matrix: more cannot be read on a phone."""
MOST_CLASSES = 20
"""Rows of the table of classes."""
MOST_ROWS = 8
"""Rows of the table of mistakes."""


@dataclass(frozen=True)
class ClassRow:
    """One row of the table of classes."""

    name: str
    rows: str
    recall: str
    precision: str
    mistaken: str
    """What most of its missed rows were taken for."""


def charts(classes: Sequence[str], predictions: Arrays) -> list[Chart]:
    """Confusion matrix, calibration, and of two classes the ROC curve."""
    found = [confusion(classes, confusion_table(predictions)), reliability(predictions)]
    curve = roc(classes[1], predictions) if len(classes) == 2 else None
    return [*found, curve] if curve is not None else found


def confusion_table(predictions: Arrays) -> np.ndarray:
    """Rows of each (true, predicted) pair of classes."""
    output = predictions["output"]
    k = output.shape[1]
    cell = predictions["target"].astype(np.int64) * k + output.argmax(axis=1)
    return np.bincount(cell, minlength=k * k).reshape(k, k)


def hardest(table: np.ndarray, most: int) -> np.ndarray:
    """The places of the ``most`` classes with the most errors, missed rows and false calls together."""
    wrong = table.sum(axis=1) + table.sum(axis=0) - 2 * np.diag(table)
    return np.argsort(-wrong, kind="stable")[:most]


def class_rows(classes: Sequence[str], table: np.ndarray) -> list[ClassRow]:
    """Found and rightly called shares of each class, of many classes those with the most errors."""
    places = range(len(table)) if len(table) <= MOST_CLASSES else hardest(table, MOST_CLASSES)
    return [_class_row(classes, table, int(k)) for k in places]


def _class_row(classes: Sequence[str], table: np.ndarray, k: int) -> ClassRow:
    hits, total, called = int(table[k, k]), int(table[k].sum()), int(table[:, k].sum())
    others = table[k].copy()
    others[k] = 0
    worst = int(others.argmax())
    return ClassRow(
        name=clipped(classes[k], 60),
        rows=grouped(total),
        recall=share(hits / total) if total else NONE,
        precision=share(hits / called) if called else NONE,
        mistaken=f"{clipped(classes[worst], 40)} ({grouped(int(others[worst]))})" if others[worst] else NONE,
    )


def surest_mistakes(classes: Sequence[str], predictions: Arrays) -> list[tuple[str, str, str, str]]:
    """(row, true class, taken for, confidence) of the wrong rows with the highest confidence."""
    if "row" not in predictions:
        return []
    target, output = predictions["target"], predictions["output"]
    called = output.argmax(axis=1)
    wrong = np.flatnonzero(called != target)
    order = wrong[np.argsort(-output[wrong].max(axis=1), kind="stable")][:MOST_ROWS]
    return [
        (
            row_name(predictions, int(i)),
            clipped(classes[target[i]], 40),
            clipped(classes[called[i]], 40),
            share(output[i].max()),
        )
        for i in order
    ]


def row_name(predictions: Arrays, i: int) -> str:
    """What to call a row: of sentences the word's place too."""
    row = str(predictions["row"][i])
    return f"{row}, word {predictions['place'][i]}" if "place" in predictions else row


def confusion(classes: Sequence[str], table: np.ndarray) -> Chart:
    """Counts coloured by their share of the true class; of many classes those with the most errors."""
    places = np.sort(hardest(table, MOST_CELLS))
    names = told_apart([classes[k] for k in places], 14)
    left, top = 16.0 + 6.4 * max(map(len, names)), 24.0
    side = (400.0 - left) / len(places)
    tall = min(side, 56.0)
    totals = table.sum(axis=1)
    parts = ['<text class="label" x="0" y="12">true ↓   predicted →</text>']
    for i, k in enumerate(places):
        y = top + i * tall
        parts.append(_text(left - 6, y + tall / 2 + 4, names[i], "tick end"))
        for j, m in enumerate(places):
            x, count = left + j * side, int(table[k, m])
            if not count:
                parts.append(f'<rect class="cell none" {_box(x, y, side, tall)}/>')
                continue
            part = count / totals[k]
            note = f"{classes[k]} taken for {classes[m]}: {grouped(count)} ({share(part)})"
            strength = 0.1 + 0.55 * math.sqrt(part)
            parts.append(
                f'<rect class="cell {"hit" if k == m else "miss"}" {_box(x, y, side, tall)} '
                f'style="--o:{strength:.2f}"><title>{escape(note)}</title></rect>'
            )
            if side >= 22:
                parts.append(_text(x + side / 2 - 0.5, y + tall / 2 + 4, grouped(count), "count"))
    bottom = top + len(places) * tall
    widest = 6.4 * max(map(len, names))
    for j, name in enumerate(names):
        parts.append(_column_name(left + (j + 0.5) * side, bottom, name, turned=widest > side))
    height = bottom + (16.0 + 0.75 * widest if widest > side else 20.0)
    right, rows = int(np.trace(table)), int(table.sum())
    title = f"Confusion matrix: {grouped(right)} of {grouped(rows)} rows on the diagonal"
    cut = f" Drawn are the {len(places)} classes of {len(table)} with the most errors."
    return Chart(
        "What is taken for what",
        document(title, 400, height, parts),
        "A line holds the rows of one true class, counted by what they were taken for; the stronger the colour, the "
        f"greater their share of the class.{cut if len(places) < len(table) else ''}",
        [("key-fill hit", "right"), ("key-fill miss", "wrong")],
    )


def _text(x: float, y: float, content: str, kind: str) -> str:
    return f'<text class="{kind}" x="{c(x)}" y="{c(y)}">{escape(content)}</text>'


def _box(x: float, y: float, wide: float, tall: float) -> str:
    return f'x="{c(x)}" y="{c(y)}" width="{c(wide - 1)}" height="{c(tall - 1)}"'


def _column_name(x: float, bottom: float, name: str, *, turned: bool) -> str:
    if not turned:
        return _text(x, bottom + 15, name, "tick mid")
    at = f"{c(x + 3)} {c(bottom + 10)}"
    return f'<text class="tick end" transform="translate({at}) rotate(-45)">{escape(name)}</text>'


def reliability(predictions: Arrays) -> Chart:
    """How often the networks are right when they are so sure, in the 15 bins of the ECE."""
    target, output = predictions["target"], predictions["output"]
    error = number(metrics.ece(target, output, np.ones(len(target))), 3)
    sure, right = output.max(axis=1), output.argmax(axis=1) == target
    bins = 15
    index = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    x = Scale(float(index.min()) / bins, 1.0, 0, 1, percent=True)
    figure = Figure(
        f"Reliability: share right by confidence, expected calibration error {error}",
        x,
        Scale(0, 1, 0, 1, percent=True),
        "confidence (probability of the predicted class)",
        "share right",
        height=300,
    )
    points = []
    for b in np.unique(index):
        here = index == b
        rows, low, high = int(here.sum()), b / bins, (b + 1) / bins
        note = f"{grouped(rows)} rows with confidence {share(low)} to {share(high)}"
        figure.bar(low, high, 0.9 * rows / len(sure), "area b", note)
        points.append((float(sure[here].mean()), row_interval(right[here].astype(float))))
    figure.mark((x.low, 1.0), (x.low, 1.0))
    figure.line([mean for mean, _ in points], [found.mean for _, found in points], "line a thin")
    for mean, found in points:
        figure.whisker(mean, found.low, found.high, "a")
        figure.dot(mean, found.mean, "dot a", f"confidence {share(mean)}: {share(found.mean)} right")
    return Chart(
        "Is its confidence earned?",
        figure.render(),
        "On the dashed line, 90 % sure is right 9 times in 10; below it the networks are too sure of themselves, above "
        f"it too modest. The mean distance from the line (expected calibration error) is {error}.",
        [("key-dot a", "share right, 95 % interval"), ("key-fill b", "share of the rows")],
    )


def roc(name: str, predictions: Arrays) -> Chart | None:
    """The ROC curve of the second of two classes; None where only one of them occurs."""
    curve = roc_curve(predictions["target"] == 1, predictions["output"][:, 1])
    if curve is None:
        return None
    area = _area(area_under(*curve))
    unit = Scale(0, 1, 0, 1, percent=True)
    figure = Figure(
        f"ROC curve of {name}, area {area}",
        unit,
        unit,
        "false alarms (share of the others)",
        "found (share of the class)",
        height=300,
    )
    figure.mark((0, 1), (0, 1))
    figure.line(*_thinned(*curve), "line a")
    return Chart(
        "Found against false alarms",
        figure.render(),
        f"Sliding the threshold for “{clipped(name, 40)}” trades rows found (up) against false alarms (right). The "
        f"dashed line is guessing. The area under the curve is {area}.",
    )


def roc_curve(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """False-positive and true-positive rates at every threshold; None where only one class occurs."""
    if positive.all() or not positive.any():
        return None
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    rises = np.append(0.0, np.cumsum(positive[order])[last] / positive.sum())
    falls = np.append(0.0, np.cumsum(~positive[order])[last] / (~positive).sum())
    return falls, rises


def area_under(falls: np.ndarray, rises: np.ndarray) -> float:
    """The area under a ROC curve, by trapezoids."""
    return float(np.sum(np.diff(falls) * (rises[1:] + rises[:-1])) / 2.0)


def _thinned(x: np.ndarray, y: np.ndarray, most: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """A staircase in fewer points: its corners, and of many those spread along its length."""
    flat = (x[1:-1] == x[:-2]) & (x[1:-1] == x[2:])
    steep = (y[1:-1] == y[:-2]) & (y[1:-1] == y[2:])
    kept = np.ones(len(x), bool)
    kept[1:-1] = ~(flat | steep)
    x, y = x[kept], y[kept]
    if len(x) <= most:
        return x, y
    length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    places = np.unique(np.searchsorted(length, np.linspace(0, length[-1], most)).clip(0, len(x) - 1))
    return x[places], y[places]


def _area(value: float) -> str:
    if value >= 0.99995:
        return "1"
    return f"{value:.4f}" if value >= 0.9995 else f"{value:.3f}"
