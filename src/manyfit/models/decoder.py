"""Language models: the decoder-only transformer, and recurrent networks; tokens in, logits of the next token out.

Both read whole windows when they train, and token by token when they write: ``start`` makes an empty
memory (a cache of keys and values, or a recurrent state), ``read`` takes tokens in and gives it back longer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models.architecture import Inputs
from manyfit.models.cells import CELLS, Cell, check_cell
from manyfit.models.images import check_whole, resolved
from manyfit.nn import (
    Dropout,
    GatedFeedForward,
    LayerNorm,
    LearnedPositions,
    Linear,
    RMSNorm,
    TransformerBlock,
)
from manyfit.space import Numeric

Array = jax.Array
SMALL = 1024
"""Entries up to which a table is read by a matrix product, whose gradient is one too, and no scatter."""
_NORMS = {"layer": LayerNorm, "rms": RMSNorm}


@dataclass(frozen=True)
class Decoder:
    """A decoder-only transformer: blocks of causal attention and a feed-forward layer, normalised before.

    As it stands it is GPT-2's architecture without biases. ``positions``: ``learned`` (one vector a place),
    ``rotary``, or ``none``. ``norm``: ``layer`` or ``rms``. ``kv_heads`` fewer than ``heads`` is grouped-query
    attention. ``gated`` makes the feed-forward layer a gated one (``activation="silu"``: SwiGLU).
    ``hidden`` is its width, four times ``width`` unless given (two thirds of that if gated). ``window``: how
    many tokens back attention sees, all unless given. ``tie``: the output matrix is the embedding's.
    ``qk_norm`` normalises queries and keys. ``dropout`` falls on embeddings, probabilities and branches.

    Weights start normal with deviation 0.02, those that end a branch ``1 / sqrt(2 depth)`` of that.

    Raises ``ConfigError`` for sizes that do not divide.

    Source: Radford et al. (2019), "Language models are unsupervised multitask learners" (GPT-2); Touvron et
    al. (2023), "LLaMA" (RMS norm, SwiGLU, rotary positions).
    """

    width: int = 128
    depth: int = 4
    heads: int = 4
    kv_heads: int | None = None
    hidden: int | None = None
    norm: Literal["layer", "rms"] = "layer"
    positions: Literal["learned", "rotary", "none"] = "learned"
    activation: str = "gelu"
    gated: bool = False
    window: int | None = None
    tie: bool = True
    qk_norm: bool = False
    use_bias: bool = False
    dropout: Numeric = 0.0

    def __post_init__(self) -> None:
        check_whole(self, width=self.width, depth=self.depth, heads=self.heads)
        if isinstance(self.width, int) and isinstance(self.heads, int) and self.width % self.heads:
            raise ConfigError(f"Decoder(width={self.width}, heads={self.heads}): heads has to divide width")

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"tokens": (B, T)}`` int32 to logits ``(B, T, outputs)``."""
        return DecoderModule(self, _places(inputs, self), outputs, rngs)


