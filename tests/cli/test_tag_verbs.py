"""Labelled words from the command line: fit, resume, predict, evaluate, inspect, report, and what is refused."""

import csv
import json
import random

import numpy as np
import pytest
from safetensors.numpy import load_file

from manyfit import metrics
from manyfit.cli import main
from manyfit.experiment.predictor import Predictor

NAMES, VERBS, PLACES = ("Ann", "Bob", "Eve"), ("saw", "met"), ("Rome", "Oslo")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Names, and towns whose second word is part of the name."""
    path = tmp_path_factory.mktemp("tags")
    draw = random.Random(0)
    lines = []
    for _ in range(60):
        lines += [f"{draw.choice(NAMES)}\tB-PER", f"{draw.choice(VERBS)}\tO", f"{draw.choice(NAMES)}\tB-PER"]
        if draw.random() < 0.5:
            lines += ["in\tO", f"{draw.choice(PLACES)}\tB-LOC", "West\tI-LOC"]
        lines += [".\tO", ""]
    (path / "names.conll").write_text("\n".join(lines))
    return path


PLAN = [
    "--model",
    "cnn",
    "--folds",
    "2",
    "--epochs",
    "25",
    "--patience",
    "0",
    "--hidden",
    "8",
    "--width",
    "8",
    "--dropout",
    "0",
]


@pytest.fixture(scope="module")
def run(place):
    asked = ["fit", str(place / "names.conll"), "--target", "last", *PLAN, "--quiet"]
    assert main([*asked, "--batch-size", "8", "--learning-rate", "0.02", "--out", str(place / "run")]) == 0
    return place / "run"


def test_fit_scores_spans_and_keeps_words(run, place):
    summary = json.loads((run / "summary.json").read_text())
    assert set(summary["scores"]) == set(metrics.tag_defaults(["O", "B-PER"]))
    assert summary["ensemble"]["span_f1"] == 1
    found = load_file(run / "predictions.safetensors")
    words = sum(bool(line) for line in (place / "names.conll").read_text().splitlines())
    assert found["row"].shape == found["place"].shape == found["target"].shape == (words,)
    assert np.array_equal(np.unique(np.stack([found["row"], found["place"]]), axis=1).shape, (2, words))
    about = json.loads((run / "experiment.json").read_text())
    assert about["task"]["kind"] == "tagging" and about["data"]["kind"] == "tags"
    page = (run / "report.html").read_text()
    assert "What it says of the words" in page and "F1 of spans" in page
    assert json.loads((run / "tags.json").read_text())["sentences"][0]["words"][0] in NAMES


def test_predict_evaluate_inspect_resume(run, place, capsys):
    (place / "new.conll").write_text("Bob\nmet\nEve\nin\nOslo\nWest\n.\n\nEve\n")
    out = place / "tagged.csv"
    assert main(["predict", str(run), str(place / "new.conll"), "-o", str(out), "--coverage", "0.9"]) == 0
    assert "8 words in 2 sentences" in capsys.readouterr().err
    with open(out) as file:
        rows = list(csv.DictReader(file))
    assert [row["word"] for row in rows[:3]] == ["Bob", "met", "Eve"]
    assert [row["prediction"] for row in rows[:7]] == ["B-PER", "O", "B-PER", "O", "B-LOC", "I-LOC", "O"]
    assert [row["sentence"] for row in rows] == ["0"] * 7 + ["1"]
    assert all(0.5 < float(row["probability"]) <= 1 for row in rows[:7]) and rows[0]["set"] == "B-PER"
    assert main(["evaluate", str(run), str(place / "names.conll")]) == 0
    assert "span_f1 1" in " ".join(capsys.readouterr().out.split())
    assert main(["inspect", str(run)]) == 0
    assert "convolution" in capsys.readouterr().out
    assert main(["inspect", str(place / "names.conll"), "--target", "last"]) == 0
    assert "60 sentences" in capsys.readouterr().out
    (place / "long.csv").write_text("id,word,tag\n1,Bob,B-PER\n1,saw,O\n2,Eve,B-PER\n")
    asked = ["inspect", str(place / "long.csv"), "--sentence", "id", "--text", "word", "--target", "tag"]
    assert main(asked) == 0
    assert "2 sentences" in capsys.readouterr().out
    assert main(["resume", str(run)]) == 0
    assert main(["report", str(run)]) == 0


def test_sentences_do_not_depend_on_which_come_with_them(run):
    predictor = Predictor.load(run)
    many = [["Ann", "saw", "Bob", "."], ["Eve"], ["Rome", "West"] * 9]  # the last is read in pieces
    together, alone = predictor.tag(many), [predictor.tag([one])[0] for one in many]
    for a, b in zip(together, alone):
        assert a.words == b.words and len(a.labels) == len(a.words) and a.labels == b.labels
        np.testing.assert_array_equal(a.output, b.output)
    assert [list(one.labels) for one in together] == predictor.predict(many).tolist()


def test_a_label_that_training_did_not_have(run, place, capsys):
    (place / "odd.conll").write_text("Bob B-PER\nsaw O\n\nEve B-GOD\n")
    assert main(["evaluate", str(run), str(place / "odd.conll"), "--json"]) == 0
    said = capsys.readouterr()
    assert "1 words have a label that training did not have ('B-GOD')" in said.err
    scores = json.loads(said.out)
    assert scores["accuracy"] == pytest.approx(2 / 3) and scores["span_f1"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "say which column holds the labels"),
        (("--target", "7"), "2 columns and no '7'"),
        (("--target", "last", "--model", "bow"), "labels no words"),
        (("--target", "last", "--model", "lstn"), "unknown model"),
        (("--target", "last", "--metric", "rmse"), "no metric of words"),
        (("--target", "last", "--balance"), "not for labelled words"),
        (("--target", "last", "--sentence", "id"), "leave --sentence id out"),
        (("--target", "last", "--time", "day"), "not for labelled words"),
        (("--target", "last", "--group", "speaker"), "by 'document'"),
        (("--target", "last", "--group", "document"), "marks no documents"),
        (("--target", "last", "--length", "0"), "at least 1"),
        (("--target", "last", "--heads", "2"), "for transformers"),
    ],
)
def test_what_is_refused(place, capsys, more, message):
    assert main(["fit", str(place / "names.conll"), *more, "--out", str(place / "none")]) == 1
    said = capsys.readouterr().err.strip()
    assert message in said and "\n" not in said and not (place / "none").exists()


def test_rates_of_words(place, capsys):
    small = "--target last --model cnn --rates 3 --seeds 1 --steps 2 --json"
    assert main(["range", str(place / "names.conll"), *small.split()]) == 0
    assert len(json.loads(capsys.readouterr().out)["rates"]) == 3
