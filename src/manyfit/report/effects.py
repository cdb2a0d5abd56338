"""Small multiples of the score against each hyper-parameter that was searched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from manyfit.report.files import RunFiles
from manyfit.report.findings import Findings, Trial
from manyfit.report.numbers import PERCENT, capital, clipped, interval, metric_name, short_name
from manyfit.report.svg import Chart, Figure, Scale, c, scale

WIDTH, HEIGHT = 300.0, 220.0
MOST_CHARTS = 12
MOST_OPTIONS = 10
MANY_TRIALS = 60
"""From here on only the chosen trial shows its interval."""
JITTER = (0.0, 0.12, -0.12, 0.24, -0.24, 0.06, -0.06, 0.18, -0.18)
"""Steps aside of the dots that share an option, in turn."""


def effects(run: RunFiles, found: Findings) -> list[Chart]:
    """A chart for each hyper-parameter that takes more than one value."""
    if len(found.trials) < 2:
        return []
    varied = [name for name in found.searched if len({str(t.hyper.get(name)) for t in found.trials}) > 1]
    return [_chart(run, found, name) for name in varied[:MOST_CHARTS]]


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


def _chart(run: RunFiles, found: Findings, name: str) -> Chart:
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
    _draw(run, found, figure, places)
    return Chart(capital(short_name(name)), figure.render())


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
