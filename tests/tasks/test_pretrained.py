"""A classifier that begins with the encoder of an autoencoder's run: its first outputs, its life on disk, refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manyfit as mf
from manyfit.data import ImagePreprocess
from manyfit.engine.objective import Fold
from manyfit.errors import ConfigError
from manyfit.experiment.codes import Codes
from manyfit.models import TrainedEncoder
from manyfit.models.autoencoders import DenseCoder
from manyfit.objectives import autoencoding as ae
from manyfit.tasks.defaults import experiment_for
from manyfit.tasks.pretrained import encoder_of, pretrained
from manyfit.tasks.task import Task
from manyfit.tasks.unsupervised import array_rows

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
TASK = Task(
    "binary",
    {"inputs": {"pixels": PIXELS}, "target": (np.arange(40) % 2).astype(np.int32)},
    40,
    classes=("a", "b"),
    preprocess=ImagePreprocess(),
    about={"kind": "images", "source": "arrays"},
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coder") / "run"
    coder = ae.Masked(coder=DenseCoder((6,)), latent=3)
    mf.Experiment(coder, array_rows({"pixels": PIXELS}), folds=1, epochs=2, batch_size=8).run(folder)
    return folder


def begun(experiment):
    """The objective and a model of it before any training."""
    data = TASK.data
    objective = dataclasses.replace(
        experiment.objective, preprocess=experiment.data.preprocess, classes=2
    ).bind(data)
    prepared = objective.prepare(Fold(data, jnp.arange(40), jnp.ones(40)))
    return objective, objective.export(
        objective.init(jax.random.key(5), {"total_steps": jnp.float32(1)}, prepared)
    )


def test_it_begins_with_the_codes_of_the_run(run):
    objective, model = begun(experiment_for(TASK, {"encoder": run}))
    head = model["weights"].params["head"]
    logits = Codes.load(run).transform({"pixels": PIXELS}) @ np.asarray(head["kernel"]) + np.asarray(
        head["bias"]
    )
    np.testing.assert_allclose(objective.predict(model, TASK.data), jax.nn.softmax(logits), atol=1e-5)


def test_a_model_on_disk_needs_the_autoencoder_no_more(run, tmp_path):
    asked = {
        "encoder": str(run),
        "epochs": 1,
        "folds": 2,
        "patience": 0,
        "validation": 0.0,
        "learning_rate": "0.01",
    }
    experiment = experiment_for(TASK, asked)
    result = experiment.run(tmp_path / "few")
    loaded = mf.load(tmp_path / "few")
    assert isinstance(loaded.objective.model.weights["layers"]["0"]["kernel"], jax.ShapeDtypeStruct)
    np.testing.assert_array_equal(
        loaded.predict_members({"pixels": PIXELS}), result.best.predict_members({"pixels": PIXELS})
    )
    trained = result.best.models["weights"].params["encoder"]["layers"][0]["kernel"]
    start = encoder_of(run).weights["layers"][0]["kernel"]
    assert 0 < np.abs(trained - start).max() < 0.2  # trained on, from there


def test_what_does_not_fit_is_refused(run):
    other = dataclasses.replace(
        TASK, data={"inputs": {"pixels": PIXELS[:, :3]}, "target": TASK.data["target"]}
    )
    table = dataclasses.replace(TASK, data={"inputs": {"numeric": np.zeros((40, 2))}})
    for task, more, said in (
        (other, {}, r"trained on images of \(4, 4, 1\), and these are images of \(3, 4, 1\)"),
        (table, {}, "is for images"),
        (TASK, {"model": "cnn"}, "--model says nothing"),
    ):
        with pytest.raises(ConfigError, match=said):
            pretrained(task, {"encoder": run} | more)
    wrong = TrainedEncoder(DenseCoder((5,)), 3, source="x", weights=encoder_of(run).weights)
    with pytest.raises(ConfigError, match="another network"):
        begun(mf.Experiment(mf.Supervised(wrong), experiment_for(TASK, {"encoder": run}).data))
