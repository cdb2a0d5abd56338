"""Activations and gradients layer by layer while a network trains, as metrics that the history keeps.

Two looks, neither of which changes what is trained. At each step: the norm of the gradient by each
layer's weights, and the size of the step relative to them. At each epoch's end, on the validation
rows: each layer's activations and the gradient of the loss by them, one more forward and backward
pass. To the engine they are metrics like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from manyfit.engine.objective import Array, Batch, Metric, PyTree
from manyfit.objectives.opened import opened
from manyfit.trace import Program, by_layer, norm, trace

MARK = "probe/"
"""What the names begin with: ``probe/<quantity>/<place in the order of running>/<path>``."""
_MOST = 1e30
"""What is greater or not finite is recorded as this: a metric that is not finite would end the member's training."""


def step_metrics(
    objective: Any, model: PyTree, batch: Batch, gradient: PyTree, after: PyTree
) -> dict[str, Metric]:
    """``gradient`` and ``update`` of every layer with weights; over an epoch, the mean of its steps.

    ``model`` is that before the step, ``after`` its parameters after it.
    """
    network = opened(objective, model, batch)
    program = trace(network.call, network.weights, network.features)
    paths = [layer.path for layer in program.layers]
    order = [*dict.fromkeys(tap.path for tap in program.taps), *paths]
    change = jax.tree.map(jnp.subtract, after, network.weights[0])
    pulls, steps = by_layer(gradient, paths), by_layer(change, paths)
    found = {}
    for path, leaves in by_layer(network.weights[0], paths).items():
        name = f"{order.index(path)}/{path}"
        found[f"{MARK}gradient/{name}"] = _one(norm(pulls[path]), jnp.float32(1))
        found[f"{MARK}update/{name}"] = _one(
            norm(steps[path]) / jnp.maximum(norm(leaves), 1e-30), jnp.float32(1)
        )
    return found


def pass_metrics(objective: Any, model: PyTree, batch: Batch) -> dict[str, Metric]:
    """``activation``, ``zeros`` and ``output-gradient`` of every layer; the gradient is that of a batch's mean loss."""
    network = opened(objective, model, batch)
    program = trace(network.call, network.weights, network.features)

    def loss(push: Sequence[Array]) -> tuple[Array, list[Array]]:
        outputs, values = program.run(network.weights, network.features, push=push)
        return network.loss(outputs), values

    pulls, values = jax.grad(loss, has_aux=True)(program.zeros())
    rows = jnp.sum(batch.weight)
    found = {}
    for place in _shown(program):
        name = f"{place}/{program.taps[place].path}"
        size, zeros = _sizes(values[place].astype(jnp.float32), batch.weight)
        found[f"{MARK}activation/{name}"] = _one(size, rows)
        found[f"{MARK}zeros/{name}"] = _one(zeros, rows)
        found[f"{MARK}output-gradient/{name}"] = _one(norm(pulls[place]), rows)
    return found


def _shown(program: Program) -> list[int]:
    """The first call of each layer that has no layers inside, and of each activation function."""
    return [i for i, tap in enumerate(program.taps) if tap.leaf and tap.call == 0]


def _sizes(values: Array, weight: Array) -> tuple[Array, Array]:
    """Root mean square and share of zeros; rows of weight 0 are padding and left out where there are rows."""
    if values.ndim == 0 or values.shape[0] != weight.shape[0]:
        weight = jnp.ones(values.shape[:1])
    real = (weight > 0).astype(jnp.float32)
    each = values.reshape(len(real), -1)
    total = jnp.maximum(jnp.sum(real), 1.0)
    square = jnp.sum(jnp.mean(each**2, axis=1) * real) / total
    return jnp.sqrt(square), jnp.sum(jnp.mean(each == 0, axis=1) * real) / total


def _one(value: Array, count: Array) -> Metric:
    return Metric(jnp.clip(jnp.nan_to_num(value, nan=_MOST, posinf=_MOST), 0, _MOST) * count, count)
