"""nanoGPT's small character model on Tiny Shakespeare: loss, time and writing speed beside PyTorch.

python benchmarks/nanogpt.py FILE [--steps 2000] [--peers 1] [--kind gpt|lstm]

Four layers of four heads, 128 wide, windows of 64 characters, 12 a step; AdamW with a warm-up of 100 steps and
half a cosine from 1e-3 to 1e-4, decay 0.1, betas 0.9 and 0.99, gradients clipped at 1, no dropout
(karpathy/nanoGPT, README, "I only have a macbook": validation loss 1.88). The first 90 % of the text train; the
loss is that of every character of the last 10 %, once, at the end. Every training is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
CONTEXT, BATCH, LOOK = 64, 12, 250


def ours(place: str, kind: str, steps: int, seeds: int, better: bool) -> dict:
    """Train a population of seeds; runs in a process of its own."""
    began, used = time.perf_counter(), time.process_time()
    import dataclasses

    import manyfit as mf
    from manyfit.models import Decoder, Recurrent
    from manyfit.objectives import NextToken
    from manyfit.optim import AdamW, Cosine, Muon
    from manyfit.tasks.corpus import corpus, read_text

    task = corpus(read_text(place), context=CONTEXT, validation=0.0, source=place)
    model = Decoder() if kind == "gpt" else Recurrent("lstm")
    optimizer = AdamW(
        learning_rate=1e-3,
        weight_decay=0.1,
        b2=0.99,
        clip=1.0,
        schedule=Cosine(warmup=100 / steps, final=0.1),
    )
    if better:
        model = dataclasses.replace(model, norm="rms", positions="rotary", qk_norm=True)
        optimizer = Muon(learning_rate=0.02, weight_decay=0.01, schedule=Cosine(warmup=0.02, final=0.0))
    objective = NextToken(model, task.vocabulary, CONTEXT, optimizer)
    looks = -(-steps // LOOK)
    experiment = mf.Experiment(
        objective,
        task,
        seeds=seeds,
        folds=list(task.splits),
        epochs=looks,
        patience=None,
        validation=0.0,
        batch_size=BATCH,
        steps_per_epoch=-(-steps // looks),
    )
    result = experiment.run()
    found = {
        "loss": [row["test"]["loss"] for row in result.members],
        "interval": [result.score.low, result.score.high],
        "train_seconds": result.timing["train"],
        "compile_seconds": result.timing["compile"],
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - used,
        "parameters": objective.parameters(),
    }
    if seeds == 1 and kind == "gpt":
        result.best.generate("\n", length=100)  # compiled
        started = time.perf_counter()
        result.best.generate("\n", length=400)
        found["written"] = 400 / (time.perf_counter() - started)
        started = time.perf_counter()
        result.best.generate(["\n"] * 16, length=400)
        found["written_16"] = 16 * 400 / (time.perf_counter() - started)
    return found


def process(*arguments: str) -> dict:
    """The JSON that a Python process prints last."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    losses = found["loss"] if isinstance(found["loss"], list) else [found["loss"]]
    print(
        f"  {' '.join(Path(a).name for a in arguments)}: {found['seconds']:.1f} s, "
        f"{found['train_seconds']:.1f} of them training; loss {', '.join(f'{loss:.4f}' for loss in losses)}",
        file=sys.stderr,
        flush=True,
    )
    return found


def main() -> None:
    """Everything beside each other, as a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--kind", choices=("gpt", "lstm"), default="gpt")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--peers", type=int, default=1, help="seeds of the PyTorch training")
    parser.add_argument("--better", action="store_true", help="also with settings of our own")
    parser.add_argument("--ours", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.ours:
        print(json.dumps(ours(asked.file, asked.kind, asked.steps, asked.ours, asked.better)))
        return
    import measure

    steps = str(asked.steps)
    mine = [__file__, asked.file, "--kind", asked.kind, "--steps", steps, "--ours"]
    theirs = str(HERE / "peers" / "language_torch.py")
    one = process(*mine, "1")
    peers = [process(theirs, asked.file, asked.kind, steps, str(seed)) for seed in range(asked.peers)]
    three = process(*mine, "3")
    peer_time = statistics.median(p["train_seconds"] for p in peers)
    tokens = asked.steps * BATCH * CONTEXT
    rows = [
        ["", "test loss", "training s", "CPU s in all", "tokens/s", "of PyTorch's time", "of the GEMM limit"]
    ]
    limit = measure.gemm_limit()

    def row(name: str, losses: list[float], seconds: float, cpu: float, networks: int) -> None:
        mean = f"{statistics.mean(losses):.3f}"
        if len(losses) > 1:
            mean += f" ± {2 * statistics.stdev(losses) / len(losses) ** 0.5:.3f}"
        flops = 6 * one["parameters"] * tokens * networks
        rows.append(
            [
                name,
                mean,
                f"{seconds:.1f}",
                f"{cpu:.1f}",
                f"{networks * tokens / seconds:,.0f}",
                f"{seconds / peer_time:.2f}",
                f"{flops / seconds / 1e9 / limit:.0%}",
            ]
        )

    cpu = statistics.median(p["cpu_seconds"] for p in peers)
    row("PyTorch, 1 network", [p["loss"] for p in peers], peer_time, cpu, 1)
    row("manyfit, 1 network", one["loss"], one["train_seconds"], one["cpu_seconds"], 1)
    row("manyfit, 3 seeds at once", three["loss"], three["train_seconds"], three["cpu_seconds"], 3)
    if asked.better and asked.kind == "gpt":
        best = process(*mine, "3", "--better")
        row("manyfit, 3 seeds, own settings", best["loss"], best["train_seconds"], best["cpu_seconds"], 3)
    print(measure.machine())
    print(measure.table(rows))
    print(f"compiling: {one['compile_seconds']:.1f} s for 1 network, {three['compile_seconds']:.1f} s for 3")
    if asked.kind == "gpt":
        p = peers[0]
        print(
            f"writing, characters a second: manyfit {one['written']:.0f} (16 texts at once {one['written_16']:.0f}), "
            f"PyTorch as nanoGPT {p['written']:.0f}, with a cache {p['written_cached']:.0f}"
        )


if __name__ == "__main__":
    main()
