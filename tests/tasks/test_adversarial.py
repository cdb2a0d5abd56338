"""From rows and options to a game: what is chosen, and what is refused before anything is trained."""

import numpy as np
import pytest

from manyfit.errors import ConfigError, DataError
from manyfit.models.gan import DCGANGenerator, DenseGenerator, ResidualGenerator
from manyfit.objectives.adversarial import R1, R2
from manyfit.tasks import unsupervised
from manyfit.tasks.adversarial import MODELS, experiment_for
from manyfit.tasks.defaults import model_for
from manyfit.tasks.task import from_arrays
from manyfit.tasks.unsupervised import array_rows

NUMBERS = {"inputs": {"numeric": np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)}}
PIXELS = {"inputs": {"pixels": np.zeros((50, 8, 8, 1), np.uint8)}}


@pytest.mark.parametrize("name", MODELS)
def test_ten_seeds_of_every_game_on_a_hold_out(name):
    found = experiment_for(from_arrays(NUMBERS), {"model": name})
    assert (found.seeds, found.folds, found.patience, found.validation) == (10, 1, None, 0.0)
    assert isinstance(found.objective.generator, DenseGenerator)
    assert found.batch_size % found.objective.discriminator_steps == 0


def test_images_get_convolutions():
    kinds = [experiment_for(from_arrays(PIXELS), {"model": n}).objective.generator for n in ("gan", "r3gan")]
    assert [type(kind) for kind in kinds] == [DCGANGenerator, ResidualGenerator]


@pytest.mark.parametrize("option", [{"coder": "conv"}, {"likelihood": "bernoulli"}, {"samples": 3}])
def test_what_is_for_autoencoders_is_refused(option):
    with pytest.raises(ConfigError, match="is for autoencoders, and 'gan' is a game"):
        experiment_for(from_arrays(NUMBERS), {"model": "gan"} | option)


@pytest.mark.parametrize(("name", "meant"), [("vaee", "vae"), ("r3gann", "r3gan"), ("cnnn", "cnn")])
def test_a_name_near_to_that_of_any_model_is_suggested(name, meant):
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'"):
        model_for(from_arrays(NUMBERS), {"model": name})


def test_rates_are_for_few_steps_but_for_residual_networks():
    def rate(data, name):
        return experiment_for(
            from_arrays(data), {"model": name}
        ).objective.discriminator_optimizer.learning_rate

    assert [rate(PIXELS, name) for name in ("gan", "hinge-gan", "r3gan")] == pytest.approx([1e-3, 4e-3, 2e-4])
    assert rate(NUMBERS, "r3gan") == 1e-3


def test_options_reach_the_game():
    asked = {"model": "r3gan", "strength": "0.25", "hidden": (5,), "learning_rate": "0.01", "seeds": 3}
    found = experiment_for(from_arrays(NUMBERS), asked)
    assert found.objective.penalties == (R1(0.25), R2(0.25)) and found.seeds == 3
    assert found.objective.discriminator_optimizer.learning_rate == 0.01
    hinge = experiment_for(from_arrays(NUMBERS), {"model": "hinge-gan", "learning_rate": "0.01"}).objective
    assert hinge.discriminator_optimizer.learning_rate == pytest.approx(0.04)  # its ratio of 4 stays


def test_classes_are_told_where_there_are_any():
    target = (np.arange(50) % 3).astype(np.int32)
    told = array_rows({"pixels": PIXELS["inputs"]["pixels"]}, target, ("a", "b", "c"))
    assert experiment_for(told, {"model": "gan", "conditional": True}).objective.classes == 3
    assert experiment_for(told, {"model": "gan"}).objective.classes is None
    for task, asked in ((array_rows(PIXELS["inputs"]), {"model": "gan"}), (told, {"model": "vae"})):
        with pytest.raises(ConfigError, match="--conditional"):
            unsupervised.experiment_for(task, asked | {"conditional": True})


def holding(**inputs):
    return from_arrays({"inputs": inputs})


def test_what_cannot_be_learned_is_refused():
    nan = NUMBERS["inputs"]["numeric"].copy()
    nan[7, 1] = np.nan
    some = np.zeros((50, 2), np.int32)
    for data, said in (
        (holding(numeric=np.zeros((50, 0), np.float32), category=some), "no numeric column.*NAME=number"),
        (holding(numeric=nan), "row 8 has a missing number"),
        (holding(numeric=NUMBERS["inputs"]["numeric"], category=some), "2 columns are categories"),
    ):
        with pytest.raises(DataError, match=said):
            experiment_for(data, {"model": "gan"})
    for asked, said in (
        ({"optimizer": "sgd"}, "two optimizers are Adam"),
        ({"learning_rate": "1e-4:1e-2"}, "give one number"),
        ({"model": "hinge-gan", "strength": "1"}, "has no penalty"),
        ({"model": "gann"}, "gan"),
    ):
        with pytest.raises(ConfigError, match=said):
            experiment_for(from_arrays(NUMBERS), {"model": "gan", **asked})


def test_the_command_line_knows_every_game():
    from manyfit.tasks.source import UNSUPERVISED

    assert set(MODELS) <= set(UNSUPERVISED)
