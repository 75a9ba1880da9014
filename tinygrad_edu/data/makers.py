"""Sets made by a formula and a seed: small, endless, and with a truth that is known.

Each is a Dataset, split as the real ones are. Where scikit-learn has the same generator it is the one that
runs, so that a seed gives scikit-learn's points; ``test_size=0`` leaves them in its order.
"""

import math
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.data.making import floats, made, number, start
from tinygrad_edu.data.prepare import as_count
from tinygrad_edu.errors import ArgumentError

__all__ = ["blobs", "circles", "four_blobs", "linear", "moons", "sinusoid", "spirals"]


def blobs(
    n_samples: int = 400,
    n_features: int = 2,
    centers: int | ArrayLike = 2,
    cluster_std: float | Sequence[float] = 1.0,
    *,
    test_size: float = 0.2,
    seed: int | None = 0,
) -> Dataset:
    """Return round clouds of points, one for each class: scikit-learn's ``make_blobs``.

    Parameters
    ----------
    n_samples, n_features : int
        How many points, shared out equally among the classes, and how many columns.
    centers : int or array (classes, features)
        How many clouds, at random places in -10…10, or where they are.
    cluster_std : float or one for each cloud
        How wide they are: the standard deviation in each direction.
    test_size : float or int
        The share, or number, of points in the test part; 0 keeps all in the training part.
    seed : int, optional
        The same seed gives the same set; None draws one from the package's default generator.

    Raises
    ------
    ArgumentError, DataError
        Arguments that can't be used.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> data.blobs(400, n_features=3, seed=42).x_train.shape
    (320, 3)
    """
    from sklearn.datasets import make_blobs

    count, seed = as_count("blobs", "n_samples", n_samples, 1), start("blobs", seed)
    columns = as_count("blobs", "n_features", n_features, 1)
    places: Any
    if isinstance(centers, SupportsIndex) and np.ndim(centers) == 0:
        places = as_count("blobs", "centers", centers, 1)
    else:
        places = floats("blobs", "centers", centers)
        if places.ndim != 2 or 0 in places.shape:
            raise ArgumentError(
                f"blobs: centers is a count or (classes, features); its shape is {places.shape}."
            )
    classes = places if isinstance(places, int) else len(places)
    widths = floats("blobs", "cluster_std", cluster_std)
    if widths.shape not in ((), (classes,)) or (widths < 0).any():
        raise ArgumentError(f"blobs: cluster_std is one width >= 0, or {classes}; got {cluster_std!r}.")
    x, y = make_blobs(count, columns, centers=places, cluster_std=widths.tolist(), random_state=seed)
    names = tuple(f"blob {k}" for k in range(classes))
    return made("blobs", "round clouds of points, one a class", x, y, names, test_size, seed)


def four_blobs(n_samples: int = 100, *, test_size: float = 0.3, seed: int | None = 42) -> Dataset:
    """Return four clouds in the plane that make two classes: label 1 where the cloud's number is even.

    No line separates them, unless chance puts the clouds so; a hidden layer of three neurons does.

    Parameters
    ----------
    n_samples, test_size, seed :
        As in `blobs`.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> np.bincount(data.four_blobs().y)
    array([50, 50])
    """
    clouds = blobs(n_samples, centers=4, test_size=0, seed=seed)
    y = (clouds.y_train + 1) % 2
    text = "four clouds of points, the even ones against the odd ones"
    return made("four_blobs", text, clouds.x_train, y, ("odd", "even"), test_size, start("four_blobs", seed))


def circles(
    n_samples: int = 500,
    noise: float = 0.05,
    factor: float = 0.5,
    *,
    test_size: float = 0.2,
    seed: int | None = 0,
) -> Dataset:
    """Return two circles around 0, 0 outer, 1 inner: scikit-learn's ``make_circles``.

    No line can separate them: a straight model guesses.

    Parameters
    ----------
    n_samples : int
    noise : float
        Standard deviation of what is added to each coordinate; the outer radius is 1.
    factor : float
        The inner radius, in 0…1.
    test_size, seed :
        As in `blobs`.

    Raises
    ------
    ArgumentError, DataError
        Arguments that can't be used.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> circles = data.circles(noise=0)
    >>> np.unique(np.hypot(*circles.x.T).round(6)), np.bincount(circles.y)
    (array([0.5, 1. ]), array([250, 250]))
    """
    from sklearn.datasets import make_circles

    count, seed = as_count("circles", "n_samples", n_samples, 1), start("circles", seed)
    spread, inner = number("circles", "noise", noise, 0), number("circles", "factor", factor, 0, 1)
    x, y = make_circles(count, noise=spread, factor=min(inner, math.nextafter(1, 0)), random_state=seed)
    return made("circles", "a circle inside another", x, y, ("outer", "inner"), test_size, seed)


def moons(
    n_samples: int = 400, noise: float = 0.1, *, test_size: float = 0.2, seed: int | None = 0
) -> Dataset:
    """Return two half circles that reach into each other: scikit-learn's ``make_moons``.

    Parameters
    ----------
    n_samples, noise, test_size, seed :
        As in `circles`.

    Raises
    ------
    ArgumentError, DataError
        Arguments that can't be used.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> data.moons().class_names
    ('upper', 'lower')
    """
    from sklearn.datasets import make_moons

    count, seed = as_count("moons", "n_samples", n_samples, 1), start("moons", seed)
    x, y = make_moons(count, noise=number("moons", "noise", noise, 0), random_state=seed)
    return made("moons", "two half circles, one inside the other", x, y, ("upper", "lower"), test_size, seed)


