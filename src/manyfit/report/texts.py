"""Labelled texts as they were called, each word shaded by what it spoke for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from manyfit.report.files import RunFiles
from manyfit.report.numbers import clipped, number, share

HEADINGS = ("Surely right", "Surely wrong", "Least sure")
FAINTEST = 0.1
"""Words below this part of the strongest one's weight are left plain."""


@dataclass(frozen=True)
class Text:
    """A text with its words marked, and what was said of it."""

    said: str
    marked: Markup


def texts(run: RunFiles) -> list[tuple[str, Sequence[Text]]]:
    """(heading, texts) of each group that has any; none for another kind of run, or a broken file."""
    try:
        content = json.loads((run.path / "texts.json").read_text(encoding="utf-8"))
        groups: list[tuple[str, Sequence[Text]]] = []
        for kind, heading in enumerate(HEADINGS):
            here = [_text(one) for one in content["texts"] if one["group"] == kind]
            if here:
                groups.append((heading, here))
        return groups
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _text(one: dict[str, Any]) -> Text:
    target, called = clipped(str(one["target"]), 30), clipped(str(one["called"]), 30)
    said = f"row {one['row']}: {called}, {share(float(one['probability']))}"
    said += "" if target == called else f"; it is {target}"
    tokens, weights = one["tokens"], one["weights"]
    strongest = max((abs(float(w)) for w in weights), default=0.0)
    parts = []
    for token, weight in zip(tokens, map(float, weights), strict=True):
        part = abs(weight) / strongest if strongest > 0 else 0.0
        if part < FAINTEST:
            parts.append(Markup("{}").format(token))
            continue
        kind = "a" if weight > 0 else "c"
        told = f"{'for' if weight > 0 else 'against'} {called}: {number(abs(weight), 2)}"
        parts.append(
            Markup('<mark class="{}" style="--w:{}%" title="{}">{}</mark>').format(
                kind, round(60 * part), told, token
            )
        )
    return Text(said, Markup(" ").join(parts))
