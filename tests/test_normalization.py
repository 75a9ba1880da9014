"""Normalisation where the table of operations doesn't look: large float32 batches, groups, refusals."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tinygrad_edu.testing import gradcheck, gradgradcheck

RNG = np.random.default_rng(0)
FAR_FROM_0 = (10.1 + 0.01 * RNG.standard_normal((32, 64, 64, 4))).astype(np.float32)


def normalized(x, axes, epsilon=1e-3):
    x = x.astype(np.float64)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
def test_a_large_float32_batch_is_normalized_to_its_last_digits(layout):
    x = layout(FAR_FROM_0)
    places = (0, 1, 2)
    y = te.batch_norm(Tensor(x))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, normalized(x, places), atol=1e-4)
    mean, variance = te.moments(Tensor(x), axis=places)
    np.testing.assert_allclose(mean.data, x.mean(places, np.float64), rtol=1e-7)
    np.testing.assert_allclose(variance.data, x.var(places, np.float64), rtol=1e-4)
    np.testing.assert_allclose(
        te.group_norm(Tensor(x), groups=2).data[:, :, :, :2], normalized(x[..., :2], (1, 2, 3)), atol=1e-4
    )


def test_equal_numbers_are_normalized_to_0():
    for x in (np.full((256, 32, 32, 4), 0.1, np.float32), np.full((70000, 3), 1e6 / 7, np.float32)):
        assert not te.batch_norm(Tensor(x)).data.any()


def test_gradients_of_the_shift_and_the_scale_of_many_places_are_exact():
    gamma, beta = (Tensor(np.full(4, v, np.float32), requires_grad=True) for v in (1.0, 0.0))
    y = te.batch_norm(Tensor(FAR_FROM_0), gamma, beta)
    g = np.full(y.shape, 0.1, np.float32)
    dgamma, dbeta = te.grad(y, (gamma, beta), g)
    np.testing.assert_allclose(dbeta.data, np.float32(0.1) * (y.size / 4), rtol=1e-6)
    np.testing.assert_allclose(dgamma.data, 0, atol=1)  # of 131072 terms, each up to about 0.4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_groups_are_normalized_apart(groups, dtype):
    x = RNG.standard_normal((3, 8, 8, 6)).astype(dtype)
    y = te.group_norm(Tensor(x), groups=groups)
    assert y.dtype == dtype
    split = normalized(x.reshape(3, 8, 8, groups, -1), (1, 2, 4)).reshape(x.shape)
    np.testing.assert_allclose(y.data, split, atol=1e-5 if dtype == np.float32 else 1e-13)
    first = te.group_norm(Tensor(np.moveaxis(x, -1, 1)), groups=groups, axis=1)
    np.testing.assert_allclose(np.moveaxis(first.data, 1, -1), y.data, atol=1e-5)


def test_gradients_of_groups_of_any_order():
    x, gamma, beta = RNG.standard_normal((2, 3, 4)), RNG.standard_normal(4), RNG.standard_normal(4)

    def function(x, gamma, beta):
        return te.group_norm(x, gamma, beta, groups=2)

    gradcheck(function, (x, gamma, beta))
    gradgradcheck(function, (x, gamma, beta))


@pytest.mark.parametrize("normalize", [te.batch_norm, te.layer_norm, te.group_norm])
@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"axis": None}, DTypeError, "axis must be a whole number, got None"),
        ({"axis": 0.5}, DTypeError, "axis must be a whole number, got 0.5"),
        ({"axis": 2}, ShapeError, "axis 2 is out of range"),
        ({"epsilon": None}, DTypeError, "epsilon must be a number, got None"),
        ({"epsilon": "a"}, DTypeError, "epsilon must be a number, got 'a'"),
        ({"epsilon": -1.0}, ArgumentError, "at least 0"),
        ({"epsilon": Tensor(0.1, requires_grad=True)}, GradientError, "epsilon gets no gradient"),
    ],
)
def test_what_can_not_be_meant_is_refused(normalize, given, error, words):
    groups = {"groups": 1} if normalize is te.group_norm else {}
    with pytest.raises(error, match=f"{normalize.__name__}: .*{words}"):
        normalize(Tensor(np.ones((2, 2))), **groups, **given)


def test_groups_and_axes_that_can_not_be_meant():
    x = Tensor(np.ones((2, 4)))
    for groups, error in ((None, DTypeError), (2.0, DTypeError), (3, ArgumentError), (0, ArgumentError)):
        with pytest.raises(error, match="groups"):
            te.group_norm(x, groups=groups)
    with pytest.raises(DTypeError, match="batch_norm: an axis"):
        te.batch_norm(x, axis=(0, 1))


def test_numbers_of_other_kinds_do_as_epsilon():
    x = np.array([[1.0], [3.0]], np.float32)
    for epsilon in (3, np.float64(3), np.array(3.0), Tensor(3.0)):
        y = te.batch_norm(Tensor(x), epsilon=epsilon)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y.data, [[-0.5], [0.5]])
