"""Labelled series as the UCR and UEA archives write them: ``.tsv`` and ``.txt`` rows, and ``.ts`` files."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manyfit.data.reading import decode
from manyfit.errors import DataError

_MISSING = ("?", "nan", "na")
_SNIFFED = 1 << 16
"""Bytes of a file's beginning by which it is recognised."""


@dataclass(frozen=True)
class LabelledSeries:
    """``steps`` float32 ``(n, T, C)``, NaN where a series is shorter or a value is missing; ``labels`` ``(n,)``."""

    source: str
    fingerprint: str
    steps: np.ndarray
    labels: tuple[str, ...]
    """Empty where a ``.ts`` file says that it has none."""
    numbers: bool = False
    """Whether the labels are values to predict (``@targetlabel true``), not classes."""


def is_archive(path: Path) -> bool:
    """Whether a file is of the archives: a ``.ts`` file, or lines of a label and numbers without a header.

    >>> is_archive(Path("reviews.csv"))
    False
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".ts"):
        return True
    if not name.endswith((".tsv", ".txt", "_train", "_test")) or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_SNIFFED)
        if head[:2] == b"\x1f\x8b":
            head = zlib.decompressobj(wbits=31).decompress(head, _SNIFFED)
    except (OSError, zlib.error):
        return False  # who reads it as something else says what is wrong with it
    lines = [line for line in head.decode("utf-8", "replace").splitlines() if line.strip()][:3]
    cells = [_cells(line) for line in lines]
    return bool(cells) and all(len(row) > 2 for row in cells[:1]) and all(map(_is_number, cells[0]))


def read(path: Path) -> LabelledSeries:
    """Read a set; raises ``DataError`` that names the line.

    ``.ts``: channels between colons, the class last. Otherwise the first value of a line is the class, the rest
    (cut at tabs, commas or blanks) one channel, ``NaN`` padding the shorter ones.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); check the path and the file") from error
    fingerprint = "sha256:" + hashlib.sha256(content).hexdigest()
    lines = list(enumerate(decode(str(path), content).splitlines(), 1))
    ts = path.name.lower().removesuffix(".gz").endswith(".ts")
    rows: list[list[np.ndarray]] = []
    labels: list[str] = []
    first, started, numbers, labelled = 0, not ts, False, True
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if ts and (not started or text.startswith("@")):
            started = started or text.lower() == "@data"
            words = text.lower().split()
            if words[0] == "@timestamps" and words[-1] == "true":
                raise DataError(
                    f"{path}, line {number}: steps with stamps are not read; give their values alone"
                )
            numbers = numbers or (words[0] == "@targetlabel" and words[1:2] == ["true"])
            labelled = labelled and not (
                words[0] == "@classlabel" and words[1:2] == ["false"] and not numbers
            )
            continue
        channels = text.split(":") if ts else [text]
        cells = [_cells(part) for part in channels]
        if not ts:
            label, parts = _plain(cells[0][0]), [cells[0][1:]]
        elif labelled or numbers:
            label, parts = channels[-1].strip(), cells[:-1]
        else:
            label, parts = "", cells
        try:
            rows.append([np.array([np.nan if _is_missing(c) else float(c) for c in part]) for part in parts])
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}; give numbers") from None
        first = first or number
        if not rows[-1] or not len(rows[-1][0]) or len(rows[-1]) != len(rows[0]):
            raise DataError(
                f"{path}, line {number}: {len(rows[-1])} channels"
                + (
                    " and no label: write it last, after a colon"
                    if not rows[-1]
                    else f", line {first} has {len(rows[0])}"
                )
            )
        labels.append(label)
    if not rows:
        raise DataError(f"{path} holds no series" + ("" if started else ": it has no line @data"))
    longest = max(len(channel) for row in rows for channel in row)
    steps = np.full((len(rows), longest, len(rows[0])), np.nan, np.float32)
    for i, row in enumerate(rows):
        for c, channel in enumerate(row):
            steps[i, : len(channel), c] = channel
    if np.isinf(steps).any():
        raise DataError(
            f"{path}, series {int(np.argwhere(np.isinf(steps))[0, 0])} (from 0): an infinite value"
        )
    found = tuple(labels) if labelled or numbers else ()
    return LabelledSeries(str(path), fingerprint, steps, found, numbers)


def _cells(text: str) -> list[str]:
    return [cell for cell in text.replace("\t", ",").replace(" ", ",").split(",") if cell]


def _is_missing(cell: str) -> bool:
    return cell.lower() in _MISSING


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return _is_missing(cell)
    return True


def _plain(text: str) -> str:
    """Labels written as numbers in one way: ``1.0000000e+00`` and ``1`` alike."""
    try:
        value = float(text)
    except ValueError:
        return text
    return str(int(value)) if value.is_integer() else text
