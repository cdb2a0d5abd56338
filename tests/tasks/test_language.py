"""A corpus cut into windows: every token counted once, and no window that reaches over a part's end."""

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest

from manyfit.cli import main
from manyfit.errors import ConfigError, DataError
from manyfit.tasks.corpus import corpus, read_text, stored_corpus

TEXT = "".join(f"{i} green bottles hanging on the wall, " for i in range(60))


def spans(task, rows):
    """First and last token that training on these rows may ever read, and the targets of an evaluation."""
    data = task.data
    first = data["start"][rows]
    drawn = first + data["reach"][rows] + task.context
    last = np.where(data["reach"][rows] > 0, drawn, first + data["targets"][rows])
    targets = [np.arange(a + 1, a + 1 + n) for a, n in zip(first, data["targets"][rows], strict=True)]
    return first, last, np.concatenate(targets) if targets else np.empty(0, int)


@pytest.mark.parametrize(("folds", "validation", "context"), [(1, 0.1, 16), (1, 0.0, 5), (3, 0.2, 8)])
def test_no_window_reaches_from_one_part_into_another(folds, validation, context):
    task = corpus(TEXT, folds=folds, validation=validation, context=context)
    count = len(task.data["tokens"]) - 2 * context - 1
    assert len(task.splits) == folds
    tested = []
    for split in task.splits:
        owner = np.full(count, -1)
        for part, rows in enumerate(split):
            first, last, targets = spans(task, rows)
            assert len(np.unique(targets)) == len(targets), "a token is the target of one row"
            for a, b in zip(first, last, strict=True):
                assert set(owner[a : b + 1].tolist()) <= {-1, part}, "a token is in one part"
                owner[a : b + 1] = part
        assert (owner >= 0).all(), "every token is in a part"
        tested.append(spans(task, split[2])[2])
    if folds > 1:  # every token but the first of each part is tested once
        assert len(np.unique(np.concatenate(tested))) == len(np.concatenate(tested)) == count - 2 * folds
    else:
        held = count - round(0.1 * count)
        np.testing.assert_array_equal(tested[0], np.arange(held + 1, count))


def test_characters_of_the_rows_are_those_of_the_text():
    task = corpus(TEXT, tokenizer="word", context=8)
    tokens = len(task.data["tokens"]) - 17
    whole = task.data["characters"].sum() / task.data["targets"].sum()
    assert whole == pytest.approx(len(TEXT) / tokens, rel=1e-6)


def test_the_vocabulary_is_that_of_the_training_text():
    task = corpus("abcabc" * 100 + "Z" * 60, context=8)
    assert task.vocabulary == 4 + 3
    assert task.about["warnings"][0].startswith("60 of 660 tokens")


def test_files_are_read_packed_or_not(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    assert read_text(tmp_path / "a.txt") == read_text(tmp_path / "b.txt.gz") == TEXT


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"", [], "is empty"),
        (b" \n\n ", [], "is empty"),
        (b"so short", [], "too few"),
        (b"good line\nbad \xff line\n" * 99, [], "line 2 is no UTF-8"),
        (b"\x1f\x8bnot gzip", [], "cannot be read"),
        (TEXT.encode(), ["--context", "5000"], "too few"),
        (TEXT.encode(), ["--context", "1"], "context=1"),
        (TEXT.encode(), ["--model", "resnet20"], "does not read running text"),
        (TEXT.encode(), ["--model", "lstm", "--heads", "2"], "heads=2 is for transformers"),
        (TEXT.encode(), ["--tokenizer", "syllable"], "unknown tokenizer"),
        (TEXT.encode(), ["--epochs", "2", "--steps", "5"], "give one of them"),
        (TEXT.encode(), ["--steps", "0"], "steps=0"),
        (TEXT.encode(), ["--group", "line"], "--group does not go with a running text"),
        (TEXT.encode(), ["--plan", "bootstrap"], "--plan does not go with a running text"),
    ],
)
def test_bad_input_is_one_line(content, options, says, tmp_path, capsys):
    place = tmp_path / "book.txt"
    place.write_bytes(content)
    assert main(["fit", str(place), "--out", str(tmp_path / "run"), "--quiet", *options]) == 1
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1, said
    assert not (tmp_path / "run").exists()


