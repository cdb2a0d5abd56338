"""What is set before JAX starts."""

import os
import subprocess
import sys

import pytest

from manyfit import _environment as environment


@pytest.mark.parametrize(
    ("features", "jaxlib", "slow"),
    [
        ({"avx2"}, (0, 10, 1), True),
        ({"avx2"}, (0, 12, 0), True),
        ({"avx2", "avx512f"}, (0, 12, 0), False),
        (set(), (0, 12, 0), False),  # another kind of processor
        ({"avx2"}, (0, 13, 0), False),  # a version of which nothing is known
        ({"avx2"}, (), False),
    ],
)
def test_whose_convolutions_are_slow(features, jaxlib, slow):
    assert environment.slow_library_convolutions(frozenset(features), jaxlib) is slow


def test_the_users_flags_win(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=3")
    monkeypatch.setattr(environment, "_cpu_features", lambda: frozenset({"avx2"}))
    monkeypatch.setattr(environment, "_jaxlib", lambda: (0, 12, 0))
    environment.one_device_a_core()
    flags = os.environ["XLA_FLAGS"]
    assert flags.count("device_count") == 1 and "=3" in flags and "-individual_convolution" in flags
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_experimental_ynn_fusion_type=+dot")
    environment.one_device_a_core()
    assert os.environ["XLA_FLAGS"].count("ynn_fusion_type") == 1


def test_jax_starts_with_what_is_set():
    """An unknown flag would end the process: here with every flag, on a kind of processor that needs them."""
    code = (
        "from manyfit import _environment as e; e._cpu_features = lambda: frozenset({'avx2'}); "
        "e.one_device_a_core(); import jax; print(len(jax.devices()))"
    )
    env = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "MANYFIT_DEVICES")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout.split() == [str(environment.cores())], done.stderr
