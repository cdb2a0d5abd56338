"""From one text to another: the encoder-decoder transformer, and recurrent layers with attention.

Both read ``source`` ``(B, S)`` with ``source_lengths`` ``(B,)`` and the beginning of ``target`` ``(B, T)``, and give
logits of what follows each target token. To write token by token, ``start`` reads a source into a memory, ``read``
takes target tokens in and gives it back longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.cells import CELLS, Cell, check_cell
from manyfit.models.decoder import looked_up
from manyfit.models.images import check_whole, resolved
from manyfit.nn import Dropout, Linear, RMSNorm, TransformerBlock, attention
from manyfit.space import Numeric

Array = jax.Array


class Memory(NamedTuple):
    """What a source became, and what was written of its target: every leaf a row a text."""

    context: Array
    """``(B, S, width)``."""
    lengths: Array
    """``(B,)``: real tokens of each source."""
    written: Any
    """Caches of keys and values of each block, or the decoder's recurrent state."""


@dataclass(frozen=True)
class EncoderDecoder:
    """A transformer of an encoder and a decoder, normalised before each branch (RMS), with rotary positions.

    Both read one vocabulary, whose table is the output's matrix as well. Defaults are a small one for some ten
    thousand pairs. Source: Vaswani et al. (2017), "Attention is all you need"; Su et al. (2021), "RoFormer"; Wu et al.
    (2021), "Good for misconceived reasons" (sizes for Multi30k).
    """

    width: int = 128
    depth: int = 4
    heads: int = 4
    hidden: int = 256
    dropout: Numeric = 0.3

    def __post_init__(self) -> None:
        check_whole(self, width=self.width, depth=self.depth, heads=self.heads, hidden=self.hidden)
        if isinstance(self.width, int) and isinstance(self.heads, int) and self.width % self.heads:
            raise ConfigError(
                f"EncoderDecoder(width={self.width}, heads={self.heads}): heads has to divide width"
            )

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps pairs of token sequences to logits ``(B, T, outputs)``."""
        _check_pairs(inputs, self)
        return EncoderDecoderModule(self, outputs, rngs)


class EncoderDecoderModule(nnx.Module):
    """The module that ``EncoderDecoder`` describes."""

    def __init__(self, spec: EncoderDecoder, words: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.embedding = nnx.Param(_drawn(rngs, words, spec.width))
        self.scale = spec.width**0.5
        self.dropouts = nnx.List([Dropout(rate, rngs=rngs) for _ in range(2)])
        options: dict[str, Any] = {
            "hidden": spec.hidden,
            "norm": "rms",
            "activation": "relu",
            "dropout": rate,
            "rotary": True,
            "rngs": rngs,
        }
        self.encoder = nnx.List(
            [TransformerBlock(spec.width, spec.heads, **options) for _ in range(spec.depth)]
        )
        self.decoder = nnx.List(
            [
                TransformerBlock(spec.width, spec.heads, causal=True, context_features=spec.width, **options)
                for _ in range(spec.depth)
            ]
        )
        self.norms = nnx.List([RMSNorm(spec.width, rngs=rngs) for _ in range(2)])

    def __call__(self, features: Mapping[str, Array]) -> Array:
        """``(B, T, outputs)``."""
        lengths = features["source_lengths"]
        context = self._encoded(features["source"], lengths)
        x = self._embedded(features["target"], 1)
        for block in self.decoder:
            x = block(x, context, context_lengths=lengths)
        return self._logits(x)

    def start(self, source: Array, lengths: Array, size: int) -> Memory:
        """The memory of sources ``(B, S)``, with room for ``size`` tokens of each target."""
        context = self._encoded(source, lengths)
        caches = [block.attention.empty_cache(len(source), size, context.dtype) for block in self.decoder]
        return Memory(context, lengths, caches)

    def read(self, tokens: Array, memory: Memory) -> tuple[Array, Memory]:
        """Logits ``(B, T, outputs)`` after each of ``tokens`` ``(B, T)``, and the longer memory."""
        x, longer = self._embedded(tokens, 1), []
        for block, cache in zip(self.decoder, memory.written, strict=True):
            x, cache = block.decode(x, cache, memory.context, context_lengths=memory.lengths)
            longer.append(cache)
        return self._logits(x), memory._replace(written=longer)

    def _encoded(self, source: Array, lengths: Array) -> Array:
        x = self._embedded(source, 0)
        for block in self.encoder:
            x = block(x, lengths=lengths)
        return self.norms[0](x)

    def _embedded(self, tokens: Array, side: int) -> Array:
        return self.dropouts[side](looked_up(self.embedding[...], tokens) * self.scale)

    def _logits(self, x: Array) -> Array:
        return _product(self.norms[1](x), self.embedding[...])


@dataclass(frozen=True)
class RecurrentEncoderDecoder:
    """A recurrent layer over the source in both directions, one over the target that looks back at it.

    Each step's output attends to the source's (dot products after a linear map), both together make the logits; what
    was attended to is not fed to the next step, so that training takes all steps at once.

    Source: Luong, Pham, Manning (2015), "Effective approaches to attention-based neural machine translation", global
    attention with the "general" score.
    """

    width: int = 128
    layers: int = 1
    dropout: Numeric = 0.3
    cell: Cell = "lstm"

    def __post_init__(self) -> None:
        check_whole(self, width=self.width, layers=self.layers)
        check_cell(self, self.cell)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps pairs of token sequences to logits ``(B, T, outputs)``."""
        _check_pairs(inputs, self)
        return RecurrentEncoderDecoderModule(self, outputs, rngs)


