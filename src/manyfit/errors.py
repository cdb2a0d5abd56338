"""Errors that say what was wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ManyfitError(Exception):
    """The base of every error that manyfit raises on purpose.

    The faces print its text alone, without a traceback: it has to name the
    place (file, row, column, member) and the mend by itself.
    """


class DataError(ManyfitError, ValueError):
    """The data cannot be used as they are."""


class ConfigError(ManyfitError, ValueError):
    """What was asked for is unknown, contradictory or out of range."""


class RunError(ManyfitError, RuntimeError):
    """A run folder cannot be written, read or continued."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A closing hint for an unknown ``word``: the nearest known one, or all of them.

    >>> nearest("leraning_rate", ["learning_rate", "epochs"])
    "did you mean 'learning_rate'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(names)
