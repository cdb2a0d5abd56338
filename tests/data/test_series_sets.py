"""Labelled series: tables and files alike, variable lengths, gaps, and what is refused in one line."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.data.series_preprocess import SeriesPreprocess
from manyfit.data.series_sets import SeriesSchema, read
from manyfit.errors import ConfigError, DataError

LONG = {
    "id": ["b", "b", "b", "a", "a", "c", "d"],
    "t": [2, 0, 1, 0, 1, 0, 0],
    "x": [3.0, 1.0, 2.0, 8.0, 9.0, 5.0, 6.0],
    "y": [0.0, np.nan, 1.0, 2.0, 2.0, 2.0, 1.0],
    "label": ["no", "no", "no", "yes", "yes", "yes", "no"],
}


def test_a_long_table_sorts_fills_and_pads():
    found = read(LONG, "label", series="id", time="t")
    assert found.lengths.tolist() == [3, 2, 1, 1]
    assert found.steps[0].tolist() == [[1, 1], [2, 1], [3, 0]]  # y of the first step is its neighbour's
    assert found.steps[1].tolist() == [[8, 2], [9, 2], [0, 0]]
    assert [found.classes[k] for k in found.target] == ["no", "yes", "yes", "no"]
    assert any("sorted" in w for w in found.warnings) and any("interpolated" in w for w in found.warnings)


def test_a_file_of_the_archive_says_the_same_as_a_table(tmp_path):
    (tmp_path / "s.ts").write_text("@data\n1,2,3:?,1,0:no\n8,9:2,2:yes\n5:2:yes\n6:1:no\n")
    file, table = read(tmp_path / "s.ts"), read(LONG, "label", series="id", time="t")
    np.testing.assert_array_equal(file.steps, table.steps)
    np.testing.assert_array_equal(file.target, table.target)


def test_the_schema_reads_new_series_after_json():
    schema = SeriesSchema.from_json(read(LONG, "label", series="id", time="t").schema.to_json())
    longer = {
        "id": ["z"] * 4,
        "t": [0, 1, 2, 3],
        "x": [1.0, 2.0, 3.0, 4.0],
        "y": [0.0] * 4,
        "label": ["yes"] * 4,
    }
    steps, lengths, names = schema.read(longer)
    assert steps.shape == (1, 4, 2) and lengths.tolist() == [4] and names == ("z",)
    assert schema.encode_target(longer).tolist() == [1]
    with pytest.raises(DataError, match="no column 'y'"):
        schema.encode({"id": ["z"], "t": [0], "x": [1.0]})


def changed(**columns):
    return {**LONG, **columns}


@pytest.mark.parametrize(
    ("table", "options", "error", "message"),
    [
        (LONG, {"series": "idd"}, DataError, "no column 'idd'.*did you mean 'id'"),
        (changed(label=["no", "yes", "no", *LONG["label"][3:]]), {}, DataError, "another value in its first row"),
        (changed(t=[0, 0, 1, 0, 1, 0, 0]), {}, DataError, "row 1: a stamp of 't' is there twice"),
        (changed(id=["b", None, "b", "a", "a", "c", "d"]), {}, DataError, "row 1: the series 'id' is missing"),
        (changed(x=[np.inf, *LONG["x"][1:]]), {}, DataError, "row 0.*infinite"),
        (changed(x=["p"] * 7, y=["q"] * 7), {}, DataError, "no column of numbers"),
        (changed(x=[1.0] * 7, y=[1.0] * 7), {}, DataError, "every channel is constant"),
        (changed(label=["no"] * 7), {}, DataError, "constant"),
        (LONG, {"time": "id"}, ConfigError, "two roles"),
        (LONG, {"length": 0}, ConfigError, "at least 1"),
    ],
)  # fmt: skip
def test_what_is_refused(table, options, error, message):
    with pytest.raises(error, match=message):
        read(table, "label", **{"series": "id", "time": "t", **options})


def test_scaling_knows_training_steps_alone():
    inputs = {"steps": jnp.array([[[1.0], [3.0]], [[1e6], [0.0]]]), "lengths": jnp.array([2, 1])}
    scaled = SeriesPreprocess()
    stats = scaled.fit(inputs, jnp.array([1.0, 0.0]))
    assert (float(stats["mean"][0]), float(stats["scale"][0])) == (2.0, 1.0)
    assert scaled.apply(stats, inputs)["steps"][1, 1, 0] == 0.0
