"""A column of texts from the command line: fit, predict, evaluate, and what is refused in one line."""

import csv
import json

import pytest

from manyfit.cli import main


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts")
    good, bad = ["fine", "lovely", "great"], ["dull", "awful", "poor"]
    rows = [
        (f"the {noun} was {word}{end}", label)
        for label, words in (("yes", good), ("no", bad))
        for noun in ("film", "cast", "plot", "end")
        for word in words
        for end in ("", " .")
    ]
    with open(path / "reviews.csv", "w", newline="") as file:
        csv.writer(file).writerows([("review", "liked"), *rows])
    return path


def test_fit_predict_evaluate(place, capsys):
    data, run = str(place / "reviews.csv"), str(place / "run")
    plan = ["--folds", "2", "--seeds", "1", "--epochs", "30", "--patience", "0", "--out", run, "--quiet"]
    assert main(["fit", data, "--text", "review", "--target", "liked", *plan]) == 0
    new = place / "new.csv"
    new.write_text("review\nthe plot was lovely\nawful cast\n")
    capsys.readouterr()
    assert main(["predict", run, str(new)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["prediction", "yes", "no"]
    assert main(["evaluate", run, data]) == 0
    assert "accuracy 1" in capsys.readouterr().out
    found = json.loads((place / "run" / "texts.json").read_text())["texts"]
    surest = found[0]
    assert surest["target"] == surest["called"]
    strongest = surest["tokens"][max(range(len(surest["weights"])), key=surest["weights"].__getitem__)]
    assert strongest in ("fine", "lovely", "great", "dull", "awful", "poor")
    assert "What it read in the texts" in (place / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--text", "revew", "--target", "liked"), "did you mean 'review'"),
        (("--text", "review", "--target", "liked", "--model", "cnn"), "reads no texts"),
        (("--text", "review", "--target", "liked", "--size", "8"), "not for labelled texts"),
        (("--text", "review", "--target", "liked", "--tokenizer", "wrd"), "unknown tokenizer"),
        (("--target", "liked", "--length", "8"), "is for labelled texts"),
        (("--target", "liked", "--length-buckets", "none"), "is for labelled texts"),
        (("--text", "review", "--target", "liked", "--min-count", "0"), "min_count=0: a token that is known"),
        (("--text", "review", "--target", "liked", "--min-count", "999"), "no token occurs that often"),
        (("--text", "review", "--target", "liked", "--vocabulary", "0"), "vocabulary=0: 4 ids are special"),
        (("--text", "review"), "--target"),
    ],
)
def test_what_is_refused(place, capsys, more, message):
    assert main(["fit", str(place / "reviews.csv"), *more, "--out", str(place / "none")]) == 1
    said = capsys.readouterr().err.strip()
    assert message in said and "\n" not in said and not (place / "none").exists()


def test_rates_and_growth(place, capsys):
    data = [str(place / "reviews.csv"), "--text", "review", "--target", "liked", "--json"]
    assert main(["range", *data, "--rates", "3", "--seeds", "2", "--steps", "6", "--model", "textcnn"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rates"]) == 3
    assert main(["curve", *data, "--shares", "0.5", "1", "--folds", "2", "--epochs", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["sizes"]) == 2


def test_a_column_beside_the_text(place, capsys):
    """The text says nothing and the column everything."""
    rows = [(f"word{i % 5} word{i % 3}", i % 7, "yes" if i % 7 > 3 else "no") for i in range(70)]
    with open(place / "beside.csv", "w", newline="") as file:
        csv.writer(file).writerows([("said", "stars", "liked"), *rows])
    data, run = str(place / "beside.csv"), str(place / "beside")
    plan = ["--folds", "2", "--seeds", "1", "--epochs", "60", "--patience", "0", "--out", run, "--quiet"]
    assert main(["fit", data, "--text", "said", "--target", "liked", *plan]) == 0
    capsys.readouterr()
    assert main(["evaluate", run, data]) == 0
    assert "accuracy 1" in capsys.readouterr().out
    (place / "bare.csv").write_text("said\nword1 word2\n")
    assert main(["predict", run, str(place / "bare.csv")]) == 1
    assert "lacks the column 'stars'" in capsys.readouterr().err
    assert "What it read in the texts" in (place / "beside" / "report.html").read_text()
