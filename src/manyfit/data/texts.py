"""Texts with labels: a column of a table, or a folder of text files per class."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.data.columns import Column, column_of
from manyfit.data.reading import Raw, load
from manyfit.data.schema import Schema
from manyfit.data.special_tokens import PAD, UNKNOWN
from manyfit.data.table import read as read_table
from manyfit.data.text_files import class_of, files_by_class, is_text_file, read_texts, texts_in
from manyfit.data.tokenizers import Tokenizer, from_json, learn
from manyfit.errors import ConfigError, DataError, no_column

MOST_TOKENS = 2048
"""Texts are cut here unless told otherwise: what a review comes to is said at its end."""
LONGEST_CELL = 1 << 28


@dataclass(frozen=True)
class TextSchema:
    """How texts are read for a trained model, as JSON."""

    tokenizer: Tokenizer
    length: int
    """Tokens of a text: shorter ones are padded at the end, of longer ones the beginning is read."""
    labels: Schema
    """The target, how the source was written, and the columns that are read beside the text."""
    text: str | None = None
    """The column of texts; None where each text was a file."""
    encoding: str = "utf-8"

    def texts(self, source: Any) -> list[str]:
        """The texts of a table, folder, file, or list of texts.

        A folder's texts come in the order of their names. Raises ``DataError`` for what cannot be read, and where
        there is no column of texts.
        """
        if isinstance(source, (list, tuple)) and source and all(isinstance(text, str) for text in source):
            return list(source)
        files = self.files(source)
        if files:
            return read_texts(files, self.encoding)
        raw = self._raw(source)
        return cells_of(raw, self.text or "text")

    def files(self, source: Any) -> list[Path]:
        """The files of the texts that ``texts`` gives, where each is a file; none otherwise."""
        if not isinstance(source, (str, Path)):
            return []
        path = Path(source)
        if path.is_dir():
            found = texts_in(path)
            if not found:
                raise DataError(f"{path} holds no texts (.txt)")
            return found
        return [path] if self.text is None and path.is_file() and is_text_file(path) else []

    def encode(self, source: Any) -> dict[str, np.ndarray]:
        """``{"tokens": int32 (n, length)}`` of texts, and ``Schema.encode`` of the columns beside them."""
        beside: dict[str, np.ndarray] = {}
        if self.labels.columns:
            if isinstance(source, (list, tuple)) and all(isinstance(text, str) for text in source):
                names = ", ".join(repr(column.name) for column in self.labels.columns)
                raise DataError(
                    f"these are texts alone; the model also reads {names}: give a table with them"
                )
            source = self.labels.read(self._raw(source), self.labels.target)
            beside = self.labels.encode_raw(source)
        texts = self.texts(source)
        if not texts:
            raise DataError("there are no texts to predict")
        return {"tokens": padded([self.tokenizer.encode(text) for text in texts], self.length), **beside}

    def encode_target(self, source: Any) -> np.ndarray:
        """The labels of the texts that ``encode`` gives: int32 class indices, or float32 values."""
        files = self.files(source)
        if not files:
            return self.labels.encode_target(self._raw(source))
        folder = Path(source)
        if not folder.is_dir():
            raise DataError(
                f"{folder} is one text without a label; give a folder with a folder per class, or a table"
            )
        found = [class_of(file, folder) for file in files]
        column = column_of(self.labels.target, found, ())
        return self.labels.encode_labels(column, Raw(str(folder), (column,), ""))

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {
            "kind": "texts",
            "tokenizer": self.tokenizer.to_json(),
            "length": self.length,
            "text": self.text,
            "encoding": self.encoding,
            "labels": self.labels.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TextSchema:
        """The schema that ``to_json`` wrote. Raises ``DataError`` for anything else."""
        try:
            length, text, encoding = content["length"], content["text"], content["encoding"]
            good = isinstance(length, int) and length > 0 and isinstance(text, (str, type(None)))
            if content["kind"] != "texts" or not good or not isinstance(encoding, str):
                raise ValueError(f"length {length!r}, text {text!r}, encoding {encoding!r}")
            labels = Schema.from_json(content["labels"])
            return cls(from_json(content["tokenizer"]), length, labels, text, encoding)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"this is no schema of texts: {error!r}") from error

    def _raw(self, source: Any) -> Raw:
        if isinstance(source, Raw):
            return source
        return _load(source, self.labels.header, self.encoding)


@dataclass(frozen=True)
class Texts:
    """Labelled texts as tokens. ``read`` makes them."""

    tokens: np.ndarray
    """int32 ``(rows, length)``, ``PAD`` after the end of a text."""
    target: np.ndarray
    """``(rows,)``: int32 index into ``classes``, or float32 values."""
    schema: TextSchema
    texts: tuple[str, ...] = field(repr=False)
    weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    source: str = "the texts"
    fingerprint: str = ""
    warnings: tuple[str, ...] = ()
    cut: int = 0
    """Texts that are longer than ``length``."""
    beside: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    """``numeric`` and ``category`` of the other columns, as ``Table.inputs``; empty where there are none to read."""
    columns: tuple[dict[str, Any], ...] = ()
    """What each of the other columns is."""

    def __len__(self) -> int:
        return len(self.target)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names; empty for values."""
        return tuple(self.schema.labels.classes)

    def summary(self) -> str:
        """One line: how many texts, how long, what a token is."""
        lengths = (self.tokens != PAD).sum(axis=1)
        kind = {"character": "characters", "byte": "bytes", "word": "words", "bpe": "byte pairs"}
        unit = kind.get(self.schema.tokenizer.kind, "word pieces")
        cut = f", of which {self.cut:,} are cut there" if self.cut else ""
        line = f"{len(self):,} texts of {int(np.median(lengths))} {unit} (median; at most {self.schema.length}{cut})"
        return f"{line}, {self.schema.tokenizer.size:,} different ones"


