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
    """The grids in a run folder's ``codes.safetensors``; none where there is none, or it holds something else."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load((path / "codes.safetensors").read_bytes())
    except (OSError, SafetensorError, ValueError):
        return []
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


def sheet(grid: np.ndarray) -> np.ndarray:
    """``(lines, columns, H, W, C)`` as one image, a line of white between its tiles."""
    lines, columns, height, width, channels = grid.shape
    page = np.full((lines, height + 1, columns, width + 1, channels), 255, np.uint8)
    page[:, :height, :, :width] = grid.transpose(0, 2, 1, 3, 4)
    return page.reshape(lines * (height + 1), columns * (width + 1), channels)[:-1, :-1]
