"""detect_anomaly: the first operation that makes a nan or inf is named, forward and backward."""

import threading

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Function, Tensor, nn
from tinygrad_edu.context import context
from tinygrad_edu.errors import AnomalyError, TinygradEduError


def caught(function):
    """Return what detect_anomaly says, as lines."""
    with pytest.raises(AnomalyError) as error, te.detect_anomaly():
        function()
    assert context.observers == ()
    return str(error.value).splitlines()


def leaf(values, name=None):
    return Tensor(np.array(values, np.float32), requires_grad=True, name=name)


def test_the_first_result_that_is_not_finite():
    p = leaf([[0.5, 0.25], [0.0, -1.0]], "p")
    lines = caught(lambda: (te.log(p * 1.0) * 2).sum())
    assert lines[0] == "log made 1 nan and 1 inf"
    assert (
        lines[1]
        == "  result (2, 2) float32: from -1.38629 to -0.693147, 1 nan and 1 inf, the first at (1, 0)"
    )
    assert lines[2] == "  x (2, 2) float32: from -1 to 0.5"
    assert lines[3].startswith("  at: test_autograd_anomaly.py:")
    assert lines[3].endswith("lines = caught(lambda: (te.log(p * 1.0) * 2).sum())")
    assert "log(clip(p, 1e-7))" in lines[4]
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("function", "name", "hint"),
    [
        (lambda x: te.log(x), "log", "log_softmax"),
        (lambda x: 1 / x, "divide", "divides by 0"),
        (lambda x: te.exp(100 * x), "exp", "89 in float32"),
        (lambda x: te.sqrt(x - 1), "sqrt", "negative"),
        (lambda x: x**-1.5, "pow", "negative power"),
        (lambda x: x * 1e38 * 1e3, "multiply", "outgrew float32, which ends at 3.4e+38"),
        (lambda x: te.where(x > 0, te.log(x), 0.0), "log", r"If where() drops that"),
    ],
)
def test_typical_mistakes_get_a_hint(function, name, hint):
    lines = caught(lambda: function(leaf([0.0, 1.0])))
    assert lines[0].startswith(f"{name} made 1 ")
    assert hint in lines[-1]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    ("function", "name", "hint"),
    [
        (lambda x: te.sqrt(x), "sqrt", "infinite at 0: sqrt(x + 1e-12)"),
        (lambda x: x**0.5, "pow", "power below 1"),
        (lambda x: te.where(x > 0, te.sqrt(x), 0.0), "sqrt", "0 times an infinite slope is nan"),
        (lambda x: te.sin(x * 1e30) * 1e30, "multiply", "outgrew float32"),
    ],
)
def test_the_rule_that_makes_one(function, name, hint, create_graph):
    x = leaf([0.0, 1.0], "x")
    lines = caught(lambda: te.grad(function(x).sum(), x, create_graph=create_graph))
    assert lines[0].startswith(f"the backward of {name} made ")
    assert lines[1].startswith("  gradient of x")
    assert lines[2].startswith("  gradient of the result (2,) float32: from ")
    assert any(line.startswith("  at: test_autograd_anomaly.py:") for line in lines)  # of the forward pass
    assert hint in lines[-1]


def test_the_backward_report_shows_what_the_rule_had_saved():
    x, y = leaf([1.0, 2.0], "x"), leaf([1e30, 1.0], "y")
    lines = caught(lambda: (x * y).backward(np.array([1e30, 1.0], np.float32)))
    assert lines[:5] == [
        "the backward of multiply made 1 inf",
        "  gradient of x1 (2,) float32: from 1 to 1, 1 inf, the first at (0,)",
        "  gradient of the result (2,) float32: from 1 to 1e+30",
        "  x1 (2,) float32: from 1 to 2",
        "  x2 (2,) float32: from 1 to 1e+30",
    ]
    assert x.grad is None


def test_what_came_in_from_outside_is_said_to():
    data = Tensor(np.array([1.0, np.nan], np.float32), name="data")
    lines = caught(lambda: leaf([1.0, 1.0], "w") * data)
    assert lines[0] == "multiply: a nan or inf came in from outside, with x2"
    assert "  x2 'data' (2,) float32: from 1 to 1, 1 nan, the first at (1,)" in lines
    assert "look at the data" in lines[-1]
    x = leaf([1.0])
    lines = caught(lambda: (x * 2).backward(np.array([np.nan])))
    assert lines[0].endswith("came in from outside, with gradient of the result")
    y = x * 2
    y.register_hook(lambda g: Tensor(np.array([np.inf], np.float32)))
    assert "gradient of the result" in caught(y.sum().backward)[0]
    assert "  x1: inf" in caught(lambda: te.multiply(np.inf, x))


