"""What the architectures for images share: the image they are built for, checks, normalised convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.nn.conv import Conv2d
from manyfit.nn.dropout import Dropout
from manyfit.nn.normalisation import BatchNorm
from manyfit.space import Distribution


def image_of(
    inputs: Inputs | Mapping[str, jax.ShapeDtypeStruct], architecture: object
) -> tuple[int, int, int]:
    """Height, width and channels of ``inputs["pixels"]``; raises ``ConfigError`` for features without images."""
    if "pixels" not in inputs or len(inputs["pixels"].shape) != 4:
        shapes = inputs.shapes if isinstance(inputs, Inputs) else inputs
        found = ", ".join(f"{name} {spec.shape}" for name, spec in shapes.items()) or "none"
        raise ConfigError(
            f"{type(architecture).__name__} takes images, pixels of shape (B, H, W, C); the features are: {found}"
        )
    _, height, width, channels = inputs["pixels"].shape
    return height, width, channels


def check_whole(architecture: object, **values: Any) -> None:
    """Refuse what is not a whole number of at least 1, or a tuple of such; distributions pass."""
    for name, value in values.items():
        if isinstance(value, Distribution):
            continue
        items = value if isinstance(value, tuple) else (value,)
        good = all(isinstance(item, Distribution) or (isinstance(item, int) and item > 0) for item in items)
        if not items or not good:
            raise ConfigError(
                f"{type(architecture).__name__}({name}={value!r}): give whole numbers of at least 1"
            )


def resolved(architecture: object, name: str) -> Any:
    """A numeric field, a number or traced; raises ``ConfigError`` while it is still a search space."""
    value = getattr(architecture, name)
    if isinstance(value, Distribution):
        kind = type(architecture).__name__
        raise ConfigError(f"{kind}({name}=...) is still a search space: resolve it before building")
    return value


def batch_norm(features: int, rngs: nnx.Rngs) -> BatchNorm:
    """Batch normalisation with PyTorch's momentum and epsilon, so that published recipes carry over."""
    return BatchNorm(features, momentum=0.9, epsilon=1e-5, rngs=rngs)


class ConvNorm(nnx.Module):
    """A convolution without a bias, then batch normalisation. Padding keeps the size at stride 1."""

    def __init__(
        self, into: int, out: int, size: int, *, stride: int = 1, groups: int = 1, rngs: nnx.Rngs
    ) -> None:
        self.convolution = Conv2d(
            into, out, size, stride=stride, padding=size // 2, groups=groups, use_bias=False, rngs=rngs
        )
        self.norm = batch_norm(out, rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.convolution(x))


def drop_path(rate: Any, place: int, count: int, rngs: nnx.Rngs) -> Dropout:
    """Stochastic depth (Huang et al., 2016): a branch left out of whole examples.

    The rate grows linearly from 0 at the first of ``count`` blocks to ``rate`` at the last. It drops
    the examples of whatever shape ``(B, H, W, C)``.
    """
    share = place / max(1, count - 1)
    off = isinstance(rate, (int, float)) and rate == 0
    return Dropout(0.0 if off or place == 0 else rate * share, broadcast_dims=(-1, -2, -3), rngs=rngs)
