"""The shapes of a model, from its objective and the shapes of its data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from manyfit.engine import Fold
from manyfit.engine.stored import is_stored
from manyfit.errors import RunError


def spec_of(data: Any) -> Any:
    """The shapes of one row of a data set."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), data, is_leaf=is_stored
    )


def unbound(objective: Any) -> Any:
    """The objective without the shapes of its data."""
    return replace(objective, features=None) if hasattr(objective, "features") else objective


def template_of(objective: Any, spec: Any, hyper: tuple[str, ...]) -> Any:
    """The shapes of one exported model of an objective on rows of shape ``spec``."""

    def one() -> Any:
        data = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), spec)
        prepared = objective.prepare(Fold(data, jnp.zeros(1, jnp.int32), jnp.ones(1)))
        values = {name: jnp.float32(0.5) for name in hyper}
        return objective.export(objective.init(jax.random.key(0), values, prepared))

    return jax.eval_shape(one)


def check_shapes(models: Any, template: Any, place: Path) -> None:
    """Raises ``RunError`` where the ``models`` of the file ``place`` have not the template's shapes and dtypes."""
    found = jax.tree.leaves(models)
    counts = {leaf.shape[:1] for leaf in found}
    for leaf, like in zip(found, jax.tree.leaves(template), strict=True):
        if leaf.shape[1:] != like.shape or leaf.dtype != like.dtype or len(counts) != 1:
            raise RunError(
                f"{place}: an array is {leaf.dtype} {leaf.shape}, expected (members, *{like.shape})"
            )
