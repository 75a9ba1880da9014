"""Changes in place, modes of the tape, and what is refused in words."""

import asyncio
import threading

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.context import Observer, context
from tinygrad_edu.errors import DTypeError, GradientError, ShapeError


def leaf(values, **options):
    return Tensor(np.array(values, np.float64), requires_grad=True, **options)


# --- Changes in place ------------------------------------------------------------------------------------


def update(w):
    with te.no_grad():
        w -= 0.1


def assign(w):
    w.data = w.data - 0.1


def in_place(w):
    w.data -= 0.1


@pytest.mark.parametrize("change", [update, assign, in_place])
def test_a_parameter_changed_between_the_passes_is_noticed(change):
    w = leaf([1.0, 2.0], name="kernel")
    loss = (w * w).sum()
    change(w)
    with pytest.raises(GradientError, match=r"multiply.*kernel \(2,\) was changed in place.*optimizer\.step"):
        loss.backward()
    assert w.grad is None
    (w * w).sum().backward()
    np.testing.assert_allclose(w.grad.data, 2 * w.data)


@pytest.mark.parametrize("view", [lambda w: w.T, lambda w: w[0], lambda w: te.flip(w.reshape(4))])
def test_a_change_is_noticed_through_a_view(view):
    w = leaf([[1.0, 2.0], [3.0, 4.0]])
    v = view(w)
    loss = (v * v).sum()
    w.data -= 1.0
    with pytest.raises(GradientError, match="changed in place"):
        loss.backward()


def test_a_change_of_what_no_rule_needs_is_no_matter():
    w = leaf([1.0, 2.0])
    loss = (w + 1).sum()
    in_place(w)
    loss.backward()
    assert w.grad.tolist() == [1.0, 1.0]


# --- Modes -----------------------------------------------------------------------------------------------


def test_no_grad_as_a_block_and_as_a_decorator():
    x = leaf(1.0)

    @te.no_grad()
    def predict(depth=2):
        assert not te.is_grad_enabled()
        return x * 2 if depth == 0 else predict(depth - 1)

    with te.no_grad():
        assert not (x * 2).requires_grad
        with te.enable_grad():
            assert (x * 2).requires_grad
            with te.no_grad():
                assert not te.is_grad_enabled()
        assert not te.is_grad_enabled()
    assert not predict().requires_grad
    assert te.is_grad_enabled()


def test_modes_end_with_an_error_too():
    x = leaf(1.0)
    with pytest.raises(ZeroDivisionError), te.no_grad():
        raise ZeroDivisionError
    assert (x * 2).requires_grad
    block = te.no_grad()
    with block, block:
        pass
    assert te.is_grad_enabled()


def test_each_thread_has_its_own_mode():
    x = leaf(1.0)
    inside, checked = threading.Event(), threading.Event()
    results = {}

    @te.no_grad()
    def predict():
        inside.set()
        checked.wait(10)
        results["predicting"] = (x * 2).requires_grad

    thread = threading.Thread(target=predict)
    thread.start()
    inside.wait(10)
    results["training"] = (x * 2).requires_grad
    checked.set()
    thread.join()
    assert results == {"predicting": False, "training": True}


def test_threads_differentiate_side_by_side():
    results = {}

    def work(i):
        x = leaf(float(i))
        for _ in range(50):
            x.zero_grad()
            (x * x * x).backward()
        results[i] = x.grad.item()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == {i: 3.0 * i * i for i in range(4)}


@pytest.mark.parametrize("block", [te.no_grad(), te.enable_grad(), te.detect_anomaly(), Observer()])
def test_what_runs_after_the_call_has_returned_is_not_decorated(block):
    async def fetch():
        await asyncio.sleep(0)

    async def stream():
        yield await fetch()

    def batches():
        yield 1

    for function in (fetch, stream, batches):
        with pytest.raises(DTypeError, match=rf"can't decorate {function.__name__}.*inside it"):
            block(function)
    with pytest.raises(DTypeError, match=r"no_grad.*generator"):
        te.no_grad(batches)


def test_a_gradient_that_is_recorded_under_no_grad_is_recorded_whole():
    x = leaf([2.0])
    y = (x * x * x).sum()  # x's gradient is a sum of three
    with te.no_grad():
        slope = te.grad(y, x, create_graph=True)
    assert te.grad(slope, x).item() == 12


