"""A PostgreSQL server of one's own for a test: its data in a new folder, reached through a socket alone."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def binaries() -> Path | None:
    """The folder with ``initdb`` and ``pg_ctl``, or None where no server is installed."""
    for folder in DEBIAN:
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The URL of an empty data base, while its server runs."""
    programs = binaries()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="pg") as place:
        who: dict[str, str] = {}
        if os.geteuid() == 0:  # the server refuses to be run by root
            names = {one.pw_name for one in pwd.getpwall()}
            who = {"user": "postgres" if "postgres" in names else "nobody"}
            shutil.chown(place, who["user"])

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), "-D", f"{place}/data", *arguments]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=place, **who)  # type: ignore[call-overload]

        run("initdb", "--username=tester", "--auth=trust", "--no-sync")
        run("pg_ctl", "start", "-w", "-l", f"{place}/log", "-o", f"-k {place} -c listen_addresses='' -F")
        try:
            yield f"postgresql://tester@/postgres?host={place}"
        finally:
            run("pg_ctl", "stop", "-m", "immediate")
