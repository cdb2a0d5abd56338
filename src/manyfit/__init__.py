"""manyfit trains many deep networks as one."""

from manyfit._version import __version__

__all__ = ["__version__"]
