"""Spans by hand and against a slow reading of conlleval, and figures of labelled words."""

import itertools

import numpy as np
import pytest

from manyfit import metrics
from manyfit.errors import ConfigError, DataError


def by_conlleval(labels):
    """The rules of conlleval's startOfChunk and endOfChunk, one after the other as the script has them."""
    found, first, before, kind = [], None, "O", ""
    for place, label in enumerate([*labels, "O"]):
        mark, _, here = label.partition("-")
        ends = (
            (before, mark) in {(a, b) for a in "BI" for b in "BOS"}
            or before in ("E", "S")
            or (before not in ("O",) and kind != here)
        )
        if ends and first is not None:
            found.append((kind, first, place - 1))
            first = None
        starts = (
            mark in ("B", "S")
            or ((before in ("O", "E", "S")) and mark in ("I", "E"))
            or (mark != "O" and kind != here)
        )
        if starts:
            first = place
        before, kind = mark, here
    return found


def test_spans_by_hand():
    assert metrics.spans([]) == []
    assert metrics.spans(["O", "O"]) == []
    assert metrics.spans(["I-A", "I-A", "B-A"]) == [("A", 0, 1), ("A", 2, 2)]
    assert metrics.spans(["B-A", "I-B"]) == [("A", 0, 0), ("B", 1, 1)]
    assert metrics.spans(["B-A", "I-A", "E-A", "S-A"]) == [("A", 0, 2), ("A", 3, 3)]
    assert metrics.spans(["B-NP", "I-NP-SBJ"]) == [("NP", 0, 0), ("NP-SBJ", 1, 1)]


def test_spans_of_every_short_sentence_are_those_of_conlleval():
    for labels in itertools.product(("O", "B-A", "I-A", "B-B", "I-B", "E-A", "S-A"), repeat=4):
        assert [tuple(span) for span in metrics.spans(labels)] == by_conlleval(labels), labels


def test_span_scores_by_hand():
    # 3 spans there, 4 called, 2 of them right: one has a wrong end, one a wrong kind
    truth = [["B-A", "I-A", "O", "B-B", "I-B"], ["O", "B-A", "O", "O"]]
    called = [["B-A", "I-A", "O", "B-B", "O"], ["O", "B-A", "O", "B-C"]]
    found = metrics.span_scores(truth, called)
    assert found == {"span_precision": 2 / 4, "span_recall": 2 / 3, "span_f1": 4 / 7}
    assert metrics.span_scores([["B-A"]], [["O"]]) == {"span_precision": 0, "span_recall": 0, "span_f1": 0}
    assert np.isnan(metrics.span_scores([["O"]], [["O"]])["span_f1"])


def probable(called, classes):
    """Sentences of class numbers as probabilities."""
    return np.where(np.arange(classes) == np.asarray(called)[..., None], 0.9, 0.1 / (classes - 1))


def test_score_tags_leaves_out_what_has_no_label():
    classes = ("B-A", "I-A", "O")
    target = np.array([[0, 1, 2, -1], [2, -1, -1, -1]])
    called = np.array([[0, 2, 2, 0], [2, 0, 0, 0]])
    found = metrics.score_tags(target, probable(called, 3), classes, unseen=target == 1)
    assert found["accuracy"] == 0.75 and found["accuracy_unseen"] == 0
    assert found["span_f1"] == 0  # the one span has a wrong end
    # precision and recall of each class: 1, 1; 0, 0; 2 of 3, 2 of 2
    assert found["f1_macro"] == pytest.approx((1 + 0 + 0.8) / 3)
    assert found["log_loss"] == pytest.approx(-(3 * np.log(0.9) + np.log(0.05)) / 4)


def test_a_label_that_the_model_does_not_know_counts_as_wrong():
    target = np.array([[0, 1, 2]])
    found = metrics.score_tags(
        target, probable([[0, 1, 1]], 2), ("a", "b", "new"), metrics=["accuracy", "log_loss"]
    )
    assert found["accuracy"] == pytest.approx(2 / 3) and found["log_loss"] > 10


def test_what_is_refused():
    output = probable([[0, 1]], 2)
    with pytest.raises(ConfigError, match="labels that mark spans"):
        metrics.score_tags([[0, 1]], output, ("a", "b"), metrics=["span_f1"])
    with pytest.raises(ConfigError, match="did you mean 'accuracy'"):
        metrics.tag_metric("acuracy", ("a", "b"))
    with pytest.raises(DataError, match="do not fit together"):
        metrics.score_tags([[0, 5]], output, ("a", "b"))
    assert all(np.isnan(v) for v in metrics.score_tags([[-1, -1]], output, ("a", "b")).values())
    assert all(np.isnan(v) for v in metrics.score_tags([[0, 1]], np.nan * output, ("a", "b")).values())
