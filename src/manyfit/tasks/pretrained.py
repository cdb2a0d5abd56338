"""Classifiers of few labelled images that begin with the encoder of an autoencoder's run."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from manyfit.data import Intensities
from manyfit.errors import ConfigError
from manyfit.experiment.codes import Codes, members_of
from manyfit.models.trained import TrainedEncoder
from manyfit.objectives.autoencoding import Masked
from manyfit.tasks.task import Task

_UNUSED = {"model": "auto", "hidden": None, "dropout": None, "augment": None, "views": "one"}


def encoder_of(run: str | Path) -> TrainedEncoder:
    """The encoder of the network of the lowest validation loss; ``RunError`` for the folder of another kind of run."""
    found = Codes.load(run)
    objective: Any = found.predictor.objective
    model = members_of(found.predictor, found.best)
    weights = jax.tree.map(np.asarray, model["weights"].params["net"]["encoder"])
    digest = hashlib.sha256(b"".join(leaf.tobytes() for leaf in jax.tree.leaves(weights))).hexdigest()
    return TrainedEncoder(
        coder=objective.coder,
        latent=objective.latent,
        heads=objective.heads,
        marked=isinstance(objective, Masked),
        source=f"{Path(run).name} sha256:{digest[:16]}",
        weights=weights,
    )


def pretrained(task: Task, asked: Mapping[str, Any]) -> tuple[Task, TrainedEncoder]:
    """The task as the autoencoder of ``asked["encoder"]`` reads it, and the network that begins with its encoder.

    Raises ``ConfigError`` for what is no image, images of another size, and options of another network.
    """
    run = asked["encoder"]
    for name, usual in _UNUSED.items():
        if asked.get(name) not in (None, usual):
            raise ConfigError(
                f"--{name} says nothing of a network that begins with --encoder {run}: leave it out"
            )
    pixels = task.data["inputs"].get("pixels")
    if pixels is None:
        raise ConfigError(
            f"--encoder {run} is for images; for a table write codes (manyfit transform {run} TABLE -o codes.csv) and "
            "train on these"
        )
    spec = Codes.load(run).predictor.data["inputs"]
    if "pixels" not in spec or spec["pixels"].shape[1:] != pixels.shape[1:]:
        read = f"images of {spec['pixels'].shape[1:]}" if "pixels" in spec else "a table"
        raise ConfigError(
            f"--encoder {run} was trained on {read}, and these are images of {pixels.shape[1:]} (--size)"
        )
    return dataclasses.replace(task, preprocess=Intensities()), encoder_of(run)
