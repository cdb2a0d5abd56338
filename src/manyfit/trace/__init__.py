"""A network's computation, layer by layer: what runs, what it costs, what flows through it."""

from manyfit.trace.activations import ACTIVATIONS
from manyfit.trace.flops import count_flops
from manyfit.trace.graph import Edge, Graph, Node
from manyfit.trace.layers import Layer, Naming, owner
from manyfit.trace.norms import by_layer, norm
from manyfit.trace.program import Program, Tap, trace

__all__ = [
    "ACTIVATIONS",
    "Edge",
    "Graph",
    "Layer",
    "Naming",
    "Node",
    "Program",
    "Tap",
    "by_layer",
    "count_flops",
    "norm",
    "owner",
    "trace",
]
