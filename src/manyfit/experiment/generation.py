"""Text from language models: the members of a run write together, or one of them alone."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from manyfit.data.special_tokens import SPECIAL, UNKNOWN
from manyfit.engine.keys import key_of
from manyfit.errors import ConfigError, DataError
from manyfit.objectives.decoding import Sampling, drawn
from manyfit.objectives.language import NextToken

if TYPE_CHECKING:
    from manyfit.experiment.predictor import Predictor
    from manyfit.experiment.result import Result

CHUNK = 16
"""Tokens written between two looks of the host."""
PLAIN = Sampling()
Array = jax.Array


@dataclass(frozen=True)
class Generated:
    """What was written after a prompt.

    ``disagreement``, a number a token: how far the members' distributions were apart when it was drawn, as the
    mean Kullback-Leibler divergence from their average, in nats (0 where one writes alone). ``log_probability``
    of each token under the average, before any filter.
    """

    prompt: str
    text: str
    tokens: np.ndarray
    log_probability: np.ndarray
    disagreement: np.ndarray


class _State(NamedTuple):
    """What goes from token to token: the members' memories, what comes next, and what was seen."""

    memory: Any
    next: Array
    """Log-probabilities of the members' average, ``(rows, vocabulary)``."""
    apart: Array
    seen: Array
    written: Array
    """Tokens of each row so far, for its randomness."""


@dataclass
class _Row:
    """One text on its way."""

    prompt: str
    ids: list[int]
    first: int
    """Where in ``ids`` the window begins."""
    begun: int
    """How many of ``ids`` are the prompt's."""
    log_probability: list[float] = field(default_factory=list)
    apart: list[float] = field(default_factory=list)
    end: int | None = None
    """Characters of the text that are kept, once a stop string was found."""


