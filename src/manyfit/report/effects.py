"""Small multiples of the score against each hyper-parameter that was searched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manyfit.errors import DataError
from manyfit.report.files import RunFiles
from manyfit.report.findings import Findings, Trial
from manyfit.report.numbers import PERCENT, capital, clipped, interval, metric_name, short_name
from manyfit.report.svg import Chart, Figure, Scale, c, scale
from manyfit.tune import FEWEST, Kind, Understanding, understand

WIDTH, HEIGHT = 300.0, 220.0
MOST_CHARTS = 12
MOST_OPTIONS = 10
MANY_TRIALS = 60
"""From here on only the chosen trial shows its interval."""
RESAMPLES = 12
LEAST_R2 = 0.05
"""Forests that predict trials left out no better than this say nothing."""
LEAST_PAIR = 0.05
"""The share from which on two settings are said to act together."""
JITTER = (0.0, 0.12, -0.12, 0.24, -0.24, 0.06, -0.06, 0.18, -0.18)
"""Steps aside of the dots that share an option, in turn."""


def effects(run: RunFiles, found: Findings, told: Understanding | None) -> list[Chart]:
    """A chart for each hyper-parameter that takes more than one value; the important ones first where that is known."""
    if len(found.trials) < 2:
        return []
    varied = varied_names(found)
    if told is not None:
        rank = {importance.name: place for place, importance in enumerate(told.importances)}
        varied.sort(key=lambda name: rank.get(name, len(rank)))
    return [_chart(run, found, name, told) for name in varied[:MOST_CHARTS]]


def varied_names(found: Findings) -> list[str]:
    """The hyper-parameters that take more than one value."""
    return [name for name in found.searched if len({str(t.hyper.get(name)) for t in found.trials}) > 1]


def understood(run: RunFiles, found: Findings) -> Understanding | None:
    """What the trials tell of the hyper-parameters; None where they are too few to tell anything."""
    names = varied_names(found)[:MOST_CHARTS]
    kinds = kinds_of(run, names)
    if not names or sum(math.isfinite(t.score.mean) for t in found.trials) < FEWEST:
        return None
    scores = [t.score.mean for t in found.trials]
    try:
        return understand([t.hyper for t in found.trials], scores, kinds, resamples=RESAMPLES)
    except DataError:  # what differs, differs between trials without a score
        return None


def kinds_of(run: RunFiles, names: Sequence[str]) -> dict[str, Kind]:
    """How each hyper-parameter's values are to be taken."""
    kinds: dict[str, Kind] = {}
    for name in names:
        about = range_of(run, name)
        kinds[name] = "choice" if "options" in about else "log" if is_log(about) else "linear"
    return kinds


def lesson(told: Understanding | None) -> str:
    """What was learned of the hyper-parameters, in words; empty where nothing can be said."""
    if told is None:
        return ""
    if told.r2 <= LEAST_R2:
        return (
            "Forests over these trials predict the score of trials left out no better than their mean does: "
            "which setting matters cannot be told from them."
        )
    first = told.importances[0]
    text = (
        f"By forests over the trials (R² {told.r2:.2f} on trials left out), "
        f"{short_name(first.name)} by itself explains {first.share:.0%} of the score's variance "
        f"({max(first.low, 0):.0%} to {min(first.high, 1):.0%})"
    )
    if told.pairs and told.pairs[0][2] > LEAST_PAIR:
        a, b, share = told.pairs[0]
        text += f"; {short_name(a)} and {short_name(b)} explain {share:.0%} more only together"
    return text + ". The line is what they expect of a setting, all others averaged, with its 95 % band."


def legend(found: Findings) -> list[tuple[str, str]]:
    """What the marks of all these charts mean."""
    out = [("key-dot b", "a trial, with its 95 % interval")]
    if found.chosen is not None:
        out.append(("key-dot a", "the chosen trial"))
    if any(not math.isfinite(t.score.mean) for t in found.trials):
        out.append(("key-cross", "no score (diverged)"))
    return out


