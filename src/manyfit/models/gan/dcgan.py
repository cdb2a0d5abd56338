"""The plan of DCGAN at any size: transposed convolutions up, strided ones down.

Source: Radford, Metz & Chintala (2016), "Unsupervised representation learning with deep convolutional GANs". The
discriminator here has no batch normalisation, with which a gradient penalty would not be one a row.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.models.gan.architecture import Judgement, Latent, image_of, whole
from manyfit.nn.conv import Conv2d, ConvTranspose2d
from manyfit.nn.linear import Linear
from manyfit.nn.normalisation import BatchNorm


@dataclass(frozen=True)
class DCGANGenerator:
    """A dense layer onto a small grid, then one doubling of its sides for each further entry of ``channels``.

    ``channels`` go from the grid to the last layer but one; ``normalised`` puts batch normalisation after every layer
    but the last. Sides that the doublings do not meet are cut.
    """

    channels: tuple[int, ...] = (64, 32)
    normalised: bool = True

    def __post_init__(self) -> None:
        whole("DCGANGenerator", channels=self.channels)

    def build(
        self, latent: int, sample: tuple[int, ...], classes: int | None, *, rngs: nnx.Rngs
    ) -> nnx.Module:
        """From ``noise`` ``(B, latent)`` to images ``(B, H, W, C)`` in (-1, 1)."""
        return _Generator(self, latent, image_of(sample, "DCGANGenerator"), classes, rngs)


@dataclass(frozen=True)
class DCGANDiscriminator:
    """Convolutions 4x4 of stride 2, one for each entry of ``channels``, and a logit."""

    channels: tuple[int, ...] = (32, 64)

    def __post_init__(self) -> None:
        whole("DCGANDiscriminator", channels=self.channels)

    def build(self, sample: tuple[int, ...], classes: int | None, *, rngs: nnx.Rngs) -> nnx.Module:
        """From images ``(B, H, W, C)`` to logits ``(B,)``."""
        return _Discriminator(self, image_of(sample, "DCGANDiscriminator"), classes, rngs)


class _Generator(nnx.Module):
    def __init__(
        self,
        spec: DCGANGenerator,
        latent: int,
        image: tuple[int, int, int],
        classes: int | None,
        rngs: nnx.Rngs,
    ) -> None:
        height, width, colours = image
        doublings = len(spec.channels)
        self.size = (height, width)
        self.grid = (-(-height // 2**doublings), -(-width // 2**doublings), spec.channels[0])
        self.latent = Latent(latent, classes, rngs)
        bias = not spec.normalised
        flat = self.grid[0] * self.grid[1] * self.grid[2]
        self.first = Linear(self.latent.features, flat, kernel_init=_SMALL, use_bias=bias, rngs=rngs)
        widths = (*spec.channels, colours)
        self.layers = nnx.List(
            [
                ConvTranspose2d(
                    a,
                    b,
                    4,
                    stride=2,
                    use_bias=bias or place == doublings - 1,
                    kernel_init=_SMALL,
                    rngs=rngs,
                )
                for place, (a, b) in enumerate(itertools.pairwise(widths))
            ]
        )
        norms = [BatchNorm(c, rngs=rngs) for c in spec.channels] if spec.normalised else []
        self.norms = nnx.List(norms)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        x = self.first(self.latent(features))
        x = x.reshape(x.shape[0], *self.grid)
        for place, layer in enumerate(self.layers):
            x = layer(jax.nn.relu(self.norms[place](x) if self.norms else x))  # (B, 2 H, 2 W, C)
        return jnp.tanh(x[:, : self.size[0], : self.size[1]])


class _Discriminator(nnx.Module):
    def __init__(
        self, spec: DCGANDiscriminator, image: tuple[int, int, int], classes: int | None, rngs: nnx.Rngs
    ) -> None:
        height, width, colours = image
        widths = (colours, *spec.channels)
        self.layers = nnx.List(
            [Conv2d(a, b, 4, stride=2, kernel_init=_HE, rngs=rngs) for a, b in itertools.pairwise(widths)]
        )
        for _ in spec.channels:
            height, width = -(-height // 2), -(-width // 2)
        self.judgement = Judgement(height * width * widths[-1], classes, rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        x = features["sample"]
        for layer in self.layers:
            x = jax.nn.leaky_relu(layer(x), 0.2)  # (B, H / 2, W / 2, C)
        return self.judgement(x.reshape(x.shape[0], -1), features)


_SMALL = nnx.initializers.normal(0.02)
_HE = nnx.initializers.he_normal()
