"""100 steps on a network with a hidden layer: as PyTorch takes them, and as Optax does where PyTorch has none.

In float64, so that what is left is the formula: 1e-6 of the weights' size, which holds float32 hyper-parameters
of schedules and PyTorch's other places for ``eps`` (about ``eps`` over the size of a gradient).
"""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib

from manyfit import optim

REFERENCE = np.load(Path(__file__).parents[1] / "reference/optimizers_torch.npz")
STEPS = 100

everywhere = optim.Decay(0.01, on="all", coupled=True)
RULES = {
    "sgd": optim.SGD(0.05, momentum=0.0),
    "momentum": optim.SGD(0.05),
    "nesterov": optim.SGD(0.05, nesterov=True),
    "l2": optim.SGD(0.05, weight_decay=everywhere),
    "adam": optim.Adam(0.01),
    "adamw": optim.AdamW(0.01, weight_decay=optim.Decay(0.1, on="all")),
    "nadam": optim.NAdam(0.01),
    "radam": optim.RAdam(0.01),
    "adagrad": optim.AdaGrad(0.05),
    "rmsprop": optim.RMSProp(0.01, momentum=0.5),
    "rmsprop_centered": optim.RMSProp(0.01, centered=True),
    "adafactor": optim.Adafactor(0.02),
    "muon": optim.Muon(0.02, weight_decay=0.1, scaling="shape", adamw=()),
    "muon_rms": optim.Muon(0.02, weight_decay=0.1, adamw=()),
    "ema": optim.EMA(optim.Adam(0.01), decay=0.9, ramp=0.0),
    "swa": optim.SWA(optim.SGD(0.05), start=0.75),
}
SCHEDULES = {
    "cosine": optim.Cosine(final=0.1),
    "linear": optim.Linear(final=0.2),
    "polynomial": optim.Polynomial(power=2.0),
    "exponential": optim.Exponential(final=0.01),
    "steps": optim.Steps(factor=0.5, every=0.1),
    "one_cycle": optim.OneCycle(),
}


def problem():
    x, y = jnp.asarray(REFERENCE["x"]), jnp.asarray(REFERENCE["y"])
    params = {name: jnp.asarray(REFERENCE[name]) for name in ("w1", "b1", "w2", "b2")}

    def loss(p):
        return jnp.mean((jnp.tanh(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"] - y) ** 2), ((), None)

    return loss, params


def flat(params):
    return np.concatenate([np.ravel(params[name]) for name in ("w1", "b1", "w2", "b2")])


def trained(optimizer):
    loss, params = problem()

    def one(_, carry):
        params, state = carry
        taken = optim.step(optimizer, loss, params, state, jnp.float64(STEPS))
        return taken.params, taken.state

    params, state = jax.jit(lambda p: jax.lax.fori_loop(0, STEPS, one, (p, optim.start(optimizer, p))))(
        params
    )
    return flat(optim.evaluated(optimizer, state, params)[0])


def by_optax(transform, at=lambda params, state: params):
    loss, params = problem()

    def slope(params):
        return jax.grad(loss, has_aux=True)(params)[0]

    def one(_, carry):
        params, state = carry
        gradient = slope(params)
        change, state = transform.update(
            gradient, state, params, grad_fn=lambda p, _: jax.grad(loss, has_aux=True)(p)[0]
        )
        return optax.apply_updates(params, change), state

    transform = optax.with_extra_args_support(transform)
    params, state = jax.jit(lambda p: jax.lax.fori_loop(0, STEPS, one, (p, transform.init(p))))(params)
    return flat(at(params, state))


@pytest.mark.parametrize("name", list(RULES))
def test_as_pytorch(name):
    with jax.enable_x64(True):
        found = trained(RULES[name])
    assert not np.allclose(found, flat({n: REFERENCE[n] for n in ("w1", "b1", "w2", "b2")}), atol=0.05)
    np.testing.assert_allclose(found, REFERENCE[f"rule/{name}"], atol=2e-6)


def in_optax():
    adversary = optax.chain(contrib.normalize(), optax.sgd(0.05))
    matrices = {"w1": True, "b1": False, "w2": True, "b2": False}
    return {
        "lion": (optim.Lion(0.003, weight_decay=0.1), optax.lion(0.003, weight_decay=0.1, mask=matrices)),
        "lamb": (optim.LAMB(0.01, weight_decay=0.1), optax.lamb(0.01, weight_decay=0.1, mask=matrices)),
        "sam": (
            optim.SAM(optim.SGD(0.05, momentum=0.0), rho=0.05),
            contrib.sam(optax.sgd(0.05), adversary, opaque_mode=True),
        ),
        "schedule-free SGD": (optim.ScheduleFreeSGD(0.3), contrib.schedule_free_sgd(0.3)),
        "schedule-free AdamW": (optim.ScheduleFreeAdamW(0.02), contrib.schedule_free_adamw(0.02)),
        "clipped by value": (
            optim.SGD(0.05, momentum=0.0, clip=optim.ClipValue(0.01)),
            optax.chain(optax.clip(0.01), optax.sgd(0.05)),
        ),
        "clipped by the weights": (
            optim.SGD(0.05, momentum=0.0, clip=optim.ClipAdaptive(0.01)),
            optax.chain(optax.adaptive_grad_clip(0.01), optax.sgd(0.05)),
        ),
    }


@pytest.mark.parametrize(
    "name",
    [
        "lion",
        "lamb",
        "sam",
        "schedule-free SGD",
        "schedule-free AdamW",
        "clipped by value",
        "clipped by the weights",
    ],
)
def test_as_optax(name):
    with jax.enable_x64(True):
        ours, theirs = in_optax()[name]
        free = "free" in name
        at = (lambda p, s: contrib.schedule_free_eval_params(s, p)) if free else (lambda p, s: p)
        np.testing.assert_allclose(trained(ours), by_optax(theirs, at), atol=2e-6)


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_schedule_as_pytorch(name):
    steps = jnp.arange(STEPS)
    found = jax.vmap(lambda step: SCHEDULES[name](step, jnp.float32(STEPS)))(steps)
    np.testing.assert_allclose(found, REFERENCE[f"schedule/{name}"], atol=2e-6)


def test_plateau_as_pytorch():
    plateau = optim.Plateau(factor=0.5, patience=3.0, cooldown=2.0, least=0.05, window=1 / STEPS)
    transform = plateau.adapt(jnp.float32(STEPS))

    def one(state, loss):
        change, state = transform.update(jnp.float32(1), state, value=loss)
        return state, change

    losses = jnp.asarray(REFERENCE["plateau/losses"], jnp.float32)
    _, rates = jax.lax.scan(one, transform.init(None), losses)
    assert len(set(np.asarray(rates).tolist())) > 3
    np.testing.assert_allclose(rates, REFERENCE["plateau/rates"], rtol=1e-6)


def test_warm_up_and_stable_and_decay():
    shape = optim.WSD(warmup=0.1, decay=0.2, final=0.5)
    found = [float(shape(jnp.int32(t), jnp.float32(100))) for t in (0, 4, 9, 50, 79, 90, 100)]
    np.testing.assert_allclose(found, [0.1, 0.5, 1, 1, 1, 0.75, 0.5], rtol=1e-6)
