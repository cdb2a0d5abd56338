"""Which words a network may know: those of the training rows of its fold; and columns beside a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manyfit.data.preprocess import TablePreprocess
from manyfit.data.special_tokens import PAD, SPECIAL, UNKNOWN
from manyfit.errors import ConfigError


@dataclass(frozen=True)
class TextPreprocess:
    """The vocabulary of a fold: the most frequent tokens of its training rows; every other token is unknown.

    ``table`` is how many ids the tokenizer gives, to the texts of all rows; ``size`` how many ids are kept,
    special ones counted; ``min_count`` how often a kept token occurs at least, so that the rarest teach the
    network what to make of a word that it does not know. Of equally frequent tokens the first in the table are kept.

    >>> tokens = {"tokens": jnp.array([[4, 5, 5, 0], [6, 6, 5, 0], [7, 7, 7, 7]])}
    >>> vocabulary = TextPreprocess(table=8, size=6, min_count=1)
    >>> stats = vocabulary.fit(tokens, jnp.array([1.0, 1.0, 0.0]))  # the last row is for testing
    >>> vocabulary.apply(stats, tokens)["tokens"].tolist()
    [[1, 4, 4, 0], [5, 5, 4, 0], [1, 1, 1, 1]]
    """

    table: int
    size: int
    min_count: int = 1

    def __post_init__(self) -> None:
        if min(self.table, self.size) < len(SPECIAL) or self.min_count < 1:
            raise ConfigError(
                f"TextPreprocess({self.table}, {self.size}, {self.min_count}): {len(SPECIAL)} ids are special, and "
                "what is counted occurs at least once"
            )

    @classmethod
    def of(cls, tokens: np.ndarray, table: int, most: int, min_count: int) -> TextPreprocess:
        """At most ``most`` ids, and no more than all of ``tokens`` have that occur ``min_count`` times: no fold has."""
        counts = np.bincount(tokens.ravel(), minlength=table)[len(SPECIAL) :]
        most = max(most, len(SPECIAL) + 1)
        return cls(table, min(most, int((counts >= min_count).sum()) + len(SPECIAL)), min_count)

    def fit(self, inputs: Mapping[str, jax.Array], weight: jax.Array) -> dict[str, jax.Array]:
        """``{"ids": int32 (table,)}``: the id within the vocabulary of each id of the tokenizer."""
        tokens = inputs["tokens"]
        here = jnp.broadcast_to((weight > 0)[:, None], tokens.shape)
        counts = jnp.zeros(self.table, jnp.int32).at[tokens].add(here.astype(jnp.int32), mode="drop")
        counts = counts[len(SPECIAL) :]
        order = jnp.argsort(-counts, stable=True)
        place = jnp.zeros_like(order).at[order].set(jnp.arange(len(order))) + len(SPECIAL)
        kept = (counts >= self.min_count) & (place < self.size)
        ids = jnp.where(kept, place, UNKNOWN).astype(jnp.int32)
        special = jnp.array([PAD, *[UNKNOWN] * (len(SPECIAL) - 1)], jnp.int32)
        return {"ids": jnp.concatenate([special, ids])}

    def encode(self, stats: Mapping[str, jax.Array], inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """``{"tokens": int32 (rows, length)}`` within the vocabulary."""
        return {"tokens": jnp.take(stats["ids"], inputs["tokens"], axis=0, mode="clip")}

    def features(
        self, stats: Mapping[str, jax.Array], encoded: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """``tokens`` and ``lengths`` int32 ``(rows,)``, how many of them are real."""
        del stats
        tokens = encoded["tokens"]
        return {"tokens": tokens, "lengths": jnp.sum(tokens != PAD, axis=1, dtype=jnp.int32)}

    def apply(self, stats: Mapping[str, jax.Array], inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """``features`` of ``encode``."""
        return self.features(stats, self.encode(stats, inputs))

    def lengths(self, inputs: Mapping[str, jax.Array]) -> jax.Array:
        """How many tokens of each row are real, int32 ``(rows,)``."""
        return jnp.sum(jnp.asarray(inputs["tokens"]) != PAD, axis=1, dtype=jnp.int32)

    def shorten(self, encoded: Mapping[str, jax.Array], length: int) -> dict[str, jax.Array]:
        """Encoded rows of at most ``length`` tokens, without the padding after them."""
        return {**encoded, "tokens": encoded["tokens"][:, :length]}


@dataclass(frozen=True)
class TextAndTablePreprocess:
    """A text and the columns beside it, each by a preprocessing of its own."""

    text: TextPreprocess
    table: TablePreprocess

    def fit(self, inputs: Mapping[str, jax.Array], weight: jax.Array) -> dict[str, Any]:
        """``{"text": the vocabulary, "table": the statistics of the columns}`` of the rows with a weight."""
        return {"text": self.text.fit(inputs, weight), "table": self.table.fit(inputs, weight)}

    def encode(self, stats: Mapping[str, Any], inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Tokens within the vocabulary, and the encoded columns."""
        return {**self.text.encode(stats["text"], inputs), **self.table.encode(stats["table"], inputs)}

    def features(self, stats: Mapping[str, Any], encoded: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """The features of both."""
        columns = {name: x for name, x in encoded.items() if name != "tokens"}
        return {**self.text.features(stats["text"], encoded), **self.table.features(stats["table"], columns)}

    def lengths(self, inputs: Mapping[str, jax.Array]) -> jax.Array:
        """Those of the texts."""
        return self.text.lengths(inputs)

    def shorten(self, encoded: Mapping[str, jax.Array], length: int) -> dict[str, jax.Array]:
        """Encoded rows with texts of at most ``length`` tokens."""
        return self.text.shorten(encoded, length)

    def apply(self, stats: Mapping[str, Any], inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """``features`` of ``encode``."""
        return self.features(stats, self.encode(stats, inputs))
