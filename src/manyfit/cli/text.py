"""``manyfit generate``: text from a language model, to the terminal as it is written."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from manyfit.cli.arguments import arg, place
from manyfit.errors import ConfigError


@dataclass
class Generate:
    """Write text with the language model of a run, or translate.

    The run's networks write together, by the average of their probabilities;
    --member takes one of them alone. A translation is searched for with four
    beams unless --beams or a setting of the drawing says otherwise.

    Examples:
      manyfit generate runs/shakespeare --prompt "ROMEO:"
      manyfit generate runs/shakespeare --temperature 0.8 --top-k 20 --length 500
      manyfit generate runs/pairs --prompt "A man is riding a horse."
      manyfit generate runs/shakespeare --prompt "To be" "Not to be" --beams 4
    """

    run: Annotated[Path, tyro.conf.Positional, place("RUN")]
    """The run folder."""
    prompt: Annotated[tuple[str, ...], arg("TEXT ...")] = ()
    """What the text begins with; several are written side by side."""
    length: Annotated[int, arg("TOKENS", "200")] = 200
    """How many tokens to write at most."""
    temperature: Annotated[float, arg("VALUE", "1")] = 1.0
    """Below 1 keeps to what is probable, above 1 is bolder; 0 always takes the most probable token."""
    top_k: Annotated[int, arg("N", "all")] = 0
    """Draw among the N most probable tokens."""
    top_p: Annotated[float, arg("SHARE", "1")] = 1.0
    """Draw among the fewest tokens that hold this share of the probability."""
    min_p: Annotated[float, arg("SHARE", "0")] = 0.0
    """Draw among tokens of at least this share of the greatest probability."""
    repetition_penalty: Annotated[float, arg("FACTOR", "1")] = 1.0
    """Above 1 makes what stands in the text already less probable."""
    beams: Annotated[int | None, arg("N")] = None
    """Search for the most probable text with so many candidates, instead of drawing."""
    stop: Annotated[tuple[str, ...], arg("TEXT ...")] = ()
    """End before one of these."""
    seed: Annotated[int, arg("N", "0")] = 0
    """Where the randomness derives from."""
    member: Annotated[int | None, arg("N", "all together")] = None
    """The network to write alone, counted from 0."""
    disagreement: bool = False
    """Say how far the networks disagreed, and over which tokens most."""
    json: bool = False
    """Print JSON."""


def generate(options: Generate) -> int:
    """``manyfit generate``."""
    from manyfit.experiment.generation import generate as written
    from manyfit.experiment.generation import writer_of
    from manyfit.experiment.predictor import Predictor
    from manyfit.experiment.translation import translates
    from manyfit.objectives.decoding import Sampling

    predictor = Predictor.load(options.run)
    if translates(predictor):
        return _translate(options, predictor)
    writer = writer_of(predictor, options.member)
    prompts = list(options.prompt) or [""]
    sampling = Sampling(
        options.temperature, options.top_k, options.top_p, options.min_p, options.repetition_penalty
    ).checked()
    if options.length < 1:
        raise ConfigError(f"length={options.length}: give at least 1 token")
    if "" in options.stop:
        raise ConfigError("--stop '': every text begins with nothing; give some text to end before")
    if options.beams is not None and sampling != Sampling():
        raise ConfigError(
            "--beams searches for the most probable text and draws nothing: leave --temperature, --top-k, --top-p, "
            "--min-p and --repetition-penalty out"
        )
    live = len(prompts) == 1 and not options.json and options.beams is None
    said = 0
    begun = False

    def begin() -> None:
        nonlocal begun
        if not begun:  # not before the first token: until then the prompt may be refused
            _show(prompts[0])
        begun = True

    def listen(found: Any) -> None:
        nonlocal said
        begin()
        text = found[0].text
        # a stop string, or a character of several bytes, may be half there: its beginning waits
        safe = len(text) - max([len(word) for word in options.stop], default=1)
        if safe > said:
            _show(text[said:safe])
            said = safe

    found = written(
        writer,
        prompts,
        length=options.length,
        sampling=sampling,
        stop=options.stop,
        seed=options.seed,
        beams=options.beams,
        listen=listen if live else lambda found: None,
    )
    if options.json:
        content = [
            {
                "prompt": one.prompt,
                "text": one.text,
                "tokens": one.tokens.tolist(),
                "log_probability": one.log_probability.tolist(),
                "disagreement": one.disagreement.tolist(),
            }
            for one in found
        ]
        print(json.dumps(content, indent=1, ensure_ascii=False))
        return 0
    if live:
        begin()
        _show(found[0].text[said:] + "\n")
    else:
        for i, one in enumerate(found):
            head = ("\n" if i else "") + f"--- {i + 1}\n" if len(found) > 1 else ""
            _show(f"{head}{one.prompt}{one.text}\n")
    if options.disagreement:
        for one in found:
            most = np.argsort(-one.disagreement, kind="stable")[:5]
            tokens = ", ".join(
                f"{writer.tokenizer.token(int(one.tokens[i]))!r} at {i} ({one.disagreement[i]:.3f})"
                for i in most
            )
            print(
                f"disagreement of {predictor.members} networks: {one.disagreement.mean():.4f} nats a token; most at "
                f"{tokens}",
                file=sys.stderr,
            )
    return 0


def _translate(options: Generate, predictor: Any) -> int:
    """What each prompt becomes, with a run of pairs of texts."""
    from manyfit.experiment.translation import translate
    from manyfit.objectives.decoding import Sampling

    if not options.prompt:
        raise ConfigError("say what to translate: --prompt TEXT")
    for name, plain in (("stop", ()), ("disagreement", False)):
        if getattr(options, name) != plain:
            raise ConfigError(f"--{name} is for language models, and this run translates: leave it out")
    settings = Sampling(
        options.temperature, options.top_k, options.top_p, options.min_p, options.repetition_penalty
    ).checked()
    found = translate(
        predictor,
        list(options.prompt),
        beams=options.beams,
        sampling=None if options.beams is not None or settings == Sampling() else settings,
        length=None if options.length == Generate.length else options.length,
        member=options.member,
        seed=options.seed,
    )
    if options.json:
        content = [{"prompt": one.source, "text": one.text, "score": one.score} for one in found]
        print(json.dumps(content, indent=1, ensure_ascii=False))
        return 0
    for one in found:
        _show(one.text + "\n")
    return 0


def _show(text: str) -> None:
    """Text as it is, but nothing that steers a terminal."""
    sys.stdout.write(
        "".join(c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    )
    sys.stdout.flush()
