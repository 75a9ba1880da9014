"""What the units of each layer put out over some samples: their spread, and those that say nothing."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import as_count
from tinygrad_edu.errors import DataError, DTypeError, unknown_name
from tinygrad_edu.nn.module import Module
from tinygrad_edu.viz.figures import BLUE, finish, new_figure, our_style, target_of
from tinygrad_edu.viz.taking import finite, layer_outputs, leaves, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["activations"]

Array = NDArray[Any]

# What an output says of the slope there, as a share of the greatest slope.
_SLOPES = {"sigmoid": lambda y: 4 * y * (1 - y), "tanh": lambda y: 1 - y * y}
_FLAT = 0.05


def activations(
    model: Module,
    x: ArrayLike,
    path: str | PathLike[str] | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    bins: int = 40,
    title: str | None = None,
) -> "Figure":
    """Draw how the outputs of each layer are spread over some samples, a histogram a layer.

    Above each stand mean and standard deviation, and what keeps units from learning: "dead" are those that
    give 0 for all samples, and after a sigmoid or tanh "saturated" is the share of outputs at which the slope
    is below 5 % of its greatest. No gradient gets through either.

    Parameters
    ----------
    model : model or layer
    x : array (N, …)
        A batch of samples; some hundred will do.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    layers : name or names, optional
        By default all layers that have weights or are an activation.
    bins : int
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DTypeError, DataError
        No model of ours, no samples, NaN in them, or nothing to draw.
    ArgumentError, FileError
        No layer of this name, bins that are no count, another suffix; a file that can't be written.

    Examples
    --------
    >>> from tinygrad_edu import nn
    >>> low = nn.initializers.Constant(-9.0)
    >>> model = nn.Sequential([nn.Input((2,)), nn.Dense(3, "relu", bias_initializer=low)])
    >>> activations(model, np.eye(2)).axes[0].get_title(loc="right")
    '3 of 3 dead'
    """
    caller = "activations"
    target = target_of(caller, path)
    as_count(caller, "bins", bins, least=1)
    if not isinstance(model, Module):
        raise DTypeError(f"{caller}: expected a model or layer of ours; got {type(model).__name__}.")
    samples = finite(caller, "x", numbers(caller, "x", x))
    found = layer_outputs(caller, model, samples)
    known = leaves(model) or {model.name: model}
    if layers is None:
        chosen = [k for k in found if list(known[k].named_weights()) or type(known[k]).__name__ in _ALONE]
        chosen = chosen or list(found)
    else:
        chosen = [layers] if isinstance(layers, str) else list(layers)
    for name in chosen:
        if name not in found:
            raise unknown_name("layer", name, found)
    if not chosen:
        raise DataError(f"{caller}: no layer of {model.name} computes anything.")
    with our_style():
        across = len(chosen) if len(chosen) <= 3 else min(4, -(-len(chosen) // 2))
        down = -(-len(chosen) // across)
        figure = new_figure(max(2.7 * across, 4.0), 2.3 * down + 0.4)
        for place, name in enumerate(chosen):
            panel = figure.add_subplot(down, across, place + 1)
            _draw_layer(panel, name, found[name], _function(known[name]), bins)
            if place % across == 0:
                panel.set_ylabel("share of outputs")
        return finish(figure, target, title)


_ALONE = ("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax")  # layers that are nothing but an activation


def _function(layer: Module) -> str:
    return getattr(getattr(layer, "activation", None), "__name__", "")


def _draw_layer(panel: "Axes", name: str, output: Array, function: str, bins: int) -> None:
    values = output.astype(np.float64).ravel()
    good = values[np.isfinite(values)]
    if good.size:
        low, high = float(good.min()), float(good.max())
        if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):  # one value, which has no bins of its own
            low, high = low - 0.5, high + 0.5
        panel.hist(good, bins, range=(low, high), weights=np.full(good.size, 1 / values.size), color=BLUE)
        panel.margins(x=0.02)
    panel.set_xlabel(f"{name}{f' ({function})' if function and function != 'linear' else ''}")
    panel.locator_params(axis="both", nbins=5)
    panel.set_title(f"{good.mean():.2g} ± {good.std():.2g}" if good.size else "", loc="left")
    remarks = []
    if good.size < values.size:
        remarks.append(f"{values.size - good.size} NaN or infinite")
    units = output.reshape(-1, output.shape[-1]) if output.ndim > 1 else output.reshape(-1, 1)
    dead = int((units == 0).all(axis=0).sum())
    if dead:
        remarks.append(f"{dead} of {units.shape[1]} dead")
    if function in _SLOPES and good.size:
        remarks.append(f"{np.mean(_SLOPES[function](good) < _FLAT):.0%} saturated")
    panel.set_title(
        ", ".join(remarks), loc="right", color="#B03A00" if dead or good.size < values.size else "0.2"
    )
