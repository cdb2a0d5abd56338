"""Dense networks: for points, tables and small images."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.models.gan.architecture import Judgement, Latent, size_of, whole
from manyfit.nn.activations import activation
from manyfit.nn.linear import Linear


@dataclass(frozen=True)
class DenseGenerator:
    """Hidden layers, then as many values as a sample has: any number for vectors, within (-1, 1) for images."""

    hidden: tuple[int, ...] = (128, 128)
    activation: str = "relu"

    def __post_init__(self) -> None:
        whole("DenseGenerator", hidden=self.hidden)
        activation(self.activation)

    def build(
        self, latent: int, sample: tuple[int, ...], classes: int | None, *, rngs: nnx.Rngs
    ) -> nnx.Module:
        """From ``noise`` ``(B, latent)`` to samples ``(B, *sample)``."""
        return _Generator(self, latent, sample, classes, rngs)


@dataclass(frozen=True)
class DenseDiscriminator:
    """Hidden layers and a logit."""

    hidden: tuple[int, ...] = (128, 128)
    activation: str = "leaky_relu"

    def __post_init__(self) -> None:
        whole("DenseDiscriminator", hidden=self.hidden)
        activation(self.activation)

    def build(self, sample: tuple[int, ...], classes: int | None, *, rngs: nnx.Rngs) -> nnx.Module:
        """From ``sample`` ``(B, *sample)`` to logits ``(B,)``."""
        return _Discriminator(self, sample, classes, rngs)


class _Generator(nnx.Module):
    def __init__(
        self,
        spec: DenseGenerator,
        latent: int,
        sample: tuple[int, ...],
        classes: int | None,
        rngs: nnx.Rngs,
    ) -> None:
        self.shape = sample
        self.activation = activation(spec.activation)
        self.latent = Latent(latent, classes, rngs)
        widths = (self.latent.features, *spec.hidden, size_of(sample))
        self.layers = nnx.List([_layer(a, b, rngs) for a, b in itertools.pairwise(widths)])

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        x = _through(self.layers, self.latent(features), self.activation)
        x = x.reshape(x.shape[0], *self.shape)
        return jnp.tanh(x) if len(self.shape) == 3 else x


class _Discriminator(nnx.Module):
    def __init__(
        self, spec: DenseDiscriminator, sample: tuple[int, ...], classes: int | None, rngs: nnx.Rngs
    ) -> None:
        self.activation = activation(spec.activation)
        widths = (size_of(sample), *spec.hidden)
        self.layers = nnx.List([_layer(a, b, rngs) for a, b in itertools.pairwise(widths)])
        self.judgement = Judgement(spec.hidden[-1], classes, rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        x = features["sample"]
        x = self.activation(_through(self.layers, x.reshape(x.shape[0], -1), self.activation))
        return self.judgement(x, features)


def _layer(inputs: int, outputs: int, rngs: nnx.Rngs) -> Linear:
    return Linear(inputs, outputs, kernel_init=nnx.initializers.he_normal(), rngs=rngs)


def _through(layers: nnx.List, x: jax.Array, act: Callable[[jax.Array], jax.Array]) -> jax.Array:
    for place, layer in enumerate(layers):
        x = layer(act(x) if place else x)
    return x
