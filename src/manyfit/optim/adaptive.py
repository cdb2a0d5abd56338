"""A step size for every weight, from the size of its own gradients: the family of Adam and what led to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax

from manyfit.optim.numbers import number, off
from manyfit.optim.optimizer import Rule
from manyfit.space import Numeric


@dataclass(frozen=True)
class AdamW(Rule):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019).

    >>> optimizer = AdamW(learning_rate=1e-3, weight_decay=0.01, clip=1.0)
    """

    b1: Numeric = 0.9
    b2: Numeric = 0.999
    eps: Numeric = 1e-8

    def direction(self) -> list[optax.GradientTransformation]:
        """First moment over the root of the second, both corrected for their start at 0."""
        return [optax.scale_by_adam(self.b1, self.b2, self.eps)]


@dataclass(frozen=True)
class Adam(AdamW):
    """Adam (Kingma & Ba 2015): ``AdamW`` under the name by which many look for it."""


class NAdamState(NamedTuple):
    """Steps so far, product of the momenta so far, and the moments."""

    steps: jax.Array
    product: jax.Array
    mu: Any
    nu: Any


@dataclass(frozen=True)
class NAdam(AdamW):
    """Adam with Nesterov's momentum, which warms up: ``b1 (1 - 0.96^(t * momentum_decay) / 2)``.

    Source: Dozat (2016), "Incorporating Nesterov momentum into Adam", as PyTorch has it; with
    weight decay it is NAdamW. Optax's has no warm-up of the momentum.
    """

    learning_rate: Numeric = 2e-3
    momentum_decay: Numeric = 4e-3

    def direction(self) -> list[optax.GradientTransformation]:
        """Looks ahead by the next step's momentum."""

        b1: Any = self.b1
        b2: Any = self.b2

        def momentum(t: Any) -> Any:
            return b1 * (1.0 - 0.5 * 0.96 ** (t * self.momentum_decay))

        def init(params: Any) -> NAdamState:
            zero = optax.tree.zeros_like(params)
            return NAdamState(jnp.int32(0), jnp.float32(1), zero, zero)

        def update(gradient: Any, state: NAdamState, params: Any = None) -> tuple[Any, NAdamState]:
            del params
            count = state.steps + 1
            now, ahead = momentum(count), momentum(count + 1)
            product = state.product * now
            mu = optax.tree.update_moment(gradient, state.mu, b1, 1)
            nu = optax.tree.update_moment(gradient, state.nu, b2, 2)
            correction = 1.0 - b2**count

            def one(g: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
                step = (1.0 - now) / (1.0 - product) * g + ahead / (1.0 - product * ahead) * m
                return step / (jnp.sqrt(v / correction) + number(self.eps))

            direction = jax.tree.map(one, gradient, mu, nu)
            return direction, NAdamState(count, product, mu, nu)

        return [optax.GradientTransformation(init, update)]


@dataclass(frozen=True)
class RAdam(AdamW):
    """Adam that does not divide by the second moment before it is known (Liu et al. 2020).

    The first steps follow the momentum alone; then the rectified step takes over, with no
    warm-up to tune.
    """

    def direction(self) -> list[optax.GradientTransformation]:
        """Rectified."""
        return [optax.scale_by_radam(self.b1, self.b2, self.eps)]


@dataclass(frozen=True)
class AdaGrad(Rule):
    """Divides by the root of the sum of all squared gradients so far (Duchi et al. 2011).

    ``initial`` is what the sum begins with. For sparse features; elsewhere the rate falls too soon.
    """

    learning_rate: Numeric = 1e-2
    initial: Numeric = 0.0
    eps: Numeric = 1e-10

    search: ClassVar[tuple[float, float]] = (3e-3, 1e-1)

    def direction(self) -> list[optax.GradientTransformation]:
        """Over the root of the sum."""
        # Optax adds its eps under the root
        return [optax.scale_by_rss(self.initial, number(self.eps) ** 2)]


class RMSState(NamedTuple):
    """The running means of the gradient (() unless centred) and of its square."""

    mu: Any
    nu: Any


@dataclass(frozen=True)
class RMSProp(Rule):
    """Divides by the root of the running mean of squared gradients (Hinton 2012), with momentum on request.

    ``centered`` divides by the running deviation instead (Graves 2013). Optax's centred one takes the root
    of a negative number where the gradient hardly changes and rounding wins; here it is bounded at 0.
    """

    learning_rate: Numeric = 1e-3
    decay: Numeric = 0.99
    momentum: Numeric = 0.0
    eps: Numeric = 1e-8
    centered: bool = False

    def direction(self) -> list[optax.GradientTransformation]:
        """Over the root, then the momentum."""
        first = self._centered() if self.centered else optax.scale_by_rms(self.decay, self.eps, 0.0, False)
        return [first] if off(self.momentum) else [first, optax.trace(self.momentum)]

    def _centered(self) -> optax.GradientTransformation:
        def init(params: Any) -> RMSState:
            return RMSState(optax.tree.zeros_like(params), optax.tree.zeros_like(params))

        def update(gradient: Any, state: RMSState, params: Any = None) -> tuple[Any, RMSState]:
            del params
            mu = optax.tree.update_moment(gradient, state.mu, self.decay, 1)
            nu = optax.tree.update_moment(gradient, state.nu, self.decay, 2)

            def one(g: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
                return g / (jnp.sqrt(jnp.maximum(v - m * m, 0.0)) + number(self.eps))

            return jax.tree.map(one, gradient, mu, nu), RMSState(mu, nu)

        return optax.GradientTransformation(init, update)
