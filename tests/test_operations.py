"""Every operation of the engine, from one table: values, dtypes, gradients, layouts, broadcasting, nan."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operations_table import DIFFERENTIABLE, NAMES, TABLE, Case, cases, is_float

import tinygrad_edu as te
from tinygrad_edu import Function, Tensor
from tinygrad_edu.ops import OPERATIONS
from tinygrad_edu.testing import LAYOUTS, arrays, gradcheck, gradgradcheck, with_layout

EPS32 = float(np.finfo(np.float32).eps)

BROADCASTING = [name for name in DIFFERENTIABLE if OPERATIONS[name].broadcasts]
LIKE_NUMPY = [name for name in NAMES if TABLE[name].numpy]


def call(operation: type[Function], case: Case, dtype: Any = np.float64) -> tuple[list[Any], Tensor]:
    """Run an operation on Tensors; return them, those of floats requiring a gradient, and the result."""
    inputs = [Tensor(x.astype(dtype), requires_grad=True) if is_float(x) else Tensor(x) for x in case.inputs]
    return inputs, operation.apply(*inputs, **case.params)


def gradients(operation: type[Function], case: Case, inputs: tuple[Any, ...], u: Any) -> list[Any]:
    """Return the gradients of sum(result · u) in the float inputs."""
    leaves = [Tensor(x, requires_grad=True) if is_float(x) else Tensor(x) for x in inputs]
    out = operation.apply(*leaves, **case.params)
    wanted = [x for x in leaves if x.requires_grad]
    return [g.data for g in te.grad(out, wanted, u)]


def check_value(name: str, case: Case) -> None:
    operation, row = OPERATIONS[name], TABLE[name]
    before = [np.array(x) for x in case.inputs]
    inputs, out = call(operation, case)
    expected = np.asarray(row.value(*case.inputs, **case.params))
    assert out.shape == expected.shape
    np.testing.assert_allclose(out.data, expected, rtol=1e-11, atol=1e-12)
    floats = any(is_float(x) for x in case.inputs)
    assert out.requires_grad == (floats and operation.differentiable and out.dtype.kind == "f")
    if row.keeps_dtype and floats:
        assert out.dtype == np.float64
    if out.requires_grad:
        out.backward(np.ones(out.shape))
    for x, old in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x.data, old)  # neither pass changes an input
    plain = operation.apply(*case.inputs, **case.params)
    assert not isinstance(plain, Tensor)  # arrays alone give an array
    np.testing.assert_array_equal(plain, out.data)


def check_gradient(name: str, case: Case) -> None:
    operation = OPERATIONS[name]
    gradcheck(lambda *x: operation.apply(*x, **case.params), list(case.inputs), rtol=1e-7)


def test_each_operation_has_a_row_and_each_row_an_operation():
    assert set(TABLE) == set(OPERATIONS)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_value_is_the_reference(name, data):
    check_value(name, data.draw(cases(name)))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_float32_in_float32_out_within_rounding(name, data):
    operation, row, case = OPERATIONS[name], TABLE[name], data.draw(cases(name))
    inputs, out = call(operation, case, np.float32)
    rounded = Case(
        tuple(x.data.astype(np.float64) if is_float(x.data) else x.data for x in inputs), case.params
    )
    _, exact = call(operation, rounded)
    if row.keeps_dtype and any(is_float(x) for x in case.inputs):
        assert out.dtype == np.float32
    size = np.abs(exact.data) + (0 if row.terms is None else row.terms(*rounded.inputs, **case.params))
    with np.errstate(invalid="ignore"):  # the logsumexp of nothing is -inf in both
        near = np.abs(out.data.astype(np.float64) - exact.data) <= 16 * EPS32 * size
    assert np.all(near | (out.data == exact.data))
    if out.requires_grad:
        out.backward(np.ones(out.shape))
        for x in inputs:
            assert not x.requires_grad or (x.grad.dtype == np.float32 and x.grad.shape == x.shape)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@given(data=st.data())
def test_gradient(name, data):
    check_gradient(name, data.draw(cases(name)))


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@given(data=st.data())
def test_gradient_of_the_gradient(name, data):
    operation, case = OPERATIONS[name], data.draw(cases(name, most=2))
    gradgradcheck(lambda *x: operation.apply(*x, **case.params), list(case.inputs))


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
    operation, case = OPERATIONS[name], data.draw(cases(name))
    layout = data.draw(st.sampled_from(LAYOUTS[1:]))
    moved = tuple(with_layout(x, layout) for x in case.inputs)
    _, out = call(operation, case)
    again = operation.apply(*[Tensor(x) for x in moved], **case.params)
    np.testing.assert_allclose(again.data, out.data, rtol=1e-12, atol=1e-12)
    if out.requires_grad:
        u = data.draw(arrays(out.shape))
        expected = gradients(operation, case, case.inputs, u)
        for g, e in zip(gradients(operation, case, moved, with_layout(u, layout)), expected, strict=True):
            np.testing.assert_allclose(g, e, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", BROADCASTING)
@given(data=st.data())
def test_broadcasting_adds_up_the_gradients_of_the_copies(name, data):
    operation, case = OPERATIONS[name], data.draw(cases(name))
    shape = case.params.get("shape") or np.broadcast_shapes(*[x.shape for x in case.inputs])
    u = data.draw(arrays(shape))
    implicit = gradients(operation, case, case.inputs, u)
    copies = tuple(np.broadcast_to(x, shape).copy() for x in case.inputs)
    explicit = gradients(operation, case, copies, u)
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
        x if x.dtype == bool else data.draw(arrays(x.shape, special=True, dtype=dtype)) for x in case.inputs
    ]
    with np.errstate(all="ignore"):
        expected = row.numpy(*inputs)
        got = OPERATIONS[name].apply(*[Tensor(x) for x in inputs], **case.params)
    np.testing.assert_allclose(got.data, expected, rtol=1e-6, atol=1e-30)
    if got.dtype.kind == "f" and name != "sigmoid":  # the textbook form of sigmoid has no negative zero
        zero = expected == 0
        np.testing.assert_array_equal(np.signbit(got.data[zero]), np.signbit(expected[zero]))
