"""The record of a gradient: the numbers of the pass that ``te.grad`` makes, and where each comes from."""

import numpy as np
import pytest
from graph_cases import inside, leaf, mlp_loss, tape
from hypothesis import given, settings
from hypothesis import strategies as st
from operations_table import DIFFERENTIABLE, TABLE, call_of, cases, is_float

import tinygrad_edu as te
from tinygrad_edu import Tensor, nn, viz
from tinygrad_edu.errors import ArgumentError, DTypeError, GradientError
from tinygrad_edu.function import Node
from tinygrad_edu.tracing import Leaf, Numbers, Step


def same(a, b):
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


def check(trace, outputs, leaves, gradients=None):
    """Hold a trace against te.grad, and its parts against one another."""
    expected = te.grad(outputs, leaves, gradients, allow_unused=True, retain_graph=True)
    found = {id(x): None for x in leaves}
    by_value = {x.id: x for x in trace.leaves}
    assert len(by_value) + len(trace.steps) == len({*by_value, *(s.id for s in trace.steps)})
    parameters = [x for x in trace.leaves if x.kind == "parameter"]
    names = [x.name for x in parameters]
    assert len(set(names)) == len(names)
    for x, g in zip(leaves, expected, strict=True):
        mine = [p for p in parameters if p.name == x.name]
        if not mine:
            assert g is None
            continue
        assert same(mine[0].value.array, x.data)
        if g is None:
            assert mine[0].gradient is None
        else:
            assert same(mine[0].gradient.final.array, g.data)
        found[id(x)] = mine[0]
    for thing in (*trace.steps, *parameters):
        several = thing.gradients if isinstance(thing, Step) else (thing.gradient,)
        for gradient in several:
            if gradient is not None and None not in gradient.parts and not gradient.hooked:
                parts = [trace.part(source).array for source in gradient.parts]
                total = parts[0]
                for part in parts[1:]:
                    total = total + part
                assert same(np.asarray(total), gradient.total.array)
    for step in trace.steps:
        for x in step.inputs:
            if x.gradient is not None:
                assert x.gradient.shape == trace.value(x).shape
                stretched = np.prod([x.raw_shape[axis] for axis in x.summed_axes], dtype=int)
                if x.raw_shape is not None:
                    assert np.prod(x.raw_shape) == stretched * x.gradient.size
    assert [s.id for s in trace.walked()] == list(trace.backward)
    orders = [s.order for s in trace.walked()]
    assert orders == sorted(orders, reverse=True)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_every_operation(name):
    @given(st.data())
    @settings(max_examples=settings().max_examples // 2)
    def run(data):
        case = data.draw(cases(name))
        inputs = [
            Tensor(x, requires_grad=True, name=f"t{i}") if is_float(x) else x
            for i, x in enumerate(case.inputs)
        ]
        leaves = [x for x in inputs if isinstance(x, Tensor)]
        results = call_of(name)(*inputs, **case.params)
        results = results if isinstance(results, tuple) else (results,)
        results = [y for y in results if y.requires_grad]
        if not results:
            return
        rng = np.random.default_rng(0)
        us = [rng.standard_normal(y.shape) for y in results]
        trace = te.trace_gradient(results, us)
        check(trace, results, leaves, us)
        for id, y in zip(trace.outputs, results, strict=True):
            assert same(trace[id].value.array, y.data)
        nodes, _, arrows = tape(*results)
        assert len(trace.steps) == len(nodes)
        assert sum(len(s.inputs) for s in trace.steps) == arrows

    assert TABLE[name]
    run()


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=30)
)
def test_any_graph(steps):
    """Sums and products of what is there already, of several shapes: many ways split and meet."""
    rng = np.random.default_rng(len(steps))
    leaves = [
        Tensor(rng.standard_normal(shape).astype("f4"), requires_grad=True, name=f"t{i}")
        for i, shape in enumerate([(), (3,), (2, 1), (2, 3)])
    ]
    made = list(leaves)
    for i, j, kind in steps:
        x, y = made[i % len(made)], made[j % len(made)]
        made.append([lambda x, y: x + y, lambda x, y: x * y, te.maximum, lambda x, y: te.sin(x)][kind](x, y))
    loss = sum(y.sum() for y in made)
    check(te.trace_gradient(loss), loss, leaves)
    before = [x.grad for x in leaves]
    assert before == [None] * 4
    loss.backward()  # nothing was freed


