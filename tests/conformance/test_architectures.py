"""Every architecture: shapes, gradients, members, traced numbers, modes, and no naive convolution in its training."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architecture_rows import ROWS
from checks import (
    draw,
    gradient_equals_finite_differences,
    member_equals_solo,
    naive_convolutions,
    traced_once,
    widen,
)
from jax import lax

from manyfit import models
from manyfit.engine.keys import key_of, wrap
from manyfit.models import Inputs
from manyfit.models.forecasters import FORECASTER_PARTS
from manyfit.objectives.module import Functional

every = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
KEY = key_of(3)
ROWS_OF_A_BATCH, OUTPUTS = 3, 2


def inputs_of(row, dtype=jnp.float32, seed=1):
    if row.pairs:
        source, target = jax.random.randint(key_of(seed), (2, ROWS_OF_A_BATCH, 7), 0, OUTPUTS)
        return {"source": source, "source_lengths": jnp.array([7, 3, 1]), "target": target}
    if row.words:
        tokens = jax.random.randint(key_of(seed), (ROWS_OF_A_BATCH, 7), 4, row.words)
        lengths = jnp.array([7, 3, 1])
        here = jnp.arange(7) < lengths[:, None]
        read = {"tokens": jnp.where(here, tokens, 0), "lengths": lengths}
        if row.beside:
            read |= draw({"numeric": jax.ShapeDtypeStruct((ROWS_OF_A_BATCH, row.beside), dtype)}, seed)
        if row.letters:
            drawn = jax.random.randint(jax.random.key(seed + 9), (ROWS_OF_A_BATCH, 7, 4), 4, row.letters)
            read["characters"] = jnp.where(here[..., None], drawn, 0)
        return read
    if row.reads:
        shapes = {name: (ROWS_OF_A_BATCH, *shape) for name, shape in row.reads.items() if shape}
        drawn = draw({name: jax.ShapeDtypeStruct(shape, dtype) for name, shape in shapes.items()}, seed)
        return drawn | ({"lengths": jnp.array([7, 3, 1])} if "lengths" in row.reads else {})
    shapes = (
        {"pixels": (ROWS_OF_A_BATCH, row.side, row.side, 2)}
        if row.side
        else {"numeric": (ROWS_OF_A_BATCH, 5)}
    )
    return draw({name: jax.ShapeDtypeStruct(shape, dtype) for name, shape in shapes.items()}, seed)


def network(row, **numbers):
    inputs = inputs_of(row)
    specs = {name: jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for name, x in inputs.items()}
    model = dataclasses.replace(row.model, **numbers)
    sizes = tuple(size for size in (row.words, row.letters) if size)
    return Functional(lambda rngs: model.build(Inputs(specs, sizes), OUTPUTS, rngs=rngs))


@functools.cache
def weights_of(name):
    row = next(row for row in ROWS if row.name == name)
    return jax.jit(network(row).init)(KEY)


def test_every_public_architecture_has_its_row():
    assert {type(row.model) for row in ROWS} == {*models.PARTS, *FORECASTER_PARTS}


@every
def test_shape_dtype_and_modes(row):
    net, weights, inputs = network(row), weights_of(row.name), inputs_of(row)

    @functools.partial(jax.jit, static_argnums=1)
    def run(seed, train):
        return net.apply(weights, inputs, train=train, key=key_of(seed))[0]

    y = run(0, True)
    between = (row.side, row.side) if row.pixels else row.between
    assert y.shape == (ROWS_OF_A_BATCH, *between, OUTPUTS) and y.dtype == jnp.float32
    assert np.isfinite(y).all()
    np.testing.assert_array_equal(run(0, False), run(1, False))
    assert bool(row.others) <= (not np.array_equal(y, run(1, True)))


@every
def test_gradients(row):
    net, weights = network(row), weights_of(row.name)
    with jax.enable_x64(True):
        params, inputs = widen(weights.params), inputs_of(row, jnp.float64)
        # away from the kinks that zeros start at
        params = jax.tree.map(lambda leaf, noise: leaf + 0.1 * noise, params, draw(params, 5))
        rest = widen(weights.rest)

        @jax.jit
        def value(point):
            params, inputs = point
            here = weights._replace(params=params, rest=rest)
            return net.apply(here, inputs, train=True, key=KEY)[0].astype(jnp.float64)

        gradient_equals_finite_differences(value, (params, inputs), step=1e-7, tolerance=1e-4)


@every
def test_member_equals_solo(row):
    net = network(row)
    keys = jax.random.split(KEY, 2)
    members = [(weights_of(row.name), inputs_of(row, seed=seed)) for seed in range(2)]

    def step(key_data, weights, inputs):
        def loss(params):
            key = wrap(key_data)
            y, rest = net.apply(weights._replace(params=params), inputs, train=True, key=key)
            return jnp.sum(jnp.sin(y)), rest

        return jax.grad(loss, has_aux=True)(weights.params)

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    member_equals_solo(step, (jax.random.key_data(keys), *stacked), tolerance=1e-4)


@pytest.mark.parametrize("row", [row for row in ROWS if row.others], ids=lambda row: row.name)
def test_another_number_is_not_traced_again(row):
    inputs = inputs_of(row)
    for name, other in row.others.items():

        def train(value, name=name):
            net = network(row, **{name: value})
            return net.apply(net.init(KEY), inputs, train=True, key=KEY)[0]

        traced_once(train, (jnp.float32(getattr(row.model, name)),), (jnp.float32(other),))


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.side or row.reads or row.words], ids=lambda row: row.name
)
def test_no_naive_convolution_in_training(row):
    """The compiled loop of a population of two: what XLA:CPU has only a slow routine for must not be in it."""
    net = network(row)
    inputs = inputs_of(row)

    def step(weights):
        def loss(params):
            y, rest = net.apply(weights._replace(params=params), inputs, train=True, key=KEY)
            return jnp.sum(y**2), rest

        gradient, rest = jax.grad(loss, has_aux=True)(weights.params)
        params = jax.tree.map(lambda a, b: a - 1e-3 * b, weights.params, gradient)
        return weights._replace(params=params, rest=rest)

    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), weights_of(row.name))
    run = jax.jit(lambda many: lax.fori_loop(0, 3, lambda _, w: jax.vmap(step)(w), many))
    program = run.lower(stacked).compile().as_text()
    assert "while" in program
    assert naive_convolutions(program) == []
