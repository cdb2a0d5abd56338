import json
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfit.data.special_tokens import PAD, SPECIAL, UNKNOWN
from manyfit.data.tokenizers import KINDS, ByteTokenizer, from_json, learn, words
from manyfit.errors import ConfigError, DataError

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "The dog sleeps; the fox doesn't.",
    "Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich",
    "我爱北京天安门",
]
ANY = st.text(st.characters(exclude_categories=()), max_size=40)  # half surrogate pairs too


@pytest.mark.parametrize("kind", KINDS)
def test_equal_texts_give_an_equal_tokenizer_which_json_keeps(kind):
    first, second = learn(TEXTS, kind, size=300), learn(TEXTS, kind, size=300)
    again = from_json(json.loads(json.dumps(first.to_json())))
    assert first == second == again and hash(first) == hash(again)
    assert [again.encode(t).tolist() for t in TEXTS] == [first.encode(t).tolist() for t in TEXTS]
    ids = np.concatenate([first.encode(t) for t in TEXTS])
    assert ids.dtype == np.int32 and ids.min() >= len(SPECIAL) and ids.max() < first.size <= 300
    assert first.token(PAD) == "<pad>" and first.encode("").tolist() == []


@settings(deadline=None)
@given(ANY)
def test_bytes_give_any_text_back(text):
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert (tokenizer.encode(text) - 4).tolist() == list(text.encode("utf-8", "surrogatepass"))


@settings(deadline=None)
@given(ANY)
def test_characters_give_a_text_of_known_ones_back(text):
    tokenizer = learn([text], "character")
    assert tokenizer.size == 4 + len(set(text))
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_byte_pairs_give_any_text_back():
    tokenizer = learn(TEXTS, "bpe", size=300)

    @settings(deadline=None, max_examples=50)
    @given(st.text(max_size=40))
    def check(text):
        assert tokenizer.decode(tokenizer.encode(text)) == text

    check()


@given(st.lists(st.integers(0, 259), max_size=30))
def test_any_bytes_decode(ids):
    assert isinstance(ByteTokenizer().decode(ids), str)


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_can_name_a_special_token(kind):
    tokenizer = learn([*TEXTS, "<pad> [UNK] <end> ##"], kind)
    ids = tokenizer.encode("<pad> [UNK] <end>")
    assert (ids >= len(SPECIAL)).all() and len(ids) > 3


def test_what_was_not_learned_is_unknown():
    assert learn(["a b a"], "word").encode("a z b").tolist() == [4, UNKNOWN, 5]
    assert learn(["ab"], "character").encode("azb").tolist() == [4, UNKNOWN, 5]
    assert learn(["ab"], "character").decode([4, UNKNOWN, 0, 5, 3]) == "a\ufffdb"
    assert learn(TEXTS, "wordpiece").encode("ж").tolist() == [UNKNOWN]
    assert learn([], "character").encode("ab").tolist() == [UNKNOWN, UNKNOWN]


def test_the_most_frequent_are_kept_and_ids_follow_the_alphabet():
    texts = ["b b b", "c c a a d"]
    assert learn(texts, "word", size=4 + 2).vocabulary == ("a", "b")  # of a and c, as frequent, the first
    assert learn(texts, "word", min_count=2).vocabulary == ("a", "b", "c")


def test_words_by_hand():
    assert words("It's 20 km, isn\u2019t it?") == ["It's", "20", "km", ",", "isn\u2019t", "it", "?"]
    assert words("我爱 NY!") == ["我", "爱", "NY", "!"]
    assert words(" \n") == []
    assert learn(["The the"], "word").vocabulary == ("the",)
    assert learn(["The the"], "word", lowercase=False).vocabulary == ("The", "the")


def test_byte_pairs_as_a_slow_obvious_reference_learns_them():
    texts = ["low low low low low lower lower newest newest newest newest newest newest widest widest widest"]
    tokenizer = learn(texts, "bpe", size=4 + 256 + 6)
    # Sennrich et al.: join the most frequent pair, again and again; a space belongs to the word after it
    pieces = Counter(tuple(" " + w) for w in texts[0].split()[1:])
    pieces[tuple("low")] += 1
    for found in tokenizer.merges:
        pairs = Counter()
        for word, count in pieces.items():
            for pair in pairwise(word):
                pairs[pair] += count
        pair = tuple(p.replace("Ġ", " ") for p in found)
        assert pairs[pair] == max(pairs.values())
        joined = Counter()
        for word, count in pieces.items():
            new, i = [], 0
            while i < len(word):
                step = 2 if word[i : i + 2] == pair else 1
                new.append("".join(word[i : i + step]))
                i += step
            joined[tuple(new)] += count
        pieces = joined


def test_word_pieces_take_the_longest_that_fits():
    content = {"kind": "wordpiece", "lowercase": True, "vocabulary": ["un", "##aff", "##able", "##a"]}
    tokenizer = from_json(content)
    assert tokenizer.encode("UNAFFABLE").tolist() == [4, 5, 6]
    assert tokenizer.decode([4, 5, 6, 4]) == "unaffable un"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kind": "letters", "lowercase": True},
        {"kind": "word", "lowercase": True, "vocabulary": ["a", "a"]},
        {"kind": "word", "lowercase": True, "vocabulary": ["a", 3]},
        {"kind": "word", "lowercase": "yes", "vocabulary": []},
        {"kind": "character", "lowercase": False, "vocabulary": ["b", "a"]},
        {"kind": "bpe", "lowercase": False, "vocabulary": ["a"], "merges": [["a", "b"]]},
        {"kind": "bpe", "lowercase": False, "vocabulary": ["a"]},
    ],
)
def test_a_broken_account_is_refused(content):
    with pytest.raises(DataError):
        from_json(content)


def test_wrong_options_are_refused(monkeypatch):
    with pytest.raises(ConfigError, match="did you mean 'word'"):
        learn(TEXTS, "wrd")
    with pytest.raises(ConfigError, match="size=4"):
        learn(TEXTS, "word", size=4)
    with pytest.raises(ConfigError, match="several texts"):
        learn("one text")
    with pytest.raises(ConfigError, match="256"):
        learn(TEXTS, "bpe", size=100)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"manyfit\[text\]"):
        learn(TEXTS, "bpe")


def test_a_long_word_takes_no_long_time_to_learn():
    assert learn(["x" * 300_000, *TEXTS], "bpe", size=300) == learn(TEXTS, "bpe", size=300)
