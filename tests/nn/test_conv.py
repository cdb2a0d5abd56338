"""conv2d against JAX's own convolution, finite differences and the compiled program."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn import conv
from manyfit.nn.conv import Conv2d, conv2d

CASES = [
    # images (B, H, W, C), kernel (kh, kw, Cin, Cout), stride, padding
    ((2, 6, 5, 3), (3, 3, 3, 4), 1, "SAME"),
    ((2, 6, 5, 6), (3, 3, 6, 4), 1, "SAME"),
    ((2, 7, 8, 6), (3, 2, 6, 4), (2, 3), "SAME"),
    ((2, 7, 8, 2), (3, 2, 2, 4), (2, 3), "VALID"),
    ((2, 8, 8, 6), (3, 3, 6, 4), 2, "VALID"),  # the last row and column are never seen
    ((2, 8, 8, 2), (3, 3, 2, 4), 2, "VALID"),
    ((2, 5, 5, 6), (3, 3, 6, 4), 1, 3),  # more padding than the kernel reaches
    ((2, 5, 5, 1), (3, 3, 1, 4), 2, 3),
    ((2, 5, 6, 8), (1, 1, 8, 3), 1, "SAME"),
    ((2, 5, 6, 8), (1, 1, 8, 3), 3, "VALID"),
    ((1, 4, 4, 8), (4, 4, 8, 2), 1, "VALID"),
    ((2, 6, 6, 5), (3, 3, 5, 2), 1, ((2, 0), (0, 1))),
]


def reference(x, kernel, stride, padding):
    strides = (stride, stride) if isinstance(stride, int) else stride
    pads = [(padding, padding)] * 2 if isinstance(padding, int) else padding
    return lax.conv_general_dilated(
        x, kernel, strides, pads, dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
    )


def draw(*shapes, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=shape), dtype) for shape in shapes]


@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), CASES)
def test_value_and_gradients_equal_lax(image, kernel, stride, padding):
    x, k = draw(image, kernel)
    expected, vjp = jax.vjp(lambda x, k: reference(x, k, stride, padding), x, k)
    value, own = jax.vjp(lambda x, k: conv2d(x, k, stride, padding), x, k)
    (g,) = draw(expected.shape)
    # sums of at most a few hundred float32 products of order one
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)
    for got, want in zip(own(g), vjp(g), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("image", "kernel", "stride", "padding"), CASES)
@pytest.mark.parametrize("method", ["_CONVOLUTIONS", "_MATMULS"])
def test_gradients_equal_finite_differences(image, kernel, stride, padding, method, monkeypatch):
    monkeypatch.setattr(conv, "_run", lambda product, a, b, geo: getattr(conv, method)[product](a, b, geo))
    with jax.enable_x64(True):
        x, k, dx, dk = draw(image, kernel, image, kernel, dtype=np.float64)
        (g,) = draw(reference(x, k, stride, padding).shape, dtype=np.float64)

        def loss(x, k):
            return jnp.sum(jnp.sin(conv2d(x, k, stride, padding)) * g)

        gx, gk = jax.grad(loss, (0, 1))(x, k)
        step = 1e-5
        slope = (loss(x + step * dx, k + step * dk) - loss(x - step * dx, k - step * dk)) / (2 * step)
        # the central difference is exact to about step**2 = 1e-10 of the third derivative
        np.testing.assert_allclose(jnp.vdot(gx, dx) + jnp.vdot(gk, dk), slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("channels", [2, 6])
def test_vmap_equals_loop_for_every_gradient_and_nesting(channels):
    x, k = draw((3, 2, 2, 6, 6, channels), (3, 2, 3, 3, channels, 4))
    one = jax.value_and_grad(lambda x, k: jnp.sum(jnp.tanh(conv2d(x, k, 2))), (0, 1))
    together = jax.jit(jax.vmap(jax.vmap(one)))(x, k)
    for i in range(3):
        for j in range(2):
            alone = one(x[i, j], k[i, j])
            got = jax.tree.map(lambda leaf, i=i, j=j: leaf[i, j], together)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), got, alone)


@pytest.mark.parametrize("axes", [(0, None), (None, 0)])
def test_vmap_over_one_argument(axes):
    x, k = draw((3, 2, 5, 5, 6), (3, 3, 3, 6, 4))
    x, k = (x if axes[0] == 0 else x[0]), (k if axes[1] == 0 else k[0])
    got = jax.vmap(conv2d, axes)(x, k)
    want = [reference(x[i] if axes[0] == 0 else x, k[i] if axes[1] == 0 else k, 1, "SAME") for i in range(3)]
    np.testing.assert_allclose(got, jnp.stack(want), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [2, 6])
def test_gradient_of_a_gradient_penalty(channels):
    """A GAN's penalty differentiates the input gradient; vmapped as in a population."""
    x, k = draw((2, 2, 6, 6, channels), (2, 3, 3, channels, 4))

    def penalty(convolve):
        def of(x, k):
            return jnp.sum(jax.grad(lambda x: jnp.sum(jnp.tanh(convolve(x, k, 2, "SAME"))))(x) ** 2)

        return jax.vmap(jax.grad(of, (0, 1)))

    for got, want in zip(penalty(conv2d)(x, k), penalty(reference)(x, k), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)


