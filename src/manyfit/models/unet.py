"""U-Net: a value, or a class, for every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.models.architecture import Inputs
from manyfit.models.images import ConvNorm, check_whole, image_of, resolved
from manyfit.nn.conv import Conv2d, ConvTranspose2d
from manyfit.nn.dropout import Dropout
from manyfit.nn.pooling import max_pool
from manyfit.space import Numeric


@dataclass(frozen=True)
class UNet:
    """A path down, two convolutions a level, and one up that sees each level of the way down again.

    Outputs are ``(B, H, W, outputs)``, so that ``Supervised`` takes a target ``(rows, H, W)``. As it
    is built today: padded convolutions with batch normalisation, so that the result is as large as
    the image; images are padded inside to a whole number of the coarsest pixels. Dropout lies at
    the bottom.

    Source: Ronneberger et al. (2015), "U-Net: convolutional networks for biomedical image segmentation".
    """

    widths: tuple[int, ...] = (32, 64, 128)
    dropout: Numeric = 0.0

    def __post_init__(self) -> None:
        check_whole(self, widths=self.widths)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"pixels": (B, H, W, C)}`` to ``(B, H, W, outputs)``."""
        return UNetModule(self, image_of(inputs, self)[2], outputs, rngs)


class UNetModule(nnx.Module):
    """The module that ``UNet`` describes."""

    def __init__(self, spec: UNet, channels: int, outputs: int, rngs: nnx.Rngs) -> None:
        widths = spec.widths
        self.down = nnx.List([Twice(a, b, rngs) for a, b in zip((channels, *widths), widths)])
        coarse_first = list(zip(widths[:0:-1], widths[-2::-1]))
        self.raise_ = nnx.List(
            [ConvTranspose2d(a, b, 2, stride=2, padding=0, rngs=rngs) for a, b in coarse_first]
        )
        self.up = nnx.List([Twice(2 * b, b, rngs) for _, b in coarse_first])
        self.dropout = Dropout(resolved(spec, "dropout"), rngs=rngs)
        self.head = Conv2d(widths[0], outputs, 1, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, H, W, outputs)``."""
        x = features["pixels"]
        _, height, width, _ = x.shape
        unit = 2 ** len(self.up)
        x = jnp.pad(x, ((0, 0), (0, -height % unit), (0, -width % unit), (0, 0)))
        seen = []
        for level, twice in enumerate(self.down):
            x = twice(max_pool(x, 2) if level else x)
            seen.append(x)
        x = self.dropout(x)
        for raised, twice, across in zip(self.raise_, self.up, reversed(seen[:-1])):
            x = twice(jnp.concatenate([across, raised(x)], axis=-1))
        return self.head(x[:, :height, :width])


class Twice(nnx.Module):
    """Convolution 3x3, batch normalisation, rectifier; twice."""

    def __init__(self, into: int, out: int, rngs: nnx.Rngs) -> None:
        self.first = ConvNorm(into, out, 3, rngs=rngs)
        self.second = ConvNorm(out, out, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.nn.relu(self.second(jax.nn.relu(self.first(x))))
