"""The digits experiment in skorch (PyTorch): GridSearchCV over learning rates, once a seed."""

import sys

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from skorch import NeuralNetClassifier

RATES = np.logspace(-4, -1, 8)


class Net(torch.nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            torch.nn.Linear(64, 128),
            torch.nn.ReLU(),
            torch.nn.Linear(128, 128),
            torch.nn.ReLU(),
            torch.nn.Linear(128, 10),
        )


def main() -> None:
    torch.set_num_threads(1)
    with np.load(sys.argv[1]) as digits:
        x, y = digits["x"], digits["y"]
    x, y = (x / 16).astype(np.float32), y.astype(np.int64)
    scores = []
    for seed in range(3):
        torch.manual_seed(seed)
        model = NeuralNetClassifier(
            Net,
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            max_epochs=20,
            batch_size=64,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        )
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        search = GridSearchCV(model, {"lr": list(RATES)}, cv=folds, n_jobs=2, refit=False, scoring="accuracy")
        scores.append(search.fit(x, y).cv_results_["mean_test_score"])
    print(f"{np.mean(scores, axis=0).max():.4f}")


if __name__ == "__main__":
    main()
