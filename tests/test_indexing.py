"""Indexing as in NumPy; new tensors by x.at; what can't be meant is refused in words."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, IndexingError, ShapeError
from tinygrad_edu.testing import gradcheck, gradgradcheck

CUBE = np.arange(24.0).reshape(2, 3, 4)

MASK = np.array([True, False, True])


def slopes(function, *values):
    """Return the gradient of the weighted sum of a result, the weights being 1, 2, 3, …"""
    inputs = [Tensor(np.array(v, float), requires_grad=True) for v in values]
    y = function(*inputs)
    y.backward(np.arange(1.0, y.size + 1).reshape(y.shape))
    return [x.grad.tolist() for x in inputs]


@pytest.mark.parametrize(
    "index",
    [
        1,
        -1,
        np.int64(1),
        (1, 2, 3),
        (),
        ...,
        None,
        (None, ..., None),
        slice(None, None, -1),
        (slice(None), slice(-1, None, -2), slice(10, 0, -3)),
        (..., 0),
        [1, 0, 1],
        [],
        [[0, 1], [1, 0]],
        range(2),
        np.array([-1, 0]),
        np.array(1),
        np.array([1, 0], np.uint8),
        (slice(None), MASK),
        (0, MASK, slice(None, None, -1)),
        (slice(None), MASK, [0, 3]),
        CUBE > 7,
        True,
        False,
        np.True_,
        ([0, 1], slice(None), [1, 2]),  # apart: what the arrays pick comes first
        (slice(None), [0, 1], [1, 2]),  # adjacent: it stays where it is
        ([[0], [1]], [0, 2], slice(None, None, 2)),
        ([1], None, [0, 2]),
        (0, ..., [1, 2]),
        ((0, 1), 2),
    ],
    ids=str,
)
def test_an_index_picks_what_it_picks_in_numpy(index):
    expected = CUBE[index]
    got = Tensor(CUBE)[index]
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got.data, expected)
    x = Tensor(CUBE, requires_grad=True)
    x[index].sum().backward()
    counts = np.zeros(CUBE.shape)
    np.add.at(counts, index, 1)
    np.testing.assert_array_equal(x.grad.data, counts)


def test_tensors_are_indices_too():
    x = Tensor(CUBE)
    np.testing.assert_array_equal(x[Tensor([1, 0])].data, CUBE[[1, 0]])
    np.testing.assert_array_equal(x[Tensor(1)].data, CUBE[1])
    np.testing.assert_array_equal(x[x > 7].data, CUBE[CUBE > 7])
    np.testing.assert_array_equal(x[:, Tensor([0, 1]), Tensor([1, 2])].data, CUBE[:, [0, 1], [1, 2]])
    np.testing.assert_array_equal(x[0, : Tensor(2)].data, CUBE[0, :2])


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (2, "out of bounds for axis 0 with size 2"),
        ([0, 5], "out of bounds"),
        ((0, 0, -5), "out of bounds"),
        ((0, 0, 0, 0), "too many indices"),
        ((..., 0, ...), "ellipsis"),
        (1.0, "whole numbers"),
        ([0.5], r"whole numbers.*astype\(int\)"),
        (Tensor([1.0]), "whole numbers"),
        ("a", "whole numbers"),
        ([[0, 1], [0]], "inhomogeneous"),
        (np.array([True, False, True]), "boolean index did not match"),
        (([0, 1], [0, 1, 2]), "could not be broadcast"),
    ],
    ids=str,
)
def test_what_is_no_index_is_refused(index, words):
    with pytest.raises(IndexingError, match=words):
        Tensor(CUBE)[index]
    with pytest.raises(IndexingError, match=words):
        Tensor(CUBE).at[index].set(0.0)
    with pytest.raises(IndexingError, match=words):
        Tensor(CUBE).at[index].mul(2.0)
    with pytest.raises(IndexingError, match=words):
        Tensor(CUBE).at[index].add(2.0)


def test_the_error_says_where_and_with_what():
    with pytest.raises(IndexingError, match=r"(?s)getitem: index 7.*x \(2, 3, 4\) float64.*test_indexing.py"):
        Tensor(CUBE)[7]


def test_an_index_that_changes_later_changes_nothing():
    for index in (np.array([0, 1]), [0, 1]):
        x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x[index]
        index[:] = [2, 2]
        y.sum().backward()
        assert x.grad.tolist() == [1, 1, 0]


def test_set_gives_a_new_tensor_and_leaves_the_old():
    x = Tensor([1.0, 2.0, 3.0])
    assert x.at[1].set(5.0).tolist() == [1, 5, 3]
    assert x.tolist() == [1, 2, 3]
    assert x.at[x > 1].set(0.0).tolist() == [1, 0, 0]
    assert x.at[::-1].set([1, 2, 3]).tolist() == [3, 2, 1]
    assert x.at[None].set([[7.0, 8.0, 9.0]]).tolist() == [7, 8, 9]
    assert x.at[[]].set(5.0).tolist() == [1, 2, 3]


def test_set_takes_the_gradient_from_what_it_replaced():
    assert slopes(lambda x, v: x.at[1].set(v), [1, 2, 3], 9) == [[1, 0, 3], 2]
    assert slopes(lambda x, v: x.at[:, 0].set(v), [[1, 2], [3, 4]], 9) == [[[0, 2], [0, 4]], 4]


def test_of_values_for_one_place_the_last_stays_and_gets_the_gradient():
    index = [0, 2, 0, 0]
    x = np.zeros(3)
    x[index] = [5, 6, 7, 8]
    assert Tensor(np.zeros(3)).at[index].set([5.0, 6.0, 7.0, 8.0]).tolist() == x.tolist() == [8, 0, 6]
    assert slopes(lambda x, v: x.at[index].set(v), [0, 0, 0], [5, 6, 7, 8]) == [[0, 2, 0], [0, 3, 0, 1]]
    # One value for all places is as good as the last of them.
    assert slopes(lambda x, v: x.at[index].set(v), [0, 0, 0], 5) == [[0, 2, 0], 4]


def test_add_adds_as_often_as_a_place_is_named():
    x = Tensor([1.0, 2.0, 3.0])
    assert x.at[[0, 0, 2]].add([10.0, 20.0, 30.0]).tolist() == [31, 2, 33]
    assert slopes(lambda x, v: x.at[[0, 0, 2]].add(v), [1, 2, 3], [1, 1, 1]) == [[1, 2, 3], [1, 1, 3]]
    assert slopes(lambda x, v: x.at[[0, 0, 2]].add(v), [1, 2, 3], 1) == [[1, 2, 3], 5]


def test_mul_multiplies_as_often_as_a_place_is_named():
    x = Tensor([1.0, 2.0, 3.0])
    assert x.at[1:].mul(2.0).tolist() == [1, 4, 6]
    assert x.at[[2, 2, 0, 2]].mul([2.0, 3.0, 4.0, 5.0]).tolist() == [4, 2, 90]
    assert x.at[[1] * 500].mul(1.0).tolist() == [1, 2, 3]

    def product(x, v):
        return x.at[[2, 2, 0, 2]].mul(v)

    # Also where factors are 0: each gets the product of the others.
    assert slopes(product, [1, 2, 3], [0, 3, 4, 5]) == [[4, 2, 0], [135, 0, 1, 0]]
    values = [np.array([1.0, 2.0, 3.0]), np.array([0.0, 3.0, 4.0, 5.0])]
    assert gradcheck(product, values)
    assert gradgradcheck(product, values)


@pytest.mark.parametrize("index", [slice(1), [0, 0]])
def test_dtypes_promote_and_plain_numbers_do_not_widen(index):
    for do in ("set", "add", "mul"):

        def result(x, v, do=do):
            return getattr(Tensor(np.array(x)).at[index], do)(v).dtype

        assert result(np.float32([1, 2]), 2.0) == np.float32
        assert result(np.float32([1, 2]), 2) == np.float32
        assert result(np.float32([1, 2]), np.ones(1)) == np.float64
        assert result(np.float64([1, 2]), Tensor([1.0])) == np.float64
        assert result([1, 2], 2) == np.int64
        assert result([1, 2], 0.5) == np.float64


def test_values_that_do_not_fit_their_places_are_refused():
    x = Tensor(np.zeros((2, 3)))
    for do in ("set", "add", "mul"):
        with pytest.raises(ShapeError, match=r"\(3,\)"):
            getattr(x.at[0], do)(np.zeros(2))
        with pytest.raises(ShapeError):
            getattr(x.at[0], do)(np.zeros((2, 3)))  # NumPy drops leading axes of length 1 only, we none


def test_adding_at_places_of_a_tensor_that_lies_otherwise_in_memory():
    x = np.asfortranarray(np.zeros((3, 4)))
    index = ([0, 0, 2], [[1], [1]])
    expected = np.zeros((3, 4))
    np.add.at(expected, index, 1)
    np.testing.assert_array_equal(Tensor(x).at[index].add(1.0).data, expected)
    np.testing.assert_array_equal(Tensor(x.T).at[index[::-1]].add(np.ones((2, 3))).data, expected.T)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(7,), (7, 3), (2, 7, 5), (3, 7, 400), (7, 1100), (0, 7, 2), (4, 7, 0)])
@pytest.mark.parametrize("places", [[], [3], [6, -1, 0, 6, -7, 6], [[0, 1], [1, 1]]], ids=str)
def test_slices_are_added_in_order(shape, places, dtype):
    axis = shape.index(7)
    index = (*[slice(None)] * axis, np.array(places, int))
    x, v = np.zeros(shape, dtype), np.empty((*shape[:axis], *index[-1].shape, *shape[axis + 1 :]), dtype)
    v[...] = np.random.default_rng(0).normal(size=v.shape)
    got = te.ops.scatter_add(v, index, shape)
    np.add.at(x, index, v)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, x)


def test_masks_name_no_place_twice():
    assert slopes(lambda x: x[:, np.array(MASK)], [[1, 2, 3], [4, 5, 6]]) == [[[1, 0, 2], [3, 0, 4]]]
    assert Tensor(CUBE).at[CUBE > 7].mul(2.0).data.tolist() == np.where(CUBE > 7, 2 * CUBE, CUBE).tolist()


def test_values_that_the_dtype_cannot_hold_are_refused():
    small = Tensor(np.array([1, 2], np.int8))
    for index in (0, [0], [0, 0]):
        for do in ("set", "add", "mul"):
            with pytest.raises(DTypeError, match="300 out of bounds for int8"):
                getattr(small.at[index], do)(300)
            with pytest.raises(DTypeError):
                getattr(small.at[index], do)(None)
            assert getattr(small.at[index], do)(3).dtype == np.int8
    with pytest.raises(DTypeError, match="-1 out of bounds for uint8"):
        te.astype(small, "uint8").at[0].set(-1)
    with pytest.raises(DTypeError, match="expected a dtype, got None"):
        te.astype(small, None)


def test_take():
    x = Tensor(CUBE)
    np.testing.assert_array_equal(te.take(x, [2, -1], axis=1).data, np.take(CUBE, [2, -1], 1))
    np.testing.assert_array_equal(te.take(x, 1, axis=-1).data, np.take(CUBE, 1, -1))
    assert te.take([1.0, 2.0], [1]).tolist() == [2]
    for refused, error in [
        (lambda: te.take(x, [0]), ArgumentError),
        (lambda: te.take(x, [0], axis=3), ShapeError),
        (lambda: te.take(x, [0], axis=0.7), DTypeError),
        (lambda: te.take(x, [2], axis=0), IndexingError),
        (lambda: te.take(x, [True, False], axis=0), IndexingError),
        (lambda: te.take(x, [0.0], axis=0), IndexingError),
        (lambda: te.take_along_axis(x, [0]), ShapeError),
        (lambda: te.take_along_axis(x, np.zeros((3, 3, 4), int)), IndexingError),
        (lambda: te.take_along_axis(x, np.full((2, 3, 1), 4)), IndexingError),
    ]:
        with pytest.raises(error):
            refused()


def test_take_along_axis_sorts_by_argsort():
    x = np.random.default_rng(0).normal(size=(3, 4))
    for axis in (0, -1):
        got = te.take_along_axis(Tensor(x), np.argsort(x, axis=axis), axis=axis)
        np.testing.assert_array_equal(got.data, np.sort(x, axis=axis))


def test_one_hot():
    assert te.one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert te.one_hot(Tensor(1), num_classes=2).tolist() == [0, 1]
    assert te.one_hot([], 3).shape == (0, 3)
    assert te.one_hot([True, False], 2, dtype="int64").tolist() == [[0, 1], [1, 0]]
    assert te.one_hot([[0, 1]], 3, axis=0).shape == (3, 1, 2)
    assert te.one_hot([0], 1).dtype == np.float32
    with pytest.raises(DataError, match=r"label 3 at index \(1,\) is outside 0…2"):
        te.one_hot([0, 3], 3)
    with pytest.raises(DataError, match="label -1"):
        te.one_hot([-1], 3)
    with pytest.raises(DTypeError, match="whole numbers"):
        te.one_hot([0.0, 1.0], 3)
    with pytest.raises(DTypeError, match=r"num_classes must be a whole number, got 2\.5"):
        te.one_hot([0, 1], 2.5)
    with pytest.raises(ArgumentError, match="negative"):
        te.one_hot([], -1)
    with pytest.raises(ShapeError):
        te.one_hot([0], 2, axis=2)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_triangles_and_diagonals_as_in_numpy(dtype):
    x = np.ones((2, 3, 4), dtype)
    for k in range(-4, 5):
        for ours, numpys in ((te.tril, np.tril), (te.triu, np.triu)):
            got = ours(Tensor(x), k=k)
            assert got.dtype == dtype
            np.testing.assert_array_equal(got.data, numpys(x, k))
        np.testing.assert_array_equal(te.ops.diagonal(x, offset=k), np.diagonal(x, k, 1, 2))
        np.testing.assert_array_equal(te.diag(x[0], k), np.diag(x[0], k))
        np.testing.assert_array_equal(te.diag(x[0, 0], k=k), np.diag(x[0, 0], k))
    with pytest.raises(DTypeError, match="tril: k must be a whole number"):
        te.tril(x, k=None)
    for function in (te.tril, te.triu, te.ops.diagonal):
        with pytest.raises(ShapeError, match="at least two dimensions"):
            function(x[0, 0])
    with pytest.raises(ShapeError, match="one dimension or two"):
        te.diag(x)


def test_a_triangle_lets_no_nan_through():
    x = Tensor([[1.0, np.nan], [1.0, np.inf]], requires_grad=True)
    y = te.tril(x, k=-1)
    assert y.tolist() == [[0, 0], [1, 0]]
    y.sum().backward()
    assert x.grad.tolist() == [[0, 0], [1, 0]]
