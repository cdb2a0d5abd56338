"""The columns of a table, each with a picture of its values as far as the run folder tells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from manyfit.report.files import real
from manyfit.report.numbers import NONE, clipped, grouped, number
from manyfit.report.svg import c, document


@dataclass(frozen=True)
class ColumnRow:
    """One row of the column table."""

    name: str
    kind: str
    missing: str
    unique: str
    text: str
    picture: Markup | None
    note: str


def column_rows(columns: Sequence[Any], rows: int | None) -> list[ColumnRow]:
    """What is shown of each column."""
    return [_row(column, rows) for column in columns if isinstance(column, Mapping)]


def _row(column: Mapping[str, Any], rows: int | None) -> ColumnRow:
    name = str(column.get("name", ""))
    missing = column.get("missing")
    share, of = "", column.get("of", rows)
    if isinstance(missing, int) and missing and isinstance(of, int) and of > 0:
        part = 100.0 * missing / of
        share = f" ({part:.0f} %)" if part >= 1 else " (< 1 %)"
    text, picture = _values(name, column)
    return ColumnRow(
        name=clipped(name, 120),
        kind=str(column.get("kind", "")),
        missing=(grouped(missing) if missing else "0") + share if isinstance(missing, int) else NONE,
        unique=number(column.get("unique")),
        text=text,
        picture=picture,
        note=str(column.get("note") or ""),
    )


def _values(name: str, column: Mapping[str, Any]) -> tuple[str, Markup | None]:
    top = column.get("top")
    if isinstance(top, list) and top:
        return _top(name, top)
    ends = [column.get(k) for k in ("min", "median", "max")]
    if all(e is None for e in ends):
        return "", None
    low, middle, high = (real(e) for e in ends)
    if not all(map(math.isfinite, (low, middle, high))):
        return " – ".join(str(e)[:10] for e in (ends[0], ends[2]) if e is not None), None
    text = f"{number(low, 3)} · {number(middle, 3)} · {number(high, 3)}"
    at = 4 + 112 * ((middle - low) / (high - low) if high > low else 0.5)
    parts = [f'<path class="whisker b" d="M4 8H116"/><circle class="dot a" cx="{c(at)}" cy="8" r="4"/>']
    return text, document(
        f"{name}: from {number(low)} to {number(high)}, median {number(middle)}", 120, 16, parts, "mini"
    )


def _top(name: str, top: list[Any]) -> tuple[str, Markup | None]:
    pairs = [
        (str(p[0]), int(p[1])) for p in top if isinstance(p, list) and len(p) == 2 and isinstance(p[1], int)
    ]
    if not pairs:
        return "", None
    most = max(n for _, n in pairs) or 1
    wide = min(14.0, 116.0 / len(pairs))
    parts = [
        f'<rect class="fill {"a" if i == 0 else "b"}" x="{c(2 + i * wide)}" y="{c(15 - 14 * n / most)}" '
        f'width="{c(wide - 1.5)}" height="{c(max(14 * n / most, 0.5))}"/>'
        for i, (_, n) in enumerate(pairs)
    ]
    text = ", ".join(f"{clipped(value, 16)} {grouped(n)}" for value, n in pairs[:3])
    text += ", …" if len(pairs) > 3 else ""
    return text, document(f"{name}: {len(pairs)} most frequent values", 120, 16, parts, "mini")
