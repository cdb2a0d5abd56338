"""One training step of each building block in PyTorch: what ``building_blocks.py`` compares with.

python benchmarks/peers/blocks_torch.py ROW [eager|compile] [cpu|cuda] -> milliseconds a step, peak MiB
"""

from __future__ import annotations

import math
import re
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

torch.manual_seed(0)


class CNN(nn.Module):
    def __init__(self, side: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 32, 3, padding="same")
        self.second = nn.Conv2d(32, 64, 3, padding="same")
        self.hidden = nn.Linear(64 * (side // 4) ** 2, 128)
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.first(x)), 2)
        x = functional.max_pool2d(functional.relu(self.second(x)), 2)
        x = functional.dropout(x.flatten(1), 0.25, self.training)
        x = functional.dropout(functional.relu(self.hidden(x)), 0.25, self.training)
        return self.head(x)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(64, 128, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(128, 384, bias=False)
        self.out = nn.Linear(128, 128, bias=False)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, 4, 32).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(b, t, c))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(128), nn.LayerNorm(128)
        self.attention = Attention()
        self.up, self.down = nn.Linear(128, 512), nn.Linear(512, 128)

    def forward(self, x):
        x = x + self.attention(self.first(x))
        return x + self.down(functional.gelu(self.up(self.second(x)), approximate="tanh"))


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(65, 128), nn.Embedding(64, 128)
        self.blocks = nn.Sequential(*[Block() for _ in range(4)])
        self.norm, self.head = nn.LayerNorm(128), nn.Linear(128, 65, bias=False)

    def forward(self, x):
        x = self.tokens(x) + self.places.weight
        return self.head(self.norm(self.blocks(x)))


class ResidualBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.second = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.norm, self.other = nn.BatchNorm2d(64), nn.BatchNorm2d(64)

    def forward(self, x):
        y = self.other(self.second(functional.relu(self.norm(self.first(x)))))
        return functional.relu(x + y)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
        self.blocks = nn.Sequential(ResidualBlock(), ResidualBlock())
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(functional.relu(self.norm(self.stem(x))))
        return self.head(x.mean((2, 3)))


def mlp():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))


# name -> model, batch, the shape of one input (None: tokens)
ROWS = {
    "mlp": (mlp, 64, (64,)),
    "cnn8": (lambda: CNN(8), 64, (1, 8, 8)),
    "cnn28": (lambda: CNN(28), 64, (1, 28, 28)),
    "lstm": (Recurrent, 32, (64, 64)),
    "transformer": (Transformer, 32, None),
    "residual": (Residual, 32, (3, 32, 32)),
}


def peak_memory() -> float:
    """MiB that this process has held at most; ``getrusage`` would give its parent's where that was larger."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


def main() -> None:
    row, mode, where = [*sys.argv[1:], *("eager", "cpu")[len(sys.argv) - 2 :]]
    make, batch, shape = ROWS[row]
    device = torch.device(where)
    model = make().to(device).train()
    rows = 16 * batch
    if shape is None:
        x = torch.randint(65, (rows, 64), device=device)
        y = torch.randint(65, (rows, 64), device=device)
    else:
        x, y = torch.randn(rows, *shape, device=device), torch.randint(10, (rows,), device=device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)

    def loss_of(x, y):
        return functional.cross_entropy(model(x).flatten(0, -2), y.flatten())

    if mode == "compile":
        loss_of = torch.compile(loss_of)

    def epoch() -> float:
        order = torch.randperm(rows, device=device)
        started = time.perf_counter()
        for start in range(0, rows, batch):
            take = order[start : start + batch]
            optimizer.zero_grad(set_to_none=True)
            loss_of(x[take], y[take]).backward()
            optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - started) / (rows // batch) * 1e3

    epoch()
    once = epoch()
    times = [epoch() for _ in range(max(5, min(200, math.ceil(4000 / (once * 16)))))]
    memory = peak_memory()
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated() / 2**20
    print(f"{statistics.median(times):.4f} {memory:.0f}")


if __name__ == "__main__":
    main()
