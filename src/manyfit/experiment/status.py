"""Where a run stands, for whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit.engine import PRUNED


@dataclass(frozen=True)
class Status:
    """Where a run stands, for whoever watches it."""

    members: int
    done: int
    running: int
    epochs: int
    """Member-epochs trained so far."""
    epochs_expected: float
    elapsed: float
    """Seconds since training began."""
    trials_done: int
    best_trial: int | None
    best_score: float | None
    best_spread: float | None
    best_loss: float | None
    """The best trial's mean validation loss."""
    metric: str
    stage: str = ""
    """Which part of a run of several this is; empty where there is one."""

    @property
    def remaining(self) -> float | None:
        """Seconds that are likely left, or None while nothing can be said."""
        if self.epochs <= 0 or self.elapsed <= 0:
            return None
        return max(0.0, (self.epochs_expected - self.epochs) * self.elapsed / self.epochs)


def status_of(
    rows: Mapping[int, Mapping[str, Any]],
    *,
    members: int,
    each: int,
    epochs: int,
    here: int,
    first: int,
    running: int,
    elapsed: float,
    metric: str,
) -> Status:
    """The status of a run with these members ended.

    ``each`` members make a trial, ``epochs`` is the most that one trains; ``here`` epochs were trained by the
    population whose members begin at ``first``, ``running`` of which train now.
    """
    scores: dict[int, list[float]] = {}
    losses: dict[int, list[float]] = {}
    trained, before = 0, 0
    for i, row in rows.items():
        trained += row["epochs"]
        before += row["epochs"] if i < first else 0
        if row["status"] == PRUNED:
            continue
        score = row["test"].get(metric)
        scores.setdefault(row["trial"], []).append(np.nan if score is None else score)
        loss_here = np.inf if row["status"] == "diverged" else row["validation"].get("loss", np.inf)
        losses.setdefault(row["trial"], []).append(loss_here)
    whole = [trial for trial, some in scores.items() if len(some) == each]

    def loss(trial: int) -> float:
        mean = float(np.mean(losses[trial]))
        return mean if np.isfinite(mean) else np.inf

    best = min(whole, key=loss) if whole else None
    typical = trained / len(rows) if rows else epochs
    return Status(
        members=members,
        done=len(rows),
        running=running,
        epochs=here + before,
        epochs_expected=max(here + before, typical * members),
        elapsed=elapsed,
        trials_done=len(whole),
        best_trial=best,
        best_score=None if best is None else float(np.mean(scores[best])),
        best_spread=None if best is None else _spread(scores[best]),
        best_loss=None if best is None else float(np.mean(losses[best])),
        metric=metric,
    )


def _spread(scores: list[float]) -> float | None:
    """None for a single network, which has none."""
    return float(np.std(scores)) if len(scores) > 1 else None
