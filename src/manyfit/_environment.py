"""What has to be settled before JAX starts."""

from __future__ import annotations

import os


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
        os.environ["XLA_FLAGS"] = flags.strip()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
