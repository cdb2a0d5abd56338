"""The report of a run folder: its numbers, its safety, and what is left of it when files are missing."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from report_runs import Run

from manyfit.errors import RunError
from manyfit.report import render, write

SECTIONS = ["chosen", "board", "effects", "curves", "predictions", "checks", "data", "how", "doubts"]


def test_write_puts_one_whole_file_into_the_folder(make_run):
    folder = make_run()
    place = write(folder)
    assert place == folder / "report.html"
    assert place.read_text(encoding="utf-8") == render(folder)
    assert [p.name for p in folder.glob("*.part")] == []


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_sections_come_in_order(make_run, parse, kind):
    classes = ("no", "yes") if kind == "binary" else ("a", "b", "c")
    page = parse(render(make_run(kind=kind, classes=classes)))
    expected = [name for name in SECTIONS if name != "checks" or kind != "regression"]
    assert [attrs["id"] for attrs in page.find("section")] == expected


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_numbers_are_those_of_the_summary(make_run, parse, kind):
    folder = make_run(kind=kind)
    summary = json.loads((folder / "summary.json").read_text())
    shown = parse(render(folder)).values()
    (score,) = summary["scores"].values()
    for value in (score["mean"], score["low"], score["high"], score["sd"], *summary["ensemble"].values()):
        assert value in shown
    for trial in summary["trials"]:
        assert trial["score"]["mean"] in shown
        assert trial["validation"]["loss"] in shown
        assert trial["p_value"] is None or trial["p_value"] in shown


def test_headline_says_score_and_interval(make_run, parse):
    folder = make_run()
    score = json.loads((folder / "summary.json").read_text())["scores"]["accuracy"]
    claim = re.search(r'<p class="claim">(.*?)</p>', render(folder), re.S)
    assert claim is not None
    values = parse(claim[1]).values()
    assert values == [score["mean"], score["low"], score["high"]]
    text = parse(claim[1]).text
    assert "predict label is right on" in text
    assert f"{100 * score['mean']:.0f}" in text


def test_trials_are_listed_best_first(make_run, parse):
    numbers = re.findall(r'<th scope="row" class="n">(\d+)', render(make_run()))
    assert numbers == ["2", "1", "0"]
    smaller_is_better = re.findall(r'<th scope="row" class="n">(\d+)', render(make_run(kind="regression")))
    assert smaller_is_better == ["0", "1", "2"]


def test_confusion_counts_are_those_of_the_predictions(make_run):
    page = render(make_run(classes=("no", "yes"), kind="binary"))
    p = Run(classes=("no", "yes"), kind="binary").predictions()
    for true, name in enumerate(("no", "yes")):
        for called, other in enumerate(("no", "yes")):
            count = int(np.sum((p["target"] == true) & (p["output"].argmax(axis=1) == called)))
            assert not count or f"{name} taken for {other}: {count} (" in page


EVIL = "<script>alert('x')</script>&\"'"


def test_everything_from_outside_is_escaped(make_run, parse):
    column = {"name": EVIL, "kind": EVIL, "missing": 3, "unique": 2, "note": EVIL, "top": [[EVIL, 5]]}
    folder = make_run(
        name=EVIL,
        target=EVIL,
        classes=(EVIL, "</title><b>", "<img src=x onerror=y>"),
        columns=[column],
        warnings=[EVIL],
    )
    text = render(folder)
    page = parse(text)
    assert "<script" not in text
    assert page.find("img") == page.find("b") == page.find("script") == []
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "<script>alert('x')</script>&\"'" in page.text


def test_nothing_is_fetched(make_run, parse):
    text = render(make_run())
    page = parse(text)
    assert not re.search(r"(https?:)?//[a-z]", text)
    assert "@import" not in text and "url(" not in text
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data"):
            assert attrs.get(name, "#")[:1] == "#" or attrs[name] == "data:,", (tag, attrs)


def test_drawings_have_names_and_tables_have_heads(make_run, parse):
    page = parse(render(make_run(columns=[{"name": "x", "kind": "number", "missing": 0, "unique": 9}])))
    for attrs in page.find("svg"):
        assert attrs["role"] == "img" and attrs["aria-label"]
    assert len(page.find("title")) > len(page.find("svg"))
    assert all(attrs.get("scope") in ("row", "col") for attrs in page.find("th"))


def test_command_is_quoted_for_the_shell(make_run, parse):
    assert "manyfit fit 'my data.csv' --target label" in parse(render(make_run())).text


@pytest.mark.parametrize("name", ["members.jsonl", "history.safetensors", "predictions.safetensors"])
def test_a_missing_file_is_told_of(make_run, parse, name):
    page = parse(render(make_run(without=(name,))))
    assert f"{name} is not there" in page.text
    assert "is right on" in page.text


def test_without_summary_the_report_says_unfinished(make_run, parse):
    page = parse(render(make_run(without=("summary.json",))))
    assert "This run has not finished: 18 of 18 networks have ended" in page.text
    assert "Nothing is chosen yet" in page.text
    assert "best trial so far, 2" in page.text


def test_a_run_that_only_began(make_run, parse):
    names = ("summary.json", "members.jsonl", "history.safetensors", "predictions.safetensors")
    page = parse(render(make_run(without=names)))
    assert "no network has been recorded yet" in page.text


def test_interrupted_run(make_run, parse):
    page = parse(render(make_run(interrupted=True)))
    assert "The run has not finished" in page.text


def test_diverged_members(make_run, parse):
    dead = ((1, 0, 0), (2, 0, 0), (2, 0, 1))
    page = parse(render(make_run(diverged=dead)))
    assert "1 of 6 have no score" in page.text
    assert "2 networks of 1 other trial ended without a score" in page.text
    assert "trial 2, seed 0, fold 1" in page.text


def test_every_member_diverged(make_run, parse):
    dead = tuple((t, s, f) for t in range(3) for s in range(2) for f in range(3))
    page = parse(render(make_run(diverged=dead, chosen=None, without=("predictions.safetensors",))))
    assert "Nothing was chosen" in page.text


@pytest.mark.parametrize(("seeds", "words"), [(1, "there is no interval"), (3, "the luck of the seed alone")])
def test_one_fold(make_run, parse, seeds, words):
    page = parse(render(make_run(folds=1, seeds=seeds)))
    assert "One fold only" in page.text
    assert words in page.text
    assert ("too few folds and seeds for an interval" in page.text) == (seeds == 1)


def test_the_winner_and_the_search_are_told_apart(make_run, parse):
    search = {"mean": 0.712, "low": 0.68, "high": 0.744, "sd": 0.02}
    text = parse(render(make_run(search=search, pruned=3))).text
    assert "choosing anew in each fold" in text and "71.2 % (68.0 % to 74.4 %)" in text
    assert "3 more trials were given up early and have no score" in text
    text = parse(render(make_run(folder="other"))).text
    assert "choosing anew" not in text and "given up" not in text


def test_of_one_seed_nothing_is_averaged(make_run, parse):
    assert "Seeds together" in parse(render(make_run(seeds=2))).text
    assert "Seeds together" not in parse(render(make_run(seeds=1, folder="one"))).text


def test_what_the_spread_is_made_of_is_said(make_run, parse):
    """The seed flips the score by 0.005 in these runs, folds differ by 0.02 each."""
    text = parse(render(make_run(seeds=2, folds=5))).text
    assert "Of one network's variance" in text and "is the seed's" in text
    assert "cannot halve the interval" in text


def test_what_the_settings_do_is_told_where_there_are_enough_trials(make_run, parse):
    """The score of these runs rises with the trial's number, and so with the learning rate."""
    text = parse(render(make_run(trials=16))).text
    assert "learning_rate by itself explains" in text.replace("learning rate", "learning_rate")
    assert "Explains" in text and "of the score's variance by itself" in text
    assert "by itself explains" not in parse(render(make_run(trials=6, folder="few"))).text


