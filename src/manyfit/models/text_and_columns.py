"""A text and the columns beside it: a network for each, and the sum of what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.mlp import MLP
from manyfit.models.textcnn import TextCNN

TOKENS = ("tokens", "lengths")
COLUMNS = MLP((64,), dropout=0.1, input_gain=2**0.5)
"""Begins as wide as He's: narrow, as a table alone is read, it learns later than the text's network beside it."""


@dataclass(frozen=True)
class TextAndColumns:
    """The outputs of a network that reads a text and of one that reads the other columns of its row, added up.

    Late fusion: for classes the two are a product of experts, for values a sum. Each is any architecture for
    texts, and for tables. Source: Cheng et al. (2016), "Wide & deep learning for recommender systems", for the sum of
    two networks that are trained together.
    """

    text: Any = field(default_factory=TextCNN)
    columns: Any = COLUMNS

    @property
    def any_length(self) -> bool:
        """Whether the text's network reads texts of any length."""
        return bool(getattr(self.text, "any_length", False))

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``tokens``, ``lengths`` and the features of a table to ``(B, outputs)``.

        The first of the cardinalities is of the words, the others are those of the columns. Raises ``ConfigError`` for
        rows without columns.
        """
        table = {name: spec for name, spec in inputs.shapes.items() if name not in TOKENS}
        if not table:
            raise ConfigError(
                "TextAndColumns reads columns beside a text, and there are none: give its text network"
            )
        words = {name: spec for name, spec in inputs.shapes.items() if name in TOKENS}
        return _Sum(
            self.text.build(Inputs(words, inputs.cardinalities[:1]), outputs, rngs=rngs),
            self.columns.build(Inputs(table, inputs.cardinalities[1:]), outputs, rngs=rngs),
        )


class _Sum(nnx.Module):
    def __init__(self, text: nnx.Module, columns: nnx.Module) -> None:
        self.text, self.columns = text, columns

    def __call__(self, features: Mapping[str, jax.Array]) -> jax.Array:
        read: Any = self.text, self.columns
        table = {name: x for name, x in features.items() if name not in TOKENS}
        return read[0]({name: features[name] for name in TOKENS}) + read[1](table)
