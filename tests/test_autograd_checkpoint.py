"""checkpoint: the same results and gradients as the plain call, in less memory."""

import gc
import tracemalloc

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Function, Tensor, checkpoint, nn
from tinygrad_edu.context import context
from tinygrad_edu.errors import DTypeError, GradientError, ShapeError


def leaf(values, **options):
    return Tensor(np.array(values, np.float64), requires_grad=True, **options)


def plain(function, *inputs):
    return function(*inputs)


def both(work):
    """Return what ``work(call)`` gives with checkpoint and without."""
    return work(checkpoint), work(plain)


def assert_same(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x.data, y.data)
        assert x.dtype == y.dtype


def block(x, w):
    return te.tanh(x @ w) * te.exp(-x).sum()


def test_results_and_gradients_are_the_same_bit_for_bit():
    x, w = leaf([[0.1, -0.2], [0.3, 0.4]]), leaf([[1.0, 0.5], [-0.5, 2.0]])

    def with_grad(call):
        y = call(block, te.sin(x), w)
        return [y, *te.grad(te.tanh(y).sum(), [x, w])]

    def with_backward(call):
        x.grad = w.grad = None
        te.tanh(call(block, te.sin(x), w)).sum().backward()
        return [x.grad, w.grad]

    assert_same(*both(with_grad))
    assert_same(*both(with_backward))
    y = checkpoint(block, x, w)
    assert (y.node.fn.name, y.requires_grad) == ("checkpoint", True)


def test_what_the_function_closes_over_gets_its_gradient():
    w, b = leaf([[1.0, 0.5], [-0.5, 2.0]]), leaf([0.1, 0.2])
    x = np.array([[0.1, -0.2], [0.3, 0.4]])  # no input requires a gradient

    def work(call):
        scale = te.exp(b)  # computed, outside
        y = call(lambda x: te.tanh(x @ w + b) * scale, x)
        return te.grad((y * y).sum(), [w, scale, b])

    assert_same(*both(work))


@pytest.mark.parametrize("order", [2, 3])
def test_gradients_of_gradients(order):
    x, w = leaf([[0.1, -0.2], [0.3, 0.4]]), leaf([[0.7, 0.5], [-0.5, 0.6]])

    def work(call):
        scale = te.exp(w)
        y = call(lambda x: te.tanh(x @ w) * scale, te.sin(x)).sum()
        found = []
        for _ in range(order):
            dx, dw = te.grad(y, [x, w], create_graph=True)
            found += [dx, dw]
            y = (dx * dw).sum()
        return found

    for a, b in zip(*both(work), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-11, atol=1e-13)


def test_with_the_transforms():
    w = leaf([0.5, -1.0])
    x, v = np.array([0.3, 0.7]), np.array([1.0, 2.0])

    def function(call):
        return lambda x: call(lambda x: te.sin(x * w) * te.exp(x).sum(), te.tanh(x))

    for transform in (
        lambda f: te.jacobian(f, x),
        lambda f: te.jvp(f, x, v)[1],
        lambda f: te.hessian(lambda x: f(x).sum(), x),
        lambda f: te.hvp(lambda x: f(x).sum(), x, v)[1],
    ):
        a, b = both(lambda call, t=transform: t(function(call)))
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12)
    # And inside a checkpoint.
    a, b = both(lambda call: te.grad(call(lambda u: te.jacobian(lambda x: te.sin(x * u), x), w).sum(), w))
    np.testing.assert_array_equal(a.data, b.data)


def test_nested():
    w = [leaf(np.random.default_rng(i).normal(size=(3, 3))) for i in range(4)]
    x = leaf(np.ones((2, 3)))

    def work(call):
        def pair(x, i):
            return call(lambda x: te.tanh(te.tanh(x @ w[i]) @ w[i + 1]), x)

        y = call(lambda x: te.sin(pair(te.sin(pair(x, 0)), 2)), x)
        return [y, *te.grad(y.sum(), [x, *w])]

    assert_same(*both(work))