def test_the_ids_are_those_of_the_picture():
    loss = mlp_loss()
    boxes = {box.id: box for box in viz.graph(loss).nodes}
    trace = te.trace_gradient(loss, keep=10)
    assert {x.id for x in (*trace.steps, *trace.leaves)} == set(boxes)
    for step in trace.steps:
        assert boxes[step.id].title == step.operation
    for x in trace.leaves:
        assert boxes[x.id].kind == x.kind


def test_what_a_step_tells():
    x = Tensor(np.arange(12, dtype="f4").reshape(4, 3))
    W, b = leaf(3, 2), leaf(2)
    h = inside("net/dense", lambda: x @ W + b)
    loss = (h * h).sum()
    trace = te.trace_gradient(loss)
    matmul, add, multiply, total = trace.steps
    assert [s.operation for s in trace.steps] == ["matmul", "add", "multiply", "sum"]
    assert [s.name for s in trace.steps] == ["", "h", "", "loss"]
    assert [x.name for x in trace.leaves] == ["x", "W", "b"]
    assert [x.kind for x in trace.leaves] == ["input", "parameter", "parameter"]
    assert trace.leaves[0].gradient is None
    assert matmul.module == "net/dense"
    assert "x @ W + b" in matmul.line.text
    assert matmul.saved == ("x1", "x2")
    assert total.saved == ("x_shape", "axis", "keepdims")
    assert total.params["keepdims"] is False
    assert (add.inputs[1].raw_shape, add.inputs[1].summed_axes) == ((4, 2), (0,))
    assert [len(multiply.gradient.parts), len(add.gradient.parts)] == [1, 2]
    assert same(add.gradient.final.array, 2 * h.data)
    assert trace.backward == (total.id, multiply.id, add.id, matmul.id)
    assert total.gradient.parts == (None,)
    with pytest.raises(ValueError, match="read-only"):
        add.value.array[0, 0] = 1
    by_hand = te.trace_gradient(loss, names={"weights": W})
    assert [x.name for x in by_hand.leaves] == ["", "weights", ""]


def test_slopes_of_single_numbers():
    a, b = Tensor(3.0, requires_grad=True), Tensor(0.0, requires_grad=True)
    steps = te.trace_gradient(te.sin(a * b) * b + te.ones((2,)).sum()).steps
    assert [x.slope for x in steps[0].inputs] == [0, 3]
    assert steps[1].inputs[0].slope == 1
    assert steps[1].gradient.final.array == 0  # which can't be divided by
    assert te.trace_gradient((te.ones(2) * a).sum()).steps[0].inputs[1].slope is None


def test_several_results_and_unused_ones():
    a = np.random.default_rng(0).standard_normal((3, 3))
    x = Tensor(a + a.T, requires_grad=True, name="x")
    values, _ = te.linalg.eigh(x)
    loss = (values * values).sum()
    trace = te.trace_gradient(loss)
    check(trace, loss, [x])
    eigh = next(s for s in trace.steps if s.several)
    assert [g is None for g in eigh.gradients] == [False, True]
    assert [v.shape for v in eigh.values] == [(3,), (3, 3)]


def test_hooks_are_called_and_what_they_replace_is_told():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = x * 3
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    trace = te.trace_gradient((y + y).sum())
    gradient = trace.steps[0].gradient
    assert gradient.hooked
    assert (gradient.total.array.tolist(), gradient.final.array.tolist()) == ([2, 2], [20, 20])
    total, final = trace.leaves[0].gradient.total, trace.leaves[0].gradient.final
    assert (total.array.tolist(), final.array.tolist()) == ([60, 60], [61, 61])


def test_checkpoints_and_gradients_of_gradients():
    x = Tensor([0.5, 1.0], requires_grad=True, name="x")
    loss = te.checkpoint(lambda x: te.exp(te.sin(x)), x).sum()
    check(te.trace_gradient(loss), loss, [x])
    assert [s.operation for s in te.trace_gradient(loss).steps] == ["checkpoint", "sum"]
    slope = te.grad(te.exp(te.sin(x)).sum(), x, create_graph=True).sum()
    check(te.trace_gradient(slope), slope, [x])


