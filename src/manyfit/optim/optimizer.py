"""What an optimizer is, and the step that an objective takes with it.

An optimizer is a frozen dataclass, written for one member. Most are a ``Rule``:
an Optax transformation of the gradient. A ``Wrapper`` adds something to another
optimizer: an average of the weights, a second gradient, layers that stand still.
What a wrapper needs beyond the gradient it says in three places:

- ``gradient``: how the gradient is found (SAM takes two);
- the extra arguments of its transformation: ``value``, the mean loss of the
  batch (``Plateau``), and ``weight``, the batch's total row weight (``Accumulate``);
- ``weights``: the weights to evaluate with (``EMA``, ``SWA``, schedule-free).

An objective needs none of this: it calls ``start``, ``step`` and ``evaluated``.
Everything is made inside the traced update, so that every number may be a
traced scalar: another value never recompiles.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from manyfit.optim.clipping import Clipping, clipped
from manyfit.optim.decay import Decay, decay_of
from manyfit.optim.numbers import number
from manyfit.optim.schedules import Constant, Schedule
from manyfit.space import Numeric

PyTree: TypeAlias = Any
LossFunction: TypeAlias = Callable[[PyTree], tuple[jax.Array, Any]]
"""Parameters -> the mean loss of a batch, and whatever was found on the way."""


@dataclass(frozen=True)
class Optimizer(ABC):
    """The base of every optimizer."""

    @abstractmethod
    def transform(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """The transformation for a training of ``total_steps`` updates (scalar, may be traced)."""

    def gradient(self, loss: LossFunction, params: PyTree) -> tuple[tuple[jax.Array, Any], PyTree]:
        """``((loss, found), gradient)`` at ``params``."""
        return jax.value_and_grad(loss, has_aux=True)(params)

    @property
    def averages(self) -> bool:
        """Whether it evaluates with other weights than it trains."""
        return False

    def weights(self, state: PyTree, params: PyTree) -> PyTree:
        """The weights to evaluate with; depends on no hyper-parameter but what ``state`` holds."""
        del state
        return params

    def share(self, state: PyTree) -> jax.Array:
        """The share, in [0, 1], of the latest weights in ``weights`` after the step that led to ``state``."""
        del state
        return jnp.float32(1.0)


@dataclass(frozen=True)
class Rule(Optimizer):
    """An optimizer that turns a gradient into a step: clip, direction, weight decay, learning rate.

    ``clip`` is a ``Clipping``, or a number that bounds the gradient's global norm; 0 leaves it as
    it is. ``weight_decay`` is a ``Decay``, or a number: decoupled, relative to the learning rate,
    on matrices only. ``schedule`` is a factor of the learning rate over the training.
    """

    learning_rate: Numeric = 1e-3
    weight_decay: Numeric | Decay = 0.0
    clip: Numeric | Clipping = 0.0
    schedule: Schedule = field(default_factory=Constant)

    search: ClassVar[tuple[float, float]] = (3e-4, 1e-2)
    """Between which learning rates to search when nothing is said."""

    @abstractmethod
    def direction(self) -> list[optax.GradientTransformation]:
        """From the gradient to the direction of the step, without learning rate and decay."""

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """Clip, direction, decay, learning rate."""
        return optax.chain(*clipped(self.clip), *self._decayed(), *self._descend(total_steps))

    def rate(self, step: jax.Array, total_steps: jax.Array) -> Any:
        """The learning rate at ``step`` (0 is the first)."""
        return number(self.learning_rate) * self.schedule(step, total_steps)

    def _decayed(self) -> list[optax.GradientTransformation]:
        """The direction, with the decay beside it or, coupled, ahead of it."""
        decay = decay_of(self.weight_decay)
        coupled = isinstance(self.weight_decay, Decay) and self.weight_decay.coupled
        return [*decay, *self.direction()] if coupled else [*self.direction(), *decay]

    def _descend(self, total_steps: jax.Array) -> list[optax.GradientTransformation]:
        adapt = self.schedule.adapt(total_steps)
        adapting = [] if adapt is None else [adapt]
        if self.schedule.constant:
            return [optax.scale_by_learning_rate(self.learning_rate), *adapting]
        return [optax.scale_by_learning_rate(lambda step: self.rate(step, total_steps)), *adapting]


@dataclass(frozen=True)
class Wrapper(Optimizer):
    """An optimizer around another one; what it does not change is the inner one's."""

    optimizer: Optimizer

    def gradient(self, loss: LossFunction, params: PyTree) -> tuple[tuple[jax.Array, Any], PyTree]:
        """The inner optimizer's."""
        return self.optimizer.gradient(loss, params)

    @property
    def averages(self) -> bool:
        """As the inner optimizer."""
        return self.optimizer.averages

    def weights(self, state: PyTree, params: PyTree) -> PyTree:
        """The inner optimizer's."""
        return self.optimizer.weights(state, params)

    def share(self, state: PyTree) -> jax.Array:
        """The inner optimizer's."""
        return self.optimizer.share(state)

    def inside(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """The inner optimizer's transformation."""
        return optax.with_extra_args_support(self.optimizer.transform(total_steps))


class State(NamedTuple):
    """What an optimizer carries from step to step; arrays only."""

    moments: PyTree
    averaged: PyTree
    """The untrained arrays (batch statistics) that belong to averaged weights; () where none are averaged."""


class Step(NamedTuple):
    """What a step brings."""

    params: PyTree
    rest: PyTree
    state: State
    value: jax.Array
    """The mean loss of the batch at the parameters before the step."""
    found: Any


def start(optimizer: Optimizer, params: PyTree, rest: PyTree = ()) -> State:
    """The state before the first step.

    ``rest`` are the model's arrays that no gradient trains. Where the optimizer
    averages weights, the same average is kept of them: batch statistics then fit
    the weights that they are used with.
    """
    moments = optimizer.transform(jnp.float32(1)).init(params)
    return State(moments, jax.tree.map(jnp.array, rest) if optimizer.averages else ())


def step(
    optimizer: Optimizer,
    loss: Callable[[PyTree], tuple[jax.Array, tuple[PyTree, Any]]],
    params: PyTree,
    state: State,
    total_steps: jax.Array,
    *,
    weight: Any = 1.0,
) -> Step:
    """One update of ``params``.

    ``loss`` maps parameters to the mean loss of a batch and ``(rest, found)``: the
    untrained arrays after the batch, and what else is to be reported. ``weight`` is
    the total weight of the batch's rows.

    >>> import jax.numpy as jnp
    >>> from manyfit.optim import AdamW, start, step
    >>> optimizer, params = AdamW(learning_rate=0.1), jnp.ones(3)
    >>> taken = step(optimizer, lambda p: (jnp.sum(p**2), ((), None)), params, start(optimizer, params), 100.0)
    >>> float(taken.value), bool((taken.params < params).all())
    (3.0, True)
    """
    (value, (rest, found)), gradient = optimizer.gradient(loss, params)
    transform = optax.with_extra_args_support(optimizer.transform(total_steps))
    change, moments = transform.update(gradient, state.moments, params, value=value, weight=weight)
    # traced float32 hyper-parameters would widen the moments of narrower parameters
    moments = jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), moments, state.moments)
    params = optax.apply_updates(params, change)
    averaged = state.averaged
    if optimizer.averages:
        averaged = blend(averaged, rest, optimizer.share(moments))
    return Step(params, rest, State(moments, averaged), value, found)


def evaluated(optimizer: Optimizer, state: State, params: PyTree, rest: PyTree = ()) -> tuple[PyTree, PyTree]:
    """The weights and untrained arrays to evaluate with."""
    if not optimizer.averages:
        return params, rest
    return optimizer.weights(state.moments, params), state.averaged


def blend(old: PyTree, new: PyTree, share: jax.Array) -> PyTree:
    """``old + share * (new - old)`` for floating leaves, in their own dtype; others are taken from ``new``."""

    def one(a: jax.Array, b: jax.Array) -> jax.Array:
        if not jnp.issubdtype(a.dtype, jnp.floating):
            return b
        return jnp.where(share >= 1, b, a + share * (b - a)).astype(a.dtype)

    return jax.tree.map(one, old, new)
