"""The computational graph of a network: its layers, and what flows from which to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A layer without layers inside it, an activation function, or a place where branches meet."""

    name: str
    kind: str
    shape: tuple[int, ...]
    """Of its output, batch axis first."""
    dtype: str
    role: str
    """``input``, ``layer``, ``activation``, ``merge`` or ``output``."""


@dataclass(frozen=True)
class Edge:
    """A tensor on its way: places of two nodes, and its shape."""

    source: int
    target: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they run, so that every edge goes forward."""

    nodes: Sequence[Node]
    edges: Sequence[Edge]
