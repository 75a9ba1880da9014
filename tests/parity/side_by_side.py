"""One source text, evaluated with Keras and with tinygrad_edu, and what comes of it compared.

A test gives the text as a user would write it, and the shapes of the inputs:

    def test_dense(keras):
        compare(keras, "layers.Dense(3, activation='tanh')", (4, 5))

Both layers get the same random weights, are called on the same random inputs, in inference and in training,
and must agree on the outputs, the losses they add, the gradients by inputs and weights, the weights that
training moves, the shapes and the number of parameters.
"""

import warnings
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.nn.structure import flatten, mapped

TOLERANCE = 1e-5  # of the largest number in an array: what float32 leaves after a few hundred additions


@dataclass
class Tally:
    """What was compared so far."""

    sources: set[str] = field(default_factory=set)
    arrays: int = 0
    numbers: int = 0
    worst: float = 0.0


TALLY = Tally()


def names(module: Any) -> dict[str, Any]:
    """Return the names that a source text may use: ``keras`` and what is in it."""
    inside = (
        "activations", "callbacks", "constraints", "initializers", "layers", "losses", "metrics", "models",
        "optimizers", "regularizers", "Input", "Model", "Sequential",
    )  # fmt: skip
    return {"keras": module, "np": np, **{name: getattr(module, name) for name in inside}}


def both(keras: Any, source: str) -> tuple[Any, Any]:
    """Evaluate an expression with Keras and with ours."""
    TALLY.sources.add(source)
    return eval(source, names(keras)), eval(source, names(nn))


def both_run(keras: Any, source: str) -> tuple[SimpleNamespace, SimpleNamespace]:
    """Run statements with Keras and with ours; return the two sets of names that they made."""
    TALLY.sources.add(source)
    theirs, ours = names(keras), names(nn)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Do not pass an `input_shape`")  # which the course does
        exec(source, theirs)
    exec(source, ours)
    return SimpleNamespace(**theirs), SimpleNamespace(**ours)


def array(value: Any) -> Any:
    """Return a NumPy array of a tensor of ours, of PyTorch or of Keras."""
    value = getattr(value, "value", value)  # of one of Keras' variables
    if hasattr(value, "detach"):
        value = value.detach()
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def agree(ours: Any, theirs: Any, what: str, tolerance: float = TOLERANCE, least: float = 0.0) -> None:
    """Assert that two arrays, or structures of them, are equal but for rounding.

    That is relative to the largest number of an array, and to ``least`` if that is larger: for arrays that
    are 0, or nearly, because terms of order 1 cancel out in them.
    """
    ours, theirs = flatten(ours), flatten(theirs)
    assert len(ours) == len(theirs), f"{what}: {len(ours)} arrays, and Keras has {len(theirs)}"
    for a, b in zip(map(array, ours), map(array, theirs), strict=True):
        assert a.shape == b.shape, f"{what}: shape {a.shape}, and Keras has {b.shape}"
        a, b = a.astype("f8"), b.astype("f8")
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b), err_msg=what)
        known = np.isfinite(b)
        scale = float(np.abs(b[known]).max(initial=least)) or 1.0
        apart = float(np.abs(a - b)[known].max(initial=0)) / scale
        assert apart <= tolerance, f"{what}: {apart:.1e} of the scale {scale:.2e} apart\n{a}\n{b}"
        np.testing.assert_array_equal(a[~known], b[~known], err_msg=what)
        TALLY.arrays += 1
        TALLY.numbers += a.size
        TALLY.worst = max(TALLY.worst, apart)


def random_inputs(inputs: Any, seed: int = 0) -> Any:
    """Return normal random numbers in place of each shape; arrays stay as they are."""
    rng = np.random.default_rng(seed)

    def drawn(value: Any) -> Any:
        return rng.standard_normal(value).astype("f4") if isinstance(value, tuple) else np.asarray(value)

    return mapped(drawn, inputs, deeper=lambda value: isinstance(value, list | dict))


def same_weights(theirs: Any, ours: Any, seed: int = 1) -> None:
    """Give both the same random weights: normal ones, and positive ones to those that aren't trained."""
    rng = np.random.default_rng(seed)
    shapes = [tuple(w.shape) for w in theirs.weights]
    assert [w.shape for w in ours.weights] == shapes
    values = [
        rng.normal(0, 0.5, shape) if w.trainable else rng.uniform(0.5, 1.5, shape)
        for w, shape in zip(theirs.weights, shapes, strict=True)
    ]
    theirs.set_weights(values)
    ours.set_weights(values)


