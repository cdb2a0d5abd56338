"""Environments by name."""

from __future__ import annotations

from manyfit.environments.acrobot import Acrobot
from manyfit.environments.cartpole import CartPole
from manyfit.environments.environment import Environment
from manyfit.environments.frozen_lake import LARGE, FrozenLake
from manyfit.environments.mountain_car import MountainCar, MountainCarContinuous
from manyfit.environments.pendulum import Pendulum
from manyfit.errors import ConfigError, nearest

ENVIRONMENTS: dict[str, Environment] = {
    "CartPole-v1": CartPole(),
    "Acrobot-v1": Acrobot(),
    "MountainCar-v0": MountainCar(),
    "MountainCarContinuous-v0": MountainCarContinuous(),
    "Pendulum-v1": Pendulum(),
    "FrozenLake-v1": FrozenLake(),
    "FrozenLake8x8-v1": FrozenLake(LARGE),
}
"""Those that run on the device."""

PARTS: tuple[type, ...] = (CartPole, Acrobot, MountainCar, MountainCarContinuous, Pendulum, FrozenLake)


def environment(name: str) -> Environment:
    """The environment of that name.

    Raises ``ConfigError`` with the nearest name where there is none.
    """
    if name in ENVIRONMENTS:
        return ENVIRONMENTS[name]
    raise ConfigError(f"there is no environment {name!r}: {nearest(name, ENVIRONMENTS)}")