def test_observers_see_every_operation_and_every_rule_and_nest():
    class Log(Observer):
        def __init__(self, label):
            self.label = label

        def forward(self, fn, inputs, params, result, node):
            rule = context.rule and context.rule.fn.name
            lines.append((self.label, fn.name, params, node is not None, rule))

        def backward(self, node, g, gradients):
            lines.append((self.label, "backward", node.fn.name, [dx is not None for dx in gradients]))

    lines = []
    x = leaf([1.0, 2.0])
    with Log("outer"):
        with Log("inner"):
            y = (x.detach() * x).sum(axis=0)
        te.maximum(x.detach(), 0)
        y.backward()
    y = x * 2
    assert lines == [
        ("outer", "multiply", {}, True, None),
        ("inner", "multiply", {}, True, None),
        ("outer", "sum", lines[2][2], True, None),
        ("inner", "sum", lines[2][2], True, None),
        ("outer", "maximum", {}, False, None),
        ("outer", "backward", "sum", [True]),
        ("outer", "backward", "multiply", [False, True]),
    ]
    assert lines[2][2]["axis"] == 0
    lines.clear()
    Log("recorded")(lambda: te.grad(te.sin(x).sum(), x, create_graph=True))()
    assert ("recorded", "cos", {}, True, "sin") in lines
    assert context.rule is None
    assert context.observers == ()


def test_an_observer_belongs_to_its_thread_and_ends_with_an_error():
    class Refuse(Observer):
        def forward(self, *event):
            raise ZeroDivisionError

    x = leaf(1.0)
    with pytest.raises(ZeroDivisionError), Refuse():
        x * 2
    with Refuse():
        thread = threading.Thread(target=lambda: results.append((x * 2).item()))
        results = []
        thread.start()
        thread.join()
    assert results == [2.0]
    assert (x * 2).item() == 2


# --- Refusals, in words ----------------------------------------------------------------------------------


def test_what_has_no_gradient_is_refused():
    x = leaf([1.0, 2.0])
    with pytest.raises(GradientError, match=r"shape \(2,\).*single number.*\.sum\(\)"):
        (x * 2).backward()
    with pytest.raises(GradientError, match=r"doesn't require a gradient.*no_grad\(\).*detach\(\)"):
        x.detach().sum().backward()
    with pytest.raises(ShapeError, match=r"\(2,\).*\(3,\)"):
        (x * 2).backward(np.ones(3))
    with pytest.raises(DTypeError, match="expected a Tensor"):
        te.backward([1.0])
    with pytest.raises(GradientError, match="2 outputs but 1 gradients"):
        te.backward([x * 1, x * 2], [np.ones(2)])


def test_an_error_names_operation_shapes_module_and_line():
    x, w = Tensor(np.ones((2, 3)), name="x"), leaf(np.ones((2, 4)), name="kernel")
    context.module = "encoder/dense_1"
    try:
        with pytest.raises(ShapeError) as caught:
            x @ w
        y = w * w
    finally:
        context.module = ""
    text = str(caught.value)
    assert "matmul" in text
    assert "(2, 3) float64 'x'" in text
    assert "(2, 4) float64 'kernel'" in text
    assert "in: encoder/dense_1" in text
    assert "test_autograd_modes.py:" in text
    assert "x @ w" in text
    assert "x1.T @ x2" in text
    in_place(w)
    with pytest.raises(
        GradientError, match=r"multiply in encoder/dense_1 \(line test_autograd_modes\.py:\d+\)"
    ):
        y.sum().backward()


@pytest.mark.parametrize("block", [te.no_grad(), te.detect_anomaly()])
def test_one_block_may_be_entered_by_several_threads_and_twice_by_one(block):
    x, entered, left, states = leaf([1.0]), threading.Event(), threading.Event(), []

    def state():
        return te.is_grad_enabled(), np.geterr()

    def work():
        before = state()
        with te.no_grad(), np.errstate(under="raise"):
            inside = state()
            with block:
                entered.set()
                left.wait(5)
            states.append(state() == inside)
        states.append(state() == before)

    before = state()
    thread = threading.Thread(target=work)
    with block, block:
        thread.start()
        entered.wait(5)
    left.set()
    thread.join()
    assert state() == before
    assert states == [True, True]
    assert (x * 2).requires_grad


def test_a_parameter_of_a_checkpoint_may_be_frozen_between_the_passes():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = te.checkpoint(lambda x: te.exp(x) * w, x).sum()
    w.requires_grad = False
    y.backward()
    np.testing.assert_allclose(x.grad.data, np.exp(x.data) * w.data)
    assert w.grad is None
    assert not w.requires_grad
