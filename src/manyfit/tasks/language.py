"""A language model: the experiment for a running text, and the network and the optimizer that it begins with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyfit.errors import ConfigError
from manyfit.models.names import LANGUAGE
from manyfit.objectives import NextToken
from manyfit.optim import AdamW, Cosine, Rule
from manyfit.tasks.corpus import Corpus, corpus, read_text, stored_corpus
from manyfit.tasks.task import Task

CONTEXT, BATCH, STEPS, LOOK = 64, 12, 2000, 250
"""Tokens of a window, windows of a step, steps in all and between two looks at the validation text."""
STREAMED = 256 * 2**20
"""Bytes of a file from which on its tokens stay on disk; below it they take a fraction of any memory."""


def corpus_of(path: Path, options: Any) -> Corpus:
    """The corpus of a file, by the options of ``manyfit fit``."""
    _refuse_plans(options)
    settings = {
        "tokenizer": options.tokenizer or "char",
        "size": options.vocabulary,
        "context": CONTEXT if options.context is None else options.context,
        "folds": 1 if options.folds is None else options.folds,
        "validation": options.validation,
    }
    if options.stream or path.stat().st_size > STREAMED:
        return stored_corpus(path, **settings)
    return corpus(read_text(path), source=str(path), **settings)


def language_experiment(task: Task, asked: Mapping[str, Any]) -> Any:
    """The experiment for a corpus and the options of ``manyfit fit`` (None where open).

    ``steps`` updates in all, with a look at the validation text every ``LOOK`` steps or once a pass; or
    ``epochs`` whole passes over the training text.
    """
    from manyfit.tasks.defaults import Plan, planned

    assert isinstance(task, Corpus)
    size = BATCH if asked.get("batch_size") is None else asked["batch_size"]
    precision: Any = asked.get("precision") or "float32"
    rematerialise: Any = asked.get("rematerialise") or "none"
    objective = NextToken(
        language_model(asked),
        vocabulary=task.vocabulary,
        context=task.context,
        optimizer=language_optimizer(asked),
        precision=precision,
        rematerialise=rematerialise,
    )
    if asked.get("epochs") is not None and asked.get("steps") is not None:
        raise ConfigError("epochs and steps both say how long to train: give one of them")
    experiment = planned(
        objective, task, {**asked, "folds": None, "validation": None}, Plan(1, 1, 1, 1, 0, size)
    )
    experiment = dataclasses.replace(experiment, folds=list(task.splits), options=asked)
    if asked.get("epochs") is not None:
        return experiment
    steps = STEPS if asked.get("steps") is None else asked["steps"]
    if steps < 1:
        raise ConfigError(f"steps={steps}: give at least 1")
    whole = max(1, task.training_rows // min(size, task.training_rows))
    looks = -(-steps // min(LOOK, whole))
    return dataclasses.replace(experiment, epochs=looks, steps_per_epoch=-(-steps // looks))


def language_model(asked: Mapping[str, Any]) -> Any:
    """The network for the options of ``manyfit fit``; raises ``ConfigError`` where they do not fit."""
    from manyfit.tasks.defaults import number_or_range

    kind = asked.get("model") or "auto"
    model = LANGUAGE.get("decoder" if kind == "auto" else kind)
    if model is None:
        raise ConfigError(f"model {kind!r} does not read running text; use {', '.join(LANGUAGE)}")
    given = {name: asked[name] for name in ("width", "depth", "heads") if asked.get(name) is not None}
    if "heads" in given and not hasattr(model, "heads"):
        raise ConfigError(f"heads={given['heads']} is for transformers, and this is {kind!r}: leave it out")
    if asked.get("hidden"):
        raise ConfigError("hidden is for networks of tables: a language model has --width and --depth")
    for option in ("embedding", "scaling"):
        if (asked.get(option) or "auto") != "auto":
            raise ConfigError(f"{option}={asked[option]!r} is for tables: leave it out")
    dropout = number_or_range("dropout", asked.get("dropout"), 0.0, below=1)
    return dataclasses.replace(model, dropout=dropout, **given)


def language_optimizer(asked: Mapping[str, Any]) -> Any:
    """The optimizer for the options of ``manyfit fit``: AdamW with a warm-up and half a cosine unless said."""
    from manyfit.tasks.defaults import optimizer_for

    open_ = {"schedule": "cosine", "weight_decay": 0.1}
    given = {**asked, **{name: value for name, value in open_.items() if asked.get(name) is None}}
    optimizer = optimizer_for(given, search=False)
    if not isinstance(optimizer, Rule) or not isinstance(optimizer.schedule, Cosine):
        return optimizer
    changed: dict[str, Any] = {"schedule": Cosine(warmup=0.05, final=0.1)}
    if isinstance(optimizer, AdamW):
        changed["b2"] = 0.99
    return dataclasses.replace(optimizer, **changed)


def _refuse_plans(options: Any) -> None:
    """Refuse what is for rows that can be shuffled, and what has no meaning for text."""
    plain = {
        "plan": "folds",
        "repeats": None,
        "gap": 0.0,
        "window": None,
        "embargo": None,
        "balance": False,
        "augment": None,
        "views": "one",
        "loss": None,
        "metric": None,
        "probe": False,
    }
    for name, value in plain.items():
        if getattr(options, name) != value:
            raise ConfigError(f"--{name.replace('_', '-')} does not go with a running text; leave it out")
