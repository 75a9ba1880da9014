"""Derivatives of functions: vjp, jvp, jacobian, hessian, hvp.

Each takes a function of Tensors and the point to differentiate it at. ``inputs`` is one Tensor, with which
the function is called as f(x), or a tuple of them for f(x, y, …); arrays, floats and lists of them become
Tensors. What comes back mirrors it: one Tensor, or a tuple. The function may return a tuple too.

A derivative is a function like any other. Where the tape is on and something outside requires a gradient,
an input or a parameter that the function closes over, the results can be differentiated again in it; so
the transforms nest: a Jacobian of a Jacobian, a loss with a Hessian in it. Under ``no_grad`` the results
are plain, and cheaper to get. An input that the outputs don't depend on gets zeros. No ``.grad`` changes.

There is no rule for the forward direction, because the backward one has it in it: what a pullback gives is
linear in the gradient u that is put in, and its derivative in u, along the tangents, is the pushforward
(J. Townsend, "A new trick for calculating Jacobian vector products", 2017).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from . import ops
from .autograd import gradient_of, origin, walk
from .context import context, enable_grad
from .errors import ArgumentError, DTypeError, GradientError, ShapeError
from .function import Node
from .tensor import Tensor, wrap

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vjp"]


def vjp(function: Callable[..., Any], *inputs: Any) -> tuple[Any, Callable[..., Any]]:
    """Return the outputs of ``function(*inputs)``, and their pullback: vector-Jacobian products.

    ``pullback(*gradients)`` takes a gradient for each output, of its shape (None for zeros), and returns one
    for each input, of its shape and dtype: one Tensor if there is one input, else a tuple. It may be called
    any number of times. Raises DTypeError if an input isn't of floats or an output no Tensor, GradientError
    if an output is of whole numbers, ShapeError if a gradient doesn't fit its output.

    >>> import tinygrad_edu as te
    >>> y, pullback = vjp(te.multiply, [1.0, 2.0], [3.0, 4.0])
    >>> y, pullback([1.0, 10.0])
    (Tensor([3., 8.]), (Tensor([ 3., 40.]), Tensor([ 1., 20.])))
    """
    run = _Run("vjp", function, inputs)

    def pullback(*gradients: Any) -> Any:
        if len(gradients) != len(run.outputs):
            raise ArgumentError(
                f"vjp: the function has {len(run.outputs)} outputs, {len(gradients)} gradients came"
            )
        return _mirror(run.pull_back(gradients), single=len(inputs) == 1)

    return _mirror(run.results(), run.single), pullback


def jvp(function: Callable[..., Any], inputs: Any, tangents: Any) -> tuple[Any, Any]:
    """Return the outputs, and by how much they change along ``tangents``: Jacobian-vector products.

    ``tangents`` has one for each input, of its shape, and is converted to its dtype. Exact, and as dear as
    two backward passes, whatever the number of inputs and outputs. Raises as :func:`vjp`, and ShapeError if a
    tangent doesn't fit.

    >>> jvp(lambda x: x * x, Tensor([1.0, 2.0]), Tensor([1.0, 0.5]))
    (Tensor([1., 4.]), Tensor([2., 2.]))
    """
    run = _Run("jvp", function, _several(inputs))
    along = run.along(tangents, "tangent")
    # Any u will do. Not zeros: a rule that refuses a gradient must see that one comes; and no pattern, in
    # which what comes might cancel.
    rng = np.random.default_rng(0)
    us = [_variable(wrap(np.asarray(rng.uniform(0.5, 1, y.shape), y.dtype), None)) for y in run.outputs]
    pulled = _pull_back(list(zip(run.outputs, us, strict=True)), run.inputs, create_graph=True)
    _settle(us)
    pushed = _pull_back(list(zip(pulled, along, strict=True)), us, run.further(along))
    return _mirror(run.results(), run.single), _mirror(pushed, run.single)


def jacobian(function: Callable[..., Any], inputs: Any) -> Any:
    """Return the derivative of every output element in every input element: output shape + input shape.

    One Tensor for one input, a tuple for a tuple of inputs, each of its input's dtype; if the function
    returns a tuple, a tuple of these. It takes a backward pass for each output element. Raises as
    :func:`vjp`.

    >>> jacobian(lambda x: x * x, [1.0, 2.0])
    Tensor([[2., 0.],
            [0., 4.]])
    """
    run = _Run("jacobian", function, _several(inputs))
    blocks = [_mirror(block, not isinstance(inputs, tuple)) for block in run.jacobian()]
    return _mirror(blocks, run.single)


def hessian(function: Callable[..., Any], inputs: Any) -> Any:
    """Return the second derivatives of a function whose result is one number: input shape + input shape.

    For a tuple of inputs, a tuple of rows: ``hessian(f, (x, y))[0][1]`` is d²f/dx dy, of x's shape + y's and
    of y's dtype. It takes a backward pass for each input element; see :func:`hvp` for products with it.
    Raises as :func:`vjp`, and ShapeError if the result isn't one number.

    >>> hessian(lambda x: (x**3).sum(), [1.0, 2.0])
    Tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    run = _Run("hessian", lambda *xs: _value_and_slopes("hessian", function, xs)[1:], _several(inputs))
    rows = [tuple(block) for block in run.jacobian()]
    return tuple(rows) if isinstance(inputs, tuple) else rows[0][0]


