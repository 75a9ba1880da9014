"""Rows of activation functions and special functions."""

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tinygrad_edu as te
from operations_table.row import Case, Row, binary, one_by_one, unary
from tinygrad_edu.testing import arrays, shapes


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def elu(x: float, alpha: float = 1.0) -> float:
    return x if x > 0 else alpha * math.expm1(x)


def gelu(x: float, approximate: bool) -> float:
    if approximate:
        return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x * NormalDist().cdf(x)


def with_params(
    function: Callable[..., float], params: list[dict[str, Any]], avoid: Any = (), **options: Any
) -> Row:
    """A function of one number and of settings, of which each is drawn."""

    def cases(least: int, most: int) -> SearchStrategy[Case]:
        x = arrays(shapes(min_side=least, max_side=most), low=-3, high=3, avoid=avoid)
        return st.builds(Case, st.tuples(x), st.sampled_from(params))

    return Row(cases, one_by_one(function), **options)


def polygamma(x: float, n: int = 0) -> float:
    """The n-th derivative of digamma: the series' first terms, and Euler and Maclaurin's for the rest."""
    s, a = n + 1, x + 20
    head = [(x + k) ** -s for k in range(20)]
    tail = [a**-s / 2, s * a ** (-s - 1) / 12, -s * (s + 1) * (s + 2) * a ** (-s - 3) / 720]
    tail.append(s * (s + 1) * (s + 2) * (s + 3) * (s + 4) * a ** (-s - 5) / 30240)
    tail.append(-math.log(a) if n == 0 else a**-n / n)
    return (-1) ** (n + 1) * math.factorial(n) * math.fsum(head + tail)


def between_poles(function: Callable[..., float], *orders: int, low: float = -2.7) -> Row:
    """A function with poles at 0, -1, -2 …"""

    def cases(least: int, most: int) -> SearchStrategy[Case]:
        at = shapes(min_side=least, max_side=most)
        x = arrays(at, low=low, high=4, avoid=[-2, -1, 0], margin=0.25)
        return st.builds(Case, st.tuples(x), st.sampled_from([{"n": n} for n in orders] or [{}]))

    domain = f"between {low:g} and 4, a quarter away from 0, -1, -2"
    return Row(cases, one_by_one(function), domain=domain, kinks="poles at 0, -1, -2 …")


def some_zeros(row: Row) -> Row:
    """Make a fifth of the first input 0, where that of the second stays positive."""

    def zeros(case: Case) -> Case:
        x, y = case.inputs
        return Case((np.where(x < -1.2, 0.0, x), y))

    return replace(row, cases=lambda least, most: row.cases(least, most).map(zeros))


def all_reals(function: Any, numpy: Any = None) -> Row:
    return unary(function, numpy, low=-4, high=4)


def kinked(function: Any, numpy: Any, *at: float) -> Row:
    row = unary(function, numpy, low=-8, high=8, avoid=at)
    return replace(row, kinks=" and ".join(f"{x:g}" for x in at))


ROWS: dict[str, Row] = {
    "sigmoid": unary(sigmoid, lambda x: 1 / (1 + np.exp(-x)), low=-6, high=6),
    "logsigmoid": unary(lambda x: math.log(sigmoid(x)), lambda x: -np.logaddexp(-x, 0), low=-6, high=6),
    "softplus": unary(lambda x: math.log(1 + math.exp(x)), lambda x: np.logaddexp(x, 0), low=-6, high=6),
    "relu": kinked(lambda x: x if x > 0 else 0.0, lambda x: np.maximum(x, 0), 0),
    "relu6": kinked(lambda x: min(max(x, 0.0), 6.0), lambda x: np.clip(x, 0, 6), 0, 6),
    "leaky_relu": with_params(
        lambda x, negative_slope: x if x > 0 else negative_slope * x,
        [{"negative_slope": a} for a in (0.2, 0.01, 1.5, -0.3)],
        avoid=[0],
        kinks="0",
        numpy=lambda x, negative_slope: np.where(x > 0, x, x * np.asarray(negative_slope, x.dtype)),
    ),
    "elu": with_params(
        elu,
        [{"alpha": a} for a in (1.0, 0.3, 2.0)],
        avoid=[0],
        kinks="0, unless alpha is 1; the second derivative jumps there",
        numpy=lambda x, alpha: np.where(x > 0, x, np.asarray(alpha, x.dtype) * np.expm1(x)),
    ),
    "selu": kinked(
        lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
        0,
    ),
    "gelu": with_params(gelu, [{"approximate": False}, {"approximate": True}]),
    "silu": all_reals(lambda x: x * sigmoid(x), lambda x: x / (1 + np.exp(-x))),
    "mish": all_reals(lambda x: x * math.tanh(math.log(1 + math.exp(x)))),
    "hard_sigmoid": kinked(lambda x: min(max(x + 3, 0), 6) / 6, lambda x: np.clip(x + 3, 0, 6) / 6, -3, 3),
    "hard_silu": replace(
        kinked(lambda x: x * min(max(x + 3, 0), 6) / 6, lambda x: x * (np.clip(x + 3, 0, 6) / 6), -3, 3),
        function=te.hard_silu,
    ),
    "softsign": replace(
        unary(lambda x: x / (1 + abs(x)), lambda x: x / (1 + np.abs(x)), avoid=[0]),
        kinks="none; the second derivative jumps at 0",
    ),
    "erf": unary(math.erf, None),  # beyond 2 the slope drowns in the rounding of the differences
    "erfc": unary(math.erfc, None),
    "erfinv": replace(
        unary(lambda x: NormalDist().inv_cdf((x + 1) / 2) / math.sqrt(2), None, low=-0.9, high=0.9),
        domain="between -0.9 and 0.9; poles at -1 and 1",
    ),
    "lgamma": between_poles(math.lgamma),
    "digamma": between_poles(polygamma),
    "polygamma": between_poles(polygamma, 0, 1, 2, 3, low=0.3),  # too steep between the poles for differences
    "xlogy": some_zeros(
        binary(
            lambda x, y: x * math.log(y) if x else 0.0,
            None,
            second={"low": 0.3, "high": 3.0},
            domain="y > 0.3",
            at_kinks=((([0.0, 0.0, 2.0], [0.0, -1.0, 0.0]), {}, ([0.0, 0.0, -np.inf], [0.0, 0.0, np.inf])),),
        )
    ),
}
