"""Labelled series as tasks, and the experiment that they get when nothing more is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from manyfit.data.series_preprocess import SeriesPreprocess
from manyfit.data.series_sets import SeriesSchema, SeriesSet
from manyfit.errors import ConfigError, nearest
from manyfit.experiment.experiment import Experiment
from manyfit.models.names import NAMES, SERIES
from manyfit.objectives import Supervised
from manyfit.space import collect
from manyfit.tasks.defaults import Plan, loss_for, number_or_range, optimizer_for, planned
from manyfit.tasks.task import Kind, Task

DEFAULT = "resnet1d"
STEPS = 600
"""About how many updates a network is given where nothing is said."""
MANY = 1000
"""Series from which on some can be spared to say when to stop."""


@dataclass(frozen=True)
class SeriesSetEncoder:
    """Series, as the training series were read."""

    schema: SeriesSchema

    def encode(self, rows: Any) -> dict[str, np.ndarray]:
        """``steps`` and ``lengths``; see ``SeriesSchema.encode``."""
        return self.schema.encode(rows)

    def encode_target(self, rows: Any) -> np.ndarray:
        """The labels of labelled series."""
        return self.schema.encode_target(rows)

    def names(self, rows: Any) -> tuple[str, tuple[str, ...]]:
        """What the rows of a prediction are called, and each one's name; none for the archives' files."""
        return self.schema.series or "series", self.schema.read(rows)[2]

    def notes(self, rows: Any) -> list[str]:
        """A word where every series is longer than any of the training: it may be another measurement."""
        lengths = self.schema.read(rows)[1]
        if not len(lengths) or int(lengths.min()) <= self.schema.length:
            return []
        return [
            f"its series have {int(lengths.min())} steps and more, those of the training at most {self.schema.length}: "
            "the model has seen none so long"
        ]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able account."""
        return {"encoder": "labelled series", "schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> SeriesSetEncoder:
        """The encoder that ``to_json`` described."""
        return cls(SeriesSchema.from_json(content["schema"]))


def series_task(found: SeriesSet, *, scaling: str = "auto", metric: str | None = None) -> Task:
    """The task of labelled series: channels scaled by each fold's training series."""
    if scaling not in ("auto", "standard", "none"):
        raise ConfigError(f"scaling={scaling!r} is for tables; series are scaled 'standard' or 'none'")
    data: dict[str, Any] = {
        "inputs": {"steps": found.steps, "lengths": found.lengths},
        "target": found.target,
    }
    if found.weight is not None:
        data["weight"] = found.weight
    columns = [
        {"name": name, "kind": "number", "missing": 0, "note": "a channel"} for name in found.schema.channels
    ]
    return Task(
        kind=cast(Kind, found.schema.labels.task),
        data=data,
        rows=len(found),
        metric=metric,
        target=found.schema.labels.target,
        classes=found.classes,
        preprocess=SeriesPreprocess("none" if scaling == "none" else "standard"),
        groups=found.groups,
        encoder=SeriesSetEncoder(found.schema),
        about={
            "source": found.source,
            "kind": "labelled series",
            "rows": len(found),
            "fingerprint": found.fingerprint,
            "summary": found.summary(),
            "columns": columns if len(columns) > 1 else [],
            "warnings": list(found.warnings),
        },
    )


def series_experiment(task: Task, asked: Mapping[str, Any]) -> Experiment:
    """The experiment for labelled series and the options of ``manyfit fit`` (None where open).

    Of fewer than 1,000 series none are kept back to say when to stop, unless something is searched or asked: all
    train to the last epoch under a falling learning rate, as is usual with the archives' small sets.
    """
    for option, plain in (("embedding", "auto"), ("augment", None), ("views", "one")):
        if (asked.get(option) or plain) != plain:
            raise ConfigError(f"{option}={asked[option]!r} is not for series: leave it out")
    if asked.get("balance") and not task.classes:
        raise ConfigError("balance weighs classes, and a regression target has none: leave it out")
    precision: Any = asked.get("precision") or "float32"
    rematerialise: Any = asked.get("rematerialise") or "none"
    schedule = asked.get("schedule") or "cosine"
    objective = Supervised(
        series_model(asked),
        loss=loss_for(asked, classes=bool(task.classes)),
        optimizer=optimizer_for({**asked, "schedule": schedule}, search=False),
        balance=bool(asked.get("balance")),
        precision=precision,
        rematerialise=rematerialise,
        probe=bool(asked.get("probe")),
    )
    batch = 16 if task.rows < MANY else 64
    epochs = max(10, min(120, STEPS * batch // max(1, task.rows)))
    judged = (
        bool(collect(objective)) or (asked.get("trials") or 1) > 1 or asked.get("prune") not in (None, "none")
    )
    spared = task.rows >= MANY or judged or asked.get("patience") or asked.get("evolve") is not None
    filled = {**asked}
    if asked.get("validation") is None:
        filled["validation"] = 0.2 if spared else 0.0
    experiment = planned(objective, task, filled, Plan(None, 1, 5, epochs, 20, batch))
    if not filled["validation"]:
        experiment = dataclasses.replace(experiment, patience=None)
    return dataclasses.replace(experiment, options=asked)


def series_model(asked: Mapping[str, Any]) -> Any:
    """The network for series; raises ``ConfigError`` for one that reads something else, and for what it has not."""
    kind = asked.get("model") or "auto"
    kind = DEFAULT if kind == "auto" else kind
    if kind not in SERIES:
        if kind not in NAMES:
            raise ConfigError(f"unknown model {kind!r}: {nearest(kind, SERIES)}")
        raise ConfigError(f"model {kind!r} reads no labelled series; use {', '.join(map(repr, SERIES))}")
    model = SERIES[kind]
    if asked.get("hidden"):
        if len(asked["hidden"]) != 1 or not hasattr(model, "hidden"):
            raise ConfigError(f"hidden={list(asked['hidden'])}: give one width, to rnn, gru or lstm")
        model = dataclasses.replace(model, hidden=asked["hidden"][0])
    if asked.get("dropout") is None:
        return model
    return dataclasses.replace(model, dropout=number_or_range("dropout", asked["dropout"], None, below=1))