class DecoderModule(nnx.Module):
    """The module that ``Decoder`` describes."""

    def __init__(self, spec: Decoder, places: int, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.embedding = nnx.Param(_normal(rngs, (outputs, spec.width)))
        learned = spec.positions == "learned"
        self.positions = LearnedPositions(places, spec.width, rngs=rngs) if learned else None
        self.dropout = Dropout(rate, rngs=rngs)
        self.blocks = nnx.List([_block(spec, rate, rngs) for _ in range(spec.depth)])
        self.norm = _NORMS[spec.norm](spec.width, rngs=rngs)
        self.output = None if spec.tie else nnx.Param(_normal(rngs, (outputs, spec.width)))

    def __call__(self, features: Mapping[str, Array]) -> Array:
        """``(B, T, outputs)``."""
        x = self._embedded(features["tokens"], None)
        for block in self.blocks:
            x = block(x)
        return self._logits(x)

    def start(self, batch: int, size: int) -> list[Any]:
        """An empty memory with room for ``size`` tokens a row."""
        return [block.attention.empty_cache(batch, size) for block in self.blocks]

    def read(self, tokens: Array, memory: list[Any], lengths: Array | None = None) -> tuple[Array, list[Any]]:
        """Logits ``(B, T, outputs)`` after each of ``tokens`` ``(B, T)``, and the longer memory.

        ``lengths`` ``(B,)``: how many of each row are real, all unless given.
        """
        x = self._embedded(tokens, memory[0].lengths)
        longer = []
        for block, cache in zip(self.blocks, memory, strict=True):
            x, cache = block.decode(x, cache, lengths=lengths)
            longer.append(cache)
        return self._logits(x), longer

    def picked(self, memory: list[Any], rows: Array) -> list[Any]:
        """The memory of these rows ``(B,)``, which may stand in it several times."""
        return jax.tree.map(lambda leaf: leaf[rows], memory)

    def _embedded(self, tokens: Array, start: Array | None) -> Array:
        x = looked_up(self.embedding[...], tokens)
        return self.dropout(x if self.positions is None else self.positions(x, start=start))

    def _logits(self, x: Array) -> Array:
        table = self.embedding if self.output is None else self.output
        return _product(self.norm(x), table[...])


@dataclass(frozen=True)
class Recurrent:
    """A recurrent language model: an embedding, stacked recurrent layers, logits.

    ``cell`` is ``lstm``, ``gru`` or ``rnn``; ``mingru`` and ``lru`` take all steps of a window at once. ``dropout``
    falls on what goes into and between the layers and on what leaves them (Zaremba et al., 2014, "Recurrent neural
    network regularization"). Each window starts from an empty state.

    Source: Graves (2013), "Generating sequences with recurrent neural networks".
    """

    cell: Cell = "lstm"
    width: int = 256
    depth: int = 2
    embedding: int = 64
    dropout: Numeric = 0.0

    def __post_init__(self) -> None:
        check_whole(self, width=self.width, depth=self.depth, embedding=self.embedding)
        check_cell(self, self.cell)

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps ``{"tokens": (B, T)}`` int32 to logits ``(B, T, outputs)``."""
        _places(inputs, self)
        return RecurrentModule(self, outputs, rngs)


class RecurrentModule(nnx.Module):
    """The module that ``Recurrent`` describes."""

    def __init__(self, spec: Recurrent, outputs: int, rngs: nnx.Rngs) -> None:
        rate = resolved(spec, "dropout")
        self.embedding = nnx.Param(jax.random.normal(rngs.params(), (outputs, spec.embedding)) * 0.1)
        self.layers = CELLS[spec.cell](spec.embedding, spec.width, layers=spec.depth, dropout=rate, rngs=rngs)
        self.head = Linear(spec.width, outputs, rngs=rngs)
        self.dropouts = nnx.List([Dropout(rate, rngs=rngs) for _ in range(2)])

    def __call__(self, features: Mapping[str, Array]) -> Array:
        """``(B, T, outputs)``."""
        return self._through(features["tokens"], None, None)[0]

    def start(self, batch: int, size: int) -> Any:
        """An empty memory; ``size`` says nothing here: what was read is one state."""
        del size
        return self.layers.empty(batch)

    def read(self, tokens: Array, memory: Any, lengths: Array | None = None) -> tuple[Array, Any]:
        """As ``DecoderModule.read``."""
        return self._through(tokens, memory, lengths)

    def picked(self, memory: Any, rows: Array) -> Any:
        """As ``DecoderModule.picked``."""
        return jax.tree.map(lambda leaf: leaf[:, rows], memory)

    def _through(self, tokens: Array, memory: Any, lengths: Array | None) -> tuple[Array, Any]:
        x = self.dropouts[0](looked_up(self.embedding[...], tokens))
        x, memory = self.layers(x, lengths=lengths, initial=memory)
        return self.head(self.dropouts[1](x)), memory


def looked_up(table: Array, tokens: Array) -> Array:
    """The rows ``(B, T, width)`` of a table ``(entries, width)``."""
    if table.shape[0] > SMALL:
        return jnp.take(table, tokens, axis=0, mode="clip")
    hot = jax.nn.one_hot(tokens.reshape(-1), table.shape[0], dtype=table.dtype)
    return (hot @ table).reshape(*tokens.shape, table.shape[1])


def _product(x: Array, table: Array) -> Array:
    """``x`` ``(B, T, width)`` with every row of the table: ``(B, T, entries)``, as one product."""
    return (x.reshape(-1, x.shape[-1]) @ table.astype(x.dtype).T).reshape(*x.shape[:-1], table.shape[0])


def _block(spec: Decoder, rate: Any, rngs: nnx.Rngs) -> TransformerBlock:
    block = TransformerBlock(
        spec.width,
        spec.heads,
        hidden=spec.hidden,
        norm=spec.norm,
        activation=spec.activation,
        gated=spec.gated,
        dropout=rate,
        use_bias=spec.use_bias,
        rngs=rngs,
        causal=True,
        rotary=spec.positions == "rotary",
        kv_heads=spec.kv_heads,
        window=spec.window,
        qk_norm=spec.qk_norm,
    )
    branch = block.feed_forward
    first, last = (
        (branch.gate_and_value, branch.output)
        if isinstance(branch, GatedFeedForward)
        else (branch.widen, branch.narrow)
    )
    ends = 1 / math.sqrt(2 * spec.depth)
    for layer, scale in (
        (block.attention.query_key_value, 1),
        (block.attention.output, ends),
        (first, 1),
        (last, ends),
    ):
        layer.kernel[...] = scale * _normal(rngs, layer.kernel.shape)
    return block


def _normal(rngs: nnx.Rngs, shape: tuple[int, ...]) -> Array:
    return 0.02 * jax.random.normal(rngs.params(), shape, jnp.float32)


def _places(inputs: Inputs, architecture: object) -> int:
    """The length of a window; raises ``ConfigError`` for features that are no tokens."""
    if "tokens" not in inputs or len(inputs["tokens"].shape) != 2:
        found = ", ".join(f"{name} {spec.shape}" for name, spec in inputs.shapes.items()) or "none"
        raise ConfigError(
            f"{type(architecture).__name__} takes tokens of shape (B, T); the features are: {found}"
        )
    return inputs["tokens"].shape[1]
