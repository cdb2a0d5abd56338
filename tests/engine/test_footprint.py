"""How much a function writes, counted by hand."""

import jax
import jax.numpy as jnp
from jax import lax

from manyfit.engine.footprint import bytes_written


def test_counts_what_is_written_and_a_loop_once():
    def function(x):
        y = jnp.sin(x)  # 32 bytes
        return lax.fori_loop(
            0, 9, lambda _, y: jax.jit(jnp.cos)(y), y
        )  # 32, and a counter of 4 with its test

    got = bytes_written(jax.make_jaxpr(function)(jnp.ones(8)))
    assert 64 <= got <= 80


def test_grows_with_the_batch():
    def program(rows):
        return jax.make_jaxpr(lambda x, w: jnp.tanh(x @ w))(jnp.ones((rows, 4)), jnp.ones((4, 8)))

    assert bytes_written(program(6)) == 2 * 6 * 8 * 4
