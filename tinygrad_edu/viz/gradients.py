"""How gradients flow through the layers of a network: at this moment, and over a training."""

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import tinygrad_edu as te
from tinygrad_edu.errors import DataError, DTypeError, GradientError
from tinygrad_edu.nn.model import Model
from tinygrad_edu.nn.module import Module
from tinygrad_edu.viz.figures import BLUE, HUES, MARKERS, finish, new_figure, our_style, target_of
from tinygrad_edu.viz.watching import LayerWatch, layers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["gradient_flow", "layer_history"]

Array = NDArray[Any]


def gradient_flow(
    model: Module,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    path: str | PathLike[str] | None = None,
    *,
    title: str | None = None,
) -> "Figure":
    """Draw how large the gradient is in each layer, from the input to the output, on a logarithmic scale.

    The dark bar is the mean of the gradient's absolute values, the light one the greatest. Bars that fall
    towards the input are a gradient that vanishes; a layer whose gradient is 0 or NaN is marked.

    Parameters
    ----------
    model : model or layer
    x, y : arrays, optional
        A batch: the gradients of the loss that ``compile`` was given are computed on it, in inference, and
        nothing of the model is changed. Without them it is what ``loss.backward()`` left in ``.grad``.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    GradientError
        There are no gradients.
    DTypeError, DataError
        No model of ours; a model without anything to learn.
    ArgumentError, FileError
        A model that isn't compiled, where x is given; another suffix; a file that can't be written.

    Examples
    --------
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Input((2,)), nn.Dense(3), nn.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> figure = gradient_flow(model, np.eye(2), np.ones((2, 1)))
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['dense', 'dense_1']
    """
    caller = "gradient_flow"
    target = target_of(caller, path)
    if not isinstance(model, Module):
        raise DTypeError(f"{caller}: expected a model or layer of ours; got {type(model).__name__}.")
    layers = layers_of(model)
    if not layers:
        raise DataError(
            f"{caller}: {model.name} has nothing to learn, or isn't built yet; call it on a batch."
        )
    weights = [w for own in layers.values() for w in own]
    found = {id(w): w.grad for w in weights} if x is None else _on_batch(caller, model, weights, x, y)
    sizes: dict[str, Array | None] = {}
    for name, own in layers.items():
        parts = [np.abs(g.numpy()).ravel() for w in own if (g := found[id(w)]) is not None]
        sizes[name] = np.concatenate(parts) if parts else None
    if all(size is None for size in sizes.values()):
        raise GradientError(
            f"{caller}: {model.name} has no gradients; call loss.backward() first, or give a batch: "
            f"{caller}(model, x, y)."
        )
    with our_style():
        figure = new_figure(float(np.clip(0.55 * len(sizes) + 1.4, 4.0, 14.0)), 3.8)
        _draw_flow(figure.add_subplot(), sizes)
        figure.legend(loc="outside lower center", ncols=2)
        return finish(figure, target, title)


def _on_batch(caller: str, model: Module, weights: list[Any], x: Any, y: Any) -> dict[int, Any]:
    if not isinstance(model, Model) or model.objective is None:
        raise GradientError(
            f"{caller}: {model.name} has no loss; compile it, or call loss.backward() and leave x out."
        )
    inputs = x if isinstance(x, te.Tensor) else te.Tensor(np.asarray(x))
    with model.mode(training=False):
        loss = model.compute_loss(inputs, y, model(inputs))
    return {id(w): g for w, g in zip(weights, te.grad(loss, weights, allow_unused=True), strict=True)}


