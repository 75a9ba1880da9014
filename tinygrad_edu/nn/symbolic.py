"""Symbols: stand-ins for tensors, on which layers are called before there is data.

A layer that is called on a symbol computes nothing. It is built for the symbol's shape, notes the call, and
gives a symbol for its result. From the symbols at the end, the calls that lead there can be found again:
that is the functional style, see :mod:`tinygrad_edu.nn.graph`.
"""

import inspect
from collections.abc import Iterator
from itertools import count
from typing import Any, NoReturn
from weakref import ref

import numpy as np

from ..errors import ArgumentError, ShapeError
from .structure import flatten, is_structure, mapped

__all__ = [
    "Call", "Shape", "SymbolicTensor", "contains_symbol", "is_deep", "is_shape", "positional", "record",
    "shapes_in", "shapes_of", "taken_by_place",
]  # fmt: skip

Shape = tuple[int | None, ...]  # the batch axis first; None where a length isn't fixed

_clock = count(1)


class Call:
    """One call of a layer on symbols: with which arguments, and the how manieth of all calls it was."""

    __slots__ = ("args", "kwargs", "layer", "order")

    def __init__(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.layer, self.args, self.kwargs, self.order = layer, args, kwargs, next(_clock)

    def symbols(self) -> "Iterator[SymbolicTensor]":
        """Yield the symbols among the arguments."""
        return (leaf for leaf in flatten([self.args, self.kwargs]) if isinstance(leaf, SymbolicTensor))


class SymbolicTensor:
    """What stands for a tensor while a model is put together: a shape, a dtype, and the call that gives it.

    Layers take it, and so do the operators ``+ - * / ** @ [...]``; each adds a call to the model.

    >>> from tinygrad_edu import nn
    >>> x = nn.Input((28, 28, 1)); x
    <SymbolicTensor (None, 28, 28, 1) float32 of input_layer>
    >>> nn.Conv2D(6, 3)(x).shape
    (None, 26, 26, 6)
    """

    __slots__ = ("__weakref__", "call", "dtype", "index", "shape")

    def __init__(self, shape: Shape, dtype: Any, call: Call, index: int) -> None:
        self.shape, self.dtype, self.call, self.index = shape, np.dtype(dtype), call, index

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def name(self) -> str:
        return str(self.call.layer.name)

    def __repr__(self) -> str:
        return f"<SymbolicTensor {self.shape} {self.dtype} of {self.name}>"

    def _apply(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        from .layers.operation import Operation

        constants = [None if isinstance(a, SymbolicTensor) else a for a in args]
        symbols = [a for a in args if isinstance(a, SymbolicTensor)]
        return Operation(operation, constants if len(symbols) < len(args) else None, **kwargs)(*symbols)

    def __add__(self, other: Any) -> Any:
        return self._apply("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return self._apply("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return self._apply("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._apply("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._apply("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._apply("multiply", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._apply("divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._apply("divide", other, self)

    def __pow__(self, other: Any) -> Any:
        return self._apply("pow", self, other)

    def __matmul__(self, other: Any) -> Any:
        return self._apply("matmul", self, other)

    def __neg__(self) -> Any:
        return self._apply("negative", self)

    def __getitem__(self, key: Any) -> Any:
        return self._apply("getitem", self, (None,) if key is None else key)

    def _no_numbers(self, what: str) -> NoReturn:
        raise ArgumentError(
            f"{self!r} has no numbers yet, so {what}. Call layers on it, or use + - * / ** @ [...]; for a "
            'function, nn.layers.Operation("exp")(x), or a layer of your own whose call(self, x) computes it'
        )

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._no_numbers("it can't become an array")

    def __bool__(self) -> NoReturn:
        self._no_numbers("it is neither true nor false")

    def __float__(self) -> NoReturn:
        self._no_numbers("it can't become a number")

    def __iter__(self) -> NoReturn:
        self._no_numbers("nothing can be gone through")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"a SymbolicTensor has shape, dtype and name, but no numbers and no {name!r}; call layers on it"
        )


def contains_symbol(value: Any) -> bool:
    """Tell whether there is a symbol among the leaves of a structure."""
    return any(isinstance(leaf, SymbolicTensor) for leaf in flatten(value))


def is_shape(value: Any) -> bool:
    """Tell a shape from a list of shapes.

    >>> is_shape((None, 4)), is_shape([(None, 4), (None, 2)])
    (True, False)
    """
    return isinstance(value, list | tuple) and all(
        n is None or isinstance(n, int | np.integer) for n in value
    )


def is_deep(value: Any) -> bool:
    """Tell lists, tuples and dicts of shapes from shapes: what ``mapped`` is to walk into."""
    return isinstance(value, list | tuple | dict) and not is_shape(value)


def shapes_in(value: Any) -> list[Shape]:
    """Return the shapes in a structure of them, in order.

    >>> shapes_in({"a": (None, 4), "b": [(None, 2)]})
    [(None, 4), (None, 2)]
    """
    shapes: list[Shape] = []
    mapped(shapes.append, value, is_deep)
    return shapes


def shapes_of(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the shapes of the tensors, or symbols, in a call's arguments; those of tensors for any batch.

    What is no tensor has None, and what follows the last tensor is left out.
    """
    shapes = [mapped(_shape, a, deeper=is_input) for a in args]
    while shapes and shapes[-1] is None:
        shapes.pop()
    return tuple(shapes)


def _shape(x: Any) -> Shape | None:
    if isinstance(x, SymbolicTensor):
        return x.shape
    return (None, *x.shape[1:]) if getattr(x, "ndim", 0) > 0 else None


def is_input(value: Any) -> bool:
    """Tell whether a list or the like holds tensors or symbols, rather than being numbers or a shape."""
    return is_structure(value) or (isinstance(value, list | tuple) and contains_symbol(value))


def record(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Build a layer for the symbols it is called on, and return symbols for what it will give."""
    inputs = positional(layer, args, kwargs)
    shapes = shapes_of(inputs)
    layer.note_dtypes(inputs)
    layer.build_once(*shapes)
    call, places = Call(layer, args, kwargs), count()
    dtype = layer.symbolic_dtype(next(call.symbols()).dtype)
    result = mapped(
        lambda shape: SymbolicTensor(tuple(shape), dtype, call, next(places)),
        layer.call_shape(shapes, kwargs),
        is_deep,
    )
    if not layer.symbolic_results:
        layer.symbolic_results = []
    layer.symbolic_results.append(mapped(ref, result))
    return result


def positional(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Return all tensors by the order of ``call``'s parameters, those given by name among them."""
    kwargs = {name: value for name, value in kwargs.items() if name != "training"}  # which any call takes
    if not kwargs:
        return args
    try:
        return inspect.signature(layer.call).bind(*args, **kwargs).args
    except TypeError as error:
        raise ShapeError(f"{layer.name}: {error}") from None


def taken_by_place(layer: Any, arguments: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments given by name as those given by place, as far as that goes, and the rest by name."""
    inputs = positional(layer, (), arguments)
    names = list(inspect.signature(layer.call).parameters)[: len(inputs)]
    return inputs, {name: value for name, value in arguments.items() if name not in names}
