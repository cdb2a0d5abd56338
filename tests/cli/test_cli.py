"""The command line as people use it: from files to a run, from a run to predictions."""

from __future__ import annotations

import csv
import gzip
import inspect
import io
import json
import shlex
import signal
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss

from manyfit.cli import main
from manyfit.cli.main import VERBS
from manyfit.cli.progress import Watcher

QUICK = shlex.split("--trials 2 --seeds 1 --folds 2 --epochs 3 --hidden 8 --batch-size 32 --embedding none")
FIXED = shlex.split("--trials 1 --learning-rate 0.01 --weight-decay 0 --dropout 0")
ROWS = 90


def shop() -> pd.DataFrame:
    """Numbers, texts, gaps; what is bought depends on size and colour."""
    rng = np.random.default_rng(0)
    size, colour = rng.normal(size=ROWS).round(3), rng.choice(["red", "green", "blue"], ROWS)
    bought = np.where(size + (colour == "red") + 0.3 * rng.normal(size=ROWS) > 0.3, "yes", "no")
    weight = rng.uniform(0.5, 2, ROWS).round(2)
    return pd.DataFrame(
        {
            "size": np.where(rng.random(ROWS) < 0.1, np.nan, size),
            "colour": colour,
            "shop": rng.integers(0, 9, ROWS),
            "day": np.arange(ROWS) // 3,
            "weight": weight,
            "grade": np.digitize(size, [-0.5, 0.5]),
            "price": (3 * size + (colour == "red")).round(3),
            "bought": bought,
        }
    )


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def done(capsys, *argv: object, code: int = 0) -> tuple[str, str]:
    """What a command wrote to standard output and standard error."""
    capsys.readouterr()
    found = main([str(word) for word in argv])
    out, err = capsys.readouterr()
    assert found == code, err
    return out, err


