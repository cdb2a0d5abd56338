"""Configurations as JSON and back, through a list of known names: opening one never runs foreign code."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from manyfit.errors import RunError, nearest
from manyfit.space import Distribution


@functools.cache
def known() -> dict[str, type]:
    """The parts that a run folder may name: nothing else is ever rebuilt."""
    from manyfit import augment, environments, losses, models, optim
    from manyfit.data import (
        ImagePreprocess,
        Intensities,
        SeriesPreprocess,
        TablePreprocess,
        TagPreprocess,
        TextAndTablePreprocess,
        TextPreprocess,
        Vectors,
    )
    from manyfit.models import autoencoders, gan
    from manyfit.objectives import (
        Identity,
        NextToken,
        Supervised,
        Tagging,
        adversarial,
        autoencoding,
        reinforcement,
    )

    parts: list[type] = [
        TextAndTablePreprocess,
        TextPreprocess,
        TagPreprocess,
        SeriesPreprocess,
        *losses.LOSSES.values(),
        *optim.PARTS,
        *augment.PARTS,
        *models.PARTS,
        *gan.PARTS,
        *adversarial.PARTS,
        *autoencoders.PARTS,
        *autoencoding.PARTS,
        *environments.PARTS,
        *reinforcement.PARTS,
        *(ImagePreprocess, TablePreprocess, Intensities, Vectors, Identity, NextToken, Supervised, Tagging),
    ]
    from manyfit.objectives import forecasting, translation

    parts += [*forecasting.PARTS, translation.Translation]
    found = {part.__name__: part for part in parts}
    assert len(found) == len({*parts}), "two parts of one name: a saved model could not tell them apart"
    return found


def describe(value: Any) -> Any:
    """A JSON-able account of a tree of dataclasses, tuples, mappings and plain values.

    What has no such account (a function of the user's) is named, and cannot be rebuilt.
    """
    if isinstance(value, Distribution):
        return {"distribution": value.describe()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: describe(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(k): describe(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return {"array": [list(value.shape), str(value.dtype)]}
    return {"own": getattr(value, "__qualname__", type(value).__qualname__)}


def rebuild(content: Any) -> Any:
    """The tree that ``describe`` described. Lists become tuples.

    Raises ``RunError`` for a name that is not known: a model with parts of the
    user's own needs them handed in again.
    """
    if isinstance(content, list):
        return tuple(rebuild(v) for v in content)
    if not isinstance(content, dict):
        return content
    if "own" in content:
        raise RunError(
            f"the model was built by {content['own']!r}, code of its author's that a run folder cannot hold: "
            "give the objective again, load(folder, objective=...)"
        )
    if "array" in content:
        import jax

        shape, dtype = content["array"]
        return jax.ShapeDtypeStruct(tuple(shape), dtype)
    if "type" not in content:
        return {k: rebuild(v) for k, v in content.items()}
    name, parts = content["type"], known()
    if name not in parts:
        raise RunError(
            f"the model has a part {name!r} that this version of manyfit does not know: "
            "give the objective again, load(folder, objective=...)"
        )
    fields = {f.name for f in dataclasses.fields(parts[name]) if f.init}
    given = {k: v for k, v in content.items() if k != "type"}
    for field in given:
        if field not in fields:
            raise RunError(
                f"{name} has no field {field!r} in this version of manyfit; {nearest(field, fields)}"
            )
    return parts[name](**{k: rebuild(v) for k, v in given.items()})
