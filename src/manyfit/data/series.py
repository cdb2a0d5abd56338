"""Series from a table: rows by time on an even grid, what is missing filled from before and marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit.data.columns import Column
from manyfit.data.dates import phases
from manyfit.data.reading import Raw, load
from manyfit.errors import DataError

_ZONE = re.compile(r"\d{2}:\d{2}.*?(Z|[+-]\d{2}:?\d{2})$")
_DAY = 86_400_000_000  # microseconds
MOST_FILLED = 0.5
"""The share of filled steps beyond which a series is refused: its step is then probably not what was found."""


@dataclass(frozen=True)
class Step:
    """The distance of two steps: ``count`` months, microseconds or rows."""

    unit: str
    count: int

    def places(self, stamps: np.ndarray) -> np.ndarray:
        """float64: how many steps each stamp lies after 1970 (or row 0); whole numbers on the grid's phase."""
        if self.unit == "months":
            months = stamps.astype("datetime64[M]")
            rest = (stamps - months.astype("datetime64[us]")).astype(np.int64) / (31 * _DAY)
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
        for cycle in (_DAY, 7 * _DAY, 364 * _DAY):
            if self.count < cycle and cycle % self.count == 0 and cycle // self.count <= 1440:
                return cycle // self.count
        return 1

    def __str__(self) -> str:
        if self.unit == "rows":
            return "row"
        if self.unit == "months":
            return "month" if self.count == 1 else f"{self.count} months"
        for name, size in (("day", _DAY), ("hour", 3_600_000_000), ("minute", 60_000_000), ("second", 10**6)):
            if self.count % size == 0:
                many = self.count // size
                return name if many == 1 else f"{many} {name}s"
        return f"{self.count} microseconds"


@dataclass(frozen=True)
class SeriesData:
    """One or many series on an even grid, one after the other.

    ``values`` float32 ``(T, C)``: targets, then past covariates; ``observed`` bool ``(T, targets)``; ``known``
    float32 ``(T, K)``, for rows beyond the last target too: ``future`` of them for each series in ``after``.
    """

    source: str
    fingerprint: str
    targets: tuple[str, ...]
    past: tuple[str, ...]
    known_names: tuple[str, ...]
    values: np.ndarray
    observed: np.ndarray
    known: np.ndarray
    stamps: np.ndarray
    starts: tuple[int, ...]
    """Where each series begins; the last entry is T."""
    ids: tuple[str, ...]
    after: tuple[np.ndarray, ...]
    """Known covariates of the steps after each series' last, ``(future, K)``."""
    step: Step
    warnings: tuple[str, ...] = ()

    def series(self) -> list[tuple[int, int]]:
        """First and last-but-one place of each series."""
        return list(zip(self.starts[:-1], self.starts[1:]))


def calendar(stamps: np.ndarray, step: Step) -> np.ndarray:
    """Sine and cosine of the hour in the day, the day in the week and in the year, as far as the step tells them."""
    if step.unit == "rows":
        return np.zeros((len(stamps), 0), np.float32)
    size = 30 * _DAY * step.count if step.unit == "months" else step.count
    cycles = {"day": _DAY, "week": 7 * _DAY, "year": 365 * _DAY}
    found = [
        wave(2 * np.pi * phase)
        for name, phase in phases(stamps).items()
        if size < cycles[name]
        for wave in (np.sin, np.cos)
    ]
    return np.stack(found, axis=1).astype(np.float32) if found else np.zeros((len(stamps), 0), np.float32)


