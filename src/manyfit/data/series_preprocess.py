"""How labelled series are scaled: every channel by the steps of the training series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class SeriesPreprocess:
    """Mean 0 and deviation 1 of each channel over the steps of the training series, zeros after a series' end.

    Inputs are ``steps`` ``(n, T, C)`` and ``lengths`` ``(n,)``; features have the same names. A channel that a series
    lacks (NaN) is at its mean. ``scaling="none"`` leaves the values as they are.

    >>> inputs = {"steps": jnp.array([[[1.0], [3.0]], [[9.0], [0.0]]]), "lengths": jnp.array([2, 1])}
    >>> scaled = SeriesPreprocess()
    >>> stats = scaled.fit(inputs, jnp.array([1.0, 0.0]))  # the second series is for testing
    >>> scaled.apply(stats, inputs)["steps"][:, :, 0].tolist()
    [[-1.0, 1.0], [7.0, 0.0]]
    """

    scaling: Literal["standard", "none"] = "standard"

    def fit(self, inputs: Mapping[str, jax.Array], weight: jax.Array) -> dict[str, jax.Array]:
        """``mean`` and ``scale`` ``(C,)``."""
        steps = inputs["steps"]
        if self.scaling == "none":
            return {"mean": jnp.zeros(steps.shape[2]), "scale": jnp.ones(steps.shape[2])}
        here = _inside(inputs) & (weight > 0)[:, None, None] & ~jnp.isnan(steps)
        count = jnp.maximum(jnp.sum(here, axis=(0, 1)), 1)
        mean = jnp.sum(jnp.where(here, steps, 0.0), axis=(0, 1)) / count
        variance = jnp.sum(jnp.where(here, (steps - mean) ** 2, 0.0), axis=(0, 1)) / count
        scale = jnp.sqrt(variance)
        return {"mean": mean, "scale": jnp.where(scale > 1e-6 * (jnp.abs(mean) + 1e-6), scale, 1.0)}

    def apply(self, stats: Mapping[str, jax.Array], inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """``steps`` float32 and ``lengths`` int32."""
        steps = (inputs["steps"] - stats["mean"]) / stats["scale"]
        steps = jnp.where(_inside(inputs) & ~jnp.isnan(steps), steps, 0.0)
        return {"steps": steps, "lengths": inputs["lengths"]}


def _inside(inputs: Mapping[str, jax.Array]) -> jax.Array:
    """bool ``(n, T, 1)``: which steps a series has."""
    return (jnp.arange(inputs["steps"].shape[1]) < inputs["lengths"][:, None])[..., None]
