"""MNIST's IDX format: a big-endian header (type, dimensions) and raw bytes, often gzipped.

Format: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from manyfit.errors import DataError

_UNSIGNED_BYTE = 0x08


def is_idx(path: Path) -> bool:
    """Whether a file's name says IDX: ``...-idx3-ubyte``, ``.idx`` with or without ``.gz``."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith(("-ubyte", ".idx", "idx3", "idx1")) or "-idx" in name or ".idx" in name


def read_idx(path: Path) -> np.ndarray:
    """The array of an IDX file of unsigned bytes, uint8, as many dimensions as it says.

    Raises ``DataError`` for a wrong magic number, another element type, and a
    file that is shorter or longer than its header says.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): fetch the file again") from error
    if len(raw) < 4 or raw[:2] != b"\0\0" or not 1 <= raw[3] <= 4:
        raise DataError(
            f"{path} is no IDX file: it starts with {raw[:4].hex(' ') or 'nothing'}, not with 00 00 08 03 "
            "(images) or 00 00 08 01 (labels); is it still compressed, or another format?"
        )
    if raw[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path} holds IDX elements of type 0x{raw[2]:02x}; unsigned bytes (0x08) are read")
    start = 4 + 4 * raw[3]
    if len(raw) < start:
        raise DataError(f"{path} is cut off within its header: fetch the file again")
    shape = struct.unpack(f">{raw[3]}I", raw[4:start])
    if len(raw) - start != math.prod(shape):
        fault = "is cut off" if len(raw) - start < math.prod(shape) else "has bytes left over"
        raise DataError(
            f"{path} {fault}: its header promises {' x '.join(map(str, shape))} bytes, "
            f"{len(raw) - start} follow; fetch the file again"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def read_idx_pair(source: Path, part: str | None = None) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Images ``(N, H, W)``, labels ``(N,)`` and the parts found, from a folder or an images file.

    In a folder ``part`` is ``"train"`` (the default) or ``"test"`` (``t10k``). Raises
    ``DataError`` for a file that is missing, of another rank, or of another count than its partner.
    """
    images_path, parts = _images_of(source, part)
    labels_path = _partner(images_path)
    images, labels = _images(images_path), read_idx(labels_path)
    if labels.ndim != 1:
        raise DataError(f"{labels_path} holds an array of {labels.ndim} dimensions, labels have 1")
    if len(images) != len(labels):
        raise DataError(
            f"{images_path.name} has {len(images)} images and {labels_path.name} {len(labels)} labels: "
            "they do not belong together"
        )
    return images, labels, parts


def read_idx_images(source: Path) -> np.ndarray:
    """The images alone ``(N, H, W)``, of a folder's training part or of a file; no labels are needed."""
    return _images(_images_of(source, None)[0])


def _images(path: Path) -> np.ndarray:
    images = read_idx(path)
    if images.ndim != 3:
        raise DataError(f"{path} holds an array of {images.ndim} dimensions, images have 3")
    return images


def _images_of(source: Path, part: str | None) -> tuple[Path, tuple[str, ...]]:
    """The file of images, and the parts that there are."""
    if source.is_dir():
        pairs = find_idx(source)
        chosen = part or ("train" if "train" in pairs else next(iter(pairs)))
        if chosen not in pairs:
            raise DataError(f"{source} has no {chosen!r} part: found {', '.join(pairs)}")
        return pairs[chosen], tuple(pairs)
    parts = (_part_of(source),)
    if "label" in source.name.lower():
        raise DataError(f"{source} holds labels: give the file of images, or their folder")
    if part not in (None, *parts):
        raise DataError(f"{source} is the {parts[0]!r} part: give the folder to read part={part!r}")
    return source, parts


def find_idx(folder: Path) -> dict[str, Path]:
    """Part -> file of images, of the IDX files in a folder (train first)."""
    found = [p for p in sorted(folder.iterdir()) if p.is_file() and is_idx(p) and "image" in p.name.lower()]
    pairs: dict[str, Path] = {}
    for path in found:
        pairs.setdefault(_part_of(path), path)  # x before x.gz
    return dict(sorted(pairs.items(), key=lambda pair: pair[0] != "train"))


def idx_labels(source: Path) -> list[int]:
    """Every label that occurs in any part, sorted, so that all parts number their classes alike."""
    files = list(find_idx(source).values()) if source.is_dir() else [source]
    return sorted({int(label) for file in files for label in np.unique(read_idx(_partner(file)))})


def _part_of(path: Path) -> str:
    name = path.name.lower()
    return "test" if "t10k" in name or "test" in name else "train"


def _partner(images: Path) -> Path:
    name = images.name.replace("images", "labels").replace("image", "label").replace("idx3", "idx1")
    stem = name.removesuffix(".gz")
    for candidate in (name, stem, stem + ".gz"):
        path = images.with_name(candidate)
        if path != images and path.exists():
            return path
    raise DataError(f"{images} has no labels beside it: expected {stem} or {stem}.gz")
