"""Two settings together: what forests expect of every pair of their values, as a map; and what early losses tell."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import numpy as np

from manyfit.errors import DataError
from manyfit.report.files import RunFiles, nested
from manyfit.report.findings import Findings
from manyfit.report.numbers import clipped, metric_name, number, short_name
from manyfit.report.svg import Chart, c, document
from manyfit.tune import FEWEST, Kind, Understanding, understand

MOST_MAPS = 2
MOST_NAMES = 12
LEAST_SHARE = 0.02
"""What a pair has to explain together, beyond each alone, to be drawn."""
LEAST_R2 = 0.05
LEFT, TOP, WIDE, TALL = 76.0, 24.0, 320.0, 190.0


def interactions(run: RunFiles, told: Understanding | None) -> list[Chart]:
    """A map for each of the pairs of settings that act together; none where nothing can be told."""
    if told is None or told.r2 <= LEAST_R2:
        return []
    shares = {(a, b): share for a, b, share in told.pairs}
    pairs = [pair for pair in told.surfaces if shares.get(pair, 0.0) >= LEAST_SHARE]
    return [_map(run, told, a, b, shares[a, b]) for a, b in pairs[:MOST_MAPS]]


def _map(run: RunFiles, told: Understanding, a: str, b: str, share: float) -> Chart:
    surface = told.surfaces[a, b]
    mean = surface.mean
    low, high = float(mean.min()), float(mean.max())
    better = (mean - low) / (high - low) if high > low else np.full(mean.shape, 0.5)
    better = better if run.maximize else 1.0 - better
    rows, columns = mean.shape
    across, down = WIDE / columns, TALL / rows
    metric, first, second = metric_name(run.metric), short_name(a), short_name(b)
    parts = [f'<text class="label" x="0" y="12">{escape(second)}</text>']
    for i in range(rows):
        y = TOP + (rows - 1 - i) * down
        if i in {0, rows // 2, rows - 1} or rows <= 6:
            said = escape(_value(surface.values[1][i]))
            parts.append(f'<text class="tick end" x="{c(LEFT - 6)}" y="{c(y + down / 2 + 4)}">{said}</text>')
        for j in range(columns):
            note = (
                f"{first} {_value(surface.values[0][j])}, {second} {_value(surface.values[1][i])}: "
                f"{metric} {number(float(mean[i, j]), 4)} expected"
            )
            place = f'x="{c(LEFT + j * across)}" y="{c(y)}" width="{c(across - 1)}" height="{c(down - 1)}"'
            parts.append(
                f'<rect class="cell hit" {place} style="--o:{0.05 + 0.75 * better[i, j]:.2f}">'
                f"<title>{escape(note)}</title></rect>"
            )
    for j in range(columns):
        if j in {0, columns // 2, columns - 1} or columns <= 6:
            said = escape(_value(surface.values[0][j]))
            x = c(LEFT + (j + 0.5) * across)
            parts.append(f'<text class="tick mid" x="{x}" y="{c(TOP + TALL + 16)}">{said}</text>')
    middle = c(LEFT + WIDE / 2)
    parts.append(f'<text class="label mid" x="{middle}" y="{c(TOP + TALL + 34)}">{escape(first)}</text>')
    title = f"{metric} by {first} and {second}: from {number(low, 4)} to {number(high, 4)} expected"
    return Chart(
        f"{first} and {second} together".capitalize(),
        document(title, LEFT + WIDE + 4, TOP + TALL + 40, parts),
        f"What a trial is expected to be worth, all other settings averaged: the stronger the colour, the better "
        f"({number(low, 4)} to {number(high, 4)}). {share:.0%} of the variance is explained by both only together.",
    )


def _value(value: Any) -> str:
    return clipped(number(value, 2), 10)


def early_losses(run: RunFiles) -> tuple[int, dict[int, float], dict[int, dict[str, Any]]]:
    """The first epoch at which somebody was given up, and up to then each trial's mean lowest validation loss and
    its settings; nothing where nobody was, or the curves are missing."""
    gone = (run.summary or {}).get("pruned")
    curves = run.history.get("validation/loss")
    if not isinstance(gone, list) or not gone or curves is None:
        return 0, {}, {}
    ends = [
        trial["epochs"] for trial in gone if isinstance(trial, dict) and isinstance(trial.get("epochs"), int)
    ]
    rung = min((end for end in ends if end > 0), default=0)
    if not rung:
        return 0, {}, {}
    found: dict[int, list[float]] = {}
    settings: dict[int, dict[str, Any]] = {}
    for row, curve in zip(run.members, curves):
        here = curve[:rung][np.isfinite(curve[:rung])]
        dead = row.get("status") == "diverged"
        found.setdefault(row["trial"], []).append(float(here.min()) if len(here) and not dead else math.nan)
        settings[row["trial"]] = nested(row, "hyper")
    return rung, {trial: float(np.mean(some)) for trial, some in found.items()}, settings


def early_lesson(run: RunFiles, found: Findings, kinds: dict[str, Kind]) -> str:
    """What the losses of all trials, those given up too, tell of the settings; empty where nothing can be said."""
    rung, losses, settings = early_losses(run)
    names = dict(list(kinds.items())[:MOST_NAMES])
    if len(losses) < FEWEST or not names:
        return ""
    order = sorted(losses)
    try:
        told = understand([settings[t] for t in order], [losses[t] for t in order], names, resamples=12)
    except DataError:
        return ""
    counted = f"By the validation losses of all {len(order)} trials after {rung} {'epoch' if rung == 1 else 'epochs'}"
    if told.r2 <= LEAST_R2:
        return f"{counted}, those given up among them, it cannot be told which setting matters early."
    parts = [f"{short_name(i.name)} {max(i.share, 0):.0%}" for i in told.importances[:3]]
    return (
        f"{counted}, the {found.pruned} given up among them, the variance early in training is explained by "
        f"{', '.join(parts)} (R² {told.r2:.2f}); what is best early need not be best in the end."
    )
