"""The target column: which task it poses, and its classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manyfit.data.columns import Column, shorten, truth
from manyfit.data.reading import Raw
from manyfit.data.schema import cell, finite_numbers
from manyfit.errors import ConfigError, DataError, nearest

TASKS = ("binary", "multiclass", "classification", "regression")
FEW_VALUES = 20
"""Whole numbers are classes up to so many different ones, unless told otherwise."""


@dataclass(frozen=True)
class Target:
    """``task``: binary, multiclass or regression; ``codes`` int32 ``(rows,)`` into ``classes``, -1 in regression."""

    task: str
    classes: tuple[str, ...]
    codes: np.ndarray


def read_target(raw: Raw, name: str, task: str | None, warnings: list[str]) -> Target:
    """The task that a target without missing cells poses; adds to ``warnings`` where it was a close call.

    Raises ``DataError`` where it poses none, or not the one asked for.
    """
    if task is not None and task not in TASKS:
        raise ConfigError(f"unknown task {task!r}: {nearest(task, TASKS)}")
    column = raw[name]
    where = f"{raw.source}: the target {name!r}"
    values, codes = column.texts
    numbers, bad = column.as_numbers
    if not bad.any():
        numbers = finite_numbers(column, raw)
        distinct = np.unique(numbers)
        if len(distinct) == 1:
            raise DataError(
                f"{where} is constant: every cell is {shorten(values[0])}; there is nothing to predict"
            )
        if task is None:
            task = _task_of_numbers(distinct, len(raw), where, warnings)
        if task == "regression":
            return Target("regression", (), np.full(len(raw), -1, np.int32))
        _refuse_many(len(distinct), len(raw), where, "regression")
        # classes are told by their number: 1 and 1.0 are one class, named as it is first written
        codes = np.searchsorted(distinct, numbers).astype(np.int32)
        first = [int(np.argmax(codes == i)) for i in range(len(distinct))]
        classes = tuple(cell_text(column, row) for row in first)
    else:
        if len(values) == 1:
            raise DataError(
                f"{where} is constant: every cell is {shorten(values[0])}; there is nothing to predict"
            )
        if task == "regression":
            row = int(np.argmax(bad))
            raise DataError(
                f"{raw.at(row, name)}: {cell(column, row)} is not a number, so that regression is impossible; "
                "correct it, or leave the task to the target (task=None, --task auto)"
            )
        _refuse_many(len(values), len(raw), where, None)
        order = sorted(range(len(values)), key=lambda i: _class_order(values, i))
        classes = tuple(values[i] for i in order)
        codes = np.argsort(np.array(order)).astype(np.int32)[codes]
    if task == "binary" and len(classes) != 2:
        raise DataError(
            f"{where} has {len(classes)} classes ({_some(classes)}), so that it is not binary; say 'multiclass'"
        )
    counts = np.bincount(codes, minlength=len(classes))
    if (counts < 2).any():
        lone = [classes[i] for i in np.flatnonzero(counts < 2)]
        row = int(np.argmax(codes == np.argmax(counts < 2)))
        raise DataError(
            f"{raw.at(row, name)}: the class {shorten(lone[0])} has this one row only"
            + (f" (and so have {_some(lone[1:])})" if len(lone) > 1 else "")
            + "; it cannot be both learned and tested: leave the row out or merge classes"
        )
    if len(classes) > 2 or task == "multiclass":
        return Target("multiclass", classes, codes)
    return Target("binary", classes, codes)


def _task_of_numbers(distinct: np.ndarray, rows: int, where: str, warnings: list[str]) -> str:
    whole = bool(np.all(distinct == np.round(distinct)))
    if len(distinct) == 2:
        return "binary"
    if not whole or len(distinct) > FEW_VALUES or rows < 5 * len(distinct):
        return "regression"
    warnings.append(
        f"{where} holds {len(distinct)} different whole numbers, taken as classes; "
        "if they are quantities say task='regression' (--task regression)"
    )
    return "multiclass"


def _refuse_many(classes: int, rows: int, where: str, instead: str | None) -> None:
    if classes > max(2, rows / 2):
        mend = f"say task={instead!r} (--task {instead})" if instead else "is it the right column?"
        raise DataError(
            f"{where} has {classes} different values in {rows} rows, too many for classes; {mend}"
        )


def _class_order(values: tuple[str, ...], i: int) -> tuple[int, str]:
    """No before yes; otherwise by name."""
    answer = {truth(v) for v in values} == {True, False} and len(values) == 2
    return (int(bool(truth(values[i]))) if answer else 0, values[i])


def cell_text(column: Column, row: int) -> str:
    """A cell as it is written."""
    values, codes = column.texts
    return values[codes[row]]


def _some(names: tuple[str, ...] | list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(shorten, names[:most])) + more
