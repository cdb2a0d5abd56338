"""ETTh1 by the protocol of the long-horizon benchmarks, five seeds as one population, beside published figures.

    python benchmarks/etth1.py ETTh1.csv --model dlinear nlinear --lookback 336 --horizons 96 192 336 720

Rows 8640 / 2880 / 2880 for training, validation and test; validation and test windows begin one look-back early;
every channel is scaled by training rows; all 7 go in and out; every window at stride 1 counts, the last partial
batch too. The validation rows choose the epoch. Zhou et al. (2021); published figures as their papers print them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from pathlib import Path

import numpy as np

from manyfit.experiment.experiment import Experiment
from manyfit.losses.forecasts import named_head
from manyfit.models.forecasters import named_forecaster
from manyfit.objectives.forecasting import Forecasting
from manyfit.optim import AdamW
from manyfit.optim.names import named_schedule
from manyfit.tasks.task import Task

TRAIN, PART = 8640, 2880
REPEAT = {96: (1.294, 0.713), 192: (1.325, 0.733), 336: (1.330, None), 720: (1.335, None)}
PUBLISHED = {
    "DLinear (336)": (0.375, 0.405, 0.439, 0.472),
    "NLinear (336)": (0.374, 0.408, 0.429, 0.440),
    "PatchTST (512)": (0.370, 0.413, 0.422, 0.447),
    "iTransformer (96)": (0.386, 0.441, 0.487, 0.503),
    "RLinear (96)": (0.386, 0.437, 0.479, 0.481),
}


def read(path: Path) -> np.ndarray:
    """``(17420, 7)`` float32, the first 14400 rows of which the protocol uses."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    rows = list(csv.reader(text.splitlines()))[1:]
    return np.array([row[1:] for row in rows], np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", nargs="+", default=["dlinear", "nlinear", "rlinear", "sparse"])
    parser.add_argument("--lookback", type=int, nargs="+", default=[336])
    parser.add_argument("--horizons", type=int, nargs="+", default=[96, 192, 336, 720])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--patience", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--schedule", default="constant", help="of the learning rate: constant, cosine, ...")
    parser.add_argument("--weight-decay", type=float, default=1e-2)
    parser.add_argument("--loss", default="squared")
    options = parser.parse_args()
    series = read(options.file)
    print("model lookback horizon  MSE (95 % interval)  MAE  validation loss  repeat-last MSE  seconds")
    for horizon in options.horizons:
        for name in options.model:
            for lookback in options.lookback:
                one(series, name, lookback, horizon, options)
        place = (96, 192, 336, 720).index(horizon) if horizon in REPEAT else None
        if place is not None:
            print("  published MSE:", ", ".join(f"{k} {v[place]:.3f}" for k, v in PUBLISHED.items()))


def one(series: np.ndarray, name: str, lookback: int, horizon: int, options: argparse.Namespace) -> None:
    ends = (TRAIN, TRAIN + PART, TRAIN + 2 * PART)
    origin = np.arange(lookback, ends[-1] - horizon + 1, dtype=np.int32)
    parts = [
        np.flatnonzero((origin >= first) & (origin + horizon <= last))
        for first, last in zip((0, *ends), ends)
    ]
    data = {"series": series[: ends[-1]], "origin": origin}
    objective = Forecasting(
        named_forecaster(name),
        lookback,
        horizon,
        targets=series.shape[1],
        head=named_head(options.loss),
        optimizer=AdamW(
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            schedule=named_schedule(options.schedule)(),
        ),
        season=24,
    )
    started = time.perf_counter()
    result = Experiment(
        objective,
        Task(kind="own", data=data, rows=len(origin)),
        seeds=options.seeds,
        folds=[tuple(parts)],
        epochs=options.epochs,
        patience=options.patience,
        batch_size=options.batch_size,
    ).run()
    rows = [row["test"] for row in result.members]
    mse, mae = result.scores["mse"], result.scores["mae"]
    validation = np.mean([row["validation"]["loss"] for row in result.members])
    print(
        f"{name} {lookback} {horizon}  {mse.mean:.4f} ({mse.low:.4f} to {mse.high:.4f})  {mae.mean:.4f}  "
        f"{validation:.4f}  {rows[0]['naive_mse']:.3f}  {time.perf_counter() - started:.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
