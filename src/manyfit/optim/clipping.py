"""Gradients that are too long: bounded as a whole, value by value, or against the weights they change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from manyfit.optim.numbers import number, off
from manyfit.space import Numeric


@dataclass(frozen=True)
class Clipping(ABC):
    """A bound on the gradient of one step."""

    limit: Numeric = 1.0

    @abstractmethod
    def transform(self) -> optax.GradientTransformation:
        """The bounded gradient."""


@dataclass(frozen=True)
class ClipNorm(Clipping):
    """The norm over all gradients together is at most ``limit`` (Pascanu et al. 2013); the direction stays.

    Optax's refuses a traced float32 limit for narrower gradients.
    """

    def transform(self) -> optax.GradientTransformation:
        """The gradient, scaled down where it is longer."""

        def update(gradient: Any, params: Any) -> Any:
            del params
            norm = optax.tree.norm(gradient)

            def one(leaf: jax.Array) -> jax.Array:
                return jnp.where(norm < self.limit, leaf, leaf / norm * self.limit).astype(leaf.dtype)

            return jax.tree.map(one, gradient)

        return optax.stateless(update)


@dataclass(frozen=True)
class ClipValue(Clipping):
    """Every entry lies in ``[-limit, limit]``."""

    def transform(self) -> optax.GradientTransformation:
        """The gradient, cut entry by entry."""
        return optax.clip(self.limit)


@dataclass(frozen=True)
class ClipAdaptive(Clipping):
    """The gradient of each unit is at most ``limit`` times as long as the unit's weights.

    A unit is what feeds one output: all but the last axis of a kernel; a vector is one unit.
    Weights count as at least ``eps`` long, so that what starts at 0 can grow.

    Source: Brock et al. (2021), "High-performance large-scale image recognition without
    normalization", equation 3. Optax has it for arrays of at most four dimensions.
    """

    limit: Numeric = 0.01
    eps: Numeric = 1e-3

    def transform(self) -> optax.GradientTransformation:
        """The gradient, scaled down unit by unit."""

        def one(gradient: jax.Array, weight: jax.Array) -> jax.Array:
            longest = number(self.limit) * jnp.maximum(_unit_norm(weight), number(self.eps))
            norm = _unit_norm(gradient)
            return jnp.where(norm > longest, gradient * (longest / jnp.maximum(norm, 1e-6)), gradient)

        return optax.stateless(lambda gradient, params: jax.tree.map(one, gradient, params))


def _unit_norm(x: jax.Array) -> jax.Array:
    axes = tuple(range(x.ndim - 1)) if x.ndim > 1 else None
    return jnp.sqrt(jnp.sum(jnp.square(x), axis=axes, keepdims=True))


def clipped(asked: Any) -> list[optax.GradientTransformation]:
    """The transformation for a ``Clipping`` or a bound of the global norm; none for a bound of 0."""
    clipping = asked if isinstance(asked, Clipping) else ClipNorm(asked)
    return [] if off(clipping.limit) else [clipping.transform()]