def training_program(convolve, members=3):
    """The optimised HLO of a population training two layers in a scan."""

    def train(x, kernels):
        def step(kernels, _):
            def loss(kernels):
                return jnp.mean(
                    convolve(jnp.tanh(convolve(x, kernels[0], 1, "SAME")), kernels[1], 2, "SAME") ** 2
                )

            return jax.tree.map(lambda p, g: p - g, kernels, jax.grad(loss)(kernels)), None

        return lax.scan(step, kernels, None, length=5)[0]

    x, first, second = draw((members, 4, 8, 8, 1), (members, 3, 3, 1, 8), (members, 3, 3, 8, 8))
    return jax.jit(jax.vmap(train)).lower(x, (first, second)).compile().as_text()


def slow_convolutions(program):
    """Convolutions that XLA:CPU has no fast routine for: another layout, grouped or reversed."""
    lines = [line for line in program.splitlines() if re.search(r"\bconvolution\(", line)]
    return [
        line
        for line in lines
        if "dim_labels=b01f_01io->b01f" not in line
        or re.search(r"feature_group_count|batch_group_count|rhs_reversal", line)
    ], lines


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the layout matters to XLA:CPU alone")
def test_no_slow_convolution_in_a_training_scan_on_cpu():
    slow, every = slow_convolutions(training_program(conv2d))
    assert slow == []
    assert every, "the second layer is expected to be a convolution in the fast layout"
    slow, _ = slow_convolutions(training_program(reference))
    assert slow, "JAX's own convolution no longer shows the fault that this check looks for"


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_layer_keeps_the_dtype_of_its_input(dtype):
    layer = Conv2d(8, 4, 3, rngs=nnx.Rngs(0))
    y = layer(jnp.ones((2, 5, 5, 8), dtype))
    assert (y.shape, y.dtype) == ((2, 5, 5, 4), dtype)


def test_layer_equals_flax_and_has_he_initialisation():
    layer = Conv2d(64, 128, 3, stride=2, padding="VALID", rngs=nnx.Rngs(0))
    assert layer.kernel[...].shape == (3, 3, 64, 128)
    # 73,728 draws: the standard deviation is known to 0.3 %
    assert float(jnp.std(layer.kernel[...])) == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)
    assert not np.any(layer.bias[...])
    other = nnx.Conv(64, 128, (3, 3), 2, padding="VALID", rngs=nnx.Rngs(1))
    other.kernel[...] = layer.kernel[...]
    (x,) = draw((2, 7, 7, 64))
    np.testing.assert_allclose(layer(x), other(x), rtol=1e-4, atol=1e-4)
    assert Conv2d(1, 2, use_bias=False, rngs=nnx.Rngs(0)).bias is None


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: conv2d(jnp.ones((5, 5, 3)), jnp.ones((3, 3, 3, 1))), "B, H, W, C"),
        (
            lambda: conv2d(jnp.ones((1, 5, 5, 3)), jnp.ones((3, 3, 2, 1))),
            "3 channels and the kernel is for 2",
        ),
        (lambda: conv2d(jnp.ones((1, 5, 5, 3)), jnp.ones((6, 6, 3, 1)), 1, "VALID"), "does not fit"),
        (lambda: conv2d(jnp.ones((1, 5, 5, 3)), jnp.ones((3, 3, 3, 1)), 0), "stride=0"),
        (lambda: conv2d(jnp.ones((1, 5, 5, 3)), jnp.ones((3, 3, 3, 1)), 1, "FULL"), "padding='FULL'"),
        (
            lambda: conv2d(jnp.ones((1, 5, 5, 3), jnp.uint8), jnp.ones((3, 3, 3, 1), jnp.int32)),
            "floating-point",
        ),
        (lambda: Conv2d(0, 3, rngs=nnx.Rngs(0)), "at least one channel"),
    ],
)
def test_errors_name_the_fault(call, text):
    with pytest.raises(ConfigError, match=text):
        call()
