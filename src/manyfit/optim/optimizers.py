"""Optimizers as descriptions; each makes an Optax transformation for one member.

The transformation is made where it is used, inside the traced update, so that
every number in it may be a traced scalar: another value never recompiles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import optax

from manyfit.errors import ConfigError, nearest
from manyfit.optim.schedules import Constant, Schedule
from manyfit.space import Numeric


class Optimizer(Protocol):
    """What an objective needs of an optimizer."""

    @property
    def learning_rate(self) -> Numeric: ...

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformation:
        """The transformation for a training of ``total_steps`` updates (scalar, may be traced)."""
        ...


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019).

    ``weight_decay`` is relative to the learning rate and applies to matrices
    only, not to biases and scales. ``clip`` bounds the global norm of the
    gradient; 0 leaves it as it is.
    """

    learning_rate: Numeric = 1e-3
    weight_decay: Numeric = 0.0
    b1: Numeric = 0.9
    b2: Numeric = 0.999
    eps: Numeric = 1e-8
    clip: Numeric = 0.0
    schedule: Schedule = field(default_factory=Constant)

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformation:
        """Clip, Adam's moments, decay of the matrices, learning rate."""
        parts = [*_clipped(self.clip), optax.scale_by_adam(self.b1, self.b2, self.eps)]
        if not _off(self.weight_decay):
            parts.append(optax.add_decayed_weights(self.weight_decay, mask=_matrices))
        return optax.chain(*parts, _descend(self.learning_rate, self.schedule, total_steps))


@dataclass(frozen=True)
class Adam(AdamW):
    """Adam (Kingma & Ba 2015): ``AdamW`` under the name by which many look for it."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum, on request Nesterov's; weight decay is decoupled."""

    learning_rate: Numeric = 1e-2
    momentum: Numeric = 0.9
    nesterov: bool = False
    weight_decay: Numeric = 0.0
    clip: Numeric = 0.0
    schedule: Schedule = field(default_factory=Constant)

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformation:
        """Clip, momentum, decay of the matrices, learning rate."""
        parts = _clipped(self.clip)
        if not _off(self.momentum):
            parts.append(optax.trace(self.momentum, nesterov=self.nesterov))
        if not _off(self.weight_decay):
            parts.append(optax.add_decayed_weights(self.weight_decay, mask=_matrices))
        return optax.chain(*parts, _descend(self.learning_rate, self.schedule, total_steps))


OPTIMIZERS = {"adam": Adam, "adamw": AdamW, "sgd": SGD}


def named(name: str) -> type[AdamW] | type[SGD]:
    """The optimizer of that name; raises ``ConfigError`` with the nearest one."""
    if name not in OPTIMIZERS:
        raise ConfigError(f"unknown optimizer {name!r}: {nearest(name, OPTIMIZERS)}")
    return OPTIMIZERS[name]


def _off(value: object) -> bool:
    """Known to be 0 before anything is traced."""
    return isinstance(value, (int, float)) and value == 0


def _clipped(limit: Numeric) -> list[optax.GradientTransformation]:
    return [] if _off(limit) else [optax.clip_by_global_norm(limit)]


def _matrices(params: optax.Params) -> optax.Params:
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def _descend(learning_rate: Any, schedule: Schedule, total_steps: jax.Array) -> optax.GradientTransformation:
    if isinstance(schedule, Constant):
        return optax.scale_by_learning_rate(learning_rate)
    return optax.scale_by_learning_rate(lambda step: learning_rate * schedule(step, total_steps))
