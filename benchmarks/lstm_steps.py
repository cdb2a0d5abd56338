"""The LSTM over characters beside PyTorch's, from the same weights and on the same windows: the loss of every step.

python benchmarks/lstm_steps.py FILE [--steps 2000]

The model and the training of ``benchmarks/nanogpt.py --kind lstm``. Printed are the mean losses of hundreds of steps,
and how far the two are apart in each step; the times are a step's, one after the other in one process.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import measure
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import language_torch as peer

from manyfit.engine import Batch
from manyfit.models import Recurrent
from manyfit.objectives import NextToken
from manyfit.optim import AdamW, Cosine

CONTEXT, BATCH = peer.CONTEXT, peer.BATCH


def copied(params: dict, model: torch.nn.Module) -> None:
    """Put our weights into PyTorch's model."""

    def tensor(array: jax.Array) -> torch.Tensor:
        return torch.from_numpy(np.array(array))

    with torch.no_grad():
        model.tokens.weight.copy_(tensor(params["embedding"]))
        for layer in range(model.layers.num_layers):
            for theirs, ours in (("weight_ih", "input_weight"), ("weight_hh", "hidden_weight")):
                getattr(model.layers, f"{theirs}_l{layer}").copy_(tensor(params["layers"][ours][layer]).T)
            for theirs, ours in (("bias_ih", "input_bias"), ("bias_hh", "hidden_bias")):
                getattr(model.layers, f"{theirs}_l{layer}").copy_(tensor(params["layers"][ours][layer]))
        model.head.weight.copy_(tensor(params["head"]["kernel"]).T)
        model.head.bias.copy_(tensor(params["head"]["bias"]))


def main() -> None:
    """Both trainings side by side, as a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    asked = parser.parse_args()
    content = asked.file.read_bytes()
    text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
    letters = sorted(set(text))
    number = {letter: i for i, letter in enumerate(letters)}
    tokens = np.array([number[letter] for letter in text[: int(0.9 * len(text))]], np.int64)

    schedule = Cosine(warmup=peer.WARM / asked.steps, final=peer.LAST_RATE / peer.RATE)
    optimizer = AdamW(learning_rate=peer.RATE, weight_decay=0.1, b2=0.99, clip=1.0, schedule=schedule)
    objective = NextToken(Recurrent("lstm"), len(letters), CONTEXT, optimizer)
    hyper = {"total_steps": jnp.float32(asked.steps)}
    state = objective.init(jax.random.key(0), hyper, ())
    update = jax.jit(objective.update, donate_argnums=0)

    model = peer.LSTM(len(letters))
    copied(state["weights"].params, model)
    theirs = peer.optimizer_of(model)

    rng = np.random.default_rng(0)
    still = {"reach": jnp.zeros(BATCH, jnp.int32), "targets": jnp.full(BATCH, CONTEXT, jnp.int32)}
    losses, seconds = np.zeros((asked.steps, 2)), np.zeros((asked.steps, 2))
    for step in range(asked.steps):
        windows = np.stack(
            [tokens[i : i + CONTEXT + 1] for i in rng.integers(0, len(tokens) - CONTEXT, BATCH)]
        )
        room = np.concatenate([windows, np.zeros((BATCH, CONTEXT), np.int64)], axis=1).astype(np.int32)
        batch = Batch({**still, "tokens": jnp.asarray(room)}, jnp.ones(BATCH))
        began = time.perf_counter()
        state, found = update(state, batch, jax.random.key(step), hyper)
        losses[step, 0] = float(found["loss"].value)
        between = time.perf_counter()
        losses[step, 1] = peer.stepped(model, theirs, torch.from_numpy(windows), peer.rate(step, asked.steps))
        seconds[step] = between - began, time.perf_counter() - between

    rows = [["steps", "manyfit", "PyTorch", "farthest apart in a step"]]
    for first in range(0, asked.steps, max(1, asked.steps // 8)):
        part = losses[first : first + max(1, asked.steps // 8)]
        apart = np.abs(part[:, 0] - part[:, 1]).max()
        mean = part.mean(axis=0)
        rows.append(
            [f"{first + 1} to {first + len(part)}", f"{mean[0]:.4f}", f"{mean[1]:.4f}", f"{apart:.4f}"]
        )
    print(measure.machine())
    print(measure.table(rows))
    ours, other = (statistics.median(seconds[1:, i]) * 1000 for i in range(2))
    print(f"a step: manyfit {ours:.1f} ms, PyTorch {other:.1f} ms, ratio {ours / other:.2f}")


if __name__ == "__main__":
    main()
