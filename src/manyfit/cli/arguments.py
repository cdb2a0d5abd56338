"""How options and arguments are shown in the help."""

from __future__ import annotations

from typing import Any

import tyro


def arg(metavar: str, default: str = "", short: str | None = None) -> Any:
    """How an option is shown: what to give it, and what it is when left open."""
    hint = f"(default: {default})" if default else ""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint, aliases=(short,) if short else None)


def place(metavar: str) -> Any:
    """How an argument without a flag is shown."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


Switch = tyro.conf.FlagCreatePairsOff
