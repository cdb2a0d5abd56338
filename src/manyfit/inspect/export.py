"""A network's report and graph for other programs: JSON and Graphviz."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from manyfit.inspect.network import NetworkReport

_SHAPES = {"input": "oval", "output": "oval", "layer": "box", "activation": "box", "merge": "circle"}


def to_json(report: NetworkReport) -> dict[str, Any]:
    """Plain values: what is not a finite number is None."""
    return {
        "name": report.name,
        "members": report.members,
        "rows": report.rows,
        "parameters": report.parameters,
        "forward_flops_per_row": report.forward_flops,
        "backward_flops_per_row": report.backward_flops,
        "loss": _plain(report.loss),
        "verdicts": [dataclasses.asdict(verdict) for verdict in report.verdicts],
        "layers": [
            {field.name: _plain(getattr(layer, field.name)) for field in dataclasses.fields(layer)}
            for layer in report.layers
        ],
        "graph": {
            "nodes": [_plain(dataclasses.asdict(node)) for node in report.graph.nodes],
            "edges": [_plain(dataclasses.asdict(edge)) for edge in report.graph.edges],
        },
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(part) for part in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def dot(report: NetworkReport) -> str:
    """Graphviz: ``dot -Tsvg network.dot``."""
    lines = ["digraph network {", "  rankdir=TB;", '  node [fontname="sans-serif", fontsize=11];']
    for i, node in enumerate(report.graph.nodes):
        size = " × ".join(map(str, node.shape))
        kind = (
            "" if node.kind == node.name or node.role in ("input", "output", "merge") else f"\\n{node.kind}"
        )
        lines.append(f'  n{i} [shape={_SHAPES[node.role]}, label="{_quoted(node.name)}{kind}\\n{size}"];')
    for edge in report.graph.edges:
        lines.append(f'  n{edge.source} -> n{edge.target} [label="{" × ".join(map(str, edge.shape))}"];')
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
