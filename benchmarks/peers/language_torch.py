"""A small GPT, or an LSTM, on the characters of a text in PyTorch: what ``benchmarks/nanogpt.py`` compares with.

python benchmarks/peers/language_torch.py FILE [gpt|lstm] [STEPS] [SEED] -> one line of JSON
"""

from __future__ import annotations

import gzip
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CONTEXT, BATCH = 64, 12
RATE, LAST_RATE, WARM = 1e-3, 1e-4, 100


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.widen = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)

    def forward(self, x, past=None):
        rows, time, width = x.shape
        q, k, v = (
            part.view(rows, time, self.heads, -1).transpose(1, 2)
            for part in self.qkv(self.first(x)).split(width, dim=2)
        )
        if past is not None:
            if past:
                k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
            past[:] = [k, v]
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=k.shape[2] == time)
        x = x + self.out(y.transpose(1, 2).reshape(rows, time, width))
        return x + self.narrow(functional.gelu(self.widen(self.second(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary: int, width: int = 128, depth: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(CONTEXT, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, bias=False)
        for name, value in self.named_parameters():
            if value.ndim > 1:
                ends = name.endswith(("out.weight", "narrow.weight"))
                nn.init.normal_(value, std=0.02 / math.sqrt(2 * depth) if ends else 0.02)

    def forward(self, tokens, past=None, start=0):
        x = self.tokens(tokens) + self.places(torch.arange(start, start + tokens.shape[1]))
        for i, block in enumerate(self.blocks):
            x = block(x, None if past is None else past[i])
        return self.norm(x) @ self.tokens.weight.T


class LSTM(nn.Module):
    def __init__(self, vocabulary: int, width: int = 256, depth: int = 2, embedding: int = 64) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, embedding)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.layers = nn.LSTM(embedding, width, depth, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        return self.head(self.layers(self.tokens(tokens))[0])


def rate(step: int, steps: int) -> float:
    if step < WARM:
        return RATE * (step + 1) / (WARM + 1)
    share = (step - WARM) / max(1, steps - WARM)
    return LAST_RATE + 0.5 * (1 + math.cos(math.pi * share)) * (RATE - LAST_RATE)


def optimizer_of(model) -> torch.optim.Optimizer:
    """AdamW as nanoGPT sets it: matrices decay, vectors do not."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.99))


def stepped(model, optimizer, windows, learning_rate: float) -> float:
    """Take a step on windows ``(BATCH, CONTEXT + 1)``; their loss before it."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    logits = model(windows[:, :-1])
    loss = functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), windows[:, 1:].reshape(-1))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


@torch.no_grad()
def validation(model, tokens) -> float:
    """Nats a token over every token of the text but its first, in windows that do not overlap."""
    starts = range(0, len(tokens) - 1, CONTEXT)
    total, count = 0.0, 0
    for first in starts:
        window = tokens[first : first + CONTEXT + 1]
        logits = model(window[None, :-1])
        total += float(functional.cross_entropy(logits[0], window[1:], reduction="sum"))
        count += len(window) - 1
    return total / count


@torch.no_grad()
def written(model, length: int, cached: bool) -> float:
    """Tokens a second of one text, as nanoGPT writes it, or with keys and values kept while the window is not full."""
    ids = torch.zeros((1, 1), dtype=torch.long)
    past: list = [[] for _ in model.blocks]
    started = time.perf_counter()
    for _ in range(length):
        if not cached:
            logits = model(ids[:, -CONTEXT:])
        else:
            known = past[0][0].shape[2] if past[0] else 0
            if known >= CONTEXT:
                past, known = [[] for _ in model.blocks], 0
                logits = model(ids[:, -CONTEXT // 2 :], past, 0)
            else:
                logits = model(ids[:, -1:], past, known)
        chance = functional.softmax(logits[:, -1], dim=-1)
        ids = torch.cat([ids, torch.multinomial(chance, 1)], dim=1)
    return length / (time.perf_counter() - started)


def main(place: str, kind: str = "gpt", steps: int = 2000, seed: int = 0) -> None:
    """Train, measure, and print one line of JSON."""
    began, used = time.perf_counter(), time.process_time()
    torch.manual_seed(seed)
    data = Path(place).read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    letters = sorted(set(text))
    number = {letter: i for i, letter in enumerate(letters)}
    tokens = torch.from_numpy(np.array([number[letter] for letter in text], np.int64))
    cut = int(0.9 * len(tokens))
    train, held = tokens[:cut], tokens[cut:]
    model = GPT(len(letters)) if kind == "gpt" else LSTM(len(letters))
    optimizer = optimizer_of(model)
    curve = []
    started, working = time.perf_counter(), time.process_time()
    for step in range(steps):
        first = torch.randint(len(train) - CONTEXT, (BATCH,))
        windows = torch.stack([train[i : i + CONTEXT + 1] for i in first])
        curve.append(stepped(model, optimizer, windows, rate(step, steps)))
    trained, worked = time.perf_counter() - started, time.process_time() - working
    model.eval()
    found = {
        "loss": validation(model, held),
        "train_seconds": trained,
        "train_cpu_seconds": worked,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - used,
        "tokens_a_second": steps * BATCH * CONTEXT / trained,
        "curve": [float(np.mean(curve[i : i + 100])) for i in range(0, steps, 100)],
    }
    if kind == "gpt":
        found |= {"written": written(model, 400, False), "written_cached": written(model, 400, True)}
    print(json.dumps(found))


if __name__ == "__main__":
    place, *rest = sys.argv[1:]
    main(place, *rest[:1], *map(int, rest[1:]))
