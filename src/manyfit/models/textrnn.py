"""Recurrent networks that read a text word by word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
from flax import nnx

from manyfit.models.architecture import Inputs
from manyfit.models.cells import CELLS, Cell, check_cell
from manyfit.models.images import check_whole, resolved
from manyfit.models.texts import Pool, WordEmbedding, check_pool, pooled, vocabulary_of
from manyfit.nn.dropout import Dropout
from manyfit.nn.linear import Linear
from manyfit.space import Numeric


class Reader(nnx.Module):
    """Reads sequences step by step: recurrent layers, their outputs pooled over the steps there are, a linear layer.

    ``spec`` has ``hidden``, ``layers``, ``bidirectional``, ``pool`` and ``dropout``, as ``TextRNN`` has; ``cell`` is a
    layer such as ``GRU``.
    """

    def __init__(self, spec: Any, cell: Any, into: int, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.recurrent = cell(
            into,
            spec.hidden,
            layers=spec.layers,
            bidirectional=spec.bidirectional,
            dropout=rate if spec.layers > 1 else 0.0,
            rngs=rngs,
        )
        self.pool: Pool = spec.pool
        self.dropout = Dropout(rate, rngs=rngs)
        features = spec.hidden * (1 + spec.bidirectional) * (2 if spec.pool == "mean-max" else 1)
        self.head = Linear(features, outputs, rngs=rngs)

    def read(self, steps: jax.Array, lengths: jax.Array) -> jax.Array:
        """``(B, T, into)`` of ``lengths`` ``(B,)`` -> ``(B, outputs)``."""
        x, _ = self.recurrent(steps, lengths=lengths)
        return self.head(self.dropout(pooled(x, lengths, self.pool)))


@dataclass(frozen=True)
class TextRNN:
    """A recurrent layer (``models.cells``) over words in both directions, pooled over the text, a linear layer.

    Source: Graves and Schmidhuber (2005) for both directions; Conneau et al. (2017), "Supervised learning of
    universal sentence representations", for the maximum over a bidirectional LSTM.
    """

    cell: Cell = "gru"
    width: int = 64
    hidden: int = 64
    layers: int = 1
    bidirectional: bool = True
    pool: Pool = "max"
    dropout: Numeric = 0.5
    any_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(self, width=self.width, hidden=self.hidden, layers=self.layers)
        check_pool(self, self.pool)
        check_cell(self, self.cell)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"tokens": (B, T), "lengths": (B,)}`` to ``(B, outputs)``."""
        return TextRNNModule(self, vocabulary_of(inputs, self), outputs, rngs)


class TextRNNModule(Reader):
    """The module that ``TextRNN`` describes."""

    def __init__(self, spec: TextRNN, words: int, outputs: int, rngs: nnx.Rngs) -> None:
        self.words = WordEmbedding(words, spec.width, resolved(spec, "dropout"), rngs=rngs)
        super().__init__(spec, CELLS[spec.cell], spec.width, outputs, rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        return self.read(self.words(features), features["lengths"])
