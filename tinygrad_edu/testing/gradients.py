"""Is a gradient right? Compare it with differences of the function's own values.

The slope of f at x along v is close to (f(x + h v) - f(x - h v)) / 2h. Two things spoil it: a step too long
bends with the curve, a step too short drowns in rounding. So a gradient that agrees at the usual step is
right; one that doesn't gets a second look at steps from long to short (:mod:`.diagnosis`), and only what
the shortest step that can still tell says against it counts. (Griewank & Walther, *Evaluating
Derivatives*, 2008, ch. 1; the steps' errors: Press et al., *Numerical Recipes*, 2007, §5.7.)
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..autograd import grad
from ..context import enable_grad
from ..errors import ArgumentError, DTypeError, GradientError
from ..tensor import Tensor
from .diagnosis import Line, diagnose, pattern, rounding

__all__ = ["gradcheck", "gradgradcheck"]

Array = NDArray[Any]

_FULL = 2000  # entries of a Jacobian that is compared one by one, unless the caller says


def gradcheck(
    function: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 0.0,
    directions: int = 2,
    full: bool | None = None,
    seed: int = 0,
    raise_exception: bool = True,
) -> bool:
    """Check the gradient of a function against central differences, in float64.

    Parameters
    ----------
    function
        Takes Tensors, returns a Tensor or a tuple of them, of any shapes. It must give the same result
        each time, so a random mask is drawn outside. Whole-number and bool results are ignored.
    inputs
        One input or a sequence. Every array and Tensor of floats is checked, in float64 (float32 is
        converted: differences in it are mostly rounding). The rest is handed on as it is; to hold a float
        input fixed, close over it: ``lambda x: f(x, fixed)``.
    eps
        Step, as a fraction of the size of the input's values.
    rtol, atol
        Two slopes agree if they differ by less than ``rtol`` times the larger, plus ``atol``, plus the
        rounding error of the difference, which is worked out from the values.
    directions
        How many random directions each pair of an input and an output is tried along.
    full
        Compare the whole Jacobian, element by element; by default if it has at most 2000 entries.
    seed
        Of the random directions.
    raise_exception
        Raise on a mismatch; otherwise return False.

    Returns
    -------
    True if all slopes agree. Empty inputs and outputs have none, so they pass.

    Raises
    ------
    GradientError
        With the element, both slopes and the verdict: a kink of the function at this point, or a bug in
        the rule. Also if the function isn't deterministic, changes its inputs, isn't finite here, or if
        its rule works in less than float64.
    ArgumentError
        If no input is an array or a Tensor of floats.
    DTypeError
        If a result isn't a Tensor, or is a float of less than float64.

    Examples
    --------
    >>> import numpy as np, tinygrad_edu as te
    >>> gradcheck(te.multiply, [np.array([1.0, 2.0]), np.array(3.0)])
    True
    >>> gradcheck(te.relu, np.array([1.0, 0.0]))
    Traceback (most recent call last):
        ...
    tinygrad_edu.errors.GradientError: gradcheck: the function has a kink here: left slope 0, right slope 1;
    the rule's 0 lies between, which is a choice and no error. Check it at another point
      input 0 (2,), element (1,), which is 0
      output 0 (2,), element (1,)
      the rule gives 0, the difference 0.5
    """
    try:
        with enable_grad(), np.errstate(all="ignore"):
            check = _Check(function, inputs, eps, rtol, atol)
            if full or (full is None and check.size_in * check.size_out <= _FULL):
                check.compare_elements()
            check.compare_directions(directions, np.random.default_rng(seed))
    except GradientError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(function: Callable[..., Any], inputs: Any, *, seed: int = 0, **options: Any) -> bool:
    """Check the gradient of the gradient: the rules, run on Tensors, against differences of gradients.

    The function that is checked is "inputs and gradients of the outputs in, gradients of the inputs out". A
    wrong first derivative can have a right second one, so run :func:`gradcheck` as well; parameters, shapes
    and dtypes (float64) are the same, and it raises the same errors.

    >>> import numpy as np, tinygrad_edu as te
    >>> gradgradcheck(te.sin, np.array([0.5, 1.0]))
    True
    """
    try:
        point = _Point(inputs)
    except GradientError:
        if options.get("raise_exception", True):
            raise
        return False
    with enable_grad(), np.errstate(all="ignore"):
        outputs = _float_outputs(function(*point.tensors(point.floats)))
    rng = np.random.default_rng(seed)
    cotangents = [_random(rng, y.shape) for y in outputs]
    n = len(point.inputs)

    def gradients(*arguments: Any) -> tuple[Tensor, ...]:
        values, us = arguments[:n], arguments[n:]
        pairs = [
            (y, u) for y, u in zip(_float_outputs(function(*values)), us, strict=True) if y.requires_grad
        ]
        wanted = [x for x in values if isinstance(x, Tensor) and x.requires_grad]
        found = grad(
            [y for y, _ in pairs], wanted, [u for _, u in pairs], create_graph=True, allow_unused=True
        )
        return tuple([g for g in found if g is not None])

    return gradcheck(gradients, [*point.inputs, *cotangents], seed=seed, **options)


class _Point:
    """The inputs of a function, with the float ones set apart as float64 arrays."""

    def __init__(self, inputs: Any) -> None:
        self.inputs = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        arrays = [x.data if isinstance(x, Tensor) else x for x in self.inputs]
        self.places = [
            i for i, x in enumerate(arrays) if isinstance(x, np.ndarray | np.generic) and x.dtype.kind == "f"
        ]
        if not self.places:
            raise ArgumentError(
                "gradcheck: no input is an array or a Tensor of floats, so there is nothing to check; "
                "write np.array([1.0, 2.0]) rather than [1.0, 2.0]"
            )
        self.floats = [np.array(arrays[i], np.float64) for i in self.places]
        for i, x in zip(self.places, self.floats, strict=True):
            if not np.isfinite(x).all():
                raise GradientError(f"gradcheck: input {i} has values that aren't finite")

    def tensors(self, floats: Sequence[Array]) -> list[Any]:
        """Return all inputs, the float ones as new Tensors with the given values."""
        result = list(self.inputs)
        for i, x in zip(self.places, floats, strict=True):
            result[i] = Tensor(x.copy(), requires_grad=True)
        return result


def _float_outputs(result: Any) -> list[Tensor]:
    outputs = list(result) if isinstance(result, list | tuple) else [result]
    for y in outputs:
        if not isinstance(y, Tensor):
            raise DTypeError(f"gradcheck: the function must return Tensors, not {type(y).__name__}")
        if y.dtype.kind == "f" and y.dtype.itemsize < 8:
            raise DTypeError(
                f"gradcheck: the function returned {y.dtype} for float64 inputs. Differences in that are "
                "mostly rounding: let it compute in float64, its own parameters too"
            )
    return [y for y in outputs if y.dtype.kind == "f"]


class _Check:
    """One function at one point, with both kinds of slopes."""

    def __init__(
        self, function: Callable[..., Any], inputs: Any, eps: float, rtol: float, atol: float
    ) -> None:
        self.function, self.eps, self.rtol, self.atol = function, eps, rtol, atol
        self.point = _Point(inputs)
        self.xs = self.point.floats
        arguments = self.point.tensors(self.xs)
        self.leaves = [arguments[i] for i in self.point.places]
        self.outputs = _float_outputs(function(*arguments))
        self.ys = [y.data.copy() for y in self.outputs]
        self.size_in, self.size_out = sum(x.size for x in self.xs), sum(y.size for y in self.ys)
        for i, x, leaf in zip(self.point.places, self.xs, self.leaves, strict=True):
            if not np.array_equal(leaf.data, x):
                raise GradientError(f"gradcheck: the function changed its input {i} in place")
        for i, (y, again) in enumerate(zip(self.ys, self.values(self.xs), strict=True)):
            if self.size_in and not np.isfinite(y).all():
                raise GradientError(f"gradcheck: output {i} isn't finite at these inputs")
            if y.shape != again.shape or not np.allclose(y, again, rtol=1e-9, atol=0):
                raise GradientError(
                    "gradcheck: the function isn't deterministic: two calls with the same inputs gave "
                    "different results. Draw random numbers outside of it, or seed their generator inside"
                )
        self.scales = [float(np.abs(x).max(initial=0)) or 1.0 for x in self.xs]

    def values(self, xs: Sequence[Array]) -> list[Array]:
        return [y.data for y in _float_outputs(self.function(*self.point.tensors(xs)))]

    def moved(self, k: int, step: Array) -> list[Array]:
        """Return the outputs with input k moved by a step."""
        return self.values([x + step if i == k else x for i, x in enumerate(self.xs)])

    def gradients(self, o: int, u: Array) -> list[Array]:
        """Return what the rules give: the gradient of the sum of output o times u, for each input."""
        zeros = [np.zeros(x.shape) for x in self.xs]
        if not self.outputs[o].requires_grad:
            return zeros
        found = grad(self.outputs[o], self.leaves, u, retain_graph=True, allow_unused=True)
        return [z if g is None else g.data for g, z in zip(found, zeros, strict=True)]

    # -- element by element ----------------------------------------------------------------------------

    def compare_elements(self) -> None:
        """Compare the Jacobian of each output in each input, entry by entry."""
        numeric: dict[tuple[int, int], Array] = {}
        noise: dict[tuple[int, int], Array] = {}
        for k, x in enumerate(self.xs):
            for o, y in enumerate(self.ys):
                numeric[o, k], noise[o, k] = np.zeros((2, y.size, x.size))
            for i, (v, h) in enumerate(self.elements(k)):
                plus, minus = self.moved(k, h * v), self.moved(k, -h * v)
                for o, (a, b) in enumerate(zip(plus, minus, strict=True)):
                    numeric[o, k][:, i] = ((a - b) / (2 * h)).ravel()
                    noise[o, k][:, i] = rounding(np.maximum(np.abs(a), np.abs(b)).ravel(), h)
        for o, y in enumerate(self.ys):
            # A small result of large terms that cancel is rounded as they are.
            terms = np.zeros(y.size)
            for k, x in enumerate(self.xs):
                terms += np.abs(np.nan_to_num(numeric[o, k])) @ np.abs(x.ravel())
            rows = [self.gradients(o, u) for u in np.eye(y.size).reshape(y.size, *y.shape)]
            for k, x in enumerate(self.xs):
                given = np.array([row[k].ravel() for row in rows]).reshape(y.size, x.size)
                steps = self.eps * np.maximum(np.abs(x.ravel()), self.scales[k])
                slack = noise[o, k] + rounding(terms[:, None], steps)
                self.judge_elements(o, k, given, numeric, slack)

    def elements(self, k: int) -> Iterator[tuple[Array, float]]:
        """Yield, for each element of input k, the direction that moves it alone, and the step."""
        x = self.xs[k]
        for i in np.ndindex(x.shape):
            v = np.zeros(x.shape)
            v[i] = 1
            yield v, self.eps * max(abs(float(x[i])), self.scales[k])

    def judge_elements(
        self, o: int, k: int, given: Array, numeric: dict[tuple[int, int], Array], slack: Array
    ) -> None:
        n = numeric[o, k]
        tolerance = self.atol + self.rtol * np.maximum(np.abs(given), np.abs(n)) + slack
        difference = np.abs(given - n)
        wrong = np.argwhere(~(difference <= tolerance))  # nan counts as wrong
        worst_first = np.argsort([-np.nan_to_num(difference[tuple(at)], nan=np.inf) for at in wrong])
        for j, i in wrong[worst_first]:
            self.judge(k, i, o, j, float(given[j, i]), lambda: self.hint(o, k, given, numeric, slack))

    def hint(self, o: int, k: int, given: Array, numeric: dict[tuple[int, int], Array], slack: Array) -> str:
        others = {self.point.places[m]: numeric[o, m] for m in range(len(self.xs)) if m != k}
        return pattern(given, numeric[o, k], slack, self.ys[o].shape, self.xs[k].shape, others)

    # -- along random directions -----------------------------------------------------------------------

    def compare_directions(self, directions: int, rng: np.random.Generator) -> None:
        """Compare <gradient, v> with the slope along v, for one input and one output at a time.

        Taken one by one, a small gradient can't hide behind a large one.
        """
        for turn in range(directions):
            for o, y in enumerate(self.ys):
                u = _random(rng, y.shape)
                if turn % 2 == 0:  # small results count as much as large ones
                    u /= np.maximum(np.abs(y), 1e-13 * np.abs(y).max(initial=0)) + (not y.any())
                for k, g in enumerate(self.gradients(o, u)):
                    if not g.size:
                        continue
                    # Each element moves in proportion to its size, so that all of them are felt.
                    size = np.maximum(np.abs(self.xs[k]), 1e-3 * self.scales[k])
                    # What is left of large terms that cancel is rounding, which has few digits.
                    self.see_precision(g[np.abs(g) * size > 1e-9 * np.abs(u * y).sum()], k)
                    v = _random(rng, g.shape) * size
                    if self.gap(k, v, o, u, g) > 0:
                        self.localise(k, v, o, u, g)

    def gap(self, k: int, v: Array, o: int, u: Array, g: Array) -> float:
        """Return by how much <g, v> and the slope along v differ beyond the tolerance; inf for nan."""
        plus, minus = self.moved(k, self.eps * v)[o], self.moved(k, -self.eps * v)[o]
        slopes = (plus - minus) / (2 * self.eps)
        given, numeric = float(np.vdot(g, v)), float(np.vdot(u, slopes))
        # A small result of large terms that cancel is rounded as they are.
        terms = np.abs(u) * (np.maximum(np.abs(plus), np.abs(minus)) + np.abs(slopes))
        slack = float(rounding(terms.sum() + np.abs(g * v).sum(), self.eps))
        gap = abs(given - numeric) - self.atol - self.rtol * max(abs(given), abs(numeric)) - slack
        return float(np.nan_to_num(gap, nan=np.inf))

    def localise(self, k: int, v: Array, o: int, u: Array, g: Array) -> None:
        """Find an element that is wrong: where a direction is, one of its halves is too."""
        if diagnose(self.line(k, v, o, u), float(np.vdot(g, v)), self.eps, self.rtol, self.atol) is None:
            return
        while np.count_nonzero(v) > 1:
            v = max(_halves(v), key=lambda half: self.gap(k, half, o, u, g))
        while np.count_nonzero(u) > 1:
            u = max(_halves(u), key=lambda half: self.gap(k, v, o, half, self.gradients(o, half)[k]))
        i, j = int(np.flatnonzero(v)[0]), int(np.flatnonzero(u)[0])
        nothing = "" if g.any() else "the rule gives this input no gradient (None or zeros)"
        self.judge(k, i, o, j, float(self.gradients(o, u)[k].flat[i] / u.flat[j]) + 0.0, lambda: nothing)

    def see_precision(self, g: Array, k: int) -> None:
        """Refuse a gradient that fits in float32, though it was asked for with 53 random bits."""
        values = g[np.isfinite(g)]
        mantissas = np.frexp(values)[0] * 2**12
        # A few bits may be all there is: of a 0 that isn't quite one. A float32 has 24.
        if (mantissas % 1).any() and np.array_equal(values, values.astype(np.float32)):
            raise GradientError(
                f"gradcheck: the gradient of {self.describe(k)} has only the digits of float32, though "
                "everything is float64: the rule converts to a dtype of its own; let it keep the dtype of g"
            )

    # -- the second look, and the report ---------------------------------------------------------------

    def line(self, k: int, v: Array, o: int, u: Array) -> Line:
        def value(t: float) -> tuple[float, float]:
            y = self.moved(k, t * v)[o] if t else self.ys[o]
            return float(np.vdot(u, y)), float(np.abs(u * y).sum())

        moving = v != 0
        return Line(value, float(np.max(np.abs(self.xs[k][moving] / v[moving]), initial=0)))

    def describe(self, k: int) -> str:
        place = self.point.places[k]
        name = getattr(self.point.inputs[place], "name", None)
        return f"input {place}{f' {name!r}' if name else ''} {self.xs[k].shape}"

    def judge(self, k: int, i: int, o: int, j: int, given: float, hint: Callable[[], str]) -> None:
        """Look again at the slope of element j of output o in element i of input k; raise if it is wrong."""
        x, y = self.xs[k], self.ys[o]
        v, u = np.zeros(x.shape), np.zeros(y.shape)
        v.flat[i] = u.flat[j] = 1
        h = self.eps * max(abs(float(x.flat[i])), self.scales[k])
        found = diagnose(self.line(k, v, o, u), given, h, self.rtol, self.atol)
        if found is None:
            return
        numeric, verdict = found
        more = hint() if verdict == "a bug in the rule" else ""
        raise GradientError(
            f"gradcheck: {verdict}{f': {more}' if more else ''}\n"
            f"  {self.describe(k)}, element {_place(i, x.shape)}, which is {x.flat[i]:.6g}\n"
            f"  output {o} {y.shape}, element {_place(j, y.shape)}\n"
            f"  the rule gives {given:.8g}, the difference {numeric:.8g}"
        )


def _halves(v: Array) -> list[Array]:
    """Split a direction into two that move half of its elements each."""
    halves = []
    for places in np.array_split(np.flatnonzero(v), 2):
        half = np.zeros_like(v)
        half.flat[places] = v.flat[places]
        halves.append(half)
    return halves


def _random(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw numbers of either sign, none of them near 0, where a mistake could hide."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def _place(i: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(n) for n in np.unravel_index(i, shape))
