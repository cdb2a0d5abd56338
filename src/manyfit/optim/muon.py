"""Muon: the momentum of a matrix, made orthogonal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from manyfit.errors import ConfigError
from manyfit.optim.adaptive import AdamW
from manyfit.optim.paths import matches, path_of
from manyfit.space import Numeric

_QUINTIC = (3.4445, -4.7750, 2.0315)
"""Jordan's coefficients: the steepest at 0 whose iteration stays near 1."""


class MuonState(NamedTuple):
    """The momentum."""

    mu: Any


@dataclass(frozen=True)
class Muon(AdamW):
    """Momentum whose singular values are all set near 1, for matrices; AdamW for everything else.

    Kernels with more than two axes are matrices from all inputs of an output to the outputs, the last
    axis. Vectors, and what a pattern of ``adamw`` covers (embeddings, the head), take AdamW's step
    with ``b1``, ``b2``, ``eps`` and the same rate: ``scaling="rms"`` makes the matrices' steps as
    large as AdamW's (Liu et al. 2025, "Muon is scalable for LLM training"), ``"shape"`` is Jordan's own,
    whose rate is about 20 times higher. ``iterations`` are the steps of Newton and Schulz.

    Source: Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks".

    >>> optimizer = Muon(learning_rate=1e-3, weight_decay=0.1)
    """

    momentum: Numeric = 0.95
    nesterov: bool = True
    iterations: int = 5
    scaling: Literal["rms", "shape"] = "rms"
    adamw: tuple[str, ...] = ("head.*", "*embed*", "*categories*")

    def __post_init__(self) -> None:
        if self.scaling not in ("rms", "shape"):
            raise ConfigError(f"Muon(scaling={self.scaling!r}): give 'rms' or 'shape'")

    def direction(self) -> list[optax.GradientTransformation]:
        """Each parameter by its own rule."""
        rules = {"matrix": self._orthogonal(), "other": AdamW.direction(self)[0]}
        return [optax.partition(rules, self._labels)]

    def _labels(self, params: Any) -> Any:
        def label(keys: tuple[Any, ...], leaf: jax.Array) -> str:
            other = leaf.ndim < 2 or any(matches(path_of(keys), pattern) for pattern in self.adamw)
            return "other" if other else "matrix"

        return jax.tree_util.tree_map_with_path(label, params)

    def _orthogonal(self) -> optax.GradientTransformation:
        def init(params: Any) -> MuonState:
            return MuonState(optax.tree.zeros_like(params))

        def update(gradient: Any, state: MuonState, params: Any = None) -> tuple[Any, MuonState]:
            del params
            mu = optax.tree.update_moment(gradient, state.mu, self.momentum, 1)
            ahead = optax.tree.update_moment(gradient, mu, self.momentum, 1) if self.nesterov else mu
            return jax.tree.map(self._one, ahead), MuonState(mu)

        return optax.GradientTransformation(init, update)

    def _one(self, momentum: jax.Array) -> jax.Array:
        matrix = momentum.reshape(-1, momentum.shape[-1])
        rows, columns = matrix.shape
        jordan, liu = math.sqrt(max(1.0, columns / rows)), 0.2 * math.sqrt(max(rows, columns))
        scale = liu if self.scaling == "rms" else jordan
        return (scale * orthogonal(matrix, self.iterations)).reshape(momentum.shape)


def orthogonal(matrix: jax.Array, iterations: int = 5) -> jax.Array:
    """``matrix`` ``(m, n)`` with its singular values moved to between 0.7 and 1.2, its vectors kept.

    A quintic Newton-Schulz iteration on the smaller side, in the matrix's own dtype: matrix products only.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T, iterations).T
    a, b, c = _QUINTIC
    x = matrix / jnp.maximum(jnp.linalg.norm(matrix), 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x
