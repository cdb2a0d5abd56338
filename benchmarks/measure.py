"""What every benchmark needs: whole processes timed with their peak memory, the machine's limits, one table."""

from __future__ import annotations

import datetime
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Timed:
    """Several runs of one command: wall seconds, peak memory in MiB, and its last line of output."""

    name: str
    seconds: Sequence[float]
    memory: float
    said: str

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def run(name: str, command: Sequence[str], runs: int = 3, env: dict[str, str] | None = None) -> Timed:
    """Time whole processes, imports and compilation included; memory is that of the process and its children."""
    seconds, memory, said = [], 0.0, ""
    for _ in range(runs):
        started = time.perf_counter()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                list(command), stdout=output, stderr=subprocess.DEVNULL, env=os.environ | (env or {})
            )
            peak = 0.0
            while process.poll() is None:
                peak = max(peak, _tree_memory(process.pid))
                time.sleep(0.1)
            seconds.append(time.perf_counter() - started)
            output.seek(0)
            lines = output.read().decode().strip().splitlines()
        if process.returncode != 0:
            raise SystemExit(f"{name}: {' '.join(command)} failed with {process.returncode}")
        memory, said = max(memory, peak), lines[-1] if lines else ""
        print(f"  {name}: {seconds[-1]:.2f} s  {said}", file=sys.stderr, flush=True)
    return Timed(name, seconds, memory / 2**20, said)


def _tree_memory(pid: int) -> float:
    """Resident bytes of a process and all below it."""
    total, todo = 0.0, [pid]
    while todo:
        here = todo.pop()
        try:
            with open(f"/proc/{here}/statm") as file:
                total += int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in os.listdir(f"/proc/{here}/task"):
                with open(f"/proc/{here}/task/{task}/children") as file:
                    todo += [int(child) for child in file.read().split()]
        except (OSError, ValueError, IndexError):
            continue
    return total


def peak_memory() -> float:
    """MiB that this process has held at most; ``getrusage`` would give its parent's where that was larger."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else math.nan


def gemm_limit() -> float:
    """GFLOP/s of a large float32 matrix product on all cores, as numpy's BLAS does it (best of 5)."""
    import numpy as np

    n = 2048
    a, b = np.ones((n, n), np.float32), np.ones((n, n), np.float32)
    a @ b
    best = 0.0
    for _ in range(5):
        started = time.perf_counter()
        a @ b
        best = max(best, 2 * n**3 / (time.perf_counter() - started) / 1e9)
    return best


def bandwidth_limit() -> float:
    """GB/s read and written by copying 256 MB (best of 5)."""
    import numpy as np

    a = np.ones(2**26, np.float32)
    b = np.empty_like(a)
    best = 0.0
    for _ in range(5):
        started = time.perf_counter()
        np.copyto(b, a)
        best = max(best, 2 * a.nbytes / (time.perf_counter() - started) / 1e9)
    return best


def machine() -> str:
    """The machine in a line."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0))
    return (
        f"{model}, {cores} cores, Python {platform.python_version()}, "
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}; measured limits: GEMM {gemm_limit():.0f} GFLOP/s, "
        f"copy {bandwidth_limit():.1f} GB/s"
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Markdown, for docs/results.md."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)
