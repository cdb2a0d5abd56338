"""The computational graph as an SVG, and the whole report as one HTML page, both of which stand alone."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from manyfit.inspect.show import COLUMNS, conclusions, headline, tree

if TYPE_CHECKING:
    from manyfit.inspect.network import NetworkReport
    from manyfit.trace import Graph

WIDE, TALL, GAP, EDGE = 190.0, 40.0, 26.0, 14.0
_FILL = {
    "input": "#e3e5ea",
    "output": "#e3e5ea",
    "layer": "#d6e4f7",
    "activation": "#dff0ea",
    "merge": "#fbe6d3",
}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#16181d;background:#fff}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.15rem .7rem;text-align:right;
border-bottom:1px solid #e3e5ea;white-space:nowrap}td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}
.scroll{overflow-x:auto}li{margin:.3rem 0}
"""


def ranks(graph: Graph) -> list[int]:
    """How many steps each node lies behind the inputs: the longest way."""
    found = [0] * len(graph.nodes)
    for edge in sorted(graph.edges, key=lambda edge: edge.target):
        found[edge.target] = max(found[edge.target], found[edge.source] + 1)
    return found


def svg(report: NetworkReport) -> str:
    """Top to bottom, a row a step; lines that pass by a node bend around it on the right."""
    graph = report.graph
    rank = ranks(graph)
    rows: dict[int, list[int]] = {}
    for i, r in enumerate(rank):
        rows.setdefault(r, []).append(i)
    widest = max(map(len, rows.values()))
    lanes = sum(rank[e.target] - rank[e.source] > 1 for e in graph.edges)
    inner = widest * (WIDE + GAP)
    width = 2 * EDGE + inner + min(lanes, 40) * 6 + 20
    height = 2 * EDGE + (max(rank) + 1) * (TALL + GAP)
    at = {}
    for r, members in rows.items():
        start = EDGE + (inner - len(members) * (WIDE + GAP) + GAP) / 2
        for k, i in enumerate(members):
            at[i] = (start + k * (WIDE + GAP), EDGE + r * (TALL + GAP))
    parts, lane = [], 0
    for edge in graph.edges:
        (x0, y0), (x1, y1) = at[edge.source], at[edge.target]
        size = "×".join(map(str, edge.shape))
        names = f"{graph.nodes[edge.source].name} → {graph.nodes[edge.target].name}: {size}"
        if rank[edge.target] - rank[edge.source] == 1:
            path = f"M{x0 + WIDE / 2:.0f} {y0 + TALL:.0f}L{x1 + WIDE / 2:.0f} {y1:.0f}"
        else:
            side = EDGE + inner + 6 * (lane % 40)
            lane += 1
            path = f"M{x0 + WIDE:.0f} {y0 + TALL / 2:.0f}H{side:.0f}V{y1 + TALL / 2:.0f}H{x1 + WIDE:.0f}"
        parts.append(
            f'<path d="{path}" fill="none" stroke="#7d8595" marker-end="url(#tip)">'
            f"<title>{escape(names)}</title></path>"
        )
    for i, node in enumerate(graph.nodes):
        x, y = at[i]
        round_ = TALL / 2 if node.role in ("input", "output", "merge") else 5
        kind = "" if node.kind in (node.name, "input", "output") or node.role == "merge" else f"{node.kind}  "
        size = kind + "×".join(map(str, node.shape))
        parts.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{WIDE:.0f}" height="{TALL:.0f}" rx="{round_:.0f}" '
            f'fill="{_FILL[node.role]}"/>'
            f'<text x="{x + WIDE / 2:.0f}" y="{y + 17:.0f}" font-weight="600">{escape(_short(node.name))}</text>'
            f'<text x="{x + WIDE / 2:.0f}" y="{y + 32:.0f}">{escape(_short(size))}</text>'
        )
    title = escape(f"Computational graph of {report.name}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{title}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="system-ui,sans-serif" '
        'font-size="11" text-anchor="middle">'
        f"<title>{title}</title>"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8Z" fill="#7d8595"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def html(report: NetworkReport) -> str:
    """Verdicts, table and graph."""
    head = "".join(f"<th>{escape(name)}</th>" for name in ("layer", *(name for name, _ in COLUMNS)))
    body = []
    for depth, _, layer in tree(report):
        cells = "".join(f"<td>{escape(cell(layer))}</td>" for _, cell in COLUMNS)
        name = escape(layer.path or report.name)
        body.append(f'<tr><td style="padding-left:{0.7 + depth:.1f}rem">{name}</td>{cells}</tr>')
    said = "".join(f"<li>{escape(line.removeprefix('! '))}</li>" for line in conclusions(report))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(report.name)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(report.name)}</h1><p>{escape(headline(report))}</p>"
        f'<ul>{said}</ul><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
        f'</div><h2>Computational graph</h2><div class="scroll">{svg(report)}</div></body></html>\n'
    )


def _short(text: str, most: int = 30) -> str:
    return text if len(text) <= most else f"…{text[len(text) - most + 1 :]}"
