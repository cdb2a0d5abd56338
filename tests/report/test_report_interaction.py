"""Maps of two settings, and what the losses of trials that were given up tell."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from manyfit.report import render


def rewritten(folder, pruned):
    """A run of 40 trials whose score is a saddle of two settings and whose early loss is the first of them alone;
    the last ``pruned`` trials were given up after two epochs."""
    rng = np.random.default_rng(0)
    about = json.loads((folder / "experiment.json").read_text())
    about["space"] = {name: {"kind": "uniform", "low": -1.0, "high": 1.0} for name in ("model.a", "model.b")}
    (folder / "experiment.json").write_text(json.dumps(about))
    rows = [json.loads(line) for line in (folder / "members.jsonl").read_text().splitlines()]
    summary = json.loads((folder / "summary.json").read_text())
    count = len(summary["trials"])
    hyper = [{"model.a": float(a), "model.b": float(b)} for a, b in rng.uniform(-1, 1, (count, 2))]
    curves = np.full((len(rows), 4), np.nan, np.float32)
    for row, curve in zip(rows, curves):
        here = hyper[row["trial"]]
        row["hyper"] = here
        gone = row["trial"] >= count - pruned
        curve[: 2 if gone else 4] = 2.0 + here["model.a"]
        if gone:
            row.update(status="pruned", epochs=2, test={})
    for trial in summary["trials"]:
        here = trial["hyper"] = hyper[trial["trial"]]
        value = 0.7 + 0.2 * here["model.a"] * here["model.b"]
        trial["score"] |= {"mean": value, "low": value - 0.01, "high": value + 0.01}
    summary["pruned"] = [
        {"trial": t["trial"], "hyper": t["hyper"], "epochs": 2, "validation": {"loss": 1.0}}
        for t in summary["trials"][count - pruned :]
    ]
    summary["trials"] = summary["trials"][: count - pruned]
    (folder / "members.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "summary.json").write_text(json.dumps(summary))
    save_file({"train/loss": curves, "validation/loss": curves}, folder / "history.safetensors")
    return folder


@pytest.fixture
def page(make_run, parse):
    return parse(render(rewritten(make_run(trials=60, seeds=1, folds=2), 12)))


def test_the_map_and_the_early_losses(page):
    assert "A and b together" in page.text
    assert "By the validation losses of all 60 trials after 2 epochs, the 12 given up among them" in page.text
    early = page.text.split("the variance early in training is explained by ")[1]
    first, share = early.split()[:2]
    assert first == "a" and int(share.rstrip(",").rstrip("%")) > 80
    cells = [a for a in page.find("rect") if a.get("style", "") and "cell hit" in (a.get("class") or "")]
    assert len([a for a in cells if "--o" in a["style"]]) >= 64


def test_without_pruned_trials_nothing_is_said_of_them(make_run, parse):
    text = parse(render(make_run(trials=16))).text
    assert "given up among them" not in text and "Two settings together" not in text
