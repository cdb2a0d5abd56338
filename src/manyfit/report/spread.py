"""Where the spread of a score comes from: every network of the chosen trial as a dot."""

from __future__ import annotations

import math

from manyfit.errors import DataError
from manyfit.evaluate import variance_components
from manyfit.report.files import RunFiles
from manyfit.report.findings import Findings, Score, member_scores, repeats_of, score_table, sizes_of, whole
from manyfit.report.numbers import PERCENT, interval, metric_name
from manyfit.report.svg import Chart, Figure, Scale, c, scale

MOST_FOLDS = 20
"""Folds with a line of their own."""


def spread(run: RunFiles, found: Findings) -> Chart | None:
    """Every network of the chosen trial, fold by fold, with the mean and its interval."""
    if found.chosen is None:
        return None
    scores = {k: v for k, v in member_scores(run, found.rows(run)).items() if math.isfinite(v)}
    if len(scores) < 2:
        return None
    s, metric = found.chosen.score, metric_name(run.metric)
    folds = sorted({fold for fold, _ in scores})
    apart = len(folds) <= MOST_FOLDS
    lines = len(folds) if apart else 6
    figure = Figure(
        f"Test {metric} of each network of the chosen trial",
        scale([*scores.values(), s.low, s.high], percent=run.metric in PERCENT),
        Scale(-0.7, lines - 0.3, 0, 1),
        metric,
        "",
        height=76.0 + 26.0 * lines,
        y_ticks=[(i, f"fold {fold}") for i, fold in enumerate(folds)] if apart else [],
    )
    _interval_area(figure, s)
    for place, ((fold, seed), value) in enumerate(sorted(scores.items())):
        line = folds.index(fold) if apart else place % lines
        text = interval(value, s.low, s.high, run.metric)[0]
        figure.dot(value, line, "dot a see", f"fold {fold}, seed {seed}: {text}", 4.5)
    legend = [("key-dot a see", "one network"), ("key-line a", "mean")]
    if math.isfinite(s.low):
        legend.append(("key-area a", "95 % interval of the mean"))
    return Chart(
        "Where the spread comes from",
        figure.render(),
        "Each dot is one network, scored on rows it never saw: dots far apart within a fold are the luck of the "
        f"seed, folds far apart are the luck of the split. {_what_helps(run, found)}".rstrip(),
        legend,
    )


def _what_helps(run: RunFiles, found: Findings) -> str:
    """How much of the spread is whose, and what would halve the interval."""
    places = found.rows(run)
    folds = sorted({whole(run.members[i].get("fold")) for i in places})
    table = score_table(run, places, run.metric, folds)
    try:
        parts = variance_components(table, repeats=repeats_of(run))
    except DataError:
        return ""
    if parts.fold == 0.0 and not parts.seed > 0.0:
        return ""
    sizes = sizes_of([run.members[i] for i in places])
    seeds = parts.seeds_to(0.5, *sizes)
    repeats = parts.repeats_to(0.5, *sizes) if _can_repeat(run) else None
    ways = []
    if math.isfinite(parts.seed) and seeds is not None:
        ways.append(f"{seeds} seeds a fold")
    if repeats is not None:
        ways.append(f"{repeats * (whole(run.part('settings').get('repeats')) or 1)} repeats of the folds")
    text = ""
    if math.isfinite(parts.seed_share):
        text = f"Of one network's variance {parts.seed_share:.0%} is the seed's. "
    if ways:
        return f"{text}Half the interval would take {' or '.join(ways)}."
    return f"{text}More seeds or repeats cannot halve the interval: that takes more folds, or more rows."


def _can_repeat(run: RunFiles) -> bool:
    """Whether the folds could be drawn anew, as far as the run tells."""
    options, settings = run.part("options"), run.part("settings")
    plain = options.get("time") is None and options.get("plan") in (None, "folds")
    return bool(options) and plain and not settings.get("bootstrap")


def _interval_area(figure: Figure, s: Score) -> None:
    top, height = figure.top, figure.bottom - figure.top
    if math.isfinite(s.low) and math.isfinite(s.high):
        left, right = figure.x(s.low), figure.x(s.high)
        size = f'width="{c(right - left)}" height="{c(height)}"'
        figure.add(f'<rect class="area a" x="{c(left)}" y="{c(top)}" {size}/>')
    if math.isfinite(s.mean):
        figure.add(f'<path class="line a" d="M{c(figure.x(s.mean))} {c(top)}v{c(height)}"/>')
