"""Every metric against scikit-learn, weighted, tied, and where it is undefined."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from manyfit import metrics
from manyfit.errors import ConfigError, DataError


def label(p):
    return np.argmax(p, axis=1)


def macro_ap(t, p, w):
    if p.shape[1] == 2:
        return sk.average_precision_score(t, p[:, 1], sample_weight=w)
    return sk.average_precision_score(np.eye(p.shape[1])[t], p, sample_weight=w, average="macro")


def auroc(t, p, w):
    if p.shape[1] == 2:
        return sk.roc_auc_score(t, p[:, 1], sample_weight=w)
    return sk.roc_auc_score(t, p, sample_weight=w, multi_class="ovr", average="macro")


def brier(t, p, w):
    if p.shape[1] == 2:
        return sk.brier_score_loss(t, p[:, 1], sample_weight=w)
    return np.average(np.sum((np.eye(p.shape[1])[t] - p) ** 2, 1), weights=w)


def top_5(t, p, w):
    if p.shape[1] <= 5:
        return 1.0
    return sk.top_k_accuracy_score(t, p, k=5, sample_weight=w, labels=range(p.shape[1]))


def slow_ece(t, p, w):
    confidence, right = p.max(1), label(p) == t
    total = 0.0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            gap = np.average(right[inside], weights=w[inside]) - np.average(
                confidence[inside], weights=w[inside]
            )
            total += abs(gap) * w[inside].sum() / w.sum()
    return total


REFERENCE = {
    "accuracy": lambda t, p, w: sk.accuracy_score(t, label(p), sample_weight=w),
    "balanced_accuracy": lambda t, p, w: sk.balanced_accuracy_score(t, label(p), sample_weight=w),
    "log_loss": lambda t, p, w: sk.log_loss(t, p, sample_weight=w, labels=range(p.shape[1])),
    "auroc": auroc,
    "average_precision": macro_ap,
    "f1": lambda t, p, w: sk.f1_score(t, label(p), sample_weight=w, zero_division=0.0),
    "f1_macro": lambda t, p, w: sk.f1_score(t, label(p), sample_weight=w, average="macro", zero_division=0.0),
    "f1_weighted": lambda t, p, w: sk.f1_score(t, label(p), sample_weight=w, average="weighted"),
    "precision": lambda t, p, w: sk.precision_score(t, label(p), sample_weight=w, zero_division=0.0),
    "precision_macro": lambda t, p, w: sk.precision_score(
        t, label(p), sample_weight=w, average="macro", zero_division=0.0
    ),
    "recall": lambda t, p, w: sk.recall_score(t, label(p), sample_weight=w),
    "recall_macro": lambda t, p, w: sk.recall_score(
        t, label(p), sample_weight=w, average="macro", zero_division=0.0
    ),
    "top_5": top_5,
    "iou": lambda t, p, w: sk.jaccard_score(t, label(p), sample_weight=w, average="macro", zero_division=0.0),
    "perplexity": lambda t, p, w: np.exp(sk.log_loss(t, p, sample_weight=w, labels=range(p.shape[1]))),
    "mcc": lambda t, p, w: sk.matthews_corrcoef(t, label(p), sample_weight=w),
    "brier": brier,
    "ece": slow_ece,
    "rmse": lambda t, o, w: sk.root_mean_squared_error(t, o, sample_weight=w),
    "mae": lambda t, o, w: sk.mean_absolute_error(t, o, sample_weight=w),
    "r2": lambda t, o, w: sk.r2_score(t, o, sample_weight=w),
    "median_absolute_error": lambda t, o, w: sk.median_absolute_error(t, o, sample_weight=w),
}


def test_every_metric_has_a_reference():
    assert REFERENCE.keys() == metrics.METRICS.keys()


def make(kind, seed, ties):
    rng = np.random.default_rng(seed)
    n = 200
    if kind == "regression":
        t, o = rng.normal(size=n), rng.normal(size=n)
        return (np.round(t), np.round(o)) if ties else (t, o)
    k = 2 if kind == "binary" else 4
    t = rng.integers(0, k, n)
    t[:k] = range(k)
    raw = rng.dirichlet(np.ones(k), n)
    if ties:  # multiples of 1/8: exact in binary, so that ties are ties for both
        raw = rng.multinomial(8, np.ones(k) / k, n) / 8
    return t, raw


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("weights", ["none", "whole", "real", "zeros"])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_learn(kind, weights, ties, seed):
    t, o = make(kind, seed, ties)
    rng = np.random.default_rng(seed + 100)
    w = {
        "none": np.ones(len(t)),
        "whole": rng.integers(1, 4, len(t)).astype(float),
        "real": rng.uniform(0.1, 2.0, len(t)),
        "zeros": rng.integers(0, 2, len(t)).astype(float),
    }[weights]
    w[:4] = 1.0
    names = [m.name for m in metrics.METRICS.values() if kind in m.kinds]
    found = metrics.score(kind, t, o, None if weights == "none" else w, names)
    kept = w > 0
    for name in names:
        expected = REFERENCE[name](t[kept], o[kept], w[kept])
        assert found[name] == pytest.approx(expected, rel=1e-12, abs=1e-12), name


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_auroc_is_the_chance_that_a_positive_outranks_a_negative(rows):
    t, s, w = np.array(rows).T
    pairs = [
        (wp * wn, 1.0 if sp > sn else 0.5 if sp == sn else 0.0)
        for tp, sp, wp in rows
        for tn, sn, wn in rows
        if tp == 1 and tn == 0
    ]
    total = sum(weight for weight, _ in pairs)
    found = metrics.score("binary", t, s / 4, w, ["auroc"])["auroc"]
    if total == 0:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(sum(weight * win for weight, win in pairs) / total, abs=1e-12)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_an_absent_class_does_not_crash(kind):
    t, p = make(kind, 0, False)
    t = np.zeros_like(t)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names = [m.name for m in metrics.METRICS.values() if kind in m.kinds]
        found = metrics.score(kind, t, p, None, names)
    undefined = {name for name, value in found.items() if math.isnan(value)}
    assert undefined == {"auroc", "average_precision"}


def test_undefined_is_nan():
    assert math.isnan(metrics.score("regression", [1.0, 1.0], [0.0, 2.0])["r2"])
    assert math.isnan(metrics.score("regression", [1.0], [0.0])["r2"])
    assert all(math.isnan(v) for v in metrics.score("binary", [], np.zeros((0, 2))).values())
    assert all(math.isnan(v) for v in metrics.score("regression", [1.0], [1.0], [0.0]).values())


def test_a_diverged_model_scores_nan():
    assert all(math.isnan(v) for v in metrics.score("binary", [0, 1], [0.1, np.nan]).values())
    assert all(math.isnan(v) for v in metrics.score("regression", [0, 1], [0.1, np.inf]).values())


def test_extreme_probabilities_cost_a_finite_log_loss():
    found = metrics.score("binary", [0, 1], [[0.0, 1.0], [0.0, 1.0]], metrics=["log_loss"])
    assert found["log_loss"] == pytest.approx(-math.log(np.finfo(float).eps) / 2, rel=1e-12)


def test_a_binary_output_may_be_the_probability_of_class_1():
    p = np.array([0.2, 0.7, 0.4])
    both = np.stack([1 - p, p], 1)
    assert metrics.score("binary", [0, 1, 1], p) == metrics.score("binary", [0, 1, 1], both)


def test_defaults_are_metrics_of_their_task():
    for kind, names in metrics.DEFAULTS.items():
        assert all(kind in metrics.METRICS[name].kinds for name in names)


def test_better():
    accuracy, loss = metrics.METRICS["accuracy"], metrics.METRICS["log_loss"]
    assert accuracy.better(0.9, 0.8)
    assert not accuracy.better(0.8, 0.8)
    assert loss.better(0.8, 0.9)
    assert loss.better(0.8, math.nan)
    assert not loss.better(math.nan, 0.8)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("binary", [0, 1], [0.1, 0.2], None, ["acuracy"]), ConfigError, "did you mean 'accuracy'"),
        (("regression", [0, 1], [0.1, 0.2], None, ["accuracy"]), ConfigError, "rmse"),
        (("binry", [0, 1], [0.1, 0.2]), ConfigError, "did you mean 'binary'"),
        (("multiclass", [0, 3], np.ones((2, 3)) / 3), DataError, "0 to 2"),
        (("regression", [0, np.nan], [0.1, 0.2]), DataError, "not finite"),
        (("regression", [0, 1], [0.1]), DataError, "fit together"),
        (("binary", [0, 1], [0.1, 0.2], [-1, 1]), DataError, "at least 0"),
        (("binary", [0, 1], np.ones((2, 3)) / 3), DataError, "probabilities"),
    ],
)
def test_what_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        metrics.score(*arguments)
