"""What one more member costs: 1, 8, 64 and 512 networks of one population, whole processes.

Digits, MLP 128-128, batch 64, 20 epochs, Adam; one split (1,437 rows train), no early
stopping. The compilation cache is warm. ``train`` is the population's own time, its
compilation left out; the limit is that of a large matrix product on all cores.

    python benchmarks/cost_of_a_member.py
"""

from __future__ import annotations

import sys
import tempfile
import time

import measure
import numpy as np

SIZES = (1, 8, 64, 512)
EPOCHS, BATCH, TRAIN = 20, 64, 1437


def main() -> None:
    print(measure.machine())
    limit = measure.gemm_limit()
    weights = 64 * 128 + 128 * 128 + 128 * 10
    flops = EPOCHS * TRAIN * (6 * weights - 2 * 64 * 128)  # the first layer has no input gradient
    lines = [["members", "process s", "train s", "train ms a member", "share of the GEMM limit", "peak MiB"]]
    with tempfile.TemporaryDirectory() as cache:
        env = {"MANYFIT_CACHE": cache}
        for size in SIZES:
            command = [sys.executable, __file__, str(size)]
            measure.run(f"{size}, cold", command, 1, env)
            whole = measure.run(f"{size}, warm", command, 3, env)
            train = float(whole.said.split()[0])
            share = size * flops / 1e9 / limit / train
            lines.append(
                [
                    str(size),
                    f"{whole.median:.2f}",
                    f"{train:.2f}",
                    f"{train / size * 1e3:.1f}",
                    f"{share:.0%}",
                    f"{whole.memory:.0f}",
                ]
            )
    print(measure.table(lines))


def train(size: int) -> None:
    """Train ``size`` members; prints the seconds after compilation."""
    from sklearn.datasets import load_digits

    import manyfit as mf
    from manyfit.engine import Member, Population, Rows, Shape
    from manyfit.engine.devices import use_compilation_cache

    use_compilation_cache()
    x, y = load_digits(return_X_y=True)
    data = {"inputs": {"numeric": (x / 16).astype(np.float32)}, "target": y.astype(np.int32)}
    model = mf.models.MLP(hidden=(128, 128))
    objective = mf.Supervised(model, optimizer=mf.optim.Adam(), classes=10).bind(data)
    rows = np.random.default_rng(0).permutation(len(x)).astype(np.int32)
    folds = [Rows(rows[:TRAIN], rows[:0], rows[TRAIN:])]
    rates = np.logspace(-4, -1, size)
    members = [Member(i, 0, 0, {"optimizer.learning_rate": float(rate)}) for i, rate in enumerate(rates)]
    population = Population(objective, data, members, folds, Shape(BATCH), epochs=EPOCHS)
    started = time.perf_counter()
    population.run()
    print(f"{time.perf_counter() - started - population.compile_seconds:.3f} s")


if __name__ == "__main__":
    train(int(sys.argv[1])) if len(sys.argv) > 1 else main()
