"""Rows without a target as tasks: images or a table, learned for themselves.

A table's ``--target``, and labels that images come with, are left out of the inputs; they stay beside them as
``data["target"]`` for what is asked of codes afterwards (a linear probe), and for objectives that are told the class.
The objective scores itself (``Task.kind == "own"``): what its ``evaluate`` measures on test rows is what is reported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.data import Intensities, Vectors, images, table
from manyfit.errors import ConfigError, DataError
from manyfit.experiment.experiment import Experiment
from manyfit.models.autoencoders import ConvCoder, DenseCoder
from manyfit.objectives import autoencoding as ae
from manyfit.tasks import adversarial
from manyfit.tasks.defaults import Plan, batch_size_for, given, number_or_range, optimizer_for, planned
from manyfit.tasks.images import ImageEncoder
from manyfit.tasks.tables import TableEncoder
from manyfit.tasks.task import Task, fingerprint

MODELS: dict[str, type[ae.Autoencoding]] = {
    "autoencoder": ae.Autoencoder,
    "denoising": ae.Denoising,
    "sparse": ae.Sparse,
    "contractive": ae.Contractive,
    "vae": ae.VAE,
    "beta-vae": ae.VAE,
    "iwae": ae.IWAE,
    "vq-vae": ae.VQVAE,
    "fsq": ae.FSQ,
    "masked": ae.Masked,
}
"""Autoencoders by the names of ``manyfit fit --model``."""

NAMES = (*MODELS, *adversarial.MODELS)
"""Models that need no target."""

STRENGTHS = {
    "denoising": "noise",
    "sparse": "weight",
    "contractive": "weight",
    "vae": "beta",
    "beta-vae": "beta",
    "vq-vae": "commitment",
    "masked": "share",
}
"""Model -> the number of its objective that ``--strength`` sets."""

BETA = 4.0
"""Of beta-vae where nothing is said (Higgins et al., 2017)."""

STEPS = 3000
"""Steps that an autoencoder of images is given where nothing is said, in 20 to 200 epochs."""

_SUPERVISED = {
    "conditional": False,
    "loss": None,
    "encoder": None,
    "augment": None,
    "views": "one",
    "embedding": "auto",
    "scaling": "auto",
    "balance": False,
    "probe": False,
    "dropout": None,
    "precision": "float32",
    "rematerialise": "none",
    "test": None,
    "task": "auto",
    "missing_target": "refuse",
}
"""Options of ``manyfit fit`` that say nothing of an autoencoder, and what they are when not given."""

OWN = ("latent", "coder", "likelihood", "samples", "strength")
"""Options of ``manyfit fit`` that say something of an autoencoder alone."""


def unsupervised_task(options: Any, *, as_images: bool) -> Task:
    """The task of the options of ``manyfit fit``: every column but ``--target``, or every pixel."""
    path = Path(options.data)
    if as_images:
        target = None if options.target in (None, "folder") else options.target
        return image_rows(path, target=target, size=options.size)
    found = table.read(
        path,
        options.target,
        group=options.group,
        time=options.time,
        drop=options.drop,
        kinds=dict(pair.rpartition("=")[::2] for pair in options.kinds),
        header=options.header,
    )
    return table_rows(found, labelled=options.target is not None)


def table_rows(found: table.Table, *, labelled: bool) -> Task:
    """The task of a table; ``labelled`` says whether its target is one."""
    inputs, schema = dict(found.inputs), found.schema
    empty = ~np.isfinite(inputs["numeric"]).any(axis=1) & (inputs["category"] < 0).all(axis=1)
    if empty.any():
        raise DataError(
            f"{found.source}: row {int(np.argmax(empty)) + 1} of {len(found)} has no value in any column; leave it out"
        )
    gaps = bool(np.isnan(inputs["numeric"]).any())
    return _task(
        inputs,
        found.target if labelled else None,
        schema.classes if labelled else (),
        preprocess=Vectors(tuple(schema.cardinalities), gaps),
        encoder=TableEncoder(schema),
        groups=found.groups,
        time=found.time,
        about={
            "source": found.source,
            "kind": "table",
            "fingerprint": found.fingerprint,
            "columns": found.summary(),
            "warnings": list(found.warnings),
        },
    )


def image_rows(path: Path, *, target: str | None = None, size: int | None = None) -> Task:
    """The task of a set of images; labels, where the source has any, stay beside them."""
    labels: np.ndarray | None
    classes: tuple[str, ...]
    try:
        found = images.read(path, target=target, size=size)
    except DataError:
        if target is not None:
            raise
        pixels, schema, warnings = images.read_unlabelled(path, size=size)
        labels, classes, summary = None, (), f"{len(pixels):,} images of {schema.height}x{schema.width}"
    else:
        pixels, schema, warnings = found.pixels, found.schema, found.warnings
        labels, classes, summary = found.target, found.classes, found.summary()
    about = {"source": str(path), "summary": summary, "warnings": list(warnings)}
    return array_rows({"pixels": pixels}, labels, classes, encoder=ImageEncoder(schema), about=about)


def array_rows(
    inputs: dict[str, np.ndarray],
    labels: np.ndarray | None = None,
    classes: tuple[str, ...] = (),
    *,
    encoder: ImageEncoder | None = None,
    about: Mapping[str, Any] | None = None,
) -> Task:
    """The task of ``{"pixels": (rows, H, W, C)}``."""
    known = {"source": "arrays", "kind": "images", "columns": [], "warnings": []}
    return _task(
        inputs,
        labels,
        classes,
        preprocess=Intensities(),
        encoder=encoder,
        about=known | {"fingerprint": fingerprint(inputs)} | dict(about or {}),
    )


def _task(
    inputs: dict[str, np.ndarray],
    labels: np.ndarray | None,
    classes: tuple[str, ...],
    *,
    about: Mapping[str, Any],
    **more: Any,
) -> Task:
    rows = len(next(iter(inputs.values())))
    if rows < 2:
        raise DataError(
            f"{about['source']} has {rows} row: something to learn from and something to test on is needed"
        )
    data: dict[str, Any] = {"inputs": inputs}
    if labels is not None:
        data["target"] = labels
    return Task(
        kind="own",
        data=data,
        rows=rows,
        target="",
        about=dict(about) | {"rows": rows, "labels": list(classes), "labelled": labels is not None},
        **more,
    )


def autoencoder_for(task: Task, asked: Mapping[str, Any]) -> ae.Autoencoding:
    """The objective for a task and the options of ``manyfit fit``; raises ``ConfigError`` where they do not fit."""
    name = str(asked["model"])
    for option, usual in _SUPERVISED.items():
        if asked.get(option) not in (None, usual):
            flag = option.replace("_", "-")
            raise ConfigError(
                f"--{flag} says nothing of {name!r}, which learns rows for themselves: leave it out"
            )
    kind = MODELS[name]
    pictures = "pixels" in task.data["inputs"]
    settings: dict[str, Any] = {
        "coder": _coder(task, asked, pictures),
        "latent": given(asked, "latent", _latent(task, pictures)),
        "optimizer": optimizer_for(asked, search=False),
    }
    likelihood = asked.get("likelihood")
    if likelihood is None and issubclass(kind, ae.Variational):
        likelihood = "bernoulli" if pictures else "gaussian"
    if likelihood == "bernoulli" and not pictures:
        raise ConfigError(
            "likelihood='bernoulli' is for values in [0, 1], and a table is standardised: use 'gaussian'"
        )
    if likelihood is not None:
        settings["likelihood"] = likelihood
    if asked.get("samples") is not None:
        if not issubclass(kind, ae.Variational):
            raise ConfigError(
                f"samples are drawn by 'vae', 'beta-vae' and 'iwae', not by {name!r}: leave it out"
            )
        settings["samples"] = asked["samples"]
    if name == "beta-vae":
        settings["beta"] = BETA
    if asked.get("strength") is not None:
        if name not in STRENGTHS:
            raise ConfigError(f"{name!r} has no strength to set: leave --strength out")
        below = 1.0 if name == "masked" else float("inf")
        settings[STRENGTHS[name]] = number_or_range("strength", asked["strength"], None, below=below)
    if name == "vq-vae" and settings["latent"] % ae.VQVAE.width:
        raise ConfigError(
            f"latent={settings['latent']}: vq-vae makes it of words of {ae.VQVAE.width} numbers: give a multiple"
        )
    objective = kind(**settings)
    metric = asked.get("metric")
    known = tuple(dataclasses.replace(objective, preprocess=task.preprocess).bind(task.data).metrics)
    if metric is not None and metric not in known:
        raise ConfigError(f"metric {metric!r}: {name!r} measures {', '.join(known)}")
    return objective


def experiment_for(task: Task, asked: Mapping[str, Any]) -> Experiment:
    """The experiment for a task without a target and the options of ``manyfit fit``."""
    if asked.get("model") in adversarial.MODELS:
        return adversarial.experiment_for(task, asked)
    pictures = "pixels" in task.data["inputs"]
    size = batch_size_for(task.rows)
    if pictures:
        epochs = min(200, max(20, round(STEPS * size / (0.64 * task.rows))))
        plan = Plan(None, 1, 3, epochs, 10, size)
    else:
        plan = Plan(None, 1, 5, 200, 20, size)
    objective = autoencoder_for(task, asked)
    if not objective.probabilistic and asked.get("metric") is None:
        asked = dict(asked) | {"metric": "mse"}
    return planned(objective, task, asked, plan)


def _latent(task: Task, pictures: bool) -> int:
    """Sixteen for images; for a table an eighth of its columns, from 2 to 16, a multiple of 4 above 4."""
    if pictures:
        return 16
    inputs = task.data["inputs"]
    columns = inputs["numeric"].shape[1] + inputs["category"].shape[1]
    return 4 if columns < 48 else min(16, columns // 32 * 4 + 4)


def _coder(task: Task, asked: Mapping[str, Any], pictures: bool) -> Any:
    kind, hidden = asked.get("coder") or "dense", asked.get("hidden")
    if kind == "conv":
        if not pictures:
            raise ConfigError("coder='conv' reads images, and this is a table: use 'dense'")
        if hidden and len(hidden) > 1:
            raise ConfigError(f"hidden={list(hidden)}: a conv coder has one hidden layer; give one")
        return ConvCoder(**({"hidden": hidden[0]} if hidden else {}))
    usual = (256, 128) if pictures else (64, 32) if task.rows <= 5000 else (128, 64)
    return DenseCoder(tuple(hidden or usual))
