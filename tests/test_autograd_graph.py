"""The walk over the graph: depth, sharing, orders of derivative, memory."""

import gc
import math
import time
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import Function, Tensor
from tinygrad_edu.context import Observer, context
from tinygrad_edu.errors import DTypeError, GradientError
from tinygrad_edu.kernels._memory import empty


def leaf(values, **options):
    return Tensor(np.array(values, np.float64), requires_grad=True, **options)


# --- The shape of graphs ---------------------------------------------------------------------------------


def test_a_chain_of_100_000_additions():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1e-3
    y.backward()
    assert x.grad.item() == 1
    assert y.item() == pytest.approx(101)
    del y  # and such a chain can be let go of, without a deep recursion
    gc.collect()


def test_a_node_is_visited_once_however_many_paths_lead_to_it():
    x = leaf(1.0)
    y = x
    for _ in range(40):
        y = y + y  # 2⁴⁰ paths
    began = time.perf_counter()
    y.backward()
    assert x.grad.item() == 2.0**40
    assert time.perf_counter() - began < 5


def test_the_gradient_of_a_part_is_as_large_as_the_part():
    class Sizes(Observer):
        def backward(self, node, g, gradients):
            sizes.append(sum(len(dx) for dx in gradients if isinstance(dx, dict)))

    sizes = []
    x = leaf(np.arange(300.0))
    with Sizes():
        te.stack(te.unstack(x)).sum().backward()
    assert sizes == [0, 0, *[1] * 300, 0]  # and not 300 times 300, most of them nothing


def test_parts_that_are_used_often_or_never():
    x = leaf([2.0, 3.0, 5.0])
    a, b, c = te.unstack(x)
    loss = a * a + a * c
    for _ in range(2):
        assert [g and g.item() for g in te.grad(loss, [a, b, c], retain_graph=True, allow_unused=True)] == [
            9, None, 2,
        ]  # fmt: skip
    (slope,) = te.grad(loss, [x], create_graph=True)
    assert slope.tolist() == [9, 0, 2]
    assert te.grad((slope * slope).sum(), x).tolist() == [2 * (9 * 2 + 2), 0, 2 * 9]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.booleans()), min_size=1, max_size=30))
def test_any_graph_of_sums_and_products(steps):
    """Reverse mode equals forward mode, carried along by hand."""
    x = leaf(0.9)
    made, slopes = [x], [1.0]
    for i, j, product in steps:
        i, j = i % len(made), j % len(made)
        a, b = made[i], made[j]
        made.append(a * b * 0.5 if product else (a - b) + a)
        if product:
            slopes.append(0.5 * (slopes[i] * b.item() + a.item() * slopes[j]))
        else:
            slopes.append(2 * slopes[i] - slopes[j])
    assert te.grad(made[-1], x).item() == pytest.approx(slopes[-1], rel=1e-9, abs=1e-12)


def test_the_result_may_be_the_leaf_itself():
    x = leaf([1.0, 2.0])
    given_gradient = np.array([3.0, 4.0])
    x.backward(given_gradient)
    given_gradient[:] = 0
    assert x.grad.tolist() == [3.0, 4.0]
    assert te.grad(x, x, np.ones(2)).tolist() == [1.0, 1.0]


def test_several_outputs_add_up():
    x = leaf([1.0, 2.0])
    te.backward([(x * 2).sum(), x * 3], [None, np.array([1.0, 10.0])])
    assert x.grad.tolist() == [5.0, 32.0]
    assert te.grad([x * 2, x * 2], x, [np.ones(2), np.ones(2)]).tolist() == [4.0, 4.0]


# --- backward() and grad() -------------------------------------------------------------------------------


def test_grad_gives_what_backward_accumulates_and_leaves_grad_alone():
    x, w = leaf([[1.0, 2.0]]), leaf([[3.0], [4.0]])

    def loss():
        return te.tanh(x @ w).sum()

    dx, dw = te.grad(loss(), [x, w])
    assert x.grad is None
    assert w.grad is None
    loss().backward()
    np.testing.assert_array_equal(x.grad.data, dx.data)
    loss().backward()
    np.testing.assert_array_equal(w.grad.data, 2 * dw.data)
    w.zero_grad()
    assert w.grad is None


