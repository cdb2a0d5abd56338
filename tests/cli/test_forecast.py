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


def promoted(path, days=40, ahead=0, factor=1.0):
    """Sales that a promotion, known ahead, doubles; and a column of which only the past is known."""
    lines = []
    for d in range(days + ahead):
        promotion = factor * ((d * 7) % 5 == 0)
        sold = f"{10 + 10 * ((d * 7) % 5 == 0) + d / 50}" if d < days else ""
        lines.append(f"2024-{1 + d // 28:02d}-{1 + d % 28:02d},{sold},{promotion},{d % 3}")
    path.write_text("day,sold,promotion,weather\n" + "\n".join(lines) + "\n")
    return str(path)


ASKED = [
    "--time",
    "day",
    "--target",
    "sold",
    "--horizon",
    "2",
    "--lookback",
    "6",
    "--folds",
    "2",
    "--seeds",
    "1",
]


def test_what_is_known_of_the_future_has_to_be_there_before_anything_is_trained(tmp_path, capsys):
    table, run = promoted(tmp_path / "shop.csv", ahead=1), tmp_path / "run"
    assert main(["forecast", table, *ASKED, "--known", "promotion", "--out", str(run)]) == 1
    said = capsys.readouterr().err
    assert "promotion are known of 1 steps after the last target" in said and "networks done" not in said
    assert not (run / "members.jsonl").exists()


def test_a_network_that_reads_no_columns_says_so(tmp_path, capsys):
    table = promoted(tmp_path / "shop.csv", ahead=2)
    call = ["forecast", table, *ASKED, "--epochs", "1", "--known", "promotion"]
    assert main([*call, "--model", "dlinear", "--out", str(tmp_path / "no")]) == 1
    said = capsys.readouterr().err
    assert "dlinear does not read what is known of steps to come (promotion)" in said
    assert "rnn, lstm, gru, mingru, lru, tcn, nhits or nbeats" in said
    run = tmp_path / "run"
    assert main(["forecast", promoted(tmp_path / "b.csv"), *ASKED, "--epochs", "1", "--out", str(run)]) == 0
    out = capsys.readouterr()
    assert "nlinear reads the past of each target by itself, and not promotion, weather" in out.err
    # one epoch has learned little: that repeating comes as near is said in both places
    assert "Careful: repeating the last" in out.out
    page = (run / "report.html").read_text()
    assert "Repeating does as well" in page
    assert "its past" in page


def test_what_is_known_of_the_future_moves_the_forecast(tmp_path, capsys):
    run = tmp_path / "run"
    table = promoted(tmp_path / "shop.csv", ahead=2)
    assert (
        main(
            ["forecast", table, *ASKED, "--epochs", "1", "--known", "promotion", "--quiet", "--out", str(run)]
        )
        == 0
    )
    other = promoted(tmp_path / "other.csv", ahead=2, factor=3.0)
    for path, name in ((table, "a.csv"), (other, "b.csv")):
        assert main(["predict", str(run), path, "-o", str(tmp_path / name)]) == 0
    assert rows(tmp_path / "a.csv") == [
        {k: v for k, v in row.items() if k not in ("low", "high")} for row in rows(run / "forecast.csv")
    ]
    assert rows(tmp_path / "a.csv") != rows(tmp_path / "b.csv")
