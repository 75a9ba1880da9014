"""np.something(tensor): NumPy's value and dtype, on the tape; or a refusal where a gradient would be lost."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tinygrad_edu.numpy_functions import FUNCTIONS, ON_ARRAYS, UFUNCS
from tinygrad_edu.testing import arrays, broadcastable_shapes

# What has no gradient although its result is a float, or none that could be wanted.
FLAT = {
    np.ceil, np.floor, np.trunc, np.rint, np.sign, np.round, np.around, np.nextafter, np.floor_divide,
    np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.unique_values,
}  # fmt: skip

EYE = np.eye(3) > 0
WEIGHTS = np.array([[0.5, 2.0, 0.25], [1.5, 0.75, 3.0], [4.0, 0.125, 1.0]], np.float32)

# Where we keep to the standard for whole numbers: a reciprocal is a fraction, rounding changes nothing.
OTHERWISE = {np.reciprocal, np.rint}

# NumPy's functions, each with calls on a 3 by 3 matrix of distinct positive numbers.
CALLS = {
    **{f: [f, lambda t, f=f: f(t, 0), lambda t, f=f: f(t, axis=(0, 1)),
           lambda t, f=f: f(t, -1, keepdims=True)]
       for f in (np.sum, np.prod, np.mean, np.max, np.min, np.amax, np.amin, np.any, np.all, np.median,
                 np.count_nonzero)},
    **{f: [f, lambda t, f=f: f(t, 0), lambda t, f=f: f(t, axis=1, ddof=1), lambda t, f=f: f(t, correction=1)]
       for f in (np.var, np.std)},
    **{f: [f, lambda t, f=f: f(t, 0), lambda t, f=f: f(t, axis=-1, keepdims=True)]
       for f in (np.argmax, np.argmin)},
    **{f: [f, lambda t, f=f: f(t, 0), lambda t, f=f: f(t, axis=-1)] for f in (np.cumsum, np.cumprod)},
    **{f: [f, lambda t, f=f: f(t, 0), lambda t, f=f: f(t, axis=None)] for f in (np.sort, np.argsort)},
    **{f: [lambda t, f=f: f(t, axis=0), lambda t, f=f: f(t, axis=1, include_initial=True)]
       for f in (np.cumulative_sum, np.cumulative_prod)},
    np.percentile: [lambda t: np.percentile(t, 30), lambda t: np.percentile(t, 50, axis=0)],
    np.quantile: [lambda t: np.quantile(t, 0.3), lambda t: np.quantile(t, 0.5, 1, keepdims=True)],
    np.trace: [np.trace, lambda t: np.trace(t, 1), lambda t: np.trace(t, offset=-1)],
    np.diff: [np.diff, lambda t: np.diff(t, 2, 0), lambda t: np.diff(t, prepend=t)],
    np.searchsorted: [lambda t: np.searchsorted(np.arange(9.0), t, "right")],
    np.nonzero: [np.nonzero],
    np.unique_values: [lambda t: np.sort(np.unique_values(t))],
    np.isin: [lambda t: np.isin(t, [1, 2]), lambda t: np.isin(t, [1], invert=True)],
    np.where: [lambda t: np.where(EYE, t, 0.0), lambda t: np.where(t > 3), lambda t: np.where(t > 3, 1.0, t)],
    np.clip: [lambda t: np.clip(t, 2, 5), lambda t: np.clip(t, None, 3), lambda t: np.clip(t, min=2)],
    np.isclose: [lambda t: np.isclose(t, WEIGHTS), lambda t: np.isclose(t, t + 1, atol=1)],
    np.round: [np.round],
    np.around: [np.around],
    np.nan_to_num: [np.nan_to_num, lambda t: np.nan_to_num(t, nan=1.0)],
    np.astype: [lambda t: np.astype(t, np.dtype("float64"))],
    np.copy: [np.copy],
    np.reshape: [lambda t: np.reshape(t, 9), lambda t: np.reshape(t, shape=(1, -1))],
    np.ravel: [np.ravel],
    np.transpose: [np.transpose, lambda t: np.transpose(t, (1, 0)),
                   lambda t: np.transpose(t, np.array([1, 0]))],
    np.matrix_transpose: [np.matrix_transpose],
    np.swapaxes: [lambda t: np.swapaxes(t, 0, -1)],
    np.moveaxis: [lambda t: np.moveaxis(t, 0, -1)],
    np.expand_dims: [lambda t: np.expand_dims(t, 1), lambda t: np.expand_dims(t, axis=-1)],
    np.squeeze: [lambda t: np.squeeze(t[None], 0), lambda t: np.squeeze(t[None])],
    np.broadcast_to: [lambda t: np.broadcast_to(t, (2, 3, 3))],
    np.broadcast_arrays: [lambda t: np.broadcast_arrays(t, t[0])],
    np.flip: [np.flip, lambda t: np.flip(t, 1)],
    np.roll: [lambda t: np.roll(t, 2), lambda t: np.roll(t, 1, 0), lambda t: np.roll(t, (1, 2), axis=(0, 1))],
    np.tile: [lambda t: np.tile(t, 2), lambda t: np.tile(t, (2, 1, 2))],
    np.repeat: [lambda t: np.repeat(t, 2), lambda t: np.repeat(t, [1, 0, 2], axis=0)],
    np.concatenate: [lambda t: np.concatenate([t, t]), lambda t: np.concatenate((t, WEIGHTS), axis=None)],
    np.stack: [lambda t: np.stack([t, t]), lambda t: np.stack([t, WEIGHTS], axis=-1)],
    np.split: [lambda t: np.split(t, 3), lambda t: np.split(t, [1, 1, 5], axis=-1)],
    np.unstack: [np.unstack, lambda t: np.unstack(t, axis=-1)],
    np.take: [lambda t: np.take(t, [0, 8]), lambda t: np.take(t, [2, 2], axis=0)],
    np.take_along_axis: [lambda t: np.take_along_axis(t, np.array([[0], [2], [1]]), 1)],
    np.tril: [np.tril, lambda t: np.tril(t, 1)],
    np.triu: [np.triu, lambda t: np.triu(t, k=-1)],
    np.diagonal: [np.diagonal, lambda t: np.diagonal(t, 1), lambda t: np.diagonal(t[None] * t, 0, 0, 2)],
    np.diag: [np.diag, lambda t: np.diag(t, 1), lambda t: np.diag(t[0], k=-1)],
    np.pad: [lambda t: np.pad(t, 1), lambda t: np.pad(t, [(0, 1), (2, 0)], constant_values=3),
             lambda t: np.pad(t, 2, 'reflect')],
    np.vstack: [lambda t: np.vstack([t, t[0]])],
    np.hstack: [lambda t: np.hstack([t, t]), lambda t: np.hstack((t[0], t[1])),
                lambda t: np.hstack([t[0, 0], t[1, 0]])],
    np.meshgrid: [lambda t: np.meshgrid(t[0], t[1]), lambda t: np.meshgrid(t[0], t[1], indexing="ij")],
    np.dot: [lambda t: np.dot(t, t), lambda t: np.dot(t[0], t), lambda t: np.dot(np.float32(2), t),
             lambda t: np.dot(t, t[:, None] * t)],
    np.outer: [lambda t: np.outer(t, t[0])],
    np.einsum: [lambda t: np.einsum("ij,jk->ik", t, t), lambda t: np.einsum("ii", t)],
    np.tensordot: [lambda t: np.tensordot(t, t), lambda t: np.tensordot(t, WEIGHTS, axes=([0], [1]))],
    np.cross: [lambda t: np.cross(t, t[::-1]), lambda t: np.cross(t, t[0], axis=-1)],
    **{f: [f] for f in (np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.qr, np.linalg.pinv,
                        np.linalg.matrix_rank, np.linalg.svdvals, np.linalg.matrix_norm,
                        np.linalg.matrix_transpose, np.linalg.trace, np.linalg.diagonal,
                        np.linalg.vector_norm)},
    np.linalg.eigh: [lambda t: np.linalg.eigh(t + t.T), lambda t: np.abs(np.linalg.eigh(t)[1]),
                     lambda t: np.abs(np.linalg.eigh(t, UPLO="U")[1])],
    np.linalg.eigvalsh: [np.linalg.eigvalsh, lambda t: np.linalg.eigvalsh(t, "U")],
    **{f: [lambda t, f=f: f(t, t + 1)] for f in (np.linalg.cross, np.linalg.matmul, np.linalg.vecdot,
                                                np.linalg.tensordot, np.linalg.solve)},
    np.linalg.outer: [lambda t: np.linalg.outer(t[0], t[1])],
    np.linalg.svd: [np.linalg.svd],
    np.linalg.cholesky: [lambda t: np.linalg.cholesky(t @ t.T),
                         lambda t: np.linalg.cholesky(t @ t.T, upper=True),
                         lambda t: np.linalg.cholesky(np.tril(t @ t.T)),
                         lambda t: np.linalg.cholesky(np.triu(t @ t.T), upper=True)],
    np.linalg.matrix_power: [lambda t: np.linalg.matrix_power(t, 3)],
    np.linalg.norm: [np.linalg.norm, lambda t: np.linalg.norm(t, 1), lambda t: np.linalg.norm(t, axis=0),
                     lambda t: np.linalg.norm(t, np.inf, 1, True), lambda t: np.linalg.norm(t[0], 3),
                     lambda t: np.linalg.norm(t, "nuc", axis=(0, 1)),
                     *[lambda t, axis=axis: np.linalg.norm(t * t[:2, :, None], 1, axis, True)
                       for axis in [(0, 1), (1, 0), (0, 2), (-1, -2), (1,)]],
                     lambda t: np.linalg.norm(t * t[:2, :, None], axis=(0, 1))],
    np.zeros_like: [np.zeros_like, lambda t: np.zeros_like(t, dtype=bool)],
    np.ones_like: [np.ones_like],
    np.empty_like: [lambda t: np.empty_like(t).shape],
    np.full_like: [lambda t: np.full_like(t, 7)],
    np.result_type: [lambda t: np.result_type(t, np.float32)],
    np.can_cast: [lambda t: np.can_cast(t.dtype, np.float32)],
    np.shape: [np.shape],
    np.ndim: [np.ndim],
    np.size: [np.size],
}  # fmt: skip


def parts(result):
    """The arrays of a result, which may be a tuple or a list of them."""
    if isinstance(result, tuple | list) and not isinstance(result, np.ndarray):
        return [p for part in result for p in parts(part)]
    return [result]


def agree(function, got, expected, graph):
    """Compare values, dtypes and whether each result of floats is on the tape."""
    got, expected = parts(got), parts(expected)
    assert len(got) == len(expected)
    for ours, numpys in zip(got, expected, strict=True):
        if not isinstance(numpys, np.ndarray | np.generic):
            assert ours == numpys
            continue
        values = ours.data if isinstance(ours, Tensor) else np.asarray(ours)
        assert values.dtype == numpys.dtype
        eps = np.finfo(values.dtype).eps if values.dtype.kind == "f" else 0
        np.testing.assert_allclose(values, numpys, rtol=100 * eps, atol=20 * eps)
        if isinstance(ours, Tensor):
            assert ours.requires_grad == (graph and values.dtype.kind == "f" and function not in FLAT)


def test_a_tensor_may_say_where_to_split():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    parts = np.split(x, Tensor([1, 2]))
    assert [part.tolist() for part in parts] == [[1], [2], [3]]
    assert all(part.requires_grad for part in parts)


def test_every_function_that_is_known_has_a_call_here():
    assert set(CALLS) == set(FUNCTIONS)


def short(function):
    return f"{function.__module__}.{function.__name__}"


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("function", CALLS, ids=short)
def test_functions(function, dtype):
    a = np.array([[6, 1, 2], [3, 8, 4], [5, 7, 9]], dtype)
    for call in CALLS[function]:
        agree(function, call(Tensor(a)), call(a), graph=False)
        if dtype != "int64":
            agree(function, call(Tensor(a, requires_grad=True)), call(a), graph=True)


@pytest.mark.parametrize("function", FUNCTIONS, ids=short)
def test_arguments_by_position_mean_what_they_mean_in_numpy(function):
    def by_position(f):
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return [p for p in inspect.signature(f).parameters.values() if p.kind in kinds]

    try:
        theirs = by_position(function)
    except ValueError:  # written in C
        return
    for ours, numpys in zip(by_position(FUNCTIONS[function]), theirs, strict=False):
        assert ours.name == numpys.name or ours.kind is inspect.Parameter.POSITIONAL_ONLY
        given = numpys.default not in (inspect.Parameter.empty, np._NoValue, None)
        assert not given or ours.default == numpys.default


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda u: u.__name__)
@given(data=st.data())
def test_ufuncs(ufunc, dtype, data):
    least = 1 if ufunc.signature else 0
    shapes = data.draw(broadcastable_shapes(ufunc.nin, min_dims=least), label="shapes")
    if ufunc.signature:  # matmul, vecdot
        shapes = [(3, 3)] * ufunc.nin
    values = [data.draw(arrays(s, low=0.1, high=0.9)) for s in shapes]
    inputs = [(10 * a if dtype == "int64" else a).astype(dtype) for a in values]
    try:
        with np.errstate(all="ignore"):
            expected = ufunc(*inputs)
    except TypeError:
        with pytest.raises(TypeError):
            ufunc(*map(Tensor, inputs))
        return
    if expected.dtype == np.float16:  # NumPy's for a bool, which we widen
        return
    if ufunc in OTHERWISE and dtype in ("int64", "bool"):
        return
    with np.errstate(all="ignore"):
        agree(ufunc, ufunc(*map(Tensor, inputs)), expected, graph=False)
        if dtype.startswith("float"):
            agree(ufunc, ufunc(Tensor(inputs[0], requires_grad=True), *inputs[1:]), expected, graph=True)


@given(arrays())
def test_scalars_arrays_and_lists_on_either_side(a):
    t = Tensor(a, requires_grad=a.dtype.kind == "f")
    for other in (2, 2.5, np.float64(2), np.float32(2), np.int8(2), np.full(a.shape, 2.0)):
        for got, expected in [
            (other * t, other * a),
            (t - other, a - other),
            (other - t, other - a),
            (other / (t + 3), other / (a + 3)),
            (np.add(other, t), np.add(other, a)),
        ]:
            assert isinstance(got, Tensor)
            assert got.dtype == expected.dtype
            assert got.requires_grad
            np.testing.assert_allclose(got.data, expected, rtol=1e-5)


def test_lists_on_the_left():
    t = Tensor([1.0, 2.0], requires_grad=True)
    left = [1, 2]
    for got, expected in [(left + t, [2, 4]), (left * t, [1, 4]), (left - t, [0, 0])]:
        assert got.tolist() == expected
        assert got.requires_grad


MASK = np.array([[True, False], [True, True]])
REFUSED = {
    "np.fft.fft can't": np.fft.fft,
    "np.linalg.cond can't": np.linalg.cond,
    "np.nancumsum can't.*or np.cumsum": np.nancumsum,
    "np.add.reduce can't": np.add.reduce,
    "np.add with out= can't": lambda t: np.add(t, 1, out=np.zeros((2, 2))),
    "np.exp with where= can't": lambda t: np.exp(t, where=True),
    "np.add with dtype= can't": lambda t: np.add(t, 1, dtype="float64"),
    r"np.sum can't.*'where'; the arguments are a, axis, dtype, keepdims": lambda t: np.sum(t, where=MASK),
    "np.heaviside can't": lambda t: np.heaviside(t, 0.5),
    "np.histogram can't": np.histogram,
    r"np.round can't.*too many": lambda t: np.round(t, 2),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_would_lose_the_gradient_is_refused_else_numpy_does_it(words):
    call, a = REFUSED[words], np.array([[2.0, 1.0], [1.0, 3.0]])
    x = Tensor(a, requires_grad=True)
    with pytest.raises(DTypeError, match=rf"{words}.*t\.numpy\(\)"):
        call(x)
    expected = parts(call(a))
    with te.no_grad():
        results = [call(x), call(Tensor(a)), call(x.detach())]
    for got in results:
        for ours, numpys in zip(parts(got), expected, strict=True):
            assert not isinstance(ours, Tensor)
            np.testing.assert_array_equal(ours, numpys)


@pytest.mark.parametrize("function", sorted(ON_ARRAYS, key=short), ids=short)
def test_what_loses_no_gradient_is_answered(function):
    a = np.array([1.0, 2.0])
    others = {
        np.allclose: [a], np.array_equal: [a], np.digitize: [np.array([0.5, 1.5])], np.shares_memory: [a],
        np.may_share_memory: [a],
    }.get(function, [])  # fmt: skip
    t = Tensor([1, 2]) if function is np.bincount else Tensor(a, requires_grad=True)
    np.testing.assert_array_equal(function(t, *others), function(t.data, *others))


def test_numpys_own_tests_and_conversions():
    t = Tensor(np.array([1.0, 2.0]))
    np.testing.assert_allclose(t, [1, 2])
    np.testing.assert_array_equal(np.array([t, t]), [[1, 2], [1, 2]])
    x = Tensor(t, requires_grad=True)
    for convert in (
        np.asarray,
        np.array,
        lambda t: np.testing.assert_allclose(t, [1, 2]),
        lambda t: np.array([t]),
    ):
        with pytest.raises(GradientError, match=r"t\.numpy\(\)"):
            convert(x)
    with te.no_grad():
        np.testing.assert_allclose(x, [1, 2])


def test_an_array_is_changed_in_place_by_a_tensor_without_gradient():
    a = np.ones(2)
    a -= 0.5 * Tensor([1.0, 2.0])
    assert a.tolist() == [0.5, 0.0]
    with pytest.raises(DTypeError, match="out="):
        a -= Tensor([1.0, 2.0], requires_grad=True)


@pytest.mark.parametrize("call", [
    lambda t: t @ np.ones((2, 1)), lambda t: np.ones((1, 2)) @ t, lambda t: np.float64(2) * t,
    lambda t: np.sin(t) + np.sum(t, axis=0), lambda t: np.einsum("ij,jk", t, t),
    lambda t: np.linalg.inv(t), lambda t: np.linalg.norm(t), lambda t: np.concatenate([t, t[:1]]),
])  # fmt: skip
def test_the_gradient_goes_through_numpys_functions(call):
    a = np.array([[2.0, 1.0], [1.0, 3.0]])
    te.testing.gradcheck(call, [a])


WRITING = {
    "np.multiply": lambda w: np.multiply(w, 10, out=w),
    "np.add.at": lambda w: np.add.at(w, [0], 1),
    "np.copyto": lambda w: np.copyto(w, [3.0, 3.0]),
    "np.put": lambda w: np.put(w, [0], 5),
    "np.place": lambda w: np.place(w, [True, False], 4),
    "np.cumsum": lambda w: np.cumsum(np.ones(2), out=w),
}


@pytest.mark.parametrize("name", WRITING)
def test_numpy_does_not_write_into_a_tensor_where_no_graph_would_notice(name):
    w, constant = Tensor([1.0, 2.0], requires_grad=True), Tensor([1.0, 2.0])
    y = (w * w * constant).sum()
    for t in (w, constant):
        with te.no_grad(), pytest.raises(DTypeError, match=rf"{name} would write.*w\.data = "):
            WRITING[name](t)
    y.backward()
    assert w.grad.tolist() == [2.0, 8.0]
    w.data -= 0.5 * w.grad
    out = np.zeros(2)
    assert np.multiply(constant, 2, out=out) is out
    np.copyto(out, constant)
    assert w.tolist() == [0.0, -2.0]
    assert out.tolist() == [1.0, 2.0]


OUR_LIMITS = {
    "pad": lambda t: np.pad(t, 1, mode="mean"),
    "qr": lambda t: np.linalg.qr(t, mode="r"),
    "clip": lambda t: np.clip(t, 1, -1),
    "full_like": lambda t: np.full_like(t, [1, 2]),
    "quantile": lambda t: np.quantile(t, [0.1, 0.5]),
}


@pytest.mark.parametrize("name", OUR_LIMITS)
def test_numpy_does_what_our_function_refuses_if_there_is_no_gradient(name):
    call, a = OUR_LIMITS[name], np.array([[2.0, 1.0], [1.0, 3.0]])
    np.testing.assert_array_equal(call(Tensor(a)), call(a))
    if name != "full_like":
        with pytest.raises((ArgumentError, DTypeError)):
            call(Tensor(a, requires_grad=True))


def test_what_numpy_refuses_too_is_told_in_our_words():
    cube = Tensor(np.ones((2, 3, 4)))
    for call, error, words in [
        (lambda: np.linalg.norm(cube, 2), ArgumentError, "one axis for vectors or two for matrices"),
        (lambda: np.linalg.norm(cube, axis=(0, 3)), ShapeError, "np.linalg.norm: axis 3"),
        (lambda: np.where(cube > 0, cube), ArgumentError, "needs a y"),
        (lambda: np.linalg.eigh(cube[0, :2, :2], "X"), ArgumentError, "UPLO"),
        (lambda: np.quantile(cube, 2), ArgumentError, "from 0 to 1"),
    ]:
        with pytest.raises(error, match=words):
            call()


def test_differences_of_unsigned_numbers_beside_an_int_are_signed():
    small = np.array([1, 2], np.uint8)
    for options in ({"prepend": 5}, {"append": 0}):
        agree(np.diff, np.diff(Tensor(small), **options), np.diff(small, **options), graph=False)
    assert np.diff(Tensor([1.0]), prepend=0).dtype == np.float32
