"""What matters in a search is found where it is known, and nothing is found where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from manyfit.errors import DataError
from manyfit.space import choice, loguniform, uniform
from manyfit.tune import draw, understand

SPACE = {
    "rate": loguniform(1e-4, 1e-1),
    "dropout": uniform(0, 0.5),
    "decay": uniform(0, 1),
    "kind": choice("a", "b"),
}
KINDS = {"rate": "log", "dropout": "linear", "decay": "linear", "kind": "choice"}


def trials(count=80):
    return draw(SPACE, count)


def bowl(t):
    return -((np.log10(t["rate"]) + 2.5) ** 2)


def test_the_one_that_matters_is_first_and_its_curve_is_the_truths():
    found = understand(trials(), [bowl(t) for t in trials()], KINDS)
    first = found.importances[0]
    assert first.name == "rate" and first.share > 0.8 and first.low > 0.7 and first.permutation > 0.8
    assert sum(i.share for i in found.importances[1:]) < 0.1 and found.r2 > 0.8
    curve = found.dependence["rate"]
    best = curve.values[int(np.argmax(curve.mean))]
    assert 10**-3 < best < 10**-2
    assert (curve.low <= curve.mean).all() and (curve.mean <= curve.high).all()


def test_what_matters_only_together_is_told_as_a_pair():
    """The effect of dropout turns round with the kind: neither does anything by itself."""
    worth = [(t["dropout"] - 0.25) * (1 if t["kind"] == "a" else -1) for t in trials(160)]
    found = understand(trials(160), worth, KINDS)
    assert set(found.pairs[0][:2]) == {"dropout", "kind"} and found.pairs[0][2] > 0.5
    assert found.pairs[1][2] < 0.1
    assert max(i.share for i in found.importances) < 0.3


def test_of_noise_nothing_is_claimed():
    found = understand(trials(), list(np.random.default_rng(0).normal(size=80)), KINDS)
    assert found.r2 < 0.05
    assert max(i.permutation for i in found.importances) < 0.2


def test_a_number_that_some_trials_have_not_got_stays_a_number():
    """As below a choice of networks: where it is there, the score falls with it."""
    some = [t | ({"layers": 10 * t["decay"]} if t["kind"] == "a" else {}) for t in trials(120)]
    worth = [-t.get("layers", 5.0) for t in some]
    found = understand(some, worth, {**KINDS, "decay": "linear", "layers": "linear"})
    curve = found.dependence["layers"]
    assert all(isinstance(v, float) for v in curve.values) and min(curve.values) >= 0
    assert curve.mean[0] > curve.mean[-1] + 2


def test_trials_without_a_score_or_without_a_value_do_no_harm():
    some = trials(40)
    worth = [bowl(t) for t in some]
    worth[3] = np.nan
    del some[5]["dropout"]
    assert understand(some, worth, KINDS).importances[0].name == "rate"
    with pytest.raises(DataError, match="11 trials with a score: at least 12"):
        understand(some[:12], worth[:12], KINDS)
    with pytest.raises(DataError, match="no hyper-parameter differs"):
        understand([{"rate": 1.0}] * 20, [1.0] * 20, {"rate": "log"})


def test_a_surface_shows_what_only_both_together_do():
    """A saddle: high where both are low or both are high, with no effect of either alone."""
    rng = np.random.default_rng(3)
    some = [{"a": float(a), "b": float(b)} for a, b in rng.uniform(-1, 1, (200, 2))]
    found = understand(some, [t["a"] * t["b"] for t in some], {"a": "linear", "b": "linear"}, resamples=4)
    surface = found.surfaces["a", "b"]
    first, second = (np.array(values) for values in surface.values)
    assert surface.mean.shape == surface.sd.shape == (len(second), len(first))
    truth = second[:, None] * first[None]
    assert np.corrcoef(surface.mean.ravel(), truth.ravel())[0, 1] > 0.8
