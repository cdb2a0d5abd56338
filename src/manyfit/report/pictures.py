"""Grids of images that a run made: reconstructions, samples, ways from one image to another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from manyfit.report.png import colours, image

_HEADINGS = {
    "reconstructions": "Held-out images, and below each its reconstruction",
    "samples": "New images, decoded from random codes",
    "drawn": "Images decoded from codes drawn around those of the test images: this kind has none to draw",
    "seeds": "New images, a line for each network",
    "neighbours": "New images, and below each the training image that is nearest to it",
    "ways": "From one new image to another, along the sphere of their noise",
    "training": "Images of the same noise in the course of the training, from the first eighth to the last",
    "interpolations": "From one image to another, by the codes between theirs; the images themselves at the ends",
}
MOST = 4096
"""Pixels of a grid's side beyond which it is not drawn."""


@dataclass(frozen=True)
class Picture:
    """A grid under its heading."""

    heading: str
    image: Markup


def pictures(path: Path) -> list[Picture]:
    """The grids in a run folder's files; none where there are none, or they hold something else."""
    arrays = _arrays(path / "codes.safetensors") | _arrays(path / "games.safetensors")
    found = []
    for name, grid in arrays.items():
        short = name.removeprefix("pictures/")
        fits = grid.ndim == 5 and grid.dtype == np.uint8 and grid.shape[4] in (1, 3) and grid.size
        if short == name or not fits or max(sheet(grid).shape) > MOST:
            continue
        found.append(
            Picture(_HEADINGS.get(short, short), image(colours(sheet(grid)), _HEADINGS.get(short, short)))
        )
    order = list(_HEADINGS.values())
    return sorted(found, key=lambda p: order.index(p.heading) if p.heading in order else len(order))


def lead(path: Path) -> str:
    """What is to be known of the grids."""
    nearer = _arrays(path / "games.safetensors").get("nearer")
    if nearer is None:
        return "By the network of the lowest validation loss; the images are of its test rows."
    return (
        "Where a single network is shown it is that of the least distance to the test images. A new image is, on the "
        f"median, {float(np.median(nearer)):.2f} times as far from the training image nearest to it as a test image "
        "is (pixel by pixel): far below 1 it would repeat what it was trained on."
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(path.read_bytes()))
    except (OSError, SafetensorError, ValueError):
        return {}


def sheet(grid: np.ndarray) -> np.ndarray:
    """``(lines, columns, H, W, C)`` as one image, a line of white between its tiles."""
    lines, columns, height, width, channels = grid.shape
    page = np.full((lines, height + 1, columns, width + 1, channels), 255, np.uint8)
    page[:, :height, :, :width] = grid.transpose(0, 2, 1, 3, 4)
    return page.reshape(lines * (height + 1), columns * (width + 1), channels)[:-1, :-1]
