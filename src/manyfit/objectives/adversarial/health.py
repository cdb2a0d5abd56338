"""What the history of an adversarial game says of it: three rules, stated, and applied seed by seed.

A member whose losses are not finite is retired by the engine. The others are looked at over the last tenth of
their epochs:

- ``saturated``: the discriminator tells real from sample in more than 99 % of pairs, so that the generator learns
  next to nothing from it;
- ``collapsed``: the samples vary less than a tenth as much as real rows (a generator that drops some modes of many is
  not found by this: ``metrics.generative`` has ``recall`` and ``coverage``);
- ``scattered``: they vary more than ten times as much.

Nothing is begun anew: a member that fails is a finding, and leaving it out would flatter the method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

SEPARATION, LEAST_VARIANCE, MOST_VARIANCE = 0.99, 0.1, 10.0


def verdict(history: Mapping[str, np.ndarray], status: str = "finished") -> str:
    """``healthy``, ``diverged``, ``collapsed``, ``scattered`` or ``saturated``, the first that holds.

    ``history`` has one member's ``train/separation`` and ``train/variance``, ``(epochs,)``, NaN where it did not train.
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
    return "saturated" if separation > SEPARATION else "healthy"


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
    for kind in ("diverged", "collapsed", "scattered", "saturated"):
        members = [str(i) for i, one in enumerate(found) if one == kind]
        if members:
            said.append(f"{len(members)} of {len(found)} games {kind} (network {', '.join(members)})")
    return said


def _late(values: np.ndarray) -> float:
    trained = values[~np.isnan(values)]
    return float(trained[-max(1, len(trained) // 10) :].mean()) if len(trained) else float("nan")
