"""Backpropagation made visible: what a network is made of, what it costs, how its gradients flow."""

from manyfit.inspect.network import LayerReport, NetworkReport, inspect_member, inspect_network
from manyfit.inspect.training import Course, courses
from manyfit.inspect.verdict import Verdict

__all__ = [
    "Course",
    "LayerReport",
    "NetworkReport",
    "Verdict",
    "courses",
    "inspect_member",
    "inspect_network",
]
