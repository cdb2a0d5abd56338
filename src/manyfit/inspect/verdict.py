"""What the measurements say: vanishing and exploding gradients, dead and saturated units.

The rules, applied to each member and said of the median member:

- Along the layers with parameters, in the order in which they run, g is the Euclidean norm of the
  loss's gradient by a layer's output. The gradient *vanishes* where g at the first is less than
  1/1000 of g at the last, and *explodes* where it is more than 1000 times as great or not finite. A
  layer that keeps norms has a ratio of 1, so that the rule does not depend on the loss's scale.
- It is *blocked* where it is exactly 0 at some layer and was not small behind it: weights that are 0,
  or a layer whose every unit is dead.
- Units are *dead* that are never active on the data, *saturated* that stay at an end of their range;
  a tenth of a layer's units is told of.
- A step is *large* that changes a layer's weights by more than a tenth of their norm.

Sources: Hochreiter (1991); Bengio, Simard & Frasconi (1994); Glorot & Bengio (2010); for dead
rectifiers Lu, Shin, Su & Karniadakis (2019). The thresholds are conventions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from manyfit.inspect.network import LayerReport

RATIO = 1e3
SHARE = 0.1
STEP = 0.1

Kind = Literal["vanishing", "exploding", "blocked", "dead", "saturated", "large steps"]


@dataclass(frozen=True)
class Verdict:
    """One thing that is wrong, where, and in how many of the members."""

    kind: Kind
    path: str
    text: str


def flow(gradients: Sequence[float]) -> Literal["healthy", "vanishing", "exploding", "blocked"]:
    """What the gradient does on its way from the last layer to the first; norms in the order of the layers.

    >>> flow([1e-9, 1e-5, 1e-1]), flow([1e6, 1.0]), flow([0.0, 0.0, 0.5]), flow([0.2, 0.1])
    ('vanishing', 'exploding', 'blocked', 'healthy')
    """
    norms = [float(g) for g in gradients if not math.isnan(g) or len(gradients) == 1]
    if any(math.isnan(g) or math.isinf(g) for g in gradients):
        return "exploding"
    if len(norms) < 2 or norms[-1] == 0:
        return "healthy" if norms and norms[-1] else "blocked"
    if norms[0] == 0:
        alive = [g for g in norms if g > 0]
        return "vanishing" if min(alive) < norms[-1] / RATIO else "blocked"
    if norms[0] < norms[-1] / RATIO:
        return "vanishing"
    return "exploding" if norms[0] > norms[-1] * RATIO else "healthy"


def verdicts(layers: Sequence[LayerReport]) -> list[Verdict]:
    """All that the rules find."""
    found: list[Verdict] = []
    deep = [layer for layer in layers if layer.leaf and layer.parameters and layer.shape]
    if deep:
        norms = np.stack([np.atleast_1d(layer.gradient) for layer in deep], axis=1)
        kinds = [flow(row) for row in norms]
        kind = max(set(kinds), key=kinds.count)
        if kind != "healthy":
            found.append(Verdict(kind, deep[0].path, _flow_text(kind, deep, norms, kinds)))
    found += _units("dead", "never active on this data", [(layer, layer.dead) for layer in layers])
    found += _units("saturated", "at an end of their range", [(layer, layer.saturated) for layer in layers])
    steps = {layer.path: float(np.median(layer.update_ratio)) for layer in layers}
    large = {path: step for path, step in steps.items() if math.isfinite(step) and step > STEP}
    if large:
        path = max(large, key=lambda path: large[path])
        text = f"one step changes the weights of {path or 'the network'} by {large[path]:.2g} of their norm"
        found.append(Verdict("large steps", path, text + _others(len(large))))
    return found


def _units(
    kind: Literal["dead", "saturated"], words: str, counted: Sequence[tuple[LayerReport, np.ndarray]]
) -> list[Verdict]:
    """The layer with the greatest share, and how many others there are."""
    shares = []
    for layer, values in counted:
        count = float(np.median(values))
        if math.isfinite(count) and layer.units and count / layer.units >= SHARE:
            shares.append((count / layer.units, count, layer))
    if not shares:
        return []
    _, count, layer = max(shares, key=lambda one: one[0])
    text = f"{count:.0f} of {layer.units} units of {layer.path} are {words} ({kind})"
    return [Verdict(kind, layer.path, text + _others(len(shares)))]


def _others(count: int) -> str:
    return "" if count == 1 else f"; so it is, less so, in {count - 1} more layer{'s' if count > 2 else ''}"


def _flow_text(kind: str, deep: Sequence[LayerReport], norms: np.ndarray, kinds: Sequence[str]) -> str:
    row = norms[list(kinds).index(kind)]
    of = f" in {kinds.count(kind)} of {len(kinds)} members" if len(kinds) > 1 else ""
    first, last = deep[0].path, deep[-1].path
    if not np.isfinite(row).all():
        return f"the gradient explodes{of}: it is not finite"
    if kind == "blocked":
        here = [layer.path for layer, g in zip(deep, row) if g == 0]
        return (
            f"the gradient is blocked{of}: it is exactly 0 at {here[-1] if here else last} and before it; "
            "weights behind it are 0 or every unit is dead"
        )
    verb = "vanishes" if kind == "vanishing" else "explodes"
    mend = (
        "residual connections, normalisation, another activation or initialisation help"
        if kind == "vanishing"
        else "smaller initial weights, normalisation or clipping help"
    )
    return f"the gradient {verb}{of}: its norm is {row[0]:.2g} at {first} and {row[-1]:.2g} at {last}; {mend}"
