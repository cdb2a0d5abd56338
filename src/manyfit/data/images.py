"""Images from disk to one array: a folder per class, a table of paths, ``.npz``, MNIST's IDX."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.data._pixels import (
    SUFFIXES,
    array_pixels,
    common_size,
    decode,
    header,
    hidden,
    images_in,
    read_npz,
    resize_all,
    to_channels,
)
from manyfit.data.idx import find_idx, idx_labels, is_idx, read_idx_images, read_idx_pair
from manyfit.errors import ConfigError, DataError, nearest

_PARTS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "val", "valid", "validation"),
}
_MODES = {"L": 1, "GREY": 1, "GRAY": 1, "RGB": 3}
_MANY_VALUES = 50
"""Whole numbers in a target column are classes up to so many different ones."""


@dataclass(frozen=True)
class ImageSchema:
    """What an image must look like for a trained model, as JSON."""

    height: int
    width: int
    channels: int
    classes: tuple[str, ...] = ()
    resize: bool = False
    """Whether images of another size are resized, as those of the training were."""
    target: str | None = None
    """The column of labels, where the images were listed in a table."""

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {"kind": "images", **asdict(self), "classes": list(self.classes)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> ImageSchema:
        """The schema that ``to_json`` wrote. Raises ``DataError`` for a record of another kind."""
        try:
            values = {name: int(record[name]) for name in ("height", "width", "channels")}
            target = record.get("target")
            return cls(
                **values,
                classes=tuple(map(str, record["classes"])),
                resize=bool(record["resize"]),
                target=None if target is None else str(target),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"this is no schema of images: {error!r}") from error

    def encode(self, source: str | Path | Sequence[str | Path] | np.ndarray) -> dict[str, np.ndarray]:
        """``{"pixels": uint8 (n, height, width, channels)}`` of a folder, file, list of paths or array.

        A file is an image, a table of paths, an ``.npz`` or IDX. A folder's images
        come in the order of ``image_paths``. Raises ``DataError`` as ``read`` does,
        and for a size that the model was not trained on.
        """
        size = (self.height, self.width)
        arrays = source if isinstance(source, np.ndarray) else _arrays_of(source)
        if arrays is not None:
            what = "the array" if isinstance(source, np.ndarray) else str(source)
            pixels = array_pixels(arrays, what, [])
            if pixels.shape[1:3] != size:
                if not self.resize:
                    raise DataError(self._wrong_size(pixels.shape[1:3], what))
                pixels = resize_all(pixels, size)
            return {"pixels": to_channels(pixels, self.channels)}
        assert not isinstance(source, np.ndarray)
        paths = image_paths(source)
        for path in paths:
            found, _ = header(path)
            if found != size and not self.resize:
                raise DataError(self._wrong_size(found, str(path)))
        return {"pixels": decode(paths, size, self.channels, [])}

    def encode_target(self, source: str | Path) -> np.ndarray:
        """The labels of the images that ``encode`` gives, in its order: int32 class indices, or float32 values.

        Raises ``DataError`` for images without a label, or of a class that training did not know.
        """
        path = Path(source)
        labels: Any
        if not path.exists():
            raise DataError(f"{path} does not exist")
        if _is_idx_source(path):
            labels = read_idx_pair(path)[1]
        elif path.suffix.lower() == ".npz":
            labels = read_npz(path, None)[1]
        elif _is_table(path):
            labels = _table(path, self.target or "label")[1]
        else:
            labels = [_class_of(file, path) for file in image_paths(path)]
        return _target(labels, str(path), self.classes, numbers=True)[0]

    def _wrong_size(self, size: Sequence[int], what: str) -> str:
        return (
            f"{what}: {size[0]}x{size[1]} pixels, the model was trained on {self.height}x{self.width}: resize "
            "them, or train with size= (--size), so that every image is resized"
        )


@dataclass(frozen=True)
class Images:
    """Labelled images in memory. ``read`` makes them."""

    pixels: np.ndarray
    """uint8 ``(N, H, W, C)``, C 1 (grey) or 3 (RGB)."""
    target: np.ndarray
    """``(N,)``: int32 index into ``classes``, or float32 values where ``classes`` is empty."""
    classes: tuple[str, ...]
    paths: tuple[str, ...] = ()
    """The file of each image, relative to the source; empty for arrays."""
    warnings: tuple[str, ...] = ()
    part: str | None = None
    parts: tuple[str, ...] = ()
    """The official parts that the source holds; ``read(source, part="test")`` reads another."""
    resized: bool = False
    source: str = "the images"
    label: str | None = None
    """The column of labels, where a table lists the images."""
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(repr((self.pixels.shape, self.target.dtype.str, self.classes)).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        digest.update(np.ascontiguousarray(self.target).data)
        object.__setattr__(self, "fingerprint", "sha256:" + digest.hexdigest())

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def schema(self) -> ImageSchema:
        """What the images of a prediction must look like."""
        height, width, channels = self.pixels.shape[1:]
        return ImageSchema(height, width, channels, self.classes, self.resized, self.label)

    def summary(self) -> str:
        """One line: how many images, their size, the classes and their counts."""
        count, height, width, channels = self.pixels.shape
        line = f"{count:,} images of {height}x{width}, {'grey' if channels == 1 else 'RGB'}"
        if not self.classes:
            return f"{line}, target from {self.target.min():g} to {self.target.max():g}"
        counts = np.bincount(self.target, minlength=len(self.classes))
        spread = (
            f"{counts.min():,}" if counts.min() == counts.max() else f"{counts.min():,} to {counts.max():,}"
        )
        return f"{line}, {len(self.classes)} classes of {spread} images"


def read(
    source: str | Path,
    *,
    target: str | None = None,
    size: int | tuple[int, int] | None = None,
    mode: str | None = None,
    part: str | None = None,
    classes: Sequence[str] | None = None,
) -> Images:
    """Read labelled images.

    ``source`` is a folder with a folder per class, a CSV or TSV file with a
    column of paths (relative to the file) and the column ``target``, an
    ``.npz`` file (``x`` or ``images``, ``y`` or ``labels``), or MNIST's IDX (a
    folder or its file of images). ``size`` (height, width) resizes every image
    with antialiasing, its proportions given up; without it images of different
    sizes are refused. ``mode`` is ``"L"`` (grey) or ``"RGB"``; by default grey
    where all images are. ``part`` picks ``"train"`` or ``"test"`` where the
    source holds both; ``classes`` fixes the classes and their order, such as
    those that another part has. EXIF orientation is applied, transparency is laid on
    white, 16 bits are scaled to 8, of an animation the first frame is taken.

    Whole numbers in a target column are classes up to 50 different values;
    other numbers are a regression target.

    Raises ``DataError``, naming the file and the mend, for anything that
    cannot be used, and ``ConfigError`` for arguments that contradict.
    """
    path = Path(source).expanduser()
    channels = _channels(mode)
    shape = _size(size)
    if part not in (None, "train", "test"):
        raise ConfigError(f"part={part!r}: give 'train' or 'test'")
    if not path.exists():
        raise DataError(f"{path} does not exist")
    table = _is_table(path)
    if target is not None and not table and (path.is_file() or target != "folder"):
        raise ConfigError(f"target={target!r} names a column of a table; {path} is none: leave it out")
    if _is_idx_source(path):
        images, labels, parts = read_idx_pair(path, part)
        known = [str(label) for label in idx_labels(path)] if classes is None else classes
        return _arrays(path, images, labels, known, (part or parts[0], parts), shape, channels)
    if path.is_file() and path.suffix.lower() == ".npz":
        images, labels, everything, parts = read_npz(path, part)
        shared = _classes(everything, str(path), numbers=True) if len(parts) > 1 else ()
        return _arrays(
            path,
            images,
            labels,
            classes or shared or None,
            (part or (*parts, None)[0], parts),
            shape,
            channels,
        )
    notes: list[str] = []
    if path.is_dir():
        root = _part_folder(path, part)
        files, texts = _folder(root)
        notes += _skipped(root)
    elif table:
        if target is None:
            raise DataError(f"{path} lists images: say which with target= (--target) is the column of labels")
        root, (files, texts) = path.parent, _table(path, target)
    else:
        raise DataError(
            f"{path}: a folder with a folder per class, a .csv or .tsv of paths, an .npz or an IDX file is read"
        )
    values, names = _target(texts, str(path), classes, numbers=table)
    found = [header(file) for file in files]
    shape = shape or common_size(files, [size for size, _ in found])
    if channels is None:
        channels = 1 if all(grey for _, grey in found) else 3
    pixels = decode(files, shape, channels, notes)
    relative = tuple(file.relative_to(root).as_posix() for file in files)
    label = target if table else None
    return Images(pixels, values, names, relative, tuple(notes), part, (), size is not None, str(path), label)


def lists_images(path: Path) -> bool:
    """Whether a CSV or TSV file has a column of image paths, by its first rows."""
    if not (_is_table(path) and path.is_file()):
        return False
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(itertools.islice(csv.reader(file, delimiter=_delimiter(path)), 1, 21))
    except (OSError, UnicodeDecodeError, csv.Error):
        return False  # the reader of tables says what is wrong
    return bool(rows) and any(
        all(cell.strip().lower().endswith(SUFFIXES) for cell in column) for column in zip(*rows)
    )


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith((".csv", ".tsv")) and not path.is_dir()


def _is_idx_source(path: Path) -> bool:
    return (path.is_dir() and bool(find_idx(path))) or (path.is_file() and is_idx(path))


def _arrays_of(source: Any) -> np.ndarray | None:
    """The images of an ``.npz`` or IDX source; None where images are files of their own."""
    path = Path(source) if isinstance(source, (str, Path)) else None
    if path is None or not path.exists():
        return None
    if _is_idx_source(path):
        return read_idx_images(path)
    return read_npz(path, None, labels=False)[0] if path.suffix.lower() == ".npz" else None


def _class_of(file: Path, root: Path) -> str:
    """The name of the class folder below ``root`` that an image lies in."""
    inner = file.relative_to(root).parts if root.is_dir() else ()
    if len(inner) < 2:
        raise DataError(
            f"{file} lies in no folder of a class; to score images sort them as {root.name}/cat/1.png"
        )
    return inner[0]


def _arrays(
    path: Path,
    images: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str] | None,
    part: tuple[str | None, tuple[str, ...]],
    size: tuple[int, int] | None,
    channels: int | None,
) -> Images:
    notes: list[str] = []
    values, names = _target(labels, str(path), classes, numbers=True)
    pixels = array_pixels(images, str(path), notes)
    if size is not None:
        pixels = resize_all(pixels, size)
    pixels = to_channels(pixels, channels or pixels.shape[3])
    return Images(pixels, values, names, (), tuple(notes), *part, size is not None, str(path))


def image_paths(source: str | Path | Iterable[str | Path]) -> list[Path]:
    """The images of a folder (recursively, sorted), a table of paths, a file, or a list of paths.

    Raises ``DataError`` where there are none or one does not exist.
    """
    if isinstance(source, (str, Path)) and Path(source).is_dir():
        paths = images_in(Path(source))
    elif isinstance(source, (str, Path)) and _is_table(Path(source)) and Path(source).exists():
        paths, _ = _table(Path(source), None)
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
    return [] if _arrays_of(source) is not None else image_paths(source)


def _channels(mode: str | None) -> int | None:
    if mode is None:
        return None
    if mode.upper() not in _MODES:
        raise ConfigError(f"mode={mode!r}: {nearest(mode, ['L', 'RGB'])}")
    return _MODES[mode.upper()]


def _size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or min(pair) < 1:
        raise ConfigError(f"size={size!r}: give (height, width) in pixels")
    return int(pair[0]), int(pair[1])


# Where the images are and what they are labelled.


def _skipped(folder: Path) -> list[str]:
    others = sorted(
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if p.is_file() and p.suffix.lower() not in SUFFIXES and not hidden(p.relative_to(folder))
    )
    return [f"{len(others)} files are no images and were left out, such as {others[0]}"] if others else []


def _part_folder(folder: Path, part: str | None) -> Path:
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


def _folder(folder: Path) -> tuple[list[Path], list[str]]:
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


def _table(path: Path, target: str | None) -> tuple[list[Path], list[str]]:
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
        raise DataError(f"{path} has no column {target!r} (target); {nearest(target, columns)}")
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


def _target(
    labels: Sequence[Any] | np.ndarray, source: str, classes: Sequence[str] | None, *, numbers: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class indices int32 and names, or float32 values and no names (where ``numbers`` may be values)."""
    texts = [str(label) for label in (labels.tolist() if isinstance(labels, np.ndarray) else labels)]
    names = _classes(texts, source, numbers) if classes is None else tuple(map(str, classes))
    if not names:
        return np.array(texts, np.float64).astype(np.float32), ()
    index = {name: i for i, name in enumerate(names)}
    for number, text in enumerate(texts, start=1):
        if text not in index:
            raise DataError(f"{source}: image {number} is labelled {text!r}; {nearest(text, names)}")
    if classes is None:
        _check_counts(Counter(texts), source)
    return np.array([index[text] for text in texts], np.int32), names


def _classes(labels: Sequence[Any] | np.ndarray, source: str, numbers: bool) -> tuple[str, ...]:
    """The names of the classes in order (numbers by size), or none for a regression target."""
    texts = [str(label) for label in (labels.tolist() if isinstance(labels, np.ndarray) else labels)]
    try:
        values = np.array([float(text) for text in texts])
    except ValueError:
        return tuple(sorted(set(texts)))
    if numbers:
        if not np.isfinite(values).all():
            first = int(np.argmin(np.isfinite(values)))
            raise DataError(
                f"{source}: the target of image {first + 1} is {texts[first]}: remove it, or mend it"
            )
        if np.any(values != np.round(values)) or len(np.unique(values)) > _MANY_VALUES:
            return ()
    return tuple(sorted(set(texts), key=lambda text: (float(text), text)))


def _check_counts(counts: Counter[str], source: str) -> None:
    if len(counts) == 1:
        raise DataError(
            f"{source}: every image is of the class {next(iter(counts))!r}; at least two are needed"
        )
    for name, count in counts.items():
        if count == 1:
            raise DataError(
                f"{source}: the class {name!r} has one image; training and testing need two or more, "
                "add images or remove the class"
            )