def _draw_flow(panel: "Axes", sizes: dict[str, Array | None]) -> None:
    places = np.arange(len(sizes))
    means = np.array([np.nan if s is None else s.mean(dtype=np.float64) for s in sizes.values()])
    most = np.array([np.nan if s is None else s.max() for s in sizes.values()], np.float64)
    seen = np.isfinite(means) & (means > 0) & np.isfinite(most)
    panel.bar(places[seen], most[seen], 0.75, color="#B3D5E8", label="greatest |gradient|")
    panel.bar(places[seen], means[seen], 0.45, color=BLUE, label="mean |gradient|")
    panel.set_yscale("log")
    if seen.any():
        panel.set_ylim(means[seen].min() / 5, most[seen].max() * 2)
    for place, (mean, size) in enumerate(zip(means, sizes.values(), strict=True)):
        if not seen[place]:
            word = "none" if size is None else "0" if mean == 0 else "NaN" if np.isnan(mean) else "infinite"
            panel.text(
                place, 0.03, word, ha="center", color="#B03A00", fontweight="bold",
                transform=panel.get_xaxis_transform(),
            )  # fmt: skip
    turned = max(map(len, sizes)) > 7 or len(sizes) > 8
    panel.set_xticks(
        places,
        list(sizes),
        rotation=35 if turned else 0,
        horizontalalignment="right" if turned else "center",
        rotation_mode="anchor" if turned else "default",
    )
    panel.set_xlim(-0.6, len(sizes) - 0.4)
    panel.set_ylabel("gradient of the loss")


def layer_history(
    watch: LayerWatch, path: str | PathLike[str] | None = None, *, title: str | None = None
) -> "Figure":
    """Draw what a LayerWatch noted: each layer's gradient norm and update/weight ratio, step by step.

    Both are on a logarithmic scale; the dotted line is the usual ratio, 1e-3. Where the learning rate
    changed, a third panel shows it. Many layers go from dark (the input) to light (the output).

    Parameters
    ----------
    watch : LayerWatch
        After a training.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DTypeError, DataError
        Something else, or one that has seen no step.
    ArgumentError, FileError
        Another suffix; a file that can't be written.

    Examples
    --------
    >>> from tinygrad_edu import nn, viz
    >>> model, watch = nn.Sequential([nn.Input((1,)), nn.Dense(1)]), viz.LayerWatch(every=1)
    >>> model.compile("sgd", "mse")
    >>> _ = model.fit([[1.0], [2.0]], [[2.0], [4.0]], epochs=3, verbose=0, callbacks=watch)
    >>> [panel.get_ylabel() for panel in layer_history(watch).axes]
    ['gradient norm', 'update / weight']
    """
    caller = "layer_history"
    target = target_of(caller, path)
    if not isinstance(watch, LayerWatch):
        raise DTypeError(
            f"{caller}: expected a LayerWatch that was in fit(callbacks=[watch]); got {type(watch).__name__}."
        )
    if not watch.steps:
        raise DataError(f"{caller}: the watch has seen no step; give it to fit(callbacks=[watch]).")
    rates = np.array(watch.learning_rates)
    panels = [("gradient norm", watch.gradient_norms), ("update / weight", watch.update_ratios)]
    if np.isfinite(rates).any() and np.ptp(rates[np.isfinite(rates)]) > 0:
        panels.append(("learning rate", {"": watch.learning_rates}))
    names = list(watch.gradient_norms)
    with our_style():
        figure = new_figure(4.1 * len(panels), 3.4 + 0.2 * (-(-len(names) // 5)))
        for place, (label, curves) in enumerate(panels):
            panel = figure.add_subplot(1, len(panels), place + 1)
            _draw_curves(panel, watch.steps, curves)
            panel.set(ylabel=label, xlabel="step")
            if label == "update / weight":
                panel.axhline(1e-3, color="0.5", linestyle=":", linewidth=1)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(names), 5))
        return finish(figure, target, title)


def _draw_curves(panel: "Axes", steps: list[int], curves: dict[str, list[float]]) -> None:
    from matplotlib import colormaps

    depth = colormaps["viridis"]
    for k, (name, curve) in enumerate(curves.items()):
        values = np.array(curve, np.float64)
        values[~(values > 0) | ~np.isfinite(values)] = np.nan  # a logarithm has no place for them
        colour = HUES[k] if len(curves) <= 7 else depth(0.92 * k / (len(curves) - 1))
        marks: dict[str, Any] = {"marker": MARKERS[k % len(MARKERS)], "markevery": max(1, len(steps) // 12)}
        panel.plot(steps, values, color=colour, linewidth=1.3, label=name or None, **marks)
    panel.set_yscale("log")
