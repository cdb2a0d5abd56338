"""Agents as their field reports them: learning curves with bands, interquartile mean, performance profile."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from manyfit.evaluate.runs import interquartile_mean_interval, performance_profile
from manyfit.report.curves import MOST_MEMBERS
from manyfit.report.files import RunFiles
from manyfit.report.findings import Findings, score_of
from manyfit.report.numbers import interval, metric_name, plural
from manyfit.report.svg import Chart, Figure, Scale, scale

RESAMPLES = 500
"""Of each look's band, and of the profile."""

MOST_BYTES = 3_000_000
"""The largest episode that a page holds."""

EPISODE = "episode.gif"


@dataclass(frozen=True)
class Agents:
    """What the section shows."""

    said: str
    charts: Sequence[Chart]
    episode: Markup | None


def learns(run: RunFiles) -> bool:
    """Whether the run is of agents in an environment."""
    return run.part("data").get("kind") == "environment"


def agents(run: RunFiles, found: Findings) -> Agents | None:
    """The section on the chosen trial's agents, or the best ones so far; None for runs of another kind."""
    trial = found.chosen or (found.trials[0] if found.trials else None)
    if trial is None or not learns(run):
        return None
    places = found.rows(run, trial.trial)
    scores = np.array([score_of(run.members[i], run.metric) for i in places])
    charts = [_curve(run, places), _profile(run, scores)]
    return Agents(
        _said(run, scores), [chart for chart in charts if chart is not None], episode(run.path / EPISODE)
    )


def _said(run: RunFiles, scores: np.ndarray) -> str:
    found = interquartile_mean_interval(scores)
    if not math.isfinite(found.mean):
        return "No agent has a score."
    mean, low, high = interval(found.mean, found.low, found.high, run.metric)
    between = f" (95 % interval {low} to {high}, by the bootstrap over seeds)" if found.n > 1 else ""
    worst = interval(float(np.nanmin(scores)), found.low, found.high, run.metric)[0]
    lost = f" {found.dropped} diverged and are not in it." if found.dropped else ""
    return (
        f"The interquartile mean of the {metric_name(run.metric)} over {plural(found.n, 'agent')} is {mean}{between}; "
        f"the worst agent has {worst}.{lost}"
    )


def _curve(run: RunFiles, places: Sequence[int]) -> Chart | None:
    """Interquartile mean over agents by environment steps, its interval as a band, every agent thin."""
    history = run.history.get(f"validation/{run.metric}")
    if history is None or not places or not np.isfinite(history[places]).any():
        return None
    values = history[places]
    last = int(np.flatnonzero(np.isfinite(values).any(axis=0))[-1]) + 1
    values = values[:, :last]
    # agents that ended early are no fair sample of all: the band ends with the first half of them
    looks = [k for k in range(last) if 2 * np.isfinite(values[:, k]).sum() >= len(values)]
    found = [interquartile_mean_interval(values[:, k], resamples=RESAMPLES) for k in looks]
    each = run.part("data").get("steps_per_look")
    steps = each if isinstance(each, int) and each > 0 else 1
    at = [float(steps * (k + 1)) for k in looks]
    figure = Figure(
        f"{metric_name(run.metric)} of agents while they learn",
        Scale(0.0, float(steps * max(last, 1)), 0, 1),
        scale(values.ravel()),
        "environment steps of each agent" if steps > 1 else "look",
        f"{metric_name(run.metric)} of evaluation episodes",
    )
    thin = math.ceil(len(values) / MOST_MEMBERS)
    for agent in values[::thin]:
        figure.line([float(steps * (k + 1)) for k in range(last)], agent, "line member a")
    figure.band(at, [f.low for f in found], [f.high for f in found], "area a")
    figure.line(at, [f.mean for f in found], "line a")
    return Chart(
        "While they learn",
        figure.render(),
        "By episodes without exploration, other ones than those that score the agents in the end.",
        [
            ("key-line a", f"interquartile mean of {plural(len(values), 'agent')}"),
            ("key-area a", "its 95 % interval"),
            ("key-line thin a", "one agent"),
        ],
    )


def _profile(run: RunFiles, scores: np.ndarray) -> Chart | None:
    """The share of agents above each score."""
    scores = scores[np.isfinite(scores)]
    if len(scores) < 2 or scores.min() == scores.max():
        return None
    x = scale(scores)
    at = np.linspace(x.low, x.high, 101)
    found = performance_profile(scores, at, resamples=RESAMPLES)
    figure = Figure(
        f"Share of agents above each {metric_name(run.metric)}",
        x,
        Scale(0.0, 1.0, 0, 1, percent=True),
        metric_name(run.metric),
        "share of agents above it",
    )
    figure.band(list(at), list(found.low), list(found.high), "area a")
    figure.line(at, found.share, "line a")
    return Chart(
        "How many are how good",
        figure.render(),
        "The further right the line falls the better, and the steeper the more alike the agents are.",
        [("key-line a", f"{len(scores)} agents"), ("key-area a", "95 % interval")],
    )


def episode(path: Path) -> Markup | None:
    """A rendered episode that lies in the run folder, as an image that the page holds."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if len(content) > MOST_BYTES or content[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    address = "data:image/gif;base64," + base64.b64encode(content).decode("ascii")
    return Markup('<img class="episode" src="{}" alt="An episode of the best agent">').format(address)
