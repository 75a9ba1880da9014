"""Every operation of the engine, from one table: values, dtypes, gradients, layouts, broadcasting, nan."""

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operations_table import (
    DIFFERENTIABLE,
    NAMES,
    REGISTERED,
    TABLE,
    Case,
    call_of,
    cases,
    has_slopes,
    is_float,
)

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.ops import OPERATIONS
from tinygrad_edu.testing import LAYOUTS, arrays, gradcheck, gradgradcheck, with_layout

EPS32 = float(np.finfo(np.float32).eps)

BROADCASTING = [name for name in REGISTERED if OPERATIONS[name].broadcasts and name in DIFFERENTIABLE]
LIKE_NUMPY = [name for name in NAMES if TABLE[name].numpy]


def several(results: Any) -> list[Any]:
    """Return the results of an operation as a list, be they one or more."""
    return list(results) if isinstance(results, tuple) else [results]


def tensor(x: Any) -> Any:
    """Return an array as a Tensor, which requires a gradient if it can; a number stays one."""
    return Tensor(x, requires_grad=is_float(x)) if isinstance(x, np.ndarray) else x


def call(name: str, case: Case, dtype: Any = np.float64) -> tuple[list[Any], list[Tensor]]:
    """Call with Tensors; return them, those of floats requiring a gradient, and the results."""
    inputs = [tensor(x.astype(dtype) if is_float(x) else x) for x in case.inputs]
    return inputs, several(call_of(name)(*inputs, **case.params))


def fixed(name: str, results: list[Any]) -> list[Any]:
    """Map results that are determined but for a choice of signs to what doesn't depend on it."""
    mapping = TABLE[name].fixed
    return results if mapping is None else several(mapping(*results))


def gradients(
    name: str, case: Case, inputs: tuple[Any, ...], us: list[Any], only_floats: bool = False
) -> list[Any]:
    """Return the gradients of the sum of all results · u in the float inputs; zeros where there is none."""
    leaves = [tensor(x) for x in inputs]
    outs = fixed(name, several(call_of(name)(*leaves, **case.params)))
    outs = [y for y in outs if y.dtype.kind == "f"] if only_floats else outs
    wanted = [x for x, value in zip(leaves, inputs, strict=True) if is_float(value)]
    pairs = [(y, u) for y, u in zip(outs, us, strict=True) if y.requires_grad]
    found = te.grad([y for y, _ in pairs], wanted, [u for _, u in pairs], allow_unused=True)
    return [np.zeros(x.shape) if g is None else g.data for g, x in zip(found, wanted, strict=True)]


def check_value(name: str, case: Case) -> None:
    row, function = TABLE[name], call_of(name)
    before = [np.array(x) for x in case.inputs]
    inputs, outs = call(name, case)
    wanted = fixed(name, several(row.value(*case.inputs, **case.params)))
    got = fixed(name, [y.data for y in outs])
    floats = any(is_float(x) for x in case.inputs)
    assert len(got) == len(wanted)
    for y, array, expected in zip(outs, got, map(np.asarray, wanted), strict=True):
        assert array.shape == expected.shape
        np.testing.assert_allclose(array, expected, rtol=row.rtol, atol=row.rtol / 10)
        real = y.dtype.kind == "f"
        if name in DIFFERENTIABLE:
            assert y.requires_grad == (floats and real)
        else:
            assert not y.requires_grad
        assert not (row.keeps_dtype and floats and real) or y.dtype == np.float64
    graded = [y for y in outs if y.requires_grad]
    if graded:
        te.backward(graded, [np.ones(y.shape) for y in graded])
    for x, old in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(getattr(x, "data", x), old)  # neither pass changes an input
    for plain, y in zip(several(function(*case.inputs, **case.params)), outs, strict=True):
        assert not isinstance(plain, Tensor)  # arrays alone give an array
        np.testing.assert_array_equal(plain, y.data)


def check_gradient(name: str, case: Case) -> None:
    row, function = TABLE[name], call_of(name)

    def checked(*x: Any) -> Any:
        return tuple(fixed(name, several(function(*x, **case.params))))

    gradcheck(checked, list(case.inputs), rtol=row.slope_rtol, atol=row.slope_atol)


def test_each_operation_has_a_row_and_each_row_an_operation():
    assert set(REGISTERED) == set(OPERATIONS)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_value_is_the_reference(name, data):
    check_value(name, data.draw(cases(name)))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_float32_in_float32_out_within_rounding(name, data):
    row, case = TABLE[name], data.draw(cases(name))
    inputs, outs = call(name, case, np.float32)
    rounded = Case(
        tuple(
            x.data.astype(np.float64) if is_float(x0) else x0
            for x, x0 in zip(inputs, case.inputs, strict=True)
        ),
        case.params,
    )
    _, exact = call(name, rounded)
    terms = 0 if row.terms is None else row.terms(*rounded.inputs, **case.params)
    for y in outs:
        if y.dtype.kind == "f" and row.keeps_dtype and any(is_float(x) for x in case.inputs):
            assert y.dtype == np.float32
    arrays32, arrays64 = (fixed(name, [y.data for y in results]) for results in (outs, exact))
    for array, expected in zip(arrays32, arrays64, strict=True):
        size = np.abs(expected) + terms
        with np.errstate(invalid="ignore"):  # the logsumexp of nothing is -inf in both
            near = np.abs(array.astype(np.float64) - expected) <= row.ulps * EPS32 * size
        assert np.all(near | (array == expected))
    graded = [y for y in outs if y.requires_grad]
    if graded:
        te.backward(graded, [np.ones(y.shape) for y in graded])
        for x in inputs:
            assert getattr(x, "grad", None) is None or (
                x.grad.dtype == np.float32 and x.grad.shape == x.shape
            )


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@given(data=st.data())
def test_gradient(name, data):
    check_gradient(name, data.draw(cases(name)))


