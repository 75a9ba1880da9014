"""Functions of two variables from above and in space, and the ways that optimizers take down them."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.context import no_grad
from tinygrad_edu.data.prepare import as_count
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError, unknown_name
from tinygrad_edu.nn import optimizers as known
from tinygrad_edu.tensor import Tensor
from tinygrad_edu.viz.figures import colour_bar, finish, new_figure, our_style, target_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["optimizer_paths", "surface"]

Array = NDArray[Any]
Range = tuple[float, float]
_FAR = 1e3  # as many times the start's distance: the path has left for good


def surface(
    function: Callable[[Any, Any], Any],
    path: str | PathLike[str] | None = None,
    *,
    x: Range = (-2.0, 2.0),
    y: Range = (-2.0, 2.0),
    kind: str = "contour",
    resolution: int = 100,
    names: tuple[str, str] = ("x", "y"),
    title: str | None = None,
) -> "Figure":
    """Draw a function of two variables: a loss over two weights, for example.

    Parameters
    ----------
    function : function of two Tensors
        It gets the whole grid at once where it can take that, or else each point.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    x, y : (from, to)
    kind : "contour" or "3d"
    resolution : int
        Points along each axis.
    names : two texts
        What the axes are called.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        A range that isn't one, an unknown kind, another suffix.
    DTypeError, ShapeError, DataError
        Something that is no function, doesn't give a number for a point, or gives none that is finite.
    FileError
        The file can't be written.

    Examples
    --------
    >>> figure = surface(lambda x, y: x**2 + 10 * y**2, kind="3d")
    >>> figure.axes[0].get_zlabel()
    'f(x, y)'
    """
    caller = "surface"
    target = target_of(caller, path)
    if kind not in ("contour", "3d"):
        raise unknown_name("kind", kind, ["contour", "3d"])
    as_count(caller, "resolution", resolution, least=2)
    sides = [np.linspace(*_range(caller, name, given), resolution) for name, given in (("x", x), ("y", y))]
    heights = _heights(caller, function, *np.meshgrid(*sides))
    with our_style():
        figure = new_figure(5.4, 4.4)
        label = f"f({names[0]}, {names[1]})"
        if kind == "contour":
            panel = figure.add_subplot()
            filled = _contours(panel, sides, heights)
            colour_bar(figure, filled, panel, label, format="{x:.3g}")
        else:
            space: Any = figure.add_subplot(projection="3d")
            space.plot_surface(
                *np.meshgrid(*sides), heights, cmap="viridis", linewidth=0, rcount=80, ccount=80
            )
            space.set_box_aspect((1, 1, 0.75), zoom=0.95)
            space.set_zlabel(label)
            space.locator_params(nbins=5)
            panel = space
        panel.set(xlabel=names[0], ylabel=names[1])
        return finish(figure, target, title)


def optimizer_paths(
    function: Callable[[Any, Any], Any],
    start: tuple[float, float],
    optimizers: Mapping[str, Any] | None = None,
    path: str | PathLike[str] | None = None,
    *,
    steps: int = 60,
    learning_rate: float = 0.05,
    x: Range | None = None,
    y: Range | None = None,
    names: tuple[str, str] = ("x", "y"),
    title: str | None = None,
) -> "Figure":
    """Draw the ways that optimizers take down a function of two variables, side by side.

    The gradient is the engine's own. Contours lie closer together near the lowest point. Each panel says what
    the function is at the end, or after how many steps the path diverged.

    Parameters
    ----------
    function : function of two Tensors, which gives one number
        Written with Tensors' operators and the engine's functions: ``lambda x, y: x**2 + 10 * y**2``.
    start : two numbers
    optimizers : dict of names and optimizers, optional
        Such as ``{"SGD": nn.optimizers.SGD(0.1)}``, or their names; by default SGD, SGD with momentum 0.9,
        and Adam. They stay as they are: copies walk.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    steps : int
    learning_rate : float
        Of the three default optimizers.
    x, y : (from, to), optional
        What is shown; by default so much that all paths which stay near are in it.
    names : two texts
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        No optimizers, unknown ones, a range that isn't one, steps that are no count, another suffix.
    DTypeError, ShapeError, DataError
        Something that is no function, or gives no number with a gradient; a start that isn't two numbers.
    FileError
        The file can't be written.

    Examples
    --------
    >>> figure = optimizer_paths(lambda x, y: x**2 + 10 * y**2, (2.0, 1.0), steps=5)
    >>> [panel.get_title(loc="left") for panel in figure.axes]
    ['SGD', 'momentum', 'Adam']
    """
    caller = "optimizer_paths"
    target = target_of(caller, path)
    as_count(caller, "steps", steps, least=1)
    begin = np.asarray(start, np.float64)
    if begin.shape != (2,) or not np.isfinite(begin).all():
        raise DataError(f"{caller}: start must be two finite numbers; got {start!r}.")
    if optimizers is None:
        optimizers = {
            "SGD": known.SGD(learning_rate),
            "momentum": known.SGD(learning_rate, momentum=0.9),
            "Adam": known.Adam(learning_rate),
        }
    if not optimizers:
        raise ArgumentError(f"{caller}: there is no optimizer; give some by name, {{'SGD': SGD(0.1)}}.")
    walks = {name: _walk(caller, function, begin, given, steps) for name, given in optimizers.items()}
    near = np.concatenate(
        [walk[:, :2][np.abs(walk[:, :2]).max(axis=1) <= _reach(begin)] for walk in walks.values()]
    )
    ranges = [
        _around(near[:, k]) if given is None else _range(caller, name, given)
        for k, (name, given) in enumerate((("x", x), ("y", y)))
    ]
    sides = [np.linspace(*given, 120) for given in ranges]
    heights = _heights(caller, function, *np.meshgrid(*sides))
    with our_style():
        across = min(len(walks), 3)
        down = -(-len(walks) // across)
        figure = new_figure(max(3.4 * across, 4.2), 3.4 * down + 0.3)
        for place, (name, walk) in enumerate(walks.items()):
            panel = figure.add_subplot(down, across, place + 1)
            _contours(panel, sides, heights)
            panel.plot(walk[:, 0], walk[:, 1], "o-", color="#C1272D", markersize=2.6, linewidth=1.2)
            panel.plot(*walk[0, :2], "o", color="white", markeredgecolor="0.1", markersize=7)
            panel.set(xlim=ranges[0], ylim=ranges[1], xlabel=names[0])
            if place % across == 0:
                panel.set_ylabel(names[1])
            panel.set_title(name, loc="left", fontweight="bold")
            if len(walk) > steps:
                panel.plot(*walk[-1, :2], "*", color="white", markeredgecolor="0.1", markersize=12)
                panel.set_title(f"{walk[-1, 2]:.3g} after {steps} steps", loc="right")
            else:
                panel.set_title(f"diverged in {len(walk)} steps", loc="right", color="#B03A00")
        return finish(figure, target, title)


def _reach(begin: Array) -> float:
    return 4 * max(float(np.abs(begin).max()), 1.0)


def _walk(caller: str, function: Any, begin: Array, given: Any, steps: int) -> Array:
    """Return the points and heights (steps + 1, 3) of a path; fewer where it diverged."""
    optimizer = deepcopy(known.get(given))
    point = [Tensor(float(value), requires_grad=True, dtype="float64") for value in begin]
    optimizer.release()
    optimizer.bind(point)
    rows: list[tuple[float, float, float]] = []
    for step in range(steps + 1):
        with np.errstate(all="ignore"):
            height = function(*point)
            if not isinstance(height, Tensor) or height.size != 1 or not height.requires_grad:
                raise ShapeError(
                    f"{caller}: the function must give one number, and a gradient; got {height!r:.60}."
                )
            row = (point[0].item(), point[1].item(), height.item())
            if not np.isfinite(row).all() or max(map(abs, row[:2])) > _FAR * _reach(begin):
                break
            rows.append(row)
            if step < steps:
                optimizer.zero_grad()
                height.sum().backward()
                optimizer.step()
    if not rows:
        raise DataError(f"{caller}: the function isn't finite at the start, {tuple(begin)}.")
    return np.array(rows)


def _heights(caller: str, function: Any, across: Array, up: Array) -> Array:
    """Return the function's values on a grid."""
    if not callable(function):
        raise DTypeError(f"{caller}: expected a function of x and y; got {type(function).__name__}.")
    with no_grad(), np.errstate(all="ignore"):
        try:
            found = _array(function(Tensor(across), Tensor(up)))
        except Exception:  # written for single numbers: its own error comes again below, if it has one
            found = np.zeros(0)
        if found.shape != across.shape:
            values = [
                _array(function(Tensor(a), Tensor(b)))
                for a, b in zip(across.ravel(), up.ravel(), strict=True)
            ]
            if any(value.size != 1 for value in values):
                raise ShapeError(f"{caller}: the function must give one number; it gave {values[0].shape}.")
            found = np.array([value.item() for value in values]).reshape(across.shape)
    if not np.isfinite(found).any():
        raise DataError(f"{caller}: the function is finite nowhere in this range.")
    return np.asarray(np.where(np.isfinite(found), found, np.nan), np.float64)


