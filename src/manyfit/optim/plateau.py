"""A learning rate that falls when the loss no longer does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from manyfit.optim.numbers import number
from manyfit.optim.schedules import Constant
from manyfit.space import Numeric


class PlateauState(NamedTuple):
    """Scalars: the factor so far, the best window's loss, windows without progress, and the window under way."""

    scale: jax.Array
    best: jax.Array
    waited: jax.Array
    rest: jax.Array
    total: jax.Array
    weight: jax.Array
    steps: jax.Array


@dataclass(frozen=True)
class Plateau(Constant):
    """Times ``factor`` after more than ``patience`` windows without a lower training loss.

    A window is ``window`` of the training (0.01: a hundredth of all steps, an epoch of a hundred); its
    loss is the mean over its rows. Progress is a loss below ``(1 - threshold)`` times the best. After a
    reduction ``cooldown`` windows pass unjudged. The factor never falls below ``least``.

    It looks at the training loss because it stands inside the step, where the validation rows are
    not seen: they choose the best epoch and when to stop, and decide nothing of the way there.
    The rule is PyTorch's ``ReduceLROnPlateau`` (``mode="min"``, ``threshold_mode="rel"``).
    Optax's has a whole number of steps for a window and decides on hyper-parameters in Python.
    """

    factor: Numeric = 0.1
    patience: Numeric = 10.0
    threshold: Numeric = 1e-4
    cooldown: Numeric = 0.0
    least: Numeric = 0.0
    window: Numeric = 0.01

    def adapt(self, total_steps: jax.Array) -> optax.GradientTransformationExtraArgs:
        """Scales the step; needs the extra argument ``value`` (mean loss), and takes ``weight``."""

        def init(params: Any) -> PlateauState:
            del params
            zero = jnp.float32(0)
            return PlateauState(jnp.float32(1), jnp.float32(jnp.inf), zero, zero, zero, zero, zero)

        def update(
            change: Any, state: PlateauState, params: Any = None, *, value: Any, weight: Any = 1.0, **_: Any
        ) -> tuple[Any, PlateauState]:
            del params
            # this step still goes by the losses before it, as a step that ends an epoch does
            change = jax.tree.map(lambda leaf: (state.scale * leaf).astype(leaf.dtype), change)
            return change, self._look(state, value, weight, total_steps)

        return optax.GradientTransformationExtraArgs(init, update)

    def _look(self, state: PlateauState, value: Any, weight: Any, total_steps: Any) -> PlateauState:
        total, count, steps = state.total + value * weight, state.weight + weight, state.steps + 1
        full = steps >= jnp.maximum(jnp.round(self.window * total_steps), 1.0)
        mean = total / jnp.maximum(count, 1e-12)
        # negative losses (log-likelihoods) improve by growing in size
        better = mean < state.best - number(self.threshold) * jnp.where(
            jnp.isfinite(state.best), jnp.abs(state.best), 0
        )
        resting = state.rest > 0
        waited = jnp.where(better | resting, 0.0, state.waited + 1.0)
        reduce = waited > number(self.patience)
        judged = PlateauState(
            scale=jnp.where(
                reduce, jnp.maximum(state.scale * number(self.factor), number(self.least)), state.scale
            ),
            best=jnp.where(better, mean, state.best),
            waited=jnp.where(reduce, 0.0, waited),
            rest=jnp.where(reduce, number(self.cooldown), jnp.maximum(state.rest - 1.0, 0.0)),
            total=jnp.zeros_like(total),
            weight=jnp.zeros_like(count),
            steps=jnp.zeros_like(steps),
        )
        open_ = state._replace(total=total, weight=count, steps=steps)
        return jax.tree.map(lambda a, b, like: jnp.where(full, a, b).astype(like.dtype), judged, open_, state)
