"""Texts as sequences of ids, and back: characters, bytes, words, byte pairs, word pieces.

>>> tokenizer = learn(["the cat", "the dog"], "word")
>>> tokenizer.encode("the bird").tolist(), tokenizer.size
([6, 1], 7)
>>> again = from_json(tokenizer.to_json())
>>> again.decode(again.encode("The dog"))
'the dog'
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol, get_args

import numpy as np

from manyfit.data.special_tokens import LOST, SPECIAL, UNKNOWN
from manyfit.data.subwords import learn_subwords, subwords_from_json
from manyfit.errors import ConfigError, DataError, nearest

Kind = Literal["character", "byte", "word", "bpe", "wordpiece"]
KINDS: tuple[str, ...] = get_args(Kind)

_WORD = re.compile(
    # scripts without spaces between words: a character is a word
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    "|[^\\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+(?:['\u2019][^\\W\\d_]+)*"
    "|[^\\w\\s]"
)


class Tokenizer(Protocol):
    """Text to ids and back. Ids 0 to 3 are ``PAD``, ``UNKNOWN``, ``BEGIN``, ``END``; tokens begin at 4."""

    @property
    def kind(self) -> str:
        """One of ``KINDS``."""
        ...

    @property
    def size(self) -> int:
        """How many ids there are, special ones counted."""
        ...

    def encode(self, text: str) -> np.ndarray:
        """int32 ``(tokens,)``; ``UNKNOWN`` for what was not learned."""
        ...

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """The text of ids; ``PAD``, ``BEGIN`` and ``END`` leave no trace."""
        ...

    def token(self, number: int) -> str:
        """What to call one id where it is shown to people."""
        ...

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types, for ``from_json``."""
        ...


def learn(
    texts: Iterable[str],
    kind: str = "word",
    *,
    size: int | None = None,
    min_count: int = 1,
    lowercase: bool | None = None,
) -> Tokenizer:
    """A tokenizer whose vocabulary comes from ``texts``; equal texts give an equal tokenizer.

    ``size`` is the most ids (8,000 for ``bpe`` and ``wordpiece``, else all that occur); of equally frequent
    characters and words the first by code point are kept, and ids follow code points too, so that an id says
    nothing of how frequent its token is. ``min_count`` leaves out what occurs less often. ``lowercase`` is True
    for ``word`` and ``wordpiece`` unless given. ``byte`` learns nothing.

    ``character``, ``byte`` and ``bpe`` give a text back as it was; the others change the white space.
    ``bpe`` (byte-level; Sennrich et al. 2016, Radford et al. 2019) and ``wordpiece`` (Schuster and Nakajima
    2012) are learned by the library ``tokenizers``.

    Raises ``ConfigError`` for an unknown kind, a size that holds no token, or where that library is missing.
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown tokenizer {kind!r}: {nearest(kind, KINDS)}")
    if size is not None and (isinstance(size, bool) or size <= len(SPECIAL)):
        raise ConfigError(f"a tokenizer of size={size}: {len(SPECIAL)} ids are special, give more")
    if isinstance(texts, str):
        raise ConfigError("a tokenizer learns from several texts: give a list, [text]")
    lower = kind in ("word", "wordpiece") if lowercase is None else lowercase
    if kind == "byte":
        return ByteTokenizer(lower)
    if kind in ("bpe", "wordpiece"):
        return learn_subwords(texts, kind, size or 8000, min_count, lower)
    counts: Counter[str] = Counter()
    for text in texts:
        text = text.lower() if lower else text
        counts.update(text if kind == "character" else _WORD.findall(text))
    kept = _frequent(counts, None if size is None else size - len(SPECIAL), min_count)
    return CharacterTokenizer(kept, lower) if kind == "character" else WordTokenizer(kept, lower)


def from_json(content: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that ``to_json`` described; raises ``DataError`` for anything else."""
    try:
        kind, lower = content["kind"], content["lowercase"]
        if kind not in KINDS or not isinstance(lower, bool):
            raise ValueError(f"kind {kind!r}, lowercase {lower!r}")
        if kind == "byte":
            return ByteTokenizer(lower)
        vocabulary = tuple(content["vocabulary"])
        if len(set(vocabulary)) < len(vocabulary) or not all(isinstance(t, str) and t for t in vocabulary):
            raise ValueError("a vocabulary holds different texts")
        if kind == "word":
            return WordTokenizer(vocabulary, lower)
        if kind == "character":
            if any(len(token) != 1 for token in vocabulary) or list(vocabulary) != sorted(vocabulary):
                raise ValueError("a vocabulary of characters is sorted")
            return CharacterTokenizer(vocabulary, lower)
        return subwords_from_json(kind, vocabulary, lower, content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"this is no tokenizer of manyfit: {error!r}") from error


