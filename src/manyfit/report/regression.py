"""Diagnostics of a regression: predicted against observed, and what is left over."""

from __future__ import annotations

import numpy as np

from manyfit.report.files import Arrays
from manyfit.report.numbers import grouped, number
from manyfit.report.svg import Chart, Figure, Scale, scale

MOST_DOTS = 1500
MOST_ROWS = 8
"""Rows of the table of errors."""


def charts(name: str, predictions: Arrays) -> list[Chart]:
    """Predicted against observed, the residuals along the prediction, and their distribution."""
    target, output = predictions["target"].astype(np.float64), predictions["output"]
    return [agreement(name, target, output), residuals(target, output), residual_spread(target - output)]


def _sample(rows: int) -> np.ndarray:
    """Places of at most ``MOST_DOTS`` rows, the same at every call."""
    if rows <= MOST_DOTS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, MOST_DOTS, replace=False))


def _sampled(rows: int) -> str:
    return "" if rows <= MOST_DOTS else f" {grouped(MOST_DOTS)} of {grouped(rows)} rows are drawn, by chance."


def worst_rows(predictions: Arrays) -> list[tuple[str, str, str, str]]:
    """(row, observed, predicted, difference) of the rows with the greatest errors."""
    if "row" not in predictions:
        return []
    target, output = predictions["target"].astype(np.float64), predictions["output"]
    order = np.argsort(-np.abs(target - output), kind="stable")[:MOST_ROWS]
    return [
        (
            str(predictions["row"][i]),
            number(float(target[i])),
            number(float(output[i])),
            number(float(target[i] - output[i]), 3),
        )
        for i in order
    ]


def agreement(name: str, target: np.ndarray, output: np.ndarray) -> Chart:
    """Predicted against observed, on the same scale both ways."""
    both = scale(np.concatenate([target, output]))
    places = _sample(len(target))
    title = f"Predicted against observed {name}, {grouped(len(target))} rows"
    figure = Figure(title, both, both, "observed", "predicted", height=300)
    figure.cloud(target[places], output[places], "cloud a")
    figure.mark((both.low, both.high), (both.low, both.high))
    return Chart(
        "Predicted and observed",
        figure.render(),
        "Each dot is a row, predicted by networks that never saw it; a perfect prediction lies on the dashed line."
        + _sampled(len(target)),
    )


def residuals(target: np.ndarray, output: np.ndarray) -> Chart:
    """What is left over, along the prediction, with its running median and middle 80 %."""
    left = target - output
    places = _sample(len(left))
    title = f"Residuals against the prediction, {grouped(len(left))} rows"
    figure = Figure(title, scale(output), scale(left), "predicted", "observed − predicted", height=300)
    figure.cloud(output[places], left[places], "cloud b")
    figure.mark((figure.x.low, figure.x.high), (0, 0))
    groups = min(12, len(left) // 20)
    legend = []
    if groups >= 3:
        parts = np.array_split(np.argsort(output, kind="stable"), groups)
        middle = [float(np.median(output[part])) for part in parts]
        low, median, high = np.array([np.quantile(left[part], (0.1, 0.5, 0.9)) for part in parts]).T
        figure.band(middle, list(low), list(high), "area a")
        figure.line(middle, median, "line a")
        legend = [("key-line a", "running median"), ("key-area a", "middle 80 %")]
    return Chart(
        "Errors along the prediction",
        figure.render(),
        "A median that bends away from the dashed zero means that something systematic is missed, a band that widens "
        "that errors grow with the value." + _sampled(len(left)),
        legend,
    )


def residual_spread(left: np.ndarray) -> Chart:
    """A histogram of the residuals."""
    figure = histogram(left, "observed − predicted", "Distribution of the residuals")
    if figure.x.low < 0 < figure.x.high:
        figure.mark((0, 0), (figure.y.low, figure.y.high))
    low, high = np.quantile(left, (0.1, 0.9))
    return Chart(
        "How wrong, how often",
        figure.render(),
        "A hump centred on the dashed zero means no bias; eight rows in ten are off by "
        f"{number(float(low), 3)} to {number(float(high), 3)}.",
    )


def histogram(values: np.ndarray, x_label: str, title: str) -> Figure:
    """Counts in about as many bins as the values' number bears."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        low, high = low - 0.5, high + 0.5
    bins = int(np.clip(2 * len(values) ** (1 / 3), 5, 40))
    counts, edges = np.histogram(values, bins=bins, range=(low, high))
    upward = Scale(0, 1.05 * float(counts.max()), 0, 1)
    figure = Figure(title, scale(edges, pad=0.02), upward, x_label, "rows")
    for count, a, b in zip(counts, edges, edges[1:]):
        if count:
            note = f"{number(float(a), 3)} to {number(float(b), 3)}: {grouped(int(count))}"
            figure.bar(float(a), float(b), float(count), "fill a pale", note)
    return figure
