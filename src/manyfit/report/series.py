"""Series in pictures: the classes over time with series called right and wrong, and forecasts beside what came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manyfit.evaluate import forecast_intervals
from manyfit.report.files import Arrays, RunFiles, nested, real
from manyfit.report.numbers import capital, clipped, data, interval, metric_name, number
from manyfit.report.svg import Chart, Figure, Scale, scale

KINDS = ("a", "c", "d", "b", "e", "f")
GROUPS = ("Surest of those called right", "Surest of those called wrong", "Least sure")
MOST_CHANNELS = 3
"""Channels, or targets of a forecast, that are drawn."""
MOST_WINDOWS = 4


@dataclass(frozen=True)
class Classes:
    """Charts of labelled series: the classes, then groups of series under their headings."""

    charts: Sequence[Chart]
    groups: Sequence[tuple[str, Sequence[Chart]]]


@dataclass(frozen=True)
class Forecasts:
    """A forecast run's charts, and its measures beside the naive forecasts'."""

    charts: Sequence[Chart]
    rows: Sequence[tuple[str, Sequence[str]]]
    names: Sequence[str]
    """The forecasts that the columns of ``rows`` are of."""
    coverage: str
    """How often its intervals held the truth, as a sentence."""


def labelled_series(run: RunFiles) -> Classes | None:
    """The section of a classification of series; None for any other run."""
    found = _arrays(run.path / "series.safetensors")
    if found is None or not {"quartiles", "place", "steps", "row", "target", "called", "group"} <= set(found):
        return None
    place, names = found["place"], run.classes
    charts = []
    for channel in range(min(found["quartiles"].shape[3], MOST_CHANNELS)):
        quartiles = found["quartiles"][..., channel]
        of = f", channel {channel}" if found["quartiles"].shape[3] > 1 else ""
        figure = Figure(
            f"Median of each class by step{of}", _steps(place), scale(quartiles), "step", "value" + of
        )
        for k, (low, middle, high) in enumerate(quartiles):
            figure.band(place.tolist(), low.tolist(), high.tolist(), f"area {KINDS[k % len(KINDS)]}")
            figure.line(place, middle, f"line {KINDS[k % len(KINDS)]}")
        legend = [
            (f"key-line {KINDS[k % len(KINDS)]}", clipped(name, 24))
            for k, name in enumerate(names[: len(quartiles)])
        ]
        caption = (
            "The median of each class's series at each step, in a band that holds the middle half of them."
        )
        charts.append(Chart("The classes over time" + of, figure.render(), caption, legend))
    groups = []
    for g, heading in enumerate(GROUPS):
        rows = np.flatnonzero(found["group"] == g)
        if len(rows):
            groups.append((heading, [_one(run, found, int(i)) for i in rows]))
    return Classes(charts, groups)


def _one(run: RunFiles, found: Arrays, i: int) -> Chart:
    """One series as a chart."""
    place, steps = found["place"], found["steps"][i]
    said = f"is {_name(run, int(found['target'][i]))}, called {_name(run, int(found['called'][i]))}"
    figure = Figure(
        f"Series {int(found['row'][i])}", _steps(place), scale(steps), "step", "value", height=180.0
    )
    for c in range(min(steps.shape[1], MOST_CHANNELS)):
        figure.line(place, steps[:, c], f"line thin {KINDS[c]}")
    share = f" at {number(100 * float(found['probability'][i]), 3)} %" if "probability" in found else ""
    return Chart(f"Series {int(found['row'][i])}", figure.render(), capital(said) + share)


def forecasts(run: RunFiles) -> Forecasts | None:
    """The section of a forecast run: windows of the backtest, and measures beside the naive forecasts'."""
    found = _arrays(run.path / "forecasts.safetensors")
    if found is None or not {"forecast", "target", "past", "residual"} <= set(found):
        return None
    asked = nested(run.experiment, "options")
    coverage = real(asked.get("coverage"))
    coverage = coverage if 0 < coverage < 1 else 0.9
    targets = str(run.part("task").get("target") or "").split(", ")
    charts = [
        _window(found, w, c, coverage, targets[c] if c < len(targets) else f"target {c}")
        for w in _spread(found, MOST_WINDOWS)
        for c in range(min(found["target"].shape[2], MOST_CHANNELS))
    ]
    rows, names = _measures(run)
    held = _held(found, coverage)
    told = (
        "Intervals by what the backtest's other blocks missed, each step ahead its own: they held "
        f"{number(100 * held, 3)} % of what came, where {number(100 * coverage, 3)} % were asked for."
        if np.isfinite(held)
        else ""
    )
    return Forecasts(charts, rows, names, told)


