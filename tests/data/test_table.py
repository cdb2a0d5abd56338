"""Kinds of columns, the task of a target, the schema for new rows, and what is refused."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from manyfit.data.columns import guess
from manyfit.data.reading import load
from manyfit.data.schema import ABSENT, UNKNOWN, Schema
from manyfit.data.table import read
from manyfit.errors import ConfigError, DataError

N = 40
rng = np.random.default_rng(0)


def small(**columns):
    """A dict of columns with a number and a target, and others."""
    base = {"x": rng.normal(size=N), "y": ["no", "yes"] * (N // 2)}
    return {**base, **columns}


def kind(cells, name="c"):
    return guess(load({name: cells})[name]).kind


def refused(source, *parts, error=DataError, target="y", **options):
    with pytest.raises(error) as caught:
        read(source, target, **options)
    for part in parts:
        assert part in str(caught.value), str(caught.value)


# Kinds


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (list(range(5)) * 8, "number"),
        ([0, 1] * 20, "boolean"),
        ([1.5, 7.0, None, 7.0] * 10, "boolean"),
        (["1", "2.5", "-3e4", ""] * 10, "number"),
        (["007", "012", "100"] * 10, "category"),
        (["a", "b", "c"] * 10, "category"),
        (["yes", "No", None] * 10, "boolean"),
        (["male", "female"] * 10, "category"),
        ([True, False] * 10, "boolean"),
        (["2024-01-31", "2023-12-01", None] * 10, "date"),
        (["31.1.2024", "01.12.2023"] * 10, "date"),
        (["12/31/2024 10:30 PM", "1/2/2023 1:05 am"] * 10, "date"),
        (["5 Jan 2020", "March 3, 2021"] * 10, "date"),
        (["2024-01-31", "soon"] * 10, "category"),
        ([f"row {i}" for i in range(40)], "ignored"),
        (["a long text of many words that nobody repeats " + str(i) for i in range(40)], "ignored"),
        ([None] * 30, "ignored"),
        (["same"] * 30, "ignored"),
        ([3] * 30, "ignored"),
        (["same", None] * 15, "category"),
    ],
)
def test_what_a_column_is_taken_for(cells, expected):
    assert kind(cells) == expected


def test_numbers_of_rows_are_left_out_by_name_only():
    assert kind(list(range(1, 41)), "PassengerId") == "ignored"
    assert kind(list(range(1, 41)), "month") == "number"


def test_kinds_can_be_overridden():
    table = read(small(zip=["8001", "8002", "3000", "3011"] * 10), "y", kinds={"zip": "category"})
    assert table.schema.category == ("zip",)
    assert table.schema.columns[1].categories == ("3000", "3011", "8001", "8002")
    refused(small(), "unknown kind", "number", kinds={"x": "numbr"}, error=ConfigError)
    refused(small(c=["1", "b"] * 20), "'b' is not a number", "'c'", kinds={"c": "number"})
    refused(small(c=["1", "b"] * 20), "no date", "'c'", kinds={"c": "date"})
    refused(small(c=["1", "b", "c", "d"] * 10), "third value", kinds={"c": "boolean"})


# Arrays


@pytest.mark.parametrize("loader", [load_breast_cancer, load_iris, load_diabetes])
def test_real_tables_equal_the_frames_they_come_from(loader, tmp_path):
    frame = loader(as_frame=True).frame
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    for source in (frame, path, pl.from_pandas(frame)):
        table = read(source, "target")
        numbers = [n for n in frame if n != "target" and frame[n].nunique() > 2]
        assert table.schema.numeric == tuple(numbers)
        np.testing.assert_array_equal(table.inputs["numeric"], frame[numbers].to_numpy(np.float32))
        np.testing.assert_array_equal(table.target, frame["target"])
        assert len(table) == len(frame)
    tasks = {load_breast_cancer: "binary", load_iris: "multiclass", load_diabetes: "regression"}
    assert table.schema.task == tasks[loader]
    assert table.target.dtype == (np.float32 if loader is load_diabetes else np.int32)


def test_categories_missing_cells_and_the_summary():
    table = read(small(c=["b", "a", None, "b"] * 10, flag=[True, False] * 20), "y", drop=["flag"])
    assert table.schema.cardinalities == (2,)
    assert table.inputs["category"][:4, 0].tolist() == [1, 0, ABSENT, 1]
    entries = {e["name"]: e for e in table.summary()}
    assert entries["c"]["top"] == [["b", 20], ["a", 10]]
    assert entries["c"]["missing"] == 10
    assert entries["flag"]["kind"] == "ignored"
    assert entries["x"]["median"] == pytest.approx(np.median(table.inputs["numeric"][:, 0]), rel=1e-6)
    json.dumps(table.summary())


def test_many_categories_put_the_rare_ones_together():
    cells = [f"c{i % 20}" for i in range(300)] + [f"once{i}" for i in range(100)]
    table = read({"c": cells, "x": np.arange(400.0) ** 2, "y": [0, 1] * 200}, "y")
    column = table.schema.columns[0]
    assert sorted(column.categories) == sorted({f"c{i}" for i in range(20)})
    assert column.rare
    assert table.schema.cardinalities == (21,)
    assert (table.inputs["category"][300:, 0] == 20).all()
    assert any("100 rare values of 120" in w for w in table.warnings)
    assert table.schema.encode({"c": ["once3", "never heard of", None], "x": [1, 2, 3]})["category"][
        :, 0
    ].tolist() == [20, 20, ABSENT]


def test_dates_become_days_and_cycles():
    days = pd.date_range("2020-01-01", periods=N, freq="37h")
    table = read(small(when=days.astype(str)), "y")
    waves = [
        f"when ({w} of the {p})" for p in ("week", "day") for w in ("sine", "cosine")
    ]  # 60 days: no year
    assert table.schema.numeric == ("x", "when", *waves)
    numbers = dict(zip(table.schema.numeric, table.inputs["numeric"].T))
    np.testing.assert_allclose(np.diff(numbers["when"]), 37 / 24, rtol=1e-5)
    angle = 2 * np.pi * days.day_of_week / 7
    np.testing.assert_allclose(numbers["when (sine of the week)"], np.sin(angle), atol=1e-6)
    hours = 2 * np.pi * days.hour / 24
    np.testing.assert_allclose(numbers["when (cosine of the day)"], np.cos(hours), atol=1e-4)
    again = Schema.from_json(json.loads(json.dumps(table.schema.to_json()))).encode(
        {"x": np.zeros(N), "when": days}
    )
    np.testing.assert_array_equal(again["numeric"][:, 1:], table.inputs["numeric"][:, 1:])


def test_numbers_that_float32_cannot_tell_apart_are_shifted():
    stamps = 1.7e9 + np.arange(N) * 3.0
    table = read(small(stamp=stamps), "y")
    np.testing.assert_array_equal(np.diff(table.inputs["numeric"][:, 1]), 3.0)


def test_group_time_and_weight():
    days = pd.date_range("2020-01-01", periods=N).astype(str)
    table = read(
        small(who=["a", "b", "c", "d"] * 10, when=days, w=np.arange(N)),
        "y",
        group="who",
        time="when",
        weight="w",
    )
    assert table.groups.tolist() == [0, 1, 2, 3] * 10
    assert np.diff(table.time).tolist() == [1.0] * (N - 1)  # days
    assert table.weight.tolist() == list(range(N))
    assert table.schema.numeric == ("x", "when (sine of the week)", "when (cosine of the week)")
    refused(small(w=[-1.0] + [1.0] * 39), "row 0", "'w'", weight="w")
    refused(small(w=[1.0, None] * 20), "row 1", "'w'", weight="w")
    refused(small(w=[0.0] * 40), "every weight is 0", weight="w")
    refused(small(g=["a", None] * 20), "group", "row", group="g")
    refused(small(t=["noon", "1"] * 20), "row 0", "'noon' is neither a number nor a date", time="t")
    refused(small(), "target", group="y", error=ConfigError)
    assert not table.warnings


def test_a_column_that_says_the_target_is_told_of():
    table = read(small(alive=["dead", "alive"] * 20), "y")
    assert any("'alive' says the target" in w for w in table.warnings)


# Tasks


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        (["no", "yes"] * 20, "binary", ("no", "yes")),
        (["Yes", "F"] * 20, "binary", ("F", "Yes")),
        ([True, False] * 20, "binary", ("False", "True")),
        ([2, 1] * 20, "binary", ("1", "2")),
        ([1.0, 0.0] * 20, "binary", ("0", "1")),
        (["c", "a", "b", "a"] * 10, "multiclass", ("a", "b", "c")),
        ([0, 10, 2, 10] * 10, "multiclass", ("0", "2", "10")),
        (np.arange(40), "regression", ()),
        (np.arange(40) / 3, "regression", ()),
        ([0.5, 1.5, 2.5, 3.5] * 10, "regression", ()),
    ],
)
def test_the_task_of_a_target(target, task, classes):
    table = read(small(y=target), "y")
    assert (table.schema.task, table.schema.classes) == (task, classes)
    if classes:
        np.testing.assert_array_equal(
            [classes[i] for i in table.target],
            [str(int(t)) if isinstance(t, float) else str(t) for t in target],
        )


def test_the_task_can_be_overridden():
    assert read(small(y=[0, 1] * 20), "y", task="regression").target.dtype == np.float32
    assert read(small(y=[0, 5, 9, 7] * 10), "y", task="regression").schema.task == "regression"
    assert read(small(y=np.arange(40) % 13), "y", task="classification").schema.task == "multiclass"
    assert read(small(), "y", task="multiclass").schema.task == "multiclass"
    refused(small(), "row 0", "'no' is not a number", task="regression")
    refused(small(y=["a", "b", "c", "a"] * 10), "3 classes", "multiclass", task="binary")
    refused(small(y=np.arange(40) / 3), "too many for classes", "regression", task="multiclass")
    refused(small(), "regression", task="regresion", error=ConfigError)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (["a"] * 40, ["constant", "'a'"]),
        ([1.0] * 40, ["constant"]),
        ([None] * 40, ["every cell", "missing"]),
        (["a"] * 39 + ["b"], ["row 39", "'b'", "one row only"]),
        ([1.0, None] * 20, ["rows 1, 3, 5", "missing_target='drop'"]),
        ([f"name {i}" for i in range(40)], ["40 different values"]),
        ([1.0] * 39 + [float("inf")], ["row 39", "infinite"]),
    ],
)
def test_targets_that_are_refused(target, parts):
    refused(small(y=target), "'y'", *parts)


def test_rows_without_a_target_can_be_dropped():
    table = read(small(x=np.arange(N) ** 2.0, y=["a", None, "b", "a"] * 10), "y", missing_target="drop")
    assert len(table) == 30
    assert table.inputs["numeric"][:4, 0].tolist() == [0, 4, 9, 16]
    assert any("10 of 40" in w for w in table.warnings)


# What is refused


def test_errors_name_file_line_column_and_mend(tmp_path):
    path = tmp_path / "t.csv"
    lines = ["a,b,label"] + [f"{i * i},{i % 3},{'uv'[i % 2]}" for i in range(40)]
    path.write_text("\n".join(lines))
    refused(path, str(path), "'lable'", "did you mean 'label'", target="lable")
    refused(path, "place 7", target=7)
    path.write_text("\n".join([*lines[:7], "oops,1,u", *lines[7:]]))
    refused(path, "line 8", "column 'a'", "'oops'", "missing=", target="label")
    assert read(path, "label", missing=("oops",)).inputs["numeric"].shape == (41, 2)
    path.write_text("\n".join([*lines[:7], "inf,1,u", *lines[7:]]))
    refused(path, "line 8", "column 'a'", "infinite", target="label")
    path.write_text("\n".join([*lines[:7], "1,1,", *lines[7:]]))
    refused(path, "line 8", "target 'label' is missing", target="label")
    path.write_text("\n".join(lines[1:]))
    refused(path, "header=False", target="label")
    table = read(path, -1, header=False)
    assert table.schema.target == read(path, "-1", header=False).schema.target == "x2"
    refused({"name": [f"n{i}" for i in range(40)], "y": [0, 1] * 20}, "no column is left", "identifier")


# New rows


def labelled():
    return small(c=["b", "a", None, "b"] * 10, z=[1, 2, 3, 4] * 10)


def test_new_rows_in_any_order_and_form(tmp_path):
    source = labelled()
    table = read(source, "y")
    schema = Schema.from_json(json.loads(json.dumps(table.schema.to_json())))
    assert schema == table.schema
    frame = pd.DataFrame(source)
    path = tmp_path / "new.csv"
    frame.assign(extra=1)[["z", "extra", "c", "x"]].to_csv(path, index=False)
    for rows in (path, frame[["c", "z", "x"]], pl.from_pandas(frame), frame.to_dict("records")):
        encoded = schema.encode(rows)
        np.testing.assert_array_equal(encoded["category"], table.inputs["category"])
        np.testing.assert_allclose(encoded["numeric"], table.inputs["numeric"], rtol=1e-6)
    np.testing.assert_array_equal(schema.encode_target(frame), table.target)
    assert schema.encode({"x": 1.0, "z": 2, "c": "new"})["category"].tolist() == [[UNKNOWN]]


def test_new_rows_that_do_not_fit():
    schema = read(labelled(), "y").schema
    with pytest.raises(DataError, match=r"lacks the columns 'x', 'c'.*'c': did you mean 'cc'"):
        schema.encode({"z": [1], "cc": ["a"]})
    with pytest.raises(DataError, match=r"row 1, column 'x': 'much' is not a number"):
        schema.encode({"z": [1, 1], "c": ["a", "a"], "x": ["1", "much"]})
    with pytest.raises(DataError, match="none of the classes"):
        schema.encode_target({"y": ["no", "perhaps"]})
    with pytest.raises(DataError, match=r"row 1: .*missing"):
        schema.encode_target({"y": ["no", None]})
    with pytest.raises(DataError, match="no target column 'y'"):
        schema.encode_target({"x": [1.0]})
    with pytest.raises(DataError, match="3 by name"):
        schema.encode(np.zeros((2, 7)))


def test_arrays_with_and_without_the_target():
    array = np.column_stack([rng.normal(size=(N, 2)), np.arange(N) % 2, rng.normal(size=N)])
    table = read(array, 2)
    assert table.schema.names == ("x0", "x1", "x3")
    np.testing.assert_array_equal(table.schema.encode(array)["numeric"], table.inputs["numeric"])
    without = table.schema.encode(np.delete(array, 2, axis=1))["numeric"]
    np.testing.assert_array_equal(without, table.inputs["numeric"])
    np.testing.assert_array_equal(table.schema.encode_target(array), table.target)
    named = read(pd.DataFrame(array, columns=list("abyc")), "y")
    np.testing.assert_array_equal(named.schema.encode(np.delete(array, 2, axis=1))["numeric"], without)


def test_the_same_value_written_in_another_way():
    table = read(
        small(zip=[8001, 8002, 3000, 3011] * 10, f=["TRUE", "FALSE", None, "TRUE"] * 10),
        "y",
        kinds={"zip": "category"},
    )
    rows = pd.DataFrame({"x": [1.0, 2.0], "zip": [8001.0, None], "f": [True, False]})
    new = table.schema.encode(rows)["category"]
    zips, answers = (c.categories for c in table.schema.columns[1:])
    assert [zips[new[0, 0]], answers[new[0, 1]], answers[new[1, 1]]] == ["8001", "TRUE", "FALSE"]
    assert new[1, 0] == ABSENT
