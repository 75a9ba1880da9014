"""Reductions, scans, sorting and sets where the table of operations doesn't look: zeros, ties, errors."""

import inspect
import math
from typing import Any

import array_api_strict as standard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_edu.ops.scans import linear_recurrence
from tinygrad_edu.ops.statistics import vector_norm
from tinygrad_edu.testing import arrays, axes, gradcheck, gradgradcheck, shapes

NAN = math.nan
STANDARD = [
    "all", "any", "argmax", "argmin", "argsort", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff",
    "max", "mean", "min", "nonzero", "prod", "searchsorted", "sort", "std", "sum", "unique_all",
    "unique_counts", "unique_inverse", "unique_values", "var",
]  # fmt: skip
FLAT = {"atol": 1e-8}  # where a slope is 0, differences find that of the next term


def slope(function: Any, *values: Any) -> list[Any]:
    """Return the gradients of the sum of a function, in float64, as lists."""
    leaves = [Tensor(np.array(v, np.float64), requires_grad=True) for v in values]
    return [g.tolist() for g in te.grad(function(*leaves).sum(), leaves)]


def signature(function: Any) -> list[Any]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def test_signatures_are_the_standards():
    for name in STANDARD:
        assert signature(getattr(te, name)) == signature(getattr(standard, name)), name
    assert sorted(signature(vector_norm)) == sorted(signature(standard.linalg.vector_norm))


def test_named_tuples_have_the_standards_fields():
    x = np.array([[3.0, 1.0], [1.0, 2.0]])
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        found, wanted = getattr(te, name)(Tensor(x)), getattr(standard, name)(standard.asarray(x))
        assert found._fields == wanted._fields
        for part, expected in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(part.data, np.asarray(expected))
            assert not part.requires_grad
    assert te.unique_values(Tensor(x)).tolist() == [1.0, 2.0, 3.0]
    assert te.unique_counts([NAN, NAN]).counts.tolist() == [1, 1]


@pytest.mark.parametrize("name", ["sum", "prod", "cumulative_sum", "cumulative_prod"])
def test_dtypes_that_are_reduced_in(name):
    function = getattr(te, name)
    for dtype, wide in (("int8", "int64"), ("uint8", "uint64"), ("bool", "int64"), ("float32", "float32")):
        assert function(Tensor(np.ones(3, dtype))).dtype == wide
    x = Tensor([0.1, 0.2, 0.3], requires_grad=True)
    y = function(x, dtype=np.float64)
    assert y.dtype == np.float64
    single = te.grad(function(x).sum(), x)
    double = te.grad(y.sum(), x)
    assert double.dtype == np.float32
    np.testing.assert_allclose(double.data, single.data, rtol=1e-6)
    assert not function(x, dtype=np.int64).requires_grad


def test_nothing_reduced():
    for x in (Tensor([]), Tensor(np.zeros((2, 0)))):
        assert te.sum(x).item() == 0
        assert te.prod(x).item() == 1
        assert te.any(x).item() is False
        assert te.all(x).item() is True
        assert te.count_nonzero(x).item() == 0
        assert vector_norm(x).item() == 0
        assert vector_norm(x, ord=-1).item() == math.inf
        for function in (te.mean, te.var, te.std):
            assert math.isnan(function(x).item())
            assert function(x).dtype == x.dtype
            assert function(x, axis=0).shape == x.shape[1:]
        for function in (te.max, te.argmax, te.median, lambda x: vector_norm(x, ord=math.inf)):
            with pytest.raises(ShapeError):
                function(x)
    assert te.cumulative_sum(Tensor([])).tolist() == []
    assert te.cumulative_prod(Tensor(np.zeros((2, 0))), axis=1, include_initial=True).tolist() == [[1], [1]]
    assert te.sort(Tensor([])).shape == te.diff(Tensor([])).shape == (0,)


def test_the_gradient_of_a_product_with_zeros():
    assert slope(te.prod, [2.0, 0.0, 3.0]) == [[0.0, 6.0, 0.0]]
    assert slope(te.prod, [0.0, 5.0, 0.0]) == [[0.0, 0.0, 0.0]]
    x = np.array([[0.0, 2.0, 0.0], [3.0, 0.0, 4.0]])
    assert slope(lambda x: te.prod(x, axis=0), x) == [[[3.0, 0.0, 4.0], [0.0, 2.0, 0.0]]]
    for axis in (None, 0, 1, (1, 0)):
        gradgradcheck(lambda x, axis=axis: te.prod(x, axis=axis), x, **FLAT)


