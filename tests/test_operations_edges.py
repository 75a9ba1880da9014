"""What operations do at the edges, one example each: ties, kinks, zeros, infinities, wrong arguments."""

from typing import Any

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError
from tinygrad_edu.ops import OPERATIONS
from tinygrad_edu.testing import gradgradcheck


def slope(function: Any, *values: Any) -> list[Any]:
    """Return the gradients of the sum of a function, in float64, as lists."""
    leaves = [Tensor(np.array(v, np.float64), requires_grad=True) for v in values]
    return [g.tolist() for g in te.grad(function(*leaves).sum(), leaves)]


def test_equal_values_share_the_gradient_of_an_extreme():
    assert slope(te.max, [3.0, 1.0, 3.0]) == [[0.5, 0.0, 0.5]]
    assert slope(te.min, [3.0, 1.0, 1.0, 1.0]) == [[0.0, 1 / 3, 1 / 3, 1 / 3]]
    assert slope(lambda x: te.max(x, axis=1), [[1.0, 1.0], [1.0, 2.0]]) == [[[0.5, 0.5], [0.0, 1.0]]]
    assert slope(te.maximum, [1.0, 2.0], [1.0, 3.0]) == [[0.5, 0.0], [0.5, 1.0]]
    assert slope(te.minimum, [1.0, 2.0], [1.0, 3.0]) == [[0.5, 1.0], [0.5, 0.0]]


def test_the_first_of_equal_pixels_wins_the_pool():
    (g,) = slope(te.max_pool2d, np.ones((1, 2, 2, 1)))
    assert np.ravel(g).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_slopes_at_the_kinks():
    assert slope(te.relu, [-1.0, 0.0, 1.0]) == [[0.0, 0.0, 1.0]]
    assert slope(te.abs, [-1.0, 0.0, 1.0]) == [[-1.0, 0.0, 1.0]]
    assert slope(lambda x: te.clip(x, 0, 1), [-1.0, 0.0, 0.5, 1.0, 2.0]) == [[0.0, 1.0, 1.0, 1.0, 0.0]]


def test_powers_of_zero_and_to_the_zero():
    assert slope(lambda x: x**2, [0.0]) == [[0.0]]
    assert slope(lambda x: x**1, [0.0]) == [[1.0]]
    assert slope(lambda x: x**0, [0.0, 2.0]) == [[0.0, 0.0]]
    assert slope(lambda x: x ** np.array([0.0, 0.0, 2.0]), [0.0, 2.0, 0.0]) == [[0.0, 0.0, 0.0]]
    assert slope(te.pow, [0.0, 2.0], [2.0, 0.0]) == [[0.0, 0.0], [0.0, np.log(2.0)]]
    assert slope(lambda p: 2.0**p, [0.0, 1.0]) == [[np.log(2.0), 2 * np.log(2.0)]]
    gradgradcheck(te.pow, [np.array([2.0, 0.5]), np.array([0.0, 1.0])])
    gradgradcheck(lambda x: x**2, np.array([0.0, 1.0]))


def test_where_keeps_nan_and_inf_of_the_other_branch_out():
    bad = [np.nan, np.inf, -np.inf, 1.0]
    mask = np.array([False, False, False, True])
    assert slope(lambda x: te.where(mask, x, 0.0), bad) == [[0.0, 0.0, 0.0, 1.0]]
    x = Tensor(np.ones(2), requires_grad=True)
    y = te.where(np.array([True, False]), x, 2.0)
    assert te.grad(y, x, np.array([1.0, np.inf])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_stay_finite(dtype):
    x = Tensor(np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], dtype), requires_grad=True)
    labels = np.array([1, 0])
    onehot = np.eye(3, dtype=dtype)[labels]
    losses = {
        "softmax": (te.softmax(x), [1, 0, 0, 0, 0.5, 0.5]),
        "log_softmax": (te.log_softmax(x), [0, -2e4, -1e4, -2e4 - np.log(2), -np.log(2), -np.log(2)]),
        "sigmoid": (te.sigmoid(x), [1, 0, 0.5, 0, 1, 1]),
        "softplus": (te.softplus(x), [1e4, 0, np.log(2), 0, 1e4, 1e4]),
        "logsumexp": (te.logsumexp(x, axis=1), [1e4, 1e4 + np.log(2)]),
        "sparse": (te.softmax_cross_entropy(x, labels), [2e4, 2e4 + np.log(2)]),
        "dense": (te.softmax_cross_entropy(x, onehot), [2e4, 2e4 + np.log(2)]),
        "binary": (te.sigmoid_cross_entropy(x, onehot), [1e4, 1e4, np.log(2), 1e4, 1e4, 1e4]),
    }
    for name, (y, expected) in losses.items():
        np.testing.assert_allclose(y.data.ravel(), np.array(expected), rtol=1e-6, atol=1e-6, err_msg=name)
        assert np.isfinite(te.grad(y, x, np.ones(y.shape, dtype)).data).all(), name


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_refused(label):
    with pytest.raises(DataError, match=rf"label {label} is out of range.*from 0 to 2"):
        te.softmax_cross_entropy(Tensor(np.zeros((2, 3))), np.array([0, label]))


