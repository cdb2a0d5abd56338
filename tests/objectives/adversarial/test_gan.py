"""The GAN objective in the engine: what every objective promises, and what this one does."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.data.toys import around, modes_found, ring_centres
from manyfit.engine import Batch, Hooks, Member, Population, Rows, Shape
from manyfit.errors import ConfigError, DataError
from manyfit.models.gan import DCGANDiscriminator, DCGANGenerator, DenseDiscriminator, DenseGenerator
from manyfit.objectives.adversarial import (
    GAN,
    R1,
    GradientPenalty,
    Relativistic,
    Wasserstein,
    energy_distance,
)
from manyfit.optim import EMA, SGD, Adam
from manyfit.space import numeric_paths

X = around(ring_centres(), 96, 0.02)
DATA = {"inputs": {"numeric": X}, "target": (np.arange(96) % 3).astype(np.int32)}
ROWS = np.arange(96, dtype=np.int32)
SMALL = GAN(
    DenseGenerator((8,)),
    DenseDiscriminator((8,)),
    loss=Wasserstein(),
    penalties=(GradientPenalty(1.0),),
    discriminator_steps=2,
    latent=3,
    classes=3,
    spectral_normalisation=True,
).bind(DATA)


def members(objective, seeds, **other):
    # as experiments do: what is off stays out of the program
    hyper = {path: float(value) for path, value in numeric_paths(objective).items() if value != 0}
    return [Member(0, seed, 0, {**hyper, **other}) for seed in seeds]


def trained(objective, people, data=DATA, epochs=3, stop=None, resume=None, saved=None, population=None):
    folds = [Rows(ROWS[:64], ROWS[:0], ROWS[80:])]
    shape = Shape(16)
    population = population or Population(
        objective, data, people, folds, shape, epochs=epochs, predict=False, chunk=1
    )
    found = {}
    hooks = Hooks(finish=lambda outcome: found.__setitem__(outcome.index, outcome))
    if stop is not None:
        asked = itertools.count()
        hooks.stop = lambda: next(asked) >= stop
        hooks.save = lambda checkpoint: saved.append(checkpoint)
    population.run(hooks, resume=resume)
    return found, population


def same(a, b, **tolerance):
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.fixture(scope="module")
def together():
    return trained(SMALL, members(SMALL, range(3)))


def test_a_member_equals_the_same_one_alone(together):
    alone, _ = trained(SMALL, members(SMALL, [1]))
    same(together[0][1].model, alone[0].model, rtol=2e-4, atol=2e-5)
    assert not np.array_equal(
        jax.tree.leaves(together[0][0].model)[-1], jax.tree.leaves(together[0][1].model)[-1]
    )


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(together):
    saved = []
    trained(SMALL, members(SMALL, range(3)), stop=2, saved=saved)
    found, _ = trained(SMALL, members(SMALL, range(3)), resume=saved[-1])
    for index in range(3):
        same(found[index].model, together[0][index].model, rtol=0, atol=0)


def test_numbers_are_traced_and_make_a_difference(together):
    paths = set(numeric_paths(SMALL))
    assert {
        "penalties.0.weight",
        "generator_optimizer.optimizer.learning_rate",
        "generator_optimizer.decay",
        "discriminator_optimizer.learning_rate",
        "discriminator_optimizer.b1",
    } <= paths
    people = members(SMALL, range(3), **{"penalties.0.weight": 50.0})
    before = together[1]._compiled.program
    found, population = trained(SMALL, people)
    assert population._compiled.program is before  # the same program, traced and compiled once
    assert not np.array_equal(jax.tree.leaves(found[0].model)[-1], jax.tree.leaves(together[0][0].model)[-1])


def test_one_members_nan_is_retired_and_touches_no_other(together):
    people = members(SMALL, range(3))
    rate = "generator_optimizer.optimizer.learning_rate"
    people[0] = dataclasses.replace(people[0], hyper={**people[0].hyper, rate: float("nan")})
    found, _ = trained(SMALL, people)
    assert found[0].status == "diverged" and found[1].status == "finished"
    same(found[1].model, together[0][1].model, rtol=2e-4, atol=2e-5)


def test_a_game_that_scatters_is_retired_the_same_alone_and_after_a_pause():
    """A rate of the generator that throws its samples far away; the others play on to their last epoch."""
    plain = GAN(DenseGenerator((8,)), DenseDiscriminator((8,)), loss=Wasserstein(), latent=3).bind(DATA)
    people = members(plain, range(3))
    rate = "generator_optimizer.optimizer.learning_rate"
    people[1] = dataclasses.replace(people[1], hyper={**people[1].hyper, rate: 0.5})
    found, _ = trained(plain, people, epochs=160)  # 640 updates: retired after 500 of failing on end
    assert [found[i].status for i in range(3)] == ["finished", "stopped", "finished"]
    assert 125 < found[1].epochs < 160
    alone, _ = trained(plain, people[1:2], epochs=160)
    assert (alone[0].status, alone[0].epochs) == ("stopped", found[1].epochs)
    saved = []
    trained(plain, people, epochs=160, stop=100, saved=saved)
    resumed, _ = trained(plain, people, epochs=160, resume=saved[-1])
    assert (resumed[1].status, resumed[1].epochs) == ("stopped", found[1].epochs)
    same(resumed[1].model, found[1].model, rtol=0, atol=0)


def step_by_hand(objective, rate):
    """One discriminator and one generator step of plain gradient descent, without the engine."""
    batch = Batch({"inputs": {"numeric": jnp.asarray(X[:8])}}, jnp.ones(8))
    prepared = {"shift": jnp.zeros(2), "scale": jnp.ones(2)}
    hyper = {"total_steps": jnp.float32(10)}
    state = jax.jit(objective.init)(jax.random.key(5), hyper, prepared)
    return state, jax.jit(objective.update)(state, batch, jax.random.key(6), hyper)


def test_each_network_descends_its_own_loss():
    rate = 1e-3
    objective = GAN(
        DenseGenerator((8,)),
        DenseDiscriminator((8,)),
        loss=Relativistic(),
        penalties=(R1(0.5),),
        generator_optimizer=SGD(learning_rate=rate, momentum=0.0),
        discriminator_optimizer=SGD(learning_rate=rate, momentum=0.0),
        latent=3,
    ).bind({"inputs": {"numeric": X}})
    state, (after, metrics) = step_by_hand(objective, rate)
    key = jax.random.fold_in(jax.random.key(6), 0)
    z = jax.random.normal(key, (8, 3))

    def dense(params, x, activation):
        places = sorted(params["layers"])
        for place in places:
            layer = params["layers"][place]
            x = (activation(x) if place != places[0] else x) @ layer["kernel"] + layer["bias"]
        return x

    def logits(params, x):
        head = params["judgement"]["head"]
        hidden = jax.nn.leaky_relu(dense(params, x, jax.nn.leaky_relu))
        return (hidden @ head["kernel"] + head["bias"])[:, 0]

    fake = dense(state["generator"].params, z, jax.nn.relu)

    def loss(params):
        slope = jax.vmap(jax.grad(lambda x: logits(params, x[None])[0]))(jnp.asarray(X[:8]))
        adversarial = jnp.mean(jax.nn.softplus(logits(params, fake) - logits(params, X[:8])))
        return adversarial + 0.25 * jnp.mean(jnp.sum(slope**2, 1))

    before = state["discriminator"].params
    expected = jax.tree.map(lambda p, g: p - rate * g, before, jax.jit(jax.grad(loss))(before))
    same(after["discriminator"].params, expected, rtol=1e-5, atol=1e-7)
    total = metrics["discriminator_loss"].value + metrics["penalty"].value
    np.testing.assert_allclose(total, loss(before), rtol=1e-5)

    z = jax.random.normal(jax.random.fold_in(jax.random.key(6), 1), (8, 3))

    def generator_loss(params):
        fake = dense(params, z, jax.nn.relu)
        return jnp.mean(jax.nn.softplus(logits(expected, X[:8]) - logits(expected, fake)))

    start = state["generator"].params
    wanted = jax.tree.map(lambda p, g: p - rate * g, start, jax.jit(jax.grad(generator_loss))(start))
    same(after["generator"].params, wanted, rtol=1e-5, atol=1e-7)


def test_the_exported_generator_is_the_running_average():
    objective = GAN(
        DenseGenerator((4,)),
        DenseDiscriminator((4,)),
        generator_optimizer=EMA(Adam(learning_rate=0.1), decay=0.7, ramp=0.0),
        latent=2,
    ).bind({"inputs": {"numeric": X}})
    prepared = {"shift": jnp.zeros(2), "scale": jnp.ones(2)}
    hyper = {"total_steps": jnp.float32(10)}
    state, average = jax.jit(objective.init)(jax.random.key(0), hyper, prepared), None
    update = jax.jit(objective.update)
    for t in range(4):
        batch = Batch({"inputs": {"numeric": jnp.asarray(X[8 * t : 8 * t + 8])}}, jnp.ones(8))
        state, _ = update(state, batch, jax.random.key(t), hyper)
        now = state["generator"].params
        average = now if average is None else jax.tree.map(lambda a, b: 0.7 * a + 0.3 * b, average, now)
    same(objective.export(state)["weights"].params, average, rtol=1e-5, atol=1e-6)


def test_images_keep_their_shape_and_range():
    data = {"pixels": np.random.default_rng(0).integers(0, 256, (4, 7, 6, 3)).astype(np.uint8)}
    objective = GAN(DCGANGenerator((8, 4)), DCGANDiscriminator((4, 8)), latent=5).bind({"inputs": data})
    prepared = objective.prepare(
        type("F", (), {"take": lambda self: {"inputs": data}, "weight": jnp.ones(4)})()
    )

    @jax.jit
    def fresh(key):
        return objective.sample(objective.export(objective.init(key, {}, prepared)), key, 9)

    found = fresh(jax.random.key(1))
    assert found.shape == (9, 7, 6, 3) and found.min() >= 0 and found.max() <= 255


def test_energy_distance_equals_the_sum_over_pairs():
    rng = np.random.default_rng(0)
    for columns in (2, 12):
        x, y = rng.normal(size=(5, columns)), rng.normal(size=(4, columns)) + 1

        def mean(a, b, own):
            pairs = [
                np.linalg.norm(p - q) for i, p in enumerate(a) for j, q in enumerate(b) if not own or i != j
            ]
            return np.mean(pairs)

        expected = 2 * mean(x, y, False) - mean(x, x, True) - mean(y, y, True)
        padded = np.concatenate([x, np.full((2, columns), np.nan)])
        there = jnp.array([1.0] * 5 + [0.0] * 2)
        found = jax.jit(energy_distance)(jnp.asarray(padded), jnp.asarray(y), there)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_what_cannot_be_imitated_is_refused():
    with pytest.raises(DataError, match="numeric columns"):
        GAN().bind({"inputs": {"numeric": np.zeros((9, 0)), "category": np.zeros((9, 2), np.int32)}})
    with pytest.raises(ConfigError, match="needs a target"):
        GAN(classes=3).bind({"inputs": {"numeric": X}})
    with pytest.raises(ConfigError, match="at least 1"):
        GAN(discriminator_steps=0)
    with pytest.raises(ConfigError, match="images"):
        GAN(DCGANGenerator()).bind({"inputs": {"numeric": X}})._generator.init(jax.random.key(0))


def test_modes_are_counted():
    centres = ring_centres()
    near = centres + np.array([0.05, 0.0])
    assert modes_found(near, centres, 0.02) == (8, 1.0)  # 2.5 deviations
    assert modes_found(centres + 0.1, centres, 0.02) == (0, 0.0)
    half = np.concatenate([centres[:4], centres[4:] * 2, np.full((8, 2), np.nan)])
    assert modes_found(half, centres, 0.02) == (4, 0.25)
