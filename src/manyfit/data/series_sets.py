"""Series with labels: a class or a value for each, from the archives' files or a long table."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.data import ucr
from manyfit.data.columns import MISSING, Column, column_of
from manyfit.data.reading import Raw, load
from manyfit.data.schema import Schema, finite_numbers
from manyfit.data.table import read as read_table
from manyfit.errors import ConfigError, DataError

LABEL = "class"
"""What the label of an archive's series is called."""
_PLACE = "\0row"
"""A column that stands for the series while the table of labels is judged."""


@dataclass(frozen=True)
class SeriesSchema:
    """How labelled series are read for a trained model, as JSON."""

    labels: Schema
    """The label, and how the source was written; it has no input columns."""
    channels: tuple[str, ...]
    length: int
    """Steps that the longest training series has."""
    most: int | None = None
    """Steps that are read of a series, from its beginning; all where None."""
    series: str | None = None
    """Of a long table the column that says which series a row is of; None for the archives' files."""
    time: str | None = None
    header: bool = True

    def read(self, source: Any) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """Steps ``(n, T, C)`` float32, lengths ``(n,)`` and the names of the series; ``T`` at least ``length``.

        ``source`` is a file as in training, or an array ``(n, T)`` or ``(n, T, C)``, NaN after a series' end.

        Raises ``DataError`` for what cannot be read, or has other channels.
        """
        names: tuple[str, ...] = ()
        if isinstance(source, np.ndarray):
            steps = np.asarray(source, np.float32)
            steps = steps[..., None] if steps.ndim == 2 else steps
            where = "the array"
        elif self.series is None:
            if not isinstance(source, (str, Path)) or not ucr.is_archive(Path(source)):
                raise DataError(
                    f"{source}: the model reads files of the archives (.ts, .tsv), and this is none"
                )
            steps, where = ucr.read(Path(source)).steps, str(source)
        else:
            raw = load(source, header=self.header)
            steps, names, _ = _long(raw, self.series, self.time, self.channels, [])
            where = raw.source
        if steps.ndim != 3 or steps.shape[2] != len(self.channels):
            raise DataError(f"{where} has {steps.shape[-1]} channels; the model reads {len(self.channels)}")
        steps, lengths, _ = filled(steps[:, : self.most], self.length)
        return steps, lengths, names

    def encode(self, source: Any) -> dict[str, np.ndarray]:
        """``steps`` float32 ``(n, T, C)``, zeros after a series' end, and ``lengths`` int32 ``(n,)``."""
        steps, lengths, _ = self.read(source)
        return {"steps": steps, "lengths": lengths}

    def encode_target(self, source: Any) -> np.ndarray:
        """The labels of the series that ``encode`` gives: int32 class indices, or float32 values."""
        if self.series is None:
            found = ucr.read(Path(source))
            if not found.labels:
                raise DataError(
                    f"{found.source} has no labels (@classLabel false), which are needed to score"
                )
            raw = _labels(found)
        else:
            raw = load(source, header=self.header)
            raw.need(self.labels.target, "target")
            _, _, first = _long(raw, self.series, self.time, self.channels, [])
            _constant(raw, self.labels.target, self.series)
            raw = raw.take(first)
        return self.labels.encode_target(raw)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {
            **plain,
            "kind": "labelled series",
            "labels": self.labels.to_json(),
            "channels": [*self.channels],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> SeriesSchema:
        """The schema that ``to_json`` wrote. Raises ``DataError`` for anything else."""
        try:
            if content["kind"] != "labelled series" or int(content["length"]) < 1:
                raise ValueError(f"kind {content['kind']!r}, length {content['length']!r}")
            given = {name: content[name] for name in ("length", "most", "series", "time", "header")}
            return cls(Schema.from_json(content["labels"]), tuple(content["channels"]), **given)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"this is no schema of labelled series: {error!r}") from error


