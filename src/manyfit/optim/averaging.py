"""Averages of the weights along the training, evaluated and saved in place of the last ones."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from manyfit.optim.numbers import number
from manyfit.optim.optimizer import Wrapper, blend
from manyfit.space import Numeric


class Averaged(NamedTuple):
    """The inner optimizer's state, steps so far, how many weights are in the average, and the average."""

    inner: Any
    steps: jax.Array
    taken: jax.Array
    share: jax.Array
    """What the latest weights got of the average."""
    average: Any


@dataclass(frozen=True)
class Averaging(Wrapper):
    """An average of the inner optimizer's weights.

    Validation, early stopping, the exported model: all see the average; the gradient does not.
    Batch statistics are averaged along with the weights (see ``start``).
    """

    @abstractmethod
    def taking(self, count: jax.Array, taken: jax.Array, total_steps: jax.Array) -> jax.Array:
        """The share of the weights after ``count`` steps (from 1), ``taken`` of them in the average so far."""

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """The inner optimizer's step, and the average beside it."""
        inner = self.inside(total_steps)

        def init(params: Any) -> Averaged:
            zero = jnp.float32(0)
            return Averaged(inner.init(params), zero, zero, jnp.float32(1), jax.tree.map(jnp.array, params))

        def update(gradient: Any, state: Averaged, params: Any = None, **extra: Any) -> tuple[Any, Averaged]:
            change, inside = inner.update(gradient, state.inner, params, **extra)
            latest = self.optimizer.weights(inside, optax.apply_updates(params, change))
            count = state.steps + 1
            share = jnp.asarray(self.taking(count, state.taken, total_steps), jnp.float32)
            taken = jnp.where(share >= 1, 1.0, state.taken + (share > 0)).astype(jnp.float32)
            average = blend(state.average, latest, share)
            return change, Averaged(inside, count, taken, share, average)

        return optax.GradientTransformationExtraArgs(init, update)

    @property
    def averages(self) -> bool:
        """It does."""
        return True

    def weights(self, state: Averaged, params: Any) -> Any:
        """The average."""
        del params
        return state.average

    def share(self, state: Averaged) -> jax.Array:
        """The share of the step that led here."""
        return state.share


@dataclass(frozen=True)
class EMA(Averaging):
    """An exponential moving average: ``average = decay * average + (1 - decay) * weights``.

    In the beginning the decay is smaller, ``t / (t + ramp)`` after ``t`` steps, so that the first weights
    do not linger; with ``ramp=0`` the average starts at the weights after the first step and decays
    as it is, as PyTorch's ``get_ema_multi_avg_fn`` does.

    Source: Polyak & Juditsky (1992); the ramp is TensorFlow's.

    >>> from manyfit.optim import AdamW
    >>> optimizer = EMA(AdamW(learning_rate=1e-3), decay=0.999)
    """

    decay: Numeric = 0.999
    ramp: Numeric = 10.0

    def taking(self, count: jax.Array, taken: jax.Array, total_steps: jax.Array) -> jax.Array:
        """One less the decay at this step."""
        del taken, total_steps
        before = count - 1
        decay = jnp.minimum(number(self.decay), before / jnp.maximum(before + number(self.ramp), 1e-12))
        return jnp.where(before > 0, 1.0 - decay, 1.0)


@dataclass(frozen=True)
class SWA(Averaging):
    """The plain mean of the weights over the last part of the training, every ``every`` steps.

    ``start`` is the share of the training before it begins; until then the weights are evaluated as they
    are. Meant for a rate that stays high (``Constant``, or ``WSD`` with a high ``final``) and a training that
    runs to its last epoch: early stopping that ends before ``start`` leaves no average.

    Source: Izmailov et al. (2018), "Averaging weights leads to wider optima and better generalization".

    >>> from manyfit.optim import SGD
    >>> optimizer = SWA(SGD(learning_rate=0.05), start=0.75)
    """

    start: Numeric = 0.75
    every: Numeric = 1.0

    def taking(self, count: jax.Array, taken: jax.Array, total_steps: jax.Array) -> jax.Array:
        """All of it before ``start``, then one part of the mean, or none between two parts."""
        into = count - jnp.floor(number(self.start) * total_steps) - 1.0
        due = jnp.mod(into, jnp.maximum(jnp.round(number(self.every)), 1.0)) == 0
        following = jnp.where(due, 1.0 / (taken + 1.0), 0.0)
        return jnp.where(into <= 0, 1.0, following)
