"""A supervised objective taken apart into what can be traced layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from manyfit.engine.objective import Array, Batch, Key, Metric, PyTree
from manyfit.errors import ConfigError
from manyfit.objectives.module import Weights
from manyfit.objectives.supervised import Supervised
from manyfit.trace import Naming


class Opened(NamedTuple):
    """One member's network on some rows, as pure functions of its parameters.

    ``call(naming, (params, rest), features)`` gives the network's outputs,
    ``loss(outputs)`` the weighted mean loss of the rows, free of what a trial may set.
    """

    call: Callable[[Naming, Any, PyTree], PyTree]
    loss: Callable[[PyTree], Array]
    weights: tuple[PyTree, PyTree]
    features: PyTree


def opened(
    objective: Any, model: PyTree, batch: Batch, *, train: bool = False, key: Key | None = None
) -> Opened:
    """``model`` is what ``objective.export`` gives, ``batch`` holds transformed rows.

    Raises ``ConfigError`` for an objective that is no ``Supervised``.
    """
    if not isinstance(objective, Supervised):
        raise ConfigError(
            f"{type(objective).__name__} has no layers to show: inspect its modules one by one "
            "(manyfit.inspect_network takes any nnx.Module)"
        )
    functional = objective._functional()
    features = objective._features(model["prepared"], batch.data)
    weights = model["weights"]

    def call(naming: Naming, parts: Any, features: PyTree) -> PyTree:
        return functional.apply(Weights(*parts), features, train=train, key=key, around=naming)[0]

    def loss(outputs: PyTree) -> Array:
        target, weight = objective._target(model["prepared"], batch)
        metric = Metric.mean(objective._judge()(outputs, target), weight)
        return metric.total / jnp.maximum(metric.count, 1e-12)

    return Opened(call, loss, (weights.params, weights.rest), features)