def test_dropout_and_batch_statistics_are_as_they_were():
    te.seed(3)
    model = nn.Sequential(
        [nn.Input((6,)), nn.Dense(8), nn.BatchNormalization(), nn.Dropout(0.5), nn.Dense(1)]
    )
    model.train()
    loss = (model(np.random.default_rng(0).standard_normal((5, 6)).astype("f4")) ** 2).mean()
    buffers = [b.data.copy() for _, b in model.named_buffers()]
    state = te.default_generator().bit_generator.state
    trace = te.trace_gradient(loss)
    assert te.default_generator().bit_generator.state == state
    assert all(same(b, now.data) for b, (_, now) in zip(buffers, model.named_buffers(), strict=True))
    expected = te.grad(loss, model.parameters())
    found = {x.name: x.gradient.final.array for x in trace.leaves if x.kind == "parameter"}
    assert len(found) == len(expected)
    for w, g in zip(model.parameters(), expected, strict=True):
        assert same(found[w.name], g.data)


def test_numbers_that_are_lost_are_not_made_up():
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    loss = (w * w).sum()
    loss.backward()
    with pytest.raises(GradientError, match=r"walked already.*before backward\(\).*retain_graph"):
        te.trace_gradient(loss)
    loss = (w + 1).sum()  # its rule needs no value, but the record does
    w.data -= 1
    with pytest.raises(GradientError, match=r"w \(2,\) was changed in place.*optimizer\.step"):
        te.trace_gradient(loss)
    x = np.array([1.0, 2.0], np.float32)
    loss = (w * Tensor(x)).sum()
    x[1] = 5.0
    with pytest.raises(GradientError, match="written into"):
        te.trace_gradient(loss)
    with pytest.raises(GradientError, match="doesn't require a gradient"):
        te.trace_gradient(Tensor(1.0))
    with pytest.raises(DTypeError, match="expected a Tensor"):
        te.trace_gradient([1.0])
    with pytest.raises(GradientError, match=r"shape \(2,\)"):
        te.trace_gradient(w * 2)
    with pytest.raises(ArgumentError, match="keep must be at least 1"):
        te.trace_gradient((w * 2).sum(), keep=0)


def test_the_loss_may_be_the_leaf_itself():
    x = Tensor(2.0, requires_grad=True)
    trace = te.trace_gradient(x)
    assert trace.steps == ()
    assert isinstance(trace[trace.outputs[0]], Leaf)
    assert trace.leaves[0].gradient.final.array == 1


@given(st.lists(st.integers(0, 9), max_size=4).map(tuple), st.integers(1, 50))
def test_abridged_numbers(shape, keep):
    x = np.random.default_rng(1).standard_normal(shape)
    numbers = Numbers.of(x, keep)
    assert numbers.array.size <= keep
    assert numbers.array.ndim == len(shape)
    assert same(numbers.array, x[tuple(slice(n) for n in numbers.array.shape)])
    assert numbers.whole == (x.size <= keep)
    assert numbers.shape == shape
    if x.size:
        assert (numbers.low, numbers.high) == (x.min(), x.max())
        np.testing.assert_allclose([numbers.mean, numbers.norm], [x.mean(), np.sqrt((x * x).sum())])
    if x.size > 1:
        assert sum(numbers.histogram) == x.size


def test_numbers_that_are_none():
    numbers = Numbers.of(np.array([np.nan, np.inf, 0.0, -1.0]))
    assert (numbers.strange, numbers.zeros, numbers.low, numbers.high) == (2, 1, -1.0, 0.0)
    assert Numbers.of(np.array([True, False])).zeros == 1
    assert np.isnan(Numbers.of(np.zeros((0, 3))).mean)
    assert sum(Numbers.of(np.array([0.0, 5e-324, 1e-300])).histogram) == 3
    assert Numbers.of(np.array([1e308, -1e308])).histogram == (1, *[0] * 30, 1)


def test_a_large_trace_is_bounded():
    loss = mlp_loss()
    trace = te.trace_gradient(loss, keep=64)
    arrays = [v.array for s in trace.steps for v in s.values] + [x.value.array for x in trace.leaves]
    assert max(a.size for a in arrays) <= 64
    assert all(a.base is None for a in arrays)
    first = next(x for x in trace.leaves if x.name.endswith("kernel"))
    assert first.gradient.final.shape == (784, 64)
    assert not any(isinstance(x, Node | Tensor) for s in trace.steps for x in s.params.values())
