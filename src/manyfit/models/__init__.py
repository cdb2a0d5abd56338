"""Architectures."""

from manyfit.models.architecture import Architecture, Custom, Inputs
from manyfit.models.bow import BagOfWords
from manyfit.models.cnn import CNN
from manyfit.models.convnext import ConvNeXt
from manyfit.models.decoder import Decoder, Recurrent
from manyfit.models.lenet import LeNet
from manyfit.models.mlp import MLP
from manyfit.models.mobilenet import MobileNet
from manyfit.models.names import named
from manyfit.models.resmlp import ResMLP
from manyfit.models.resnet import ResNet, WideResNet
from manyfit.models.seq2seq import EncoderDecoder, RecurrentEncoderDecoder
from manyfit.models.series_classifiers import InceptionTime, SeriesResNet, SeriesRNN
from manyfit.models.tabm import TabM
from manyfit.models.tagger import Tagger
from manyfit.models.tcn import SeriesTCN
from manyfit.models.text_and_columns import TextAndColumns
from manyfit.models.textcnn import TextCNN
from manyfit.models.textrnn import TextRNN
from manyfit.models.texttransformer import TextTransformer
from manyfit.models.trained import TrainedEncoder
from manyfit.models.unet import UNet
from manyfit.models.vit import ViT

PARTS = (
    CNN,
    MLP,
    ConvNeXt,
    Decoder,
    LeNet,
    MobileNet,
    Recurrent,
    ResMLP,
    ResNet,
    TabM,
    UNet,
    ViT,
    WideResNet,
    BagOfWords,
    TextAndColumns,
    TextCNN,
    TextRNN,
    TextTransformer,
    InceptionTime,
    SeriesResNet,
    SeriesRNN,
    TrainedEncoder,
    Tagger,
    SeriesTCN,
    EncoderDecoder,
    RecurrentEncoderDecoder,
)
"""What a run folder may name."""

__all__ = [
    "CNN",
    "MLP",
    "PARTS",
    "Architecture",
    "BagOfWords",
    "ConvNeXt",
    "Custom",
    "Decoder",
    "EncoderDecoder",
    "InceptionTime",
    "Inputs",
    "LeNet",
    "MobileNet",
    "Recurrent",
    "RecurrentEncoderDecoder",
    "ResMLP",
    "ResNet",
    "SeriesRNN",
    "SeriesResNet",
    "SeriesTCN",
    "TabM",
    "Tagger",
    "TextAndColumns",
    "TextCNN",
    "TextRNN",
    "TextTransformer",
    "TrainedEncoder",
    "UNet",
    "ViT",
    "WideResNet",
    "named",
]
