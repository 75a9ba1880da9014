"""Derivatives of the third and fourth order, and a Hessian-vector product through a convolutional network."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor

RNG = np.random.default_rng(0)


def leaf(values):
    return Tensor(np.array(values, np.float64), requires_grad=True)


def repeated(function, x, order):
    """Return d^k f / dx^k for k up to ``order``, of a function that works element by element."""
    x, found = leaf(x), []
    y = function(x)
    for _ in range(order):
        y = te.grad(y.sum(), x, create_graph=True)
        found.append(y.data)
    return found


def test_products_of_sines_and_exponentials():
    x = np.linspace(-2, 2, 7)
    for k, found in enumerate(repeated(lambda x: te.sin(x) * te.exp(x), x, 5), start=1):
        # Each derivative turns sin x e^x by 45° and stretches it by √2.
        np.testing.assert_allclose(
            found, 2 ** (k / 2) * np.exp(x) * np.sin(x + k * np.pi / 4), rtol=1e-11, atol=1e-14
        )


def test_tanh_and_a_power():
    x = np.linspace(-1, 1, 6)
    t = np.tanh(x)
    s = 1 - t**2
    expected = [s, -2 * t * s, s * (6 * t**2 - 2), s * (16 * t - 24 * t**3)]
    for found, value in zip(repeated(te.tanh, x, 4), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-11)
    for found, value in zip(
        repeated(lambda x: x**3 / x, x, 4), [2 * x, 0 * x + 2, 0 * x, 0 * x], strict=True
    ):
        np.testing.assert_allclose(found, value, atol=1e-9)


def test_softmax_against_its_cumulants():
    """logsumexp generates the cumulants: mean, covariance, third and fourth central moments less pairs."""
    x = np.array([0.3, -1.0, 0.8])
    p = np.exp(x) / np.exp(x).sum()
    np.testing.assert_allclose(te.jacobian(te.logsumexp, x).data, p)
    np.testing.assert_allclose(te.hessian(te.logsumexp, x).data, np.diag(p) - np.outer(p, p))
    second = te.jacobian(lambda x: te.jacobian(te.softmax, x), x)
    third = te.jacobian(lambda x: te.jacobian(lambda x: te.jacobian(te.softmax, x), x), x)
    e = np.eye(3) - p  # row i: the indicator of class i, less its mean, for each class drawn
    np.testing.assert_allclose(second.data, np.einsum("n,ni,nj,nk->ijk", p, e, e, e), atol=1e-14)
    pairs = np.einsum("n,ni,nj->ij", p, e, e)
    fourth = np.einsum("n,ni,nj,nk,nl->ijkl", p, e, e, e, e)
    for split in ("ij,kl->ijkl", "ik,jl->ijkl", "il,jk->ijkl"):
        fourth -= np.einsum(split, pairs, pairs)
    np.testing.assert_allclose(third.data, fourth, atol=1e-14)


def test_a_chain_of_matrix_products():
    """tr (A X B X C X): the third derivative along V is 6 tr (A V B V C V), the fourth 0."""
    a, b, c, x, v = RNG.normal(size=(5, 3, 3))

    def function(x):
        return te.sum(te.matmul(a @ te.matmul(x, b), x) @ c @ x * np.eye(3))

    def along(f):
        return lambda x: te.jvp(f, x, v)[1]

    first, second, third = along(function), along(along(function)), along(along(along(function)))
    trace = [
        np.trace(a @ p @ b @ q @ c @ r)
        for p, q, r in [(v, x, x), (x, v, x), (x, x, v), (v, v, x), (v, x, v), (x, v, v), (v, v, v)]
    ]
    np.testing.assert_allclose(first(x).item(), sum(trace[:3]), rtol=1e-12)
    np.testing.assert_allclose(second(x).item(), 2 * sum(trace[3:6]), rtol=1e-12)
    np.testing.assert_allclose(third(x).item(), 6 * trace[6], rtol=1e-12)
    assert abs(along(third)(x).item()) < 1e-9


def convolutional(x, kernel, weights):
    """conv2d, max_pool2d and log_softmax: smooth but for the pools' ties."""
    h = te.max_pool2d(te.tanh(te.conv2d(x, kernel)), 2)
    return te.log_softmax(te.reshape(h, (h.shape[0], -1)) @ weights)


