"""What everything in the matrix must satisfy; each check takes plain functions of arrays.

Layers, losses, optimizers and architectures each have a module of rows beside this file and a test
that runs these checks over all of them: a new one is a new row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

PyTree = Any


def draw(tree: PyTree, seed: int = 0, dtype: Any = None) -> PyTree:
    """Standard normal arrays shaped like the floating leaves of ``tree``; other leaves as they are."""
    rng = np.random.default_rng(seed)

    def one(leaf: Any) -> jax.Array:
        if jnp.issubdtype(leaf.dtype, jnp.floating):
            return jnp.asarray(rng.normal(size=leaf.shape), dtype or leaf.dtype)
        return jnp.asarray(leaf)

    return jax.tree.map(one, tree)


def widen(tree: PyTree) -> PyTree:
    """Floating leaves as float64."""
    return jax.tree.map(
        lambda x: jnp.asarray(x, jnp.float64) if jnp.issubdtype(jnp.asarray(x).dtype, jnp.floating) else x,
        tree,
    )


def gradient_equals_finite_differences(
    function: Callable[[PyTree], jax.Array], point: PyTree, *, step: float = 1e-6, tolerance: float = 1e-6
) -> None:
    """The gradient of ``sum(weights * function(point))`` along random directions, in float64.

    Call inside ``jax.enable_x64(True)`` with a float64 ``point``. A central difference is exact to
    ``step**2`` times the third derivative plus 1e-16 / ``step`` of rounding, about 1e-10 here.
    """
    shape = jax.eval_shape(function, point)
    assert shape.dtype == jnp.float64, f"the function left float64: {shape.dtype}"
    weights = draw(shape, seed=7)

    def value(at: PyTree) -> jax.Array:
        return jnp.vdot(weights, function(at))

    floats, tree = jax.tree.flatten(point)
    moving = [i for i, leaf in enumerate(floats) if jnp.issubdtype(leaf.dtype, jnp.floating)]

    def of(parts: list[jax.Array]) -> jax.Array:
        whole = list(floats)
        for i, part in zip(moving, parts, strict=True):
            whole[i] = part
        return value(jax.tree.unflatten(tree, whole))

    at = [floats[i] for i in moving]
    of = jax.jit(of)
    gradient = jax.jit(jax.grad(of))(at)
    for seed in range(3):
        direction = draw(at, seed=seed + 100)
        ahead = of([a + step * d for a, d in zip(at, direction, strict=True)])
        behind = of([a - step * d for a, d in zip(at, direction, strict=True)])
        slope = (ahead - behind) / (2 * step)
        along = sum(jnp.vdot(g, d) for g, d in zip(gradient, direction, strict=True))
        np.testing.assert_allclose(along, slope, rtol=tolerance, atol=tolerance)


def member_equals_solo(
    function: Callable[..., PyTree], stacked: tuple[PyTree, ...], *, tolerance: float = 1e-5
) -> None:
    """Every member of ``jit(vmap(function))`` equals the function of that member alone."""
    together = jax.jit(jax.vmap(function))(*stacked)
    count = jax.tree.leaves(stacked)[0].shape[0]
    alone = jax.jit(function)
    for i in range(count):
        mine = jax.tree.map(lambda leaf, i=i: leaf[i], stacked)
        expected = alone(*mine)
        got = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(
                np.asarray(a, np.float64), np.asarray(b, np.float64), rtol=tolerance, atol=tolerance
            ),
            got,
            expected,
        )


def traced_once(function: Callable[..., PyTree], *arguments: tuple[PyTree, ...]) -> None:
    """Calls with other numbers of the same shape share one trace, and give other results."""
    count = 0

    def counted(*given: PyTree) -> PyTree:
        nonlocal count
        count += 1
        return function(*given)

    jitted = jax.jit(counted)
    results = [jax.tree.leaves(jitted(*given)) for given in arguments]
    assert count == 1, f"{count} traces for {len(arguments)} settings of the same shape"
    first, *others = results
    for other in others:
        assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True)), (
            "another value of the hyper-parameter changed nothing"
        )


def naive_convolutions(compiled: str) -> list[str]:
    """The convolutions of an optimised HLO text that XLA:CPU has no fast routine for in a loop.

    Fast ones have images NHWC and kernels HWIO with nothing reversed, and images no smaller than the kernel before
    they are padded; groups are taken as they are.
    """
    lines = [line for line in compiled.splitlines() if re.search(r"\bconvolution\(", line)]
    return [
        line
        for line in lines
        if "dim_labels=b01f_01io->b01f" not in line
        or re.search(r"batch_group_count|rhs_reversal", line)
        or smaller_than_its_kernel(line)
    ]


def smaller_than_its_kernel(line: str) -> bool:
    """Whether a convolution of an HLO text has an image of fewer rows or columns than its kernel."""
    shape = re.search(r"= \w+\[([\d,]+)\]", line)
    window = re.search(r"window=\{([^}]*)\}", line)
    assert shape and window, line
    parts = dict(part.split("=") for part in window[1].split())
    sizes = [int(n) for n in parts["size"].split("x")]

    def each(name: str, plain: str) -> list[str]:
        return parts[name].split("x") if name in parts else [plain] * len(sizes)

    for out, size, stride, hole, pads in zip(
        [int(n) for n in shape[1].split(",")][1:3],
        sizes,
        each("stride", "1"),
        each("rhs_dilate", "1"),
        each("pad", "0_0"),
    ):
        reach = (size - 1) * int(hole) + 1
        most = out * int(stride) - 1 + reach - sum(int(n) for n in pads.split("_"))
        if most < reach:
            return True
    return False
