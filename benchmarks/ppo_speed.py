"""Environment steps a second of PPO on CartPole-v1, learning included, in the configuration of purejaxrl.

    python benchmarks/ppo_speed.py [--seeds 1 8] [--steps 500000]
    python benchmarks/ppo_speed.py --peer FOLDER --python PYTHON      # a clone of purejaxrl, a Python with gymnax

Four environments of 128 steps, four passes in four minibatches over two networks 64-64, Adam at 2.5e-4 falling to 0,
gradients clipped at a norm of 0.5. Compilation is left out on both sides and printed apart; ours looks at the agent
once and plays the 100 episodes that score it, which its seconds include. ``limit`` is the share of the measured
GEMM limit that the arithmetic of the networks alone comes to.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
from pathlib import Path

import measure

from manyfit.evaluate.runs import interquartile_mean_interval
from manyfit.tasks.reinforcement import environment_steps, experiment_for

SETTINGS = {
    "environments": 4,
    "rollout": 128,
    "passes": 4,
    "minibatches": 4,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "entropy_weight": 0.01,
    "clip_values": "true",
    "learning_rate": 2.5e-4,
    "clip": 0.5,
}
WEIGHTS = 2 * (4 * 64 + 64 * 64) + 64 * 2 + 64
"""Of both networks. A step goes forward once, its successor through the critic, and four times there and back."""

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--seeds", type=int, nargs="+", default=[1, 8])
parser.add_argument("--steps", type=int, default=500_000)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--peer", type=Path)
parser.add_argument("--python", default="python")
asked = parser.parse_args()

limit = measure.gemm_limit()
print(f"{measure.machine()}; GEMM limit {limit:.0f} GFLOP/s")
print("| who | seeds | steps a seed | compile s | train s (median) | steps/s in all | limit | return |")
print("|---|---|---|---|---|---|---|---|")


def line(who: str, seeds: int, steps: int, compiling: float, training: float, said: str) -> None:
    """Print a row."""
    rate = seeds * steps / training
    share = rate * WEIGHTS * 2 * (1.5 + 4 * 3) / (limit * 1e9)
    print(
        f"| {who} | {seeds} | {steps:,} | {compiling:.1f} | {training:.2f} | {rate:,.0f} | {share:.0%} | {said} |",
        flush=True,
    )


for seeds in asked.seeds:
    compiling, training, returns = [], [], []
    for _ in range(asked.runs):
        experiment = experiment_for(
            {
                "environment": "CartPole-v1",
                "seeds": seeds,
                "steps": asked.steps,
                "looks": 1,
                "set": [f"{name}={value}" for name, value in SETTINGS.items()],
            }
        )
        result = experiment.run()
        compiling.append(result.timing["compile"])
        training.append(result.timing["train"])
        returns = [member["test"]["return"] for member in result.members]
    steps = environment_steps(experiment)
    found = interquartile_mean_interval(returns)
    said = f"{found.mean:.0f} [{found.low:.0f}, {found.high:.0f}]" if seeds > 1 else f"{returns[0]:.0f}"
    line("manyfit", seeds, steps, compiling[0], statistics.median(training), said)
    if asked.peer:
        script = Path(__file__).parent / "peers" / "ppo_purejaxrl.py"
        command = [asked.python, str(script), str(asked.peer), str(seeds), str(asked.steps), str(asked.runs)]
        last = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        steps, compiling_s, training_s, mean = last.split()
        line(
            "purejaxrl", seeds, int(steps), float(compiling_s), float(training_s), f"{float(mean):.0f} (mean)"
        )
