"""A text larger than one would hold in memory: peak memory and time of a step, streamed beside in memory.

python benchmarks/streaming.py FILE [--copies 300] [--steps 500]

FILE is repeated so many times; a small decoder trains on it by characters, once with the tokens in memory and once
with them in a file (``manyfit fit --stream``). Both runs are the same training, to the last bit: the losses that
are printed say so.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from pathlib import Path

import measure


def train(place: str, stream: bool, steps: int) -> None:
    """One process: read, train, print what came of it."""
    import manyfit as mf
    from manyfit.models import Decoder
    from manyfit.objectives import NextToken
    from manyfit.tasks.corpus import corpus, read_text, stored_corpus

    folder = Path(place).parent / "tokens"
    held = {"test": 1e-3, "validation": 1e-3}  # what is timed is the training
    task = (
        stored_corpus(place, folder=folder, **held)
        if stream
        else corpus(read_text(place), source=place, **held)
    )
    objective = NextToken(Decoder(), task.vocabulary, task.context, mf.optim.AdamW(learning_rate=1e-3))
    result = mf.Experiment(
        objective,
        task,
        folds=list(task.splits),
        epochs=2,
        patience=None,
        batch_size=12,
        steps_per_epoch=steps // 2,
    ).run()
    print(
        json.dumps(
            {
                "loss": result.members[0]["test"]["loss"],
                "step": result.timing["train"] / steps,
                "data": result.timing["data"],
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--copies", type=int, default=300)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--child", choices=("stream", "memory"))
    asked = parser.parse_args()
    if asked.child:
        train(str(asked.file), asked.child == "stream", asked.steps)
        return
    raw = asked.file.read_bytes()
    text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "long.txt"
        with place.open("wb") as file:
            for _ in range(asked.copies):
                file.write(text)
        size = place.stat().st_size
        print(f"{size / 2**20:,.0f} MiB of text, {asked.steps} steps of 12 windows of 64 characters")
        found = {}
        for kind in ("memory", "stream"):
            command = [sys.executable, __file__, str(place), "--child", kind, "--steps", str(asked.steps)]
            found[kind] = measure.run(kind, command, runs=1)
    print(f"{'':8}{'peak MiB':>10}{'s in all':>10}{'ms a step':>11}{'test loss':>12}")
    for kind, timed in found.items():
        said = json.loads(timed.said)
        print(
            f"{kind:8}{timed.memory:10,.0f}{timed.median:10.1f}{said['step'] * 1e3:11.1f}{said['loss']:12.6f}"
        )
    print(f"memory / stream: peak {found['memory'].memory / found['stream'].memory:.1f}")


if __name__ == "__main__":
    main()
