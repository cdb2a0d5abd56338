"""Loss functions per example, and the small dataclasses that name them in a configuration.

The functions are pure and written for one member: ``(outputs, target) -> (batch,)``.
A configuration holds a dataclass, whose ``Numeric`` fields may be searched or traced::

    Supervised(MLP(), loss=CrossEntropy(label_smoothing=uniform(0.0, 0.2)))

Whatever the dtype of the outputs, losses are computed in float32 or wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.errors import ConfigError, nearest
from manyfit.space import Distribution, Numeric

Array: TypeAlias = jax.Array


def cross_entropy(logits: Array, target: Array, label_smoothing: Any = 0.0) -> Array:
    """``-sum_k q_k log softmax(logits)_k`` in nats, one value an example.

    Args:
        logits: ``(..., K)``. ``-inf`` is a class that cannot be.
        target: ``(...)`` class indices in [0, K). Another index gives NaN, never a number.
        label_smoothing: in [0, 1); ``q`` is ``1 - s`` on the target plus ``s / K`` on every
            class (Szegedy et al., 2016, "Rethinking the Inception architecture", section 7).

    The target's logit is picked by a mask: its gradient is then element-wise, where that
    of a gather is a scatter, which is slower on a CPU from 10 to 1000 classes.
    """
    logits = _wide(logits)
    hot, known = _one_hot(target, logits.shape[-1])
    shifted = logits - lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    normaliser = jnp.log(jnp.sum(jnp.exp(shifted), axis=-1))
    if isinstance(label_smoothing, (int, float)) and label_smoothing == 0.0:
        loss = normaliser - jnp.sum(jnp.where(hot, shifted, 0.0), axis=-1)
    else:
        smoothing = jnp.asarray(label_smoothing, logits.dtype)
        q = jnp.where(hot, 1.0 - smoothing, 0.0) + smoothing / logits.shape[-1]
        loss = normaliser - jnp.sum(jnp.where(q > 0, q * shifted, 0.0), axis=-1)
    return jnp.where(known, loss, jnp.nan)


def binary_cross_entropy(logits: Array, target: Array) -> Array:
    """``-t log sigmoid(z) - (1 - t) log sigmoid(-z)``, with ``target`` in [0, 1], shaped as ``logits``."""
    logits = _wide(logits)
    return (
        jnp.maximum(logits, 0) - logits * target.astype(logits.dtype) + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    )


def focal(logits: Array, target: Array, gamma: Any = 2.0) -> Array:
    """``-(1 - p)^gamma log p`` with ``p`` the probability of the target; ``gamma`` 0 is cross-entropy.

    Args:
        logits: ``(..., K)``.
        target: ``(...)`` class indices in [0, K); another index gives NaN.
        gamma: how much well-classified examples are played down, at least 0.

    ``log(1 - p)`` is computed from the other logits, not from ``p``, so that value and
    gradient are finite however sure the model is.

    Source: Lin et al. (2017), "Focal loss for dense object detection".
    """
    logits = _wide(logits)
    hot, known = _one_hot(target, logits.shape[-1])
    floor = jnp.finfo(logits.dtype).min / 4
    normaliser = jax.nn.logsumexp(logits, axis=-1)
    others = jax.nn.logsumexp(jnp.where(hot, floor, logits), axis=-1)
    wrong = jnp.exp(jnp.asarray(gamma, logits.dtype) * jnp.minimum(others - normaliser, 0.0))
    loss = wrong * (normaliser - jnp.sum(jnp.where(hot, logits, 0.0), axis=-1))
    return jnp.where(known, loss, jnp.nan)


def squared_error(outputs: Array, target: Array) -> Array:
    """``(outputs - target)^2``, averaged over the outputs of an example."""
    return _over_outputs(jnp.square(_residual(outputs, target)))


def absolute_error(outputs: Array, target: Array) -> Array:
    """``|outputs - target|``, averaged over the outputs of an example."""
    return _over_outputs(jnp.abs(_residual(outputs, target)))


def huber(outputs: Array, target: Array, delta: Any = 1.0) -> Array:
    """``r^2 / 2`` where ``|r| <= delta``, else ``delta (|r| - delta / 2)``, averaged over the outputs.

    ``delta`` is in the units of the target as the model sees it (standardised, usually).

    Source: Huber (1964), "Robust estimation of a location parameter".
    """
    residual = jnp.abs(_residual(outputs, target))
    delta = jnp.asarray(delta, residual.dtype)
    near = jnp.minimum(residual, delta)
    return _over_outputs(0.5 * near * near + delta * (residual - near))


@runtime_checkable
class Loss(Protocol):
    """What a configuration says of a loss."""

    classification: ClassVar[bool]
    """Whether the target is a class index (else a value)."""

    def __call__(self, outputs: Array, target: Array) -> Array:
        """The loss of each example: ``(batch, outputs)``, ``(batch,)`` -> ``(batch,)``."""
        ...

    def outputs(self, classes: int | None) -> int:
        """How many outputs the model needs; ``classes`` is ``None`` for regression."""
        ...

    def predict(self, outputs: Array) -> Array:
        """What the outputs mean: probabilities ``(batch, classes)`` or values ``(batch,)``."""
        ...


class _Classification:
    classification: ClassVar[bool] = True

    def outputs(self, classes: int | None) -> int:
        """One logit a class, for two classes as well."""
        if classes is None or classes < 2:
            raise ConfigError(
                f"{type(self).__name__} needs a target of at least 2 classes, and this one has "
                f"{'none (it is a number)' if classes is None else classes}: use a regression loss "
                "such as 'squared_error', or another target"
            )
        return classes

    def predict(self, outputs: Array) -> Array:
        """Probabilities, of the shape of ``outputs``."""
        return jax.nn.softmax(_wide(outputs), axis=-1)


class _Regression:
    classification: ClassVar[bool] = False

    def outputs(self, classes: int | None) -> int:
        """One value."""
        if classes is not None:
            raise ConfigError(
                f"{type(self).__name__} is for numbers, and this target has {classes} classes: "
                "use 'cross_entropy', or a numeric target"
            )
        return 1

    def predict(self, outputs: Array) -> Array:
        """Values ``(batch,)`` from ``(batch, 1)``; several outputs stay as they are."""
        return outputs[..., 0] if outputs.shape[-1] == 1 else outputs


@dataclass(frozen=True)
class CrossEntropy(_Classification):
    """Softmax cross-entropy; see ``cross_entropy``."""

    label_smoothing: Numeric = 0.0

    def __post_init__(self) -> None:
        _check(self, "label_smoothing", 0.0, 1.0)

    def __call__(self, outputs: Array, target: Array) -> Array:
        return cross_entropy(outputs, target, self.label_smoothing)


@dataclass(frozen=True)
class Focal(_Classification):
    """Focal loss, for classes that are rare; see ``focal``."""

    gamma: Numeric = 2.0

    def __post_init__(self) -> None:
        _check(self, "gamma", 0.0, float("inf"))

    def __call__(self, outputs: Array, target: Array) -> Array:
        return focal(outputs, target, self.gamma)


@dataclass(frozen=True)
class SquaredError(_Regression):
    """Squared error; its minimiser is the mean."""

    def __call__(self, outputs: Array, target: Array) -> Array:
        return squared_error(outputs, target)


@dataclass(frozen=True)
class AbsoluteError(_Regression):
    """Absolute error; its minimiser is the median."""

    def __call__(self, outputs: Array, target: Array) -> Array:
        return absolute_error(outputs, target)


@dataclass(frozen=True)
class Huber(_Regression):
    """Huber's loss: squared near 0, absolute beyond ``delta``; see ``huber``."""

    delta: Numeric = 1.0

    def __post_init__(self) -> None:
        _check(self, "delta", 1e-12, float("inf"))

    def __call__(self, outputs: Array, target: Array) -> Array:
        return huber(outputs, target, self.delta)


