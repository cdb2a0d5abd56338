"""Words in sentences, from files of a word a line (CoNLL-U, CoNLL), from long tables and from lists."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.data.reading import load
from manyfit.data.text_files import read_texts
from manyfit.errors import ConfigError, DataError, nearest

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The columns of CoNLL-U (universaldependencies.org/format.html)."""
BLANK = "blank"
"""What to give for the column of sentences where blank lines part them."""
_ENDINGS = (".conllu", ".conll", ".bio", ".iob", ".iob2")
_SKIPPED = re.compile(r"\d+[-.]\d+")
_DOCUMENT = "-DOCSTART-"


@dataclass(frozen=True)
class Words:
    """The words of a source one after another: their cells by column, and where sentences begin."""

    source: str
    names: tuple[str, ...]
    """The columns' names; of plain CoNLL their places, ``0``, ``1`` …"""
    cells: dict[str, list[str]]
    """Of the columns that were asked for."""
    starts: np.ndarray
    """int64 ``(sentences + 1,)``: the first word of each sentence, and the number of words."""
    lines: np.ndarray
    """int64 ``(words,)``: the line of each in the file."""
    documents: np.ndarray
    """int64 ``(sentences,)``: which document each is of, by ``# newdoc`` and ``-DOCSTART-``."""
    fingerprint: str = ""
    ids: tuple[str, ...] | None = None
    """Of a table: what it calls each sentence."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def sentences(self, column: str) -> list[list[str]]:
        """The cells of a column, sentence by sentence."""
        cells = self.cells[column]
        return [cells[a:b] for a, b in zip(self.starts[:-1], self.starts[1:])]


def form_of(path: Path) -> str | None:
    """``conllu``, ``conll`` or None for anything else, by the file's name."""
    name = path.name.lower().removesuffix(".gz")
    if not name.endswith(_ENDINGS):
        return None
    return "conllu" if name.endswith(".conllu") else "conll"


