"""conv against JAX's own convolution, finite differences and the compiled program."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checks import naive_convolutions
from flax import nnx
from jax import lax

from manyfit.errors import ConfigError
from manyfit.nn import _convolution
from manyfit.nn.conv import Conv1d, Conv2d, Conv3d, ConvTranspose2d, convolution, transposed_convolution

CASES = [
    # input (B, *spatial, C), kernel (*window, Cin / groups, Cout), stride, padding, dilation, groups
    ((2, 6, 5, 3), (3, 3, 3, 4), 1, "SAME", 1, 1),
    ((2, 6, 5, 6), (3, 3, 6, 4), 1, "SAME", 1, 1),
    ((2, 6, 5, 9), (3, 3, 9, 20), 1, "SAME", 1, 1),
    ((2, 7, 8, 6), (3, 2, 6, 4), (2, 3), "SAME", 1, 1),
    ((2, 7, 8, 2), (3, 2, 2, 4), (2, 3), "VALID", 1, 1),
    ((2, 8, 8, 6), (3, 3, 6, 4), 2, "VALID", 1, 1),  # the last row and column are never seen
    ((2, 8, 8, 2), (3, 3, 2, 20), 2, "VALID", 1, 1),
    ((2, 5, 5, 6), (3, 3, 6, 4), 1, 3, 1, 1),  # more padding than the kernel reaches
    ((2, 5, 5, 1), (3, 3, 1, 4), 2, 3, 1, 1),
    ((2, 5, 6, 8), (1, 1, 8, 3), 1, "SAME", 1, 1),
    ((2, 5, 6, 8), (1, 1, 8, 3), 3, "VALID", 1, 1),
    ((1, 4, 4, 8), (4, 4, 8, 2), 1, "VALID", 1, 1),
    ((2, 6, 6, 5), (3, 3, 5, 2), 1, ((2, 0), (0, 1)), 1, 1),
    ((2, 5, 9, 3), (2, 3, 3, 4), 1, "VALID", 1, 1),
    ((1, 5, 8, 64), (3, 3, 64, 64), 1, "SAME", 1, 1),
    ((2, 9, 9, 6), (3, 3, 6, 4), 1, "SAME", 2, 1),
    ((2, 9, 10, 6), (3, 2, 6, 4), 2, 2, (1, 3), 1),
    ((2, 6, 6, 6), (3, 3, 2, 9), 1, "SAME", 1, 3),  # groups
    ((2, 7, 6, 4), (3, 3, 2, 6), 2, "SAME", 2, 2),
    ((2, 6, 6, 5), (3, 3, 1, 5), 1, "SAME", 1, 5),  # depthwise
    ((2, 7, 6, 5), (3, 2, 1, 5), 2, 3, 2, 5),
    ((2, 6, 6, 5), (3, 3, 1, 5), 1, 3, 1, 5),  # its input gradient would need negative pads
    ((2, 6, 6, 3), (3, 3, 1, 6), 1, "SAME", 1, 3),  # two outputs a channel
    ((2, 9, 3), (3, 3, 4), 1, "SAME", 1, 1),
    ((2, 9, 8), (4, 8, 20), 3, "VALID", 2, 1),
    ((2, 9, 4), (3, 1, 4), 2, 1, 1, 4),
    ((2, 5, 6, 4, 3), (3, 3, 2, 3, 4), 1, "SAME", 1, 1),
    ((2, 7, 6, 5, 4), (3, 3, 2, 2, 6), 2, "SAME", 1, 2),
    ((1, 7, 6, 5, 3), (2, 3, 2, 1, 3), 1, ((1, 0), (0, 2), (1, 1)), (2, 1, 1), 3),
]
TWO_DIMENSIONS = [case for case in CASES if len(case[0]) == 4]


def sizes(value, dims):
    return (value,) * dims if isinstance(value, int) else value


def reference(x, kernel, stride, padding, dilation=1, groups=1):
    dims = x.ndim - 2
    space = "DHW"[-dims:]
    return lax.conv_general_dilated(
        x,
        kernel,
        sizes(stride, dims),
        [(padding, padding)] * dims if isinstance(padding, int) else padding,
        rhs_dilation=sizes(dilation, dims),
        dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"),
        feature_group_count=groups,
        precision="highest",
    )


def draw(*shapes, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=shape), dtype) for shape in shapes]


def value_and_pull(function, x, k, g):
    """The value and both gradients for the output gradient ``g``, compiled as one."""

    @jax.jit
    def run(x, k, g):
        value, pull = jax.vjp(function, x, k)
        return value, *pull(g)

    return run(x, k, g)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_and_gradients_equal_lax(case):
    image, kernel, *options = case
    x, k = draw(image, kernel)
    (g,) = draw(jax.eval_shape(lambda x, k: reference(x, k, *options), x, k).shape)
    expected = value_and_pull(lambda x, k: reference(x, k, *options), x, k, g)
    for got, want in zip(
        value_and_pull(lambda x, k: convolution(x, k, *options), x, k, g), expected, strict=True
    ):
        # sums of at most a few hundred float32 products of order one
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def ways(case):
    """The tables of products that can compute a case."""
    groups, kernel = case[5], case[1]
    depthwise = groups > 1 and kernel[2] == 1 and kernel[3] == groups
    winograd = case[2] == 1 and case[3] != 3 and case[4] == 1 and groups == 1 and kernel[1] == 3
    return ["CONVOLUTIONS", "MATMULS"] + ["DEPTHWISE"] * depthwise + ["WINOGRAD"] * winograd


@pytest.mark.parametrize(
    ("case", "way"), [(case, way) for case in TWO_DIMENSIONS for way in ways(case)], ids=str
)
def test_every_way_to_compute_has_exact_gradients(case, way, monkeypatch):
    products = {**_convolution.CONVOLUTIONS, **getattr(_convolution, way)}
    monkeypatch.setattr(_convolution, "run", lambda product, a, b, geo: products[product](a, b, geo))
    image, kernel, *options = case
    with jax.enable_x64(True):
        x, k, dx, dk = draw(image, kernel, image, kernel, dtype=np.float64)
        expected = reference(x, k, *options)
        np.testing.assert_allclose(
            jax.jit(convolution, static_argnums=(2, 3, 4, 5))(x, k, *options),
            expected,
            rtol=1e-12,
            atol=1e-12,
        )
        (g,) = draw(expected.shape, dtype=np.float64)

        @jax.jit
        def loss(x, k):
            return jnp.sum(jnp.sin(convolution(x, k, *options)) * g)

        gx, gk = jax.jit(jax.grad(loss, (0, 1)))(x, k)
        step = 1e-5
        slope = (loss(x + step * dx, k + step * dk) - loss(x - step * dx, k - step * dk)) / (2 * step)
        # the central difference is exact to about step**2 = 1e-10 of the third derivative
        np.testing.assert_allclose(jnp.vdot(gx, dx) + jnp.vdot(gk, dk), slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("width", [7, 8, 13])
def test_winograd_rounds_little_more_than_the_direct_sum(width):
    x, k = draw((2, 6, width, 64), (3, 3, 64, 64))
    with jax.enable_x64(True):
        exact = np.asarray(reference(jnp.asarray(x, jnp.float64), jnp.asarray(k, jnp.float64), 1, "SAME"))
    scale = exact.std()
    error = np.abs(np.asarray(convolution(x, k)) - exact).max() / scale
    direct = np.abs(np.asarray(reference(x, k, 1, "SAME")) - exact).max() / scale
    assert 0 < direct < 1e-5
    assert error < 8 * direct


TRANSPOSED = [
    # input, kernel (*window, Cout / groups, Cin), stride, padding, dilation, groups, output padding, output space
    ((2, 5, 4, 6), (3, 3, 3, 6), 2, "SAME", 1, 1, 0, (10, 8)),
    ((2, 5, 4, 6), (4, 4, 3, 6), 2, 1, 1, 1, 0, (10, 8)),
    ((2, 5, 4, 6), (3, 3, 3, 6), 2, 1, 1, 1, 1, (10, 8)),
    ((2, 5, 4, 6), (3, 2, 2, 6), 3, "VALID", 2, 2, (0, 2), (17, 14)),
    ((2, 5, 4), (3, 2, 4), 2, 0, 1, 1, 0, (11,)),
    ((1, 3, 2, 3, 4), (3, 3, 2, 2, 4), 2, 1, 1, 1, 0, (5, 3, 4)),
]


@pytest.mark.parametrize("case", TRANSPOSED, ids=str)
def test_transposed_is_the_transpose(case):
    """<convolution(z), x> == <z, transposed_convolution(x)> for every z and x, with the size that PyTorch documents."""
    shape, kernel, stride, padding, dilation, groups, extra, space = case
    x, k = draw(shape, kernel)
    y = jax.jit(lambda x, k: transposed_convolution(x, k, stride, padding, dilation, groups, extra))(x, k)
    assert y.shape == (shape[0], *space, kernel[-2] * groups)
    (z,) = draw(y.shape)
    forward = reference(z, k, stride, padding, dilation, groups)
    np.testing.assert_allclose(jnp.vdot(forward, x), jnp.vdot(z, y), rtol=1e-4, atol=1e-4)


def test_transposed_has_gradients_of_its_own():
    with jax.enable_x64(True):
        x, k, dx, dk = draw((2, 4, 3, 5), (3, 3, 2, 5), (2, 4, 3, 5), (3, 3, 2, 5), dtype=np.float64)

        @jax.jit
        def loss(x, k):
            return jnp.sum(jnp.sin(transposed_convolution(x, k, 2)))

        gx, gk = jax.jit(jax.grad(loss, (0, 1)))(x, k)
        step = 1e-5
        slope = (loss(x + step * dx, k + step * dk) - loss(x - step * dx, k - step * dk)) / (2 * step)
        np.testing.assert_allclose(jnp.vdot(gx, dx) + jnp.vdot(gk, dk), slope, rtol=1e-6, atol=1e-6)


STORED = np.load(Path(__file__).parents[1] / "reference" / "conv_torch.npz")


@pytest.mark.parametrize("name", sorted({key.split("/")[0] for key in STORED.files}))
def test_equals_pytorch(name):
    """Layers with PyTorch's weights: outputs and gradients, tests/reference/conv_torch.py."""
    kept = {key.split("/")[1]: jnp.asarray(STORED[key]) for key in STORED.files if key.split("/")[0] == name}
    stride, padding, dilation, groups, extra = (int(v) for v in kept["options"])
    transposed = name.startswith("ConvTranspose")
    # PyTorch: (B, C, *space), kernel (out, in / groups, *window), transposed (in, out / groups, *window)
    x, k = jnp.moveaxis(kept["x"], 1, -1), jnp.moveaxis(kept["weight"], (1, 0), (-2, -1))

    def run(x, k):
        if transposed:
            return transposed_convolution(x, k, stride, padding, dilation, groups, extra)
        return convolution(x, k, stride, padding, dilation, groups)

    value, gx, gk = value_and_pull(run, x, k, jnp.moveaxis(kept["g"], 1, -1))
    expected = [jnp.moveaxis(kept["y"], 1, -1), jnp.moveaxis(kept["gx"], 1, -1)]
    expected.append(jnp.moveaxis(kept["gweight"], (1, 0), (-2, -1)))
    for got, want in zip((value, gx, gk), expected, strict=True):
        # float32 sums of some dozens of products of order one, in another order
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


