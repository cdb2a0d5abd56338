"""Forecasts end to end in Python: leaks, closed forms, the backtest's plan, heads against slow references."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from manyfit.data.series import forward_fill, read
from manyfit.engine import Fold
from manyfit.errors import DataError
from manyfit.experiment.experiment import Experiment
from manyfit.losses.forecasts import HEADS, GaussianForecast, StudentTForecast
from manyfit.models.linear_forecasters import LinearForecaster, moving_average
from manyfit.objectives.forecasting import Forecasting
from manyfit.optim import AdamW
from manyfit.tasks.forecasts import SeriesEncoder, forecast_task, rolling_origins
from manyfit.tasks.task import Task


def recurrence(steps=200):
    """x_t = 1.6 x_(t-1) - 0.8 x_(t-2) driven round a circle: noiseless, and linear in the two values before."""
    x = np.zeros(steps)
    x[:2] = 1.0, 0.9
    for t in range(2, steps):
        x[t] = 2 * np.cos(0.3) * x[t - 1] - x[t - 2]
    return x


def experiment(series, folds, *, epochs=300, horizon=2, lookback=4, instance="none"):
    origin = np.arange(lookback, len(series) - horizon + 1, dtype=np.int32)
    data = {"series": np.asarray(series, np.float32)[:, None], "origin": origin}
    objective = Forecasting(
        LinearForecaster(instance=instance),
        lookback,
        horizon,
        optimizer=AdamW(learning_rate=0.03, weight_decay=0.0),
    )
    return Experiment(
        objective,
        Task(kind="own", data=data, rows=len(origin)),
        seeds=2,
        folds=folds,
        epochs=epochs,
        batch_size=16,
    )


def test_a_linear_forecaster_learns_a_linear_recurrence():
    folds = [(np.arange(100), np.arange(102, 130), np.arange(132, 190))]
    result = experiment(recurrence(), folds).run()
    assert result.scores["mse"].mean < 1e-4
    assert result.scores["naive_mse"].mean > 0.1


@pytest.fixture(scope="module")
def random_walk():
    return np.cumsum(np.random.default_rng(0).normal(size=80))


def test_what_lies_after_the_training_rows_changes_nothing_learned(random_walk):
    folds = [(np.arange(30), np.arange(32, 40), np.arange(42, 70))]
    changed = random_walk.copy()
    changed[46:] = 1e6  # the first test origin is row 42, step 46; no earlier row's window holds it
    a, b = (experiment(s, folds, epochs=3).run() for s in (random_walk, changed))
    assert [m["validation"] for m in a.members] == [m["validation"] for m in b.members]
    for x, y in zip(jax.tree.leaves(a.best.models), jax.tree.leaves(b.best.models), strict=True):
        np.testing.assert_array_equal(x, y)


def test_what_lies_after_the_origin_changes_no_forecast(random_walk):
    task = Task(
        kind="own",
        data={
            "series": random_walk[:, None].astype(np.float32),
            "origin": np.arange(4, 79, dtype=np.int32),
        },
        rows=75,
    )
    objective = Forecasting(LinearForecaster(instance="standard"), 4, 2).bind(task.data)
    changed = task.data["series"].copy()
    changed[40:] += 100.0
    row = np.array([36])  # its origin is step 40
    a, b = (objective.gather({**task.data, "series": s}, row) for s in (task.data["series"], changed))
    np.testing.assert_array_equal(a["inputs"]["past"], b["inputs"]["past"])
    assert np.abs(a["target"] - b["target"]).min() == 100.0


def test_scaling_is_that_of_the_training_steps_alone(random_walk):
    data = {"series": random_walk[:, None].astype(np.float32), "origin": np.arange(4, 79, dtype=np.int32)}
    objective = Forecasting(LinearForecaster(), 4, 2, season=3).bind(data)
    prepared = objective.prepare(Fold(data, np.arange(20, dtype=np.int32), np.ones(20, np.float32)))
    seen = random_walk[: 4 + 20 - 1 + 2]
    np.testing.assert_allclose(prepared["series"]["mean"][0], seen.mean(), rtol=1e-5)
    np.testing.assert_allclose(prepared["series"]["scale"][0], seen.std(), rtol=1e-5)
    naive = np.abs(seen[3:] - seen[:-3]).mean() / seen.std()
    np.testing.assert_allclose(prepared["naive"][0], naive, rtol=1e-5)


def test_every_part_of_the_backtest_lies_after_the_one_before():
    times = np.repeat(np.arange(100), 2)  # two series
    splits = rolling_origins(times, 4, 6)
    tested = np.concatenate([test for *_, test in splits])
    assert len(np.unique(tested)) == len(tested) == 100
    for train, validation, test in splits:
        assert times[train].max() + 6 <= times[validation].min()
        assert times[validation].max() + 6 <= times[test].min()
    assert all(len(validation) == 0 for _, validation, _ in rolling_origins(np.arange(30), 2, 8))


@pytest.mark.parametrize("name", sorted(HEADS))
def test_a_head_moved_and_scaled_is_that_of_the_moved_target(name):
    head, rng = HEADS[name], np.random.default_rng(1)
    outputs = jnp.asarray(rng.normal(size=(5, head.width)), jnp.float32)
    location, scale = jnp.full(5, 3.0), jnp.full(5, 2.0)
    moved = head.placed(outputs, location, scale)
    np.testing.assert_allclose(head.point(moved), 3.0 + 2.0 * head.point(outputs), rtol=1e-5)
    np.testing.assert_allclose(
        head.quantiles(moved), 3.0 + 2.0 * head.quantiles(outputs), rtol=1e-4, atol=1e-4
    )


def test_likelihoods_equal_scipy():
    target = np.linspace(-3, 3, 7)
    outputs = jnp.stack([jnp.full(7, 0.5), jnp.full(7, 0.4)], axis=-1)
    scale = np.exp(0.4)
    found = StudentTForecast()(outputs, jnp.asarray(target, jnp.float32))
    np.testing.assert_allclose(found, -stats.t(5, 0.5, scale).logpdf(target), rtol=1e-5)
    np.testing.assert_allclose(
        StudentTForecast().quantiles(outputs)[0], stats.t(5, 0.5, scale).ppf([0.1, 0.5, 0.9]), rtol=1e-5
    )
    found = GaussianForecast()(outputs, jnp.asarray(target, jnp.float32))
    np.testing.assert_allclose(found, -stats.norm(0.5, np.exp(0.2)).logpdf(target), rtol=1e-5)


def test_the_moving_average_equals_a_loop():
    x = np.random.default_rng(2).normal(size=(2, 9))
    padded = np.pad(x, ((0, 0), (2, 2)), mode="edge")
    slow = np.stack([padded[:, i : i + 5].mean(axis=1) for i in range(9)], axis=1)
    np.testing.assert_allclose(moving_average(jnp.asarray(x), 5), slow, rtol=1e-4, atol=1e-6)


def test_filling_looks_back_only():
    table = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan], [5.0, 4.0]])
    np.testing.assert_array_equal(forward_fill(table), [[2, 1], [2, 1], [2, 1], [5, 4]])


# Reading


def table(days, values, **more):
    return {"day": [f"2024-01-{d:02d}" for d in days], "y": values, **more}


def test_missing_and_unsorted_stamps_are_mended_and_said():
    found = read(table([1, 2, 5, 4, 6], [1.0, 2.0, 5.0, 4.0, None]), time="day", target=["y"])
    np.testing.assert_array_equal(found.values[:, 0], [1, 2, 2, 4, 5, 5])
    np.testing.assert_array_equal(found.observed[:, 0], [True, True, False, True, True, False])
    assert len(found.warnings) == 3 and found.step.season() == 7
    assert str(found.stamps[2])[:10] == "2024-01-03"


def test_many_series_in_one_table_stay_apart():
    found = read(
        table([1, 2, 3, 1, 2, 3], [1.0, 2, 3, 10, 20, 30], shop=list("aaabbb")), time="day", series="shop"
    )
    assert found.ids == ("a", "b") and found.starts == (0, 3, 6)


def test_months_of_different_lengths_are_one_step():
    days = ["2023-11", "2023-12", "2024-01", "2024-02"]
    found = read({"month": days, "y": [1.0, 2.0, 4.0, 3.0]}, time="month")
    assert found.step.unit == "months" and found.step.season() == 12 and not found.warnings
    ahead = found.step.stamps(found.stamps[-1], np.arange(1, 3))
    assert [str(d)[:10] for d in ahead] == ["2024-03-01", "2024-04-01"]


def clock(days, hours):
    return {
        "Year": [2024] * len(days),
        "Month": [2] * len(days),
        "Day": days,
        "Hour": hours,
        "y": range(len(days)),
    }


def test_a_stamp_may_stand_in_several_columns():
    found = read(clock([28, 28, 29], [0, 12, 0]), time="Year Month Day Hour")
    assert found.targets == ("y",) and str(found.step) == "12 hours"
    assert str(found.stamps[-1]) == "2024-02-29T00:00:00.000000"
    with pytest.raises(DataError, match="no such day"):
        read(clock([28, 29, 30], [0, 0, 0]), time="Year Month Day Hour")
    with pytest.raises(DataError, match="no hour; give whole numbers from 0 to 23"):
        read(clock([28, 29, 29], [0, 0, 24]), time="Year Month Day Hour")
    with pytest.raises(DataError, match='tell it \\(--time "Year Month Day Hour"\\)'):
        read(clock([28, 28, 29], [0, 1, 0]) | {"Month": [1, 1, 2]}, time="Year Month")
    with pytest.raises(DataError, match="has no column 'Minute'"):
        read(clock([28], [0]), time="Year Month Day Hour Minute")


BAD = {
    "twice": (table([1, 2, 2], [1.0, 2, 3]), {}, "is there twice"),
    "one row": (table([1], [1.0]), {}, "a series of one row"),
    "between": (
        {"day": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-03 07:00"], "y": [1.0, 2, 3, 4]},
        {},
        "between two steps",
    ),
    "not a number": (table([1, 2, 3], ["1", "two", "3"]), {"target": ["y"]}, "not a number"),
    "no column": (table([1, 2, 3], [1.0, 2, 3]), {"target": ["z"]}, "has no column 'z'"),
    "zones": (
        {
            "day": ["2024-01-01 00:00:00+01:00", "2024-01-01 01:00:00", "2024-01-01 02:00:00"],
            "y": [1.0, 2, 3],
        },
        {},
        "some stamps name a time zone",
    ),
    "no date": ({"day": ["soon", "later"], "y": [1.0, 2.0]}, {}, "no date"),
    "sparse": (
        {"day": ["2024-01-01", "2024-01-02", "2025-01-01", "2025-01-02"], "y": [1.0, 2, 3, 4]},
        {},
        "have no row; are the stamps",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused_in_one_line(name):
    source, options, message = BAD[name]
    with pytest.raises(DataError, match=message) as caught:
        read(source, time="day", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.arange(20.0), {"horizon": 30}, "longer than the series"),
        (np.arange(20.0), {"horizon": 3, "lookback": 17}, "leave nothing to train"),
        (np.ones(40), {"horizon": 3}, "is constant"),
    ],
)
def test_series_that_cannot_be_forecast_are_refused(values, options, message):
    with pytest.raises(DataError, match=message):
        forecast_task(read({"y": values}, target=["y"]), **options)


def test_the_encoder_survives_json_and_gives_the_last_steps():
    found = read(table(range(1, 29), list(np.arange(28.0) ** 1.1)), time="day", target=["y"])
    encoder = forecast_task(found, 3, lookback=5, time="day").encoder
    again = SeriesEncoder.from_json(encoder.to_json())
    assert again == encoder
    new = table(range(10, 20), list(np.arange(10.0)))
    np.testing.assert_array_equal(again.encode(new)["past"][0, :, 0], [5, 6, 7, 8, 9])
    assert again.encode(new)["known"].shape == (1, 8, 4)
    with pytest.raises(DataError, match="longer history"):
        again.encode(table([1, 2], [1.0, 2.0]))


def test_a_member_equals_the_same_member_trained_alone(random_walk):
    folds = [(np.arange(30), np.arange(32, 40), np.arange(42, 70))]
    two = experiment(random_walk, folds, epochs=3)
    alone = dataclasses.replace(two, seeds=1)
    a, b = two.run().members[0], alone.run().members[0]
    assert a["test"] == pytest.approx(b["test"], rel=1e-5)
