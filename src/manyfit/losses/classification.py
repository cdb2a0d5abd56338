"""Losses of classes: cross-entropy and what weighs it, margins, divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.losses._arrays import Array, alike, check, off, one_hot, wide
from manyfit.losses.loss import Classification
from manyfit.space import Numeric


def cross_entropy(
    logits: Array,
    target: Array,
    label_smoothing: Any = 0.0,
    *,
    class_weight: Array | None = None,
    ignore: int | None = None,
) -> Array:
    """``-sum_k q_k log softmax(logits)_k`` in nats, one value an example.

    Args:
        logits: ``(..., K)``. ``-inf`` is a class that cannot be.
        target: ``(...)`` class indices in [0, K). Another index gives NaN, never a number.
        label_smoothing: in [0, 1); ``q`` is ``1 - s`` on the target plus ``s / K`` on every
            class (Szegedy et al., 2016, "Rethinking the Inception architecture", section 7).
        class_weight: ``(K,)``, multiplies ``q`` class by class, as in PyTorch; its weighted mean divides
            by the sum of the targets' weights, ``class_weight[target]``.
        ignore: a target whose loss is 0; leave it out of the mean by a weight of 0 as well.

    The target's logit is picked by a mask: its gradient is then element-wise, where that
    of a gather is a scatter, which is slower on a CPU from 10 to 1000 classes.
    """
    logits = wide(logits)
    hot, known = one_hot(target, logits.shape[-1])
    shifted = logits - lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    normaliser = jnp.log(jnp.sum(jnp.exp(shifted), axis=-1))
    if off(label_smoothing) and class_weight is None:
        loss = normaliser - jnp.sum(jnp.where(hot, shifted, 0.0), axis=-1)
    else:
        smoothing = jnp.asarray(label_smoothing, logits.dtype)
        q = jnp.where(hot, 1.0 - smoothing, 0.0) + smoothing / logits.shape[-1]
        if class_weight is not None:
            q = q * class_weight.astype(logits.dtype)
            normaliser = normaliser * jnp.sum(q, axis=-1)
        # a class that cannot be has a weight of 0 or an infinite loss, never 0 times infinity
        loss = normaliser - jnp.sum(jnp.where(q > 0, q * shifted, 0.0), axis=-1)
    loss = jnp.where(known, loss, jnp.nan)
    return loss if ignore is None else jnp.where(target == ignore, 0.0, loss)


def binary_cross_entropy(logits: Array, target: Array, positive_weight: Any = 1.0) -> Array:
    """``-p t log sigmoid(z) - (1 - t) log sigmoid(-z)``, element by element.

    ``target`` in [0, 1] is shaped as ``logits``, so that several labels may hold at once; ``positive_weight``
    ``p`` (a number, or one a label) makes up for labels that are rare.
    """
    logits = wide(logits)
    target = target.astype(logits.dtype)
    small = jnp.log1p(jnp.exp(-jnp.abs(logits)))
    if isinstance(positive_weight, (int, float)) and positive_weight == 1:
        return jnp.maximum(logits, 0) - logits * target + small
    weight = jnp.asarray(positive_weight, logits.dtype)
    positive, negative = jnp.maximum(-logits, 0) + small, jnp.maximum(logits, 0) + small
    return weight * target * positive + (1.0 - target) * negative


def multi_label(logits: Array, target: Array, positive_weight: Any = 1.0) -> Array:
    """``binary_cross_entropy`` averaged over the labels: ``(B, L)``, ``(B, L)`` -> ``(B,)``."""
    logits, target = alike(logits, target)
    return jnp.mean(binary_cross_entropy(logits, target, positive_weight), axis=-1)


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
    logits = wide(logits)
    hot, known = one_hot(target, logits.shape[-1])
    floor = jnp.finfo(logits.dtype).min / 4
    normaliser = jax.nn.logsumexp(logits, axis=-1)
    others = jax.nn.logsumexp(jnp.where(hot, floor, logits), axis=-1)
    wrong = jnp.exp(jnp.asarray(gamma, logits.dtype) * jnp.minimum(others - normaliser, 0.0))
    loss = wrong * (normaliser - jnp.sum(jnp.where(hot, logits, 0.0), axis=-1))
    return jnp.where(known, loss, jnp.nan)


def hinge(scores: Array, target: Array, margin: Any = 1.0) -> Array:
    """``sum_{k != t} max(0, margin - s_t + s_k) / K``: every class has to stay below the target's score.

    ``scores`` ``(..., K)``, ``target`` ``(...)`` indices. Source: Weston & Watkins (1999); PyTorch's
    ``multi_margin_loss``.
    """
    scores = wide(scores)
    hot, known = one_hot(target, scores.shape[-1])
    own = jnp.sum(jnp.where(hot, scores, 0.0), axis=-1, keepdims=True)
    short = jnp.maximum(jnp.asarray(margin, scores.dtype) - own + scores, 0.0)
    return jnp.where(known, jnp.sum(jnp.where(hot, 0.0, short), axis=-1) / scores.shape[-1], jnp.nan)


def binary_hinge(scores: Array, target: Array) -> Array:
    """``max(0, 1 - y s)`` with ``y`` -1 or 1 for a target of 0 or 1, shaped as ``scores`` (Cortes & Vapnik, 1995)."""
    scores, target = alike(scores, target)
    return jnp.maximum(0.0, 1.0 - (2.0 * target - 1.0) * scores)


def kl_divergence(logits: Array, target: Array) -> Array:
    """``sum_k p_k (log p_k - log softmax(logits)_k)`` in nats, at least 0.

    ``logits`` ``(..., K)``; ``target`` ``(..., K)`` probabilities that add up to 1. What is 0 in the target
    contributes 0.
    """
    logits = wide(logits)
    target = target.astype(logits.dtype)
    entropy = jax.scipy.special.xlogy(target, target)
    cross = jnp.where(target > 0, target * jax.nn.log_softmax(logits, axis=-1), 0.0)
    return jnp.sum(entropy - cross, axis=-1)


@dataclass(frozen=True)
class CrossEntropy(Classification):
    """Softmax cross-entropy; see ``cross_entropy``."""

    label_smoothing: Numeric = 0.0

    def __post_init__(self) -> None:
        check(self, "label_smoothing", 0.0, 1.0)

    def __call__(self, outputs: Array, target: Array) -> Array:
        return cross_entropy(outputs, target, self.label_smoothing)


@dataclass(frozen=True)
class Focal(Classification):
    """Focal loss, for classes that are rare; see ``focal``."""

    gamma: Numeric = 2.0

    def __post_init__(self) -> None:
        check(self, "gamma", 0.0, float("inf"))

    def __call__(self, outputs: Array, target: Array) -> Array:
        return focal(outputs, target, self.gamma)


@dataclass(frozen=True)
class Hinge(Classification):
    """The multiclass margin loss; see ``hinge``. Its scores are no log-probabilities: calibrate before use."""

    margin: Numeric = 1.0

    def __post_init__(self) -> None:
        check(self, "margin", 0.0, float("inf"), above=True)

    def __call__(self, outputs: Array, target: Array) -> Array:
        return hinge(outputs, target, self.margin)