def test_causal_sees_no_future():
    x, k = draw((1, 12, 3), (3, 3, 4))
    slope = jax.jacobian(lambda x: convolution(x, k, 1, "CAUSAL", 2)[0, :, 0])(x)[:, 0].any(-1)
    expected = [[s in (t, t - 2, t - 4) for s in range(12)] for t in range(12)]
    np.testing.assert_array_equal(slope, expected)


@pytest.mark.parametrize("channels", [2, 6])
def test_vmap_equals_loop_for_every_gradient_and_nesting(channels):
    x, k = draw((3, 2, 2, 6, 6, channels), (3, 2, 3, 3, channels, 4))
    one = jax.value_and_grad(lambda x, k: jnp.sum(jnp.tanh(convolution(x, k, 2))), (0, 1))
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
    got = jax.vmap(convolution, axes)(x, k)
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

    for got, want in zip(penalty(convolution)(x, k), penalty(reference)(x, k), strict=True):
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


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the layout matters to XLA:CPU alone")
def test_no_slow_convolution_in_a_training_scan_on_cpu():
    program = training_program(convolution)
    assert naive_convolutions(program) == []
    assert "convolution(" in program, "the second layer is expected to be a convolution in the fast layout"
    assert "feature_group_count" not in program
    assert naive_convolutions(training_program(reference)), (
        "JAX's own convolution no longer shows the fault that this check looks for"
    )


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
        (lambda: convolution(jnp.ones((5, 5)), jnp.ones((3, 3, 3, 1))), "B, .spatial, channels"),
        (
            lambda: convolution(jnp.ones((1, 5, 5, 3)), jnp.ones((3, 3, 2, 1))),
            "3 channels and the kernel is for 2",
        ),
        (
            lambda: convolution(jnp.ones((1, 5, 5, 4)), jnp.ones((3, 3, 2, 3)), groups=2),
            "groups=2 does not divide",
        ),
        (lambda: convolution(jnp.ones((1, 5, 5, 3)), jnp.ones((6, 6, 3, 1)), 1, "VALID"), "does not fit"),
        (
            lambda: convolution(jnp.ones((1, 2, 5, 5, 3)), jnp.ones((3, 3, 3, 3, 1)), 1, "VALID"),
            "does not fit",
        ),
        (lambda: convolution(jnp.ones((1, 5, 5, 3)), jnp.ones((3, 3, 3, 1)), 0), "stride=0"),
        (lambda: convolution(jnp.ones((1, 5, 5, 3)), jnp.ones((3, 3, 3, 1)), 1, "FULL"), "padding='FULL'"),
        (
            lambda: convolution(jnp.ones((1, 5, 5, 3)), jnp.ones((3, 3, 3, 1)), 1, "CAUSAL"),
            "padding='CAUSAL'",
        ),
        (
            lambda: convolution(jnp.ones((1, 5, 5, 3), jnp.uint8), jnp.ones((3, 3, 3, 1), jnp.int32)),
            "floating-point",
        ),
        (lambda: Conv2d(0, 3, rngs=nnx.Rngs(0)), "at least one channel"),
        (lambda: Conv2d(4, 6, groups=4, rngs=nnx.Rngs(0)), "groups=4"),
        (lambda: Conv1d(1, 1, rngs=nnx.Rngs(0))(jnp.ones((1, 5, 5, 1))), "3 dimensions"),
        (lambda: Conv3d(1, 1, (3, 3), rngs=nnx.Rngs(0)), "3 of them"),
        (
            lambda: transposed_convolution(jnp.ones((1, 5, 5, 3)), jnp.ones((3, 3, 1, 2))),
            "3 channels and the kernel",
        ),
        (
            lambda: transposed_convolution(
                jnp.ones((1, 5, 5, 2)), jnp.ones((3, 3, 1, 2)), 2, 1, output_padding=2
            ),
            "less",
        ),
        (
            lambda: transposed_convolution(jnp.ones((1, 1, 1, 2)), jnp.ones((3, 3, 1, 2)), 1, 3),
            "nothing is left",
        ),
        (lambda: ConvTranspose2d(2, 1, output_padding=-1, rngs=nnx.Rngs(0)), "output_padding=-1"),
    ],
)
def test_errors_name_the_fault(call, text):
    with pytest.raises(ConfigError, match=text):
        call()