@given(data=st.data())
def test_products_with_many_zeros(data):
    x = data.draw(arrays(shapes(min_dims=1, max_dims=2, min_side=1, max_side=3)))
    x = np.where(data.draw(arrays(x.shape, dtype="bool")), 0.0, x)
    axis = data.draw(axes(x.ndim, none=False, several=False))
    for function in (te.prod, te.cumulative_prod):
        gradcheck(lambda x, function=function: function(x, axis=axis), x, **FLAT)
        gradgradcheck(lambda x, function=function: function(x, axis=axis), x, **FLAT)


@pytest.mark.parametrize(
    "function", [te.prod, te.cumulative_prod, lambda x: linear_recurrence(x, x, reverse=True)]
)
def test_third_derivatives_at_zeros(function):
    def first(x: Tensor) -> Tensor:
        return te.grad(te.square(function(x)).sum() + function(x).sum(), x, create_graph=True)

    for x in ([2.0, 0.0, 3.0], [0.0, 5.0, 0.0], [0.0, 0.0, 0.0]):
        gradcheck(first, np.array(x), **FLAT)
        gradgradcheck(first, np.array(x), **FLAT)


def test_a_recurrence_wants_equal_shapes():
    with pytest.raises(ShapeError, match=r"\(3,\) and b \(2,\)"):
        linear_recurrence(Tensor(np.ones(3)), Tensor(np.ones(2)))


def test_variance_and_deviation():
    x = np.random.default_rng(0).normal(size=(3, 4))
    for axis in (None, 0, [0, 1]):
        for correction in (0, 1, 1.5):
            over = tuple(axis) if isinstance(axis, list) else axis
            for function, reference in ((te.var, np.var), (te.std, np.std)):
                y = function(Tensor(x), axis=axis, correction=correction)
                np.testing.assert_allclose(y.data, reference(x, axis=over, ddof=correction), rtol=1e-13)
    assert te.var([1, 2, 3, 4]).dtype == te.std(Tensor(np.array([250, 3], np.uint8))).dtype == np.float64
    np.testing.assert_allclose(te.std(np.array([250, 2], np.uint8)), 124, rtol=1e-15)
    assert math.isnan(te.var(Tensor([1.0]), correction=1).item())  # one element says nothing of the spread
    assert math.isnan(te.std(Tensor([1.0]), correction=2).item())


def test_a_constant_has_no_deviation_and_a_huge_mean_leaves_it_exact():
    for value in (0.1, 1e30):
        assert slope(te.std, [value] * 3) == [[0.0] * 3]
        assert te.std(Tensor([value] * 7)).item() == te.var(Tensor([value] * 7)).item() == 0
    x = np.float32(1e6) + np.array([0, 1, 2, 3], np.float32)
    assert te.var(Tensor(x)).item() == 1.25
    np.testing.assert_allclose(te.std(Tensor([1e30, -1e30])).item(), 1e30, rtol=1e-6)  # its square is inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ord", [2, 1, 3, 0.5, -1, -2])
def test_norms_of_huge_and_tiny_vectors(dtype, ord):
    direction = np.array([3.0, -4.0, 12.0])
    expected = np.sum(np.abs(direction) ** ord) ** (1 / ord)
    for unit in (np.finfo(dtype).max / 1e3, np.finfo(dtype).tiny):
        x = Tensor((direction * unit).astype(dtype), requires_grad=True)
        y = vector_norm(x, ord=ord)
        assert y.dtype == dtype
        np.testing.assert_allclose(y.data / unit, expected, rtol=1e-5)
        share = np.sign(direction) * (np.abs(direction) / expected) ** (ord - 1)
        np.testing.assert_allclose(te.grad(y, x).data, share, rtol=1e-5)


def test_norms_at_zeros_and_infinities():
    assert slope(vector_norm, [0.0, 0.0]) == [[0.0, 0.0]]
    gradgradcheck(lambda x: vector_norm(x, ord=4), np.array([0.0, 1.0, 2.0]), **FLAT)
    gradgradcheck(lambda x: vector_norm(x, ord=2), np.array([0.0, 1.0, 2.0]))
    assert not vector_norm(Tensor([1.0, 0.0], requires_grad=True), ord=0).requires_grad
    for ord in (0, 1, 2, 3, 0.5, -1, math.inf, -math.inf):
        for x in ([0.0, 3.0], [math.inf, 1.0], [NAN, 1.0], [0.0, 0.0]):
            with np.errstate(all="ignore"):
                expected = np.linalg.norm(np.array(x), ord)
            np.testing.assert_allclose(vector_norm(np.array(x), ord=ord), expected, rtol=1e-14)
    assert vector_norm([3, 4]) == 5.0
    assert vector_norm(Tensor(np.ones((2, 3, 4))), axis=(0, -1), ord=1).tolist() == [8.0] * 3