def test_one_trial(make_run, parse):
    page = parse(render(make_run(trials=1, chosen=0)))
    assert "One trial only" in page.text
    assert "effects" not in [attrs["id"] for attrs in page.find("section")]


def test_a_hundred_classes_stay_readable(make_run, parse):
    text = render(make_run(classes=tuple(f"class {k}" for k in range(100)), rows=300))
    page = parse(text)
    cells = [attrs for attrs in page.find("rect") if "cell" in (attrs.get("class") or "")]
    assert len(cells) == 20 * 20
    assert "The 20 classes of 100 with the most errors" in page.text


def test_images(make_run, parse):
    folder = make_run(data_kind="images")
    content = json.loads((folder / "experiment.json").read_text())
    content["data"]["summary"] = "90 images of 8x8, grey"
    (folder / "experiment.json").write_text(json.dumps(content))
    page = parse(render(folder))
    assert "of the images it never saw" in page.text
    assert "90 images of 8x8, grey." in page.text


def test_missing_cells_and_notes_of_columns(make_run, parse):
    columns = [
        {
            "name": "age",
            "kind": "number",
            "missing": 9,
            "unique": 40,
            "min": 1,
            "median": 30,
            "max": 90,
            "note": "",
        },
        {"name": "id", "kind": "ignored", "missing": 0, "unique": 90, "note": "an identifier"},
    ]
    page = parse(render(make_run(columns=columns)))
    assert "9 (10 %)" in page.text
    assert "1 · 30 · 90" in page.text
    assert "an identifier" in page.text


def test_guessing_that_does_as_well_is_serious(make_run, parse):
    """The classes are balanced, so guessing is right on a third; scores are set about there."""
    page = parse(render(make_run(lift=-0.45)))
    assert "Guessing does as well" in page.text
    assert "Guessing" not in parse(render(make_run(lift=0.1))).text


BROKEN = {
    "experiment.json": b'{"format": 1',
    "members.jsonl": b'{"trial": 0}\n{"trial"\n',
    "summary.json": b"[1, 2]",
    "history.safetensors": b"\x00\x01",
    "predictions.safetensors": b"\xff" * 30,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(make_run, name):
    folder = make_run()
    (folder / name).write_bytes(BROKEN[name])
    with pytest.raises(RunError, match=re.escape(str(folder / name))):
        write(folder)
    assert not (folder / "report.html").exists()


def test_no_run_folder(tmp_path):
    with pytest.raises(RunError, match="the folder of a run"):
        render(tmp_path)


def test_another_format(make_run):
    folder = make_run()
    content = json.loads((folder / "experiment.json").read_text()) | {"format": 99}
    (folder / "experiment.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match="99"):
        render(folder)
