"""What ``np.something(tensor)`` turns into.

A NumPy function that has a counterpart here is recorded like it and gives a Tensor. Any other runs on the
plain arrays, and gives what NumPy gives, as long as no gradient is required; else it is refused, since the
graph would end there without a word.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np

from . import creation, dtypes, linalg, ops
from .context import context
from .errors import ArgumentError, DTypeError, unknown_name
from .ops.parameters import number
from .ops.reduction import normalize_axes
from .tensor import Tensor, as_arrays

__all__ = ["FUNCTIONS", "ON_ARRAYS", "UFUNCS", "call_function", "call_ufunc"]

UFUNCS: dict[Any, Callable[..., Any]] = {
    np.absolute: ops.abs, np.add: ops.add, np.arccos: ops.acos, np.arccosh: ops.acosh, np.arcsin: ops.asin,
    np.arcsinh: ops.asinh, np.arctan: ops.atan, np.arctan2: ops.atan2, np.arctanh: ops.atanh,
    np.bitwise_and: ops.bitwise_and, np.bitwise_or: ops.bitwise_or, np.bitwise_xor: ops.bitwise_xor,
    np.cbrt: ops.cbrt, np.ceil: ops.ceil, np.copysign: ops.copysign,
    np.cos: ops.cos, np.cosh: ops.cosh, np.divide: ops.divide, np.equal: ops.equal,
    np.exp: ops.exp, np.exp2: ops.exp2, np.expm1: ops.expm1, np.floor: ops.floor,
    np.floor_divide: ops.floor_divide, np.greater: ops.greater, np.greater_equal: ops.greater_equal,
    np.hypot: ops.hypot, np.invert: ops.bitwise_invert, np.isfinite: ops.isfinite, np.isinf: ops.isinf,
    np.isnan: ops.isnan, np.left_shift: ops.bitwise_left_shift, np.less: ops.less,
    np.less_equal: ops.less_equal, np.log: ops.log, np.log10: ops.log10, np.log1p: ops.log1p,
    np.log2: ops.log2, np.logaddexp: ops.logaddexp, np.logical_and: ops.logical_and,
    np.logical_not: ops.logical_not, np.logical_or: ops.logical_or, np.logical_xor: ops.logical_xor,
    np.matmul: ops.matmul, np.maximum: ops.maximum, np.minimum: ops.minimum, np.multiply: ops.multiply,
    np.negative: ops.negative, np.nextafter: ops.nextafter, np.not_equal: ops.not_equal,
    np.positive: ops.positive, np.power: ops.pow, np.reciprocal: ops.reciprocal, np.remainder: ops.remainder,
    np.right_shift: ops.bitwise_right_shift, np.rint: ops.round, np.sign: ops.sign, np.signbit: ops.signbit,
    np.sin: ops.sin, np.sinh: ops.sinh, np.sqrt: ops.sqrt, np.square: ops.square, np.subtract: ops.subtract,
    np.tan: ops.tan, np.tanh: ops.tanh, np.trunc: ops.trunc, np.vecdot: ops.vecdot,
}  # fmt: skip


def _reduction(function: Any, *more: str) -> Callable[..., Any]:
    """Let axis come by position; ``more`` are keywords that both sides know."""

    def call(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        return function(a, axis=axis, keepdims=keepdims)

    def call_dtype(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        return function(a, axis=axis, dtype=dtype, keepdims=keepdims)

    return call_dtype if "dtype" in more else call


def _spread(function: Any) -> Callable[..., Any]:
    """NumPy's ddof is the standard's correction."""

    def call(
        a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, correction: Any = 0
    ) -> Any:
        return function(a, axis=axis, correction=ddof or correction, keepdims=keepdims)

    return call


def _percentile(a: Any, q: float, axis: Any = None, *, keepdims: bool = False) -> Any:
    return ops.quantile(a, number("percentile: q", q) / 100, axis=axis, keepdims=keepdims)


def _flat(function: Any, a: Any, axis: int | None) -> Any:
    """NumPy's scans and sorts take axis=None for all elements in a row."""
    return function(ops.reshape(a, (-1,)), axis=0) if axis is None else function(a, axis=axis)