@dataclass(frozen=True)
class SeriesSet:
    """Labelled series. ``read`` makes them."""

    steps: np.ndarray = field(repr=False)
    """float32 ``(n, T, C)``, zeros after a series' end; a channel that is missing throughout is NaN."""
    lengths: np.ndarray
    """int32 ``(n,)``."""
    target: np.ndarray
    """``(n,)``: int32 index into ``classes``, or float32 values."""
    schema: SeriesSchema
    weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    source: str = "the series"
    fingerprint: str = ""
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.target)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names; empty for values."""
        return tuple(self.schema.labels.classes)

    def summary(self) -> str:
        """One line: how many series, how long, of how many channels."""
        least, most = int(self.lengths.min()), int(self.lengths.max())
        steps = f"{most}" if least == most else f"{least} to {most}"
        channels = len(self.schema.channels)
        return f"{len(self):,} series of {steps} steps, {channels} channel{'s' if channels > 1 else ''}"


def read(
    source: Any,
    target: str | None = None,
    *,
    series: str | None = None,
    time: str | None = None,
    task: str | None = None,
    group: str | None = None,
    weight: str | None = None,
    drop: Sequence[str] = (),
    length: int | None = None,
    header: bool = True,
    missing_target: str = "refuse",
) -> SeriesSet:
    """Read labelled series.

    ``source`` is a file of the UCR and UEA archives (``.ts``, ``.tsv``), whose lines hold their label, or any table
    with a row a step: ``series`` is the column that says which series a row is of, ``target`` the label, the same in
    all rows of a series, ``time`` the column to sort by (otherwise rows are taken as they come); every other column
    of numbers is a channel. Steps are taken to be evenly spaced. A missing value within a series is interpolated
    between its neighbours. ``length`` is how many steps are read of a series, from its beginning.

    Raises ``DataError`` for what cannot be learned from, naming the place and the mend.

    >>> table = {"id": [1, 1, 2, 2, 3, 4], "x": [0.0, 1.0, 5.0, 6.0, 7.0, 2.0], "y": ["a", "a", "b", "b", "b", "a"]}
    >>> found = read(table, "y", series="id")
    >>> found.steps[:, :, 0].tolist(), found.lengths.tolist(), found.classes
    ([[0.0, 1.0], [5.0, 6.0], [7.0, 0.0], [2.0, 0.0]], [2, 2, 1, 1], ('a', 'b'))
    """
    if length is not None and length < 1:
        raise ConfigError(f"length={length}: give the number of steps to read of a series, at least 1")
    warnings: list[str] = []
    special: dict[str, Any] = {}
    if series is None:
        given = {"target": target, "time": time, "group": group, "weight": weight}
        for name, value in given.items():
            if value is not None:
                raise ConfigError(
                    f"{source}: --{name} names a column, and this is a file of labelled series; leave it out"
                )
        if drop:
            raise ConfigError(f"{source}: --drop names columns, and this is a file of labelled series")
        found = ucr.read(Path(source))
        if not found.labels:
            raise DataError(f"{found.source} has no labels (@classLabel false), so there is nothing to learn")
        raw, steps = _labels(found), found.steps
        channels = tuple(f"channel {c}" for c in range(steps.shape[2]))
        aim, task = LABEL, task or ("regression" if found.numbers else "classification")
    else:
        if target is None:
            raise ConfigError("say which column is the label of the series: target (--target)")
        whole = load(source, header=header)
        for name, value in {
            "target": target, "series": series, "time": time, "group": group, "weight": weight,
        }.items():  # fmt: skip
            if value is not None:
                whole.need(value, name)
        used = [name for name in (target, series, time, group, weight) if name is not None]
        if len(set(used)) < len(used):
            raise ConfigError(f"{', '.join(map(repr, used))}: one column has two roles; name each once")
        for name in drop:
            whole.need(name, "drop")
        channels = _channels(whole, {*used, *drop}, warnings)
        steps, _, first = _long(whole, series, time, channels, warnings)
        for column in (target, group, weight):
            if column is not None:
                _constant(whole, column, series)
        raw, aim = whole.take(first), target
        special = {"group": group, "weight": weight}
    rows = np.arange(len(raw))
    if missing_target == "drop":
        rows = np.flatnonzero(~raw[aim].missing)
    wanted = {aim, *special.values()}
    labels = Raw(
        raw.source,
        (
            Column(_PLACE, numbers=np.arange(len(raw), dtype=np.float64)),
            *(c for c in raw.columns if c.name in wanted),
        ),
        raw.fingerprint,
        raw.named,
        raw.lines,
    )
    table = read_table(
        labels, aim, task=task, kinds={_PLACE: "number"}, missing_target=missing_target, **special
    )
    warnings += table.warnings
    learned = table.schema
    steps, lengths, gaps = filled(steps[rows][:, :length])
    if gaps:
        warnings.append(f"{gaps:,} missing values within series were interpolated between their neighbours")
    flat = [name for c, name in enumerate(channels) if _constant_channel(steps[:, :, c], lengths)]
    if len(flat) == len(channels):
        raise DataError(f"{raw.source}: every channel is constant; there is nothing to learn from")
    if flat:
        warnings.append(
            f"{flat[0]!r} is constant" + (f", and {len(flat) - 1} more channels" if flat[1:] else "")
        )
    schema = SeriesSchema(
        Schema((), (), aim, learned.task, learned.classes, MISSING, raw.named),
        channels,
        steps.shape[1],
        length,
        series,
        time,
        header,
    )
    digest = hashlib.sha256(repr((channels, learned.classes)).encode())
    for part in (steps, lengths, np.ascontiguousarray(table.target)):
        digest.update(part.tobytes())
    return SeriesSet(
        steps=steps,
        lengths=lengths,
        target=table.target,
        schema=schema,
        weight=table.weight,
        groups=table.groups,
        source=raw.source,
        fingerprint="sha256:" + digest.hexdigest(),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def filled(steps: np.ndarray, least: int = 1) -> tuple[np.ndarray, np.ndarray, int]:
    """Gaps interpolated, zeros after the end: ``steps`` ``(n, T, C)`` with NaN, to steps, lengths and gaps filled.

    A series ends after its last step at which any channel has a value; ``T`` is what the longest needs, at least
    ``least``. A channel without any value stays NaN.

    >>> found = filled(np.array([[[1.0], [np.nan], [3.0], [np.nan]]], np.float32))
    >>> found[0].ravel().tolist(), found[1].tolist(), found[2]
    ([1.0, 2.0, 3.0], [3], 1)
    """
    there = ~np.isnan(steps)
    some = there.any(axis=2)
    count = steps.shape[1]
    lengths = np.where(some.any(axis=1), count - np.argmax(some[:, ::-1], axis=1), 0).astype(np.int32)
    if len(lengths) and lengths.min() == 0:
        raise DataError(f"series {int(np.argmin(lengths))} (from 0) has no value at all; leave it out")
    size = max(least, int(lengths.max(initial=1)))
    result = np.zeros((len(steps), size, steps.shape[2]), np.float32)
    result[:, :count] = np.nan_to_num(steps[:, :size])
    inside = np.arange(count) < lengths[:, None]
    gaps = ~there & inside[..., None]
    for i, c in np.argwhere(gaps.any(axis=1)):
        places = np.arange(lengths[i])
        known = there[i, : lengths[i], c]
        if known.any():
            result[i, : lengths[i], c] = np.interp(places, places[known], steps[i, : lengths[i], c][known])
        else:
            result[i, : lengths[i], c] = np.nan
    return result, lengths, int(gaps.sum())


def _long(
    raw: Raw, series: str, time: str | None, channels: Sequence[str], warnings: list[str]
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Steps ``(n, T, C)`` with NaN, the series' names in the order of their first rows, and those rows."""
    for name in (series, *([time] if time else ()), *channels):
        raw.need(name, "series" if name == series else "time" if name == time else "a channel of the model")
    if raw[series].missing.any():
        rows = raw.rows(np.flatnonzero(raw[series].missing))
        raise DataError(f"{raw.source}, {rows}: the series {series!r} is missing; fill it in")
    texts, codes = raw[series].texts
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(len(first))
    which = place[which]
    first = np.sort(first)
    order = np.argsort(which, kind="stable")
    if time is not None:
        stamps = _stamps(raw, time)
        order = np.lexsort((stamps, which))
        same = which[order][1:] == which[order][:-1]
        twice = np.flatnonzero(same & (stamps[order][1:] == stamps[order][:-1]))
        if len(twice):
            row = int(order[twice[0] + 1])
            raise DataError(
                f"{raw.source}, {raw.row(row)}: a stamp of {time!r} is there twice in series "
                f"{texts[codes[row]]!r}; keep one row a step"
            )
        if np.any(np.diff(stamps)[np.diff(which) == 0] < stamps[:1] - stamps[:1]):
            warnings.append(f"rows are not in the order of {time!r}: they were sorted")
    counts = np.bincount(which)
    steps = np.full((len(counts), counts.max(), len(channels)), np.nan, np.float32)
    inside = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    cells = np.stack([finite_numbers(raw[name], raw) for name in channels], axis=1)
    steps[which[order], inside] = cells[order]
    return steps, tuple(texts[codes[row]] for row in first), first


