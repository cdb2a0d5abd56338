"""Stamps of rows: dates, whole numbers, or several columns that tell them together; and how far two steps are apart."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit.data.columns import Column
from manyfit.data.dates import parse_dates
from manyfit.data.reading import Raw
from manyfit.errors import DataError

_ZONE = re.compile(r"\d{2}:\d{2}.*?(Z|[+-]\d{2}:?\d{2})$")
DAY = 86_400_000_000  # microseconds
_UNITS = ("year", "month", "day", "hour", "minute", "second")
_RANGES = ((1, 9999), (1, 12), (1, 31), (0, 23), (0, 59), (0, 59))
_CLOCKS = tuple(_UNITS[:count] for count in range(2, len(_UNITS) + 1))
"""Columns that tell a stamp together."""


@dataclass(frozen=True)
class Step:
    """The distance of two steps: ``count`` months, microseconds or rows."""

    unit: str
    count: int

    def places(self, stamps: np.ndarray) -> np.ndarray:
        """float64: how many steps each stamp lies after 1970 (or row 0); whole numbers on the grid's phase."""
        if self.unit == "months":
            months = stamps.astype("datetime64[M]")
            rest = (stamps - months.astype("datetime64[us]")).astype(np.int64) / (31 * DAY)
            return (months.astype(np.int64) + rest) / self.count
        return stamps.astype(np.int64) / self.count

    def stamps(self, start: Any, places: np.ndarray) -> np.ndarray:
        """The stamps so many steps after ``start``."""
        if self.unit == "rows":
            return np.asarray(start + places * self.count)
        if self.unit == "microseconds":
            return np.asarray(start + (places * self.count).astype("timedelta64[us]"))
        month = start.astype("datetime64[M]")
        rest = start - month.astype("datetime64[us]")
        return np.asarray((month + places * self.count).astype("datetime64[us]") + rest)

    def season(self) -> int:
        """Steps in the cycle that usually matters most: a year of months, a day of hours, a week of days."""
        if self.unit == "months":
            return max(1, 12 // self.count) if 12 % self.count == 0 else 1
        if self.unit == "rows":
            return 1
        for cycle in (DAY, 7 * DAY, 364 * DAY):
            if self.count < cycle and cycle % self.count == 0 and cycle // self.count <= 1440:
                return cycle // self.count
        return 1

    def __str__(self) -> str:
        if self.unit == "rows":
            return "row"
        if self.unit == "months":
            return "month" if self.count == 1 else f"{self.count} months"
        for name, size in (("day", DAY), ("hour", 3_600_000_000), ("minute", 60_000_000), ("second", 10**6)):
            if self.count % size == 0:
                many = self.count // size
                return name if many == 1 else f"{many} {name}s"
        return f"{self.count} microseconds"


def numbers_of(raw: Raw, name: str) -> np.ndarray:
    """A column as float64, NaN where a cell is empty; raises ``DataError`` for one that is no number."""
    numbers, bad = raw[name].as_numbers
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{raw.at(row, name)}: not a number; correct it, or leave the cell empty")
    if np.isinf(numbers).any():
        raise DataError(f"{raw.at(int(np.argmax(np.isinf(numbers))), name)}: infinite; leave the cell empty")
    return numbers


def clock_of(raw: Raw, time: str | None) -> tuple[str, ...]:
    """The columns that tell a row's stamp: one, or ``year month day ...`` each for itself."""
    if time is None:
        return ()
    parts = tuple(time.split())
    return parts if time not in raw.names and tuple(part.lower() for part in parts) in _CLOCKS else (time,)


def fuller_clock(raw: Raw, time: str | None) -> str:
    """Of a table with ``time`` and columns that tell the rest of a stamp all their names, else nothing.

    >>> from manyfit.data.reading import load
    >>> fuller_clock(load({"Year": [1], "month": [1], "y": [1.0]}), "Year")
    'Year month'
    """
    known = {name.lower(): name for name in raw.names}
    own = _UNITS[: len((time or "").split())]
    if tuple((time or "").lower().split()) != own:
        return ""
    there = tuple(itertools.takewhile(known.__contains__, _UNITS))
    return " ".join(known[name] for name in there) if len(there) > len(own) else ""


def stamps_of(raw: Raw, clock: tuple[str, ...], warnings: list[str]) -> np.ndarray:
    """datetime64 of each row, or int64 where stamps are whole numbers or there are none; raises ``DataError``."""
    if not clock:
        return np.arange(len(raw))
    for name in clock:
        if raw[name].missing.any():
            rows = raw.rows(np.flatnonzero(raw[name].missing))
            raise DataError(
                f"{raw.source}, {rows}: the time {name!r} is missing; fill it in, or drop the row"
            )
    if len(clock) > 1:
        return _put_together(raw, clock)
    time, column = clock[0], raw[clock[0]]
    numbers, bad = column.as_numbers
    if not bad.any():
        if np.any(numbers != np.round(numbers)):
            row = int(np.argmax(numbers != np.round(numbers)))
            raise DataError(f"{raw.at(row, time)}: give whole numbers or dates as stamps")
        return numbers.astype(np.int64)
    zones = _zones(column)
    if len(zones) > 1 and "" in zones:
        raise DataError(
            f"{raw.source}, column {time!r}: some stamps name a time zone and some do not; write all alike"
        )
    if len(zones) > 1:
        warnings.append(f"{time!r} mixes time zones ({', '.join(sorted(zones)[:4])}): read as UTC")
    found = _months(column) or column.as_dates()
    if found is None or (hasattr(found, "bad") and found.bad.any()):
        row = int(np.argmax(found.bad)) if found is not None else 0
        raise DataError(f"{raw.at(row, time)}: no date; write dates as 2024-01-31 or 2024-01-31 13:00")
    return found.values


def _put_together(raw: Raw, clock: tuple[str, ...]) -> np.ndarray:
    """Stamps of columns for the year, the month, ..."""
    parts = []
    for name, (low, high) in zip(clock, _RANGES):
        numbers = numbers_of(raw, name)
        bad = (numbers != np.round(numbers)) | (numbers < low) | (numbers > high)
        if bad.any():
            raise DataError(
                f"{raw.at(int(np.argmax(bad)), name)}: no {name.lower()}; give whole numbers from {low} to {high}"
            )
        parts.append(numbers.astype(np.int64))
    year, month, *rest = parts
    months = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    stamps = months.astype("datetime64[us]")
    for size, first, count in zip((DAY, DAY // 24, DAY // 1440, DAY // 86_400), (1, 0, 0, 0), rest):
        stamps = stamps + ((count - first) * size).astype("timedelta64[us]")
    late = stamps.astype("datetime64[M]") != months
    if late.any():
        raise DataError(f"{raw.at(int(np.argmax(late)), clock[2])}: that month has no such day")
    return np.asarray(stamps)


def _zones(column: Column) -> set[str]:
    if column.codes is None:
        return set()
    return {match[1] if (match := _ZONE.search(text)) else "" for text in column.texts[0]}


def _months(column: Column) -> Any:
    """Stamps such as 1949-01, which tell the month alone."""
    if column.codes is None or not all(re.fullmatch(r"\d{4}-\d{2}", text) for text in column.texts[0]):
        return None
    found = parse_dates([f"{text}-01" for text in column.texts[0]], "iso")
    assert found is not None
    return found._replace(values=found.values[column.texts[1]], bad=found.bad[column.texts[1]])


def step_of(raw: Raw, stamps: np.ndarray, which: np.ndarray, time: str) -> Step:
    """The most common distance of neighbours; months where days alone do not repeat."""
    order = np.lexsort((stamps, which))
    ordered, same = stamps[order], np.diff(which[order]) == 0
    apart = np.diff(ordered)[same].astype(np.int64)
    apart = apart[apart > 0]
    if not len(apart):
        raise DataError(
            f"{raw.source}: a series of one row says nothing of the steps of {time!r}; give two rows or more"
        )
    if stamps.dtype.kind != "M":
        return Step("rows", int(np.bincount(apart[apart < 10**6]).argmax()) or 1)
    values, counts = np.unique(apart, return_counts=True)
    if 28 * DAY <= values[counts.argmax()] <= 366 * DAY:
        months = ordered.astype("datetime64[M]").astype(np.int64)
        between = np.diff(months)[same]
        between = between[between > 0]
        days = (ordered - ordered.astype("datetime64[M]").astype("datetime64[us]")).astype(np.int64)
        if len(between) and len(np.unique(days)) == 1:
            return Step("months", int(np.bincount(between).argmax()))
    return Step("microseconds", int(values[counts.argmax()]))
