"""What scikit-learn hands in, as tables: frames of any columns, arrays of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from manyfit.data import Table, read_table
from manyfit.data.schema import ColumnSchema, Schema
from manyfit.tasks.task import fingerprint


def frame_of(X: Any) -> nw.DataFrame[Any] | None:
    """A data frame that holds more than numbers; None for everything else, which scikit-learn reads."""
    found = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(found, nw.DataFrame):
        return None
    plain = all(dtype.is_numeric() or dtype == nw.Boolean for dtype in found.schema.values())
    return None if plain else found


def table_of_frame(frame: nw.DataFrame[Any], target: np.ndarray, *, classification: bool) -> Table:
    """The columns of a frame, understood as ``manyfit fit`` does; what is a number in the frame stays one."""
    name = "target"
    while name in frame.columns:
        name += "_"
    kinds = {str(column): "number" for column, dtype in frame.schema.items() if dtype.is_numeric()}
    column = nw.new_series(name, target, backend=frame.implementation)
    return read_table(
        frame.with_columns(column).to_native(),
        name,
        task="classification" if classification else "regression",
        kinds=kinds,
    )


def table_of_columns(frame: nw.DataFrame[Any]) -> Table:
    """The same without a target."""
    kinds = {str(column): "number" for column, dtype in frame.schema.items() if dtype.is_numeric()}
    return read_table(frame.to_native(), None, kinds=kinds)


def table_of_array(X: np.ndarray, names: Sequence[str]) -> Table:
    """Every column of ``X`` float64 ``(rows, features)`` as a number, NaN where missing."""
    columns = tuple(ColumnSchema(n, "number", offset=o) for n, o in zip(names, _offsets(X), strict=True))
    schema = Schema(columns, tuple(names), "target", "regression", header=False)
    inputs = arrays_of(X, schema)
    entries = tuple({"name": name, "kind": "number", "note": ""} for name in names)
    return Table(
        schema, inputs, np.zeros(len(X)), source="arrays", fingerprint=fingerprint(inputs), columns=entries
    )


def _offsets(X: np.ndarray) -> list[float]:
    """What to subtract from each column so that float32 tells its values apart: 0 wherever it does as they are."""
    known = np.where(np.isnan(X), 0.0, X)
    largest = np.abs(known).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    present = ~np.isnan(X)
    count = np.maximum(present.sum(axis=0), 1)
    middle = (known / unit).sum(axis=0) / count
    spread = np.sqrt((np.where(present, known / unit - middle, 0.0) ** 2).sum(axis=0) / count) * unit
    far = (largest > 1e4 * spread) & (spread > 0)
    return np.where(far, np.round(middle * unit), 0.0).tolist()


def arrays_of(X: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
    """What the networks read of ``X`` float64 ``(rows, features)``: float32, each column less its offset.

    Raises ``ValueError`` for what float32 cannot hold.
    """
    with np.errstate(over="ignore"):
        numeric = (X - np.array([c.offset for c in schema.columns])).astype(np.float32)
    if np.isinf(numeric).any():
        raise ValueError("X holds infinity or a value too large for dtype('float32')")
    return {"numeric": np.ascontiguousarray(numeric), "category": np.zeros((len(X), 0), np.int32)}
