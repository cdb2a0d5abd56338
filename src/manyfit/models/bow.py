"""The mean of a text's words: a bag of words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.images import check_whole, resolved
from manyfit.models.texts import WordEmbedding, pooled, vocabulary_of
from manyfit.nn.dropout import Dropout
from manyfit.nn.linear import Linear
from manyfit.space import Numeric


@dataclass(frozen=True)
class BagOfWords:
    """The mean of learned vectors of words and pairs of neighbours, then a linear layer.

    Pairs share ``pairs`` vectors by a hash of theirs; 0 leaves them out, and the order of words with them.
    Source: Joulin et al. (2017), "Bag of tricks for efficient text classification" (fastText).
    """

    width: int = 64
    pairs: int = 0
    dropout: Numeric = 0.3
    any_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(self, width=self.width)
        if isinstance(self.pairs, int) and self.pairs < 0:
            raise ConfigError(f"BagOfWords(pairs={self.pairs}): give a whole number of at least 0")

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"tokens": (B, T), "lengths": (B,)}`` to ``(B, outputs)``."""
        return BagOfWordsModule(self, vocabulary_of(inputs, self), outputs, rngs)


class BagOfWordsModule(nnx.Module):
    """The module that ``BagOfWords`` describes."""

    def __init__(self, spec: BagOfWords, words: int, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.words = WordEmbedding(words, spec.width, rate, rngs=rngs)
        self.pairs = WordEmbedding(spec.pairs, spec.width, rate, rngs=rngs) if spec.pairs else None
        self.count = spec.pairs
        self.dropout = Dropout(rate, rngs=rngs)
        self.head = Linear(spec.width, outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        tokens, lengths = features["tokens"], features["lengths"]
        total = pooled(self.words(features), lengths, "mean")
        if self.pairs is not None and tokens.shape[1] > 1:
            first, second = tokens[:, :-1].astype(jnp.uint32), tokens[:, 1:].astype(jnp.uint32)
            place = (first * jnp.uint32(0x9E3779B1) ^ second * jnp.uint32(0x85EBCA6B)) % jnp.uint32(
                self.count
            )
            found = {"tokens": place.astype(jnp.int32), "lengths": jnp.maximum(lengths - 1, 0)}
            total = total + pooled(self.pairs(found), found["lengths"], "mean")
        return self.head(self.dropout(total))
