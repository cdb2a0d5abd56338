"""The promises of the engine, on three objectives that have little in common."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from objectives import Bandit, Centred, Network, TwoPlayers

from manyfit.engine import Hooks, Member, Metric, Population, Rows, Shape, program

RATES = [0.003, 0.01, 0.03]


def rows_of(seed=0, n=103, folds=3):
    """A three-class problem whose folds differ in size, so that padding is at work."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n).astype(np.int32)
    x = (rng.normal(size=(n, 8)) + 1.2 * np.eye(8)[y]).astype(np.float32)
    order = rng.permutation(n)
    cuts = np.array_split(order, folds)
    plans = []
    for i, test in enumerate(cuts):
        rest = np.concatenate([c for j, c in enumerate(cuts) if j != i])
        rest = rest[: len(rest) - 7 * i]
        plans.append(Rows(rest[15:], rest[:15], test))
    return {"x": x, "y": y}, plans


def classifier():
    data, folds = rows_of()
    members = [
        Member(t, s, f, {"learning_rate": rate})
        for t, rate in enumerate(RATES)
        for s in range(2)
        for f in range(3)
    ]
    return {"objective": Network(), "data": data, "members": members, "folds": folds, "shape": Shape(16)}, {
        "epochs": 6
    }


def players():
    x = np.random.default_rng(1).normal(2.0, 0.5, 90).astype(np.float32)
    everything = Rows(np.arange(90), np.empty(0, int), np.empty(0, int))
    members = [
        Member(t, s, 0, {"critic_rate": 0.1 * (t + 1), "generator_rate": 0.02})
        for t in range(2)
        for s in range(3)
    ]
    return (
        {
            "objective": TwoPlayers(),
            "data": {"x": x},
            "members": members,
            "folds": [everything],
            "shape": Shape(32),
        },
        {"epochs": 8, "predict": False},
    )


def bandit():
    nothing = Rows(*[np.empty(0, int)] * 3)
    members = [Member(t, s, 0, {"step": 0.1 + t}) for t in range(2) for s in range(3)]
    return (
        dict(
            objective=Bandit(),
            data=None,
            members=members,
            folds=[nothing],
            shape=Shape(1, steps_per_epoch=25),
        ),
        {"epochs": 12, "predict": False},
    )


CASES = {"classifier": classifier, "two players": players, "simulated environment": bandit}


def train(case, keep=None, **changes):
    """The outcomes by (trial, seed, fold)."""
    fixed, options = case
    members = fixed["members"] if keep is None else [fixed["members"][i] for i in keep]
    population = Population(**(fixed | {"members": members}), **(options | changes))
    found = {}
    assert population.run(Hooks(finish=lambda o: found.__setitem__(o.index, o)))
    assert sorted(found) == list(range(len(members)))
    return {
        (m.trial, m.seed, m.fold): (found[i], {k: v[i] for k, v in population.history.items()})
        for i, m in enumerate(members)
    }


def same(a, b, exact=True):
    """Whether two outcomes agree: bit for bit, or to the rounding of another program."""
    (one, first), (two, second) = a, b
    assert (one.status, one.epochs, one.best_epoch) == (two.status, two.epochs, two.best_epoch)
    check = (
        np.testing.assert_array_equal if exact else lambda x, y: np.testing.assert_allclose(x, y, 2e-4, 2e-5)
    )
    jax.tree.map(check, one.model, two.model)
    if one.outputs is not None:
        check(one.outputs, two.outputs)
    for name in first:
        check(first[name], second[name])


@pytest.fixture(scope="module", params=CASES, ids=list(CASES))
def case(request):
    return CASES[request.param]()


@pytest.fixture(scope="module")
def reference(case):
    return train(case, width=2)


def test_a_member_equals_the_same_member_trained_alone(case, reference):
    last = len(case[0]["members"]) - 1
    for i in (0, last):
        alone = train(case, keep=[i], width=1, device_count=1)
        (name,) = alone
        same(alone[name], reference[name], exact=False)


def test_neighbours_do_not_matter(case, reference):
    """Other members, in another order: the same bits."""
    count = len(case[0]["members"])
    some = train(case, keep=[count - 1, 2, 0], width=2)
    for name, outcome in some.items():
        same(outcome, reference[name])


@pytest.mark.parametrize(("width", "device_count"), [(1, 2), (2, 1), (3, 1), (8, 2)])
def test_waves_and_devices_do_not_matter(case, reference, width, device_count):
    other = train(case, width=width, device_count=device_count)
    for name, outcome in other.items():
        same(outcome, reference[name], exact=False)


def test_one_member_after_the_other_is_the_same(case, reference, monkeypatch):
    """Where a step is large, members of a core take their epochs in turn instead of every step together."""
    asked = []
    monkeypatch.setattr(program, "abreast", lambda *_: asked.append(True))
    program._known_program.cache_clear()
    try:
        turns = train(case, width=2)
    finally:
        program._known_program.cache_clear()
    assert asked
    for name, outcome in turns.items():
        same(outcome, reference[name], exact=False)


