"""The search of ``benchmarks/search.py`` over Keras on JAX, driven by Optuna."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from search_optuna import search


def make(rate: float, decay: float, classes: int, inputs: int) -> keras.Model:
    keras.backend.clear_session()
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(classes or 1),
        ]
    )
    judged = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if classes else "mse"
    model.compile(keras.optimizers.AdamW(rate, weight_decay=decay), judged)
    return model


def epoch(model: keras.Model, x: np.ndarray, y: np.ndarray) -> None:
    model.fit(x, y, batch_size=128, epochs=1, verbose=0)


def loss(model: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    return float(model.evaluate(x, y, batch_size=1024, verbose=0))


if __name__ == "__main__":
    search(make, epoch, loss)
