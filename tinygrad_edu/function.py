"""What an operation is: a forward, a backward, a formula, and the record it leaves on the tape.

An operation is a class with two static methods::

    class Multiply(Function):
        name = "multiply"
        formula = r"y = x_1 x_2"

        @staticmethod
        def forward(x1, x2):            # arrays in, array out
            return x1 * x2

        @staticmethod
        def backward(g, x1, x2):        # dL/dy in, one dL/dx for each input out
            return g * x2, g * x1

``backward`` says by the *names of its parameters* what it needs again; the tape keeps just that:

====================  =====================================================================
``x1``                the input that ``forward`` calls ``x1``
``x1_shape``          its shape alone, so that the array needn't be kept
``out``               what ``forward`` returned
``axis``              a keyword argument of ``forward``
``xs``, ``shapes``    where ``forward`` takes ``*xs``: the list of them all, and of their shapes
``needs``             a tuple of bools: which inputs want a gradient (skip the work for others)
a name in ``extras``  something more that ``forward`` returned after its result, for ``backward``
====================  =====================================================================

An extra of floats is None where the rule runs on Tensors: it has no place in the graph, and used as a
constant it would make the second derivative wrong. There the rule computes it again from an input.

The rule is written with the engine's own functions and operators, which take arrays and Tensors alike.
On arrays it is the fast path. For a gradient of a gradient the same rule runs on Tensors and is itself
recorded, so one definition serves every order.
"""

import inspect
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from .context import Where, context, current_module, source_line, user_line
from .errors import DTypeError, GradientError, IndexingError, ShapeError, TinygradEduError

if TYPE_CHECKING:
    from .tensor import Tensor, as_array, wrap
    # When the program runs, tensor.py puts them in here: a Tensor has a Node, and an operation makes both.

__all__ = ["Function", "Node", "Part", "shape_of"]

_clock = count(1)
last_change = (
    0  # the tick of the last change of any leaf: what was recorded after it needs no look at its own
)


def now() -> int:
    """Return the next tick of the clock that orders operations and in-place changes."""
    return next(_clock)


def now_changed() -> int:
    """Return the tick for leaves that are being changed in place, and remember it for all of them."""
    global last_change
    last_change = next(_clock)
    return last_change


def shape_of(x: Any) -> Any:
    """Return the shape of what a node has for an input: a node, a Tensor, an array or a number."""
    shape = getattr(x, "shape", None)
    return np.shape(x) if shape is None else shape


class Node:
    """One operation on the tape: what was done, to what, where in the model and in the program.

    ``inputs`` holds, for each input, the node that made it, or else the thing itself: a leaf Tensor, an
    array, a number. ``saved`` holds what the rule is called with again, and is None once that is freed.
    ``order`` grows with time, so it sorts any graph topologically.
    """

    __slots__ = ("dtype", "fn", "hooks", "inputs", "module", "order", "params", "saved", "shape", "where")

    fn: "type[Function]"
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    saved: tuple[Any, ...] | None
    shape: Any  # of the result; a tuple of shapes where the operation has several results
    dtype: np.dtype[Any]
    module: str
    where: Where | None
    order: int
    hooks: list[Any] | None  # of the result, see hooks.py

    def __repr__(self) -> str:
        place = f" in {self.module}" if self.module else ""
        return f"<Node {self.fn.name} {self.shape}{place}>"


