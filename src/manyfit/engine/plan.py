"""How wide a population trains at once, and how it is cut into lanes."""

from __future__ import annotations

import math
from dataclasses import dataclass

CPU_CACHE_PER_CORE = 2 * 2**20
"""Bytes of member state that one core works on at a time.

Past the cache, every step streams every member's moments from memory; far below
it, the overhead of single operations shows. ``benchmarks/width.py`` tries them.
"""

MEMORY_SHARE = 0.6
"""The part of the free memory that member state may take."""


STEP_BYTES_ABREAST = 4 * 2**20
"""Bytes that one member's step may write for members to take their steps abreast on a core.

What a small step costs is mostly the calls, which members share; a large one's results fall out of the
cache before they are read, and those of several members sooner (``benchmarks/building_blocks.py``).
"""


def abreast(step_bytes: int, platform: str) -> bool:
    """Whether the members of a stack take every step together, or one trains its epoch after the other."""
    return platform != "cpu" or step_bytes <= STEP_BYTES_ABREAST


@dataclass(frozen=True)
class Plan:
    """``lanes`` stacks of ``devices * width`` slots each.

    Where there are two, they take turns: while the host looks at one, the devices work on the other.
    """

    devices: int
    width: int
    lanes: int

    @property
    def slots(self) -> int:
        """Members in one lane."""
        return self.devices * self.width


def plan(
    members: int,
    state_bytes: int,
    *,
    devices: int,
    platform: str,
    memory: int,
    width: int | None = None,
) -> Plan:
    """The layout for ``members`` members of ``state_bytes`` bytes each.

    ``memory`` is what is free, in bytes: on CPU for all devices together, else
    for each. More members than fit train in waves: a slot that is freed takes
    the next member. ``width`` overrides the choice.
    """
    if platform == "cpu":
        most = max(1, CPU_CACHE_PER_CORE // max(1, state_bytes))
        room = int(MEMORY_SHARE * memory / max(1, state_bytes) / devices / 2)
        most = min(most, 32)
    else:
        room = int(MEMORY_SHARE * memory / max(1, state_bytes) / 2)
        most = room
    most = max(1, min(most, room)) if width is None else width
    if width is None:
        width = _least_waste(members, devices, most)
    # on CPU the host's look is short, and a second lane only contends for the cores that the first one uses
    lanes = 1 if platform == "cpu" else min(2, math.ceil(members / (devices * width)))
    return Plan(devices, width, lanes)


def _least_waste(members: int, devices: int, most: int) -> int:
    """The width up to ``most`` that leaves the fewest slots empty in the last round; the widest of those."""
    most = min(most, math.ceil(members / devices))
    widths = range(max(1, (most + 1) // 2), most + 1)

    def waste(width: int) -> tuple[int, int]:
        slots = devices * width
        return -members % slots, -width

    return min(widths, key=waste)