def test_grad_of_an_intermediate_result():
    x = leaf([1.0, 2.0])
    y = x * x
    z = te.exp(y)
    dz, dy, dx = te.grad(z.sum(), [z, y, x])
    np.testing.assert_allclose(dz.data, [1, 1])
    np.testing.assert_allclose(dy.data, z.data)
    np.testing.assert_allclose(dx.data, z.data * 2 * x.data)
    assert isinstance(te.grad(te.exp(x).sum(), x), Tensor)


def test_only_what_leads_to_the_wanted_inputs_runs():
    ran = []

    class Loud(Function):
        @staticmethod
        def forward(x, *, label):
            return x * 1

        @staticmethod
        def backward(g, label):
            ran.append(label)
            return g

    a, b = leaf(1.0), leaf(2.0)
    y = Loud.apply(a, label="a") * Loud.apply(b, label="b")
    te.grad(y, b)
    assert ran == ["b"]


def test_unused_inputs():
    x, y = leaf(1.0), leaf(2.0)
    with pytest.raises(GradientError, match=r"don't depend on input 1.*allow_unused=True"):
        te.grad(x * 2, [x, y])
    dx, dy = te.grad(x * 2, [x, y], allow_unused=True)
    assert dx.item() == 2
    assert dy is None
    with pytest.raises(GradientError, match=r"input 0.*requires_grad=True"):
        te.grad(x * 2, Tensor(1.0))


