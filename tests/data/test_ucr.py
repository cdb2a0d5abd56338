"""Labelled series in the archives' formats."""

from __future__ import annotations

import numpy as np
import pytest

from manyfit.data.ucr import read
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
        ("@data\n1,2:x\n", "two of each or more"),
        ("@targetlabel true\n@data\n1,2:0.5\n", "numbers as targets"),
    ],
)
def test_broken_files_are_refused(tmp_path, content, message):
    (tmp_path / "c.ts").write_text(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "c.ts")
