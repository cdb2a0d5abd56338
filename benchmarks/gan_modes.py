"""Modes found by each adversarial game on 8 Gaussians on a ring and 25 on a grid, every seed in one program.

Dense networks 64-64, noise of 2 numbers, Adam with a cosine schedule, 64 rows a step of the discriminator.
Modes: centres with a sample within 3 standard deviations, of 2,500 samples; share: samples that near to a centre.

    python benchmarks/gan_modes.py                 # every game, 20 seeds
    python benchmarks/gan_modes.py --phase         # R1's weight x ratio of the rates x seeds, one run
    python benchmarks/gan_modes.py --peer          # seconds a seed beside PyTorch
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import measure
import numpy as np

import manyfit as mf
from manyfit.data import toys
from manyfit.engine import Batch, Metric
from manyfit.evaluate import resampled_interval
from manyfit.models.gan import DenseDiscriminator, DenseGenerator
from manyfit.objectives.adversarial import GAN, R1, R2, GradientPenalty
from manyfit.objectives.adversarial.health import verdicts
from manyfit.objectives.adversarial.recipes import RECIPES, named
from manyfit.optim import Cosine

ROWS, SAMPLES, BATCH = 10_240, 2_500, 64
TOYS = {
    "ring": (toys.ring_centres(), toys.RING_SIGMA),
    "grid": (toys.grid_centres(), toys.GRID_SIGMA),
}
RATES = {"gan": 5e-3, "no penalty": 5e-3, "wgan-gp": 2e-3, "hinge-gan": 1e-3, "r3gan": 5e-3}
PENALTIES: dict[str, tuple[Any, ...]] = {
    "gan": (R1(0.1),),
    "wgan-gp": (GradientPenalty(1.0),),
    "r3gan": (R1(0.1), R2(0.1)),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--games", nargs="*", default=["no penalty", *RECIPES])
    parser.add_argument("--toys", nargs="*", default=list(TOYS))
    parser.add_argument("--phase", action="store_true")
    parser.add_argument("--peer", action="store_true")
    asked = parser.parse_args()
    print(measure.machine())
    if asked.phase:
        phase(asked.seeds, asked.steps)
    elif asked.peer:
        beside_pytorch(asked.seeds, asked.steps)
    else:
        games(asked.games, asked.toys, asked.seeds, asked.steps)


def game(name: str) -> GAN:
    """A game at the size of these toys."""
    plain = name == "no penalty"
    found = named(
        "gan" if plain else name,
        learning_rate=RATES[name],
        schedule=Cosine(),
        decay=0.99,
        generator=DenseGenerator((64, 64)),
        discriminator=DenseDiscriminator((64, 64)),
        latent=2,
        penalties=() if plain else PENALTIES.get(name, ()),
    )
    return found


def trained(objective: GAN, toy: str, seeds: int, steps: int, test: int = 512, **other: Any) -> Any:
    """The result of ``steps`` generator steps of every seed, ``test`` further rows being kept apart."""
    centres, sigma = TOYS[toy]
    rows = {"inputs": {"numeric": toys.around(centres, ROWS + test, sigma)}}
    batch = BATCH * objective.discriminator_steps
    each = ROWS // batch
    return mf.Experiment(
        objective,
        rows,
        seeds=seeds,
        folds=[(np.arange(ROWS), np.arange(ROWS, ROWS + test))],
        epochs=max(1, round(steps / each)),
        patience=None,
        batch_size=batch,
        validation=0.0,
        **other,
    ).run()


def counted(result: Any, toy: str) -> tuple[np.ndarray, np.ndarray]:
    """Modes and share ``(members,)``."""
    predictor, (centres, sigma) = result.predictor, TOYS[toy]
    draw = jax.jit(jax.vmap(lambda model: predictor.objective.sample(model, jax.random.key(1), SAMPLES)))
    found = [toys.modes_found(one, centres, sigma) for one in np.asarray(draw(predictor.models))]
    modes, share = zip(*found)
    return np.array(modes, float), np.array(share)


def interval(values: np.ndarray, most: float) -> str:
    found = resampled_interval(values[:, None], 1, 1).within(0.0, most)
    return f"{found.mean:.3g} [{found.low:.3g}, {found.high:.3g}]"


def games(names: list[str], on: list[str], seeds: int, steps: int) -> None:
    rows = [["game", "data", "modes", "share near a centre", "all modes", "verdicts", "seconds a seed"]]
    for name in names:
        for toy in on:
            started = time.perf_counter()
            result = trained(game(name), toy, seeds, steps)
            seconds = time.perf_counter() - started
            modes, share = counted(result, toy)
            centres = len(TOYS[toy][0])
            said = verdicts(result.history, result.members)
            kinds = ", ".join(f"{said.count(kind)} {kind}" for kind in sorted(set(said)))
            rows.append(
                [
                    name,
                    f"{toy}, {centres}",
                    interval(modes, centres),
                    interval(share, 1.0),
                    f"{int((modes == centres).sum())} of {len(modes)}",
                    kinds,
                    f"{seconds / seeds:.1f}",
                ]
            )
            print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    print(f"{seeds} seeds, {steps} generator steps")
    print(measure.table(rows))


@dataclass(frozen=True)
class Counted(GAN):
    """A game whose score is the number of the grid's modes that 512 samples find."""

    def evaluate(self, model: Any, batch: Batch) -> dict[str, Metric]:
        """Modes, once for each row that is counted."""
        centres, sigma = TOYS["grid"]
        samples = self.sample(model, jax.random.key(2), 512)
        far = jnp.linalg.norm(samples[:, None] - centres, axis=2)
        near = jnp.min(far, axis=1) <= 3 * sigma
        found = jnp.zeros(len(centres)).at[jnp.argmin(far, axis=1)].max(near.astype(jnp.float32))
        rows = jnp.sum(batch.weight)
        return {"modes": Metric(jnp.sum(found) * rows, rows)}


