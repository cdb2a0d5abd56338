"""Series from a table: rows by time on an even grid, what is missing filled from before and marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit.data.dates import phases
from manyfit.data.reading import Raw, load
from manyfit.data.stamps import DAY, Step, clock_of, fuller_clock, numbers_of, stamps_of, step_of
from manyfit.errors import DataError

MOST_FILLED = 0.5
"""The share of filled steps beyond which a series is refused: its step is then probably not what was found."""


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
    size = 30 * DAY * step.count if step.unit == "months" else step.count
    cycles = {"day": DAY, "week": 7 * DAY, "year": 365 * DAY}
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
        time: the column of stamps: dates, or whole numbers; or the names of several that tell a stamp together, with
            spaces between them (``"year month day hour"``); None takes the rows as they come, evenly spaced.
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
    clock = clock_of(raw, time)
    for what, names in (("time", clock), ("series", () if series is None else (series,))):
        for name in names:
            raw.need(name, what)
    special = {*clock, series, *drop, *known}
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
            numbers_of(raw, column.name)
        else:
            warnings.append(f"column {column.name!r} is left out: it holds no numbers")
    targets = tuple(target) or tuple(numeric)
    if not targets:
        raise DataError(f"{raw.source}: no column holds numbers to forecast")
    past = tuple(name for name in numeric if name not in targets)
    names = (*targets, *past)
    cells = np.stack([numbers_of(raw, name) for name in names], axis=1)
    outside = (
        np.stack([numbers_of(raw, name) for name in known], axis=1) if known else np.zeros((len(raw), 0))
    )
    stamps = stamps_of(raw, clock, warnings)
    which, ids = _which(raw, series)
    if step is None:
        step = Step("rows", 1) if time is None else step_of(raw, stamps, which, time)
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
        fuller = fuller_clock(raw, time)
        other = f'name all columns that tell it (--time "{fuller}")' if fuller else "keep one row a step"
        raise DataError(
            f"{raw.source}, {raw.rows(rows[twice + 1])}: the stamp {here[twice[0]]} of {time!r} is there twice{of}; "
            f"{other}, or name the column of the series (--series)"
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


def _which(raw: Raw, series: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    if series is None:
        return np.zeros(len(raw), np.int32), ("",)
    if raw[series].missing.any():
        rows = raw.rows(np.flatnonzero(raw[series].missing))
        raise DataError(f"{raw.source}, {rows}: the series {series!r} is missing; fill it in")
    values, codes = raw[series].texts
    return codes, values
