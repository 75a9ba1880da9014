"""A model's operations, as seen in two calls with batches of different sizes.

What is the same in both calls is the model's own; a length that grows with the batch is a multiple of it; and
numbers that differ without an operation that made them were taken out of a tensor, which no graph can follow.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...context import Observer, Where, context, no_grad, source_line, user_line
from ...errors import ArgumentError, TinygradEduError
from ...function import Function
from ...tensor import Tensor
from ..module import Module
from ..structure import flatten

__all__ = ["Call", "Constant", "Dim", "Result", "Shape", "Trace", "trace"]

# Sizes of the two batches: half and a third of them are told from fixed lengths, and 4 : 6 from other ratios.
# Larger ones are for models that look things up, where few numbers could be found in two places by chance.
SIZES = (4, 6), (32, 48), (256, 384)


@dataclass(frozen=True)
class Dim:
    """A length that is so many times the batch's."""

    times: int


Shape = tuple[int | Dim, ...]


@dataclass(frozen=True)
class Result:
    """A value that depends on the inputs: one of the results of a call, or with call -1 an input."""

    call: int
    index: int


@dataclass(eq=False)
class Constant:
    """Numbers that don't depend on the inputs; along a batch axis, where they repeat, one row of them."""

    array: NDArray[Any]
    shape: Shape
    label: str = ""  # the path of the weight that it is, or was made of
    weak: bool = False  # a Python number, which takes the dtype of what it meets


@dataclass
class Call:
    """One operation: of which results and constants, with which arguments, where in the model.

    Where something else than an operation is to be refused, its ``fn`` is Function itself.
    """

    fn: type[Function]
    inputs: list[Result | Constant]
    params: dict[str, Any]
    shapes: list[Shape]
    dtypes: list[np.dtype[Any]]
    module: str
    where: Where | None
    error: ArgumentError | None = None  # why it can't be exported, if its results are needed

    def refusal(self, reason: str) -> ArgumentError:
        """Return the error that says why it can't be exported, in which layer, and on which line."""
        lines = [f"export_onnx: {reason}"]
        if self.fn is not Function:
            lines.append(f"  operation: {self.fn.name}")
        if self.module:
            lines.append(f"  in: {self.module}")
        line = source_line(self.where)
        if line is not None:
            lines.append(f"  at: {line}  {line.text}")
        return ArgumentError("\n".join(lines))


@dataclass
class Trace:
    """The calls of a model in order, its inputs' shapes and dtypes, and which values are its outputs."""

    calls: list[Call]
    input_shapes: list[Shape]
    input_dtypes: list[np.dtype[Any]]
    outputs: list[Result | Constant]
    output_names: list[str]  # the keys, where the model returns a dict


class _Watched(Tensor):
    """A tensor whose numbers come from the inputs, and which tells the recorder when they are taken out."""

    __slots__ = ()

    def _read(self) -> NDArray[Any]:
        for observer in context.observers:
            if isinstance(observer, _Recorder):
                observer.read(self)
        return self._data

    data = property(_read)  # nothing is assigned to what was computed

    def numpy(self) -> NDArray[Any]:
        return self._read()

    def item(self) -> Any:
        self._read()
        return super().item()

    def tolist(self) -> Any:
        return self._read().tolist()

    def detach(self) -> Tensor:
        self._read()
        return super().detach()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._read(), dtype=dtype, copy=copy)

    def __bool__(self) -> bool:
        self._read()
        return super().__bool__()

    def __index__(self) -> int:
        self._read()
        return super().__index__()


@dataclass
class _Step:
    fn: type[Function]
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    results: list[Tensor]
    module: str
    where: Where | None


