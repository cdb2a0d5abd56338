"""A supervised objective taken apart into what can be traced layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
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
    _check(objective)
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


class OpenedMembers(NamedTuple):
    """Several members' networks on the same rows; ``call`` as above, ``loss(outputs, own)``.

    ``weights``, ``features`` and ``own`` have leaves ``(members, ...)``.
    """

    call: Callable[[Naming, Any, PyTree], PyTree]
    loss: Callable[[PyTree, PyTree], Array]
    weights: tuple[PyTree, PyTree]
    features: PyTree
    own: PyTree


def opened_members(objective: Any, models: PyTree, data: PyTree, *, train: bool = True) -> OpenedMembers:
    """``models`` is a stack of what ``objective.export`` gives, ``data`` holds rows with their target, as read.

    Raises ``ConfigError`` for an objective that is no ``Supervised``.
    """
    _check(objective)
    functional = objective._functional()
    rows = jax.tree.leaves(data)[0].shape[0]

    def prepared(model: PyTree) -> Any:
        batch = Batch(objective.transform(model["prepared"], data), jnp.ones(rows))
        return objective._features(model["prepared"], batch.data), objective._target(model["prepared"], batch)

    features, own = jax.jit(jax.vmap(prepared))(models)

    def call(naming: Naming, parts: Any, features: PyTree) -> PyTree:
        return functional.apply(Weights(*parts), features, train=train, around=naming)[0]

    def loss(outputs: PyTree, own: PyTree) -> Array:
        target, weight = own
        metric = Metric.mean(objective._judge()(outputs, target), weight)
        return metric.total / jnp.maximum(metric.count, 1e-12)

    weights = models["weights"]
    return OpenedMembers(call, loss, (weights.params, weights.rest), features, own)


def _check(objective: Any) -> None:
    if not isinstance(objective, Supervised):
        raise ConfigError(
            f"layers are shown of networks with inputs and a target, and this is {type(objective).__name__}: in Python "
            "manyfit.inspect_network shows any module"
        )
