"""purejaxrl's own PPO: ``ppo_purejaxrl.py CLONE SEEDS STEPS RUNS`` prints steps, compile s, train s, last return."""

import statistics
import sys
import time
import types

import jax

clone, seeds, steps, runs = sys.argv[1], *map(int, sys.argv[2:])
sys.path.insert(0, f"{clone}/purejaxrl")
# what its wrappers import and CartPole does not need
for name in ("brax", "brax.envs", "brax.envs.wrappers", "brax.envs.wrappers.training", "navix"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["brax"].envs = sys.modules["brax.envs"]
sys.modules["brax.envs.wrappers.training"].AutoResetWrapper = object
sys.modules["brax.envs.wrappers.training"].EpisodeWrapper = object
from ppo import make_train  # noqa: E402

config = {
    "LR": 2.5e-4,
    "NUM_ENVS": 4,
    "NUM_STEPS": 128,
    "TOTAL_TIMESTEPS": steps,
    "UPDATE_EPOCHS": 4,
    "NUM_MINIBATCHES": 4,
    "GAMMA": 0.99,
    "GAE_LAMBDA": 0.95,
    "CLIP_EPS": 0.2,
    "ENT_COEF": 0.01,
    "VF_COEF": 0.5,
    "MAX_GRAD_NORM": 0.5,
    "ACTIVATION": "tanh",
    "ENV_NAME": "CartPole-v1",
    "ANNEAL_LR": True,
}
keys = jax.random.split(jax.random.PRNGKey(0), seeds)
started = time.perf_counter()
train = jax.jit(jax.vmap(make_train(config))).lower(keys).compile()
compiling = time.perf_counter() - started
times = []
for _ in range(runs):
    started = time.perf_counter()
    out = jax.block_until_ready(train(keys))
    times.append(time.perf_counter() - started)
returns = out["metrics"]["returned_episode_returns"].reshape(seeds, -1)[:, -512:]
print(steps // 512 * 512, compiling, statistics.median(times), float(returns.mean()))
