"""What images are called: labels to a target, classes in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from manyfit.errors import DataError, nearest

_MANY_VALUES = 50
"""Whole numbers in a target column are classes up to so many different ones."""


def target_of(
    labels: Sequence[Any] | np.ndarray, source: str, classes: Sequence[str] | None, *, numbers: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class indices int32 and names, or float32 values and no names (where ``numbers`` may be values)."""
    texts = [str(label) for label in (labels.tolist() if isinstance(labels, np.ndarray) else labels)]
    names = classes_of(texts, source, numbers) if classes is None else tuple(map(str, classes))
    if not names:
        return np.array(texts, np.float64).astype(np.float32), ()
    index = {name: i for i, name in enumerate(names)}
    for number, text in enumerate(texts, start=1):
        if text not in index:
            raise DataError(f"{source}: image {number} is labelled {text!r}; {nearest(text, names)}")
    if classes is None:
        _check_counts(Counter(texts), source)
    return np.array([index[text] for text in texts], np.int32), names


def classes_of(labels: Sequence[Any] | np.ndarray, source: str, numbers: bool) -> tuple[str, ...]:
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
