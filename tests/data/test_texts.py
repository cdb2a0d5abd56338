"""Labelled texts from tables and folders; what is wrong with them is one line that names the place and the mend."""

import gzip
import json

import numpy as np
import pytest

from manyfit.data import TextSchema, read_texts
from manyfit.errors import ConfigError, DataError
from manyfit.tasks.encoders import encoder_from_json
from manyfit.tasks.texts import text_task

SAID = ["good, very good", "bad", "so good", "so bad", "GOOD!", "never bad"]
LIKED = ["yes", "no", "yes", "no", "yes", "no"]


ROWS = list(zip(SAID, LIKED))


def table(path, rows=None, encoding="utf-8"):
    rows = ROWS if rows is None else rows
    lines = ["said,liked"] + [f'"{text}",{label}' for text, label in rows]
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def folder(path, **texts):
    for name, several in texts.items():
        (path / name).mkdir(parents=True)
        for i, text in enumerate(several):
            (path / name / f"{i}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_table_a_packed_one_and_columns_say_the_same(tmp_path):
    plain = read_texts(table(tmp_path / "a.csv"), "said", "liked")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    packed = read_texts(tmp_path / "b.csv.gz", "said", "liked")
    columns = read_texts({"said": SAID, "liked": LIKED}, "said", "liked")
    for other in (packed, columns):
        np.testing.assert_array_equal(plain.tokens, other.tokens)
        np.testing.assert_array_equal(plain.target, other.target)
    assert plain.classes == ("no", "yes") and plain.target.tolist() == [1, 0, 1, 0, 1, 0]
    tokenizer = plain.schema.tokenizer
    assert tokenizer.decode(plain.tokens[0]) == "good , very good"


def test_values_weights_and_groups_come_from_the_table():
    rows = {"said": SAID, "stars": [4.5, 1, 4, 1.5, 5, 2.25], "by": list("aabbcc"), "w": [1, 2, 3, 4, 5, 6]}
    found = read_texts(rows, "said", "stars", group="by", weight="w", task="regression")
    assert found.classes == () and found.target.tolist() == rows["stars"]
    assert found.groups.tolist() == [0, 0, 1, 1, 2, 2] and found.weight.tolist() == rows["w"]
    task = text_task(found)
    assert task.kind == "regression" and task.groups is found.groups


def test_a_folder_and_what_survives_as_json(tmp_path):
    place = folder(tmp_path / "reviews", good=["so good", "good"], bad=["bad", "so bad \u00e4"])
    found = read_texts(place)
    assert found.classes == ("bad", "good") and found.target.tolist() == [0, 0, 1, 1]
    encoder = encoder_from_json(json.loads(json.dumps(text_task(found).encoder.to_json())))
    np.testing.assert_array_equal(encoder.encode(place)["tokens"], found.tokens)
    np.testing.assert_array_equal(encoder.encode_target(place), found.target)
    assert encoder.encode(["so good"])["tokens"].tolist() == [found.tokens[3 - 1].tolist()]
    assert encoder.encode(["never seen"])["tokens"].tolist()[0][:2] == [1, 1]
    with pytest.raises(DataError, match="no schema of texts"):
        TextSchema.from_json({"kind": "texts"})


def test_texts_are_cut_and_an_empty_one_is_an_unknown_word():
    found = read_texts({"t": ["a b c d", "a", "", "b"], "y": [0, 1, 0, 1]}, "t", "y", length=2)
    assert found.tokens.tolist() == [[4, 5], [4, 0], [1, 0], [5, 0]] and found.cut == 1
    assert any("1 of 4 texts are empty" in w for w in found.warnings)


def test_the_vocabulary_holds_no_more_than_training_rows_can_have():
    task = text_task(read_texts({"t": ["a a b", "a b c", "c d", "e"], "y": [0, 1, 0, 1]}, "t", "y"))
    assert task.cardinalities == (4 + 3,)  # a, b, c occur twice


def test_a_line_of_ten_megabytes(tmp_path):
    place = table(tmp_path / "a.csv", [("word " * 2_000_000, "yes"), *zip(SAID, LIKED)])
    assert read_texts(place, "said", "liked").tokens.shape == (7, 2048)


def test_latin_1_is_read_when_it_is_said(tmp_path):
    place = table(tmp_path / "a.csv", [("tr\u00e8s bon", "yes"), *zip(SAID, LIKED)], "latin-1")
    with pytest.raises(DataError, match="line 2, byte 4: 0xe8 is not UTF-8"):
        read_texts(place, "said", "liked")
    assert "tr\u00e8s" in read_texts(place, "said", "liked", encoding="latin-1").schema.tokenizer.vocabulary
    with pytest.raises(ConfigError, match="unknown encoding"):
        read_texts(place, "said", "liked", encoding="latin-99")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"said": [*SAID], "liked": ["yes"] * 6}, "constant"),
        ({"said": ["same"] * 6, "liked": LIKED}, "all texts are identical"),
        ({"said": ["", " "] * 3, "liked": LIKED}, "every text is empty"),
        ({"said": [1, 2, 3, 4, 5, 6], "liked": LIKED}, "holds numbers, not texts"),
        ({"review": SAID, "liked": LIKED}, "no column 'said'"),
        ({"said": SAID, "like": LIKED}, "no column 'liked'.*did you mean 'like'"),
        ({"said": SAID, "liked": [*LIKED[:5], None]}, "is missing"),
    ],
)
def test_bad_tables(rows, message):
    with pytest.raises(DataError, match=message) as caught:
        read_texts(rows, "said", "liked")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"good": ["a", "b"]}, "1 class folder"),
        ({"good": ["a", "b"], "bad": []}, "bad holds no texts"),
        ({"good": ["a", "b"], "bad": ["c"]}, "bad holds one text"),
        ({"good": ["a", "b"], "bad": [b"\xff\xfea\0", "c"]}, "bad.0.txt is in UTF-16"),
        ({"good": ["a", "b"], "bad": [b"ok\nc\xe9", "c"]}, "0.txt, line 2, byte 2: 0xe9 is not UTF-8"),
    ],
)
def test_bad_folders(tmp_path, texts, message):
    with pytest.raises(DataError, match=message):
        read_texts(folder(tmp_path / "r", **texts))


