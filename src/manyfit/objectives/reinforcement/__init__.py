"""Agents that learn by acting: every seed and setting is a member, its environments inside its state."""

from manyfit.objectives.reinforcement.agent import Agent
from manyfit.objectives.reinforcement.dqn import DQN
from manyfit.objectives.reinforcement.off_policy import OffPolicy
from manyfit.objectives.reinforcement.ppo import PPO
from manyfit.objectives.reinforcement.recurrent_ppo import RecurrentPPO
from manyfit.objectives.reinforcement.returns import generalized_advantages
from manyfit.objectives.reinforcement.sac import SAC
from manyfit.objectives.reinforcement.td3 import TD3

PARTS: tuple[type, ...] = (PPO, RecurrentPPO, DQN, SAC, TD3)

__all__ = [
    "DQN",
    "PARTS",
    "PPO",
    "SAC",
    "TD3",
    "Agent",
    "OffPolicy",
    "RecurrentPPO",
    "generalized_advantages",
]
