"""Standardising the channels of images by the training rows of a fold, exactly and without a float copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax

_BLOCK_PIXELS = 1 << 18
"""Pixels that are worked on at once: the memory that ``fit`` needs beyond the images."""


@dataclass(frozen=True)
class ImagePreprocess:
    """Every channel to mean 0 and standard deviation 1 over the training images.

    The sums are of integers and exact, so that padding rows and the order of
    the rows cannot change a single bit of what is learned.

    >>> images = {"pixels": jnp.array([0, 100, 200], jnp.uint8).reshape(3, 1, 1, 1)}
    >>> scaler = ImagePreprocess()
    >>> stats = scaler.fit(images, jnp.array([1.0, 1.0, 0.0]))  # the last row is padding
    >>> scaler.apply(stats, images)["pixels"].ravel().tolist()
    [-1.0, 1.0, 3.0]
    """

    def fit(self, inputs: Mapping[str, jax.Array], weight: jax.Array) -> dict[str, jax.Array]:
        """Mean and standard deviation, each float32 ``(C,)``, of pixels as fractions of 255.

        ``inputs["pixels"]`` is uint8 ``(N, H, W, C)``; rows of ``weight`` 0
        ``(N,)`` are left out, all others count alike. A constant channel gets
        the standard deviation 1.
        """
        pixels = inputs["pixels"]
        used = weight > 0
        count = jnp.sum(used.astype(jnp.float32)) * (pixels.shape[1] * pixels.shape[2])
        count = jnp.maximum(count, 1.0)
        # about a whole number near the mean, nothing cancels
        centre = jnp.round(_exact_sum(pixels, used, jnp.zeros(pixels.shape[3], jnp.int32), 1) / count)
        centre = centre.astype(jnp.int32)
        shift = (_exact_sum(pixels, used, centre, 1) - _exact_sum(pixels, used, centre, -1)) / count
        square = _exact_sum(pixels, used, centre, 2) / count
        std = jnp.sqrt(jnp.maximum(square - shift**2, 0.0)) / 255.0
        return {"mean": (centre + shift) / 255.0, "std": jnp.where(std > 0, std, 1.0)}

    def apply(self, stats: Mapping[str, jax.Array], inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """``{"pixels": float32 (B, H, W, C)}``, one multiplication and addition a pixel."""
        scale = 1.0 / (255.0 * stats["std"])
        offset = -stats["mean"] / stats["std"]
        return {"pixels": inputs["pixels"].astype(jnp.float32) * scale + offset}


def _exact_sum(pixels: jax.Array, used: jax.Array, centre: jax.Array, power: int) -> jax.Array:
    """Per channel the sum over used rows of what lies above the centre (power 1), below it (-1), or of squares (2).

    Exact in two 32-bit limbs (value = high * 2**16 + low), rounded once at the end.
    """
    rows, height, width, channels = pixels.shape
    block = max(1, min(rows, _BLOCK_PIXELS // (height * width)))

    def add(limbs: tuple[jax.Array, jax.Array], index: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        # the last block starts early to stay inside, and skips what was counted
        start = jnp.minimum(index * block, rows - block)
        fresh = lax.dynamic_slice_in_dim(used, start, block) & (start + jnp.arange(block) >= index * block)
        away = lax.dynamic_slice_in_dim(pixels, start, block).astype(jnp.int32) - centre
        amount = away * away if power == 2 else jnp.maximum(away * power, 0)
        lines = jnp.sum(amount.astype(jnp.uint32), axis=2)  # (block, H, C), below 2**32 for W <= 66,051
        lines = jnp.where(fresh[:, None, None], lines, 0)
        high = limbs[0] + jnp.sum(lines >> 16, axis=(0, 1))
        low = limbs[1] + jnp.sum(lines & 0xFFFF, axis=(0, 1))
        return (high + (low >> 16), low & 0xFFFF), None

    zero = jnp.zeros(channels, jnp.uint32)
    (high, low), _ = lax.scan(add, (zero, zero), jnp.arange(-(-rows // block)))
    return high.astype(jnp.float32) * 65536.0 + low.astype(jnp.float32)
