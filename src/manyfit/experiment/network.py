"""The networks of an experiment looked into: those of a finished run, and the one that a run would begin with."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.engine import Fold
from manyfit.errors import ConfigError, DataError
from manyfit.inspect import NetworkReport, inspect_member
from manyfit.objectives.opened import opened_members
from manyfit.space import resolve, settle

if TYPE_CHECKING:
    from manyfit.experiment.experiment import Experiment
    from manyfit.experiment.predictor import Predictor

ROWS = 256
"""Rows that a network is looked at with, spread evenly over the data."""


def trained_network(predictor: Predictor, rows: Any) -> NetworkReport:
    """Every member's network with its trained weights, on labelled rows."""
    if predictor.encoder is not None:
        data = {"inputs": predictor.encoder.encode(rows), "target": predictor.encoder.encode_target(rows)}
    elif isinstance(rows, dict) and {"inputs", "target"} <= set(rows):
        data = {name: rows[name] for name in ("inputs", "target")}
    else:
        raise DataError("gradients need a target: give rows as {'inputs': ..., 'target': ...}")
    return _report(predictor.objective, predictor.models, _spread(data), None)


def untrained_network(experiment: Experiment) -> NetworkReport:
    """The network that the experiment would begin with, searched values in the middle of their range."""
    from manyfit.experiment.preparation import prepare

    middle = settle(experiment.objective, lambda label, kind: kind.at(0.5))
    settled = resolve(experiment.objective, middle)
    one = dataclasses.replace(
        experiment,
        objective=settled,
        trials=1,
        given_trials=None,
        first_trials=(),
        batch_size=256,
        search="sobol",
        prune=None,
        evolve=None,
    )
    prepared = prepare(one)
    objective, data, split = prepared.objective, prepared.task.data, prepared.splits[0]
    if data is None or not hasattr(objective, "features"):
        raise ConfigError(f"{type(objective).__name__} has no layers to show; give a Supervised objective")
    hyper = {path: jnp.float32(value) for path, value in prepared.trials[0].hyper.items()}

    def begin(data: Any) -> Any:
        fold = Fold(data, jnp.asarray(split.train), jnp.ones(len(split.train)))
        state = objective.init(
            jax.random.key(experiment.seed), {**hyper, "total_steps": jnp.float32(1)}, objective.prepare(fold)
        )
        return objective.export(state)

    model = jax.tree.map(lambda leaf: leaf[None], jax.jit(begin)(data))
    rows = jax.tree.map(lambda leaf: leaf[split.train], data)
    return _report(objective, model, _spread(rows), resolve(objective, hyper).optimizer)


def _report(objective: Any, models: Any, data: Any, optimizer: Any) -> NetworkReport:
    many = opened_members(objective, models, data)
    name = type(objective.model).__name__
    return inspect_member(
        many.call, many.loss, many.weights, many.features, own=many.own, name=name, optimizer=optimizer
    )


def _spread(data: Any) -> Any:
    count = len(jax.tree.leaves(data)[0])
    if not count:
        raise DataError("there are no rows to look at the network with")
    places = np.unique(np.linspace(0, count - 1, min(count, ROWS)).astype(int))
    return jax.tree.map(lambda leaf: np.asarray(leaf)[places], data)
