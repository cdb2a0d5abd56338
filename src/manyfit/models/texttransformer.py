"""A transformer that reads a whole text at once: an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.images import check_whole, resolved
from manyfit.models.texts import Pool, WordEmbedding, check_pool, pooled, vocabulary_of
from manyfit.nn.linear import Linear
from manyfit.nn.normalisation import LayerNorm
from manyfit.nn.transformer import TransformerBlock
from manyfit.space import Distribution, Numeric


@dataclass(frozen=True)
class TextTransformer:
    """Blocks of attention and MLP, normalised before, over vectors of words; their outputs pooled, a linear layer.

    Positions turn queries and keys (rotary), so that nothing hangs on how long the padded texts are. ``window``
    limits attention to so many words on either side.
    Source: Vaswani et al. (2017), "Attention is all you need"; Su et al. (2021), "RoFormer".
    """

    width: int = 64
    depth: int = 2
    heads: int = 4
    widen: int = 4
    window: int | None = None
    pool: Pool = "mean-max"
    dropout: Numeric = 0.3
    any_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(self, width=self.width, depth=self.depth, heads=self.heads, widen=self.widen)
        check_pool(self, self.pool)
        if isinstance(self.width, Distribution) or isinstance(self.heads, Distribution):
            return
        if self.width % (2 * self.heads):
            raise ConfigError(
                f"TextTransformer(width={self.width}, heads={self.heads}): heads of an even width have to fill it"
            )

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"tokens": (B, T), "lengths": (B,)}`` to ``(B, outputs)``."""
        return TextTransformerModule(self, vocabulary_of(inputs, self), outputs, rngs)


class TextTransformerModule(nnx.Module):
    """The module that ``TextTransformer`` describes."""

    def __init__(self, spec: TextTransformer, words: int, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.words = WordEmbedding(words, spec.width, rate, rngs=rngs)
        self.blocks = nnx.List(
            [
                TransformerBlock(
                    spec.width,
                    spec.heads,
                    hidden=spec.widen * spec.width,
                    dropout=rate,
                    rotary=True,
                    window=spec.window,
                    rngs=rngs,
                )
                for _ in range(spec.depth)
            ]
        )
        self.norm = LayerNorm(spec.width, rngs=rngs)
        self.pool: Pool = spec.pool
        self.head = Linear(spec.width * (2 if spec.pool == "mean-max" else 1), outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x, lengths = self.words(features), features["lengths"]
        for block in self.blocks:
            x = block(x, lengths=lengths)
        return self.head(pooled(self.norm(x), lengths, self.pool))
