"""Batch normalisation forward and backward inside a compiled loop, beside the plain formula and PyTorch.

One thread each, milliseconds a member, the least of several runs; two members of (64, 32, 32, 64).

    python benchmarks/normalisation.py [--shape 64 32 32 64] [--members 2]
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

os.environ["MANYFIT_DEVICES"] = "2"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import manyfit  # noqa: F401  (sets the devices before JAX starts)

# isort: split
import jax
import jax.numpy as jnp
import measure
import numpy as np
from flax import nnx
from jax import lax

from manyfit import nn

STEPS, RUNS = 8, 3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shape", type=int, nargs=4, default=[64, 32, 32, 64])
    options.add_argument("--members", type=int, default=2)
    chosen = options.parse_args()
    shape = tuple(chosen.shape)
    print(measure.machine())
    lines = [["form", "ms a member"]]
    lines.append(["manyfit.nn.BatchNorm", f"{ours(nn.BatchNorm, shape, chosen.members):.2f}"])
    lines.append(["flax.nnx.BatchNorm", f"{ours(nnx.BatchNorm, shape, chosen.members):.2f}"])
    for name, milliseconds in torch(shape).items():
        lines.append([name, f"{milliseconds:.2f}"])
    print(measure.table(lines))


def ours(kind: Any, shape: tuple[int, ...], members: int) -> float:
    """A layer of this kind, with the output as its own gradient."""
    graph, start = nnx.split(kind(shape[-1], rngs=nnx.Rngs(0)))

    def step(x: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        def apply(x: jax.Array, state: Any) -> tuple[jax.Array, Any]:
            layer = nnx.merge(graph, state)
            y = layer(x)
            return y, nnx.state(layer)

        y, pull, state = jax.vjp(apply, x, state, has_aux=True)
        gradient, _ = pull(lax.optimization_barrier(y))
        return x + 1e-3 * gradient, state

    @jax.jit
    def loop(x: jax.Array, state: Any, steps: int) -> Any:
        return lax.fori_loop(0, steps, lambda _, both: jax.vmap(step)(*both), (x, state))

    x = jnp.asarray(np.random.default_rng(0).normal(size=(members, *shape)), jnp.float32)
    state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (members, *leaf.shape)), start)
    jax.block_until_ready(loop(x, state, 1))
    return least(lambda: jax.block_until_ready(loop(x, state, STEPS))) / STEPS / members


def torch(shape: tuple[int, ...]) -> dict[str, float]:
    """PyTorch's in both of its layouts."""
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(1)
    batch, height, width, channels = shape
    found = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(batch, channels, height, width).to(memory_format=layout).requires_grad_()
        g = torch.randn(batch, channels, height, width).to(memory_format=layout)
        layer = torch.nn.BatchNorm2d(channels)

        def once(x: Any = x, g: Any = g, layer: Any = layer) -> None:
            layer(x).backward(g)

        once()
        found[f"torch, {str(layout).removeprefix('torch.')}"] = least(once)
    return found


def least(call: Any) -> float:
    """Milliseconds."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times) * 1e3


if __name__ == "__main__":
    main()
