"""Labelled series as typed: a table of steps and a file of the archive, predicted, scored and reported."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from manyfit.cli import main


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Rising and falling series of 4 to 6 steps, as a table and as a .ts file."""
    path = tmp_path_factory.mktemp("series")
    noise = np.random.default_rng(0)
    rows, lines = [("who", "second", "height", "way")], ["@data"]
    for i in range(24):
        way, steps = ("up", "down")[i % 2], 4 + i % 3
        values = np.linspace(0, 3, steps) * (1 if way == "up" else -1) + 0.1 * noise.normal(size=steps)
        rows += [(f"p{i}", t, f"{v:.3f}", way) for t, v in enumerate(values)]
        lines.append(",".join(f"{v:.3f}" for v in values) + f":{way}")
    with open(path / "steps.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    (path / "Ways_TRAIN.ts").write_text("\n".join(lines) + "\n")
    return path


SMALL = (
    "--model",
    "gru",
    "--hidden",
    "4",
    "--learning-rate",
    "0.03",
    "--folds",
    "2",
    "--epochs",
    "30",
    "--quiet",
)


def test_a_table_of_steps(place, capsys):
    data, run = str(place / "steps.csv"), str(place / "run")
    asked = ["--series", "who", "--time", "second", "--target", "way", *SMALL]
    assert main(["fit", data, *asked, "--out", run]) == 0
    capsys.readouterr()
    assert main(["predict", run, data]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("who,prediction,") and lines[1].startswith("p0,up,")
    assert main(["evaluate", run, data]) == 0
    assert "accuracy 1" in capsys.readouterr().out
    page = (place / "run" / "report.html").read_text()
    assert "The classes over time" in page and "24 series of 4 to 6 steps" in page


def test_a_file_of_the_archive_and_its_test_part(place, capsys):
    data, run = place / "Ways_TRAIN.ts", place / "Ways"
    assert main(["fit", str(data), "--test", str(data), *SMALL, "--out", str(run)]) == 0
    assert "test data" in capsys.readouterr().out and (run / "test.json").is_file()
    (place / "Long_TEST.ts").write_text("@data\n" + "0,1,2,3,4,5,6,7:up\n7,6,5,4,3,2,1,0:down\n")
    assert main(["evaluate", str(run), str(place / "Long_TEST.ts")]) == 0
    assert "its series have 8 steps and more, those of the training at most 6" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "more", "message"),
    [
        ("steps.csv", ("--series", "who"), "--target"),
        ("steps.csv", ("--series", "whom", "--target", "way"), "did you mean 'who'"),
        ("steps.csv", ("--series", "who", "--target", "way", "--model", "cnn"), "reads no labelled series"),
        ("steps.csv", ("--series", "who", "--target", "way", "--context", "9"), "not for labelled series"),
        ("steps.csv", ("--target", "way", "--model", "resnet1d"), "reads labelled series"),
        ("Ways_TRAIN.ts", ("--time", "second"), "names a column"),
        ("Ways_TRAIN.ts", ("--gap", "2"), "splits rows by time"),
    ],
)
def test_what_is_refused(place, capsys, data, more, message):
    assert main(["fit", str(place / data), *more, "--out", str(place / "none")]) == 1
    said = capsys.readouterr().err.strip()
    assert message in said and "\n" not in said and not (place / "none").exists()
