"""Tables from files and objects: every way in gives the same cells, every defect names its line."""

import gzip
import math
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from manyfit.data.reading import load
from manyfit.errors import DataError

TEXT = 'age,"job, held",city\n 39 , clerk ,"Bern, BE"\n?,NA,"two\nlines"\n50.5,"the ""boss""",Zürich\n'


def cells(raw, name):
    values, codes = raw[name].texts
    return [None if c < 0 else values[c] for c in codes]


def write(folder, text, name="table.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def refused(source, *parts, **options):
    with pytest.raises(DataError) as error:
        load(source, **options)
    for part in parts:
        assert part in str(error.value)


def test_quotes_line_breaks_blanks_and_missing_cells(tmp_path):
    raw = load(write(tmp_path, TEXT))
    assert raw.names == ("age", "job, held", "city")
    assert cells(raw, "age") == ["39", None, "50.5"]
    assert cells(raw, "job, held") == ["clerk", None, 'the "boss"']
    assert cells(raw, "city") == ["Bern, BE", "two\nlines", "Zürich"]
    assert raw.lines.tolist() == [2, 4, 5]
    np.testing.assert_array_equal(raw["age"].as_numbers[0], [39, np.nan, 50.5])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_delimiters_line_ends_gzip_and_byte_order_mark(tmp_path, delimiter, ending, packed):
    lines = ["a|b|c", "1|x y|-1e-3", "2||4"]
    data = ("\ufeff" + ending.join(line.replace("|", delimiter) for line in lines)).encode()
    raw = load(write(tmp_path, gzip.compress(data) if packed else data, "t.csv.gz" if packed else "t.txt"))
    assert raw.names == ("a", "b", "c")
    assert cells(raw, "b") == ["x y", None]
    assert raw["c"].as_numbers[0].tolist() == [-1e-3, 4]


def test_a_tsv_is_cut_at_tabs_whatever_else_it_holds(tmp_path):
    raw = load(write(tmp_path, "a\tb\n1,2,3\tx\n4,5,6\ty\n", "t.tsv"))
    assert cells(raw, "a") == ["1,2,3", "4,5,6"]


def test_decimal_commas_where_the_delimiter_is_none(tmp_path):
    raw = load(write(tmp_path, "a;b\n1,5;x\n-2,25;y\n"))
    assert raw["a"].as_numbers[0].tolist() == [1.5, -2.25]
    commas = load(write(tmp_path, 'a,b\n"1,500",x\n"2,250",y\n'))
    assert commas["a"].as_numbers[1].all()  # thousands or decimals: not for us to guess


def test_underscores_are_no_part_of_a_number(tmp_path):
    assert load(write(tmp_path, "a,b\n1_000,1\n2,1\n"))["a"].as_numbers[1].tolist() == [True, False]


def test_one_column(tmp_path):
    raw = load(write(tmp_path, "a\n1\n\n2\n"))
    assert raw["a"].as_numbers[0].tolist() == [1, 2]
    assert raw.lines.tolist() == [2, 4]


def test_without_a_header(tmp_path):
    raw = load(write(tmp_path, "1,a\n2,b\n"), header=False)
    assert raw.names == ("x0", "x1")
    assert raw.lines.tolist() == [1, 2]
    assert not raw.named


def test_own_marks_of_missing_cells(tmp_path):
    raw = load(write(tmp_path, "a,b\n-9,NA\n1,x\n"), missing=("-9",))
    assert cells(raw, "a") == [None, "1"]
    assert cells(raw, "b") == ["NA", "x"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"", ["is empty"]),
        (b"\n \n", ["is empty"]),
        (b"a,b\n", ["no rows"]),
        (b"a,b\n1,2\n1,2,3\n4,5\n", ["line 3", "3 cells, but 2"]),
        (b"a,b\n1,2\n\n1\n1\n", ["line 4", "1 more line"]),
        (b"a,b,a\n1,2,3\n", ["'a'", "rename"]),
        (b"1,2,3\n4,5,6\n", ["line 1", "header=False"]),
        (b"a,b\n1,\xe9\n", ["line 2, byte 3", "0xe9", "UTF-8"]),
        (b"a,b\n1,2\n3,\x004\n", ["line 3", "NUL"]),
        ("a,b\n1,2\n".encode("utf-16"), ["UTF-16"]),
        (b'a,b\n1,"2\n3,4\n', ["line", "quotation mark"]),
        (b"PK\x03\x04rest", ["spreadsheet"]),
        (b"a,,\n1,2,3\n", ["columns 2, 3", "no name"]),
    ],
)
def test_a_broken_file_is_refused_by_its_line(tmp_path, text, parts):
    path = write(tmp_path, text)
    refused(path, str(path), *parts)


