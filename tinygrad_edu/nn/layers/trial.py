"""Which shape a layer's result has, found out by trying; and what a file keeps of that.

A layer that doesn't say which shape it gives is tried out on zeros. A file must not be able to make it
compute, for its zeros could be of any size. So what came of trials is saved with the layer, and so are the
shapes that the layers below it were built for: a layer that is built again from a file runs nothing.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...context import context, no_grad
from ...errors import ArgumentError
from ...tensor import Tensor
from ..encoding import decode, encode
from ..module import Module
from ..structure import mapped
from ..symbolic import Shape, is_deep, is_shape, shapes_in

__all__ = ["build_config", "build_from_config", "trial"]

# A layer that isn't described in the file, but made by the code of one that is, may still be tried out.
LARGEST = 2**24


def trial(layer: Any, input_shapes: tuple[Any, ...]) -> Any:
    """Compute with zeros: the shape of a layer's result, or a structure of shapes.

    Lengths that aren't known are tried with two different ones: where the results differ they are None.
    Raises ArgumentError, while a file is loaded, where the file should know the result and doesn't.
    """
    if context.loading is not None:
        for shapes, shape in layer.tried or ():
            if shapes == input_shapes:
                return shape
        if layer.tried is not None or _size(input_shapes) > LARGEST:
            raise ArgumentError(f"{layer.name}: the file doesn't say what comes of {input_shapes}")
    shape = _tried(layer, input_shapes)
    others = [pair for pair in layer.tried or () if pair[0] != input_shapes]
    layer.tried = [*others, (input_shapes, shape)]
    return shape


def _tried(layer: Any, input_shapes: tuple[Any, ...]) -> Any:
    results = []
    for unknown in (16, 24):
        dtypes = iter(layer.dtypes)

        def zeros(shape: Shape | None, n: int = unknown, dtypes: Iterator[Any] = dtypes) -> Tensor | None:
            if shape is None:
                return None
            return Tensor(
                np.zeros((1, *(n if m is None else m for m in shape[1:])), next(dtypes, layer.dtype))
            )

        before = context.run, context.trial
        context.run, context.trial = object(), True  # what layers add to the loss here doesn't count
        try:
            with no_grad(), layer.mode(training=False):
                result = layer.call(*mapped(zeros, input_shapes, is_deep))
        finally:
            context.run, context.trial = before
        results.append(mapped(lambda x: tuple(x.shape), result))
        if all(None not in shape[1:] for shape in shapes_in(input_shapes) if shape is not None):
            break
    first, last = results[0], results[-1]
    others = iter(shapes_in(last))

    def common(shape: Shape) -> Shape:
        pairs = zip(shape[1:], next(others)[1:], strict=True)
        return (None, *(n if n == m else None for n, m in pairs))

    return mapped(common, first, is_deep)


def _size(input_shapes: Any) -> int:
    return sum(
        math.prod(1 if n is None else n for n in shape)
        for shape in shapes_in(input_shapes)
        if shape is not None
    )


# -- in a file -----------------------------------------------------------------------------------------------


def build_config(layer: Any) -> dict[str, Any]:
    """Describe what a layer's constructor doesn't tell, and running it did.

    "tried" has what trials gave; "built" the shapes that it and the layers below it were built for, where
    it has layers that aren't in its ``config``.
    """
    config: dict[str, Any] = {}
    if layer.tried:
        config["tried"] = encode(layer.tried)
    if getattr(layer, "graph", None) is None and any(True for _ in layer.named_children()):
        config["built"] = [
            [path, encode(part.input_shape), encode(part.tried or [])]
            for path, part in layer.named_modules()
            if hasattr(part, "tried") and part.built and part.input_shape is not None
        ]
    return config


def build_from_config(layer: Any, config: dict[str, Any]) -> None:
    """Build a layer, and the layers below it, for the shapes that ``build_config`` noted."""
    layer.tried = decode(config.get("tried", []))
    parts: dict[str, Module] = {}
    for path, shapes, tried in config.get("built", ()):
        if path not in parts:
            parts = dict(layer.named_modules())
        part: Any = parts.get(path)
        if part is None:
            raise ArgumentError(f"{layer.name}: it has no layer '{path}'")
        if part is not layer:
            part.tried = decode(tried)
        if not part.built or part is layer:
            shapes = decode(shapes)
            several = isinstance(shapes, tuple) and not is_shape(shapes)
            part.build_once(*(shapes if several else (shapes,)))
