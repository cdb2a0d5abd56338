"""What a language model writes: a text of all networks together, and of a few alone."""

from __future__ import annotations

from manyfit.report.files import RunFiles

MOST, LONGEST = 8, 4000


def writing(run: RunFiles) -> list[tuple[str, str]]:
    """Who wrote, and what; empty for a run that writes nothing."""
    found = (run.samples or {}).get("samples")
    told = []
    for one in found if isinstance(found, list) else ():
        if not isinstance(one, dict) or not isinstance(one.get("text"), str):
            continue
        who = one.get("member")
        told.append(
            ("all networks together" if who is None else f"network {who} alone", one["text"][:LONGEST])
        )
    return told[:MOST]
