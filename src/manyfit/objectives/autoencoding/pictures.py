"""What an autoencoder has to show: rows beside their reconstructions, new rows, and the way from one to another."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from manyfit.engine.objective import Array, Key, PyTree

COLUMNS, LINES, STEPS = 12, 4, 12


def grids(objective: Any, model: PyTree, data: PyTree, key: Key) -> dict[str, Array]:
    """Grids ``(lines, columns, ...)`` of values.

    ``reconstructions``: rows, and below each its own. ``samples``: decoded codes from the prior; ``drawn`` where
    the kind has none, from a normal distribution of the given rows' codes (Ghosh et al., 2020, "From variational
    to deterministic autoencoders"). ``interpolations``: decoded codes on the straight lines between pairs of
    rows, the rows themselves at the ends.
    """
    values = objective.values(model["prepared"], data)["values"]
    codes = objective.predict(model, data)
    count = min(COLUMNS, len(values))
    found = objective.decode(model, codes)
    if objective.probabilistic:
        drawn = jax.random.normal(key, (LINES * COLUMNS, objective.latent))
    else:
        centred = codes - jnp.mean(codes, axis=0)
        noise = jax.random.normal(key, (LINES * COLUMNS, len(codes)))
        drawn = jnp.mean(codes, axis=0) + noise @ centred / jnp.sqrt(max(1, len(codes) - 1))
    samples = objective.decode(model, drawn)
    lines = max(1, min(LINES, len(values) // 2))
    a, b = (jnp.arange(lines) * 2) % len(values), (jnp.arange(lines) * 2 + 1) % len(values)
    share = jnp.linspace(0.0, 1.0, STEPS)[None, :, None]
    between = (1 - share) * codes[a][:, None] + share * codes[b][:, None]  # (lines, STEPS, latent)
    way = objective.decode(model, between.reshape(lines * STEPS, -1))
    way = way.reshape(lines, STEPS, *values.shape[1:])
    return {
        "reconstructions": jnp.stack([values[:count], found[:count]]),
        "samples" if objective.probabilistic else "drawn": samples.reshape(LINES, COLUMNS, *values.shape[1:]),
        "interpolations": jnp.concatenate([values[a][:, None], way, values[b][:, None]], axis=1),
    }
