"""Convolutions of PyTorch with random weights: outputs and gradients for ``tests/nn/test_conv.py``.

python tests/reference/conv_torch.py        (needs torch; writes conv_torch.npz beside it)
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

# name, layer, shape of the input, stride, padding, dilation, groups, output padding
CASES = [
    ("Conv1d", nn.Conv1d, (2, 4, 9), (4, 6, 3), 2, 1, 2, 1, 0),
    ("Conv2d", nn.Conv2d, (2, 4, 7, 6), (4, 6, 3), 1, 1, 1, 1, 0),
    ("Conv2d strided", nn.Conv2d, (2, 8, 7, 6), (8, 20, 3), 2, 1, 1, 1, 0),
    ("Conv2d dilated", nn.Conv2d, (2, 4, 9, 9), (4, 6, 3), 1, 2, 2, 1, 0),
    ("Conv2d grouped", nn.Conv2d, (2, 4, 7, 6), (4, 6, 3), 1, 1, 1, 2, 0),
    ("Conv2d depthwise", nn.Conv2d, (2, 4, 7, 6), (4, 8, 3), 1, 1, 1, 4, 0),
    ("Conv3d", nn.Conv3d, (1, 3, 5, 4, 6), (3, 4, 3), 2, 1, 1, 1, 0),
    ("ConvTranspose1d", nn.ConvTranspose1d, (2, 4, 5), (4, 6, 3), 2, 1, 1, 1, 1),
    ("ConvTranspose2d", nn.ConvTranspose2d, (2, 4, 5, 4), (4, 3, 4), 2, 1, 1, 1, 0),
    ("ConvTranspose2d grouped", nn.ConvTranspose2d, (2, 4, 5, 4), (4, 6, 3), 3, 0, 2, 2, 1),
    ("ConvTranspose3d", nn.ConvTranspose3d, (1, 2, 3, 2, 3), (2, 3, 3), 2, 1, 1, 1, 1),
]


def main() -> None:
    torch.manual_seed(0)
    kept = {}
    for name, kind, shape, sizes, stride, padding, dilation, groups, extra in CASES:
        options = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "bias": False,
        }
        if "Transpose" in name:
            options["output_padding"] = extra
        layer = kind(*sizes, **options)
        x = torch.randn(shape, requires_grad=True)
        y = layer(x)
        g = torch.randn_like(y)
        y.backward(g)
        arrays = {"x": x, "weight": layer.weight, "y": y, "g": g, "gx": x.grad, "gweight": layer.weight.grad}
        kept |= {f"{name}/{key}": value.detach().numpy() for key, value in arrays.items()}
        kept[f"{name}/options"] = np.array([stride, padding, dilation, groups, extra])
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **kept)


if __name__ == "__main__":
    main()
