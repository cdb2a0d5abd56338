"""Quality by default on 32 PMLB tables: ``manyfit fit TABLE --target target`` against tuned and untuned peers.

A third of the rows of every table (stratified for classes, seed 0) is held out
and seen by nobody; the rest is what each method gets. manyfit runs with its
default budget, from a CSV file, as the command line would. The list of tables is
fixed, one of each family of near-duplicates and none so
large that the peers' searches take a day, and nothing is set per table.

    python benchmarks/table_quality.py PMLB_FOLDER --out results.jsonl      # goes on where it was stopped
    python benchmarks/table_quality.py --show results.jsonl

Peers: scikit-learn's MLP (standardised, early stopping off) under a random search of
16 x 5 folds over its width, learning rate and penalty; HistGradientBoosting as it
comes and under a random search of 16 x 5 folds; a random forest of 300 trees as it
comes; a linear model as the floor.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import numpy as np
import pandas as pd

CLASSIFICATION = (
    "car",
    "yeast",
    "cmc",
    "mofn-3-7-10",
    "parity5+5",
    "credit-g",
    "analcatdata_dmft",
    "diabetes",
    "soybean",
    "wdbc",
    "house-votes-84",
    "colic",
    "dermatology",
    "ionosphere",
    "spectf",
    "ecoli",
    "heart-c",
    "breast-cancer",
    "sonar",
    "flags",
    "auto",
)
REGRESSION = (
    "529_pollen",
    "547_no2",
    "1027_ESL",
    "690_visualizing_galaxy",
    "505_tecator",
    "695_chatfield_4",
    "561_cpu",
    "229_pwLinear",
    "195_auto_price",
    "678_visualizing_environmental",
    "1096_FacultySalaries",
)
METHODS = ("manyfit", "mlp tuned", "boosting", "boosting tuned", "forest", "linear")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pmlb", nargs="?", type=Path)
    parser.add_argument("--out", type=Path, default=Path("table_quality.jsonl"))
    parser.add_argument("--show", type=Path)
    parser.add_argument("--tables", nargs="*", help="only these")
    parser.add_argument("--methods", nargs="*", default=METHODS)
    given = parser.parse_args()
    if given.show:
        show([json.loads(line) for line in given.show.read_text().splitlines()])
        return
    if given.pmlb is None:
        parser.error("give the folder of PMLB data sets")
    done = set()
    if given.out.exists():
        done = {(row["table"], row["method"]) for row in map(json.loads, given.out.read_text().splitlines())}
    tables = [("classification", name) for name in CLASSIFICATION] + [
        ("regression", name) for name in REGRESSION
    ]
    for method in given.methods:
        for kind, name in tables:
            if (name, method) in done or (given.tables and name not in given.tables):
                continue
            frame = pd.read_csv(given.pmlb / kind / f"{name}.tsv.gz", sep="\t")
            row = {"table": name, "kind": kind, "rows": len(frame), "method": method}
            row |= measured(method, frame, kind == "classification")
            print(json.dumps(row), flush=True)
            with given.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
    show([json.loads(line) for line in given.out.read_text().splitlines()])


def measured(method: str, frame: pd.DataFrame, classes: bool) -> dict[str, float]:
    """Score on the held-out third (accuracy and log loss, or R2) and wall seconds."""
    from sklearn.metrics import accuracy_score, log_loss, r2_score
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        frame, test_size=1 / 3, random_state=0, stratify=frame["target"] if classes else None
    )
    truth = test["target"].to_numpy()
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels, output = (ours if method == "manyfit" else peer(method))(train, test, classes)
    seconds = time.perf_counter() - started
    if not classes:
        return {"score": float(r2_score(truth, output)), "seconds": seconds}
    names = [str(label) for label in labels]
    found = np.array(names)[output.argmax(axis=1)]
    known = np.isin(truth.astype(str), names)
    return {
        "score": float(accuracy_score(truth.astype(str), found)),
        "log_loss": float(log_loss(truth.astype(str)[known], output[known], labels=names)),
        "seconds": seconds,
    }


def ours(train: pd.DataFrame, test: pd.DataFrame, classes: bool) -> tuple[Any, np.ndarray]:
    """What ``manyfit fit train.csv --target target`` does, then ``manyfit predict``."""
    from manyfit.cli.options import Fit
    from manyfit.tasks.defaults import experiment_for
    from manyfit.tasks.source import read_task

    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "train.csv"
        train.to_csv(table, index=False)
        options = Fit(data=table, target="target", task="auto" if classes else "regression")
        task = read_task(options)
        result = experiment_for(task, options.asked()).run(Path(folder) / "run")
        output = result.best.prediction(test.drop(columns="target")).output
    if not classes:
        return (), output
    order = np.argsort(np.array(task.classes, str))  # scikit-learn's metrics want sorted labels
    return np.array(task.classes)[order], output[:, order]


def peer(method: str) -> Callable[[pd.DataFrame, pd.DataFrame, bool], tuple[Any, np.ndarray]]:
    """One of the peers, as a function of the same frames."""

    def run(train: pd.DataFrame, test: pd.DataFrame, classes: bool) -> tuple[Any, np.ndarray]:
        model = _model(method, classes)
        target = train["target"].astype(str) if classes else train["target"]
        model.fit(train.drop(columns="target").to_numpy(float), target.to_numpy())
        x = test.drop(columns="target").to_numpy(float)
        return (model.classes_, model.predict_proba(x)) if classes else ((), model.predict(x))

    return run


def _model(method: str, classes: bool) -> Any:
    from scipy.stats import loguniform, randint
    from sklearn import ensemble, linear_model, neural_network
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection import RandomizedSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def pick(name: str, module: Any) -> Any:
        return getattr(module, name + ("Classifier" if classes else "Regressor"))

    def search(model: Any, space: dict[str, Any]) -> Any:
        scoring = "neg_log_loss" if classes else "r2"
        return RandomizedSearchCV(model, space, n_iter=16, cv=5, n_jobs=2, random_state=0, scoring=scoring)

    boosting = pick("HistGradientBoosting", ensemble)
    if method == "boosting":
        return boosting(random_state=0)
    if method == "boosting tuned":
        space = {
            "learning_rate": loguniform(0.01, 0.3),
            "max_leaf_nodes": randint(4, 64),
            "min_samples_leaf": randint(3, 50),
            "l2_regularization": loguniform(1e-4, 10),
            "max_iter": randint(50, 400),
        }
        return search(boosting(random_state=0), space)
    if method == "forest":
        return pick("RandomForest", ensemble)(300, random_state=0, n_jobs=2)
    if method == "linear":
        linear = linear_model.LogisticRegression(max_iter=2000) if classes else linear_model.RidgeCV()
        return make_pipeline(StandardScaler(), linear)
    network = pick("MLP", neural_network)(max_iter=300, random_state=0)
    prefix = "mlp" + ("classifier" if classes else "regressor")
    space = {
        "hidden_layer_sizes": [(128,), (256,), (128, 128), (256, 256)],
        "learning_rate_init": loguniform(3e-4, 1e-2),
        "alpha": loguniform(1e-5, 1.0),
    }
    pipeline = make_pipeline(StandardScaler(), network)
    if classes:
        return search(pipeline, {f"{prefix}__{k}": v for k, v in space.items()})
    scaled = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
    return search(scaled, {f"regressor__{prefix}__{k}": v for k, v in space.items()})


def show(rows: list[dict[str, Any]]) -> None:
    """Scores by table, mean ranks, wins and losses of manyfit, seconds."""
    table = pd.DataFrame(rows)
    score = table.pivot(index="table", columns="method", values="score")
    score = score[[m for m in METHODS if m in score]].dropna()
    kind = table.drop_duplicates("table").set_index("table")["kind"][score.index]
    print(score.round(4).to_string())
    rank = score.rank(axis=1, ascending=False)
    seconds = table.pivot(index="table", columns="method", values="seconds").loc[score.index]
    head = ["", "mean rank", "classification", "regression", "manyfit better", "worse", "median seconds"]
    lines = [head]
    for method in score.columns:
        ahead = score["manyfit"] - score[method] if "manyfit" in score else score[method] * np.nan
        lines.append(
            [
                method,
                f"{rank[method].mean():.2f}",
                f"{rank[method][kind == 'classification'].mean():.2f}",
                f"{rank[method][kind == 'regression'].mean():.2f}",
                str(int((ahead > 0).sum())),
                str(int((ahead < 0).sum())),
                f"{seconds[method].median():.1f}",
            ]
        )
    print(f"\n{len(score)} tables (accuracy, or R2), 1 is the best rank; {measure.machine()}")
    print(measure.table(lines))
    if "log_loss" in table:
        loss = table.pivot(index="table", columns="method", values="log_loss").dropna(how="all")
        loss = loss[[m for m in METHODS if m in loss]].dropna()
        print("\nmean rank by log loss:", loss.rank(axis=1).mean().round(2).to_dict())


if __name__ == "__main__":
    main()
