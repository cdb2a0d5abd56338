"""A task: data ready to be learned from, and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from manyfit.errors import DataError
from manyfit.evaluate import Split
from manyfit.objectives import Identity
from manyfit.objectives.supervised import Preprocess

Kind = Literal["binary", "multiclass", "regression", "tagging", "own"]


class Encoder(Protocol):
    """What turns rows from outside into a task's inputs, and survives on disk as JSON."""

    def encode(self, rows: Any) -> dict[str, np.ndarray]:
        """Inputs by name, leaves ``(rows, ...)``; raises ``DataError`` for what does not fit."""
        ...

    def encode_target(self, rows: Any) -> np.ndarray:
        """The target of labelled rows."""
        ...

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Task:
    """Data and the question put to them.

    ``data`` is the pytree that the objective sees (numpy leaves ``(rows, ...)``,
    or None when the objective makes its own); ``kind`` is ``own`` for an
    objective that scores itself through its ``evaluate``, and ``tagging`` where
    rows are sentences and the target ``(rows, T)`` has a label for each word.
    """

    kind: Kind
    data: Any
    rows: int
    metric: str | None = None
    """The score that is reported first; None takes the first of the kind."""
    target: str = "target"
    classes: tuple[str, ...] = ()
    preprocess: Preprocess = field(default_factory=Identity)
    cardinalities: tuple[int, ...] = ()
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    encoder: Encoder | None = None
    direction: Literal["minimize", "maximize"] = "minimize"
    """Of kind ``own``: whether a smaller or a greater ``metric`` is better."""
    parts: tuple[Split, ...] | None = None
    """The parts of the rows, where they are the task's own and not drawn."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """The ``data`` entry of ``experiment.json``."""

    @property
    def labels(self) -> np.ndarray | None:
        """Class indices, for folds that keep the classes' shares; None where there are none, or many in a row."""
        return np.asarray(self.data["target"]) if self.classes and self.kind != "tagging" else None


def from_arrays(data: Mapping[str, Any] | np.ndarray | None, rows: int | None = None) -> Task:
    """A task for an objective of one's own, whose rows are the leaves' leading axis."""
    import jax

    leaves = jax.tree.leaves(data)
    lengths = {len(leaf) for leaf in leaves}
    if len(lengths) > 1:
        raise DataError(f"every array of the data needs the same number of rows; found {sorted(lengths)}")
    count = lengths.pop() if lengths else (rows or 0)
    return Task(kind="own", data=data, rows=count)


def fingerprint(data: Any) -> str:
    """A hash of every array of a pytree: ``sha256:...``."""
    import hashlib

    import jax

    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(data):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(array.view(np.uint8).reshape(-1).data if array.size else b"")
    return "sha256:" + digest.hexdigest()
