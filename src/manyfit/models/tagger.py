"""Networks that label every word of a sentence, by the word, its letters and its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.data.special_tokens import PAD, UNKNOWN
from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.cells import CELLS
from manyfit.models.images import check_whole, resolved
from manyfit.models.texts import pooled, real
from manyfit.nn.conv import Conv1d
from manyfit.nn.dropout import Dropout
from manyfit.nn.linear import Linear
from manyfit.nn.normalisation import LayerNorm
from manyfit.nn.transformer import TransformerBlock
from manyfit.space import Distribution, Numeric

Reader = Literal["lstm", "gru", "rnn", "mingru", "lru", "transformer", "cnn"]
_READERS = (*CELLS, "transformer", "cnn")


@dataclass(frozen=True)
class Tagger:
    """A label for each word: its vector and what convolutions make of its letters, read in both directions.

    A word that is not known, and in training any word with probability ``word_dropout``, has the vector of unknown
    words: then its letters speak for it. ``reader`` is a recurrent layer (``models.cells``, ``hidden`` units in each
    direction), ``transformer``, or ``cnn`` (convolutions over three words, farther apart from layer to layer).
    The last layer sees the word again beside what was read. With ``crf`` a sentence's labels are judged together.

    Source: Plank, Søgaard and Goldberg (2016), "Multilingual part-of-speech tagging with bidirectional LSTM models
    and auxiliary loss"; letters by convolution: Ma and Hovy (2016), "End-to-end sequence labeling via bi-directional
    LSTM-CNNs-CRF", and for the last layer; dropped words: Iyyer et al. (2015).
    """

    reader: Reader = "lstm"
    width: int = 64
    letters: int = 24
    filters: int = 48
    hidden: int = 96
    layers: int = 1
    heads: int = 4
    dropout: Numeric = 0.4
    word_dropout: Numeric = 0.1
    crf: bool = False
    """Whether a sentence's labels are judged together, by a score of each pair of neighbours (``losses.crf``)."""
    any_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(
            self,
            width=self.width,
            letters=self.letters,
            filters=self.filters,
            hidden=self.hidden,
            layers=self.layers,
            heads=self.heads,
        )
        if isinstance(self.reader, str) and self.reader not in _READERS:
            raise ConfigError(f"Tagger(reader={self.reader!r}): give one of {', '.join(map(repr, _READERS))}")
        if self.reader != "transformer" or isinstance(self.hidden, Distribution):
            return
        if not isinstance(self.heads, Distribution) and self.hidden % (2 * self.heads):
            raise ConfigError(
                f"Tagger('transformer', hidden={self.hidden}, heads={self.heads}): heads of an even width have to "
                "fill it"
            )

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``tokens`` ``(B, T)``, ``characters`` ``(B, T, L)`` and ``lengths`` ``(B,)`` to
        ``(B, T, outputs)``; with ``crf`` to what ``losses.crf`` takes, by name."""
        if "characters" not in inputs or len(inputs.cardinalities) != 2:
            found = ", ".join(f"{name} {spec.shape}" for name, spec in inputs.shapes.items()) or "none"
            raise ConfigError(
                f"Tagger takes sentences, tokens (B, T) and characters (B, T, L); the features are: {found}"
            )
        return TaggerModule(self, inputs.cardinalities, outputs, rngs)


class TaggerModule(nnx.Module):
    """The module that ``Tagger`` describes."""

    def __init__(self, spec: Tagger, sizes: tuple[int, ...], outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        words, characters = sizes
        self.words = nnx.Param(0.1 * jax.random.normal(rngs.params(), (words, spec.width)))
        self.letters = nnx.Param(0.5 * jax.random.normal(rngs.params(), (characters, spec.letters)))
        self.convolution = Conv1d(spec.letters, spec.filters, 3, rngs=rngs)
        self.known = Dropout(resolved(spec, "word_dropout"), rngs=rngs)
        self.before, self.after = Dropout(rate, rngs=rngs), Dropout(rate, rngs=rngs)
        into = spec.width + spec.filters
        self.reader = _reader(spec, into, rate, rngs)
        self.head = Linear(into + self.reader.width, outputs, rngs=rngs)
        shapes = (
            {"transitions": (outputs, outputs), "begin": (outputs,), "end": (outputs,)} if spec.crf else {}
        )
        self.chain = nnx.Dict({name: nnx.Param(jnp.zeros(shape)) for name, shape in shapes.items()})

    def __call__(self, features: Mapping[str, jax.Array]) -> Any:
        """``(B, T, outputs)``, or ``emissions`` of that shape with ``transitions``, ``begin``, ``end``, ``lengths``.

        What stands after a sentence's end means nothing.
        """
        tokens, lengths = features["tokens"], features["lengths"]
        kept = self.known(jnp.ones(tokens.shape)) > 0
        vectors = jnp.take(self.words[...], jnp.where(kept, tokens, UNKNOWN), axis=0, mode="clip")
        x = self.before(jnp.concatenate([vectors, self.spelled(features["characters"])], axis=-1))
        x = jnp.where(real(tokens, lengths)[..., None], x, 0)
        found = self.head(self.after(jnp.concatenate([x, self.reader(x, lengths)], axis=-1)))
        if not self.chain:
            return found
        return {
            "emissions": found,
            "lengths": lengths,
            **{name: part[...] for name, part in self.chain.items()},
        }

    def spelled(self, characters: jax.Array) -> jax.Array:
        """``(B, T, L)`` -> ``(B, T, filters)``: of each filter the greatest answer over a word's letters."""
        rows = characters.reshape(-1, characters.shape[2]).astype(jnp.int32)
        there = rows != PAD
        vectors = jnp.take(self.letters[...], rows, axis=0, mode="clip")
        found = self.convolution(jnp.where(there[..., None], vectors, 0))
        greatest = pooled(found, jnp.sum(there, axis=1, dtype=jnp.int32), "max")
        return jax.nn.relu(greatest).reshape(*characters.shape[:2], -1)


