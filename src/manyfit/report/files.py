"""A run folder read from its files alone: plain JSON and safetensors, nothing that could run code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from manyfit.errors import RunError

FORMAT = 1
"""The version of the folder's layout that is read here (docs/run-format.md)."""

Arrays: TypeAlias = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class RunFiles:
    """What lies in a run folder; what is not there is empty or None."""

    path: Path
    experiment: Mapping[str, Any]
    members: Sequence[Mapping[str, Any]] = ()
    history: Arrays = field(default_factory=dict)
    summary: Mapping[str, Any] | None = None
    predictions: Arrays | None = None
    test: Mapping[str, Any] | None = None
    """Scores on a further test set (``test.json``), where one was given."""
    examples: Arrays | None = None
    """A few images with what the network looked at (``examples.safetensors``)."""
    samples: Mapping[str, Any] | None = None
    """What a language model writes (``samples.json``)."""
    notes: Sequence[str] = ()
    """What is missing or could not be used, in sentences."""

    @property
    def name(self) -> str:
        """The run's name, or else its folder's."""
        return str(self.experiment.get("name") or self.path.resolve().name)

    def part(self, *keys: str) -> dict[str, Any]:
        """A nested object of ``experiment.json``; empty where there is none."""
        return nested(self.experiment, *keys)

    @property
    def metric(self) -> str:
        """The score that trials are compared by."""
        return str(self.part("task").get("metric") or "score")

    @property
    def maximize(self) -> bool:
        """Whether a greater score is better."""
        return self.part("task").get("direction") != "minimize"

    @property
    def classes(self) -> list[str]:
        """The names of the classes; empty unless it is a classification."""
        return [str(c) for c in self.part("task").get("classes") or ()]

    @property
    def expected(self) -> int | None:
        """How many members were asked for, where the settings say."""
        settings = self.part("settings")
        asked = [settings.get(k) for k in ("trials", "seeds", "folds")]
        if not all(isinstance(v, int) and v > 0 for v in asked):
            return None
        trials, seeds, folds = (int(v) for v in asked if v is not None)
        repeats = settings.get("repeats")
        return trials * seeds * folds * (repeats if isinstance(repeats, int) and repeats > 0 else 1)

    @property
    def unfinished(self) -> bool:
        """Whether members of the run have not ended yet."""
        return self.summary is None or bool(self.summary.get("interrupted"))


def nested(content: Any, *keys: str) -> dict[str, Any]:
    """The object under ``keys``, or an empty one."""
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return dict(content) if isinstance(content, Mapping) else {}