def test_columns_beside_a_text():
    rows = {
        "said": ["a b", "b c", "c d", "d a", "a c", "b d"],
        "stars": [1.0, 2.0, None, 4.0, 5.0, 3.0],
        "shop": ["x", "y", "x", "y", "x", "x"],
        "liked": ["n", "n", "y", "y", "y", "n"],
    }
    found = read_texts(rows, "said", "liked")
    assert [column["name"] for column in found.columns] == ["stars", "shop"]
    assert found.beside["numeric"].shape == found.beside["category"].shape == (6, 1)
    assert np.isnan(found.beside["numeric"][2, 0])
    schema = TextSchema.from_json(json.loads(json.dumps(found.schema.to_json())))
    again = schema.encode({"said": ["zz a"], "shop": ["y"], "stars": [2.5]})
    assert again["numeric"].tolist() == [[2.5]] and again["category"].tolist() == [[1]]
    assert again["tokens"].tolist() == [schema.tokenizer.encode("zz a").tolist()]
    with pytest.raises(DataError, match="also reads 'stars', 'shop'"):
        schema.encode(["a b"])
    with pytest.raises(DataError, match="lacks the column 'shop'"):
        schema.encode({"said": ["a"], "stars": [1.0]})
    assert not read_texts(rows, "said", "liked", drop=("stars", "shop")).beside
    assert list(read_texts(rows, "said", "liked", kinds={"stars": "category"}).beside["category"].shape) == [
        6,
        2,
    ]
    with pytest.raises(ConfigError, match="'said' is the text"):
        read_texts(rows, "said", "liked", drop=("said",))
    with pytest.raises(DataError, match=r"no column 'star' \(asked for as drop\); did you mean 'stars'"):
        read_texts(rows, "said", "liked", drop=("star",))