def _moved(function: Any, a: Any, offset: int, axis1: int, axis2: int) -> Any:
    """NumPy's diagonals lie in the first two axes unless told, the standard's in the last two."""
    return function(ops.moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    return ops.clip(a, a_min if min is None else min, a_max if max is None else max)


def _where(condition: Any, *x: Any) -> Any:
    if len(x) == 1:
        raise ArgumentError("np.where: x needs a y beside it; np.where(condition) gives the places")
    return ops.where(condition, *x) if x else ops.nonzero(condition)


def _outer(a: Any, b: Any) -> Any:
    return ops.outer(*[ops.reshape(creation.asarray(x), (-1,)) for x in (a, b)])


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None and ord is None:  # of all numbers, whatever their shape
        return linalg.vector_norm(x, keepdims=keepdims)
    over = normalize_axes(axis, x.ndim, "np.linalg.norm")
    if len(over) == 1:
        return linalg.vector_norm(x, axis=over[0], ord=2 if ord is None else ord, keepdims=keepdims)
    if len(over) != 2:
        raise ArgumentError(
            f"np.linalg.norm: expected one axis for vectors or two for matrices, got {axis} for {x.shape}"
        )
    last = ops.moveaxis(x, over, (-2, -1))
    y = linalg.matrix_norm(last, ord="fro" if ord is None else ord, keepdims=keepdims)
    return ops.moveaxis(y, (-2, -1), over) if keepdims else y


def _symmetric(a: Any, triangle: str) -> Any:
    """Mirror the one triangle that NumPy reads, where linalg takes the mean of both."""
    if triangle not in ("L", "U"):
        raise unknown_name("UPLO", triangle, ["L", "U"])
    keep, off = (ops.tril, -1) if triangle == "L" else (ops.triu, 1)
    return keep(a) + ops.matrix_transpose(keep(a, k=off))


def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if (
        np.result_type(a).kind != "f"
    ):  # beside whole numbers NumPy makes int64 of an int, which can be below 0
        prepend, append = (np.asarray(x) if isinstance(x, int | float) else x for x in (prepend, append))
    return ops.diff(a, n=n, axis=axis, prepend=prepend, append=append)


def _hstack(tup: Any) -> Any:
    parts = [x if x.ndim else ops.reshape(x, (1,)) for x in as_arrays(*tup)]
    return ops.concat(parts, axis=0 if parts[0].ndim == 1 else 1)


def _like(function: Any) -> Callable[..., Any]:
    return lambda a, dtype=None: function(a, dtype=dtype)


# Each with the leading parameters of NumPy's own signature, as far as there is something to do for them.
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    # reductions
    np.sum: _reduction(ops.sum, "dtype"), np.prod: _reduction(ops.prod, "dtype"),
    np.mean: _reduction(ops.mean), np.max: _reduction(ops.max), np.min: _reduction(ops.min),
    np.amax: _reduction(ops.max), np.amin: _reduction(ops.min), np.any: _reduction(ops.any),
    np.all: _reduction(ops.all), np.argmax: _reduction(ops.argmax), np.argmin: _reduction(ops.argmin),
    np.count_nonzero: _reduction(ops.count_nonzero), np.median: _reduction(ops.median),
    np.var: _spread(ops.var), np.std: _spread(ops.std),
    np.quantile: lambda a, q, axis=None, *, keepdims=False: ops.quantile(a, q, axis=axis, keepdims=keepdims),
    np.percentile: _percentile,
    np.trace: lambda a, offset=0, axis1=0, axis2=1: _moved(ops.trace, a, offset, axis1, axis2),
    # along an axis
    np.cumsum: lambda a, axis=None: _flat(ops.cumulative_sum, a, axis),
    np.cumprod: lambda a, axis=None: _flat(ops.cumulative_prod, a, axis),
    np.cumulative_sum: ops.cumulative_sum, np.cumulative_prod: ops.cumulative_prod,
    np.diff: _diff,
    np.sort: lambda a, axis=-1: _flat(ops.sort, a, axis),
    np.argsort: lambda a, axis=-1: _flat(ops.argsort, a, axis),
    np.searchsorted: lambda a, v, side="left", sorter=None: ops.searchsorted(a, v, side=side, sorter=sorter),
    np.nonzero: lambda a: ops.nonzero(a), np.unique_values: lambda x: ops.unique_values(x),
    np.isin: lambda element, test_elements, *, invert=False: ops.isin(element, test_elements, invert=invert),
    # elements
    np.where: _where, np.clip: _clip,
    np.isclose: lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False:
        ops.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan),
    np.round: lambda a: ops.round(a), np.around: lambda a: ops.round(a),
    np.nan_to_num: lambda x, *, nan=0.0, posinf=None, neginf=None:
        ops.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf),
    np.astype: ops.astype, np.copy: lambda a: a.copy(),
    # shapes
    np.reshape: lambda a, /, shape: ops.reshape(a, shape), np.ravel: lambda a: a.ravel(),
    np.transpose: lambda a, axes=None: a.transpose(axes), np.matrix_transpose: ops.matrix_transpose,
    np.swapaxes: lambda a, axis1, axis2: a.swapaxes(axis1, axis2),
    np.moveaxis: lambda a, source, destination: ops.moveaxis(a, source, destination),
    np.expand_dims: lambda a, axis: ops.expand_dims(a, axis=axis),
    np.squeeze: lambda a, axis=None: a.squeeze(axis),
    np.broadcast_to: lambda array, shape: ops.broadcast_to(array, shape),
    np.broadcast_arrays: lambda *args: ops.broadcast_arrays(*args),
    np.flip: lambda m, axis=None: ops.flip(m, axis=axis),
    np.roll: lambda a, shift, axis=None: ops.roll(a, shift, axis=axis),
    np.tile: lambda A, reps: ops.tile(A, (reps,) if np.ndim(reps) == 0 else tuple(reps)),
    np.repeat: lambda a, repeats, axis=None: ops.repeat(a, repeats, axis=axis),
    np.concatenate: lambda arrays, /, axis=0: ops.concat(arrays, axis=axis),
    np.stack: lambda arrays, axis=0: ops.stack(arrays, axis=axis),
    np.split: lambda ary, indices_or_sections, axis=0: list(ops.split(ary, indices_or_sections, axis)),
    np.unstack: lambda x, /, *, axis=0: ops.unstack(x, axis=axis),
    np.take: lambda a, indices, axis=None: creation.asarray(a).take(indices, axis),
    np.take_along_axis: lambda arr, indices, axis=-1: ops.take_along_axis(arr, indices, axis=axis),
    np.tril: lambda m, k=0: ops.tril(m, k=k), np.triu: lambda m, k=0: ops.triu(m, k=k),
    np.diag: lambda v, k=0: ops.diag(v, k),
    np.pad: lambda array, pad_width, mode="constant", *, constant_values=0:
        ops.pad(array, pad_width, mode, constant_values=constant_values),
    np.vstack: lambda tup:
        ops.concat([ops.reshape(x, (1, -1)) if x.ndim < 2 else x for x in as_arrays(*tup)]),
    np.hstack: _hstack,
    np.diagonal: lambda a, offset=0, axis1=0, axis2=1: _moved(linalg.diagonal, a, offset, axis1, axis2),
    np.meshgrid: lambda *xi, indexing="xy": creation.meshgrid(*xi, indexing=indexing),
    # products
    np.dot: lambda a, b: creation.asarray(a).dot(b), np.outer: _outer,
    np.einsum: lambda *operands: ops.einsum(*operands),
    np.tensordot: lambda a, b, axes=2: ops.tensordot(a, b, axes=axes),
    np.cross: lambda a, b, *, axis=-1: ops.cross(a, b, axis=axis),
    # linear algebra
    np.linalg.norm: _norm, np.linalg.inv: lambda a: linalg.inv(a), np.linalg.det: lambda a: linalg.det(a),
    np.linalg.solve: lambda a, b: linalg.solve(a, b), np.linalg.slogdet: lambda a: linalg.slogdet(a),
    np.linalg.cholesky: lambda a, /, *, upper=False:
        linalg.cholesky(_symmetric(a, "U" if upper else "L"), upper=upper),
    np.linalg.qr: lambda a, mode="reduced": linalg.qr(a, mode=mode),
    np.linalg.svd: lambda a, full_matrices=True: linalg.svd(a, full_matrices=full_matrices),
    np.linalg.eigh: lambda a, UPLO="L": linalg.eigh(_symmetric(a, UPLO)),
    np.linalg.eigvalsh: lambda a, UPLO="L": linalg.eigvalsh(_symmetric(a, UPLO)),
    np.linalg.pinv: lambda a, *, rtol=None: linalg.pinv(a, rtol=rtol),
    np.linalg.matrix_power: lambda a, n: linalg.matrix_power(a, n),
    np.linalg.matrix_rank: lambda A, *, rtol=None: linalg.matrix_rank(A, rtol=rtol),
    **{
        getattr(np.linalg, name): getattr(linalg, name)
        for name in ["cross", "diagonal", "matmul", "matrix_norm", "matrix_transpose", "outer", "svdvals",
                     "tensordot", "trace", "vecdot", "vector_norm"]
    },
    # without a graph
    np.zeros_like: _like(creation.zeros_like), np.ones_like: _like(creation.ones_like),
    np.empty_like: lambda prototype, dtype=None: creation.empty_like(prototype, dtype=dtype),
    np.full_like: lambda a, fill_value, dtype=None: creation.full_like(a, fill_value, dtype=dtype),
    np.result_type: dtypes.result_type, np.can_cast: lambda from_, to: dtypes.can_cast(from_, to),
    np.shape: lambda a: a.shape, np.ndim: lambda a: a.ndim, np.size: lambda a: a.size,
}  # fmt: skip

