"""A policy: a few operations at random, all of one strength."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from manyfit.augment.images import check, inside, moved, recoloured, uniform
from manyfit.errors import ConfigError
from manyfit.space import Numeric

STRONGEST = {
    "identity": 0.0,
    "brightness": 1.0,
    "contrast": 0.9,
    "saturation": 0.9,
    "rotate": 30.0,
    "shift_y": 0.3,
    "shift_x": 0.3,
    "scale": 0.5,
    "shear_y": 0.3,
    "shear_x": 0.3,
    "cutout": 0.5,
}
"""The operations, and what each is at magnitude 1: degrees, shares of a side, factors."""


@dataclass(frozen=True)
class RandAugment:
    """``count`` operations of ``STRONGEST`` for each image, drawn anew, with a random sign, at ``magnitude``.

    Like the published policy in its two numbers and most of its operations (no equalising, posterising and
    solarising, which need pixels in bytes). All that move an image are one map, read once.

    Source: Cubuk et al. (2020), "RandAugment: practical automated data augmentation with a reduced search
    space".
    """

    count: int = 2
    magnitude: Numeric = 0.3

    def __post_init__(self) -> None:
        check(self, most=1.0, magnitude=self.magnitude)
        if isinstance(self.count, int) and self.count < 1:
            raise ConfigError(f"RandAugment(count={self.count}): give at least 1")

    def __call__(self, images: jax.Array, key: jax.Array) -> jax.Array:
        """The changed images."""
        which, signs, places = jax.random.split(key, 3)
        kinds = jnp.floor(uniform(which, len(images), self.count) * len(STRONGEST)).astype(jnp.int32)
        sign = jnp.where(uniform(signs, len(images), self.count) < 0.5, -1.0, 1.0)
        chosen = jax.nn.one_hot(kinds, len(STRONGEST)) * sign[..., None]
        strengths = jnp.asarray(list(STRONGEST.values())) * jnp.asarray(self.magnitude)
        amount = dict(zip(STRONGEST, (jnp.sum(chosen, axis=1) * strengths).T))
        images = recoloured(images, amount["brightness"], amount["contrast"], amount["saturation"])
        images = moved(
            images,
            *(amount[name] for name in ("rotate", "shift_y", "shift_x", "scale", "shear_y", "shear_x")),
        )
        side = (jnp.abs(amount["cutout"]) * min(images.shape[1:3]))[:, None]
        hole = inside(images, uniform(places, len(images), 2), side, side)
        return jnp.where(hole, 0, images).astype(images.dtype)