def fit(capsys, data: Path, target: str, out: Path, *more: object) -> tuple[str, str]:
    return done(capsys, "fit", data, "--target", target, "--out", out, *QUICK, *more)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Tables, and a finished run on one of them."""
    folder = tmp_path_factory.mktemp("cli")
    frame = shop()
    table = frame[["size", "colour", "bought"]]
    table.to_csv(folder / "shop.csv", index=False)
    table.iloc[:30].to_csv(folder / "new.csv", index=False)
    frame.to_csv(folder / "all.csv", index=False)
    words = ["fit", "shop.csv", "--target", "bought", "--out", "run", "--test", "new.csv", *QUICK]
    words = [str(folder / w) if w in ("shop.csv", "new.csv", "run") else w for w in words]
    assert main([*words, "--quiet"]) == 0
    return folder


# Tables


def test_what_a_run_leaves(place):
    assert {p.name for p in (place / "run").iterdir() if p.is_file()} >= {
        "experiment.json",
        "members.jsonl",
        "history.safetensors",
        "summary.json",
        "predictions.safetensors",
        "report.html",
        "test.json",
    }
    assert not (place / "run/checkpoints").exists()
    assert len(lines(place / "run/members.jsonl")) == 2 * 2


@pytest.mark.parametrize("name", ["shop.tsv", "shop.parquet", "shop.csv.gz"])
def test_the_format_of_a_table_changes_nothing(place, tmp_path, capsys, name):
    table, file = pd.read_csv(place / "shop.csv"), tmp_path / name
    if name.endswith("parquet"):
        table.to_parquet(file)
    else:
        table.to_csv(file, index=False, sep="\t" if "tsv" in name else ",")
    out, err = fit(capsys, file, "bought", tmp_path / "run")
    assert lines(tmp_path / "run/members.jsonl") == lines(place / "run/members.jsonl")
    assert "\x1b" not in out + err
    assert f"{file}: 90 rows, binary target 'bought' (no, yes)" in err
    assert "4 networks in" in out
    assert str(tmp_path / "run/report.html") in out.replace("\n", "")


def test_multiclass(place, tmp_path, capsys):
    fit(capsys, place / "all.csv", "grade", tmp_path / "run", "--drop", "bought", "price", *FIXED)
    about = json.loads((tmp_path / "run/experiment.json").read_text())
    assert about["task"]["kind"] == "multiclass"
    assert about["task"]["classes"] == ["0", "1", "2"]
    assert {c["name"]: c["note"] for c in about["data"]["columns"]}["price"] == "dropped as asked"
    out, _ = done(capsys, "predict", tmp_path / "run", place / "all.csv")
    assert out.splitlines()[0] == "prediction,p(0),p(1),p(2),spread"


def test_regression(place, tmp_path, capsys):
    out, _ = fit(
        capsys, place / "all.csv", "price", tmp_path / "run", *FIXED, "--epochs=40", "--metric=r2", "--json"
    )
    assert json.loads(out)["scores"]["r2"]["mean"] > 0.5
    out, _ = done(capsys, "predict", tmp_path / "run", place / "all.csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert rows[0].keys() == {"prediction", "spread"}
    assert np.corrcoef([float(r["prediction"]) for r in rows], shop()["price"])[0, 1] > 0.7


def test_json_and_nothing_else(place, tmp_path, capsys):
    out, err = fit(
        capsys, place / "shop.csv", "bought", tmp_path / "run", "--json", "--test", place / "new.csv"
    )
    content = json.loads(out)
    assert all(line.startswith("manyfit: ") for line in err.splitlines()), err  # warnings alone
    assert content["chosen"]["trial"] in (0, 1)
    assert content["run"] == str(tmp_path / "run")
    assert content["test"] == json.loads((tmp_path / "run/test.json").read_text())["scores"]
    found = json.loads(done(capsys, "evaluate", place / "run", place / "new.csv", "--json")[0])
    assert found.pop("intervals").keys() == found.keys()
    assert found == pytest.approx(content["test"])
    json.loads(done(capsys, "inspect", place / "shop.csv", "--target", "bought", "--json")[0])
    json.loads(done(capsys, "inspect", place / "run", "--json")[0])


def test_config_file_equals_flags(place, tmp_path, capsys):
    flags = ["--drop", "price", "grade", "--weight", "weight", "--dropout", "0:0.3", "--seed", "3", "--quiet"]
    fit(capsys, place / "all.csv", "bought", tmp_path / "a/run", *flags)
    config = tmp_path / "shop.yaml"
    config.write_text(
        f"data: {place / 'all.csv'}\ntarget: bought\nout: {tmp_path / 'b/run'}\ntrials: 2\nseeds: 1\nfolds: 5\n"
        "epochs: 3\nhidden: [8]\nbatch-size: 32\nembedding: none\ndrop: [price, grade]\nweight: weight\n"
        "dropout: 0:0.3\nseed: 3\nquiet: true\n"
    )
    done(capsys, "fit", "--config", config, "--folds", 2)  # a flag wins over the file
    found = []
    for name in ("a", "b"):
        about = json.loads((tmp_path / name / "run/experiment.json").read_text())
        for own in ("created", "command"):
            del about[own]
        for own in ("out", "config"):
            del about["options"][own]
        found.append(about)
    assert found[0] == found[1]
    assert found[0]["space"]["model.dropout"]["high"] == 0.3
    assert lines(tmp_path / "a/run/members.jsonl") == lines(tmp_path / "b/run/members.jsonl")


def test_groups_stay_together_and_weights_count(place, tmp_path, capsys):
    run = tmp_path / "run"
    flags = ["--group", "shop", "--weight", "weight", "--drop", "price", "grade", *FIXED]
    fit(capsys, place / "all.csv", "bought", run, *flags)
    found = load_file(run / "predictions.safetensors")
    shops = shop()["shop"].to_numpy()[found["row"]]
    for each in np.unique(shops):
        assert len(np.unique(found["fold"][shops == each])) == 1
    # the run's accuracy over all rows is the weighted one
    frame = shop().iloc[found["row"]]
    right = found["output"].argmax(1) == found["target"]
    summary = json.loads((run / "summary.json").read_text())
    assert summary["ensemble"]["accuracy"] == pytest.approx(np.average(right, weights=frame["weight"]))
    columns = json.loads((run / "experiment.json").read_text())["data"]["columns"]
    notes = {c["name"]: c["note"] for c in columns}
    assert (notes["shop"], notes["weight"]) == ("the group", "the weight")


def test_time_is_split_forward_and_balance_is_kept(place, tmp_path, capsys):
    run = tmp_path / "run"
    fit(capsys, place / "all.csv", "bought", run, "--time=day", "--balance", "--drop=price", *FIXED)
    found = load_file(run / "predictions.safetensors")
    day = shop()["day"].to_numpy()[found["row"]]
    assert day[found["fold"] == 0].max() < day[found["fold"] == 1].min()
    assert day.min() > 0  # the oldest are never tested
    assert json.loads((run / "experiment.json").read_text())["objective"]["balance"] is True


# A run's model


def scored(capsys, place: Path, table: pd.DataFrame) -> pd.DataFrame:
    file = place / "ask.csv"
    table.to_csv(file, index=False)
    return pd.read_csv(io.StringIO(done(capsys, "predict", place / "run", file)[0]))


def test_predict_takes_columns_in_any_order_and_more_of_them(place, capsys):
    table = pd.read_csv(place / "new.csv")
    plain = scored(capsys, place, table)
    assert list(plain) == ["prediction", "p(no)", "p(yes)", "spread"]
    assert len(plain) == 30
    np.testing.assert_allclose(plain["p(no)"] + plain["p(yes)"], 1, atol=1e-6)
    assert (plain["prediction"] == np.where(plain["p(yes)"] > plain["p(no)"], "yes", "no")).all()
    other = table[["colour", "size"]].assign(extra="x")
    pd.testing.assert_frame_equal(scored(capsys, place, other), plain)


def test_predict_takes_unknown_categories_and_gaps(place, capsys):
    table = pd.read_csv(place / "new.csv")
    plain = scored(capsys, place, table)
    table.loc[0, "colour"], table.loc[1, "size"], table.loc[2, "colour"] = "mauve", np.nan, None
    found = scored(capsys, place, table)
    assert np.isfinite(found["p(yes)"]).all()
    pd.testing.assert_frame_equal(found.iloc[3:], plain.iloc[3:])
    assert found["p(yes)"][0] != plain["p(yes)"][0]


def test_predict_writes_files(place, tmp_path, capsys):
    shown = pd.read_csv(io.StringIO(done(capsys, "predict", place / "run", place / "new.csv")[0]))
    for name, read in (
        ("a/p.csv", pd.read_csv),
        ("p.tsv", lambda p: pd.read_csv(p, sep="\t")),
        ("p.parquet", pd.read_parquet),
    ):
        out, err = done(capsys, "predict", place / "run", place / "new.csv", "-o", tmp_path / name)
        assert out == ""
        assert f"30 rows predicted by 2 networks: {tmp_path / name}" in err
        pd.testing.assert_frame_equal(read(tmp_path / name), shown, check_dtype=False)


def test_evaluate_scores_what_predict_says(place, capsys):
    table = pd.read_csv(place / "new.csv")
    said = scored(capsys, place, table)
    found = json.loads(done(capsys, "evaluate", place / "run", place / "new.csv", "--json")[0])
    assert found["accuracy"] == pytest.approx(accuracy_score(table["bought"], said["prediction"]))
    chances = said[["p(no)", "p(yes)"]].to_numpy()
    expected = log_loss(table["bought"], chances / chances.sum(1, keepdims=True), labels=["no", "yes"])
    assert found["log_loss"] == pytest.approx(expected, rel=1e-5)
    text, noted = done(capsys, "evaluate", place / "run", place / "new.csv")
    assert "2 networks together: accuracy" in text and "flatter" not in noted
    low, high = found["intervals"]["accuracy"]
    assert low < found["accuracy"] < high and f"[{low:.3g}" in text.replace("\n", "")
    assert "trained on" in done(capsys, "evaluate", place / "run", place / "shop.csv")[1]


def test_inspect_report_compare(place, tmp_path, capsys):
    out, _ = done(capsys, "inspect", place / "shop.csv", "--target", "bought")
    assert "90 rows, binary target 'bought' (no, yes)" in out
    assert "category (1): colour" in out
    out, _ = done(capsys, "inspect", place / "run")
    assert "2 networks of" in out
    assert "head.kernel" in out
    before = (place / "run/report.html").read_bytes()
    (place / "run/report.html").unlink()
    out, _ = done(capsys, "report", place / "run")
    assert out.strip() == str(place / "run/report.html")
    assert (place / "run/report.html").read_bytes() == before
    page = tmp_path / "compared.html"
    out, _ = done(capsys, "compare", place / "run", place / "run", "-o", page)
    assert out.count("accuracy") == 2  # the column and the headline
    assert "not paired" not in out
    assert "+0.00 points (95 % interval +0.00 to +0.00), p 1.00: no more than chance" in out
    assert page.read_text().lstrip().lower().startswith("<!doctype html")


# Stopping and going on


def test_ctrl_c_keeps_everything_and_resume_goes_on(place, tmp_path, capsys, monkeypatch):
    flags = ["--epochs=40", "--patience=0", "--checkpoint-seconds=0", *FIXED]
    fit(capsys, place / "shop.csv", "bought", tmp_path / "whole", *flags)
    run = tmp_path / "run"
    pressed = []

    def press(self, status):
        if not pressed:
            pressed.append(status)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(Watcher, "__call__", press)
        words = ["fit", place / "shop.csv", "--target", "bought", "--out", run, *QUICK, *flags]
        _, err = done(capsys, *words, code=130)
    assert "stopping after this chunk; what is there is kept" in err
    assert f"stopped; go on with: manyfit resume {run}" in err
    assert signal.getsignal(signal.SIGINT) is before
    assert (run / "checkpoints").is_dir()
    assert json.loads((run / "summary.json").read_text())["interrupted"] is True
    out, _ = done(capsys, "resume", run, "--json")
    assert json.loads(out)["interrupted"] is False
    assert lines(run / "members.jsonl") == lines(tmp_path / "whole/members.jsonl")
    for name in ("history", "predictions"):
        whole = load_file(tmp_path / f"whole/{name}.safetensors")
        for key, values in load_file(run / f"{name}.safetensors").items():
            np.testing.assert_array_equal(values, whole[key])
    out, err = done(capsys, "resume", run)
    assert "is finished: nothing is left to do" in err


# Images


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> tuple[Path, np.ndarray, np.ndarray]:
    """Sixty digits of three classes in every container, in one order."""
    folder = tmp_path_factory.mktemp("digits")
    data = load_digits(n_class=3)
    chosen = np.concatenate([np.flatnonzero(data.target == c)[:20] for c in range(3)])
    pixels, labels = (data.images[chosen] * 15).astype(np.uint8), data.target[chosen].astype(np.uint8)
    names = [f"{label}/{i:02}.png" for i, label in enumerate(labels)]
    for name, image in zip(names, pixels):
        (folder / "classes" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "classes" / name)
    np.savez(folder / "set.npz", x=pixels, y=labels)
    (folder / "idx").mkdir()
    for name, head, content in (("images-idx3", (3, 60, 8, 8), pixels), ("labels-idx1", (1, 60), labels)):
        raw = struct.pack(f">3B B{len(head) - 1}I", 0, 0, 8, *head) + content.tobytes()
        (folder / f"idx/train-{name}-ubyte.gz").write_bytes(gzip.compress(raw))
    rows = [f"classes/{name},{label}" for name, label in zip(names, labels)]
    (folder / "list.csv").write_text("\n".join(["file,digit", *rows]) + "\n")
    return folder, pixels, labels


def test_images_of_every_container_give_one_run(digits, tmp_path, capsys):
    folder, _, labels = digits
    members = []
    for name, target in (
        ("classes", "folder"),
        ("set.npz", "folder"),
        ("idx", "folder"),
        ("list.csv", "digit"),
    ):
        run = tmp_path / name
        words = ["fit", folder / name, "--target", target, "--out", run]
        done(capsys, *words, *shlex.split("--folds 2 --epochs 10 --batch-size 16 --hidden 16 --quiet"))
        members.append(lines(run / "members.jsonl"))
        found = json.loads(done(capsys, "evaluate", run, folder / name, "--json")[0])
        assert found["accuracy"] > 0.7
        out, _ = done(capsys, "predict", run, folder / name)
        rows = list(csv.DictReader(io.StringIO(out)))
        assert len(rows) == 60
        right = np.mean([int(row["prediction"]) == label for row, label in zip(rows, labels)])
        assert right == pytest.approx(found["accuracy"])
        assert ("file" in rows[0]) == (name in ("classes", "list.csv"))
    assert members[0] == members[1] == members[2] == members[3]
    # one model reads every container, and one image alone
    expected = done(capsys, "evaluate", tmp_path / "classes", folder / "classes", "--json")[0]
    assert done(capsys, "evaluate", tmp_path / "classes", folder / "set.npz", "--json")[0] == expected
    out, _ = done(capsys, "predict", tmp_path / "set.npz", folder / "classes/0/00.png")
    assert len(out.splitlines()) == 2


def test_inspect_images(digits, capsys):
    out, _ = done(capsys, "inspect", digits[0] / "classes")
    assert "60 images of 8x8, grey, 3 classes of 20 images" in out


# Help


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_examples_as_they_are_typed(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as exit:
        main([verb, "--help"])
    assert exit.value.code == 0
    shown = capsys.readouterr().out
    examples = [
        line for line in inspect.cleandoc(VERBS[verb].__doc__).splitlines() if line.startswith("  manyfit")
    ]
    assert examples
    for example in examples:
        assert example in shown
    assert max(map(len, shown.splitlines()[1:])) <= 80  # below the usage
    assert "None" not in shown


def test_overview(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["--help"])
    assert exit.value.code == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    for verb in VERBS:
        assert f"\n  {verb} " in shown
    with pytest.raises(SystemExit) as exit:
        main([])
    assert exit.value.code == 2


def test_a_network_is_looked_into_before_training(capsys, place, tmp_path):
    graph = tmp_path / "network.dot"
    words = ["inspect", place / "shop.csv", "--target", "bought", "--model", "mlp", "--graph", graph]
    out, _ = done(capsys, *words)
    assert "FLOPs a row forward" in out
    assert "layers.0" in out
    assert graph.read_text().startswith("digraph")
    out, _ = done(capsys, *words, "--json")
    found = json.loads(out)["network"]
    assert found["parameters"] == sum(layer["parameters"] for layer in found["layers"] if layer["leaf"])
    _, err = done(capsys, *words[:-1], tmp_path / "network.png", code=1)
    assert "svg" in err


def test_a_probed_run_shows_how_its_gradients_moved(capsys, place, tmp_path):
    fit(capsys, place / "shop.csv", "bought", tmp_path / "run", *FIXED, "--probe", "--quiet")
    out, _ = done(capsys, "inspect", tmp_path / "run", "--graph", tmp_path / "network.html")
    assert "As they trained" in out
    assert "start, middle, end" in out
    assert "2 members" in out
    assert "<svg" in (tmp_path / "network.html").read_text()
    out, _ = done(capsys, "inspect", tmp_path / "run", "--json")
    found = json.loads(out)
    assert {"layers.0", "head"} <= set(found["training"]["gradient"])
    assert found["network"]["members"] == 2
    assert 'id="gradients"' in (tmp_path / "run" / "report.html").read_text()


def test_a_run_whose_data_are_gone_is_still_looked_at(capsys, place):
    out, _ = done(capsys, "inspect", place / "run", "--data", place / "new.csv")
    assert "measured on 30 rows" in out
    assert "--probe" in out


def test_images_with_an_architecture_by_name_augmented(tmp_path, capsys):
    """``fit --model --augment --views``, then the report with its class activation, and prediction."""
    digits = load_digits()
    for digit in (0, 1):
        (tmp_path / "pictures" / str(digit)).mkdir(parents=True)
        for i, image in enumerate(digits.images[digits.target == digit][:40]):
            pixels = Image.fromarray((image * 15).astype("uint8")).resize((12, 12))
            pixels.save(tmp_path / "pictures" / str(digit) / f"{i}.png")
    run = tmp_path / "run"
    fit = ["fit", str(tmp_path / "pictures"), "--out", str(run), "--epochs", "4", "--folds", "2", "--quiet"]
    assert main([*fit, "--model", "resnet8", "--augment", "standard", "--views", "flip"]) == 0
    written = json.loads((run / "experiment.json").read_text())
    assert written["objective"]["model"]["type"] == "ResNet"
    assert [part["type"] for part in written["objective"]["augment"]] == ["Crop", "Flip"]
    capsys.readouterr()
    assert main(["predict", str(run), str(tmp_path / "pictures")]) == 0
    assert main(["report", str(run)]) == 0
    for option, says in (
        (["--model", "resnet21"], "did you mean"),
        (["--augment", "standart"], "did you mean 'standard'"),
        (["--model", "unet"], "each pixel"),
        (["--model", "tabm"], "reads tables"),
    ):
        assert main([*fit[:2], "--out", str(tmp_path / "other"), *option]) == 1
        assert says in capsys.readouterr().err
