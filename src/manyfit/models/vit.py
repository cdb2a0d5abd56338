"""The vision transformer: squares of an image as words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.images import check_whole, image_of, resolved
from manyfit.nn.dropout import Dropout
from manyfit.nn.fusion import materialised
from manyfit.nn.linear import Linear
from manyfit.nn.multihead import MultiHeadAttention
from manyfit.nn.normalisation import LayerNorm
from manyfit.space import Numeric

_START = nnx.initializers.truncated_normal(0.02)


@dataclass(frozen=True)
class ViT:
    """Patches, learned positions, blocks of attention and MLP (normalised before), a class token or the mean.

    Raises ``ConfigError`` where ``patch`` does not divide the image or ``heads`` not the width.

    Source: Dosovitskiy et al. (2021), "An image is worth 16x16 words".
    """

    patch: int = 4
    width: int = 192
    depth: int = 6
    heads: int = 3
    widen: int = 4
    pool: Literal["token", "mean"] = "token"
    dropout: Numeric = 0.0

    def __post_init__(self) -> None:
        check_whole(
            self, patch=self.patch, width=self.width, depth=self.depth, heads=self.heads, widen=self.widen
        )
        if isinstance(self.width, int) and isinstance(self.heads, int) and self.width % self.heads:
            raise ConfigError(f"ViT(width={self.width}, heads={self.heads}): heads has to divide width")

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"pixels": (B, H, W, C)}`` to ``(B, outputs)``."""
        return ViTModule(self, image_of(inputs, self), outputs, rngs)


class ViTModule(nnx.Module):
    """The module that ``ViT`` describes."""

    def __init__(self, spec: ViT, image: tuple[int, int, int], outputs: int, rngs: nnx.Rngs) -> None:
        height, width, channels = image
        if height % spec.patch or width % spec.patch:
            raise ConfigError(
                f"ViT(patch={spec.patch}) cannot cut images of {height}x{width} into whole squares: "
                "give a patch that divides both, or resize"
            )
        rate = resolved(spec, "dropout")
        self.patch = spec.patch
        words = (height // spec.patch) * (width // spec.patch)
        self.embed = Linear(spec.patch**2 * channels, spec.width, rngs=rngs)
        self.token = nnx.Param(jnp.zeros((1, spec.width))) if spec.pool == "token" else None
        words += self.token is not None
        self.positions = nnx.Param(_START(rngs.params(), (words, spec.width), jnp.float32))
        self.dropout = Dropout(rate, rngs=rngs)
        self.blocks = nnx.List([Block(spec, rate, rngs) for _ in range(spec.depth)])
        self.norm = LayerNorm(spec.width, epsilon=1e-6, rngs=rngs)
        self.head = Linear(spec.width, outputs, kernel_init=_START, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x = self.embed(_squares(features["pixels"], self.patch))  # (B, words, width)
        if self.token is not None:
            token = jnp.broadcast_to(self.token[...].astype(x.dtype), (x.shape[0], 1, x.shape[2]))
            x = jnp.concatenate([token, x], axis=1)
        x = self.dropout(x + self.positions[...].astype(x.dtype))
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.head(x[:, 0] if self.token is not None else jnp.mean(x, axis=1))


class Block(nnx.Module):
    """``x + attention(norm(x))``, then ``x + mlp(norm(x))``."""

    def __init__(self, spec: ViT, rate: Any, rngs: nnx.Rngs) -> None:
        width, inner = spec.width, spec.widen * spec.width
        self.attention_norm = LayerNorm(width, epsilon=1e-6, rngs=rngs)
        self.attention = MultiHeadAttention(width, spec.heads, rngs=rngs)
        self.norm = LayerNorm(width, epsilon=1e-6, rngs=rngs)
        self.widen = Linear(width, inner, kernel_init=_START, rngs=rngs)
        self.narrow = Linear(inner, width, kernel_init=_START, rngs=rngs)
        self.dropouts = nnx.List([Dropout(rate, rngs=rngs) for _ in range(3)])

    def __call__(self, x: jax.Array) -> jax.Array:
        x = materialised(x + self.dropouts[0](self.attention(self.attention_norm(x))))
        y = self.dropouts[1](jax.nn.gelu(self.widen(self.norm(x)), approximate=False))
        return materialised(x + self.dropouts[2](self.narrow(y)))


def _squares(x: jax.Array, side: int) -> jax.Array:
    """``(B, H, W, C)`` -> ``(B, H / side * W / side, side * side * C)``, row by row."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // side, side, width // side, side, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, -1, side * side * channels)
