"""A whole experiment against its peers: digits, MLP 128-128, 8 learning rates x 5 folds x 3 seeds.

Batch 64, 20 epochs, Adam, no early stopping; every fold is scored on its held-out
rows. Whole processes are timed: imports, compilation, training, scoring. All read the
rows from one ``.npz`` file, so that nobody pays for a data loader of another.

    python benchmarks/whole_experiment.py            # ours (cold and warm) and scikit-learn
    python benchmarks/whole_experiment.py --all      # skorch and Keras (JAX backend) too
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import measure
import numpy as np
from sklearn.datasets import load_digits

PEERS = measure.HERE / "peers"


def main() -> None:
    print(measure.machine())
    python = sys.executable
    with tempfile.TemporaryDirectory() as scratch:
        rows = Path(scratch) / "digits.npz"
        x, y = load_digits(return_X_y=True)
        np.savez(rows, x=x, y=y)

        def timed(name: str, peer: str, runs: int, env: dict[str, str] | None = None) -> measure.Timed:
            return measure.run(name, [python, str(PEERS / f"digits_{peer}.py"), str(rows)], runs, env)

        fresh = [{"MANYFIT_CACHE": f"{scratch}/cache{i}"} for i in range(3)]
        each = [timed("manyfit, cold cache", "manyfit", 1, env) for env in fresh]
        seconds = [one.seconds[0] for one in each]
        cold = measure.Timed(each[0].name, seconds, max(one.memory for one in each), each[0].said)
        warm = timed("manyfit, warm cache", "manyfit", 5, {"MANYFIT_CACHE": f"{scratch}/cache0"})
        found = [cold, warm, timed("scikit-learn GridSearchCV, n_jobs=2", "sklearn", 3)]
        if "--all" in sys.argv:
            found.append(timed("skorch, n_jobs=2", "skorch", 1))
            found.append(timed("Keras (JAX backend), a loop", "keras", 1))
    lines = [
        [
            "120 networks",
            "seconds (median)",
            "peer / ours warm",
            "peer / ours cold",
            "peak MiB",
            "best mean accuracy",
        ]
    ]
    for run in found:
        lines.append(
            [
                run.name,
                f"{run.median:.2f}",
                f"{run.median / warm.median:.2f}",
                f"{run.median / cold.median:.2f}",
                f"{run.memory:.0f}",
                run.said,
            ]
        )
    print(measure.table(lines))
    # Forward and both gradients of 120 networks: 6 flops a weight, row and epoch
    # (the first layer has no input gradient).
    weights = 64 * 128 + 128 * 128 + 128 * 10
    flops = 120 * 20 * 1437.6 * (6 * weights - 2 * 64 * 128)
    limit = measure.gemm_limit()
    print(f"arithmetic: {flops / 1e9:.0f} GFLOP, {flops / 1e9 / limit:.2f} s at the machine's GEMM limit "
          f"({flops / 1e9 / limit / warm.median:.0%} of ours, warm)")  # fmt: skip


if __name__ == "__main__":
    main()
