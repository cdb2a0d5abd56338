"""Writing with Hugging Face's GPT-2 and as nanoGPT does it: what ``benchmarks/generation.py`` compares with.

python benchmarks/peers/generation_torch.py WIDTH DEPTH CONTEXT LENGTH RUNS -> lines of who, texts, characters a second
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from transformers import GPT2Config, GPT2LMHeadModel

VOCABULARY = 65


def main(width: int, depth: int, context: int, length: int, runs: int) -> None:
    """Measure both with one text and with 16."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=context,
        n_embd=width,
        n_layer=depth,
        n_head=width // 32,
        bos_token_id=0,
        eos_token_id=None,
    )
    model = GPT2LMHeadModel(config).eval()

    @torch.no_grad()
    def library(texts: int) -> None:
        start = torch.zeros((texts, 1), dtype=torch.long)
        found = model.generate(
            start,
            attention_mask=torch.ones_like(start),
            max_new_tokens=length,
            min_new_tokens=length,
            do_sample=True,
            top_k=0,
            pad_token_id=0,
        )
        assert found.shape == (texts, length + 1)

    @torch.no_grad()
    def loop(texts: int) -> None:
        ids = torch.zeros((texts, 1), dtype=torch.long)
        for _ in range(length):
            logits = model(ids[:, -context:], use_cache=False).logits[:, -1]
            ids = torch.cat([ids, torch.multinomial(torch.softmax(logits, dim=-1), 1)], dim=1)

    for name, write in (("Hugging Face, generate", library), ("nanoGPT's loop, the window anew", loop)):
        for texts in (1, 16):
            print(name, texts, f"{texts * length / seconds(write, texts, runs):,.0f}", sep="\t", flush=True)


def seconds(write: Callable[[int], None], texts: int, runs: int) -> float:
    """Median of some runs after one that is not counted."""
    taken = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        write(texts)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:6]))
