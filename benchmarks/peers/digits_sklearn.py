"""The digits experiment in scikit-learn: GridSearchCV over learning rates, once a seed."""

import sys
import warnings

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier

RATES = np.logspace(-4, -1, 8)


def main() -> None:
    warnings.simplefilter("ignore")
    with np.load(sys.argv[1]) as digits:
        x, y = digits["x"], digits["y"]
    x = (x / 16).astype(np.float32)
    scores = []
    for seed in range(3):
        model = MLPClassifier((128, 128), batch_size=64, max_iter=20, alpha=0.0, tol=0.0, random_state=seed)
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        search = GridSearchCV(model, {"learning_rate_init": RATES}, cv=folds, n_jobs=2, refit=False)
        scores.append(search.fit(x, y).cv_results_["mean_test_score"])
    print(f"{np.mean(scores, axis=0).max():.4f}")


if __name__ == "__main__":
    main()
