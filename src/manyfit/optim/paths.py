"""Parameters by name: dotted paths such as ``layers.0.kernel``, and patterns that choose among them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import jax

from manyfit.errors import ConfigError, nearest


def path_of(keys: tuple[Any, ...]) -> str:
    """``layers.0.kernel`` for the keys of a leaf."""
    return jax.tree_util.keystr(keys, simple=True, separator=".")


def paths(params: Any) -> list[str]:
    """The path of every leaf, in the order of ``jax.tree.leaves``."""
    return [path_of(keys) for keys, _ in jax.tree_util.tree_leaves_with_path(params)]


def matches(path: str, pattern: str) -> bool:
    """Whether a pattern (``*``, ``?`` and ``[...]`` as in a shell; ``*`` also spans dots) covers a path."""
    return fnmatchcase(path, pattern)


def chosen(params: Any, patterns: tuple[str, ...]) -> Any:
    """A tree of bools: which leaves one of the patterns covers.

    Raises ``ConfigError`` for a pattern that covers none.
    """
    check(params, patterns)
    return jax.tree_util.tree_map_with_path(
        lambda keys, leaf: any(matches(path_of(keys), p) for p in patterns), params
    )


def check(params: Any, patterns: tuple[str, ...]) -> None:
    """Raises ``ConfigError`` for a pattern that covers no parameter."""
    names = paths(params)
    for pattern in patterns:
        if not any(matches(name, pattern) for name in names):
            raise ConfigError(f"no parameter is named like {pattern!r}: {nearest(pattern, names)}")
