"""What the peers of ``benchmarks/search.py`` share: Optuna's loop over trials, folds and epochs."""

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

EPOCHS = 27

Make = Callable[[float, float, int, int], Any]
"""(learning rate, weight decay, classes or 0, inputs) -> a model."""
Step = Callable[[Any, np.ndarray, np.ndarray], Any]
Judge = Callable[[Any, np.ndarray, np.ndarray], float]


def search(make: Make, epoch: Step, loss: Judge) -> None:
    """Run the trials and print (seconds, loss) of each that was complete."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    archive, trials, started, journal = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    with np.load(archive) as data:
        x, y, classes = data["x"], data["y"], bool(data["classes"])
        folds = list(zip(data["train"], data["validation"]))
    count = int(y.max()) + 1 if classes else 0
    trace: list[tuple[float, float]] = []

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        decay = trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True)
        models = [make(rate, decay, count, x.shape[1]) for _ in folds]
        best = np.full(len(folds), np.inf)
        for step in range(EPOCHS):
            for k, (train, validation) in enumerate(folds):
                try:
                    epoch(models[k], x[train], y[train])
                    found = loss(models[k], x[validation], y[validation])
                except ValueError:  # scikit-learn's way of saying that it diverged
                    raise optuna.TrialPruned from None
                best[k] = np.nanmin([best[k], found])
            trial.report(float(best.mean()), step + 1)
            if trial.should_prune():
                raise optuna.TrialPruned
        trace.append((time.time() - started, float(best.mean())))
        return float(best.mean())

    study = optuna.create_study(
        study_name="search",
        storage=JournalStorage(JournalFileBackend(journal)),
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(multivariate=True),
        pruner=optuna.pruners.HyperbandPruner(min_resource=3, max_resource=EPOCHS, reduction_factor=3),
    )
    study.optimize(objective, n_trials=trials)
    print(json.dumps(trace))
