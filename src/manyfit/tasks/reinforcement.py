"""Environments as tasks, and sensible agents for them."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from manyfit.environments import Discrete, Environment, Gymnasium, environment
from manyfit.errors import ConfigError, DataError, ManyfitError, nearest
from manyfit.evaluate import Split
from manyfit.experiment.experiment import Experiment
from manyfit.objectives.reinforcement import DQN, PPO, SAC, TD3, Agent, RecurrentPPO
from manyfit.optim import Adam, Constant, Linear
from manyfit.space import numeric_paths
from manyfit.tasks.defaults import given, number_or_range, seconds_of
from manyfit.tasks.task import Task

CHOOSING, SCORING = 20, 100
"""Evaluation episodes at each look, and those that score the kept agent at the end."""

LOOKS = 25

ON_HOST = (
    "The environment is stepped on the host and its state is in no checkpoint: a run that is resumed begins new "
    "episodes, and what follows is not bit for bit what it would have been."
)


def environment_task(
    where: Environment, *, choosing: int = CHOOSING, scoring: int = SCORING, steps_per_look: int = 0
) -> Task:
    """The task of acting well: its rows are evaluation episodes, of which none is trained on.

    The first ``choosing`` judge the agent at every look, the others score the best look once.
    ``steps_per_look``, where it is known, are the environment steps of an agent between two looks, for the report.
    """
    name = where.name or type(where).__name__
    actions = where.actions
    kind = (
        f"{actions.count} actions"
        if isinstance(actions, Discrete)
        else f"{len(actions.low)} continuous actions"
    )
    rows = np.arange(choosing + scoring, dtype=np.int32)
    none = np.empty(0, np.int32)
    return Task(
        kind="own",
        data={"episode": rows},
        rows=len(rows),
        metric="return",
        direction="maximize",
        target="return",
        parts=(Split(none, rows[:choosing], rows[choosing:]),),
        about={
            "source": name,
            "kind": "environment",
            "rows": len(rows),
            "summary": f"{where.features} features, {kind}, at most {where.horizon} steps; on the "
            + ("host" if where.on_host else "device"),
            "steps_per_look": steps_per_look,
            "columns": [],
            "warnings": [ON_HOST] if where.on_host else [],
        },
    )


def experiment_for(asked: Mapping[str, Any]) -> Experiment:
    """The experiment for the options of ``manyfit rl`` (None where open)."""
    where = environment(asked["environment"])
    agent, steps = agent_for(where, asked.get("algorithm") or "ppo", dict(pairs(asked.get("set") or ())))
    steps = steps if asked.get("steps") is None else asked["steps"]
    if steps < 1:
        raise ConfigError(f"steps={steps}: give at least 1 environment step")
    for name in ("seeds", "looks", "episodes"):
        if asked.get(name) is not None and asked[name] < 1:
            raise ConfigError(f"{name}={asked[name]}: give at least 1")
    updates = math.ceil(steps / agent.steps_per_update)
    looks = min(given(asked, "looks", LOOKS), updates)
    updates_per_look = math.ceil(updates / looks)
    task = environment_task(
        where,
        scoring=given(asked, "episodes", SCORING),
        steps_per_look=updates_per_look * agent.steps_per_update,
    )
    return Experiment(
        agent,
        task,
        trials=given(asked, "trials", 16 if _searched(agent) else 1),
        seeds=given(asked, "seeds", 8),
        epochs=looks,
        patience=None,
        steps_per_epoch=updates_per_look,
        seed=given(asked, "seed", 0),
        search=asked.get("search") or "sobol",
        prune=None if (asked.get("prune") or "none") == "none" else asked["prune"],
        budget=seconds_of(asked.get("budget")),
        options=asked,
    )


@contextlib.contextmanager
def simulating(where: Environment) -> Iterator[None]:
    """Around a run: simulators are closed at its end, and what broke one off is said as it is.

    Raises ``DataError`` where a simulator on the host broke off; what comes of it out of a compiled program
    names everything but the reason.
    """
    if not isinstance(where, Gymnasium):
        yield
        return
    simulators = where.simulators()
    try:
        yield
    except Exception as error:
        if simulators.problem is None or isinstance(error, ManyfitError):
            raise
        raise DataError(simulators.problem) from error
    finally:
        simulators.close()


def problem_of(where: Environment) -> str | None:
    """What a simulator did that made agents diverge; None where nothing is known."""
    return where.simulators().problem if isinstance(where, Gymnasium) else None


def environment_steps(experiment: Experiment) -> int:
    """Steps of the environment that one network is trained on."""
    return experiment.epochs * (experiment.steps_per_epoch or 1) * int(experiment.objective.steps_per_update)


def agent_for(where: Environment, algorithm: str, settings: Mapping[str, str]) -> tuple[Agent, int]:
    """The agent with ``settings`` (name -> text, ``LOW:HIGH`` to search), and how long to train it.

    Raises ``ConfigError`` for an unknown algorithm or setting, and where the actions do not fit.
    """
    if algorithm not in ALGORITHMS:
        raise ConfigError(f"there is no algorithm {algorithm!r}: {nearest(algorithm, ALGORITHMS)}")
    agent, steps = ALGORITHMS[algorithm](where)
    for name, text in settings.items():
        agent = _set(agent, name, text)
    return agent, steps


def pairs(texts: Any) -> list[tuple[str, str]]:
    """``("gamma=0.9", ...)`` -> names and values; raises ``ConfigError`` for anything else."""
    found = []
    for text in texts:
        name, sign, value = str(text).partition("=")
        if not sign or not name or not value:
            raise ConfigError(f"--set {text!r}: give NAME=VALUE, or NAME=LOW:HIGH to search")
        found.append((name.replace("-", "_"), value))
    return found


def _set(agent: Any, name: str, text: str) -> Any:
    fields = {f.name for f in dataclasses.fields(agent)} - {"environment", "optimizer"}
    of_optimizer = {"learning_rate", "clip"}
    if name in of_optimizer:
        changed = dataclasses.replace(agent.optimizer, **{name: number_or_range(name, text, None)})
        return dataclasses.replace(agent, optimizer=changed)
    if name not in fields:
        raise ConfigError(f"--set {name}: {nearest(name, fields | of_optimizer)}")
    before = getattr(agent, name)
    value: Any
    if name in numeric_paths(agent):
        value = number_or_range(name, text, None)
    elif isinstance(before, bool):
        if text.lower() not in ("true", "false"):
            raise ConfigError(f"--set {name}={text}: give true or false")
        value = text.lower() == "true"
    elif isinstance(before, str):
        value = text
    else:
        try:
            value = (
                tuple(int(part) for part in text.split(","))
                if isinstance(before, tuple)
                else type(before)(text)
            )
        except ValueError:
            wanted = "whole numbers parted by commas" if isinstance(before, tuple) else "a number"
            raise ConfigError(f"--set {name}={text}: give {wanted}") from None
    return dataclasses.replace(agent, **{name: value})


def _searched(agent: Agent) -> bool:
    from manyfit.space import collect

    return bool(collect(agent))


def _adam(rate: float, *, falling: bool = False, clip: float = 0.5) -> Adam:
    return Adam(learning_rate=rate, clip=clip, eps=1e-5, schedule=Linear() if falling else Constant())


def _on_policy(kind: type[PPO], where: Environment) -> tuple[Agent, int]:
    """Settings after those that rl-baselines3-zoo tuned, as far as they go without its state-dependent noise."""

    def ppo(
        environments: int, rollout: int, passes: int, minibatches: int, gamma: float, lam: float, **more: Any
    ) -> PPO:
        sizes: dict[str, Any] = {"environments": environments, "rollout": rollout, "passes": passes}
        if issubclass(kind, RecurrentPPO):  # whole runs
            minibatches = min(minibatches, environments)
        return kind(where, minibatches=minibatches, gamma=gamma, gae_lambda=lam, **sizes, **more)

    both: dict[str, Any] = {"normalise_observations": True, "normalise_rewards": True}
    match where.name.rpartition(":")[2]:
        case "CartPole-v1":
            return kind(where), 100_000
        case "CartPoleNoVel-v1":
            return kind(where, **both), 100_000
        case "Acrobot-v1":
            return ppo(16, 64, 4, 4, 0.99, 0.94, optimizer=_adam(1e-3, falling=True), **both), 200_000
        case "MountainCar-v0":
            return ppo(16, 16, 4, 4, 0.99, 0.98, optimizer=_adam(3e-4), **both), 1_000_000
        case "Pendulum-v1" | "PendulumNoVel-v1":
            return ppo(8, 128, 10, 8, 0.9, 0.95, optimizer=_adam(1e-3, falling=True)), 200_000
        case "MountainCarContinuous-v0":
            weights: dict[str, Any] = {
                "entropy_weight": 0.004,
                "value_weight": 0.19,
                "clip_range": 0.1,
                "log_std": 0.5,
            }
            return ppo(8, 128, 10, 4, 0.9999, 0.9, optimizer=_adam(3e-4), **weights, **both), 200_000
        case "LunarLander-v2" | "LunarLander-v3" | "LunarLanderContinuous-v2" | "LunarLanderContinuous-v3":
            adam = _adam(3e-4)
            return ppo(16, 1024, 4, 256, 0.999, 0.98, optimizer=adam, entropy_weight=0.01), 1_000_000
        case "FrozenLake-v1":
            adam = _adam(1e-3, falling=True)
            return ppo(16, 64, 4, 4, 0.99, 0.95, optimizer=adam, entropy_weight=0.01), 200_000
        case _:
            return ppo(16, 128, 4, 8, 0.99, 0.95, optimizer=_adam(3e-4), **both), 500_000


def _dqn(where: Environment) -> tuple[Agent, int]:
    """A step of learning for every four of acting, in runs of 16: fewer, larger pieces cost less."""

    def dqn(environments: int, capacity: int, gamma: float, exploration: float, **more: Any) -> DQN:
        sizes: dict[str, Any] = {"rollout": 64 // environments, "gradient_steps": 16, "rounds": 8}
        how: dict[str, Any] = {"optimizer": Adam(learning_rate=5e-4, clip=10.0), "exploration": exploration}
        how |= {"batch": 128, "n_step": 3, "target_every": 1, "tau": 0.005, "epsilon_end": 0.04}
        return DQN(where, environments=environments, capacity=capacity, gamma=gamma, **sizes, **how | more)

    match where.name.rpartition(":")[2]:
        case "CartPole-v1":
            return dqn(4, 20_000, 0.99, 0.2, learning_starts=2000), 100_000
        case "Acrobot-v1":
            return dqn(4, 50_000, 0.99, 0.2), 100_000
        case "MountainCar-v0":
            return dqn(4, 50_000, 0.99, 0.4, normalise_observations=True, epsilon_end=0.07), 200_000
        case "FrozenLake-v1" | "FrozenLake8x8-v1":
            return dqn(8, 50_000, 0.99, 0.8, hidden=(64,), n_step=1), 200_000
        case _:
            return dqn(4, 100_000, 0.99, 0.3, normalise_observations=True), 500_000


def _actor_critic(kind: type[SAC] | type[TD3], where: Environment) -> tuple[Agent, int]:
    """A lesson for each step, in runs of 16; networks of the size that the environment needs."""
    adam = Adam(learning_rate=1e-3)
    small: dict[str, Any] = {"environments": 4, "rollout": 4, "gradient_steps": 16, "rounds": 4}
    small |= {"hidden": (64, 64), "batch": 128, "optimizer": adam, "learning_starts": 400}
    match where.name.rpartition(":")[2]:
        case "Pendulum-v1":
            return kind(where, capacity=20_000, gamma=0.95, **small), 20_000
        case "MountainCarContinuous-v0":
            # sparse: far-reaching values, and steps of noise that reach the top by chance
            more = {"gamma": 0.9999, "normalise_observations": True, "learning_starts": 5000}
            return kind(where, capacity=50_000, **small | more), 50_000
        case _:
            return kind(where, learning_starts=10_000, optimizer=Adam(learning_rate=3e-4)), 1_000_000


def _ppo(where: Environment) -> tuple[Agent, int]:
    return _on_policy(PPO, where)


def _recurrent_ppo(where: Environment) -> tuple[Agent, int]:
    return _on_policy(RecurrentPPO, where)


def _sac(where: Environment) -> tuple[Agent, int]:
    return _actor_critic(SAC, where)


def _td3(where: Environment) -> tuple[Agent, int]:
    return _actor_critic(TD3, where)


ALGORITHMS: dict[str, Callable[[Environment], tuple[Agent, int]]] = {
    "ppo": _ppo,
    "recurrent-ppo": _recurrent_ppo,
    "dqn": _dqn,
    "sac": _sac,
    "td3": _td3,
}
