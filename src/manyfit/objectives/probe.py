"""Activations and gradients layer by layer while a network trains, as metrics that the history keeps.

At each epoch's end, on the validation rows as the network predicts: each layer's activations, and the
gradient of the loss by them and by the layer's weights; one more forward and backward pass over these
rows. The steps of the training are left alone: measured inside them, the compiler fused their sums
otherwise, and weights differed in the last digit. To the engine they are metrics like any other.
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


def pass_metrics(objective: Any, model: PyTree, batch: Batch) -> dict[str, Metric]:
    """``activation``, ``zeros``, ``output-gradient`` and, of layers with weights, ``gradient``: norms of the
    gradient of a batch's mean loss, their mean over the batches.
    """
    network = opened(objective, model, batch)
    program = trace(network.call, network.weights, network.features)
    params, rest = network.weights

    def loss(params: PyTree, push: Sequence[Array]) -> tuple[Array, list[Array]]:
        outputs, values = program.run((params, rest), network.features, push=push)
        return network.loss(outputs), values

    (gradient, pulls), values = jax.grad(loss, argnums=(0, 1), has_aux=True)(params, program.zeros())
    rows = jnp.sum(batch.weight)
    found = {}
    for place in _shown(program):
        name = f"{place}/{program.taps[place].path}"
        size, zeros = _sizes(values[place].astype(jnp.float32), batch.weight)
        found[f"{MARK}activation/{name}"] = _one(size, rows)
        found[f"{MARK}zeros/{name}"] = _one(zeros, rows)
        found[f"{MARK}output-gradient/{name}"] = _one(norm(pulls[place]), rows)
    paths = [layer.path for layer in program.layers]
    order = [*dict.fromkeys(tap.path for tap in program.taps), *paths]
    for path, leaves in by_layer(gradient, paths).items():
        found[f"{MARK}gradient/{order.index(path)}/{path}"] = _one(norm(leaves), rows)
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
