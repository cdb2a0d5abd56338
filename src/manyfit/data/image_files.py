"""Where images lie: a folder per class, a table of paths, the parts of a data set."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.data._pixels import SUFFIXES, hidden, images_in, read_npz
from manyfit.data.idx import find_idx, is_idx, read_idx_images
from manyfit.errors import DataError, no_column

_PARTS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "val", "valid", "validation"),
}


def lists_images(path: Path) -> bool:
    """Whether a CSV or TSV file has a column of image paths, by its first rows."""
    if not (is_table(path) and path.is_file()):
        return False
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(itertools.islice(csv.reader(file, delimiter=_delimiter(path)), 1, 21))
    except (OSError, UnicodeDecodeError, csv.Error):
        return False  # the reader of tables says what is wrong
    return bool(rows) and any(
        all(cell.strip().lower().endswith(SUFFIXES) for cell in column) for column in zip(*rows)
    )


def is_table(path: Path) -> bool:
    """Whether the name is that of a CSV or TSV file; whether it exists is for its reader to say."""
    return path.name.lower().endswith((".csv", ".tsv")) and not path.is_dir()


def is_idx_source(path: Path) -> bool:
    """Whether this is an IDX file, or a folder that holds some."""
    return (path.is_dir() and bool(find_idx(path))) or (path.is_file() and is_idx(path))


def class_of(file: Path, root: Path) -> str:
    """The name of the class folder below ``root`` that an image lies in."""
    inner = file.relative_to(root).parts if root.is_dir() else ()
    if len(inner) < 2:
        raise DataError(
            f"{file} lies in no folder of a class; to score images sort them as {root.name}/cat/1.png"
        )
    return inner[0]


def image_paths(source: str | Path | Iterable[str | Path]) -> list[Path]:
    """The images of a folder (recursively, sorted), a table of paths, a file, or a list of paths.

    Raises ``DataError`` where there are none or one does not exist.
    """
    if isinstance(source, (str, Path)) and Path(source).is_dir():
        paths = images_in(Path(source))
    elif isinstance(source, (str, Path)) and is_table(Path(source)) and Path(source).exists():
        paths, _ = files_in_table(Path(source), None)
    else:
        paths = [Path(p) for p in ([source] if isinstance(source, (str, Path)) else source)]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} does not exist")
    if not paths:
        raise DataError(f"{source}: no images here (read are {', '.join(SUFFIXES)})")
    return paths


def files_of(source: str | Path) -> list[Path]:
    """The files of the images that ``ImageSchema.encode`` gives, in its order; none where they lie in one array."""
    return [] if arrays_of(source) is not None else image_paths(source)


def skipped(folder: Path) -> list[str]:
    """A warning where the folder (or one in it) holds files that are no images; hidden ones do not count."""
    others = sorted(
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if p.is_file() and p.suffix.lower() not in SUFFIXES and not hidden(p.relative_to(folder))
    )
    return [f"{len(others)} files are no images and were left out, such as {others[0]}"] if others else []


def part_folder(folder: Path, part: str | None) -> Path:
    """The folder of a part, where a folder is split into train/ and test/ (or val/)."""
    inner = sorted(p.name for p in folder.iterdir() if p.is_dir() and not hidden(Path(p.name)))
    split = bool(inner) and all(name.lower() in _PARTS["train"] + _PARTS["test"] for name in inner)
    if part is None and not split:
        return folder
    if part is None:
        raise DataError(
            f"{folder} holds the parts {', '.join(inner)}, not classes: "
            f"read one of them, such as {folder / inner[0]}, or give part='train'"
        )
    for name in _PARTS[part]:
        for place in inner:
            if place.lower() == name:
                return folder / place
    raise DataError(f"{folder} has no folder {part!r}: it holds {', '.join(inner) or 'no folders'}")


def files_in_folder(folder: Path) -> tuple[list[Path], list[str]]:
    """The images of a folder per class, and the class of each, both in the order of their names.

    Raises ``DataError`` where there are no class folders, or one holds no image.
    """
    inner = sorted(p for p in folder.iterdir() if p.is_dir() and not hidden(Path(p.name)))
    if not inner:
        loose = "its images lie loose" if images_in(folder) else "it holds no images"
        raise DataError(f"{folder} has no folder per class ({loose}): sort them as {folder.name}/cat/1.png")
    files, labels = [], []
    for place in inner:
        found = images_in(place)
        if not found:
            raise DataError(
                f"{place} holds no images (read are {', '.join(SUFFIXES)}): remove the folder, or fill the class"
            )
        files += found
        labels += [place.name] * len(found)
    return files, labels


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def files_in_table(path: Path, target: str | None) -> tuple[list[Path], list[str]]:
    """The images that a table lists, and their labels (none without ``target``)."""
    try:
        rows = list(
            csv.DictReader(io.StringIO(path.read_text("utf-8-sig")), delimiter=_delimiter(path), restval="")
        )
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no readable table ({error}): save it as UTF-8 text") from error
    if not rows:
        raise DataError(f"{path} has no rows below its header")
    columns = [name for name in rows[0] if name is not None]
    if target is not None and target not in columns:
        raise no_column(path, target, columns, "target")
    candidates = [
        name
        for name in columns
        if name != target and all((row[name] or "").strip().lower().endswith(SUFFIXES) for row in rows)
    ]
    if not candidates:
        raise DataError(f"{path} has no column of image paths (every row ending in {', '.join(SUFFIXES)})")
    root, files, labels = path.parent.resolve(), [], []
    for number, row in enumerate(rows, start=2):
        name = (row[candidates[0]] or "").strip()
        label = None if target is None else (row[target] or "").strip()
        file = path.parent / name
        if not file.resolve().is_relative_to(root):
            raise DataError(
                f"{path}, line {number}: {name!r} lies outside of the table's folder; move the image below it"
            )
        if not file.is_file():
            raise DataError(f"{path}, line {number}: {name!r} does not exist in {path.parent}")
        if label == "":
            raise DataError(f"{path}, line {number}: no value in {target!r}; fill it in, or remove the row")
        files.append(file)
        if label is not None:
            labels.append(label)
    return files, labels


def arrays_of(source: Any) -> np.ndarray | None:
    """The images of an ``.npz`` or IDX source; None where images are files of their own."""
    path = Path(source) if isinstance(source, (str, Path)) else None
    if path is None or not path.exists():
        return None
    if is_idx_source(path):
        return read_idx_images(path)
    return read_npz(path, None, labels=False)[0] if path.suffix.lower() == ".npz" else None
