"""The demo's data, as the table that a user would have."""

from __future__ import annotations

import csv
from pathlib import Path


def write_digits(path: Path) -> Path:
    """The handwritten digits that come inside scikit-learn, as a CSV: 64 pixel columns and ``digit``."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*digits.feature_names, "digit"])
        writer.writerows([*map(int, row), int(label)] for row, label in zip(digits.data, digits.target))
    return path
