"""Labelled words: what is taken for what, and a few sentences with their mistakes marked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from manyfit.report.classification import confusion_table
from manyfit.report.files import RunFiles
from manyfit.report.numbers import clipped, grouped, share

MOST_PAIRS = 10
HEADINGS = ((1, "The surest mistakes"), (0, "As they come"))


@dataclass(frozen=True)
class Tags:
    """``pairs`` are (label, taken for, words, share of the label's words, share of all mistakes)."""

    pairs: Sequence[tuple[str, str, str, str, str]]
    sentences: Sequence[tuple[str, Sequence[tuple[Markup, str]]]]
    """(heading, (sentence with its mistakes marked, what to say of it))."""


def tags(run: RunFiles) -> Tags | None:
    """The section of a run of labelled words; None for any other."""
    if run.part("task").get("kind") != "tagging" or run.predictions is None:
        return None
    classes = run.classes
    table = confusion_table(run.predictions)
    mistakes = table - np.diag(np.diag(table))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = []
    for true, called in zip(*np.unravel_index(order, table.shape)):
        count = int(mistakes[true, called])
        if count:
            of = share(count / table[true].sum()), share(count / mistakes.sum())
            pairs.append((clipped(classes[true], 40), clipped(classes[called], 40), grouped(count), *of))
    return Tags(pairs, _sentences(run))


def _sentences(run: RunFiles) -> list[tuple[str, Sequence[tuple[Markup, str]]]]:
    try:
        content = json.loads((run.path / "tags.json").read_text(encoding="utf-8"))
        groups: list[tuple[str, Sequence[tuple[Markup, str]]]] = []
        for kind, heading in HEADINGS:
            here = [_sentence(one) for one in content["sentences"] if one["group"] == kind]
            if here:
                groups.append((heading, here))
        return groups
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _sentence(one: dict[str, Any]) -> tuple[Markup, str]:
    parts, wrong = [], []
    for word, label, called, sure in zip(
        one["words"], one["labels"], one["called"], one["probability"], strict=True
    ):
        word = clipped(str(word), 60)
        if label is None:
            parts.append(Markup("{}").format(word))
        elif label == called:
            parts.append(Markup('<span title="{}">{}</span>').format(f"{label}, {share(float(sure))}", word))
        else:
            told = f"{called}, {share(float(sure))}; it is {label}"
            parts.append(Markup('<mark class="c" style="--w:40%" title="{}">{}</mark>').format(told, word))
            wrong.append(f"{word}: {clipped(called, 20)}, {share(float(sure))}, is {clipped(label, 20)}")
    said = f"row {one['row']}: " + ("; ".join(wrong) if wrong else "all right")
    return Markup(" ").join(parts), said
