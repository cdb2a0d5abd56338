"""One column of a table: its cells as read, and what kind of quantity they are."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from manyfit.data.dates import Dates, parse_dates

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
"""Cells that stand for nothing, unless told otherwise."""
KINDS = ("number", "category", "boolean", "date", "ignored")
MANY = 32
"""A category column of more distinct values than this puts those that occur once together as rare."""
MOST = 255
"""The most categories that a column keeps; the others are rare."""
RARE = "(rare)"
_FEW_ROWS = 20
_LEADING_ZERO = re.compile(r"-?0\d+")
_ROW_NUMBER = re.compile(r"|unnamed: ?\d+|.*(id|index|number|row|no|nr)\.?|#", re.I)


@dataclass(frozen=True)
class Column:
    """Cells of one column: texts by codes, or numbers, or dates.

    ``codes`` int32 ``(rows,)`` index ``values``, -1 where missing; ``numbers``
    float64 ``(rows,)``, NaN where missing; ``dates`` datetime64[us] ``(rows,)``,
    NaT where missing. One of the three is given.
    """

    name: str
    values: tuple[str, ...] = ()
    codes: np.ndarray | None = None
    numbers: np.ndarray | None = None
    dates: np.ndarray | None = None
    boolean: bool = False
    """Whether the source itself called the cells true and false."""
    comma: bool = False
    """Whether a comma may be the decimal sign."""

    def __len__(self) -> int:
        for cells in (self.codes, self.numbers, self.dates):
            if cells is not None:
                return len(cells)
        return 0

    def take(self, rows: np.ndarray) -> Column:
        """Some of the rows."""
        codes, numbers, dates = (
            None if a is None else a[rows] for a in (self.codes, self.numbers, self.dates)
        )
        return replace(self, codes=codes, numbers=numbers, dates=dates)

    @cached_property
    def missing(self) -> np.ndarray:
        """Which cells are missing, bool ``(rows,)``."""
        if self.codes is not None:
            return self.codes < 0
        if self.numbers is not None:
            return np.isnan(self.numbers)
        return np.isnat(np.asarray(self.dates))

    @cached_property
    def texts(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Distinct texts that occur, and int32 codes ``(rows,)`` into them, -1 where missing."""
        known = ~self.missing
        if self.codes is not None:
            occurs = np.bincount(self.codes[known], minlength=len(self.values)) > 0
            if occurs.all():
                return self.values, self.codes
            values = tuple(v for v, here in zip(self.values, occurs) if here)
            codes = (np.cumsum(occurs) - 1)[self.codes[known]]
        elif self.numbers is not None:
            distinct, codes = np.unique(self.numbers[known], return_inverse=True)
            values = tuple(map(number_text, distinct.tolist()))
        else:
            assert self.dates is not None
            distinct, codes = np.unique(self.dates[known], return_inverse=True)
            values = tuple(d.isoformat(" ") for d in distinct.tolist())
        result = np.full(len(self), -1, np.int32)
        result[known] = codes
        return values, result

    @cached_property
    def as_numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """float64 ``(rows,)``, NaN where missing or no number, and where it is no number, bool ``(rows,)``."""
        if self.numbers is not None:
            return self.numbers, np.zeros(len(self), bool)
        if self.dates is not None:
            return np.full(len(self), np.nan), ~self.missing
        assert self.codes is not None
        numbers, bad = parse_numbers(self.values, comma=self.comma)
        # one place more, at the end, for the code -1
        return np.append(numbers, np.nan)[self.codes], np.append(bad, False)[self.codes]

    def as_dates(self, style: str | None = None) -> Dates | None:
        """Every cell as a date; None where the cells are not dates at all."""
        if self.dates is not None:
            return Dates(self.dates, np.zeros(len(self), bool), style or "iso")
        if self.codes is None:
            return None
        values, codes = self.texts
        found = parse_dates(values, style)
        if found is None:
            return None
        dates = np.append(found.values, np.datetime64("NaT", "us"))[codes]
        return found._replace(values=dates, bad=np.append(found.bad, False)[codes])


def column_of(
    name: str, cells: Sequence[Any], missing: Iterable[str] = MISSING, comma: bool = False
) -> Column:
    """A column of any cells: texts, numbers, booleans, dates, None.

    Texts are stripped of blanks; raises ``TypeError`` for cells that are no single value.
    """
    absent = frozenset(missing)
    place = {cell: i for i, cell in enumerate(dict.fromkeys(cells))}
    codes = np.fromiter(map(place.__getitem__, cells), np.int32, len(cells))
    texts: dict[str, int] = {}
    changed = np.empty(len(place) + 1, np.int32)
    boolean = False
    for cell, i in place.items():
        text = cell.strip() if type(cell) is str else _text(cell)
        boolean = boolean or isinstance(cell, (bool, np.bool_))
        changed[i] = -1 if text is None or text in absent else texts.setdefault(text, len(texts))
    return Column(name, values=tuple(texts), codes=changed[codes], boolean=boolean, comma=comma)


