"""Labelled series as the UCR and UEA archives write them: ``.tsv`` and ``.txt`` rows, and ``.ts`` files."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manyfit.errors import DataError


@dataclass(frozen=True)
class LabelledSeries:
    """``steps`` float32 ``(n, T, C)``, NaN where a series is shorter or a value is missing; ``labels`` ``(n,)``."""

    source: str
    fingerprint: str
    steps: np.ndarray
    labels: tuple[str, ...]


def read(path: Path) -> LabelledSeries:
    """Read a set; raises ``DataError`` that names the line.

    ``.ts``: channels between colons, the class last. Otherwise the first value of a line is the class, the rest
    (cut at tabs, commas or blanks) one channel, ``NaN`` padding the shorter ones.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    fingerprint = "sha256:" + hashlib.sha256(content).hexdigest()
    lines = list(enumerate(content.decode("utf-8", "replace").splitlines(), 1))
    ts = path.name.removesuffix(".gz").endswith(".ts")
    rows: list[list[np.ndarray]] = []
    labels = []
    started = not ts
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not started or text.startswith("@"):
            started = started or text.lower() == "@data"
            if text.lower().startswith("@targetlabel") and "true" in text.lower():
                raise DataError(f"{path} has numbers as targets; this reads classes")
            continue
        channels = text.split(":") if ts else [text]
        cells = [part.replace("\t", ",").replace(" ", ",").split(",") for part in channels]
        cells = [[cell for cell in part if cell] for part in cells]
        if ts:
            label, parts = ":".join(channels[-1:]).strip(), cells[:-1]
        else:
            label, parts = _plain(cells[0][0]), [cells[0][1:]]
        try:
            rows.append([np.array([np.nan if c == "?" else float(c) for c in part]) for part in parts])
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}; give numbers") from None
        if not rows[-1] or not len(rows[-1][0]) or len(rows[-1]) != len(rows[0]):
            raise DataError(
                f"{path}, line {number}: {len(rows[-1])} channels, line {lines[0][0]} has {len(rows[0])}"
            )
        labels.append(label)
    if len(rows) < 2 or len(set(labels)) < 2:
        raise DataError(
            f"{path}: {len(rows)} series of {len(set(labels))} classes; learning needs two of each or more"
        )
    longest = max(len(channel) for row in rows for channel in row)
    steps = np.full((len(rows), longest, len(rows[0])), np.nan, np.float32)
    for i, row in enumerate(rows):
        for c, channel in enumerate(row):
            steps[i, : len(channel), c] = channel
    return LabelledSeries(str(path), fingerprint, steps, tuple(labels))


def _plain(text: str) -> str:
    """Labels written as numbers in one way: ``1.0000000e+00`` and ``1`` alike."""
    try:
        value = float(text)
    except ValueError:
        return text
    return str(int(value)) if value.is_integer() else text
