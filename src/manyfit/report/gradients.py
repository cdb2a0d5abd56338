"""Activations and gradients over training, layer by layer, of a run that was probed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manyfit.inspect.training import PARTS, Course, courses, judged
from manyfit.report.files import RunFiles
from manyfit.report.findings import Findings
from manyfit.report.numbers import capital, clipped
from manyfit.report.svg import Chart, Figure, Scale, scale

MOST_LINES = 6
"""Layers a chart: of more, the first, the last and some evenly between."""
_KINDS = ("a", "c", "d", "e", "f", "b")
_TITLES = {
    "output-gradient": ("Gradient by the layer's output", "norm"),
    "gradient": ("Gradient by the layer's weights", "norm"),
    "activation": ("Activation", "root mean square"),
    "zeros": ("Outputs that are 0", "share"),
}


@dataclass(frozen=True)
class Gradients:
    """What the section shows."""

    said: str
    charts: list[Chart]


def gradients(run: RunFiles, found: Findings) -> Gradients | None:
    """Charts of the chosen trial, or the best so far; None for a run without a probe."""
    trial = found.chosen or (found.trials[0] if found.trials else None)
    recorded = courses(run.history, None if trial is None else found.rows(run, trial.trial))
    charts = [_chart(quantity, recorded[quantity]) for quantity in _TITLES if quantity in recorded]
    if not charts:
        return None
    said = {name: judged(recorded, part) for name, part in PARTS.items()}
    words = "the same all through: " if len(set(said.values())) == 1 else ""
    detail = (
        next(iter(said.values()))
        if words
        else ", ".join(f"{kind} at the {name}" for name, kind in said.items())
    )
    return Gradients(f"{words}{detail}", [chart for chart in charts if chart is not None])


def _chart(quantity: str, some: list[Course]) -> Chart | None:
    some = [course for course in some if np.isfinite(course.mean).any()]
    if quantity == "zeros":
        some = [course for course in some if ":" in course.path]
    if not some:
        return None
    places = np.unique(np.linspace(0, len(some) - 1, min(len(some), MOST_LINES)).round().astype(int))
    shown = [some[i] for i in places]
    means = [course.mean for course in shown]
    known = np.concatenate([mean[np.isfinite(mean)] for mean in means])
    last = max(int(np.flatnonzero(np.isfinite(mean))[-1]) + 1 for mean in means)
    log = bool(quantity != "zeros" and known.min() > 0 and known.max() > 8 * known.min())
    title, unit = _TITLES[quantity]
    x = Scale(1.0, float(max(last, 2)), 0, 1)
    figure = Figure(
        f"{title} by epoch, layer by layer",
        x,
        scale(known, log=log),
        "epoch",
        unit + (" (log scale)" if log else ""),
        x_ticks=[(t, f"{t:.0f}") for t in x.ticks(6) if t == round(t)],
    )
    epochs = np.arange(1, last + 1)
    for course, mean, kind in zip(shown, means, _KINDS):
        figure.line(epochs, mean[:last], f"line {kind}")
        alone = np.flatnonzero(np.isfinite(mean))
        if len(alone) == 1:
            figure.dot(float(alone[0] + 1), float(mean[alone[0]]), f"dot {kind}", course.path)
    legend = [
        (f"key-line {kind}", clipped(course.path or "network", 28)) for course, kind in zip(shown, _KINDS)
    ]
    more = (
        "" if len(some) == len(shown) else f"{len(shown)} of {len(some)} layers, from the first to the last."
    )
    return Chart(capital(title), figure.render(), more, legend)
