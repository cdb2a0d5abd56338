"""``manyfit``: one command, its verbs, and errors as one line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from manyfit.cli.options import Compare, Demo, Evaluate, Fit, Inspect, Predict, Report, Resume, read_config
from manyfit.errors import ManyfitError

Command = (
    Annotated[Fit, tyro.conf.subcommand("fit")]
    | Annotated[Predict, tyro.conf.subcommand("predict")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Resume, tyro.conf.subcommand("resume")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[Demo, tyro.conf.subcommand("demo")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 1 for an error, 130 where Ctrl-C stopped a run."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command = parse(arguments)
        from manyfit.cli import verbs

        return verbs.run(command)
    except ManyfitError as error:
        print(f"manyfit: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        print("manyfit: stopped", file=sys.stderr)
        return 130


def parse(arguments: Sequence[str]) -> Any:
    """The command and its options; a config file gives defaults to what the flags leave open."""
    if arguments[:1] == ["--version"]:
        from manyfit import __version__

        print(__version__)
        raise SystemExit(0)
    config = _config_of(arguments)
    if arguments[:1] == ["fit"] and config is not None:
        return tyro.cli(
            Fit,
            args=list(arguments[1:]),
            default=read_config(config),
            prog="manyfit fit",
            config=(tyro.conf.FlagConversionOff,)[:0],
        )
    return tyro.cli(Command, args=list(arguments), prog="manyfit", description=_ABOUT)  # type: ignore[call-overload]


_ABOUT = (
    "Train many deep networks as one: every cross-validation fold, seed and hyper-parameter trial in one "
    "compiled program, every score with its interval."
)


def _config_of(arguments: Sequence[str]) -> Path | None:
    for i, word in enumerate(arguments):
        if word == "--config" and i + 1 < len(arguments):
            return Path(arguments[i + 1])
        if word.startswith("--config="):
            return Path(word.split("=", 1)[1])
    return None
