"""What each verb does: from options to a run, and from a run to what a person reads."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from manyfit.cli import forecast as forecasts
from manyfit.cli import show
from manyfit.cli.codes import Anomalies, Transform, anomalies, transform
from manyfit.cli.options import Compare, Curve, Demo, Evaluate, Fit, Inspect, Predict, Range, Report, Resume
from manyfit.cli.output import check_ending, image_files, write_page, write_table
from manyfit.cli.play import Play, keep_episode, may_import, play
from manyfit.cli.progress import Watcher, interrupts
from manyfit.cli.reinforcement import Rl
from manyfit.cli.runs import finish, new_run, stem, to_stderr, voice
from manyfit.cli.sampling import Sample, judged, sample
from manyfit.cli.tagging import say_notes, tag_words
from manyfit.cli.text import Generate, generate
from manyfit.engine import RunFolder
from manyfit.errors import ConfigError, DataError, RunError
from manyfit.experiment.predictor import Predictor
from manyfit.experiment.translation import translate, translates
from manyfit.models import named as named_model
from manyfit.tasks.defaults import augment_for, experiment_for, loss_for, optimizer_for, seconds_of
from manyfit.tasks.source import UNSUPERVISED, read_task


def run(command: Any) -> int:
    """Do what the command says."""
    return _VERBS[type(command)](command)


def fit(options: Fit) -> int:
    """``manyfit fit``."""
    if options.data is None:
        raise ConfigError(
            "say what to train on: manyfit fit TABLE --target COLUMN, or 'data:' in the config file"
        )
    out = new_run(options.out, stem(options.data))
    return _train(options, out, resume=False)


def resume(options: Resume) -> int:
    """``manyfit resume``."""
    folder = RunFolder(options.run)
    about = folder.read_experiment()
    if forecasts.without_forecast(folder, about):
        return forecasts.resume(options.run, about["options"], options.json, options.quiet)
    if (folder / "summary.json").is_file() and not (summary := folder.read_json("summary.json"))[
        "interrupted"
    ]:
        to_stderr(f"{options.run} is finished: nothing is left to do (manyfit report {options.run} shows it)")
        if options.json:
            print(json.dumps(summary, indent=1))
        return 0
    asked = about.get("options")
    if asked is None:
        raise RunError(
            f"{options.run} was begun from Python, and its data are not on disk: resume it there, "
            "experiment.run(folder, resume=True)"
        )
    if "environment" in asked:
        agents = Rl.of(asked, str(folder / "experiment.json"))
        may_import(agents.environment, options.trust)
        agents.json, agents.quiet = options.json, options.quiet
        return _train_agents(agents, options.run, resume=True)
    again = Fit.of(asked, str(folder / "experiment.json"))
    if again.data is not None and not again.data.exists():
        raise DataError(
            f"{options.run} was begun on {again.data}, which is not here: resume in the folder "
            "where it was begun, or put the data back"
        )
    again.json, again.quiet = options.json, options.quiet
    return _train(again, options.run, resume=True)


def _train(options: Fit, out: Path, *, resume: bool) -> int:
    say = voice(options.quiet or options.json)
    # wrong names are refused before the data are read
    optimizer_for(options.asked(), search=True)
    loss_for(options.asked())
    augment_for(options.asked())
    if options.model not in ("auto", *UNSUPERVISED):
        named_model(options.model)
    seconds_of(options.budget)
    task = read_task(options)
    experiment = experiment_for(task, options.asked())
    if options.test is not None and task.encoder is not None:  # refused now rather than after training
        task.encoder.encode_target(options.test)
        task.encoder.encode(options.test)
        say_notes(task.encoder, options.test)
    show.data(task, say)
    with Watcher(options.quiet or options.json) as watcher, interrupts(say) as stop:
        result = experiment.run(
            out, resume=resume, progress=watcher, stop=stop, save_every=options.checkpoint_seconds
        )
    return finish(result, out, options.json, say, options.test)


def rl(options: Rl) -> int:
    """``manyfit rl``."""
    out = new_run(options.out, f"{re.sub('[/:]', '-', options.environment)}-{options.algorithm}")
    return _train_agents(options, out, resume=False)


def _train_agents(options: Rl, out: Path, *, resume: bool) -> int:
    from manyfit.tasks.reinforcement import environment_steps, experiment_for, problem_of, simulating

    say = voice(options.quiet or options.json)
    experiment = experiment_for(options.asked())
    about = experiment.data.about
    say(f"{about['source']}: {about['summary']}")
    steps = environment_steps(experiment)
    say(f"  {options.algorithm}: {steps:,} environment steps an agent, evaluated {experiment.epochs} times")
    for warning in about["warnings"]:
        say(f"  {warning}")
    with (
        Watcher(options.quiet or options.json) as watcher,
        interrupts(say) as stop,
        simulating(experiment.objective.environment),
    ):
        result = experiment.run(
            out, resume=resume, progress=watcher, stop=stop, save_every=options.checkpoint_seconds
        )
    if (problem := problem_of(experiment.objective.environment)) is not None:
        to_stderr(f"manyfit: {problem}: agents that met it diverged")
    keep_episode(result, out)
    code = finish(result, out, options.json, say, None)
    if not options.json and result.chosen is not None:
        show.returns(result, steps)
    return code


def predict(options: Predict) -> int:
    """``manyfit predict``."""
    if options.out is not None:
        check_ending(options.out)
    predictor = Predictor.load(options.run)
    if forecasts.reads(predictor.encoder):
        return forecasts.predict(options, predictor)
    if translates(predictor):
        translated = translate(predictor, options.data)
        write_table(
            {name: [getattr(t, name) for t in translated] for name in ("source", "text", "score")},
            options.out,
        )
        return 0
    if predictor.kind == "tagging":
        return tag_words(options, predictor)
    if predictor.kind == "own":
        raise ConfigError(
            f"{options.run} predicts no column: {type(predictor.objective).__name__} has manyfit transform and "
            "anomalies (codes), sample (new rows), generate (text) or play (agents)"
        )
    found = predictor.prediction(options.data)
    columns: dict[str, Any] = {}
    files = image_files(predictor, options.data)
    if files:
        columns["file"] = files
    if (named := getattr(predictor.encoder, "names", None)) is not None:
        name, values = named(options.data)
        columns |= {name: values} if values else {}
    if predictor.classes:
        assert found.labels is not None
        columns["prediction"] = found.labels
        columns |= {f"p({c})": found.output[:, i] for i, c in enumerate(predictor.classes)}
        columns["spread"] = found.spread[np.arange(len(found.labels)), found.output.argmax(axis=1)]
    else:
        columns |= {"prediction": found.output, "spread": found.spread}
    if options.coverage is not None and predictor.classes:
        sets = predictor.sets(found, options.coverage)
        columns["set"] = ["|".join(c for c, inside in zip(predictor.classes, row) if inside) for row in sets]
    elif options.coverage is not None:
        ends = predictor.intervals(found, options.coverage)
        columns |= {"low": ends[:, 0], "high": ends[:, 1]}
    write_table(columns, options.out)
    if options.out is not None:
        to_stderr(f"{len(found.output)} rows predicted by {predictor.members} networks: {options.out}")
    return 0


def evaluate(options: Evaluate) -> int:
    """``manyfit evaluate``."""
    predictor = Predictor.load(options.run)
    if hasattr(predictor.objective, "sample"):
        return judged(options, predictor)
    if options.features is not None or options.count is not None:
        raise ConfigError(f"{options.run} does not generate images: leave --features and -n out")
    say_notes(predictor.encoder, options.data)
    folder = RunFolder(options.run)
    trained_on = folder.read_experiment()["data"].get("source") if folder.exists() else None
    if trained_on is not None and Path(trained_on).resolve() == options.data.resolve():
        to_stderr(f"manyfit: these networks were trained on {options.data}: such scores flatter")
    intervals = predictor.score_intervals(options.data)
    scores = {name: i.mean for name, i in intervals.items()} or predictor.evaluate(options.data)
    if options.json:
        from manyfit.engine.folder import plain

        ends = {name: [i.low, i.high] for name, i in intervals.items()}
        print(json.dumps(plain(scores | ({"intervals": ends} if ends else {})), indent=1))
    else:
        show.scores(scores, f"{options.data}, {predictor.members} networks together", intervals)
    return 0


def report_(options: Report) -> int:
    """``manyfit report``."""
    from manyfit import report

    print(report.write(options.run))
    return 0


def compare(options: Compare) -> int:
    """``manyfit compare``."""
    show.compare(options.runs)
    if options.out is not None:
        from manyfit import report

        write_page(options.out, report.compare_runs(list(options.runs)))
        print(f"Report: {options.out}")
    return 0


def inspect(options: Inspect) -> int:
    """``manyfit inspect``."""
    from manyfit.cli import networks

    if options.graph is not None:
        networks.check_ending(options.graph)
    if (options.path / "experiment.json").is_file():
        networks.of_run(options)
        return 0
    names = ("target", "text", "sentence", "header", "size")
    asked = Fit(data=options.path, **{name: getattr(options, name) for name in names})
    task = read_task(asked)
    found = None
    if options.model is not None or options.graph is not None:
        found = experiment_for(task, {"model": options.model}).network()
    if options.json:
        content = dict(task.about) | {"task": task.kind, "classes": list(task.classes)}
        print(json.dumps(content | ({"network": found.to_json()} if found else {}), indent=1))
    else:
        show.data(task, print)
        if found is not None:
            print(f"\n{found}")
    if found is not None:
        networks.write_graph(found, options.graph)
    return 0


def _as_fit(options: Range | Curve) -> Fit:
    """What a verb that trains was asked, as far as ``manyfit fit`` knows it too."""
    known = {field.name for field in dataclasses.fields(Fit)}
    known.discard("steps")  # of a range: for each rate
    names = [field.name for field in dataclasses.fields(options) if field.name in known]
    return Fit(**{name: getattr(options, name) for name in names})


def range_(options: Range) -> int:
    """``manyfit range``."""
    from manyfit.experiment.rates import learning_rate_range

    asked = _as_fit(options)
    task = read_task(asked)
    experiment = experiment_for(task, asked.asked())
    curve = learning_rate_range(
        experiment.objective,
        task,
        low=options.low,
        high=options.high,
        rates=options.rates,
        seeds=options.seeds,
        steps=options.steps,
        batch_size=experiment.batch_size,
    )
    print(json.dumps(curve.to_json(), indent=1) if options.json else curve.text())
    return 0


def curve(options: Curve) -> int:
    """``manyfit curve``."""
    from manyfit.experiment.growth import SHARES, learning_curve

    asked = _as_fit(options)
    task = read_task(asked)
    found = learning_curve(experiment_for(task, asked.asked()), shares=options.shares or SHARES)
    from manyfit.engine.folder import plain

    print(json.dumps(plain(found.to_json()), indent=1) if options.json else found.text())
    return 0


def demo(options: Demo) -> int:
    """``manyfit demo``."""
    from manyfit.cli.demo import write_digits

    folder = RunFolder(options.out)
    if folder.exists():
        if folder.read_experiment()["data"].get("source") != str(options.out / "digits.csv"):
            raise RunError(f"{options.out} holds a run that is no demo: name another folder with --out")
        with folder:  # not while it is being trained
            shutil.rmtree(options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    table = write_digits(options.out / "digits.csv")
    to_stderr(
        "1797 handwritten digits, 8x8 pixels each (Alpaydin & Kaynak 1998): 8 trials x 3 seeds x 5 folds "
        "= 120 networks, trained as one\n"
        f"$ manyfit fit {table} --target digit --trials 8 --seeds 3 --out {options.out}"
    )
    return fit(Fit(data=table, target="digit", trials=8, seeds=3, out=options.out))


_VERBS: dict[type, Callable[[Any], int]] = {
    Fit: fit,
    forecasts.Forecast: forecasts.forecast,
    Predict: predict,
    Transform: transform,
    Anomalies: anomalies,
    Generate: generate,
    Evaluate: evaluate,
    Resume: resume,
    Report: report_,
    Compare: compare,
    Inspect: inspect,
    Range: range_,
    Curve: curve,
    Demo: demo,
    Rl: rl,
    Play: play,
    Sample: sample,
}