class _Recorder(Observer):
    """Writes down the operations of one call of the model."""

    def __init__(self) -> None:
        self.steps: list[_Step] = []
        self.places: dict[int, Result] = {}  # of each value that depends on the inputs, by id
        self.values: dict[Result, Tensor] = {}  # which also keeps the ids from being used again
        self.reads: dict[Result, _Step] = {}  # what was taken out of which value: the module and the line

    def run(self, model: Module, inputs: list[Tensor], arguments: Any) -> Any:
        """Call the model at inference, and return its outputs."""
        for i, x in enumerate(inputs):
            self._watch(x, Result(-1, i))
        try:
            # The examples are random: that some have no logarithm, say, doesn't matter.
            with no_grad(), model.mode(training=False), np.errstate(all="ignore"), self:
                return model(*arguments)
        except TinygradEduError as error:
            error.add_note("export_onnx calls the model on random numbers; inputs=x gives it others")
            raise
        finally:
            for tensor in self.values.values():
                tensor.__class__ = Tensor

    def _watch(self, x: Tensor, place: Result) -> None:
        self.places[id(x)], self.values[place] = place, x
        x.__class__ = _Watched

    def read(self, tensor: Tensor) -> None:
        """Note that the numbers of a value were taken out of it."""
        step = _Step(Function, (), {}, [], context.module, user_line())
        self.reads.setdefault(self.places[id(tensor)], step)

    def forward(
        self, fn: Any, inputs: tuple[Any, ...], params: dict[str, Any], result: Any, node: Any
    ) -> None:
        defaults = {
            p.name: p.default
            for p in inspect.signature(fn.forward).parameters.values()
            if p.kind is p.KEYWORD_ONLY and p.default is not p.empty
        }
        results = list(result) if isinstance(result, tuple) else [result]
        step = _Step(fn, inputs, defaults | params, results, context.module, user_line())
        for i, x in enumerate(results):
            self._watch(x, Result(len(self.steps), i))  # constants are told apart in the comparison
        self.steps.append(step)


def trace(model: Module, draw: Callable[[int], tuple[list[Tensor], Any]]) -> Trace:
    """Call a model on two batches of different sizes, and return what it computes for any number of samples.

    ``draw(n)`` returns the tensors of a batch, and the arguments that hold them. Raises ArgumentError where
    the two calls differ in more than the number of samples.
    """
    if not all(module.built for module in model.modules()):
        _Recorder().run(model, *draw(SIZES[0][0]))  # which builds it, so that the calls that count are alike
    for sizes in SIZES:
        recorders = _Recorder(), _Recorder()
        results = [r.run(model, *draw(n)) for r, n in zip(recorders, sizes, strict=True)]
        comparison = _Comparison(model, *recorders, sizes)
        found = comparison.trace(*map(flatten, results))
        if not comparison.ambiguous:
            break
    if isinstance(results[0], dict) and len(results[0]) == len(found.outputs):
        found.output_names = list(results[0])
    return found