def hvp(function: Callable[..., Any], inputs: Any, vectors: Any) -> tuple[Any, Any]:
    """Return the value of a function whose result is one number, and its Hessian times ``vectors``.

    ``vectors`` has one for each input, of its shape, and the product too, in its dtype; the Hessian itself,
    which may be huge, is never made (Pearlmutter, *Fast exact multiplication by the Hessian*, 1994). It takes
    two backward passes. Raises as :func:`hessian`, and ShapeError if a vector doesn't fit.

    >>> hvp(lambda x: (x**3).sum(), [1.0, 2.0], [1.0, 10.0])
    (Tensor(9.), Tensor([  6., 120.]))
    """
    run = _Run("hvp", lambda *xs: _value_and_slopes("hvp", function, xs), _several(inputs))
    # The Hessian is symmetric, so its product backward is the one forward.
    product = run.pull_back([None, *run.along(vectors, "vector")])
    return run.results()[0], _mirror(product, not isinstance(inputs, tuple))


class _Run:
    """A function that has been run and recorded, at inputs that stand for the caller's.

    So that the caller's graph and the function's own variables don't get in, each input is a new tensor:
    a node on top of one that has a history, else a leaf. Such a leaf is a variable only as long as the
    function runs; afterwards nobody can ask for its gradient but this object.
    """

    def __init__(self, name: str, function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
        self.name = name
        if not inputs:
            raise ArgumentError(f"{name}: there is no input to differentiate in")
        with enable_grad():
            self.inputs = [_variable(_as_tensor(name, i, x)) for i, x in enumerate(inputs)]
            result = function(*self.inputs)
            _settle(self.inputs)
        self.single = not isinstance(result, tuple | list)
        self.outputs: list[Tensor] = [result] if self.single else list(result)
        for i, y in enumerate(self.outputs):
            if not isinstance(y, Tensor):
                raise DTypeError(
                    f"{name}: the function must return Tensors; output {i} is {type(y).__name__}"
                )
            if y.dtype.kind != "f":
                raise GradientError(f"{name}: output {i} is {y.dtype}; only floats have derivatives")
        self._further = _reaches_a_leaf(self.outputs)

    def further(self, vectors: Iterable[Tensor] = ()) -> bool:
        """Tell whether what comes of this can be differentiated again, in something of the caller's."""
        return context.recording and (self._further or any(v.requires_grad for v in vectors))

    def results(self) -> list[Tensor]:
        """Return the outputs, with their history if something of the caller's is in it."""
        return [y if self.further() else y.detach() for y in self.outputs]

    def pull_back(self, gradients: Sequence[Any]) -> list[Tensor]:
        """Return a gradient for each input from one for each output, None for zeros."""
        pairs = [
            (y, _fit(self.name, f"the gradient of output {i}", u, y))
            for i, (y, u) in enumerate(zip(self.outputs, gradients, strict=True))
            if u is not None
        ]
        return _pull_back(pairs, self.inputs, self.further(u for _, u in pairs))

    def jacobian(self) -> list[list[Tensor]]:
        """Return, for each output, a block for each input, a row of which is one pass backward."""
        blocks = []
        for k, y in enumerate(self.outputs):
            rows = []
            for at in np.ndindex(y.shape):
                unit = np.zeros(y.shape, y.dtype)
                unit[at] = 1
                rows.append(self.pull_back([unit if i == k else None for i in range(len(self.outputs))]))
            shapes = [(*y.shape, *x.shape) for x in self.inputs]
            blocks.append(
                [
                    ops.reshape(ops.stack([row[j] for row in rows]), shape) if rows else _zeros(shape, x)
                    for j, (x, shape) in enumerate(zip(self.inputs, shapes, strict=True))
                ]
            )
        return blocks

    def along(self, vectors: Any, what: str) -> list[Tensor]:
        """Return a Tensor for each input, of its shape and dtype."""
        given = _several(vectors)
        if len(given) != len(self.inputs):
            raise ArgumentError(f"{self.name}: {len(self.inputs)} inputs, but {len(given)} {what}s")
        return [
            _fit(self.name, f"the {what} of input {i}", v, x)
            for i, (v, x) in enumerate(zip(given, self.inputs, strict=True))
        ]


def _pull_back(pairs: list[tuple[Tensor, Tensor]], inputs: list[Tensor], create_graph: bool) -> list[Tensor]:
    """Walk from pairs of an output and its gradient to the inputs; zeros where nothing arrives."""
    starts = [
        (y if y.node is None else y.node, u if create_graph else u.data.copy())  # it may come out as it is
        for y, u in pairs
    ]
    origins = [origin(x) for x in inputs]
    found = walk(starts, create_graph=create_graph, retain=True, targets={id(x) for x, _ in origins})
    gradients = [gradient_of(x, index, found) for x, index in origins]
    return [_zeros(x.shape, x) if g is None else g for x, g in zip(inputs, gradients, strict=True)]


def _value_and_slopes(name: str, function: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Tensor, ...]:
    run = _Run(name, function, xs)
    if not run.single or run.outputs[0].shape != ():
        got = ", ".join(str(y.shape) for y in run.outputs)
        raise ShapeError(f"{name}: the function must return one number, of shape (); it returned {got}")
    return run.results()[0], *run.pull_back([np.ones((), run.outputs[0].dtype)])


def _as_tensor(name: str, i: int, x: Any) -> Tensor:
    if isinstance(x, tuple):
        raise ArgumentError(f"{name}: input {i} is a tuple; give one Tensor, array or list for each input")
    t = _tensor(x)
    if t.dtype.kind != "f":
        raise DTypeError(
            f"{name}: input {i} is {t.dtype}, and only floats have derivatives. Write 1.0 for 1; labels and "
            f"indices are held fixed by closing over them: {name}(lambda x: f(x, labels), …)"
        )
    return t


def _tensor(x: Any) -> Tensor:
    if isinstance(x, Tensor):
        return x
    return Tensor(np.array(x) if isinstance(x, np.ndarray) else x)  # a copy: the caller may write into x


def _variable(x: Tensor) -> Tensor:
    """Return a new tensor of the same numbers, in which a gradient can arrive that is no other's."""
    if x.requires_grad:
        seen: Tensor = ops.reshape(x, x.shape)
        return seen
    leaf = wrap(x.data.copy(), None)  # the caller may write into x before the pullback is called
    leaf.requires_grad = True
    return leaf


def _settle(variables: list[Tensor]) -> None:
    """Make constants of the leaves among the variables, now that what depends on them is recorded."""
    for x in variables:
        x.requires_grad = x.node is not None


def _reaches_a_leaf(outputs: list[Tensor]) -> bool:
    """Tell whether the outputs depend on something that requires a gradient."""
    stack: list[Any] = [y if y.node is None else y.node for y in outputs]
    seen: set[int] = set()
    while stack:
        x = stack.pop()
        if isinstance(x, Node) and x.order not in seen:
            seen.add(x.order)
            stack.extend(x.inputs)
        elif isinstance(x, Tensor) and x.requires_grad:
            return True
    return False


def _fit(name: str, what: str, v: Any, like: Tensor) -> Tensor:
    t = _tensor(v)
    if t.shape != like.shape:
        raise ShapeError(f"{name}: {what} must have its shape {like.shape}, not {t.shape}")
    if t.dtype != like.dtype:
        t = ops.astype(t, like.dtype)
    return t


def _zeros(shape: tuple[int, ...], like: Tensor) -> Tensor:
    return Tensor(np.zeros(shape, like.dtype))


def _several(inputs: Any) -> tuple[Any, ...]:
    return inputs if isinstance(inputs, tuple) else (inputs,)


def _mirror(results: Any, single: bool) -> Any:
    return results[0] if single else tuple(results)
