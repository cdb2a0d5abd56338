"""Characters a second that a small GPT writes: ours beside Hugging Face's ``generate`` and nanoGPT's loop.

    python benchmarks/generation.py FILE [--width 128] [--depth 4] [--context 64]      # needs torch and transformers

All three are of one size and untrained but for one batch of FILE in ours, which needs a run to write with. They write
the same number of characters after a line end, drawn from all at temperature 1, and stay within the window, so that
nobody cuts it. Ours and Hugging Face keep keys and values, nanoGPT reads the window anew for each character. Compiled
or warmed before it is timed; medians of 3. ``3 members`` write one text together, from their average.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import measure

HERE = Path(__file__).parent
RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--context", type=int, default=64)
    asked = parser.parse_args()
    length = asked.context - 1
    print(measure.machine(), flush=True)
    rows = [["who", "texts at once", "characters/s in all"]]
    for members in (1, 3):
        write = ours(asked, members)
        for texts in (1, 16):
            name = "manyfit" if members == 1 else f"manyfit, {members} members together"
            rows.append([name, str(texts), f"{speed(write, texts, length):,.0f}"])
    size = [str(number) for number in (asked.width, asked.depth, asked.context, length, RUNS)]
    command = [sys.executable, str(HERE / "peers" / "generation_torch.py"), *size]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    rows += [line.split("\t") for line in done.stdout.strip().splitlines()]
    print(measure.table(rows))


def ours(asked: argparse.Namespace, members: int) -> Callable[[int, int], object]:
    """``(texts, length)`` -> texts written by ``members`` networks together."""
    import manyfit as mf
    from manyfit.models import Decoder
    from manyfit.objectives import NextToken
    from manyfit.tasks.corpus import corpus, read_text

    task = corpus(read_text(asked.file), context=asked.context, validation=0.0, source=str(asked.file))
    model = Decoder(width=asked.width, depth=asked.depth, heads=asked.width // 32)
    result = mf.Experiment(
        NextToken(model, task.vocabulary, asked.context, mf.optim.AdamW()),
        task,
        seeds=members,
        folds=list(task.splits),
        epochs=1,
        patience=None,
        validation=0.0,
        batch_size=1,
        steps_per_epoch=1,
    ).run()
    return lambda texts, length: result.best.generate(["\n"] * texts, length=length)


def speed(write: Callable[[int, int], object], texts: int, length: int) -> float:
    """Characters a second, all texts together."""
    write(texts, length)
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        write(texts, length)
        seconds.append(time.perf_counter() - started)
    return texts * length / statistics.median(seconds)


if __name__ == "__main__":
    main()
