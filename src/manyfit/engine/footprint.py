"""How much a traced function writes: what decides whether members go through it abreast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr


def bytes_written(program: ClosedJaxpr | Jaxpr) -> int:
    """Bytes of all intermediate results, a loop's body once; fusion is not known yet, so it is an upper bound.

    >>> import jax.numpy as jnp
    >>> bytes_written(jax.make_jaxpr(lambda x: jnp.sin(x) + 1)(jnp.ones(8)))
    64
    """
    total = 0
    for equation in getattr(program, "jaxpr", program).eqns:
        inside = list(_programs(equation.params))
        if inside:
            total += sum(bytes_written(one) for one in inside)
        else:
            total += sum(_size(v.aval) for v in equation.outvars)
    return total


def _programs(parameters: dict[str, Any]) -> Iterator[ClosedJaxpr | Jaxpr]:
    for value in parameters.values():
        for item in value if isinstance(value, (tuple, list)) else [value]:
            if isinstance(item, (ClosedJaxpr, Jaxpr)):
                yield item


def _size(aval: Any) -> int:
    dtype = getattr(aval, "dtype", None)
    return aval.size * dtype.itemsize if dtype is not None and hasattr(aval, "size") else 0
