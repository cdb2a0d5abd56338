"""The three products of a convolution in every way that manyfit can compute them, and which one it takes.

Milliseconds on one core inside a compiled loop, as in training; a star marks the choice of
``nn/_convolution.py``. ``limit`` is the arithmetic over a measured large matrix product on one core.

    python benchmarks/convolution.py [--library] [--series]

``--library`` lets XLA:CPU hand convolutions to its YNN library, which manyfit prevents on some processors.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

os.environ["MANYFIT_DEVICES"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
if "--library" in sys.argv[1:]:
    os.environ["XLA_FLAGS"] += " --xla_cpu_experimental_ynn_fusion_type=+individual_convolution"

import measure

import manyfit  # noqa: F401  (before JAX)

# images (B, H, C), kernel side, outputs, stride, groups
SHAPES = [
    (64, 8, 1, 3, 32, 1, 1),
    (64, 28, 1, 3, 32, 1, 1),
    (64, 28, 1, 5, 6, 1, 1),
    (32, 32, 3, 3, 64, 1, 1),
    (128, 32, 3, 3, 16, 1, 1),
    (64, 14, 32, 3, 64, 1, 1),
    (128, 32, 16, 3, 16, 1, 1),
    (128, 32, 16, 3, 32, 2, 1),
    (128, 16, 32, 3, 32, 1, 1),
    (128, 8, 64, 3, 64, 1, 1),
    (32, 32, 64, 3, 64, 1, 1),
    (64, 16, 128, 3, 128, 1, 1),
    (32, 4, 256, 3, 256, 1, 1),
    (32, 16, 64, 3, 64, 1, 4),
    (32, 32, 64, 3, 64, 1, 64),
    (32, 16, 64, 7, 64, 1, 64),
    (32, 32, 64, 3, 64, 2, 64),
]
# series and texts: (B, steps, C), the kernel's steps, outputs, stride, groups
SERIES = [
    (64, 27, 64, 3, 64, 1, 1),
    (64, 28, 64, 4, 64, 1, 1),
    (64, 60, 64, 5, 64, 1, 1),
    (16, 150, 1, 8, 64, 1, 1),
    (16, 150, 64, 5, 64, 1, 1),
    (16, 500, 64, 3, 128, 1, 1),
    (16, 500, 128, 5, 128, 1, 1),
    (32, 100, 32, 3, 32, 1, 1),
    (32, 100, 16, 9, 16, 1, 1),
    (32, 200, 64, 4, 64, 2, 1),
    (32, 336, 7, 25, 7, 1, 1),
    (12, 32, 48, 3, 48, 1, 1),
]
# the same with room for the kernel before the first step and after the last, as a network of texts reads words
TEXTS = [(64, 25, 64, 3, 64, 1, 1), (64, 25, 64, 4, 64, 1, 1), (64, 25, 64, 5, 64, 1, 1)]
PRODUCTS = ("output", "input_gradient", "kernel_gradient")


def main() -> None:
    import jax.numpy as jnp
    import numpy as np

    from manyfit.nn import _convolution as products
    from manyfit.nn.conv import _geometry

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(measure.machine())
    limit = measure.gemm_limit()
    lines = [["images", "kernel", "stride", "groups", "product", "limit", *WAYS]]
    rng = np.random.default_rng(0)
    series = "--series" in sys.argv[1:]
    for shape in [*SERIES, *TEXTS] if series else SHAPES:
        batch, side, channels, window, features, stride, groups = shape
        padding = ((0, 0), (window - 1, window - 1)) if series and shape in TEXTS else "SAME"
        height, tall, jump = (1, 1, 1) if series else (side, window, stride)
        x = jnp.asarray(rng.normal(size=(batch, height, side, channels)), jnp.float32)
        kernel = jnp.asarray(rng.normal(size=(tall, window, channels // groups, features)), jnp.float32)
        geometry = _geometry(x.shape, kernel.shape, (jump, stride), padding, groups=groups)
        g = products.CONVOLUTIONS["output"](x, kernel, geometry)
        flops = 2 * tall * window * channels // groups * g.size
        for product in PRODUCTS:
            a, b = {"output": (x, kernel), "input_gradient": (g, kernel), "kernel_gradient": (x, g)}[product]
            chosen = taken(products, product, a, b, geometry)
            cells = []
            for way in WAYS:
                compute = getattr(products, way.upper()).get(product)
                fits = {
                    "winograd": window == 3 and stride == groups == 1,
                    "depthwise": groups == channels > 1,
                }
                if compute is None or not fits.get(way, True):
                    cells.append("")
                    continue
                ms = milliseconds(lambda a, b, f=compute, geo=geometry: f(a, b, geo), a, b)
                cells.append(f"{ms:.3f}" + (" *" if way == chosen else ""))
            sizes = [f"{batch}x{height}x{side}x{channels}", f"{tall}x{window}x{features}", str(stride)]
            lines.append([*sizes, str(groups), product, f"{flops / limit / 1e6:.3f}", *cells])
    print(measure.table(lines))


WAYS = ("convolutions", "winograd", "matmuls", "depthwise")


def taken(products: Any, product: str, a: Any, b: Any, geometry: Any) -> str:
    """The table that ``run`` takes its function from."""
    channels, features = products._widths(product, a, b, geometry)
    if geometry.groups > 1 and geometry.groups == channels == features:
        return "depthwise"
    if products._by_matrix_product(product, a.dtype, channels, features, geometry):
        return "matmuls"
    return "winograd" if products._by_winograd(product, channels, features, geometry) else "convolutions"


def milliseconds(function: Any, a: Any, b: Any, repeats: int = 5) -> float:
    """One call inside a loop."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    def loop(a: Any, b: Any) -> Any:
        def turn(_: Any, carry: Any) -> Any:
            a, _ = carry
            result = function(a, b)
            # each turn depends on the one before, and its whole result is kept
            return a + result.ravel()[0] * 1e-9, result

        shape = jax.eval_shape(function, a, b)
        return lax.fori_loop(0, repeats, turn, (a, jnp.zeros(shape.shape, shape.dtype)))

    run = jax.jit(loop)
    jax.block_until_ready(run(a, b))
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        jax.block_until_ready(run(a, b))
        best = min(best, time.perf_counter() - started)
    return best / repeats * 1e3


if __name__ == "__main__":
    main()
