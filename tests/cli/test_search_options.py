"""How a search and its folds are asked for on the command line."""

from __future__ import annotations

import csv
import io
import json
import shlex

import pytest
from test_cli import done, lines, place  # noqa: F401 (a fixture)

SMALL = shlex.split("--seeds 1 --epochs 8 --hidden 8 --batch-size 32 --embedding none --patience 0")
FIXED = "--trials 1 --learning-rate 0.01 --dropout 0 --weight-decay 0"


def fitted(capsys, place, out, asked, target="bought"):  # noqa: F811
    """``manyfit fit`` on the table with these options: standard output and standard error."""
    words = [*SMALL, *shlex.split(asked)]
    return done(capsys, "fit", place / "all.csv", "--target", target, "--out", out, *words)


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def test_a_search_that_learns_and_gives_up(place, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "run"
    text, err = fitted(capsys, place, out, "--folds 3 --trials 18 --search tpe --prune halving")
    found = summary(out)
    assert len(found["trials"]) + len(found["pruned"]) == 18 and found["pruned"]
    assert f"{len(found['pruned'])} trials were given up early" in text
    assert "The search itself, a trial chosen anew in each fold: accuracy" in text
    assert "choosing anew in each fold" in (out / "report.html").read_text()
    epochs = {row["trial"]: row["epochs"] for row in lines(out / "members.jsonl")}
    assert {epochs[t["trial"]] for t in found["pruned"]} == {3}

    again = tmp_path / "again"
    fitted(capsys, place, again, f"--folds 3 --trials 5 --warm-start {out}")
    best = min(found["trials"], key=lambda t: t["validation"]["loss"])
    first = next(t for t in summary(again)["trials"] if t["trial"] == 0)
    assert first["hyper"] == best["hyper"]


def test_a_budget_that_is_spent_at_once_is_said_and_is_no_failure(place, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "run"
    _, err = fitted(capsys, place, out, "--folds 3 --trials 50 --search random --budget 0.01s")
    assert "the budget of 0.01 s ended the search after 0 of 50 trials" in err and "manyfit resume" in err
    assert summary(out)["interrupted"] and not summary(out)["trials"]


@pytest.mark.parametrize(
    ("asked", "folds"),
    [
        ("--plan each --group shop", 9),
        ("--plan bootstrap --repeats 4", 4),
        ("--folds 3 --time day --window 8", 3),
        ("--folds 3 --time day --embargo 2 --gap 1", 3),
        ("--folds 3 --repeats 2", 6),
    ],
)
def test_plans(place, tmp_path, capsys, asked, folds):  # noqa: F811
    fitted(capsys, place, tmp_path / "run", f"{FIXED} {asked}")
    assert len(lines(tmp_path / "run" / "members.jsonl")) == folds


def test_a_learning_curve_is_drawn_and_told(place, capsys):  # noqa: F811
    asked = [
        "curve",
        place / "all.csv",
        "--target",
        "bought",
        "--folds",
        "3",
        "--epochs",
        "8",
        "--seeds",
        "1",
    ]
    text, _ = done(capsys, *asked)
    assert text.splitlines()[0].split()[:3] == ["training", "rows", "accuracy"]
    assert len(text.splitlines()) >= 6
    found = json.loads(done(capsys, *asked, "--shares", "0.5", "1", "--json")[0])
    assert [round(size["rows"]) for size in found["sizes"]] == [30, 60] and found["expected"] == []


@pytest.mark.parametrize(("target", "columns"), [("bought", ["set"]), ("price", ["low", "high"])])
def test_predictions_say_what_a_row_may_be(place, tmp_path, capsys, target, columns):  # noqa: F811
    out = tmp_path / "run"
    fitted(capsys, place, out, f"--folds 3 {FIXED}", target)
    text, _ = done(capsys, "predict", out, place / "all.csv", "--coverage", "0.8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0])[-len(columns) :] == columns
    if target == "bought":
        assert {row["set"] for row in rows} <= {"no", "yes", "no|yes"}
    else:
        assert all(float(row["low"]) < float(row["prediction"]) < float(row["high"]) for row in rows)
    (out / "predictions.safetensors").unlink()
    _, err = done(capsys, "predict", out, place / "all.csv", "--coverage", "0.8", code=1)
    assert "no cross-validated predictions" in err
