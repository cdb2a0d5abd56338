"""Images from disk to one array: a folder per class, a table of paths, ``.npz``, MNIST's IDX."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.data._pixels import (
    array_pixels,
    common_size,
    decode,
    header,
    read_npz,
    resize_all,
    to_channels,
)
from manyfit.data.idx import idx_labels, read_idx_pair
from manyfit.data.image_files import (
    arrays_of,
    class_of,
    files_in_folder,
    files_in_table,
    image_paths,
    is_idx_source,
    is_table,
    part_folder,
    skipped,
)
from manyfit.data.image_labels import classes_of, target_of
from manyfit.errors import ConfigError, DataError, nearest

_MODES = {"L": 1, "GREY": 1, "GRAY": 1, "RGB": 3}


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
        arrays = source if isinstance(source, np.ndarray) else arrays_of(source)
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
        if is_idx_source(path):
            labels = read_idx_pair(path)[1]
        elif path.suffix.lower() == ".npz":
            labels = read_npz(path, None)[1]
        elif is_table(path):
            labels = files_in_table(path, self.target or "label")[1]
        else:
            labels = [class_of(file, path) for file in image_paths(path)]
        return target_of(labels, str(path), self.classes, numbers=True)[0]

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
    table = is_table(path)
    if target is not None and not table and (path.is_file() or target != "folder"):
        raise ConfigError(f"target={target!r} names a column of a table; {path} is none: leave it out")
    if is_idx_source(path):
        images, labels, parts = read_idx_pair(path, part)
        known = [str(label) for label in idx_labels(path)] if classes is None else classes
        return _arrays(path, images, labels, known, (part or parts[0], parts), shape, channels)
    if path.is_file() and path.suffix.lower() == ".npz":
        images, labels, everything, parts = read_npz(path, part)
        shared = classes_of(everything, str(path), numbers=True) if len(parts) > 1 else ()
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
        root = part_folder(path, part)
        files, texts = files_in_folder(root)
        notes += skipped(root)
    elif table:
        if target is None:
            raise DataError(f"{path} lists images: say which with target= (--target) is the column of labels")
        root, (files, texts) = path.parent, files_in_table(path, target)
    else:
        raise DataError(
            f"{path}: a folder with a folder per class, a .csv or .tsv of paths, an .npz or an IDX file is read"
        )
    values, names = target_of(texts, str(path), classes, numbers=table)
    found = [header(file) for file in files]
    shape = shape or common_size(files, [size for size, _ in found])
    if channels is None:
        channels = 1 if all(grey for _, grey in found) else 3
    pixels = decode(files, shape, channels, notes)
    relative = tuple(file.relative_to(root).as_posix() for file in files)
    label = target if table else None
    return Images(pixels, values, names, relative, tuple(notes), part, (), size is not None, str(path), label)


def read_unlabelled(
    source: str | Path, *, size: int | tuple[int, int] | None = None, mode: str | None = None
) -> tuple[np.ndarray, ImageSchema, tuple[str, ...]]:
    """The images of a source without a word of labels: pixels uint8 ``(N, H, W, C)``, schema, warnings.

    ``source`` is a folder of images (loose or in folders), a table of paths, an ``.npz``, IDX (the training
    part), or a file. Raises ``DataError`` as ``read`` does.
    """
    path = Path(source).expanduser()
    channels, shape = _channels(mode), _size(size)
    if not path.exists():
        raise DataError(f"{path} does not exist")
    notes: list[str] = []
    arrays = arrays_of(path)
    if arrays is not None:
        pixels = array_pixels(arrays, str(path), notes)
        if shape is not None:
            pixels = resize_all(pixels, shape)
        pixels = to_channels(pixels, channels or pixels.shape[3])
    else:
        files = image_paths(path)
        found = [header(file) for file in files]
        shape = shape or common_size(files, [each for each, _ in found])
        if channels is None:
            channels = 1 if all(grey for _, grey in found) else 3
        pixels = decode(files, shape, channels, notes)
    height, width, channels = pixels.shape[1:]
    return pixels, ImageSchema(height, width, channels, (), size is not None), tuple(notes)


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
    values, names = target_of(labels, str(path), classes, numbers=True)
    pixels = array_pixels(images, str(path), notes)
    if size is not None:
        pixels = resize_all(pixels, size)
    pixels = to_channels(pixels, channels or pixels.shape[3])
    return Images(pixels, values, names, (), tuple(notes), *part, size is not None, str(path))


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
