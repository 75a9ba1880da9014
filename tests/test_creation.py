"""Creation functions: NumPy's values, our default dtypes, memory, the graph, and clear refusals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tinygrad_edu.testing import gradcheck, shapes

DTYPES = [None, "float32", "float64", "int8", "int64", "uint16", "bool"]


@given(shapes(), st.sampled_from(DTYPES))
def test_filled_tensors(shape, dtype):
    for got, expected in [
        (te.zeros(shape, dtype=dtype), np.zeros(shape)),
        (te.ones(shape, dtype=dtype), np.ones(shape)),
        (te.full(shape, 1.0, dtype=dtype), np.ones(shape)),
        (te.zeros_like(te.ones(shape, dtype=dtype)), np.zeros(shape)),
        (te.ones_like(np.zeros(shape, dtype or "float32")), np.ones(shape)),
        (te.full_like(te.zeros(shape, dtype=dtype), 1), np.ones(shape)),
        (te.empty(shape, dtype=dtype), None),
        (te.empty_like(te.zeros(shape, dtype=dtype)), None),
    ]:
        assert isinstance(got, Tensor)
        assert not got.requires_grad
        assert got.shape == shape
        assert got.dtype == (dtype or "float32")
        if expected is not None:
            np.testing.assert_array_equal(got.data, expected)


@pytest.mark.parametrize(
    ("made", "dtype"),
    [
        (lambda: te.full(2, 7), "int64"),
        (lambda: te.full((2,), 7.5), "float32"),
        (lambda: te.full(2, True), "bool"),
        (lambda: te.full(2, np.float64(7)), "float64"),
        (lambda: te.full([2, 1], Tensor(7, dtype="int8")), "int8"),
        (lambda: te.full_like(Tensor([1.0]), 7), "float32"),
        (lambda: te.full_like(Tensor([1, 2]), 7, dtype=te.float64), "float64"),
        (lambda: te.zeros_like([1, 2]), "int64"),
        (lambda: te.arange(3), "int64"),
        (lambda: te.arange(3.0), "float32"),
        (lambda: te.arange(0, 1, 0.5), "float32"),
        (lambda: te.arange(np.float64(3)), "float64"),
        (lambda: te.arange(3, dtype="uint8"), "uint8"),
        (lambda: te.linspace(0, 1, 3), "float32"),
        (lambda: te.linspace(0, np.float64(1), 3), "float64"),
        (lambda: te.linspace(0, 4, 3, dtype="int64"), "int64"),
        (lambda: te.eye(2), "float32"),
        (lambda: te.eye(2, dtype=te.bool), "bool"),
        (lambda: te.asarray([1.5]), "float32"),
        (lambda: te.asarray([1, 2]), "int64"),
        (lambda: te.asarray(True), "bool"),
        (lambda: te.asarray(np.ones(2)), "float64"),
        (lambda: te.asarray([1, 2], dtype="float64"), "float64"),
    ],
)
def test_dtypes(made, dtype):
    assert made().dtype == dtype


@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(-5, 5).filter(bool))
def test_arange_of_whole_numbers(start, stop, step):
    np.testing.assert_array_equal(te.arange(start, stop, step).data, np.arange(start, stop, step))
    np.testing.assert_array_equal(te.arange(stop).data, np.arange(stop))


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.1, 3), st.sampled_from(["float32", "float64"]))
def test_arange_of_floats(start, stop, step, dtype):
    got = te.arange(start, stop, step, dtype=dtype)
    assert got.dtype == dtype
    np.testing.assert_allclose(got.data, np.arange(start, stop, step), rtol=1e-6, atol=1e-6)


def test_arange_rounds_each_value_once():
    far = te.arange(0, 1000, 0.1)
    np.testing.assert_array_equal(far.data, (np.arange(10_000) * 0.1).astype(np.float32))


@given(st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 9), st.booleans())
def test_linspace(start, stop, num, endpoint):
    got = te.linspace(start, stop, num, dtype="float64", endpoint=endpoint)
    np.testing.assert_array_equal(got.data, np.linspace(start, stop, num, endpoint))


@given(st.integers(0, 4), st.one_of(st.none(), st.integers(0, 4)), st.integers(-5, 5))
def test_eye(rows, columns, k):
    np.testing.assert_array_equal(te.eye(rows, columns, k=k).data, np.eye(rows, columns, k))


@given(st.lists(st.integers(0, 3), max_size=4), st.sampled_from(["xy", "ij"]))
def test_meshgrid(lengths, indexing):
    lines = [np.arange(n) + 10.0 * i for i, n in enumerate(lengths)]
    got = te.meshgrid(*[Tensor(x) for x in lines], indexing=indexing)
    expected = np.meshgrid(*lines, indexing=indexing)
    assert len(got) == len(expected)
    for ours, numpys in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours.data, numpys)


@pytest.mark.parametrize("indexing", ["xy", "ij"])
def test_meshgrid_is_differentiated(indexing):
    def f(x, y, z):
        a, b, c = te.meshgrid(x, y, z, indexing=indexing)
        return a * b**2 + c * a

    gradcheck(f, [np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0]), np.array([0.5])])


def test_asarray_keeps_a_tensor_in_its_graph():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    assert te.asarray(y) is y
    assert te.asarray(y, dtype="float32", copy=False) is y
    wide = te.asarray(y, dtype="float64")
    copied = te.asarray(y, copy=True)
    assert not np.shares_memory(copied.data, y.data)
    (wide.sum() + copied.sum()).backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_asarray_shares_an_arrays_memory():
    a = np.ones(3)
    assert te.asarray(a).data is a
    assert te.asarray(a, copy=False).data is a
    assert not np.shares_memory(te.asarray(a, copy=True).data, a)
    assert not np.shares_memory(te.asarray(a, dtype="float32").data, a)


def test_dlpack():
    a = np.arange(3.0)
    shared, copied = te.from_dlpack(a), te.from_dlpack(a, copy=True)
    assert np.shares_memory(shared.data, a)
    assert not np.shares_memory(copied.data, a)
    x = Tensor(a, requires_grad=True)
    assert np.from_dlpack(Tensor(a)).tolist() == [0, 1, 2]
    assert Tensor(a).__dlpack_device__() == a.__dlpack_device__()
    with pytest.raises(GradientError, match="detach"):
        te.from_dlpack(x)
    with te.no_grad():
        assert te.from_dlpack(x).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: te.zeros(2, device="gpu"), ArgumentError, "on the CPU"),
        (lambda: te.asarray([1.0], device="gpu"), ArgumentError, "on the CPU"),
        (lambda: Tensor([1.0]).to_device("gpu"), ArgumentError, "on the CPU"),
        (lambda: te.zeros((2, -1)), ShapeError, "no negative lengths"),
        (lambda: te.full(2, 300, dtype="uint8"), ArgumentError, "out of bounds"),
        (lambda: te.full(2, Tensor(1.0, requires_grad=True)), GradientError, "item"),
        (lambda: te.arange(0, 1, 0), ArgumentError, "step of 0"),
        (lambda: te.arange(math.inf), ArgumentError, "finite"),
        (lambda: te.arange("3"), DTypeError, "a number, got '3'"),
        (lambda: te.full(2, [1, 2]), DTypeError, "a number"),
        (lambda: te.zeros((2, 1.5)), DTypeError, "whole numbers"),
        (lambda: te.zeros(2, dtype="float31"), DTypeError, "float31"),
        (lambda: te.linspace(0, 1, 2.5), DTypeError, "whole numbers"),
        (lambda: te.linspace(0, 1, -1), ShapeError, "negative"),
        (lambda: te.meshgrid([1.0], indexing="yx"), ArgumentError, "did you mean 'xy'"),
        (lambda: te.meshgrid([[1.0]]), ShapeError, "1-d"),
        (lambda: te.asarray([1.0], copy=False), ArgumentError, "copy=False"),
        (lambda: te.asarray(Tensor([1.0]), dtype="int8", copy=False), ArgumentError, "copy=False"),
        (lambda: te.asarray("a"), DTypeError, "real numbers"),
        (lambda: te.zeros(2, dtype=complex), DTypeError, "real numbers"),
        (lambda: te.from_dlpack(np.array([1j])), DTypeError, "real numbers"),
    ],
)
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_ranges_of_small_whole_numbers_do_not_wrap():
    assert te.arange(0, np.uint8(3), 2).tolist() == [0, 2]
    y = te.arange(np.uint8(0), np.uint8(200), np.uint8(100))
    assert y.tolist() == [0, 100]
    assert y.dtype == np.uint8


def test_a_diagonal_must_be_a_whole_number_and_memory_must_be_there_to_share():
    with pytest.raises(DTypeError, match="eye: k"):
        te.eye(2, k="a")
    with pytest.raises(DTypeError, match=r"list.*te\.asarray"):
        te.from_dlpack([1])
