"""Sentences whose words have labels: parts of speech, names, or any other tag a word."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from manyfit.data.conll import form_for, words_from, words_of_lists
from manyfit.data.special_tokens import PAD
from manyfit.data.tag_schema import AFTER, BEFORE, GAP, UNLABELLED, TagSchema, normal
from manyfit.errors import ConfigError, DataError

MOST_WORDS, LEAST_WORDS = 256, 32
MOST_LETTERS = 20


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
        said, labels = words_of_lists(source, True)
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
    how: dict[str, Any] = {
        "form": form,
        "words": words,
        "target": target,
        "sentence": sentence,
        "header": header,
    }
    schema = _learned(said, labels, length, notes, **how, encoding=encoding)
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


def _learned(
    said: Sequence[Sequence[str]],
    labels: Sequence[Sequence[str]],
    length: int | None,
    notes: list[str],
    *,
    target: str,
    **how: Any,
) -> TagSchema:
    """The schema of these sentences, read ``how`` it says."""
    counts = Counter(label for sentence in labels for label in sentence if label not in UNLABELLED)
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
        **how,
        target=target,
        classes=tuple(sorted(counts)),
        vocabulary=tuple(sorted({normal(word) for word in forms})),
        alphabet=tuple(alphabet),
        length=min(length, int(lengths.max())),
        letters=max(3, min(longest, MOST_LETTERS)) + 2,
    )


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
    unknown = [i for i, label in enumerate(x for s in labels for x in s) if label in UNLABELLED]
    if not unknown:
        return
    if missing_target != "drop":
        raise DataError(
            f"{where}, {at(unknown)}: column {target!r} has no label; fill it in, or read such words without one "
            "(--missing-target drop)"
        )
    notes.append(f"{len(unknown):,} words have no label: they are read, and neither learned from nor scored")


def _documents(group: str, documents: np.ndarray | None, where: str) -> np.ndarray:
    if group != "document":
        raise ConfigError(
            f"group={group!r}: sentences are kept together by 'document'; give that, or nothing"
        )
    if documents is None or len(np.unique(documents)) < 2:
        raise DataError(f"{where} marks no documents (# newdoc, -DOCSTART-): leave --group out")
    return documents


def unseen(
    tokens: np.ndarray, training: Iterable[int] | np.ndarray, rows: Iterable[int] | np.ndarray
) -> np.ndarray:
    """bool ``(rows, length)``: the words of ``rows`` that no row of ``training`` holds."""
    known = np.unique(tokens[np.asarray(training)])
    return ~np.isin(tokens[np.asarray(rows)], known)
