"""A small convolutional network for images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax
from flax import nnx

from manyfit.errors import ConfigError, nearest
from manyfit.models.architecture import Inputs, activation
from manyfit.nn.conv import Conv2d
from manyfit.nn.dropout import Dropout
from manyfit.nn.normalisation import BatchNorm
from manyfit.nn.pooling import avg_pool, max_pool
from manyfit.space import Distribution, Numeric

_GRID = 8
"""The greatest height and width that the dense layer sees."""


@dataclass(frozen=True)
class CNN:
    """Blocks of convolution 3x3, activation and 2x2 maximum, then one hidden dense layer.

    The plan of LeNet-5 (LeCun et al., 1998) with rectifiers, He initialisation
    (He et al., 2015) and dropout (Srivastava et al., 2014) before the hidden
    and the last layer. One entry of ``channels`` is one block; each halves the
    height and width while they are above 1. Images that are still greater than
    8x8 after the last block are averaged down to that, so that the dense layer
    does not grow with the image.

    ``norm="batch"`` normalises each block over the batch (Ioffe and Szegedy, 2015): convolution,
    maximum, normalisation, activation, an order in which three quarters of the pixels need neither.
    """

    channels: tuple[int, ...] = (32, 64)
    hidden: int = 128
    dropout: Numeric = 0.25
    activation: str = "relu"
    norm: Literal["none", "batch"] = "none"

    def __post_init__(self) -> None:
        if isinstance(self.activation, str):
            activation(self.activation)
        if isinstance(self.norm, str) and self.norm not in ("none", "batch"):
            raise ConfigError(f"CNN(norm={self.norm!r}): {nearest(self.norm, ('none', 'batch'))}")
        if isinstance(self.channels, tuple) and not (self.channels and _whole(*self.channels)):
            raise ConfigError(f"CNN(channels={self.channels}): give whole numbers of at least 1, one a block")
        if not isinstance(self.hidden, Distribution) and not _whole(self.hidden):
            raise ConfigError(f"CNN(hidden={self.hidden}): give a whole number of at least 1")

    def build(
        self, inputs: Inputs | Mapping[str, jax.ShapeDtypeStruct], outputs: int, *, rngs: nnx.Rngs
    ) -> nnx.Module:
        """A module that maps features like ``inputs``, ``{"pixels": (B, H, W, C)}``, to ``(B, outputs)``.

        Raises ``ConfigError`` for features without images.
        """
        if "pixels" not in inputs or len(inputs["pixels"].shape) != 4:
            shapes = inputs.shapes if isinstance(inputs, Inputs) else inputs
            found = ", ".join(f"{name} {spec.shape}" for name, spec in shapes.items()) or "none"
            raise ConfigError(f"CNN takes images, pixels of shape (B, H, W, C); the features are: {found}")
        return CNNModule(self, inputs["pixels"].shape[1:], outputs, rngs)


def _whole(*values: object) -> bool:
    return all(isinstance(value, Distribution) or (isinstance(value, int) and value > 0) for value in values)


class CNNModule(nnx.Module):
    """The module that ``CNN`` describes, for images ``(H, W, C)``."""

    def __init__(self, spec: CNN, image: tuple[int, ...], outputs: int, rngs: nnx.Rngs) -> None:
        if isinstance(spec.dropout, Distribution):
            raise ConfigError("CNN(dropout=...) is still a search space: resolve it before building")
        height, width, features = image
        convolutions, norms = [], []
        normalised = spec.norm == "batch"
        for channels in spec.channels:
            convolutions.append(Conv2d(features, channels, 3, use_bias=not normalised, rngs=rngs))
            if normalised:
                norms.append(BatchNorm(channels, rngs=rngs))
            height, width, features = max(1, height // 2), max(1, width // 2), channels
        self.convolutions = nnx.List(convolutions)
        self.norms = nnx.List(norms)
        self.activation = activation(spec.activation)
        flat = _averaged(height) * _averaged(width) * features
        self.dropout = Dropout(spec.dropout, rngs=rngs)
        self.hidden = nnx.Linear(flat, spec.hidden, kernel_init=nnx.initializers.he_normal(), rngs=rngs)
        self.hidden_dropout = Dropout(spec.dropout, rngs=rngs)
        self.head = nnx.Linear(spec.hidden, outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x = features["pixels"]
        for block, convolution in enumerate(self.convolutions):
            x = convolution(x)
            if not self.norms:
                x = self.activation(x)
            x = max_pool(x, (min(2, x.shape[1]), min(2, x.shape[2])))  # (B, H / 2, W / 2, C)
            if self.norms:
                x = self.activation(self.norms[block](x))
        _, height, width, _ = x.shape
        if max(height, width) > _GRID:
            x = avg_pool(x, (-(-height // _GRID), -(-width // _GRID)))
        x = self.dropout(x.reshape(x.shape[0], -1))
        x = self.hidden_dropout(self.activation(self.hidden(x)))
        return self.head(x)


def _averaged(side: int) -> int:
    """Height or width after averaging down to the grid, a remainder left out."""
    return side // (-(-side // _GRID))
