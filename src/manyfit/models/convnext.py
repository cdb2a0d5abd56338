"""ConvNeXt: a convolutional network with the plan of a transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.images import check_whole, drop_path, image_of, resolved
from manyfit.nn.conv import Conv2d
from manyfit.nn.fusion import materialised
from manyfit.nn.linear import Linear
from manyfit.nn.normalisation import LayerNorm
from manyfit.nn.pooling import global_avg_pool
from manyfit.space import Numeric

_START = nnx.initializers.truncated_normal(0.02)


@dataclass(frozen=True)
class ConvNeXt:
    """Stages of depthwise 7x7 convolutions and pixel-wise MLPs, halved between stages.

    The stem cuts the image into squares of ``patch`` pixels; images are padded at the lower right to
    whole squares.

    Source: Liu et al. (2022), "A ConvNet for the 2020s".
    """

    depths: tuple[int, ...] = (2, 2, 4)
    widths: tuple[int, ...] = (48, 96, 192)
    patch: int = 2
    stochastic_depth: Numeric = 0.0

    def __post_init__(self) -> None:
        check_whole(self, depths=self.depths, widths=self.widths, patch=self.patch)
        if len(self.depths) != len(self.widths):
            raise ConfigError(
                f"ConvNeXt(depths={self.depths}, widths={self.widths}): give one width for each stage"
            )

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"pixels": (B, H, W, C)}`` to ``(B, outputs)``."""
        return ConvNeXtModule(self, image_of(inputs, self)[2], outputs, rngs)


class ConvNeXtModule(nnx.Module):
    """The module that ``ConvNeXt`` describes."""

    def __init__(self, spec: ConvNeXt, channels: int, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "stochastic_depth")
        layers: list[nnx.Module] = []
        place, total, into = 0, sum(spec.depths), channels
        for stage, (depth, width) in enumerate(zip(spec.depths, spec.widths)):
            layers.append(Patches(into, width, 2 if stage else spec.patch, stage > 0, rngs))
            for _ in range(depth):
                layers.append(Block(width, drop_path(rate, place, total, rngs), rngs))
                place += 1
            into = width
        self.layers = nnx.List(layers)
        self.norm = LayerNorm(into, epsilon=1e-6, rngs=rngs)
        self.head = Linear(into, outputs, kernel_init=_START, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x = features["pixels"]
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(global_avg_pool(x)))


class Patches(nnx.Module):
    """Squares of pixels to one pixel each; normalised after (the stem) or before (between stages)."""

    def __init__(self, into: int, out: int, side: int, before: bool, rngs: nnx.Rngs) -> None:
        self.side, self.before = side, before
        self.convolution = Conv2d(into, out, side, stride=side, padding=0, kernel_init=_START, rngs=rngs)
        self.norm = LayerNorm(into if before else out, epsilon=1e-6, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        lower, right = (-x.shape[1]) % self.side, (-x.shape[2]) % self.side
        if self.before:
            x = self.norm(x)
        if lower or right:
            x = jnp.pad(x, ((0, 0), (0, lower), (0, right), (0, 0)))
        x = self.convolution(x)
        return x if self.before else self.norm(x)


class Block(nnx.Module):
    """``x + scale * mlp(norm(depthwise(x)))``, the scale starting at 1e-6."""

    def __init__(self, width: int, path: Any, rngs: nnx.Rngs) -> None:
        self.depthwise = Conv2d(width, width, 7, padding=3, groups=width, kernel_init=_START, rngs=rngs)
        self.norm = LayerNorm(width, epsilon=1e-6, rngs=rngs)
        self.widen = Linear(width, 4 * width, kernel_init=_START, rngs=rngs)
        self.narrow = Linear(4 * width, width, kernel_init=_START, rngs=rngs)
        self.scale = nnx.Param(jnp.full(width, 1e-6))
        self.path = path

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.narrow(jax.nn.gelu(self.widen(self.norm(self.depthwise(x))), approximate=False))
        return materialised(x + self.path(y * self.scale[...].astype(y.dtype)))