def read(
    source: Any,
    text: str | None = None,
    target: str | None = None,
    *,
    tokenizer: str = "word",
    vocabulary: int | None = None,
    length: int | None = None,
    most: int = MOST_TOKENS,
    encoding: str = "utf-8",
    task: str | None = None,
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    drop: Iterable[str] = (),
    kinds: Mapping[str, str] | None = None,
    header: bool = True,
    missing_target: str = "refuse",
) -> Texts:
    """Read labelled texts.

    ``source`` is a folder with a folder of ``.txt`` files per class, or anything that ``read_table`` takes, with
    the column ``text`` and the column ``target``. ``tokenizer`` is one of ``manyfit.data.tokenizers.KINDS``: it is
    learned from all texts without their labels; which of its tokens a network may know is decided in each fold, by
    the training rows alone (``TextPreprocess``). ``vocabulary`` is the most ids of a ``bpe`` or ``wordpiece``
    tokenizer. ``length`` is how many tokens of a text are read: by default the 99th percentile of the lengths, at
    most ``most``. All other columns that can be used are read beside the text, as ``read_table`` reads them;
    ``drop``, ``kinds``, ``group``, ``time``, ``weight``, ``task``, ``header`` and ``missing_target`` are its own.

    Raises ``DataError`` for what cannot be learned from, naming the place and the mend.

    >>> found = read({"said": ["good", "bad", "very good", "so bad"], "liked": ["y", "n", "y", "n"]}, "said", "liked")
    >>> found.tokens.tolist(), found.classes
    ([[5, 0], [4, 0], [7, 5], [6, 4]], ('n', 'y'))
    """
    if length is not None and length < 1:
        raise ConfigError(f"length={length}: give the number of tokens to read of a text, at least 1")
    drop = tuple(drop)
    warnings: list[str] = []
    special: dict[str, Any] = {}
    beside: dict[str, np.ndarray] = {}
    columns: tuple[dict[str, Any], ...] = ()
    if isinstance(source, (str, Path)) and Path(source).is_dir():
        folder = Path(source)
        given = {"group": group, "time": time, "weight": weight, "drop": drop, "kinds": kinds}
        for name, value in given.items():
            if value:
                raise ConfigError(
                    f"{folder}: {name} names a column, and this is a folder of texts; leave it out"
                )
        if task == "regression":
            raise ConfigError(
                f"{folder}: folders are classes; for regression give a table with the texts in a column"
            )
        files, names = files_by_class(folder)
        texts = read_texts(files, encoding)
        column = None
        classes = tuple(sorted(set(names)))
        kind = "binary" if len(classes) == 2 else "multiclass"
        labels = Schema((), (), "folder", kind, classes)
        codes = np.searchsorted(classes, names).astype(np.int32)
        where = str(folder)
        if min(np.bincount(codes)) < 2:
            raise DataError(
                f"{folder / classes[int(np.argmin(np.bincount(codes)))]} holds one text; give two at least"
            )
    else:
        if target is None:
            raise ConfigError("say which column to predict: target (--target)")
        raw = _load(source, header, encoding)
        column, target, group, time, weight = (
            _named(raw, key) for key in (text or "text", target, group, time, weight)
        )
        assert column is not None
        assert target is not None
        for what, keys in (("drop", drop), ("kinds", kinds or ())):
            for key in keys:
                if key == column:
                    raise ConfigError(f"{key!r} is the text, which {what} is not for: leave it out")
                if _named(raw, key) not in raw.names:
                    raise no_column(raw.source, key, raw.names, what)
        # the table's reader judges targets, groups, times, weights and all columns but the text; so that it has one
        # where there is no other, the number of the row stands for the text
        table = read_table(
            _without(raw, column, target),
            target,
            task=task,
            group=group,
            time=time,
            weight=weight,
            drop=drop,
            kinds={**(kinds or {}), _PLACE: "number"},
            missing_target=missing_target,
        )
        rows = np.flatnonzero(~raw[target].missing) if missing_target == "drop" else np.arange(len(raw))
        kept = raw.take(rows)
        texts = cells_of(kept, column)
        warnings += table.warnings
        inputs = tuple(c for c in table.schema.columns if c.name != _PLACE)
        others = tuple(name for name in raw.names if name != target)
        labels = dataclasses.replace(table.schema, columns=inputs, names=others)
        beside = labels.encode_raw(kept) if inputs else {}
        columns = tuple(entry for entry in table.columns if entry["name"] not in (_PLACE, target))
        codes, where = table.target, raw.source
        special = {"weight": table.weight, "groups": table.groups, "time": table.time}
    _refuse_useless(texts, where, warnings)
    made = learn(texts, tokenizer, size=vocabulary if tokenizer in ("bpe", "wordpiece") else None)
    encoded = [made.encode(t) for t in texts]
    counts = np.array([len(ids) for ids in encoded])
    if length is None:
        length = int(min(max(1, np.ceil(np.percentile(counts, 99))), most))
    cut = int((counts > length).sum())
    tokens = padded(encoded, length)
    digest = hashlib.sha256(repr((made.kind, length, labels.classes, codes.dtype.str)).encode())
    for part in (tokens, np.ascontiguousarray(codes), *map(np.ascontiguousarray, beside.values())):
        digest.update(part.data)
    digest.update("\0".join(texts).encode("utf-8", "surrogatepass"))
    return Texts(
        tokens=tokens,
        target=codes,
        schema=TextSchema(made, length, labels, column, encoding),
        texts=tuple(texts),
        source=where,
        fingerprint="sha256:" + digest.hexdigest(),
        warnings=tuple(warnings),
        cut=cut,
        beside=beside,
        columns=columns,
        **special,
    )


