"""What is measured at the taps of one member: sums over rows, and the gradients of the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from manyfit.trace import ACTIVATIONS, Program, by_layer, norm

Measured = dict[str, dict[str, jax.Array]]
"""Layer's path -> quantity -> scalar, or ``(units,)`` for ``peak`` and ``flat``."""

NEAR = 0.01
"""How near to an end of its range, as a share of it, an activation counts as saturated."""


def measure(
    program: Program,
    weights: tuple[Any, Any],
    features: Any,
    loss: Callable[[Any], jax.Array],
    update: Callable[[Any, Any], Any] | None = None,
) -> tuple[jax.Array, Measured, Measured]:
    """The loss, what was seen at each tap, and of each layer's parameters.

    ``weights`` is (parameters, the rest); ``update(gradient, parameters)`` gives
    the change that a step of an optimizer makes.
    """
    params, rest = weights

    def total(params: Any, push: Sequence[jax.Array]) -> tuple[jax.Array, list[jax.Array]]:
        outputs, values = program.run((params, rest), features, push=push)
        return loss(outputs), values

    (value, values), (gradient, pulls) = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)(
        params, program.zeros()
    )
    seen: Measured = {}
    for tap, at, pull in zip(program.taps, values, pulls):
        found = _activation(at, pull, tap.kind if tap.activation else "")
        seen[tap.path] = _joined(seen[tap.path], found) if tap.path in seen else found
    change = None if update is None else update(gradient, params)
    return value, seen, _parameters(params, gradient, change, [layer.path for layer in program.layers])


def _activation(values: jax.Array, pull: jax.Array, kind: str) -> dict[str, jax.Array]:
    values = jax.lax.stop_gradient(values).astype(jnp.float32)
    units = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values.reshape(-1, 1)
    low, high = ACTIVATIONS.get(kind, (None, None))
    flat = jnp.zeros(units.shape[1])
    if low is not None and high is not None and kind != "relu6":
        near = NEAR * (high - low)
        flat = jnp.mean((units < low + near) | (units > high - near), axis=0)
    rows = values.shape[0] if values.ndim > 1 else 1
    return {
        "count": jnp.float32(values.size),
        "calls": jnp.float32(1),
        "sum": jnp.sum(values),
        "squares": jnp.sum(values**2),
        "norm": jnp.sum(jnp.sqrt(jnp.sum(values.reshape(rows, -1) ** 2, axis=1))) / rows,
        "zeros": jnp.sum(values == 0).astype(jnp.float32),
        "peak": jnp.max(jnp.abs(units), axis=0),
        "flat": flat,
        "gradient": norm(pull),
    }


def _joined(one: dict[str, jax.Array], other: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Two calls of the same layer."""
    same = one["peak"].shape == other["peak"].shape
    merged = {name: one[name] + other[name] for name in one if name not in ("peak", "flat", "gradient")}
    merged["gradient"] = jnp.hypot(one["gradient"], other["gradient"])
    merged["peak"] = jnp.maximum(one["peak"], other["peak"]) if same else one["peak"]
    merged["flat"] = jnp.minimum(one["flat"], other["flat"]) if same else one["flat"]
    return merged


def _parameters(params: Any, gradient: Any, change: Any, paths: Sequence[str]) -> Measured:
    trees = {"weight": params, "gradient": gradient} | ({} if change is None else {"change": change})
    found: Measured = {}
    for name, tree in trees.items():
        for path, leaves in by_layer(tree, paths).items():
            found.setdefault(path, {})[name] = norm(leaves)
    return found


def sizes(params: Any, paths: Sequence[str]) -> dict[str, int]:
    """Parameters by layer, those of layers inside it left out."""
    return {
        path: sum(math.prod(leaf.shape) for leaf in leaves)
        for path, leaves in by_layer(params, paths).items()
    }
