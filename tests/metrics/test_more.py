"""The further metrics against scikit-learn, sacrebleu, numerical integrals; streams against the whole."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from manyfit import metrics
from manyfit.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
N, K = 60, 4
TARGET = RNG.integers(0, K, N)
OUTPUT = RNG.dirichlet(np.ones(K), N)
WEIGHT = RNG.uniform(0, 2, N) * (RNG.random(N) > 0.2)
PREDICTED = OUTPUT.argmax(1)
TWO = np.stack([1 - OUTPUT[:, 0], OUTPUT[:, 0]], 1)
POSITIVE = (TARGET == 0).astype(int)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_f_beta_is_sklearns(beta, average):
    expected = sk.fbeta_score(TARGET, PREDICTED, beta=beta, average=average, sample_weight=WEIGHT)
    assert metrics.f_beta(TARGET, OUTPUT, WEIGHT, beta, average) == pytest.approx(expected, abs=1e-12)


def test_precision_recall_and_iou_are_sklearns():
    options = {"sample_weight": WEIGHT, "average": "macro", "zero_division": 0}
    for ours, theirs in (
        (metrics.precision_macro, sk.precision_score),
        (metrics.recall_macro, sk.recall_score),
        (metrics.iou, sk.jaccard_score),
    ):
        expected = theirs(TARGET, PREDICTED, **options)
        assert ours(TARGET, OUTPUT, WEIGHT) == pytest.approx(expected, abs=1e-12)
    two = TWO.argmax(1)
    for ours, theirs in ((metrics.precision, sk.precision_score), (metrics.recall, sk.recall_score)):
        expected = theirs(POSITIVE, two, sample_weight=WEIGHT)
        assert ours(POSITIVE, TWO, WEIGHT) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("ties", [False, True])
def test_top_k_is_sklearns(k, ties):
    output = np.round(OUTPUT, 1) if ties else OUTPUT
    expected = sk.top_k_accuracy_score(TARGET, output, k=k, sample_weight=WEIGHT, labels=range(K))
    assert metrics.top_k(TARGET, output, WEIGHT, k) == pytest.approx(expected, abs=1e-12)


def test_perplexity_of_a_fair_die_is_its_sides():
    assert metrics.perplexity(TARGET, np.full((N, K), 1 / K), WEIGHT) == pytest.approx(K)


def test_crps_of_an_ensemble_is_the_integral_of_its_definition():
    ensemble, target = RNG.normal(size=(5, 7)), RNG.normal(size=5)
    grid = np.linspace(-9, 9, 200_001)
    below = (ensemble[:, :, None] <= grid).mean(1) - (target[:, None] <= grid)
    expected = np.mean(np.sum(below**2, axis=1) * (grid[1] - grid[0]))
    assert metrics.crps_ensemble(target, ensemble) == pytest.approx(expected, abs=1e-4)
    assert metrics.crps_ensemble(target, ensemble[:, :1]) == pytest.approx(
        np.abs(target - ensemble[:, 0]).mean()
    )


def test_crps_of_a_normal_is_the_integral_and_the_limit_of_ensembles():
    target, mean, deviation = np.array([0.3, -2.0, 1.0]), np.array([0.0, 1.0, 1.5]), np.array([1.0, 0.5, 0.0])
    grid = np.linspace(-9, 9, 200_001)
    curves = np.stack([stats.norm.cdf(grid, m, s) if s else grid >= m for m, s in zip(mean, deviation)])
    squares = (curves - (target[:, None] <= grid)) ** 2
    expected = np.mean(np.sum(squares, axis=1) * (grid[1] - grid[0]))
    assert metrics.crps_gaussian(target, mean, deviation) == pytest.approx(expected, abs=1e-4)
    draws = np.random.default_rng(1).normal(mean[:2, None], deviation[:2, None], size=(2, 20_000))
    near = metrics.crps_gaussian(target[:2], mean[:2], deviation[:2])
    # 20,000 draws: the score is known to about a hundredth
    assert metrics.crps_ensemble(target[:2], draws, fair=True) == pytest.approx(near, abs=0.02)


def test_pinball_is_sklearns_and_coverage_counts():
    target, forecast = RNG.normal(size=N), RNG.normal(size=N)
    expected = sk.mean_pinball_loss(target, forecast, alpha=0.2, sample_weight=WEIGHT)
    assert metrics.pinball(target, forecast, 0.2, WEIGHT) == pytest.approx(expected)
    assert metrics.coverage([1, 2, 3], [0, 3, 3], [1, 4, 3], [1, 1, 2]) == 0.75
    assert np.isnan(metrics.coverage([1], [0], [2], [0]))


def test_bleu_is_sacrebleus():
    sacrebleu = pytest.importorskip("sacrebleu")
    hypotheses = ["the cat sat on a mat", "a dog barks loudly at night"]
    references = [
        ["the cat sat on the mat", "a cat sat on a mat"],
        ["the dog barks at night", "dogs bark at night"],
    ]
    expected = sacrebleu.corpus_bleu(hypotheses, [list(stream) for stream in zip(*references)]).score
    assert metrics.bleu(hypotheses, references) == pytest.approx(expected)
    assert metrics.bleu(hypotheses, hypotheses) == pytest.approx(100.0)
    with pytest.raises(DataError, match="2 hypotheses and 1"):
        metrics.bleu(hypotheses, references[:1])


@given(st.lists(st.integers(0, N), max_size=6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_partition_gives_the_value_of_the_whole(cuts, merged):
    bounds = [0, *sorted(cuts), N]
    parts = [slice(a, b) for a, b in itertools.pairwise(bounds)]
    values, guesses = RNG_VALUES
    classes, numbers = metrics.ClassStream(K), metrics.ValueStream()
    for part in parts:
        if merged:
            one, two = metrics.ClassStream(K), metrics.ValueStream()
        else:
            one, two = classes, numbers
        one.update(TARGET[part], OUTPUT[part], WEIGHT[part])
        two.update(values[part], guesses[part], WEIGHT[part])
        if merged:
            classes.merge(one)
            numbers.merge(two)
    whole = metrics.score("multiclass", TARGET, OUTPUT, WEIGHT, classes.names)
    for name in classes.names:
        assert classes.value(name) == pytest.approx(whole[name], rel=1e-10), name
    for name in numbers.names:
        expected = metrics.score("regression", values, guesses, WEIGHT, [name])[name]
        assert numbers.value(name) == pytest.approx(expected, rel=1e-9), name


# far from 0 beside their spread: sums of squares would lose it
RNG_VALUES = (1e6 + RNG.normal(size=N), 1e6 + RNG.normal(size=N))


def test_streams_of_nothing_are_nan_and_refuse_what_does_not_add_up():
    assert np.isnan(metrics.ClassStream(3).value("accuracy"))
    assert np.isnan(metrics.ValueStream().value("r2"))
    with pytest.raises(ConfigError, match="does not add up"):
        metrics.ClassStream(3).value("auroc")
