"""What generators and discriminators are, and how either is told a class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.nn.linear import Linear
from manyfit.space import Distribution


class GeneratorArchitecture(Protocol):
    """A frozen dataclass: fields annotated ``Numeric`` are traced, the others shape the program."""

    def build(
        self, latent: int, sample: tuple[int, ...], classes: int | None, *, rngs: nnx.Rngs
    ) -> nnx.Module:
        """A module from ``{"noise": (B, latent), "label": (B,) int32 with classes}`` to samples ``(B, *sample)``."""
        ...


class DiscriminatorArchitecture(Protocol):
    """The same for a discriminator."""

    def build(self, sample: tuple[int, ...], classes: int | None, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module from ``{"sample": (B, *sample), "label": (B,) int32 with classes}`` to logits ``(B,)``.

        No row may look at another one, or gradient penalties are not what they are called.
        """
        ...


class Latent(nnx.Module):
    """Noise, with a learned vector of the class behind it: ``(B, latent + width)``."""

    def __init__(self, latent: int, classes: int | None, rngs: nnx.Rngs, width: int = 16) -> None:
        self.features = latent + (width if classes else 0)
        self.classes = classes
        self.label = Linear(classes, width, use_bias=False, rngs=rngs) if classes else None

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """The input of the generator's first layer."""
        noise = features["noise"]
        if self.label is None:
            return noise
        return jnp.concatenate([noise, self.label(_one_hot(features["label"], self.classes))], axis=1)


class Judgement(nnx.Module):
    """The last layer of a discriminator: a logit of features ``(B, features)``, told the class by projection.

    Source: Miyato & Koyama (2018), "cGANs with projection discriminator", equation 6.
    """

    def __init__(self, features: int, classes: int | None, rngs: nnx.Rngs) -> None:
        self.classes = classes
        self.head = Linear(features, 1, rngs=rngs)
        self.label = Linear(classes, features, use_bias=False, rngs=rngs) if classes else None

    def __call__(self, hidden: jax.Array, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B,)``."""
        logits: jax.Array = self.head(hidden)[:, 0]
        if self.label is None:
            return logits
        return logits + jnp.sum(hidden * self.label(_one_hot(features["label"], self.classes)), axis=1)


def _one_hot(label: jax.Array, classes: int | None) -> jax.Array:
    return jax.nn.one_hot(label, classes or 0)


def image_of(sample: tuple[int, ...], name: str) -> tuple[int, int, int]:
    """Height, width and channels; raises ``ConfigError`` for samples that are no images."""
    if len(sample) != 3:
        raise ConfigError(
            f"{name} is for images (H, W, C), and a row here is {sample}: use the dense networks (DenseGenerator)"
        )
    height, width, channels = sample
    return height, width, channels


def whole(name: str, **given: Any) -> None:
    """Raises ``ConfigError`` unless each is a whole number of at least 1, or a tuple of them."""
    for field, value in given.items():
        items = value if isinstance(value, tuple) else (value,)
        if isinstance(value, tuple) and not value:
            raise ConfigError(f"{name}({field}=()): give at least one")
        for item in items:
            if not isinstance(item, Distribution) and not (isinstance(item, int) and item > 0):
                raise ConfigError(f"{name}({field}={value!r}): give whole numbers of at least 1")


def size_of(sample: tuple[int, ...]) -> int:
    """Values of one sample."""
    return math.prod(sample)
