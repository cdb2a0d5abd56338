"""Which words and characters a tagger may know: those of the training sentences of its fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from manyfit.data.special_tokens import PAD
from manyfit.data.text_preprocess import TextPreprocess

Statistics = Mapping[str, Mapping[str, jax.Array]]


@dataclass(frozen=True)
class TagPreprocess:
    """The vocabularies of a fold; see ``TextPreprocess``. Inputs are ``tokens`` ``(rows, T)`` and ``characters``
    ``(rows, T, L)``, the letters of each word."""

    words: TextPreprocess
    characters: TextPreprocess

    def fit(self, inputs: Mapping[str, jax.Array], weight: jax.Array) -> dict[str, dict[str, jax.Array]]:
        """The id within the fold's vocabulary of each word and character, ``{"words": ..., "characters": ...}``."""
        letters = inputs["characters"].reshape(len(inputs["characters"]), -1)
        return {
            "words": self.words.fit({"tokens": inputs["tokens"]}, weight),
            "characters": self.characters.fit({"tokens": letters}, weight),
        }

    def encode(self, stats: Statistics, inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Ids within the vocabularies, in the integers that they came in."""
        letters = inputs["characters"]
        found = self.characters.encode(stats["characters"], {"tokens": letters})["tokens"]
        words = self.words.encode(stats["words"], {"tokens": inputs["tokens"]})["tokens"]
        return {"tokens": words, "characters": found.astype(letters.dtype)}

    def features(self, stats: Statistics, encoded: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """``tokens``, ``characters``, and ``lengths`` int32 ``(rows,)``, the words of each sentence."""
        del stats
        tokens = encoded["tokens"]
        lengths = jnp.sum(tokens != PAD, axis=1, dtype=jnp.int32)
        return {"tokens": tokens, "characters": encoded["characters"], "lengths": lengths}

    def lengths(self, inputs: Mapping[str, jax.Array]) -> jax.Array:
        """How many words each sentence has, int32 ``(rows,)``."""
        return self.words.lengths(inputs)

    def shorten(self, encoded: Mapping[str, jax.Array], length: int) -> dict[str, jax.Array]:
        """Encoded sentences of at most ``length`` words, without the padding after them."""
        return {name: leaf[:, :length] for name, leaf in encoded.items()}

    def apply(self, stats: Statistics, inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """``features`` of ``encode``."""
        return self.features(stats, self.encode(stats, inputs))
