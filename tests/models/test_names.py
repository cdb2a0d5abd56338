"""Every named architecture: parameter counts as published, shapes, and errors that name the fault."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from manyfit.errors import ConfigError
from manyfit.models import ResNet, ViT, WideResNet, named
from manyfit.models.names import IMAGES


def parameters(name, side, outputs, channels=3):
    pixels = {"pixels": jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)}
    model = nnx.eval_shape(lambda: named(name).build(pixels, outputs, rngs=nnx.Rngs(0)))
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


@pytest.mark.parametrize(
    ("name", "side", "outputs", "published"),
    [
        # He et al. (2016), table 6, in millions
        ("resnet20", 32, 10, 0.27e6),
        ("resnet32", 32, 10, 0.46e6),
        ("resnet44", 32, 10, 0.66e6),
        ("resnet56", 32, 10, 0.85e6),
        ("resnet110", 32, 10, 1.7e6),
        # as torchvision and timm list them, to the last parameter
        ("resnet18", 224, 1000, 11_689_512),
        ("resnet34", 224, 1000, 21_797_672),
        ("resnet50", 224, 1000, 25_557_032),
        ("convnext-tiny", 224, 1000, 28_589_128),
        ("mobilenetv2", 224, 1000, 3_504_872),
        ("vit-ti16", 224, 1000, 5_717_416),
        ("vit-s16", 224, 1000, 22_050_664),
        ("vit-b16", 224, 1000, 86_567_656),
        # Zagoruyko & Komodakis (2016), table 4
        ("wrn-16-8", 32, 10, 11.0e6),
        ("wrn-28-10", 32, 10, 36.5e6),
    ],
)
def test_parameters_are_the_published_ones(name, side, outputs, published):
    counted = parameters(name, side, outputs)
    if published == round(published, -4):  # published in millions, to two or three digits
        assert counted == pytest.approx(published, rel=0.03)
    else:
        assert counted == published


def test_lenet_has_the_61706_parameters_of_its_present_form():
    assert parameters("lenet", 32, 10, channels=1) == parameters("lenet", 28, 10, channels=1) == 61_706


def test_unet_has_31_million_parameters():
    """Its five levels with batch normalisation, RGB in and two classes out."""
    assert parameters("unet-64", 64, 2) == 31_037_698


@pytest.mark.parametrize("name", sorted(set(IMAGES) - {"resnet56", "resnet110"}))
def test_every_name_builds_for_its_size(name):
    pixels = {"pixels": jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)}

    def run(x):
        return named(name).build(pixels, 5, rngs=nnx.Rngs(0))({"pixels": x})

    assert jax.eval_shape(run, pixels["pixels"]).shape == (2, 5)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: named("resnet21"), "did you mean"),
        (lambda: ResNet(blocks=(2, 2)), "one width for each stage"),
        (lambda: ResNet(blocks=(0, 1, 1)), "at least 1"),
        (lambda: WideResNet(depth=17), "6n \\+ 4"),
        (lambda: ViT(width=100, heads=3), "divide width"),
        (lambda: parameters("vit", 30, 10), "whole squares"),
        (lambda: parameters("lenet", 8, 10), "12x12"),
        (lambda: named("resnet20").build({}, 2, rngs=nnx.Rngs(0)), "the features are: none"),
    ],
)
def test_errors_name_the_fault(call, text):
    with pytest.raises(ConfigError, match=text):
        call()
