"""Files of a word a line and long tables: what is read of them, and what is refused by its line."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.data import TagPreprocess, TagSchema, TextPreprocess, read_tagged
from manyfit.data.special_tokens import UNKNOWN
from manyfit.errors import ConfigError, DataError

CONLLU = """\
# newdoc id = a
# sent_id = 1
# text = vámonos al # 2
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\t_\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\t_
3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_
3\ta\ta\tADP\tIN\t_\t5\tcase\t_\t_
4\tel\tel\tDET\t_\t_\t5\tdet\t_\t_
4.1\tno\tno\tADV\t_\t_\t_\t_\t_\t_
5\t#\t#\tSYM\t_\t_\t1\tobl\t_\t_
6\t20 000\t20 000\tNUM\t_\t_\t5\tnummod\t_\t_

# newdoc id = b
# sent_id = 2
1\tSí\tsí\tINTJ\t_\t_\t0\troot\t_\t_
"""


@pytest.fixture
def write(tmp_path):
    def make(text, name="x.conllu", newline="\n"):
        path = tmp_path / name
        path.write_bytes(text.replace("\n", newline).encode())
        return path

    return make


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_conllu(write, newline):
    found = read_tagged(write(CONLLU, newline=newline), "upos")
    assert found.words == (("vamos", "nos", "a", "el", "#", "20 000"), ("Sí",))
    assert found.classes == ("ADP", "DET", "INTJ", "NUM", "PRON", "SYM", "VERB")
    assert [found.classes[i] for i in found.target[0]] == ["VERB", "PRON", "ADP", "DET", "SYM", "NUM"]
    assert found.target[1].tolist() == [2, -1, -1, -1, -1, -1]
    assert "00 000" in found.schema.vocabulary and "sí" in found.schema.vocabulary
    assert read_tagged(write(CONLLU), "UPOS", words="lemma").words[0][0] == "ir"
    assert read_tagged(write(CONLLU), "upos", group="document").groups.tolist() == [1, 2]


def test_a_column_with_holes(write):
    path = write(CONLLU)
    with pytest.raises(DataError, match=r"line 5, 6, 9, 11, 12 and 1 more: column 'xpos' has no label"):
        read_tagged(path, "xpos")
    with pytest.raises(DataError, match="holds the label 'IN' alone"):
        read_tagged(path, "xpos", missing_target="drop")


CONLL = """\
-DOCSTART- -X- O

EU NNP B-ORG
# NN O
rejects VBZ O

