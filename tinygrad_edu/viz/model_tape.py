"""The tape of a model: it is called once, on an example or on zeros, and left as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from ..context import anchor, context, enable_grad, no_grad
from ..errors import ArgumentError
from ..nn.module import Module
from ..nn.structure import flatten, is_structure, mapped
from ..nn.symbolic import is_deep
from ..random import using
from ..tensor import Tensor

__all__ = ["record_model"]


@anchor  # no line of a user's program led here, so the picture names none
def record_model(model: Module, inputs: Any = None) -> tuple[list[Tensor], list[Tensor]]:
    """Call a model, in inference mode, and return its results and its inputs, all in one graph.

    All of it is recorded, also what comes before the first trainable weight. Weights, modes, states and
    random generators stay what they are.

    Raises
    ------
    ArgumentError
        Without inputs, if the model doesn't know their shapes; if it returns no tensor.
    """
    arguments = _example(model, inputs)
    if any(module.waits for module in model.modules()):
        with _untouched(model), no_grad():  # makes the weights, so that what follows finds them
            model(*arguments, training=False)
    with _untouched(model), _all_recorded(model):
        result = model(*arguments, training=False)
    results = [t for t in flatten(result) if isinstance(t, Tensor)]
    if not results:
        raise ArgumentError(f"viz.graph: {model.name} returned {type(result).__name__}, and no tensor in it")
    return results, flatten(list(arguments))


def _example(model: Any, inputs: Any) -> tuple[Any, ...]:
    """Return the arguments to call a model with: tensors of the given numbers, or of one zero sample."""
    graph = getattr(model, "graph", None)
    if inputs is not None:
        arguments = inputs if isinstance(inputs, tuple) and is_structure(inputs) else (inputs,)
        names = iter(symbol.name for symbol in flatten(graph.inputs)) if graph is not None else iter(())
        return tuple(
            mapped(lambda x: _leaf(model, x, next(names, "input")), a, is_structure) for a in arguments
        )
    if graph is not None:
        return (mapped(lambda s: _leaf(model, _zeros(model, s.shape, s.dtype), s.name), graph.inputs),)
    shapes = getattr(model, "input_shape", None)
    if shapes is None:
        raise ArgumentError(
            f"viz.graph: {model.name} doesn't know the shapes of its inputs; give an example of them: "
            "viz.graph(model, x_train[:1])"
        )
    zeros = mapped(
        lambda s: _leaf(model, _zeros(model, s, getattr(model, "dtype", "f4")), "input"), shapes, is_deep
    )
    return zeros if isinstance(zeros, tuple) else (zeros,)


def _zeros(model: Module, shape: Any, dtype: Any) -> Any:
    if None in shape[1:]:
        raise ArgumentError(
            f"viz.graph: {model.name}'s input has the open shape {tuple(shape)}, and only the batch may stay "
            "open; give an example of the shape you want: viz.graph(model, x_train[:1])"
        )
    return np.zeros((1, *shape[1:]), dtype)


def _leaf(model: Any, x: Any, name: str) -> Tensor:
    """Make a tensor of a model's input that requires a gradient, if it can, so that all is recorded."""
    given = x.name if isinstance(x, Tensor) else None
    array = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
    if array.dtype.kind == "f":
        array = array.astype(getattr(model, "dtype", array.dtype), copy=False)
    return Tensor(array, requires_grad=array.dtype.kind == "f", name=given or name)


@contextmanager
def _untouched(model: Module) -> Iterator[None]:
    """Put back what a call may change: states of layers, what they add to the loss, their generators."""
    generators = [
        (generator, deepcopy(generator.bit_generator.state))
        for module in model.modules()
        for generator in vars(module).values()
        if isinstance(generator, np.random.Generator)
    ]
    before = context.run, context.trial
    context.run, context.trial = object(), True
    try:
        yield
    finally:
        context.run, context.trial = before
        for generator, state in generators:
            generator.bit_generator.state = state


@contextmanager
def _all_recorded(model: Module) -> Iterator[None]:
    """Record all weights, frozen ones and buffers too; draw random numbers from a generator of our own."""
    weights = [(w, w.requires_grad) for w in model.weights if w.dtype.kind == "f"]
    with enable_grad(), using(np.random.default_rng(0)):
        try:
            for w, _ in weights:
                w.requires_grad = True
            yield
        finally:
            for w, required in weights:
                w.requires_grad = required
