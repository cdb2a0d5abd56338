"""What a member's draws cost with JAX's own keys and with the engine's: ``python benchmarks/keys.py``.

Five members derive a key for the step, split it and draw: a mask, thirty normal numbers, indices. Both give the
same bits. Compilation is CPU time without a cache, a call the median of 300.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import manyfit  # noqa: F401  (sets the devices before JAX starts)
from manyfit.engine.keys import wrap


def draws(make: Any) -> Any:
    """What five members draw in step ``t`` from the words of their keys."""

    def one(words: jax.Array, t: jax.Array) -> tuple[jax.Array, ...]:
        key = jax.random.fold_in(jax.random.fold_in(make(words), 7), t)
        mask, other = jax.random.split(key)
        return (
            jax.random.bernoulli(mask, 0.3, (64, 128)),
            jax.random.normal(other, (30,)),
            jax.random.randint(mask, (64,), 0, 1000),
        )

    return jax.jit(jax.vmap(one, in_axes=(0, None)))


def main() -> None:
    """Print a line for each kind of key."""
    words = jax.random.key_data(jax.random.split(jax.random.key(3), 5))
    results = []
    print("keys     compile, CPU s   kernels   loops   a call, us")
    for name, make in (("JAX's", jax.random.wrap_key_data), ("ours", wrap)):
        started = time.process_time()
        compiled = draws(make).lower(words, jnp.int32(0)).compile()
        seconds = time.process_time() - started
        text = compiled.as_text()
        taken = []
        for t in range(300):
            begun = time.perf_counter()
            result = jax.block_until_ready(compiled(words, jnp.int32(t)))
            taken.append(time.perf_counter() - begun)
        results.append(result)
        print(
            f"{name:8} {seconds:14.2f} {text.count(' fusion('):9} {text.count(' while('):7} "
            f"{1e6 * statistics.median(taken):12.0f}",
            flush=True,
        )
    print("the same bits:", all(np.array_equal(a, b) for a, b in zip(*results)))


if __name__ == "__main__":
    main()
