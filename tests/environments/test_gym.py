"""Gymnasium's environments on the host: the same steps as without us, a member's own whoever is beside it, errors."""

from __future__ import annotations

import json
import warnings

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manyfit.cli.main import main
from manyfit.engine import Hooks, Member, Population, Rows, Shape
from manyfit.environments import Box, Discrete, Gymnasium, environment, gymnasium_environment
from manyfit.environments.gym import filmed
from manyfit.environments.simulators import Simulators
from manyfit.errors import ConfigError, DataError, ManyfitError
from manyfit.objectives.reinforcement import PPO
from manyfit.space import numeric_paths
from manyfit.tasks.reinforcement import environment_task


class Walk(gymnasium.Env):
    """To the right until 1 is passed; a start and steps of its own randomness."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012
    observation_space = gymnasium.spaces.Box(-9.0, 9.0, (2,))
    action_space = gymnasium.spaces.Discrete(2, start=3)

    def __init__(self, broken="", render_mode=None):
        self.broken, self.render_mode = broken, render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = self.np_random.uniform(-0.5, 0.5)
        self.steps = 0
        return self.seen(), {}

    def seen(self):
        return np.array([self.at, 1.0], np.float32)

    def step(self, action):
        assert action in (3, 4)
        self.steps += 1
        self.at += (0.4 if action == 4 else -0.2) + self.np_random.normal(0, 0.05)
        if self.broken == "step" and self.steps == 5:
            raise RuntimeError("the motor is hot")
        reward = float("nan") if self.broken == "reward" and self.steps == 5 else self.at
        return self.seen(), reward, bool(self.at > 1.0), False, {}

    def render(self):
        picture = np.full((40, 60, 3), 255, np.uint8)
        picture[:, int(np.clip(30 + 20 * self.at, 0, 59))] = 0
        return picture


class Pixels(Walk):
    observation_space = gymnasium.spaces.Box(0, 255, (8, 8, 3), np.uint8)


class Named(Walk):
    observation_space = gymnasium.spaces.Dict({"at": gymnasium.spaces.Box(-1, 1, (1,))})


class Unbounded(Walk):
    action_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))


class Several(Walk):
    action_space = gymnasium.spaces.MultiDiscrete([2, 3])


class Silent(Walk):
    def step(self, action):
        return self.seen(), float("nan"), False, False, {}


KINDS = (Walk, Pixels, Named, Unbounded, Several, Silent)


@pytest.fixture(autouse=True)
def registered():
    for kind in KINDS:
        limit = 8 if kind is Walk else None
        gymnasium.register(f"{kind.__name__}-v0", entry_point=kind, max_episode_steps=limit)
    yield
    for kind in KINDS:
        gymnasium.registry.pop(f"{kind.__name__}-v0")


def test_spaces_and_limit_are_found():
    walk = environment("Walk-v0")
    assert (walk.features, walk.actions, walk.horizon) == (2, Discrete(2), 8)
    lake = environment("gymnasium:FrozenLake-v1")
    assert (lake.features, lake.actions) == (16, Discrete(4))
    pendulum = environment("gymnasium:Pendulum-v1")
    assert pendulum.actions == Box((-2.0,), (2.0,)) and pendulum.horizon == 200


def test_steps_are_those_of_the_simulators_alone_and_episodes_begin_anew():
    walk = environment("Walk-v0")
    actions = np.random.default_rng(0).integers(0, 2, (20, 3))

    @jax.jit
    def run(key, actions):
        playing = walk.ready(walk.start(key, 3))

        def step(playing, action):
            after, outcome = walk.advance(playing, action, key)
            return after, (playing.observation, outcome)

        last, seen = jax.lax.scan(step, playing, actions)
        return last, playing.state[0], seen

    found = run(jax.random.key(3), jnp.asarray(actions))
    last, names, (before, outcome) = jax.tree.map(np.asarray, found)
    assert outcome.terminated.any() and outcome.truncated.any()

    def seed(name, steps):
        return int(np.random.SeedSequence([*map(int, name), steps]).generate_state(1)[0] >> 1)

    for e in range(3):
        alone = gymnasium.make("Walk-v0")
        seen, _ = alone.reset(seed=seed(names[e], 0))
        total = length = 0
        for t in range(20):
            np.testing.assert_array_equal(before[t, e], seen)
            seen, reward, terminated, truncated, _ = alone.step(int(actions[t, e]) + 3)
            total, length = total + reward, length + 1
            np.testing.assert_array_equal(outcome.observation[t, e], seen)
            assert outcome.reward[t, e] == pytest.approx(reward, rel=1e-6)
            assert (outcome.terminated[t, e], outcome.truncated[t, e]) == (terminated, truncated)
            assert outcome.total[t, e] == pytest.approx(total, rel=1e-5, abs=1e-5)
            assert outcome.length[t, e] == length
            if terminated or truncated:
                seen, _ = alone.reset(seed=seed(names[e], t + 1))
                total = length = 0
        np.testing.assert_array_equal(last.observation[e], seen)


def population(seeds):
    agent = PPO(environment("Walk-v0"), hidden=(4,), environments=2, rollout=8, passes=1)
    task = environment_task(agent.environment, choosing=2, scoring=3)
    rows = [Rows(part.train, part.validation, part.test) for part in task.parts or ()]
    hyper = {name: float(value) for name, value in numeric_paths(agent).items() if value}
    members = [Member(0, seed, 0, hyper) for seed in seeds]
    return Population(
        agent,
        task.data,
        members,
        rows,
        Shape(1, steps_per_epoch=2),
        epochs=3,
        width=2,
        chunk=1,
        predict=False,
    )


def trained(population, **hooks):
    found = {}
    done = population.run(Hooks(finish=lambda o: found.update({o.index: o}), **hooks))
    return found, done


def test_a_member_has_its_own_simulators_and_a_resumed_run_goes_on():
    together, _ = trained(population([0, 1, 2]))
    alone, _ = trained(population([1]))
    for ours, theirs in zip(jax.tree.leaves(together[1].model), jax.tree.leaves(alone[0].model)):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)
    assert together[1].test["return"] == pytest.approx(alone[0].test["return"], rel=1e-3)
    kept, asked = [], []

    def stop():
        asked.append(1)
        return len(asked) > 1

    simulators = environment("Walk-v0").simulators()
    assert not population([0, 1, 2]).run(Hooks(stop=stop, save=kept.append))
    simulators.close()  # as in another process: nothing of them is left
    again = population([0, 1, 2])
    found = {}
    assert again.run(Hooks(finish=lambda o: found.update({o.index: o})), resume=kept[-1])
    assert all(np.isfinite(o.test["return"]) for o in found.values()) and len(found) == 3
    # episodes of the evaluation are over and their simulators given back
    assert not any(name[0] == -1 for name in simulators._fleets)


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("Pixels-v0", ConfigError, "observed as images"),
        ("Named-v0", ConfigError, "FlattenObservation"),
        ("Unbounded-v0", ConfigError, "without bounds"),
        ("Several-v0", ConfigError, "MultiDiscrete"),
        ("Silent-v0", DataError, "reward nan at its first step"),
        ("Walk-v9", ConfigError, "did you mean 'Walk-v0'"),
        ("nowhere_at_all:Walk-v0", ConfigError, "nowhere_at_all"),
    ],
)
def test_what_cannot_be_learned_in_is_refused_at_once(name, kind, said):
    with pytest.raises(kind, match=said):
        environment(name)


def test_a_reward_that_is_no_number_is_told_of_and_the_others_go_on():
    simulators = Simulators("Walk-v0", (("broken", "reward"),), 2)
    names = np.array([[1, 2], [3, 4]], np.uint32)
    simulators.look(names, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rewards = [simulators.step(names, np.array([0, 0])).reward for _ in range(6)]
    assert np.isnan(rewards[4]).all() and np.isfinite(rewards[5]).all()
    assert simulators.problem == "Walk-v0 gave a reward that is no number, at step 5 of a simulator"


def test_a_simulator_that_breaks_off_is_named():
    walk = gymnasium_environment("Walk-v0", {"broken": "step"})
    actions = jnp.zeros((2,), jnp.int32)
    playing = walk.ready(walk.start(jax.random.key(0), 2))

    def steps():
        now = playing
        for _ in range(6):
            now, _ = walk.advance(now, actions, jax.random.key(0))
            jax.block_until_ready(now)

    with pytest.raises(Exception, match="the motor is hot"):
        steps()
    assert walk.simulators().problem == "Walk-v0 broke off: RuntimeError: the motor is hot"


def test_a_run_folder_has_no_module_imported_unless_it_is_trusted(tmp_path, capsys, monkeypatch):
    ran = tmp_path / "ran"
    (tmp_path / "a_strangers.py").write_text(f"open({str(ran)!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    stranger = Gymnasium("a_strangers:Walk-v0", 2, Discrete(2), 9)
    with pytest.raises(ManyfitError, match="would import the module 'a_strangers'"):
        stranger.simulators().open(np.zeros((1, 2), np.uint32))
    with pytest.raises(ConfigError, match="would import the module"):
        filmed(stranger, lambda seen: np.int32(0), 0)
    (tmp_path / "run").mkdir()
    asked = {"format": 1, "options": {"environment": stranger.name}, "data": {}, "task": {}, "settings": {}}
    (tmp_path / "run" / "experiment.json").write_text(json.dumps(asked))
    assert main(["resume", str(tmp_path / "run")]) == 1
    assert "say --trust" in capsys.readouterr().err
    assert not ran.exists()
    assert (
        main(["resume", str(tmp_path / "run"), "--trust"]) == 1
    )  # and then there is no such environment in it
    assert ran.exists()


def test_the_command_trains_on_the_host_and_films_an_episode(tmp_path, capsys):
    run = tmp_path / "run"
    words = ["rl", "Walk-v0", "--seeds", "2", "--steps", "64", "--looks", "1", "--episodes", "3"]
    small = ["--set", "hidden=4", "environments=2", "rollout=8", "passes=1", "minibatches=1"]
    assert main([*words, *small, "--out", str(run)]) == 0
    assert "not bit for bit" in capsys.readouterr().err
    assert "An episode of the best agent" in (run / "report.html").read_text()
    assert main(["play", str(run), "-n", "2", "-o", str(run / "episode.gif")]) == 0
    assert "agent 1: mean return" in capsys.readouterr().out
    assert (run / "episode.gif").read_bytes()[:6] == b"GIF89a"
