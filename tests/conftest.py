"""Every test runs on two devices, whatever the machine, with a compilation cache of the session's own."""

import os
import tempfile
from pathlib import Path

import pytest

os.environ["MANYFIT_DEVICES"] = "2"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["MANYFIT_CACHE"] = str(Path(tempfile.gettempdir()) / f"manyfit-tests-{os.getuid()}")

import manyfit  # noqa: F401  (sets the devices before JAX starts)
from manyfit.engine.devices import use_compilation_cache

use_compilation_cache()

LONG = frozenset(Path(__file__).with_name("long.txt").read_text().splitlines())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What ``long.txt`` names bears the mark ``long``: ``make test`` leaves it out, ``make test-all`` does not."""
    for item in items:
        name = item.nodeid.removeprefix("tests/")
        if name in LONG or name.split("[")[0] in LONG:
            item.add_marker(pytest.mark.long)
