"""Texts made of other texts by a run's networks together: beams or draws, token by token, and their BLEU."""

from __future__ import annotations

import contextlib
import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from manyfit import metrics
from manyfit.data.special_tokens import BEGIN, END, PAD, UNKNOWN
from manyfit.engine.keys import key_of
from manyfit.errors import ConfigError, DataError
from manyfit.models.seq2seq import picked
from manyfit.objectives.decoding import Sampling, beam_search, drawn
from manyfit.objectives.translation import Translation

if TYPE_CHECKING:
    from manyfit.experiment.predictor import Predictor
    from manyfit.experiment.result import Result
    from manyfit.tasks.task import Task

Array = jax.Array
NAME = "translations.json"
BLOCK = 32
"""Texts translated at once; what is short is filled up, so that there is one program."""
BEAMS = 4
MOST_SCORED, SHOWN = 1000, 12


@dataclass(frozen=True)
class Translated:
    """``text`` with its ``score``: mean log-probability a token under the members' average."""

    source: str
    text: str
    score: float


class Programs:
    """Decoding with an objective's network as pure functions of the members' weights, compiled once a process."""

    def __init__(self, objective: Translation) -> None:
        self.functional = objective.functional()
        self.beams = jax.jit(self.searched, static_argnames=("beams", "length"))
        self.sample = jax.jit(self.sampled, static_argnames=("length",))

    def begun(self, models: Any, source: Array, size: int) -> Any:
        """The members' memories of sources ``(rows, S)``."""
        lengths = jnp.sum(source != PAD, axis=1, dtype=jnp.int32)

        def one(model: Any) -> Any:
            return self.functional.use(model, lambda module: module.start(source, lengths, size))

        return jax.vmap(one)(models)

    def advance(self, models: Any, tokens: Array, memory: Any) -> tuple[Array, Any]:
        """Log-probabilities ``(rows, vocabulary)`` of the members' average after one more token."""

        def one(model: Any, memory: Any) -> tuple[Array, Any]:
            logits, memory = self.functional.use(model, lambda m: m.read(tokens[:, None], memory))
            return logits[:, 0], memory

        logits, memory = jax.vmap(one)(models, memory)
        never = jnp.isin(jnp.arange(logits.shape[-1]), jnp.array([PAD, UNKNOWN, BEGIN]))
        each = jax.nn.log_softmax(jnp.where(never, -jnp.inf, logits.astype(jnp.float32)), axis=-1)
        return jax.nn.logsumexp(each, axis=0) - np.log(logits.shape[0]), memory

    def searched(self, models: Any, source: Array, *, beams: int, length: int) -> tuple[Array, Array]:
        """Ids ``(rows, length)`` and ranks ``(rows,)`` of the best texts."""
        rows = len(source)
        memory = self._pick(self.begun(models, source, length), jnp.repeat(jnp.arange(rows), beams))
        ids, rank = beam_search(
            functools.partial(self.advance, models), self._pick, memory, rows, beams=beams, length=length,
            begin=BEGIN, end=END, blank=PAD,
        )  # fmt: skip
        return ids[:, 0], rank[:, 0]

    def sampled(
        self, models: Any, source: Array, sampling: Sampling, keys: Array, *, length: int
    ) -> tuple[Array, Array]:
        """Ids ``(rows, length)`` and mean log-probabilities ``(rows,)`` of texts drawn."""
        rows, memory = len(source), self.begun(models, source, length)

        def step(at: Array, carry: Any) -> Any:
            ids, last, done, total, seen, memory = carry
            found, memory = self.advance(models, last, memory)
            token = drawn(found, sampling, seen, jax.vmap(jax.random.fold_in)(keys, jnp.full(rows, at)))
            gained = jnp.take_along_axis(found, token[:, None], axis=1)[:, 0]
            written = jnp.where(done, PAD, token)
            ids = lax.dynamic_update_slice_in_dim(ids, written[:, None], at, axis=1)
            seen = seen | (jnp.arange(seen.shape[1]) == token[:, None])
            return ids, token, done | (token == END), total + jnp.where(done, 0, gained), seen, memory

        vocabulary = jax.eval_shape(lambda: self.advance(models, jnp.full(rows, BEGIN, jnp.int32), memory))[
            0
        ].shape[1]
        carry = (
            jnp.full((rows, length), PAD, jnp.int32),
            jnp.full(rows, BEGIN, jnp.int32),
            jnp.zeros(rows, bool),
            jnp.zeros(rows),
            jnp.zeros((rows, vocabulary), bool),
            memory,
        )
        ids, _, _, total, *_ = lax.fori_loop(0, length, step, carry)
        return ids, total / jnp.maximum(jnp.sum(ids != PAD, axis=1), 1)

    @staticmethod
    def _pick(memory: Any, rows: Array) -> Any:
        return jax.vmap(lambda one: picked(one, rows))(memory)


@functools.lru_cache(maxsize=8)
def _programs_of(objective: Translation) -> Programs:
    return Programs(objective)


