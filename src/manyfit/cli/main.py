"""``manyfit``: one command, its verbs, and errors as one line."""

from __future__ import annotations

import atexit
import gc
import inspect
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from manyfit.cli.codes import Anomalies, Transform
from manyfit.cli.config import read_config
from manyfit.cli.forecast import Forecast
from manyfit.cli.options import Compare, Curve, Demo, Evaluate, Fit, Inspect, Predict, Range, Report, Resume
from manyfit.cli.play import Play
from manyfit.cli.reinforcement import Rl
from manyfit.cli.sampling import Sample
from manyfit.cli.text import Generate
from manyfit.errors import ConfigError, ManyfitError, nearest

VERBS: dict[str, type] = {
    "fit": Fit,
    "forecast": Forecast,
    "rl": Rl,
    "play": Play,
    "predict": Predict,
    "evaluate": Evaluate,
    "transform": Transform,
    "anomalies": Anomalies,
    "sample": Sample,
    "generate": Generate,
    "resume": Resume,
    "report": Report,
    "compare": Compare,
    "inspect": Inspect,
    "range": Range,
    "curve": Curve,
    "demo": Demo,
}

ABOUT = """\
usage: manyfit VERB ...

Train many deep networks as one: every cross-validation fold, seed and
hyper-parameter trial in one compiled program, every score with its interval.

{verbs}

A first run:
  manyfit fit adult.csv --target income
  manyfit predict runs/adult new.csv -o scored.csv

manyfit VERB --help says more; manyfit --version says which version this is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 1 for an error, 130 where Ctrl-C stopped a run.

    A command that cannot be understood exits with 2.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # at the end of the process Python looks for garbage several times, among a million objects of JAX's
    atexit.register(gc.freeze)
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
    verb = arguments[0] if arguments else ""
    if verb == "--version":
        from manyfit import __version__

        print(__version__)
        raise SystemExit(0)
    if verb in ("", "-h", "--help"):
        print(overview(), file=sys.stdout if verb else sys.stderr)
        raise SystemExit(0 if verb else 2)
    if verb not in VERBS:
        raise ConfigError(f"there is no {verb!r}; {nearest(verb, VERBS)} (manyfit --help)")
    rest = list(arguments[1:])
    given: dict[str, Any] = {}
    config = _config_of(rest) if verb == "fit" else None
    if config is not None:
        given["default"] = read_config(config)
    kind: Any = VERBS[verb]
    return tyro.cli(kind, args=rest, prog=f"manyfit {verb}", description=_described(kind), **given)


def overview() -> str:
    """What the verbs do, a line each."""
    lines = (f"  {verb:10}{_text(kind).splitlines()[0]}" for verb, kind in VERBS.items())
    return ABOUT.format(verbs="\n".join(lines))


def _text(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "")


def _described(kind: type) -> str:
    # tyro joins lines that begin with a letter, and with them the examples
    return textwrap.indent(_text(kind), " ")


def _config_of(arguments: Sequence[str]) -> Path | None:
    for i, word in enumerate(arguments):
        if word == "--config" and i + 1 < len(arguments):
            return Path(arguments[i + 1])
        if word.startswith("--config="):
            return Path(word.split("=", 1)[1])
    return None
