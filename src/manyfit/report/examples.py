"""A few images with what the network looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from manyfit.report.files import RunFiles
from manyfit.report.numbers import clipped, share
from manyfit.report.png import colours, heated, image

_HEADINGS = ("Surely right", "Surely wrong", "Least sure")


@dataclass(frozen=True)
class Example:
    """One image beside its map of class activation."""

    image: Markup
    heat: Markup
    caption: str


def examples(run: RunFiles) -> list[tuple[str, list[Example]]]:
    """(heading, images) of each group that has any."""
    found = run.examples
    if found is None:
        return []
    groups: list[tuple[str, list[Example]]] = []
    for number, heading in enumerate(_HEADINGS):
        places = [i for i in range(len(found["group"])) if found["group"][i] == number]
        if places:
            groups.append((heading, [_example(run, found, i) for i in places]))
    return groups


def _example(run: RunFiles, found: Any, i: int) -> Example:
    is_, called = (_name(run, int(found[part][i])) for part in ("target", "called"))
    row, sure, alike = int(found["row"][i]), float(found["probability"][i]), float(found["agreement"][i])
    said = f"row {row}: {called}, {share(sure)}" + ("" if is_ == called else f"; it is {is_}")
    if math.isfinite(alike):
        said += f" · maps agree {alike:.2f}"
    if not found["heat"][i].any():
        said += " · nothing in the last feature map speaks for it"
    pixels = found["pixels"][i]
    return Example(
        image(colours(pixels), f"Image of row {row}"),
        image(heated(pixels, found["heat"][i]), f"Class activation for {called} in row {row}"),
        said,
    )


def _name(run: RunFiles, place: int) -> str:
    return clipped(run.classes[place], 24) if place < len(run.classes) else str(place)
