"""A large search on Adult: 256 settings x 5 folds x 2 seeds, 2,560 networks, on whatever cores there are.

    python benchmarks/adult_search.py FOLDER [--trials 256] [--prune halving] [--hidden 64 64] [--epochs 27] [--profile]

FOLDER holds ``adult-train.csv.gz``. Printed are members a minute, where the time went, and the score; ``--prune none``
trains every network to its end. ``--profile`` adds the functions of the host that took longest. Nothing but
the width of the hidden layers is set for this table.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from pathlib import Path

import measure
from adult import table

import manyfit as mf
from manyfit.experiment import Status
from manyfit.tasks.defaults import batch_size_for
from manyfit.tune import Halving, Racing

PRUNERS = {"none": None, "halving": Halving(first=1), "racing": Racing(first=3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--hidden", type=int, nargs="+", default=[64, 64])
    parser.add_argument("--prune", choices=tuple(PRUNERS), default="halving")
    parser.add_argument("--budget", type=float, help="seconds after which it ends with what is complete")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    print(measure.machine(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        data = mf.data.read_table(table(given.folder, "train", Path(folder)), target="income")
    told = time.perf_counter()

    def watch(status: Status) -> None:
        nonlocal told
        if time.perf_counter() - told > 60:
            told = time.perf_counter()
            rate = 60 * status.done / status.elapsed
            line = f"{status.elapsed:.0f} s: {status.done} of {status.members} networks, {rate:.0f} a minute"
            print(line, file=sys.stderr, flush=True)

    experiment = mf.Experiment(
        mf.Supervised(
            mf.models.MLP(hidden=tuple(given.hidden), dropout=mf.uniform(0.0, 0.5)),
            optimizer=mf.optim.AdamW(
                learning_rate=mf.loguniform(3e-4, 1e-2), weight_decay=mf.loguniform(1e-4, 3e-1)
            ),
        ),
        data,
        trials=given.trials,
        seeds=given.seeds,
        epochs=given.epochs,
        patience=None if given.prune != "none" else 5,
        batch_size=batch_size_for(len(data.target)),
        prune=PRUNERS[given.prune],
        budget=given.budget,
    )
    profile = cProfile.Profile()
    if given.profile:
        profile.enable()
    result = experiment.run(progress=watch)
    profile.disable()
    total, epochs = result.timing["total"], sum(member["epochs"] for member in result.members)
    score = result.scores[result.metric]
    rows = [
        ["", "value"],
        ["networks", str(len(result.members))],
        ["of which given up early", str(sum(m["status"] == "pruned" for m in result.members))],
        ["epochs of a network, in all", str(epochs)],
        ["seconds, from the table on", f"{total:.0f}"],
        ["networks a minute", f"{60 * len(result.members) / total:.0f}"],
        [
            "milliseconds an epoch of a network, training alone",
            f"{1000 * result.timing['train'] / epochs:.1f}",
        ],
        *(
            [f"seconds: {name}", f"{seconds:.1f}"]
            for name, seconds in result.timing.items()
            if name != "total"
        ),
        ["peak memory, MiB", f"{measure.peak_memory():.0f}"],
        [f"{result.metric} of the chosen setting, one network", f"{score.mean:.4f}"],
        ["95 % interval", f"{score.low:.4f} to {score.high:.4f}"],
    ]
    print(measure.table(rows))
    if result.out_of_budget:
        print("the budget ended it early")
    if given.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)


if __name__ == "__main__":
    main()
