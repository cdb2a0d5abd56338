"""A training step of six networks, ours beside PyTorch: forward, backward and AdamW, milliseconds a member.

Ours trains a population through the engine (shuffling, gathering of batches and bookkeeping included);
PyTorch one model with all threads, eager and with ``torch.compile``. Processes take turns, each timed
after compilation; ``limit`` is the arithmetic of the step over a measured large matrix product.

    python benchmarks/building_blocks.py [--rows mlp cnn8 …] [--members 1 4] [--compile] [--cuda]
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One network: how to make it, its batch, the shape of one input (None: tokens of 65 kinds)."""

    batch: int
    shape: tuple[int, ...] | None
    flops: float
    """Multiplications and additions of the matrix products of one step, forward and backward."""


def dense(*widths: int) -> float:
    return 2 * sum(a * b for a, b in itertools.pairwise(widths))


def convolution(side: int, channels: int, features: int) -> float:
    return 2 * 9 * side * side * channels * features


def cnn(side: int) -> float:
    first = convolution(side, 1, 32)
    rest = convolution(side // 2, 32, 64) + dense(64 * (side // 4) ** 2, 128, 10)
    return 2 * first + 3 * rest  # images need no gradient


TOKENS = 64
GPT = dense(128, 384) + dense(128, 128) + dense(128, 512, 128) + 2 * 2 * TOKENS * 128

ROWS = {
    "mlp": Row(64, (64,), 64 * (3 * dense(64, 128, 128, 10) - dense(64, 128))),
    "cnn8": Row(64, (8, 8, 1), 64 * cnn(8)),
    "cnn28": Row(64, (28, 28, 1), 64 * cnn(28)),
    "lstm": Row(32, (64, 64), 32 * 64 * (3 * dense(128, 512) + 2 * dense(64, 512))),
    "transformer": Row(32, None, 3 * 32 * TOKENS * (4 * GPT + dense(128, 65))),
    "residual": Row(32, (32, 32, 3), 32 * (2 * convolution(32, 3, 64) + 3 * 4 * convolution(32, 64, 64))),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", nargs="*", default=list(ROWS))
    options.add_argument("--members", nargs="*", type=int, default=[1, 4])
    options.add_argument("--compile", action="store_true", help="torch.compile as well")
    options.add_argument("--cuda", action="store_true")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--row", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.row:
        print(train(chosen.row, chosen.members[0]))
        return
    print(measure.machine())
    limit = measure.gemm_limit()
    where = "cuda" if chosen.cuda else "cpu"
    lines = [["step", "members", "ours ms a member", "torch", "torch / ours", "limit", "MiB, torch"]]
    if chosen.compile:
        lines[0] += ["compiled", "compiled / ours"]
    for name in chosen.rows:
        peer = [sys.executable, str(HERE / "peers" / "blocks_torch.py"), name]
        ours = {m: [sys.executable, __file__, "--row", name, "--members", str(m)] for m in chosen.members}
        said: dict[Any, list[list[float]]] = {}
        for _ in range(chosen.runs):
            said.setdefault("eager", []).append(figures([*peer, "eager", where]))
            if chosen.compile:
                said.setdefault("compile", []).append(figures([*peer, "compile", where]))
            for members, command in ours.items():
                said.setdefault(members, []).append(figures(command))
        eager, eager_memory = middle(said["eager"])
        for members in ours:
            mine, memory = middle(said[members])
            share = ROWS[name].flops / 1e6 / mine / limit
            lines.append(
                [
                    name,
                    str(members),
                    f"{mine:.3f}",
                    f"{eager:.3f}",
                    f"{eager / mine:.2f}",
                    "" if chosen.cuda else f"{share:.0%}",
                    f"{memory:.0f}, {eager_memory:.0f}",
                ]
            )
            if chosen.compile:
                compiled, _ = middle(said["compile"])
                lines[-1] += [f"{compiled:.3f}", f"{compiled / mine:.2f}"]
        print(measure.table([lines[0], *lines[-len(ours) :]]), flush=True)
    print(measure.table(lines))


def figures(command: list[str]) -> list[float]:
    """What a worker prints: milliseconds a step, MiB."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return [float(word) for word in done.stdout.split()[-2:]]


def middle(several: list[list[float]]) -> tuple[float, float]:
    return statistics.median(s[0] for s in several), max(s[1] for s in several)


def train(name: str, members: int) -> str:
    """Milliseconds a step and member, and peak MiB, of a population after compilation."""
    import jax
    import numpy as np

    import manyfit as mf
    from manyfit.engine import Member, Population, Rows, Shape
    from manyfit.engine.devices import use_compilation_cache

    use_compilation_cache()
    row = ROWS[name]
    rng = np.random.default_rng(0)
    rows, steps = 16 * row.batch, 16
    if row.shape is None:
        x = rng.integers(65, size=(rows, TOKENS)).astype(np.int32)
        y = rng.integers(65, size=(rows, TOKENS)).astype(np.int32)
        inputs, loss = {"tokens": x}, PerToken()
    else:
        x = rng.normal(size=(rows, *row.shape)).astype(np.float32)
        y = rng.integers(10, size=rows).astype(np.int32)
        inputs, loss = {("numeric", "series", "pixels")[len(row.shape) - 1]: x}, None
    data = {"inputs": inputs, "target": y}
    classes = 65 if row.shape is None else 10
    optimizer = mf.optim.AdamW(learning_rate=1e-3, weight_decay=1e-2)
    objective: Any = mf.Supervised(model(name), loss=loss, optimizer=optimizer, classes=classes).bind(data)
    everyone = np.arange(rows, dtype=np.int32)
    folds = [Rows(everyone, everyone[:0], everyone[:0])]
    who = [Member(0, seed, 0, {"optimizer.learning_rate": 1e-3}) for seed in range(members)]

    def seconds(epochs: int) -> float:
        population = Population(objective, data, who, folds, Shape(row.batch), epochs=epochs, predict=False)
        started = time.perf_counter()
        population.run()
        return time.perf_counter() - started

    seconds(1)  # compiles; the populations after it take the same program
    once = min(seconds(1) for _ in range(2))
    epochs = max(3, min(400, math.ceil(2.0 / once)))
    each = statistics.median(seconds(epochs) for _ in range(3)) / epochs / steps / members
    memory = measure.peak_memory()
    if jax.default_backend() != "cpu":
        memory = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0) / 2**20
    return f"{each * 1e3:.4f} {memory:.0f}"


def model(name: str) -> Any:
    """The network of a row, as manyfit's users write it."""
    from flax import nnx

    import manyfit as mf
    from manyfit import nn

    class Residual(nnx.Module):
        def __init__(self, outputs: int, rngs: nnx.Rngs) -> None:
            self.stem, self.norm = nn.Conv2d(3, 64, use_bias=False, rngs=rngs), nn.BatchNorm(64, rngs=rngs)
            self.blocks = nnx.List([ResidualBlock(rngs) for _ in range(2)])
            self.head = nn.Linear(64, outputs, rngs=rngs)

        def __call__(self, features: Any) -> Any:
            x = nnx.relu(self.norm(self.stem(features["pixels"])))
            for block in self.blocks:
                x = block(x)
            return self.head(nn.global_avg_pool(x))

    class ResidualBlock(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.first, self.second = (nn.Conv2d(64, 64, use_bias=False, rngs=rngs) for _ in range(2))
            self.norm, self.other = (nn.BatchNorm(64, rngs=rngs) for _ in range(2))

        def __call__(self, x: Any) -> Any:
            y = self.other(self.second(nnx.relu(self.norm(self.first(x)))))
            return nnx.relu(x + y)

    class Recurrent(nnx.Module):
        def __init__(self, outputs: int, rngs: nnx.Rngs) -> None:
            self.lstm, self.head = nn.LSTM(64, 128, rngs=rngs), nn.Linear(128, outputs, rngs=rngs)

        def __call__(self, features: Any) -> Any:
            return self.head(self.lstm(features["series"])[0][:, -1])

    class Transformer(nnx.Module):
        def __init__(self, outputs: int, rngs: nnx.Rngs) -> None:
            self.tokens = nn.Embed(outputs, 128, rngs=rngs)
            self.places = nn.LearnedPositions(TOKENS, 128, rngs=rngs)
            self.blocks = nnx.List([self.block(rngs) for _ in range(4)])
            self.norm = nn.LayerNorm(128, rngs=rngs)
            self.head = nn.Linear(128, outputs, use_bias=False, rngs=rngs)

        @staticmethod
        def block(rngs: nnx.Rngs) -> nnx.Module:
            return nn.TransformerBlock(128, 4, causal=True, rngs=rngs)

        def __call__(self, features: Any) -> Any:
            x = self.places(self.tokens(features["tokens"]))
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    def custom(network: Any) -> Any:
        return mf.models.Custom(lambda inputs, outputs, rngs: network(outputs, rngs))

    made: dict[str, Callable[[], Any]] = {
        "lstm": lambda: custom(Recurrent),
        "transformer": lambda: custom(Transformer),
        "mlp": lambda: mf.models.MLP(hidden=(128, 128)),
        "cnn8": mf.models.CNN,
        "cnn28": mf.models.CNN,
        "residual": lambda: custom(Residual),
    }
    return made[name]()


class PerToken:
    """Cross-entropy of every token, averaged over a sequence."""

    classification = True

    def __call__(self, outputs: Any, target: Any) -> Any:
        from manyfit.losses import cross_entropy

        return cross_entropy(outputs, target).mean(-1)

    def outputs(self, classes: int | None) -> int:
        return classes or 0

    def predict(self, outputs: Any) -> Any:
        return outputs


if __name__ == "__main__":
    main()
