"""The experiment that labelled texts get when nothing more is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from manyfit.errors import ConfigError, nearest
from manyfit.experiment.experiment import Experiment
from manyfit.models import BagOfWords, TextAndColumns
from manyfit.models.names import NAMES, TEXTS
from manyfit.models.text_and_columns import COLUMNS
from manyfit.objectives import Supervised
from manyfit.tasks.defaults import (
    Plan,
    batch_size_for,
    loss_for,
    number_or_range,
    optimizer_for,
    planned,
    seeds_for,
)
from manyfit.tasks.task import Task
from manyfit.tasks.texts import TextsEncoder

SHORT = 128
"""Tokens: up to here the default network is a convolution over words, which sentences gain by (``benchmarks/text.py``);
of longer texts it is a bag of words, which costs little of each word."""
ENOUGH_TEXTS = 1000
"""Texts from which on a tenth of the training rows decides when to stop; a fifth does where there are fewer."""
BAG_RATE = 1e-2
"""A mean of words moves each word's vector a little: it bears larger steps than the other networks."""


def text_experiment(task: Task, asked: Mapping[str, Any]) -> Experiment:
    """The experiment for labelled texts and the options of ``manyfit fit`` (None where open)."""
    for option, plain in (("embedding", "auto"), ("scaling", "auto"), ("augment", None), ("views", "one")):
        if (asked.get(option) or plain) != plain:
            raise ConfigError(f"{option}={asked[option]!r} is not for texts: leave it out")
    if asked.get("balance") and not task.classes:
        raise ConfigError("balance weighs classes, and a regression target has none: leave it out")
    precision: Any = asked.get("precision") or "float32"
    rematerialise: Any = asked.get("rematerialise") or "none"
    model, rate = text_model(asked, _ordered(task)), asked.get("learning_rate")
    if rate is None and isinstance(model, BagOfWords):
        rate = BAG_RATE
    if task.data["inputs"].keys() > {"tokens"}:
        model = TextAndColumns(model, dataclasses.replace(COLUMNS, embedding="piecewise"))
    objective = Supervised(
        model,
        loss=loss_for(asked, classes=bool(task.classes)),
        optimizer=optimizer_for({**asked, "learning_rate": rate}, search=False),
        balance=bool(asked.get("balance")),
        precision=precision,
        rematerialise=rematerialise,
        probe=bool(asked.get("probe")),
    )
    size, share = min(64, batch_size_for(task.rows)), 0.1 if task.rows >= ENOUGH_TEXTS else 0.2
    plan = Plan(1, seeds_for(task.rows), 5, 20, 3, size, share)
    return planned(objective, task, asked, plan)


def _ordered(task: Task) -> bool:
    """Whether the default network reads what stands beside what: of short texts, and of letters always."""
    kind = task.encoder.schema.tokenizer.kind if isinstance(task.encoder, TextsEncoder) else "word"
    return kind in ("character", "byte") or task.data["inputs"]["tokens"].shape[1] <= SHORT


def text_model(asked: Mapping[str, Any], ordered: bool) -> Any:
    """The network for texts, by default one that reads their order or one that does not.

    Raises ``ConfigError`` for one that reads something else, and for what it has not.
    """
    kind = asked.get("model") or "auto"
    if kind == "auto":
        kind = "textcnn" if ordered else "bow"
    if kind not in TEXTS:
        if kind not in NAMES:
            raise ConfigError(f"unknown model {kind!r}: {nearest(kind, TEXTS)}")
        raise ConfigError(f"model {kind!r} reads no texts; for texts use {', '.join(map(repr, TEXTS))}")
    model = TEXTS[kind]
    if asked.get("hidden"):
        if len(asked["hidden"]) != 1 or not hasattr(model, "hidden"):
            raise ConfigError(f"hidden={list(asked['hidden'])}: give one width, to rnn, gru or lstm")
        model = dataclasses.replace(model, hidden=asked["hidden"][0])
    rate = number_or_range("dropout", asked.get("dropout"), model.dropout, below=1)
    return dataclasses.replace(model, dropout=rate)
