"""The examples run as they stand in the repository, and the one that promises to be short is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "COLUMNS": "100"}
    run = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.strip(), "an example prints what it found"


def test_an_own_objective_takes_less_than_40_lines() -> None:
    lines = (EXAMPLES / "own_objective.py").read_text().splitlines()
    assert sum(bool(line.strip()) for line in lines) < 40
