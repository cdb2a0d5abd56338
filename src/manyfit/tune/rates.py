"""The loss against the learning rate, and what it says of which rate to take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

WITHIN = 0.1
"""The part of the whole fall of the loss that a rate worth searching may miss."""


@dataclass(frozen=True)
class RateCurve:
    """The validation loss of short trainings, one for each learning rate and seed."""

    rates: np.ndarray
    """``(rates,)``, rising."""
    losses: np.ndarray
    """``(rates, seeds)`` after the last step; infinite where the training diverged."""
    steps: int
    """Updates of each training."""

    @property
    def bounded(self) -> np.ndarray:
        """Losses ``(rates, seeds)`` that count a divergence as having learned nothing.

        No loss counts for more than the mean at the smallest rate, which hardly moves.
        """
        first = self.losses[0][np.isfinite(self.losses[0])]
        worst = first.mean() if len(first) else np.inf
        return np.minimum(np.nan_to_num(self.losses, nan=np.inf, posinf=np.inf), worst)

    @property
    def mean(self) -> np.ndarray:
        """``(rates,)``, the mean over seeds of the bounded losses."""
        return self.bounded.mean(axis=1)

    @property
    def spread(self) -> np.ndarray:
        """``(rates,)``, the standard deviation over seeds of the bounded losses; NaN for one seed."""
        few = self.losses.shape[1] < 2
        return np.full(len(self.rates), np.nan) if few else self.bounded.std(axis=1, ddof=1)

    @property
    def smooth(self) -> np.ndarray:
        """``(rates,)``, the mean over each rate and its two neighbours, the middle one twice.

        So a rate beside the edge, where the loss jumps, pays for its neighbour.
        """
        padded = np.pad(self.mean, 1, mode="edge")
        return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4

    @property
    def suggested(self) -> float:
        """The rate at which the smooth curve is lowest."""
        return float(self.rates[np.argmin(self.smooth)])

    @property
    def search(self) -> tuple[float, float]:
        """The range to search: around ``suggested``, where the smooth curve keeps 90 % of its whole fall."""
        smooth = self.smooth
        limit = smooth.min() + WITHIN * (self.mean[0] - smooth.min())
        low = high = int(np.argmin(smooth))
        while low > 0 and smooth[low - 1] <= limit:
            low -= 1
        while high < len(smooth) - 1 and smooth[high + 1] <= limit:
            high += 1
        return float(self.rates[low]), float(self.rates[high])

    def to_json(self) -> dict[str, Any]:
        """A JSON-able account; a loss that is not finite is None."""
        losses = [[float(x) if np.isfinite(x) else None for x in row] for row in self.losses]
        return {
            "rates": self.rates.tolist(),
            "losses": losses,
            "steps": self.steps,
            "suggested": self.suggested,
            "search": list(self.search),
        }

    def text(self, width: int = 40) -> str:
        """A line for each rate: loss, spread over seeds, divergences, and the loss as a bar."""
        mean, spread = self.mean, self.spread
        top = max(float(mean.max()), 1e-12)
        lines = [f"{'rate':>9}  {'loss':>8}  {'spread':>7}"]
        for i, rate in enumerate(self.rates):
            gone = int((~np.isfinite(self.losses[i])).sum())
            bar = "#" * max(1, round(width * float(mean[i]) / top)) if np.isfinite(mean[i]) else ""
            note = f" {gone} of {self.losses.shape[1]} diverged" if gone else ""
            here = "  <- take this" if rate == self.suggested else ""
            deviation = f"{spread[i]:7.4f}" if np.isfinite(spread[i]) else "      -"
            lines.append(f"{rate:9.2e}  {mean[i]:8.4f}  {deviation}  {bar}{note}{here}")
        low, high = self.search
        lines.append(f"take {self.suggested:.2g}, or search {low:.2g}:{high:.2g} ({self.steps} steps each)")
        return "\n".join(lines)
