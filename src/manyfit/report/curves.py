"""Learning curves of the chosen trial: every network thin, their mean thick."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from manyfit.report.files import RunFiles
from manyfit.report.findings import Findings, Trial
from manyfit.report.numbers import PERCENT, capital, metric_name, number, plural
from manyfit.report.svg import Chart, Figure, Scale, c, scale

MOST_CHARTS = 6
MOST_MEMBERS = 40
"""Thin lines a chart; of more members every so manieth is drawn."""
KINDS = {"train": "b", "validation": "a"}


def learning_curves(run: RunFiles, found: Findings) -> list[Chart]:
    """A chart a quantity: the loss first, then the score, then the others."""
    trial = found.chosen or (found.trials[0] if found.trials else None)
    if trial is None:
        return []
    names = dict.fromkeys(key.split("/", 1)[-1] for key in run.history)
    names = {name: None for name in names if not name.startswith("probe/")}  # a section of its own
    ordered = sorted(names, key=lambda name: (name != "loss", name != run.metric))
    charts = [_chart(run, found, trial, name) for name in ordered[:MOST_CHARTS]]
    return [chart for chart in charts if chart is not None]


def _chart(run: RunFiles, found: Findings, trial: Trial, name: str) -> Chart | None:
    places = found.rows(run, trial.trial)
    parts = {part: values[places] for part, values in _parts(run, name).items()}
    parts = {part: values for part, values in parts.items() if np.isfinite(values).any()}
    if not parts:
        return None
    last = max(int(np.flatnonzero(np.isfinite(values).any(axis=0))[-1]) + 1 for values in parts.values())
    epochs = np.arange(1, last + 1)
    means = {part: mean_curve(values[:, :last]) for part, values in parts.items()}
    y = _scale(parts, means, percent=name in PERCENT)
    x = Scale(1.0, float(max(last, 2)), 0, 1)
    whose = f"the chosen trial {trial.trial}" if found.chosen else f"trial {trial.trial}, the best so far"
    figure = Figure(
        f"Learning curves: {metric_name(name)} by epoch of {whose}",
        x,
        y,
        "epoch",
        metric_name(name) + (" (log scale)" if y.log else ""),
        x_ticks=[(t, f"{t:.0f}") for t in x.ticks(6) if t == round(t)],
    )
    for part, values in parts.items():
        step = math.ceil(len(values) / MOST_MEMBERS)
        for curve in values[::step, :last]:
            inside = np.where((curve >= y.low) & (curve <= y.high), curve, np.nan)
            figure.line(epochs, inside, f"line member {KINDS[part]}")
    for part, mean in means.items():
        figure.line(epochs, mean, f"line {KINDS[part]}")
        alone = np.flatnonzero(np.isfinite(mean))
        if len(alone) == 1:
            value = float(mean[alone[0]])
            figure.dot(epochs[alone[0]], value, f"dot {KINDS[part]}", f"{part}: {number(value)}")
    legend = [
        (f"key-line {KINDS[part]}", f"{part}, mean of {plural(len(places), 'network')}") for part in parts
    ]
    legend.append(("key-line thin b", "one network"))
    kept = kept_epochs(run, places, last)
    if kept:
        at = figure.x(float(np.median(kept)))
        figure.add(f'<path class="mark" d="M{c(at)} {c(figure.top)}V{c(figure.bottom)}"/>')
        legend.append(("key-mark", "weights kept (median epoch)"))
    return Chart(
        capital(metric_name(name)),
        figure.render(),
        legend=legend,
    )


def kept_epochs(run: RunFiles, places: Sequence[int], last: int) -> list[int]:
    """The best epochs of the members at ``places``, up to ``last``."""
    found = [run.members[i].get("best_epoch") for i in places]
    return [epoch for epoch in found if isinstance(epoch, int) and 1 <= epoch <= last]


def mean_curve(values: np.ndarray) -> np.ndarray:
    """The mean of each column, NaN where fewer than half of those that began still train.

    The last ones to train are no fair sample: a mean of a few of them would seem to jump.
    """
    there = np.isfinite(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    enough = 2 * count >= max(int(count.max()), 1)
    return np.divide(total, count, out=np.full(values.shape[1], np.nan), where=enough)


def _parts(run: RunFiles, name: str) -> dict[str, np.ndarray]:
    found = {part: run.history[f"{part}/{name}"] for part in KINDS if f"{part}/{name}" in run.history}
    if not found and name in run.history:
        return {"train": run.history[name]}
    return found


def _scale(parts: Mapping[str, np.ndarray], means: Mapping[str, np.ndarray], *, percent: bool) -> Scale:
    """All of the means, and of the members' values all but a few strays."""
    mean = np.concatenate(list(means.values()))
    mean = mean[np.isfinite(mean)]
    members = np.concatenate([values.ravel() for values in parts.values()])
    members = members[np.isfinite(members)]
    span = mean.max() - mean.min() or abs(mean.max()) or 1.0
    ends = np.quantile(members, (0.005, 0.995)).clip(mean.min() - 3 * span, mean.max() + 3 * span)
    if mean.min() > 0:
        ends = np.maximum(ends, 0.5 * mean.min())
    shown = np.concatenate([mean, ends])
    log = bool(shown.min() > 0 and shown.max() > 20 * shown.min())
    return scale(shown, log=log, percent=percent and not log)
