"""What a row of a table must look like for a trained model, and how it becomes arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from manyfit.data import dates
from manyfit.data.columns import MISSING, RARE, Column, number_text, parse_numbers, shorten, truth
from manyfit.data.reading import Raw, load
from manyfit.errors import DataError, nearest

ABSENT = -1
"""The code of a missing category."""
UNKNOWN = -2
"""The code of a category that the schema does not list."""
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ColumnSchema:
    """One input column.

    ``number``: one numeric feature, less ``offset`` (0 unless float32 could
    not tell the column's values apart). ``date``: days since 1970 less
    ``offset`` if ``epoch``, and sine and cosine of each of ``parts``.
    ``category`` and ``boolean``: a code into ``categories``; with ``rare`` one
    more code stands for all that is not listed.
    """

    name: str
    kind: str
    offset: float = 0.0
    categories: tuple[str, ...] = ()
    rare: bool = False
    style: str = ""
    parts: tuple[str, ...] = ()
    epoch: bool = True

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the numeric features that the column gives."""
        if self.kind == "number":
            return (self.name,)
        if self.kind != "date":
            return ()
        cycles = (f"{self.name} ({wave} of the {part})" for part in self.parts for wave in ("sine", "cosine"))
        return (*((self.name,) if self.epoch else ()), *cycles)

    @property
    def cardinality(self) -> int:
        """The number of codes of a category or boolean."""
        return len(self.categories) + self.rare

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each code."""
        return (*self.categories, RARE) if self.rare else self.categories

    def numeric(self, column: Column, raw: Raw) -> list[np.ndarray]:
        """The numeric features, each float32 ``(rows,)``; raises ``DataError`` naming the cell that does not fit."""
        if self.kind == "number":
            return [(finite_numbers(column, raw) - self.offset).astype(np.float32)]
        found = column.as_dates(self.style)
        if found is None or found.bad.any():
            row = 0 if found is None else int(np.argmax(found.bad))
            raise DataError(
                f"{raw.at(row, self.name)}: {cell(column, row)} is no date written as in training "
                f"({self.style}); correct it"
            )
        features = [dates.days(found.values) - self.offset] if self.epoch else []
        phases = dates.phases(found.values)
        for part in self.parts:
            features += [np.sin(2 * math.pi * phases[part]), np.cos(2 * math.pi * phases[part])]
        return [f.astype(np.float32) for f in features]

    def codes(self, column: Column) -> np.ndarray:
        """int32 ``(rows,)``: the category, -1 where missing, -2 where unknown."""
        values, codes = column.texts
        place = {text: i for i, text in enumerate(self.categories)}
        alike: dict[str, int] = {}
        for text, i in place.items():
            alike.setdefault(_alike(text, self.kind), i)
        other = len(self.categories) if self.rare else UNKNOWN
        found = [place.get(v, alike.get(_alike(v, self.kind), other)) for v in values]
        return np.array([*found, ABSENT], np.int32)[codes]

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types, without what is at its default."""
        plain = ColumnSchema(self.name, self.kind)
        content = {k: v for k, v in asdict(self).items() if k in ("name", "kind") or v != getattr(plain, k)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in content.items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ColumnSchema:
        """The column that ``to_json`` described. Raises ``TypeError`` for anything else."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
        found = cls(**values)
        _check_types(found, cls("", ""))
        return found


@dataclass(frozen=True)
class Schema:
    """All that is needed to read rows for a model: columns, target and how the source was written.

    ``names`` are the source's columns without the target, in their order:
    arrays, which have no names of their own, are matched by them.
    """

    columns: tuple[ColumnSchema, ...]
    names: tuple[str, ...]
    target: str
    task: str
    classes: tuple[str, ...] = ()
    missing: tuple[str, ...] = MISSING
    header: bool = True

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the numeric features, in the order of the last axis of ``numeric``."""
        return tuple(feature for c in self.columns for feature in c.features)

    @property
    def category(self) -> tuple[str, ...]:
        """Names of the columns of ``category``."""
        return tuple(c.name for c in self._categories)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each column of ``category``, unknown and missing not counted."""
        return tuple(c.cardinality for c in self._categories)

    @property
    def _categories(self) -> tuple[ColumnSchema, ...]:
        return tuple(c for c in self.columns if c.kind in ("category", "boolean"))

    def encode(self, rows: Any) -> dict[str, np.ndarray]:
        """Inputs of rows from a path, frame, array, dict or records; the target may be absent.

        ``numeric`` float32 ``(rows, Fn)``, NaN where missing; ``category``
        int32 ``(rows, Fc)``, -1 where missing, -2 where unknown. Columns may
        come in any order and more of them than needed; those of an array
        stand in the order of ``names``.

        Raises ``DataError`` that names every column that is lacking, or the
        row and column of a cell that does not fit.
        """
        return self.encode_raw(self.read(rows, self.target))

    def encode_target(self, rows: Any) -> np.ndarray:
        """The target of labelled rows ``(rows,)``: int32 class indices, or float32 values.

        Raises ``DataError`` for a missing cell, or a class that training did not know.
        """
        raw = self.read(rows, None)
        if self.target not in raw.names:
            raise DataError(
                f"{raw.source} has no target column {self.target!r}, which is needed to score: "
                f"{nearest(self.target, raw.names)}"
            )
        column = raw[self.target]
        if column.missing.any():
            raise DataError(
                f"{raw.source}, {raw.rows(np.flatnonzero(column.missing))}: the target {self.target!r} is missing; "
                "fill it in or leave the row out"
            )
        return self.encode_labels(column, raw)

    def encode_labels(self, column: Column, raw: Raw) -> np.ndarray:
        """The target column without missing cells as ``encode_target`` gives it."""
        if not self.classes:
            return finite_numbers(column, raw).astype(np.float32)
        kind = "boolean" if len(self.classes) == 2 else "category"
        codes = ColumnSchema(self.target, kind, categories=self.classes).codes(column)
        if (codes < 0).any():
            row = int(np.argmax(codes < 0))
            raise DataError(
                f"{raw.at(row, self.target)}: {cell(column, row)} is none of the classes; "
                + nearest(column.texts[0][column.texts[1][row]], self.classes)
            )
        return codes

    def read(self, rows: Any, without: str | None) -> Raw:
        """The rows' columns by name; ``without`` names the column that may be absent from an array."""
        raw = load(rows, header=self.header, missing=self.missing)
        if raw.named:
            return raw
        count = len(raw.columns)
        if count == len(self.names) + 1 and self.target.startswith("x") and not self.header:
            return raw  # all columns, with the target where it was in training
        if count == len(self.names) and without is not None:
            named = tuple(replace(c, name=name) for c, name in zip(raw.columns, self.names))
            return Raw(raw.source, named, raw.fingerprint, True, raw.lines)
        raise DataError(
            f"{raw.source} has {count} columns; the model knows {len(self.names)} by name "
            f"({', '.join(self.names[:8])}{', ...' if len(self.names) > 8 else ''}): give as many, in that order"
        )

    def encode_raw(self, raw: Raw) -> dict[str, np.ndarray]:
        """Inputs of a table as read; see ``encode``."""
        lacking = [c.name for c in self.columns if c.name not in raw.names]
        if lacking:
            needed = {c.name for c in self.columns}
            spare = [n for n in raw.names if n not in needed]
            near = {name: nearest(name, spare) for name in lacking} if spare else {}
            alike = [f"{name!r}: {hint}" for name, hint in near.items() if not hint.startswith("known")]
            hints = "; ".join(alike) or (f"it has {', '.join(spare)}" if spare else "add them")
            word = "column" if len(lacking) == 1 else "columns"
            raise DataError(f"{raw.source} lacks the {word} {', '.join(map(repr, lacking))}; {hints}")
        numbers: list[np.ndarray] = []
        codes: list[np.ndarray] = []
        for column in self.columns:
            cells = raw[column.name]
            if column.kind in ("number", "date"):
                numbers += column.numeric(cells, raw)
            else:
                codes.append(column.codes(cells))
        return {
            "numeric": np.stack(numbers, 1) if numbers else np.zeros((len(raw), 0), np.float32),
            "category": np.stack(codes, 1) if codes else np.zeros((len(raw), 0), np.int32),
        }

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            "kind": "table",
            "task": self.task,
            "target": self.target,
            "classes": list(self.classes),
            "header": self.header,
            "missing": list(self.missing),
            "names": list(self.names),
            "columns": [c.to_json() for c in self.columns],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Schema:
        """The schema that ``to_json`` wrote. Raises ``DataError`` for anything else."""
        try:
            if content["kind"] != "table":
                raise KeyError(content["kind"])
            found = cls(
                columns=tuple(map(ColumnSchema.from_json, content["columns"])),
                names=tuple(content["names"]),
                target=content["target"],
                task=content["task"],
                classes=tuple(content["classes"]),
                missing=tuple(content["missing"]),
                header=content["header"],
            )
            _check_types(replace(found, columns=()), cls((), (), "", ""))
            return found
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"this is no schema of a table: {error!r}") from error


def _check_types(found: Any, like: Any) -> None:
    """Raises ``TypeError`` where a field is not of the type that it has in ``like``; tuples are of text."""
    for name, example in asdict(like).items():
        value = getattr(found, name)
        kind = (int, float) if isinstance(example, float) else type(example)
        texts = value if isinstance(value, tuple) else ()
        if not isinstance(value, kind) or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"{name} = {value!r}")


