"""Layers of PyTorch: values, gradients and running statistics for ``tests/nn/test_layers_torch.py``.

python tests/reference/layers_torch.py        (needs torch; writes layers_torch.npz beside it)

Channels are last in what is stored, as in manyfit.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SEQUENCE, IMAGE, VOLUME = (2, 4, 9), (2, 4, 7, 6), (2, 4, 5, 4, 6)

# name, layer, shape of the input
CASES = [
    ("batch_norm_1d", nn.BatchNorm1d(4, momentum=0.3), (6, 4)),
    ("batch_norm_2d", nn.BatchNorm2d(4), (3, 4, 5, 5)),
    ("batch_norm_3d", nn.BatchNorm3d(4, eps=0.1), VOLUME),
    ("layer_norm", nn.LayerNorm(6), (3, 5, 6)),
    ("rms_norm", nn.RMSNorm(6, eps=1e-6), (3, 5, 6)),
    ("group_norm", nn.GroupNorm(2, 4), IMAGE),
    ("instance_norm", nn.InstanceNorm2d(4, affine=True), IMAGE),
    ("max_pool_1d", nn.MaxPool1d(3, 2, 1), SEQUENCE),
    ("max_pool_2d", nn.MaxPool2d(3, 2, 1), IMAGE),
    ("max_pool_2d_dilated", nn.MaxPool2d(2, 1, 0, 3), IMAGE),
    ("max_pool_3d", nn.MaxPool3d(2), VOLUME),
    ("avg_pool_1d", nn.AvgPool1d(3, 2, 1), SEQUENCE),
    ("avg_pool_2d", nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGE),
    ("avg_pool_3d", nn.AvgPool3d(2), VOLUME),
    ("adaptive_avg_1d", nn.AdaptiveAvgPool1d(4), SEQUENCE),
    ("adaptive_avg_2d", nn.AdaptiveAvgPool2d((3, 4)), IMAGE),
    ("adaptive_avg_3d", nn.AdaptiveAvgPool3d((2, 3, 4)), VOLUME),
    ("adaptive_max_1d", nn.AdaptiveMaxPool1d(4), SEQUENCE),
    ("adaptive_max_2d", nn.AdaptiveMaxPool2d((3, 4)), IMAGE),
    ("adaptive_max_3d", nn.AdaptiveMaxPool3d((2, 3, 4)), VOLUME),
    ("global_max", nn.AdaptiveMaxPool2d(1), IMAGE),
    ("global_avg", nn.AdaptiveAvgPool2d(1), IMAGE),
    ("linear", nn.Linear(6, 3), (4, 5, 6)),
    ("glu", nn.GLU(dim=-1), (4, 6)),
]
CHANNELS_SECOND = ("batch", "group", "instance", "max", "avg", "adaptive", "global")
STEPS = 3


def main() -> None:
    torch.manual_seed(0)
    kept = {}
    for name, layer, shape in CASES:
        second = name.startswith(CHANNELS_SECOND)
        for parameter in layer.parameters():
            nn.init.normal_(parameter)
        # small whole numbers tie, which shows who takes the gradient of a maximum
        inputs = [torch.randint(0, 4, shape).float() if "max" in name else torch.randn(shape) * 2 + 1]
        if name.startswith("batch"):
            inputs += [torch.randn(shape) * 2 + 1 for _ in range(STEPS - 1)]
            kept[f"{name}/xs"] = np.stack([last(x, second) for x in inputs])
        for x in inputs:
            layer.zero_grad()
            x.requires_grad_()
            y = layer(x)
            g = torch.randn_like(y)
            y.backward(g)
        for key, value in {"x": x, "y": y, "g": g, "gx": x.grad}.items():
            kept[f"{name}/{key}"] = last(value, second)
        for key, parameter in layer.named_parameters():
            kept[f"{name}/{key}"] = parameter.detach().numpy()
            kept[f"{name}/g{key}"] = parameter.grad.numpy()
        if name.startswith("batch"):
            kept[f"{name}/running_mean"] = layer.running_mean.numpy()
            kept[f"{name}/running_var"] = layer.running_var.numpy()
            layer.eval()
            kept[f"{name}/evaluated"] = last(layer(x), second)
    table, places = torch.randn(7, 3, requires_grad=True), torch.randint(0, 7, (4, 2))
    y = functional.embedding(places, table)
    g = torch.randn_like(y)
    y.backward(g)
    for key, value in {"table": table, "places": places, "y": y, "g": g, "gtable": table.grad}.items():
        kept[f"embedding/{key}"] = value.detach().numpy()
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **kept)


def last(value: torch.Tensor, second: bool) -> np.ndarray:
    """Channels moved from the second place to the last."""
    array = value.detach().numpy()
    return np.moveaxis(array, 1, -1) if second and array.ndim > 2 else array


if __name__ == "__main__":
    main()