@pytest.mark.parametrize("name", [name for name in DIFFERENTIABLE if TABLE[name].at_kinks])
def test_gradient_at_the_kinks_is_as_documented(name):
    for inputs, params, slopes in TABLE[name].at_kinks:
        assert has_slopes(functools.partial(call_of(name), **params), inputs, slopes), (inputs, params)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@given(data=st.data())
def test_jvp_and_vjp_are_transposes(name, data):
    """Check <u, J v> = <Jᵀ u, v>, where J v comes from the recorded rules and Jᵀ u from those on arrays."""
    case = data.draw(cases(name))
    places = [i for i, x in enumerate(case.inputs) if is_float(x)]

    def function(*floats: Any) -> Any:
        inputs = list(case.inputs)
        for i, x in zip(places, floats, strict=True):
            inputs[i] = x
        outs = fixed(name, several(call_of(name)(*inputs, **case.params)))
        return tuple([y for y in outs if y.dtype.kind == "f"])

    points = tuple([Tensor(case.inputs[i]) for i in places])
    vs = tuple([Tensor(data.draw(arrays(x.shape))) for x in points])
    outs, slopes = te.jvp(function, points, vs)
    us = [data.draw(arrays(y.shape)) for y in outs]
    pulled = gradients(name, case, case.inputs, us, only_floats=True)
    forward = [np.sum(u * s.data) for u, s in zip(us, slopes, strict=True)]
    back = [np.sum(g * v.data) for g, v in zip(pulled, vs, strict=True)]
    size = sum(np.sum(np.abs(u * s.data)) for u, s in zip(us, slopes, strict=True))
    assert abs(sum(forward) - sum(back)) <= max(1e-10, TABLE[name].rtol) * (size + 1)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@given(data=st.data())
def test_gradient_of_the_gradient(name, data):
    function, case = call_of(name), data.draw(cases(name, most=2))
    gradgradcheck(
        lambda *x: tuple(fixed(name, several(function(*x, **case.params)))),
        list(case.inputs),
        rtol=max(1e-6, TABLE[name].slope_rtol),
        atol=TABLE[name].slope_atol,
    )


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_sides_of_0_and_1(name, data):
    case = data.draw(cases(name, 0, 1))
    check_value(name, case)
    if name in DIFFERENTIABLE:
        check_gradient(name, case)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_layout_in_memory_makes_no_difference(name, data):
    case, row = data.draw(cases(name)), TABLE[name]
    layout = data.draw(st.sampled_from(LAYOUTS[1:]))
    moved = tuple([with_layout(x, layout) if isinstance(x, np.ndarray) else x for x in case.inputs])
    _, outs = call(name, case)
    again = several(call_of(name)(*[tensor(x) for x in moved], **case.params))
    close = {"rtol": max(1e-12, row.rtol), "atol": max(1e-12, row.rtol)}
    results = fixed(name, outs)
    for y, y2 in zip(results, fixed(name, again), strict=True):
        np.testing.assert_allclose(y2.data, y.data, **close)
    if any(y.requires_grad for y in outs):
        us = [data.draw(arrays(y.shape)) for y in results]
        expected = gradients(name, case, case.inputs, us)
        turned = [with_layout(u, layout) for u in us]
        for g, e in zip(gradients(name, case, moved, turned), expected, strict=True):
            np.testing.assert_allclose(g, e, **close)


@pytest.mark.parametrize("name", BROADCASTING)
@given(data=st.data())
def test_broadcasting_adds_up_the_gradients_of_the_copies(name, data):
    case = data.draw(cases(name))
    shape = case.params.get("shape") or np.broadcast_shapes(*map(np.shape, case.inputs))
    u = data.draw(arrays(shape))
    implicit = gradients(name, case, case.inputs, [u])
    copies = tuple(
        [np.broadcast_to(x, shape).copy() if isinstance(x, np.ndarray) else x for x in case.inputs]
    )
    explicit = gradients(name, case, copies, [u])
    for g, e in zip(implicit, explicit, strict=True):
        places = np.broadcast_to(np.arange(g.size).reshape(g.shape), shape)
        total = np.bincount(places.ravel(), e.ravel(), g.size).reshape(g.shape)
        np.testing.assert_allclose(g, total, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LIKE_NUMPY)
@given(data=st.data())
def test_nan_inf_and_zeros_as_in_numpy(name, dtype, data):
    row, case = TABLE[name], data.draw(cases(name))
    inputs = [
        data.draw(arrays(x.shape, special=True, dtype=dtype))
        if isinstance(x, np.ndarray) and x.dtype.kind != "b"
        else x
        for x in case.inputs
    ]
    with np.errstate(all="ignore"):
        expected = row.numpy(*inputs, **case.params)
        got = call_of(name)(*map(tensor, inputs), **case.params)
    np.testing.assert_allclose(got.data, expected, rtol=1e-6, atol=1e-30)
    if got.dtype.kind == "f" and name != "sigmoid":  # the textbook form of sigmoid has no negative zero
        zero = expected == 0
        np.testing.assert_array_equal(np.signbit(got.data[zero]), np.signbit(expected[zero]))
