"""``manyfit forecast`` as typed: run, resume where it was cut off, predict from the folder."""

from __future__ import annotations

import csv

from manyfit.cli.main import main


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_forecast_cut_off_before_its_end_resumes_and_predicts(tmp_path, capsys):
    table = tmp_path / "shop.csv"
    week = [5, 6, 7, 6, 9, 12, 3]
    lines = [f"2024-{1 + d // 28:02d}-{1 + d % 28:02d},{week[d % 7] + d / 50}" for d in range(28)]
    table.write_text("day,sold\n" + "\n".join(lines) + "\n")
    run = tmp_path / "run"
    asked = ["forecast", str(table), "--time", "day", "--target", "sold", "--horizon", "2", "--lookback", "7"]
    assert main([*asked, "--folds", "2", "--seeds", "1", "--epochs", "5", "--quiet", "--out", str(run)]) == 0
    first = rows(run / "forecast.csv")
    assert [row["day"] for row in first] == ["2024-01-29", "2024-01-30"]
    assert all(float(row["low"]) < float(row["prediction"]) < float(row["high"]) for row in first)
    assert "On the same windows the last value has" in (run / "report.html").read_text()
    (run / "forecast.csv").unlink()
    assert main(["resume", str(run), "--quiet"]) == 0
    assert rows(run / "forecast.csv") == first
    capsys.readouterr()
    assert main(["predict", str(run), str(table), "--coverage", "0.9", "-o", str(tmp_path / "p.csv")]) == 0
    assert rows(tmp_path / "p.csv") == first
    assert main([*asked, "--horizon", "50", "--out", str(tmp_path / "no")]) == 1
    assert "longer than the series" in capsys.readouterr().err
