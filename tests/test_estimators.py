"""The estimators keep scikit-learn's contract, by its own checks and with what people do with estimators."""

from __future__ import annotations

import io
import pickle

import jax
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from manyfit import Autoencoder, CNNClassifier, MLPClassifier, MLPRegressor, augment, optim
from manyfit.errors import ConfigError

# Small enough for a second of training each, large enough for the accuracies that the checks ask for.
QUICK = {"folds": 2, "epochs": 20, "learning_rate": 0.03, "batch_size": 8}
SEEING = QUICK | {"learning_rate": 0.01, "hidden": 32, "dropout": 0.1, "batch_size": 32}
PLAIN = QUICK | {"dropout": 0.0}
CHECKED = [
    MLPClassifier((8,), **PLAIN, scaling="standard"),
    MLPRegressor((16,), **PLAIN, scaling="standard"),
    CNNClassifier((4,), 8, **PLAIN),
    Autoencoder(2, (4,), folds=2, epochs=2, batch_size=8),
]

WEIGHTS = (
    "folds and minibatches are drawn from rows, so that a row of weight 2 is not the same draw as a row given "
    "twice; a row of weight 0 is the same as none, which test_a_row_of_weight_zero_is_no_row checks"
)
EXPECTED = {
    "MLPClassifier": {"check_sample_weight_equivalence_on_dense_data": WEIGHTS},
    "MLPRegressor": {"check_sample_weight_equivalence_on_dense_data": WEIGHTS},
    "CNNClassifier": {},
    "Autoencoder": {},
}