def _stamps(raw: Raw, time: str) -> np.ndarray:
    column = raw[time]
    if column.missing.any():
        rows = raw.rows(np.flatnonzero(column.missing))
        raise DataError(f"{raw.source}, {rows}: the time {time!r} is missing; fill it in, or drop the row")
    numbers, bad = column.as_numbers
    if not bad.any():
        return numbers
    found = column.as_dates()
    if found is None or found.bad.any():
        row = int(np.argmax(bad if found is None else found.bad))
        raise DataError(f"{raw.at(row, time)}: neither a number nor a date")
    return found.values


def _channels(raw: Raw, taken: set[str], warnings: list[str]) -> tuple[str, ...]:
    rest = [name for name in raw.names if name not in taken]
    numeric = tuple(
        name for name in rest if not raw[name].as_numbers[1].any() and not raw[name].missing.all()
    )
    if not numeric:
        raise DataError(f"{raw.source}: no column of numbers is left to be a channel of the series")
    left = [name for name in rest if name not in numeric]
    if left:
        warnings.append(f"{len(left)} columns hold no numbers and are left out, such as {left[0]!r}")
    return numeric


def _constant(raw: Raw, name: str, series: str) -> None:
    """Refuse a series whose rows say different things of what is said once a series."""
    which, codes = raw[series].texts[1], raw[name].texts[1]
    _, first, back = np.unique(which, return_index=True, return_inverse=True)
    differs = np.flatnonzero(codes != codes[first[back]])
    if len(differs):
        row = int(differs[0])
        raise DataError(
            f"{raw.at(row, name)}: series {raw[series].texts[0][which[row]]!r} has another value in its first row; "
            "give one value a series"
        )


def _constant_channel(values: np.ndarray, lengths: np.ndarray) -> bool:
    inside = values[np.arange(values.shape[1]) < lengths[:, None]]
    inside = inside[~np.isnan(inside)]
    return not len(inside) or float(np.ptp(inside)) == 0.0


def _labels(found: ucr.LabelledSeries) -> Raw:
    """The labels of an archive's file as a table of one column."""
    column = column_of(LABEL, found.labels, ("?",))
    return Raw(found.source, (column,), found.fingerprint)