def _array(value: Any) -> Array:
    return value.numpy() if isinstance(value, Tensor) else np.asarray(value, np.float64)


def _contours(panel: "Axes", sides: list[Array], heights: Array) -> Any:
    """Draw contours that lie the closer together the lower it is."""
    low, high = np.nanmin(heights), np.nanmax(heights)
    spread = (high - low) or 1.0
    levels = low + spread * np.concatenate([[0.0], np.geomspace(1e-3, 1.0, 16)])
    from matplotlib.colors import PowerNorm

    norm = PowerNorm(0.35, low, low + spread)
    shown = np.ma.masked_invalid(heights)
    filled = panel.contourf(*sides, shown, levels, cmap="Blues_r", norm=norm, alpha=0.75)
    panel.contour(*sides, shown, levels[1:], colors="white", linewidths=0.6)
    panel.grid(visible=False)
    return filled


def _range(caller: str, name: str, given: Any) -> Range:
    low, high = given
    if not (np.isfinite([low, high]).all() and low < high):
        raise ArgumentError(f"{caller}: {name} must go from a number to a greater one; got {given!r}.")
    return float(low), float(high)


def _around(values: Array) -> Range:
    margin = 0.18 * float(np.ptp(values)) or 1.0
    return float(values.min()) - margin, float(values.max()) + margin
