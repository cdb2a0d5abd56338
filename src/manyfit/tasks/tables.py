"""Tables as tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from manyfit.data.preprocess import TablePreprocess
from manyfit.data.schema import Schema
from manyfit.data.table import Table
from manyfit.tasks.task import Kind, Task

BINS = 16
"""Bins of the piecewise-linear encoding of a number."""


@dataclass(frozen=True)
class TableEncoder:
    """Rows of a table, by the schema that was learned from the training table."""

    schema: Schema

    def encode(self, rows: Any) -> dict[str, np.ndarray]:
        """Inputs by name; see ``Schema.encode``."""
        return self.schema.encode(rows)

    def encode_target(self, rows: Any) -> np.ndarray:
        """The target column of labelled rows."""
        return self.schema.encode_target(rows)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able account."""
        return {"encoder": "table", "schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TableEncoder:
        """The encoder that ``to_json`` described."""
        return cls(Schema.from_json(content["schema"]))


def table_task(table: Table, *, scaling: str = "auto", bins: int = BINS, metric: str | None = None) -> Task:
    """The task of a table: every column that can be used, scaled per fold."""
    schema = table.schema
    data: dict[str, Any] = {"inputs": dict(table.inputs), "target": table.target}
    if table.weight is not None:
        data["weight"] = table.weight
    cardinalities = tuple(schema.cardinalities)
    gaps = np.flatnonzero(np.isnan(table.inputs["numeric"]).any(axis=0)) if "numeric" in table.inputs else ()
    preprocess = TablePreprocess(
        scaling=scaling, bins=bins, cardinalities=cardinalities, gaps=tuple(int(column) for column in gaps)
    )
    return Task(
        kind=cast(Kind, schema.task),
        data=data,
        rows=len(table),
        metric=metric,
        target=schema.target,
        classes=tuple(schema.classes),
        preprocess=preprocess,
        cardinalities=tuple(c + 2 for c in cardinalities),
        groups=table.groups,
        time=table.time,
        encoder=TableEncoder(schema),
        about={
            "source": table.source,
            "kind": "table",
            "rows": len(table),
            "fingerprint": table.fingerprint,
            "columns": table.summary(),
            "warnings": list(table.warnings),
        },
    )
