"""Agents in classic environments: interquartile mean of the return over seeds, what it costs, and what is published.

python benchmarks/rl.py                      # CartPole-v1 by PPO, 16 seeds
python benchmarks/rl.py Acrobot-v1:ppo Pendulum-v1:sac --seeds 8
python benchmarks/rl.py --all                # every pair that a score is published for, here: an hour or more
python benchmarks/rl.py HalfCheetah-v5:sac --seeds 4      # needs gymnasium[mujoco]; a day on two cores

Published are means and deviations over three or ten runs of CleanRL's reports (500,000 steps; MuJoCo 1,000,000,
version 4), which score episodes while agents learn; here those that are kept play 100 new episodes. "zoo" is one run
of rl-baselines3-zoo, its deviation that of episodes (benchmark.md, LunarLander-v2 after 1,000,000 steps; its model of
CartPoleNoVel-v1 after 100,000).
"""

from __future__ import annotations

import argparse

from manyfit.evaluate.runs import interquartile_mean_interval
from manyfit.tasks.reinforcement import environment_steps, experiment_for

PUBLISHED = {
    "CartPole-v1:ppo": "490 ± 6",
    "CartPole-v1:dqn": "489 ± 16",
    "Acrobot-v1:ppo": "−86.4 ± 1.3",
    "Acrobot-v1:dqn": "−91.5 ± 7.2",
    "HalfCheetah:ppo": "1,443 ± 46",
    "HalfCheetah:sac": "9,635 ± 1,424",
    "HalfCheetah:td3": "9,583 ± 126",
    "Hopper:ppo": "2,383 ± 272",
    "CartPoleNoVel-v1:recurrent-ppo": "500 ± 0 (zoo)",
    "LunarLander:ppo": "242 ± 32 (zoo)",
}
"""By environment (any version, where it is none of the classic ones) and algorithm."""

HERE = [
    *(f"{name}:{how}" for name in ("CartPole-v1", "Acrobot-v1", "MountainCar-v0") for how in ("ppo", "dqn")),
    *(f"Pendulum-v1:{how}" for how in ("ppo", "sac", "td3")),
]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", nargs="*", default=["CartPole-v1:ppo"], help="ENVIRONMENT:ALGORITHM ...")
parser.add_argument("--seeds", type=int, default=16)
parser.add_argument("--steps", type=int)
parser.add_argument("--all", action="store_true", help="all that runs on the device")
asked = parser.parse_args()

print(
    "| environment | algorithm | seeds | steps a seed | IQM of the return [95 %] | worst seed "
    "| train s | s a seed | steps/s | published |"
)
print("|---|---|---|---|---|---|---|---|---|---|")
for text in HERE if asked.all else asked.what:
    name, _, algorithm = text.rpartition(":") if ":" in text else (text, "", "ppo")
    experiment = experiment_for(
        {"environment": name, "algorithm": algorithm or "ppo", "seeds": asked.seeds, "steps": asked.steps}
    )
    result = experiment.run()
    returns = [member["test"]["return"] for member in result.members]
    found = interquartile_mean_interval(returns)
    steps, seconds = environment_steps(experiment), result.timing["train"]
    plain = name.rpartition(":")[2]
    known = PUBLISHED.get(f"{plain}:{algorithm}") or PUBLISHED.get(f"{plain.partition('-')[0]}:{algorithm}")
    print(
        f"| {name} | {algorithm or 'ppo'} | {asked.seeds} | {steps:,} | {found.mean:.1f} [{found.low:.1f}, "
        f"{found.high:.1f}] | {min(returns):.1f} | {seconds:.0f} | {seconds / asked.seeds:.3g} | "
        f"{steps * asked.seeds / seconds:,.0f} | {known or 'none'} |",
        flush=True,
    )
