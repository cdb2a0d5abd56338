"""What changes an image and leaves its target: crop, flip, colour, cutout, affine maps.

Images are ``(B, H, W, C)`` as the network gets them, standardised: 0 is the mean colour, which fills what a
crop or a turn uncovers. Strengths are traced, one a member; at 0 they leave every bit as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn.dropout import random_bits
from manyfit.space import Numeric


class Augmentation(Protocol):
    """A frozen dataclass that changes images at random."""

    def __call__(self, images: jax.Array, key: jax.Array) -> jax.Array:
        """Images of the same shape and dtype; each draws its own."""
        ...


@dataclass(frozen=True)
class Crop:
    """A window of the image's size from the image with a margin around it: a shift by whole pixels.

    ``margin`` is a share of each side, to the nearest pixel (an eighth is 4 pixels of 32); ``fill`` puts the
    mean colour there, or the image mirrored. Source: He et al. (2016), 4.2.
    """

    margin: float = 0.125
    fill: Literal["mean", "mirror"] = "mean"

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 0.5 or self.fill not in ("mean", "mirror"):
            raise ConfigError(f"{self}: give a margin of 0 to 0.5, filled with 'mean' or 'mirror'")

    def __call__(self, images: jax.Array, key: jax.Array) -> jax.Array:
        """The shifted images."""
        _, height, width, channels = images.shape
        up, left = round(self.margin * height), round(self.margin * width)
        around = ((0, 0), (up, up), (left, left), (0, 0))
        padded = jnp.pad(images, around, mode="constant" if self.fill == "mean" else "reflect")
        drawn = uniform(key, len(images), 2)
        most = jnp.asarray([2 * up, 2 * left])
        starts = jnp.minimum(jnp.floor(drawn * (most + 1)).astype(jnp.int32), most)

        def window(image: jax.Array, start: jax.Array) -> jax.Array:
            return lax.dynamic_slice(image, (start[0], start[1], 0), (height, width, channels))

        return jax.vmap(window)(padded, starts)


@dataclass(frozen=True)
class Flip:
    """Mirrors an image left to right, and top to bottom, each with its probability."""

    horizontal: Numeric = 0.5
    vertical: Numeric = 0.0

    def __post_init__(self) -> None:
        check(self, most=1.0, horizontal=self.horizontal, vertical=self.vertical)

    def __call__(self, images: jax.Array, key: jax.Array) -> jax.Array:
        """The mirrored images."""
        drawn = uniform(key, len(images), 2)[:, :, None, None, None]
        images = jnp.where(drawn[:, 0] < jnp.asarray(self.horizontal), images[:, :, ::-1], images)
        return jnp.where(drawn[:, 1] < jnp.asarray(self.vertical), images[:, ::-1], images)


@dataclass(frozen=True)
class Colour:
    """Brightness (added, in standard deviations), contrast and saturation (factors 1 ± their strength)."""

    brightness: Numeric = 0.2
    contrast: Numeric = 0.2
    saturation: Numeric = 0.2

    def __post_init__(self) -> None:
        check(self, brightness=self.brightness, contrast=self.contrast, saturation=self.saturation)

    def __call__(self, images: jax.Array, key: jax.Array) -> jax.Array:
        """The recoloured images."""
        strengths = jnp.stack([jnp.asarray(s) for s in (self.brightness, self.contrast, self.saturation)])
        drawn = (2 * uniform(key, len(images), 3) - 1) * strengths
        return recoloured(images, drawn[:, 0], drawn[:, 1], drawn[:, 2])


@dataclass(frozen=True)
class Cutout:
    """A square of ``size`` (a share of the shorter side) of the mean colour, anywhere, also over the edge.

    Source: DeVries, Taylor (2017), "Improved regularization of convolutional neural networks with cutout".
    """

    size: Numeric = 0.5

    def __post_init__(self) -> None:
        check(self, most=1.0, size=self.size)

    def __call__(self, images: jax.Array, key: jax.Array) -> jax.Array:
        """The images with a hole each."""
        side = jnp.asarray(self.size) * min(images.shape[1:3])
        centres = uniform(key, len(images), 2)
        return jnp.where(inside(images, centres, side, side), 0, images).astype(images.dtype)


@dataclass(frozen=True)
class Affine:
    """Turned, shifted, scaled and sheared about the centre, read between pixels bilinearly.

    ``rotate`` in degrees, ``shift`` a share of the sides, ``scale`` and ``shear`` shares of 1: each drawn
    uniformly within ± its strength.
    """

    rotate: Numeric = 10.0
    shift: Numeric = 0.1
    scale: Numeric = 0.1
    shear: Numeric = 0.0

    def __post_init__(self) -> None:
        check(self, rotate=self.rotate, shift=self.shift, shear=self.shear)
        check(self, most=0.9, scale=self.scale)

    def __call__(self, images: jax.Array, key: jax.Array) -> jax.Array:
        """The moved images."""
        strengths = [self.rotate, self.shift, self.shift, self.scale, self.shear, self.shear]
        drawn = (2 * uniform(key, len(images), 6) - 1) * jnp.stack([jnp.asarray(s) for s in strengths])
        return moved(images, *(drawn[:, i] for i in range(6)))


def uniform(key: jax.Array, *shape: int) -> jax.Array:
    """Uniform on [0, 1), float32, from the cheap hash of ``nn.dropout``."""
    return (random_bits(key, shape) >> 8).astype(jnp.float32) / (1 << 24)


def check(owner: Any, most: float = math.inf, **strengths: Any) -> None:
    """Raises ``ConfigError`` for a strength below 0 or above ``most``; what is searched or traced passes."""
    for name, value in strengths.items():
        if isinstance(value, (int, float)) and not 0 <= value <= most:
            limit = "at least 0" if most == math.inf else f"0 to {most:g}"
            raise ConfigError(f"{type(owner).__name__}({name}={value}): give a number of {limit}")


def inside(images: jax.Array, centres: jax.Array, height: Any, width: Any) -> jax.Array:
    """Which pixels ``(B, H, W, 1)`` lie in boxes about ``centres`` ``(B, 2)``, given as shares of the sides."""
    rows, columns = images.shape[1:3]
    y, x = centres[:, 0, None] * rows, centres[:, 1, None] * columns
    tall = jnp.abs(jnp.arange(rows) + 0.5 - y) < jnp.asarray(height) / 2
    wide = jnp.abs(jnp.arange(columns) + 0.5 - x) < jnp.asarray(width) / 2
    return tall[:, :, None, None] & wide[:, None, :, None]


def recoloured(
    images: jax.Array, brightness: jax.Array, contrast: jax.Array, saturation: jax.Array
) -> jax.Array:
    """Each image with its own ``(B,)`` brightness added, and contrast and saturation grown by a factor's excess."""
    brightness, contrast, saturation = (
        s[:, None, None, None].astype(images.dtype) for s in (brightness, contrast, saturation)
    )
    grey = jnp.mean(images, axis=-1, keepdims=True)
    level = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
    # as differences, so that 0 adds nothing
    return images + brightness + contrast * (images - level) + saturation * (images - grey)


