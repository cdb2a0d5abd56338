"""``manyfit sample``: grids and tables of a run that generates."""

import csv
import io
import struct
import zlib

import jax
import numpy as np
import pytest

import manyfit as mf
from manyfit.cli.main import main
from manyfit.cli.sampling import grid
from manyfit.engine import Fold, RunFolder
from manyfit.experiment.predictor import Predictor
from manyfit.experiment.template import spec_of
from manyfit.models.gan import DenseDiscriminator, DenseGenerator


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs as far as sampling looks: models of two networks each, not trained."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("runs")
    data = {
        "rows": {"inputs": {"numeric": rng.normal(3, 2, size=(40, 3)).astype(np.float32)}},
        "images": {"inputs": {"pixels": rng.integers(0, 256, (40, 5, 4, 1)).astype(np.uint8)}},
    }
    data["told"] = data["rows"] | {"target": (np.arange(40) % 3).astype(np.int32)}
    for name, rows in data.items():
        classes = 3 if name == "told" else None
        game = mf.GAN(DenseGenerator((4,)), DenseDiscriminator((4,)), latent=2, classes=classes).bind(rows)

        def fresh(key, game=game, rows=rows):
            fold = Fold(rows, np.arange(40), np.ones(40, np.float32))
            return game.export(game.init(key, {}, game.prepare(fold)))

        models = jax.jit(jax.vmap(fresh))(jax.random.split(jax.random.key(3), 2))
        with RunFolder(folder / name) as place:
            labels = ["oak", "elm", "0"] if classes else []
            said = {"format": 1, "task": {}, "settings": {}, "data": {"labels": labels}}
            place.write_json("experiment.json", said)
            Predictor("own", "", (), game, models, spec_of(rows)).save(place)
    return folder


def pixels(path):
    """The rows of an 8-bit RGB PNG without filters, read from its chunks."""
    content = path.read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    place, data = 8, b""
    while place < len(content):
        size, kind = struct.unpack(">I4s", content[place : place + 8])
        data += content[place + 8 : place + 8 + size] if kind == b"IDAT" else b""
        place += size + 12
    lines = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + 3 * width)
    return lines[:, 1:].reshape(height, width, 3)


def test_a_grid_of_images(runs, tmp_path):
    assert main(["sample", str(runs / "images"), "-n", "7", "-o", str(tmp_path / "grid.png")]) == 0
    sheet = pixels(tmp_path / "grid.png")
    assert sheet.shape == (3 * (5 + 1) + 1, 3 * (4 + 1) + 1, 3)  # 7 in three rows of three
    assert (sheet[-6:, 6:] == 255).all() and (sheet[1:6, 1:5] < 255).any()
    assert main(["sample", str(runs / "images"), "-n", "7", "-o", str(tmp_path / "all.npz")]) == 0
    images = np.load(tmp_path / "all.npz")["images"]
    assert images.shape == (7, 5, 4, 1) and images.dtype == np.uint8
    np.testing.assert_array_equal(sheet[1:6, 1:5, 0], images[0, :, :, 0])
    np.testing.assert_array_equal(grid(images), sheet)


def test_rows_are_the_generators_own(runs, tmp_path):
    out = tmp_path / "rows.csv"
    assert main(["sample", str(runs / "rows"), "-n", "6", "--network", "1", "-o", str(out)]) == 0
    table = list(csv.reader(io.StringIO(out.read_text())))
    assert table[0] == ["x0", "x1", "x2"] and len(table) == 7
    predictor = mf.load(runs / "rows")
    model = jax.tree.map(lambda leaf: leaf[1], predictor.models)
    expected = predictor.objective.sample(model, jax.random.split(jax.random.key(0), 2)[1], 6)
    np.testing.assert_allclose(np.array(table[1:], float), expected, rtol=1e-5)


def test_a_class_is_named_or_numbered(runs, capsys):
    def rows(*words):
        assert main(["sample", str(runs / "told"), "-n", "4", *words]) == 0
        return capsys.readouterr().out

    assert rows("--label", "elm") == rows("--label", "1") != rows("--label", "oak")
    assert rows("--label", "0") == rows("--label", "2")  # a name, though it looks like a place


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["images", "-o", "a.csv"], "writes images: name a file that ends in .png"),
        (["rows", "-o", "a.png"], "writes rows of numbers"),
        (["rows", "-o", "a.gif"], "samples are written as"),
        (["rows", "-n", "0"], "give at least 1"),
        (["rows", "--network", "2"], "there are 2, 0 to 1"),
        (["rows", "--label", "1"], "told no classes"),
        (["told", "--label", "eml"], "there is no such class; did you mean 'elm'?"),
        (["told", "--label", "3"], "there is no such class; known: 0, elm, oak"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(runs, tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert main(["sample", str(runs / words[0]), *words[1:]]) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
