"""Texts as files: a folder per class, and what their bytes say."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

from manyfit.data._pixels import hidden
from manyfit.data.reading import decode
from manyfit.errors import DataError

ENDINGS = (".txt", ".txt.gz", ".md")
_MOST = 1 << 30
"""Bytes that a compressed file may grow to."""


def is_text_file(path: Path) -> bool:
    """Whether the name is that of a file that holds one text."""
    return path.name.lower().endswith(ENDINGS)


def texts_in(folder: Path) -> list[Path]:
    """The text files below a folder, sorted, hidden ones left out."""
    found = (p for p in folder.rglob("*") if is_text_file(p) and not hidden(p.relative_to(folder)))
    return sorted(p for p in found if p.is_file())


def holds_texts(folder: Path) -> bool:
    """Whether a folder's class folders hold texts."""
    return folder.is_dir() and any(
        is_text_file(file)
        for place in sorted(folder.iterdir())
        if place.is_dir() and not hidden(Path(place.name))
        for file in sorted(place.iterdir())[:1000]
    )


def files_by_class(folder: Path) -> tuple[list[Path], list[str]]:
    """The texts of each class folder, and the class of each, in the order of their names.

    Raises ``DataError`` where there are no class folders, or one holds no text.
    """
    files: list[Path] = []
    labels: list[str] = []
    for place in sorted(p for p in folder.iterdir() if p.is_dir() and not hidden(Path(p.name))):
        found = texts_in(place)
        if not found:
            raise DataError(
                f"{place} holds no texts (read are {', '.join(ENDINGS)}): remove the folder, or fill the class"
            )
        files += found
        labels += [place.name] * len(found)
    if len(set(labels)) < 2:
        raise DataError(
            f"{folder} has {len(set(labels))} class folder, and classes are told apart: "
            f"sort the texts as {folder.name}/good/1.txt and {folder.name}/bad/1.txt"
        )
    return files, labels


def class_of(file: Path, folder: Path) -> str:
    """The class folder below ``folder`` that a text lies in; raises ``DataError`` for one that lies loose."""
    inner = file.relative_to(folder).parts
    if len(inner) < 2:
        raise DataError(
            f"{file} lies in no folder of a class; to score texts sort them as {folder.name}/good/1.txt"
        )
    return inner[0]


def read_texts(paths: Sequence[Path], encoding: str) -> list[str]:
    """What the files hold; raises ``DataError`` that names the file and line of what cannot be read."""
    return [_read(path, encoding) for path in paths]


def _read(path: Path, encoding: str) -> str:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                data = file.read(_MOST)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the compressed file is damaged ({error}); fetch it anew") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return decode(str(path), data, encoding)
