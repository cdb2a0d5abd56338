"""What an architecture is: a description that builds a module once the data's shapes are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
from flax import nnx

from manyfit.nn.activations import ACTIVATIONS, activation

__all__ = ["ACTIVATIONS", "Architecture", "Custom", "Inputs", "activation"]


@dataclass(frozen=True)
class Inputs:
    """The features of one batch: arrays by name as shapes and dtypes, batch axis first.

    ``cardinalities`` gives, for each column of ``category``, how many codes it
    has (codes 0 and 1 stand for unknown and missing).
    """

    shapes: Mapping[str, jax.ShapeDtypeStruct]
    cardinalities: tuple[int, ...] = ()

    def __hash__(self) -> int:
        return hash((tuple(self.shapes.items()), self.cardinalities))

    def __getitem__(self, name: str) -> jax.ShapeDtypeStruct:
        return self.shapes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.shapes


class Architecture(Protocol):
    """A frozen dataclass: fields annotated ``Numeric`` are traced, the others shape the program."""

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """A module that maps features to ``(batch, outputs)``."""
        ...


@dataclass(frozen=True)
class Custom:
    """A module of the user's own: ``make(inputs, outputs, rngs, **hyper)``.

    The module is called with a dictionary of features, batch axis first: of a table ``numeric`` ``(B, columns)``
    float32 and ``category`` ``(B, columns)`` int32, of images ``pixels`` ``(B, H, W, C)`` float32, of arrays of
    your own what you called them. ``inputs.shapes`` has their shapes.

    The entries of ``hyper`` may be searched; real-valued ones reach ``make``
    as traced scalars, so that they must go into variables or layers that take
    them (``manyfit.nn.Dropout``), never into Python control flow.
    """

    make: Callable[..., nnx.Module]
    hyper: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:  # an equal one is the same program, compiled once a process
        return hash((self.make, tuple(sorted(self.hyper.items()))))

    def build(self, inputs: Inputs, outputs: int, *, rngs: nnx.Rngs) -> nnx.Module:
        """Call ``make``."""
        return self.make(inputs, outputs, rngs, **self.hyper)
