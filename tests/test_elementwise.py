"""Elementwise functions at their edges: corners, huge and tiny numbers, zeros with a sign, dtypes, refusals.

Slopes at the kinks stand in the table of operations; here is what doesn't fit into a row.
"""

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor, ops
from tinygrad_edu.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_edu.testing import gradgradcheck

ROOT_HALF = math.sqrt(0.5)


def slope(function: Any, *values: Any, dtype: Any = np.float64) -> list[Any]:
    """Return the gradients of the sum of a function, as lists; None where there is none."""
    leaves = [Tensor(np.array(v, dtype), requires_grad=True) for v in values]
    y = function(*leaves)
    found = te.grad(y, leaves, np.ones(y.shape), allow_unused=True)
    return [None if g is None else g.tolist() for g in found]


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_squares_that_overflow_or_vanish_are_avoided(size):
    assert te.hypot(size, -size) == pytest.approx(size * math.sqrt(2), rel=1e-15)
    np.testing.assert_allclose(slope(te.hypot, size, -size), [ROOT_HALF, -ROOT_HALF], rtol=1e-15)
    np.testing.assert_allclose(slope(te.atan2, size, -size), [-0.5 / size, -0.5 / size], rtol=1e-15)
    for function in (te.atan, te.asinh):
        wanted = 1.0 if size < 1 else {te.atan: 0.0, te.asinh: 1 / size}[function]
        assert slope(function, size) == [wanted]
    np.testing.assert_allclose(slope(te.rsqrt, 1e-200), [-5e299], rtol=1e-14)
    np.testing.assert_allclose(slope(te.cbrt, 1e-300), [1e200 / 3], rtol=1e-14)
    assert slope(te.acosh, 1e300) == [1e-300]


def test_float32_has_its_own_limits():
    y = te.hypot(Tensor(np.float32(1e30)), Tensor(np.float32(1e30)))
    assert y.dtype == np.float32
    assert y.item() == pytest.approx(1e30 * math.sqrt(2))
    np.testing.assert_allclose(
        slope(te.hypot, 1e30, 1e30, dtype=np.float32), [ROOT_HALF, ROOT_HALF], rtol=1e-6
    )
    np.testing.assert_allclose(slope(te.asinh, 1e30, dtype=np.float32), [1e-30], rtol=1e-6)


def test_second_derivatives_at_corners_are_finite():
    for function in (te.hypot, te.atan2):
        x = [Tensor(0.0, requires_grad=True), Tensor(0.0, requires_grad=True)]
        first = te.grad(function(*x), x, create_graph=True)
        assert [g.item() for g in first] == [0.0, 0.0]
        second = te.grad(first[0] + first[1], x, allow_unused=True)
        assert all(np.isfinite(g.item()) for g in second)


def test_logaddexp_of_infinities_and_of_huge_numbers():
    a, b = [-np.inf, np.inf, -np.inf, 1e4, -1e4], [-np.inf, np.inf, 3.0, -1e4, -1e4]
    y = te.logaddexp(Tensor(np.array(a)), Tensor(np.array(b)))
    assert y.tolist() == [-np.inf, np.inf, 3.0, 1e4, pytest.approx(math.log(2) - 1e4)]
    assert slope(te.logaddexp, a, b) == [[0.5, 0.5, 0.0, 1.0, 0.5], [0.5, 0.5, 1.0, 0.0, 0.5]]
    gradgradcheck(te.logaddexp, [np.array([0.5, -1.0]), np.array([0.5, 2.0])])  # also at equal numbers


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_a_remainder_has_the_sign_of_the_divisor(dtype):
    x1, x2 = np.array([7, -7, 7, -7, 6], dtype), np.array([3, 3, -3, -3, -3], dtype)
    assert te.remainder(Tensor(x1), Tensor(x2)).tolist() == [1, 2, -2, -1, 0]
    assert te.floor_divide(Tensor(x1), Tensor(x2)).tolist() == [2, -3, -3, 2, -2]
    assert te.remainder(Tensor(x1), x2).dtype == te.floor_divide(x1, Tensor(x2)).dtype == dtype


def test_remainder_of_a_negative_divisor_has_its_slope():
    assert slope(te.remainder, [7.0, -7.0], [-3.0, -3.0]) == [[1.0, 1.0], [3.0, -2.0]]
    assert slope(lambda x2: te.remainder(7, x2), [-3.0]) == [[3.0]]


