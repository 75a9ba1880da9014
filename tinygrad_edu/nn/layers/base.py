"""Layer: a module whose weights take their shape from the first input it sees."""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike

from ...context import context
from ...errors import ArgumentError, DTypeError, ShapeError, unknown_name
from ...tensor import Tensor
from .. import constraints, initializers, regularizers
from ..description import described, revived
from ..module import Module
from ..parameter import Parameter
from ..structure import flatten, is_structure, mapped
from ..symbolic import Shape, SymbolicTensor, is_deep, shapes_of
from .trial import build_config, build_from_config, trial

__all__ = ["WEIGHTS", "Layer", "SameShape", "Shape"]

WEIGHTS: Mapping[str, str] = {"kernel": "glorot_uniform", "bias": "zeros"}  # of most layers

# What can be said about a weight: ``kernel_initializer``, ``kernel_regularizer``, ``kernel_constraint``.
_RULES: Mapping[str, Any] = {
    "initializer": initializers.get,
    "regularizer": regularizers.get,
    "constraint": constraints.get,
}


class Layer(Module):
    """The base of all layers.

    A subclass writes ``call(x)``; ``build(input_shape)`` if it has weights, which it makes with
    ``add_weight``; ``compute_output_shape`` if a trial run with zeros would be too dear; and names its
    constructor's arguments in ``fields``, so that it can be saved. As in Keras the shapes begin with the
    batch axis: (None, 28, 28, 1). Where ``call`` takes several tensors, ``build`` and
    ``compute_output_shape`` take as many shapes; where it takes a list of them, a list of shapes.

    Parameters
    ----------
    name
        What paths, pictures and errors call it; by default after its class, made unique in its model.
    dtype
        Of the weights and of what flows through: inputs are converted to it.
    input_shape, input_dim
        The shape of one sample, to build the model before it sees data; ``input_dim=4`` is ``(4,)``.
    trainable
        False freezes its weights; it can be changed later too.
    activity_regularizer
        A price on what comes out ("l1", a Regularizer), which is added to the loss: its mean over the batch.
    options
        For each kind of weight that the class names in ``kinds``, such as "kernel": ``kernel_initializer``
        (how it starts), ``kernel_regularizer`` (a price on it that is added to the loss), and
        ``kernel_constraint`` (what it is put back to after each step), names or objects.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> from tinygrad_edu import nn
    >>> class Scale(nn.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight("factor", input_shape[-1:], "ones")
    ...     def call(self, x):
    ...         return x * self.factor
    >>> Scale()(te.Tensor([[1.0, 2.0]]))
    Tensor([[1., 2.]], fn=<multiply>)
    >>> nn.Dense(3, kernel_regularizer="l2").kernel_regularizer.l2
    0.01
    """

    fields: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[Mapping[str, Any]] = {}  # of weights, and how each starts by default

    built = False
    autocast: bool = True  # inputs are converted to the layer's dtype
    dtype: np.dtype[Any] = np.dtype("float32")
    activity_regularizer: Any = None
    given_input_shape: Shape | None = None
    input_shape: Any = None  # what it was built for: one shape, or a tuple of those of several inputs
    output_shape: Any = None
    symbolic_results: tuple[Any, ...] | list[Any] = ()  # weak references to what calls on symbols gave
    dtypes: Sequence[Any] = ()  # of the inputs, where they aren't converted
    tried: list[tuple[Any, Any]] | None = None  # shapes of inputs, and of the results that they gave
    _losses: tuple[Any, list[Tensor]] = (None, [])  # in which run, and what add_loss was given there

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: DTypeLike = "float32",
        input_shape: Any = None,
        input_dim: int | None = None,
        trainable: bool = True,
        activity_regularizer: Any = None,
        **options: Any,
    ) -> None:
        if not trainable:
            self.trainable = False
        self.dtype = np.dtype(dtype)
        if self.dtype.kind != "f":
            raise DTypeError(
                f"a layer computes with floats, got dtype {self.dtype}; use 'float32' or 'float64'"
            )
        if name is not None:
            self.name = name
        if input_dim is not None:
            input_shape = (input_dim,)
        if input_shape is not None:
            self.given_input_shape = check_shape(input_shape)
        if activity_regularizer is not None:
            self.activity_regularizer = regularizers.get(activity_regularizer)
            self._plain = False
        for option, rule, start in self._options():
            setattr(self, option, _RULES[rule](options.pop(option, start)))
        for option in options:
            known = [p for p in inspect.signature(type(self)).parameters if p != "options"]
            raise unknown_name(f"{type(self).__name__} argument", option, known)

    @classmethod
    def _options(cls) -> Iterator[tuple[str, str, Any]]:
        """Yield the name, the rule and the default of each thing that can be said about its weights."""
        for kind, start in cls.kinds.items():
            for rule in _RULES:
                yield f"{kind}_{rule}", rule, start if rule == "initializer" else None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__signature__ = _signature(cls)  # type: ignore[attr-defined]  # what help() shows

    def build(self, *input_shapes: Any) -> None:
        """Make the weights, for samples of this shape."""

    @property
    def waits(self) -> bool:
        return not self.built and type(self).build is not Layer.build

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        """Return the shape of the result; by default it is tried out on zeros."""
        return self._trial(*input_shapes)

    def call_shape(self, input_shapes: Any, settings: dict[str, Any]) -> Any:
        """Return the shape of what a call gives; for layers that give more or less as its settings say."""
        return self.compute_output_shape(*input_shapes)

    def _trial(self, *input_shapes: Any) -> Any:
        return trial(self, input_shapes)

    def note_dtypes(self, inputs: Any) -> None:
        """Remember the dtypes of the inputs for the trial, where the layer doesn't convert them."""
        if not self.autocast:
            tensors = [x for x in flatten(inputs) if getattr(x, "ndim", 0)]
            self.dtypes = [self.dtype if x.dtype.kind == "f" else x.dtype for x in tensors]

    def build_once(self, *input_shapes: Any) -> None:
        """Build for samples of a shape, unless that has been done."""
        shapes = tuple(mapped(lambda s: None if s is None else tuple(s), s, is_deep) for s in input_shapes)
        seen = shapes[0] if len(shapes) == 1 else shapes
        if not self.built:
            self.build(*shapes)
            self.built = True
        elif seen != self.input_shape:
            self._trial(*shapes)  # the weights may not fit this shape
        if seen != self.input_shape:
            self.output_shape = self.compute_output_shape(*shapes)
            self.input_shape = seen

    def _build_for(self, *inputs: Any) -> None:
        self.note_dtypes(inputs)
        self.build_once(*shapes_of(inputs))

    def symbolic_dtype(self, given: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype of what it gives on a symbol of a dtype."""
        return self.dtype

    @property
    def output(self) -> Any:
        """The symbol that it gave when it was put into a model: ``Model(model.inputs, layer.output)``."""
        alive = [
            result
            for result in (mapped(lambda weak: weak(), weak) for weak in self.symbolic_results)
            if all(isinstance(s, SymbolicTensor) for s in flatten(result))
        ]
        if len(alive) != 1:
            calls = f"was called {len(alive)} times" if alive else "hasn't been called"
            raise ArgumentError(
                f"{self.name} {calls} on a symbol, so it has no one output; put it into a model that starts "
                "with Input(shape), or keep what layer(x) returns"
            )
        return alive[0]

    @property
    def input(self) -> Any:
        """The symbol that it was called on when it was put into a model."""
        args = next(iter(flatten(self.output))).call.args
        return args[0] if len(args) == 1 else list(args)

    def _taken(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(inputs) == 1:
            x = inputs[0]
            if isinstance(x, Tensor) and x.dtype is self.dtype and x.ndim:
                return inputs
        first, *others = inputs
        taken = [mapped(self._cast, first, is_structure)]
        for x in others:  # masks and settings stay as they are
            is_float = getattr(getattr(x, "dtype", None), "kind", "") == "f"
            taken.append(mapped(self._cast, x, is_structure) if is_float or is_structure(x) else x)
        return tuple(taken)

    def _cast(self, x: Any) -> Any:
        if not isinstance(x, Tensor):
            x = Tensor(x)
        if x.ndim == 0:
            raise ShapeError(f"{self.name}: expected a batch of samples, got a single number")
        return x if x.dtype == self.dtype or not self.autocast else x.astype(self.dtype)

    def _call_watched(self, *inputs: Any, **arguments: Any) -> Any:
        result = super()._call_watched(*inputs, **arguments)
        if self.activity_regularizer is not None:
            for part in flatten(result):  # by sample, so that it weighs the same in batches of any size
                self.add_loss(self.activity_regularizer(part) / max(len(part), 1))
        return result

    # -- weights and losses ----------------------------------------------------------------------------

    def add_weight(
        self,
        *args: Any,
        name: str | None = None,
        shape: Any = (),
        initializer: Any = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> Parameter:
        """Make a parameter (or, not trainable, a buffer) of a shape, filled by an initialiser.

        That is "glorot_uniform" where nothing else is said. The regulariser is added to the model's loss, the
        constraint applied after each step. Without names the arguments are the shape, the initialiser and the
        dtype, as in Keras 3; a text before them is the name, as in Keras 2.
        """
        if args and isinstance(args[0], str):
            name, args = args[0], args[1:]
        given: tuple[Any, ...] = (shape, initializer, dtype, trainable)
        shape, initializer, dtype, trainable = args + given[len(args) :]
        shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape or ())
        if initializer is None:
            initializer = "glorot_uniform" if len(shape) > 1 else "zeros"
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        if context.loading is None:
            values = initializers.get(initializer)(shape, dtype)
        else:
            context.loading -= math.prod(shape)
            if context.loading < 0:
                raise ArgumentError(f"{self.name}: {name} {shape} is more than the file has numbers for")
            values = np.zeros(shape, dtype)
        if values.shape != shape:
            raise ShapeError(f"{self.name}: the initializer of {name} gave {values.shape} for {shape}")
        weight = Parameter(
            0.0, name=f"{self.name}/{name or 'weight'}", trainable=trainable and self.trainable
        )
        weight._data = values
        weight.buffer = not trainable
        weight.regularizer = regularizers.get(regularizer)
        weight.constraint = constraints.get(constraint)
        return weight

    def rule(self, kind: str) -> dict[str, Any]:
        """Return what was said about a kind of weight, as ``add_weight`` takes it.

        >>> from tinygrad_edu import nn
        >>> sorted(nn.Dense(3).rule("kernel"))
        ['constraint', 'initializer', 'regularizer']
        """
        return {rule: getattr(self, f"{kind}_{rule}") for rule in _RULES}

    def add_loss(self, loss: Any) -> None:
        """Add a number to the loss of the model, from within ``call``: a price on what it computes.

        It counts until the layer runs anew.

        >>> from tinygrad_edu import nn
        >>> class Sparse(nn.Layer):
        ...     def call(self, x):
        ...         self.add_loss(0.1 * abs(x).sum())
        ...         return x
        >>> layer = Sparse(); y = layer([[1.0, -2.0]]); round(layer.losses[0].item(), 4)
        0.3
        """
        loss = loss if isinstance(loss, Tensor) else Tensor(loss)
        if loss.ndim:
            raise ShapeError(f"{self.name}: add_loss expects a single number, got shape {loss.shape}")
        run, losses = self._losses
        if run is not context.run:
            losses = []
        self._losses = (context.run, [*losses, loss])

    @property
    def losses(self) -> list[Any]:
        """What it and all below it add to the loss: by ``add_loss`` in the last run, and by regularisers.

        Weights that are frozen have no price, as in Keras: it couldn't change.
        """
        added: list[Any] = []
        priced: dict[int, Parameter] = {}
        for module, weights in self._tree():
            added += getattr(module, "_losses", (None, ()))[1]
            for w in weights:
                if w.regularizer is not None and w.requires_grad:
                    priced[id(w)] = w
        return added + [w.regularizer(w) for w in priced.values()]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config["dtype"] = self.dtype.name
        if not self.trainable:
            config["trainable"] = False
        if self.given_input_shape is not None:
            config["input_shape"] = list(self.given_input_shape)
        options = [option for option, rule, _ in self._options()]
        for field in (*self.fields, *options, "activity_regularizer"):
            value = described(getattr(self, field))
            if value is not None or field in self.fields:
                config[field] = value
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{key: revived(value) for key, value in config.items()})

    def get_build_config(self) -> dict[str, Any]:
        return build_config(self)

    def build_from_config(self, config: dict[str, Any]) -> None:
        build_from_config(self, config)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say of a weight that there will be one."""
            hint = ""
            if name in type(self).kinds and not self.built:
                hint = "; its weights come with the first input, or with build((None, ...))"
            raise AttributeError(f"{self.name} ({type(self).__name__}) has no {name!r}{hint}")

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this run of the program: symbols, and losses with their graphs."""
        return {k: v for k, v in vars(self).items() if k not in ("symbolic_results", "_losses")}

    def __repr__(self) -> str:
        config = self.get_config()
        arguments = [f"{field}={config[field]!r}" for field in self.fields]
        return f"<{type(self).__name__} {self.name} {' '.join(arguments)}>"


def _signature(cls: type[Layer]) -> inspect.Signature:
    """Return a layer's constructor with all the options written out, those of private bases among them."""
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Any)
        for name, _, default in cls._options()
    ]
    above = [c for c in cls.__mro__[: cls.__mro__.index(Layer) + 1] if "__init__" in vars(c)]
    private = [c for c in above[1:] if c.__name__.startswith("_")]
    found: list[inspect.Parameter] = []
    for c in dict.fromkeys([above[0], *private, Layer]):
        own = list(inspect.signature(vars(c)["__init__"]).parameters.values())[1:]
        open_ended = bool(own) and own[-1].kind is inspect.Parameter.VAR_KEYWORD
        if c is not above[0]:  # by name alone, and but for what the class says itself
            own = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.default is not p.empty]
        taken = {p.name for p in found}
        added = options + own if c is Layer else own
        found += [p for p in added if p.name not in taken and p.kind is not p.VAR_KEYWORD]
        if not open_ended:
            break
    return inspect.Signature(found)


class SameShape(Layer):
    """The base of layers whose result has the shape of their input."""

    def compute_output_shape(self, input_shape: Any, *others: Any) -> Any:
        return input_shape


def check_shape(shape: Any) -> Shape:
    """Return a sample's shape as a tuple of positive whole numbers, or None for any; raise ArgumentError."""
    try:
        sizes = tuple(None if n is None else int(n) for n in shape)
    except TypeError:
        raise ArgumentError(
            f"expected the shape of one sample, like (784,) or (28, 28, 1), got {shape!r}"
        ) from None
    if any(n is not None and n < 1 for n in sizes):
        raise ArgumentError(f"expected positive sizes, without the batch axis, got {shape!r}")
    return sizes
