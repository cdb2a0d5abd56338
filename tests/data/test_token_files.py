"""Texts in pieces and tokens in files: as if the whole text had been at hand."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfit.data.special_tokens import PAD
from manyfit.data.token_files import pieces, token_file
from manyfit.data.tokenizers import learn
from manyfit.errors import DataError

SAMPLE = ["the cat sat on the mat, the dog did not\n", "Straße ΣΑΣ  two  spaces\r\n\r\n", "a\tb\n\n\nc\n"] * 4
WORDS = st.sampled_from(
    ["the", "cat", " ", "\n", "\r\n", "  ", "\t", ",", "Σ", "ß", "\u00a0", "漢", "x", "'", "1"]
)


@pytest.fixture(scope="module", params=["character", "byte", "word", "bpe", "wordpiece"])
def tokenizer(request):
    return learn(SAMPLE, request.param, size=300 if request.param in ("bpe", "wordpiece") else None)


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(WORDS, max_size=40), size=st.integers(1, 9))
def test_tokens_of_the_pieces_are_those_of_the_text(tmp_path_factory, tokenizer, parts, size):
    text = "".join(parts)
    place = tmp_path_factory.getbasetemp() / "text.txt"
    place.write_bytes(text.encode())
    cut = list(pieces(place, size))
    assert "".join(cut) == text
    found = np.concatenate([tokenizer.encode(piece) for piece in cut] or [np.zeros(0, np.int32)])
    np.testing.assert_array_equal(found, tokenizer.encode(text))


def test_a_long_text_is_cut():
    text = "word " * 100
    assert max(map(len, _written(text, 16))) < 32


def _written(text: str, size: int) -> list[str]:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "a.txt"
        place.write_text(text)
        return list(pieces(place, size))


def test_a_token_file_is_made_once_and_again_for_another_text(tmp_path):
    place, cache = tmp_path / "a.txt.gz", tmp_path / "cache"
    place.write_bytes(gzip.compress(b"the cat sat"))
    words = learn(SAMPLE, "word")
    first = token_file(place, words, cache)
    assert (first.tokens, first.characters, first.blank) == (3, 11, False)
    np.testing.assert_array_equal(first.open(), [*words.encode("the cat sat"), PAD])
    made = first.path.stat().st_mtime_ns
    again = token_file(place, words, cache)
    assert again == first and again.path.stat().st_mtime_ns == made
    first.path.write_bytes(b"cut")  # by a full disk, say
    np.testing.assert_array_equal(token_file(place, words, cache).open(), [*words.encode("the cat sat"), PAD])
    place.write_bytes(gzip.compress(b"the dog"))
    assert token_file(place, words, cache).tokens == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"good\nbad \xff line\n", r"no UTF-8 \(byte 0xff\) after line 1"),
        (gzip.compress(b"text" * 99, mtime=0)[:-9], "cannot be read"),
    ],
    ids=["no UTF-8", "cut off"],
)
def test_a_broken_text_leaves_nothing_behind(tmp_path, content, says):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DataError, match=says):
        token_file(tmp_path / "a.txt", learn(SAMPLE, "byte"), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
