"""LeNet-5, the convolutional network that read cheques."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs, activation
from manyfit.models.images import image_of
from manyfit.nn.conv import Conv2d
from manyfit.nn.pooling import avg_pool


@dataclass(frozen=True)
class LeNet:
    """Convolutions 5x5 of 6 and 16 channels, each averaged 2x2, then dense layers of 120 and 84.

    As it is built today: full connections between the convolutions, averages without weights, a
    softmax for the radial basis functions. The first convolution pads images below 32 pixels.

    Source: LeCun et al. (1998), "Gradient-based learning applied to document recognition".
    """

    activation: str = "tanh"

    def __post_init__(self) -> None:
        activation(self.activation) if isinstance(self.activation, str) else None

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"pixels": (B, H, W, C)}`` to ``(B, outputs)``."""
        image = image_of(inputs, self)
        if min(image[:2]) < 12:
            raise ConfigError(f"LeNet reads images of at least 12x12 pixels, these are {image[0]}x{image[1]}")
        return LeNetModule(self, image, outputs, rngs)


class LeNetModule(nnx.Module):
    """The module that ``LeNet`` describes."""

    def __init__(self, spec: LeNet, image: tuple[int, int, int], outputs: int, rngs: nnx.Rngs) -> None:
        height, width, channels = image
        pads = "VALID" if min(height, width) >= 32 else "SAME"
        lost = 4 if pads == "VALID" else 0
        start = nnx.initializers.lecun_normal()
        self.first = Conv2d(channels, 6, 5, padding=pads, kernel_init=start, rngs=rngs)
        self.second = Conv2d(6, 16, 5, padding="VALID", kernel_init=start, rngs=rngs)
        sides = [((side - lost) // 2 - 4) // 2 for side in (height, width)]
        self.dense = nnx.List(
            [nnx.Linear(16 * sides[0] * sides[1], 120, rngs=rngs), nnx.Linear(120, 84, rngs=rngs)]
        )
        self.head = nnx.Linear(84, outputs, rngs=rngs)
        self.activation = activation(spec.activation)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x = features["pixels"]
        for convolution in (self.first, self.second):
            x = avg_pool(self.activation(convolution(x)), 2)
        x = x.reshape(x.shape[0], -1)
        for layer in self.dense:
            x = self.activation(layer(x))
        return self.head(x)
