"""The package as a namespace of the array API standard: its names, signatures, dtypes, and what it tells."""

import builtins
import copy
import inspect
import itertools
import operator as op
import os
import pickle
import subprocess
import sys

import array_api_strict
import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, DTypeError, GradientError, ShapeError

STRICT_ONLY = {  # array_api_strict's own, not the standard's
    "ArrayAPIStrictFlags", "Device", "ModuleType", "get_array_api_strict_flags",
    "reset_array_api_strict_flags", "set_array_api_strict_flags",
}  # fmt: skip

MISSING = {
    **dict.fromkeys(["complex64", "complex128", "conj", "imag", "real"], "all numbers are real"),
    "fft": "an optional extension, and its results are complex",
}

# Where ours takes more than the standard's, so that every call the standard knows means the same.
WIDER = {
    "expand_dims": "axis came by keyword, 0 if left out, up to 2024.12; since then by position too",
}


def names(namespace):
    public = getattr(namespace, "__all__", dir(namespace))
    return sorted(n for n in public if not n.startswith("_") and n not in STRICT_ONLY)


def parameters(function):
    """The parameters' names, kinds and defaults; array_api_strict marks "not given" in its own way."""
    return [
        (p.name, p.kind.name, None if "UNDEF" in repr(p.default) else p.default)
        for p in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize("name", names(array_api_strict))
def test_every_name_of_the_standard_is_here_with_its_signature(name):
    if name in MISSING:
        assert not hasattr(te, name)
        return
    assert hasattr(te, name)
    theirs = getattr(array_api_strict, name)
    if inspect.isfunction(theirs) and name not in WIDER:
        assert parameters(getattr(te, name)) == parameters(theirs)


@pytest.mark.parametrize("name", names(array_api_strict.linalg))
def test_the_linalg_extension_has_the_standards_signatures(name):
    assert parameters(getattr(te.linalg, name)) == parameters(getattr(array_api_strict.linalg, name))


def test_wider_signatures_take_the_standards_calls():
    x = te.ones((2, 3))
    assert te.expand_dims(x).shape == te.expand_dims(x, 0).shape == te.expand_dims(x, axis=0).shape


def test_tensors_have_the_standards_attributes_and_operators():
    missing = {
        name
        for name in dir(array_api_strict.ones((1, 1)))
        if (name.startswith("__") or not name.startswith("_")) and not hasattr(te.ones((1, 1)), name)
    }
    # Python does without them: x &= y by x & y, complex(x) by float(x). __buffer__ is not the standard's.
    others = {"__iand__", "__ior__", "__ixor__", "__ilshift__", "__irshift__", "__complex__", "__buffer__"}
    assert missing <= others


def test_constants_and_dtypes():
    assert te.newaxis is None
    assert (te.e, te.pi, te.inf) == (np.e, np.pi, np.inf)
    assert te.nan != te.nan
    for name in ("bool", "int8", "uint64", "float32", "float64"):
        dtype = getattr(te, name)
        assert dtype == np.dtype(name)
        assert {dtype: 1}[te.zeros(1, dtype=dtype).dtype] == 1
        assert te.__array_namespace_info__().dtypes()[name] is dtype


def test_what_the_namespace_tells():
    info = te.__array_namespace_info__()
    strict = array_api_strict.__array_namespace_info__()
    assert set(info.capabilities()) == set(strict.capabilities())
    assert info.default_device() == te.ones(1).device
    assert info.devices() == ("cpu",)
    assert info.default_dtypes(device="cpu") == {
        "real floating": te.ones(1).dtype,
        "integral": te.asarray(1).dtype,
        "indexing": te.argmax(te.ones(1)).dtype,
    }
    kinds = ["bool", "signed integer", "unsigned integer", "integral", "real floating", ("bool", "integral")]
    for kind in kinds:
        assert set(info.dtypes(kind=kind)) == set(strict.dtypes(kind=kind))
    assert info.dtypes(kind="complex floating") == {}
    assert len(info.dtypes()) == 11
    with pytest.raises(ArgumentError, match="did you mean 'integral'"):
        info.dtypes(kind="integer")
    with pytest.raises(ArgumentError, match="CPU"):
        info.dtypes(device="gpu")


def test_a_tensor_names_its_namespace():
    x = te.ones(2)
    assert x.__array_namespace__() is te
    assert x.__array_namespace__(api_version="2022.12") is te
    assert x.__array_namespace__(api_version=te.__array_api_version__) is te
    with pytest.raises(ArgumentError, match="unknown version"):
        x.__array_namespace__(api_version="2020.01")
    assert x.to_device("cpu") is x


DTYPES = list(te.__array_namespace_info__().dtypes())
NUMBERS = [True, 2, 2.5, np.float32(2), np.float64(2), np.int8(2)]
OPERATORS = {  # with the function that NumPy's operator stands for (its ** takes a short cut at 2)
    op.add: np.add, op.sub: np.subtract, op.mul: np.multiply, op.truediv: np.divide, op.pow: np.power,
    op.floordiv: np.floor_divide, op.mod: np.remainder, op.lt: np.less, op.eq: np.equal,
    op.and_: np.bitwise_and, op.or_: np.bitwise_or, op.xor: np.bitwise_xor,
    op.lshift: np.left_shift, op.rshift: np.right_shift,
}  # fmt: skip


def result(operator, a, b):
    """The result's dtype, or None where it is refused."""
    try:
        return operator(a, b).dtype
    except (TypeError, ValueError, OverflowError):
        return None


@pytest.mark.parametrize("operator", OPERATORS)
def test_mixed_dtypes_promote_as_in_numpy(operator):
    numpys = OPERATORS[operator]
    for one, other in itertools.product(DTYPES, DTYPES):
        a, b = np.ones(2, one), np.ones(2, other)
        expected = result(numpys, a, b)
        assert result(operator, Tensor(a), Tensor(b)) == expected, (one, other)
        assert result(operator, Tensor(a), b) == result(operator, a, Tensor(b)) == expected, (one, other)
    for dtype, number in itertools.product(DTYPES, NUMBERS):
        a = np.ones(2, dtype)
        assert result(operator, Tensor(a), number) == result(numpys, a, number), (dtype, number)
        assert result(operator, number, Tensor(a)) == result(numpys, number, a), (number, dtype)


def test_result_type_is_the_dtype_that_arithmetic_gives():
    for one, other in itertools.product(DTYPES, DTYPES):
        expected = np.result_type(np.dtype(one), np.dtype(other))
        assert te.result_type(te.zeros(1, dtype=one), other) == expected
        assert (
            te.can_cast(one, other) == np.can_cast(one, other) == te.can_cast(te.zeros(1, dtype=one), other)
        )
    assert te.result_type(te.float32, 1.5) == te.float32
    assert te.result_type(te.ones(1), np.ones(1), 3) == te.float64
    with pytest.raises(ArgumentError, match="at least one"):
        te.result_type(1, 2.0)


def test_limits_and_kinds():
    assert te.finfo(te.float64).eps == te.finfo(te.ones(1, dtype="float64")).eps == np.finfo("float64").eps
    assert te.iinfo(te.asarray(1)).max == te.iinfo("int64").max == 2**63 - 1
    assert te.isdtype(te.int8, (te.float32, "signed integer"))
    assert not te.isdtype(te.bool, "numeric")
    for call, words in [
        (lambda: te.finfo(te.int8), "iinfo"),
        (lambda: te.iinfo(te.float32), "finfo"),
        (lambda: te.isdtype(te.int8, "whole"), "whole"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            call()


def test_astype():
    x = te.ones(2)
    assert te.astype(x, te.float32, copy=False) is x
    assert not np.shares_memory(te.astype(x, te.float32).data, x.data)
    assert not np.shares_memory(x.copy().data, x.data)
    with pytest.raises(ArgumentError, match="CPU"):
        te.astype(x, te.float64, device="gpu")
    with pytest.raises(DTypeError, match="real numbers"):
        te.astype(x, "complex64")


@pytest.mark.parametrize(
    "operand", [1j, np.array([1j, 2]), np.array([None, 1])], ids=["1j", "complex", "object"]
)
def test_what_is_not_a_real_number_never_becomes_a_tensor(operand):
    x = Tensor([1.0, 2.0], requires_grad=True)
    for call in (lambda: x * operand, lambda: operand * x.detach(), lambda: np.multiply(operand, x)):
        with pytest.raises((TypeError, ValueError)):
            call()


def test_scalars_become_pythons():
    assert (float(Tensor(2.5)), int(Tensor(2.5)), builtins.bool(Tensor(0.0))) == (2.5, 2, False)
    assert complex(Tensor(2.5)) == 2.5
    assert [5, 6][Tensor(1)] == 6
    with pytest.raises(TypeError, match="integer"):
        [5, 6][Tensor(1.0)]
    for several in (te.ones(2), te.ones(0)):
        with pytest.raises(ShapeError, match=r"any\(\) or x\.all\(\)"):
            builtins.bool(several)


def test_a_leaf_is_copied_and_pickled_with_what_it_has():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    (x * x).sum().backward()
    for other in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert (other.tolist(), other.grad.tolist(), other.name) == ([1, 2], [2, 4], "x")
        assert other.requires_grad
        assert not np.shares_memory(other.data, x.data)
        (other * other).sum().backward()
        assert other.grad.tolist() == [4, 8]
    assert x.grad.tolist() == [2, 4]
    parameter = copy.deepcopy(te.nn.Parameter([1.0], name="w"))
    assert (type(parameter), parameter.buffer, parameter.name) == (te.nn.Parameter, False, "w")


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_computed_tensor_is_not_torn_out_of_its_graph(take):
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GradientError, match="detach"):
        take(x * 2)
    assert take((x * 2).detach()) is not None


def test_the_random_generator_and_modules_are_no_part_of_star_imports():
    scope = {}
    exec("from tinygrad_edu import *", scope)
    assert "np" not in scope
    assert scope["Tensor"] is Tensor


def test_scipy_computes_with_tensors_and_the_gradient_goes_through():
    pytest.importorskip("scipy", "1.15")
    script = """
import numpy as np, tinygrad_edu as te
from scipy.integrate import trapezoid
from scipy.special import softmax
x = te.Tensor(np.array([[0.5, 2.0, 1.0], [3.0, 1.5, 4.0]]), requires_grad=True)
for theirs, ours in [(softmax(x, axis=1), te.softmax(x)), (trapezoid(x), (x[:, 1:] + x[:, :-1]).sum(1) / 2)]:
    assert isinstance(theirs, te.Tensor)
    np.testing.assert_allclose(theirs.data, ours.data)
    gradients = [te.grad((y * y).sum(), x) for y in (theirs, ours)]
    np.testing.assert_allclose(gradients[0].data, gradients[1].data)
"""
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},  # which SciPy reads when it is imported
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