def spirals(
    n_samples: int = 400,
    classes: int = 2,
    turns: float = 1.5,
    noise: float = 0.02,
    *,
    test_size: float = 0.2,
    seed: int | None = 0,
) -> Dataset:
    """Return the arms of a spiral, one for each class: a hard set for a small network.

    A point at the share t of arm k, t in 0…1, lies at the radius r = 0.1 + 0.9 t and the angle 2π (turns t +
    k / classes); noise is added to both coordinates. t is spread so that points are equally dense along the
    arm.

    Parameters
    ----------
    n_samples : int
        Shared out equally among the arms.
    classes : int
    turns : float
        How often an arm goes around.
    noise : float
        Standard deviation of what is added to each coordinate. Arms are 0.9 / (turns classes) apart.
    test_size, seed :
        As in `blobs`.

    Raises
    ------
    ArgumentError, DataError
        Arguments that can't be used.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> np.bincount(data.spirals(300, classes=3).y)
    array([100, 100, 100])
    """
    count, seed = as_count("spirals", "n_samples", n_samples, 1), start("spirals", seed)
    arms = as_count("spirals", "classes", classes, 1)
    around, spread = number("spirals", "turns", turns, 0), number("spirals", "noise", noise, 0)
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(count) % arms)
    # Along the arm the length grows as the radius does, so the radius' square is spread evenly.
    radius = np.sqrt(rng.uniform(0.01, 1, count))
    angle = 2 * np.pi * (around * (radius - 0.1) / 0.9 + y / arms)
    x = radius[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x += rng.normal(0, spread, x.shape)
    names = tuple(f"arm {k}" for k in range(arms))
    return made("spirals", "the arms of a spiral, one a class", x, y, names, test_size, seed)


def sinusoid(
    n_samples: int = 200,
    frequency: float = 2.0,
    noise: float = 0.1,
    *,
    test_size: float = 0.2,
    seed: int | None = 0,
) -> Dataset:
    """Return points on a sine with noise: y = sin(2π · frequency · x) + ε, x evenly spread over 0…1.

    Parameters
    ----------
    n_samples : int
    frequency : float
        Waves between 0 and 1; 2 gives sin(4πx).
    noise : float
        Standard deviation of ε.
    test_size, seed :
        As in `blobs`; with ``test_size=0`` x ascends.

    Returns
    -------
    Dataset
        x of shape (N, 1), y of shape (N,), both float64.

    Raises
    ------
    ArgumentError, DataError
        Arguments that can't be used.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> wave = data.sinusoid(5, frequency=1, noise=0, test_size=0)
    >>> wave.x_train[:, 0], wave.y_train.round(3) + 0.0
    (array([0.  , 0.25, 0.5 , 0.75, 1.  ]), array([ 0.,  1.,  0., -1.,  0.]))
    """
    count, seed = as_count("sinusoid", "n_samples", n_samples, 1), start("sinusoid", seed)
    waves, spread = number("sinusoid", "frequency", frequency), number("sinusoid", "noise", noise, 0)
    x = np.linspace(0, 1, count)
    y = np.sin(2 * np.pi * waves * x) + np.random.default_rng(seed).normal(0, spread, count)
    return made("sinusoid", "points on a sine, with noise", x[:, np.newaxis], y, (), test_size, seed)


def linear(
    n_samples: int = 10,
    weights: float | Sequence[float] = 10.0,
    bias: float = 0.0,
    noise: float = 20.0,
    low: float = 0.0,
    high: float = 50.0,
    *,
    test_size: float = 0.2,
    seed: int | None = 0,
) -> Dataset:
    """Return points on a line, or a plane, with noise: y = x · weights + bias + ε, x uniform in low…high.

    Parameters
    ----------
    n_samples : int
    weights : float or sequence of floats
        The slope, or one for each column of x.
    bias : float
    noise : float
        Standard deviation of ε.
    low, high : float
        Between which x lies.
    test_size, seed :
        As in `blobs`.

    Returns
    -------
    Dataset
        x of shape (N, len(weights)), y of shape (N,), both float64.

    Raises
    ------
    ArgumentError, DataError
        Arguments that can't be used.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> x, y = next(iter(data.linear(noise=0, bias=3, test_size=0)))
    >>> np.allclose(y, 10 * x[:, 0] + 3)
    True
    """
    count, seed = as_count("linear", "n_samples", n_samples, 1), start("linear", seed)
    slopes = np.atleast_1d(floats("linear", "weights", weights))
    if slopes.ndim != 1 or not slopes.size:
        raise ArgumentError(f"linear: weights is a slope, or one for each column; got {weights!r}.")
    least = number("linear", "low", low)
    most, spread = number("linear", "high", high, least), number("linear", "noise", noise, 0)
    rng = np.random.default_rng(seed)
    x = rng.uniform(least, most, (count, slopes.size))
    y = x @ slopes + number("linear", "bias", bias) + rng.normal(0, spread, count)
    return made("linear", "points on a line, with noise", x, y, (), test_size, seed)
