"""How weights start: Keras' initialisers, by name or as objects.

An initialiser is called with a shape and gives an array. The scaled ones keep the variance of what flows
through a layer steady, by its number of inputs (fan in) and outputs (fan out): Glorot & Bengio 2010 for
tanh and softmax, He et al. 2015 for ReLU, LeCun et al. 1998 for SELU.
"""

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ArgumentError, ShapeError, unknown_name
from ..random import default_generator
from .named import Named, serialize

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "deserialize",
    "get",
    "serialize",
]


class Initializer(Named):
    """The base: a subclass writes ``sample``. With a ``seed`` it gives the same array each time.

    >>> GlorotUniform(seed=1)((2, 2)).round(3)
    array([[ 0.029,  1.103],
           [-0.872,  1.099]], dtype=float32)
    """

    kind = "initializer"
    aliases: ClassVar[dict[str, str]] = {"normal": "random_normal", "uniform": "random_uniform"}

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        generator = default_generator() if self.seed is None else np.random.default_rng(self.seed)
        return np.array(self.sample(shape, generator), dtype=dtype, order="C")  # nobody else's

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        """Draw an array of float64."""
        raise ArgumentError(f"{type(self).__name__} has no `sample` method")


class Zeros(Initializer):
    """All 0."""

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        return np.zeros(shape)


class Ones(Initializer):
    """All 1."""

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        return np.ones(shape)


class Constant(Initializer):
    """All the same value."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = value

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        return np.full(shape, float(self.value))

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


class RandomNormal(Initializer):
    """Normal with a mean and a standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        return generator.normal(self.mean, self.stddev, shape)


class RandomUniform(Initializer):
    """Uniform between two bounds."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        return generator.uniform(self.minval, self.maxval, shape)


class TruncatedNormal(RandomNormal):
    """Normal, drawn again where it falls further than two standard deviations from the mean."""

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        return self.mean + self.stddev * _truncated(shape, generator)


class VarianceScaling(Initializer):
    """Variance ``scale / n``, where n is the fan in, the fan out or their mean.

    For a kernel (kh, kw, inputs, outputs) the fans count the window too.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise unknown_name("mode", mode, ["fan_in", "fan_out", "fan_avg"])
        if distribution not in ("truncated_normal", "normal", "uniform"):
            raise unknown_name("distribution", distribution, ["truncated_normal", "normal", "uniform"])
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        fan_in, fan_out = _fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(n, 1.0)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "normal":
            return generator.normal(0, math.sqrt(variance), shape)
        # Cutting off at two deviations leaves 0.8796 of the deviation.
        return _truncated(shape, generator) * (math.sqrt(variance) / 0.87962566103423978)


class Orthogonal(Initializer):
    """A matrix with orthonormal columns (or rows), so that what passes through keeps its length.

    Other shapes are seen as a matrix of all but the last axis by the last. The Q of a QR decomposition of
    normal numbers, with R's diagonal made positive, is uniform among all of them (Saxe et al. 2014).

    >>> w = Orthogonal(seed=0)((3, 2))
    >>> np.abs(w.T @ w).round(5)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        if len(shape) < 2:
            raise ShapeError(f"Orthogonal: expected a shape of at least two axes, got {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.copysign(1.0, np.diagonal(r))
        return np.reshape(self.gain * (q if rows >= columns else q.T), shape)


class Identity(Initializer):
    """The identity matrix, times a gain: what comes in goes out.

    >>> Identity()((2, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain

    def sample(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        if len(shape) != 2:
            raise ShapeError(f"Identity: expected the shape of a matrix, got {shape}")
        return self.gain * np.eye(*shape)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class _Scaled(VarianceScaling):
    """A variance scaling with its arguments fixed, all but the seed."""

    arguments: ClassVar[tuple[float, str, str]]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.arguments, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class GlorotUniform(_Scaled):
    """Uniform in ±sqrt(6 / (fan in + fan out)): Keras' default for kernels."""

    arguments = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal of variance 2 / (fan in + fan out)."""

    arguments = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform in ±sqrt(6 / fan in)."""

    arguments = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal of variance 2 / fan in."""

    arguments = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform in ±sqrt(3 / fan in)."""

    arguments = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal of variance 1 / fan in."""

    arguments = (1.0, "fan_in", "truncated_normal")


# Keras has these names for them too.
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
glorot_normal, glorot_uniform, he_normal, he_uniform = GlorotNormal, GlorotUniform, HeNormal, HeUniform
lecun_normal, lecun_uniform, variance_scaling = LecunNormal, LecunUniform, VarianceScaling
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal


def get(identifier: Any) -> Initializer:
    """Return the initialiser for a name ("he_normal"), a saved description, or itself.

    >>> type(get("zeros")).__name__
    'Zeros'
    """
    return Initializer.find(identifier)  # type: ignore[no-any-return]


deserialize = get


def _fans(shape: tuple[int, ...]) -> tuple[float, float]:
    if len(shape) < 2:
        n = float(shape[0]) if shape else 1.0
        return n, n
    window = math.prod(shape[:-2])
    return float(window * shape[-2]), float(window * shape[-1])


def _truncated(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
    values = generator.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = generator.standard_normal(int(outside.sum()))
    return values
