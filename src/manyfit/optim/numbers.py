"""Hyper-parameters in arithmetic."""

from __future__ import annotations

from typing import Any

from manyfit.space import Numeric


def number(value: Numeric) -> Any:
    """A hyper-parameter where it is computed with: a number or a traced scalar, no distribution any more."""
    return value


def off(value: object) -> bool:
    """Known to be 0 before anything is traced."""
    return isinstance(value, (int, float)) and value == 0
