"""What a training step computes in, and what it keeps: mixed precision and rematerialisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

import jax
import jax.numpy as jnp

from manyfit.errors import ConfigError, nearest

Precision: TypeAlias = Literal["float32", "bfloat16"]
Rematerialise: TypeAlias = Literal["none", "activations", "all"]
F = TypeVar("F", bound=Callable[..., Any])

PRECISIONS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
_PRODUCTS = ("dot_general", "conv_general_dilated")


def narrowed(tree: Any, precision: str) -> Any:
    """The floating leaves of ``tree`` in the precision to compute in; float32 leaves all as it is.

    Differentiated, the cast hands back float32 gradients: the weights that are kept, their moments
    and their updates stay float32 ("master weights"; Micikevicius et al. 2018). bfloat16 has float32's
    range, so that losses need no scaling.

    Raises ``ConfigError`` for another precision.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision is {precision!r}: {nearest(precision, PRECISIONS)}")
    if precision == "float32":
        return tree
    kind = PRECISIONS[precision]
    return jax.tree.map(
        lambda leaf: leaf.astype(kind) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree
    )


def rematerialised(function: F, what: str) -> F:
    """``function``, whose backward pass computes again what its forward pass then need not keep.

    ``"none"`` keeps everything. ``"activations"`` keeps the results of matrix products and convolutions
    and computes again what is cheap (activations, normalisation, dropout masks). ``"all"`` keeps the
    arguments alone: for a function that is one layer of many (Chen et al. 2016). Gradients are the same.
    XLA's CPU compiler joins the two computations again, so that nothing is saved there.

    Raises ``ConfigError`` for another word.
    """
    if what == "none":
        return function
    if what == "all":
        again: Any = jax.checkpoint(function)
        return again
    if what == "activations":
        again = jax.checkpoint(function, policy=lambda primitive, *_, **__: primitive.name in _PRODUCTS)
        return again
    raise ConfigError(f"rematerialise is {what!r}: {nearest(what, ('none', 'activations', 'all'))}")
