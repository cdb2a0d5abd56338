"""From the distribution of the next token to a token: temperature, filters, a draw.

All work on log-probabilities ``(rows, vocabulary)``; every setting is traced, so that another value never
recompiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.errors import ConfigError

Array = jax.Array


class Sampling(NamedTuple):
    """How the next token is drawn.

    ``temperature`` divides the log-probabilities, 0 takes the most probable token. ``top_k`` keeps the ``k``
    most probable (0: all); ``top_p`` the fewest, most probable first, whose probabilities (after ``top_k``)
    reach ``p`` (1: all; Holtzman et al., 2020, "The curious case of neural text degeneration"); ``min_p``
    those of at least ``min_p`` times the greatest probability (0: all; Nguyen et al., 2024, "Min-p
    sampling"). ``repetition_penalty`` multiplies the log-probability of what stands in the text already
    (1: nothing; after Keskar et al., 2019, "CTRL", who do so to scores).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def checked(self) -> Sampling:
        """The same; raises ``ConfigError`` for what is out of range."""
        good = {
            "temperature": self.temperature >= 0,
            "top_k": self.top_k >= 0 and int(self.top_k) == self.top_k,
            "top_p": 0 < self.top_p <= 1,
            "min_p": 0 <= self.min_p <= 1,
            "repetition_penalty": self.repetition_penalty > 0,
        }
        ranges = {"top_p": "in (0, 1]", "min_p": "in [0, 1]", "repetition_penalty": "above 0"}
        for name, fits in good.items():
            if not fits:
                raise ConfigError(
                    f"{name}={getattr(self, name)}: give a number {ranges.get(name, 'of at least 0')}"
                )
        return self


def filtered(log_probabilities: Array, sampling: Sampling, seen: Array) -> Array:
    """Normalised log-probabilities to draw from, ``-inf`` for what is left out.

    ``seen`` ``(rows, vocabulary)`` marks the tokens of the text so far. At a temperature of 0 they are those
    of temperature 1: ``drawn`` takes the greatest.
    """
    x = jnp.where(seen, log_probabilities * sampling.repetition_penalty, log_probabilities)
    x = x / jnp.where(jnp.asarray(sampling.temperature) > 0, sampling.temperature, 1.0)
    order = jnp.argsort(-x, axis=-1, stable=True)
    ranked = jnp.take_along_axis(x, order, axis=-1)
    rank = jnp.arange(x.shape[-1])
    most = jnp.where(jnp.asarray(sampling.top_k) > 0, sampling.top_k, x.shape[-1])
    ranked = jax.nn.log_softmax(jnp.where(rank < most, ranked, -jnp.inf), axis=-1)
    p = jnp.exp(ranked)
    before = jnp.cumsum(p, axis=-1) - p
    kept = (before < sampling.top_p) & (p >= sampling.min_p * p[..., :1])
    kept = (kept | (jnp.asarray(sampling.top_p) >= 1) & (p >= sampling.min_p * p[..., :1])) & (rank < most)
    ranked = jax.nn.log_softmax(jnp.where(kept, ranked, -jnp.inf), axis=-1)
    back = jnp.argsort(order, axis=-1)
    return jnp.take_along_axis(ranked, back, axis=-1)


def drawn(log_probabilities: Array, sampling: Sampling, seen: Array, keys: Array) -> Array:
    """A token of each row, int32 ``(rows,)``; ``keys`` ``(rows,)``: one a row, so that no row sees the others."""
    x = filtered(log_probabilities, sampling, seen)
    noise = jax.vmap(lambda key: jax.random.gumbel(key, x.shape[-1:]))(keys)
    sure = jnp.asarray(sampling.temperature) == 0
    return jnp.argmax(jnp.where(sure, x, x + noise), axis=-1).astype(jnp.int32)


def beam_search(
    advance: Callable[[Array, Any], tuple[Array, Any]],
    pick: Callable[[Any, Array], Any],
    memory: Any,
    rows: int,
    *,
    beams: int,
    length: int,
    begin: int,
    end: int,
    blank: int = 0,
    patience: float = 1.0,
) -> tuple[Array, Array]:
    """The most probable texts after each of ``rows`` beginnings: ids ``(rows, beams, length)``, best first, and ranks.

    ``advance(tokens, memory)`` reads a token ``(rows * beams,)`` of each text and gives log-probabilities
    ``(rows * beams, vocabulary)`` of the next with a longer memory; ``pick(memory, texts)`` is that of some texts.
    The memory given is that of every row ``beams`` times over. A text that has written ``end`` keeps its place and is
    filled with ``blank``. Ranks are log-probabilities over ``tokens ** patience`` (Wu et al., 2016, "Google's neural
    machine translation system", equation 14, without its constant). One beam is greedy decoding.
    """
    scores = jnp.tile(jnp.where(jnp.arange(beams) == 0, 0.0, -jnp.inf), (rows, 1))
    ids = jnp.full((rows, beams, length), blank, jnp.int32)
    last = jnp.full((rows, beams), begin, jnp.int32)
    done = jnp.zeros((rows, beams), bool)

    def going(carry: Any) -> Array:
        return (carry[0] < length) & ~jnp.all(carry[3])

    def step(carry: Any) -> Any:
        at, ids, scores, done, last, memory = carry
        found, memory = advance(last.reshape(-1), memory)
        size = found.shape[-1]
        stay = jnp.where(jnp.arange(size) == end, 0.0, -jnp.inf)
        found = jnp.where(done[..., None], stay, found.reshape(rows, beams, size))
        scores, place = lax.top_k((scores[..., None] + found).reshape(rows, -1), beams)
        parent, token = place // size, (place % size).astype(jnp.int32)
        memory = pick(memory, (jnp.arange(rows)[:, None] * beams + parent).reshape(-1))
        ended = jnp.take_along_axis(done, parent, axis=1)
        ids = jnp.take_along_axis(ids, parent[..., None], axis=1)
        ids = lax.dynamic_update_slice_in_dim(ids, jnp.where(ended, blank, token)[..., None], at, axis=2)
        return at + 1, ids, scores, ended | (token == end), token, memory

    carry = lax.while_loop(going, step, (jnp.int32(0), ids, scores, done, last, memory))
    _, ids, scores, *_ = carry
    count = jnp.maximum(jnp.sum(ids != blank, axis=2), 1)
    rank = scores / count.astype(jnp.float32) ** patience
    order = jnp.argsort(-rank, axis=1, stable=True)
    return jnp.take_along_axis(ids, order[..., None], axis=1), jnp.take_along_axis(rank, order, axis=1)
