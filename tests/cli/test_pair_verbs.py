"""Pairs of texts as typed: a lexicon of nine words is learned, translated, scored and reported."""

from __future__ import annotations

import csv
import itertools
import json

import pytest

from manyfit.cli import main

WORDS = {
    "one": "eins",
    "two": "zwei",
    "big": "gross",
    "shy": "scheu",
    "red": "rot",
    "old": "alt",
    "cat": "Katze",
    "dog": "Hund",
    "cow": "Kuh",
}
PHRASES = list(itertools.product(("one", "two"), ("big", "shy"), ("red", "old"), ("cat", "dog", "cow")))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs")
    rows = [(" ".join(p), " ".join(WORDS[w] for w in p)) for p in PHRASES * 2]
    with open(path / "pairs.csv", "w", newline="") as file:
        csv.writer(file).writerows([("en", "de"), *rows])
    return path


def test_fit_translate_and_score(place, capsys):
    data, run = str(place / "pairs.csv"), str(place / "run")
    network = ["--model", "lstm", "--width", "24", "--dropout", "0", "--tokenizer", "word"]
    training = ["--epochs", "60", "--batch-size", "16", "--learning-rate", "0.02", "--quiet", "--out", run]
    assert main(["fit", data, "--text", "en", "--target-text", "de", *network, *training]) == 0
    capsys.readouterr()
    assert main(["generate", run, "--prompt", "two big old cow", "one shy red dog"]) == 0
    assert capsys.readouterr().out.splitlines() == ["zwei gross alt Kuh", "eins scheu rot Hund"]
    assert main(["predict", run, data, "-o", str(place / "out.csv")]) == 0
    with open(place / "out.csv") as file:
        assert next(csv.DictReader(file))["text"] == "eins gross rot Katze"
    capsys.readouterr()
    assert main(["evaluate", run, data]) == 0
    assert "bleu 100" in capsys.readouterr().out
    found = json.loads((place / "run" / "translations.json").read_text())
    assert found["pairs"][0]["translation"] == found["pairs"][0]["reference"]
    assert "What it makes of texts" in (place / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--target-text", "de"), "goes with --text"),
        (("--text", "en", "--target-text", "fr"), "no column 'fr'"),
        (("--text", "en", "--target-text", "en"), "name two columns"),
        (("--text", "en", "--target-text", "de", "--target", "de"), "not for pairs of texts"),
        (("--text", "en", "--target-text", "de", "--model", "bow"), "reads no pairs of texts"),
        (("--text", "en", "--target-text", "de", "--model", "lstm", "--heads", "2"), "for transformers"),
        (("--text", "en", "--target-text", "de", "--length", "1"), "at least 2"),
    ],
)
def test_what_is_refused(place, capsys, more, message):
    assert (
        main(["fit", str(place / "pairs.csv"), "--tokenizer", "word", *more, "--out", str(place / "no")]) == 1
    )
    said = capsys.readouterr().err.strip()
    assert message in said and "\n" not in said and not (place / "no").exists()


def test_an_empty_text_is_named(place, capsys):
    (place / "holes.csv").write_text("en,de\n" + "one,eins\n" * 12 + "two,\n")
    asked = ["fit", str(place / "holes.csv"), "--text", "en", "--target-text", "de", "--tokenizer", "word"]
    assert main([*asked, "--out", str(place / "no")]) == 1
    assert "line 14" in capsys.readouterr().err
