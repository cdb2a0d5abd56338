"""Which tests are long: ``pytest --durations=0 | python tests/durations.py 8`` writes ``tests/long.txt`` anew.

Names the tests that took more seconds than that in the run it is told of, set-up and tear-down included. A
function all of whose rows are long stands there once.
"""

from __future__ import annotations

import collections
import re
import sys
from pathlib import Path

PLACE = Path(__file__).with_name("long.txt")
LINE = re.compile(r"\s*([\d.]+)s (?:setup|call|teardown)\s+tests/(\S.*)$")


def main(limit: float) -> None:
    """Read durations from standard input and write the names."""
    seconds: dict[str, float] = collections.defaultdict(float)
    for line in sys.stdin:
        if found := LINE.match(line):
            seconds[found[2].rstrip()] += float(found[1])
    rows = collections.defaultdict(list)
    for name in seconds:
        rows[name.split("[")[0]].append(name)
    long = []
    for function, names in sorted(rows.items()):
        over = sorted(name for name in names if seconds[name] > limit)
        long += [function] if len(over) == len(names) else over
    PLACE.write_text("".join(f"{name}\n" for name in long))
    left = sum(taken for taken in seconds.values() if taken <= limit)
    print(f"{len(long)} names; {left / 60:.1f} of {sum(seconds.values()) / 60:.1f} minutes are left")


if __name__ == "__main__":
    main(float(sys.argv[1]))
