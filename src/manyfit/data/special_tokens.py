"""The ids that mean the same to every tokenizer, and how they are written."""

PAD, UNKNOWN, BEGIN, END = 0, 1, 2, 3
"""The special ids of every tokenizer. ``encode`` gives of them ``UNKNOWN`` only; the rest is the caller's to add."""
SPECIAL = ("<pad>", "<unknown>", "<begin>", "<end>")
LOST = "\N{REPLACEMENT CHARACTER}"
"""What ``decode`` writes for ``UNKNOWN``."""
