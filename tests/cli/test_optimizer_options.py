"""The optimizer from the command line: what is asked is what trains; wrong words are refused before reading."""

from __future__ import annotations

import json

import numpy as np
import pytest

from manyfit.cli.main import main


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    x = np.random.default_rng(0).normal(size=(90, 3))
    rows = [f"{a:.4f},{b:.4f},{c:.4f},{'yes' if a + b > 0 else 'no'}" for a, b, c in x]
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    path.write_text("a,b,c,label\n" + "\n".join(rows) + "\n")
    return str(path)


def test_what_is_asked_is_what_trains(table, tmp_path):
    out = str(tmp_path / "run")
    asked = "--optimizer muon --schedule one-cycle --clip 0.5 --ema 0.9 --precision bfloat16 --accumulate 2"
    small = "--trials 2 --folds 2 --seeds 1 --epochs 2 --hidden 8 --quiet"
    assert main(["fit", table, "--target", "label", "--out", out, *asked.split(), *small.split()]) == 0
    objective = json.loads((tmp_path / "run/experiment.json").read_text())["objective"]
    outer = objective["optimizer"]
    average, rule = outer["optimizer"], outer["optimizer"]["optimizer"]
    assert (outer["type"], outer["count"]) == ("Accumulate", 2)
    assert (average["type"], average["decay"]) == ("EMA", 0.9)
    assert (rule["type"], rule["schedule"]["type"], rule["clip"]) == ("Muon", "OneCycle", 0.5)
    assert objective["precision"] == "bfloat16"
    assert main(["predict", out, table, "-o", str(tmp_path / "scored.csv")]) == 0


def test_a_second_gradient_a_mean_of_weights_and_rates_by_layer(table, tmp_path, capsys):
    out = tmp_path / "run"
    asked = "--optimizer sgd --swa 0.5 --sam 0.01:0.1 --layer-decay 0.5 --rematerialise activations"
    small = "--trials 2 --folds 2 --seeds 1 --epochs 3 --patience 0 --hidden 8 --quiet"
    fit = ["fit", table, "--target", "label", "--out", str(out), *small.split()]
    assert main([*fit, *asked.split(), "--ema", "0.9"]) == 1
    assert "give one of them" in capsys.readouterr().err
    assert main([*fit, *asked.split()]) == 0
    objective = json.loads((out / "experiment.json").read_text())["objective"]
    wrapped, kinds = objective["optimizer"], []
    while "optimizer" in wrapped:
        kinds.append(wrapped["type"])
        wrapped = wrapped["optimizer"]
    assert [*kinds, wrapped["type"]] == ["SWA", "SAM", "LayerDecay", "SGD"]
    assert objective["rematerialise"] == "activations"
    radii = [
        json.loads(line)["hyper"]["optimizer.optimizer.rho"]
        for line in (out / "members.jsonl").read_text().splitlines()
    ]
    assert len(set(radii)) == 2 and all(0.01 <= radius <= 0.1 for radius in radii)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--optimizer=lio", "did you mean 'lion'"),
        ("--schedule=cosinus", "did you mean 'cosine'"),
        ("--loss=hubr", "did you mean 'huber'"),
        ("--ema=1", "ema is '1'"),
        ("--swa=1", "swa is '1'"),
        ("--sam=wide", "sam is 'wide'"),
        ("--layer-decay=-1", "layer_decay is '-1'"),
        ("--clip=-1", "clip is '-1'"),
        ("--accumulate=0", "at least 1 batch"),
    ],
)
def test_a_wrong_word_is_refused_before_the_data_are_read(option, message, tmp_path, capsys):
    assert main(["fit", str(tmp_path / "absent.csv"), "--target", "label", option]) == 1
    assert message in capsys.readouterr().err


def test_a_loss_by_name(table, tmp_path, capsys):
    out = tmp_path / "run"
    small = ["--trials", "1", "--folds", "2", "--seeds", "1", "--epochs", "2", "--hidden", "8", "--quiet"]
    fit = ["fit", table, "--target", "label", "--out", str(out), *small]
    assert main([*fit, "--loss", "poisson"]) == 1
    assert "choose among cross_entropy, focal, hinge" in capsys.readouterr().err
    assert main([*fit, "--loss", "focal"]) == 0
    assert json.loads((out / "experiment.json").read_text())["objective"]["loss"]["type"] == "Focal"
    assert main(["predict", str(out), table, "-o", str(tmp_path / "scored.csv")]) == 0


def test_the_range_of_learning_rates(table, capsys):
    small = "--low 1e-4 --high 10 --rates 4 --seeds 2 --steps 6 --json"
    assert main(["range", table, "--target", "label", "--optimizer", "sgd", *small.split()]) == 0
    found = json.loads(capsys.readouterr().out)
    assert np.shape(found["losses"]) == (4, 2) and found["suggested"] in found["rates"]
