"""Every agent at a tiny size: one row each, which ``test_agents.py`` checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from manyfit.environments import CartPole, PartlyObserved, Pendulum
from manyfit.objectives.reinforcement import DQN, PPO, SAC, TD3, RecurrentPPO


@dataclass(frozen=True)
class Row:
    """An agent, and its traced numbers with another value each."""

    agent: Any
    others: dict[str, float] = field(default_factory=dict)
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or type(self.agent).__name__


OFF_POLICY: dict[str, Any] = {
    "hidden": (4,),
    "environments": 2,
    "rollout": 2,
    "rounds": 8,
    "capacity": 40,  # an epoch writes over it
    "learning_starts": 8,
    "batch": 4,
}

ROWS = [
    Row(
        PPO(
            CartPole(),
            hidden=(8,),
            environments=4,
            rollout=16,
            passes=2,
            entropy_weight=0.01,
            normalise_observations=True,
        ),
        {"gamma": 0.9, "clip_range": 0.3, "entropy_weight": 0.02, "optimizer.learning_rate": 1e-2},
    ),
    Row(
        RecurrentPPO(
            PartlyObserved(CartPole(), (0, 2)),
            units=8,
            hidden=(8,),
            environments=4,
            rollout=16,
            passes=2,
            minibatches=2,
            entropy_weight=0.01,
        ),
        {"gamma": 0.9, "clip_range": 0.3, "entropy_weight": 0.02, "optimizer.learning_rate": 1e-2},
    ),
    Row(
        DQN(CartPole(), dueling=True, n_step=3, prioritised=True, normalise_observations=True, **OFF_POLICY),
        {"gamma": 0.9, "tau": 0.5, "epsilon_end": 0.5, "importance_exponent": 0.6},
    ),
    Row(SAC(Pendulum(), **OFF_POLICY), {"gamma": 0.9, "tau": 0.5, "entropy_per_action": 0.5}),
    Row(
        TD3(Pendulum(), prioritised=True, **OFF_POLICY),
        {"noise": 0.5, "target_noise": 0.4, "noise_clip": 0.2, "priority_exponent": 0.9},
    ),
]
