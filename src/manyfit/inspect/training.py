"""How activations and gradients moved over a training that was probed (``Supervised(probe=True)``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from manyfit.inspect.verdict import flow

MARK = "probe/"
PARTS = {"start": 0.0, "middle": 0.5, "end": 1.0}
"""Where in the training one looks."""
QUANTITIES = {
    "activation": "root mean square of the output",
    "zeros": "share of outputs that are 0",
    "output-gradient": "norm of the gradient by the output",
    "gradient": "norm of the gradient by the weights",
}


@dataclass(frozen=True)
class Course:
    """One quantity of one layer, epoch by epoch: ``values`` is ``(members, epochs)``, NaN where none was trained."""

    quantity: str
    path: str
    values: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean over the members that train, ``(epochs,)``, NaN where none does."""
        there = np.isfinite(self.values)
        count = there.sum(axis=0)
        total = np.where(there, self.values, 0.0).sum(axis=0)
        return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)

    def at(self, part: float) -> float:
        """The mean at the start (0), in the middle (0.5) or at the end (1) of each member's training."""
        found = []
        for row in self.values:
            known = row[np.isfinite(row)]
            if len(known):
                found.append(known[round(part * (len(known) - 1))])
        return float(np.mean(found)) if found else float("nan")


def courses(history: Mapping[str, np.ndarray], rows: Sequence[int] | None = None) -> dict[str, list[Course]]:
    """The probe's courses by quantity, layers in the order in which they run; empty for a run without a probe."""
    found: dict[str, list[Course]] = {}
    for name, values in history.items():
        _, _, rest = name.partition("/")
        if not rest.startswith(MARK):
            continue
        quantity, place, path = rest.removeprefix(MARK).split("/", 2)
        chosen = np.asarray(values if rows is None else values[list(rows)], np.float64)
        found.setdefault(quantity, []).append(Course(quantity, f"{place}/{path}", chosen))
    order = [quantity for quantity in QUANTITIES if quantity in found]
    return {
        quantity: [
            Course(c.quantity, c.path.split("/", 1)[1], c.values)
            for c in sorted(found[quantity], key=lambda c: int(c.path.split("/", 1)[0]))
        ]
        for quantity in order
    }


def judged(found: Mapping[str, Sequence[Course]], part: float) -> str:
    """What the gradient does at that part of the training, by the rule of ``verdict.flow``."""
    weighed = {course.path for course in found.get("gradient", ())}
    norms = [course.at(part) for course in found.get("output-gradient", ()) if course.path in weighed]
    return flow([value for value in norms if not np.isnan(value)])
