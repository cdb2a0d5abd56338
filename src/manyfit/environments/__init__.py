"""Environments to learn in: on the device as pure functions, or Gymnasium's on the host."""

from manyfit.environments.acrobot import Acrobot
from manyfit.environments.cartpole import CartPole
from manyfit.environments.environment import Box, Discrete, Environment, Moved, Outcome, Playing
from manyfit.environments.frozen_lake import FrozenLake
from manyfit.environments.gym import Gymnasium, gymnasium_environment
from manyfit.environments.gymnax import Gymnax, gymnax_environment
from manyfit.environments.mountain_car import MountainCar, MountainCarContinuous
from manyfit.environments.names import ENVIRONMENTS, PARTS, environment
from manyfit.environments.partly_observed import PartlyObserved
from manyfit.environments.pendulum import Pendulum
from manyfit.environments.simulators import check_trusted, trust

__all__ = [
    "ENVIRONMENTS",
    "PARTS",
    "Acrobot",
    "Box",
    "CartPole",
    "Discrete",
    "Environment",
    "FrozenLake",
    "Gymnasium",
    "Gymnax",
    "MountainCar",
    "MountainCarContinuous",
    "Moved",
    "Outcome",
    "PartlyObserved",
    "Pendulum",
    "Playing",
    "check_trusted",
    "environment",
    "gymnasium_environment",
    "gymnax_environment",
    "trust",
]
