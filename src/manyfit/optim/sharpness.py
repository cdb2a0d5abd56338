"""Sharpness-aware minimisation: the gradient where the loss is worst nearby."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from manyfit.optim.numbers import number
from manyfit.optim.optimizer import LossFunction, Wrapper
from manyfit.space import Numeric


@dataclass(frozen=True)
class SAM(Wrapper):
    """The inner optimizer with the gradient at ``weights + rho * gradient / |gradient|``: two gradients a step.

    ``adaptive`` measures the neighbourhood in units of each weight (ASAM, Kwon et al. 2021; there
    ``rho`` is to be about 10 times larger). Both gradients see the same batch and the same dropout masks;
    the loss that is reported and the batch statistics are those of the weights themselves.

    Source: Foret et al. (2021), "Sharpness-aware minimization for efficiently improving generalization".

    >>> from manyfit.optim import SGD
    >>> optimizer = SAM(SGD(learning_rate=0.1), rho=0.05)
    """

    rho: Numeric = 0.05
    adaptive: bool = False

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """The inner optimizer's."""
        return self.inside(total_steps)

    def gradient(self, loss: LossFunction, params: Any) -> tuple[tuple[jax.Array, Any], Any]:
        """The loss at ``params``, the gradient at the worst point nearby."""
        found, ascent = self.optimizer.gradient(loss, params)
        if self.adaptive:
            length = optax.tree.norm(jax.tree.map(lambda g, w: g * jnp.abs(w), ascent, params))
            ascent = jax.tree.map(lambda g, w: g * jnp.square(w), ascent, params)
        else:
            length = optax.tree.norm(ascent)
        reach = number(self.rho) / jnp.maximum(length, 1e-12)
        worst = jax.tree.map(lambda w, g: (w + reach * g).astype(w.dtype), params, ascent)
        return found, self.optimizer.gradient(loss, worst)[1]