def test_a_gradient_has_the_shape_and_dtype_of_its_input():
    x32, x64 = Tensor([1.0, 2.0], requires_grad=True), leaf([3.0, 4.0])
    (x32 * x64).sum().backward()
    assert x32.grad.dtype == np.float32
    assert x64.grad.dtype == np.float64
    x32.zero_grad()
    x32.backward(Tensor(np.ones(2)))
    assert x32.grad.dtype == np.float32
    x32.zero_grad()
    te.maximum(x32, Tensor([1.0, 5.0])).backward(Tensor([1, 1]))  # whole numbers don't round the half off
    assert x32.grad.tolist() == [0.5, 0.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_no_gradient_shares_memory_with_anything(create_graph):
    x, y, z = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([5.0, 6.0])
    seed = np.ones(2)
    (te.reshape(x + y, (2, 1)).reshape(2) + z * x).backward(seed, create_graph=create_graph)
    arrays = [x.data, y.data, z.data, seed, x.grad.data, y.grad.data, z.grad.data]
    for i, a in enumerate(arrays):
        for b in arrays[i + 1 :]:
            assert not np.shares_memory(a, b)
    a, b = x * 1, x * 2
    da, db = te.grad((a + b).sum(), [a, b])
    assert not np.shares_memory(da.data, db.data)


def test_a_failed_pass_leaves_every_grad_as_it_was():
    class Fails(Function):
        @staticmethod
        def forward(x):
            return x * 1

        @staticmethod
        def backward(g):
            raise ZeroDivisionError

    x, y = leaf(1.0), leaf(2.0)
    (x * y).backward()
    loss = Fails.apply(x) + y * 3  # y's gradient arrives before the failure
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    assert x.grad.item() == 2
    assert y.grad.item() == 1
    assert context.recording
    assert context.module == ""


# --- Orders of derivative --------------------------------------------------------------------------------


def test_to_the_third_order():
    x = leaf([0.5, 1.5])
    order = [te.sin(x).sum()]
    for _ in range(3):
        order.append(te.grad(order[-1].sum(), x, create_graph=True))
    for k, expected in enumerate([np.cos(x.data), -np.sin(x.data), -np.cos(x.data)], start=1):
        np.testing.assert_allclose(order[k].data, expected, rtol=1e-12)


def test_a_hessian_by_differentiating_twice():
    x = leaf([1.0, 2.0, 3.0])
    (g,) = te.grad(x[0] ** 2 * x[1] + te.exp(x[2] * x[0]), [x], create_graph=True)
    rows = [te.grad(g[i], x, retain_graph=True).data for i in range(3)]
    e = math.exp(3)
    expected = [[4 + 9 * e, 2, e + 3 * e], [2, 0, 0], [e + 3 * e, 0, e]]
    np.testing.assert_allclose(rows, expected, rtol=1e-12)


def test_backward_with_create_graph_gives_gradients_that_can_be_differentiated():
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    assert te.grad(x.grad, x).item() == 18
    assert not te.grad(x**3, x).requires_grad


def test_a_gradient_penalty():
    w, x = leaf([1.0, -2.0]), leaf([0.5, 0.25])
    (slope,) = te.grad(te.tanh((w * x).sum()), [x], create_graph=True)
    (slope**2).sum().backward()
    t = np.tanh(0.0)
    # ‖w (1 - t²)‖² with t = tanh(w·x), differentiated in w by hand
    s = 1 - t**2
    np.testing.assert_allclose(w.grad.data, 2 * w.data * s**2 - 4 * t * s**2 * 5 * x.data, rtol=1e-12)


def test_the_gradient_of_the_output_takes_part_too():
    x, u = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    g = te.grad(x * x, x, u, create_graph=True)
    assert te.grad(g.sum(), u).tolist() == [2.0, 4.0]


# --- Memory, and graphs that were walked already ---------------------------------------------------------


def test_a_second_pass_needs_retain_graph():
    x = leaf([1.0, 2.0])
    y = te.concat([te.exp(x), x]).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(x.grad.data, 2 * (np.exp([1.0, 2.0]) + 1))
    with pytest.raises(GradientError, match=r"walked already.*Compute the loss again.*retain_graph=True"):
        y.backward()
    z = te.concat([x, x]).sum()  # also of operations that save no array
    z.backward()
    with pytest.raises(GradientError, match="walked already"):
        z.backward()


def test_memory_falls_while_the_walk_goes_on():
    alive = {}

    class Watch(Function):
        """See, when the walk gets here, whether what the later operation saved is gone."""

        @staticmethod
        def forward(x):
            return x * 1

        @staticmethod
        def backward(g):
            alive["in the walk"] = saved() is not None
            return g

    x = leaf(np.ones(1000))
    y = te.exp(Watch.apply(x))
    saved = weakref.ref(y.node.saved[0])
    y = y.sum()
    assert saved() is not None
    y.backward()
    assert alive["in the walk"] is False
    assert y.node is not None  # the graph itself is still there, to be drawn


def test_the_batch_is_let_go_of_too():
    x = leaf([1.0, 2.0])
    batch = Tensor(np.ones((1000, 2)))
    watch = weakref.ref(batch.data)
    loss = (batch * x).sum()
    loss.backward()
    del batch
    assert watch() is None
    assert [i.shape for i in loss.node.inputs[0].inputs] == [(1000, 2), (2,)]


def test_without_a_backward_pass_nothing_keeps_a_graph_alive():
    x = leaf(np.ones(10))
    y = te.exp(x)
    watch = weakref.ref(y.data)
    z = y.sum()
    assert watch() is not None
    gc.disable()  # no cycles: counting references is enough
    try:
        del y, z
        assert watch() is None
    finally:
        gc.enable()


def test_a_freed_graph_still_knows_that_two_operations_had_one_input():
    x, w = Tensor([1.0, 2.0], name="x"), leaf([3.0, 4.0])
    y = (x * w + x).sum()
    y.backward()
    add = y.node.inputs[0]
    assert add.inputs[1] is add.inputs[0].inputs[0]
    assert (add.inputs[1].name, add.inputs[1].shape) == ("x", (2,))


def test_what_is_no_tensor_is_refused_in_words():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    for wrong in (
        lambda: te.backward(1.0),
        lambda: te.backward(None),
        lambda: te.grad(1.0, x),
        lambda: te.grad(y, None),
        lambda: te.backward(x * x, ["a", "b"]),
    ):
        with pytest.raises(DTypeError):
            wrong()


# --- Sums in place ---------------------------------------------------------------------------------------


class Repeat(Function):
    """Its rule gives both inputs, and whoever made g, the very same array."""

    broadcasts = True

    @staticmethod
    def forward(x1, x2):
        return x1 + x2

    @staticmethod
    def backward(g):
        return g, g


class Reshaped(Function):
    """Its rule gives a view of what it has made."""

    @staticmethod
    def forward(x):
        return x * 2

    @staticmethod
    def backward(g):
        return (g.reshape(-1) * 2).reshape(g.shape)


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=25
)


