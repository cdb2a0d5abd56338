"""Sentences whose words have labels: parts of speech, names, or any other tag a word."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.data.conll import BLANK, Words, form_of, read_words, words_of_table
from manyfit.data.tokenizers import PAD, SPECIAL, UNKNOWN, CharacterTokenizer
from manyfit.errors import ConfigError, DataError

BEFORE, AFTER, GAP = "\x02", "\x03", "\x04"
"""Characters that stand around a word, so that its beginning and end can be told, and for the middle of a long one."""
MOST_WORDS, LEAST_WORDS = 256, 32
MOST_LETTERS = 20
_UNLABELLED = ("", "_")
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
        columns = (self.words, self.target) if labels else (self.words,)
        if not isinstance(source, (list, tuple)):
            found = words_from(
                source, columns, self.form, self.sentence, header=self.header, encoding=self.encoding
            )
            return found.sentences(self.words), found.sentences(self.target) if labels else None
        return _of_lists(source, labels)

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
        others = sorted({x for s in sentences for x in s} - {*self.classes, *_UNLABELLED})
        names = (*self.classes, *others)
        codes = {name: i for i, name in enumerate(names)} | dict.fromkeys(_UNLABELLED, -1)
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


@dataclass(frozen=True)
class Tagged:
    """Labelled words in sentences. ``read`` makes them."""

    tokens: np.ndarray
    """int32 ``(rows, length)``, ``PAD`` after the end."""
    characters: np.ndarray
    """``(rows, length, letters)``, small integers."""
    target: np.ndarray
    """int32 ``(rows, length)`` into ``schema.classes``; -1 where there is no word, or no label."""
    sentence: np.ndarray
    """int32 ``(rows,)``: the sentence that each row is, or is a piece of."""
    schema: TagSchema
    words: tuple[tuple[str, ...], ...] = field(repr=False)
    """Row by row."""
    groups: np.ndarray | None = None
    source: str = "the sentences"
    fingerprint: str = ""
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.target)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels' names."""
        return self.schema.classes

    def summary(self) -> str:
        """One line: how many sentences, words and labels."""
        count = int((self.tokens != PAD).sum())
        lengths = np.bincount(self.sentence, (self.tokens != PAD).sum(axis=1))
        several = (
            f" in {len(self):,} pieces of at most {self.schema.length}" if len(lengths) < len(self) else ""
        )
        return (
            f"{len(lengths):,} sentences of {int(np.median(lengths))} words (median; at most {int(lengths.max())})"
            f"{several}, {count:,} words, {len(self.schema.vocabulary):,} different ones, "
            f"{len(self.classes)} labels"
        )


