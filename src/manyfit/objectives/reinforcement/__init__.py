"""Agents that learn by acting: every seed and setting is a member, its environments inside its state."""

from manyfit.objectives.reinforcement.agent import Agent
from manyfit.objectives.reinforcement.dqn import DQN
from manyfit.objectives.reinforcement.off_policy import OffPolicy
from manyfit.objectives.reinforcement.ppo import PPO
from manyfit.objectives.reinforcement.returns import generalized_advantages

PARTS: tuple[type, ...] = (PPO, DQN)

__all__ = ["DQN", "PARTS", "PPO", "Agent", "OffPolicy", "generalized_advantages"]