@given(STEPS, st.booleans())
def test_gradients_that_are_added_in_place_are_those_of_a_recorded_pass(steps, scalar):
    """On any graph: the recorded pass (``create_graph``) makes a new array for each sum."""
    shape = () if scalar else (2, 3)
    leaves = [leaf(np.full(shape, 0.5 + i)) for i in range(3)]
    values = list(leaves)
    for kind, i, j in steps:
        a, b = values[i % len(values)], values[j % len(values)]
        values.append(
            [lambda a, b: Repeat.apply(a, b) * 0.5, lambda a, b: te.sin(a * b), te.subtract,
             lambda a, b: Reshaped.apply(a) * 0.4][kind](a, b)
        )  # fmt: skip
    outputs = values[-3:]
    given_ = [np.linspace(1.0, 2.0, 6)[: y.size].reshape(y.shape) for y in outputs]
    before = [g.copy() for g in given_]
    want = te.grad(outputs, leaves, given_, create_graph=True, allow_unused=True)
    te.backward(outputs, given_)
    arrays = [x.grad.data for x in leaves if x.grad is not None]
    for x, g in zip(leaves, want, strict=True):
        if g is None:
            assert x.grad is None
        else:
            np.testing.assert_allclose(x.grad.data, g.data, rtol=1e-12, atol=1e-12)
    assert all(np.array_equal(a, b) for a, b in zip(given_, before, strict=True))
    for i, a in enumerate(arrays):
        assert a.flags.writeable
        assert not any(np.shares_memory(a, other) for other in (*arrays[:i], *given_))


def test_a_leaf_that_is_frozen_after_the_forward_pass_gets_no_gradient():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = (x * w + w).sum()
    w.requires_grad = False
    y.backward()
    assert w.grad is None
    assert x.grad.tolist() == [3.0, 4.0]


def test_a_fresh_gradient_is_handed_on_without_a_copy_and_its_view_too():
    made = []

    class Noted(Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def backward(g):
            made.append(g * 2)
            return made[-1].reshape(g.shape)

    for size in (2, 5000):  # a few numbers are copied sooner than it is found out whose they are
        x = leaf(np.ones(size))
        Noted.apply(x).sum().backward()
        assert np.array_equal(x.grad.data, made[-1])
        assert np.shares_memory(x.grad.data, made[-1]) == (size == 5000)


def test_no_attribute_of_a_tensor_is_missing():
    for x in (leaf(1.0), leaf(1.0) * 2, Tensor(1), Tensor(2.0).detach()):
        assert all(hasattr(x, name) for name in Tensor.__slots__)


def test_gradients_in_memory_that_is_handed_out_again_are_kept_apart():
    class Twice(Function):
        @staticmethod
        def forward(x1, x2):
            return x1 + x2

        @staticmethod
        def backward(g):
            made = empty(g.shape, g.dtype)  # its base is no array
            made[...] = g
            return made, made.reshape(-1).reshape(g.shape)

    x, y = leaf(np.ones((512, 512))), leaf(np.ones((512, 512)))
    assert empty(x.shape, x.dtype).base is not None
    Twice.apply(x, y).sum().backward()
    assert not np.shares_memory(x.grad.data, y.grad.data)
