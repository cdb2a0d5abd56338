"""Several runs side by side: what may be paired, and that the differences are right."""

from __future__ import annotations

import json

import numpy as np
import pytest
from report_runs import Run

from manyfit.errors import ConfigError
from manyfit.evaluate import paired_test
from manyfit.report import compare_runs
from manyfit.report.compare import Side, comparison, not_paired, paired_difference
from manyfit.report.files import read_run
from manyfit.report.findings import findings


def test_scores_are_those_of_the_summaries(make_run, parse):
    folders = [make_run(folder=name, name=name, lift=lift) for name, lift in (("one", 0.0), ("two", 0.1))]
    page = parse(compare_runs(folders))
    for folder in folders:
        score = json.loads((folder / "summary.json").read_text())["scores"]["accuracy"]
        assert score["mean"] in page.values()
    assert "two is ahead" in page.text


def test_difference_is_paired_by_fold(make_run, parse):
    """One lift for all folds but for noise by seed: the paired difference is that of the corrected test."""
    a, b = Run(name="one"), Run(name="two", seeds=3, lift=0.1)
    folders = [make_run(folder="a", name="one"), make_run(folder="b", name="two", seeds=3, lift=0.1)]
    expected = paired_test(a.scores(1), b.scores(1), 60, 30)
    assert np.isclose(expected.difference.mean, -0.1, atol=0.005)
    page = parse(compare_runs(folders))
    assert any(np.isclose(value, expected.difference.mean, rtol=1e-12) for value in page.values())
    assert any(np.isclose(value, expected.p, rtol=1e-9) for value in page.values())
    assert "two is better" in page.text


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"fingerprint": "sha256:2"}, "their data are not the same"),
        ({"target": "another"}, "they do not predict the same"),
        ({"split": 1}, "their folds test different rows"),
        ({"without": ("predictions.safetensors",)}, "fewer than two folds have predictions"),
        ({"chosen": None}, "has chosen no trial"),
    ],
)
def test_what_cannot_be_paired_is_not(make_run, parse, other, reason):
    page = parse(compare_runs([make_run(folder="a"), make_run(folder="b", **other)]))
    assert reason in page.text
    assert "Paired differences in" not in page.text


def test_runs_of_other_data_are_not_ranked(make_run, parse):
    page = parse(compare_runs([make_run(folder="a"), make_run(folder="b", fingerprint="sha256:2")]))
    assert "cannot be ranked" in page.text


def test_p_values_are_corrected_for_their_number(make_run):
    runs = [read_run(make_run(folder=f"r{i}", name=f"r{i}", lift=0.02 * i)) for i in range(3)]
    assert len(comparison(runs)["pairs"]) == 3


def test_alike_names_are_told_apart_and_escaped(make_run, parse):
    name = "<script>1</script>"
    folders = [make_run(folder="a", name=name), make_run(folder="b", name=name)]
    text = compare_runs(folders)
    assert "<script" not in text
    for folder in folders:
        assert f"{name} ({folder})" in parse(text).text


def test_what_differs_is_listed(make_run):
    runs = [read_run(make_run(folder="a")), read_run(make_run(folder="b", epochs=9))]
    rows = {row["name"]: row["values"] for row in comparison(runs)["differences"]}
    assert rows == {"epochs": ["4", "9"]}


def test_unfinished_runs_can_stand_beside_others(make_run, parse):
    folders = [make_run(folder="a"), make_run(folder="b", name="late", without=("summary.json",))]
    page = parse(compare_runs(folders))
    assert "late: the run has not finished." in page.text
    assert "is the only one with a score yet, a mean accuracy of" in page.text
    assert "chance" not in page.text.split("late: the run")[0]


def test_runs_of_one_score_are_level(make_run, parse):
    page = parse(compare_runs([make_run(folder="a", name="one"), make_run(folder="b", name="two")]))
    assert "The runs are level with a mean accuracy of" in page.text and "ahead" not in page.text


def test_the_score_of_a_search_and_the_trials_given_up_stand_in_the_row(make_run):
    folders = [make_run(folder=name) for name in ("a", "b")]
    place = folders[0] / "summary.json"
    summary = json.loads(place.read_text())
    summary["search"] = {"mean": 0.9, "low": 0.85, "high": 0.95, "sd": 0.02}
    summary["pruned"] = [{"trial": 7, "hyper": {}, "epochs": 1}]
    place.write_text(json.dumps(summary))
    found = comparison([read_run(folder) for folder in folders])
    first, second = found["board"]
    assert found["searched"]
    assert first["search"] == "90.0 % (85.0 to 95.0 %)"
    assert first["trials"].endswith(", 1 given up early")
    assert second["search"] == ""
    assert "given up" not in second["trials"]
    assert "90.0 % (85.0 to 95.0 %)" in compare_runs(folders)


def test_one_run_is_too_few(make_run):
    with pytest.raises(ConfigError, match="at least two"):
        compare_runs([make_run()])


def test_folds_that_only_one_has_are_left_out(make_run):
    """Where all networks of a fold diverged that fold has no score: the other folds still pair."""
    dead = tuple((1, seed, 0) for seed in range(2))
    a, b = (
        Side(name, run, findings(run))
        for name, run in (
            ("a", read_run(make_run(folder="a"))),
            ("b", read_run(make_run(folder="b", diverged=dead, lift=0.1))),
        )
    )
    assert not_paired(a, b, "accuracy") == ""
    found = paired_difference(a, b, "accuracy").difference
    assert found.n == 2
    assert np.isclose(found.mean, -0.1)
