"""A game of images: what its run shows, and its scores in the features of a classifier."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from manyfit import Experiment, report
from manyfit.data import ImagePreprocess
from manyfit.engine.objective import Fold
from manyfit.errors import ConfigError, DataError
from manyfit.experiment.generative import judge
from manyfit.experiment.predictor import Predictor
from manyfit.experiment.template import spec_of
from manyfit.models import CNN
from manyfit.models.gan import DCGANDiscriminator, DCGANGenerator
from manyfit.objectives import Supervised
from manyfit.objectives.adversarial import GAN
from manyfit.objectives.adversarial.gan import SHOWN
from manyfit.optim import Adam
from manyfit.tasks.unsupervised import array_rows


def images(count, seed):
    """Bright squares somewhere on dark noise, ``(count, 6, 6, 1)`` uint8."""
    rng = np.random.default_rng(seed)
    found = rng.integers(0, 60, (count, 6, 6, 1), dtype=np.uint8)
    for image, (row, column) in zip(found, rng.integers(0, 4, (count, 2))):
        image[row : row + 3, column : column + 3] = 230
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("games") / "run"
    quick = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    game = GAN(
        DCGANGenerator((4,)),
        DCGANDiscriminator((4,)),
        latent=3,
        generator_optimizer=Adam(learning_rate=0.01),
    )
    result = Experiment(
        game,
        array_rows({"pixels": images(60, 0)}),
        seeds=2,
        folds=1,
        epochs=4,
        patience=None,
        validation=0.0,
        batch_size=16,
    ).run(folder)
    jax.config.update("jax_disable_most_optimizations", quick)
    return folder, result


def test_the_samples_in_the_course_of_the_training_end_with_the_model_that_is_kept(run):
    folder, result = run
    kept = load_file(folder / "games.safetensors")
    best = int(kept["best"][0])
    predictor = result.predictor
    model = jax.tree.map(lambda leaf: leaf[best], predictor.models)
    noise = jax.random.normal(jax.random.key(0), (SHOWN, 3))
    last = np.clip(np.round(np.asarray(predictor.objective.decode(model, noise))), 0, 255)
    stages = kept["pictures/training"]
    np.testing.assert_allclose(stages[-1], last, atol=1)  # a rounding apart
    assert all((stages[i] != stages[i + 1]).any() for i in range(len(stages) - 1))
    assert kept["pictures/seeds"].shape == (2, 10, 6, 6, 1) and kept["pictures/ways"].shape[:2] == (4, 10)


def test_neighbours_are_training_images_and_no_other_is_nearer(run):
    folder, result = run
    samples, nearest = load_file(folder / "games.safetensors")["pictures/neighbours"].astype(float)
    pixels = images(60, 0).astype(float)
    far = ((samples[:, None] - pixels) ** 2).sum(axis=(2, 3, 4))
    given = ((samples - nearest) ** 2).sum(axis=(1, 2, 3))
    assert all((nearest[i] == pixels).all(axis=(1, 2, 3)).any() for i in range(len(nearest)))
    assert (np.sqrt(given) <= np.sqrt(np.sort(far, axis=1)[:, 12]) + 12).all()  # 12 of 60 rows are test rows


def test_the_report_shows_them(run):
    page = report.render(run[0])
    for said in ("in the course of the training", "a line for each network", "far below 1 it would repeat"):
        assert said in page


def test_a_game_of_numbers_keeps_no_pictures():
    game = GAN().bind({"inputs": {"numeric": np.zeros((8, 2), np.float32)}})
    state = jax.eval_shape(lambda: game.init(jax.random.key(0), {}, {"shift": 0.0, "scale": 1.0}))
    assert "shown" not in state and "shown" not in jax.eval_shape(game.export, state)


@dataclasses.dataclass(frozen=True)
class Drawing:
    """Writes rows of its own, in turn."""

    def sample(self, model, key, count):
        return jnp.resize(model["rows"], (count, *model["rows"].shape[1:])).astype(jnp.float32)


def drawing(*each):
    models = {"rows": jnp.stack([jnp.asarray(rows, jnp.float32) for rows in each])}
    return Predictor("own", "", (), Drawing(), models, {})


@pytest.fixture(scope="module")
def classifier():
    data = {"inputs": {"pixels": images(40, 1)}, "target": np.zeros(40, np.int32)}
    objective = Supervised(CNN((4,), 6), classes=2, preprocess=ImagePreprocess()).bind(data)
    prepared = objective.prepare(Fold(data, jnp.arange(40), jnp.ones(40)))
    model = objective.export(objective.init(jax.random.key(0), {"total_steps": jnp.float32(1)}, prepared))
    models = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], model)
    return Predictor("multiclass", "target", ("a", "b"), objective, models, spec_of(data))


def test_real_images_score_as_the_floor_and_one_image_covers_nothing(classifier):
    real = images(120, 2)
    found = judge(drawing(images(60, 3), np.repeat(real[:1], 60, axis=0)), classifier, real, 60)
    good, one = ({name: float(values[i]) for name, values in found.networks.items()} for i in range(2))
    assert found.rows == 60
    assert good["frechet"] < 4 * found.floor["frechet"]  # of 60 rows, so that the floor itself moves
    assert good["coverage"] > 0.8 and good["recall"] > 0.7
    assert one["coverage"] < 0.3 and one["recall"] < 0.1 and one["frechet"] > 5 * good["frechet"]
    for name in ("precision", "recall", "coverage"):
        assert found.scores[name].low >= 0 and found.scores[name].high <= 1
    assert found.scores["frechet"].low >= 0
    score = found.scores["coverage"]
    assert score.low < score.mean < score.high and score.mean == pytest.approx(
        (good["coverage"] + one["coverage"]) / 2
    )


def test_what_cannot_be_compared_is_refused(classifier):
    with pytest.raises(DataError, match="30 images are too few"):
        judge(drawing(images(30, 0)), classifier, images(30, 0))
    for count in (5, 31):
        with pytest.raises(ConfigError, match=f"{count} images beside as many others, of 60 .*give 20 to 30"):
            judge(drawing(images(60, 0)), classifier, images(60, 0), count)
    with pytest.raises(ConfigError, match="reads images of"):
        judge(drawing(images(60, 0)), classifier, np.zeros((60, 5, 5, 1), np.uint8))
    with pytest.raises(ConfigError, match="does not generate"):
        judge(classifier, classifier, images(60, 0))
    with pytest.raises(ConfigError, match="classifier of images"):
        judge(drawing(images(60, 0)), drawing(images(60, 0)), images(60, 0))
