"""Learning-rate schedules: a factor of the learning rate over the share of training that is done.

Lengths are shares of the whole training, in [0, 1], never steps: a schedule fits a
training of any length, and a member whose fold has fewer rows. Every schedule begins with a
linear warm-up over ``warmup`` of all steps (none by default), then follows its own curve.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from manyfit.errors import ConfigError
from manyfit.optim.numbers import number
from manyfit.space import Numeric


@dataclass(frozen=True)
class Schedule(ABC):
    """Maps a step (scalar, 0 is the first) and the number of all steps (scalar) to a factor."""

    warmup: Numeric = 0.0

    @abstractmethod
    def after(self, share: jax.Array) -> jax.Array:
        """The factor at a share, in [0, 1), of what comes after the warm-up."""

    def __call__(self, step: jax.Array, total_steps: jax.Array) -> jax.Array:
        """The factor at ``step`` of ``total_steps``."""
        warm = jnp.asarray(number(self.warmup) * total_steps, jnp.float32)
        rising = jnp.minimum((step + 1.0) / jnp.maximum(warm, 1.0), 1.0)
        share = jnp.clip((step - warm) / jnp.maximum(total_steps - warm, 1.0), 0.0, 1.0)
        return rising * self.after(share)

    @property
    def constant(self) -> bool:
        """Whether the factor is known to be 1 before anything is traced."""
        return False

    def adapt(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs | None:
        """What scales a step by how training goes, where the schedule looks at that."""
        del total_steps
        return None


@dataclass(frozen=True)
class Constant(Schedule):
    """The learning rate as it is, after the warm-up."""

    def after(self, share: jax.Array) -> jax.Array:
        """Always 1."""
        del share
        return jnp.float32(1.0)

    @property
    def constant(self) -> bool:
        """Without warm-up."""
        return isinstance(self.warmup, (int, float)) and self.warmup == 0


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine down to ``final`` (Loshchilov & Hutter 2017, without restarts)."""

    final: Numeric = 0.0

    def after(self, share: jax.Array) -> jax.Array:
        """From 1 to ``final``."""
        return number(self.final) + (1.0 - number(self.final)) * 0.5 * (1.0 + jnp.cos(math.pi * share))


@dataclass(frozen=True)
class Polynomial(Schedule):
    """Down to ``final`` along ``(1 - share)^power``; a power of 1 is a straight line."""

    final: Numeric = 0.0
    power: Numeric = 1.0

    def after(self, share: jax.Array) -> jax.Array:
        """From 1 to ``final``."""
        return number(self.final) + (1.0 - number(self.final)) * (1.0 - share) ** number(self.power)


@dataclass(frozen=True)
class Linear(Polynomial):
    """A straight line down to ``final``: ``Polynomial`` under the name by which many look for it."""


@dataclass(frozen=True)
class Exponential(Schedule):
    """Down to ``final`` by the same factor each step: ``final^share``."""

    final: Numeric = 1e-2

    def after(self, share: jax.Array) -> jax.Array:
        """From 1 to ``final``, which is above 0."""
        return jnp.asarray(self.final, jnp.float32) ** share


@dataclass(frozen=True)
class Steps(Schedule):
    """Times ``factor`` whenever another ``every`` of the training is done (step decay)."""

    factor: Numeric = 0.1
    every: Numeric = 0.3

    def after(self, share: jax.Array) -> jax.Array:
        """``factor`` to the number of drops so far."""
        # float32 shares may fall short of a whole number of drops by a rounding
        drops = jnp.floor(share / number(self.every) + 1e-4)
        return jnp.asarray(self.factor, jnp.float32) ** drops


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up from ``start`` to 1 over ``peak`` of the training, then down to ``final``, both along half a cosine.

    Source: Smith & Topin (2019), "Super-convergence"; the curve is that of PyTorch's
    ``OneCycleLR`` with ``cycle_momentum=False``: momentum stays as it is.
    """

    peak: Numeric = 0.3
    start: Numeric = 0.04
    final: Numeric = 4e-6

    def __call__(self, step: jax.Array, total_steps: jax.Array) -> jax.Array:
        """The factor at ``step`` of ``total_steps``; the last step's is ``final``."""
        rising = jnp.minimum((step + 1.0) / jnp.maximum(number(self.warmup) * total_steps, 1.0), 1.0)
        top, last = number(self.peak) * total_steps - 1.0, total_steps - 1.0
        up = _half_cosine(self.start, 1.0, step / jnp.maximum(top, 1e-6))
        return rising * jnp.where(step < top, up, self.after((step - top) / jnp.maximum(last - top, 1e-6)))

    def after(self, share: jax.Array) -> jax.Array:
        """The way down."""
        return _half_cosine(1.0, self.final, share)


@dataclass(frozen=True)
class WSD(Schedule):
    """Warm-up, a stable stretch, then down to ``final`` over the last ``decay`` of the training.

    ``shape`` of the way down: ``linear``, or ``sqrt`` (``1 - sqrt(share)``, which Hägele et al. found best).

    Source: Hägele et al. (2024), "Scaling laws and compute-optimal training beyond fixed training durations".
    """

    warmup: Numeric = 0.05
    decay: Numeric = 0.2
    final: Numeric = 0.0
    shape: Literal["linear", "sqrt"] = "linear"

    def __post_init__(self) -> None:
        if self.shape not in ("linear", "sqrt"):
            raise ConfigError(f"WSD(shape={self.shape!r}): give 'linear' or 'sqrt'")

    def __call__(self, step: jax.Array, total_steps: jax.Array) -> jax.Array:
        """The factor at ``step`` of ``total_steps``; ``decay`` is a share of all steps, the warm-up's too."""
        warm = jnp.asarray(number(self.warmup) * total_steps, jnp.float32)
        rising = jnp.minimum((step + 1.0) / jnp.maximum(warm, 1.0), 1.0)
        length = jnp.maximum(number(self.decay) * total_steps, 1.0)
        return rising * self.after(jnp.clip((step - (total_steps - length)) / length, 0.0, 1.0))

    def after(self, share: jax.Array) -> jax.Array:
        """The factor at a share of the way down."""
        way = share if self.shape == "linear" else jnp.sqrt(share)
        return 1.0 - (1.0 - number(self.final)) * way


def _half_cosine(begin: Any, end: Any, share: jax.Array) -> jax.Array:
    return end + (begin - end) * 0.5 * (1.0 + jnp.cos(math.pi * jnp.clip(share, 0.0, 1.0)))