def real(value: Any) -> float:
    """A number of a JSON file; NaN for null and for whatever is none."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else float("nan")


def read_run(folder: str | os.PathLike[str]) -> RunFiles:
    """Read a run folder.

    Raises:
        RunError: there is no ``experiment.json``, it has another format, or a file is broken.
            Files that are merely missing are told of in ``notes``.
    """
    path = Path(folder)
    experiment = _json(path / "experiment.json")
    if experiment is None:
        raise RunError(f"{path / 'experiment.json'} is not there: is {path} the folder of a run?")
    if experiment.get("format") != FORMAT:
        raise RunError(
            f"{path / 'experiment.json'} has format {experiment.get('format')!r}, this version of manyfit reads "
            f"{FORMAT}: use the version that wrote it, or run the experiment anew"
        )
    notes: list[str] = []
    members = _lines(path / "members.jsonl")
    summary = _json(path / "summary.json")
    if summary is None:
        notes.append("summary.json is not there yet: the run has not ended, and no trial has been chosen.")
    if members is None:
        notes.append("members.jsonl is not there: no member has been recorded.")
    history = _history(path / "history.safetensors", members, notes)
    kind = nested(experiment, "task").get("kind")
    classes = nested(experiment, "task").get("classes") or ()
    predictions = _predictions(path / "predictions.safetensors", kind, len(classes), notes)
    return RunFiles(
        path=path,
        experiment=experiment,
        members=members or [],
        history=history,
        summary=summary,
        predictions=predictions,
        test=_json(path / "test.json"),
        examples=_examples(path / "examples.safetensors"),
        samples=_json(path / "samples.json"),
        notes=notes,
    )


def _broken(path: Path, why: object) -> RunError:
    return RunError(
        f"{path} cannot be read ({why}); restore it, or resume or repeat the run to write it anew"
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _broken(path, error) from error


def _json(path: Path) -> dict[str, Any] | None:
    text = _text(path)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _broken(path, error) from error
    if not isinstance(content, dict):
        raise _broken(path, f"it holds a {type(content).__name__}, not an object")
    return content


def _lines(path: Path) -> list[dict[str, Any]] | None:
    text = _text(path)
    if text is None:
        return None
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _broken(path, f"line {number}: {error}") from error
        if not isinstance(row, dict) or not isinstance(row.get("trial"), int):
            raise _broken(path, f"line {number}: it is no object with a 'trial' number")
        rows.append(row)
    return rows


def _arrays(path: Path) -> dict[str, np.ndarray] | None:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _broken(path, error) from error
    try:
        return dict(load(content))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _broken(path, error) from error


def _history(path: Path, members: list[dict[str, Any]] | None, notes: list[str]) -> dict[str, np.ndarray]:
    arrays = _arrays(path)
    if arrays is None:
        notes.append("history.safetensors is not there: there are no learning curves to show.")
        return {}
    for name, values in arrays.items():
        if values.ndim != 2 or values.dtype.kind not in "fiu":
            raise _broken(path, f"{name} is {values.dtype} {values.shape}, not numbers (members, epochs)")
    rows = len(members or ())
    if any(len(values) != rows for values in arrays.values()):
        found = sorted({len(values) for values in arrays.values()})
        notes.append(
            f"history.safetensors has {', '.join(map(str, found))} rows and members.jsonl {rows}: they were written "
            "at different moments, so the learning curves are left out."
        )
        return {}
    return {name: values.astype(np.float64) for name, values in arrays.items()}


def _examples(path: Path) -> dict[str, np.ndarray] | None:
    arrays = _arrays(path)
    if arrays is None:
        return None
    whole = {"row": "iu", "target": "iu", "called": "iu", "group": "iu", "probability": "f", "agreement": "f"}
    names = {"pixels": "u", "heat": "u", **whole}
    count = len(arrays.get("pixels", ()))
    for name, kinds in names.items():
        found = arrays.get(name)
        if found is None or found.dtype.kind not in kinds or len(found) != count:
            raise _broken(path, f"{name!r} is missing, or not one for each image")
    shape = arrays["pixels"].shape
    if len(shape) != 4 or shape[3] not in (1, 3) or arrays["heat"].shape != shape[:3]:
        raise _broken(path, f"pixels {shape} and heat {arrays['heat'].shape} do not fit together")
    if arrays["pixels"].dtype != np.uint8 or arrays["heat"].dtype != np.uint8:
        raise _broken(path, "pixels and heat are not bytes")
    return arrays


def _predictions(path: Path, kind: Any, classes: int, notes: list[str]) -> dict[str, np.ndarray] | None:
    arrays = _arrays(path)
    if arrays is None:
        if kind in ("binary", "multiclass", "regression", "tagging"):
            notes.append("predictions.safetensors is not there: there are no predictions to look at.")
        return None
    for name in ("target", "output"):
        if name not in arrays:
            raise _broken(path, f"it lacks {name!r}")
    target, output = arrays["target"], arrays["output"].astype(np.float64)
    if target.ndim != 1 or len(output) != len(target) or output.ndim not in (1, 2):
        raise _broken(path, f"target {target.shape} and output {output.shape} do not fit together")
    for name in ("row", "fold", "place"):
        if name in arrays and arrays[name].shape != target.shape:
            raise _broken(path, f"{name} {arrays[name].shape} and target {target.shape} do not fit together")
    if kind == "regression":
        output = output[:, 0] if output.ndim == 2 and output.shape[1] == 1 else output
        good = output.ndim == 1
    elif kind in ("binary", "multiclass", "tagging"):
        if output.ndim == 1:
            output = np.stack([1.0 - output, output], axis=1)
        whole = target.dtype.kind in "iu"
        good = whole and (not len(target) or 0 <= target.min() <= target.max() < output.shape[1])
        good = good and output.shape[1] == max(classes, 2)
    else:
        return None
    if not good:
        raise _broken(path, f"target and output {output.shape} are not those of a {kind} task")
    finite = np.isfinite(output).reshape(len(output), -1).all(axis=1) & np.isfinite(target.astype(np.float64))
    if not finite.all():
        notes.append(f"{int((~finite).sum())} predictions are not finite and are left out of the charts.")
    if not finite.any():
        return None
    kept = {name: arrays[name][finite] for name in ("row", "fold", "place") if name in arrays}
    return kept | {"target": target[finite], "output": output[finite]}