def test_a_line_of_ten_million_characters_is_fine():
    task = corpus("ab c" * 2_500_000, context=64)
    assert task.rows > 150_000


def test_a_streamed_run_is_the_run_in_memory_bit_for_bit(run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = "--context 16 --width 16 --depth 1 --heads 2 --steps 120 --seeds 2 --learning-rate 0.01 --quiet"
    wanted = ["fit", str(run / "bottles.txt"), "--stream", "--out", str(tmp_path / "run"), *options.split()]
    assert main(wanted) == 0
    for name in ("members.jsonl", "history.safetensors", "model/model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (run / "run" / name).read_bytes(), name
    summary = json.loads((tmp_path / "run" / "experiment.json").read_text())
    assert "read from a file" in summary["data"]["summary"]


STREAM = """
import sys
import manyfit as mf
from manyfit.models import Decoder
from manyfit.objectives import NextToken
from manyfit.tasks.corpus import stored_corpus

task = stored_corpus(sys.argv[1], folder=sys.argv[2])
objective = NextToken(Decoder(8, 1, 1), task.vocabulary, task.context, mf.optim.AdamW(learning_rate=1e-3))
mf.Experiment(objective, task, folds=list(task.splits), epochs=2, batch_size=12, steps_per_epoch=5).run()
"""


def test_a_stream_that_is_read_in_large_pieces_comes_to_an_end(tmp_path):
    """Two programs that asked the host for much at once waited for each other, on two cores."""
    words = np.random.default_rng(0).choice(["to", "be", "or", "not", "that", "is", "the"], 300_000)
    (tmp_path / "long.txt").write_text(" ".join(words))
    command = [sys.executable, "-c", STREAM, str(tmp_path / "long.txt"), str(tmp_path / "tokens")]
    assert subprocess.run(command, check=False, timeout=300).returncode == 0


@pytest.mark.parametrize("tokenizer", ["char", "byte", "word", "bpe"])
def test_a_stored_corpus_is_the_corpus(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    size = 300 if tokenizer == "bpe" else None
    for folds in (1, 3):
        settings = {"tokenizer": tokenizer, "size": size, "context": 8, "folds": folds}
        whole = corpus(TEXT, **settings)
        stored = stored_corpus(tmp_path / "a.txt", folder=tmp_path / "cache", **settings)
        assert stored.encoder == whole.encoder
        assert stored.about["fingerprint"] == whole.about["fingerprint"]
        count = len(stored.data["tokens"]) - 1
        np.testing.assert_array_equal(np.asarray(stored.data["tokens"])[:count], whole.data["tokens"][:count])
        for name in ("start", "targets", "reach", "characters"):
            np.testing.assert_array_equal(stored.data[name], whole.data[name])
        for one, other in zip(stored.splits, whole.splits, strict=True):
            for mine, theirs in zip(one, other, strict=True):
                np.testing.assert_array_equal(mine, theirs)


def test_settings_out_of_range_are_refused():
    for bad in ({"folds": 0}, {"validation": 1.0}, {"test": 0.0}):
        with pytest.raises(ConfigError):
            corpus(TEXT, **bad)
    with pytest.raises(DataError, match="too few"):
        corpus(TEXT[:100], context=16, folds=10)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    (folder / "bottles.txt").write_text(TEXT)
    wanted = "--context 16 --width 16 --depth 1 --heads 2 --steps 120 --seeds 2 --learning-rate 0.01 --quiet"
    assert main(["fit", str(folder / "bottles.txt"), "--out", str(folder / "run"), *wanted.split()]) == 0
    return folder


def test_a_run_learns_the_text_and_says_what_it_scored(run):
    summary = json.loads((run / "run" / "summary.json").read_text())
    scores = {name: value["mean"] for name, value in summary["scores"].items()}
    assert scores["loss"] < 1.5, "the letters alone are 2.9 nats"
    assert scores["bits_per_character"] == pytest.approx(scores["loss"] / np.log(2), rel=1e-4)
    members = [json.loads(line) for line in (run / "run" / "members.jsonl").read_text().splitlines()]
    for row in members:
        assert row["test"]["perplexity"] == pytest.approx(np.exp(row["test"]["loss"]), rel=1e-6)


def test_the_report_shows_what_it_writes(run):
    page = (run / "run" / "report.html").read_text()
    samples = json.loads((run / "run" / "samples.json").read_text())["samples"]
    assert [one["member"] for one in samples] == [None, 0, 1]
    assert "What it writes" in page and "All networks together" in page
    (run / "run" / "samples.json").write_text(
        json.dumps({"samples": [{"member": None, "text": "<script>x"}]})
    )
    assert main(["report", str(run / "run")]) == 0
    page = (run / "run" / "report.html").read_text()
    assert "<script>x" not in page and "&lt;script&gt;x" in page


def test_evaluate_scores_another_text_by_all_networks(run, tmp_path, capsys):
    place = tmp_path / "more.txt"
    place.write_text("7 green bottles hanging on the wall, ")
    assert main(["evaluate", str(run / "run"), str(place), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["perplexity"] == pytest.approx(np.exp(found["loss"]), rel=1e-6)


def test_generate_writes_to_the_terminal(run, capsys):
    assert main(["generate", str(run / "run"), "--prompt", "5 green", "--length", "20"]) == 0
    first = capsys.readouterr().out
    assert first.startswith("5 green") and len(first) == len("5 green") + 20 + 1
    asked = ["generate", str(run / "run"), "--prompt", "5 green", "7", "--length", "20", "--json"]
    assert main(asked) == 0
    both = json.loads(capsys.readouterr().out)
    # a text does not depend on which others are written beside it
    assert "5 green" + both[0]["text"] + "\n" == first
    for options, says in (
        (["--prompt", "qé"], "'qé'"),
        (["--temperature", "-1"], "temperature=-1"),
        (["--member", "9"], "there are 2"),
        (["--length", "0"], "length=0"),
        (["--stop", ""], "--stop ''"),
        (["--beams", "2", "--top-k", "3"], "--beams searches"),
    ):
        assert main(["generate", str(run / "run"), "--prompt", "7", *options]) == 1
        said = capsys.readouterr()
        assert says in said.err and said.out == ""  # not even the prompt


def test_inspect_shows_what_a_language_model_holds(run, capsys):
    assert main(["inspect", str(run / "run")]) == 0
    said = capsys.readouterr().out
    assert "all its arrays" in said and "embedding" in said and " 0 parameters each" not in said
    assert main(["inspect", str(run / "run"), "--graph", "x.svg"]) == 1
    assert "--graph is for networks with inputs and a target" in capsys.readouterr().err


def test_of_a_long_text_no_more_is_looked_at_than_tells(monkeypatch):
    from manyfit.tasks import corpus as module

    monkeypatch.setattr(module, "MOST_TESTED", 300)
    monkeypatch.setattr(module, "MOST_VALIDATED", 100)
    task = corpus("ab c" * 2500, context=10)
    held = [int(task.data["targets"][rows].sum()) for rows in task.splits[0]]
    assert held[1:] == [99, 299]  # the first token of a part has nothing before it
    asked = corpus("ab c" * 2500, context=10, test=0.2, validation=0.5)
    assert [int(asked.data["targets"][rows].sum()) for rows in asked.splits[0]] == [3999, 3999, 1999]