def test_medians_and_quantiles():
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    for axis in (None, -1, (0, 2)):
        for keepdims in (False, True):
            for q in (0, 0.3, 0.5, 1):
                y = te.quantile(Tensor(x), q, axis=axis, keepdims=keepdims)
                expected = np.quantile(x, q, axis=axis, keepdims=keepdims)
                np.testing.assert_allclose(y.data, expected, rtol=1e-14)
    assert math.isnan(te.median(Tensor([1.0, NAN, 2.0])).item())
    assert slope(te.median, [4.0, 1.0, 9.0, 2.0]) == [[0.5, 0.0, 0.0, 0.5]]
    for q in (-0.1, 1.5, NAN):
        with pytest.raises(ArgumentError, match="fraction from 0 to 1"):
            te.quantile(Tensor([1.0]), q)


def test_differences():
    x = Tensor(np.array([[1.0, 4.0, 9.0]], np.float32))
    assert te.diff(x, n=0).tolist() == x.tolist()
    assert te.diff(x, n=5).shape == (1, 0)
    for first in (0, 0.0, np.float32(0), Tensor(0.0), np.zeros((1, 1), np.float32)):
        y = te.diff(x, prepend=first, append=first)
        assert y.dtype == np.float32
        assert y.tolist() == [[1.0, 3.0, 5.0, -9.0]]
    assert te.diff([1, 2], append=0.5).tolist() == [1.0, -1.5]
    with pytest.raises(ArgumentError, match="at least 0"):
        te.diff(x, n=-1)
    with pytest.raises(ShapeError):
        te.diff(x, prepend=np.zeros((2, 1)))


def test_scans_want_an_axis():
    for function in (te.cumulative_sum, te.cumulative_prod, te.cumulative_logsumexp):
        for x, axis in ((Tensor(1.0), None), (Tensor([[1.0]]), None), (Tensor([1.0]), 1)):
            with pytest.raises(ShapeError, match=function.__name__):
                function(x, axis=axis)


def test_running_logarithms_neither_overflow_nor_turn_to_nan():
    x = [-math.inf, -math.inf, 1000.0, -1000.0, -math.inf, 1000.0]
    y = te.cumulative_logsumexp(np.array(x))
    assert y.tolist() == [-math.inf, -math.inf, 1000.0, 1000.0, 1000.0, 1000.0 + math.log(2)]
    (g,) = slope(te.cumulative_logsumexp, x)
    np.testing.assert_allclose(g, [0.0, 0.0, 3.5, 0.0, 0.0, 0.5], rtol=1e-12)
    assert te.cumulative_logsumexp([1, 2]).dtype == np.float64


def test_equals_keep_their_order_and_nan_comes_last():
    x = np.array([2.0, NAN, 1.0, 2.0, -math.inf, NAN, 1.0])
    assert te.argsort(x).tolist() == [4, 2, 6, 0, 3, 1, 5]
    assert te.argsort(x, descending=True).tolist() == [0, 3, 2, 6, 4, 1, 5]
    np.testing.assert_array_equal(te.sort(x, descending=True), [2.0, 2.0, 1.0, 1.0, -math.inf, NAN, NAN])
    assert te.top_k(x, 3).indices.tolist() == [0, 3, 2]
    assert te.top_k(x, 2, largest=False).indices.tolist() == [4, 2]
    (g,) = slope(lambda x: te.sort(x) * np.array([1.0, 2.0, 3.0]), [5.0, 1.0, 5.0])
    assert g == [2.0, 1.0, 3.0]  # the first of the equals went to the second place
    assert slope(lambda x: te.top_k(x, 2).values * np.array([1.0, 2.0]), [5.0, 1.0, 5.0]) == [[1.0, 0.0, 2.0]]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "bool"])
def test_whole_numbers_in_descending_order(dtype):
    kind = np.dtype(dtype)
    ends = [0, 1] if kind.kind == "b" else [np.iinfo(kind).min, np.iinfo(kind).max, 1, 0]
    y = te.sort(Tensor(np.array(ends, kind)), descending=True)
    assert y.dtype == kind
    assert y.tolist() == sorted(ends, reverse=True)