def test_same_seed_same_bits_other_seed_other_result(case, reference):
    again = train(case, width=2)
    for name, outcome in again.items():
        same(outcome, reference[name])
    other = train(case, width=2, seed=1)
    name = next(iter(other))
    with pytest.raises(AssertionError):
        same(other[name], reference[name], exact=False)


def test_folds_padding_does_not_matter():
    """A fold alone (no padding to a longer one) trains as it does beside the others."""
    fixed, options = classifier()
    beside = train((fixed, options), width=2)
    alone = [Member(0, 0, 0, fixed["members"][0].hyper)]
    for fold in range(3):
        member = next(m for m in fixed["members"] if (m.trial, m.seed, m.fold) == (0, 0, fold))
        keyed = fixed | {"members": [member], "folds": fixed["folds"][: fold + 1]}
        only = train((keyed, options), width=1)
        same(only[0, 0, fold], beside[0, 0, fold], exact=False)
    assert alone


def test_another_value_never_recompiles(case):
    """Hyper-parameters, seeds and folds are inputs: one chunk program, however many chunks, refills and populations.

    The objective is made anew and equal; the batch size is one that no other test uses.
    """
    fixed, options = case
    shape = dataclasses.replace(fixed["shape"], batch_size=fixed["shape"].batch_size + 3)
    other = [
        dataclasses.replace(m, seed=m.seed + 5, hyper={name: 0.9 * v for name, v in m.hyper.items()})
        for m in fixed["members"]
    ]
    again = fixed | {"objective": dataclasses.replace(fixed["objective"]), "members": other, "shape": shape}
    programs = []

    def listen(event, duration, **facts):
        if event == "/jax/core/compile/jaxpr_to_mlir_module_duration":
            programs.append(facts.get("fun_name", "?"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        train((fixed | {"shape": shape}, options), width=2)
        train((again, options), width=2)
        assert sum("chunk" in name for name in programs) == 1, programs
        assert sum("refill" in name for name in programs) == 1, programs
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def test_a_step_is_traced_once(case):
    """Tracing is most of what a small run waits for: the loops around a step must not repeat it."""
    fixed, options = case
    traced = []

    class Counted(type(fixed["objective"])):
        def update(self, state, batch, key, hyper):
            traced.append(batch)
            return super().update(state, batch, key, hyper)

    counted = Counted(**dataclasses.asdict(fixed["objective"]))
    shape = dataclasses.replace(fixed["shape"], batch_size=fixed["shape"].batch_size + 1)
    train((fixed | {"objective": counted, "shape": shape}, options), width=2)
    assert len(traced) == 1


def test_the_last_partial_batch_counts_each_row_once():
    """An epoch's training count is the rows of the fold, evaluation's the rows of the part."""

    class Counter(Network):
        def update(self, state, batch, key, hyper):
            state, _ = super().update(state, batch, key, hyper)
            rows = (batch.weight * batch.data["id"]).sum()
            return state, {
                "loss": Metric(jnp.float32(0), jnp.float32(1)),
                "ids": Metric(rows, jnp.float32(1)),
                "count": Metric(batch.weight.sum(), jnp.float32(1)),
            }

        def evaluate(self, model, batch):
            return {
                "loss": Metric(jnp.float32(1), jnp.float32(1)),
                "ids": Metric((batch.weight * batch.data["id"]).sum(), jnp.float32(1)),
                "count": Metric(batch.weight.sum(), jnp.float32(1)),
            }

    data, folds = rows_of()
    data = data | {"id": np.arange(len(data["y"]), dtype=np.float32) ** 2}
    members = [Member(0, 0, f, {"learning_rate": 0.01}) for f in range(3)]
    population = Population(Counter(), data, members, folds, Shape(16, evaluation_batch=4), epochs=2)
    ended = {}
    population.run(Hooks(finish=lambda o: ended.__setitem__(o.index, o)))
    for f, fold in enumerate(folds):
        steps, blocks = -(-len(fold.train) // 16), -(-max(len(g.validation) for g in folds) // 4)
        for epoch in range(2):
            got = {k: v[f, epoch] for k, v in population.history.items()}
            assert got["train/count"] * steps == pytest.approx(len(fold.train))
            assert got["train/ids"] * steps == pytest.approx(data["id"][fold.train].sum(), rel=1e-5)
            assert got["validation/count"] * blocks == pytest.approx(len(fold.validation))
            assert got["validation/ids"] * blocks == pytest.approx(
                data["id"][fold.validation].sum(), rel=1e-5
            )
        tests = -(-max(len(g.test) for g in folds) // 4)
        assert ended[f].test["ids"] * tests == pytest.approx(data["id"][fold.test].sum(), rel=1e-5)


def test_one_members_nan_touches_no_other(monkeypatch):
    case = classifier()
    healthy = train(case, width=4)
    fixed, options = case
    sick = [
        dataclasses.replace(m, hyper={"learning_rate": np.inf}) if m.trial == 1 else m
        for m in fixed["members"]
    ]
    mixed = train((fixed | {"members": sick}, options), width=4)
    for name, outcome in mixed.items():
        if name[0] == 1:
            assert outcome[0].status == "diverged"
            assert outcome[0].epochs <= 2
        else:
            same(outcome, healthy[name])


def test_early_stopping_keeps_the_best_epoch():
    """Against the history itself: the best epoch is the least validation loss, and training ends on time."""
    fixed, _ = classifier()
    patience = 3
    fast = [dataclasses.replace(m, hyper={"learning_rate": 0.2}) for m in fixed["members"]]
    found = train((fixed | {"members": fast}, {"epochs": 60, "patience": patience}))
    assert {o.status for o, _ in found.values()} == {"stopped"}
    for outcome, history in found.values():
        losses = history["validation/loss"]
        assert np.isfinite(losses[: outcome.epochs]).all()
        assert np.isnan(losses[outcome.epochs :]).all()
        assert outcome.best_epoch == int(np.nanargmin(losses)) + 1
        assert outcome.epochs == outcome.best_epoch + patience
        assert outcome.best_value == pytest.approx(np.nanmin(losses))


def test_a_member_that_says_so_ends():
    @dataclasses.dataclass(frozen=True)
    class Sated(Network):
        """Over once its first weights have grown by half."""

        def init(self, key, hyper, prepared):
            state = super().init(key, hyper, prepared)
            return {**state, "begun": jnp.linalg.norm(state["params"]["w1"])}

        def update(self, state, batch, key, hyper):
            found, metrics = super().update(state, batch, key, hyper)
            return {**found, "begun": state["begun"]}, metrics

        def over(self, state):
            return jnp.linalg.norm(state["params"]["w1"]) > 1.5 * state["begun"]

    fixed, _ = classifier()
    fast = [
        dataclasses.replace(m, hyper={"learning_rate": rate})
        for m, rate in zip(fixed["members"], (0.1, 0.001, 0.1))
    ]
    found = train((fixed | {"members": fast, "objective": Sated()}, {"epochs": 12}))
    assert [o.status for o, _ in found.values()] == ["stopped", "finished", "stopped"]
    plain = train((fixed | {"members": fast}, {"epochs": 12}))
    for name, (outcome, history) in found.items():
        losses = history["validation/loss"]
        assert np.isfinite(losses[: outcome.epochs]).all() and np.isnan(losses[outcome.epochs :]).all()
        # until then it is the same training
        expected = plain[name][1]["validation/loss"][: outcome.epochs]
        np.testing.assert_allclose(losses[: outcome.epochs], expected, rtol=1e-5)


def test_the_kept_model_is_that_of_the_best_epoch():
    """Training on to the best epoch and no further gives the kept model."""
    fixed, _ = classifier()
    fast = [dataclasses.replace(m, hyper={"learning_rate": 0.2}) for m in fixed["members"][:2]]
    case = fixed | {"members": fast}
    long = train((case, {"epochs": 40, "patience": 4}), width=1)
    for name, (outcome, _) in long.items():
        index = [(m.trial, m.seed, m.fold) for m in fast].index(name)
        short = train((case, {"epochs": outcome.best_epoch}), keep=[index], width=1)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-5), short[name][0].model, outcome.model
        )


def test_rows_transformed_once_or_batch_by_batch_are_the_same(monkeypatch):
    """Where a fold's view of the data does not fit into memory it is made for every batch: no difference."""
    fixed, options = classifier()
    fixed["objective"] = Centred()
    once = train((fixed, options), width=2)
    monkeypatch.setattr("manyfit.engine.compiled.TRANSFORMED_SHARE", 0.0)
    each = train((fixed, options), width=2)
    for name, outcome in each.items():
        same(outcome, once[name], exact=False)
    plain = train(classifier(), width=2)
    with pytest.raises(AssertionError):
        same(plain[0, 0, 0], once[0, 0, 0], exact=False)


def test_an_objective_that_may_change_is_traced_anew():
    """A mutable objective keeps its identity while an attribute changes; the old program must not answer for it."""

    class Moved(Network):
        __dataclass_params__ = None  # not known as frozen

    objective = Moved(features=4)
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(size=(40, 4)).astype(np.float32), "y": rng.integers(0, 3, 40).astype(np.int32)}
    rows = np.arange(40, dtype=np.int32)
    folds = [Rows(rows[:30], rows[:0], rows[30:])]

    def weights(noise):
        object.__setattr__(objective, "noise", noise)
        found = []
        member = Member(0, 0, 0, {"learning_rate": 0.01})
        Population(objective, data, [member], folds, Shape(10), epochs=2).run(Hooks(finish=found.append))
        return found[0].model["w1"]

    quiet, loud = weights(0.0), weights(3.0)
    assert not np.array_equal(quiet, loud)
    np.testing.assert_array_equal(quiet, weights(0.0))