# What tells about the values, without a gradient that could be lost.
ON_ARRAYS = {
    np.allclose, np.argwhere, np.array2string, np.array_equal, np.array_repr, np.array_str, np.bincount,
    np.digitize, np.flatnonzero, np.iscomplexobj, np.isrealobj, np.lexsort, np.may_share_memory,
    np.shares_memory,
}  # fmt: skip


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do what Tensor.__array_ufunc__ is asked for; raises DTypeError for what can't be recorded."""
    function = UFUNCS.get(ufunc)
    if function is not None and method == "__call__" and not kwargs:
        return function(*inputs)
    name = _name(ufunc) + ("" if method == "__call__" else f".{method}")
    if not _recorded((inputs, kwargs)):  # for example w.data -= rate * w.grad
        if method == "at" and isinstance(inputs[0], Tensor):  # which writes to read-only arrays too
            raise _writing(name)
        return _on_arrays(name, getattr(ufunc, method), inputs, kwargs)
    raise _refusal(name + (f" with {', '.join(kwargs)}=" if kwargs else ""), ufunc)


def call_function(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do what Tensor.__array_function__ is asked for; raises DTypeError for what can't be recorded."""
    function = FUNCTIONS.get(func)
    problem = ""
    if function is not None:
        signature = _signature(function)
        # NumPy's wrappers pass out=None and the like on.
        given = {k: v for k, v in kwargs.items() if k in signature.parameters or not _unset(v)}
        try:
            signature.bind(*args, **given)
        except TypeError as error:
            problem = f" ({error}; the arguments are {', '.join(signature.parameters)})"
        else:
            try:
                return function(*args, **given)
            except (ArgumentError, DTypeError):
                if _recorded((args, kwargs)):
                    raise
                with suppress(Exception):  # if NumPy doesn't know that mode either, our words say more
                    return _on_arrays(_name(func), func, args, kwargs)
                raise
    if func in ON_ARRAYS or not _recorded((args, kwargs)):
        return _on_arrays(_name(func), func, args, kwargs)
    raise _refusal(_name(func), func, problem)


_signature = cache(inspect.signature)


def _unset(value: Any) -> bool:
    return value is None or value is np._NoValue


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, list | tuple):
        for part in x:
            yield from _tensors(part)
    elif isinstance(x, dict):
        yield from _tensors(list(x.values()))


