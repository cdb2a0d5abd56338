"""Byte pairs and word pieces, learned and applied by the library ``tokenizers``, kept in JSON of our own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from manyfit.data.special_tokens import LOST, SPECIAL, UNKNOWN
from manyfit.errors import ConfigError, DataError

_UNKNOWN = "[UNK]"
_MARK = "##"
"""What a word piece begins with that goes on within a word."""
_ENDLESS = re.compile(r"\S{256,}")
"""No word; learning pairs takes time with the square of its length."""


@dataclass(frozen=True)
class SubwordTokenizer:
    """Byte pairs (``bpe``: byte-level, so that nothing is unknown and a text comes back as it was) or word pieces."""

    kind: str
    vocabulary: tuple[str, ...]
    """In the writing of the library: of byte pairs each byte is a printable character."""
    merges: tuple[tuple[str, str], ...] = ()
    """Of byte pairs: what is joined, the first first."""
    lowercase: bool = False

    @property
    def size(self) -> int:
        """How many ids there are, special ones counted."""
        return len(self.vocabulary) + len(SPECIAL)

    @cached_property
    def _library(self) -> Any:
        """The library's tokenizer with our ids. No token of it is special, so that no text can name one."""
        found = _library()
        ids = {token: i for i, token in enumerate(self.vocabulary, len(SPECIAL))}
        if self.kind == "bpe":
            tokenizer = found.Tokenizer(found.models.BPE(ids, list(self.merges)))
        else:
            tokenizer = found.Tokenizer(
                found.models.WordPiece({**ids, _UNKNOWN: UNKNOWN}, unk_token=_UNKNOWN)
            )
        _prepare(tokenizer, self.kind, self.lowercase)
        return tokenizer

    def encode(self, text: str) -> np.ndarray:
        """int32 ``(tokens,)``."""
        return np.array(
            self._library.encode_batch_fast([_valid(text)], add_special_tokens=False)[0].ids, np.int32
        )

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """The text; ``UNKNOWN`` is shown as U+FFFD, and of byte pairs also bytes that are no UTF-8."""
        shown = [int(i) for i in ids if int(i) == UNKNOWN or int(i) >= len(SPECIAL)]
        if self.kind == "bpe":
            return self._library.decode([i for i in shown if i != UNKNOWN], skip_special_tokens=False)
        pieces = [LOST if i == UNKNOWN else self.vocabulary[i - len(SPECIAL)] for i in shown]
        joined = [p[len(_MARK) :] if p.startswith(_MARK) and len(p) > len(_MARK) else f" {p}" for p in pieces]
        return "".join(joined).removeprefix(" ")

    def token(self, number: int) -> str:
        """The piece as a text."""
        if number < len(SPECIAL):
            return SPECIAL[number]
        piece = self.vocabulary[number - len(SPECIAL)]
        return self.decode([number]) if self.kind == "bpe" else piece

    def to_json(self) -> dict[str, Any]:
        """A dictionary of JSON types."""
        about = {"kind": self.kind, "lowercase": self.lowercase, "vocabulary": list(self.vocabulary)}
        return about | ({"merges": [list(pair) for pair in self.merges]} if self.kind == "bpe" else {})


def learn_subwords(
    texts: Iterable[str], kind: str, size: int, min_count: int, lowercase: bool
) -> SubwordTokenizer:
    """Learn ``size`` ids from texts; see ``manyfit.data.tokenizers.learn``."""
    found = _library()
    several = [_ENDLESS.sub(" ", _valid(text)) for text in texts]
    room = size - len(SPECIAL)
    least = max(min_count, 2)
    if kind == "bpe":
        if room < 256:
            raise ConfigError(
                f"byte pairs begin with 256 bytes: size={size} is less than {256 + len(SPECIAL)}"
            )
        tokenizer = found.Tokenizer(found.models.BPE())
        trainer = found.trainers.BpeTrainer(
            vocab_size=room,
            min_frequency=least,
            initial_alphabet=found.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    else:
        tokenizer = found.Tokenizer(found.models.WordPiece(unk_token=_UNKNOWN))
        # named beforehand: the library would number them in the order of a hash table, another each time
        characters = sorted({c for text in several for c in (text.lower() if lowercase else text)})
        alphabet = [c for c in characters if not c.isspace()]
        trainer = found.trainers.WordPieceTrainer(
            vocab_size=room,
            min_frequency=least,
            special_tokens=alphabet + [_MARK + c for c in alphabet],
            show_progress=False,
        )
    _prepare(tokenizer, kind, lowercase)
    tokenizer.train_from_iterator(several, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = tuple((a, b) for a, b in model["merges"]) if kind == "bpe" else ()
    return SubwordTokenizer(kind, tuple(vocabulary), merges, lowercase)


def subwords_from_json(
    kind: str, vocabulary: tuple[str, ...], lowercase: bool, content: Mapping[str, Any]
) -> SubwordTokenizer:
    """The tokenizer that ``to_json`` described; raises ``DataError`` where its merges do not fit its vocabulary."""
    merges = tuple((str(a), str(b)) for a, b in content["merges"]) if kind == "bpe" else ()
    known = set(vocabulary)
    wrong = [pair for pair in merges if not {*pair, "".join(pair)} <= known]
    if wrong or (kind == "wordpiece" and _UNKNOWN in known):
        raise DataError(f"the tokenizer's merge {wrong[:1]} is not in its vocabulary")
    return SubwordTokenizer(kind, vocabulary, merges, lowercase)


def _prepare(tokenizer: Any, kind: str, lowercase: bool) -> None:
    """How a text is cut before pieces are looked for."""
    found = _library()
    if kind == "bpe":
        tokenizer.pre_tokenizer = found.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = found.decoders.ByteLevel()
        if lowercase:
            tokenizer.normalizer = found.normalizers.Lowercase()
    else:
        tokenizer.normalizer = found.normalizers.BertNormalizer(strip_accents=False, lowercase=lowercase)
        tokenizer.pre_tokenizer = found.pre_tokenizers.BertPreTokenizer()


def _valid(text: str) -> str:
    """The library takes UTF-8 only; half a surrogate pair is none."""
    return text.encode("utf-8", "replace").decode()


def _library() -> Any:
    try:
        import tokenizers
        import tokenizers.trainers
    except ImportError:
        raise ConfigError(
            "byte pairs and word pieces need the library tokenizers: pip install 'manyfit[text]', "
            "or take tokenizer='word'"
        ) from None
    return tokenizers
