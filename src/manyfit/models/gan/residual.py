"""Residual networks without any normalisation, on the plan of R3GAN at a small size.

Source: Huang et al. (2024), "The GAN is dead; long live the GAN!", arXiv 2501.05441, section 4: blocks of a
convolution 1x1, an inner 3x3 in groups and another 1x1 whose kernel starts at 0; leaky rectifiers; images resampled
outside the blocks; a basis layer on the smallest grid. Its images are resampled by bilinear filters, here by
means of 2x2 and repeated pixels.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.gan.architecture import Judgement, Latent, image_of, whole
from manyfit.nn.conv import Conv2d
from manyfit.nn.linear import Linear
from manyfit.nn.pooling import avg_pool


@dataclass(frozen=True)
class ResidualGenerator:
    """``blocks`` residual blocks on each grid; the first is the smallest, each further one twice as high and wide.

    ``channels``, one entry a grid; ``expansion`` widens the inner convolution of a block, ``groups`` divides it.
    """

    channels: tuple[int, ...] = (64, 64, 32)
    blocks: int = 1
    expansion: int = 2
    groups: int = 1

    def __post_init__(self) -> None:
        _check("ResidualGenerator", self)

    def build(
        self, latent: int, sample: tuple[int, ...], classes: int | None, *, rngs: nnx.Rngs
    ) -> nnx.Module:
        """From ``noise`` ``(B, latent)`` to images ``(B, H, W, C)``, not bounded."""
        return _Generator(self, latent, image_of(sample, "ResidualGenerator"), classes, rngs)


@dataclass(frozen=True)
class ResidualDiscriminator:
    """The mirror image of ``ResidualGenerator``; ``channels`` from the largest grid to the smallest."""

    channels: tuple[int, ...] = (32, 64, 64)
    blocks: int = 1
    expansion: int = 2
    groups: int = 1

    def __post_init__(self) -> None:
        _check("ResidualDiscriminator", self)

    def build(self, sample: tuple[int, ...], classes: int | None, *, rngs: nnx.Rngs) -> nnx.Module:
        """From images ``(B, H, W, C)`` to logits ``(B,)``."""
        return _Discriminator(self, image_of(sample, "ResidualDiscriminator"), classes, rngs)


def _check(name: str, spec: Any) -> None:
    whole(name, channels=spec.channels, blocks=spec.blocks, expansion=spec.expansion, groups=spec.groups)
    for channels in spec.channels:
        if all(isinstance(n, int) for n in (channels, spec.expansion, spec.groups)) and (
            channels * spec.expansion % spec.groups
        ):
            raise ConfigError(
                f"{name}(groups={spec.groups}): give a number that divides {channels} x {spec.expansion} channels"
            )


class _Block(nnx.Module):
    """``x + inner(x)``, the same at the start since the last kernel is 0."""

    def __init__(self, channels: int, spec: Any, rngs: nnx.Rngs) -> None:
        inner = channels * spec.expansion
        self.widen = Conv2d(channels, inner, 1, rngs=rngs)
        self.middle = Conv2d(inner, inner, 3, groups=spec.groups, rngs=rngs)
        zeros = nnx.initializers.zeros_init()
        self.narrow = Conv2d(inner, channels, 1, use_bias=False, kernel_init=zeros, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        inner = jax.nn.leaky_relu(self.middle(jax.nn.leaky_relu(self.widen(x), 0.2)), 0.2)
        return x + self.narrow(inner)


class _Stage(nnx.Module):
    """A change of channels where it is needed, then blocks on one grid."""

    def __init__(self, before: int, channels: int, spec: Any, rngs: nnx.Rngs) -> None:
        self.change = None if before == channels else Conv2d(before, channels, 1, use_bias=False, rngs=rngs)
        self.blocks = nnx.List([_Block(channels, spec, rngs) for _ in range(spec.blocks)])

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x if self.change is None else self.change(x)
        for block in self.blocks:
            x = block(x)
        return x


class _Generator(nnx.Module):
    def __init__(
        self,
        spec: ResidualGenerator,
        latent: int,
        image: tuple[int, int, int],
        classes: int | None,
        rngs: nnx.Rngs,
    ) -> None:
        height, width, colours = image
        factor = 2 ** (len(spec.channels) - 1)
        self.size = (height, width)
        self.grid = (-(-height // factor), -(-width // factor), spec.channels[0])
        self.latent = Latent(latent, classes, rngs)
        self.basis = Linear(self.latent.features, self.grid[0] * self.grid[1] * self.grid[2], rngs=rngs)
        widths = (spec.channels[0], *spec.channels)
        self.stages = nnx.List([_Stage(a, b, spec, rngs) for a, b in itertools.pairwise(widths)])
        self.last = Conv2d(spec.channels[-1], colours, 1, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        x = self.basis(self.latent(features))
        x = x.reshape(x.shape[0], *self.grid)
        for place, stage in enumerate(self.stages):
            x = stage(_doubled(x) if place else x)
        return self.last(x[:, : self.size[0], : self.size[1]])


class _Discriminator(nnx.Module):
    def __init__(
        self, spec: ResidualDiscriminator, image: tuple[int, int, int], classes: int | None, rngs: nnx.Rngs
    ) -> None:
        height, width, colours = image
        factor = 2 ** (len(spec.channels) - 1)
        # a frame of zeros, so that every grid halves to the next
        self.frame = tuple((0, -side % factor) for side in (height, width))
        grid = [(side + add) // factor for side, (_, add) in zip((height, width), self.frame)]
        self.first = Conv2d(colours, spec.channels[0], 1, rngs=rngs)
        widths = (spec.channels[0], *spec.channels)
        self.stages = nnx.List([_Stage(a, b, spec, rngs) for a, b in itertools.pairwise(widths)])
        self.judgement = Judgement(grid[0] * grid[1] * spec.channels[-1], classes, rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        x = jnp.pad(features["sample"], ((0, 0), *self.frame, (0, 0)))
        x = self.first(x)
        for place, stage in enumerate(self.stages):
            x = stage(avg_pool(x, 2) if place else x)
        return self.judgement(x.reshape(x.shape[0], -1), features)


def _doubled(x: jax.Array) -> jax.Array:
    """Each pixel four times."""
    batch, height, width, channels = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (batch, height, 2, width, 2, channels))
    return x.reshape(batch, 2 * height, 2 * width, channels)