def padded(encoded: Sequence[np.ndarray], length: int) -> np.ndarray:
    """int32 ``(rows, length)``: ids with ``PAD`` after them; a text without any is one unknown token."""
    tokens = np.full((len(encoded), length), PAD, np.int32)
    for row, ids in enumerate(encoded):
        here = ids[:length] if len(ids) else np.array([UNKNOWN])
        tokens[row, : len(here)] = here
    return tokens


_PLACE = "\0row"
"""A column that stands for the texts while the table is judged."""


def _named(raw: Raw, key: str | None) -> str | None:
    """A column by name, or by place where columns have none."""
    place = key is not None and not raw.named and key.removeprefix("-").isdecimal()
    if not place or key is None or not -len(raw.names) <= int(key) < len(raw.names):
        return key
    return raw.names[int(key)]


def _without(raw: Raw, text: str, target: str) -> Raw:
    """The columns but the text, and the number of each row in its place."""
    raw.need(text, "text")
    raw.need(target, "target")
    if text == target:
        raise ConfigError(f"{text!r} is both the text and the target: name two columns")
    kept = tuple(c for c in raw.columns if c.name != text)
    place = Column(_PLACE, numbers=np.arange(len(raw), dtype=np.float64))
    return Raw(raw.source, (place, *kept), raw.fingerprint, raw.named, raw.lines)


def cells_of(raw: Raw, name: str) -> list[str]:
    """The texts of a column, a missing one empty; raises ``DataError`` where they are numbers or dates."""
    raw.need(name, "text")
    column = raw[name]
    numbers, bad = column.as_numbers
    if not bad.any() and not np.isnan(numbers).all():
        raise DataError(
            f"{raw.source}, column {name!r} holds numbers, not texts: name another with --text, or leave --text out "
            "and it is a table"
        )
    values, codes = column.texts
    return ["" if code < 0 else values[code] for code in codes.tolist()]


def _refuse_useless(texts: Sequence[str], where: str, warnings: list[str]) -> None:
    empty = sum(not text.strip() for text in texts)
    if empty == len(texts):
        raise DataError(f"{where}: every text is empty; there is nothing to learn from")
    if len(set(texts)) == 1:
        raise DataError(f"{where}: all texts are identical; there is nothing to learn from")
    if empty:
        warnings.append(f"{empty} of {len(texts)} texts are empty: to a network they are one unknown word")


def _load(source: Any, header: bool, encoding: str) -> Raw:
    with _long_cells():
        return load(source, header=header, encoding=encoding)


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    """Texts may be longer than the 131,072 characters that Python's reader of CSV takes a cell for broken at."""
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)
