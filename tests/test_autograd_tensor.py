"""Tensor: what it is made of, how it converts, its operators and its methods."""

import pickle

import numpy as np
import pytest
from hypothesis import given

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import DTypeError, GradientError, ShapeError
from tinygrad_edu.testing import arrays


def leaf(values, **options):
    return Tensor(np.array(values, np.float64), requires_grad=True, **options)


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        ([1.0, 2.0], "float32"),
        ([1, 2], "int64"),
        ([True], "bool"),
        ([1, 2.5], "float32"),
        (np.float64(2), "float64"),
        (np.ones(2), "float64"),
        (np.ones(2, np.float16), "float16"),
        (np.ones(2, np.uint8), "uint8"),
        ([], "float32"),
    ],
)
def test_dtypes(data, dtype):
    assert Tensor(data).dtype == dtype


def test_an_array_is_shared_and_a_tensor_unwrapped():
    a = np.ones(3)
    t = Tensor(a)
    assert t.data is a
    assert t.numpy() is a
    assert Tensor(t).data is a
    assert Tensor(a, dtype="float32").dtype == np.float32


@pytest.mark.parametrize("data", [1j, "a", ["a"], None, [[1], [1, 2]], np.array([object()])])
def test_what_is_not_real_numbers_is_refused(data):
    with pytest.raises(DTypeError):
        Tensor(data)


