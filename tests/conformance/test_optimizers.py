"""The optimizer matrix: every row in a population, traced, in two precisions, described, to the optimum."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import draw, member_equals_solo, traced_once
from optimizer_rows import ROWS

from manyfit import optim
from manyfit.experiment.describe import describe, rebuild
from manyfit.space import numeric_paths, resolve

rng = np.random.default_rng(3)
X = rng.normal(size=(32, 4)).astype(np.float32)
Y = X @ rng.normal(size=(4, 3)).astype(np.float32) + 0.3 + 0.1 * rng.normal(size=(32, 3)).astype(np.float32)


def params(dtype=jnp.float32):
    # `scale` is of no use where the kernel may be anything: what is frozen keeps the optimum
    shapes = {
        "layers": {0: {"kernel": jnp.zeros((4, 3)), "scale": jnp.ones(4)}},
        "head": {"bias": jnp.zeros(3)},
    }
    found = draw(shapes, seed=1, dtype=dtype)
    found["layers"][0]["scale"] = jnp.ones(4, dtype)
    return found


def loss(p):
    kernel, bias = p["layers"][0]["kernel"], p["head"]["bias"]
    # the scale adds a bowl of its own, so that every parameter has a gradient
    bowl = jnp.mean((p["layers"][0]["scale"] - 1) ** 2)
    return jnp.mean((X.astype(kernel.dtype) @ kernel + bias - Y.astype(kernel.dtype)) ** 2) + bowl, ((), None)


def train(optimizer, start, steps):
    total = jnp.float32(steps)

    def one(_, carry):
        p, state = carry
        taken = optim.step(optimizer, loss, p, state, total)
        return taken.params, taken.state

    p, state = jax.lax.fori_loop(0, steps, one, (start, optim.start(optimizer, start)))
    return optim.evaluated(optimizer, state, p)[0], state


def numbers(optimizer, factor=1.0):
    return {
        name: jnp.float32(value * factor) for name, value in numeric_paths(optimizer).items() if value != 0
    }


@pytest.fixture(params=list(ROWS))
def optimizer(request):
    return ROWS[request.param]


def test_member_equals_solo(optimizer):
    """Three members with other numbers and other weights, 5 steps."""
    settings = [numbers(optimizer, f) for f in (1.0, 0.9, 0.8)]
    stacked = jax.tree.map(lambda *v: jnp.stack(v), *settings)
    starts = jax.tree.map(lambda p: jnp.stack([p, 0.5 * p, 2 * p]), params())

    def run(values, start):
        return train(resolve(optimizer, values), start, 5)

    member_equals_solo(run, (stacked, starts), tolerance=2e-5)


def test_other_numbers_do_not_retrace(optimizer):
    def run(values):
        return train(resolve(optimizer, values), params(), 5)[0]

    traced_once(run, (numbers(optimizer),), (numbers(optimizer, 0.9),))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_keeps_the_dtype_and_a_state_of_arrays(optimizer, dtype):
    start = params(dtype)
    values = numbers(optimizer)

    @jax.jit
    def run(values):
        here = resolve(optimizer, values)
        return optim.start(here, start), *train(here, start, 4)

    before, found, after = run(values)
    assert jax.tree.structure(before) == jax.tree.structure(after)
    for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        assert isinstance(b, jax.Array) and a.dtype == b.dtype and a.shape == b.shape
    for leaf in jax.tree.leaves(found):
        assert leaf.dtype == dtype and bool(jnp.isfinite(leaf).all())


def test_reaches_the_closed_form(optimizer):
    """Least squares: of the loss above its least value at the start, less than 1 in 1,000 is left after 300 steps."""
    start = params()
    design = np.concatenate([X, np.ones((32, 1), np.float32)], axis=1).astype(np.float64)
    best = np.linalg.lstsq(design, Y.astype(np.float64), rcond=None)[0]
    least = np.mean((design @ best - Y) ** 2)
    found, _ = jax.jit(lambda p: train(optimizer, p, 300))(start)
    excess = float(loss(found)[0]) - least
    assert excess < 1e-3 * (float(loss(start)[0]) - least)


def test_described_and_rebuilt(optimizer):
    assert rebuild(describe(optimizer)) == optimizer
