"""Augmentations one after the other, and the views that a prediction averages over."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from manyfit.errors import ConfigError

Views: TypeAlias = Literal["one", "flip", "shifts", "flip-shifts"]
"""What is averaged at test time: the image, with its mirror image, with shifts by a pixel, or with both."""
VIEWS: tuple[Views, ...] = ("one", "flip", "shifts", "flip-shifts")


class Mixed(NamedTuple):
    """Whose targets a mixed batch has: ``share`` of their own, the rest of ``partner``'s ``(B,)``."""

    partner: jax.Array
    share: jax.Array


def augmented(
    parts: tuple[Any, ...], images: jax.Array, weight: jax.Array, key: jax.Array
) -> tuple[jax.Array, Mixed | None]:
    """Images ``(B, H, W, C)`` after ``parts``, and how they were mixed if they were.

    Rows of ``weight`` 0 ``(B,)`` fill up a last batch: they are nobody's partner. Raises ``ConfigError``
    where something comes after a mixing, whose targets it could not follow.
    """
    mixed = None
    for place, part in enumerate(parts):
        its_key = jax.random.fold_in(key, place)
        if not hasattr(part, "mix"):
            if mixed is not None:
                raise ConfigError("a mixing augmentation (Mixup, CutMix) has to be the last one")
            images = part(images, its_key)
            continue
        if mixed is not None:
            raise ConfigError("give one mixing augmentation (Mixup or CutMix), not two")
        own = jnp.arange(len(images))
        before = jnp.roll(own, 1)
        partner = jnp.where(weight[before] > 0, before, own)
        images, share = part.mix(images, images[partner], its_key)
        mixed = Mixed(partner, share)
    return images, mixed


def views(kind: Views, images: jax.Array) -> list[jax.Array]:
    """What of the images ``(B, H, W, C)`` a prediction is averaged over, themselves first."""
    if kind == "one":
        return [images]
    if kind == "flip":
        return [images, images[:, :, ::-1]]
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = images.shape[1:3]
    starts = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    shifted = [padded[:, y : y + height, x : x + width] for y, x in starts]
    return shifted if kind == "shifts" else [*shifted, *(image[:, :, ::-1] for image in shifted)]
