"""Writes optimizers_torch.npz: what PyTorch's optimizers and schedulers do over 100 steps, in float64.

python tests/reference/optimizers_torch.py   (needs torch)

The problem is a small network with a hidden layer of tanh on 24 fixed rows, the whole batch a step.
"""

from pathlib import Path

import numpy as np
import torch
from torch.optim import lr_scheduler, swa_utils

STEPS = 100
rng = np.random.default_rng(0)
DATA = {
    "x": rng.normal(size=(24, 5)),
    "y": np.sin(rng.normal(size=(24, 3))),
    "w1": rng.normal(size=(5, 7)) / 2,
    "b1": rng.normal(size=7) / 10,
    "w2": rng.normal(size=(7, 3)) / 2,
    "b2": rng.normal(size=3) / 10,
}
RULES = {
    "sgd": lambda p: torch.optim.SGD(p, 0.05),
    "momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "l2": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, 0.01),
    "adamw": lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
    "nadam": lambda p: torch.optim.NAdam(p, 0.01),
    "radam": lambda p: torch.optim.RAdam(p, 0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.05),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.5),
    "rmsprop_centered": lambda p: torch.optim.RMSprop(p, 0.01, centered=True),
    "adafactor": lambda p: torch.optim.Adafactor(p, 0.02),
    "muon": lambda p: torch.optim.Muon(p[:2], 0.02, weight_decay=0.1),
    "muon_rms": lambda p: torch.optim.Muon(p[:2], 0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
}
SCHEDULES = {
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1),
    "linear": lambda o: lr_scheduler.LinearLR(o, 1.0, 0.2, STEPS),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, STEPS, power=2.0),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.01 ** (1 / STEPS)),
    "steps": lambda o: lr_scheduler.StepLR(o, 10, 0.5),
    "one_cycle": lambda o: lr_scheduler.OneCycleLR(o, 1.0, STEPS, cycle_momentum=False),
}


def train(rule, average=None, since=0):
    # PyTorch's Muon orthogonalises in bfloat16, of three digits; here it is to be compared to more
    torch.Tensor.bfloat16 = lambda self: self.clone()
    start = [DATA["w1"].T, DATA["w2"].T, DATA["b1"], DATA["b2"]]
    module = torch.nn.Module()
    module.p = torch.nn.ParameterList([torch.nn.Parameter(torch.tensor(a.copy())) for a in start])
    params = list(module.p)
    optimizers = [rule(params)]
    if isinstance(optimizers[0], torch.optim.Muon):
        optimizers.append(torch.optim.AdamW(params[2:], 0.02, weight_decay=0))
    averaged = average(module) if average else None
    x, y = torch.tensor(DATA["x"]), torch.tensor(DATA["y"])
    for t in range(STEPS):
        hidden = torch.tanh(torch.nn.functional.linear(x, params[0], params[2]))
        loss = ((torch.nn.functional.linear(hidden, params[1], params[3]) - y) ** 2).mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        if averaged is not None and t >= since:
            averaged.update_parameters(module)
    found = list(averaged.module.p) if averaged is not None else params
    w1, w2, b1, b2 = (p.detach().numpy() for p in found)
    return np.concatenate([w1.T.ravel(), b1, w2.T.ravel(), b2])


def rates(schedule):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    scheduler, found = schedule(optimizer), []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def plateau(losses):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3, cooldown=2, min_lr=0.05)
    found = []
    for loss in losses:
        found.append(optimizer.param_groups[0]["lr"])
        scheduler.step(loss)
    return found


def main():
    out = dict(DATA)
    out |= {f"rule/{name}": train(rule) for name, rule in RULES.items()}
    ema = lambda module: swa_utils.AveragedModel(  # noqa: E731
        module, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9)
    )
    out["rule/ema"] = train(RULES["adam"], ema)
    out["rule/swa"] = train(RULES["momentum"], swa_utils.AveragedModel, since=75)
    out |= {f"schedule/{name}": np.array(rates(schedule)) for name, schedule in SCHEDULES.items()}
    out["plateau/losses"] = np.exp(-np.arange(STEPS) / 10) + 0.3 + 0.02 * rng.normal(size=STEPS)
    out["plateau/rates"] = np.array(plateau(out["plateau/losses"]))
    np.savez(Path(__file__).with_suffix(".npz"), **out)


if __name__ == "__main__":
    main()
