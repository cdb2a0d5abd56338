"""Convolutions over words, and the greatest answer of each filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.models.architecture import Inputs, activation
from manyfit.models.images import check_whole, resolved
from manyfit.models.texts import WordEmbedding, pooled, vocabulary_of
from manyfit.nn.conv import Conv1d
from manyfit.nn.dropout import Dropout
from manyfit.nn.linear import Linear
from manyfit.space import Numeric


@dataclass(frozen=True)
class TextCNN:
    """Filters of ``sizes`` words, ``channels`` of each, the maximum over a text, dropout, a linear layer.

    Filters see zeros before the first and after the last word, so that every text has room for them.
    Source: Kim (2014), "Convolutional neural networks for sentence classification" (CNN-rand).
    """

    width: int = 64
    sizes: tuple[int, ...] = (3, 4, 5)
    channels: int = 64
    dropout: Numeric = 0.5
    activation: str = "relu"
    any_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(self, width=self.width, sizes=self.sizes, channels=self.channels)
        if isinstance(self.activation, str):
            activation(self.activation)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"tokens": (B, T), "lengths": (B,)}`` to ``(B, outputs)``."""
        return TextCNNModule(self, vocabulary_of(inputs, self), outputs, rngs)


class TextCNNModule(nnx.Module):
    """The module that ``TextCNN`` describes."""

    def __init__(self, spec: TextCNN, words: int, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.words = WordEmbedding(words, spec.width, 0.0, rngs=rngs)
        self.convolutions = nnx.List(
            [Conv1d(spec.width, spec.channels, size, padding=size - 1, rngs=rngs) for size in spec.sizes]
        )
        self.sizes = spec.sizes
        self.activation = activation(spec.activation)
        self.dropout = Dropout(rate, rngs=rngs)
        self.head = Linear(len(spec.sizes) * spec.channels, outputs, rngs=rngs)

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        """``(B, outputs)``."""
        x, lengths = self.words(features), features["lengths"]
        found = [
            # the windows that hold a real word; an activation that rises may as well follow the maximum
            pooled(convolution(x), jnp.where(lengths > 0, lengths + size - 1, 0), "max")
            for convolution, size in zip(self.convolutions, self.sizes)
        ]
        return self.head(self.dropout(self.activation(jnp.concatenate(found, axis=-1))))
