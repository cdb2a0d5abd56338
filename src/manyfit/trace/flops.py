"""Floating-point operations of a program, counted equation by equation.

The convention: a multiply-add is 2 operations; an element-wise operation is 1 an element, whatever the
function (an exponential too); a reduction is 1 an element that goes in; moving, comparing for a mask,
casting and integer arithmetic are 0. A loop's body counts as often as it runs; of a branch the dearer
side counts. XLA's own ``cost_analysis`` follows the same rules but for exponentials and the like,
which it counts apart, and loops, whose length it may not know.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr

from manyfit.trace.layers import layer_of

# fmt: off
_ELEMENTWISE = frozenset((
    "add", "sub", "mul", "div", "rem", "max", "min", "neg", "abs", "sign", "floor", "ceil", "round",
    "exp", "exp2", "expm1", "log", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh",
    "cosh", "tanh", "asinh", "acosh", "atanh", "logistic", "sqrt", "rsqrt", "cbrt", "pow", "integer_pow",
    "square", "erf", "erfc", "erf_inv", "lgamma", "digamma", "add_any", "nextafter", "clamp", "cumsum",
    "cumprod", "cummax", "cummin", "cumlogsumexp",
))
# fmt: on
_REDUCTIONS = frozenset(("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "argmax", "argmin"))
_WINDOWS = frozenset(("reduce_window_sum", "reduce_window_max", "reduce_window_min"))


def count_flops(program: ClosedJaxpr | Jaxpr) -> Counter[int]:
    """Operations by the layer (its place in ``Naming.layers``) that does them.

    >>> import jax
    >>> count_flops(jax.make_jaxpr(lambda x, w: x @ w)(jnp.ones((2, 3)), jnp.ones((3, 4))))[0]
    48
    """
    found: Counter[int] = Counter()
    _count(getattr(program, "jaxpr", program), "", 1, found)
    return found


def _count(program: Any, scopes: str, times: int, found: Counter[int]) -> None:
    for equation in program.eqns:
        here = f"{scopes}/{equation.source_info.name_stack}"
        name = equation.primitive.name
        if name == "cond":
            sides = [Counter[int]() for _ in equation.params["branches"]]
            for side, branch in zip(sides, equation.params["branches"]):
                _count(branch.jaxpr, here, times, side)
            found.update(max(sides, key=lambda side: sum(side.values())))
            continue
        inner = _bodies(equation)
        for body in inner:
            _count(body, here, times * equation.params.get("length", 1) if name == "scan" else times, found)
        if not inner and (count := times * _own(equation)):
            found[layer_of(here)] += count


def _bodies(equation: Any) -> list[Any]:
    """The programs inside an equation that run when it runs: not the rules to differentiate it by."""
    kept = ("jaxpr", "call_jaxpr", "fun_jaxpr", "body_jaxpr", "call")  # the last: a custom vmap's
    found = [equation.params.get(key) for key in kept]
    programs = [getattr(one, "jaxpr", one) for one in found]
    return [one for one in programs if hasattr(one, "eqns")]


def _own(equation: Any) -> int:
    out = equation.outvars[0].aval
    if not hasattr(out, "dtype") or not jnp.issubdtype(out.dtype, jnp.inexact):
        return 0
    name, shapes = equation.primitive.name, [getattr(v.aval, "shape", ()) for v in equation.invars]
    size = math.prod(out.shape)
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return 2 * size * math.prod(shapes[0][axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = equation.params["dimension_numbers"].rhs_spec
        inside = math.prod(shapes[1][axis] for axis in kernel[1:])  # input channels of a group x window
        return 2 * size * inside
    if name in _REDUCTIONS:
        return math.prod(shapes[0])
    if name in _WINDOWS:
        return size * math.prod(equation.params["window_dimensions"])
    if name in ("scatter-add", "scatter_add"):
        return math.prod(shapes[2])
    return size if name in _ELEMENTWISE else 0