def read(
    source: Any,
    target: str | None = None,
    *,
    words: str | None = None,
    sentence: str | None = None,
    length: int | None = None,
    group: str | None = None,
    header: bool = True,
    encoding: str = "utf-8",
    missing_target: str = "refuse",
) -> Tagged:
    """Read sentences whose words have labels.

    ``source`` is one of

    - a file with a word a line and blank lines between sentences: ``.conllu``, whose columns have names (``words`` is
      ``form`` unless given), or ``.conll``, ``.bio``, ``.iob``, and with ``sentence="blank"`` any other, whose columns
      go by their place (``words`` is 0; ``last`` names the last one);
    - a table, as ``read_table`` takes it, with a row a word: ``sentence`` is the column that says of which sentence,
      ``words`` the column of words (``word`` unless given);
    - a list of pairs, the words and the labels of a sentence.

    ``target`` is the column of labels. A word whose label is empty or ``_`` is refused, or with
    ``missing_target="drop"`` read without being learned from or scored. ``length`` is how many words of a sentence
    are read at once, by default the 95th percentile of the lengths, 32 to 256: a longer one is read in pieces,
    which stay together in a fold. ``group="document"`` keeps the sentences of a document together (``# newdoc``,
    ``-DOCSTART-``).

    Raises ``DataError`` for what cannot be learned from, naming the place and the mend.

    >>> found = read([(["the", "cat"], ["DET", "NOUN"]), (["a", "red", "dog"], ["DET", "ADJ", "NOUN"])])
    >>> found.target.tolist(), found.classes
    ([[1, 2, -1], [1, 0, 2]], ('ADJ', 'DET', 'NOUN'))
    """
    if length is not None and length < 1:
        raise ConfigError(f"length={length}: give the number of words to read at once, at least 1")
    form = form_for(source, sentence)
    words = words or {"conllu": "form", "conll": "0", "table": "word"}.get(form, "word")
    if form == "lists":
        target = target or "label"
        said, labels = _of_lists(source, True)
        assert labels is not None
        documents, lines, where, fingerprint = None, None, "the sentences", ""
    else:
        if target is None:
            hint = {"conllu": "upos, xpos, feats …", "conll": "last, or a place from 0"}.get(form, "COLUMN")
            raise ConfigError(f"{source}: say which column holds the labels: --target {hint}")
        found = words_from(source, (words, target), form, sentence, header=header, encoding=encoding)
        if words == target:
            raise ConfigError(f"{words!r} is both the words and the labels: name two columns")
        said, labels = found.sentences(words), found.sentences(target)
        documents, lines, where, fingerprint = found.documents, found.lines, found.source, found.fingerprint
    notes: list[str] = []
    _refuse_holes(said, labels, target, where, lines, missing_target, notes)
    schema = _learned(said, labels, form, words, target, length, notes)
    schema = _with(schema, sentence=sentence, header=header, encoding=encoding)
    inputs = schema.encode_words(said)
    codes, _ = schema.encode_labels(labels)
    pieces = [-(-len(one) // schema.length) for one in said]
    place = np.repeat(np.arange(len(said)), pieces).astype(np.int32)
    groups = None
    if group is not None:
        groups = _documents(group, documents, where)[place]
    elif max(pieces) > 1:
        groups = place
    if max(pieces) > 1:
        notes.append(
            f"{sum(p > 1 for p in pieces)} sentences of more than {schema.length} words are read in pieces (--length)"
        )
    step = schema.length
    cut = tuple(tuple(one[i : i + step]) for one in said for i in range(0, len(one), step))
    digest = hashlib.sha256(repr((fingerprint, schema.to_json())).encode("utf-8", "surrogatepass"))
    for part in (*inputs.values(), codes):
        digest.update(np.ascontiguousarray(part).data)
    return Tagged(
        **inputs,
        target=codes,
        sentence=place,
        schema=schema,
        words=cut,
        groups=groups,
        source=where,
        fingerprint="sha256:" + digest.hexdigest(),
        warnings=tuple(notes),
    )


def form_for(source: Any, sentence: str | None) -> str:
    """How a source is written; raises ``ConfigError`` where that cannot be told."""
    if isinstance(source, (list, tuple)) and not (source and isinstance(source[0], Mapping)):
        return "lists"
    form = form_of(Path(source)) if isinstance(source, (str, Path)) else None
    if form is not None:
        if sentence not in (None, BLANK):
            raise ConfigError(f"{source}: blank lines part its sentences; leave --sentence {sentence} out")
        return form
    if sentence == BLANK:
        return "conll"
    if sentence is None:
        raise ConfigError(
            f"{source}: say which column tells sentences apart (--sentence COLUMN; 'blank' where blank lines do)"
        )
    return "table"


def words_from(
    source: Any, columns: Sequence[str], form: str, sentence: str | None, *, header: bool, encoding: str
) -> Words:
    """The words of a file or table; raises ``DataError``."""
    if form == "table":
        assert sentence is not None
        return words_of_table(source, columns, sentence, header=header, encoding=encoding)
    if not isinstance(source, (str, Path)):
        raise DataError(f"a {type(source).__name__} is no file of words; give a path, or a list of sentences")
    path = Path(source)
    if not path.exists():
        raise DataError(f"{path}: there is no such file; check the path")
    return read_words(path, columns, form=form_of(path) or form, encoding=encoding)


def normal(word: str) -> str:
    """How the vocabulary writes a word: in lower case, every digit a 0. Its letters are read as they are.

    >>> normal("Room-237b")
    'room-000b'
    """
    return _DIGIT.sub("0", word.lower())


def _learned(
    said: Sequence[Sequence[str]],
    labels: Sequence[Sequence[str]],
    form: str,
    words: str,
    target: str,
    length: int | None,
    notes: list[str],
) -> TagSchema:
    counts = Counter(label for sentence in labels for label in sentence if label not in _UNLABELLED)
    if len(counts) < 2:
        raise DataError(
            f"column {target!r} holds {'no label' if not counts else f'the label {next(iter(counts))!r} alone'}; "
            "there is nothing to tell apart"
        )
    forms = {word for sentence in said for word in sentence}
    alphabet = sorted({BEFORE, AFTER, GAP}.union(*forms))
    lengths = np.array([len(sentence) for sentence in said])
    if length is None:
        length = int(np.clip(np.ceil(np.percentile(lengths, 95)), LEAST_WORDS, MOST_WORDS))
    longest = int(np.ceil(np.percentile([len(word) for word in forms], 95)))
    rare = sum(count == 1 for count in counts.values())
    if rare:
        notes.append(f"{rare} of {len(counts)} labels occur once: no fold can both learn and score them")
    return TagSchema(
        form=form,
        words=words,
        target=target,
        classes=tuple(sorted(counts)),
        vocabulary=tuple(sorted({normal(word) for word in forms})),
        alphabet=tuple(alphabet),
        length=min(length, int(lengths.max())),
        letters=max(3, min(longest, MOST_LETTERS)) + 2,
    )


def _with(schema: TagSchema, **changes: Any) -> TagSchema:
    from dataclasses import replace

    return replace(schema, **changes)


def _refuse_holes(
    said: Sequence[Sequence[str]],
    labels: Sequence[Sequence[str]],
    target: str,
    where: str,
    lines: np.ndarray | None,
    missing_target: str,
    notes: list[str],
) -> None:
    """Words that are not there, and labels that are not."""

    def at(places: Sequence[int]) -> str:
        numbers = [str(p if lines is None else lines[p]) for p in places[:5]]
        more = f" and {len(places) - 5} more" if len(places) > 5 else ""
        return f"{'word' if lines is None else 'line'} {', '.join(numbers)}{more}"

    if len(said) < 2:
        raise DataError(f"{where} holds one sentence; folds need at least two")
    blank = [i for i, word in enumerate(w for s in said for w in s) if not word]
    if blank:
        raise DataError(f"{where}, {at(blank)}: there is no word; fill it in")
    unknown = [i for i, label in enumerate(x for s in labels for x in s) if label in _UNLABELLED]
    if not unknown:
        return
    if missing_target != "drop":
        raise DataError(
            f"{where}, {at(unknown)}: column {target!r} has no label; fill it in, or read such words without one "
            "(--missing-target drop)"
        )
    notes.append(f"{len(unknown):,} words have no label: they are read, and neither learned from nor scored")


def _of_lists(source: Any, labels: bool) -> tuple[list[list[str]], list[list[str]] | None]:
    said, given = [], []
    for number, one in enumerate(source):
        pair = isinstance(one, (list, tuple)) and len(one) == 2 and all(_is_words(part) for part in one)
        if not (pair or (not labels and _is_words(one))):
            what = "give (words, labels), two lists of texts" if labels else "give a list of words"
            raise DataError(f"sentence {number} is {str(one)[:40]!r}: {what}")
        words = list(one[0] if pair else one)
        if labels:
            given.append(list(one[1]))
            if len(words) != len(given[-1]):
                raise DataError(f"sentence {number} has {len(words)} words and {len(given[-1])} labels")
        if not words:
            raise DataError(f"sentence {number} holds no word; leave it out")
        said.append(words)
    if not said:
        raise DataError("there are no sentences")
    return said, given if labels else None


def _is_words(one: Any) -> bool:
    return isinstance(one, (list, tuple)) and all(isinstance(word, str) for word in one)


def _documents(group: str, documents: np.ndarray | None, where: str) -> np.ndarray:
    if group != "document":
        raise ConfigError(
            f"group={group!r}: sentences are kept together by 'document'; give that, or nothing"
        )
    if documents is None or len(np.unique(documents)) < 2:
        raise DataError(f"{where} marks no documents (# newdoc, -DOCSTART-): leave --group out")
    return documents


def _fitting(word: str, letters: int) -> str:
    """The marks around a word, and of a long one its beginning and its end."""
    room = letters - 2
    if len(word) > room:
        word = word[: room // 2] + GAP + word[len(word) - (room - room // 2 - 1) :]
    return BEFORE + word + AFTER


def unseen(
    tokens: np.ndarray, training: Iterable[int] | np.ndarray, rows: Iterable[int] | np.ndarray
) -> np.ndarray:
    """bool ``(rows, length)``: the words of ``rows`` that no row of ``training`` holds."""
    known = np.unique(tokens[np.asarray(training)])
    return ~np.isin(tokens[np.asarray(rows)], known)