def test_searching_refuses_a_list_that_is_out_of_order():
    x = Tensor([3.0, 1.0, 2.0])
    for bad in (x, Tensor([1.0, NAN, 2.0])):
        with pytest.raises(ArgumentError, match="ascending order"):
            te.searchsorted(bad, 2.0)
    assert te.searchsorted(Tensor([1.0, 2.0, NAN, NAN]), Tensor([2.5, NAN])).tolist() == [2, 2]
    assert te.searchsorted(x, 2.0, sorter=te.argsort(x), side="right").tolist() == 2
    with pytest.raises(ArgumentError, match="'left'"):
        te.searchsorted(x, 2.0, side="lef")
    with pytest.raises(ShapeError):
        te.searchsorted(Tensor([[1.0]]), 2.0)


def test_what_does_not_fit_is_refused():
    x = Tensor(np.ones((2, 3)))
    for function in (te.sum, te.prod, te.any, te.all, te.count_nonzero, te.var, te.std, te.median, te.diff):
        with pytest.raises(ShapeError, match="axis 2"):
            function(x, axis=2)
    for function in (te.sort, te.argsort, te.nonzero, lambda x: te.top_k(x, 1), te.diff):
        with pytest.raises(ShapeError):
            function(Tensor(1.0))
    for k in (-1, 4):
        with pytest.raises(ArgumentError, match="out of range"):
            te.top_k(x, k)


@pytest.mark.parametrize("axis", [0, (0, 1), (0, 2), (0, 1, 2), (1, 2), 2])
@pytest.mark.parametrize("order", ["C", "F"])
def test_long_sums_of_float32_keep_their_digits(axis, order):
    """NumPy adds along the leading axes one after the other: 0.008 off for a mean of 10.1."""
    x = (10.1 + 0.01 * np.random.default_rng(0).standard_normal((512, 256, 3))).astype(
        np.float32, order=order
    )
    for function, exact in ((te.sum, np.sum), (te.mean, np.mean)):
        for keepdims in (False, True):
            y = function(Tensor(x), axis=axis, keepdims=keepdims)
            assert y.dtype == np.float32
            np.testing.assert_allclose(y.data, exact(x, axis, np.float64, keepdims=keepdims), rtol=2e-7)
            assert y.shape == exact(x, axis, keepdims=keepdims).shape
    np.testing.assert_allclose(te.std(Tensor(x), axis=axis).data, np.std(x, axis, np.float64), rtol=1e-5)
    np.testing.assert_allclose(
        vector_norm(Tensor(x), axis=axis).data, np.sqrt(np.sum(x.astype(float) ** 2, axis)), rtol=5e-7
    )
    np.testing.assert_allclose(
        te.logsumexp(Tensor(x), axis=axis).data, te.logsumexp(x.astype(np.float64), axis=axis), rtol=3e-7
    )


def test_the_gradient_of_what_was_stretched_over_many_places_is_exact():
    bias = Tensor(np.zeros(2, np.float32), requires_grad=True)
    y = bias + Tensor(np.zeros((100_000, 2), np.float32))
    (g,) = te.grad(y, [bias], np.full(y.shape, 0.1, np.float32))
    np.testing.assert_allclose(g.data, [1e4, 1e4], rtol=1e-7)


def test_an_infinite_neighbour_without_a_share_does_not_matter():
    assert te.median(Tensor([1.0, 2.0, math.inf])).item() == 2
    assert te.quantile(Tensor([1.0, 2.0, 3.0, math.inf, math.inf]), 0.5).item() == 3
    assert slope(te.median, [1.0, 2.0, math.inf]) == [[0, 1, 0]]


def test_a_zero_gets_no_gradient_from_a_norm_of_negative_order():
    assert slope(lambda x: vector_norm(x, ord=-2), [0.0, 1.0, 2.0]) == [[0, 0, 0]]
    gradcheck(lambda x: vector_norm(x, ord=-2), [np.array([1.0, -2.0])])


@pytest.mark.parametrize("function", [te.sort, te.argsort])
def test_order_needs_an_axis(function):
    x = Tensor([2.0, 1.0], requires_grad=True)
    with pytest.raises(DTypeError, match="an axis must be a whole number, got None"):
        function(x, axis=None)
    with pytest.raises(ShapeError, match="axis 1 is out of range"):
        function(x, axis=1)
