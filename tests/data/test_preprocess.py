"""Features learned per fold, against scikit-learn, plain loops, and garbage where nothing may look."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from manyfit.data.preprocess import KNOTS, LIMIT, SCALINGS, TablePreprocess
from manyfit.errors import ConfigError

CANCER = load_breast_cancer().data.astype(np.float32)
rng = np.random.default_rng(0)


def numeric(scaling, train, new=None, bins=0):
    preprocess = TablePreprocess(scaling, bins=bins)
    train = np.asarray(train, np.float32)
    stats = jax.jit(preprocess.fit)({"numeric": train}, np.ones(len(train), np.float32))
    new = train if new is None else np.asarray(new, np.float32)
    return jax.tree.map(np.asarray, jax.jit(preprocess.apply)(stats, {"numeric": new}))


def mixed(rows=200):
    numbers = rng.normal(size=(rows, 3)).astype(np.float32)
    numbers[rng.random((rows, 3)) < 0.2] = np.nan
    codes = np.stack([rng.integers(-1, 3, rows), rng.integers(-2, 30, rows)], 1).astype(np.int32)
    return {"numeric": numbers, "category": codes}


# Against scikit-learn


@pytest.mark.parametrize(("scaling", "peer"), [("standard", StandardScaler()), ("robust", RobustScaler())])
@pytest.mark.parametrize("holes", [False, True])
def test_linear_scalings_are_scikit_learns(scaling, peer, holes):
    x = CANCER.astype(np.float64)
    if holes:
        x[rng.random(x.shape) < 0.1] = np.nan
    ours = numeric(scaling, x)["numeric"]
    theirs = np.clip(peer.fit_transform(x.astype(np.float32).astype(np.float64)), -10, 10)
    known = ~np.isnan(x)
    # float32 against float64: a few units in the last place of numbers up to 10
    np.testing.assert_allclose(ours[known], theirs[known], atol=5e-6)
    assert np.isfinite(ours).all()


def test_auto_is_standard_but_for_columns_with_a_long_tail():
    x = rng.normal(size=(500, 3))
    x[:, 1] = np.exp(3 * x[:, 1])
    x[7, 2] = np.nan
    found = numeric("auto", x)["numeric"]
    np.testing.assert_array_equal(found[:, [0, 2]], numeric("standard", x)["numeric"][:, [0, 2]])
    np.testing.assert_array_equal(found[:, 1], numeric("quantile", x)["numeric"][:, 1])
    # what decides is a training row: a new one far out is held at the limit
    assert numeric("auto", x[:, :1], [[1e9]])["numeric"].item() == LIMIT


def test_the_quantile_transform_is_scikit_learns_but_at_the_ends():
    x = np.column_stack([CANCER[:, :10], rng.exponential(size=len(CANCER))])
    ours = numeric("quantile", x)["numeric"]
    theirs = QuantileTransformer(n_quantiles=len(x), output_distribution="normal").fit_transform(x)
    between = (x > x.min(axis=0)) & (x < x.max(axis=0))
    # Ranks are (i + 1/2) / n here and i / (n - 1) there; both scores of a value lie between those of
    # the same two knots, 1/127 of probability apart.
    apart = np.abs(norm.cdf(ours) - norm.cdf(theirs))[between]
    assert apart.max() < 0.5 / len(x) + 1 / 127
    assert apart.mean() < 0.25 / 127
    assert np.abs(ours).max() < norm.ppf(1 - 0.4 / len(x))


def test_quantile_scores_against_a_plain_loop():
    """With fewer rows than knots every value is met exactly: the normal score of its mid-rank."""
    x = np.round(rng.normal(size=(KNOTS - 1) // 2 + 1), 1).astype(np.float32)  # 64 rows: knots at every rank
    ours = numeric("quantile", x[:, None])["numeric"][:, 0]
    ranks = [(np.sum(x < v) + np.sum(x <= v)) / 2 / len(x) for v in x]
    # Between two ranks that are knots within 1/127 the score is linear instead
    np.testing.assert_allclose(norm.cdf(ours), ranks, atol=1e-2)
    order = np.argsort(x)
    assert (np.diff(ours[order]) >= 0).all()
    grid = np.linspace(-6, 6, 1000)[:, None]
    assert (np.diff(numeric("quantile", x[:, None], grid)["numeric"][:, 0]) >= 0).all()


def test_ties_share_the_middle_of_their_ranks():
    x = np.array([0.0] * 90 + list(range(1, 11)))[:, None]
    scores = numeric("quantile", x)["numeric"][:, 0]
    np.testing.assert_allclose(scores[0], norm.ppf(0.45), atol=1e-5)
    flags = numeric("quantile", np.array([0.0] * 25 + [1.0] * 75)[:, None])["numeric"][:, 0]
    np.testing.assert_allclose(flags[[0, -1]], norm.ppf([0.125, 0.625]), atol=1e-5)


# Bins


def reference_bins(train, x, bins):
    """Equation 1 of Gorishniy et al. (2022), held within [0, 1]."""
    edges = np.quantile(train.astype(np.float64), np.linspace(0, 1, bins + 1))
    out = np.zeros((len(x), bins))
    for t in range(bins):
        if edges[t + 1] > edges[t]:
            out[:, t] = np.clip((x - edges[t]) / (edges[t + 1] - edges[t]), 0, 1)
    return out


def test_the_piecewise_linear_encoding_is_the_papers():
    x = np.column_stack([CANCER[:, 0], rng.integers(0, 3, len(CANCER)), np.full(len(CANCER), 7.0)])
    x = x.astype(np.float32)
    new = np.concatenate([x, [[1e30, 5, 7], [-1e30, -5, 8], [12, 0.5, 6]]]).astype(np.float32)
    ours = numeric("none", x, new, bins=6)["piecewise"]
    assert ours.shape == (len(new), 3, 6)
    for column in range(3):
        expected = reference_bins(x[:, column], new[:, column].astype(np.float64), 6)
        np.testing.assert_allclose(ours[:, column], expected, atol=2e-5)  # widths of bins cancel digits
    assert (ours[:, 2] == 0).all()


# Missing cells, unknown and unseen categories


def test_missing_numbers_take_the_training_median_and_are_marked():
    train = np.array([[1.0, 5.0], [np.nan, 6.0], [3.0, 7.0], [8.0, 9.0]], np.float32)
    new = [[np.nan, np.nan], [3.0, 6.5]]
    features = numeric("none", train, new)
    np.testing.assert_array_equal(features["numeric"], [[3.0, 6.5], [3.0, 6.5]])
    # the second column missed nothing in training: its mark would have weights that nothing trained
    np.testing.assert_array_equal(features["missing"], [[1, 0], [0, 0]])


def test_codes_of_no_training_row_are_unknown():
    preprocess = TablePreprocess(cardinalities=(3, 4))
    train = {"category": np.array([[0, -1], [2, 3], [1, 0]], np.int32)}
    stats = preprocess.fit(train, np.array([1.0, 1.0, 0.0]))
    new = np.array([[0, 0], [1, 1], [2, 2], [-1, -1], [-2, -2], [9, 3], [-7, 4]], np.int32)
    found = np.asarray(preprocess.apply(stats, {"category": new})["category"])
    # column 0 saw codes 0 and 2 and missed nothing; column 1 saw 3 and a missing cell
    assert found[:, 0].tolist() == [2, 0, 4, 0, 0, 0, 0]
    assert found[:, 1].tolist() == [0, 0, 0, 1, 0, 5, 0]
    assert found.dtype == np.int32


# What must not matter


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("garbage", [0.0, np.nan, np.inf, -np.inf, 3e38])
def test_padding_changes_nothing_bit_for_bit(scaling, garbage):
    preprocess = TablePreprocess(scaling, bins=8, cardinalities=(3, 30))
    inputs = mixed()
    weight = (rng.random(200) < 0.7).astype(np.float32)
    other = {k: v.copy() for k, v in inputs.items()}
    other["numeric"][weight == 0] = garbage
    other["category"][weight == 0] = rng.integers(-99, 99, (int((weight == 0).sum()), 2))
    fit = jax.jit(preprocess.fit)
    a, b = fit(inputs, weight), fit(other, weight * 3)
    jax.tree.map(np.testing.assert_array_equal, a, b)
    # and the rows left out are as if they had not been there
    alone = fit({k: v[weight > 0] for k, v in inputs.items()}, np.ones(int(weight.sum()), np.float32))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6), a, alone)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_one_member_equals_one_of_many(scaling):
    preprocess = TablePreprocess(scaling, bins=4, cardinalities=(3, 30))
    inputs = mixed()
    weights = (rng.random((3, 200)) < 0.6).astype(np.float32)

    def features_of(weight):
        return preprocess.apply(preprocess.fit(inputs, weight), inputs)

    features, one = jax.jit(jax.vmap(features_of))(weights), jax.jit(features_of)
    for i in range(3):
        alone = one(weights[i])
        jax.tree.map(
            lambda x, y, i=i: np.testing.assert_allclose(x[i], y, rtol=1e-5, atol=1e-6), features, alone
        )


COLUMNS = {
    "constant": np.full(50, 3.7),
    "constant and large": np.full(50, 123456.789),
    "all missing": np.full(50, np.nan),
    "one value known": np.r_[5.0, np.full(49, np.nan)],
    "huge": rng.normal(size=50) * 1e30,
    "tiny": rng.normal(size=50) * 1e-30,
    "both": np.r_[1e38, -1e38, rng.normal(size=48)],
    "mostly zero": np.r_[np.zeros(48), 1.0, 1e6],
    "large offset": 1e7 + np.arange(50.0),
}


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("name", list(COLUMNS))
def test_features_are_finite_whatever_comes(scaling, name):
    train = COLUMNS[name].astype(np.float32)[:, None]
    new = np.array([[np.nan], [0.0], [3e38], [-3e38], [np.inf], [-np.inf], [1e-40], [3.7]], np.float32)
    for rows in (train, new):
        features = numeric(scaling, train, rows, bins=5)
        for values in features.values():
            assert np.isfinite(values).all()
        assert ((features["piecewise"] >= 0) & (features["piecewise"] <= 1)).all()
        if scaling != "none":
            assert np.abs(features["numeric"]).max(initial=0) <= 10
    if name.startswith("constant") and scaling != "none":
        np.testing.assert_array_equal(numeric(scaling, train)["numeric"], 0.0)


def test_tables_of_one_sort_of_column_and_of_one_row():
    only = TablePreprocess("standard", bins=3, cardinalities=(2,))
    features = only.apply(
        only.fit({"category": np.zeros((1, 1), np.int32)}, np.ones(1)),
        {"category": np.zeros((4, 1), np.int32)},
    )
    shapes = {k: v.shape for k, v in features.items()}
    assert shapes == {"numeric": (4, 0), "missing": (4, 0), "category": (4, 1), "piecewise": (4, 0, 3)}
    plain = TablePreprocess("none")
    features = plain.apply(plain.fit({"numeric": np.ones((1, 2))}, np.ones(1)), {"numeric": np.ones((4, 2))})
    assert features["category"].shape == (4, 0)
    assert {v.dtype for k, v in features.items() if k != "category"} == {jnp.dtype("float32")}


def test_what_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'quantile'"):
        TablePreprocess("quantiles")
    with pytest.raises(ConfigError, match="at least 0"):
        TablePreprocess(bins=-1)
    with pytest.raises(ConfigError, match="neither"):
        TablePreprocess().fit({"pixels": np.ones((2, 2))}, np.ones(2))
    with pytest.raises(ConfigError, match="2 category columns, TablePreprocess 1"):
        TablePreprocess(cardinalities=(3,)).fit({"category": np.zeros((2, 2), np.int32)}, np.ones(2))


def test_scores_of_a_real_table_look_normal():
    scores = numeric("quantile", load_diabetes().data)["numeric"]
    continuous = [0, 2, 4, 5, 8]
    np.testing.assert_allclose(scores[:, continuous].mean(0), 0, atol=0.02)
    np.testing.assert_allclose(scores[:, continuous].std(0), 1, atol=0.05)
