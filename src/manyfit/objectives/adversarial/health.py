"""What the history of an adversarial game says of it: four rules, stated, and applied seed by seed.

A member whose losses are not finite is retired by the engine. The others are looked at over the last tenth of
their epochs:

- ``saturated``: the discriminator tells real from sample in more than 99 % of pairs, so that the generator learns
  next to nothing from it;
- ``collapsed``: the samples vary less than a tenth as much as real rows;
- ``scattered``: they vary more than ten times as much;
- ``incomplete``: of more than three tenths of the real rows no sample comes as near as the nearest sixteenth of the
  real rows of a batch do: whole regions are left out, or filled thinly. Of rows of numbers alone, as distances between
  pixels say little of this (``metrics.generative`` has ``recall`` and ``coverage`` on features), and a region has to
  hold some rows of a batch: that one mode of 25 is left out goes unnoticed.

Nothing is begun anew: a member that fails is a finding, and leaving it out would flatter the method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

SEPARATION, LEAST_VARIANCE, MOST_VARIANCE, MISSED = 0.99, 0.1, 10.0, 0.3
KINDS = ("diverged", "collapsed", "scattered", "saturated", "incomplete")


def verdict(history: Mapping[str, np.ndarray], status: str = "finished") -> str:
    """The first of ``KINDS`` that holds, else ``healthy``.

    ``history`` has one member's ``train/separation``, ``train/variance`` and of rows of numbers ``train/missed``,
    ``(epochs,)``, NaN where it did not train.
    """
    if status == "diverged":
        return "diverged"
    variance, separation = (_late(history[f"train/{name}"]) for name in ("variance", "separation"))
    if not np.isfinite([variance, separation]).all():
        return "diverged"
    if variance < LEAST_VARIANCE:
        return "collapsed"
    if variance > MOST_VARIANCE:
        return "scattered"
    if separation > SEPARATION:
        return "saturated"
    missed = _late(history["train/missed"]) if "train/missed" in history else 0.0
    return "incomplete" if missed > MISSED else "healthy"


def verdicts(history: Mapping[str, np.ndarray], statuses: Sequence[str]) -> list[str]:
    """The verdict of every member; ``history`` has ``(members, epochs)``."""
    return [
        verdict({name: values[i] for name, values in history.items()}, status)
        for i, status in enumerate(statuses)
    ]


def doubts(history: Mapping[str, np.ndarray], statuses: Sequence[str]) -> list[str]:
    """A sentence for each kind of failure, naming the members."""
    found = verdicts(history, statuses)
    said = []
    for kind in KINDS:
        members = [str(i) for i, one in enumerate(found) if one == kind]
        if members:
            what = "leave out regions of the rows" if kind == "incomplete" else kind
            said.append(f"{len(members)} of {len(found)} games {what} (network {', '.join(members)})")
    return said


def _late(values: np.ndarray) -> float:
    trained = values[~np.isnan(values)]
    return float(trained[-max(1, len(trained) // 10) :].mean()) if len(trained) else float("nan")
