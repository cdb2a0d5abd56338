"""Adult (UCI census income) with its official test part: ``manyfit fit`` as it comes, through the command line.

    python benchmarks/adult.py FOLDER                  # FOLDER holds adult-train.csv.gz and adult-test.csv.gz
    python benchmarks/adult.py FOLDER --members 1000   # 200 trials x 5 folds of one epoch: does it fit into memory?

Published: error of NBTree 14.10 %, C4.5 15.54 % (the data set's adult.names); accuracy of a tuned MLP
0.852 (Gorishniy et al. 2021, "Revisiting Deep Learning Models for Tabular Data", on another split).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import measure
import pandas as pd

NAMES = (
    "age workclass fnlwgt education education_num marital_status occupation relationship race sex "
    "capital_gain capital_loss hours_per_week native_country income"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--members", type=int, help="a population of so many small MLPs, one epoch each")
    given = parser.parse_args()
    print(measure.machine())
    with tempfile.TemporaryDirectory() as folder:
        train, test = (table(given.folder, part, Path(folder)) for part in ("train", "test"))
        command = [sys.executable, "-m", "manyfit", "fit", str(train), "--target", "income", "--json"]
        command += ["--test", str(test), "--out", f"{folder}/run"]
        if given.members:
            command += [
                "--trials",
                str(given.members // 5),
                "--seeds",
                "1",
                "--epochs",
                "1",
                "--hidden",
                "128",
                "128",
            ]
        timed = measure.run("manyfit fit", command, 1)
        summary = json.loads((Path(folder) / "run/summary.json").read_text())
        scores = json.loads((Path(folder) / "run/test.json").read_text())["scores"]
    accuracy = summary["scores"]["accuracy"]
    rows = [
        ["", "value"],
        ["networks", str(summary["members"])],
        ["a network, on rows of the training part it never saw", f"{accuracy['mean']:.4f}"],
        ["95 % interval", f"{accuracy['low']:.4f} to {accuracy['high']:.4f}"],
        ["accuracy on the official test part, all networks together", f"{scores['accuracy']:.4f}"],
        ["AUROC there", f"{scores['auroc']:.4f}"],
        ["log loss there", f"{scores['log_loss']:.4f}"],
        ["seconds, whole process", f"{timed.median:.0f}"],
        ["peak memory, MiB", f"{timed.memory:.0f}"],
    ]
    print(measure.table(rows))


def table(folder: Path, part: str, out: Path) -> Path:
    """One part as a CSV with a header; the test part's labels end in a full stop, which is taken off."""
    frame = pd.read_csv(
        folder / f"adult-{part}.csv.gz",
        names=NAMES.split(),
        skipinitialspace=True,
        comment="|",
        dtype={"income": str},
    )
    frame["income"] = frame["income"].str.rstrip(".")
    frame.to_csv(out / f"{part}.csv", index=False)
    return out / f"{part}.csv"


if __name__ == "__main__":
    main()