def finite_numbers(column: Column, raw: Raw) -> np.ndarray:
    """float64 ``(rows,)``, NaN where missing; raises ``DataError`` naming a cell that is no number, or infinite."""
    numbers, bad = column.as_numbers
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"{raw.at(row, column.name)}: {cell(column, row)} is not a number; correct it, or add it to missing="
        )
    infinite = np.abs(numbers) > LARGEST
    if infinite.any():
        row = int(np.argmax(infinite))
        raise DataError(
            f"{raw.at(row, column.name)}: {numbers[row]:g} is infinite or beyond single precision; "
            "correct it or leave it empty"
        )
    return numbers


def cell(column: Column, row: int) -> str:
    """A cell, quoted for a message."""
    values, codes = column.texts
    return shorten(values[codes[row]]) if codes[row] >= 0 else "an empty cell"


def _alike(text: str, kind: str) -> str:
    """The same text for cells that mean the same: 1 and 1.0; True, TRUE and yes in a boolean."""
    if kind == "boolean" and truth(text) is not None:
        return str(truth(text))
    if text[:1] in "+-.0123456789":
        numbers, bad = parse_numbers([text])
        if (
            not bad[0]
            and np.isfinite(numbers[0])
            and not (len(text) > 1 and text[0] == "0" and text[1] != ".")
        ):
            return number_text(float(numbers[0]))
    return text
