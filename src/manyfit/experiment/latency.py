"""How long a network of each trial takes to predict a batch, measured and not guessed."""

from __future__ import annotations

import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.engine import Fold
from manyfit.experiment.preparation import Prepared
from manyfit.experiment.trials import Bucket, buckets_of

RUNS = 15


def latencies(prepared: Prepared, rows: int) -> dict[int, float]:
    """Trial -> seconds that one network takes to predict a batch of ``rows`` rows: the median of 15 runs.

    Trials that differ in numbers alone share a program and a figure. What a prediction costs does not hang on
    what was learned, so that networks with fresh weights stand for them.
    """
    place = np.arange(rows) % prepared.task.rows
    data = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[place]), prepared.task.data)
    found: dict[int, float] = {}
    for bucket in buckets_of(prepared.trials):
        seconds = _seconds(bucket, data, rows)
        found |= {trial.index: seconds for trial in bucket.trials}
    return found


def _seconds(bucket: Bucket, data: Any, rows: int) -> float:
    objective = bucket.objective
    hyper = {name: jnp.float32(value) for name, value in bucket.trials[0].hyper.items()}

    def begin(data: Any) -> Any:
        prepared = objective.prepare(Fold(data, jnp.arange(rows, dtype=jnp.int32), jnp.ones(rows)))
        full = {**hyper, "total_steps": jnp.float32(1)}
        return objective.export(objective.init(jax.random.key(0), full, prepared))

    model = jax.jit(begin)(data)
    predict = jax.jit(lambda model, inputs: objective.predict(model, {"inputs": inputs}))
    jax.block_until_ready(predict(model, data["inputs"]))
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        jax.block_until_ready(predict(model, data["inputs"]))
        times.append(time.perf_counter() - started)
    return statistics.median(times)