class Recurrence(nnx.Module):
    """Recurrent layers in both directions: ``(B, T, into)`` -> ``(B, T, width)``."""

    def __init__(self, spec: Tagger, into: int, rate: Any, rngs: nnx.Rngs) -> None:
        between = rate if spec.layers > 1 else 0.0
        cell = CELLS[spec.reader]
        self.cell = cell(
            into, spec.hidden, layers=spec.layers, bidirectional=True, dropout=between, rngs=rngs
        )
        self.width = 2 * spec.hidden

    def __call__(self, x: jax.Array, lengths: jax.Array) -> jax.Array:
        return self.cell(x, lengths=lengths)[0]


class Attention(nnx.Module):
    """Transformer blocks with rotary positions: ``(B, T, into)`` -> ``(B, T, width)``."""

    def __init__(self, spec: Tagger, into: int, rate: Any, rngs: nnx.Rngs) -> None:
        self.into = Linear(into, spec.hidden, rngs=rngs)
        self.blocks = nnx.List(
            [
                TransformerBlock(spec.hidden, spec.heads, dropout=rate, rotary=True, rngs=rngs)
                for _ in range(spec.layers)
            ]
        )
        self.norm = LayerNorm(spec.hidden, rngs=rngs)
        self.width = spec.hidden

    def __call__(self, x: jax.Array, lengths: jax.Array) -> jax.Array:
        x = self.into(x)
        for block in self.blocks:
            x = block(x, lengths=lengths)
        return self.norm(x)


class Convolutions(nnx.Module):
    """Convolutions over three words, 1, 2, 4 … apart, around shortcuts: ``(B, T, into)`` -> ``(B, T, width)``.

    Source: Strubell et al. (2017), "Fast and accurate entity recognition with iterated dilated convolutions".
    """

    def __init__(self, spec: Tagger, into: int, rate: Any, rngs: nnx.Rngs) -> None:
        self.into = Linear(into, spec.hidden, rngs=rngs)
        self.layers = nnx.List(
            [Conv1d(spec.hidden, spec.hidden, 3, dilation=2**i, rngs=rngs) for i in range(spec.layers)]
        )
        self.dropout = Dropout(rate, rngs=rngs)
        self.width = spec.hidden

    def __call__(self, x: jax.Array, lengths: jax.Array) -> jax.Array:
        here = (jnp.arange(x.shape[1]) < lengths[:, None])[..., None]
        x = self.into(x)
        for layer in self.layers:
            x = x + self.dropout(jax.nn.relu(layer(jnp.where(here, x, 0))))
        return x


def _reader(spec: Tagger, into: int, rate: Any, rngs: nnx.Rngs) -> Any:
    kind: Any = {"transformer": Attention, "cnn": Convolutions}.get(spec.reader, Recurrence)
    return kind(spec, into, rate, rngs)
