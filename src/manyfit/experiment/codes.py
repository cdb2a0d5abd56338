"""What is kept of a run of autoencoders beside its models: scores of held-out rows, pictures; and what they are for.

``codes.safetensors`` of a run folder: ``member_fold`` int32 ``(members,)``, the fold of each network of the model;
``best`` int32 ``(1,)``, that of the lowest validation loss; ``calibration_fold`` int32 and ``calibration_score``
float32 ``(n,)``, held-out rows scored by the networks of their fold; ``pictures/NAME`` uint8
``(lines, columns, H, W, C)``, grids of images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from manyfit.engine.keys import key_of
from manyfit.errors import DataError, RunError
from manyfit.experiment.predictor import Predictor
from manyfit.experiment.preparation import Prepared
from manyfit.experiment.result import Result

NAME = "codes.safetensors"
MOST_CALIBRATED = 2000
"""Held-out rows of a fold that scores are calibrated by."""
MOST_PICTURED = 256
BLOCK = 256


def codes_of(prepared: Prepared, result: Result) -> dict[str, dict[str, np.ndarray]]:
    """``codes.safetensors`` and what it holds; nothing for other runs, and where nothing was chosen."""
    predictor = result.predictor
    if predictor is None or not hasattr(predictor.objective, "reconstruct"):
        return {}
    rows = [row for row in result.members if row["trial"] == result.chosen and row["status"] != "diverged"]
    folds = np.array([row["fold"] for row in rows], np.int32)
    best = int(np.argmin([row["validation"]["loss"] for row in rows]))
    data = prepared.task.data
    inputs = data["inputs"] if isinstance(data, dict) and "inputs" in data else data
    scored: list[tuple[int, np.ndarray]] = []
    score = method_of(predictor.objective, "score")
    for fold, split in enumerate(prepared.splits):
        mine = np.flatnonzero(folds == fold)
        if len(mine) and len(split.test):
            test = jax.tree.map(lambda leaf, s=split: leaf[s.test[:MOST_CALIBRATED]], inputs)
            scored.append(
                (fold, in_blocks(score, members_of(predictor, mine), {"inputs": test}).mean(axis=0))
            )
    none = np.zeros(0, np.float32)
    found = {
        "member_fold": folds,
        "best": np.array([best], np.int32),
        "calibration_fold": np.concatenate([none, *(np.full(len(s), f) for f, s in scored)]).astype(np.int32),
        "calibration_score": np.concatenate([none, *(s for _, s in scored)]).astype(np.float32),
    }
    if "pixels" in inputs:
        test = prepared.splits[folds[best]].test
        # folders lie one behind the other: in the order of the rows all would be of one class
        shown = np.random.default_rng(0).permutation(test if len(test) > 1 else prepared.task.rows)
        model = jax.tree.map(lambda leaf: leaf[best], predictor.models)
        grids = _pictures(predictor, model, inputs["pixels"][shown[:MOST_PICTURED]])
        for name, grid in grids.items():
            found[f"pictures/{name}"] = np.round(255 * np.clip(np.asarray(grid), 0, 1)).astype(np.uint8)
    return {NAME: found}


def members_of(predictor: Predictor, members: Any) -> Any:
    """The models of some of the members, stacked."""
    return jax.tree.map(lambda leaf: leaf[np.asarray(members)], predictor.models)


def method_of(objective: Any, method: str) -> Callable[..., Any]:
    """A method of the objective for several models and one block of rows, compiled."""
    one: Callable[..., Any] = getattr(objective, method)
    return jax.jit(jax.vmap(lambda model, rows: one(model, rows), (0, None)))


def in_blocks(many: Callable[..., Any], models: Any, inputs: Any) -> np.ndarray:
    """What ``many`` gives for all rows, block by block, so that no answer depends on how many there are."""
    count = len(jax.tree.leaves(inputs)[0])
    if not count:
        raise DataError("there are no rows")
    parts = []
    for start in range(0, count, BLOCK):
        place = np.minimum(np.arange(start, start + BLOCK), count - 1)  # what is short repeats the last row
        part = many(models, jax.tree.map(lambda leaf, p=place: leaf[p], inputs))
        parts.append(jax.tree.map(lambda leaf, c=count - start: np.asarray(leaf)[:, :c], part))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)


def _pictures(predictor: Predictor, model: Any, pixels: np.ndarray) -> dict[str, Any]:
    data = {"inputs": {"pixels": pixels}}
    return dict(jax.jit(predictor.objective.pictures)(model, data, key_of(0)))


class Codes:
    """An autoencoder in use: codes of new rows, rows of codes, and how strange rows are.

    ``known`` is what ``codes_of`` found when it was trained.
    """

    def __init__(self, predictor: Predictor, known: Mapping[str, np.ndarray]) -> None:
        self.predictor = predictor
        self.best = int(known["best"][0])
        self.folds = known["member_fold"]
        self.calibration = (known["calibration_fold"], known["calibration_score"])
        self._compiled: dict[str, Callable[..., Any]] = {}

    @classmethod
    def load(cls, path: str | Path) -> Codes:
        """Those of a run folder; raises ``RunError`` for the folder of another kind of run, and a broken one."""
        predictor = Predictor.load(path)
        place = Path(path) / NAME
        if not hasattr(predictor.objective, "reconstruct"):
            raise RunError(f"{path} is no run of an autoencoder: begin one with manyfit fit DATA --model vae")
        try:
            found = cls(predictor, load(place.read_bytes()))
        except (OSError, SafetensorError, KeyError, IndexError) as error:
            raise RunError(f"{place} cannot be read ({error}); resume or repeat the run") from error
        if len(found.folds) != predictor.members or not 0 <= found.best < predictor.members:
            raise RunError(f"{place} does not fit the model beside it; resume or repeat the run")
        return found

    def transform(self, rows: Any) -> np.ndarray:
        """Codes ``(rows, latent)`` by the network of the lowest validation loss: each has a code of its own."""
        found: np.ndarray = self._answers("predict", {"inputs": self._inputs(rows)}, [self.best])[0]
        return found

    def restore(self, codes: np.ndarray) -> dict[str, np.ndarray]:
        """Rows for codes ``(rows, latent)`` of ``transform``, in the units of the data and by name as they came."""
        found = self._answers("restore", np.asarray(codes, np.float32), [self.best])
        return {name: values[0] for name, values in found.items()}

    def anomalies(self, rows: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Scores ``(rows,)``, the greater the stranger, of all networks together, and their p-values.

        A p-value is the share of held-out training rows that are at least as strange, each compared with the row
        by the networks that had not seen it (cross-conformal: Vovk, 2015). Of ordinary rows about 5 % have one
        below 0.05. None where the run held no rows out.
        """
        each = self._answers("score", {"inputs": self._inputs(rows)}, range(self.predictor.members))
        fold, score = self.calibration
        if not len(score):
            return each.mean(axis=0), None
        above = np.zeros(each.shape[1])
        for k in np.unique(fold):
            mine = each[self.folds == k].mean(axis=0)
            known = np.sort(score[fold == k])
            above += len(known) - np.searchsorted(known, mine, side="left")
        return each.mean(axis=0), (1 + above) / (1 + len(score))

    def _answers(self, method: str, rows: Any, members: Sequence[int]) -> Any:
        if method not in self._compiled:
            self._compiled[method] = method_of(self.predictor.objective, method)
        return in_blocks(self._compiled[method], members_of(self.predictor, members), rows)

    def _inputs(self, rows: Any) -> Any:
        encoder = self.predictor.encoder
        return rows if encoder is None else encoder.encode(rows)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_compiled": {}}
