"""The section on labelled words: confusions counted by hand, mistakes marked, nothing run as markup."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from manyfit.report import render


@pytest.fixture
def run(make_run):
    run = make_run(classes=("ADJ", "NOUN", "VERB"), kind="tagging")
    target = np.array([0, 1, 2, 1, 1, 2], np.int32)
    called = np.array([0, 1, 2, 0, 0, 1])  # two nouns are taken for adjectives, a verb for a noun
    output = np.where(np.arange(3) == called[:, None], 0.8, 0.1).astype(np.float32)
    where = {
        "row": np.array([0, 0, 0, 1, 1, 1], np.int32),
        "place": np.array([0, 1, 2, 0, 1, 3], np.int32),
        "fold": np.zeros(6, np.int32),
    }
    save_file(
        {"target": target, "output": output, "std": 0 * output, **where}, run / "predictions.safetensors"
    )
    sentence = {
        "group": 1,
        "row": 1,
        "words": ["<b>odd</b>", "end", "of", "run"],
        "labels": ["NOUN", "NOUN", None, "VERB"],
        "called": ["ADJ", "ADJ", None, "NOUN"],
        "probability": [0.8, 0.8, None, 0.8],
    }
    (run / "tags.json").write_text(json.dumps({"sentences": [sentence]}))
    return run


def test_confusions_and_sentences(run, parse):
    page = render(run)
    text = parse(page).text
    assert "What it says of the words" in text and "The surest mistakes" in text
    found = text[text.index("What is most often taken for what") :]
    assert (
        " ".join(found.split())
        .split("Of all mistakes ")[1]
        .startswith("NOUN ADJ 2 67 % 67 % VERB NOUN 1 50 % 33 %")
    )
    assert "&lt;b&gt;odd" in page and "<b>odd" not in page
    assert page.count('<mark class="c" style="--w:40%" title="ADJ, 80') == 2
    assert "1, word 3" in text  # what a word is called where the surest mistakes are listed


@pytest.mark.parametrize("content", ["", "[]", '{"sentences": [{"group": 1}]}'])
def test_a_broken_file_leaves_the_sentences_out(run, parse, content):
    (run / "tags.json").write_text(content)
    text = parse(render(run)).text
    assert "What is most often taken for what" in text and "The surest mistakes: worth" in text
    assert "As they come" not in text