class Programs:
    """Generation with an objective's network as pure functions of the members' weights, compiled once a process."""

    def __init__(self, objective: NextToken) -> None:
        self.objective = objective
        self.read = jax.jit(self.prefill, static_argnames=("size",))
        self.chunk = jax.jit(self.write)
        self.step = jax.jit(self.beam_step)

    def prefill(
        self, models: Any, tokens: Array, lengths: Array, seen: Array, written: Array, size: int
    ) -> _State:
        functional = self.objective.functional()

        def one(model: Any) -> tuple[Array, Any]:
            def read(module: Any) -> tuple[Array, Any]:
                return module.read(tokens, module.start(tokens.shape[0], size), lengths)

            logits, memory = functional.use(model, read)
            return jnp.take_along_axis(logits, (lengths - 1)[:, None, None], axis=1)[:, 0], memory

        logits, memory = jax.vmap(one)(models)
        return _State(memory, *together(logits), seen, written)

    def advance(self, models: Any, state: _State, tokens: Array) -> _State:
        """The state after one more token a row."""
        functional = self.objective.functional()

        def one(model: Any, memory: Any) -> tuple[Array, Any]:
            logits, memory = functional.use(model, lambda module: module.read(tokens[:, None], memory))
            return logits[:, 0], memory

        logits, memory = jax.vmap(one)(models, state.memory)
        seen = state.seen | (jnp.arange(state.seen.shape[1]) == tokens[:, None])
        return _State(memory, *together(logits), seen, state.written + 1)

    def write(
        self, models: Any, state: _State, sampling: Sampling, keys: Array, count: Array
    ) -> tuple[_State, Array, Array, Array]:
        rows = keys.shape[0]
        blank = jnp.zeros((rows, CHUNK))

        def body(i: Array, carry: Any) -> Any:
            state, tokens, chances, apart = carry
            token = drawn(state.next, sampling, state.seen, jax.vmap(jax.random.fold_in)(keys, state.written))
            chance = jnp.take_along_axis(state.next, token[:, None], axis=1)
            tokens = lax.dynamic_update_slice_in_dim(tokens, token[:, None], i, axis=1)
            chances = lax.dynamic_update_slice_in_dim(chances, chance, i, axis=1)
            apart = lax.dynamic_update_slice_in_dim(apart, state.apart[:, None], i, axis=1)
            return self.advance(models, state, token), tokens, chances, apart

        return lax.fori_loop(0, count, body, (state, blank.astype(jnp.int32), blank, blank))

    def beam_step(
        self, models: Any, state: _State, scores: Array, last: Array
    ) -> tuple[_State, Array, Array, Array, Array]:
        beams, size = state.next.shape
        best, place = lax.top_k((scores[:, None] + state.next).reshape(-1), beams)
        parents, tokens = (place // size).astype(jnp.int32), (place % size).astype(jnp.int32)
        functional, apart = self.objective.functional(), state.apart

        def moved(state: _State) -> _State:
            def one(model: Any, memory: Any) -> Any:
                return functional.use(model, lambda module: module.picked(memory, parents))

            memory = jax.vmap(one)(models, state.memory)
            return self.advance(models, state._replace(memory=memory, seen=state.seen[parents]), tokens)

        state = lax.cond(last, lambda state: state, moved, state)
        return state, best, tokens, parents, apart


@functools.lru_cache(maxsize=8)
def _programs_of(objective: NextToken) -> Programs:
    return Programs(objective)


class Writer:
    """Compiled generation of one ensemble; made once, used for any prompts and settings.

    A transformer's window holds ``context`` tokens; one that is full is cut to its later half before the next
    token. A recurrent network remembers in its state alone and reads every token once.
    """

    def __init__(self, objective: Any, models: Any, tokenizer: Any) -> None:
        if not isinstance(objective, NextToken):
            raise DataError("this run is no language model: generate is for those of a running text")
        self.objective, self.tokenizer = objective, tokenizer
        self.models = jax.tree.map(jnp.asarray, models)
        self.limited = not hasattr(objective.model, "cell")
        self.programs = _programs_of(objective)

    def stream(
        self,
        prompts: Sequence[str],
        *,
        length: int,
        sampling: Sampling,
        stop: Sequence[str] = (),
        seed: int = 0,
    ) -> Iterator[list[Generated]]:
        """What each prompt has become after every few tokens; the last is the whole."""
        rows = [self._row(prompt) for prompt in prompts]
        if length < 1:
            raise ConfigError(f"length={length}: give at least 1 token")
        traced = jax.tree.map(np.float32, sampling.checked())
        keys = jax.vmap(lambda i: jax.random.fold_in(key_of(seed), i))(jnp.arange(len(rows)))
        state = self._read(rows, [0] * len(rows))
        done = 0
        while done < length and any(row.end is None for row in rows):
            count = min(CHUNK, length - done, self._room(rows))
            if count == 0:
                for row in rows:
                    self._cut(row)
                state = self._read(rows, [done] * len(rows))
                continue
            state, tokens, chances, apart = self.programs.chunk(
                self.models, state, traced, keys, jnp.int32(count)
            )
            for i, row in enumerate(rows):
                if row.end is None:
                    row.ids += np.asarray(tokens)[i, :count].tolist()
                    row.log_probability += np.asarray(chances)[i, :count].tolist()
                    row.apart += np.asarray(apart)[i, :count].tolist()
                    self._stopped(row, stop)
                else:  # goes on unheard, so that every row is as long
                    row.ids += [self._blank] * count
            done += count
            yield [self._told(row, done) for row in rows]

    def beam(self, prompt: str, *, length: int, beams: int) -> list[Generated]:
        """The most probable texts of ``length`` tokens that a beam of such a width finds, the best first."""
        row = self._row(prompt)
        if beams < 1 or length < 1:
            raise ConfigError(f"beams={beams}, length={length}: give at least 1")
        if self.limited and len(row.ids) - row.first + length > self.objective.context + 1:
            raise ConfigError(
                f"a beam of {length} tokens after {len(row.ids) - row.first} runs over the window of "
                f"{self.objective.context}: give a shorter --length"
            )
        state = self._read([row] * beams, [0] * beams)
        scores = jnp.where(jnp.arange(beams) == 0, 0.0, -jnp.inf)
        ids = np.zeros((beams, 0), np.int32)
        chances, apart = np.zeros((2, beams, 0), np.float32)
        for step in range(length):
            before = np.asarray(scores)
            last = step == length - 1
            state, scores, tokens, parents, here = self.programs.step(self.models, state, scores, last)
            tokens, parents = np.asarray(tokens), np.asarray(parents)
            ids = np.concatenate([ids[parents], tokens[:, None]], axis=1)
            with np.errstate(invalid="ignore"):  # of beams that are not there yet
                gained = np.asarray(scores) - before[parents]
            chances = np.concatenate([chances[parents], gained[:, None]], axis=1)
            apart = np.concatenate([apart[parents], np.asarray(here)[parents][:, None]], axis=1)
        real = np.isfinite(np.asarray(scores))
        return [
            self._told(
                _Row(
                    prompt,
                    [*row.ids, *ids[i].tolist()],
                    row.first,
                    row.begun,
                    list(chances[i]),
                    list(apart[i]),
                ),
                length,
            )
            for i in range(beams)
            if real[i]
        ]

    # The host's part

    @property
    def _blank(self) -> int:
        return len(SPECIAL)

    def _row(self, prompt: str) -> _Row:
        tokenizer = self.tokenizer
        ids = tokenizer.encode(prompt)
        if not len(ids):
            ids = tokenizer.encode("\n")
            ids = ids if len(ids) and ids[0] != UNKNOWN else np.array([self._blank], np.int32)
        unknown = ids == UNKNOWN
        if tokenizer.kind == "character" and unknown.any():
            lost = "".join(dict.fromkeys(np.array(list(prompt))[unknown].tolist()))
            raise DataError(
                f"the prompt holds {lost!r}, which the model never saw: leave it out, or train with --tokenizer byte"
            )
        if unknown.all():
            raise DataError(f"no word of the prompt {prompt!r} is known to the model: give another one")
        row = _Row(prompt, ids.tolist(), 0, len(ids))
        if self.limited:
            row.first = max(0, len(ids) - self.objective.context + 1)
        return row

    def _room(self, rows: Sequence[_Row]) -> int:
        if not self.limited:
            return CHUNK
        return self.objective.context - max(len(row.ids) - row.first for row in rows)

    def _cut(self, row: _Row) -> None:
        if len(row.ids) - row.first >= self.objective.context:
            row.first = len(row.ids) - max(1, self.objective.context // 2)

    def _read(self, rows: Sequence[_Row], written: Sequence[int]) -> _State:
        """The state after the windows of all rows, read anew."""
        windows = [row.ids[row.first :] for row in rows]
        lengths = np.array([len(window) for window in windows], np.int32)
        longest = 1 << int(lengths.max() - 1).bit_length()
        longest = min(longest, self.objective.context) if self.limited else longest
        tokens = np.zeros((len(rows), max(longest, int(lengths.max()))), np.int32)
        seen = np.zeros((len(rows), self.objective.vocabulary), bool)
        for i, (row, window) in enumerate(zip(rows, windows, strict=True)):
            tokens[i, : len(window)] = window
            seen[i, row.ids] = True
        return self.programs.read(
            self.models, tokens, lengths, seen, np.array(written, np.int32), size=self.objective.context
        )

    def _text(self, row: _Row) -> str:
        """What stands behind the prompt."""
        before = self.tokenizer.decode(row.ids[: row.begun])
        return self.tokenizer.decode(row.ids)[len(before) :]

    def _stopped(self, row: _Row, stop: Sequence[str]) -> None:
        text = self._text(row)
        places = [text.find(word) for word in stop if word in text]
        if places:
            row.end = min(places)

    def _told(self, row: _Row, done: int) -> Generated:
        count = len(row.log_probability)
        text = self._text(_Row(row.prompt, row.ids[: row.begun + count], row.first, row.begun))
        return Generated(
            row.prompt,
            text if row.end is None else text[: row.end],
            np.array(row.ids[row.begun : row.begun + count], np.int32),
            np.array(row.log_probability, np.float32),
            np.array(row.apart, np.float32),
        )


def together(logits: Array) -> tuple[Array, Array]:
    """Log-probabilities ``(rows, vocabulary)`` of the members' average, and how far the members are from it.

    ``logits`` ``(members, rows, vocabulary)``; special tokens cannot be written and are left out.
    """
    size = logits.shape[-1]
    possible = jnp.arange(size) >= len(SPECIAL)
    each = jax.nn.log_softmax(jnp.where(possible, logits.astype(jnp.float32), -jnp.inf), axis=-1)
    mean = jax.nn.logsumexp(each, axis=0) - np.log(logits.shape[0])
    gap = jnp.where(possible, each - mean, 0.0)
    return mean, jnp.mean(jnp.sum(jnp.exp(each) * gap, axis=-1), axis=0)


def writer_of(predictor: Predictor, member: int | None = None) -> Writer:
    """The writer of a run's members together, or of one of them."""
    models = predictor.models
    if member is not None:
        if not 0 <= member < predictor.members:
            raise ConfigError(f"member={member}: there are {predictor.members}, counted from 0")
        models = jax.tree.map(lambda leaf: leaf[member : member + 1], models)
    tokenizer = getattr(predictor.encoder, "tokenizer", None)
    return Writer(predictor.objective, models, tokenizer)


def generate(
    writer: Writer,
    prompts: Sequence[str],
    *,
    length: int = 200,
    sampling: Sampling = PLAIN,
    stop: Sequence[str] = (),
    seed: int = 0,
    beams: int | None = None,
    listen: Callable[[list[Generated]], None] = lambda found: None,
) -> list[Generated]:
    """What each prompt becomes; ``listen`` hears of it after every few tokens. With ``beams`` nothing is drawn."""
    if not prompts:
        raise ConfigError("give at least one prompt")
    if beams is not None:
        return [writer.beam(prompt, length=length, beams=beams)[0] for prompt in prompts]
    found: list[Generated] = []
    for found in writer.stream(prompts, length=length, sampling=sampling, stop=stop, seed=seed):
        listen(found)
    return found


NAME = "samples.json"
SAMPLES, SAMPLE_LENGTH = 4, 300


def samples(result: Result) -> list[dict[str, Any]]:
    """A text of the members together and one of each of a few members, for the report."""
    predictor = result.predictor
    if predictor is None or not isinstance(predictor.objective, NextToken):
        return []
    alone = range(min(SAMPLES, predictor.members)) if predictor.members > 1 else ()
    told = []
    for who in (None, *alone):
        found = generate(writer_of(predictor, who), [""], length=SAMPLE_LENGTH)[0]
        told.append({"member": who, "text": found.text})
    return told


def samples_json(result: Result) -> str:
    """``samples`` as the content of ``samples.json``."""
    return json.dumps({"samples": samples(result)}, ensure_ascii=False, indent=1)