def test_division_by_zero_is_refused_of_whole_numbers_and_infinite_of_floats():
    for function in (te.floor_divide, te.remainder):
        with pytest.raises(ArgumentError, match=r"(?s)divided by 0.*floats"):
            function(Tensor([1, 2]), Tensor([1, 0]))
    with np.errstate(all="ignore"):
        assert te.floor_divide(Tensor([1.0, -1.0]), 0.0).tolist() == [np.inf, -np.inf]
        assert np.isnan(te.remainder(Tensor(1.0), 0.0).item())
        assert te.reciprocal(Tensor([0.0, -0.0])).tolist() == [np.inf, -np.inf]
    with pytest.raises(DTypeError, match="negative powers"):
        te.pow(Tensor([2]), -1)


def test_whole_numbers_stay_whole_where_nothing_else_arises():
    x = Tensor(np.array([3, -4], np.int8))
    for function in (te.ceil, te.floor, te.trunc, te.round, te.sign, te.positive, te.square, te.abs):
        assert function(x).dtype == np.int8
    assert te.clip(x, 0).dtype == te.remainder(x, 2).dtype == te.bitwise_and(x, 3).dtype == np.int8
    assert te.reciprocal(Tensor([2, 4])).tolist() == [0.5, 0.25]
    assert te.sin(Tensor([0])).dtype == te.hypot(Tensor([3]), 4).dtype == te.rsqrt(Tensor([4])).dtype
    assert te.rsqrt(Tensor([4])).dtype == np.float64
    assert te.round(Tensor([True])).dtype == te.isnan(Tensor([1])).dtype == np.bool_


def test_rounding_to_even_and_beside_the_whole_numbers():
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999999999999994, 2.0**53 + 2])
    assert te.round(Tensor(x)).tolist() == [-2, -2, 0, 0, 2, 2, 0, 2.0**53 + 2]
    below = np.nextafter(2.0, 0.0)
    assert [f(Tensor(below)).item() for f in (te.floor, te.ceil, te.trunc, te.round)] == [1, 2, 1, 2]
    assert np.signbit(te.ceil(Tensor(-0.5)).item())  # -0.0


def test_what_is_flat_requires_no_gradient():
    x = Tensor([1.5, -2.5], requires_grad=True)
    flat = (te.ceil, te.floor, te.trunc, te.round, te.sign, te.signbit, te.isnan, te.isinf, te.isfinite)
    assert not any(function(x).requires_grad for function in flat)
    for function in (te.floor_divide, te.nextafter, te.isclose, te.logical_or):
        assert not function(x, 2.0).requires_grad
    loss = (te.floor(x) * x).sum()  # the floor is a constant factor
    assert te.grad(loss, x).tolist() == [1.0, -3.0]


def test_copysign_turns_the_gradient_too():
    assert slope(te.copysign, [2.0, 2.0, -2.0, -2.0], [3.0, -0.0, 0.0, -3.0]) == [[1, -1, -1, 1], None]
    assert np.signbit(te.copysign(Tensor([0.0]), -1.0).data).all()


def test_the_next_float_depends_on_the_dtype():
    for dtype in (np.float32, np.float64):
        step = te.nextafter(Tensor(np.ones(1, dtype)), 2.0) - 1
        assert step.dtype == dtype
        assert step.item() == np.finfo(dtype).eps
    assert te.nextafter(Tensor(0.0), 0.0).item() == 0


def test_nan_to_num_fills_with_the_limits_of_the_dtype():
    x = Tensor([1.0, np.nan, np.inf, -np.inf], requires_grad=True)
    y = te.nan_to_num(x, nan=5.0)
    largest = np.finfo(np.float32).max
    assert y.dtype == np.float32
    assert y.tolist() == [1.0, 5.0, largest, -largest]
    assert te.nan_to_num(Tensor([1, 2])).tolist() == [1, 2]


def test_bounds_of_clip_may_learn():
    x = [-2.0, 0.5, 3.0]
    assert slope(te.clip, x, 0.0, 1.0) == [[0.0, 1.0, 0.0], 1.0, 1.0]
    assert slope(te.clip, x, [0.0, 1.0, 2.0], 9.0) == [[0.0, 0.0, 1.0], [1.0, 1.0, 0.0], 0.0]
    assert slope(lambda x, b: te.clip(x, max=b), x, 1.0) == [[1.0, 1.0, 0.0], 1.0]