def test_several_results():
    x = leaf([0.5, 1.5])

    def work(call):
        a, b, n, c, same = call(lambda x: (te.exp(x), te.sin(x) * 2, te.argmax(x), Tensor([1.0]), x), x)
        assert n.item() == 1
        assert not n.requires_grad
        assert not c.requires_grad
        return [
            *te.grad((a * b).sum(), [x, a], retain_graph=True),
            te.grad(b.sum(), x, retain_graph=True),  # with one result alone
            te.grad((same * same).sum(), x),
        ]

    assert_same(*both(work))
    assert isinstance(checkpoint(lambda x: [te.exp(x)], x), tuple)

    def mixed(call):
        y32, y64 = call(lambda x: (te.astype(x, "float32") * 3, x * x), x)
        return te.grad((te.exp(y32).astype("float64") + y64).sum(), [x])

    assert_same(*both(mixed))


class Dropped(nn.Module):
    def __init__(self):
        self.first, self.drop, self.second = nn.Dense(8), nn.Dropout(0.5), nn.Dense(8)
        self(np.zeros((1, 8), np.float32))  # builds the layers

    def call(self, x):
        return self.second(self.drop(te.tanh(self.first(x))))


def test_dropout_draws_the_same_masks_and_the_generator_goes_on():
    te.seed(3)
    model = Dropped().train()
    x = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)

    def work(call):
        te.seed(5)
        h = call(model, Tensor(x))
        h = call(model, h)
        after = Tensor(te.default_generator().random(3))
        gradients = te.grad((h * h).sum(), model.parameters())
        return [h, after, *gradients, Tensor(te.default_generator().random(3))]

    checkpointed, direct = both(work)
    assert_same(checkpointed[:2], direct[:2])
    np.testing.assert_array_equal(checkpointed[-1].data, direct[-1].data)
    for a, b in zip(checkpointed[2:-1], direct[2:-1], strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-4, atol=1e-6)  # added up in another order


@pytest.mark.parametrize("by", ["train", "mode", "argument"])
def test_the_modes_are_those_of_the_first_run(by):
    te.seed(3)
    model = Dropped()
    x = Tensor(np.ones((4, 8), np.float32))

    def work(call):
        te.seed(5)
        if by == "train":
            y = call(model.train(), x)
            model.eval()
        elif by == "mode":
            with model.mode(training=True):
                y = call(model, x)
        else:
            y = call(lambda x: model(x, training=True), x)
        assert (y.data != model(x).data).any()
        return [y, *te.grad((y * y).sum(), model.parameters())]

    assert_same(*both(work))
    assert not model.training


def test_a_layer_that_keeps_statistics_can_tell_the_second_run():
    x = leaf([1.0])
    runs = []

    def counts(x):
        runs.append(context.again)
        return te.exp(x)

    y = checkpoint(lambda x: checkpoint(counts, x), x)
    assert runs == [False]
    y.sum().backward()
    assert runs == [False, True, True]
    assert not context.again


def test_the_record_names_module_and_line_of_the_first_run():
    te.seed(3)
    seen = []

    class Deep(nn.Module):
        def __init__(self):
            self.inner = Dropped()

        def call(self, x):
            return checkpoint(self.inner, x)

    class Look(te.context.Observer):
        def backward(self, node, g, gradients):
            seen.append((node.module, context.rule and context.rule.fn.name))

    y = Deep()(np.ones((1, 8), np.float32))
    with Look():
        y.sum().backward()
    assert ("deep/inner/first", "checkpoint") in seen
    assert seen[-1] == ("deep", None)  # the checkpoint itself, after what is inside
    assert y.node.where is not None
    assert "test_autograd_checkpoint.py" in str(te.context.source_line(y.node.where))


def test_hooks_outside_are_called_once_and_inside_in_the_second_run():
    x = leaf([1.0, 2.0])
    calls = []

    def inner(y):
        z = y * y
        z.register_hook(lambda g: calls.append("inside"))
        return z * x

    x.register_hook(lambda g: calls.append("leaf"))
    y = x * 2
    y.register_hook(lambda g: calls.append("outside"))
    checkpoint(inner, y).sum().backward()
    assert calls == ["inside", "outside", "leaf"]


def peak(work):
    work()  # what is imported or compiled at first isn't counted
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_peak_of_memory_falls():
    w = leaf(np.ones(50_000))

    def segment(x):
        for _ in range(8):
            x = te.sin(x * w)
        return x

    def work(call):
        x = w
        for _ in range(8):
            x = call(segment, x)
        x.sum().backward()

    checkpointed, direct = both(lambda call: peak(lambda: work(call)))
    array = 50_000 * 8
    assert direct > 64 * array  # each of 64 steps keeps a product, and its factor
    assert checkpointed < 40 * array  # 8 inputs, and one segment's 16


