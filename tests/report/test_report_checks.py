"""The section on calibration, suspect labels and twins."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from manyfit.report import render


def test_it_shows_calibration_with_numbers_and_the_suspect(make_run, parse):
    run = make_run(classes=("cat", "dog"), kind="binary", rows=300)
    place = run / "predictions.safetensors"
    arrays = load_file(place)
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.05, 0.95, 300)
    said = truth**3 / (truth**3 + (1 - truth) ** 3)  # three times as sure as it should be
    arrays["target"] = (rng.random(300) < truth).astype(np.int32)
    wrong = int(np.flatnonzero(arrays["target"] == 0)[0])
    said[wrong] = 0.9999
    arrays["output"] = np.stack([1 - said, said], axis=1).astype(np.float32)
    save_file(arrays, place)
    text = parse(render(run)).text
    assert "Whether to trust probabilities and labels" in text
    assert "The networks are too sure" in text
    found = text[text.index("Labels that may be wrong") :]
    after = found.split("Probability of its label ")[1].split()
    assert after[:3] == [str(arrays["row"][wrong]), "cat", "dog"]


def test_a_regression_has_no_such_section_but_twins_are_told(make_run, parse):
    run = make_run(kind="regression")
    assert "Whether to trust" not in parse(render(run)).text
    summary = json.loads((run / "summary.json").read_text())
    summary["checks"] = {"twins": {"rows": 90, "leaked": 7, "contradicted": 2}}
    (run / "summary.json").write_text(json.dumps(summary))
    assert (
        "7 of 90 rows were tested by networks that trained on a row of the same inputs"
        in parse(render(run)).text
    )


@pytest.mark.parametrize("twins", [None, [], {"rows": "many", "leaked": 1, "contradicted": 1}])
def test_a_summary_with_odd_twins_is_shown_without_them(make_run, parse, twins):
    run = make_run()
    summary = json.loads((run / "summary.json").read_text())
    summary["checks"] = {"twins": twins}
    (run / "summary.json").write_text(json.dumps(summary))
    assert "same inputs" not in parse(render(run)).text
