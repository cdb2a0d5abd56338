"""The command line."""

from manyfit.cli.main import main

__all__ = ["main"]
