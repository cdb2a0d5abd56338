"""What a better score costs: trials by size and by latency, and those that nothing beats in everything."""

from __future__ import annotations

import math

from manyfit.report.files import RunFiles
from manyfit.report.findings import Findings, Trial
from manyfit.report.numbers import PERCENT, duration, grouped, interval, metric_name
from manyfit.report.svg import Chart, Figure, scale
from manyfit.tune import pareto_front


def pareto(run: RunFiles, found: Findings) -> list[Chart]:
    """A chart for each cost that differs between trials."""
    trials = [t for t in found.trials if math.isfinite(t.score.mean)]
    if len(trials) < 2:
        return []
    sizes = [float(t.parameters or math.nan) for t in trials]
    times = [1000 * t.latency for t in trials]
    out = []
    if _varies(sizes):
        out.append(_chart(run, found, trials, sizes, "parameters of a network", "size"))
    if _varies(times):
        out.append(_chart(run, found, trials, times, "milliseconds a batch", "latency"))
    return out


def _varies(costs: list[float]) -> bool:
    return all(math.isfinite(cost) and cost > 0 for cost in costs) and len(set(costs)) > 1


def _chart(
    run: RunFiles, found: Findings, trials: list[Trial], costs: list[float], label: str, word: str
) -> Chart:
    sign = -1.0 if run.maximize else 1.0
    front = pareto_front([(sign * t.score.mean, cost) for t, cost in zip(trials, costs)])
    best = sorted((cost, t.score.mean) for t, cost, on in zip(trials, costs, front) if on)
    metric = metric_name(run.metric)
    x = scale(costs, log=max(costs) > 10 * min(costs))
    figure = Figure(
        f"{metric} against {label}, one dot a trial",
        x,
        scale([t.score.mean for t in trials], percent=run.metric in PERCENT),
        label + (" (log scale)" if x.log else ""),
        metric,
    )
    figure.line([cost for cost, _ in best], [mean for _, mean in best], "line c")
    for trial, cost, on in zip(trials, costs, front):
        mean = interval(trial.score.mean, trial.score.low, trial.score.high, run.metric)[0]
        shown = grouped(int(cost)) + " parameters" if word == "size" else duration(cost / 1000)
        kind = "a" if trial is found.chosen else "c" if on else "b"
        figure.dot(cost, trial.score.mean, f"dot {kind}", f"trial {trial.trial}: {mean}, {shown}")
    legend = [("key-dot c", f"no other trial is better in both ({len(best)})"), ("key-dot b", "the others")]
    if found.chosen is not None:
        legend.insert(0, ("key-dot a", "the chosen trial"))
    return Chart(
        f"Score against {word}",
        figure.render(),
        "Along the line a better score has to be paid for; what lies beside it is beaten in both. By the mean scores, "
        "which differ by chance as well.",
        legend,
    )
