"""Architectures by the names that the field gives them."""

from __future__ import annotations

from typing import Any, get_args

from manyfit.errors import ConfigError, nearest
from manyfit.models.bow import BagOfWords
from manyfit.models.cells import Cell
from manyfit.models.cnn import CNN
from manyfit.models.convnext import ConvNeXt
from manyfit.models.decoder import Decoder, Recurrent
from manyfit.models.lenet import LeNet
from manyfit.models.mlp import MLP
from manyfit.models.mobilenet import IMAGENET, MobileNet
from manyfit.models.resmlp import ResMLP
from manyfit.models.resnet import ResNet, WideResNet
from manyfit.models.seq2seq import EncoderDecoder, RecurrentEncoderDecoder
from manyfit.models.series_classifiers import InceptionTime, SeriesResNet, SeriesRNN
from manyfit.models.tabm import TabM
from manyfit.models.tagger import Tagger
from manyfit.models.tcn import SeriesTCN
from manyfit.models.textcnn import TextCNN
from manyfit.models.textrnn import TextRNN
from manyfit.models.texttransformer import TextTransformer
from manyfit.models.unet import UNet
from manyfit.models.vit import ViT


def _cifar(depth: int) -> ResNet:
    return ResNet(blocks=((depth - 2) // 6,) * 3)


def _imagenet(blocks: tuple[int, ...], block: Any = "basic") -> ResNet:
    return ResNet(blocks, (64, 128, 256, 512), block, stem="large", shortcut="projection")


TABLES: dict[str, Any] = {"mlp": MLP(), "resmlp": ResMLP(), "tabm": TabM()}
"""For rows of numbers and categories."""

IMAGES: dict[str, Any] = {
    "cnn": CNN(),
    "cnn-bn": CNN((32, 64, 128), norm="batch"),
    "lenet": LeNet(),
    **{f"resnet{depth}": _cifar(depth) for depth in (8, 20, 32, 44, 56, 110)},
    "resnet18": _imagenet((2, 2, 2, 2)),
    "resnet34": _imagenet((3, 4, 6, 3)),
    "resnet50": _imagenet((3, 4, 6, 3), "bottleneck"),
    "wrn-10-2": WideResNet(10, 2),
    "wrn-16-4": WideResNet(16, 4),
    "wrn-16-8": WideResNet(16, 8),
    "wrn-28-10": WideResNet(28, 10),
    "convnext": ConvNeXt(),
    "convnext-tiny": ConvNeXt((3, 3, 9, 3), (96, 192, 384, 768), patch=4),
    "mobilenet": MobileNet(),
    "mobilenetv2": MobileNet(IMAGENET, stem_stride=2, last=1280),
    "vit": ViT(),
    "vit-ti16": ViT(16, 192, 12, 3),
    "vit-s16": ViT(16, 384, 12, 6),
    "vit-b16": ViT(16, 768, 12, 12),
}
"""For a class, or a value, of each image."""

PIXELS: dict[str, Any] = {"unet": UNet(), "unet-64": UNet((64, 128, 256, 512, 1024))}
"""For a class, or a value, of each pixel."""

LANGUAGE: dict[str, Any] = {
    "decoder": Decoder(norm="rms", positions="rotary", gated=True, activation="silu"),
    "gpt": Decoder(),
    **{cell: Recurrent(cell) for cell in get_args(Cell)},
}
"""For the next token of a text."""

TEXTS: dict[str, Any] = {
    "bow": BagOfWords(),
    "textcnn": TextCNN(),
    **{cell: TextRNN(cell) for cell in get_args(Cell)},
    "transformer": TextTransformer(),
}
"""For a class, or a value, of each text."""

PAIRS: dict[str, Any] = {
    "transformer": EncoderDecoder(),
    **{cell: RecurrentEncoderDecoder(cell=cell) for cell in get_args(Cell)},
}
"""For a text made of another."""

SERIES: dict[str, Any] = {
    "resnet1d": SeriesResNet(),
    "inception": InceptionTime(),
    **{cell: SeriesRNN(cell) for cell in get_args(Cell)},
    "tcn": SeriesTCN(),
}
"""For a class, or a value, of each series."""

TAGGERS: dict[str, Any] = {
    **{cell: Tagger(cell) for cell in get_args(Cell)},
    "lstm-crf": Tagger("lstm", crf=True),
    "transformer": Tagger("transformer", layers=2),
    "cnn": Tagger("cnn", layers=3),
}
"""For a label of each word."""

NAMES: dict[str, Any] = {**TAGGERS, **TABLES, **IMAGES, **PIXELS, **PAIRS, **SERIES, **TEXTS, **LANGUAGE}
"""Every architecture that a configuration may name."""


def named(name: str) -> Any:
    """The architecture of that name; raises ``ConfigError`` with the nearest one.

    >>> named("resnet20").blocks
    (3, 3, 3)
    """
    if name not in NAMES:
        raise ConfigError(f"unknown model {name!r}: {nearest(name, NAMES)}")
    return NAMES[name]
