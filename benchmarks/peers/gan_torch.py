"""The game "gan" of ``gan_modes.py`` on the ring in PyTorch: the non-saturating loss with R1, one seed.

python benchmarks/peers/gan_torch.py 6000
"""

from __future__ import annotations

import copy
import math
import sys

import numpy as np
import torch
from torch import nn
from torch.nn.functional import softplus

from manyfit.data import toys

STEPS, BATCH, ROWS = int(sys.argv[1]), 64, 10_240
torch.manual_seed(0)
rows = toys.around(toys.ring_centres(), ROWS, toys.RING_SIGMA)
shift, scale = rows.mean(0), rows.std(0)
data = torch.from_numpy((rows - shift) / scale)


def layers(first: int, last: int, act: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(first, 64), act, nn.Linear(64, 64), act, nn.Linear(64, last))


generator, discriminator = layers(2, 2, nn.ReLU()), layers(2, 1, nn.LeakyReLU(0.01))
average = copy.deepcopy(generator)
optimizers = [
    torch.optim.Adam(net.parameters(), 5e-3, betas=(0.0, 0.99)) for net in (generator, discriminator)
]
schedules = [
    torch.optim.lr_scheduler.LambdaLR(o, lambda t: 0.5 * (1 + math.cos(math.pi * t / STEPS)))
    for o in optimizers
]
order = torch.randperm(ROWS)
for step in range(STEPS):
    place = step % (ROWS // BATCH)
    if place == 0:
        order = torch.randperm(ROWS)
    real = data[order[place * BATCH : (place + 1) * BATCH]].requires_grad_()
    fake = generator(torch.randn(BATCH, 2)).detach()
    on_real = discriminator(real)
    slope = torch.autograd.grad(on_real.sum(), real, create_graph=True)[0]
    penalty = 0.05 * slope.square().sum(1).mean()
    loss = softplus(-on_real).mean() + softplus(discriminator(fake)).mean() + penalty
    optimizers[1].zero_grad(set_to_none=True)
    loss.backward()
    optimizers[1].step()
    loss = softplus(-discriminator(generator(torch.randn(BATCH, 2)))).mean()
    optimizers[0].zero_grad(set_to_none=True)
    loss.backward()
    optimizers[0].step()
    for schedule in schedules:
        schedule.step()
    with torch.no_grad():
        for mean, now in zip(average.parameters(), generator.parameters()):
            mean.lerp_(now, 1 - min(0.99, step / (step + 10)) if step else 1.0)
with torch.no_grad():
    samples = average(torch.randn(2500, 2)).numpy() * scale + shift
print(*toys.modes_found(np.asarray(samples), toys.ring_centres(), toys.RING_SIGMA))
