"""Metrics of sequences of labels: a word at a time, and of spans as named entities are scored.

``target`` is ``(n, T)`` class indices, negative where there is no word or no label; an index of ``len(classes)`` or
more is a label that the model does not know. ``output`` is ``(n, T, K)`` probabilities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from manyfit.errors import ConfigError, DataError, nearest
from manyfit.metrics.predictions import METRICS, Metric

_SCHEME = re.compile(r"O|[BIESLUM]-.+", re.S)
SPANS = ("span_f1", "span_precision", "span_recall")
"""Figures of labels that mark spans; the first is what such runs are compared by."""
WORDS = ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "log_loss", "mcc", "brier", "ece")
"""Figures of ``METRICS`` that are defined a word at a time."""


class Span(NamedTuple):
    """Words ``first`` to ``last``, both counted, and what they are."""

    kind: str
    first: int
    last: int


def marks_spans(classes: Iterable[str]) -> bool:
    """Whether labels mark spans: ``O``, and ``B-`` or ``I-`` (also ``E-``, ``S-``, ``L-``, ``U-``) and a kind.

    >>> marks_spans(["O", "B-PER", "I-PER"]), marks_spans(["NOUN", "VERB"]), marks_spans(["O", "X"])
    (True, False, False)
    """
    found = list(classes)
    return any(name != "O" for name in found) and all(_SCHEME.fullmatch(name) for name in found)


def spans(labels: Sequence[str]) -> list[Span]:
    """The spans that a sentence's labels mark, by the rules of CoNLL's ``conlleval``.

    A span begins at ``B``, ``S`` or ``U``, where the kind changes, and where any label follows ``O`` or the end of
    a span (``E``, ``S``, ``L``, ``U``): so an ``I`` without its ``B`` begins one too. Source: Tjong Kim Sang and
    Buchholz (2000), "Introduction to the CoNLL-2000 shared task"; seqeval does the same by default.

    >>> spans(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [Span(kind='PER', first=0, last=1), Span(kind='LOC', first=3, last=3), Span(kind='LOC', first=4, last=4)]
    """
    found: list[Span] = []
    kind, first, ended = "", 0, True
    for place, label in enumerate(labels):
        mark, _, here = ("O", "", "") if label == "O" else label.partition("-")
        begins = mark in "BSU" or ended or here != kind
        if not ended and (mark == "O" or begins):
            found.append(Span(kind, first, place - 1))
        if mark == "O":
            ended = True
            continue
        if begins:
            kind, first = here, place
        ended = mark in "ESLU"
        if ended:
            found.append(Span(kind, first, place))
    if not ended:
        found.append(Span(kind, first, len(labels) - 1))
    return found


def span_scores(target: Iterable[Sequence[str]], called: Iterable[Sequence[str]]) -> dict[str, float]:
    """``span_precision``, ``span_recall`` and ``span_f1`` of sentences: a span counts where both ends and kind agree.

    0 where nothing is right; NaN where there is no span at all.
    """
    right = there = said = 0
    for truth, guess in zip(target, called, strict=True):
        wanted, found = set(spans(truth)), set(spans(guess))
        right, there, said = right + len(wanted & found), there + len(wanted), said + len(found)
    if not there + said:
        return dict.fromkeys(SPANS, float("nan"))
    return {
        "span_f1": 2 * right / (there + said),
        "span_precision": right / said if said else 0.0,
        "span_recall": right / there if there else 0.0,
    }


def tag_metric(name: str, classes: Sequence[str]) -> Metric:
    """What is known of a figure of labels; its function takes words one by one and cannot be called for spans.

    Raises ``ConfigError`` for an unknown name, and for spans where the labels mark none.
    """
    if name in SPANS:
        if not marks_spans(classes):
            raise ConfigError(
                f"{name} is for labels that mark spans (O, B-PER, I-PER …), and these are "
                f"{', '.join(classes[:4])} …: choose among {', '.join(WORDS)}"
            )
        return Metric(name, _none, "maximize", ("tagging",), "labels", (0, 1))
    if name == UNSEEN:
        return Metric(name, _none, "maximize", ("tagging",), "labels", (0, 1))
    if name not in WORDS:
        raise ConfigError(f"{name!r} is no metric of words: {nearest(name, (*WORDS, *SPANS))}")
    return METRICS[name]


UNSEEN = "accuracy_unseen"
"""The accuracy of words that no training sentence holds."""


def tag_defaults(classes: Sequence[str]) -> tuple[str, ...]:
    """What is reported; the first is what trials are compared by.

    >>> tag_defaults(["DET", "NOUN"])
    ('accuracy', 'f1_macro', 'log_loss')
    """
    return (*(SPANS if marks_spans(classes) else ()), "accuracy", "f1_macro", "log_loss")


def score_tags(
    target: npt.ArrayLike,
    output: npt.ArrayLike,
    classes: Sequence[str],
    *,
    unseen: npt.ArrayLike | None = None,
    metrics: Iterable[str] | None = None,
) -> dict[str, float]:
    """The figures of labelled sentences, by name.

    Args:
        target: ``(n, T)``, see above. ``classes`` may name more labels than ``K``: those that only ``target`` has.
        output: ``(n, T, K)``.
        classes: the labels' names.
        unseen: bool ``(n, T)``, words that training did not have; ``accuracy_unseen`` is their accuracy.
        metrics: names; ``tag_defaults`` if None.

    Everything is NaN where some word's output is not finite. Raises ``DataError`` for arrays that do not fit
    together, ``ConfigError`` as ``tag_metric`` does.

    >>> score_tags([[0, 1, -1]], [[[0.9, 0.1], [0.6, 0.4], [0.5, 0.5]]], ["a", "b"], metrics=["accuracy"])
    {'accuracy': 0.5}
    """
    t, o = np.asarray(target), np.asarray(output, np.float64)
    if t.ndim != 2 or o.ndim != 3 or o.shape[:2] != t.shape or (t.size and t.max() >= len(classes)):
        raise DataError(f"target {t.shape} and output {o.shape} of {len(classes)} labels do not fit together")
    names = list(tag_defaults(classes) if metrics is None else metrics)
    for name in names:
        tag_metric(name, classes)
    real = t >= 0
    words, truth = o[real], t[real]
    if not len(truth) or not np.isfinite(words).all():
        return dict.fromkeys([*names, *([] if unseen is None else [UNSEEN])], float("nan"))
    lacking = len(classes) - o.shape[2]
    if lacking > 0:  # labels that the model cannot say have no probability
        words = np.concatenate([words, np.zeros((len(words), lacking))], axis=1)
    ones = np.ones(len(truth))
    called = o.argmax(axis=2)
    found: dict[str, float] = {}
    if set(SPANS) & set(names):
        sentences = [(row[here], guess[here]) for row, guess, here in zip(t, called, real)]
        found |= span_scores(
            ([classes[i] for i in row] for row, _ in sentences),
            ([classes[i] for i in guess] for _, guess in sentences),
        )
    for name in names:
        if name in WORDS:
            found[name] = float(METRICS[name].function(truth, words, ones))
    found = {name: found[name] for name in names if name in found}
    if unseen is not None:
        new = np.asarray(unseen)[real]
        right = (called[real] == truth)[new]
        found[UNSEEN] = float(right.mean()) if len(right) else float("nan")
    return found


def _none(target: Any, output: Any, weight: Any) -> float:
    raise TypeError("spans and unseen words are no figure of single words: score_tags() scores sentences")
