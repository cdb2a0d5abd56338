"""Checkpoints: written whole or not at all, proved by checksum, no pickle."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from manyfit.errors import RunError

_ARRAYS, _META = "state.safetensors", "state.json"
KEPT = 2


class Checkpoint(NamedTuple):
    """Named arrays and JSON-able facts, as of one moment."""

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]


def write_file(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``: after a crash either the old or the new file is there, whole.

    Raises ``RunError`` where the disk is full or the folder cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RunError(
            f"{path}: cannot be written ({error.strerror}); free some space, or choose another place"
        ) from error


def save_checkpoint(folder: Path, number: int, checkpoint: Checkpoint) -> None:
    """Write checkpoint ``number`` below ``folder`` and drop all but the newest ``KEPT``."""
    final = folder / f"{number:08d}"
    part = folder / f"{number:08d}.part"
    arrays = save({name: np.asarray(a, order="C") for name, a in checkpoint.arrays.items()})
    meta = json.dumps({"crc32": zlib.crc32(arrays), "bytes": len(arrays), "meta": checkpoint.meta}).encode()
    body = json.dumps({"crc32": zlib.crc32(meta), "body": meta.decode()}).encode()
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    except OSError as error:
        raise RunError(f"{part}: cannot be made ({error.strerror}); choose another run folder") from error
    try:
        write_file(part / _ARRAYS, arrays)
        write_file(part / _META, body)
    except RunError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    shutil.rmtree(final, ignore_errors=True)
    os.replace(part, final)
    _sync_folder(folder)
    for old in _numbered(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path) -> tuple[Checkpoint | None, int, list[str]]:
    """The newest checkpoint that is whole, its number, and a warning for each newer one that is not."""
    warnings: list[str] = []
    for place in reversed(_numbered(folder)):
        try:
            return _read(place), int(place.name), warnings
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            warnings.append(f"{place} is damaged ({error}); going on from the one before")
    return None, 0, warnings


def _read(place: Path) -> Checkpoint:
    outer = json.loads((place / _META).read_bytes())
    body = outer["body"].encode()
    if zlib.crc32(body) != outer["crc32"]:
        raise ValueError("checksum of its facts differs")
    facts = json.loads(body)
    arrays = (place / _ARRAYS).read_bytes()
    if len(arrays) != facts["bytes"]:
        raise ValueError(f"{len(arrays)} bytes where {facts['bytes']} were written")
    if zlib.crc32(arrays) != facts["crc32"]:
        raise ValueError("checksum of its arrays differs")
    return Checkpoint(load(arrays), facts["meta"])


def _numbered(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and p.name.isdigit())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
