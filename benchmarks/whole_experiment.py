"""A whole experiment against its peers: digits, MLP 128-128, 8 learning rates x 5 folds x 3 seeds.

Batch 64, 20 epochs, Adam, no early stopping; every fold is scored on its held-out
rows. Whole processes are timed: imports, compilation, training, scoring.

    python benchmarks/whole_experiment.py            # ours (cold and warm) and scikit-learn
    python benchmarks/whole_experiment.py --all      # skorch and Keras (JAX backend) too
"""

from __future__ import annotations

import sys
import tempfile

import measure

PEERS = measure.HERE / "peers"


def main() -> None:
    print(measure.machine())
    python = sys.executable
    with tempfile.TemporaryDirectory() as cache:
        env = {"MANYFIT_CACHE": cache}
        cold = measure.run("manyfit, cold cache", [python, str(PEERS / "digits_manyfit.py")], 1, env)
        warm = measure.run("manyfit, warm cache", [python, str(PEERS / "digits_manyfit.py")], 5, env)
    found = [
        cold,
        warm,
        measure.run("scikit-learn GridSearchCV, n_jobs=2", [python, str(PEERS / "digits_sklearn.py")], 3),
    ]
    if "--all" in sys.argv:
        found.append(measure.run("skorch, n_jobs=2", [python, str(PEERS / "digits_skorch.py")], 1))
        found.append(measure.run("Keras (JAX backend), a loop", [python, str(PEERS / "digits_keras.py")], 1))
    rows = [
        [
            "120 networks",
            "seconds (median)",
            "peer / ours warm",
            "peer / ours cold",
            "peak MiB",
            "best mean accuracy",
        ]
    ]
    for timed in found:
        rows.append(
            [
                timed.name,
                f"{timed.median:.2f}",
                f"{timed.median / warm.median:.2f}",
                f"{timed.median / cold.median:.2f}",
                f"{timed.memory:.0f}",
                timed.said,
            ]
        )
    print(measure.table(rows))
    # Forward and both gradients of 120 networks: 6 flops a weight, row and epoch
    # (the first layer has no input gradient).
    weights = 64 * 128 + 128 * 128 + 128 * 10
    flops = 120 * 20 * 1437.6 * (6 * weights - 2 * 64 * 128)
    limit = measure.gemm_limit()
    print(f"arithmetic: {flops / 1e9:.0f} GFLOP, {flops / 1e9 / limit:.2f} s at the machine's GEMM limit "
          f"({flops / 1e9 / limit / warm.median:.0%} of ours, warm)")  # fmt: skip


if __name__ == "__main__":
    main()
