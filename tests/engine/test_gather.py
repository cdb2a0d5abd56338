"""An objective that cuts its rows itself trains as one whose rows are laid out."""

from __future__ import annotations

import dataclasses

import numpy as np
from objectives import Network, Windows

from manyfit.engine import Hooks, Member, Population, Rows, Shape


def test_windows_cut_inside_the_program_equal_windows_laid_out():
    rng = np.random.default_rng(3)
    series = rng.normal(size=67).astype(np.float32)
    y = (series[:60] > 0).astype(np.int32)
    laid_out = {"x": np.lib.stride_tricks.sliding_window_view(series, 8).copy(), "y": y}
    folds = [
        Rows(np.arange(30), np.arange(30, 40), np.arange(40, 60)),
        Rows(np.arange(20), np.arange(20, 30), np.arange(30, 60)),
    ]
    members = [Member(0, seed, fold, {"learning_rate": 0.01}) for seed in range(2) for fold in range(2)]
    found = []
    for objective, data in ((Network(), laid_out), (Windows(), {"series": series, "y": y})):
        outcomes = []
        population = Population(objective, data, members, folds, Shape(16), epochs=3, patience=2)
        population.run(Hooks(finish=outcomes.append))
        found.append(sorted(outcomes, key=lambda outcome: outcome.index))
    for a, b in zip(*found, strict=True):
        assert dataclasses.asdict(a)["test"] == dataclasses.asdict(b)["test"]
        np.testing.assert_array_equal(a.outputs, b.outputs)
