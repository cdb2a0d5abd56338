"""What optimizers do beyond their formula: batches that add up, layers that stand still, precision, names."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manyfit as mf
from manyfit import optim
from manyfit.engine import Batch, Hooks, Member, Population, Rows, Shape, load_checkpoint, save_checkpoint
from manyfit.errors import ConfigError

rng = np.random.default_rng(0)
DATA = {
    "inputs": {"numeric": rng.normal(size=(96, 6)).astype(np.float32)},
    "target": rng.integers(0, 3, 96).astype(np.int32),
}


def objective(optimizer, **changes):
    model = mf.models.MLP(hidden=(16, 16))
    return mf.Supervised(model, optimizer=optimizer, classes=3, **changes).bind(DATA)


def batch(rows, weight=None):
    part = jax.tree.map(lambda leaf: jnp.asarray(leaf[rows]), DATA)
    count = len(part["target"])
    return Batch(part, jnp.ones(count) if weight is None else jnp.asarray(weight, jnp.float32))


def prepared(made):
    return made.prepare(mf.engine.Fold(jax.tree.map(jnp.asarray, DATA), jnp.arange(96), jnp.ones(96)))


def after(made, batches, total=100.0):
    state = made.init(jax.random.key(0), {}, prepared(made))
    update = jax.jit(
        lambda s, b: made.update(s, b, jax.random.key(1), {"total_steps": jnp.float32(total)})[0]
    )
    for one in batches:
        state = update(state, one)
    return state


def close(a, b, **tolerance):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), a, b)


def test_accumulated_batches_equal_the_large_one():
    """Four of 8 rows, the last half padding, against one of 28; then once more."""
    rule = optim.AdamW(1e-2, clip=0.5, weight_decay=0.1, schedule=optim.Cosine())
    small = []
    for first in (0, 32):
        small += [batch(slice(first + i, first + i + 8)) for i in (0, 8, 16)]
        small.append(batch(slice(first + 24, first + 32), [1, 1, 1, 1, 0, 0, 0, 0]))
    large = [batch(slice(first, first + 28)) for first in (0, 32)]
    accumulated = after(objective(optim.Accumulate(rule, 4)), small, total=400.0)
    whole = after(objective(rule), large, total=100.0)
    close(accumulated["weights"].params, whole["weights"].params, rtol=2e-4, atol=2e-6)  # Adam's division


def test_between_two_steps_nothing_moves():
    made = objective(optim.Accumulate(optim.SGD(0.1), 3))
    batches = [batch(slice(0, 8))] * 2
    close(after(made, batches)["weights"].params, after(made, [])["weights"].params, rtol=0)


def test_frozen_layers_stand_still_and_have_no_moments():
    made = objective(optim.Freeze(optim.AdamW(1e-2, weight_decay=0.1), ("layers.0.*",)))
    before, now = after(made, []), after(made, [batch(slice(0, 32))] * 3)
    close(now["weights"].params["layers"][0], before["weights"].params["layers"][0], rtol=0)
    moved = now["weights"].params["head"]["kernel"] - before["weights"].params["head"]["kernel"]
    assert float(jnp.abs(moved).max()) > 1e-3
    free = after(objective(optim.AdamW(1e-2, weight_decay=0.1)), [])
    sizes = [sum(leaf.size for leaf in jax.tree.leaves(s["optimizer"])) for s in (free, before)]
    assert sizes[0] - sizes[1] == 2 * (6 * 16 + 16)


def test_rates_by_layer_scale_the_step():
    def moved(optimizer):
        made = objective(optimizer)
        a, b = after(made, [])["weights"].params, after(made, [batch(slice(0, 32))])["weights"].params
        return jax.tree.map(lambda x, y: y - x, a, b)

    plain = moved(optim.SGD(0.1))
    by_name = moved(
        optim.LayerRates(optim.SGD(0.1), (optim.Rate("layers.*", 0.1), optim.Rate("layers.1.*", 3.0)))
    )
    close(by_name["layers"][0], jax.tree.map(lambda x: 0.1 * x, plain["layers"][0]), rtol=1e-3, atol=1e-7)
    close(by_name["layers"][1], jax.tree.map(lambda x: 3 * x, plain["layers"][1]), rtol=1e-3, atol=1e-7)
    close(by_name["head"], plain["head"], rtol=1e-3, atol=1e-7)
    by_depth = moved(optim.LayerDecay(optim.SGD(0.1), factor=0.5))
    close(by_depth["layers"][0], jax.tree.map(lambda x: 0.25 * x, plain["layers"][0]), rtol=1e-3, atol=1e-7)
    close(by_depth["layers"][1], jax.tree.map(lambda x: 0.5 * x, plain["layers"][1]), rtol=1e-3, atol=1e-7)
    close(by_depth["head"], plain["head"], rtol=1e-3, atol=1e-7)


def test_bfloat16_computes_narrow_and_keeps_float32():
    narrow, wide = objective(optim.AdamW(1e-2), precision="bfloat16"), objective(optim.AdamW(1e-2))
    a, b = (after(made, [batch(slice(0, 64))] * 3) for made in (narrow, wide))
    assert {leaf.dtype for leaf in jax.tree.leaves(a["weights"].params)} == {jnp.dtype("float32")}
    close(a["weights"].params, b["weights"].params, atol=0.03)  # three steps of 0.01, whose signs may differ
    text = str(
        jax.make_jaxpr(
            lambda s: narrow.update(s, batch(slice(0, 8)), jax.random.key(0), {"total_steps": 9.0})
        )(a)
    )
    products = [line for line in text.splitlines() if "dot_general" in line]
    assert products and all("bf16" in line for line in products)


@pytest.mark.parametrize("what", ["activations", "all"])
def test_rematerialised_gradients_are_the_same(what):
    plain = objective(optim.SGD(0.1))
    again = objective(optim.SGD(0.1), rematerialise=what)
    batches = [batch(slice(0, 64))] * 2
    close(
        after(again, batches)["weights"].params, after(plain, batches)["weights"].params, rtol=1e-6, atol=1e-7
    )


def test_exported_are_the_averaged_weights():
    made = objective(optim.EMA(optim.SGD(0.1), decay=0.5, ramp=0.0))
    states = [after(made, [batch(slice(0, 32))] * n)["weights"].params for n in range(4)]
    mean = states[1]
    for later in states[2:]:
        mean = jax.tree.map(lambda a, b: 0.5 * a + 0.5 * b, mean, later)
    exported = made.export(after(made, [batch(slice(0, 32))] * 3))
    close(exported["weights"].params, mean, rtol=1e-5, atol=1e-7)


def test_batch_statistics_are_averaged_with_the_weights():
    def loss(p):
        return jnp.sum(p**2), ({"mean": 10 * p, "count": jnp.int32(7)}, None)

    optimizer = optim.EMA(optim.SGD(0.1, momentum=0.0), decay=0.5, ramp=0.0)
    p, rest = jnp.ones(2), {"mean": jnp.zeros(2), "count": jnp.int32(0)}
    state = optim.start(optimizer, p, rest)
    for _ in range(2):
        p, _, state, _, _ = optim.step(optimizer, loss, p, state, jnp.float32(9))
    _, averaged = optim.evaluated(optimizer, state, p, rest)
    np.testing.assert_allclose(averaged["mean"], 0.5 * 10 + 0.5 * 8)
    assert int(averaged["count"]) == 7


def test_centred_rmsprop_of_a_constant_gradient_is_finite():
    optimizer = optim.RMSProp(0.01, centered=True)
    p = jnp.full(64, 0.1) * jnp.arange(1, 65)
    slope = p
    state = optim.start(optimizer, p)
    update = jax.jit(
        lambda p, s: optim.step(optimizer, lambda q: (jnp.sum(q * slope), ((), None)), p, s, 9.0)
    )
    for _ in range(200):
        taken = update(p, state)
        p, state = taken.params, taken.state
    assert bool(jnp.isfinite(p).all())


def test_muon_makes_a_members_own_matrices_orthogonal():
    matrices = jnp.asarray(rng.normal(size=(3, 20, 8)), jnp.float32)
    values = np.linalg.svd(jax.vmap(lambda m: optim.muon.orthogonal(m))(matrices), compute_uv=False)
    assert values.min() > 0.6 and values.max() < 1.3


def population(optimizer, **options):
    members = [
        Member(t, s, 0, {"optimizer.optimizer.learning_rate": r})
        for t, r in enumerate((0.01, 0.05))
        for s in range(2)
    ]
    fold = Rows(np.arange(64), np.arange(64, 80), np.arange(80, 96))
    return Population(objective(optimizer), DATA, members, [fold], Shape(16), epochs=6, width=1, **options)


def test_a_resumed_average_equals_an_uninterrupted_one(tmp_path):
    optimizer = optim.EMA(optim.AdamW(), decay=0.9)
    whole, found, kept = {}, {}, []
    population(optimizer, chunk=2).run(Hooks(finish=lambda o: whole.__setitem__(o.index, o)))
    asked = iter(range(100))
    first = population(optimizer, chunk=1)
    hooks = Hooks(
        finish=lambda o: found.__setitem__(o.index, o), stop=lambda: next(asked) >= 3, save=kept.append
    )
    assert not first.run(hooks)
    save_checkpoint(tmp_path, 1, kept[-1])
    second = population(optimizer, chunk=1)
    state = load_checkpoint(tmp_path)[0]
    assert second.run(Hooks(finish=lambda o: found.__setitem__(o.index, o)), resume=state, done=set(found))
    assert sorted(found) == sorted(whole) == [0, 1, 2, 3]
    for index in whole:
        jax.tree.map(np.testing.assert_array_equal, found[index].model, whole[index].model)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.named("lio"), "did you mean 'lion'"),
        (lambda: optim.named_schedule("cosinus"), "did you mean 'cosine'"),
        (lambda: optim.Decay(on="matrix"), "'matrices', 'all'"),
        (lambda: optim.Accumulate(optim.SGD(), 0), "at least 1"),
        (
            lambda: after(objective(optim.Freeze(optim.SGD(), ("layer.0.*",))), []),
            "no parameter is named like",
        ),
        (lambda: optim.rematerialised(abs, "some"), "rematerialise is 'some'"),
        (lambda: optim.narrowed({}, "float16"), "did you mean 'bfloat16'"),
    ],
)
def test_a_wrong_word_is_refused_with_the_mend(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