def test_bounds_of_clip_broadcast():
    x = Tensor([[-2.0], [5.0]], requires_grad=True)
    y = te.clip(x, np.array([0, 1, 2]), [3.0, 4.0, 6.0])
    assert y.dtype == np.float64  # an array of whole numbers promotes as everywhere
    assert y.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    y = te.clip(x, max=np.array([3.0, 4.0, 6.0], np.float32))
    assert (y.dtype, y.shape) == (np.float32, (2, 3))
    assert te.grad(y, x, np.ones(y.shape)).tolist() == [[3.0], [1.0]]


def test_clip_without_bounds_copies_and_with_crossed_ones_refuses():
    x = np.array([1.0, 2.0])
    y = te.clip(x)
    assert not np.shares_memory(x, y)
    assert y.tolist() == [1.0, 2.0]
    for low in (2, Tensor(2.0), np.array([0, 2])):
        with pytest.raises(ArgumentError, match="greater"):
            te.clip(Tensor(x), low, 1)


def test_bits_are_of_whole_numbers_and_bools():
    a, b = Tensor([True, True, False]), np.array([True, False, False])
    assert te.bitwise_and(a, b).tolist() == te.logical_and(a, b).tolist() == [True, False, False]
    assert te.bitwise_xor(a, b).dtype == te.bitwise_invert(a).dtype == np.bool_
    assert te.bitwise_left_shift(Tensor(np.array([1, 100], np.uint8)), 2).tolist() == [4, 144]
    floats, whole = Tensor([1.0]), Tensor([1])
    for function in (te.bitwise_and, te.bitwise_or, te.bitwise_left_shift, te.bitwise_right_shift):
        for inputs in ((floats, whole), (whole, floats)):
            with pytest.raises(DTypeError, match=r"(?s)bitwise_.*whole numbers.*float32.*astype"):
                function(*inputs)
    with pytest.raises(DTypeError, match="bitwise_invert"):
        te.bitwise_invert(floats)
    with pytest.raises(ArgumentError, match="negative"):
        te.bitwise_left_shift(whole, -1)


def test_truth_is_not_being_zero():
    x = Tensor([0.0, -0.0, 0.5, np.nan])
    assert te.logical_not(x).tolist() == [True, True, False, False]
    assert te.logical_xor(x, 1).tolist() == [True, True, False, False]


def test_close_is_within_rounding():
    nan = Tensor([np.nan, np.inf, 1.0])
    assert te.isclose(nan, nan).tolist() == [False, True, True]
    assert te.isclose(nan, nan, equal_nan=True).tolist() == [True, True, True]
    assert te.isclose(Tensor([100.0]), 101.0, rtol=0.0, atol=2.0).tolist() == [True]
    assert te.allclose(Tensor([[1.0], [1.0]]), [1.0, 1.0 + 1e-7]) is True
    assert te.allclose(Tensor([1.0]), 1.1) is False
    assert te.allclose(np.zeros((0, 3)), np.ones(3)) is True
    assert te.allclose(Tensor([1.0], requires_grad=True), 1.0) is True


def test_shapes_that_do_not_fit_are_refused_in_words():
    x = Tensor(np.ones((2, 3)))
    for function in (te.hypot, te.atan2, te.remainder, te.logaddexp, te.copysign):
        with pytest.raises(ShapeError, match="transpose"):
            function(x, Tensor(np.ones((3, 2))))


def test_lists_numbers_and_a_transposed_view():
    assert te.hypot([3.0, 5.0], Tensor([4.0, 12.0])).tolist() == [5.0, 13.0]
    assert te.atan2(Tensor(1.0), 0).item() == pytest.approx(math.pi / 2)
    view = Tensor(np.arange(6.0).reshape(2, 3)).T
    assert te.exp2(view).tolist() == [[1.0, 8.0], [2.0, 16.0], [4.0, 32.0]]


def test_a_bound_that_is_nan_gives_nan_however_it_is_given():
    for bound in (np.nan, np.array(np.nan), Tensor(np.nan), [np.nan, np.nan]):
        assert np.isnan(te.clip(Tensor([1.0, 2.0]), bound, 3.0).data).all()
        assert np.isnan(te.clip(Tensor([1.0, 2.0]), 0.0, bound).data).all()


@pytest.mark.parametrize("inner", [te.relu, lambda x: te.maximum(x, 0.0), lambda x: te.clip(x, 0.0, None)])
@pytest.mark.parametrize("outer", [te.sqrt, te.log])
def test_an_infinite_slope_stays_out_of_the_branch_that_was_not_taken(inner, outer):
    x = Tensor([-1.0, 4.0], requires_grad=True)
    for create_graph in (False, True):
        with np.errstate(divide="ignore"):
            g = te.grad(outer(inner(x)).sum(), x, create_graph=create_graph)
        assert g.tolist() == [0.0, 0.25]


