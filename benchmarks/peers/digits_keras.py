"""The digits experiment in Keras on its JAX backend: a loop over seeds, learning rates and folds."""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from sklearn.model_selection import StratifiedKFold

RATES = np.logspace(-4, -1, 8)


def main() -> None:
    with np.load(sys.argv[1]) as digits:
        x, y = digits["x"], digits["y"]
    x = (x / 16).astype(np.float32)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(x, y))
    scores = np.zeros((3, len(RATES), 5))
    for seed in range(3):
        for i, rate in enumerate(RATES):
            for j, (train, test) in enumerate(folds):
                keras.utils.set_random_seed(seed)
                model = keras.Sequential(
                    [
                        keras.layers.Input((64,)),
                        keras.layers.Dense(128, activation="relu"),
                        keras.layers.Dense(128, activation="relu"),
                        keras.layers.Dense(10),
                    ]
                )
                loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
                model.compile(keras.optimizers.Adam(float(rate)), loss)
                model.fit(x[train], y[train], batch_size=64, epochs=20, verbose=0)
                guess = model.predict(x[test], batch_size=512, verbose=0).argmax(1)
                scores[seed, i, j] = (guess == y[test]).mean()
    print(f"{scores.mean(axis=(0, 2)).max():.4f}")


if __name__ == "__main__":
    main()
