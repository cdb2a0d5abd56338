"""What is kept of members that ended: a row each, their models, their predictions."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from manyfit.engine import Checkpoint, RunFolder, load_checkpoint, save_checkpoint
from manyfit.engine.checkpoint import write_file
from manyfit.errors import RunError


class Records:
    """Members that ended, in memory or, with a run folder, in files written once.

    Arrays of a member move to a file at each checkpoint, before the checkpoint
    that counts on them; a member whose file is damaged is trained again.
    """

    def __init__(self, folder: RunFolder | None) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.seconds = 0.0
        """What the processes before this one spent on the run, until their last checkpoint."""
        self._folder = folder
        self._arrays: dict[int, dict[str, np.ndarray]] = {}
        self._leaving: dict[int, dict[str, np.ndarray]] = {}  # on their way to disk
        self._parts: list[dict[str, Any]] = []
        self._place: dict[int, Path] = {}
        self._number = 0
        self._writer = ThreadPoolExecutor(1, "checkpoint") if folder is not None else None
        self._pending: Future[None] | None = None

    def add(self, index: int, row: dict[str, Any], model: Any, outputs: np.ndarray | None) -> None:
        """Keep a member."""
        arrays = {f"model/{name}": leaf for name, leaf in named_leaves(model).items()}
        if outputs is not None:
            arrays["outputs"] = outputs
        self.rows[index] = row
        self._arrays[index] = arrays

    def forget(self, indices: Iterable[int]) -> None:
        """Let go of models that will not be asked for; what lies in a file stays there."""
        for index in indices:
            if index in self._arrays:
                arrays = self._arrays[index]
                self._arrays[index] = {k: v for k, v in arrays.items() if not k.startswith("model/")}

    def model(self, index: int) -> dict[str, np.ndarray]:
        """A member's model: arrays by name."""
        found = self._get(index)
        return {k.removeprefix("model/"): v for k, v in found.items() if k.startswith("model/")}

    def outputs(self, index: int) -> np.ndarray | None:
        """A member's predictions for its test rows."""
        return self._get(index).get("outputs")

    def save(self, state: Checkpoint, meta: dict[str, Any], histories: dict[str, np.ndarray]) -> None:
        """Write a checkpoint in the background; an error of the one before is raised here."""
        if self._folder is None or self._writer is None:
            return
        self.wait()
        self._number += 1
        fresh = self._arrays
        self._arrays = {}
        name = f"members-{self._number:06d}.safetensors"
        path = self._folder.checkpoints / name
        content = b""
        if fresh:
            content = save(
                {f"{i}/{k}": np.asarray(v, order="C") for i, a in fresh.items() for k, v in a.items()}
            )
            self._parts.append({"name": name, "crc32": zlib.crc32(content), "members": sorted(fresh)})
        facts = {**meta, "engine": state.meta, "parts": list(self._parts), "rows": _listed(self.rows)}
        arrays = {**state.arrays, **{f"done/{k}": v.copy() for k, v in histories.items()}}
        folder, number = self._folder.checkpoints, self._number

        def write() -> None:
            folder.mkdir(parents=True, exist_ok=True)
            if content:
                write_file(path, content)
            save_checkpoint(folder, number, Checkpoint(arrays, facts))

        for index in fresh:
            self._place[index] = path
        self._leaving = fresh
        self._pending = self._writer.submit(write)

    def wait(self) -> None:
        """Wait for the checkpoint under way; raises what went wrong with it."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            try:
                pending.result()
            except BaseException:
                self._arrays |= self._leaving
                raise
            self._leaving = {}

    def load(self) -> tuple[Checkpoint | None, dict[str, np.ndarray], list[str]]:
        """Go on from the newest checkpoint: the engine's state, finished histories, warnings."""
        assert self._folder is not None
        found, self._number, warnings = load_checkpoint(self._folder.checkpoints)
        if found is None:
            return None, {}, warnings
        self.seconds = float(found.meta.get("seconds", 0.0))
        rows = {int(i): row for i, row in found.meta["rows"]}
        for part in found.meta["parts"]:
            place = self._folder.checkpoints / Path(part["name"]).name
            content = place.read_bytes() if place.is_file() else b""
            if zlib.crc32(content) == part["crc32"]:
                self._parts.append(part)
                self._place |= {int(i): place for i in part["members"]}
            else:
                warnings.append(f"{place} is damaged; its {len(part['members'])} members are trained again")
                for i in part["members"]:
                    rows.pop(int(i), None)
        self.rows = rows
        histories = {k.removeprefix("done/"): v for k, v in found.arrays.items() if k.startswith("done/")}
        arrays = {k: v for k, v in found.arrays.items() if not k.startswith("done/")}
        meta = {**found.meta["engine"], **{k: found.meta[k] for k in ("bucket", "rung")}}
        return Checkpoint(arrays, meta), histories, warnings

    def kept(self, members: int) -> str:
        """What of the run is safe on disk, for the message of an error that ends it."""
        assert self._folder is not None
        try:
            found, _, _ = load_checkpoint(self._folder.checkpoints)
        except RunError:
            found = None
        if found is None:
            return "Nothing of the run was kept yet"
        done = len(found.meta["rows"])
        return (
            f"{done} of {members} networks, and how far the others have come, are kept: "
            f"go on with manyfit resume {self._folder.path}"
        )

    def close(self) -> None:
        """Stop the writer."""
        if self._writer is not None:
            self._writer.shutdown(wait=True)

    def _get(self, index: int) -> dict[str, np.ndarray]:
        if index in self._arrays:
            return self._arrays[index]
        if index in self._leaving:
            return self._leaving[index]
        prefix = f"{index}/"
        with safe_open(self._place[index], framework="numpy") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 (not a dict)
            return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def _listed(rows: dict[int, dict[str, Any]]) -> list[list[Any]]:
    return [[index, row] for index, row in rows.items()]


def named_leaves(tree: Any) -> dict[str, np.ndarray]:
    """The leaves of a pytree by a readable path, ``weights/params/head/kernel``."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {"/".join(_step(s) for s in path): np.asarray(leaf) for path, leaf in leaves}


def from_named(arrays: dict[str, np.ndarray], template: Any) -> Any:
    """The pytree of ``template``'s shape with the named arrays as leaves."""
    paths, tree = jax.tree_util.tree_flatten_with_path(template)
    return jax.tree.unflatten(tree, [arrays["/".join(_step(s) for s in path)] for path, _ in paths])


def _step(entry: Any) -> str:
    for name in ("key", "name", "idx"):
        if hasattr(entry, name):
            return str(getattr(entry, name))
    return str(entry)