def translates(predictor: Predictor) -> bool:
    """Whether a run makes one text of another."""
    return isinstance(predictor.objective, Translation)


def translate(
    predictor: Predictor,
    texts: Any,
    *,
    beams: int | None = None,
    sampling: Sampling | None = None,
    length: int | None = None,
    member: int | None = None,
    seed: int = 0,
) -> list[Translated]:
    """What each text becomes: by a beam of ``beams`` (4), or drawn where ``sampling`` is given.

    ``texts`` are strings, or a table with the column of the training texts. ``member`` takes one network alone. At
    most ``length`` tokens are written, half as many again as the longest training text unless given.

    Raises ``DataError`` for a run of another kind and texts that hold nothing, ``ConfigError`` for settings out of
    range.
    """
    if not translates(predictor):
        raise DataError("this run makes no text of another: translation is for those of pairs of texts")
    encoder: Any = predictor.encoder
    said = encoder.texts(texts)
    if not said:
        raise DataError("there are no texts to translate")
    models = predictor.models
    if member is not None:
        if not 0 <= member < predictor.members:
            raise ConfigError(f"member={member}: there are {predictor.members}, counted from 0")
        models = jax.tree.map(lambda leaf: leaf[member : member + 1], models)
    beams = BEAMS if beams is None else beams
    length = encoder.target_length * 3 // 2 if length is None else length
    if beams < 1 or length < 1:
        raise ConfigError(f"beams={beams}, length={length}: give at least 1")
    ids, score = _decoded(predictor.objective, models, encoder.sources(said), beams, sampling, length, seed)
    return [
        Translated(source, encoder.tokenizer.decode(row[row != END]), float(rank))
        for source, row, rank in zip(said, ids, score)
    ]


def _decoded(
    objective: Translation,
    models: Any,
    sources: np.ndarray,
    beams: int,
    sampling: Sampling | None,
    length: int,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    programs, models = _programs_of(objective), jax.tree.map(jnp.asarray, models)
    traced = None if sampling is None else jax.tree.map(np.float32, sampling.checked())
    ids, score = [], []
    for first in range(0, len(sources), BLOCK):
        some = sources[first : first + BLOCK]
        rows = jnp.asarray(np.resize(some, (BLOCK, some.shape[1])))
        if traced is None:
            found, rank = programs.beams(models, rows, beams=beams, length=length)
        else:
            key = key_of(seed)
            keys = jax.vmap(lambda i, k=key: jax.random.fold_in(k, i))(first + jnp.arange(BLOCK))
            found, rank = programs.sample(models, rows, traced, keys, length=length)
        ids.append(np.asarray(found)[: len(some)])
        score.append(np.asarray(rank)[: len(some)])
    return np.concatenate(ids), np.concatenate(score)


def score(predictor: Predictor, rows: Any, *, beams: int = BEAMS) -> dict[str, float]:
    """BLEU of the translations of a table's texts against its target texts."""
    encoder: Any = predictor.encoder
    found = translate(predictor, rows, beams=beams)
    return {"bleu": metrics.bleu([one.text for one in found], encoder.references(rows))}


def out_of_fold(result: Result, task: Task) -> dict[str, Any]:
    """Translations of test pairs by networks that never saw them: ``bleu`` and a few ``pairs``, for the report.

    Of each fold at most 1,000 pairs, by all seeds of the chosen trial together.
    """
    predictor = result.best
    encoder: Any = task.encoder
    rows = [m for m in result.members if m["trial"] == result.chosen and m["status"] != "diverged"]
    splits: Any = getattr(task, "splits", ())
    sources, references, texts = [], [], []
    for fold, (_, _, test) in enumerate(splits):
        members = np.flatnonzero([m["fold"] == fold for m in rows])
        if not len(members):
            continue
        models = jax.tree.map(lambda leaf, m=members: leaf[m], predictor.models)
        test = test[:MOST_SCORED]
        tokens = task.data["source"][test]
        decode = encoder.tokenizer.decode
        length = task.data["target"].shape[1] * 3 // 2
        ids, _ = _decoded(predictor.objective, models, tokens, BEAMS, None, length)
        texts += [decode(row[row != END]) for row in ids]
        sources += [decode(row[row != END]) for row in tokens]
        references += [decode(row[row != END]) for row in task.data["target"][test]]
    if not texts:
        return {}
    shown = np.unique(np.linspace(0, len(texts) - 1, SHOWN).round().astype(int))
    found: dict[str, Any] = {
        "pairs": [{"source": sources[i], "reference": references[i], "translation": texts[i]} for i in shown],
        "scored": len(texts),
        "beams": BEAMS,
    }
    with contextlib.suppress(ConfigError):  # without sacrebleu there are the texts alone
        found["bleu"] = metrics.bleu(texts, references)
    return found


def translations_json(result: Result, task: Task) -> str:
    """``out_of_fold`` as the content of ``translations.json``."""
    return json.dumps(out_of_fold(result, task) if result.predictor else {}, ensure_ascii=False, indent=1)