def test_masks_of_inf_may_be_let_through():
    x = leaf([1.0, 2.0])

    def masked():
        return te.softmax(te.where(np.array([True, False]), x, -np.inf))

    assert "check_inf=False" in caught(masked)[-1]
    with te.detect_anomaly(check_inf=False):
        assert masked().tolist() == [1.0, 0.0]
    with pytest.raises(AnomalyError, match="made 1 nan"), te.detect_anomaly(check_inf=False):
        te.sqrt(x - 2)


def test_what_is_finite_passes_and_nan_that_is_dealt_with_too():
    x = leaf([1.0, 2.0])
    with te.detect_anomaly():
        y = te.where(np.isnan([1.0, np.nan]), 0.0, x)
        (te.exp(y) + te.argmax(x) + te.sum(Tensor(np.ones(0)))).sum().backward()
        te.isnan(np.array([np.nan]))


def test_several_results_and_any_number_of_inputs():
    class Halves(Function):
        @staticmethod
        def forward(*xs):
            return sum(xs), sum(xs) / 0

        @staticmethod
        def backward(g, xs):
            return tuple(g[0] + g[1] for _ in xs)

    class Overflow(Halves):
        @staticmethod
        def forward(*xs):
            return sum(xs), xs[0]

        @staticmethod
        def backward(g, xs):
            return g[0], g[1] * np.inf

    x = leaf([1.0, 2.0])
    lines = caught(lambda: Halves.apply(x, x))
    assert [line.split(" (")[0] for line in lines[:4]] == [
        "halves made 2 inf",
        "  result 1",
        "  xs[0]",
        "  xs[1]",
    ]
    lines = caught(lambda: te.backward([y.sum() for y in Overflow.apply(x, x)]))
    assert [line.split(" (")[0] for line in lines[:6]] == [
        "the backward of overflow made 2 inf",
        "  gradient of xs[1]",
        "  gradient of the result",
        "  gradient of the result",
        "  xs[0]",
        "  xs[1]",
    ]


def test_inside_a_checkpoint_and_a_transform():
    x = leaf([0.0, 1.0])
    lines = caught(lambda: te.checkpoint(lambda x: te.sqrt(x) * 2, x).sum().backward())
    assert lines[0] == "the backward of sqrt made 1 inf"
    assert caught(lambda: te.jacobian(te.sqrt, x))[0] == "the backward of sqrt made 1 inf"


def test_in_fit_the_module_is_named():
    te.seed(0)
    model = nn.Sequential(
        [nn.Dense(4, activation="relu", name="hidden"), nn.Dense(1, name="head")], name="net"
    )
    model.compile(nn.optimizers.SGD(1e30), "mse")
    rng = np.random.default_rng(0)
    lines = caught(lambda: model.fit(rng.random((64, 3)), rng.random((64, 1)), epochs=3, verbose=0))
    assert "  in: net/head" in lines
    assert any("'head/kernel' (4, 1) float32: from" in line for line in lines)
    assert any(line.startswith("  at: test_autograd_anomaly.py:") and "model.fit" in line for line in lines)
    assert "learning rate" in lines[-1]


def test_as_a_decorator_and_in_its_thread_alone():
    x = leaf([0.0])

    @te.detect_anomaly()
    def work(depth=1):
        return work(depth - 1) if depth else te.log(x)

    with pytest.raises(AnomalyError):
        work()
    assert context.observers == ()
    results = []
    with te.detect_anomaly():

        def other():
            with np.errstate(all="ignore"):
                results.append(te.log(x).item())

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert results == [-np.inf]


def test_the_error_is_what_numpy_users_expect():
    with pytest.raises(FloatingPointError), te.detect_anomaly():
        te.log(leaf([0.0]))
    assert issubclass(AnomalyError, TinygradEduError)
    with pytest.warns(RuntimeWarning):  # outside it is NumPy that speaks
        te.log(leaf([0.0]))


def test_gradients_that_overflow_when_they_are_added_up():
    q = leaf([0.1, 0.2], "q")
    lines = caught(lambda: (q * 3e38 + q * 3e38).backward(np.ones(2)))
    assert lines[0] == "adding up the gradients of a leaf made 2 inf"
    assert lines[2] == "  the leaf 'q' (2,) float32: from 0.1 to 0.2"
    assert "outgrew float32" in lines[-1]
    assert q.grad is None
    with te.detect_anomaly():
        (q * 1e38 + q * 1e38).backward(np.ones(2))


def test_a_tangent_where_the_slope_is_infinite():
    assert caught(lambda: te.jvp(te.sqrt, leaf([0.0, 1.0]), Tensor([0.0, 1.0])))[0].endswith("made 1 inf")
    with te.detect_anomaly():
        te.jvp(te.sqrt, leaf([4.0, 1.0]), Tensor([0.0, 1.0]))
