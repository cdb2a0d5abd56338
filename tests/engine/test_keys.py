"""Our keys give JAX's own numbers, and no loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.engine import keys

SEEDS = [0, 1, 12345, 2**31 - 1]


def both(seed):
    return keys.key_of(seed), jax.random.key(seed)


def same(ours, theirs):
    if jnp.issubdtype(ours.dtype, jax.dtypes.prng_key):
        ours, theirs = jax.random.key_data(ours), jax.random.key_data(theirs)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_gives_the_same_key(seed):
    same(*both(seed))


@pytest.mark.parametrize(
    "draw",
    [
        lambda k: jax.random.split(k),
        lambda k: jax.random.split(k, (3, 2)),
        lambda k: jax.random.fold_in(k, 0xFFFFFFFF),
        lambda k: jax.random.fold_in(jax.random.fold_in(k, 7), jnp.int32(3)),
        lambda k: jax.random.bits(k),
        lambda k: jax.random.bits(k, (5, 3), jnp.uint8),
        lambda k: jax.random.bits(k, (7,), jnp.uint16),
        lambda k: jax.random.bits(k, (2, 3, 4), jnp.uint32),
        lambda k: jax.random.bits(k, (0, 4), jnp.uint32),
        lambda k: jax.random.normal(k, (9,)),
        lambda k: jax.random.permutation(k, 20),
        lambda k: jax.random.categorical(k, jnp.zeros((4, 5))),
    ],
)
def test_every_draw_is_that_of_jax(draw):
    same(*map(draw, both(3)))


def test_wide_words_too():
    with jax.enable_x64(True):
        same(*(jax.random.bits(k, (5,), jnp.uint64) for k in both(3)))
        same(*both(2**40 + 5))


def test_a_stack_of_keys_draws_member_by_member():
    data = jax.random.key_data(jax.random.split(jax.random.key(2), 4))
    draw = jax.jit(jax.vmap(lambda k: jax.random.uniform(jax.random.fold_in(k, 1), (3,))))
    same(draw(keys.wrap(data)), draw(jax.random.wrap_key_data(data)))


@pytest.mark.skipif(not keys.WRITTEN_OUT, reason="JAX's own keys are used here")
def test_a_draw_compiles_to_no_loop():
    def text(key):
        return jax.jit(lambda k: jax.random.bits(k, (64,))).lower(key).compile().as_text()

    assert " while(" not in text(keys.key_of(0))


@pytest.mark.skipif(not keys.WRITTEN_OUT, reason="JAX's own keys are used here")
def test_too_many_draws_of_one_key_are_refused():
    with pytest.raises(ValueError, match="split it"):
        jax.jit(lambda k: jax.random.bits(k, (2**16, 2**16))).lower(keys.key_of(0))
