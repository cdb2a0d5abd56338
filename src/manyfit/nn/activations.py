"""Activation functions by name."""

from __future__ import annotations

from collections.abc import Callable

import jax

from manyfit.errors import ConfigError, nearest

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "relu6": jax.nn.relu6,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "hard_silu": jax.nn.hard_silu,
    "mish": jax.nn.mish,
    "softplus": jax.nn.softplus,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jax.numpy.tanh,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "identity": lambda x: x,
}


def activation(name: str) -> Callable[[jax.Array], jax.Array]:
    """The activation function of that name; raises ``ConfigError`` with the nearest one.

    >>> activation("relu")(jax.numpy.asarray(-1.0)).item()
    0.0
    """
    if name not in ACTIVATIONS:
        raise ConfigError(f"unknown activation {name!r}: {nearest(name, ACTIVATIONS)}")
    return ACTIVATIONS[name]
