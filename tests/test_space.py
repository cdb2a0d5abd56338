"""Search spaces: distributions against their definitions, paths found and put back."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from manyfit.errors import ConfigError
from manyfit.space import (
    Distribution,
    Numeric,
    choice,
    collect,
    integer,
    loguniform,
    numeric_paths,
    resolve,
    uniform,
)

if TYPE_CHECKING:
    from nowhere import Unknown

UNITS = (np.arange(10_000) + 0.5) / 10_000


@dataclass(frozen=True)
class Inner:
    rate: Numeric = 0.1
    clip: Numeric | None = None
    width: int = 32


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    hidden: tuple[int, ...] = (64, 64)
    weights: tuple[Numeric, ...] = ()
    kind: str = "relu"
    scale: Numeric = 1.0
    extra: dict[str, Any] = field(default_factory=dict)
    layers: tuple[Inner, ...] = ()
    made: int = field(init=False, default=3)


@dataclass(frozen=True)
class Heir(Inner):
    momentum: Numeric = 0.9


@dataclass(frozen=True)
class HalfKnown:
    other: Unknown | None = None
    rate: Numeric = 0.5
    clip: Numeric | None = 1.0
    width: int = 3


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300), st.floats(0, 1))
def test_uniform_stays_within_and_reaches_its_ends(a, b, unit):
    low, high = sorted([a, b])
    d = uniform(low, high)
    assert low <= d.at(unit) <= high
    assert (d.at(0.0), d.at(1.0)) == (low, high)


@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300), st.floats(0, 1))
def test_loguniform_stays_within_and_reaches_its_ends(a, b, unit):
    low, high = sorted([a, b])
    d = loguniform(low, high)
    assert low <= d.at(unit) <= high
    assert (d.at(0.0), d.at(1.0)) == (low, high)


@pytest.mark.parametrize("unit", [0.01, 0.3, 0.5, 0.99])
def test_quantiles_are_scipys(unit):
    assert uniform(-1, 4).at(unit) == pytest.approx(stats.uniform(-1, 5).ppf(unit))
    assert loguniform(1e-5, 1e2).at(unit) == pytest.approx(stats.loguniform(1e-5, 1e2).ppf(unit), rel=1e-12)


def test_integers_are_equally_likely_and_both_ends_are_there():
    assert np.bincount([integer(-2, 2).at(u) + 2 for u in UNITS]).tolist() == [2000] * 5
    assert integer(3, 5).at(1.0) == 5
    assert integer(-3, -3).at(0.7) == -3
    by_magnitude = [integer(1, 1000, log=True).at(u) for u in UNITS]
    assert (min(by_magnitude), max(by_magnitude)) == (1, 1000)
    assert np.mean(np.array(by_magnitude) < 32) == pytest.approx(np.log(32) / np.log(1001), abs=1e-3)
    assert all(isinstance(v, int) for v in by_magnitude)


def test_choices():
    assert [choice("a", "b").at(u) for u in (0.0, 0.49, 0.5, 1.0)] == ["a", "a", "b", "b"]
    assert choice(["a", "b"]) == choice("a", "b")
    assert choice("relu").options == ("relu",)


def test_collect_finds_every_distribution():
    tree = Outer(
        inner=Inner(rate=uniform(0, 1), clip=loguniform(0.1, 1)),
        hidden=(integer(8, 64), 32),
        weights=(1.0, uniform(0, 1)),
        kind=choice("relu", "gelu"),
        extra={"a": {"b": uniform(0, 2)}},
        layers=(Inner(), Inner(width=integer(1, 2))),
    )
    assert set(collect(tree)) == {
        "inner.rate",
        "inner.clip",
        "hidden.0",
        "weights.1",
        "kind",
        "extra.a.b",
        "layers.1.width",
    }


def test_numeric_paths_are_those_of_numeric_fields():
    tree = Outer(weights=(1.0, 2.0), extra={"a": 0.5, "n": 3}, layers=(Inner(),), hidden=(8, integer(1, 9)))
    assert numeric_paths(tree) == {
        "inner.rate": 0.1,
        "weights.0": 1.0,
        "weights.1": 2.0,
        "scale": 1.0,
        "extra.a": 0.5,
        "layers.0.rate": 0.1,
    }


def test_optional_numeric_fields():
    assert "clip" not in numeric_paths(Inner())
    assert numeric_paths(Inner(clip=1.0))["clip"] == 1.0
    assert isinstance(numeric_paths(Inner(clip=uniform(0, 1)))["clip"], Distribution)
    assert "clip" not in numeric_paths(Inner(clip=choice(None, 1.0)))  # None is another program
    assert "clip" in numeric_paths(Inner(clip=choice(0.5, 1.0)))
    assert "rate" not in numeric_paths(Inner(rate="auto"))  # type: ignore[arg-type]


def test_inherited_and_half_known_annotations():
    assert set(numeric_paths(Heir())) == {"rate", "momentum"}
    assert numeric_paths(HalfKnown()) == {"rate": 0.5, "clip": 1.0}


def test_a_class_inside_a_function():
    class Local:
        pass

    @dataclass
    class Node:
        local: Local | None = None
        rate: Numeric = 0.25
        width: int = 2

    assert numeric_paths(Node()) == {"rate": 0.25}


def test_resolve_puts_values_in_place_and_leaves_the_tree_alone():
    tree = Outer(inner=Inner(rate=uniform(0, 1)), hidden=(integer(8, 64), 32), extra={"a": {"b": 1.0}})
    made = resolve(tree, {"inner.rate": 0.5, "hidden.0": 16, "extra.a.b": 2.0, "kind": "gelu"})
    assert made == dataclasses.replace(
        tree, inner=Inner(rate=0.5), hidden=(16, 32), extra={"a": {"b": 2.0}}, kind="gelu"
    )
    assert collect(made) == {}
    assert collect(tree)
    traced = resolve(tree, {"inner.rate": jnp.float32(0.5)})
    assert traced.inner.rate.dtype == jnp.float32
    assert resolve({1: 2.0}, {"1": 3.0}) == {1: 3.0}


def test_a_choice_between_nodes_is_resolved_before_what_it_holds():
    tree = Outer(inner=choice(Inner(rate=uniform(0, 1)), Heir()))
    assert set(collect(tree)) == {"inner"}
    assert "inner.rate" not in numeric_paths(tree)
    resolved = resolve(tree, {"inner": Inner(rate=uniform(0, 1))})
    assert set(collect(resolved)) == {"inner.rate"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("iner.rate", "did you mean 'inner'"),
        ("inner.rte", "did you mean 'rate'"),
        ("kind.rate", "nothing named 'rate'"),
        ("made", "not a hyper-parameter"),
        ("layers.0", "not a hyper-parameter"),
    ],
)
def test_unknown_paths(path, words):
    with pytest.raises(ConfigError, match=words):
        resolve(Outer(), {path: 1})


@pytest.mark.parametrize(
    "make",
    [
        lambda: uniform(1, 0),
        lambda: uniform(0, float("inf")),
        lambda: uniform(float("nan"), 1),
        lambda: loguniform(0, 1),
        lambda: loguniform(1, 0.5),
        lambda: integer(3, 1),
        lambda: integer(0, 3, log=True),
        lambda: integer(0.5, 3),
        lambda: choice(),
        lambda: choice([]),
    ],
)
def test_bounds_that_make_no_sense(make):
    with pytest.raises(ConfigError):
        make()


def test_descriptions_are_json():
    described = [
        d.describe()
        for d in (uniform(0, 1), loguniform(1e-4, 1), integer(1, 2), choice("a", None, Inner(), len, (1, 2)))
    ]
    assert json.loads(json.dumps(described))[1] == {"kind": "loguniform", "low": 1e-4, "high": 1}
    assert described[0]["kind"] == "uniform"
