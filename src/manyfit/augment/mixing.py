"""What mixes two images, and so their targets: mixup and CutMix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from manyfit.augment.images import check, inside, uniform
from manyfit.space import Numeric


@dataclass(frozen=True)
class Mixup:
    """Every image and the one before it in the batch, in shares of Beta(alpha, alpha), one draw a batch.

    Batches are drawn anew every epoch, so that the neighbour is a random partner. ``alpha`` 0 mixes nothing.
    Source: Zhang et al. (2018), "mixup: beyond empirical risk minimization".
    """

    alpha: Numeric = 0.2

    def __post_init__(self) -> None:
        check(self, alpha=self.alpha)

    def mix(self, images: jax.Array, partners: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The mixed images, and the share that is their own."""
        share = _beta(key, self.alpha).astype(images.dtype)
        return images + (1 - share) * (partners - images), share


@dataclass(frozen=True)
class CutMix:
    """A box of every image from the one before it in the batch, of an area of 1 - Beta(alpha, alpha).

    The targets mix in shares of the area that is left. ``alpha`` 0 mixes nothing. Source: Yun et al. (2019),
    "CutMix: regularization strategy to train strong classifiers with localizable features".
    """

    alpha: Numeric = 1.0

    def __post_init__(self) -> None:
        check(self, alpha=self.alpha)

    def mix(self, images: jax.Array, partners: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The mixed images, and the share that is their own."""
        shares, places = jax.random.split(key)
        side = jnp.sqrt(1 - _beta(shares, self.alpha))
        height, width = images.shape[1:3]
        box = inside(images[:1], uniform(places, 1, 2), side * height, side * width)
        return jnp.where(box, partners, images), 1 - jnp.mean(box.astype(images.dtype))


def _beta(key: jax.Array, alpha: Any) -> jax.Array:
    """One draw of Beta(alpha, alpha); 1 at 0."""
    alpha = jnp.asarray(alpha, jnp.float32)
    drawn = jax.random.beta(key, jnp.maximum(alpha, 1e-3), jnp.maximum(alpha, 1e-3))
    return jnp.where(alpha > 0, drawn, 1.0)
