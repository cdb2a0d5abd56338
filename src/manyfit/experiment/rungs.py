"""What is decided at a rung, where the networks of a run pause: who is given up, and who goes on from whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from manyfit.engine import PRUNED, Population
from manyfit.experiment.summary import sizes_of
from manyfit.experiment.trials import Bucket
from manyfit.tune import Evolution

if TYPE_CHECKING:
    from manyfit.experiment.run import Run


def losers(run: Run, bucket: Bucket, rung: int) -> set[int]:
    """The trials of a population that are given up at a rung."""
    pruner = run.prepared.search.pruner
    assert pruner is not None
    mine = {trial.index for trial in bucket.trials}
    here, before = {}, {}
    for trial in run.places:
        rows = [run.records.rows.get(i) for i in run.places[trial]]
        gone = [row["epochs"] for row in rows if row is not None and row["status"] == PRUNED]
        if gone and max(gone) < rung:
            continue  # given up before this rung
        if trial not in mine:
            before[trial] = _losses(run, bucket, trial, rung)
        elif any(row is None for row in rows):
            here[trial] = _losses(run, bucket, trial, rung)
        else:
            before[trial] = _losses(run, bucket, trial, rung)
    sizes = sizes_of(run.prepared)
    return pruner.losers(
        here,
        before,
        rung=rung,
        epochs=run.experiment.epochs,
        sizes=(sizes["n_train"], sizes["n_test"], sizes["repeats"]),
    )


def evolve(run: Run, evolution: Evolution, bucket: Bucket, rung: int) -> dict[int, int]:
    """Give trials new settings at a rung; returns whose networks they go on with."""
    search = run.prepared.search
    space = search.space
    now = {t.index: float(np.mean(_losses(run, bucket, t.index, rung, last=True))) for t in bucket.trials}
    losses = {trial: loss for trial, loss in now.items() if np.isfinite(loss)}  # the dead stay dead
    numbers = {
        t.index: {
            path: run.trials[t.index].values[path] for path in t.values if path in t.hyper and path in space
        }
        for t in bucket.trials
    }
    heirs = evolution.heirs(losses, numbers, space, rung=rung, seed=run.experiment.seed)
    for trial, heir in heirs.items():
        values = run.trials[trial].values | heir.values
        run.trials[trial] = search.trial(trial, values)
    return {trial: heir.source for trial, heir in heirs.items()}


def hand_over(run: Run, population: Population, first: int, heirs: Mapping[int, int]) -> None:
    """Let the paused networks of each heir go on from those of its source, seed by seed and fold by fold."""
    paused = set(population.paused)
    pairs, hyper = {}, {}
    for trial, source in heirs.items():
        for mine, other in zip(run.places[trial], run.places[source]):
            if mine - first in paused and other - first in paused:
                pairs[mine - first] = other - first
                hyper[mine - first] = run.trials[trial].hyper
    population.succeed(pairs, hyper)


def _losses(run: Run, bucket: Bucket, trial: int, rung: int, last: bool = False) -> np.ndarray:
    """A trial's lowest (or ``last``) validation losses up to a rung, ``(seeds, folds)``, infinite if diverged."""
    name = f"validation/{bucket.objective.monitor}"
    values = run.history.get(name, run.history.get(f"train/{bucket.objective.monitor}"))
    assert values is not None
    found = np.full((run.experiment.seeds, len(run.prepared.splits)), np.inf)
    for i in run.places[trial]:
        member, row = run.members[i], run.records.rows.get(i)
        curve = values[i, :rung]
        gone = row is not None and row["status"] == "diverged" and row["epochs"] <= rung
        if not gone and np.isfinite(curve).any():
            found[member.seed, member.fold] = curve[-1] if last else np.nanmin(curve)
    return found