def compare(
    keras: Any,
    source: str,
    *inputs: Any,
    training: tuple[bool, ...] = (False, True),
    tolerance: float = TOLERANCE,
    least: float = 0.0,
    **arguments: Any,
) -> tuple[Any, Any]:
    """Build a layer or model from a source text both ways, and compare everything about them.

    ``inputs`` are what it is called on: shapes for random numbers, arrays, or lists of these; ``arguments``
    go to the call as they are. Leave True out of ``training`` for a layer that draws random numbers there.
    Returns Keras' and ours.
    """
    theirs, ours = both(keras, source)
    values = [random_inputs(x, seed=i) for i, x in enumerate(inputs)]
    theirs(*values, **arguments)
    ours(*values, **arguments)
    assert ours.count_params() == theirs.count_params(), f"{source}: parameters"
    same_weights(theirs, ours)
    if len(values) == 1 and not arguments:
        shape = mapped(lambda x: (None, *x.shape[1:]), values[0])
        assert ours.compute_output_shape(shape) == tuple(theirs.compute_output_shape(shape)), source
    for mode in training:
        what = f"{source}, training={mode}"
        answers = [
            differentiated(call, layer, values, mode, arguments)
            for call, layer in ((call_ours, ours), (call_theirs, theirs))
        ]
        for key, result in answers[0].items():
            agree(result, answers[1][key], f"{what}: {key}", tolerance, least)
    return theirs, ours


def differentiated(
    call: Any, layer: Any, values: list[Any], training: bool, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Return the outputs, the losses, and the gradients of a random sum of the outputs and the losses."""
    rng = np.random.default_rng(2)
    weights: list[Any] = []

    def total(outputs: list[Any], losses: list[Any], constant: Any) -> Any:
        weights[:] = weights or [rng.standard_normal(tuple(y.shape)) for y in outputs]
        return sum(
            [(y * constant(w, y)).sum() for y, w in zip(outputs, weights, strict=True)], sum(losses, 0.0)
        )

    return call(layer, values, training, arguments, total)  # type: ignore[no-any-return]


def call_ours(layer: Any, values: Any, training: bool, arguments: Any, total: Any) -> dict[str, Any]:
    xs = mapped(lambda x: te.Tensor(x, requires_grad=x.dtype.kind == "f"), values)
    outputs = layer(*xs, training=training, **arguments)
    losses = layer.losses
    total(flatten(outputs), losses, lambda w, y: w.astype(y.dtype)).backward()
    leaves = [x for x in flatten(xs) if x.requires_grad]
    gradients = [np.zeros(w.shape) if w.grad is None else w.grad for w in layer.trainable_weights]
    layer.zero_grad()
    return {
        "outputs": outputs,
        "losses": sum(losses, te.Tensor(0.0)),
        "gradients by the inputs": [np.zeros(x.shape) if x.grad is None else x.grad for x in leaves],
        "gradients by the weights": gradients,
        "weights that aren't trained": layer.non_trainable_weights,
    }


def call_theirs(layer: Any, values: Any, training: bool, arguments: Any, total: Any) -> dict[str, Any]:
    import torch

    xs = mapped(lambda x: torch.tensor(x, requires_grad=x.dtype.kind == "f"), values)
    outputs = layer(*xs, training=training, **arguments)
    losses = layer.losses
    leaves = [x for x in flatten(xs) if x.requires_grad]
    trained = [w.value for w in layer.trainable_weights]
    scalar = total(flatten(outputs), losses, lambda w, y: torch.tensor(w, dtype=y.dtype))
    found = torch.autograd.grad(scalar, [*leaves, *trained], allow_unused=True)
    gradients = [
        torch.zeros_like(x) if g is None else g for x, g in zip([*leaves, *trained], found, strict=True)
    ]
    return {
        "outputs": outputs,
        "losses": sum(losses, torch.tensor(0.0)),
        "gradients by the inputs": gradients[: len(leaves)],
        "gradients by the weights": gradients[len(leaves) :],
        "weights that aren't trained": [w.value for w in layer.non_trainable_weights],
    }
