"""Agents in classic environments: interquartile mean of the return over seeds, and what a seed costs.

python benchmarks/rl.py                      # CartPole-v1 by PPO, 16 seeds
python benchmarks/rl.py Acrobot-v1:ppo Pendulum-v1:ppo --seeds 8
"""

from __future__ import annotations

import argparse

from manyfit.evaluate.runs import interquartile_mean_interval
from manyfit.tasks.reinforcement import environment_steps, experiment_for

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", nargs="*", default=["CartPole-v1:ppo"], help="ENVIRONMENT:ALGORITHM ...")
parser.add_argument("--seeds", type=int, default=16)
parser.add_argument("--steps", type=int)
asked = parser.parse_args()

print(
    "| environment | algorithm | seeds | steps a seed | IQM of the return [95 %] | worst seed "
    "| train s | s a seed | steps/s |"
)
print("|---|---|---|---|---|---|---|---|---|")
for text in asked.what:
    name, _, algorithm = text.partition(":")
    experiment = experiment_for(
        {"environment": name, "algorithm": algorithm or "ppo", "seeds": asked.seeds, "steps": asked.steps}
    )
    result = experiment.run()
    returns = [member["test"]["return"] for member in result.members]
    found = interquartile_mean_interval(returns)
    steps, seconds = environment_steps(experiment), result.timing["train"]
    print(
        f"| {name} | {algorithm or 'ppo'} | {asked.seeds} | {steps:,} | {found.mean:.1f} [{found.low:.1f}, "
        f"{found.high:.1f}] | {min(returns):.1f} | {seconds:.0f} | {seconds / asked.seeds:.2g} | "
        f"{steps * asked.seeds / seconds:,.0f} |",
        flush=True,
    )