class RecurrentEncoderDecoderModule(nnx.Module):
    """The module that ``RecurrentEncoderDecoder`` describes."""

    def __init__(self, spec: RecurrentEncoderDecoder, words: int, rngs: nnx.Rngs) -> None:
        rate, width = resolved(spec, "dropout"), spec.width
        self.embedding = nnx.Param(_drawn(rngs, words, width))
        self.scale = width**0.5
        self.dropouts = nnx.List([Dropout(rate, rngs=rngs) for _ in range(3)])
        cell = CELLS[spec.cell]
        self.encoder = cell(width, width, layers=spec.layers, bidirectional=True, rngs=rngs)
        self.decoder = cell(width, width, layers=spec.layers, rngs=rngs)
        self.narrow = Linear(2 * width, width, rngs=rngs)
        state = jax.tree.leaves(self.decoder.empty(1))[0].shape[-1]
        self.bridge = Linear(2 * state, state, rngs=rngs)
        self.query = Linear(width, width, use_bias=False, rngs=rngs)
        self.mix = Linear(2 * width, width, rngs=rngs)

    def __call__(self, features: Mapping[str, Array]) -> Array:
        """``(B, T, outputs)``."""
        memory = self.start(features["source"], features["source_lengths"], 0)
        return self.read(features["target"], memory)[0]

    def start(self, source: Array, lengths: Array, size: int) -> Memory:
        """As ``EncoderDecoderModule.start``; ``size`` says nothing here."""
        del size
        x = self.dropouts[0](looked_up(self.embedding[...], source) * self.scale)
        outputs, final = self.encoder(x, lengths=lengths)
        parts, kind = jax.tree.flatten(final)
        both = [jnp.concatenate([part[0::2], part[1::2]], axis=-1) for part in parts]  # (layers, B, 2 state)
        h, *c = (self.bridge(part).swapaxes(0, 1) for part in both)
        return Memory(self.narrow(outputs), lengths, jax.tree.unflatten(kind, [jnp.tanh(h), *c]))

    def read(self, tokens: Array, memory: Memory) -> tuple[Array, Memory]:
        """As ``EncoderDecoderModule.read``."""
        x = self.dropouts[1](looked_up(self.embedding[...], tokens) * self.scale)
        before = jax.tree.map(lambda part: part.swapaxes(0, 1), memory.written)
        x, after = self.decoder(x, initial=before)
        keys = memory.context[:, :, None]
        seen = attention(self.query(x)[:, :, None], keys, keys, lengths=memory.lengths)[:, :, 0]
        mixed = self.dropouts[2](jnp.tanh(self.mix(jnp.concatenate([x, seen], axis=-1))))
        written = jax.tree.map(lambda part: part.swapaxes(0, 1), after)
        return _product(mixed, self.embedding[...]), memory._replace(written=written)


def picked(memory: Memory, rows: Array) -> Memory:
    """The memory of these rows ``(B,)``, which may stand in it several times."""
    return jax.tree.map(lambda leaf: leaf[rows], memory)


def _drawn(rngs: nnx.Rngs, words: int, width: int) -> Array:
    return jax.random.normal(rngs.params(), (words, width)) * width**-0.5


def _product(x: Array, table: Array) -> Array:
    """``x`` ``(B, T, width)`` with every row of the table: ``(B, T, words)``, as one product."""
    return (x.reshape(-1, x.shape[-1]) @ table.astype(x.dtype).T).reshape(*x.shape[:-1], table.shape[0])


def _check_pairs(inputs: Inputs, architecture: object) -> None:
    if "source" not in inputs or "target" not in inputs:
        found = ", ".join(f"{name} {spec.shape}" for name, spec in inputs.shapes.items()) or "none"
        raise ConfigError(
            f"{type(architecture).__name__} takes pairs of texts, source and target tokens; the features are: {found}"
        )
