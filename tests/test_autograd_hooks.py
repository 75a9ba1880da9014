"""Hooks on gradients: when they are called, with what, and what they may return."""

import copy
import gc
import weakref

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Function, Tensor, nn
from tinygrad_edu.errors import GradientError


def leaf(values):
    return Tensor(np.array(values, np.float64), requires_grad=True)


class Split(Function):
    """Several results."""

    @staticmethod
    def forward(x):
        return x[:1] * 2, x[1:] * 3

    @staticmethod
    def backward(g):
        return te.concat([g[0] * 2, g[1] * 3])


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_hook_sees_the_whole_gradient_once(create_graph):
    x = leaf([1.0, 2.0])
    y = x * x
    seen = []
    x.register_hook(lambda g: seen.append(("x", g)))
    y.register_hook(lambda g: seen.append(("y", g)))
    loss = (y + y * 2 + x).sum()  # two ways into y, two into x
    loss.backward(create_graph=create_graph)
    assert [(name, g.tolist()) for name, g in seen] == [("y", [3.0, 3.0]), ("x", [7.0, 13.0])]
    assert all(isinstance(g, Tensor) for _, g in seen)
    assert seen[1][1].requires_grad == create_graph
    if create_graph:
        assert te.grad(seen[1][1].sum(), x).tolist() == [6.0, 6.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_replacement_flows_on_and_is_what_grad_returns_and_backward_adds(create_graph):
    x = leaf([1.0, 2.0])
    x.grad = Tensor(np.array([100.0, 100.0]))

    def loss():
        y = x * x
        y.register_hook(lambda g: g * 10)
        return (y * 3).sum(), y

    with x.register_hook(lambda g: g + 1):
        z, y = loss()
        dx, dy = te.grad(z, [x, y], create_graph=create_graph)
        assert dy.tolist() == [30.0, 30.0]
        assert dx.tolist() == [61.0, 121.0]
        loss()[0].backward(create_graph=create_graph)
    assert x.grad.tolist() == [161.0, 221.0]
    assert te.grad(loss()[0], x).tolist() == [60.0, 120.0]  # removed at the end of the block
    if create_graph:
        assert te.grad(dx.sum(), x).tolist() == [60.0, 60.0]


def test_hooks_run_in_the_order_of_their_registration_and_may_be_removed():
    x = leaf([1.0])
    first = x.register_hook(lambda g: g + 1)
    second = x.register_hook(lambda g: g * 10)
    assert te.grad(x * 1, x, np.ones(1)).tolist() == [20.0]
    first.remove()
    assert te.grad(x * 1, x, np.ones(1)).tolist() == [10.0]
    first.remove()
    second.remove()
    assert te.grad(x * 1, x, np.ones(1)).tolist() == [1.0]
    once = x.register_hook(lambda g: once.remove())  # also while it runs
    x.register_hook(lambda g: g * 2)
    assert te.grad(x * 1, x, np.ones(1)).tolist() == [2.0]
    assert te.grad(x * 1, x, np.ones(1)).tolist() == [2.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_parts_of_an_operation_with_several_results(create_graph):
    x = leaf([1.0, 2.0, 3.0])
    a, b = Split.apply(x)
    seen = []
    a.register_hook(lambda g: seen.append(g.tolist()))
    b.register_hook(lambda g: g * 0)
    dx, da, db = te.grad((a + a).sum() + b.sum(), [x, a, b], create_graph=create_graph, retain_graph=True)
    assert seen == [[2.0]]
    assert (dx.tolist(), da.tolist(), db.tolist()) == ([4.0, 0.0, 0.0], [2.0], [0.0, 0.0])
    te.grad(b.sum(), x)  # nothing flows into a
    assert len(seen) == 1


def test_outputs_leaves_that_are_outputs_and_branches_that_are_not_walked():
    x, w = leaf([1.0, 2.0]), leaf([1.0, 1.0])
    called = []
    y = (x * w).sum()
    y.register_hook(lambda g: called.append("y"))
    x.register_hook(lambda g: called.append("x"))
    w.register_hook(lambda g: called.append("w"))
    te.grad(y, w)
    assert called == ["y", "w"]
    assert te.grad(x, x, np.ones(2)).tolist() == [1.0, 1.0]
    assert called == ["y", "w", "x"]


def test_what_the_hook_holds_shares_no_memory_with_gradients():
    x = leaf([1.0, 2.0])
    kept = []
    mine = Tensor(np.ones(2))
    x.register_hook(lambda g: kept.append(g))
    x.register_hook(lambda g: mine)
    (x + 0).backward(np.ones(2))
    x.grad.data[:] = 7
    assert mine.tolist() == kept[0].tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        kept[0].data[:] = 3


def test_a_hook_is_recorded_only_with_create_graph():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    made = []
    x.register_hook(lambda g: made.append(g * w))
    te.grad((x * x).sum(), x)
    te.grad((x * x).sum(), x, create_graph=True)
    assert [m.requires_grad for m in made] == [False, True]
    y = (x * x).sum()
    with te.no_grad():
        te.grad(y, x, create_graph=True)
        assert not te.is_grad_enabled()
    assert made[2].requires_grad


def test_a_bad_replacement_is_refused_and_nothing_has_changed():
    x = leaf([1.0, 2.0])

    def clip(g):
        return returned[-1]

    returned = []
    for result, words in (
        (Tensor(np.ones(3)), r"clip returned a gradient \(3,\) float64 .* \(2,\) float64"),
        (Tensor([1.0, 2.0]), r"clip returned a gradient \(2,\) float32 .* \(2,\) float64"),
        (np.ones(2), "clip returned ndarray; return a Tensor"),
    ):
        returned.append(result)
        y = x * x
        for hooked in (x, y):
            with hooked.register_hook(clip), pytest.raises(GradientError, match=words):
                (y + 0).sum().backward(retain_graph=True)
    assert x.grad is None


def test_what_has_no_gradient_has_no_hooks():
    for x in (Tensor([1.0]), leaf([1.0]).detach()):
        with pytest.raises(GradientError, match=r"register_hook.*requires_grad=True"):
            x.register_hook(print)
    with pytest.raises(GradientError, match="expected a function"):
        leaf([1.0]).register_hook(None)


def test_hooks_on_parameters_in_fit():
    te.seed(0)
    model = nn.Sequential([nn.Input((2,)), nn.Dense(3, name="frozen"), nn.Dense(1)])
    kernel = dict(model.named_parameters())["frozen/kernel"]
    before = kernel.data.copy()
    kernel.register_hook(lambda g: g * 0)
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 2)), np.zeros((8, 1)), epochs=2, verbose=0)
    np.testing.assert_array_equal(kernel.data, before)


def test_a_copy_has_none_of_the_hooks():
    x = leaf([1.0])
    x.register_hook(lambda g: g * 2)
    other = copy.deepcopy(x)
    assert te.grad(x * 1, x).tolist() == [2.0]
    assert te.grad(other * 1, other).tolist() == [1.0]


def test_a_hook_keeps_no_graph_alive():
    x = leaf(np.ones(10))
    y = te.exp(x)
    handle = y.register_hook(lambda g: None)
    watch = weakref.ref(y.data)
    gc.disable()
    try:
        del y
        assert watch() is None
    finally:
        gc.enable()
    handle.remove()


def test_a_hook_and_what_it_holds_go_with_their_tensor():
    held = leaf(np.ones(10))
    watch = weakref.ref(held)
    gc.disable()
    try:
        x = leaf([1.0])
        handle = x.register_hook(lambda g, held=held: None)
        del held, handle
        assert watch() is not None
        del x
        assert watch() is None
    finally:
        gc.enable()
