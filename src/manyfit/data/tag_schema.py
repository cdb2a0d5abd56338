"""How a trained tagger reads sentences: words and letters to numbers, and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from manyfit.data.conll import Words, words_from, words_of_lists
from manyfit.data.special_tokens import PAD, SPECIAL, UNKNOWN
from manyfit.data.tokenizers import CharacterTokenizer
from manyfit.errors import DataError

BEFORE, AFTER, GAP = "\x02", "\x03", "\x04"
"""Characters that stand around a word, so that its beginning and end can be told, and for the middle of a long one."""
UNLABELLED = ("", "_")
"""What stands where a word has no label."""
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class TagSchema:
    """How sentences are read for a trained tagger, as JSON."""

    form: str
    """``conllu``, ``conll``, ``table``, or ``lists`` of words and labels."""
    words: str
    """The column of the words."""
    target: str
    """The column of the labels."""
    classes: tuple[str, ...]
    vocabulary: tuple[str, ...]
    """The words that occur, as ``normal`` writes them."""
    alphabet: tuple[str, ...]
    """The characters that occur, sorted."""
    length: int
    """Words of a row; a longer sentence takes several."""
    letters: int
    """Characters of a word, with the marks around it; of a longer word the middle is left out."""
    sentence: str | None = None
    """Of a table: the column that says which sentence a word is of."""
    header: bool = True
    encoding: str = "utf-8"

    def read(self, source: Any, *, labels: bool) -> tuple[list[list[str]], list[list[str]] | None]:
        """Words, and their labels where asked for, sentence by sentence. Raises ``DataError``."""
        if isinstance(source, (list, tuple)):
            return words_of_lists(source, labels)
        found = self._words(source, (self.words, self.target) if labels else (self.words,))
        return found.sentences(self.words), found.sentences(self.target) if labels else None

    def named(self, source: Any) -> tuple[list[list[str]], list[str]]:
        """Words sentence by sentence, and what each sentence is called: by its table, else its number from 0."""
        if isinstance(source, (list, tuple)):
            sentences, ids = words_of_lists(source, False)[0], None
        else:
            found = self._words(source, (self.words,))
            sentences, ids = found.sentences(self.words), found.ids
        return sentences, list(ids or map(str, range(len(sentences))))

    def _words(self, source: Any, columns: tuple[str, ...]) -> Words:
        form, sentence = self.form, self.sentence
        return words_from(source, columns, form, sentence, header=self.header, encoding=self.encoding)

    def encode(self, source: Any) -> dict[str, np.ndarray]:
        """``tokens`` int32 ``(rows, length)`` and ``characters`` ``(rows, length, letters)`` of sentences."""
        return self.encode_words(self.read(source, labels=False)[0])

    def encode_words(self, sentences: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
        """``encode`` of words that are read."""
        if not sentences:
            raise DataError("there are no sentences to label")
        places = {word: i for i, word in enumerate(dict.fromkeys(w for s in sentences for w in s))}
        ids = np.array([0, *(self._ids.get(normal(word), UNKNOWN) for word in places)], np.int32)
        small = (
            np.uint8 if self._letters.size <= 256 else np.uint16 if self._letters.size <= 65536 else np.int32
        )
        spelled = np.zeros((len(places) + 1, self.letters), small)
        for word, place in places.items():
            written = self._letters.encode(_fitting(word, self.letters))
            spelled[place + 1, : len(written)] = written
        at = self.rows([[places[word] + 1 for word in sentence] for sentence in sentences], 0)
        return {"tokens": ids[at], "characters": spelled[at]}

    def spelling(self, letters: np.ndarray) -> str:
        """The word of its characters ``(letters,)``, with an ellipsis where the middle of a long one was left out."""
        word = self._letters.decode(letters[letters != PAD]).replace(BEFORE, "").replace(AFTER, "")
        return word.replace(GAP, "…")

    def rows(self, sentences: Sequence[Sequence[int]], fill: int) -> np.ndarray:
        """A number a word as int32 ``(rows, length)``: a sentence a row, several of a longer one."""
        pieces = [s[i : i + self.length] for s in sentences for i in range(0, len(s), self.length)]
        found = np.full((len(pieces), self.length), fill, np.int32)
        for row, piece in enumerate(pieces):
            found[row, : len(piece)] = piece
        return found

    def encode_labels(self, sentences: Sequence[Sequence[str]]) -> tuple[np.ndarray, tuple[str, ...]]:
        """int32 ``(rows, length)`` into the names that come with it: the classes, then labels that are none of them.

        -1 after the end of a sentence, and for a word without a label.
        """
        others = sorted({x for s in sentences for x in s} - {*self.classes, *UNLABELLED})
        names = (*self.classes, *others)
        codes = {name: i for i, name in enumerate(names)} | dict.fromkeys(UNLABELLED, -1)
        codes |= {name: i for i, name in enumerate(self.classes)}  # a class may be called "_"
        return self.rows([[codes[label] for label in s] for s in sentences], -1), names

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.vocabulary, len(SPECIAL))}

    @cached_property
    def _letters(self) -> CharacterTokenizer:
        return CharacterTokenizer(self.alphabet)

    @property
    def sizes(self) -> tuple[int, int]:
        """Ids of words and of characters, special ones counted."""
        return len(self.vocabulary) + len(SPECIAL), self._letters.size

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            "kind": "tags",
            **{name: list(value) if isinstance(value, tuple) else value for name, value in content.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TagSchema:
        """The schema that ``to_json`` wrote. Raises ``DataError`` for anything else."""
        try:
            if content["kind"] != "tags":
                raise ValueError(f"kind {content['kind']!r}")
            given = {name: content[name] for name in cls.__dataclass_fields__}
            for name in ("classes", "vocabulary", "alphabet"):
                given[name] = tuple(given[name])
                if not all(isinstance(one, str) for one in given[name]):
                    raise ValueError(f"{name} holds something else than texts")
            if list(given["alphabet"]) != sorted(given["alphabet"]) or any(
                len(a) != 1 for a in given["alphabet"]
            ):
                raise ValueError("an alphabet is sorted characters")
            for name in ("length", "letters"):
                if not isinstance(given[name], int) or given[name] < 1:
                    raise ValueError(f"{name} {given[name]!r}")
            return cls(**given)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"this is no schema of labelled words: {error!r}") from error


def normal(word: str) -> str:
    """How the vocabulary writes a word: in lower case, every digit a 0. Its letters are read as they are.

    >>> normal("Room-237b")
    'room-000b'
    """
    return _DIGIT.sub("0", word.lower())


def _fitting(word: str, letters: int) -> str:
    """The marks around a word, and of a long one its beginning and its end."""
    room = letters - 2
    if len(word) > room:
        word = word[: room // 2] + GAP + word[len(word) - (room - room // 2 - 1) :]
    return BEFORE + word + AFTER