def range_of(run: RunFiles, name: str) -> Mapping[str, Any]:
    """What was searched of a hyper-parameter; empty where the run does not say."""
    about = run.part("space").get(name)
    return about if isinstance(about, Mapping) else {}


def is_log(about: Mapping[str, Any]) -> bool:
    """Whether a range is searched on a logarithmic scale."""
    return about.get("kind") == "loguniform" or bool(about.get("log"))


def _chart(run: RunFiles, found: Findings, name: str, told: Understanding | None) -> Chart:
    about = range_of(run, name)
    values = [t.hyper.get(name) for t in found.trials]
    real = [float(v) for v in values if isinstance(v, (int, float)) and _is_real(v)]
    if len(real) == len(values) and "options" not in about:
        log = min(real) > 0 and (is_log(about) or max(real) > 100 * min(real))
        x, places, ticks = scale(real, log=log), real, None
    else:
        x, places, ticks = _options([str(v) for v in values])
    metric = metric_name(run.metric)
    figure = Figure(
        f"{metric} against {short_name(name)}, one dot a trial",
        x,
        scale(_ends(found.trials), percent=run.metric in PERCENT),
        short_name(name) + (" (log scale)" if x.log else ""),
        metric,
        width=WIDTH,
        height=HEIGHT,
        x_ticks=ticks,
    )
    caption = ""
    if told is not None and told.r2 > LEAST_R2:
        for importance in told.importances:
            if importance.name == name:
                caption = f"Explains {importance.share:.0%} of the score's variance by itself."
        curve = told.dependence.get(name)
        if curve is not None and ticks is None:
            low, high = (
                np.clip(side, figure.y.low, figure.y.high).tolist() for side in (curve.low, curve.high)
            )
            figure.band(curve.values, low, high, "area a")
            figure.line(curve.values, curve.mean, "line a")
    _draw(run, found, figure, places)
    return Chart(capital(short_name(name)), figure.render(), caption)


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _options(texts: Sequence[str]) -> tuple[Scale, list[float], list[tuple[float, str]]]:
    """A place for each option in the order of its name (numbers by size), dots side by side."""
    options = sorted(set(texts), key=_by_size)[:MOST_OPTIONS]
    seen = dict.fromkeys(options, 0)
    places = []
    for text in texts:
        if text not in seen:
            places.append(math.nan)
            continue
        places.append(options.index(text) + JITTER[seen[text] % len(JITTER)])
        seen[text] += 1
    length = max(4, 60 // len(options))
    ticks = [(float(i), clipped(option, length)) for i, option in enumerate(options)]
    return Scale(-0.6, len(options) - 0.4, 0, 1), places, ticks


def _by_size(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text


def _ends(trials: Sequence[Trial]) -> list[float]:
    if len(trials) > MANY_TRIALS:
        return [t.score.mean for t in trials]
    return [v for t in trials for v in (t.score.low, t.score.mean, t.score.high)]


def _draw(run: RunFiles, found: Findings, figure: Figure, places: Sequence[float]) -> None:
    """The trials, worst first, so that the better ones lie on top and the chosen one over all."""
    many = len(found.trials) > MANY_TRIALS
    drawn = [pair for pair in zip(found.trials, places) if math.isfinite(pair[1])]
    drawn.reverse()
    drawn.sort(key=lambda pair: pair[0] is found.chosen)
    for trial, place in drawn:
        s, chosen = trial.score, trial is found.chosen
        if not math.isfinite(s.mean):
            at = f"{c(figure.x(place))} {c(figure.bottom - 10)}"
            figure.add(f'<path class="cross" d="M{at}m-4-4l8 8m0-8l-8 8"/>')
            continue
        kind = "a" if chosen else "b"
        if math.isfinite(s.low) and (chosen or not many):
            low, high = max(s.low, figure.y.low), min(s.high, figure.y.high)
            figure.whisker(place, low, high, kind)
        mean, below, above = interval(s.mean, s.low, s.high, run.metric)
        note = f"trial {trial.trial}: {mean} ({below} to {above})"
        figure.dot(place, s.mean, f"dot {kind}", note, 5 if chosen else 4)
