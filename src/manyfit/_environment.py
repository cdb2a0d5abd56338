"""What has to be settled before JAX starts."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

_LIBRARIES = "xla_cpu_experimental_ynn_fusion_type"
"""Which operations XLA:CPU hands to its YNN library."""


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def one_device_a_core() -> None:
    """On CPU every core is a device of its own, single-threaded: set before JAX first looks.

    ``XLA_FLAGS`` and ``MANYFIT_DEVICES`` of the user's win. XLA's warnings about
    programs from its own disk cache (features named differently at compile and
    load) are turned off with its other log lines; errors raise as ever.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_force_host_platform_device_count" not in flags:
        count = os.environ.get("MANYFIT_DEVICES") or str(cores())
        flags += f" --xla_force_host_platform_device_count={count}"
        if int(count) > 1 and "xla_cpu_multi_thread_eigen" not in flags:
            flags += " --xla_cpu_multi_thread_eigen=false"
    if _LIBRARIES not in flags and slow_library_convolutions(_cpu_features(), _jaxlib()):
        flags += f" --{_LIBRARIES}=-individual_convolution"
    os.environ["XLA_FLAGS"] = flags.strip()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def slow_library_convolutions(features: frozenset[str], jaxlib: tuple[int, ...]) -> bool:
    """Whether XLA:CPU's YNN library would take convolutions over and be slower than XLA's own.

    On x86 without AVX-512 it is, four times and more for kernel gradients of wide images (``benchmarks/convolution.py``
    with and without ``--library``). A jaxlib that does not know the flag would not start: those that do are named.
    """
    return "avx2" in features and "avx512f" not in features and (0, 10, 1) <= jaxlib < (0, 13)


def _cpu_features() -> frozenset[str]:
    """The features of an x86 processor under Linux; nothing where they cannot be read."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return frozenset()
    try:
        with Path("/proc/cpuinfo").open() as file:
            found = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return frozenset()
    return frozenset(found.split())


def _jaxlib() -> tuple[int, ...]:
    """The version of jaxlib, without importing it; ``()`` where there is none."""
    try:
        return tuple(int(part) for part in metadata.version("jaxlib").split(".")[:3])
    except (metadata.PackageNotFoundError, ValueError):
        return ()