class Function:
    """The base of every operation, ours and yours: see the module's text for how one is written.

    Raises
    ------
    GradientError
        When the class is made, if ``backward`` names something that ``forward`` doesn't have.

    Examples
    --------
    >>> import numpy as np, tinygrad_edu as te
    >>> class Cube(te.Function):
    ...     name = "cube"
    ...     @staticmethod
    ...     def forward(x):
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(g, x):
    ...         return g * 3 * x ** 2
    >>> x = te.Tensor([1.0, 2.0], requires_grad=True)
    >>> Cube.apply(x).sum().backward()
    >>> x.grad
    Tensor([ 3., 12.])
    """

    name: ClassVar[str] = ""  # as the pictures and the errors call it
    formula: ClassVar[str] = ""  # LaTeX: the result from the inputs
    derivative: ClassVar[str] = ""  # LaTeX: each input's gradient, written with a bar, from the result's
    words: ClassVar[str] = ""  # one plain sentence
    extras: ClassVar[tuple[str, ...]] = ()
    broadcasts: ClassVar[bool] = False  # the tape then sums each gradient over the axes that were stretched
    differentiable: ClassVar[bool] = False  # has a backward; set by the engine

    # Worked out once for each class from the two signatures.
    _inputs: ClassVar[tuple[str, ...]] = ()
    _plan: ClassVar[tuple[tuple[str, Any], ...]] = ()  # where each of backward's parameters comes from
    _needs_at: ClassVar[int | None] = None  # the position of ``needs`` among them, which isn't saved
    _keep: ClassVar[Callable[..., tuple[Any, ...]]]  # picks the others out of a call's values

    forward: ClassVar[Callable[..., Any]]
    backward: ClassVar[Callable[..., Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = cls.__dict__.get("name", cls.__name__.lower())
        if hasattr(cls, "forward"):
            _read_signatures(cls)

    def __init__(self, *inputs: Any) -> None:
        raise DTypeError(
            f"{type(self).__name__} isn't made into an object; call {type(self).__name__}.apply(x)"
        )

    @classmethod
    def apply(cls, *inputs: Any, **params: Any) -> "Tensor":
        """Run the operation; record it if the tape is on and an input requires a gradient.

        As soon as one input is a Tensor, so is the result (a tuple of them, if ``forward`` returns one).
        Arrays and numbers alone give an array: that is how a rule runs at full speed.
        """
        arrays: list[Any] = []
        sources: list[Any] = []
        has_tensor = tracked = False
        for x in inputs:
            if isinstance(x, Tensor):
                has_tensor = True
                arrays.append(x._data)
                if x.requires_grad:
                    tracked = True
                    x = x.node or x
            elif type(x) is np.ndarray:
                arrays.append(x)
            else:
                if isinstance(x, str):
                    cls._raise(TypeError("expected numbers, got text"), inputs)
                if isinstance(x, list | tuple):  # its floats have no width of their own, as in Tensor([...])
                    x = as_array(x, beside=inputs)
                arrays.append(x)
            sources.append(x)
        try:
            out = cls.forward(*arrays, **params)
        except (ValueError, TypeError, IndexError, OverflowError, AttributeError) as error:
            cls._raise(error, inputs)
        extras: tuple[Any, ...] = ()
        if cls.extras:
            out, *rest = out
            extras = tuple(rest)
        if not has_tensor:
            return out  # type: ignore[no-any-return]  # an array, see above
        several = isinstance(out, tuple)
        if not several and type(out) is not np.ndarray:
            out = np.asarray(out)  # of single numbers NumPy makes no array
        node = None
        if tracked and context.recording and cls.differentiable:
            node = Node()
            node.fn = cls
            node.inputs = tuple(sources)
            node.params = params
            node.module = context.module
            node.where = user_line(2)
            node.order = next(_clock)
            node.hooks = None
            node.saved = cls._keep(arrays, out, extras, params)
        if several:
            result: Any = _wrap_several(out, node)
        elif node is None:
            result = wrap(out, None)
        else:
            dtype = node.dtype = out.dtype
            node.shape = out.shape
            result = wrap(out, node if dtype.kind == "f" else None)  # numbers alone have gradients
        for observer in context.observers:
            observer.forward(cls, inputs, params, result, node)
        return result  # type: ignore[no-any-return]

    @classmethod
    def hint(cls, *inputs: Any) -> str:
        """Suggest how to mend a call that failed; an operation with a typical mistake overrides it."""
        return ""

    @classmethod
    def _raise(cls, error: Exception, inputs: tuple[Any, ...]) -> NoReturn:
        """Say what was called with what, in which module and on which line, and the likely mend."""
        got = ", ".join(
            f"{name} {_describe(x)}" for name, x in zip(input_names(cls, len(inputs)), inputs, strict=True)
        )
        module, line = current_module(), source_line(user_line())
        lines = [f"{cls.name}: {error}" if str(error) else f"{cls.name} failed", f"  got: {got}"]
        if module:
            lines.append(f"  in: {module}")
        if line is not None:
            lines.append(f"  at: {line}  {line.text}")
        hint = "" if isinstance(error, OverflowError) else cls.hint(*inputs)
        if hint:
            lines.append(f"  hint: {hint}")
        kind: type[Exception]
        if isinstance(error, TinygradEduError):
            kind = type(error)
        elif isinstance(error, IndexError) and not isinstance(error, ValueError):  # NumPy's AxisError is both
            kind = IndexingError
        else:  # an OverflowError is a number that the other input's dtype can't hold
            wrong_kind = isinstance(error, TypeError | OverflowError | AttributeError)
            kind = DTypeError if wrong_kind else ShapeError
        raise kind("\n".join(lines)) from None  # NumPy's own traceback tells no more


def _wrap_several(out: tuple[Any, ...], node: Node | None) -> "tuple[Tensor, ...]":
    """Turn an operation's arrays into Tensors, those of floats with a node for each."""
    parts = [np.asarray(array) for array in out]
    floats = [array.dtype for array in parts if array.dtype.kind == "f"]
    if node is None or not floats:
        return tuple([wrap(array, None) for array in parts])
    node.shape, node.dtype = tuple([array.shape for array in parts]), floats[0]
    return tuple(
        [
            wrap(array, part_of(node, i, array) if array.dtype.kind == "f" else None)
            for i, array in enumerate(parts)
        ]
    )


def part_of(node: Node, index: int, array: Any) -> Node:
    """Make the node of one result of an operation that has several."""
    part = Node()
    part.fn = Part
    part.inputs = (node,)
    part.params = {"index": index}
    part.saved = (index,)
    part.shape, part.dtype = np.shape(array), array.dtype
    part.module, part.where, part.order, part.hooks = node.module, node.where, next(_clock), None
    return part


def _read_signatures(cls: type[Function]) -> None:
    """Work out from the names in the two signatures what the tape keeps and how it calls the rule."""
    forward = inspect.signature(cls.forward).parameters.values()
    positional = [p.name for p in forward if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = [p.name for p in forward if p.kind is p.VAR_POSITIONAL]
    keywords = [p.name for p in forward if p.kind is p.KEYWORD_ONLY]
    cls._inputs = (*positional, *(f"*{name}" for name in variadic))
    if getattr(cls, "backward", None) is None:
        return
    cls.differentiable = True
    plan: list[tuple[str, Any]] = []
    for name in list(inspect.signature(cls.backward).parameters)[1:]:
        stem = name.removesuffix("_shape")
        if name in positional:
            plan.append(("input", positional.index(name)))
        elif name == "out":
            plan.append(("out", None))
        elif name in cls.extras:
            plan.append(("extra", cls.extras.index(name)))
        elif name in keywords:
            plan.append(("param", name))
        elif name == "needs":
            plan.append(("needs", None))
        elif name in variadic:
            plan.append(("inputs", None))
        elif name == "shapes" and variadic:
            plan.append(("shapes", None))
        elif stem in positional and name != stem:
            plan.append(("shape", positional.index(stem)))
        else:
            after = ["out", *cls.extras, *keywords, "needs"]
            known = [*positional, *(f"{p}_shape" for p in positional), *after]
            if variadic:
                known = [*variadic, "shapes", *after]
            style = ""
            if positional[:1] in (["self"], ["ctx"]):
                style = (
                    f". There is no '{positional[0]}' here: write @staticmethod def forward(x) and "
                    "def backward(g, x), and what backward names is kept for it"
                )
            raise GradientError(
                f"{cls.__name__}.backward asks for '{name}', which forward doesn't provide; "
                f"it may name: {', '.join(known)}{style}"
            )
    cls._plan = tuple(plan)
    cls._needs_at = plan.index(("needs", None)) if ("needs", None) in plan else None
    defaults = {p.name: p.default for p in forward if p.kind is p.KEYWORD_ONLY}
    cls._keep = staticmethod(_keeper(saved_plan(cls), defaults))


def saved_plan(cls: type[Function]) -> list[tuple[str, Any]]:
    """Return where each thing in a node's ``saved`` comes from: a kind, and which one of that kind."""
    return [(kind, key) for kind, key in cls._plan if kind != "needs"]


def _keeper(plan: list[tuple[str, Any]], defaults: dict[str, Any]) -> Callable[..., tuple[Any, ...]]:
    """Compile a plan to a function (arrays, out, extras, params) -> what the tape keeps.

    It runs at every recorded operation, so it is written out as one expression, such as
    ``(arrays[0], out, params.get('axis', defaults['axis']),)``.
    """
    parts = "".join([f"{_PARTS[kind].format(repr(key))}, " for kind, key in plan])
    known = {"defaults": defaults, "shape_of": shape_of}
    return eval(f"lambda arrays, out, extras, params: ({parts})", known)  # type: ignore[no-any-return]


_PARTS = {
    "input": "arrays[{0}]",
    "inputs": "arrays",
    "out": "out",
    "extra": "extras[{0}]",
    "param": "params.get({0}, defaults[{0}])",
    "shape": "shape_of(arrays[{0}])",
    "shapes": "[shape_of(a) for a in arrays]",
}


def input_names(cls: type[Function], n: int) -> list[str]:
    names = list(cls._inputs)
    if names and names[-1].startswith("*"):
        stem = names.pop()[1:]
        names += [f"{stem}[{i}]" for i in range(n - len(names))]
    names += [f"input {i}" for i in range(len(names), n)]
    return names[:n]


def _describe(x: Any) -> str:
    if isinstance(x, Tensor | np.ndarray):
        label = f" '{x.name}'" if isinstance(x, Tensor) and x.name else ""
        return f"{tuple(x.shape)} {x.dtype}{label}"
    text = repr(x)
    return text if len(text) <= 40 else f"{text[:37]}..."


class Part(Function):
    """One result of an operation that has several. Their gradients travel as a dict, by index."""

    name = "part"
    words = "Takes one of the results of an operation that returns several."

    @staticmethod
    def forward(results: tuple[Any, ...], *, index: int) -> Any:
        return results[index]

    @staticmethod
    def backward(g: Any, index: int) -> Any:
        return ({index: g},)
