"""Encoders with the decoders that mirror them: what an autoencoder is made of."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import activation
from manyfit.models.images import check_whole
from manyfit.nn.conv import Conv2d, ConvTranspose2d
from manyfit.nn.linear import Linear

Shape: TypeAlias = tuple[int, ...]


class Coder(Protocol):
    """A frozen dataclass that builds an encoder and a decoder for rows of a shape."""

    def encoder(self, shape: Shape, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module from ``(B, *shape)`` to ``(B, outputs)``."""
        ...

    def decoder(self, latent: int, shape: Shape, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module from ``(B, latent)`` to ``(B, *shape)``."""
        ...


@dataclass(frozen=True)
class DenseCoder:
    """Dense layers of the widths ``hidden`` to the code, and of the same widths back (Hinton & Salakhutdinov, 2006).

    With no hidden layer both maps are linear: trained on squared error the code spans the principal subspace
    (Baldi & Hornik, 1989). Rows of any shape are taken as vectors.
    """

    hidden: tuple[int, ...] = (256, 128)
    activation: str = "relu"

    def __post_init__(self) -> None:
        if self.hidden:
            check_whole(self, hidden=self.hidden)
        if isinstance(self.activation, str):
            activation(self.activation)

    def encoder(self, shape: Shape, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """From ``(B, *shape)`` to ``(B, outputs)``."""
        return _Dense(self, (math.prod(shape), *self.hidden, outputs), (outputs,), rngs)

    def decoder(self, latent: int, shape: Shape, *, rngs: nnx.Rngs) -> nnx.Module:
        """From ``(B, latent)`` to ``(B, *shape)``."""
        return _Dense(self, (latent, *self.hidden[::-1], math.prod(shape)), shape, rngs)


class _Dense(nnx.Module):
    def __init__(self, spec: DenseCoder, widths: tuple[int, ...], shape: Shape, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List(_stack(widths, spec.activation, rngs))
        self.activation = activation(spec.activation)
        self.shape = shape

    def __call__(self, x: jax.Array) -> jax.Array:
        """``(B, *shape)``."""
        x = x.reshape(x.shape[0], -1)
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x).reshape(x.shape[0], *self.shape)


@dataclass(frozen=True)
class ConvCoder:
    """Strided convolutions and a dense layer to the code; a dense layer and transposed convolutions back.

    Each entry of ``channels`` halves height and width (rounded up) on the way in and doubles them on the way
    out, as in DCGAN (Radford et al., 2016). For images ``(H, W, C)``.
    """

    channels: tuple[int, ...] = (16, 32)
    hidden: int = 128
    activation: str = "relu"

    def __post_init__(self) -> None:
        check_whole(self, channels=self.channels, hidden=self.hidden)
        if isinstance(self.activation, str):
            activation(self.activation)

    def encoder(self, shape: Shape, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """From ``(B, H, W, C)`` to ``(B, outputs)``; raises ``ConfigError`` for rows that are no images."""
        return _Down(self, _image(self, shape), outputs, rngs)

    def decoder(self, latent: int, shape: Shape, *, rngs: nnx.Rngs) -> nnx.Module:
        """From ``(B, latent)`` to ``(B, H, W, C)``."""
        return _Up(self, latent, _image(self, shape), rngs)


class _Down(nnx.Module):
    def __init__(self, spec: ConvCoder, image: Shape, outputs: int, rngs: nnx.Rngs) -> None:
        widths = (image[2], *spec.channels)
        self.convolutions = nnx.List(
            [Conv2d(a, b, 3, stride=2, padding=1, rngs=rngs) for a, b in itertools.pairwise(widths)]
        )
        height, width = _sizes(spec, image)[-1]
        flat = height * width * widths[-1]
        self.dense = nnx.List(_stack((flat, spec.hidden, outputs), spec.activation, rngs))
        self.activation = activation(spec.activation)

    def __call__(self, x: jax.Array) -> jax.Array:
        """``(B, outputs)``."""
        for convolution in self.convolutions:
            x = self.activation(convolution(x))
        x = self.activation(self.dense[0](x.reshape(x.shape[0], -1)))
        return self.dense[1](x)


class _Up(nnx.Module):
    def __init__(self, spec: ConvCoder, latent: int, image: Shape, rngs: nnx.Rngs) -> None:
        self.sizes = _sizes(spec, image)[::-1]  # from the coarsest
        (height, width), deepest = self.sizes[0], spec.channels[-1]
        self.start = (height, width, deepest)
        flat = height * width * deepest
        self.dense = nnx.List(_stack((latent, spec.hidden, flat), spec.activation, rngs))
        widths = (*spec.channels[::-1], image[2])
        self.convolutions = nnx.List(
            [ConvTranspose2d(a, b, 4, stride=2, padding=1, rngs=rngs) for a, b in itertools.pairwise(widths)]
        )
        self.activation = activation(spec.activation)

    def __call__(self, z: jax.Array) -> jax.Array:
        """``(B, H, W, C)``."""
        x = self.activation(self.dense[1](self.activation(self.dense[0](z))))
        x = x.reshape(z.shape[0], *self.start)
        last = len(self.convolutions) - 1
        for i, convolution in enumerate(self.convolutions):
            height, width = self.sizes[i + 1]
            x = convolution(x)[:, :height, :width]
            x = x if i == last else self.activation(x)
        return x


class CoderModule(nnx.Module):
    """Encoder and decoder as one module: ``module("encode", x)`` and ``module("decode", z)``.

    ``seen`` is the shape of what the encoder reads, ``shape`` that of what the decoder gives; with
    ``variance`` there is one more parameter, the logarithm of the variance around every output.
    """

    def __init__(
        self,
        coder: Coder,
        seen: Shape,
        shape: Shape,
        *,
        outputs: int,
        latent: int,
        variance: bool,
        rngs: nnx.Rngs,
    ) -> None:
        self.encoder = coder.encoder(seen, outputs, rngs=rngs)
        self.decoder = coder.decoder(latent, shape, rngs=rngs)
        if variance:
            self.log_variance = nnx.Param(jnp.zeros(()))

    def __call__(self, part: str, x: jax.Array) -> jax.Array:
        """Codes, or outputs."""
        module: Any = self.encoder if part == "encode" else self.decoder
        return module(x)


def _stack(widths: tuple[int, ...], name: str, rngs: nnx.Rngs) -> list[Linear]:
    gain = 2.0 if name in ("relu", "gelu", "silu", "elu") else 1.0
    inner = nnx.initializers.variance_scaling(gain, "fan_in", "normal")
    outer = nnx.initializers.variance_scaling(1.0, "fan_avg", "normal")
    pairs = list(itertools.pairwise(widths))
    return [
        Linear(a, b, kernel_init=outer if i == len(pairs) - 1 else inner, rngs=rngs)
        for i, (a, b) in enumerate(pairs)
    ]


def _image(coder: object, shape: Shape) -> Shape:
    if len(shape) != 3:
        raise ConfigError(
            f"{type(coder).__name__} takes images (H, W, C); these rows have the shape {shape}: use DenseCoder"
        )
    return shape


def _sizes(spec: ConvCoder, image: Shape) -> list[tuple[int, int]]:
    """Height and width before each convolution and after the last."""
    sizes = [(image[0], image[1])]
    for _ in spec.channels:
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


PARTS = (DenseCoder, ConvCoder)
"""What a run folder may name."""