@pytest.mark.parametrize("data", [1, [True], np.arange(3)])
def test_only_floats_may_require_a_gradient(data):
    with pytest.raises(DTypeError, match=r"only floats have gradients.*1\.0 for 1"):
        Tensor(data, requires_grad=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_plain_numbers_and_lists_do_not_widen_float32(dtype):
    x = Tensor(np.ones(2, dtype), requires_grad=True)
    for y in (
        x + 1,
        2.5 * x,
        x / 3,
        x**2,
        2.0**x,
        1 - x,
        te.add(x, [1.0, 2.0]),
        te.maximum(x, 0.5),
        te.clip(x, 0, 1),
    ):
        assert y.dtype == dtype
    assert (x * np.ones(2)).dtype == np.float64
    assert (x + Tensor([1, 2], dtype="int64")).dtype == np.float64  # as NumPy promotes


def test_lists_are_operands():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    (x @ [[1.0, 2.0], [3.0, 4.0]] + [1, 2] * x ** [2.0, 1.0]).sum().backward()
    np.testing.assert_allclose(x.grad.data, [[3 + 2, 7 + 2], [3 + 6, 7 + 2]])
    with pytest.raises(DTypeError):
        te.add(x, [[1.0], [2.0, 3.0]])


@given(arrays())
def test_conversions(a):
    t = Tensor(a)
    assert (t.shape, t.ndim, t.size, t.tolist()) == (a.shape, a.ndim, a.size, a.tolist())
    np.testing.assert_array_equal(np.asarray(t), a)
    if a.size == 1:
        assert t.item() == a.item() == float(t)
        assert int(t) == int(a.item())
        assert bool(t) == bool(a)
    else:
        with pytest.raises(ShapeError, match="one element"):
            t.item()
    if a.ndim:
        assert len(t) == len(a)
        assert [row.tolist() for row in t] == a.tolist()
    else:
        with pytest.raises(DTypeError):
            iter(t)


def test_a_whole_number_tensor_is_an_index():
    assert [10, 20, 30][Tensor(2)] == 30
    assert {Tensor(1): 1}  # hashed by identity, since == compares elements


def test_a_tensor_that_requires_a_gradient_does_not_turn_into_an_array_by_itself():
    x = leaf([1.0, 2.0])
    for convert in (np.asarray, np.array, lambda t: np.ones(2).dot(t), lambda t: np.fft.fft(t)):
        with pytest.raises((GradientError, DTypeError), match="numpy"):
            convert(x)
    with te.no_grad():
        assert np.asarray(x).tolist() == [1.0, 2.0]
    assert np.asarray(x.detach()).tolist() == [1.0, 2.0]


def test_operators():
    a, b = leaf([4.0, 9.0]), leaf([2.0, 3.0])
    x, y = a.data, b.data
    for got, expected in [
        (a + b, x + y), (a - b, x - y), (a * b, x * y), (a / b, x / y), (a**b, x**y), (a @ b, x @ y),
        (-a, -x), (+a, x), (abs(-a), x), (1 + a, 1 + x), (1 - a, 1 - x), (2 * a, 2 * x), (1 / a, 1 / x),
        (2**a, 2**x), (y + a, y + x), (y @ a, y @ x), (a == x, [True, True]), (a != x, [False, False]),
        (a < 5, [True, False]), (a <= 4, [True, False]), (a > 5, [False, True]), (a >= 9, [False, True]),
        (a.T if a.ndim == 2 else a[::-1], x[::-1]), (a.mean(), x.mean()), (a.reshape(2, 1).T, x[None]),
        (a.reshape((1, 2)).mT, x[:, None]), (a.sqrt(), np.sqrt(x)), (a.transpose(), x), (a.max(), 9),
        (a.reshape(np.int64(2)), x), (a.flatten(), x), (a.log().exp(), x), (a.clip(5), [5, 9]),
        (a // b, x // y), (a % b, x % y), (7 // a, 7 // x), (7 % a, 7 % x), (divmod(a, 2.5)[1], x % 2.5),
        (divmod(5, a)[0], 5 // x), (abs(a), x),
    ]:  # fmt: skip
        assert isinstance(got, Tensor)
        np.testing.assert_allclose(got.data, expected, rtol=1e-12)


def test_operators_of_whole_numbers_and_bools():
    a, b = np.array([6, 5]), np.array([3, 1])
    t = Tensor(a)
    for got, expected in [
        (t & b, a & b), (t | b, a | b), (t ^ b, a ^ b), (t << b, a << b), (t >> b, a >> b), (~t, ~a),
        (3 & t, 3 & a), (3 | t, 3 | a), (3 ^ t, 3 ^ a), (3 << t, 3 << a), (99 >> t, 99 >> a),
        ((t > 5) & (t < 7), [True, False]), (~(t > 5), [False, True]), (t // 4, a // 4), (-t % 4, -a % 4),
    ]:  # fmt: skip
        assert isinstance(got, Tensor)
        np.testing.assert_array_equal(got.data, expected)
    t &= b
    assert t.tolist() == [2, 1]
    assert 2 in t
    assert 7 not in t
    with pytest.raises(DTypeError):
        Tensor([1.0]) & 1


def test_in_place_operators_update_a_leaf_under_no_grad():
    w = leaf([1.0, 2.0])
    same, view = w, w.data
    with te.no_grad():
        w -= 0.5 * Tensor([1.0, 1.0])
        w *= 2
        w += 1
        w /= 2
    assert w is same
    assert w.requires_grad
    assert w.is_leaf
    assert w.tolist() == [1.0, 2.0]
    assert view.tolist() == [1.0, 2.0]
    with pytest.raises(GradientError, match=r"-= on a leaf.*no_grad"):
        w -= 1
    with te.no_grad(), pytest.raises(ShapeError):
        w += np.ones((2, 2))


def test_in_place_operators_elsewhere_bind_a_new_tensor():
    x = leaf([1.0, 2.0])
    y = z = x * 1
    y *= 3
    assert z.tolist() == [1.0, 2.0]
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    data = Tensor([1.0])
    before = data
    data += 1
    assert before.tolist() == [1.0]


def test_elements_are_not_assigned():
    with pytest.raises(DTypeError, match=r"x\.at\[index\]\.set\(v\)"):
        leaf([1.0, 2.0])[0] = 3.0


def test_new_data_keeps_shape_and_dtype():
    t = Tensor([1.0, 2.0])
    t.data = np.array([3.0, 4.0])
    assert t.dtype == np.float32
    with pytest.raises(ShapeError, match="make a new Tensor"):
        t.data = np.ones(3)


def test_attributes():
    x = leaf(np.ones((2, 3)))
    assert (x.shape, x.ndim, x.size, x.itemsize, x.nbytes, x.device) == ((2, 3), 2, 6, 8, 48, "cpu")
    with pytest.raises(ShapeError, match="two dimensions"):
        _ = x[0].T


def test_repr():
    assert repr(Tensor([1.0, 2.0])) == "Tensor([1., 2.])"
    assert repr(leaf([1.0], name="w")) == "Tensor([1.], dtype=float64, requires_grad=True, name='w')"
    assert repr(leaf([1.0]) * 2) == "Tensor([2.], dtype=float64, fn=<multiply>)"
    assert len(repr(Tensor(np.zeros(100_000)))) < 200


def test_more_operators_in_place_and_the_bare_decorator():
    w = Tensor([[2.0, 0.0], [0.0, 3.0]], requires_grad=True)
    same = w
    with te.no_grad():
        w **= 2
        w @= np.eye(2)
        w //= 2
        w %= 3
    assert w is same
    assert w.tolist() == [[2.0, 0.0], [0.0, 1.0]]

    @te.no_grad
    def double(x):
        return x * 2

    assert not double(w).requires_grad


def test_an_index_out_of_range_says_what_was_indexed():
    with pytest.raises(te.TinygradEduError, match=r"(?s)index 5 is out of bounds.*x \(3,\) float32"):
        Tensor([1.0, 2.0, 3.0])[5]


def test_the_value_of_a_computed_tensor_is_not_replaced():
    y = leaf([1.0, 2.0]) * 2
    with pytest.raises(GradientError, match="was computed"):
        y.data = np.zeros(2)


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([np.zeros(2), np.zeros(2)], "float64"),
        ([np.float64(0.1)], "float64"),
        ([[0.5], [np.float64(0.1)]], "float64"),
        ([np.zeros(2, np.float32), [0.5, 1]], "float32"),
        ([np.float32(1), 0.5], "float32"),
        ([Tensor(1.0), 0.5], "float32"),
        ([[0.1, 2], (True, 3)], "float32"),
        ([], "float32"),
        (np.float64(0.1), "float64"),
    ],
)
def test_only_python_floats_have_no_width_of_their_own(data, dtype):
    assert Tensor(data).dtype == dtype


def test_a_list_is_as_wide_as_the_tensors_beside_it():
    wide = Tensor(np.zeros(2))
    results = {
        "add": te.add(wide, [0.1, 1e300]),
        "radd": te.add([0.1, 1e300], wide),
        "where": te.where([True, True], [0.1, 1e300], wide),
        "concat": te.concat([wide[:0], [0.1, 1e300]]),
        "stack": te.stack([[0.1, 1e300], wide])[0],
        "matmul": [[0.1, 0.0], [0.0, 1e300]] @ (wide + 1),
        "at": wide.at[:].set([0.1, 1e300]),
        "vstack": np.vstack([wide, [0.1, 1e300]])[1],
        "broadcast_arrays": te.broadcast_arrays([0.1, 1e300], wide)[0],
        "mean_absolute_error": te.mean_absolute_error([[0.1], [1e300]], te.reshape(wide, (2, 1))),
        "softmax_cross_entropy": -te.softmax_cross_entropy([[0.0]] * 2, wide[:, None]) + [0.1, 1e300],
    }
    for name, y in results.items():
        assert y.tolist() == [0.1, 1e300], name
    assert (wide + 0.1 == [0.1, 0.1]).all()
    for narrow in (Tensor([0.0, 0.0]), Tensor([True, False])):
        assert te.add(narrow, [0.1, 0.2]).dtype == np.float32


def test_rows_of_lists_are_stacked():
    assert np.vstack([Tensor([1.0]), [2.0]]).tolist() == [[1.0], [2.0]]


def test_a_pickled_leaf_forgets_when_it_was_changed():
    w = leaf([1.0])
    w.data = [2.0]
    again = pickle.loads(pickle.dumps(w))  # in another process, the clock starts again
    assert w.changed
    assert again.changed == 0
    assert again.tolist() == [2.0]


def test_the_order_of_axes_may_be_an_array():
    x = leaf(np.zeros((2, 3, 4)))
    assert x.transpose(np.array([1, 0, 2])).shape == (3, 2, 4)
    assert x.transpose().shape == x.transpose(None).shape == (4, 3, 2)