# a comment of several words
Peter NNP B-PER
"""


def test_conll(write):
    found = read_tagged(write(CONLL, "x.conll"), "last")
    assert found.words == (("EU", "#", "rejects"), ("Peter",))
    assert found.classes == ("B-ORG", "B-PER", "O")
    assert read_tagged(write(CONLL, "x.train"), "1", sentence="blank").classes == ("NN", "NNP", "VBZ")
    assert read_tagged(write(CONLL, "x.bio"), "-2").classes == ("NN", "NNP", "VBZ")
    tabs = read_tagged(write("New York\tB\nis\tO\n \nwide\tO\n", "x.iob"), "last")
    assert tabs.words == (("New York", "is"), ("wide",))


@pytest.mark.parametrize(
    ("text", "name", "target", "message"),
    [
        ("", "x.conllu", "upos", "holds no words"),
        ("# only = this\n\n", "x.conllu", "upos", "holds no words"),
        (CONLLU, "x.conllu", "pos", "no column 'pos'; did you mean 'xpos'"),
        ("1\tone\n", "x.conllu", "upos", "line 1: 2 columns, and CoNLL-U has 10"),
        (CONLLU.replace("5\t#", "five\t#"), "x.conllu", "upos", "line 11: a word's number is 'five'"),
        ("a B x\nb O\n\nc O x\n", "x.conll", "last", "line 2: 2 columns, and the first word has 3"),
        (CONLL, "x.conll", "3", "3 columns and no '3': name one by its place from 0 to 2"),
        ("a O\n\nb O\n", "x.conll", "last", "holds the label 'O' alone"),
        ("a O\nb B\n", "x.conll", "last", "holds one sentence"),
        (CONLL, "x.conll", "0", "both the words and the labels"),
    ],
)
def test_what_is_refused(write, text, name, target, message):
    with pytest.raises((DataError, ConfigError), match=message):
        read_tagged(write(text, name), target)


def test_a_long_table(write, tmp_path):
    # as Kaggle's corpus has it: a sentence is named at its first word
    text = 'id,word,tag\n1,NA,B\n,null,O\n2,7.0,O\n2,"a,b",B\n'
    found = read_tagged(write(text, "x.csv"), "tag", sentence="id")
    assert found.words == (("NA", "null"), ("7.0", "a,b"))
    columns = {"id": ["a", "a", "b"], "form": ["x", "y", "z"], "tag": ["B", "O", "B"]}
    assert read_tagged(columns, "tag", words="form", sentence="id").words == (("x", "y"), ("z",))
    # sentences to be labelled keep what they are called
    assert found.schema.named({"id": [7, 7, "b"], found.schema.words: ["x", "y", "z"]})[1] == ["7", "b"]
    assert found.schema.named([["x"], ["y"]])[1] == ["0", "1"]
    cases = {
        "id,word,tag\n1,a,B\n2,b,O\n1,c,O\n": "line 4: sentence '1' begins again",
        "id,word,tag\n1,a,B\n1,,O\n2,c,O\n": "line 3: there is no word",
        "id,word,tag\n1,a,B\n1,b,\n2,c,O\n": "line 3: column 'tag' has no label",
        "id,wrd,tag\n1,a,B\n2,c,O\n": "did you mean 'wrd'",
    }
    for broken, message in cases.items():
        with pytest.raises(DataError, match=message):
            read_tagged(write(broken, "x.csv"), "tag", sentence="id")
    with pytest.raises(ConfigError, match="which column tells sentences apart"):
        read_tagged(write(text, "x.csv"), "tag")


def test_a_long_sentence_is_read_in_pieces_that_stay_together():
    said = [(["a", "b", "c", "d", "e"], list("xyxyx")), (["f"], ["y"])]
    found = read_tagged(said, length=2)
    assert found.words == (("a", "b"), ("c", "d"), ("e",), ("f",))
    assert found.target.tolist() == [[0, 1], [0, 1], [0, -1], [1, -1]]
    assert found.groups.tolist() == found.sentence.tolist() == [0, 0, 0, 1]
    assert "read in pieces" in found.warnings[0]
    with pytest.raises(DataError, match="sentence 1 has 2 words and 1 labels"):
        read_tagged([(["a"], ["x"]), (["a", "b"], ["x"])])


def test_letters_and_round_trip():
    long = "ab" * 30
    found = read_tagged([(["Aa", long], ["x", "y"]), (["b"], ["y"])])
    schema = found.schema
    again = TagSchema.from_json(json.loads(json.dumps(schema.to_json())))
    assert again == schema
    inputs = again.encode([["aA", "new", "b"]])
    # in lower case the first word is known, and no letter of the second is
    assert inputs["tokens"][0, 0] == found.tokens[0, 0] and inputs["tokens"][0, 1] == UNKNOWN
    assert schema.letters == 22 and schema.spelling(found.characters[0, 1]) == "ab" * 5 + "…" + ("ab" * 5)[1:]
    assert schema.spelling(found.characters[0, 0]) == "Aa"
    assert (inputs["characters"][0, 1] == UNKNOWN).sum() == 3
    codes, names = again.encode_labels([["y", "z", "_"]])
    assert codes.tolist() == [[1, 2], [-1, -1]] and names == ("x", "y", "z")
    with pytest.raises(DataError, match="no schema of labelled words"):
        TagSchema.from_json({**schema.to_json(), "letters": 0})


def test_the_vocabulary_is_that_of_the_training_sentences():
    found = read_tagged([(["a", "a"], ["x", "y"]), (["a", "b"], ["x", "y"]), (["b", "ç"], ["x", "y"])])
    words, characters = found.schema.sizes
    inputs = {"tokens": jnp.asarray(found.tokens), "characters": jnp.asarray(found.characters)}
    preprocess = TagPreprocess(TextPreprocess(words, words, 2), TextPreprocess(characters, characters))
    stats = preprocess.fit(inputs, jnp.array([1.0, 1.0, 0.0]))
    features = preprocess.apply(stats, inputs)
    a, b, c = (features["tokens"][at] for at in ((0, 0), (1, 1), (2, 1)))
    assert a > UNKNOWN and b == UNKNOWN == c  # b occurs once in training
    letters = np.asarray(features["characters"])
    assert letters.dtype == np.uint8
    assert (letters[1] != UNKNOWN).all() and (letters[2, 1] == UNKNOWN).sum() == 1  # the marks are known
    assert features["lengths"].tolist() == [2, 2, 2]
