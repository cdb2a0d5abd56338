"""A run under way in the terminal: its progress, one live line or plain ones, and Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from manyfit.experiment.experiment import Status

PLAIN_SECONDS = 5.0


class Watcher:
    """Receives a ``Status`` after each chunk and shows it on standard error."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._last = 0.0
        self._progress: Any = None

    def __enter__(self) -> Watcher:
        if self._live:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._progress = Progress(
                BarColumn(bar_width=8),
                TextColumn("{task.fields[text]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task("training", total=None, text="compiling")
        elif not self._quiet:  # a log says nothing else until the first networks have trained for a while
            print("compiling", file=sys.stderr, flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def __call__(self, status: Status) -> None:
        """Show where the run stands."""
        if self._quiet:
            return
        if self._progress is not None:
            self._progress.update(
                self._task,
                total=max(status.epochs_expected, 1),
                completed=status.epochs,
                text=brief(status),
            )
            return
        now = time.monotonic()
        if now - self._last >= PLAIN_SECONDS or status.done == status.members:
            self._last = now
            print(describe(status), file=sys.stderr, flush=True)


def describe(status: Status) -> str:
    """One line: members, best so far with its spread, throughput, time left."""
    parts = [status.stage] if status.stage else []
    parts.append(f"{status.done}/{status.members} networks done, {status.running} training")
    if status.best_score is not None:
        score = f"{status.metric} {status.best_score:.4g}{_spread(status)}"
        parts.append(f"trial {status.best_trial} leads, {score}")
    if status.elapsed > 0:
        parts.append(f"{status.epochs / status.elapsed:.3g} network epochs/s")
    # the first chunk's time is mostly the compiler's
    telling = status.epochs > 0.02 * status.epochs_expected
    if telling and status.remaining is not None and status.done < status.members:
        parts.append(f"about {clock(status.remaining)} left")
    return ", ".join(parts)


def brief(status: Status) -> str:
    """The same for a bar in a terminal of 80 columns."""
    parts = [status.stage] if status.stage else []
    parts.append(f"{status.done}/{status.members} networks")
    if status.best_score is not None:
        parts.append(f"trial {status.best_trial}: {status.metric} {status.best_score:.3g}{_spread(status)}")
    if status.elapsed > 0:
        parts.append(f"{status.epochs / status.elapsed:.3g} epochs/s")
    if status.remaining is not None and status.done < status.members:
        parts.append(f"{clock(status.remaining)} left")
    return " · ".join(parts)


def _spread(status: Status) -> str:
    return "" if status.best_spread is None else f" ± {status.best_spread:.2g}"


def clock(seconds: float) -> str:
    """A duration for people: 42 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextlib.contextmanager
def interrupts(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C asks the run to stop at the next look of the host, the second ends the process."""
    asked = False

    def first(signum: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        say("stopping after this chunk; what is there is kept (Ctrl-C again ends at once)")

    before = signal.signal(signal.SIGINT, first)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
