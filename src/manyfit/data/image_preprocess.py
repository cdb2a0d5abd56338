"""Standardising the channels of images by the training rows of a fold, without a float copy of uint8 pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

_BLOCK_PIXELS = 1 << 18
"""Pixels that are worked on at once: the memory that ``fit`` needs beyond the images."""
_HUGE = 1e35
"""Pixels end here, so that no product with 255 and no difference of two leaves float32."""


@dataclass(frozen=True)
class ImagePreprocess:
    """Every channel to mean 0 and standard deviation 1 over the training images.

    Of uint8 pixels the sums are of integers and exact, so that padding rows and
    the order of the rows cannot change a single bit of what is learned. Other
    pixels are floats of any unit, finite; padding after the rows changes no bit
    of theirs either.

    >>> images = {"pixels": jnp.array([0, 100, 200], jnp.uint8).reshape(3, 1, 1, 1)}
    >>> scaler = ImagePreprocess()
    >>> stats = scaler.fit(images, jnp.array([1.0, 1.0, 0.0]))  # the last row is padding
    >>> scaler.apply(stats, images)["pixels"].ravel().tolist()
    [-1.0, 1.0, 3.0]
    """

    def fit(self, inputs: Mapping[str, jax.Array], weight: jax.Array) -> dict[str, jax.Array]:
        """Mean and standard deviation, each float32 ``(C,)``, of pixels as fractions of 255.

        ``inputs["pixels"]`` is uint8 or floating ``(N, H, W, C)``; rows of ``weight`` 0
        ``(N,)`` are left out, all others count alike. A constant channel gets
        the standard deviation 1. The statistics of the same pixels as uint8
        and as floats are the same to rounding.
        """
        pixels = inputs["pixels"]
        used = weight > 0
        if pixels.dtype != jnp.uint8:
            return _float_statistics(pixels, used)
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
        if inputs["pixels"].dtype != jnp.uint8:  # the mean may be far from 0
            return {"pixels": (_within(inputs["pixels"]) - 255.0 * stats["mean"]) * scale}
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


def _within(pixels: jax.Array) -> jax.Array:
    return jnp.clip(pixels.astype(jnp.float32), -_HUGE, _HUGE)


def _float_statistics(pixels: jax.Array, used: jax.Array) -> dict[str, jax.Array]:
    """Mean and deviation per channel, as fractions of 255, by the corrected two-pass algorithm.

    (Chan, Golub, LeVeque 1983, "Algorithms for Computing the Sample Variance", eq. 1.7.) In units of
    the range of the channel about its middle, so that no sum or square leaves float32.
    """
    rows, height, width, channels = pixels.shape
    block = max(1, _BLOCK_PIXELS // (height * width))  # whatever the rows: the order of sums is theirs alone

    def over_blocks(start: tuple[jax.Array, ...], add: Callable[..., tuple[jax.Array, ...]]) -> Any:
        def step(carry: tuple[jax.Array, ...], index: jax.Array) -> tuple[tuple[jax.Array, ...], None]:
            place = index * block + jnp.arange(block)
            here = _within(jnp.take(pixels, place, axis=0, mode="clip"))
            counted = (place < rows) & jnp.take(used, place, mode="clip")
            return add(carry, here, counted[:, None, None, None]), None

        return lax.scan(step, start, jnp.arange(-(-rows // block)))[0]

    def total(values: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sum(jnp.sum(values, axis=2), axis=1), axis=0)  # by lines: rounding stays small

    def bounds(carry: Any, here: jax.Array, counted: jax.Array) -> Any:
        low, high = carry
        return (
            jnp.minimum(low, jnp.min(jnp.where(counted, here, jnp.inf), axis=(0, 1, 2))),
            jnp.maximum(high, jnp.max(jnp.where(counted, here, -jnp.inf), axis=(0, 1, 2))),
        )

    low, high = over_blocks((jnp.full(channels, jnp.inf), jnp.full(channels, -jnp.inf)), bounds)
    varies = low < high
    unit = jnp.where(varies, high - low, 1.0)
    centre = jnp.where(low <= high, low / 2 + high / 2, 0.0)
    count = jnp.maximum(jnp.sum(used.astype(jnp.float32)) * (height * width), 1.0)

    def sums(about: jax.Array, carry: Any, here: jax.Array, counted: jax.Array) -> Any:
        away = jnp.where(counted, (here - centre) / unit - about, 0.0)
        return carry[0] + total(away), carry[1] + total(away * away)

    zero = jnp.zeros(channels)
    mean = over_blocks((zero, zero), partial(sums, zero))[0] / count
    rest, square = over_blocks((zero, zero), partial(sums, mean))
    deviation = jnp.sqrt(jnp.maximum(square - rest * rest / count, 0.0) / count) * unit
    usable = varies & (deviation > 0)
    return {
        "mean": (centre + (mean + rest / count) * unit) / 255.0,
        "std": jnp.where(usable, deviation / 255.0, 1.0),
    }
