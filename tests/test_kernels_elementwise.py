"""Activation functions and their gradients: within so many units in the last place, and like their twins."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_cases import DTYPES, arrays, assert_same, given_out, unhurried
from scipy import special

from tinygrad_edu import Tensor, kernels, ops
from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import reference
from tinygrad_edu.ops import OPERATIONS

FUNCTIONS = ["erf", "exp", "expm1", "gelu", "relu", "sigmoid", "silu", "softplus", "tanh"]
RULES = ["gelu_grad", "relu_grad", "sigmoid_grad", "silu_grad", "softplus_grad", "tanh_grad"]

# The exact function in float64, and the bound that the docstrings state.
BOUNDS = {
    "exp": (np.exp, 1.1),
    "expm1": (np.expm1, 2),
    "tanh": (np.tanh, 2.5),
    "sigmoid": (special.expit, 2.5),
    "softplus": (lambda x: np.logaddexp(x, 0), 3),
    "erf": (special.erf, 1.1),
    "silu": (lambda x: x * special.expit(x), 3.5),
    "gelu": (lambda x: x * special.ndtr(x), 8.5),
    "relu": (lambda x: np.maximum(x, 0), 0.5),
}


def all_over_float32():
    """A million numbers of every size, and the neighbours of 0, of whole numbers and of the largest."""
    patterns = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32).view(np.float32)
    bends = np.arange(-110, 110, 0.25, dtype=np.float32)
    near = [np.nextafter(bends, np.float32(to)) for to in (-np.inf, np.inf)]
    x = np.concatenate([patterns, bends, *near, np.float32([1e-45, -1e-45, 3.4e38, -3.4e38])])
    return x[np.isfinite(x)]


@pytest.mark.parametrize("name", BOUNDS)
def test_errors_stay_within_the_bounds_all_over_float32(name):
    exact, bound = BOUNDS[name]
    x = all_over_float32()
    if name == "silu":
        x = x[x > -87]
    with np.errstate(all="ignore"):
        got, want = getattr(kernels, name)(x).astype(np.float64), exact(x.astype(np.float64))
        rounded = want.astype(np.float32)
        ulp = np.spacing(np.minimum(np.abs(rounded), np.finfo(np.float32).max)).astype(np.float64)
        error = np.where(got == rounded, 0, np.abs(got - want) / ulp)
    assert error.max() <= bound, (x[error.argmax()], got[error.argmax()])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_infinities_and_both_zeros_are_numpys(name):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)
    with np.errstate(all="ignore"):
        want = getattr(reference, name)(x)
    got = getattr(kernels, name)(x)
    np.testing.assert_array_equal(got, want)
    if name != "relu":  # NumPy takes either zero for the maximum of both
        np.testing.assert_array_equal(np.signbit(got[3:]), np.signbit(want[3:]))


@st.composite
def inputs(draw, count, special=False):
    shape = draw(st.sampled_from([(0,), (1,), (3, 5), (17,), (2, 3, 40), (260, 130)]))
    dtype = draw(DTYPES)
    scale = draw(st.sampled_from([1, 1, 30]))
    return [(draw(arrays(shape, dtype, special)) * scale).astype(dtype, copy=False) for _ in range(count)]


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("name", [*FUNCTIONS, *RULES])
@given(data=st.data())
@unhurried
def test_kernels_agree_with_their_twins(name, special, data):
    given_ = data.draw(inputs(2 if name in RULES else 1, special))
    params = {"approximate": data.draw(st.booleans())} if name.startswith("gelu") else {}
    with np.errstate(all="ignore"):
        want = getattr(reference, name)(*given_, **params)
    size = np.max(np.abs(given_[0]), initial=1, where=np.isfinite(given_[0]))
    got = getattr(kernels, name)(*given_, **params)
    if name in ("exp", "expm1"):
        np.testing.assert_allclose(got, want, rtol=1e-6)
        assert got.dtype == want.dtype
    else:
        with np.errstate(all="ignore"):
            assert_same(got / size, want / size, 4)
    out = given_out(data.draw, want.shape, want.dtype)
    assert getattr(kernels, name)(*given_, **params, out=out) is out
    np.testing.assert_array_equal(out, got)
    first = np.array(given_[0], order="C")
    assert getattr(kernels, name)(first, *given_[1:], **params, out=first) is first  # in place
    np.testing.assert_array_equal(first, got)


def test_shapes_that_differ_are_refused():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ShapeError, match="one shape"):
        kernels.tanh_grad(x, x[0])
    for wrong in (np.zeros(3, np.float32), np.zeros((2, 3))):
        with pytest.raises(ShapeError, match="out must be"):
            kernels.tanh(x, out=wrong)
    with pytest.raises(ShapeError, match="out must be"):
        kernels.tanh(x.astype(np.float64), out=x)


FUSED = [
    (name, method)
    for name, operation in OPERATIONS.items()
    for method in ("forward", "backward")
    if hasattr(getattr(operation, method, None), "__wrapped__")
]


@pytest.mark.parametrize(("name", "method"), FUSED)
def test_what_stands_in_for_a_definition_computes_what_it_defines(name, method):
    stand_in = getattr(OPERATIONS[name], method)
    definition = inspect.unwrap(stand_in)
    rng = np.random.default_rng(0)
    count = len([p for p in inspect.signature(definition).parameters if p in ("g", "x", "out")])
    many = [rng.normal(size=(50, 40)).astype(np.float32) for _ in range(count)]
    flags = [{"approximate": a} for a in (False, True)] if name == "gelu" else [{}]
    for params in flags:
        got, want = stand_in(*many, **params), definition(*many, **params)
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmax_cross_entropy", "sigmoid_cross_entropy"])
def test_rules_by_kernel_in_float32_agree_with_those_in_float64(name):
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(6, 30)), rng.uniform(size=(6, 30))
    rest = () if name.endswith("softmax") else (targets,)
    found = []
    for dtype in (np.float32, np.float64):
        x = Tensor(logits.astype(dtype), requires_grad=True)
        y = getattr(ops, name)(x, *[t.astype(dtype) for t in rest])
        (y * np.cos(np.arange(y.size)).reshape(y.shape).astype(dtype)).sum().backward()
        found.append((y.data, x.grad.data))
    for got, want in zip(*found, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_which_operations_have_kernels():
    assert len(FUSED) == 15