@pytest.mark.parametrize("order", [3, 4])
def test_convolution_pooling_and_log_softmax(order):
    x = RNG.normal(size=(2, 5, 5, 1))
    kernel, weights = RNG.normal(size=(2, 2, 1, 2)) * 0.5, RNG.normal(size=(8, 3)) * 0.5
    v, labels = RNG.normal(size=kernel.shape) * 0.3, np.eye(3)[[0, 2]]

    def derivative(k):
        def function(kernel):
            return -(convolutional(x, kernel, weights) * labels).sum()

        for _ in range(k):
            function = (lambda f: lambda kernel: te.jvp(f, kernel, v)[1])(function)
        return function

    step = 1e-5
    lower = derivative(order - 1)
    slope = (lower(kernel + step * v).item() - lower(kernel - step * v).item()) / (2 * step)
    assert derivative(order)(kernel).item() == pytest.approx(slope, rel=1e-6)


def normalized(x):
    """Normalise each channel over the batch and all places, of means and products alone."""
    mean = te.mean(x, axis=(0, 1, 2), keepdims=True)
    centred = x - mean
    variance = te.mean(centred * centred, axis=(0, 1, 2), keepdims=True)
    return centred / te.sqrt(variance + 1e-3)


@pytest.mark.parametrize("activation", [te.tanh, te.relu])
@pytest.mark.parametrize("norm", [normalized, None])
def test_a_hessian_vector_product_through_a_network(activation, norm):
    """Convolution, batch normalisation, pooling, dense: in all weights, against differences of gradients."""
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(4, 8, 8, 2)), np.eye(3)[[0, 2, 1, 1]]
    shapes = [(3, 3, 2, 4), (4,), (4,), (36, 3), (3,)]
    weights = [rng.normal(size=shape) * 0.4 for shape in shapes]
    weights[1] += 1
    vectors = [rng.normal(size=shape) for shape in shapes]

    def loss(kernel, gamma, beta, dense, bias):
        h = te.conv2d(x, kernel)
        h = norm(h) * gamma + beta if norm else te.batch_norm(h, gamma, beta)
        h = te.max_pool2d(activation(h), 2)
        logits = te.reshape(h, (4, -1)) @ dense + bias
        return te.softmax_cross_entropy(logits, labels).mean()

    def gradients(step):
        leaves = [leaf(w + step * v) for w, v in zip(weights, vectors, strict=True)]
        return [g.data for g in te.grad(loss(*leaves), leaves)]

    value, products = te.hvp(loss, tuple(weights), tuple(vectors))
    assert value.item() == loss(*weights).item()
    step = 1e-6
    for product, up, down in zip(products, gradients(step), gradients(-step), strict=True):
        slope = (up - down) / (2 * step)
        assert np.abs(product.data - slope).max() <= 1e-6 * np.abs(slope).max()


def test_checkpoint_in_a_transform_whose_input_is_no_variable():
    x, v = Tensor(np.array([1.0, 2.0])), Tensor(np.array([0.5, -1.0]))

    def results(call):
        def f(x):
            return call(lambda z: te.exp(te.sin(z)), x)

        def nested(x):
            return call(f, x)

        y, pullback = te.vjp(f, x)
        found = [y, pullback(v), pullback(v), *te.jvp(f, x, v), te.jacobian(f, x), te.jacobian(nested, x)]
        return [*found, te.hessian(lambda x: f(x).sum(), x)]

    for a, b in zip(results(te.checkpoint), results(lambda function, x: function(x)), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    assert not any(result.requires_grad for result in results(te.checkpoint))
    assert not x.requires_grad


@pytest.mark.parametrize("call", [te.checkpoint, lambda function, x: function(x)])
def test_a_gradient_of_a_tangent_through_a_checkpoint(call):
    x, w = Tensor(np.array([0.5, 1.0])), Tensor(np.array([2.0, -1.0]), requires_grad=True)
    v = np.array([1.0, 3.0])
    _, tangent = te.jvp(lambda x: call(lambda z: te.exp(z * w), x), x, v)  # v w exp(x w)
    expected = v * np.exp(x.data * w.data) * (1 + x.data * w.data)
    np.testing.assert_allclose(te.grad(tangent.sum(), w).data, expected)
