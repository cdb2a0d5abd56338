"""Eight Gaussians on a ring: ten seeds of a GAN in one program, and how many of the modes each of them finds.

python examples/gan.py
"""

import jax
import numpy as np

import manyfit as mf
from manyfit.data import toys
from manyfit.models.gan import DenseDiscriminator, DenseGenerator
from manyfit.objectives.adversarial import verdicts
from manyfit.objectives.adversarial.recipes import named

centres, sigma = toys.ring_centres(), 0.1
points = toys.around(centres, 2560, sigma)
game = named(
    "r3gan",
    learning_rate=5e-3,
    schedule=mf.optim.Cosine(),
    decay=0.99,
    generator=DenseGenerator((32, 32)),
    discriminator=DenseDiscriminator((32, 32)),
    latent=2,
)
result = mf.Experiment(
    game, {"inputs": points}, seeds=10, folds=1, epochs=40, patience=None, validation=0.0, batch_size=64
).run()
print(result)

objective, models = result.predictor.objective, result.predictor.models
samples = jax.vmap(lambda model: objective.sample(model, jax.random.key(0), 1000))(models)
for seed, (some, verdict) in enumerate(zip(np.asarray(samples), verdicts(result.history, result.members))):
    modes, share = toys.modes_found(some, centres, sigma)
    print(f"seed {seed}: {modes} of 8 modes, {share:.0%} of samples near one, {verdict}")
