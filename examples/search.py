"""A search that learns: TPE suggests, Hyperband gives up, and two scores say what the winner is worth.

python examples/search.py
"""

from sklearn.datasets import load_breast_cancer

import manyfit as mf

table = mf.data.read_table(load_breast_cancer(as_frame=True).frame, target="target")

experiment = mf.Experiment(
    mf.Supervised(
        mf.choice(  # a network and its own hyper-parameters are chosen together
            mf.models.MLP(hidden=(64, 64), dropout=mf.uniform(0.0, 0.5)),
            mf.models.ResMLP(dropout=mf.uniform(0.0, 0.3)),
        ),
        optimizer=mf.optim.AdamW(
            learning_rate=mf.loguniform(1e-4, 1e-1), weight_decay=mf.loguniform(1e-4, 0.3)
        ),
    ),
    table,
    trials=64,
    folds=5,
    epochs=27,
    patience=None,
    batch_size=32,
    search="tpe",  # each batch of trials learns from the ones before it
    prune="hyperband",  # trials pause after 3, 9, ... epochs; those that fall behind end there
    budget=300,  # seconds
)
result = experiment.run()
print(result)  # every trial with its interval; the winner's score, and that of the search itself
print(f"{len(result.pruned)} of {len(result.trials) + len(result.pruned)} trials were given up early")

scored = result.trials
if len(scored) >= 12:  # of fewer, where a slow machine's budget ended early, nothing can be told
    found = mf.tune.understand(
        [trial.hyper for trial in scored],
        [trial.validation for trial in scored],
        {"optimizer.learning_rate": "log", "optimizer.weight_decay": "log", "model.dropout": "linear"},
    )
    for importance in found.importances:
        print(
            f"{importance.name} by itself explains {importance.share:.0%} of the validation loss's variance"
        )
