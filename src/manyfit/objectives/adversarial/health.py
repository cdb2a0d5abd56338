"""What became of an adversarial game: rules, stated, and applied seed by seed.

Retired while it trains:

- ``diverged``: a loss is not finite (the engine sees to it);
- ``collapsed``, ``scattered``: for a fifth of all updates on end the samples vary less than a tenth as much as real
  rows, or more than ten times as much (``lost``).

Named at the end, from the last tenth of the epochs that it trained:

- ``saturated``: the discriminator tells real from sample in more than 99 % of pairs, so that the generator learns
  next to nothing from it. It is not retired: a critic that tells everything apart can still point the way;
- ``incomplete``: more than a quarter of the held-out rows have no sample as near as their sixteenth neighbour: whole
  regions are left out, or filled thinly. Of rows of numbers alone, as distances between pixels say little of this
  (``metrics.generative`` has ``recall`` and ``coverage`` on features), and a region has to hold more than sixteen rows
  of a block of 512.

Nothing is begun anew: a member that fails is a finding, and leaving it out would flatter the method. So a retired game
is scored as it was when it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from manyfit.engine.objective import Array

SEPARATION, LEAST_VARIANCE, MOST_VARIANCE, MISSED = 0.99, 0.1, 10.0, 0.25
LOST, FEWEST = 0.2, 500
"""A game is lost after failing for this share of the training on end, and for no fewer updates than that."""
KINDS = ("diverged", "collapsed", "scattered", "saturated", "incomplete")


def failed(variance: Array) -> Array:
    """Whether samples of that variance, over that of real rows, have collapsed or scattered."""
    return (variance < LEAST_VARIANCE) | (variance > MOST_VARIANCE)


def lost(failing: Array, total: Array) -> Array:
    """Whether a game that has failed for so many updates on end, of ``total`` planned ones, is to be retired."""
    return failing >= jnp.maximum(LOST * total, FEWEST)


def verdict(history: Mapping[str, np.ndarray], member: Mapping[str, Any]) -> str:
    """The first of ``KINDS`` that holds, else ``healthy``.

    ``history`` has one member's ``train/separation`` and ``train/variance``, ``(epochs,)``, NaN where it did not train;
    ``member`` is its row of the result: ``status`` and, of rows of numbers, ``missed`` among its scores of ``test``.
    """
    if member["status"] == "diverged":
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
    return "incomplete" if (member.get("test") or {}).get("missed", 0.0) > MISSED else "healthy"


def verdicts(history: Mapping[str, np.ndarray], members: Sequence[Mapping[str, Any]]) -> list[str]:
    """The verdict of every member; ``history`` has ``(members, epochs)``."""
    return [
        verdict({name: values[i] for name, values in history.items()}, member)
        for i, member in enumerate(members)
    ]


def doubts(history: Mapping[str, np.ndarray], members: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each kind of failure, naming the members."""
    found = verdicts(history, members)
    said = []
    for kind in KINDS:
        places = [i for i, one in enumerate(found) if one == kind]
        if not places:
            continue
        what = kind
        if kind == "incomplete":
            what = f"leave{'s' * (len(places) == 1)} regions of the rows out, or nearly so"
        ended = sum(members[i]["status"] == "stopped" for i in places) if kind in KINDS[1:3] else 0
        retired = f", {ended} of them retired before their last epoch" if ended else ""
        named = ", ".join(map(str, places))
        said.append(f"{len(places)} of {len(found)} games {what}{retired} (network {named})")
    return said


def _late(values: np.ndarray) -> float:
    trained = values[~np.isnan(values)]
    return float(trained[-max(1, len(trained) // 10) :].mean()) if len(trained) else float("nan")
