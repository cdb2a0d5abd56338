"""What a row of the matrix of layers says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flax import nnx


@dataclass(frozen=True)
class Row:
    """What a layer is made of, what it takes, and what it promises."""

    name: str
    make: Callable[..., Any]
    """``make(rngs, **traced)``."""
    inputs: tuple[Any, ...]
    """Arrays, or shapes of floating-point ones."""
    output: tuple[int, ...]
    state: tuple[str, ...] = ()
    """The paths of all its arrays but random streams."""
    traced: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Numeric hyper-parameters, with two values that must make a difference."""
    mode: str = "same"
    """Training against evaluation: ``same``, ``random`` or ``statistics``."""
    dtype: str = "input"
    """Of the output: the ``input``'s, or ``promoted`` with the float32 weights, Flax's rule."""
    low: bool = True
    """Whether the input may have 16 bits."""


class Function(nnx.Module):
    """A function as a layer without weights."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *inputs: Any) -> Any:
        """The function's value."""
        return self.function(*inputs)
