"""Recurrent layers: SimpleRNN, LSTM and GRU, which read a sequence step by step and remember.

All of a step's inputs meet the weights in one product before the loop begins; inside it there is what depends
on the step before.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ... import ops
from ...context import context
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from .. import activations
from ..initializers import Initializer
from ..module import positive, share
from ..symbolic import is_shape
from .base import Layer, Shape
from .masks import checked_mask

__all__ = ["GRU", "LSTM", "SimpleRNN"]

Masks = Sequence[Tensor] | None  # what dropout leaves: one for all gates, or one for each


class _Recurrent(Layer):
    """What recurrent layers share: the loop over the steps, states, masks and dropout.

    A subclass says how many ``gates`` and ``states`` it has, of ``units`` numbers each, and writes ``inputs``
    (what can be computed for all steps at once) and ``step``.
    """

    gates = 1
    states_kept = 1

    fields: ClassVar[tuple[str, ...]] = (
        "units", "activation", "use_bias", "dropout", "recurrent_dropout", "return_sequences",
        "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask", "seed",
    )  # fmt: skip
    kinds = {"kernel": "glorot_uniform", "recurrent": "orthogonal", "bias": "zeros"}  # noqa: RUF012

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        *,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        use_cudnn: Any = "auto",
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        kind = type(self).__name__
        if use_cudnn is True:
            raise ArgumentError(f"{kind}: there is no cuDNN here; leave use_cudnn out")
        self.units = positive(units, f"{kind}: units")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.dropout = share(dropout, f"{kind}: dropout")
        self.recurrent_dropout = share(recurrent_dropout, f"{kind}: recurrent_dropout")
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.seed = seed
        self._generator = None if seed is None else np.random.default_rng(seed)
        self.states: list[Tensor] | None = None  # of a stateful layer: where the last batch ended

    # -- what a subclass writes ------------------------------------------------------------------------

    def inputs(self, x: Tensor, masks: Masks) -> Sequence[Any]:
        """Return what each step needs of the inputs x (steps, batch, features), by step."""
        z = weighted(x, self.kernel, masks)
        return ops.unstack(z + self.bias if self.use_bias else z)

    def step(self, x: Any, states: Sequence[Any], masks: Masks) -> Sequence[Any]:
        """Return the states after a step; the first of them is its output."""
        raise ArgumentError(f"{type(self).__name__} has no `step` method")

    # -- weights and shapes ----------------------------------------------------------------------------

    def build(self, input_shape: Any, *others: Any) -> None:
        self._check_rank(input_shape)
        if input_shape[-1] is None:
            raise ShapeError(f"{self.name}: the last axis needs a fixed length, got {input_shape}")
        columns = self.gates * self.units
        self.kernel = self.add_weight("kernel", (input_shape[-1], columns), **self.rule("kernel"))
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (self.units, columns), **self.rule("recurrent")
        )
        if self.use_bias:
            self.bias = self.add_weight("bias", self.bias_shape, **self.rule("bias"))

    @property
    def bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def compute_output_shape(self, input_shape: Any, *others: Any) -> Any:
        self._check_rank(input_shape)
        batch, steps, _ = input_shape
        output: Shape = (batch, steps, self.units) if self.return_sequences else (batch, self.units)
        return (output, *[(batch, self.units)] * self.states_kept) if self.return_state else output

    def _check_rank(self, shape: Any) -> None:
        if not is_shape(shape) or len(shape) != 3:
            raise ShapeError(
                f"{self.name}: expected sequences (batch, steps, features), got {shape}; a state is given by "
                "name: initial_state=[...]"
            )

    # -- the loop --------------------------------------------------------------------------------------

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None) -> Any:
        self._check_rank(sequences.shape)
        batch, count, features = sequences.shape
        if features != self.kernel.shape[0]:
            raise ShapeError(
                f"{self.name}: was built for {self.kernel.shape[0]} features a step, got {sequences.shape}"
            )
        if count == 0:
            raise ShapeError(f"{self.name}: the sequences have no steps: shape {sequences.shape}")
        states = self._begin(batch, initial_state)
        known = None if mask is None else checked_mask(f"{self.name}: mask", mask, (batch, count))
        masks = self._drawn(self.dropout, (batch, features))
        recurrent_masks = self._drawn(self.recurrent_dropout, (batch, self.units))
        inputs = self.inputs(ops.permute_dims(sequences, (1, 0, 2)), masks)
        outputs = []
        for t in reversed(range(count)) if self.go_backwards else range(count):
            after = self.step(inputs[t], states, recurrent_masks)
            if known is not None:
                after = [ops.where(known[:, t, None], a, b) for a, b in zip(after, states, strict=True)]
            states = after
            outputs.append(states[0])
        if self.stateful and not context.trial:
            self.states = [state.detach() for state in states]
        result = ops.stack(outputs, axis=1) if self.return_sequences else outputs[-1]
        if known is not None:
            result = self._without_gaps(result, known[:, ::-1] if self.go_backwards else known)
        return (result, *states) if self.return_state else result

    def _begin(self, batch: int, given: Any) -> Sequence[Any]:
        """Return the states before the first step: those given, those kept, or zeros."""
        shape = (batch, self.units)
        if given is None:
            if not self.stateful or self.states is None or context.trial:
                return [Tensor(np.zeros(shape, self.dtype))] * self.states_kept
            if self.states[0].shape != shape:
                raise ShapeError(
                    f"{self.name}: it is stateful and keeps the states of {len(self.states[0])} sequences, "
                    f"so it can't go on with a batch of {batch}; call reset_state(), or make all batches of "
                    "one size"
                )
            return self.states
        states = [self._cast(s) for s in (given if isinstance(given, list | tuple) else [given])]
        if [s.shape for s in states] != [shape] * self.states_kept:
            raise ShapeError(
                f"{self.name}: initial_state must be {self.states_kept} of shape {shape}, got "
                f"{', '.join(str(s.shape) for s in states)}"
            )
        return states

    def reset_state(self) -> None:
        """Begin anew: forget what a stateful layer keeps from one batch to the next."""
        self.states = None

    reset_states = reset_state  # Keras has both names

    def _without_gaps(self, result: Any, known: Any) -> Any:
        """Put zeros where nothing was read yet; with ``zero_output_for_mask``, at each masked step."""
        if not self.zero_output_for_mask:
            known = ops.greater(ops.cumulative_sum(known, axis=1), 0)
        shown = known[:, :, None] if self.return_sequences else known[:, -1:]
        return ops.where(shown, result, 0.0)

    def _drawn(self, rate: float, shape: tuple[int, int]) -> Masks:
        """Draw what dropout multiplies by at every step: for each gate anew if states drop out too."""
        if not rate or not self.training:
            return None
        ones = np.ones(shape, self.dtype)
        count = self.gates if self.recurrent_dropout else 1
        return [ops.dropout(ones, rate, generator=self._generator) for _ in range(count)]


def weighted(x: Any, kernel: Any, masks: Masks) -> Tensor:
    """Return x @ kernel, where masks leave each gate, which has its share of the columns, its part of x."""
    if masks is None:
        return ops.matmul(x, kernel)
    kernels = ops.split(kernel, len(masks), axis=1) if len(masks) > 1 else [kernel]
    parts = [ops.matmul(x * m, k) for m, k in zip(masks, kernels, strict=True)]
    return ops.concat(parts, axis=-1) if len(parts) > 1 else parts[0]


class SimpleRNN(_Recurrent):
    """h ← activation(x @ kernel + h @ recurrent_kernel + bias), at each step x of a sequence.

    Parameters
    ----------
    units
        The size of the state h, which is also the output of a step.
    activation, use_bias
        As for Dense.
    dropout, recurrent_dropout
        While training, the share of the inputs, and of the states, that is set to 0: the same places at each
        step of a sequence (Gal & Ghahramani 2016). ``seed`` gives the layer a generator of its own.
    return_sequences
        Return the outputs of all steps instead of the last.
    return_state
        Return a tuple: the output, and the state (LSTM: states) after the last step.
    go_backwards
        Read from the end; the outputs come in the order in which they are computed.
    stateful
        Begin a batch with the states in which the last one ended, until ``reset_state``. Gradients don't
        flow from one batch into another.
    unroll, use_cudnn
        Change nothing: here a loop runs as it is written, and on the CPU.
    zero_output_for_mask
        Give zeros for steps that a mask leaves out, instead of the last output.
    options
        Of a Layer; the kinds of weights are "kernel", "recurrent" and "bias".

    Input (batch, steps, features), output (batch, units), or (batch, steps, units) with
    ``return_sequences``; kernel (features, units), recurrent_kernel (units, units), bias (units,).

    A call takes ``initial_state`` (batch, units), or a list of what the layer keeps, zeros if not given; and
    ``mask`` (batch, steps), False for steps to skip, where state and output stay as they were. For texts that
    0 fills up, that is ``mask=tokens != 0``.

    Raises ShapeError for inputs, states or a mask of another shape.

    >>> from tinygrad_edu import nn
    >>> x = np.zeros((2, 5, 3))
    >>> nn.SimpleRNN(4)(x).shape, nn.SimpleRNN(4, return_sequences=True)(x).shape
    ((2, 4), (2, 5, 4))

    References: Elman, *Finding structure in time*, 1990.
    """

    def step(self, x: Any, states: Sequence[Any], masks: Masks) -> Sequence[Any]:
        return (self.activation(x + weighted(states[0], self.recurrent_kernel, masks)),)


class LSTM(_Recurrent):
    """Long short-term memory: gates decide what a cell state c takes in, forgets and shows.

        i, f, o = sigmoid(x @ W_i + h @ U_i + b_i), and so with W_f, … and W_o, …
        c ← f · c + i · tanh(x @ W_c + h @ U_c + b_c)
        h ← o · tanh(c)

    Parameters
    ----------
    units
        The size of the states h and c; h is the output of a step.
    activation, recurrent_activation
        What stands for tanh, and for sigmoid.
    use_bias, unit_forget_bias
        Whether there are biases, and whether that of the forget gate f begins at 1: remember at first
        (Jozefowicz et al. 2015).
    options
        Of SimpleRNN, and of a Layer.

    Shapes are those of SimpleRNN; kernel (features, 4 · units), recurrent_kernel (units, 4 · units) and bias
    (4 · units,) have the gates side by side: i, f, c, o. The states are h and c.

    >>> from tinygrad_edu import nn
    >>> y, h, c = nn.LSTM(4, return_state=True)(np.zeros((2, 5, 3)))
    >>> y.shape, h.shape, c.shape
    ((2, 4), (2, 4), (2, 4))

    References: Hochreiter & Schmidhuber, *Long short-term memory*, 1997; Gers et al., *Learning to forget*,
    2000.
    """

    gates, states_kept = 4, 2
    fields = (*_Recurrent.fields, "recurrent_activation", "unit_forget_bias")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *,
        unit_forget_bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, **options)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    def rule(self, kind: str) -> dict[str, Any]:
        rule = super().rule(kind)
        if kind == "bias" and self.unit_forget_bias:
            rule["initializer"] = _Remember(rule["initializer"])
        return rule

    def step(self, x: Any, states: Sequence[Any], masks: Masks) -> Sequence[Any]:
        h, c = states
        i, f, new, o = ops.split(x + weighted(h, self.recurrent_kernel, masks), 4, axis=-1)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(new)
        return gate(o) * self.activation(c), c


class _Remember(Initializer):
    """Ones for the second of four parts, the forget gate's; the rest as another initialiser says."""

    def __init__(self, rest: Initializer) -> None:
        super().__init__()
        self.rest = rest

    def __call__(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        units = shape[0] // 4
        return np.concatenate(
            [self.rest((units,), dtype), np.ones(units, dtype), self.rest((2 * units,), dtype)]
        )


class GRU(_Recurrent):
    """Gated recurrent unit: a gate z says how much of the state stays, and r what of it the new part sees.

        z, r = sigmoid(x @ W_z + h @ U_z + b_z), and so with W_r, …
        n = tanh(x @ W_h + b_h + r · (h @ U_h + b'_h))
        h ← z · h + (1 - z) · n

    Parameters
    ----------
    units
        The size of the state h, which is also the output of a step.
    activation, recurrent_activation
        What stands for tanh, and for sigmoid.
    use_bias
        Whether there are biases.
    reset_after
        Whether r multiplies h @ U_h, as above, or h itself, (r · h) @ U_h, as in the first version of the
        paper.
    options
        Of SimpleRNN, and of a Layer.

    Shapes are those of SimpleRNN; kernel (features, 3 · units) and recurrent_kernel (units, 3 · units) have
    the parts side by side: z, r, h. The bias is (2, 3 · units), one row for x and one for h, and (3 · units,)
    without ``reset_after``.

    >>> from tinygrad_edu import nn
    >>> layer = nn.GRU(4); layer(np.zeros((2, 5, 3))).shape, layer.count_params()
    ((2, 4), 108)

    References: Cho et al., *Learning phrase representations using RNN encoder-decoder*, 2014.
    """

    gates = 3
    fields = (*_Recurrent.fields, "recurrent_activation", "reset_after")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *,
        reset_after: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, **options)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    @property
    def bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def inputs(self, x: Tensor, masks: Masks) -> Sequence[Any]:
        z = weighted(x, self.kernel, masks)
        if self.use_bias:
            z = z + (self.bias[0] if self.reset_after else self.bias)
        gates, new = ops.split(z, [2 * self.units], axis=-1)
        return list(zip(ops.unstack(gates), ops.unstack(new), strict=True))

    def step(self, x: Any, states: Sequence[Any], masks: Masks) -> Sequence[Any]:
        (h,), (x_gates, x_new), ends = states, x, [2 * self.units]
        if self.reset_after:
            seen = weighted(h, self.recurrent_kernel, masks)
            gates, new = ops.split(seen + self.bias[1] if self.use_bias else seen, ends, axis=-1)
            z, r = ops.split(self.recurrent_activation(x_gates + gates), 2, axis=-1)
            new = r * new
        else:
            first, last = ops.split(self.recurrent_kernel, ends, axis=1)
            *two, third = masks if masks is not None else (None,)
            gates = weighted(h, first, two or None)
            z, r = ops.split(self.recurrent_activation(x_gates + gates), 2, axis=-1)
            new = ops.matmul(r * (h if third is None else h * third), last)
        new = self.activation(x_new + new)
        return (new + z * (h - new),)
