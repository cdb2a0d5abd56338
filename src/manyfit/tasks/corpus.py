"""A running text as a task: tokens and the windows on them, none of which crosses from one part into another."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.data import tokenizers
from manyfit.data.token_files import pieces, token_file
from manyfit.data.tokenizers import Tokenizer
from manyfit.engine import Stored
from manyfit.errors import ConfigError, DataError
from manyfit.tasks.task import Task

TEST = 0.1
"""The part of the text, its end, that is tested where nothing is said."""
VALIDATION = 0.1
"""The part of the training text, its end, that is looked at every ``LOOK`` steps where nothing is said."""
MOST_TESTED, MOST_VALIDATED = 5_000_000, 500_000
"""Tokens that these two parts hold at most where nothing is said: more would tell little and take all the time."""
LEARNED_FROM = 20_000_000
"""Characters that a vocabulary is learned from at most."""

Part = tuple[int, int]
"""The first token and the one behind the last."""
Splits = Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]


def is_corpus(path: Path, target: str | None) -> bool:
    """Whether ``manyfit fit`` takes the path for one running text: a .txt file with no target."""
    return target is None and path.name.lower().removesuffix(".gz").endswith(".txt")


def read_text(path: str | Path) -> str:
    """A UTF-8 text file, gzip-packed or not; raises ``DataError`` for an empty or a broken one."""
    path = Path(path)
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): check the path and the file") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}: line {line} is no UTF-8 (byte {data[error.start]:#04x} at {error.start}): convert the file, "
            "as with iconv -f latin1 -t utf8"
        ) from error
    if not text.strip():
        raise DataError(f"{path} is empty: give a text to learn from")
    return text


@dataclass(frozen=True)
class TextEncoder:
    """Running text, by the tokenizer that was learned from the training text."""

    tokenizer: Tokenizer
    context: int

    def encode(self, rows: Any) -> dict[str, np.ndarray]:
        """The windows of a whole text, of a file (``Path``) or a string, as ``NextToken`` takes them."""
        text = rows if isinstance(rows, str) else read_text(rows)
        tokens = self.tokenizer.encode(text)
        if len(tokens) < 2:
            raise DataError(f"a text of {len(tokens)} tokens has nothing to predict: give a longer one")
        windows = _windows([(0, len(tokens))], self.context, len(text) / len(tokens))
        return {"tokens": _padded(tokens, self.tokenizer.size, self.context), **windows}

    def encode_target(self, rows: Any) -> np.ndarray:
        """The tokens themselves: a text is its own target."""
        return self.encode(rows)["tokens"]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able account."""
        return {"encoder": "text", "context": self.context, "tokenizer": self.tokenizer.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TextEncoder:
        """The encoder that ``to_json`` described."""
        return cls(tokenizers.from_json(content["tokenizer"]), int(content["context"]))


@dataclass(frozen=True)
class Corpus(Task):
    """A text as tokens, its windows, and which of them train, validate and test in each fold."""

    splits: Splits = ()
    context: int = 64

    @property
    def vocabulary(self) -> int:
        """How many token ids there are."""
        assert isinstance(self.encoder, TextEncoder)
        return self.encoder.tokenizer.size

    @property
    def training_rows(self) -> int:
        """Windows that train in the smallest fold."""
        return min(len(train) for train, _, _ in self.splits)


def corpus(
    text: str,
    *,
    tokenizer: str = "character",
    size: int | None = None,
    context: int = 64,
    folds: int = 1,
    test: float | None = None,
    validation: float | None = None,
    source: str = "text",
) -> Corpus:
    """The task of one running text.

    With one fold its end is tested (the share ``test``), the end of what comes before validates (the share
    ``validation`` of it, 0 for none), the rest trains: in order, as what comes is predicted from what was. Where
    they are None each is a tenth, but at most ``MOST_TESTED`` and ``MOST_VALIDATED`` tokens.
    With more folds the text is cut into so many blocks, and each is tested once. No window reaches from one
    part into another. The vocabulary is learned from the text that trains; with several folds from all of it.

    Raises ``DataError`` for a text that is too short for that, ``ConfigError`` for settings out of range.
    """
    _check(context, folds, test, validation)
    if not text.strip():
        raise DataError(f"{source} is empty: give a text to learn from")
    kind = "character" if tokenizer == "char" else tokenizer
    seen = text if folds > 1 else text[: max(1, int(len(text) * _training_share(test, validation)))]
    # a vocabulary is learned line by line, so that no single line is a whole book to it
    lines = [seen] if kind == "character" else seen[:LEARNED_FROM].splitlines(keepends=True)
    learned = tokenizers.learn(lines, kind, size=size)
    tokens = learned.encode(text)
    about = {
        "source": source,
        "fingerprint": "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        "warnings": _warnings(tokens, context),
    }
    kept = _padded(tokens, learned.size, context)
    return _task(kept, len(tokens), len(text), learned, context, folds, test, validation, about)


def stored_corpus(
    path: str | Path,
    *,
    tokenizer: str = "character",
    size: int | None = None,
    context: int = 64,
    folds: int = 1,
    test: float | None = None,
    validation: float | None = None,
    folder: str | Path | None = None,
) -> Corpus:
    """The task of a text file of any length: its tokens lie in a file, and a step reads the windows that it takes.

    Otherwise like ``corpus``; a vocabulary of words or pieces comes from the text's beginning (``LEARNED_FROM``
    characters), one of characters from the text that trains. ``folder`` is where the tokens are written, the user's
    cache where None.
    """
    _check(context, folds, test, validation)
    path = Path(path)
    kind = "character" if tokenizer == "char" else tokenizer
    share = 1.0 if folds > 1 else _training_share(test, validation)
    learned = tokenizers.learn(_beginning(path, kind, share), kind, size=size)
    file = token_file(path, learned, folder)
    if not file.tokens or file.blank:
        raise DataError(f"{path} is empty: give a text to learn from")
    tokens = file.open()
    about = {
        "source": str(path),
        "fingerprint": f"sha256:{file.sha256}",
        "warnings": _warnings(tokens[: 100 * context], context),
    }
    return _task(
        Stored(tokens), file.tokens, file.characters, learned, context, folds, test, validation, about
    )


def _check(context: int, folds: int, test: float | None, validation: float | None) -> None:
    if context < 2:
        raise ConfigError(f"context={context}: give at least 2 tokens")
    test, validation = TEST if test is None else test, VALIDATION if validation is None else validation
    if not 0 < test < 1 or not 0 <= validation < 1:
        raise ConfigError(f"test={test}, validation={validation}: give shares of the text in (0, 1)")
    if folds < 1:
        raise ConfigError(f"folds={folds}: give at least 1")


def _training_share(test: float | None, validation: float | None) -> float:
    """The part of a text that trains, at the least."""
    return (1 - (TEST if test is None else test)) * (1 - (VALIDATION if validation is None else validation))


def _share(asked: float | None, share: float, count: int, most: int) -> int:
    """How many of ``count`` tokens a part holds: the share that was asked, or the default one up to ``most``."""
    return min(round(share * count), most) if asked is None else round(asked * count)


def _beginning(path: Path, kind: str, share: float) -> Iterator[str]:
    """What a vocabulary is learned from: the first ``share`` of the characters, in lines for all but characters."""
    if kind == "byte":
        return
    trains = int(sum(map(len, pieces(path))) * share)
    left = max(1, trains if kind == "character" else min(trains, LEARNED_FROM))
    for piece in pieces(path):
        piece = piece[:left]
        left -= len(piece)
        yield from [piece] if kind == "character" else piece.splitlines(keepends=True)
        if left <= 0:
            return


def _task(
    kept: np.ndarray | Stored,
    count: int,
    characters: int,
    learned: Tokenizer,
    context: int,
    folds: int,
    test: float | None,
    validation: float | None,
    about: Mapping[str, Any],
) -> Corpus:
    """The task of ``count`` tokens, with what ``kept`` holds behind them being padding."""
    source = about["source"]
    if folds == 1:
        last = count - max(1, _share(test, TEST, count, MOST_TESTED))
        blocks: list[Part] = [(0, last), (last, count)]
    else:
        ends = np.linspace(0, count, folds + 1).astype(int).tolist()
        blocks = list(itertools.pairwise(ends))
    parts: list[tuple[Part, Part]] = []
    for i, (first, end) in enumerate(blocks):
        whole = folds == 1 and i == 1  # nothing of it trains
        middle = end if whole else end - _share(validation, VALIDATION, end - first, MOST_VALIDATED)
        parts.append(((first, middle), (middle, end)))
    least = min(middle - first for (first, middle), _ in parts[: len(parts) - (folds == 1)])
    if least < context + 1 or min(end - first for first, end in blocks) < 2:
        raise DataError(
            f"{source}: {count} tokens are too few, as {least} of them in a row would train and a window needs "
            f"{context + 1}: give more text, or a shorter context (--context)"
        )
    each = characters / count
    found, rows, laid = [], [], 0
    for pair in parts:
        both = []
        for part in pair:
            windows = _windows([part], context, each)
            both.append(np.arange(laid, laid + len(windows["start"])))
            laid += len(windows["start"])
            found.append(windows)
        rows.append(both)
    windows = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    tested = range(len(blocks)) if folds > 1 else [len(blocks) - 1]
    splits = []
    for i in tested:
        others = [rows[j] for j in range(len(blocks)) if j != i]
        train, held = (np.concatenate([both[k] for both in others]) for k in (0, 1))
        splits.append((train, held, np.concatenate(rows[i])))
    kinds = {"character": "characters", "byte": "bytes", "word": "words"}
    stored = ", read from a file as they are needed" if isinstance(kept, Stored) else ""
    said = {
        "kind": "corpus",
        "rows": laid,
        "summary": f"{characters:,} characters, {count:,} tokens of {learned.size:,} "
        f"({kinds.get(learned.kind, learned.kind)}){stored}, windows of {context}",
        "columns": [],
    }
    return Corpus(
        kind="own",
        data={"tokens": kept, **windows},
        rows=laid,
        target="next token",
        encoder=TextEncoder(learned, context),
        about={**about, **said},
        splits=tuple(splits),
        context=context,
    )


def _windows(parts: list[Part], context: int, characters: float) -> dict[str, np.ndarray]:
    """Rows of ``NextToken`` for parts of a text: every token but a part's first is the target of one row."""
    found: dict[str, list[np.ndarray]] = {"start": [], "targets": [], "reach": [], "characters": []}
    for first, end in parts:
        start = np.arange(first, max(end - 1, first), context)
        targets = np.minimum(context, end - 1 - start)
        found["start"].append(start)
        found["targets"].append(targets)
        found["reach"].append(np.clip(end - 1 - context - start, 0, context - 1))
        found["characters"].append(targets * characters)
    kinds = {"characters": np.float32}
    return {name: np.concatenate(some).astype(kinds.get(name, np.int32)) for name, some in found.items()}


def _padded(tokens: np.ndarray, size: int, context: int) -> np.ndarray:
    """The tokens, followed by room for the longest window."""
    kind = np.uint16 if size <= 2**16 else np.int32
    return np.pad(tokens, (0, 2 * context + 1)).astype(kind)


def _warnings(tokens: np.ndarray, context: int) -> list[str]:
    said = []
    unknown = int((tokens == tokenizers.UNKNOWN).sum())
    if unknown:
        said.append(
            f"{unknown} of {len(tokens)} tokens are not in the vocabulary of the training text and count as one "
            "unknown token: --tokenizer byte knows all"
        )
    if len(tokens) < 100 * context:
        said.append(f"{len(tokens)} tokens are few to learn a language from")
    return said
