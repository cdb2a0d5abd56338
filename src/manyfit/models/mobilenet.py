"""MobileNetV2: inverted residuals on depthwise convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.images import ConvNorm, check_whole, image_of, resolved
from manyfit.nn.dropout import Dropout
from manyfit.nn.pooling import global_avg_pool
from manyfit.space import Numeric

IMAGENET = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Table 2 of the paper: expansion, width, blocks, stride of the first."""
SMALL_IMAGES = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 2, 2), (6, 64, 3, 2), (6, 96, 2, 1))
"""For images of some 32 pixels a side: two strides fewer, no stage of 160 and more."""


@dataclass(frozen=True)
class MobileNet:
    """Blocks that widen each pixel, filter each channel by itself, and narrow again without a rectifier.

    One entry of ``stages`` is (expansion, width, blocks, stride of the first block).

    Source: Sandler et al. (2018), "MobileNetV2: inverted residuals and linear bottlenecks".
    """

    stages: tuple[tuple[int, int, int, int], ...] = SMALL_IMAGES
    stem: int = 32
    stem_stride: int = 1
    last: int = 512
    dropout: Numeric = 0.2

    def __post_init__(self) -> None:
        check_whole(self, stem=self.stem, stem_stride=self.stem_stride, last=self.last)
        for stage in self.stages:
            if len(stage) != 4:
                raise ConfigError(
                    f"MobileNet: a stage is (expansion, width, blocks, stride), this one is {stage}"
                )
            check_whole(self, stages=tuple(stage))

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"pixels": (B, H, W, C)}`` to ``(B, outputs)``."""
        return MobileNetModule(self, image_of(inputs, self)[2], outputs, rngs)


class MobileNetModule(nnx.Module):
    """The module that ``MobileNet`` describes."""

    def __init__(self, spec: MobileNet, channels: int, outputs: int, rngs: nnx.Rngs) -> None:
        self.stem = ConvNorm(channels, spec.stem, 3, stride=spec.stem_stride, rngs=rngs)
        blocks, into = [], spec.stem
        for expansion, width, count, stride in spec.stages:
            for i in range(count):
                blocks.append(InvertedResidual(into, expansion, width, 1 if i else stride, rngs))
                into = width
        self.blocks = nnx.List(blocks)
        self.last = ConvNorm(into, spec.last, 1, rngs=rngs)
        self.dropout = Dropout(resolved(spec, "dropout"), rngs=rngs)
        self.head = nnx.Linear(spec.last, outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x = jax.nn.relu6(self.stem(features["pixels"]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.dropout(global_avg_pool(jax.nn.relu6(self.last(x)))))


class InvertedResidual(nnx.Module):
    """1x1 to ``expansion`` times the channels, depthwise 3x3, 1x1 to ``width``; added to x where shapes allow."""

    def __init__(self, into: int, expansion: int, width: int, stride: int, rngs: nnx.Rngs) -> None:
        inner = into * expansion
        self.expand = ConvNorm(into, inner, 1, rngs=rngs) if expansion > 1 else None
        self.depthwise = ConvNorm(inner, inner, 3, stride=stride, groups=inner, rngs=rngs)
        self.project = ConvNorm(inner, width, 1, rngs=rngs)
        self.adds = stride == 1 and into == width

    def __call__(self, x: jax.Array) -> jax.Array:
        y = x if self.expand is None else jax.nn.relu6(self.expand(x))
        y = self.project(jax.nn.relu6(self.depthwise(y)))
        return x + y if self.adds else y