def test_labels_of_the_wrong_kind_or_shape_are_refused():
    logits = Tensor(np.zeros((2, 3)))
    with pytest.raises(DTypeError, match="whole numbers"):
        OPERATIONS["sparse_softmax_cross_entropy"].apply(logits, np.zeros(2))
    for targets in (np.zeros(2), np.zeros((2, 2)), np.zeros((3, 3))):
        with pytest.raises(ShapeError):
            te.softmax_cross_entropy(logits, targets)
    with pytest.raises(ShapeError):
        OPERATIONS["sparse_softmax_cross_entropy"].apply(logits, np.zeros(3, int))
    with pytest.raises(ShapeError, match="reshape"):
        te.sigmoid_cross_entropy(Tensor(np.zeros((2, 1))), np.zeros(2))


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ([0, 0, 2], [2.0, 0.0, 1.0, 0.0]),  # picked twice, so its gradient adds up
        (np.array([[1, 1], [1, -1]]), [0.0, 3.0, 0.0, 1.0]),
        (np.array([True, False, True, False]), [1.0, 0.0, 1.0, 0.0]),
        (slice(None, None, -2), [0.0, 1.0, 0.0, 1.0]),
        (-1, [0.0, 0.0, 0.0, 1.0]),
        ((None, ..., slice(1, 3)), [0.0, 1.0, 1.0, 0.0]),
        (Tensor(np.array([3, 3])), [0.0, 0.0, 0.0, 2.0]),
        (slice(0, 0), [0.0, 0.0, 0.0, 0.0]),
        (True, [1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_what_is_picked_gets_the_gradient(index, expected):
    assert slope(lambda x: x[index], [1.0, 2.0, 3.0, 4.0]) == [expected]


def test_whole_numbers_become_floats_where_fractions_arise():
    for function in (te.softmax, te.log_softmax, te.logsumexp, te.exp, te.sigmoid, te.softplus, te.mean):
        whole, real = function(Tensor([1, 2])), function(Tensor(np.array([1.0, 2.0])))
        assert whole.dtype == np.float64
        np.testing.assert_allclose(whole.data, real.data, rtol=1e-12)


def test_a_change_of_dtype_is_undone_for_the_gradient():
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x.astype("float64") * np.array([0.1, 0.2])).sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_allclose(x.grad.data, [0.1, 0.2], rtol=1e-6)
    assert not x.astype("int64").requires_grad


def test_infinities_in_logsumexp():
    assert te.logsumexp(Tensor([np.inf, 1000.0])).item() == np.inf
    assert te.logsumexp(Tensor([-np.inf, 0.0])).item() == 0
    assert te.logsumexp(Tensor([-np.inf, -np.inf])).item() == -np.inf
    assert np.isnan(te.logsumexp(Tensor([np.nan, 0.0])).item())


def test_what_does_not_fit_is_refused_in_words():
    x = Tensor(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"(?s)matmul.*x1 \(2, 3\).*inner sizes 3 and 2.*x2\.T"):
        te.matmul(x, x)
    with pytest.raises(ShapeError, match=r"(?s)add.*transpose"):
        te.add(x, Tensor(np.ones((3, 2))))
    with pytest.raises(ShapeError, match="5 features"):
        te.linear(Tensor(np.ones((2, 5))), Tensor(np.ones((3, 4))), Tensor(np.ones(4)))
    with pytest.raises(ArgumentError, match='None or "relu"'):
        te.linear(x, Tensor(np.ones((3, 4))), Tensor(np.ones(4)), activation="tanh")
    with pytest.raises(ArgumentError, match="greater"):
        te.clip(x, 2, 1)
    for refused in (
        lambda: te.sum(x, axis=2),
        lambda: te.flip(x, axis=2),
        lambda: te.softmax(x, axis=2),
        lambda: te.max(Tensor(np.ones((0, 3))), axis=0),
        lambda: te.reshape(x, (4, 2)),
        lambda: te.squeeze(x, 0),
        lambda: te.concat([x, Tensor(np.ones((2, 2)))], axis=0),
        lambda: te.stack([x, Tensor(np.ones((2, 2)))]),
        lambda: te.broadcast_to(x, (3, 3)),
        lambda: te.ops.scatter_add(x, slice(None), (4,)),
        lambda: te.conv2d(x, x),
        lambda: te.max_pool2d(Tensor(np.ones((1, 2, 2, 1))), 3),
    ):
        with pytest.raises(ShapeError):
            refused()