def _recorded(arguments: Any) -> bool:
    """Whether a gradient will be wanted of what is computed from these arguments."""
    return context.recording and any(t.requires_grad for t in _tensors(arguments))


def _on_arrays(name: str, func: Any, args: Any, kwargs: Any) -> Any:
    """Let NumPy do it; raises DTypeError if it would write into a Tensor, which no graph would notice."""
    try:
        return func(*_plain(args), **_plain(kwargs))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise _writing(name) from None


def _writing(name: str) -> DTypeError:
    return DTypeError(f"{name} would write into a Tensor unseen; assign to its data instead: w.data = values")


def _plain(x: Any) -> Any:
    """Put arrays in the place of Tensors, not to be written to."""
    if isinstance(x, Tensor):
        view = x.data.view()
        view.flags.writeable = False
        return view
    if isinstance(x, dict):
        return {name: _plain(value) for name, value in x.items()}
    if type(x) in (list, tuple):
        return type(x)([_plain(part) for part in x])
    return x


def _name(func: Any) -> str:
    return f"{getattr(func, '__module__', None) or 'numpy'}.{func.__name__}".replace("numpy", "np", 1)


def _refusal(what: str, func: Any, problem: str = "") -> DTypeError:
    known = {f.__name__: _name(f) for f in (*FUNCTIONS, *UFUNCS) if f is not func}
    near = [known[name] for name in get_close_matches(func.__name__, known, n=3, cutoff=0.7)]
    return DTypeError(
        f"{what} can't be recorded on a Tensor that requires a gradient{problem}; use tinygrad_edu's own "
        f"functions{', or ' + ', '.join(near) if near else ''}; or t.numpy() where no gradient is needed"
    )
