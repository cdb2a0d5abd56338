"""Recurrent layers by the names that the field gives them."""

from __future__ import annotations

from typing import Any, Literal

from manyfit.errors import ConfigError, nearest
from manyfit.nn.parallel import LRU, MinGRU
from manyfit.nn.recurrent import GRU, LSTM, RNN

Cell = Literal["rnn", "gru", "lstm", "mingru", "lru"]
CELLS: dict[str, Any] = {"rnn": RNN, "gru": GRU, "lstm": LSTM, "mingru": MinGRU, "lru": LRU}
"""Every recurrent layer that an architecture may name; ``mingru`` and ``lru`` do all steps at once."""


def check_cell(spec: object, cell: object) -> None:
    """Raises ``ConfigError`` for a name that is none of them; a range to search is checked where it is drawn."""
    if isinstance(cell, str) and cell not in CELLS:
        raise ConfigError(f"{type(spec).__name__}: there is no layer {cell!r}: {nearest(cell, CELLS)}")
