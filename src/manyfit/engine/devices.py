"""Where a population lives: the devices, and how its leading axis is spread over them."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

MEMBER_AXIS = "member"


@functools.cache
def mesh(count: int | None = None) -> Mesh:
    """The devices (the first ``count`` of them) as a mesh with one axis, the members."""
    devices = jax.devices()
    return Mesh(np.array(devices[: count or len(devices)]), (MEMBER_AXIS,))


def spread(over: Mesh) -> NamedSharding:
    """Leading axis split over the devices."""
    return NamedSharding(over, PartitionSpec(MEMBER_AXIS))


def everywhere(over: Mesh) -> NamedSharding:
    """A copy on every device."""
    return NamedSharding(over, PartitionSpec())


def use_compilation_cache(folder: Path | None = None) -> None:
    """Keep compiled programs on disk between processes, unless the user has set a place already.

    ``MANYFIT_CACHE`` names another folder; an empty value turns it off.
    """
    setting = os.environ.get("MANYFIT_CACHE")
    if setting == "" or jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    place = folder or (Path(setting) if setting else home / "manyfit" / "xla")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a read-only home costs a compilation, not the run
    _quiet_loader()
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _quiet_loader() -> None:
    """Stop XLA's alarm over programs from its own cache, where JAX was imported before manyfit.

    Tuning preferences that the compiler adds are taken for features of the processor
    (openxla/xla issue 44565): pages of text about a program that loads and runs as it should.
    """
    from jaxlib import utils

    quiet = getattr(utils, "absl_set_min_log_level", None)
    ours_or_jaxs = os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("1", "3")  # JAX itself asks for 1
    if quiet is not None and ours_or_jaxs:
        quiet(3)


def quickly(platform: str | None = None) -> dict[str, int] | None:
    """Compiler options for a program that runs seldom: on CPU the same bits in half the time to compile."""
    return {"xla_backend_optimization_level": 1} if (platform or jax.default_backend()) == "cpu" else None


def memory_available() -> int:
    """Bytes that a population may still take: free device memory, or free RAM on CPU."""
    device = jax.devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 4 * 2**30
