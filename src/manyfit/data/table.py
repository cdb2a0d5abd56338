"""A table ready to be learned from: what its columns are, arrays of them, and the target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from manyfit.data import dates
from manyfit.data.columns import KINDS, MANY, MISSING, MOST, Column, Guess, guess, shorten
from manyfit.data.reading import Raw, load
from manyfit.data.schema import ColumnSchema, Schema, cell, finite_numbers
from manyfit.data.target import Target, read_target
from manyfit.errors import ConfigError, DataError, nearest, no_column


@dataclass(frozen=True)
class Table:
    """Rows of a table as arrays.

    ``inputs``: ``numeric`` float32 ``(rows, Fn)``, NaN where missing, and
    ``category`` int32 ``(rows, Fc)``, -1 where missing. ``target`` ``(rows,)``:
    int32 class indices, or float32 values. ``weight`` float32, ``groups``
    int32 and ``time`` float64 (dates: days) are ``(rows,)`` or None. Nothing in it is
    scaled or filled in: that is learned per fold, by ``TablePreprocess``.
    """

    schema: Schema
    inputs: dict[str, np.ndarray]
    target: np.ndarray
    weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    source: str = "the table"
    fingerprint: str = ""
    warnings: tuple[str, ...] = ()
    columns: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.target)

    def summary(self) -> list[dict[str, Any]]:
        """One entry a column of the source, as ``experiment.json`` lists them (docs/run-format.md)."""
        return [dict(entry) for entry in self.columns]


def read(
    source: Any,
    target: str | int | None,
    *,
    task: str | None = None,
    group: str | int | None = None,
    time: str | int | None = None,
    weight: str | int | None = None,
    drop: Iterable[str | int] = (),
    kinds: Mapping[str, str] | None = None,
    header: bool = True,
    missing: Iterable[str] = MISSING,
    missing_target: str = "refuse",
) -> Table:
    """Read a table and decide what each column is.

    Args:
        source: a path (CSV, TSV, ``.gz`` of these, Parquet), a pandas, polars or pyarrow frame, an
            array ``(rows, columns)`` (columns x0, x1, ...), a dict of columns, or records.
        target: the column to predict, by name, or by place where columns have no names (-1: the last);
            None where rows are to be learned for themselves (``Table.target`` is empty of meaning then: zeros).
        task: ``binary``, ``multiclass``, ``classification`` or ``regression``; None decides by the
            target: texts, booleans, two values or up to 20 whole numbers are classes.
        group: rows of one value stay on one side of every split. No input.
        time: folds go forward in it: a number or a date. No input, but for the parts of a date.
        weight: how much a row counts, at least 0. No input.
        drop: columns to leave out.
        kinds: column -> ``number``, ``category``, ``boolean``, ``date`` or ``ignored``, where what is
            found out is not what is meant.
        header: whether a text file's first line names the columns; if not they are x0, x1, ...
        missing: cells that stand for nothing.
        missing_target: ``refuse`` rows without a target, or ``drop`` them.

    Free text, identifiers, constant and empty columns are left out with a warning. A column of more
    than 32 categories puts those that occur once, and those beyond the 255 most frequent, together
    as rare; this counts all rows, without their target.

    Raises:
        DataError: what is wrong, with the file, line, column and mend.
        ConfigError: an unknown option.

    >>> table = read({"size": [1.0, 2.5, 3.0, 4.0], "sold": ["yes", "no", "yes", "no"]}, "sold")
    >>> table.schema.task, table.schema.classes, table.inputs["numeric"].shape
    ('binary', ('no', 'yes'), (4, 1))
    """
    if missing_target not in ("refuse", "drop"):
        raise ConfigError(f"unknown missing_target {missing_target!r}: give 'refuse' or 'drop'")
    missing = tuple(missing)
    raw = load(source, header=header, missing=missing)
    aim = None if target is None else _name(raw, target, "target")
    special = {
        what: _name(raw, key, what)
        for what, key in (("group", group), ("time", time), ("weight", weight))
        if key is not None
    }
    dropped = {_name(raw, key, "drop") for key in drop}
    asked = {_name(raw, key, "kinds"): _kind(kind) for key, kind in (kinds or {}).items()}
    if aim is not None and aim in {*special.values(), *dropped}:
        raise ConfigError(f"{aim!r} is the target, it cannot be dropped or used as group, time or weight")

    warnings: list[str] = []
    if aim is None:
        found = Target("none", (), np.zeros(len(raw), np.int32))
    else:
        raw = _with_target(raw, aim, missing_target == "drop", warnings)
        found = read_target(raw, aim, task, warnings)
    columns: list[ColumnSchema] = []
    entries: list[dict[str, Any]] = []
    for column in raw.columns:
        if column.name == aim:
            entries.append(_entry(column, _target_kind(found), "the target"))
            continue
        chosen, what = _settle(column, raw, special, dropped, asked)
        if what.kind == "ignored" and column.name not in dropped and column.name not in special.values():
            warnings.append(f"column {column.name!r} is left out: {what.note}")
        elif what.kind == "date" and what.note and column.name not in (*special.values(), *asked):
            warnings.append(f"column {column.name!r}: {what.note}")
        elif chosen is not None and chosen.rare:
            rest = len(column.texts[0]) - len(chosen.categories)
            what = Guess(what.kind, f"{rest} rare values of {len(column.texts[0])} share one code")
            warnings.append(f"column {column.name!r}: {what.note}")
        if chosen is not None:
            columns.append(chosen)
            _warn_of_leak(column, chosen, found, warnings)
        entries.append(_entry(column, what.kind, what.note))
    if not columns:
        raise DataError(
            f"{raw.source}: no column is left to learn from; "
            + ("; ".join(warnings) or "there is only the target")
        )
    if not len(raw):
        raise DataError(f"{raw.source} has no rows")
    names = tuple(name for name in raw.names if name != aim)
    schema = Schema(tuple(columns), names, aim or "", found.task, found.classes, missing, raw.named)
    return Table(
        schema=schema,
        inputs=schema.encode_raw(raw),
        target=found.codes.astype(np.float32) if aim is None else schema.encode_labels(raw[aim], raw),
        weight=_weights(raw, special["weight"]) if "weight" in special else None,
        groups=_groups(raw, special["group"]) if "group" in special else None,
        time=_times(raw, special["time"]) if "time" in special else None,
        source=raw.source,
        fingerprint=raw.fingerprint,
        warnings=tuple(warnings),
        columns=tuple(entries),
    )


def _name(raw: Raw, key: str | int, what: str) -> str:
    if isinstance(key, str) and not raw.named and key.removeprefix("-").isdecimal():
        key = int(key)  # a place, as a command line says it
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        if not -len(raw.names) <= key < len(raw.names):
            raise DataError(f"{raw.source} has {len(raw.names)} columns, so no {what} column at place {key}")
        return raw.names[key]
    if key not in raw.names:
        numbers = any(_looks_like_data(name) for name in raw.names)
        extra = "; if the first line is no header, read it with header=False (--no-header)" if numbers else ""
        raise DataError(f"{no_column(raw.source, key, raw.names, what)}{extra}")
    return key


def _looks_like_data(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise ConfigError(f"unknown kind of column {kind!r}: {nearest(kind, KINDS)}")
    return kind


def _with_target(raw: Raw, aim: str, drop: bool, warnings: list[str]) -> Raw:
    gone = raw[aim].missing
    if not gone.any():
        return raw
    if gone.all():
        raise DataError(f"{raw.source}: every cell of the target {aim!r} is missing; is it the right column?")
    if not drop:
        raise DataError(
            f"{raw.source}, {raw.rows(np.flatnonzero(gone))}: the target {aim!r} is missing; "
            "fill it in, or leave such rows out with missing_target='drop' (--missing-target drop)"
        )
    warnings.append(f"{int(gone.sum())} of {len(raw)} rows are left out: their target {aim!r} is missing")
    return raw.take(np.flatnonzero(~gone))


def _settle(
    column: Column, raw: Raw, special: Mapping[str, str], dropped: set[str], asked: Mapping[str, str]
) -> tuple[ColumnSchema | None, Guess]:
    """The schema of one column, None where it is no input, and what was found."""
    name = column.name
    if name in dropped:
        return None, Guess("ignored", "dropped as asked")
    uses = [what for what, which in special.items() if which == name]
    if uses:
        note = f"the {' and '.join(uses)}"
        if uses == ["time"] and guess(column).kind == "date" and asked.get(name) != "ignored":
            schema = _date(column, raw, epoch=False)
            if schema.parts:
                return schema, Guess("date", note)
        return None, Guess("ignored", note)
    if name not in asked:
        _refuse_broken_numbers(column, raw)
    what = guess(column) if name not in asked else Guess(asked[name], "as asked")
    if what.kind == "ignored":
        return None, what
    if what.kind == "number":
        return _number(column, raw), what
    if what.kind == "date":
        return _date(column, raw), what
    return _category(column, raw, what.kind), what


def _number(column: Column, raw: Raw) -> ColumnSchema:
    numbers = finite_numbers(column, raw)
    return ColumnSchema(column.name, "number", offset=_offset(numbers))


def _offset(numbers: np.ndarray) -> float:
    """What to subtract so that float32 tells the values apart: 0 wherever it does as they are."""
    known = numbers[~np.isnan(numbers)]
    if len(known) == 0:
        return 0.0
    spread = float(np.std(known / (np.abs(known).max() or 1.0))) * float(np.abs(known).max())
    return float(np.round(np.median(known))) if np.abs(known).max() > 1e4 * spread > 0 else 0.0


def _date(column: Column, raw: Raw, epoch: bool = True) -> ColumnSchema:
    found = column.as_dates()
    if found is None or found.bad.any():
        row = int(np.argmax(~column.missing if found is None else found.bad))
        raise DataError(
            f"{raw.at(row, column.name)}: {cell(column, row)} is no date; write dates as 2024-01-31, "
            f"or say kinds={{{column.name!r}: 'category'}} (--kinds {column.name}=category)"
        )
    offset = float(np.round(np.nanmedian(dates.days(found.values)))) if epoch else 0.0
    parts = dates.varying_parts(found.values)
    return ColumnSchema(column.name, "date", offset=offset, style=found.style, parts=parts, epoch=epoch)


def _category(column: Column, raw: Raw, kind: str) -> ColumnSchema:
    values, codes = column.texts
    if kind == "boolean" and len(values) > 2:
        third = int(np.argmax(codes == 2))
        raise DataError(
            f"{raw.at(third, column.name)}: {cell(column, third)} is a third value of a boolean; say 'category'"
        )
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    kept = np.arange(len(values))
    if len(values) > MANY:
        # the most frequent, ties by name, so that the order of the rows does not matter
        order = sorted(kept.tolist(), key=lambda i: (-counts[i], values[i]))
        often = [i for i in order[:MOST] if counts[i] > 1]
        if len(values) - len(often) > 1 and often:
            kept = np.array(often)
    names = sorted((values[i] for i in kept), key=_order)
    return ColumnSchema(column.name, kind, categories=tuple(names), rare=len(kept) < len(values))


def _order(text: str) -> tuple[int, float, str]:
    """Numbers by size, then texts."""
    return (0, float(text), text) if _looks_like_data(text) and "_" not in text else (1, 0.0, text)


def _refuse_broken_numbers(column: Column, raw: Raw) -> None:
    """A column of many different numbers and a few texts is a number column with errors in it."""
    numbers, bad = column.as_numbers
    known = ~column.missing
    good = known & ~bad
    if column.codes is None or not bad.any() or bad.sum() > known.sum() / 10:
        return
    if len(np.unique(numbers[good])) > 20:
        row = int(np.argmax(bad))
        raise DataError(
            f"{raw.at(row, column.name)}: {cell(column, row)} is not a number, as {int(good.sum())} of "
            f"{int(known.sum())} cells of the column are; correct it, add it to missing=, "
            f"or say kinds={{{column.name!r}: 'category'}} (--kinds {column.name}=category)"
        )


def _warn_of_leak(column: Column, schema: ColumnSchema, target: Target, warnings: list[str]) -> None:
    """Tell of a column that says the target in other words."""
    if not target.classes or schema.kind not in ("category", "boolean") or schema.rare:
        return
    classes = len(target.classes)
    codes = schema.codes(column)
    if schema.cardinality != classes or (codes < 0).any():
        return
    together = np.bincount(codes * classes + target.codes, minlength=classes**2).reshape(classes, classes) > 0
    if (together.sum(0) == 1).all() and (together.sum(1) == 1).all():
        warnings.append(
            f"column {column.name!r} says the target in other words: each of its values is one class; "
            f"drop it unless it is known before the target is"
        )


def _target_kind(target: Target) -> str:
    return "number" if not target.classes else "boolean" if len(target.classes) == 2 else "category"


def _weights(raw: Raw, name: str) -> np.ndarray:
    weights = finite_numbers(raw[name], raw)
    wrong = ~(weights >= 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{raw.at(row, name)}: {cell(raw[name], row)} is no weight; give a number of at least 0"
        )
    if not weights.any():
        raise DataError(f"{raw.source}, column {name!r}: every weight is 0, so that nothing would be learned")
    return weights.astype(np.float32)


def _groups(raw: Raw, name: str) -> np.ndarray:
    column = raw[name]
    _refuse_missing(column, raw, "group")
    values, codes = column.texts
    if len(values) < 2:
        raise DataError(f"{raw.source}, column {name!r}: every row is of one group; splits need at least two")
    return codes


def _times(raw: Raw, name: str) -> np.ndarray:
    column = raw[name]
    _refuse_missing(column, raw, "time")
    found = column.as_dates() if column.as_numbers[1].any() else None
    if found is None and column.as_numbers[1].any():
        row = int(np.argmax(column.as_numbers[1]))
        raise DataError(
            f"{raw.at(row, name)}: {cell(column, row)} is neither a number nor a date; correct it"
        )
    if found is not None:
        return dates.days(_all_dates(column, raw, found))
    return finite_numbers(column, raw)


def _all_dates(column: Column, raw: Raw, found: dates.Dates) -> np.ndarray:
    if found.bad.any():
        row = int(np.argmax(found.bad))
        raise DataError(f"{raw.at(row, column.name)}: {cell(column, row)} is no date; correct it")
    return found.values


def _refuse_missing(column: Column, raw: Raw, what: str) -> None:
    if column.missing.any():
        rows = raw.rows(np.flatnonzero(column.missing))
        raise DataError(f"{raw.source}, {rows}: the {what} {column.name!r} is missing; fill it in")


def _entry(column: Column, kind: str, note: str) -> dict[str, Any]:
    """What ``experiment.json`` says of one column."""
    values, codes = column.texts
    known = codes[codes >= 0]
    entry: dict[str, Any] = {
        "name": column.name,
        "kind": kind,
        "missing": len(column) - len(known),
        "unique": len(values),
        "note": note,
    }
    if kind == "number":
        numbers = column.as_numbers[0][codes >= 0]
        entry |= {
            "min": float(numbers.min()),
            "median": float(np.median(numbers)),
            "max": float(numbers.max()),
        }
    elif kind == "date":
        found = column.as_dates()
        if found is not None:
            moments = np.sort(found.values[codes >= 0])
            middle = moments[(len(moments) - 1) // 2]
            entry |= {
                k: str(v.astype("datetime64[s]"))
                for k, v in (("min", moments[0]), ("median", middle), ("max", moments[-1]))
            }
    elif len(known) and kind in ("category", "boolean"):
        counts = np.bincount(known, minlength=len(values))
        order = sorted(range(len(values)), key=lambda i: (-counts[i], values[i]))[:10]
        entry["top"] = [
            [values[i] if len(values[i]) <= 80 else shorten(values[i], 80)[1:-1], int(counts[i])]
            for i in order
        ]
    return entry
