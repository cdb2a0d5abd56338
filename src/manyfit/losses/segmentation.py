"""Losses of regions: how well a predicted area covers the true one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from manyfit.losses._arrays import Array, one_hot, wide


def tversky(
    logits: Array,
    target: Array,
    alpha: Any = 0.5,
    beta: Any = 0.5,
    smooth: Any = 1.0,
    ignore: int | None = None,
) -> Array:
    """``1 - (TP + s) / (TP + alpha FP + beta FN + s)`` of every class, averaged over the classes.

    ``logits`` ``(B, *space, K)``, ``target`` ``(B, *space)`` indices -> ``(B,)``; TP, FP and FN are sums of
    probabilities over the pixels. ``beta`` above ``alpha`` minds what is missed more than what is too much.
    Pixels whose target is ``ignore`` do not count. Source: Salehi et al. (2017), "Tversky loss function".
    """
    probability = jax.nn.softmax(wide(logits), axis=-1)
    hot, known = one_hot(target, logits.shape[-1])
    counted = known if ignore is None else known & (target != ignore)
    bad = ~known if ignore is None else ~known & (target != ignore)
    space = tuple(range(1, target.ndim))
    probability = jnp.where(counted[..., None], probability, 0.0)
    truth = (hot & counted[..., None]).astype(probability.dtype)
    both = jnp.sum(probability * truth, axis=space)
    extra = jnp.sum(probability, axis=space) - both
    missed = jnp.sum(truth, axis=space) - both
    score = (both + smooth) / (both + alpha * extra + beta * missed + smooth)
    return jnp.where(jnp.any(bad, axis=space), jnp.nan, 1.0 - jnp.mean(score, axis=-1))


def dice(logits: Array, target: Array, smooth: Any = 1.0, ignore: int | None = None) -> Array:
    """``1 - (2 TP + s) / (2 TP + FP + FN + s)``, averaged over the classes; see ``tversky``.

    Source: Milletari et al. (2016), "V-Net", without squares in the denominator.
    """
    return tversky(logits, target, 0.5, 0.5, jnp.asarray(smooth) / 2.0, ignore)
