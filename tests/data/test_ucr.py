"""Labelled series in the archives' formats."""

from __future__ import annotations

import numpy as np
import pytest

from manyfit.data.ucr import is_archive, read
from manyfit.errors import DataError


def test_tab_and_ts_files_of_the_same_series_agree(tmp_path):
    (tmp_path / "a.tsv").write_text("1\t0.5\t1.5\t2.5\n2.0\t3\t4\tNaN\n")
    (tmp_path / "a.ts").write_text("# said\n@problemName a\n@data\n0.5,1.5,2.5:1\n3,4:2\n")
    tab, ts = read(tmp_path / "a.tsv"), read(tmp_path / "a.ts")
    assert tab.labels == ts.labels == ("1", "2")
    np.testing.assert_array_equal(tab.steps, ts.steps)
    np.testing.assert_array_equal(tab.steps[:, :, 0], [[0.5, 1.5, 2.5], [3, 4, np.nan]])


def test_channels_stand_between_colons(tmp_path):
    (tmp_path / "b.ts").write_text("@data\n1,2:3,4:x\n5,6:7,?:y\n")
    np.testing.assert_array_equal(read(tmp_path / "b.ts").steps[1], [[5, 7], [6, np.nan]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("@data\n1,2:x\n1,two:y\n", "line 3: .*two"),
        ("@data\n1,2:x\n1,2:3,4:y\n", "2 channels"),
        ("@data\n1,2:x\n1,2\n", "line 3: 0 channels and no label"),
        ("@timestamps true\n@data\n(0,1):x\n", "stamps are not read"),
        ("1,2:x\n", "no line @data"),
        ("@data\n1,inf:x\n", "infinite"),
    ],
)
def test_broken_files_are_refused(tmp_path, content, message):
    (tmp_path / "c.ts").write_text(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "c.ts")


def test_labels_may_be_numbers_or_lacking(tmp_path):
    (tmp_path / "n.ts").write_text("@targetlabel true\n@data\n1,2:0.5\n3,4:1.5\n")
    (tmp_path / "u.ts").write_text("@classLabel false\n@data\n1,2:3,4\n")
    assert read(tmp_path / "n.ts").numbers and read(tmp_path / "n.ts").labels == ("0.5", "1.5")
    assert read(tmp_path / "u.ts").labels == () and read(tmp_path / "u.ts").steps.shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("name", "content", "archive"),
    [
        ("a.ts", "", True),
        ("a_TRAIN.tsv", "1\t0.5\t1.5\n", True),
        ("a.txt", "  1.0e+00  2.5e-01 NaN\n", True),
        ("a.tsv", "age\theight\tgait\n1\t2\t3\n", False),
        ("a.txt", "To be or not to be\n", False),
        ("a.csv", "1,2,3\n", False),
    ],
)
def test_what_is_taken_for_a_file_of_the_archives(tmp_path, name, content, archive):
    (tmp_path / name).write_text(content)
    assert is_archive(tmp_path / name) == archive
