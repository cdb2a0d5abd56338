"""Residual networks: the CIFAR form, the ImageNet form, and the wide one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.images import ConvNorm, batch_norm, check_whole, drop_path, image_of, resolved
from manyfit.nn.conv import Conv2d
from manyfit.nn.dropout import Dropout
from manyfit.nn.fusion import materialised
from manyfit.nn.pooling import global_avg_pool, max_pool
from manyfit.space import Numeric


@dataclass(frozen=True)
class ResNet:
    """Stages of residual blocks, each stage at half the height and width of the one before.

    ``stem="small"`` is one 3x3 convolution, for images of some 32 pixels a side; ``"large"`` a 7x7 of
    stride 2 and a 3x3 maximum of stride 2, for some 224. ``block="basic"`` is two 3x3 convolutions,
    ``"bottleneck"`` 1x1, 3x3 (which carries the stride) and 1x1 to four times the width. Where a
    block changes the shape its shortcut is a 1x1 ``"projection"``, or ``"pad"``: every second pixel,
    with zeros for the new channels (option A, which has no parameters).

    Source: He et al. (2016), "Deep residual learning for image recognition"; stochastic depth
    Huang et al. (2016).
    """

    blocks: tuple[int, ...] = (3, 3, 3)
    widths: tuple[int, ...] = (16, 32, 64)
    block: Literal["basic", "bottleneck"] = "basic"
    stem: Literal["small", "large"] = "small"
    shortcut: Literal["projection", "pad"] = "pad"
    stochastic_depth: Numeric = 0.0

    def __post_init__(self) -> None:
        check_whole(self, blocks=self.blocks, widths=self.widths)
        if len(self.blocks) != len(self.widths):
            raise ConfigError(
                f"ResNet(blocks={self.blocks}, widths={self.widths}): give one width for each stage of blocks"
            )

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"pixels": (B, H, W, C)}`` to ``(B, outputs)``."""
        return ResNetModule(self, image_of(inputs, self)[2], outputs, rngs)


class ResNetModule(nnx.Module):
    """The module that ``ResNet`` describes."""

    def __init__(self, spec: ResNet, channels: int, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "stochastic_depth")
        self.large = spec.stem == "large"
        width = spec.widths[0]
        self.stem = ConvNorm(
            channels, width, 7 if self.large else 3, stride=2 if self.large else 1, rngs=rngs
        )
        plan = [
            (w, stage > 0 and i == 0)
            for stage, w in enumerate(spec.widths)
            for i in range(spec.blocks[stage])
        ]
        blocks = []
        for place, (inner, halves) in enumerate(plan):
            out = inner * (4 if spec.block == "bottleneck" else 1)
            path = drop_path(rate, place, len(plan), rngs)
            blocks.append(Residual(width, inner, out, 2 if halves else 1, spec.shortcut, path, rngs))
            width = out
        self.blocks = nnx.List(blocks)
        self.head = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x = jax.nn.relu(self.stem(features["pixels"]))
        if self.large:
            x = max_pool(x, 3, 2, 1)
        for block in self.blocks:
            x = block(x)
        return self.head(global_avg_pool(x))


class Residual(nnx.Module):
    """``relu(shortcut(x) + branch(x))``: two 3x3 convolutions, or a bottleneck where ``out`` is not ``inner``."""

    def __init__(
        self, into: int, inner: int, out: int, stride: int, shortcut: str, path: Dropout, rngs: nnx.Rngs
    ) -> None:
        if out == inner:
            layers = [
                ConvNorm(into, inner, 3, stride=stride, rngs=rngs),
                ConvNorm(inner, out, 3, rngs=rngs),
            ]
        else:
            layers = [
                ConvNorm(into, inner, 1, rngs=rngs),
                ConvNorm(inner, inner, 3, stride=stride, rngs=rngs),
                ConvNorm(inner, out, 1, rngs=rngs),
            ]
        self.layers = nnx.List(layers)
        self.stride, self.grown, self.path = stride, out - into, path
        changed = stride > 1 or self.grown != 0
        project = changed and (shortcut == "projection" or self.grown < 0)
        self.projection = ConvNorm(into, out, 1, stride=stride, rngs=rngs) if project else None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = x
        for i, layer in enumerate(self.layers):
            y = layer(jax.nn.relu(y) if i else y)
        if self.projection is not None:
            x = self.projection(x)
        elif self.stride > 1 or self.grown:
            half = self.grown // 2
            x = x[:, :: self.stride, :: self.stride]
            x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (half, self.grown - half)))
        return materialised(jax.nn.relu(x + self.path(y)))


@dataclass(frozen=True)
class WideResNet:
    """Few, wide residual blocks with normalisation and rectifier before each convolution.

    ``depth`` is 6n + 4: three stages of n blocks, ``16 * factor``, ``32 * factor`` and ``64 * factor``
    wide; dropout lies between the two convolutions of a block.

    Source: Zagoruyko & Komodakis (2016), "Wide residual networks".
    """

    depth: int = 16
    factor: int = 4
    dropout: Numeric = 0.0

    def __post_init__(self) -> None:
        check_whole(self, depth=self.depth, factor=self.factor)
        if isinstance(self.depth, int) and (self.depth < 10 or (self.depth - 4) % 6):
            raise ConfigError(f"WideResNet(depth={self.depth}): give 6n + 4: 10, 16, 22, 28, 40 …")

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"pixels": (B, H, W, C)}`` to ``(B, outputs)``."""
        return WideResNetModule(self, image_of(inputs, self)[2], outputs, rngs)


class WideResNetModule(nnx.Module):
    """The module that ``WideResNet`` describes."""

    def __init__(self, spec: WideResNet, channels: int, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.stem = Conv2d(channels, 16, 3, padding=1, use_bias=False, rngs=rngs)
        width, blocks = 16, []
        for stage in range(3):
            out = 16 * 2**stage * spec.factor
            for i in range((spec.depth - 4) // 6):
                blocks.append(PreActivation(width, out, 2 if stage and i == 0 else 1, rate, rngs))
                width = out
        self.blocks = nnx.List(blocks)
        self.norm = batch_norm(width, rngs)
        self.head = nnx.Linear(width, outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x = self.stem(features["pixels"])
        for block in self.blocks:
            x = block(x)
        return self.head(global_avg_pool(jax.nn.relu(self.norm(x))))


class PreActivation(nnx.Module):
    """``shortcut(x) + conv(dropout(relu(norm(conv(relu(norm(x)))))))`` (He et al., 2016, "Identity mappings")."""

    def __init__(self, into: int, out: int, stride: int, rate: Any, rngs: nnx.Rngs) -> None:
        changed = stride > 1 or into != out
        self.first_norm, self.second_norm = batch_norm(into, rngs), batch_norm(out, rngs)
        self.first = Conv2d(into, out, 3, stride=stride, padding=1, use_bias=False, rngs=rngs)
        self.second = Conv2d(out, out, 3, padding=1, use_bias=False, rngs=rngs)
        self.dropout = Dropout(rate, rngs=rngs)
        self.projection = (
            Conv2d(into, out, 1, stride=stride, padding=0, use_bias=False, rngs=rngs) if changed else None
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        y = jax.nn.relu(self.first_norm(x))
        shortcut = x if self.projection is None else self.projection(y)
        y = self.dropout(jax.nn.relu(self.second_norm(self.first(y))))
        return materialised(shortcut + self.second(y))
