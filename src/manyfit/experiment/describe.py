"""Configurations as JSON and back, through a list of known names: opening one never runs foreign code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from manyfit.errors import RunError, nearest
from manyfit.space import Distribution

_KNOWN: dict[str, type] = {}


def register(kind: type) -> type:
    """Let a dataclass be described and rebuilt by its name."""
    _KNOWN[kind.__name__] = kind
    return kind


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


def rebuild(content: Any, special: Mapping[str, Callable[[Any], Any]] | None = None) -> Any:
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
    name = content["type"]
    if name not in _KNOWN:
        raise RunError(
            f"the model has a part {name!r} that this version of manyfit does not know ({nearest(name, _KNOWN)}): "
            "give the objective again, load(folder, objective=...)"
        )
    kind = _KNOWN[name]
    known = {f.name for f in dataclasses.fields(kind) if f.init}
    given = {k: v for k, v in content.items() if k != "type"}
    for field in given:
        if field not in known:
            raise RunError(
                f"{name} has no field {field!r} in this version of manyfit; {nearest(field, known)}"
            )
    return kind(**{k: rebuild(v) for k, v in given.items()})
