"""Calls from a compiled program to the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import io_callback

try:
    from jax.experimental import buffer_callback as buffers

    _direct: Any = buffers.buffer_callback
except ImportError:  # experimental: another version of JAX may not have it
    _direct = None


def called(
    function: Callable[..., Sequence[np.ndarray]], shapes: Sequence[jax.ShapeDtypeStruct], *arguments: Any
) -> list[jax.Array]:
    """What ``function`` gives for ``arguments`` as arrays, of these shapes, called each time that it is come by.

    Members abreast call one after the other, as long as some argument is a member's own. On a CPU the call
    sees the program's own memory; ``io_callback`` makes arrays of it first, which costs more than a cheap simulator.
    """
    if jax.default_backend() != "cpu" or _direct is None:
        found: list[jax.Array] = io_callback(
            lambda *given: list(function(*map(np.asarray, given))), list(shapes), *arguments
        )
        return found

    def call(context: Any, out: Any, *given: Any) -> None:
        del context
        # the memory is the program's again after the call
        for place, value in zip(out, function(*(np.asarray(one).copy() for one in given)), strict=True):
            np.asarray(place)[...] = value

    return list(_direct(call, list(shapes), has_side_effect=True, vmap_method="sequential")(*arguments))
