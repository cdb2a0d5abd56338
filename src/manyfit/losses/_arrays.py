"""What every loss does to its arrays first."""

from __future__ import annotations

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.errors import ConfigError
from manyfit.space import Distribution

Array: TypeAlias = jax.Array


def wide(x: Array) -> Array:
    """In float32 or wider."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def one_hot(target: Array, classes: int) -> tuple[Array, Array]:
    """The target as a mask ``(..., classes)``, and which targets are class indices at all."""
    if not jnp.issubdtype(target.dtype, jnp.integer):
        raise TypeError(f"a class target holds integers, this one is {target.dtype}")
    hot = target[..., None] == lax.broadcasted_iota(target.dtype, (*target.shape, classes), target.ndim)
    return hot, (target >= 0) & (target < classes)


def alike(outputs: Array, target: Array) -> tuple[Array, Array]:
    """Outputs and target of one shape and dtype; ``(..., 1)`` outputs lose their last axis."""
    if outputs.ndim == target.ndim + 1 and outputs.shape[-1] == 1:
        outputs = outputs[..., 0]
    if outputs.shape != target.shape:
        # Broadcasting would make (B, B) of (B,) and (B, 1) and train on nonsense.
        raise ValueError(f"outputs {outputs.shape} and target {target.shape} differ in shape")
    outputs = wide(outputs)
    return outputs, target.astype(outputs.dtype)


def over_outputs(values: Array) -> Array:
    """The mean over everything but the first axis."""
    return values if values.ndim <= 1 else jnp.mean(values.reshape(values.shape[0], -1), axis=1)


def off(value: Any) -> bool:
    """Known to be 0 before anything is traced."""
    return isinstance(value, (int, float)) and value == 0


def check(loss: Any, field: str, low: float, high: float, *, above: bool = False) -> None:
    """Refuses a value, or a distribution with a bound, outside [low, high) or (low, high); traced ones pass."""
    value = getattr(loss, field)
    if isinstance(value, Distribution):
        values = [value.at(0.0), value.at(1.0)]
    elif isinstance(value, (int, float)):
        values = [value]
    else:
        return
    for v in values:
        if (isinstance(v, (int, float)) and not (low < v if above else low <= v)) or not v < high:
            least = f"above {low:g}" if above else f"of at least {low:g}"
            raise ConfigError(
                f"{type(loss).__name__}({field}={v:g}): give a value {least} and below {high:g}"
            )
