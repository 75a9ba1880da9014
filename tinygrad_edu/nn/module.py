"""Module: something that owns parameters and computes with them; layers and models are modules."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..context import anchor, context, user_line
from ..errors import ArgumentError, DTypeError, ShapeError
from ..tensor import Tensor
from .named import register_class, snake_case
from .parameter import Parameter
from .symbolic import contains_symbol, positional, record, taken_by_place

__all__ = ["Module"]

_SEVERAL = (list, tuple, dict)  # what modules and parameters may be in
_PLAIN = frozenset({type(None), bool, int, float, str})  # most attributes


class Module:
    """The base of layers and models.

    Assign parameters and other modules to attributes (lists of modules too) and write ``call``. The
    module then finds its parameters, names them by path ("encoder/dense/kernel"), saves and loads them,
    and tells the tape which part of the model each operation belongs to.

    A new module is in inference mode, as in Keras: dropout passes everything through. ``model.train()``
    switches the whole tree to training, ``model.eval()`` back, and ``model(x, training=True)`` does so
    for one call. ``fit`` takes care of it by itself.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> from tinygrad_edu import nn
    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         self.dense = nn.Dense(3)
    ...     def call(self, x):
    ...         return self.dense(x) * 2
    >>> model = Twice()
    >>> model(te.Tensor([[1.0, 2.0]])).shape
    (1, 3)
    >>> [name for name, _ in model.named_parameters()]
    ['dense/kernel', 'dense/bias']
    """

    # Every module class by name, so that a saved architecture can be built again.
    classes: ClassVar[dict[str, type["Module"]]] = {}

    _training: bool = False
    _trainable: bool = True
    built: bool = True  # a layer that waits for its first input's shape says False
    _name: str | None = None
    named: bool = False  # by the user, and not after its class or the attribute that it is in
    _wants_training: bool = False  # call() has a parameter ``training``, as Keras' layers do
    _plain: bool = True  # nothing needs doing around call()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        register_class(Module.classes, cls)
        if "call" in cls.__dict__:
            cls._wants_training = "training" in signature(cls.call).parameters
            cls._plain = not cls._wants_training

    # -- naming ----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name or self.default_name

    @name.setter
    def name(self, value: str) -> None:
        if "/" in value:
            raise ArgumentError(
                f"a module's name can't contain '/', which separates the parts of a path: {value!r}"
            )
        self._name, self.named = value, True

    def __setattr__(self, key: str, value: Any) -> None:
        for label, member in _members(key, value):
            if isinstance(member, Module) and member._name is None:
                member._name = label
        object.__setattr__(self, key, value)

    @property
    def default_name(self) -> str:
        """What it is called where nobody gave it a name."""
        return snake_case(type(self).__name__)

    # -- the tree --------------------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield the modules that this one holds directly, or in lists, tuples and dicts, with their names."""
        for key, value in vars(self).items():
            if type(value) in _PLAIN:
                continue
            if isinstance(value, Module):
                yield key, value
            elif isinstance(value, _SEVERAL) and value:
                for label, member in _members(key, value):
                    if isinstance(member, Module):
                        yield label, member

    def modules(self) -> Iterator["Module"]:
        """Yield this module and all below it, each once."""
        return (module for module, _ in self._tree())

    def _tree(self) -> list[tuple["Module", list[Parameter]]]:
        """Return this module and all below it, each once and with the weights that it holds itself.

        They come in the order of ``named_modules``, but without paths, whose making takes most of the time
        there: ``fit`` asks at each step what the layers and weights add to the loss.
        """
        found: list[tuple[Module, list[Parameter]]] = []
        seen: set[int] = set()
        waiting: list[Module] = [self]
        while waiting:
            module = waiting.pop()
            if id(module) not in seen:
                seen.add(id(module))
                children, weights = module._parts()
                found.append((module, weights))
                children.reverse()
                waiting += children
        return found

    def _parts(self) -> tuple[list["Module"], list[Parameter]]:
        """Return what ``named_children`` and ``_own_weights`` yield, without names."""
        children: list[Module] = []
        weights: list[Parameter] = []
        _sort(vars(self).values(), children, weights)
        return children, weights

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """Yield this module, whose path is "", and all below it with their paths, each once."""
        seen: set[int] = set()
        waiting: list[tuple[str, Module]] = [("", self)]
        while waiting:
            path, module = waiting.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield path, module
                prefix = f"{path}/" if path else ""
                waiting += reversed([(prefix + label, child) for label, child in module.named_children()])

    def named_weights(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter and buffer with its path, each once.

        Raises ArgumentError if two of them would have one path.
        """
        seen: set[int] = set()
        paths: set[str] = set()
        waiting: list[tuple[str, Module | Parameter]] = [("", self)]
        while waiting:
            path, member = waiting.pop()
            if id(member) in seen:
                continue
            seen.add(id(member))
            if isinstance(member, Parameter):
                if path in paths:
                    raise ArgumentError(f"{self.name}: two weights are called '{path}'; rename an attribute")
                paths.add(path)
                yield path, member
            else:
                prefix = f"{path}/" if path else ""
                below: list[tuple[str, Module | Parameter]] = [
                    *member._own_weights(),
                    *member.named_children(),
                ]
                waiting += reversed([(prefix + label, part) for label, part in below])

    def _own_weights(self) -> Iterator[tuple[str, Parameter]]:
        for key, value in vars(self).items():
            if type(value) in _PLAIN:
                continue
            if isinstance(value, Parameter):
                yield key, value
            elif isinstance(value, _SEVERAL) and value:
                for label, member in _members(key, value):
                    if isinstance(member, Parameter):
                        yield label, member

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the trainable parameters with their paths."""
        return ((path, w) for path, w in self.named_weights() if w.requires_grad)

    def parameters(self) -> list[Parameter]:
        """Return the trainable parameters, what an optimizer wants."""
        return [w for _, w in self.named_parameters()]

    def named_buffers(self) -> Iterator[tuple[str, Parameter]]:
        """Yield what is saved but not trained, with its path."""
        return ((path, w) for path, w in self.named_weights() if w.buffer)

    def count_params(self) -> int:
        """Return how many numbers the module's parameters and buffers hold.

        Raises ArgumentError if some layer has no weights yet.
        """
        self.check_built("count_params")
        return sum(w.size for _, w in self.named_weights())

    @property
    def waits(self) -> bool:
        """Whether it will have weights, but has seen no input yet that they depend on."""
        return not self.built

    def check_built(self, what: str) -> None:
        """Raise ArgumentError if some layer has no weights yet."""
        if any(module.waits for module in self.modules()):
            raise ArgumentError(
                f"{what}: {self.name} isn't built yet, so it has no weights and no shapes; call it on a "
                "batch, build((None, ...)), or start the model with Input(shape)"
            )

    @property
    def trainable(self) -> bool:
        """Whether the parameters are learned; set it to False to freeze this module and all below it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for module in self.modules():
            module._trainable = bool(value)
        for _, w in self.named_weights():
            w.requires_grad = bool(value) and not w.buffer

    @property
    def weights(self) -> list[Parameter]:
        """All parameters and buffers."""
        return [w for _, w in self.named_weights()]

    @property
    def trainable_weights(self) -> list[Parameter]:
        """Keras' name for ``parameters()``."""
        return self.parameters()

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """What isn't learned: buffers, and what is frozen."""
        return [w for w in self.weights if not w.requires_grad]

    variables, trainable_variables = weights, trainable_weights  # Keras has both names

    # -- modes -----------------------------------------------------------------------------------------

    @property
    def training(self) -> bool:
        """Whether it trains: as a surrounding ``mode`` of this thread says, else as ``train`` said last."""
        return context.modes.get(id(self), self._training)

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all below it to training (or, with False, to inference)."""
        for module in self.modules():
            module._training = mode
        return self

    def eval(self) -> Self:
        """Switch this module and all below it to inference."""
        return self.train(False)

    @contextmanager
    def mode(self, training: bool) -> Iterator[None]:
        """Be in a mode for a ``with`` block, in this thread alone."""
        before = context.modes
        context.modes = {**before, **{id(module): training for module in self.modules()}}
        try:
            yield
        finally:
            context.modes = before

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for w in self.parameters():
            w.grad = None

    # -- calling ---------------------------------------------------------------------------------------

    @anchor
    def __call__(self, *inputs: Any, training: bool | None = None, **arguments: Any) -> Any:
        if not inputs or type(inputs[0]) is not Tensor:
            if contains_symbol([inputs, arguments]):
                return record(self, inputs, arguments | ({} if training is None else {"training": training}))
            if not inputs:
                inputs, arguments = taken_by_place(self, arguments)
        before = context.module
        before_where = context.where
        context.where = user_line(2)
        try:
            inputs = self._taken(inputs)
            name = self._name or self.name
            context.module = f"{before}/{name}" if before else name
            if not before:
                context.run = object()
            if not self.built:
                self._build_for(*(positional(self, inputs, arguments) if arguments else inputs))
            call = self.call if self._plain else self._call_watched
            if training is not None and training != self.training:
                with self.mode(training):
                    return call(*inputs, **arguments)
            return call(*inputs, **arguments)
        finally:
            context.module = before
            context.where = before_where

    def _call_watched(self, *inputs: Any, **arguments: Any) -> Any:
        """Call, where ``call`` wants to know the mode, or something is to be made of the result."""
        if self._wants_training:
            arguments.setdefault("training", self.training)
        return self.call(*inputs, **arguments)

    def _taken(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the inputs as ``call`` wants them: a layer converts them to its dtype."""
        return inputs

    def call(self, *inputs: Any, **arguments: Any) -> Any:
        """Compute; a subclass writes it."""
        raise ArgumentError(f"{type(self).__name__} has no `call` method; write def call(self, x): ...")

    def _build_for(self, *inputs: Any) -> None:
        """Make the weights that depend on the first input's shape."""

    # -- state -----------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return a copy of every parameter and buffer by path."""
        return {path: w.data.copy() for path, w in self.named_weights()}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set every parameter and buffer from arrays by path.

        Raises ShapeError, having changed nothing, if a name is missing, unknown, or of another shape.
        """
        mine = dict(self.named_weights())
        problems = [f"missing: {path} {w.shape}" for path, w in mine.items() if path not in state]
        problems += [f"unknown: {path} {np.shape(state[path])}" for path in state if path not in mine]
        problems += [
            f"{path}: expected {w.shape}, got {np.shape(state[path])}"
            for path, w in mine.items()
            if path in state and w.shape != np.shape(state[path])
        ]
        if problems:
            listed = "\n  ".join(problems[:8]) + ("\n  ..." if len(problems) > 8 else "")
            raise ShapeError(
                f"these weights belong to another architecture than {self.name} "
                f"({len(problems)} of its entries don't fit):\n  {listed}"
            )
        for path in mine:
            if np.asarray(state[path]).dtype.kind not in "fiub":
                raise DTypeError(f"{path}: expected real numbers, got {np.asarray(state[path]).dtype}")
        for path, w in mine.items():
            w.data = np.asarray(state[path], dtype=w.dtype)

    def get_weights(self) -> list[NDArray[Any]]:
        """Return a copy of every parameter and buffer, in order."""
        return list(self.state_dict().values())

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set every parameter and buffer, in the order of ``get_weights``; raises ShapeError."""
        names = [name for name, _ in self.named_weights()]
        if len(names) != len(weights):
            self.check_built("set_weights")
            raise ShapeError(f"set_weights: expected {len(names)} arrays, got {len(weights)}")
        self.load_state_dict(dict(zip(names, weights, strict=True)))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON can hold them."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build the module that ``get_config`` described."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """Return what the constructor's arguments don't tell: for which shapes it was built."""
        return {}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build what is below the module as ``get_build_config`` noted."""


_MODULE, _PARAMETER, _CONTAINER, _OTHER = range(4)
_kinds: dict[type, int] = dict.fromkeys(
    _PLAIN, _OTHER
)  # of the types met so far: asking isinstance is dearer


def _kind(of: type) -> int:
    """Find out what a type is to a module that has it in an attribute, and remember it."""
    likely: list[tuple[int, Any]] = [(_MODULE, Module), (_PARAMETER, Parameter), (_CONTAINER, _SEVERAL)]
    _kinds[of] = next((kind for kind, types in likely if issubclass(of, types)), _OTHER)
    return _kinds[of]


def _sort(values: Iterable[Any], children: list[Module], weights: list[Parameter]) -> None:
    """Add the modules and the parameters among values, and in lists, tuples and dicts of them, to lists."""
    for value in values:
        kind = _kinds.get(type(value))
        if kind is None:
            kind = _kind(type(value))
        if kind == _OTHER:
            continue
        if kind == _MODULE:
            children.append(value)
        elif kind == _PARAMETER:
            weights.append(value)
        elif value:
            _sort(value.values() if isinstance(value, dict) else value, children, weights)


def _members(key: str, value: Any) -> Iterator[tuple[str, Module | Parameter]]:
    """Yield the modules and parameters in an attribute: itself, or those in lists, tuples and dicts."""
    if isinstance(value, Module | Parameter):
        yield key, value
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _members(f"{key}_{i}", item)
    elif isinstance(value, dict):
        for label, item in value.items():
            yield from _members(f"{key}_{label}", item)


def positive(value: Any, name: str) -> int:
    """Return a whole number of at least 1, or say that it should have been one."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(f"{name}: expected a positive whole number, got {value!r}")
    return int(value)


def not_negative(value: Any, name: str) -> float:
    """Return a finite number of at least 0, or say that it should have been one."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
        raise ArgumentError(f"{name}: expected a number of at least 0, got {value!r}")
    return float(value)


def share(value: Any, name: str) -> float:
    """Return a number of at least 0 and below 1, such as a dropout's rate, or say that it should be one."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < 1:
        raise ArgumentError(f"{name} must be at least 0 and below 1, got {value!r}")
    return float(value)
