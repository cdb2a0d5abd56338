"""A network's report as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from manyfit.inspect.network import LayerReport, NetworkReport

NONE = "–"
COLUMNS: Sequence[tuple[str, Callable[[LayerReport], str]]] = (
    ("kind", lambda layer: layer.kind),
    ("output", lambda layer: " × ".join(map(str, layer.shape[1:])) or (NONE if not layer.shape else "1")),
    ("parameters", lambda layer: f"{layer.parameters:,}" if layer.parameters else ""),
    ("FLOPs", lambda layer: amount(layer.forward_flops)),
    ("backward", lambda layer: amount(layer.backward_flops)),
    ("mean", lambda layer: spread(layer.mean)),
    ("sd", lambda layer: spread(layer.std)),
    ("zeros", lambda layer: share(layer.zeros)),
    ("dead", lambda layer: units(layer.dead, layer.units)),
    ("saturated", lambda layer: units(layer.saturated, layer.units)),
    ("‖∂/∂output‖", lambda layer: spread(layer.gradient)),
    ("‖∂/∂weights‖", lambda layer: spread(layer.weight_gradient)),
    ("step/weights", lambda layer: spread(layer.update_ratio)),
)


def text(report: NetworkReport) -> str:
    """The tree of layers with their numbers, then the verdicts."""
    rows = [["layer", *(name for name, _ in COLUMNS)]]
    for depth, name, layer in tree(report):
        rows.append(["  " * depth + name, *(cell(layer) for _, cell in COLUMNS)])
    used = [i for i in range(len(rows[0])) if any(row[i] not in ("", NONE) for row in rows[1:])]
    widths = {i: max(len(row[i]) for row in rows) for i in used}
    lines = [
        "  ".join(row[i].ljust(widths[i]) if i < 2 else row[i].rjust(widths[i]) for i in used).rstrip()
        for row in rows
    ]
    return "\n".join([headline(report), "", *lines, "", *conclusions(report)])


def headline(report: NetworkReport) -> str:
    """Size and cost in a line."""
    many = f"{report.members} members, " if report.members > 1 else ""
    spread_ = " (mean ± sd over the members)" if report.members > 1 else ""
    return (
        f"{report.name}: {many}{report.parameters:,} parameters, {amount(report.forward_flops)} FLOPs a row forward, "
        f"{amount(report.backward_flops)} backward; measured on {report.rows} rows{spread_}"
    )


def conclusions(report: NetworkReport) -> list[str]:
    """The verdicts, or that there are none."""
    if not report.verdicts:
        return ["gradients reach every layer; few units are dead or saturated"]
    return [f"! {verdict.text}" for verdict in report.verdicts]


def tree(report: NetworkReport) -> list[tuple[int, str, LayerReport]]:
    """(depth, name, layer) of all layers as they run, each behind the one that holds it."""
    layers = report.layers
    first: dict[str, int] = {}
    for i in sorted(range(len(layers)), key=lambda i: (not layers[i].shape, i)):
        for outer in _outer(layers[i].path.split(":")[0]):
            first.setdefault(outer, i)

    def place(i: int) -> list[tuple[int, str]]:
        layer = layers[i]
        held = [(first[outer], outer) for outer in _outer(layer.path.split(":")[0])]
        return [*held, (i, layer.path)] if layer.activation else held

    known = {layer.path for layer in layers}
    found = []
    for i in sorted(range(len(layers)), key=place):
        path, _, function = layers[i].path.partition(":")
        around = [outer for outer in _outer(path) if outer in known and (function or outer != path)]
        name = function or path.removeprefix(around[-1] if around else "").removeprefix(".") or report.name
        found.append((len(around), name, layers[i]))
    return found


def _outer(path: str) -> list[str]:
    """The whole, and every part of the path that holds the next.

    >>> _outer("blocks.0.norm")
    ['', 'blocks', 'blocks.0', 'blocks.0.norm']
    """
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts) + 1)]


def amount(value: float) -> str:
    """A count in three digits.

    >>> amount(28), amount(1234567), amount(2.5e9)
    ('28', '1.23 M', '2.5 G')
    """
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}" if value else ""


def spread(values: np.ndarray) -> str:
    """The mean of the members, with their standard deviation where there are several."""
    known = values[~np.isnan(values)]
    if not len(known):
        return NONE
    if len(known) == 1 or not np.isfinite(known).all():
        return f"{known.mean():.2g}"
    return f"{known.mean():.2g} ± {known.std():.1g}"


def share(values: np.ndarray) -> str:
    """A share as a percentage; empty where it is 0."""
    known = values[~np.isnan(values)]
    return f"{100 * known.mean():.0f} %" if len(known) and known.mean() > 0 else ""


def units(values: np.ndarray, of: int) -> str:
    """How many units of how many; empty where there are none, a dash where it does not apply."""
    known = values[~np.isnan(values)]
    if not len(known):
        return NONE
    return f"{known.mean():.3g} of {of}" if known.mean() > 0 else ""
