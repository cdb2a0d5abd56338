"""Checkpoints: whole or not there, proved, and going on from one changes nothing."""

from __future__ import annotations

import copy
import json
import shutil

import numpy as np
import pytest
from test_population import CASES, same

from manyfit.engine import Checkpoint, Hooks, Population, RunFolder, load_checkpoint, save_checkpoint
from manyfit.engine import checkpoint as module
from manyfit.errors import RunError


def some(value=1.0):
    return Checkpoint(
        {"a": np.full((3, 2), value, np.float32), "b/c": np.arange(4)}, {"note": "ü", "x": [1, None]}
    )


def test_what_is_saved_is_loaded(tmp_path):
    save_checkpoint(tmp_path, 7, some())
    found, number, warnings = load_checkpoint(tmp_path)
    assert number == 7 and not warnings
    assert found.meta == some().meta
    np.testing.assert_array_equal(found.arrays["a"], some().arrays["a"])
    np.testing.assert_array_equal(found.arrays["b/c"], some().arrays["b/c"])


def test_only_the_newest_are_kept(tmp_path):
    for number in range(1, 6):
        save_checkpoint(tmp_path, number, some(number))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00000004", "00000005"]
    assert load_checkpoint(tmp_path)[0].arrays["a"][0, 0] == 5


