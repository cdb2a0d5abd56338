"""Adversarial runs of ``manyfit fit --model gan``: ten seeds of one game on a hold-out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from manyfit.errors import ConfigError, DataError
from manyfit.experiment.experiment import Experiment
from manyfit.models.gan import DenseDiscriminator, DenseGenerator
from manyfit.objectives.adversarial.gan import GAN
from manyfit.objectives.adversarial.recipes import RECIPES, named
from manyfit.optim import named_schedule
from manyfit.tasks.defaults import Plan, given, number_or_range, planned
from manyfit.tasks.task import Task

SEEDS = 10
"""A game is played so often where nothing is said: one seed of a GAN says next to nothing."""

STEPS = 5000
"""Steps of the generator where nothing is said."""

RATE = 1e-3
"""Of the generator where nothing is said, but for the residual networks of r3gan.

The papers' 2e-4 and less are for many more steps: in a few thousand the discriminator of images has won before samples
vary as much as real ones (docs/results.md).
"""

_UNUSED = (
    "optimizer",
    "weight_decay",
    "clip",
    "dropout",
    "loss",
    "augment",
    "layer_decay",
    "sam",
    "swa",
    "accumulate",
)


def experiment_for(task: Task, asked: Mapping[str, Any]) -> Experiment:
    """The experiment for rows without a target and the options of ``manyfit fit``.

    One hold-out of a fifth of the rows scores every seed by its energy distance; of the others none is held out, and
    the last epoch is kept, unless ``validation`` or ``patience`` asks for the best one.

    Raises ``ConfigError`` for options that say nothing of a game, ``DataError`` for rows that cannot be imitated.
    """
    objective = game_for(task, asked)
    rows, steps = task.rows, objective.discriminator_steps
    batch = given(asked, "batch_size", min(64, max(1, rows // 2)) * steps)
    epochs = max(1, round(STEPS * batch / (0.8 * rows)))
    chosen = dict(asked)
    if asked.get("validation") is None and not asked.get("patience"):
        chosen |= {"validation": 0.0, "patience": 0}
    folds = given(chosen, "folds", 1)
    return planned(objective, task, chosen | {"folds": folds}, Plan(1, SEEDS, 1, epochs, 0, batch))


def game_for(task: Task, asked: Mapping[str, Any]) -> GAN:
    """The game of that name for a task."""
    name = str(asked["model"])
    for option in _UNUSED:
        if asked.get(option) not in (None, "adamw", "auto"):
            flag = option.replace("_", "-")
            raise ConfigError(
                f"--{flag} says nothing of {name!r}, whose two optimizers are Adam: leave it out"
            )
    for option in ("coder", "likelihood", "samples"):
        if asked.get(option) is not None:
            raise ConfigError(f"--{option} is for autoencoders, and {name!r} is a game: leave it out")
    inputs = task.data["inputs"]
    _check(task, inputs)
    images = "pixels" in inputs
    other: dict[str, Any] = {}
    if asked.get("hidden"):
        if images:
            raise ConfigError(f"--hidden is for tables, and {name!r} reads images here: leave it out")
        hidden = tuple(asked["hidden"])
        other |= {"generator": DenseGenerator(hidden), "discriminator": DenseDiscriminator(hidden)}
    if asked.get("latent") is not None:
        other["latent"] = asked["latent"]
    if asked.get("conditional"):
        other["classes"] = _classes(task)
    schedule = None if asked.get("schedule") is None else named_schedule(asked["schedule"])()
    rate = asked.get("learning_rate")
    if rate is not None and ":" in str(rate):
        raise ConfigError(
            f"--learning-rate {rate}: a game has two rates, which keep their ratio; give one number"
        )
    found = named(
        name,
        images=images,
        learning_rate=number_or_range("learning_rate", rate, None if images and name == "r3gan" else RATE),
        schedule=schedule,
        **other,
    )
    if asked.get("strength") is not None:
        if not found.penalties:
            raise ConfigError(f"{name!r} has no penalty: leave --strength out")
        weight = number_or_range("strength", asked["strength"], None)
        penalties: tuple[Any, ...] = found.penalties
        found = dataclasses.replace(
            found, penalties=tuple(dataclasses.replace(one, weight=weight) for one in penalties)
        )
    return found


def _classes(task: Task) -> int:
    """How many classes there are to be told."""
    labels = task.about.get("labels") or ()
    if not task.about.get("labelled") or len(labels) < 2:
        source = task.about.get("source", "the data")
        raise ConfigError(
            f"--conditional tells both networks each row's class, and {source} is read without classes: name the "
            "column of classes (--target), or 'folder' where each class has a folder of images"
        )
    return len(labels)


def _check(task: Task, inputs: Mapping[str, Any]) -> None:
    source = task.about.get("source", "the data")
    numbers = inputs.get("numeric")
    if "pixels" in inputs:
        return
    if numbers is None or numbers.shape[1] == 0:
        raise DataError(
            f"{source}: a generator here writes numbers, and there is no numeric column: use images or numbers "
            "(a column of few values is read as categories; --kinds NAME=number says that it is not)"
        )
    bad = ~np.isfinite(numbers).all(axis=1)
    if bad.any():
        raise DataError(
            f"{source}: row {int(np.argmax(bad)) + 1} has a missing number ({int(bad.sum())} rows do): fill them in, "
            "or leave such rows or columns out (--drop)"
        )
    categories = inputs.get("category")
    if categories is not None and categories.shape[1]:
        raise DataError(
            f"{source}: {categories.shape[1]} columns are categories, which a generator here does not write: leave "
            "them out (--drop NAME)"
        )


MODELS = tuple(RECIPES)
"""Names for ``manyfit fit --model``."""