WEIGHTS, RATIOS = (0.0, 0.01, 0.1, 1.0, 10.0), (0.25, 1.0, 4.0)


def phase(seeds: int, steps: int) -> None:
    """Modes on the grid over R1's weight and the discriminator's rate over the generator's: one program, one run."""
    plain = game("gan")
    rate = RATES["gan"]
    objective = Counted(**{field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)})
    objective = dataclasses.replace(
        objective,
        penalties=(R1(mf.uniform(0.0, 10.0)),),
        discriminator_optimizer=dataclasses.replace(
            objective.discriminator_optimizer, learning_rate=mf.loguniform(1e-5, 1e-1)
        ),
    )
    settings = [
        {"penalties.0.weight": weight, "discriminator_optimizer.learning_rate": rate * ratio}
        for weight in WEIGHTS
        for ratio in RATIOS
    ]
    started = time.perf_counter()
    result = trained(
        objective, "grid", seeds, steps, metric="modes", trials=len(settings), given_trials=settings
    )
    seconds = time.perf_counter() - started
    found = {t.trial: t for t in result.trials}
    lines = [["R1's weight", *[f"rate of the discriminator x {ratio:g}" for ratio in RATIOS]]]
    for i, weight in enumerate(WEIGHTS):
        cells = [found[i * len(RATIOS) + j] for j in range(len(RATIOS))]
        died = [f"; {t.diverged} of {t.members} diverged" if t.diverged else "" for t in cells]
        lines.append(
            [
                f"{weight:g}",
                *[
                    f"{t.score.mean:.1f} [{max(t.score.low, 0):.1f}, {min(t.score.high, 25):.1f}]{d}"
                    for t, d in zip(cells, died)
                ],
            ]
        )
    print(
        f"modes of 25 among 512 samples, mean and 95 % interval over {seeds} seeds, {steps} steps; "
        f"{len(settings) * seeds} games in one run of {seconds:.0f} s"
    )
    print(measure.table(lines))


def beside_pytorch(seeds: int, steps: int) -> None:
    """Whole processes: ``seeds`` games here in one program, one game in PyTorch."""
    me = [
        sys.executable,
        __file__,
        "--seeds",
        str(seeds),
        "--steps",
        str(steps),
        "--games",
        "gan",
        "--toys",
        "ring",
    ]
    ours = measure.run("manyfit", me, runs=1)
    theirs = measure.run(
        "PyTorch", [sys.executable, str(measure.HERE / "peers" / "gan_torch.py"), str(steps)], runs=1
    )
    rows = [["", "seeds", "seconds", "seconds a seed"]]
    rows.append(["manyfit", str(seeds), f"{ours.median:.1f}", f"{ours.median / seeds:.1f}"])
    rows.append(["PyTorch, one seed", "1", f"{theirs.median:.1f}", f"{theirs.median:.1f}"])
    print(measure.table(rows))


if __name__ == "__main__":
    main()
