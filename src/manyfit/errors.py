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
    close = difflib.get_close_matches(word, names, n=5, cutoff=0.6)
    if close:  # of equally near ones that which begins alike: resnet20 for resnet21, not resnet32

        def likeness(name: str) -> tuple[float, int]:
            ratio = difflib.SequenceMatcher(None, name, word).ratio()
            return round(ratio, 6), _alike_at_the_start(name, word)

        return f"did you mean {max(close, key=likeness)!r}?"
    return "known: " + ", ".join(names)


def no_column(source: object, name: object, names: Iterable[str], what: str) -> DataError:
    """The error of a table without a column; ``what`` is the option that asked for it.

    >>> print(no_column("shop.csv", "prize", ["price", "size"], "target"))
    shop.csv has no column 'prize' (asked for as target); did you mean 'price'?
    """
    return DataError(f"{source} has no column {name!r} (asked for as {what}); {nearest(str(name), names)}")


def _alike_at_the_start(a: str, b: str) -> int:
    """How many letters two words have in common before they differ."""
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