def array_column(name: str, cells: np.ndarray, missing: Iterable[str] = MISSING) -> Column:
    """A column of a numpy array ``(rows,)``; masked cells are missing."""
    if isinstance(cells, np.ma.MaskedArray):
        return column_of(name, cells.tolist(), missing)
    if cells.dtype.kind in "iuf":
        return Column(name, numbers=np.asarray(cells, np.float64))
    if cells.dtype.kind == "M":
        return Column(name, dates=cells.astype("datetime64[us]"))
    if cells.dtype.kind == "m":
        seconds = cells.astype("timedelta64[us]").astype(np.int64) / 1e6
        return Column(name, numbers=np.where(np.isnat(cells), np.nan, seconds))
    return column_of(name, cells.tolist(), missing)


def number_text(number: float) -> str:
    """One way of writing each number: 1.0 and 1 alike."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _text(cell: Any) -> str | None:
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, (int, float)):
        return None if cell != cell else str(cell) if isinstance(cell, int) else number_text(cell)
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(" ")
    return str(cell).strip()


def parse_numbers(values: Sequence[str], *, comma: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Texts as float64 ``(n,)``, NaN where they are no number, and which those are, bool ``(n,)``."""
    try:
        if "_" not in "".join(values):  # Python reads 1_000 as a number, tables do not
            return np.array(values, np.float64), np.zeros(len(values), bool)
    except ValueError:
        pass
    numbers = np.full(len(values), np.nan)
    bad = np.zeros(len(values), bool)
    decimal = comma and not any("." in v for v in values)
    for i, value in enumerate(values):
        try:
            if "_" in value:
                raise ValueError(value)
            numbers[i] = float(value.replace(",", ".", 1) if decimal else value)
        except ValueError:
            bad[i] = True
    return numbers, bad


@dataclass(frozen=True)
class Guess:
    """What a column is taken for, and a note where a user may wonder."""

    kind: str
    note: str = ""


def guess(column: Column) -> Guess:
    """The kind of a column from its cells; ``ignored`` where nothing can be learned from it.

    Numbers stay numbers however few they are, but two values are a boolean;
    texts that all are numbers are numbers, unless written with leading zeros.
    """
    values, codes = column.texts
    known = int(np.sum(codes >= 0))
    if known == 0:
        return Guess("ignored", "every cell is missing")
    if len(values) == 1:
        if known == len(column):
            return Guess("ignored", f"constant: every cell is {shorten(values[0])}")
        return Guess("category", "one value, or missing")
    numbers, bad = column.as_numbers
    if not bad.any():
        if column.codes is not None and any(_LEADING_ZERO.fullmatch(v) for v in values):
            return Guess("category", "written with leading zeros, so taken for codes")
        found = numbers[codes >= 0]
        low, high = found.min(), found.max()
        if low == high and known == len(column):
            return Guess("ignored", f"constant: every cell is {shorten(values[0])}")
        if low < high and np.all((found == low) | (found == high)):
            return Guess("boolean")
        if (
            known == len(column) >= _FEW_ROWS
            and np.all(numbers[1:] == numbers[:-1] + 1)
            and _ROW_NUMBER.fullmatch(column.name)
        ):
            return Guess("ignored", "numbers the rows")
        return Guess("number")
    moments = column.as_dates()
    if moments is not None and not moments.bad.any():
        unsure = "day and month could be either way round; taken as month first" if moments.ambiguous else ""
        return Guess("date", unsure)
    if len(values) == 2:
        return Guess("boolean" if column.boolean or _is_true_and_false(values) else "category")
    return _texts(column, values, codes, known)


def _texts(column: Column, values: tuple[str, ...], codes: np.ndarray, known: int) -> Guess:
    words = float(np.mean([v.count(" ") + 1 for v in values]))
    if len(values) > known / 2 and len(values) > 5 and (words >= 6 or np.mean([len(v) for v in values]) > 60):
        return Guess("ignored", f"free text, {words:.0f} words on average; --text reads such a column")
    if known >= _FEW_ROWS:
        if len(values) == known:
            return Guess("ignored", "an identifier: every row has a value of its own")
        counts = np.bincount(codes[codes >= 0], minlength=len(values))
        if len(values) > MANY and counts[counts > 1].sum() < known / 10:
            return Guess("ignored", f"nearly an identifier: {len(values)} values in {known} rows")
    return Guess("category")


def _is_true_and_false(values: Sequence[str]) -> bool:
    return {truth(v) for v in values} == {True, False}


def truth(text: str) -> bool | None:
    """What a text says as an answer, None when it is none."""
    word = text.lower()
    if word in ("true", "t", "yes", "y", "1", "1.0", "on"):
        return True
    return False if word in ("false", "f", "no", "n", "0", "0.0", "off") else None


def shorten(text: str, most: int = 40) -> str:
    """A cell to be quoted in a message."""
    return repr(text if len(text) <= most else text[: most - 1] + "…")
