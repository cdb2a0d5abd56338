"""Every test runs on two devices, whatever the machine, with a compilation cache of the session's own."""

import os
import tempfile
from pathlib import Path

os.environ["MANYFIT_DEVICES"] = "2"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["MANYFIT_CACHE"] = str(Path(tempfile.gettempdir()) / f"manyfit-tests-{os.getuid()}")

import manyfit  # noqa: F401  (sets the devices before JAX starts)
from manyfit.engine.devices import use_compilation_cache

use_compilation_cache()