def test_slopes_of_powers_and_sides_that_are_0():
    x, p = Tensor([0.0], requires_grad=True), Tensor([-1.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        assert te.grad(x**p, p).tolist() == [-math.inf]
    a = Tensor(0.0, requires_grad=True)
    (slope,) = te.grad(te.hypot(a, 0.0), (a,), create_graph=True)
    assert (slope.item(), te.grad(slope, a).item()) == (0.0, 0.0)


def test_a_mistake_that_is_not_one_of_shapes_gets_no_hint_at_shapes():
    for wrong in (
        lambda: Tensor([1.0]) + "a",
        lambda: Tensor([1]) // 0,
        lambda: te.clip(Tensor([1.0]), 3, 1),
    ):
        with pytest.raises((ArgumentError, DTypeError)) as caught:
            wrong()
        assert "shapes are compared" not in str(caught.value)
        assert "clip: clip" not in str(caught.value)


SMALL = ["bool", "int8", "uint8", "int16", "uint16"]


@pytest.mark.parametrize("dtype", [*SMALL, "int32", "int64"])
def test_float16_never_comes_out_of_whole_numbers(dtype):
    """NumPy computes with 8 bits and bools in float16, which is too rough, and has no name here."""
    x = Tensor(np.ones(3, dtype))
    found = {}
    for name in ops.__all__:
        function = getattr(te, name)
        for inputs in ((x,), (x, x)):
            try:
                with np.errstate(all="ignore"):
                    y = function(*inputs)
            except (TypeError, ValueError, IndexError, AttributeError):  # wants other inputs
                continue
            if isinstance(y, Tensor):
                found[name] = y.dtype
            break
    assert len(found) > 90
    assert "float16" not in [str(d) for d in found.values()]
    wide = np.float32 if dtype in SMALL else np.float64
    for name in ("exp", "sqrt", "log1p", "sin", "acosh", "cbrt", "rsqrt", "hypot", "atan2", "sigmoid", "silu",
                 "logaddexp", "copysign", "softmax", "erf", "xlogy"):  # fmt: skip
        assert found[name] == wide, name
    for name in ("divide", "reciprocal", "mean", "var"):
        assert found[name] == np.float64, name


def test_values_of_small_whole_numbers_are_those_of_float32():
    x = np.array([0, 3, 100], np.uint8)
    for function in (te.exp, te.sqrt, te.sin, te.sigmoid, te.silu):
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(function(Tensor(x)), function(Tensor(x.astype(np.float32))))
    assert te.hypot(Tensor(x), 4).tolist() == te.hypot(Tensor(x.astype(np.float32)), 4).tolist()
    assert te.hypot(Tensor(np.float32([3, 6])), 4).dtype == np.float32


def test_python_floats_are_float32_unless_a_neighbour_is_wider():
    x = Tensor([1.0, 2.0])
    for y in (te.where(x > 1, 1.0, 0.0), te.where(x > 1, 1, 0.0), te.stack([x.sum(), 1.0]),
              te.stack([2, x.sum()]), te.broadcast_arrays(x, 2.0)[1]):  # fmt: skip
        assert y.dtype == np.float32
    wide = te.astype(x, "float64")
    assert te.where(x > 1, 1, 0).dtype == np.int64
    for y in (te.where(x > 1, np.float64(1), 0.0), te.where(x > 1, wide, 0.0), te.stack([wide.sum(), 1.0]),
              te.broadcast_arrays(wide, 2.0)[1]):  # fmt: skip
        assert y.dtype == np.float64


def test_pythons_round():
    assert round(Tensor([1.5, -0.7])).tolist() == [2.0, -1.0]
    with pytest.raises(DTypeError, match="to whole numbers"):
        round(Tensor(1.25), 1)


@pytest.mark.parametrize("function", [te.atan2, te.hypot, te.copysign, te.logaddexp, te.nextafter])
def test_a_python_int_that_only_a_float_can_hold(function):
    small, wide = Tensor(np.array([1, 2], np.uint8)), Tensor([1.0, 2.0])
    for number in (-1, 300):
        for got, expected in [
            (function(small, number), function(wide, number)),
            (function(number, small), function(number, wide)),
        ]:
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got.data, expected.data)
