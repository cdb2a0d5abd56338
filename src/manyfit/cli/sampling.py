"""``manyfit sample``: what a generative model's networks write, as a picture or a table."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro

from manyfit.cli import show
from manyfit.cli.arguments import arg, place
from manyfit.cli.options import Evaluate
from manyfit.cli.output import write_bytes, write_table
from manyfit.engine.folder import RunFolder
from manyfit.engine.keys import key_of
from manyfit.errors import ConfigError, nearest
from manyfit.experiment.predictor import Predictor
from manyfit.report.png import colours, png


@dataclass
class Sample:
    """Draw new rows from a generative model.

    Images are laid out as a grid in a PNG, or stacked in an .npz; rows of a
    table are written as CSV. Each network writes its share, in turn.

    Examples:
      manyfit sample runs/digits -n 64 -o grid.png
      manyfit sample runs/customers -n 1000 -o synthetic.csv
    """

    run: Annotated[Path, tyro.conf.Positional, place("RUN")]
    """A run folder."""
    count: Annotated[int, arg("N", "64", "-n")] = 64
    """How many."""
    out: Annotated[Path | None, arg("FILE", "CSV on standard output", "-o")] = None
    """A file: .png or .npz for images, .csv, .tsv or .parquet for rows."""
    network: Annotated[int | None, arg("K", "all of them")] = None
    """Of the networks of the run this one alone, from 0."""
    label: Annotated[str | None, arg("CLASS", "all in turn")] = None
    """The class, where the model was told classes: its name, or its place from 0."""
    seed: Annotated[int, arg("N", "0")] = 0
    """What the noise derives from."""


PICTURES, TABLES = (".png", ".npz"), (".csv", ".tsv", ".parquet")


def sample(options: Sample) -> int:
    """``manyfit sample``."""
    if options.count < 1:
        raise ConfigError(f"-n {options.count}: give at least 1")
    ending = "" if options.out is None else options.out.suffix.lower()
    if ending not in ("", *PICTURES, *TABLES):
        raise ConfigError(f"{options.out}: samples are written as {', '.join((*PICTURES, *TABLES))}")
    predictor = Predictor.load(options.run)
    label = None
    if options.label is not None and hasattr(predictor.objective, "sample"):
        label = _class(predictor.objective, options.label, _labels(options.run))
    rows = drawn(predictor, options.count, seed=options.seed, network=options.network, label=label)
    images = rows.ndim == 4
    if images != (ending in PICTURES):
        use = ", ".join(PICTURES if images else TABLES)
        what = "images" if images else "rows of numbers"
        raise ConfigError(f"{options.run} writes {what}: name a file that ends in {use} (-o)")
    if not images:
        write_table(_columns(predictor, rows), options.out)
    elif ending == ".png":
        assert options.out is not None
        write_bytes(options.out, png(grid(rows)))
    else:
        held = io.BytesIO()
        np.savez_compressed(held, images=_bytes(rows))
        assert options.out is not None
        write_bytes(options.out, held.getvalue())
    if options.out is not None:
        print(f"{len(rows)} samples: {options.out}", file=sys.stderr)
    return 0


def judged(options: Evaluate, predictor: Predictor) -> int:
    """``manyfit evaluate`` of a run that generates."""
    from manyfit.experiment.generative import judge

    inputs = {} if predictor.encoder is None else predictor.encoder.encode(options.data)
    if "pixels" not in inputs:
        raise ConfigError(
            f"{options.run} generates, and no images: scores are for images alone; its own measures of held-out rows "
            "are in the run's report"
        )
    if options.features is None:
        raise ConfigError(
            f"{options.run} generates: it is scored by no labels, but against real images in the features of a "
            "classifier (--features RUN); its own measures are in the run's report"
        )
    found = judge(predictor, Predictor.load(options.features), inputs["pixels"], options.count)
    if options.json:
        from manyfit.engine.folder import plain

        print(json.dumps(plain(found.to_json()), indent=1))
    else:
        show.judged(found, f"{options.data}, {found.rows} images beside as many samples of each network")
    return 0


def drawn(
    predictor: Predictor, count: int, *, seed: int = 0, network: int | None = None, label: int | None = None
) -> np.ndarray:
    """``(count, ...)`` in the units of the data, the networks taking turns; ``network`` names one of them, ``label``
    the place of a class.

    Raises ``ConfigError`` for a model that does not generate, and for a network that is not there.
    """
    objective = predictor.objective
    if not hasattr(objective, "sample"):
        raise ConfigError(
            f"{type(objective).__name__} does not generate: sample is for runs of --model gan, vae and the like"
        )
    if network is not None and not 0 <= network < predictor.members:
        raise ConfigError(f"--network {network}: there are {predictor.members}, 0 to {predictor.members - 1}")
    members = range(predictor.members) if network is None else [network]
    each = -(-count // len(members))
    given: tuple[Any, ...] = () if label is None else (np.full(each, label, np.int32),)

    @jax.jit
    def one(model: Any, key: jax.Array) -> jax.Array:
        found: jax.Array = objective.sample(model, key, each, *given)
        return found

    keys = jax.random.split(key_of(seed), predictor.members)
    parts = [
        np.asarray(one(jax.tree.map(lambda leaf, m=m: leaf[m], predictor.models), keys[m])) for m in members
    ]
    return np.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:])[:count]


def _labels(run: Path) -> list[str]:
    """The names of the classes that a run was told; none where its folder does not say."""
    folder = RunFolder(run)
    return list(folder.read_experiment()["data"].get("labels") or ()) if folder.exists() else []


def _class(objective: Any, label: str, names: list[str]) -> int:
    """The place of a class, by its name or by its place."""
    classes = getattr(objective, "classes", None)
    if not classes:
        raise ConfigError(f"--label {label}: the model was told no classes; leave it out")
    if label in names:
        return names.index(label)
    if not label.isdigit() or int(label) >= classes:
        hint = nearest(label, names) if names else f"give one by its place, 0 to {classes - 1}"
        raise ConfigError(f"--label {label}: there is no such class; {hint}")
    return int(label)


def grid(images: np.ndarray, gap: int = 1) -> np.ndarray:
    """``(rows, H, W, 1 or 3)`` as one picture ``(H', W', 3)`` uint8, nearly square, on white."""
    pictures = [colours(one) for one in _bytes(images)]
    across = int(np.ceil(np.sqrt(len(pictures))))
    height, width, _ = pictures[0].shape
    down = -(-len(pictures) // across)
    sheet = np.full((down * (height + gap) + gap, across * (width + gap) + gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = (i // across) * (height + gap) + gap, (i % across) * (width + gap) + gap
        sheet[top : top + height, left : left + width] = picture
    return sheet


def _bytes(images: np.ndarray) -> np.ndarray:
    return np.clip(np.round(np.nan_to_num(images)), 0, 255).astype(np.uint8)


def _columns(predictor: Predictor, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Rows as columns by the names and in the units of the training table, or x0, x1, ... where it had none."""
    schema = getattr(predictor.encoder, "schema", None)
    found = [(name, column) for column in getattr(schema, "columns", ()) for name in column.features]
    if len(found) != rows.shape[1]:
        return {f"x{i}": column for i, column in enumerate(rows.T)}
    shift = [column.offset if name == column.name else 0.0 for name, column in found]
    return {name: rows[:, i].astype(np.float64) + shift[i] for i, (name, _) in enumerate(found)}