def _frequent(counts: Counter[str], most: int | None, least: int) -> tuple[str, ...]:
    """The tokens that occur ``least`` times, at most the ``most`` frequent of them, by code point."""
    known = sorted(token for token, count in counts.items() if count >= least)
    if most is not None and len(known) > most:
        known = sorted(sorted(known, key=lambda token: -counts[token])[:most])
    return tuple(known)


def words(text: str) -> list[str]:
    """The words of a text, punctuation marks counted: runs of letters and digits, and whatever else is no space.

    >>> words("It's 20 km!")
    ["It's", '20', 'km', '!']
    """
    return _WORD.findall(text)


@dataclass(frozen=True)
class ByteTokenizer:
    """The bytes of UTF-8: 256 tokens, nothing to learn, nothing unknown."""

    lowercase: bool = False
    kind: ClassVar[str] = "byte"
    size: ClassVar[int] = 256 + len(SPECIAL)

    def encode(self, text: str) -> np.ndarray:
        """int32 ``(bytes,)``."""
        data = (text.lower() if self.lowercase else text).encode("utf-8", "surrogatepass")
        return np.frombuffer(data, np.uint8).astype(np.int32) + len(SPECIAL)

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """The text; bytes that are no UTF-8 are shown as U+FFFD."""
        found = _array(ids)
        data = bytearray()
        for part in _runs(found):
            data += LOST.encode() if part is None else (part - len(SPECIAL)).astype(np.uint8).tobytes()
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def token(self, number: int) -> str:
        """The character of an ASCII byte, else its number as ``<0xc3>``."""
        byte = number - len(SPECIAL)
        return SPECIAL[number] if byte < 0 else chr(byte) if 32 <= byte < 127 else f"<0x{byte:02x}>"

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {"kind": self.kind, "lowercase": self.lowercase}


@dataclass(frozen=True)
class CharacterTokenizer:
    """Characters (code points), those that were learned, in the order of their numbers."""

    vocabulary: tuple[str, ...]
    lowercase: bool = False
    kind: ClassVar[str] = "character"

    @property
    def size(self) -> int:
        """How many ids there are, special ones counted."""
        return len(self.vocabulary) + len(SPECIAL)

    @cached_property
    def _points(self) -> np.ndarray:
        return _code_points("".join(self.vocabulary))

    def encode(self, text: str) -> np.ndarray:
        """int32 ``(characters,)``."""
        points = _code_points(text.lower() if self.lowercase else text)
        if not len(self._points):
            return np.full(len(points), UNKNOWN, np.int32)
        place = np.searchsorted(self._points, points).clip(max=len(self._points) - 1)
        return np.where(self._points[place] == points, place + len(SPECIAL), UNKNOWN).astype(np.int32)

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """The text."""
        return "".join(_tokens(_array(ids), self.vocabulary))

    def token(self, number: int) -> str:
        """The character."""
        return _named(number, self.vocabulary)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {"kind": self.kind, "lowercase": self.lowercase, "vocabulary": list(self.vocabulary)}


@dataclass(frozen=True)
class WordTokenizer:
    """Words and punctuation marks (see ``words``), those that were learned."""

    vocabulary: tuple[str, ...]
    lowercase: bool = True
    kind: ClassVar[str] = "word"

    @property
    def size(self) -> int:
        """How many ids there are, special ones counted."""
        return len(self.vocabulary) + len(SPECIAL)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.vocabulary, len(SPECIAL))}

    def encode(self, text: str) -> np.ndarray:
        """int32 ``(words,)``."""
        ids = self._ids
        found = words(text.lower() if self.lowercase else text)
        return np.fromiter((ids.get(word, UNKNOWN) for word in found), np.int32, len(found))

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """The words with a space between each two."""
        return " ".join(_tokens(_array(ids), self.vocabulary))

    def token(self, number: int) -> str:
        """The word."""
        return _named(number, self.vocabulary)

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        return {"kind": self.kind, "lowercase": self.lowercase, "vocabulary": list(self.vocabulary)}


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _array(ids: Iterable[int] | np.ndarray) -> np.ndarray:
    return np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64).reshape(-1)


def _runs(ids: np.ndarray) -> Iterable[np.ndarray | None]:
    """Runs of tokens, None for each unknown one between them."""
    for i, part in enumerate(np.split(ids, np.flatnonzero(ids == UNKNOWN))):
        if i:
            yield None
        yield part[part >= len(SPECIAL)]


def _tokens(ids: np.ndarray, vocabulary: Sequence[str]) -> list[str]:
    shown = ids[(ids == UNKNOWN) | (ids >= len(SPECIAL))]
    return [LOST if i == UNKNOWN else vocabulary[i - len(SPECIAL)] for i in shown.tolist()]


def _named(number: int, vocabulary: Sequence[str]) -> str:
    return SPECIAL[number] if number < len(SPECIAL) else vocabulary[number - len(SPECIAL)]
