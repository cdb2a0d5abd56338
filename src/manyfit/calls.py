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
    function: Callable[..., Sequence[np.ndarray]],
    shapes: Sequence[jax.ShapeDtypeStruct],
    *arguments: Any,
    pure: bool = False,
) -> list[jax.Array]:
    """What ``function`` gives for ``arguments`` as arrays, of these shapes, called each time that it is come by.

    Members abreast call one after the other, as long as some argument is a member's own; of a ``pure`` function, which
    may also be called less often, they call once, all arguments with an axis more in front.

    On a CPU the call sees the program's own memory. The callbacks of JAX make arrays of it first, which costs more
    than a cheap simulator, and copies larger ones on the threads that wait for the call: two programs that call at
    once on two cores have waited for ever (jax-ml/jax#24255).
    """
    if jax.default_backend() != "cpu" or _direct is None:

        def on_arrays(*given: Any) -> list[np.ndarray]:
            return list(function(*map(np.asarray, given)))

        found: list[jax.Array] = (
            jax.pure_callback(on_arrays, list(shapes), *arguments, vmap_method="broadcast_all")
            if pure
            else io_callback(on_arrays, list(shapes), *arguments)
        )
        return found

    def on_buffers(context: Any, out: Any, *given: Any) -> None:
        del context
        # the memory is the program's again after the call
        for place, value in zip(out, function(*(np.asarray(one).copy() for one in given)), strict=True):
            np.asarray(place)[...] = value

    how = {"vmap_method": "broadcast_all" if pure else "sequential", "has_side_effect": not pure}
    return list(_direct(on_buffers, list(shapes), **how)(*arguments))
