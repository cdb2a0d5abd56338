"""Labels of words: what a run's networks say together, how they are scored, and predictions word by word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from manyfit import metrics
from manyfit.data.special_tokens import UNKNOWN
from manyfit.data.tagged import unseen as unseen_words
from manyfit.errors import DataError

if TYPE_CHECKING:
    from manyfit.evaluate import Split
    from manyfit.experiment.predictor import Predictor
    from manyfit.tasks.task import Task


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence as a run's networks label it: entries word by word."""

    words: tuple[str, ...]
    labels: tuple[str, ...]
    output: np.ndarray
    """float64 ``(words, classes)``, probabilities."""
    spread: np.ndarray
    """float64 ``(words,)``: how far the networks differ over the label's probability."""
    name: str = ""
    """What its table calls it; elsewhere its number, from 0 on."""

    @property
    def probability(self) -> np.ndarray:
        """That of each label, ``(words,)``."""
        return self.output.max(axis=1)


def tag(predictor: Predictor, source: Any) -> list[TaggedSentence]:
    """Sentences with their labels, from a file or table like that of the training, or lists of words.

    Raises ``DataError`` for a run of another kind, and for what cannot be read.
    """
    if predictor.kind != "tagging":
        raise DataError("this run labels no words: tag is for those of manyfit.data.read_tagged")
    encoder: Any = predictor.encoder
    schema = encoder.schema
    sentences, names = schema.named(source)
    found = predictor.predicted(schema.encode_words(sentences))
    told, row = [], 0
    for words, name in zip(sentences, names, strict=True):
        pieces = -(-len(words) // schema.length)
        output = found.output[row : row + pieces].reshape(-1, found.output.shape[2])[: len(words)]
        spread = found.spread[row : row + pieces].reshape(-1, found.output.shape[2])[: len(words)]
        row += pieces
        called = output.argmax(axis=1)
        labels = tuple(predictor.classes[i] for i in called)
        sure = spread[np.arange(len(called)), called]
        told.append(TaggedSentence(tuple(words), labels, output, sure, name))
    return told


def score(predictor: Predictor, rows: Any) -> dict[str, float]:
    """The figures of labelled sentences; unseen words are those that no row of the training data holds, if any."""
    encoder: Any = predictor.encoder
    target, names = encoder.labels(rows)
    inputs = encoder.encode(rows)
    new = inputs["tokens"] == UNKNOWN
    unseen = new if new.any() else None
    return metrics.score_tags(target, predictor.predicted(inputs).output, names, unseen=unseen)


def score_rows(task: Task, split: Split, outputs: np.ndarray, metric: str) -> dict[str, float]:
    """The figures of one network on the test rows of its fold; unseen words, if any, are those that its training
    rows lack."""
    target, tokens = task.data["target"][split.test], task.data["inputs"]["tokens"]
    names = dict.fromkeys([*metrics.tag_defaults(task.classes), metric])
    names.pop(metrics.UNSEEN, None)
    new = unseen_words(tokens, split.train, split.test)
    unseen = new if (new & (target >= 0)).any() else None
    return metrics.score_tags(target, outputs, task.classes, unseen=unseen, metrics=names)


def by_word(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Predictions of sentences as those of their labelled words.

    ``target`` ``(n, T)``, ``output`` and ``std`` ``(n, T, classes)`` lose their second axis, and ``place`` int32 says
    which word of its row each is.
    """
    at, place = np.nonzero(found["target"] >= 0)
    words = {name: values[at] if values.ndim == 1 else values[at, place] for name, values in found.items()}
    return {**words, "place": place.astype(np.int32)}


def by_sentence(found: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """``target`` ``(n, T)`` and ``output`` ``(n, T, classes)`` from predictions of words: what ``by_word`` undid."""
    row, place = found["row"].astype(np.int64), found["place"]
    new = np.append(True, (row[1:] != row[:-1]) | (place[1:] <= place[:-1]))
    at = np.cumsum(new) - 1
    shape = (int(at[-1]) + 1, int(place.max()) + 1)
    target = np.full(shape, -1, found["target"].dtype)
    output = np.zeros((*shape, found["output"].shape[1]), found["output"].dtype)
    target[at, place], output[at, place] = found["target"], found["output"]
    return target, output
