"""Image files and arrays to uint8 pixels ``(N, H, W, C)``, every mode of Pillow's with care."""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that exchange height and width."""


def images_in(folder: Path) -> list[Path]:
    """The files below a folder whose names are those of images, sorted."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
    return sorted(p for p in files if not hidden(p.relative_to(folder)))


def hidden(path: Path) -> bool:
    """Whether a path, relative to its source, is a system's own."""
    return any(name.startswith((".", "__MACOSX")) for name in path.parts)


def header(path: Path) -> tuple[tuple[int, int], bool]:
    """(height, width) as shown, and whether the image is grey; only the header is read."""
    with _opened(path) as image:
        width, height = image.size
        if image.getexif().get(0x0112) in _TURNED:
            width, height = height, width
        return (height, width), image.mode in _GREY


def decode(paths: Sequence[Path], size: tuple[int, int], channels: int, notes: list[str]) -> np.ndarray:
    """The images, resized to ``size`` where they differ: uint8 ``(N, height, width, channels)``."""
    pixels = np.empty((len(paths), *size, channels), np.uint8)
    seen: Counter[str] = Counter()
    for index, path in enumerate(paths):
        with _opened(path) as image:
            pixels[index] = _to_pixels(image, path, size, channels, seen)
    for note, count in sorted(seen.items()):
        notes.append(f"{count} image{'s' if count > 1 else ''} {note}")
    return pixels


def common_size(paths: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The size of all images. Raises ``DataError`` with the sizes found where they differ."""
    counts = Counter(sizes).most_common()
    (height, width), _ = counts[0]
    if len(counts) > 1:
        shown = ", ".join(f"{h}x{w} ({n})" for (h, w), n in counts[:4])
        odd = paths[sizes.index(counts[-1][0])]
        raise DataError(
            f"the images have {len(counts)} different sizes: {shown}{', ...' if len(counts) > 4 else ''}, "
            f"such as {odd} with {counts[-1][0][0]}x{counts[-1][0][1]} (height x width); "
            f"give size, such as size=({height}, {width}) (--size {max(height, width)}), to resize them all"
        )
    return height, width


def array_pixels(array: np.ndarray, source: str, notes: list[str]) -> np.ndarray:
    """An array of images as uint8 ``(N, H, W, C)``, C 1 or 3.

    ``array`` is ``(N, H, W)`` or ``(N, H, W, C)`` (C 1, 3 or 4), whole numbers
    from 0 to 255 or fractions from 0 to 1; ``(N, C, H, W)`` is turned.
    """
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or 0 in array.shape:
        raise DataError(f"{source}: images of shape {array.shape}, expected (N, H, W) or (N, H, W, C)")
    if array.shape[3] not in (1, 3, 4) and array.shape[1] in (1, 3, 4):
        array = array.transpose(0, 2, 3, 1)
        notes.append(f"the images were taken as (N, C, H, W) and turned to {array.shape}")
    if array.shape[3] not in (1, 3, 4):
        raise DataError(
            f"{source}: images of {array.shape[3]} channels; 1 (grey), 3 (RGB) or 4 (RGBA) are read"
        )
    if array.dtype != np.uint8:
        array = _to_bytes(array, source, notes)
    if array.shape[3] == 4:
        alpha = array[..., 3:].astype(np.uint32)
        if np.any(alpha < 255):
            notes.append("transparent pixels were laid on white")
        array = ((array[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(array)


def _to_bytes(array: np.ndarray, source: str, notes: list[str]) -> np.ndarray:
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if not (np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)):
        raise DataError(f"{source}: images of type {array.dtype}: store them as uint8")
    low, high = array.min(), array.max()
    if np.issubdtype(array.dtype, np.floating) and low >= 0 and high <= 1:
        notes.append("fractions from 0 to 1 were scaled to 0 to 255")
        return np.round(array * 255).astype(np.uint8)
    if not (low >= 0 and high <= 255):
        raise DataError(
            f"{source}: pixels from {low} to {high}: scale them to 0 to 255 and store them as uint8"
        )
    if np.any(array != np.round(array)):
        raise DataError(f"{source}: pixels are fractions up to {high}: round them and store them as uint8")
    return array.astype(np.uint8)


def to_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Grey to RGB by repetition, RGB to grey by ITU-R 601 luma, as Pillow does."""
    if pixels.shape[3] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=3)
    luma = np.empty((*pixels.shape[:3], 1), np.uint8)
    for index, image in enumerate(pixels):
        weighted = image.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
        luma[index, :, :, 0] = (weighted + 0x8000) >> 16
    return luma


