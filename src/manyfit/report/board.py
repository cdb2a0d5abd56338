"""The leader board: every trial with its interval on one common scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from manyfit.report.files import RunFiles
from manyfit.report.findings import Findings, Score, Trial
from manyfit.report.numbers import (
    NONE,
    PERCENT,
    data,
    decimals,
    interval,
    legible,
    metric_name,
    number,
    short_names,
)
from manyfit.report.svg import Scale, c, document, scale

MOST_TRIALS = 20
MOST_HYPER = 8
WIDTH, HEIGHT, EDGE = 160.0, 26.0, 8.0


@dataclass(frozen=True)
class BoardRow:
    """One line of the leader board."""

    rank: int
    trial: int
    chosen: bool
    score: Markup
    interval: str
    bar: Markup
    validation: Markup
    p: Markup
    members: int
    diverged: int
    hyper: Sequence[str]


@dataclass(frozen=True)
class Board:
    """The leader board and what its heads say."""

    rows: Sequence[BoardRow]
    axis: Markup
    names: Sequence[tuple[str, str]]
    """(path, short name) of the hyper-parameters shown."""
    more: int
    """Trials that are not shown."""
    left_out: int
    """Hyper-parameters that are not shown."""
    tested: bool
    """Whether there are p-values."""
    pruned: int
    """Trials that were given up early and have no score."""


def board(run: RunFiles, found: Findings) -> Board:
    """The best trials, and the chosen one wherever it stands."""
    shown = list(found.trials[:MOST_TRIALS])
    if found.chosen is not None and found.chosen not in shown:
        shown.append(found.chosen)
    names = list(found.searched)[:MOST_HYPER]
    short = short_names(names)
    scores = [trial.score for trial in shown]
    x = board_scale(scores, percent=run.metric in PERCENT)
    places = common_places(scores, run.metric)
    rows = [_row(run, found, trial, x, names, places) for trial in shown]
    return Board(
        rows=rows,
        axis=axis(x, f"Axis of {metric_name(run.metric)}"),
        names=[(name, short[name]) for name in names],
        more=len(found.trials) - len(rows),
        left_out=len(found.searched) - len(names),
        pruned=found.pruned,
        tested=any(math.isfinite(trial.p_value) for trial in found.trials),
    )


def common_places(scores: Sequence[Score], metric: str) -> int | None:
    """Digits after the point for a whole column: two of the half width of the middle one.

    One more than a score alone bears, because trials on the same folds differ less than their intervals are wide.
    """
    unit = 100.0 if metric in PERCENT else 1.0
    found = [legible(decimals(unit * s.low, unit * s.high, digits=2), unit * s.mean) for s in scores]
    known = sorted(places for places in found if places is not None)
    return known[len(known) // 2] if known else None


def _row(
    run: RunFiles, found: Findings, trial: Trial, x: Scale, names: Sequence[str], places: int | None
) -> BoardRow:
    s, chosen = trial.score, trial is found.chosen
    mean, low, high = interval(s.mean, s.low, s.high, run.metric, places=places)
    low = low.removesuffix(" %")
    between = f"{low} to {high}" if math.isfinite(s.low) else NONE
    return BoardRow(
        rank=found.trials.index(trial) + 1,
        trial=trial.trial,
        chosen=chosen,
        score=data(s.mean, mean),
        interval=between,
        bar=bar(s, x, f"Trial {trial.trial}: {mean} ({between})", chosen=chosen),
        validation=data(trial.validation, number(trial.validation, 3)),
        p=probability(trial.p_value),
        members=trial.members,
        diverged=trial.diverged,
        hyper=[number(trial.hyper.get(name), 3) for name in names],
    )


def probability(p: float) -> Markup:
    """A p-value in two or three decimals.

    >>> str(probability(0.00012))
    '<data value="0.00012">&lt; 0.001</data>'
    """
    if not math.isfinite(p):
        return Markup(NONE)
    if p < 0.001:
        return data(p, "< 0.001")
    return data(p, f"{p:.2f}" if p >= 0.1 else f"{p:.3f}")


def board_scale(scores: Sequence[Score], *, percent: bool) -> Scale:
    """A common scale of scores in order of rank; hopeless ones do not squeeze the others together."""
    shown = [s for s in scores if math.isfinite(s.mean)]
    best = shown[: max(3, (len(shown) + 1) // 2)]
    core, whole = scale(_ends(best), percent=percent), scale(_ends(shown), percent=percent)
    if whole.high - whole.low <= 4.0 * (core.high - core.low):
        return whole
    wide = core.high - core.low
    return Scale(max(whole.low, core.low - wide), min(whole.high, core.high + wide), 0, 1, percent=percent)


def _ends(scores: Sequence[Score]) -> list[float]:
    return [v for s in scores for v in (s.mean, s.low, s.high) if math.isfinite(v)]


def bar(s: Score, x: Scale, label: str, *, chosen: bool) -> Markup:
    """A dot with its interval as a bar; an arrow where the dot lies outside the scale."""
    at, kind, middle = x.to(EDGE, WIDTH - EDGE), "a" if chosen else "b", HEIGHT / 2
    parts = [f'<path class="grid" d="M{c(at(t))} 0v{c(HEIGHT)}"/>' for t in x.ticks(_marks(x))]
    if not math.isfinite(s.mean):
        return document(label, WIDTH, HEIGHT, parts, "mini")
    if s.mean < x.low:
        parts.append(f'<path class="dot {kind}" d="M10 {c(middle - 5)}l-7 5 7 5z"/>')
    elif s.mean > x.high:
        parts.append(f'<path class="dot {kind}" d="M{c(WIDTH - 10)} {c(middle - 5)}l7 5 -7 5z"/>')
    else:
        if math.isfinite(s.low) and math.isfinite(s.high):
            left, right = at(max(s.low, x.low)), at(min(s.high, x.high))
            size = f'width="{c(max(right - left, 1))}" height="8" rx="4"'
            parts.append(f'<rect class="extent {kind}" x="{c(left)}" y="{c(middle - 4)}" {size}/>')
        parts.append(f'<circle class="dot {kind}" cx="{c(at(s.mean))}" cy="{c(middle)}" r="4.5"/>')
    return document(label, WIDTH, HEIGHT, parts, "mini")


def _marks(x: Scale) -> int:
    """About how many ticks show two at least and four at most."""
    return next((most for most in (3, 4, 5) if len(x.ticks(most)) >= 2), 5)


def axis(x: Scale, title: str) -> Markup:
    """The axis above the bars."""
    at = x.to(EDGE, WIDTH - EDGE)
    parts: list[Any] = []
    most = _marks(x)
    for t in x.ticks(most):
        place = min(max(at(t), 16.0), WIDTH - 16.0)
        parts.append(f'<path class="grid" d="M{c(at(t))} 14v4"/>')
        parts.append(f'<text class="tick mid" x="{c(place)}" y="11">{x.label(t, most)}</text>')
    return document(title, WIDTH, 18, parts, "mini")
