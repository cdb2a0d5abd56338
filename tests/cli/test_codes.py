"""An autoencoder from the command line: fit without a target, codes, p-values, what is refused."""

import csv

import numpy as np
import pytest

from manyfit.cli.main import main
from manyfit.errors import ConfigError, DataError
from manyfit.report.pictures import sheet
from manyfit.tasks.unsupervised import experiment_for, image_rows, table_rows, unsupervised_task


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Six columns of two factors, with gaps; a label that is no input; strange rows in a file of their own."""
    folder = tmp_path_factory.mktemp("rows")
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(180, 2))
    rows = factors @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(180, 6))

    def write(name, rows, labels):
        with open(folder / name, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*(f"x{i}" for i in range(6)), "label"])
            writer.writerows([*map(str, row), label] for row, label in zip(rows, labels))

    write("train.csv", rows[:150], ["a", "b"] * 75)
    write("new.csv", np.concatenate([rows[150:], 3 * rng.normal(size=(10, 6))]), [""] * 40)
    return folder


@pytest.fixture(scope="module")
def run(table):
    out = table / "run"
    asked = ["fit", str(table / "train.csv"), "--target", "label", "--model", "autoencoder", "--latent", "2"]
    more = ["--hidden", "16", "--folds", "2", "--epochs", "40", "--learning-rate", "0.01", "--quiet"]
    assert main([*asked, *more, "--out", str(out)]) == 0
    return out


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_codes_and_p_values_of_new_rows(table, run, tmp_path):
    assert main(["transform", str(run), str(table / "new.csv"), "-o", str(tmp_path / "codes.csv")]) == 0
    codes = read(tmp_path / "codes.csv")
    assert len(codes) == 40 and list(codes[0]) == ["code0", "code1"]
    assert main(["anomalies", str(run), str(table / "new.csv"), "-o", str(tmp_path / "scores.csv")]) == 0
    p = np.array([float(row["p"]) for row in read(tmp_path / "scores.csv")])
    assert np.median(p[30:]) < 0.05 and np.mean(p[:30] < 0.2) < 0.5 and p.min() >= 1 / 151
    assert (run / "report.html").is_file()


def test_what_an_autoencoder_does_not_answer_is_refused(table, run, capsys):
    new = str(table / "new.csv")
    for asked, said in (
        (["predict", str(run), new], "predicts no column"),
        (["evaluate", str(run), str(table / "train.csv")], "scored by no labels"),
        (["sample", str(run)], "Autoencoder does not generate"),
    ):
        assert main(asked) == 1
        assert said in capsys.readouterr().err


def test_a_vae_draws_rows_in_the_units_of_its_table(table, tmp_path):
    asked = [
        "fit",
        str(table / "train.csv"),
        "--target",
        "label",
        "--model",
        "vae",
        "--latent",
        "2",
        "--folds",
        "1",
    ]
    more = [
        "--hidden",
        "16",
        "--epochs",
        "40",
        "--learning-rate",
        "0.01",
        "--quiet",
        "--out",
        str(tmp_path / "vae"),
    ]
    assert main(asked + more) == 0
    assert main(["sample", str(tmp_path / "vae"), "-n", "200", "-o", str(tmp_path / "new.csv")]) == 0
    real, drawn = (
        np.array([[float(row[f"x{i}"]) for i in range(6)] for row in read(path)])
        for path in (table / "train.csv", tmp_path / "new.csv")
    )
    assert drawn.shape == (200, 6)
    ratio = drawn.std(axis=0) / real.std(axis=0)  # two factors make nearly all of it
    assert np.all((ratio > 0.5) & (ratio < 1.5))


def test_a_run_of_another_kind_is_refused(table, tmp_path, capsys):
    assert main(["transform", str(tmp_path), str(table / "new.csv")]) == 1
    assert "is not there" in capsys.readouterr().err


def test_what_does_not_go_with_an_autoencoder_is_refused(table, capsys):
    data = str(table / "train.csv")
    for asked, said in (
        (["--model", "vae", "--loss", "huber"], "learns rows for themselves"),
        (["--model", "vae", "--coder", "conv"], "reads images"),
        (["--model", "fsq", "--strength", "2"], "no strength"),
        (["--model", "vae", "--latent", "0"], "latent=0"),
        (["--model", "gan", "--target", "label", "--latent", "0"], "latent=0"),
        (["--model", "gan", "--target", "label", "--batch-size", "0"], "batch_size=0"),
        (["--model", "vae", "--metric", "accuracy"], "measures kl, loss, mse"),
        (["--target", "label", "--latent", "3"], "is for autoencoders"),
        (["--model", "vaee"], "unknown model"),
    ):
        assert main(["fit", data, *asked, "--out", str(table / "none")]) == 1
        assert said in capsys.readouterr().err


def test_loose_images_need_no_label_and_one_size(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for i in range(4):
        image.fromarray(rng.integers(0, 255, (6, 5), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    task = image_rows(tmp_path)
    assert task.data["inputs"]["pixels"].shape == (4, 6, 5, 1) and "target" not in task.data
    image.fromarray(rng.integers(0, 255, (7, 5), dtype=np.uint8)).save(tmp_path / "4.png")
    with pytest.raises(DataError, match="size"):
        image_rows(tmp_path)


def test_empty_rows_single_rows_and_constant_columns(tmp_path):
    from manyfit.data import table

    rows = {"a": [1.0, np.nan, 3.0, 4.0], "b": [0.5, np.nan, 1.5, 1.0], "c": [7.0] * 4}
    with pytest.raises(DataError, match="row 2 of 4"):
        table_rows(
            table.read({name: values for name, values in rows.items() if name != "c"}, None), labelled=False
        )
    with pytest.raises(DataError, match="1 row"):
        table_rows(
            table.read({"a": [1.0], "b": [2.0]}, None, kinds={"a": "number", "b": "number"}), labelled=False
        )
    kept = table.read(
        {name: [v for v in values if v == v] for name, values in rows.items() if name != "c"}, None
    )
    assert kept.schema.task == "none" and len(kept) == 3


def test_a_sheet_lays_out_lines_and_columns():
    grid = np.arange(2 * 3, dtype=np.uint8).reshape(2, 3, 1, 1, 1)
    assert sheet(grid)[::2, ::2, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_the_experiment_of_a_name(table):
    from manyfit.cli.fit_options import Fit

    options = Fit(data=table / "train.csv", target="label", model="beta-vae")
    task = unsupervised_task(options, as_images=False)
    assert task.data["inputs"]["numeric"].shape == (150, 6) and len(task.data["target"]) == 150
    assert experiment_for(task, options.asked()).objective.beta == 4.0
    with pytest.raises(ConfigError, match="multiple"):
        experiment_for(task, options.asked() | {"model": "vq-vae", "latent": 6})
