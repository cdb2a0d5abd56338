"""What is kept of a member comes back as it was, from memory and from disk."""

from __future__ import annotations

import numpy as np
import pytest

from manyfit.engine import BaseObjective, Checkpoint, RunFolder
from manyfit.errors import ConfigError
from manyfit.experiment.describe import describe, rebuild
from manyfit.experiment.experiment import Experiment
from manyfit.experiment.records import Records, from_named, named_leaves
from manyfit.losses import Hinge
from manyfit.objectives.adversarial import AdversarialHinge


def model(seed):
    rng = np.random.default_rng(seed)
    return {
        "w": rng.normal(size=(3, 2)).astype(np.float32),
        "deep": [np.float32(seed), np.arange(3, dtype=np.int32)],
    }


def test_names_of_leaves_and_back():
    named = named_leaves(model(1))
    assert list(named) == ["deep/0", "deep/1", "w"]
    again = from_named(named, model(2))
    np.testing.assert_array_equal(again["w"], model(1)["w"])


@pytest.mark.parametrize("saved", [False, True])
def test_a_member_comes_back(tmp_path, saved):
    with RunFolder(tmp_path / "run") as folder:
        records = Records(folder)
        for i in range(3):
            records.add(i, {"trial": i}, model(i), np.full((4, 2), i, np.float32))
            if saved:
                records.save(Checkpoint({}, {}), {"bucket": 0, "rung": 0}, {})
        records.wait()
        for i in range(3):
            found = records.model(i)
            for name, leaf in named_leaves(model(i)).items():
                assert found[name].shape == leaf.shape
                np.testing.assert_array_equal(found[name], leaf)
            np.testing.assert_array_equal(records.outputs(i), np.full((4, 2), i))
        records.close()


def test_a_damaged_part_is_told_and_its_members_forgotten(tmp_path):
    with RunFolder(tmp_path / "run") as folder:
        records = Records(folder)
        for i in range(2):
            records.add(i, {"trial": i}, model(i), None)
            records.save(Checkpoint({"a": np.ones(2)}, {"seats": []}), {"bucket": 0, "rung": 0}, {})
        records.wait()
        records.close()
        part = folder.checkpoints / "members-000002.safetensors"
        part.write_bytes(part.read_bytes()[:-1])
        again = Records(folder)
        state, histories, warnings = again.load()
        again.close()
    assert list(again.rows) == [0]
    assert state is not None and not histories
    assert (
        len(warnings) == 1
        and "members-000002" in warnings[0]
        and "1 members are trained again" in warnings[0]
    )


def test_a_run_that_cannot_begin_leaves_its_folder_free(tmp_path):
    class Refuses(BaseObjective):
        def init(self, key, hyper, prepared):
            raise ConfigError("no such layer")

        def update(self, state, batch, key, hyper):
            raise AssertionError

    rows = {"x": np.zeros((20, 2), np.float32)}
    folder = tmp_path / "run"
    with pytest.raises(ConfigError, match="no such layer"):
        Experiment(Refuses(), rows, folds=2, epochs=1).run(folder)
    assert not folder.exists()
    (folder / "notes").mkdir(parents=True)  # what is not the run's stays
    with pytest.raises(ConfigError):
        Experiment(Refuses(), rows, folds=2, epochs=1).run(folder)
    assert [path.name for path in folder.iterdir()] == ["notes"]


@pytest.mark.parametrize("loss", [Hinge(), AdversarialHinge()], ids=lambda loss: type(loss).__name__)
def test_losses_of_one_name_in_the_field_are_told_apart(loss):
    assert type(rebuild(describe(loss))) is type(loss)