def moved(
    images: jax.Array,
    degrees: jax.Array,
    down: jax.Array,
    right: jax.Array,
    scale: jax.Array,
    shear_y: jax.Array,
    shear_x: jax.Array,
) -> jax.Array:
    """Each image read at places turned, sheared and scaled about its centre, and shifted by shares of its sides."""
    batch, height, width, channels = images.shape
    angle, size = jnp.deg2rad(degrees), 1 + scale
    cosine, sine = jnp.cos(angle) * size, jnp.sin(angle) * size
    matrix = jnp.stack([cosine + shear_y * sine, shear_y * cosine - sine, sine, cosine], -1).reshape(-1, 2, 2)
    matrix = matrix.at[:, :, 1].add(shear_x[:, None] * matrix[:, :, 0])
    centre = jnp.asarray([(height - 1) / 2, (width - 1) / 2])
    grid = jnp.stack(jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij"), -1) - centre
    shift = jnp.stack([down * height, right * width], -1)
    # the identity as a difference: a place that does not move is read exactly
    change = jnp.sum((matrix - jnp.eye(2))[:, None, None] * grid[None, :, :, None], -1)
    at = grid + centre + change + shift[:, None, None]
    low = jnp.floor(at)
    part = at - low
    flat = images.reshape(batch, height * width, channels)
    total = jnp.zeros_like(images)
    for down_one, right_one in ((0, 0), (0, 1), (1, 0), (1, 1)):
        y, x = low[..., 0] + down_one, low[..., 1] + right_one
        share = jnp.abs(1 - down_one - part[..., 0]) * jnp.abs(1 - right_one - part[..., 1])
        real = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        place = jnp.clip(y, 0, height - 1) * width + jnp.clip(x, 0, width - 1)
        taken = jnp.take_along_axis(flat, place.astype(jnp.int32).reshape(batch, -1, 1), axis=1)
        share = jnp.where(real, share, 0)[..., None].astype(images.dtype)
        total += share * taken.reshape(images.shape)
    return total
