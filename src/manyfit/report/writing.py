"""What a language model writes, all networks together and a few alone, and what texts were translated to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from manyfit.report.files import RunFiles, real
from manyfit.report.numbers import clipped, grouped, number

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


@dataclass(frozen=True)
class Translations:
    """A sentence on their quality, and (source, translation, reference) of a few."""

    line: str
    pairs: Sequence[tuple[str, str, str]]


def translations(run: RunFiles) -> Translations | None:
    """The section of a run of pairs of texts; None for any other, and for a broken file."""
    try:
        found = json.loads((run.path / "translations.json").read_text(encoding="utf-8"))
        names = ("source", "translation", "reference")
        pairs = [tuple(clipped(str(pair[name]), 400) for name in names) for pair in found["pairs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    many, beams = found.get("scored"), found.get("beams")
    line = f"{grouped(many) if isinstance(many, int) else 'Some'} test texts, each by the networks that never saw it"
    line += f", with {beams} beams." if isinstance(beams, int) else "."
    bleu = real(found.get("bleu"))
    if bleu == bleu:
        line += f" Their BLEU is {number(bleu, 3)} (sacrebleu, 13a, one reference)."
    return Translations(line, [(a, b, c) for a, b, c in pairs])