def damage_cut(place):
    content = (place / "state.safetensors").read_bytes()
    (place / "state.safetensors").write_bytes(content[: len(content) // 2])


def damage_bit(place):
    content = bytearray((place / "state.safetensors").read_bytes())
    content[-1] ^= 1
    (place / "state.safetensors").write_bytes(bytes(content))


def damage_facts(place):
    text = (place / "state.json").read_text()
    (place / "state.json").write_text(text.replace("note", "nope"))


def damage_json(place):
    (place / "state.json").write_text("{")


def damage_missing(place):
    (place / "state.safetensors").unlink()


def damage_empty(place):
    (place / "state.json").write_text("")


@pytest.mark.parametrize(
    "damage", [damage_cut, damage_bit, damage_facts, damage_json, damage_missing, damage_empty]
)
def test_a_damaged_newest_one_falls_back_to_the_one_before(tmp_path, damage):
    save_checkpoint(tmp_path, 1, some(1))
    save_checkpoint(tmp_path, 2, some(2))
    damage(tmp_path / "00000002")
    found, number, warnings = load_checkpoint(tmp_path)
    assert number == 1 and found.arrays["a"][0, 0] == 1
    assert len(warnings) == 1 and "00000002" in warnings[0]


def test_an_interrupted_write_leaves_the_one_before(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 1, some(1))
    calls = []

    def dies(*arguments):
        calls.append(arguments)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", dies)
    with pytest.raises(RunError, match=r"cannot be written \(No space left on device\); free some space"):
        save_checkpoint(tmp_path, 2, some(2))
    monkeypatch.undo()
    assert calls
    found, number, warnings = load_checkpoint(tmp_path)
    assert (number, warnings) == (1, []) and found.arrays["a"][0, 0] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["00000001"]


def test_two_processes_on_one_folder_are_refused(tmp_path):
    with RunFolder(tmp_path / "run"):
        with (
            pytest.raises(RunError, match="another process is working on this run"),
            RunFolder(tmp_path / "run"),
        ):
            pass
    with RunFolder(tmp_path / "run"):
        pass  # free again


def test_another_version_of_the_format_is_refused(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_json("experiment.json", {"format": 99})
    with pytest.raises(RunError, match="format 99, this version of manyfit reads 1"):
        folder.read_experiment()


def test_json_of_a_run_has_no_nan(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_json("x.json", {"a": np.float32("nan"), "b": [np.int32(3), float("inf")], "c": (1.5,)})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": [3, None], "c": [1.5]}


def stop_after(chunks):
    """A ``stop`` hook that says yes at its n-th question."""
    asked = iter(range(10**9))
    return lambda: next(asked) >= chunks


@pytest.mark.parametrize("name", list(CASES))
def test_resumed_equals_uninterrupted_bit_for_bit(name, tmp_path):
    """Stopped at 7 random moments, each time through a file; three objectives, 21 stops in all."""
    fixed, options = CASES[name]()
    whole = {}
    reference = Population(**fixed, **options, width=1, chunk=2)
    assert reference.run(Hooks(finish=lambda o: whole.__setitem__(o.index, o)))

    rng = np.random.default_rng(5)
    found, state, stops = {}, None, 0
    while True:
        population = Population(**fixed, **options, width=1, chunk=1)
        kept = []
        hooks = Hooks(
            finish=lambda o: found.__setitem__(o.index, o),
            stop=stop_after(int(rng.integers(1, 3))) if stops < 7 else lambda: False,
            save=kept.append,
        )
        finished = population.run(hooks, resume=state, done=set(found))
        if finished:
            break
        stops += 1
        shutil.rmtree(tmp_path, ignore_errors=True)
        save_checkpoint(tmp_path, stops, kept[-1])
        state = load_checkpoint(tmp_path)[0]
    assert stops == 7
    assert sorted(found) == sorted(whole)
    for index in whole:
        histories = [{k: v[index] for k, v in p.history.items()} for p in (population, reference)]
        same((found[index], histories[0]), (whole[index], histories[1]))


def test_a_checkpoint_does_not_change_while_training_goes_on():
    """It is written in the background: what it holds must be its own."""
    fixed, options = CASES["classifier"]()
    kept, as_saved = [], []

    def save(checkpoint):
        kept.append(checkpoint)
        as_saved.append(copy.deepcopy(checkpoint))

    Population(**fixed, **options, width=1, chunk=1).run(Hooks(save_due=lambda: True, save=save))
    assert len(kept) > 3 and kept[0].meta["seats"] != kept[-1].meta["seats"]
    for now, then in zip(kept, as_saved, strict=True):
        assert now.meta == then.meta
        for name, values in then.arrays.items():
            np.testing.assert_array_equal(now.arrays[name], values, err_msg=name)


def test_members_that_were_lost_train_again():
    """Their rows are gone though every seat is empty: as after a damaged file of a run at its end."""
    fixed, options = CASES["classifier"]()
    whole, again, kept = {}, {}, []
    first = Population(**fixed, **options, width=2)
    first.run(
        Hooks(
            finish=lambda o: whole.__setitem__(o.index, o),
            stop=lambda: len(whole) == len(first.members),
            save=kept.append,
        )
    )
    second = Population(**fixed, **options, width=2)
    done = set(whole) - {0, 5}
    assert second.run(Hooks(finish=lambda o: again.__setitem__(o.index, o)), resume=kept[-1], done=done)
    assert sorted(again) == [0, 5]
    for index in again:
        histories = [{k: v[index] for k, v in p.history.items()} for p in (second, first)]
        same((again[index], histories[0]), (whole[index], histories[1]))


def test_another_layout_goes_on_too(tmp_path):
    """A run begun with one width and two devices goes on with others."""
    fixed, options = CASES["classifier"]()
    whole, found, kept = {}, {}, []
    Population(**fixed, **options, width=2).run(Hooks(finish=lambda o: whole.__setitem__(o.index, o)))
    first = Population(**fixed, **options, width=2)
    first.run(Hooks(finish=lambda o: found.__setitem__(o.index, o), stop=stop_after(2), save=kept.append))
    second = Population(**fixed, **options, width=3, device_count=1)
    second.run(Hooks(finish=lambda o: found.__setitem__(o.index, o)), resume=kept[-1], done=set(found))
    for index in whole:
        same((found[index], {}), (whole[index], {}), exact=False)


def test_a_checkpoint_of_another_experiment_is_refused():
    fixed, options = CASES["classifier"]()
    kept = []
    first = Population(**fixed, **options, width=2)
    first.run(Hooks(stop=stop_after(1), save=kept.append))
    other = fixed | {"objective": type(fixed["objective"])(hidden=5)}
    with pytest.raises(RunError, match="belongs to another experiment"):
        Population(**other, **options, width=2).run(resume=kept[-1])
    more = fixed | {"members": [*fixed["members"], fixed["members"][-1]]}
    count = len(fixed["members"])
    with pytest.raises(RunError, match=f"is of {count} networks, and {count + 1} are asked for"):
        Population(**more, **options, width=2).run(resume=kept[-1])
