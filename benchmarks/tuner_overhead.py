"""What the tuner itself costs a trial, beside Optuna alone: suggesting and being told, with nothing trained.

    python benchmarks/tuner_overhead.py [--trials 64 256 1000] [--ray]

Everybody searches the same three numbers and one choice of a formula's minimum. Ours suggests in batches of 16 (TPE) or
all at once (Sobol', random), from what it was told; Optuna asks and tells one by one. Milliseconds are of CPU
time, so that other work on the machine hardly counts; ``crossover`` is how long a trial has to train for the tuner
to take a hundredth of it. ``--ray`` adds Ray Tune with 16 random trials on two workers (``pip install "ray[tune]"``);
its seconds are of the wall clock, once it has started, for the work is its processes' own.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import measure

import manyfit as mf
from manyfit.space import Distribution
from manyfit.tune import Method, Told, suggest

BATCH = 16
SPACE: dict[str, Distribution] = {
    "rate": mf.loguniform(1e-4, 1e-1),
    "decay": mf.loguniform(1e-6, 1e-1),
    "dropout": mf.uniform(0.0, 0.5),
    "width": mf.choice([32, 64, 128]),
}


def worth(values: Mapping[str, Any]) -> float:
    """A bowl in the logarithms, with a step for the choice."""
    far = (math.log10(values["rate"]) + 2) ** 2 + 0.1 * (math.log10(values["decay"]) + 3) ** 2
    return far + (values["dropout"] - 0.2) ** 2 + {32: 0.3, 64: 0.0, 128: 0.1}[values["width"]]


def ours(method: Method, trials: int) -> tuple[float, float]:
    """CPU seconds, and the best value."""
    batch = BATCH if method == "tpe" else trials
    started = time.process_time()
    told: list[Told] = []
    while len(told) < trials:
        picks = suggest(SPACE, told, min(batch, trials - len(told)), method=method, batch=batch)
        found = [{name: pick(name, kind) for name, kind in SPACE.items()} for pick in picks]
        told += [Told(values, worth(values)) for values in found]
    return time.process_time() - started, min(one.loss for one in told)


def optunas(method: str, trials: int) -> tuple[float, float]:
    """The same by Optuna's ask and tell."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = optuna.samplers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = (
            samplers.TPESampler(seed=0, multivariate=True)
            if method == "tpe"
            else samplers.RandomSampler(seed=0)
        )
    started = time.process_time()
    study = optuna.create_study(sampler=sampler)
    for _ in range(trials):
        trial = study.ask()
        values = {
            "rate": trial.suggest_float("rate", 1e-4, 1e-1, log=True),
            "decay": trial.suggest_float("decay", 1e-6, 1e-1, log=True),
            "dropout": trial.suggest_float("dropout", 0.0, 0.5),
            "width": trial.suggest_categorical("width", [32, 64, 128]),
        }
        study.tell(trial, worth(values))
    return time.process_time() - started, study.best_value


def rays(trials: int) -> tuple[float, float]:
    """Wall seconds of as many random trials by Ray Tune, and the best value."""
    import logging

    import ray
    from ray import tune

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    space = {
        "rate": tune.loguniform(1e-4, 1e-1),
        "decay": tune.loguniform(1e-6, 1e-1),
        "dropout": tune.uniform(0.0, 0.5),
        "width": tune.choice([32, 64, 128]),
    }

    def search(count: int) -> Any:
        setting = tune.TuneConfig(metric="loss", mode="min", num_samples=count, reuse_actors=True)
        run = tune.RunConfig(verbose=0)
        return tune.Tuner(
            lambda values: {"loss": worth(values)}, param_space=space, tune_config=setting, run_config=run
        ).fit()

    search(2)  # its workers
    started = time.perf_counter()
    best = search(trials).get_best_result().metrics["loss"]
    return time.perf_counter() - started, best


def line(name: str, trials: int, found: tuple[float, float]) -> Sequence[str]:
    each = 1000 * found[0] / trials
    return [name, str(trials), f"{found[0]:.2f}", f"{each:.2f}", f"{each / 10:.2f}", f"{found[1]:.4f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[64, 256, 1000])
    parser.add_argument("--ray", action="store_true")
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    ours("tpe", 32), optunas("tpe", 32)  # imports
    rows = [["tuner", "trials", "CPU s", "ms a trial", "crossover, s", "best"]]
    methods: tuple[Method, ...] = ("tpe", "sobol", "random")
    for trials in given.trials:
        for method in methods:
            rows.append([*line(f"manyfit, {method}", trials, ours(method, trials))])
        for other in ("tpe", "random"):
            rows.append([*line(f"Optuna, {other}", trials, optunas(other, trials))])
    if given.ray:
        rows.append([*line("Ray Tune, random (wall clock)", 16, rays(16))])
    print(measure.table(rows))


if __name__ == "__main__":
    main()
