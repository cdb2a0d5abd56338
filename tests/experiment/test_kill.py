"""``kill -9`` at random moments, then go on: bit for bit the run that was never killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

SCRIPT = Path(__file__).with_name("killed.py")
KINDS = {"plain": ([], 20), "search": (["search"], 8)}
"""A run whose trials are known at the start, and one whose later trials hang on the earlier ones."""


def start(folder, more):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"MANYFIT_DEVICES": "2"},
    )


def finish(folder, more):
    with start(folder, more) as process:
        text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text
    assert text.strip().endswith("complete"), text


def kill_somewhere(folder, more, rng):
    """Kill the run a moment after one of its lines: in training, in a checkpoint, or before either."""
    seen = 0
    wanted = rng.choice([0, 1, 1, 2, 2, 3])
    with start(folder, more) as process:
        for _ in process.stdout:
            seen += 1
            if seen > wanted:
                break
        delay = threading.Timer(rng.uniform(0.0, 0.05), lambda: process.send_signal(signal.SIGKILL))
        delay.start()
        process.stdout.read()
        process.wait()
        delay.join()
    return process.returncode == -signal.SIGKILL


def content(folder):
    """Everything that a run found, but its times."""
    members = (folder / "members.jsonl").read_text()
    arrays = {}
    for name in ("history.safetensors", "predictions.safetensors", "model/model.safetensors"):
        arrays |= {f"{name}/{k}": v for k, v in load_file(folder / name).items()}
    return members, arrays


@pytest.mark.parametrize("kind", KINDS)
def test_kills_change_nothing(kind, tmp_path):
    more, wanted = KINDS[kind]
    finish(tmp_path / "whole", more)
    whole = content(tmp_path / "whole")
    rng = random.Random(7)
    folder = tmp_path / "run"
    kills = 0
    for attempt in range(wanted * 2):
        if kills == wanted:
            break
        if kill_somewhere(folder, more, rng):
            kills += 1
        else:  # it ran to its end before the kill: another run
            members, arrays = content(folder)
            assert members == whole[0]
            folder = tmp_path / f"run{attempt}"
    if not (folder / "summary.json").exists():
        finish(folder, more)
    members, arrays = content(folder)
    assert members == whole[0]
    assert arrays.keys() == whole[1].keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, whole[1][name], err_msg=name)
    assert kills == wanted