@pytest.fixture
def quick_compilation():
    """Nearly every check brings a shape of its own to compile: XLA is not to polish what runs for a second."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.mark.usefixtures("quick_compilation")
@parametrize_with_checks(CHECKED, expected_failed_checks=lambda e: EXPECTED[type(e).__name__])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, CNNClassifier])
def test_expected_failures_are_few_and_told(kind):
    expected = EXPECTED[kind.__name__]
    assert len(expected) <= 3
    assert all(check in kind.__doc__ for check in expected)


# Frames


def frame_and_target():
    """Diabetes, its sex and blood-pressure columns as texts and as a category, with missing cells."""
    frame, target = load_diabetes(return_X_y=True, as_frame=True)
    frame["sex"] = np.where(frame["sex"] > 0, "female", "male")
    frame["bp"] = pd.cut(frame["bp"], 3, labels=["low", "middle", "high"])
    rng = np.random.default_rng(0)
    for column in ("sex", "bp", "bmi"):
        frame.loc[rng.random(len(frame)) < 0.1, column] = None
    frame["seen"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(frame)), unit="D")
    return frame, target.to_numpy()


@pytest.fixture(scope="module")
def mixed():
    frame, target = frame_and_target()
    return MLPRegressor((16,), **QUICK).fit(frame, target), frame, target


def test_a_frame_of_categories_dates_and_missing_cells_is_learned_from(mixed):
    model, frame, target = mixed
    assert model.feature_names_in_.tolist() == list(frame.columns)
    assert model.n_features_in_ == frame.shape[1]
    assert model.score(frame, target) > 0.3
    kinds = {column.name: column.kind for column in model.schema_.columns}
    assert (kinds["sex"], kinds["bp"], kinds["bmi"], kinds["seen"]) == (
        "category",
        "category",
        "number",
        "date",
    )


@pytest.mark.parametrize("other", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "pyarrow"])
def test_frames_of_every_library_mean_the_same(mixed, other):
    model, frame, target = mixed
    np.testing.assert_array_equal(model.predict(other(frame)), model.predict(frame))
    again = clone(model).fit(other(frame), target)
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))


def test_the_index_of_a_frame_means_nothing(mixed):
    model, frame, target = mixed
    shuffled = frame.set_index(np.random.default_rng(1).permutation(len(frame)))
    again = clone(model).fit(shuffled, pd.Series(target))
    np.testing.assert_array_equal(again.predict(shuffled), model.predict(frame))


def test_new_rows_may_hold_what_training_did_not(mixed):
    model, frame, _ = mixed
    new = frame.head(4).astype({"sex": object, "bp": object})
    new.loc[0, ["sex", "bp"]] = "never heard of"
    new.loc[1, ["s1", "s5"]] = np.nan  # columns that missed nothing in training
    new.loc[2, ["sex", "bp"]] = None
    assert np.isfinite(model.predict(new)).all()


def test_other_columns_are_refused(mixed):
    model, frame, _ = mixed
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.drop(columns="sex"))


def test_what_only_a_category_says_is_learned():
    iris = load_iris()
    names = pd.Series(np.array(["setosa", "versicolor", "virginica"])[iris.target], dtype="category")
    frame = pd.DataFrame({"noise": np.random.default_rng(0).normal(size=150), "name": names})
    model = MLPClassifier((8,), **QUICK).fit(frame, iris.target % 2 == 1)
    assert model.classes_.dtype == bool
    assert model.score(frame, iris.target % 2 == 1) == 1.0


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_frames_of_numbers_are_arrays_with_names(kind):
    frame, y = load_iris(return_X_y=True, as_frame=True)
    frame.columns = ["a", "b", "c", "d"]
    frame["c"] = frame["c"].mask(frame["c"] > 5.5)
    X = {"pandas": lambda f: f, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas}[kind](frame)
    model = MLPClassifier((8,), **QUICK).fit(X, y)
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    plain = MLPClassifier((8,), **QUICK).fit(frame.to_numpy(), y)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(frame.to_numpy()))


# What people do with estimators


def test_pipeline_and_cross_validation():
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), MLPClassifier((8,), **QUICK))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.9


def test_grid_search_with_text_labels():
    iris = load_iris()
    labels = iris.target_names[iris.target]
    search = GridSearchCV(MLPClassifier((8,), **QUICK), {"learning_rate": [1e-6, 0.03]}, cv=2)
    search.fit(iris.data, labels)
    assert search.best_params_ == {"learning_rate": 0.03}
    assert search.predict(iris.data[:2]).tolist() == ["setosa", "setosa"]
    assert search.predict_proba(iris.data[:2]).shape == (2, 3)


@pytest.fixture(scope="module")
def fitted():
    """The three estimators on digits, and rows that are more than one block of predictions."""
    digits = load_digits()
    X, y = digits.data, digits.target
    return [
        (
            MLPClassifier((16,), **QUICK, random_state=1).fit(X[:300], y[:300]),
            X,
        ),  # by 0 both folds score alike
        (MLPRegressor((16,), **QUICK).fit(X[:300], y[:300]), X),
        (CNNClassifier((8,), **SEEING).fit(X[:300], y[:300]), X),
    ]


def answers(model, X):
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


def test_a_prediction_does_not_depend_on_the_other_rows(fitted):
    for model, X in fitted:
        found = answers(model, X)
        assert found.dtype == np.float64
        order = np.random.default_rng(0).permutation(len(X))
        np.testing.assert_array_equal(answers(model, X[order]), found[order])
        for start, count in ((0, 1), (17, 2), (255, 3), (256, 256), (700, 257), (1000, 797)):
            some = slice(start, start + count)
            np.testing.assert_array_equal(answers(model, X[some]), found[some])


def test_probabilities_sum_to_1_in_double_precision(fitted):
    for model, X in fitted:
        if is_classifier(model):
            given = model.predict_proba(X).astype(np.float64)
            np.testing.assert_allclose(given.sum(axis=1), 1.0, rtol=0, atol=1e-12)


def test_pickled_and_cloned(fitted):
    for model, X in fitted:
        before = answers(model, X[:9])
        np.testing.assert_array_equal(answers(pickle.loads(pickle.dumps(model)), X[:9]), before)
        place = io.BytesIO()
        joblib.dump(model, place)
        place.seek(0)
        np.testing.assert_array_equal(answers(joblib.load(place), X[:9]), before)
        copy = clone(model)
        assert copy.get_params() == model.get_params()
        with pytest.raises(NotFittedError):
            copy.predict(X)


def test_kinds_are_known_to_scikit_learn(fitted):
    assert [is_classifier(model) for model, _ in fitted] == [True, False, True]
    assert [is_regressor(model) for model, _ in fitted] == [False, True, False]


def test_the_result_tells_the_score_with_its_interval(fitted):
    model, _ = fitted[0]
    score = model.result_.score
    assert score.low < score.mean < score.high
    assert model.result_.metric == "accuracy"
    assert len(model.result_.members) == 2
    assert 0.7 < score.mean < 1.0


def test_the_model_inside_reads_rows_by_itself(fitted):
    model, X = fitted[0]
    np.testing.assert_array_equal(model.result_.best.predict(X[:20]), model.predict(X[:20]).astype(str))


# Rows, classes and weights


def test_random_state_decides():
    X, y = load_iris(return_X_y=True)
    one, same, other, drawn = (
        MLPClassifier((8,), **QUICK, random_state=state).fit(X, y).predict_proba(X)
        for state in (1, np.int64(1), 2, np.random.RandomState(3))
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not np.array_equal(other, drawn)


def test_a_row_of_weight_zero_is_no_row():
    X, y = load_iris(return_X_y=True)
    weight = np.random.default_rng(0).integers(0, 2, 150)
    model = MLPClassifier((8,), **QUICK)
    spoiled = np.where(weight[:, None] > 0, X, 1e6)
    weighed = clone(model).fit(spoiled, y, sample_weight=weight).predict_proba(X)
    without = clone(model).fit(X[weight > 0], y[weight > 0], sample_weight=np.ones(weight.sum()))
    np.testing.assert_array_equal(weighed, without.predict_proba(X))


def test_weights_draw_predictions_towards_the_heavy_rows():
    X = np.zeros((100, 1))
    y = np.r_[np.zeros(50), np.ones(50)]
    weight = np.r_[np.ones(50), np.full(50, 3.0)]
    # one input for all rows: the best value is the weighted mean, 0.75
    model = MLPRegressor((8,), **QUICK).fit(X, y, sample_weight=weight)
    assert model.predict(X[:1])[0] == pytest.approx(0.75, abs=0.05)


def test_a_class_too_rare_for_the_folds_is_trained_on():
    X, y = load_iris(return_X_y=True)
    X, y = np.r_[X, [[20.0, 20.0, 20.0, 20.0]] * 2], np.r_[y, [7, 7]]
    # as standard scores the two stand far off; as quantiles they would be the next to the others
    settings = PLAIN | {"folds": 3, "scaling": "standard"}
    model = MLPClassifier((16,), **settings).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2, 7]
    assert sorted(model.result_.predictions["row"]) == list(range(150))
    assert model.predict(X[-1:])[0] == 7


@pytest.mark.parametrize("scaling", ["standard", "quantile"])
def test_numbers_that_single_precision_cannot_tell_apart(scaling):
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((8,), **QUICK, scaling=scaling)
    near, far = clone(model).fit(X, y), clone(model).fit(X + 1e9, y)
    assert abs(near.score(X, y) - far.score(X + 1e9, y)) <= 0.02
    assert far.score(X + 1e9, y) > 0.9


@pytest.mark.parametrize(
    ("settings", "rows", "message"),
    [
        ({"folds": 0}, 150, "folds=0"),
        ({"folds": "five"}, 150, "folds='five'"),
        ({"class_weight": "even"}, 150, "class_weight='even'"),
        ({"activation": "rleu"}, 150, "did you mean 'relu'"),
        ({"scaling": "std"}, 150, "unknown scaling 'std'"),
        ({"epochs": 0}, 150, "epochs=0"),
        ({}, 30, "at least 2 classes"),
        ({}, slice(48, 51), "at least 4 rows"),
        ({}, [0, 50, 100], "at least 4 rows"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(settings, rows, message):
    X, y = load_iris(return_X_y=True)
    rows = slice(rows) if isinstance(rows, int) else rows
    with pytest.raises(ValueError, match=message):
        MLPClassifier((8,), **settings).fit(X[rows], y[rows])


def test_targets_and_weights_that_do_not_fit():
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match="20 classes in 20 rows"):
        MLPClassifier().fit(X[:20], np.arange(20))
    with pytest.raises(ValueError, match="too large for float32"):
        MLPRegressor().fit(X, y * 1e40)
    with pytest.raises(ValueError, match="sample_weight"):
        MLPRegressor().fit(X, y, sample_weight=-np.ones(442))
    with pytest.raises(ValueError, match="too large"):
        MLPRegressor().fit(X * 1e300, y)
    frame, y = frame_and_target()
    with pytest.raises(ValueError, match="inconsistent numbers"):
        MLPRegressor().fit(frame, y[:-1])
    with pytest.raises(ValueError, match="y contains NaN"):
        MLPRegressor().fit(frame, np.where(y > 300, np.nan, y))
    with pytest.warns(DataConversionWarning), pytest.raises(ValueError, match="at least 2 classes"):
        MLPClassifier().fit(frame, np.zeros((442, 1)))


# Images


def test_images_in_every_form_are_the_same_images():
    digits = load_digits()
    images, y = digits.images[:600], digits.target[:600]
    first = CNNClassifier((8,), **SEEING).fit(images, y)
    assert first.image_shape_ == (8, 8, 1)
    assert first.n_features_in_ == 64
    rows = CNNClassifier((8,), **SEEING, image_shape=(8, 8)).fit(images.reshape(600, 64), y)
    expected = first.predict_proba(digits.images)
    for X in (digits.images, digits.images[..., None], digits.data, digits.images.astype(np.float32)):
        np.testing.assert_array_equal(first.predict_proba(X), expected)
        np.testing.assert_array_equal(rows.predict_proba(X), expected)
    assert first.score(digits.images, digits.target) > 0.8


def test_pixels_of_bytes_and_of_floats_and_any_unit():
    digits = load_digits()
    images, y = digits.images[:600], digits.target[:600]
    small, new = images.astype(np.uint8), digits.images[600:1100]
    by_bytes = CNNClassifier((8,), **SEEING).fit(small, y)
    np.testing.assert_allclose(  # float32 of another order of operations
        by_bytes.predict_proba(new), by_bytes.predict_proba(new.astype(np.uint8)), rtol=1e-3, atol=1e-5
    )
    scores = [by_bytes.score(new, digits.target[600:1100])]
    for unit, zero in ((1 / 16, 0.0), (1e6, -3e6)):
        model = CNNClassifier((8,), **SEEING).fit(images * unit + zero, y)
        scores.append(model.score(new * unit + zero, digits.target[600:1100]))
    assert min(scores) > 0.8
    assert np.ptp(scores) < 0.05


def test_colour_images_and_an_error_for_another_size():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.integers(0, 200, (60, 6, 5, 3), np.uint8)
    X[y == 1, :, :, 2] += 40  # the blue channel alone tells
    model = CNNClassifier((4,), 8, **QUICK).fit(X, y)
    assert model.image_shape_ == (6, 5, 3)
    assert model.score(X, y) > 0.9
    with pytest.raises(
        ValueError, match=r"images of shape \(5, 6, 3\), the model was trained on \(6, 5, 3\)"
    ):
        model.predict(X.transpose(0, 2, 1, 3))
    with pytest.raises(ValueError, match="has 30 pixels, X has 90 features"):
        CNNClassifier(image_shape=(6, 5)).fit(X.reshape(60, 90), y)
    with pytest.raises(ConfigError, match="image_shape"):
        CNNClassifier(image_shape=(90,)).fit(X.reshape(60, 90), y)
    with pytest.raises(ValueError, match="with channels last"):
        CNNClassifier().fit(X[..., None], y)


# Quality with the settings at their defaults


def test_defaults_do_as_well_as_a_good_linear_model():
    X, y = load_breast_cancer(return_X_y=True)
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    expected = cross_val_score(linear, X, y, cv=5).mean()
    assert MLPClassifier().fit(X, y).result_.score.mean > expected - 0.015
    X, y = load_diabetes(return_X_y=True)
    expected = -cross_val_score(Ridge(0.1), X, y, cv=5, scoring="neg_root_mean_squared_error").mean()
    assert MLPRegressor().fit(X, y).result_.scores["rmse"].mean < expected * 1.05


# Architectures and optimizers by name


def test_an_architecture_an_augmentation_and_an_optimizer_by_name():
    images, target = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8)
    asked = {"architecture": "resnet8", "augment": "digits", "optimizer": "sgd", "learning_rate": 0.1}
    model = CNNClassifier(**asked, folds=2, epochs=4, batch_size=32).fit(images, target)
    assert model.score(images, target) > 0.9
    members = model.result_.members
    assert {type(model._model.objective.model).__name__} == {"ResNet"} and len(members) == 2


def test_an_optimizer_with_its_own_numbers():
    X, y = load_iris(return_X_y=True)
    own = optim.SAM(optim.SGD(learning_rate=0.1), rho=0.05)
    assert MLPClassifier((16,), optimizer=own, folds=2, epochs=30).fit(X, y).score(X, y) > 0.9
    with pytest.raises(ConfigError, match="belong to the optimizer"):
        MLPClassifier((16,), optimizer=own, learning_rate=0.1).fit(X, y)
    with pytest.raises(ConfigError, match="did you mean 'adamw'"):
        MLPClassifier((16,), optimizer="adamww").fit(X, y)
    with pytest.raises(ConfigError, match="give a name"):
        MLPClassifier((16,), optimizer=0.1).fit(X, y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "resnet21"}, "did you mean 'resnet20'"),
        ({"architecture": "mlp"}, "known: "),
        ({"architecture": 20}, "one of manyfit.models"),
        ({"augment": "standart"}, "did you mean 'standard'"),
        ({"augment": augment.Crop()}, "a list of some"),
        ({"augment": [0.1]}, "a list of some"),
        ({"views": "flp"}, "did you mean 'flip'"),
        ({"optimizer": "adamx"}, "did you mean 'adam'"),
    ],
)
def test_what_is_no_network_augmentation_or_optimizer(settings, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ConfigError, match=message):
        CNNClassifier((2,), 2, **settings, folds=2, epochs=1).fit(X.reshape(-1, 2, 2), y)
