"""Rows that stand in the data more than once: what a fold's training part may know of its test rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from manyfit.evaluate.folds import Split


@dataclass(frozen=True)
class Twins:
    """How many rows have others with the same inputs."""

    rows: int
    leaked: int
    """Rows tested in some fold whose training or validation part holds a row of the same inputs."""
    contradicted: int
    """Rows that have a twin with another target: no model of these inputs is right about both."""

    @property
    def leaked_share(self) -> float:
        """Of all rows."""
        return self.leaked / max(1, self.rows)


def twins(inputs: Mapping[str, Any], target: npt.ArrayLike, splits: Sequence[Split]) -> Twins:
    """Count rows of identical inputs, across the folds and with other targets.

    Args:
        inputs: arrays by name, leaves ``(rows, ...)``; a missing value (NaN) equals another one.
        target: ``(rows,)``.
        splits: the folds.
    """
    code = _codes(inputs)
    truth = np.asarray(target)
    rows = len(truth)
    leaked = np.zeros(rows, bool)
    for split in splits:
        known = np.zeros(code.max() + 1 if rows else 0, bool)
        known[code[split.train]] = True
        known[code[split.validation]] = True
        leaked[split.test] |= known[code[split.test]]
    first = np.zeros(code.max() + 1 if rows else 0, np.int64)
    first[code[::-1]] = np.arange(rows)[::-1]  # the first row of each code
    differs = np.zeros(len(first), bool)
    other = truth != truth[first[code]]
    other = other if other.ndim == 1 else other.any(axis=tuple(range(1, other.ndim)))
    np.logical_or.at(differs, code, other)
    return Twins(rows, int(leaked.sum()), int(differs[code].sum()))


def _codes(inputs: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    """A number for each row, ``(rows,)``, the same for equal inputs."""
    flat = [np.asarray(leaf) for leaf in inputs.values()]
    parts = [np.ascontiguousarray(leaf.reshape(len(leaf), -1)) for leaf in flat if leaf.size]
    if not parts:
        return np.arange(len(flat[0]) if flat else 0, dtype=np.int64)
    # zeros of either sign and missing values of any bits are one value each
    clean = [np.where(p == p, p + 0.0, np.nan) if p.dtype.kind == "f" else p for p in parts]
    seen: dict[bytes, int] = {}
    codes = np.empty(len(clean[0]), np.int64)
    for i in range(len(codes)):
        digest = hashlib.blake2b(digest_size=16)
        for part in clean:
            digest.update(part[i].tobytes())
        codes[i] = seen.setdefault(digest.digest(), len(seen))
    return codes