def test_files_that_are_not_there_or_damaged(tmp_path):
    write(tmp_path, "a\n1\n", "adult.csv")
    refused(tmp_path / "adlt.csv", "no such file", "'adult.csv'")
    refused(tmp_path, "folder")
    refused(write(tmp_path, gzip.compress(b"a,b\n" + b"1,2\n" * 999)[:-9], "t.csv.gz"), "damaged")
    refused(write(tmp_path, b"PAR1 and nothing more", "t.parquet"), "Parquet")


RECORDS = {
    "number": [1.5, None, -2.0],
    "whole": [1, 2, 3],
    "answer": [True, None, False],
    "text": ["a", " b ", None],
    "day": [date(2024, 1, 31), date(2024, 2, 1), None],
}


def frames():
    arrow = pa.table(RECORDS)
    return {
        "pandas": pd.DataFrame(RECORDS),
        "pandas nullable": pd.DataFrame(RECORDS).convert_dtypes(),
        "polars": pl.DataFrame(RECORDS),
        "polars lazy": pl.LazyFrame(RECORDS),
        "pyarrow": arrow,
        "dict": RECORDS,
        "records": [dict(zip(RECORDS, row)) for row in zip(*RECORDS.values())],
    }


@pytest.mark.parametrize("kind", list(frames()))
def test_frames_of_every_kind_hold_the_same_cells(kind):
    raw = load(frames()[kind])
    assert raw.names == tuple(RECORDS)
    np.testing.assert_array_equal(raw["number"].as_numbers[0], [1.5, np.nan, -2])
    np.testing.assert_array_equal(raw["whole"].as_numbers[0], [1, 2, 3])
    assert cells(raw, "answer") == ["True", None, "False"]
    assert cells(raw, "text") == ["a", "b", None]
    days = raw["day"].as_dates().values
    assert days[:2].astype("datetime64[D]").tolist() == RECORDS["day"][:2]
    assert np.isnat(days[2])
    assert raw.fingerprint.startswith("sha256:")


def test_parquet_equals_the_frame_that_was_written(tmp_path):
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table(RECORDS), path)
    raw = load(path)
    np.testing.assert_array_equal(raw["number"].as_numbers[0], [1.5, np.nan, -2])
    assert cells(raw, "text") == ["a", "b", None]


def test_categoricals_time_zones_and_durations():
    zone = timezone(timedelta(hours=2))
    frame = pd.DataFrame(
        {
            "c": pd.Categorical(["x", None, "y"]),
            "t": pd.to_datetime([datetime(2024, 1, 1, 1, tzinfo=zone)] * 3),
            "d": pd.to_timedelta(["1h", None, "2h"]),
        }
    )
    raw = load(frame)
    assert cells(raw, "c") == ["x", None, "y"]
    assert raw["t"].as_dates().values[0] == np.datetime64("2023-12-31T23:00")
    np.testing.assert_array_equal(raw["d"].as_numbers[0], [3600, np.nan, 7200])


def test_arrays_and_their_names():
    raw = load(np.array([[1, 2], [3, 4]]))
    assert raw.names == ("x0", "x1")
    assert raw["x1"].as_numbers[0].tolist() == [2, 4]
    mixed = load(np.array([[1, "a"], [None, math.nan]], dtype=object))
    assert cells(mixed, "x0") == ["1", None]
    assert cells(mixed, "x1") == ["a", None]


def test_masked_cells_are_missing_and_names_may_be_numbers():
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    np.testing.assert_array_equal(load({"a": masked})["a"].as_numbers[0], [1, np.nan])
    np.testing.assert_array_equal(load(masked[:, None])["x0"].as_numbers[0], [1, np.nan])
    assert load(pd.DataFrame({0: [1], 7: ["a"]})).names == ("0", "7")
    refused(pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column is named 'a'")


def test_the_fingerprint_is_of_the_content(tmp_path):
    import hashlib

    path = write(tmp_path, "a,b\n1,2\n")
    assert load(path).fingerprint == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    packed = write(tmp_path, gzip.compress(path.read_bytes()), "t.csv.gz")
    assert load(packed).fingerprint == load(path).fingerprint
    a, b = np.ones((2, 2)), np.ones((2, 2))
    b[1, 1] = 2
    assert load(a).fingerprint == load(a.copy()).fingerprint != load(b).fingerprint


@pytest.mark.parametrize(
    ("source", "part"),
    [
        (np.ones(3), "(3,)"),
        (np.ones((0, 2)), "no rows"),
        ({}, "empty"),
        ({"a": [1, 2], "b": [1]}, "differ in length"),
        ({"a": [1, 2], "b": 1}, "'b' is a single value"),
        ({"a": [[1], [2]]}, "no single value"),
        (3.5, "no table"),
        (np.ones((2, 2), complex), "complex"),
    ],
)
def test_objects_that_are_no_tables(source, part):
    refused(source, part)


def test_one_row_as_a_dict():
    assert load({"a": 1.5, "b": "x"})["a"].as_numbers[0].tolist() == [1.5]
