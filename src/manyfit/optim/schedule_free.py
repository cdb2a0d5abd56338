"""Schedule-free optimizers: an average of the weights takes the place of a falling learning rate."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax
from optax import contrib

from manyfit.optim.clipping import clipped
from manyfit.optim.optimizer import Rule
from manyfit.space import Numeric


@dataclass(frozen=True)
class ScheduleFree(Rule):
    """Steps are taken from ``z``, gradients at ``y``, and the average ``x`` is what is evaluated and saved.

    ``y = (1 - beta) z + beta x``, ``beta`` above 0, is what trains in place of the weights; ``x`` is the mean
    of all ``z`` weighed by the highest rate so far to ``power``. Give no schedule but a warm-up:
    ``Constant(warmup=0.05)``.

    Source: Defazio et al. (2024), "The road less scheduled".
    """

    beta: Numeric = 0.9
    power: Numeric = 2.0

    @abstractmethod
    def direction(self) -> list[optax.GradientTransformation]:
        """The base optimizer's, without momentum."""

    def transform(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """The base optimizer inside the average."""
        base = optax.chain(*clipped(self.clip), *self._decayed(), *self._descend(total_steps))

        def rate(count: jax.Array) -> jax.Array:  # Optax counts from 1 here
            return jnp.asarray(self.rate(count - 1, total_steps))

        return contrib.schedule_free(base, rate, b1=self.beta, weight_lr_power=self.power)

    @property
    def averages(self) -> bool:
        """It does."""
        return True

    def weights(self, state: Any, params: Any) -> Any:
        """The average ``x``."""
        averaged = contrib.schedule_free_eval_params(state, params)
        return jax.tree.map(lambda new, old: new.astype(old.dtype), averaged, params)

    def share(self, state: Any) -> jax.Array:
        """What the latest ``z`` weighs in the average."""
        return jnp.nan_to_num(state.max_lr**self.power / state.weight_sum, nan=0.0)


@dataclass(frozen=True)
class ScheduleFreeSGD(ScheduleFree):
    """Gradient descent without a schedule; its rate may be far higher than SGD's.

    >>> optimizer = ScheduleFreeSGD(learning_rate=0.5)
    """

    learning_rate: Numeric = 0.1

    search: ClassVar[tuple[float, float]] = (1e-2, 1.0)

    def direction(self) -> list[optax.GradientTransformation]:
        """The gradient."""
        return []


@dataclass(frozen=True)
class ScheduleFreeAdamW(ScheduleFree):
    """AdamW without a schedule.

    >>> optimizer = ScheduleFreeAdamW(learning_rate=2.5e-3, weight_decay=0.01)
    """

    learning_rate: Numeric = 2.5e-3
    b2: Numeric = 0.999
    eps: Numeric = 1e-8

    search: ClassVar[tuple[float, float]] = (5e-4, 2e-2)

    def direction(self) -> list[optax.GradientTransformation]:
        """Over the root of the second moment; the average is the momentum."""
        return [optax.scale_by_rms(self.b2, self.eps, 0.0, eps_in_sqrt=False, bias_correction=True)]
