"""One step from the gradients of several batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from manyfit.errors import ConfigError
from manyfit.optim.optimizer import Wrapper


class Accumulated(NamedTuple):
    """The inner optimizer's state, and sums over the batches since its last step."""

    inner: Any
    gradient: Any
    value: jax.Array
    weight: jax.Array
    batches: jax.Array


@dataclass(frozen=True)
class Accumulate(Wrapper):
    """A step of the inner optimizer for every ``count`` batches, with the gradient of all their rows.

    Batches count by the total weight of their rows, so that for a mean over rows the step equals that of one
    batch ``count`` times as large, a short last batch included. Layers that look at the whole batch
    (batch normalisation) see the small ones. Schedules count the inner optimizer's steps.

    The inner optimizer's step is computed for every batch where members train abreast, and used for one
    of ``count``: give it to save the memory of a large batch, not time.

    Raises ``ConfigError`` for a count below 1.

    >>> from manyfit.optim import AdamW
    >>> optimizer = Accumulate(AdamW(learning_rate=1e-3), 4)
    """

    count: int = 2

    def __post_init__(self) -> None:
        if isinstance(self.count, int) and self.count < 1:
            raise ConfigError(f"Accumulate(count={self.count}): give at least 1 batch a step")

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """Nothing, until the last of ``count`` batches."""
        inner = self.inside(jnp.floor(total_steps / self.count))

        def init(params: Any) -> Accumulated:
            zero = jnp.float32(0)
            return Accumulated(inner.init(params), optax.tree.zeros_like(params), zero, zero, jnp.int32(0))

        def update(
            gradient: Any,
            state: Accumulated,
            params: Any,
            *,
            value: Any = 0.0,
            weight: Any = 1.0,
            **extra: Any,
        ) -> tuple[Any, Accumulated]:
            gradient = jax.tree.map(lambda a, g: (a + weight * g).astype(a.dtype), state.gradient, gradient)
            value, weight = state.value + weight * value, state.weight + weight
            count = state.batches + 1

            def whole() -> tuple[Any, Accumulated]:
                each = 1.0 / jnp.maximum(weight, 1e-12)
                mean = jax.tree.map(lambda g: (each * g).astype(g.dtype), gradient)
                change, inside = inner.update(
                    mean, state.inner, params, value=value * each, weight=weight, **extra
                )
                inside = _like(inside, state.inner)
                blank = init(params)._replace(inner=inside)
                return _like(change, params), _like(blank, state)

            def part() -> tuple[Any, Accumulated]:
                kept = Accumulated(state.inner, gradient, value, weight, count)
                return optax.tree.zeros_like(params), _like(kept, state)

            return jax.lax.cond(count >= self.count, whole, part)

        return optax.GradientTransformationExtraArgs(init, update)

    def weights(self, state: Accumulated, params: Any) -> Any:
        """The inner optimizer's."""
        return self.optimizer.weights(state.inner, params)

    def share(self, state: Accumulated) -> jax.Array:
        """The inner optimizer's at its step, nothing between."""
        return jnp.where(state.batches == 0, self.optimizer.share(state.inner), 0.0)


def _like(new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.asarray(a, b.dtype), new, old)