def resize_all(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Every image resized with antialiasing: ``(N, *size, C)``."""
    if pixels.shape[1:3] == size:
        return pixels
    image_module = pillow().Image
    result = np.empty((len(pixels), *size, pixels.shape[3]), np.uint8)
    for index, image in enumerate(pixels):
        shown = image_module.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        result[index] = np.asarray(_resized(shown, size)).reshape(result.shape[1:])
    return result


def read_npz(
    path: Path, part: str | None, *, labels: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
    """Images and labels of a part, the labels of all parts, and the parts (as ``x_train``, ``y_train``).

    With ``labels=False`` there need be none, and none are given.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name.lower(): archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        mend = (
            "it holds Python objects, which could run code: store plain arrays of numbers or strings"
            if "pickle" in str(error).lower()
            else f"it cannot be read ({error}): write it again"
        )
        raise DataError(f"{path}: {mend}") from error
    parts = tuple(name for name in ("train", "test") if _named(arrays, "x", name))
    if not parts and part is not None:
        raise DataError(f"{path} has no part {part!r}: its arrays are {', '.join(arrays) or 'none'}")
    chosen = part or (parts[0] if parts else "")
    x, y = _named(arrays, "x", chosen), _named(arrays, "y", chosen)
    if x is not None and not labels:
        return arrays[x], np.empty(0), np.empty(0), parts
    if x is None or y is None:
        raise DataError(
            f"{path}: expected an array of images named x or images and one of labels named y or labels, "
            f"found {', '.join(arrays) or 'none'}"
        )
    images, marks = arrays[x], arrays[y]
    marks = marks[:, 0] if marks.ndim == 2 and marks.shape[1] == 1 else marks
    if marks.ndim != 1 or images.ndim < 3 or len(marks) != len(images):
        raise DataError(
            f"{path}: {x} has shape {images.shape} and {y} {marks.shape}: give one label an image"
        )
    names = [name for each in parts or ("",) if (name := _named(arrays, "y", each))]
    return images, marks, np.concatenate([arrays[name].ravel() for name in names]), parts


def _named(arrays: dict[str, np.ndarray], kind: str, part: str) -> str | None:
    words = ("x", "images", "image", "pixels", "data") if kind == "x" else ("y", "labels", "label", "target")
    names = (
        [f"{word}_{part}" for word in words] + [f"{part}_{word}" for word in words] if part else list(words)
    )
    return next((name for name in names if name in arrays), None)


def pillow() -> Any:
    """Pillow, or an error that says how to install it."""
    try:
        import PIL
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise DataError("reading image files needs Pillow: pip install manyfit[image]") from error
    return PIL


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An open image; whatever goes wrong with it becomes one error that names the file."""
    pil = pillow()
    bombs = (pil.Image.DecompressionBombError, pil.Image.DecompressionBombWarning)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", pil.Image.DecompressionBombWarning)
            with pil.Image.open(path) as image:
                yield image
    except DataError:
        raise
    except bombs as error:
        raise DataError(f"{path} is unreasonably large ({error}): shrink or remove it") from error
    except pil.UnidentifiedImageError as error:
        raise DataError(
            f"{path} is no image that can be read: convert it to PNG or JPEG, or remove it"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error) as error:
        raise DataError(f"{path} is corrupt or cut off ({error}): replace or remove it") from error


def _to_pixels(
    image: Any, path: Path, size: tuple[int, int], channels: int, seen: Counter[str]
) -> np.ndarray:
    """One opened image as uint8 ``(*size, channels)``."""
    if getattr(image, "n_frames", 1) > 1:
        seen["are animations or have pages: the first was taken"] += 1
    image.load()
    image = pillow().ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _from_deep(image, path, seen)
    elif image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            seen["are transparent in places and were laid on white"] += 1
        white = pillow().Image.new("RGBA", image.size, "white")
        image = pillow().Image.alpha_composite(white, image).convert("RGB")
    # through RGB: Pillow has no way from CMYK, LAB and others to grey in one step
    image = image.convert("L") if channels == 1 and image.mode in ("1", "L", "RGB") else image.convert("RGB")
    image = image.convert("L") if channels == 1 else image
    return np.asarray(_resized(image, size), np.uint8).reshape(*size, channels)


def _from_deep(image: Any, path: Path, seen: Counter[str]) -> Any:
    """16 bits to 8 by scaling, where Pillow's own conversion would cut off at 255."""
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise DataError(
            f"{path} holds {'fractions' if image.mode == 'F' else '32-bit numbers'}: convert it to 8 or 16 bits"
        )
    seen["have 16 bits a pixel and were scaled to 8"] += 1
    return pillow().Image.fromarray(((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8))


def _resized(image: Any, size: tuple[int, int]) -> Any:
    """Bilinear with a support that grows with the reduction, Pillow's antialiasing."""
    if image.size == (size[1], size[0]):
        return image
    return image.resize((size[1], size[0]), pillow().Image.Resampling.BILINEAR)
