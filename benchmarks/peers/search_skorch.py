"""The search of ``benchmarks/search.py`` over skorch (PyTorch, one thread a process), driven by Optuna."""

import numpy as np
import torch
from search_optuna import search
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

torch.set_num_threads(1)


class Net(nn.Module):
    """Two hidden layers of 64."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def make(rate: float, decay: float, classes: int, inputs: int) -> NeuralNetClassifier | NeuralNetRegressor:
    kind = NeuralNetClassifier if classes else NeuralNetRegressor
    return kind(
        Net,
        module__inputs=inputs,
        module__outputs=classes or 1,
        criterion=nn.CrossEntropyLoss if classes else nn.MSELoss,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=decay,
        lr=rate,
        batch_size=128,
        max_epochs=1,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )


def epoch(model: NeuralNetClassifier | NeuralNetRegressor, x: np.ndarray, y: np.ndarray) -> None:
    model.partial_fit(x, _target(model, y))


def loss(model: NeuralNetClassifier | NeuralNetRegressor, x: np.ndarray, y: np.ndarray) -> float:
    with torch.no_grad():
        outputs = model.forward(torch.from_numpy(x))
        return float(model.criterion_(outputs, torch.from_numpy(_target(model, y))))


def _target(model: NeuralNetClassifier | NeuralNetRegressor, y: np.ndarray) -> np.ndarray:
    return y.astype(np.int64) if isinstance(model, NeuralNetClassifier) else y.astype(np.float32)[:, None]


if __name__ == "__main__":
    search(make, epoch, loss)