class _Comparison:
    """Makes one trace of two."""

    def __init__(self, model: Module, first: _Recorder, second: _Recorder, sizes: tuple[int, int]) -> None:
        self.first, self.second, self.sizes = first, second, sizes
        self.labels = {id(w): path for path, w in model.named_weights()}
        self.prefix = f"{model.name}/"
        self.calls: list[Call] = []
        self.folded: dict[Result, Constant] = {}  # results that are alike whatever the inputs are
        self.used: set[Result] = set()  # values that were read, and found again as a constant
        self.ambiguous = False  # some constant was found in two values

    def trace(self, outputs: list[Any], others: list[Any]) -> Trace:
        """Compare step by step."""
        steps = self.first.steps, self.second.steps
        for step, other in zip(*steps, strict=False):
            if step.fn is not other.fn or len(step.inputs) != len(other.inputs):
                self._differ(step)
            self._compare(step, other)
        if len(steps[0]) != len(steps[1]):
            self._differ(max(steps, key=len)[min(map(len, steps))])
        whole = Call(Function, [], {}, [], [], "", None)
        found = [self._value(a, b, whole) for a, b in zip(outputs, others, strict=True)]
        for place, reader in self.first.reads.items():
            if place not in self.used and place not in self.folded:
                raise self._call(reader).refusal(
                    "numbers were taken out of a tensor here, and what was made of them is no part of the "
                    "graph; compute with tensors alone, from the inputs to the outputs"
                )
        inputs = [(x, self.second.values[r]) for r, x in self.first.values.items() if r.call < 0]
        shapes = [self._merged(x.shape, y.shape, whole) for x, y in inputs]
        return Trace(self.calls, shapes, [x.dtype for x, _ in inputs], found, [])

    def _differ(self, step: _Step) -> NoReturn:
        raise self._call(step).refusal(
            f"the model computes something else for {self.sizes[0]} samples than for {self.sizes[1]}, or for "
            "other numbers; what it computes may not depend on its inputs"
        )

    def _call(self, step: _Step) -> Call:
        return Call(step.fn, [], {}, [], [], step.module.removeprefix(self.prefix), step.where)

    def _compare(self, step: _Step, other: _Step) -> None:
        number, call = len(self.calls), self._call(step)
        self.calls.append(call)
        try:
            self._fill(call, step, other)
        except ArgumentError as error:  # what only adds to the loss isn't needed
            call.error = error
            return
        if not any(isinstance(x, Result) for x in [*call.inputs, *flatten(call.params)]):
            labels = {x.label for x in call.inputs if isinstance(x, Constant) and x.label}
            label = labels.pop() if len(labels) == 1 else f"{call.module}/{call.fn.name}"
            for i, (x, y) in enumerate(zip(step.results, other.results, strict=False)):
                self.folded[Result(number, i)] = self._constant(x._data, y._data, call, label)

    def _fill(self, call: Call, step: _Step, other: _Step) -> None:
        """Put the call's inputs, arguments and results together from both."""
        call.inputs = [self._value(a, b, call) for a, b in zip(step.inputs, other.inputs, strict=True)]
        call.params = {k: self._merged(v, other.params[k], call) for k, v in step.params.items()}
        pairs = zip(step.results, other.results, strict=True)
        call.shapes = [self._merged(x.shape, y.shape, call) for x, y in pairs]
        call.dtypes = [x.dtype for x in step.results]

    def _value(self, x: Any, y: Any, call: Call) -> Result | Constant:
        """Return what an input of an operation is: a value from before, or a constant."""
        place = self.first.places.get(id(x))
        if place is not None and place == self.second.places.get(id(y)):
            return self.folded.get(place, place)
        if isinstance(x, Tensor) and isinstance(y, Tensor):
            return self._numbers(x._data, y._data, call, self.labels.get(id(x), ""))
        if isinstance(x, int | float) and not isinstance(x, np.generic):
            constant = self._constant(np.asarray(x), np.asarray(y), call)
            constant.weak = True
            return constant
        return self._numbers(np.asarray(x), np.asarray(y), call)

    def _numbers(self, x: Any, y: Any, call: Call, label: str = "") -> Result | Constant:
        """Return arrays of both calls as one constant, or as the value that they were taken out of."""
        found = [
            place
            for place in self.first.reads
            if place in self.second.reads
            and place not in self.folded
            and _is_taken_out(self.first.values[place]._data, x)
            and _is_taken_out(self.second.values[place]._data, y)
        ]
        if found:
            self.ambiguous |= len(found) > 1
            self.used.update(found)
            return found[0]
        return self._constant(x, y, call, label)

    def _constant(self, x: Any, y: Any, call: Call, label: str = "") -> Constant:
        if x is y or _same(x, y):
            return Constant(x, x.shape, label)
        shape: Shape = self._merged(x.shape, y.shape, call)
        axes = [i for i, n in enumerate(shape) if isinstance(n, Dim)]
        if axes:  # along the batch
            rows = x[tuple(slice(0, 1) if i in axes else slice(None) for i in range(x.ndim))]
            if _same(np.broadcast_to(rows, x.shape), x) and _same(np.broadcast_to(rows, y.shape), y):
                return Constant(rows, shape, label)
        reason = (
            "these numbers are other ones in each call, and no operation made them: they were drawn at "
            "random, depend on the number of samples, or were taken out of a tensor and changed. A graph "
            "can't follow that; export a part without it (of an autoencoder that samples, the decoder)"
        )
        raise call.refusal(reason)

    def _merged(self, x: Any, y: Any, call: Call) -> Any:
        """Return arguments of both calls as one, with a Dim for each number that grows with the batch."""
        if x is y:
            return x
        if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            found = self._numbers(x, y, call)
            return found.array if isinstance(found, Constant) and found.array.shape == x.shape else found
        if type(x) is type(y):
            if isinstance(x, tuple | list) and len(x) == len(y):
                merged = [self._merged(a, b, call) for a, b in zip(x, y, strict=True)]
                return tuple(merged) if isinstance(x, tuple) else merged
            if isinstance(x, slice):
                parts = ((x.start, y.start), (x.stop, y.stop), (x.step, y.step))
                return slice(*(self._merged(a, b, call) for a, b in parts))
            if (
                isinstance(x, int)
                and x != y
                and x * self.sizes[1] == y * self.sizes[0]
                and x % self.sizes[0] == 0
            ):
                return Dim(x // self.sizes[0])
            if x == y:
                return x
        raise call.refusal(
            f"an argument is {x!r} for {self.sizes[0]} samples and {y!r} for {self.sizes[1]}, which isn't in "
            "proportion; only lengths that are multiples of the batch's can be left open"
        )


def _is_taken_out(value: NDArray[Any], x: NDArray[Any]) -> bool:
    """Tell whether x has a value's numbers, maybe in another dtype; a bool is no number."""
    return (value.dtype == bool) == (x.dtype == bool) and np.array_equal(value, x)


def _same(x: NDArray[Any], y: NDArray[Any]) -> bool:
    return x.shape == y.shape and np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
