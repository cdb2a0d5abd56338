"""Labelled words as a task, and the experiment that they get when nothing more is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit.data.special_tokens import SPECIAL
from manyfit.data.tag_preprocess import TagPreprocess
from manyfit.data.tag_schema import TagSchema
from manyfit.data.tagged import Tagged
from manyfit.data.text_preprocess import TextPreprocess
from manyfit.errors import ConfigError, nearest
from manyfit.experiment.experiment import Experiment
from manyfit.metrics import marks_spans, tag_defaults, tag_metric
from manyfit.models.names import NAMES, TAGGERS
from manyfit.objectives import Tagging
from manyfit.optim import Cosine
from manyfit.tasks.defaults import Plan, loss_for, number_or_range, optimizer_for, planned
from manyfit.tasks.task import Task
from manyfit.tasks.texts import check_vocabulary

DEFAULT, OF_SPANS = "lstm", "lstm-crf"
"""Neighbouring labels of spans depend on each other, and are better judged together (Ma and Hovy, 2016)."""
MOST_WORDS = 50_000
"""Words that a network knows at most: each has a vector of its own to train."""
STEPS = 2000
"""About how many updates a network is given where nothing is said."""
RATE = 6e-3


@dataclass(frozen=True)
class TagEncoder:
    """Sentences, as the training sentences were read."""

    schema: TagSchema

    def encode(self, rows: Any) -> dict[str, np.ndarray]:
        """``tokens`` and ``characters``; see ``TagSchema.encode``."""
        return self.schema.encode(rows)

    def encode_target(self, rows: Any) -> np.ndarray:
        """int32 ``(rows, length)``; labels that are no class have greater numbers."""
        return self.labels(rows)[0]

    def labels(self, rows: Any) -> tuple[np.ndarray, tuple[str, ...]]:
        """``encode_target`` and the names of its numbers."""
        _, labels = self.schema.read(rows, labels=True)
        assert labels is not None
        return self.schema.encode_labels(labels)

    def notes(self, rows: Any) -> list[str]:
        """What is to be said of labelled sentences before they are scored."""
        target, names = self.labels(rows)
        new = names[len(self.schema.classes) :]
        if not new:
            return []
        count = int((target >= len(self.schema.classes)).sum())
        some = ", ".join(map(repr, new[:5])) + (" …" if len(new) > 5 else "")
        return [f"{count} words have a label that training did not have ({some}): they count as wrong"]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able account."""
        return {"encoder": "tags", "schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TagEncoder:
        """The encoder that ``to_json`` described."""
        return cls(TagSchema.from_json(content["schema"]))


def tag_task(
    found: Tagged, *, vocabulary: int | None = None, min_count: int | None = None, metric: str | None = None
) -> Task:
    """The task of labelled words: which of them a network knows is learned from each fold's training sentences.

    Known are the ``vocabulary`` most frequent (50,000 ids unless given) that occur ``min_count`` times (twice unless
    given); of characters all that occur there.
    """
    schema = found.schema
    if metric is not None:
        tag_metric(metric, schema.classes)
    check_vocabulary(vocabulary, min_count)
    words, characters = schema.sizes
    most = MOST_WORDS if vocabulary is None else vocabulary
    known = TextPreprocess.of(found.tokens, words, most, 2 if min_count is None else min_count)
    return Task(
        kind="tagging",
        data={
            "inputs": {"tokens": found.tokens, "characters": found.characters},
            "target": found.target,
        },
        rows=len(found),
        metric=metric or tag_defaults(schema.classes)[0],
        target=schema.target,
        classes=schema.classes,
        preprocess=TagPreprocess(known, TextPreprocess(characters, characters, 1)),
        cardinalities=(known.size, characters),
        groups=found.groups,
        encoder=TagEncoder(schema),
        about={
            "source": found.source,
            "kind": "tags",
            "rows": len(found),
            "fingerprint": found.fingerprint,
            "summary": f"{found.summary()}; a network knows at most {known.size - len(SPECIAL):,} of its training "
            "sentences' words, and the letters of all",
            "columns": [],
            "warnings": list(found.warnings),
        },
    )


def tagging_experiment(task: Task, asked: Mapping[str, Any]) -> Experiment:
    """The experiment for labelled words and the options of ``manyfit fit`` (None where open)."""
    for option, plain in (
        ("embedding", "auto"), ("scaling", "auto"), ("augment", None), ("views", "one"), ("balance", False),
    ):  # fmt: skip
        if (asked.get(option) or plain) != plain:
            raise ConfigError(f"{option}={asked[option]!r} is not for labelled words: leave it out")
    precision: Any = asked.get("precision") or "float32"
    rematerialise: Any = asked.get("rematerialise") or "none"
    rate = {
        "learning_rate": asked.get("learning_rate") or RATE,
        "schedule": asked.get("schedule") or "cosine",
    }
    optimizer: Any = optimizer_for({**asked, **rate}, search=False)
    if isinstance(getattr(optimizer, "schedule", None), Cosine):
        optimizer = dataclasses.replace(optimizer, schedule=Cosine(warmup=0.05))
    model = tagging_model(asked, spans=marks_spans(task.classes))
    if model.crf and asked.get("loss") is not None:
        raise ConfigError(f"loss={asked['loss']!r}: a conditional random field has its own; leave it out")
    objective = Tagging(
        model,
        loss=loss_for(asked, classes=True),
        optimizer=optimizer,
        precision=precision,
        rematerialise=rematerialise,
        probe=bool(asked.get("probe")),
    )
    size = asked.get("batch_size") or (8 if task.rows < 300 else 16 if task.rows < 1000 else 32)
    epochs = max(5, min(100, STEPS * size // max(1, task.rows)))
    return planned(objective, task, asked, Plan(1, 1, 5, epochs, max(3, epochs // 3), size))


def tagging_model(asked: Mapping[str, Any], *, spans: bool) -> Any:
    """The network for labelled words; raises ``ConfigError`` for one that reads something else, and for what it has
    not."""
    kind = asked.get("model") or "auto"
    if kind == "auto":  # an own loss is one word by word
        kind = OF_SPANS if spans and asked.get("loss") is None else DEFAULT
    if kind not in TAGGERS:
        if kind not in NAMES:
            raise ConfigError(f"unknown model {kind!r}: {nearest(kind, TAGGERS)}")
        raise ConfigError(f"model {kind!r} labels no words; use {', '.join(map(repr, TAGGERS))}")
    model = TAGGERS[kind]
    hidden = asked.get("hidden")
    if hidden and (len(set(hidden)) > 1):
        raise ConfigError(f"hidden={list(hidden)}: give one width, as often as there are to be layers")
    given: dict[str, Any] = {"hidden": hidden[0], "layers": max(len(hidden), 1)} if hidden else {}
    for option in ("width", "heads"):
        if asked.get(option) is not None:
            given[option] = asked[option]
    if asked.get("depth") is not None:
        given["layers"] = asked["depth"]
    if "heads" in given and kind != "transformer":
        raise ConfigError(f"heads={given['heads']} is for transformers, and this is {kind!r}: leave it out")
    rate = number_or_range("dropout", asked.get("dropout"), model.dropout, below=1)
    return dataclasses.replace(model, dropout=rate, **given)
