"""Which equations of a program are an activation function."""

from __future__ import annotations

import os
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

ACTIVATIONS: dict[str, tuple[float | None, float | None]] = {
    "relu": (0.0, None),
    "relu6": (0.0, 6.0),
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "soft_sign": (-1.0, 1.0),
    "gelu": (None, None),
    "silu": (None, None),
    "swish": (None, None),
    "hard_silu": (None, None),
    "hard_swish": (None, None),
    "mish": (None, None),
    "elu": (None, None),
    "celu": (None, None),
    "selu": (None, None),
    "leaky_relu": (None, None),
    "softplus": (None, None),
    "squareplus": (None, None),
    "log_sigmoid": (None, None),
}
"""Activation functions and the flat ends of their range, None where there is none."""

_PRIMITIVES = {"tanh": "tanh", "logistic": "sigmoid"}
_HOME = os.path.join("jax", "_src", "nn", "functions.py")


def activation_ends(equations: Any) -> list[str | None]:
    """For each equation the activation function that it completes, if any.

    A function of ``jax.nn`` is known by its name or by the lines that it came from, whichever way it
    was called; ``tanh``, the logistic function and a maximum with 0 are known as they are.
    """
    names = [_function(equation) for equation in equations]
    ends: list[str | None] = []
    for i, name in enumerate(names):
        following = names[i + 1] if i + 1 < len(names) else None
        last = name != following or _whole(equations[i])
        ends.append(name if last and _is_features(equations[i]) else None)
    return ends


def _is_features(equation: Any) -> bool:
    out = equation.outvars[0].aval if equation.outvars else None
    return getattr(out, "ndim", 0) > 0 and jnp.issubdtype(getattr(out, "dtype", int), jnp.floating)


def _whole(equation: Any) -> bool:
    return equation.primitive.name in ("jit", "pjit", "custom_jvp_call")


def _function(equation: Any) -> str | None:
    name, called = equation.primitive.name, equation.params.get("name")
    if name == "custom_jvp_call":
        inside = equation.params["call_jaxpr"].jaxpr.eqns
        called = inside[0].params.get("name") if len(inside) == 1 else None
        return str(called) if called in ACTIVATIONS else None
    if name in ("jit", "pjit") and called in ACTIVATIONS:
        return str(called)
    frames = list(getattr(equation.source_info.traceback, "frames", ()))
    lines = [
        f.function_name for f in frames if f.file_name.endswith(_HOME) and f.function_name in ACTIVATIONS
    ]
    if lines:
        return str(lines[-1])  # the outermost one: silu calls sigmoid
    if name == "max" and any(isinstance(v, Literal) and np.all(v.val == 0) for v in equation.invars):
        # a normalisation keeps its variance from falling below 0 in the same way
        return None if any("norm" in os.path.basename(f.file_name) for f in frames[:14]) else "relu"
    return _PRIMITIVES.get(name)