def test_memory_is_freed_by_the_walk_and_a_second_one_refused():
    x = leaf(np.ones(3))
    y = checkpoint(te.exp, x * 2).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(x.grad.data, 4 * np.exp(2) * np.ones(3))
    with pytest.raises(GradientError, match="walked already"):
        y.backward()


def test_without_a_tape_it_is_the_plain_call():
    x = leaf([1.0])
    with te.no_grad():
        assert not checkpoint(te.exp, x).requires_grad
        assert checkpoint(lambda x: 5, x) == 5
    assert checkpoint(te.exp, Tensor([1.0])).node is None
    assert [y.node for y in checkpoint(lambda x: (x, x * 2), Tensor([1.0]))] == [None, None]


def test_only_what_is_wanted_is_computed_and_nothing_beyond():
    ran = []

    class Loud(Function):
        @staticmethod
        def forward(x, *, label):
            return x * 1

        @staticmethod
        def backward(g, label):
            ran.append(label)
            return g

    x, w = leaf([1.0]), leaf([2.0])
    outside = Loud.apply(x, label="outside")
    y = checkpoint(lambda u: Loud.apply(u, label="u") * Loud.apply(w, label="w"), outside)
    assert te.grad(y.sum(), w).tolist() == [1.0]
    assert ran == ["w"]


# --- Refusals --------------------------------------------------------------------------------------------


def test_a_variable_that_was_rebound_in_a_loop_is_noticed():
    x = leaf([1.0, 2.0])
    layers = [leaf([1.0, 1.0]), leaf([1.0, 1.0])]  # equal values: only the tensors tell them apart
    y = x
    for w in layers:
        y = checkpoint(lambda y: te.sin(y * w), y)  # noqa: B023
    with pytest.raises(
        GradientError, match=r"line test_autograd_checkpoint\.py.*something else.*layer=layer"
    ):
        y.sum().backward()
    assert x.grad is None
    y = x
    for w in layers:
        y = checkpoint(lambda y, w=w: te.sin(y * w), y)
    y.sum().backward()
    assert all(w.grad is not None for w in layers)


def test_other_changes_are_noticed():
    x = leaf([1.0, 2.0])
    own = np.random.default_rng(0)
    mask, sizes = np.ones(2), [1]
    results = [
        checkpoint(lambda x: x * own.random(2), x).sum(),
        checkpoint(lambda x: x * mask, x).sum(),
        checkpoint(lambda x: tuple([x.sum() for _ in sizes]), x)[0],
    ]
    mask[0] = 0
    sizes.append(2)
    for y in results:
        with pytest.raises(GradientError, match="something else"):
            y.backward()
    w = leaf([1.0, 2.0], name="kernel")
    y = checkpoint(lambda x: x * w, x).sum()
    w.data -= 0.5
    with pytest.raises(GradientError, match=r"kernel \(2,\) was changed in place.*optimizer\.step"):
        y.backward()


def test_errors_inside_leave_everything_as_it_was():
    te.seed(1)
    x = leaf(np.ones((2, 3)))
    runs = []

    def fails_later(x):
        runs.append(te.default_generator().random())
        if len(runs) == 2:
            raise ZeroDivisionError
        return te.exp(x)

    y = checkpoint(fails_later, x).sum()
    state = te.default_generator().bit_generator.state
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert runs[0] == runs[1]
    assert te.default_generator().bit_generator.state == state
    assert (context.modes, context.rule, context.module, x.grad) == ({}, None, "", None)
    with pytest.raises(ShapeError, match="matmul"):
        checkpoint(lambda x: x @ x, x)
    with pytest.raises(DTypeError, match="must return Tensors, not float"):
        checkpoint(lambda x: 1.0, x)


def test_results_that_are_not_finite_are_compared_too():
    q, mask = leaf([1.0, 2.0, 3.0]), np.array([True, False, True])
    y = checkpoint(lambda z: te.where(mask, z, -np.inf), q)
    with np.errstate(all="raise"):
        y[0].backward()
    assert q.grad.tolist() == [1.0, 0.0, 0.0]
    for changed in (np.array([True, True, True]), np.array([False, False, True])):
        mask = np.array([True, False, True])
        y = checkpoint(lambda z: te.where(mask, z, -np.inf), q)  # noqa: B023
        mask = changed
        with pytest.raises(GradientError, match="something else"):
            y[0].backward()