def _held(found: Arrays, coverage: float) -> float:
    """The share of what came within intervals that the other folds' errors made."""
    if "fold" not in found or len(np.unique(found["fold"])) < 2:
        return float("nan")
    inside: list[np.ndarray] = []
    for fold in np.unique(found["fold"]):
        here = found["fold"] == fold
        low, high = np.moveaxis(_intervals(found, here, ~here, coverage), -1, 0)
        came = _came(found)[here]
        inside.append(((low <= came) & (came <= high))[np.isfinite(came)])
    together = np.concatenate(inside)
    return float(together.mean()) if len(together) else float("nan")


def _came(found: Arrays) -> np.ndarray:
    """What came, ``(n, horizon, targets)``, NaN where nothing was observed."""
    return np.where(np.isfinite(found["residual"]), found["target"], np.nan)


def _intervals(found: Arrays, rows: np.ndarray, others: np.ndarray, coverage: float) -> np.ndarray:
    """``(rows, horizon, targets, 2)`` by what the other windows' forecasts missed."""
    past, came = found["forecast"][others], _came(found)[others]
    return forecast_intervals(found["forecast"][rows], past, came, coverage=coverage)


def _spread(found: Arrays, most: int) -> list[int]:
    """Windows from the oldest to the newest, evenly."""
    order = np.argsort(found["row"], kind="stable") if "row" in found else np.arange(len(found["target"]))
    places = np.unique(np.linspace(0, len(order) - 1, most).round().astype(int))
    return [int(order[p]) for p in places]


def _window(found: Arrays, w: int, c: int, coverage: float, name: str) -> Chart:
    """One window of one target: the end of what was seen, what came, the forecast in its interval."""
    forecast, target = found["forecast"][w, :, c], found["target"][w, :, c]
    horizon = len(target)
    past = found["past"][w, -max(2 * horizon, 24) :, c]
    others = np.ones(len(found["target"]), bool)
    if "fold" in found and len(np.unique(found["fold"])) > 1:
        others = found["fold"] != found["fold"][w]
    low, high = np.moveaxis(_intervals(found, np.array([w]), others, coverage)[0, :, c], -1, 0)
    before, after = np.arange(-len(past), 0) + 1, np.arange(1, horizon + 1)
    shown = np.concatenate([past, target, forecast.ravel(), low[np.isfinite(low)], high[np.isfinite(high)]])
    figure = Figure(
        f"{name}: forecast of window {w}",
        Scale(float(before[0]), float(after[-1]), 0, 1),
        scale(shown),
        "steps from the origin",
        clipped(name, 40),
    )
    figure.band(after.tolist(), low.tolist(), high.tolist(), "area a")
    if forecast.shape[1] > 2:
        figure.band(after.tolist(), forecast[:, 1].tolist(), forecast[:, -1].tolist(), "area a")
    figure.line(before, past, "line thin b")
    figure.line(after, _came(found)[w, :, c], "line b")
    figure.line(after, forecast[:, 0], "line a")
    legend = [
        ("key-line b", "what came"),
        ("key-line a", "forecast"),
        ("key-fill a", f"{number(100 * coverage)} % interval"),
    ]
    when = f"Fold {int(found['fold'][w])}" if "fold" in found else "A window"
    caption = f"{when}, by networks that were trained on what lies before it alone."
    if forecast.shape[1] > 2:
        caption += " The darker band lies between the outermost quantiles of the networks themselves."
    return Chart(clipped(name, 30), figure.render(), caption, legend)


def _measures(run: RunFiles) -> tuple[list[tuple[str, Sequence[str]]], list[str]]:
    """Errors of the networks, the last value and the last season on the same windows."""
    scores = nested(run.summary, "scores")
    kinds: Mapping[str, str] = {"": "networks", "naive_": "last value", "seasonal_": "last season"}
    kinds = {prefix: name for prefix, name in kinds.items() if f"{prefix}mae" in scores}
    rows: list[tuple[str, Sequence[str]]] = []
    for measure in ("mse", "mae", "mase"):
        cells = []
        for prefix in kinds:
            one = nested(scores, f"{prefix}{measure}")
            mean, low, high = (real(one.get(k)) for k in ("mean", "low", "high"))
            text = interval(mean, low, high, measure)
            bounds = f" ({text[1]} to {text[2]})" if np.isfinite(low) else ""
            cells.append(data(mean, str(text[0]) + bounds))
        rows.append((capital(metric_name(measure)), cells))
    return rows, list(kinds.values())


def _steps(place: np.ndarray) -> Scale:
    return Scale(float(place[0]), float(max(place[-1], place[0] + 1)), 0, 1)


def _name(run: RunFiles, place: int) -> str:
    return clipped(run.classes[place], 24) if place < len(run.classes) else str(place)


def _arrays(path: Path) -> Arrays | None:
    """A file of arrays; None where there is none, or it is broken: the report is whole without it."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(path.read_bytes()))
    except (OSError, SafetensorError, ValueError):
        return None
