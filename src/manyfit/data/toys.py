"""Points whose modes are known: what generative models are tried on first."""

from __future__ import annotations

import numpy as np

RING_SIGMA, GRID_SIGMA = 0.02, 0.05
"""Standard deviations of a mode, as in Srivastava et al. (2017), "VEEGAN", section 4.1 (ring 0.001 to 0.02 in the
literature; the grid as there)."""


def ring_centres(modes: int = 8, radius: float = 2.0) -> np.ndarray:
    """``(modes, 2)``: evenly spread on a circle."""
    angle = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def grid_centres(side: int = 5, spacing: float = 2.0) -> np.ndarray:
    """``(side * side, 2)``: a square grid around 0."""
    line = spacing * (np.arange(side) - (side - 1) / 2)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def around(centres: np.ndarray, rows: int, sigma: float, seed: int = 0) -> np.ndarray:
    """``(rows, 2)`` float32: a mixture of equal Gaussians at the centres, each with its share of the rows.

    >>> around(ring_centres(), 16, 0.02).shape
    (16, 2)
    """
    rng = np.random.default_rng(seed)
    points = centres[np.arange(rows) % len(centres)] + sigma * rng.normal(size=(rows, centres.shape[1]))
    return rng.permutation(points).astype(np.float32)


def modes_found(
    samples: np.ndarray, centres: np.ndarray, sigma: float, within: float = 3.0, least: int = 1
) -> tuple[int, float]:
    """How many centres have ``least`` samples within ``within`` deviations, and the share of samples near any.

    Raises ``ValueError`` for samples of another width.
    """
    if samples.ndim != 2 or samples.shape[1] != centres.shape[1]:
        raise ValueError(f"samples {samples.shape} are not points like the centres {centres.shape}")
    distance = np.linalg.norm(samples[:, None] - centres, axis=2)
    nearest = distance.argmin(axis=1)
    near = distance[np.arange(len(samples)), nearest] <= within * sigma  # NaN is near nothing
    found = np.bincount(nearest[near], minlength=len(centres)) >= least
    return int(found.sum()), float(near.mean())
