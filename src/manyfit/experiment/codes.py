"""What is kept of a run of autoencoders beside its models: scores of held-out rows, pictures; and what they are for.

``codes.safetensors`` of a run folder: ``member_fold`` int32 ``(members,)``, the fold of each network of the model;
``best`` int32 ``(1,)``, that of the lowest validation loss; ``calibration_fold`` int32 and ``calibration_score``
float32 ``(n,)``, held-out rows scored by the networks of their fold; ``pictures/NAME`` uint8
``(lines, columns, H, W, C)``, grids of images.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from manyfit.engine import RunFolder
from manyfit.errors import DataError, RunError
from manyfit.experiment.predictor import Predictor
from manyfit.experiment.preparation import Prepared
from manyfit.experiment.result import Result

NAME = "codes.safetensors"
MOST_CALIBRATED = 2000
"""Held-out rows of a fold that scores are calibrated by."""
MOST_PICTURED = 256
BLOCK = 256


def write_codes(folder: RunFolder, prepared: Prepared, result: Result) -> None:
    """``codes.safetensors`` of a run of autoencoders; nothing for other runs, and where nothing was chosen."""
    found = codes_of(prepared, result)
    if found is not None:
        folder.write(NAME, save({name: np.asarray(a, order="C") for name, a in found.items()}))


def codes_of(prepared: Prepared, result: Result) -> dict[str, np.ndarray] | None:
    """What ``codes.safetensors`` holds."""
    predictor = result.predictor
    if predictor is None or not hasattr(predictor.objective, "reconstruct"):
        return None
    rows = [row for row in result.members if row["trial"] == result.chosen and row["status"] != "diverged"]
    folds = np.array([row["fold"] for row in rows], np.int32)
    best = int(np.argmin([row["validation"]["loss"] for row in rows]))
    inputs = prepared.task.data["inputs"]
    scored: list[tuple[int, np.ndarray]] = []
    for fold, split in enumerate(prepared.splits):
        mine = np.flatnonzero(folds == fold)
        if len(mine) and len(split.test):
            test = jax.tree.map(lambda leaf, s=split: leaf[s.test[:MOST_CALIBRATED]], inputs)
            scored.append((fold, run_members(predictor, "score", test, mine).mean(axis=0)))
    none = np.zeros(0, np.float32)
    found = {
        "member_fold": folds,
        "best": np.array([best], np.int32),
        "calibration_fold": np.concatenate([none, *(np.full(len(s), f) for f, s in scored)]).astype(np.int32),
        "calibration_score": np.concatenate([none, *(s for _, s in scored)]).astype(np.float32),
    }
    if "pixels" in inputs:
        test = prepared.splits[folds[best]].test
        shown = test if len(test) > 1 else np.arange(prepared.task.rows)
        model = jax.tree.map(lambda leaf: leaf[best], predictor.models)
        grids = _pictures(predictor, model, inputs["pixels"][shown[:MOST_PICTURED]])
        for name, grid in grids.items():
            found[f"pictures/{name}"] = np.round(255 * np.clip(np.asarray(grid), 0, 1)).astype(np.uint8)
    return found


def run_members(predictor: Predictor, method: str, inputs: Any, members: np.ndarray) -> np.ndarray:
    """What a method of the objective gives for rows, by some of the members: ``(members, rows, ...)``."""
    one: Callable[..., Any] = getattr(predictor.objective, method)
    many = jax.jit(jax.vmap(lambda model, x: one(model, {"inputs": x}), (0, None)))
    models = jax.tree.map(lambda leaf: leaf[members], predictor.models)
    count = len(jax.tree.leaves(inputs)[0])
    if not count:
        raise DataError("there are no rows")
    parts = []
    for start in range(0, count, BLOCK):
        place = np.minimum(np.arange(start, start + BLOCK), count - 1)  # what is short repeats the last row
        part = many(models, jax.tree.map(lambda leaf, p=place: leaf[p], inputs))
        parts.append(np.asarray(part)[:, : count - start])
    return np.concatenate(parts, axis=1)


def _pictures(predictor: Predictor, model: Any, pixels: np.ndarray) -> dict[str, Any]:
    data = {"inputs": {"pixels": pixels}}
    return dict(jax.jit(predictor.objective.pictures)(model, data, jax.random.key(0)))


class Codes:
    """An autoencoder's run in use: codes of new rows, and how strange they are.

    Raises ``RunError`` for the folder of another kind of run.
    """

    def __init__(self, path: str | Path) -> None:
        self.predictor = Predictor.load(path)
        place = Path(path) / NAME
        if not hasattr(self.predictor.objective, "reconstruct"):
            raise RunError(f"{path} is no run of an autoencoder: begin one with manyfit fit DATA --model vae")
        try:
            self.known = dict(load(place.read_bytes()))
            self.best = int(self.known["best"][0])
            self.folds = self.known["member_fold"]
            self.calibration = (self.known["calibration_fold"], self.known["calibration_score"])
        except (OSError, SafetensorError, KeyError, IndexError) as error:
            raise RunError(f"{place} cannot be read ({error}); resume or repeat the run") from error
        if len(self.folds) != self.predictor.members or not 0 <= self.best < self.predictor.members:
            raise RunError(f"{place} does not fit the model beside it; resume or repeat the run")

    def transform(self, rows: Any) -> np.ndarray:
        """Codes ``(rows, latent)`` by the network of the lowest validation loss: each has a code of its own."""
        return run_members(self.predictor, "predict", self._inputs(rows), np.array([self.best]))[0]

    def anomalies(self, rows: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Scores ``(rows,)``, the greater the stranger, of all networks together, and their p-values.

        A p-value is the share of held-out training rows that are at least as strange, each compared with the row
        by the networks that had not seen it (cross-conformal: Vovk, 2015). Of ordinary rows about 5 % have one
        below 0.05. None where the run held no rows out.
        """
        inputs = self._inputs(rows)
        each = run_members(self.predictor, "score", inputs, np.arange(self.predictor.members))
        fold, score = self.calibration
        if not len(score):
            return each.mean(axis=0), None
        above = np.zeros(each.shape[1])
        for k in np.unique(fold):
            mine = each[self.folds == k].mean(axis=0)
            known = np.sort(score[fold == k])
            above += len(known) - np.searchsorted(known, mine, side="left")
        return each.mean(axis=0), (1 + above) / (1 + len(score))

    def _inputs(self, rows: Any) -> Any:
        encoder = self.predictor.encoder
        return rows if encoder is None else encoder.encode(rows)