LOSSES: dict[str, type[Any]] = {
    "cross_entropy": CrossEntropy,
    "focal": Focal,
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
}
"""Every loss that a configuration may name."""


def named(loss: str | Loss) -> Loss:
    """The loss of that name with its defaults; a loss is returned as it is.

    Raises ``ConfigError`` for an unknown name.

    >>> named("huber")
    Huber(delta=1.0)
    """
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise ConfigError(f"unknown loss {loss!r}: {nearest(loss, LOSSES)}")
    return LOSSES[loss]()


def _wide(x: Array) -> Array:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _one_hot(target: Array, classes: int) -> tuple[Array, Array]:
    """The target as a mask ``(..., classes)``, and which targets are class indices at all."""
    if not jnp.issubdtype(target.dtype, jnp.integer):
        raise TypeError(f"a class target holds integers, this one is {target.dtype}")
    hot = target[..., None] == lax.broadcasted_iota(target.dtype, (*target.shape, classes), target.ndim)
    return hot, (target >= 0) & (target < classes)


def _residual(outputs: Array, target: Array) -> Array:
    if outputs.ndim == target.ndim + 1 and outputs.shape[-1] == 1:
        outputs = outputs[..., 0]
    if outputs.shape != target.shape:
        # Broadcasting would make (B, B) of (B,) and (B, 1) and train on nonsense.
        raise ValueError(f"outputs {outputs.shape} and target {target.shape} differ in shape")
    outputs = _wide(outputs)
    return outputs - target.astype(outputs.dtype)


def _over_outputs(values: Array) -> Array:
    return values if values.ndim <= 1 else jnp.mean(values.reshape(values.shape[0], -1), axis=1)


def _check(loss: Any, field: str, low: float, high: float) -> None:
    """Refuses a value, or a distribution with a bound, outside [low, high); traced values pass."""
    value = getattr(loss, field)
    if isinstance(value, Distribution):
        values = [value.at(0.0), value.at(1.0)]
    elif isinstance(value, (int, float)):
        values = [value]
    else:
        return
    for v in values:
        if isinstance(v, (int, float)) and not low <= v < high:
            name = type(loss).__name__
            raise ConfigError(f"{name}({field}={v:g}): give a value of at least {low:g} and below {high:g}")
