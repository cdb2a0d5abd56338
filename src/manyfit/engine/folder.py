"""A run's folder: made, locked against a second process, written file by file."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from manyfit.engine.checkpoint import write_file
from manyfit.errors import RunError

FORMAT = 1
"""The version of the folder's layout, in ``experiment.json``."""


class RunFolder:
    """One run on disk. As a context it holds the lock: two processes never write one folder.

    The lock is the operating system's and goes with the process, however that ends.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock: IO[str] | None = None

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def __enter__(self) -> RunFolder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / ".lock", "a", encoding="utf-8")
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot write there ({error.strerror}); choose another run folder"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise RunError(
                f"{self.path}: another process is working on this run; wait for it or choose another folder"
            ) from error
        self._lock = lock
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def checkpoints(self) -> Path:
        """Where unfinished states lie."""
        return self.path / "checkpoints"

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / "experiment.json").is_file()

    def withdraw(self) -> None:
        """Take back a run that never began: the folder may take another, and is gone where nothing else lies in it."""
        for name in ("experiment.json", ".lock"):
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def write_json(self, name: str, content: Any) -> None:
        """Replace a file by ``content``; NaN and infinity become null."""
        text = json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False)
        self.write(name, (text + "\n").encode())

    def write_lines(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Replace a file by one JSON object a line."""
        lines = (json.dumps(plain(row), ensure_ascii=False, allow_nan=False) for row in rows)
        self.write(name, "".join(line + "\n" for line in lines).encode())

    def write(self, name: str, content: bytes) -> None:
        """Replace a file, whole or not at all."""
        place = self.path / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{place.parent}: cannot be made ({error.strerror})") from error
        write_file(place, content)

    def read_json(self, name: str) -> Any:
        """A file's content; raises ``RunError`` that names it where it is missing or broken."""
        place = self.path / name
        try:
            return json.loads(place.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(f"{place} is not there: is {self.path} the folder of a run?") from error
        except (OSError, ValueError) as error:
            raise RunError(
                f"{place} cannot be read ({error}); restore it or run the experiment anew"
            ) from error

    def read_experiment(self) -> dict[str, Any]:
        """What was asked; raises ``RunError`` where it is of another version of the format."""
        content = self.read_json("experiment.json")
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            raise RunError(
                f"{self.path / 'experiment.json'} has format {found!r}, this version of manyfit reads {FORMAT}: "
                "use the version that wrote it, or run the experiment anew"
            )
        for part in ("task", "data", "settings"):
            if not isinstance(content.get(part), dict):
                raise RunError(
                    f"{self.path / 'experiment.json'} has no {part!r}: it is not whole; "
                    "restore it or run the experiment anew"
                )
        return content


def plain(value: Any) -> Any:
    """``value`` with numpy scalars as Python's, and what is not finite as None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
