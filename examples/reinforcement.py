"""A corridor of one's own: six seeds of two agents in one program each, and how sure it is which is better.

python examples/reinforcement.py
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

import manyfit as mf
from manyfit.environments import Discrete, Environment, Moved
from manyfit.evaluate.runs import interquartile_mean_interval, probability_of_improvement
from manyfit.objectives.reinforcement import DQN, PPO
from manyfit.tasks.reinforcement import environment_task


@dataclass(frozen=True)
class Corridor(Environment):
    """A walk from the middle: the left end, near, pays 1 and the right end, further off, pays 10; a step costs 0.1."""

    name: ClassVar[str] = "corridor"
    horizon: ClassVar[int] = 40
    features: ClassVar[int] = 9

    @property
    def actions(self):
        return Discrete(2)

    def reset(self, key):
        return jax.random.randint(key, (), 2, 4)

    def observe(self, state):
        return jax.nn.one_hot(state, 9)

    def step(self, state, action, key):
        after = state + 2 * action - 1
        reward = jnp.where(after == 0, 1.0, jnp.where(after == 8, 10.0, -0.1))
        return Moved(after, reward, (after == 0) | (after == 8))


small = {"hidden": (16,), "environments": 8, "gamma": 0.95}
agents = {
    "PPO": PPO(Corridor(), rollout=16, passes=4, **small),
    "DQN": DQN(Corridor(), rollout=4, gradient_steps=4, rounds=4, learning_starts=64, n_step=3, **small),
}
returns = {}
for name, agent in agents.items():
    looks, updates = 3, 4  # evaluated three times, after four updates each
    experiment = mf.Experiment(
        agent, environment_task(agent.environment, scoring=20), seeds=6, epochs=looks, steps_per_epoch=updates
    )
    result = experiment.run()
    returns[name] = [member["test"]["return"] for member in result.members]
    found = interquartile_mean_interval(returns[name])
    steps = looks * updates * agent.steps_per_update
    print(f"{name}: interquartile mean of the return after {steps:,} steps {found}")

better = probability_of_improvement(returns["DQN"], returns["PPO"])
print(
    f"a DQN earns more than a PPO with probability {better.mean:.2f} [{better.low:.2f}, {better.high:.2f}]; "
    f"the best that can be earned is {10 - 0.1 * 4.5:.2f} on average"
)
