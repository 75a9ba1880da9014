"""Where did the nan come from? The first operation that makes one is named, with its numbers and its line."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .context import Observer, context, source_line, user_line
from .errors import AnomalyError
from .function import Function, Node, input_names, saved_plan
from .tensor import Tensor

__all__ = ["detect_anomaly"]

Named = tuple[str, Any]  # an array, a Tensor or a number, and what to call it


class detect_anomaly(Observer):
    """Stop at the first operation or gradient that is nan or infinite, and tell all about it.

    A block (``with detect_anomaly():``) or decorator, for this thread; ``model.fit`` may run inside. With
    ``check_inf=False`` infinite numbers are let through, for masks that are made of -inf. It looks at
    every number, so switch it on to search, not to train. Raises AnomalyError, which names the operation,
    the module, the line, how many elements are wrong and where the first is, the range of each input,
    and the usual mend.

    >>> import tinygrad_edu as te
    >>> with detect_anomaly():
    ...     te.log(te.Tensor([1.0, 0.0], name="p"))
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.AnomalyError: log made 1 inf
      result (2,) float32: from 0 to 0, 1 inf, the first at (1,)
      x 'p' (2,) float32: from 0 to 1
      at: ...
      hint: the logarithm is -inf at 0 and nan below: log(clip(p, 1e-7)); of a softmax, take log_softmax...
    """

    def __init__(self, *, check_inf: bool = True) -> None:
        self.check_inf = check_inf

    def __enter__(self) -> "detect_anomaly":
        silence = np.errstate(all="ignore")  # NumPy would warn of the same, and say less
        silence.__enter__()
        context.silenced = (*context.silenced, silence)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        *outer, silence = context.silenced
        context.silenced = tuple(outer)
        silence.__exit__(*error)

    def forward(
        self, fn: type[Function], inputs: tuple[Any, ...], params: dict[str, Any], result: Any, node: Any
    ) -> None:
        if context.rule is not None:  # a step of a gradient rule, whose results are looked at as a whole
            return
        results = result if isinstance(result, tuple) else (result,)
        for i, y in enumerate(results):
            if self._is_bad(y):
                named = list(zip(input_names(fn, len(inputs)), inputs, strict=True))
                label = f"result {i}" if isinstance(result, tuple) else "result"
                self._raise(fn.name, (label, y), named, context.module, user_line(), _hint(fn, y))

    def backward(self, node: Node, g: Any, gradients: tuple[Any, ...]) -> None:
        for name, dx in zip(input_names(node.fn, len(gradients)), gradients, strict=True):
            for part in dx.values() if isinstance(dx, dict) else (dx,):
                if part is not None and self._is_bad(part):
                    results = g.values() if isinstance(g, dict) else (g,)
                    named = [*[("gradient of the result", result) for result in results], *_saved(node)]
                    hint = _hint_backward(node.fn, g, part)
                    what = f"gradient of {name}"
                    self._raise(
                        f"the backward of {node.fn.name}", (what, part), named, node.module, node.where, hint
                    )

    def total(self, leaf: Tensor, g: Any) -> None:
        if self._is_bad(g):
            self._raise(
                "adding up the gradients of a leaf",
                ("the sum", g),
                [("the leaf", leaf)],
                context.module,
                None,
                _outgrown(g),
            )

    def _is_bad(self, x: Any) -> bool:
        array = _array(x)
        if array.dtype.kind != "f":
            return False
        return not np.isfinite(array).all() if self.check_inf else bool(np.isnan(array).any())

    def _raise(
        self, what: str, made: Named, inputs: Iterable[Named], module: str, where: Any, hint: str
    ) -> None:
        inputs = list(inputs)
        outside = [name for name, x in inputs if self._is_bad(x)]
        if outside:
            first = f"{what}: a nan or inf came in from outside, with {' and '.join(outside)}"
            hint = (
                "it was there already: look at the data, and where that was made. "
                "Where inf is meant, as in a mask: detect_anomaly(check_inf=False)"
            )
        else:
            first = f"{what} made {_counts(_array(made[1]))}"
        lines = [first, *[f"  {_summary(name, x)}" for name, x in (made, *inputs)]]
        lines += [f"  in: {module}"] if module else []
        line = source_line(where)
        lines += [f"  at: {line}  {line.text}"] if line else []
        lines += [f"  hint: {hint}"] if hint else []
        raise AnomalyError("\n".join(lines))


def _array(x: Any) -> NDArray[Any]:
    return x.data if isinstance(x, Tensor) else np.asarray(x)


def _counts(array: NDArray[Any]) -> str:
    nans, infs = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    return " and ".join(f"{n} {what}" for n, what in ((nans, "nan"), (infs, "inf")) if n)


def _summary(name: str, x: Any) -> str:
    """Say what a tensor is and which numbers are in it, in one line."""
    array = _array(x)
    label = f"{name} '{x.name}'" if isinstance(x, Tensor) and x.name else name
    if not isinstance(x, Tensor | np.ndarray):
        return f"{label}: {x!r}"
    text = f"{label} {array.shape} {array.dtype}"
    bad = ~np.isfinite(array)
    finite = array[~bad]
    if finite.size:
        text += f": from {finite.min():.6g} to {finite.max():.6g}"
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        text += f"{',' if finite.size else ':'} {_counts(array)}, the first at {place}"
    return text


def _saved(node: Node) -> list[Named]:
    """List the inputs and the result that the node has kept for its rule."""
    kept: list[Named] = []
    names = input_names(node.fn, len(node.inputs))
    for (kind, key), value in zip(saved_plan(node.fn), node.saved or (), strict=True):
        if kind == "input":
            kept.append((names[key], value))
        elif kind == "inputs":
            kept += zip(names, value, strict=True)
        elif kind == "out":
            kept += [("result", y) for y in (value if isinstance(value, tuple) else (value,))]
    return kept


_FORWARD = {
    "log": "the logarithm is -inf at 0 and nan below: log(clip(p, 1e-7)); of a softmax, take log_softmax",
    "divide": "it divides by 0: add a small number to the divisor, or divide by where(d == 0, 1.0, d)",
    "exp": "e^x overflows at 89 in float32 and 710 in float64: take off the maximum first, as softmax does",
    "sqrt": "the root of a negative number is nan: sqrt(clip(x, 0.0)), if only rounding took it below 0",
    "pow": "0 to a negative power is inf, and a negative number to a fraction nan",
}
_BACKWARD = {
    "log": "its slope is infinite at 0: log(clip(p, 1e-7)); of a softmax, take log_softmax",
    "divide": "its slope is infinite at 0: add a small number to the divisor",
    "sqrt": "its slope is infinite at 0: sqrt(x + 1e-12)",
    "pow": "to a power below 1 its slope is infinite at 0: pow(x + 1e-12, …)",
    "vector_norm": "the length of a vector has no slope at 0: sqrt(sum(x * x) + 1e-12)",
}
_ALIKE = {"log2": "log", "log10": "log", "log1p": "log", "reciprocal": "divide", "rsqrt": "divide"}
_ALIKE |= {"exp2": "exp", "expm1": "exp", "cbrt": "sqrt", "remainder": "divide"}
_BRANCH = "If where() drops that, choose the input too: where(ok, f(where(ok, x, 1.0)), y)"


def _hint(fn: type[Function], result: Any) -> str:
    known = _FORWARD.get(_ALIKE.get(fn.name, fn.name))
    return f"{known}. {_BRANCH}" if known else _outgrown(result)


def _hint_backward(fn: type[Function], g: Any, made: Any) -> str:
    array = _array(made)
    if not isinstance(g, dict) and g.shape == array.shape and not _array(g)[~np.isfinite(array)].any():
        return f"the gradient that arrives there is 0, and 0 times an infinite slope is nan. {_BRANCH}"
    return _BACKWARD.get(_ALIKE.get(fn.name, fn.name)) or _outgrown(made)


def _outgrown(made: Any) -> str:
    array = _array(made)
    if not np.isinf(array).any():
        return ""
    return (
        f"the numbers outgrew {array.dtype}, which ends at {np.finfo(array.dtype).max:.3g}: take a smaller "
        "learning rate, smaller initial weights, or inputs scaled to about 1"
    )
