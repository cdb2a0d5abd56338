"""Simulators on the host: what a step costs when a compiled program calls it, and when the host calls the program.

python benchmarks/host_steps.py                       # CartPole-v1, 8 environments for each of 1, 2 and 8 members

Three ways to act by the same small network: simulators alone (random actions, no network: the bound), a loop
on the host with a compiled network for all members at once, and a compiled loop over members side by side
that calls each member's simulators (what manyfit does, for then the engine has one kind of loop).
"""

from __future__ import annotations

import argparse
import time

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from manyfit.environments import environment
from manyfit.objectives.reinforcement import PPO

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("name", nargs="?", default="gymnasium:CartPole-v1")
parser.add_argument("--members", type=int, nargs="+", default=[1, 2, 8])
parser.add_argument("--environments", type=int, default=8)
parser.add_argument("--steps", type=int, default=500)
asked = parser.parse_args()

where = environment(asked.name)
agent = PPO(where, environments=asked.environments)


def speed(run, members):
    """Environment steps a second; the first run compiles."""
    run()
    started = time.perf_counter()
    run()
    return members * asked.environments * asked.steps / (time.perf_counter() - started)


def alone(members):
    simulators = [gymnasium.make(asked.name) for _ in range(members * asked.environments)]
    for seed, simulator in enumerate(simulators):
        simulator.reset(seed=seed)

    def run():
        for _ in range(asked.steps):
            for simulator in simulators:
                _, _, terminated, truncated, _ = simulator.step(simulator.action_space.sample())
                if terminated or truncated:
                    simulator.reset()

    return speed(run, members)


def host_loop(members):
    simulators = [gymnasium.make(asked.name) for _ in range(members * asked.environments)]
    seen = np.stack([one.reset(seed=seed)[0] for seed, one in enumerate(simulators)])
    weights = jax.vmap(agent.fresh)(jax.random.split(jax.random.key(0), members))
    act = jax.jit(jax.vmap(lambda weights, seen: agent.chosen({"weights": weights}, seen)))

    def run():
        for _ in range(asked.steps):
            actions = np.asarray(act(weights, seen.reshape(members, asked.environments, -1)))
            for i, simulator in enumerate(simulators):
                seen[i], _, terminated, truncated, _ = simulator.step(
                    actions.reshape(len(simulators), -1)[i, 0]
                )
                if terminated or truncated:
                    seen[i], _ = simulator.reset()

    return speed(run, members)


def compiled(members):
    weights = jax.vmap(agent.fresh)(jax.random.split(jax.random.key(0), members))

    def one(weights, key):
        playing = where.ready(where.start(key, asked.environments))

        def step(playing, _):
            actions = agent.chosen({"weights": weights}, playing.observation)
            playing, outcome = where.advance(playing, actions, key)
            return playing, jnp.sum(outcome.reward)

        return jax.lax.scan(step, playing, None, length=asked.steps)[1]

    program = jax.jit(jax.vmap(one))
    keys = jax.random.split(jax.random.key(1), members)
    return speed(lambda: jax.block_until_ready(program(weights, keys)), members)


print("| members | simulators alone, steps/s | loop on the host | calls from the compiled loop |")
print("|---|---|---|---|")
for members in asked.members:
    print(
        f"| {members} | {alone(members):,.0f} | {host_loop(members):,.0f} | {compiled(members):,.0f} |",
        flush=True,
    )
