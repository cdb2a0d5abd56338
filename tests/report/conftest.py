"""Fixtures of the report's tests: run folders, and a strict reader of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_runs import Page, Run, write_run


@pytest.fixture
def make_run(tmp_path: Path):
    """``make_run(without=(...), folder="run", **fields)``: the folder of a run."""

    def make(*, without: tuple[str, ...] = (), folder: str = "run", **fields: Any) -> Path:
        return write_run(tmp_path / folder, Run(**fields), without)

    return make


@pytest.fixture
def parse():
    """HTML -> ``Page``, well-formed or an error."""
    return Page
