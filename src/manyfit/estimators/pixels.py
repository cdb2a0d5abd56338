"""What scikit-learn hands in, as images: arrays of images, and rows of pixels with a shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from manyfit.errors import ConfigError

Shape = tuple[int, int, int]


def image_of(X: Any) -> Shape | None:
    """(height, width, channels) of an array of images; None for rows of pixels, and for what is no array."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) == 4:
        return shape[1], shape[2], shape[3]
    if len(shape) == 3:
        return shape[1], shape[2], 1
    if len(shape) > 4:
        raise ValueError(
            f"X has shape {shape}: give (rows, height, width), with channels last if there are any"
        )
    return None


def rows_of(X: Any) -> Any:
    """Images as rows of pixels, all else as it is."""
    return X if image_of(X) is None else np.asarray(X).reshape(len(X), -1)


def shape_of(features: int, image: Shape | None, given: tuple[int, ...] | None) -> Shape:
    """(height, width, channels) of rows of ``features`` pixels that came as ``image``, where ``given`` was asked.

    Rows of a square number of pixels are squares of one channel where nothing is said, others a single column.
    """
    if given is not None and (len(given) not in (2, 3) or min(given) < 1):
        raise ConfigError(f"image_shape={given}: give (height, width) or (height, width, channels)")
    if given is not None:
        height, width, channels = (*given, 1)[:3]
        if height * width * channels != features:
            raise ValueError(
                f"image_shape={given} has {height * width * channels} pixels, X has {features} features"
            )
        if image is not None and image != (height, width, channels):
            raise ValueError(f"X holds images of shape {image}, image_shape is {given}")
        return height, width, channels
    if image is not None:
        return image
    side = round(features**0.5)
    return (side, side, 1) if side * side == features else (features, 1, 1)


def check_same(X: Any, shape: Shape) -> None:
    """Raise ``ValueError`` for images of another shape than the model's."""
    found = image_of(X)
    if found is not None and found != shape:
        raise ValueError(f"X holds images of shape {found}, the model was trained on {shape}")


def pixels_of(X: np.ndarray, shape: Shape) -> dict[str, np.ndarray]:
    """``{"pixels": (rows, *shape)}``, uint8 or float32; raises ``ValueError`` for what float32 cannot hold."""
    if X.dtype != np.uint8:
        with np.errstate(over="ignore"):
            X = X.astype(np.float32)
        if np.isinf(X).any():
            raise ValueError("X holds a value too large for dtype('float32')")
    return {"pixels": X.reshape(len(X), *shape)}