def read(
    source: Any,
    *,
    time: str | None = None,
    target: Sequence[str] = (),
    known: Sequence[str] = (),
    series: str | None = None,
    drop: Sequence[str] = (),
    header: bool = True,
    step: Step | None = None,
    future: bool = False,
) -> SeriesData:
    """Read series from a table (anything that ``data.reading.load`` takes).

    Args:
        time: the column of stamps: dates, or whole numbers; None takes the rows as they come, evenly spaced.
        target: columns to forecast; all numeric ones where none is named.
        known: numeric columns that are known of later steps too.
        series: a column that names the series of each row, for many in one table.
        step: the distance of two steps; found out where None.
        future: whether rows at the end may lack the targets and only tell what is known.

    Steps that the table lacks, and cells that are missing, take the value before (the first one where there is none
    before): nothing later is used. Raises ``DataError`` that names the file, the line and the mend.
    """
    raw = load(source, header=header)
    warnings: list[str] = []
    for what, names in (("target", target), ("known", known), ("drop", drop)):
        for name in names:
            raw.need(name, what)
    for what, one in (("time", time), ("series", series)):
        if one is not None:
            raw.need(one, what)
    special = {time, series, *drop, *known}
    if set(target) & special:
        name = sorted(set(target) & special)[0]
        raise DataError(f"{raw.source}: {name!r} is a target and something else too; say one of them")
    numeric = []
    for column in raw.columns:
        if column.name in special:
            continue
        if not column.as_numbers[1].any() and not column.missing.all():
            numeric.append(column.name)
        elif column.name in target:
            _numbers(raw, column.name)
        else:
            warnings.append(f"column {column.name!r} is left out: it holds no numbers")
    targets = tuple(target) or tuple(numeric)
    if not targets:
        raise DataError(f"{raw.source}: no column holds numbers to forecast")
    past = tuple(name for name in numeric if name not in targets)
    names = (*targets, *past)
    cells = np.stack([_numbers(raw, name) for name in names], axis=1)
    outside = np.stack([_numbers(raw, name) for name in known], axis=1) if known else np.zeros((len(raw), 0))
    stamps = _stamps(raw, time, warnings)
    which, ids = _which(raw, series)
    if step is None:
        step = Step("rows", 1) if time is None else _step_of(raw, stamps, which, time)
    parts = []
    for place, name in enumerate(ids):
        rows = np.flatnonzero(which == place)
        parts.append(
            _one(raw, rows, stamps, cells, outside, len(targets), step, name, time, future, warnings)
        )
    lengths = [len(part[0]) for part in parts]
    return SeriesData(
        source=raw.source,
        fingerprint=raw.fingerprint,
        targets=targets,
        past=past,
        known_names=tuple(known),
        values=np.concatenate([part[0] for part in parts]).astype(np.float32),
        observed=np.concatenate([part[1] for part in parts]),
        known=np.concatenate([part[2] for part in parts]).astype(np.float32),
        stamps=np.concatenate([part[3] for part in parts]),
        starts=(0, *(int(v) for v in np.cumsum(lengths))),
        ids=ids,
        after=tuple(part[4].astype(np.float32) for part in parts),
        step=step,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _one(
    raw: Raw,
    rows: np.ndarray,
    stamps: np.ndarray,
    cells: np.ndarray,
    outside: np.ndarray,
    targets: int,
    step: Step,
    name: str,
    time: str | None,
    future: bool,
    warnings: list[str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One series on its grid: values, observed, known, stamps, and what is known after its end."""
    of = f" of series {name!r}" if name else ""
    if np.any(np.diff(stamps[rows]) < stamps[:1] - stamps[:1]):
        warnings.append(f"the rows{of} are not in the order of {time!r}: they were sorted")
        rows = rows[np.argsort(stamps[rows], kind="stable")]
    here = stamps[rows]
    twice = np.flatnonzero(here[1:] == here[:-1])
    if len(twice):
        raise DataError(
            f"{raw.source}, {raw.rows(rows[twice + 1])}: the stamp {here[twice[0]]} of {time!r} is there twice{of}; "
            "keep one row a step, or name the column of the series (--series)"
        )
    if future and (~np.isnan(cells[rows][:, :targets])).any():
        last = int(np.flatnonzero(~np.isnan(cells[rows][:, :targets]).all(axis=1))[-1]) + 1
    else:
        last = len(rows)
    places = step.places(here) - step.places(here[:1])
    whole = np.round(places).astype(np.int64)
    off = np.flatnonzero(np.abs(places - whole) > 0.05)
    if len(off):
        raise DataError(
            f"{raw.source}, {raw.row(int(rows[off[0]]))}: the stamp {here[off[0]]} of {time!r} lies between two steps "
            f"of one {step}{of}; give stamps at even distances"
        )
    length, end = int(whole[last - 1]) + 1, int(whole[-1]) + 1
    gaps = length - last
    if gaps > MOST_FILLED * length:
        raise DataError(
            f"{raw.source}: of {length} steps of one {step}{of} {gaps} have no row; are the stamps of {time!r} even?"
        )
    table = np.full((length, cells.shape[1]), np.nan)
    table[whole[:last]] = cells[rows[:last]]
    ahead = np.full((end, outside.shape[1]), np.nan)
    ahead[whole] = outside[rows]
    if gaps:
        warnings.append(
            f"{gaps} of {length} steps of one {step}{of} have no row: filled with the value before, not scored"
        )
    observed = ~np.isnan(table[:, :targets])
    lost = int((~observed).sum()) - gaps * targets
    if lost > 0:
        warnings.append(
            f"{lost} values of the target{of} are missing: filled with the value before, not scored"
        )
    empty = np.flatnonzero(np.isnan(table).all(axis=0))
    if len(empty):
        raise DataError(f"{raw.source}: a column{of} has no value at all (place {empty[0]} among the inputs)")
    grid = step.stamps(here[0], np.arange(length))
    ahead = forward_fill(ahead)
    return forward_fill(table), observed, ahead[:length], grid, ahead[length:]


def forward_fill(table: np.ndarray) -> np.ndarray:
    """Missing cells take the value before them, the first value where there is none before: ``(T, C)``."""
    there = ~np.isnan(table)
    first = np.where(there.any(axis=0), there.argmax(axis=0), 0)
    places = np.where(there, np.arange(len(table))[:, None], first)
    return np.take_along_axis(table, np.maximum.accumulate(places, axis=0), axis=0)


def _numbers(raw: Raw, name: str) -> np.ndarray:
    numbers, bad = raw[name].as_numbers
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{raw.at(row, name)}: not a number; correct it, or leave the cell empty")
    if np.isinf(numbers).any():
        raise DataError(f"{raw.at(int(np.argmax(np.isinf(numbers))), name)}: infinite; leave the cell empty")
    return numbers


def _stamps(raw: Raw, time: str | None, warnings: list[str]) -> np.ndarray:
    if time is None:
        return np.arange(len(raw))
    column = raw[time]
    if column.missing.any():
        rows = raw.rows(np.flatnonzero(column.missing))
        raise DataError(f"{raw.source}, {rows}: the time {time!r} is missing; fill it in, or drop the row")
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


def _zones(column: Column) -> set[str]:
    if column.codes is None:
        return set()
    return {match[1] if (match := _ZONE.search(text)) else "" for text in column.texts[0]}


def _months(column: Column) -> Any:
    """Stamps such as 1949-01, which tell the month alone."""
    if column.codes is None or not all(re.fullmatch(r"\d{4}-\d{2}", text) for text in column.texts[0]):
        return None
    from manyfit.data.dates import parse_dates

    found = parse_dates([f"{text}-01" for text in column.texts[0]], "iso")
    assert found is not None
    return found._replace(values=found.values[column.texts[1]], bad=found.bad[column.texts[1]])


def _which(raw: Raw, series: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    if series is None:
        return np.zeros(len(raw), np.int32), ("",)
    if raw[series].missing.any():
        rows = raw.rows(np.flatnonzero(raw[series].missing))
        raise DataError(f"{raw.source}, {rows}: the series {series!r} is missing; fill it in")
    values, codes = raw[series].texts
    return codes, values


def _step_of(raw: Raw, stamps: np.ndarray, which: np.ndarray, time: str) -> Step:
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
    if 28 * _DAY <= values[counts.argmax()] <= 366 * _DAY:
        months = ordered.astype("datetime64[M]").astype(np.int64)
        between = np.diff(months)[same]
        between = between[between > 0]
        days = (ordered - ordered.astype("datetime64[M]").astype("datetime64[us]")).astype(np.int64)
        if len(between) and len(np.unique(days)) == 1:
            return Step("months", int(np.bincount(between).argmax()))
    return Step("microseconds", int(values[counts.argmax()]))
