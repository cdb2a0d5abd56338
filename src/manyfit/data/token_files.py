"""Texts larger than memory: read in pieces, tokenized into a file, and mapped into memory from there."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from manyfit.data.special_tokens import PAD
from manyfit.data.tokenizers import Tokenizer
from manyfit.errors import DataError

PIECE = 1 << 22
"""Characters that are read at once."""


@dataclass(frozen=True)
class TokenFile:
    """A text as tokens in a file, ``PAD`` behind the last."""

    path: Path
    tokens: int
    """How many, the ``PAD`` not counted."""
    characters: int
    sha256: str
    """Of the text as UTF-8."""
    dtype: str
    blank: bool = False
    """Whether it is white space alone."""

    def open(self) -> np.ndarray:
        """The tokens ``(tokens + 1,)``, mapped into memory: what is not looked at takes none."""
        return np.memmap(self.path, np.dtype(self.dtype), mode="r", shape=(self.tokens + 1,))


_NOTED = ("tokens", "characters", "sha256", "blank")
"""What lies in JSON beside the tokens."""


def pieces(path: str | Path, size: int = PIECE) -> Iterator[str]:
    """A UTF-8 text file, gzip-packed or not, in pieces of about ``size`` characters.

    They are cut where no tokenizer could join what is on both sides; a text without such places comes in one piece.
    Raises ``DataError`` for a file that is broken or no UTF-8, with the line.
    """
    path = Path(path)
    rest, line = "", 1
    try:
        with _opened(path) as file:
            # ends of lines are kept as they are, as tokens are made of them
            text = io.TextIOWrapper(file, "utf-8-sig", newline="")
            while block := text.read(size):
                line += block.count("\n")
                rest += block
                place = _last_break(rest, len(rest) - len(block))
                if place:
                    yield rest[:place]
                    rest = rest[place:]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: no UTF-8 (byte {error.object[error.start]:#04x}) after line {line}: convert the file, as with "
            "iconv -f latin1 -t utf8"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): check the path and the file") from error
    if rest:
        yield rest


def token_file(path: str | Path, tokenizer: Tokenizer, folder: str | Path | None = None) -> TokenFile:
    """The text of a file as tokens in a file of ``folder`` (the user's cache where None), made there if need be.

    The name follows from the tokenizer and from the text file's place, size and time of change, so that a run that
    is resumed finds it again. Raises ``DataError`` where the text cannot be read or the tokens cannot be written.
    """
    path = Path(path)
    folder = _cache() if folder is None else Path(folder)
    about = path.stat()
    asked = [tokenizer.to_json(), str(path.resolve()), about.st_size, about.st_mtime_ns]
    name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]
    binary, notes = folder / f"{name}.bin", folder / f"{name}.json"
    dtype = "<u2" if tokenizer.size <= 2**16 else "<i4"
    if notes.exists() and binary.exists():
        known = json.loads(notes.read_text())
        whole = TokenFile(binary, dtype=dtype, **{field: known[field] for field in _NOTED})
        if binary.stat().st_size == (whole.tokens + 1) * np.dtype(dtype).itemsize:
            return whole
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            tokens, characters, digest, blank = 0, 0, hashlib.sha256(), True
            try:
                for piece in pieces(path):
                    found = tokenizer.encode(piece)
                    file.write(found.astype(dtype).tobytes())
                    digest.update(piece.encode("utf-8", "surrogatepass"))
                    tokens, characters = tokens + len(found), characters + len(piece)
                    blank = blank and not piece.strip()
                file.write(np.array([PAD], dtype).tobytes())
                file.close()
                os.replace(file.name, binary)  # whole or not at all
            except BaseException:
                os.unlink(file.name)
                raise
        made = TokenFile(binary, tokens, characters, digest.hexdigest(), dtype, blank)
        notes.write_text(json.dumps({f: getattr(made, f) for f in _NOTED} | {"source": str(path)}))
    except OSError as error:
        raise DataError(
            f"the tokens of {path} cannot be written to {folder} ({error.strerror}): free some space, or set "
            "XDG_CACHE_HOME to another place"
        ) from error
    return made


def _last_break(text: str, first: int) -> int:
    """The last place from ``first`` on where a text can be cut and its tokens be those of its parts, 0 for none.

    Before the white space behind a word: what tokenizers join to such space lies after it.
    """
    for place in range(len(text) - 1, max(first, 1) - 1, -1):
        if text[place] in " \n" and text[place - 1].isalnum():
            return place
    return 0


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "manyfit" / "tokens"