def read_words(path: Path, columns: Sequence[str], *, form: str, encoding: str = "utf-8") -> Words:
    """The words of a file, with some of their columns.

    ``conllu`` has ten columns parted by tabs; ranges of words that are written together (``1-2``) and words that are
    not written at all (``1.1``) are passed over. ``conll`` has any columns, parted by tabs where its first word's
    line has one, else by blanks; they are named by their place from 0, from -1 backwards, or ``first`` and ``last``.
    Blank lines part sentences. Lines that begin with ``#`` are comments, in ``conll`` only those whose number of
    columns is not that of the words.

    Raises ``DataError`` that names the line of what cannot be read, ``ConfigError`` for columns that are not there.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; give a file with a word a line (.conllu, .conll …)")
    text = read_texts([path], encoding)[0]
    lines = [line.rstrip("\r") for line in text.split("\n")]
    reader = _Reader(str(path), form)
    for number, line in enumerate(lines, 1):
        reader.read(number, line)
    return reader.found(columns, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


class _Reader:
    """Lines to rows of cells, sentence by sentence."""

    def __init__(self, source: str, form: str) -> None:
        self.source, self.conllu = source, form == "conllu"
        self.width = len(CONLLU) if self.conllu else 0
        self.tabs = self.conllu
        self.rows: list[list[str]] = []
        self.lines: list[int] = []
        self.starts, self.documents = [0], [0]
        self.document = 0

    def read(self, number: int, line: str) -> None:
        if not line.strip():
            self.end()
            return
        if line.startswith("#") and (self.conllu or not self._holds_a_word(line)):
            if line[1:].split("=")[0].split()[:1] == ["newdoc"]:
                self.document += 1
            return
        if not self.width:
            self.tabs = "\t" in line
            self.width = len(self._cells(line))
        cells = self._cells(line)
        if len(cells) != self.width:
            what = f"{len(cells)} column" + "s" * (len(cells) != 1)
            of = "CoNLL-U has 10, parted by tabs" if self.conllu else f"the first word has {self.width}"
            raise DataError(f"{self.source}, line {number}: {what}, and {of}")
        if cells[0] == _DOCUMENT:
            self.document += 1
            return
        if self.conllu:
            if _SKIPPED.fullmatch(cells[0]):
                return
            if not cells[0].isdecimal():
                raise DataError(f"{self.source}, line {number}: a word's number is {cells[0]!r}; give 1, 2 …")
        self.rows.append(cells)
        self.lines.append(number)

    def _holds_a_word(self, line: str) -> bool:
        return bool(self.width) and len(self._cells(line)) == self.width

    def _cells(self, line: str) -> list[str]:
        return [cell.strip() for cell in line.split("\t")] if self.tabs else line.split()

    def end(self) -> None:
        if len(self.rows) > self.starts[-1]:
            self.documents.append(self.document)
            self.starts.append(len(self.rows))

    def found(self, columns: Sequence[str], digest: str) -> Words:
        self.end()
        if not self.rows:
            raise DataError(
                f"{self.source} holds no words; give a word a line, blank lines between sentences"
            )
        names = CONLLU if self.conllu else tuple(map(str, range(self.width)))
        places = {name: self._place(name, names) for name in columns}
        return Words(
            self.source,
            names,
            {name: [row[place] for row in self.rows] for name, place in places.items()},
            np.array(self.starts),
            np.array(self.lines),
            np.array(self.documents[1:]),
            "sha256:" + digest,
        )

    def _place(self, name: str, names: tuple[str, ...]) -> int:
        if name.lower() in names:
            return names.index(name.lower())
        if not self.conllu:
            if name in ("first", "last"):
                return 0 if name == "first" else self.width - 1
            if re.fullmatch(r"-\d+", name) and int(name) >= -self.width:
                return int(name) % self.width
            raise ConfigError(
                f"{self.source} has {self.width} columns and no {name!r}: name one by its place from 0 to "
                f"{self.width - 1}, or 'last'"
            )
        raise ConfigError(f"{self.source} has no column {name!r}; {nearest(name, names)}")


def words_of_table(
    source: Any, columns: Sequence[str], sentence: str, *, header: bool = True, encoding: str = "utf-8"
) -> Words:
    """The words of a table with a row a word and the column ``sentence``; an empty cell there goes on with the last.

    Raises ``DataError`` for columns that are not there, empty cells, and a sentence that begins again after others.
    """
    raw = load(source, header=header, missing=("",), encoding=encoding)
    for name in (sentence, *columns):
        if name not in raw.names:
            raise DataError(f"{raw.source} has no column {name!r}; {nearest(name, raw.names)}")
    values, codes = raw[sentence].texts
    codes = codes.astype(np.int64)
    if len(codes) and codes[0] < 0:
        raise DataError(f"{raw.at(0, sentence)}: the first word has no sentence; fill it in")
    filled = codes[np.maximum.accumulate(np.where(codes >= 0, np.arange(len(codes)), 0))]
    begins = np.flatnonzero(np.append(True, filled[1:] != filled[:-1]))
    again = np.setdiff1d(np.arange(len(begins)), np.unique(filled[begins], return_index=True)[1])
    if len(again):
        row = int(begins[again[0]])
        raise DataError(
            f"{raw.source}, {raw.row(row)}: sentence {values[filled[row]]!r} begins again after others; "
            "sort the table by sentence"
        )
    cells = {}
    for name in columns:
        texts, places = raw[name].texts
        cells[name] = ["" if place < 0 else texts[place] for place in places.tolist()]
    lines = np.arange(len(raw)) if raw.lines is None else np.asarray(raw.lines)
    starts = np.append(begins, len(raw))
    documents, ids = np.zeros(len(begins), int), tuple(str(values[code]) for code in filled[begins])
    return Words(raw.source, raw.names, cells, starts, lines, documents, raw.fingerprint, ids)


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


def words_of_lists(source: Any, labels: bool) -> tuple[list[list[str]], list[list[str]] | None]:
    """The words of ``(words, labels)`` pairs, and their labels where asked for; raises ``DataError``."""
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
