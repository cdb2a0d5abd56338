"""Forecasts with intervals of a series whose law is known, beside the naive ones.

Monthly values: a trend, a season of twelve months, and an AR(1) disturbance of 0.6 with normal noise of deviation 3.
"""

from datetime import date

import numpy as np

from manyfit.data.series import read
from manyfit.evaluate import forecast_intervals
from manyfit.experiment.forecasts import backtest, refit
from manyfit.tasks.forecasting import forecast_experiment
from manyfit.tasks.forecasts import forecast_task

rng, months = np.random.default_rng(0), 180
noise = np.zeros(months)
for t in range(1, months):
    noise[t] = 0.6 * noise[t - 1] + rng.normal(0, 3)
season = 20 * np.sin(2 * np.pi * np.arange(months) / 12)
table = {
    "month": [date(2010 + t // 12, 1 + t % 12, 1).isoformat() for t in range(months)],
    "sold": (100 + 0.4 * np.arange(months) + season + noise).tolist(),
}

task = forecast_task(read(table, time="month", target=("sold",)), 6, lookback=24, time="month")
experiment = forecast_experiment(task, {"model": "nlinear", "folds": 3, "epochs": 60})
result = experiment.run()
for name, kind in (("", "networks"), ("naive_", "last value"), ("seasonal_", "last season")):
    print(f"mean absolute error of the {kind:11} {result.scores[f'{name}mae']}")

known = backtest(result, task, experiment)
ahead = refit(experiment, result, task).predict_members(table).mean(axis=0)
ends = forecast_intervals(ahead, known["forecast"], known["target"], coverage=0.9)
for step in range(6):
    low, high = ends[0, step, 0]
    said = f"{ahead[0, step, 0, 0]:.1f}, in nine cases of ten between {low:.1f} and {high:.1f}"
    print(f"{step + 1} months ahead: {said}")
