"""Metrics of generated text."""

from __future__ import annotations

from collections.abc import Sequence

from manyfit.errors import ConfigError, DataError


def bleu(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]] | Sequence[str], *, tokenize: str = "13a"
) -> float:
    """Corpus BLEU in [0, 100], as ``sacrebleu`` computes it (Post, 2018, "A call for clarity").

    ``references`` holds one text, or several, for each hypothesis. Raises ``DataError`` for lists that do not
    fit together, ``ConfigError`` where sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics import BLEU
    except ImportError:
        raise ConfigError("BLEU needs sacrebleu: pip install 'manyfit[text]'") from None
    several = [[one] if isinstance(one, str) else list(one) for one in references]
    if len(several) != len(hypotheses) or len({len(each) for each in several}) > 1 or not several:
        raise DataError(
            f"{len(hypotheses)} hypotheses and {len(several)} references: give as many of each, and the same "
            "number of references everywhere"
        )
    streams = [list(stream) for stream in zip(*several)]
    return float(BLEU(tokenize=tokenize).corpus_score(list(hypotheses), streams).score)
