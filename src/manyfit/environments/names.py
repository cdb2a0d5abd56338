"""Environments by name."""

from __future__ import annotations

from manyfit.environments.acrobot import Acrobot
from manyfit.environments.cartpole import CartPole
from manyfit.environments.environment import Box, Discrete, Environment
from manyfit.environments.frozen_lake import LARGE, FrozenLake
from manyfit.environments.gym import Gymnasium, gymnasium_environment
from manyfit.environments.gymnax import PREFIX, Gymnax, gymnax_environment
from manyfit.environments.mountain_car import MountainCar, MountainCarContinuous
from manyfit.environments.partly_observed import PartlyObserved
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
    "CartPoleNoVel-v1": PartlyObserved(CartPole(), (0, 2), "CartPoleNoVel-v1"),
    "PendulumNoVel-v1": PartlyObserved(Pendulum(), (0, 1), "PendulumNoVel-v1"),
}
"""Those that run on the device; of ``NoVel`` no velocities are seen (rl-baselines3-zoo's names)."""

PARTS: tuple[type, ...] = (
    CartPole,
    Acrobot,
    MountainCar,
    MountainCarContinuous,
    Pendulum,
    FrozenLake,
    PartlyObserved,
    Gymnasium,
    Gymnax,
    Discrete,
    Box,
)


def environment(name: str) -> Environment:
    """The environment of that name: on the device where it is written here, else Gymnasium's on the host.

    ``module:Name-v0`` imports the module first, where one's own environments are registered;
    ``gymnasium:CartPole-v1`` takes Gymnasium's also where there is one here, ``gymnax:Breakout-MinAtar`` gymnax's on
    the device.

    Raises ``ConfigError`` with the nearest name where there is none, and where its spaces do not fit.
    """
    if name in ENVIRONMENTS:
        return ENVIRONMENTS[name]
    if name.startswith(PREFIX):
        return gymnax_environment(name)
    if ":" not in name:
        try:
            import gymnasium
        except ImportError as error:
            raise ConfigError(
                f"there is no environment {name!r}: {nearest(name, ENVIRONMENTS)}, or install Gymnasium for others "
                "(pip install 'manyfit[rl]')"
            ) from error
        if name not in gymnasium.registry:
            every = {*ENVIRONMENTS, *gymnasium.registry}
            raise ConfigError(
                f"there is no environment {name!r}: {nearest(name, every)}; one's own is named with the module that "
                "registers it, MODULE:NAME"
            )
    return gymnasium_environment(name)
