"""Graphs of models: called once on an example or on zeros, drawn whole, and left as they were."""

import re
from collections import Counter

import numpy as np
import pytest
from graph_cases import drawn, leaf, mlp_loss

import tinygrad_edu as te
from tinygrad_edu import data, nn, viz
from tinygrad_edu.errors import ArgumentError, DTypeError, GradientError
from tinygrad_edu.viz.colours import Scale

pytestmark = pytest.mark.usefixtures("no_system_dot")


def small_vae():
    encoder = nn.Sequential([nn.Input((6,)), nn.Dense(5, "relu"), nn.Dense(4)])
    return nn.models.VAE(encoder, nn.Sequential([nn.Input((2,)), nn.Dense(6)]), seed=3)


def recurrent():
    return nn.Sequential([nn.Input((5,)), nn.Embedding(9, 3), nn.LSTM(4, stateful=False), nn.Dense(1)])


def frozen():
    model = nn.Sequential(
        [nn.Input((8, 8, 1)), nn.Rescaling(1 / 255), nn.Conv2D(4, 3), nn.BatchNormalization(), nn.Flatten()]
    )
    model.trainable = False
    return model


MODELS = {
    "mlp": (lambda: nn.models.mlp((4, 4), (3,), 2), None),
    "cnn": (lambda: nn.models.cnn((14, 14, 1), (2, 3), (5,)), None),
    "unet": (lambda: nn.models.UNet((16, 16, 1), 2, filters=(2, 4, 8), normalize=True), None),
    "xception": (lambda: nn.models.UNet((16, 16, 1), 2, filters=(2, 4), style="xception"), None),
    "vae": (small_vae, np.ones((2, 6))),
    "recurrent": (recurrent, None),
    "frozen": (frozen, None),
}


@pytest.fixture(params=MODELS)
def model_and_inputs(request):
    te.seed(0)
    make, inputs = MODELS[request.param]
    return make(), inputs


def test_all_weights_and_operations_are_in_the_picture_once(model_and_inputs):
    model, inputs = model_and_inputs
    graph = viz.graph(model, inputs)
    assert sum(box.parameters for box in graph.nodes) == model.count_params()
    drawn_weights = Counter(b.shape for b in graph.nodes if b.kind == "parameter")
    assert drawn_weights == Counter(w.shape for w in model.weights)
    # The numbers of an embedding's rows are an argument of the operation, and no input.
    inputs_drawn = int(not isinstance(model.layers[0] if hasattr(model, "layers") else None, nn.Embedding))
    assert [box.kind for box in graph.nodes if box.module == ""].count("input") == inputs_drawn
    nodes, edges, frames = drawn(graph.svg)
    assert set(nodes) == {box.id for box in graph.nodes}
    assert set(edges) == {arrow.id for arrow in graph.edges}
    assert len(frames) == len(graph.modules)


def test_each_layer_is_one_box_with_its_parameters_and_its_shape(model_and_inputs):
    model, inputs = model_and_inputs
    graph = viz.graph(model, inputs, depth=1)
    assert sum(box.parameters for box in graph.nodes) == model.count_params()
    children = {child.name: child for _, child in model.named_children()}
    boxes = {box.title: box for box in graph.nodes if box.kind == "module"}
    assert set(boxes) <= set(children)
    for name, box in boxes.items():
        assert box.parameters == children[name].count_params()
        if isinstance(model, nn.Sequential):
            assert box.shape[1:] == children[name].compute_output_shape(children[name].input_shape)[1:]
    assert set(drawn(graph.svg)[0]) == {box.id for box in graph.nodes}


def test_weights_are_called_as_their_layers_are_in_the_model():
    x = nn.Input((8, 8, 1))
    y = nn.Conv2D(2, 3)(nn.Conv2D(2, 3, name="first")(x))
    model = nn.Model(x, nn.BatchNormalization()(nn.Conv2D(2, 3)(y)))
    loss = model(te.Tensor(np.ones((1, 8, 8, 1), "f4"))).sum()
    for graph in (viz.graph(model), viz.graph(loss), viz.graph(loss, trace=True)):
        weights = [box for box in graph.nodes if box.kind == "parameter"]
        for box in weights:
            assert box.title.split("/")[-2] == box.module.split("/")[-1]
        assert {"first/kernel", "conv2d/kernel", "conv2d_1/kernel"} <= {box.title for box in weights}


def test_drawing_changes_nothing(model_and_inputs):
    model, inputs = model_and_inputs
    model.train()
    te.seed(5)
    x = np.ones((2, *(model.encoder if hasattr(model, "encoder") else model).input_shape[1:]))
    before = model.state_dict()
    flags = [(w.requires_grad, w.grad) for w in model.weights]
    expected = te.default_generator().bit_generator.state
    pictures = [viz.graph(model, inputs).dot for _ in range(2)]
    assert pictures[0] == pictures[1]
    assert te.default_generator().bit_generator.state == expected
    assert [(w.requires_grad, w.grad) for w in model.weights] == flags
    assert all(module.training for module in model.modules())
    for path, w in model.state_dict().items():
        np.testing.assert_array_equal(w, before[path])
    if hasattr(model, "sampling"):  # whose generator is its own
        first = small_vae().sampling([te.zeros((1, 2)), te.zeros((1, 2))])
        np.testing.assert_array_equal(model.sampling([te.zeros((1, 2)), te.zeros((1, 2))]).data, first.data)
    assert model(x).shape[0] == 2


def test_examples_in_every_form():
    a, b = nn.Input((2,), name="a"), nn.Input((3,), name="b")
    model = nn.Model({"a": a, "b": b}, nn.layers.concatenate([a, b]))
    graph = viz.graph(model, {"a": np.ones((4, 2)), "b": np.ones((4, 3))})
    assert {(box.title, box.shape) for box in graph.nodes if box.kind == "input"} == {
        ("a", (4, 2)),
        ("b", (4, 3)),
    }
    assert graph.nodes[-1].shape == (4, 5)
    assert viz.graph(model).nodes[-1].shape == (1, 5)

    class Sum(nn.Module):
        def call(self, x, y):
            return x + y

    graph = viz.graph(Sum(), (np.ones((2, 3)), te.Tensor(np.ones((2, 3)), name="y")))
    assert [box.title for box in graph.nodes] == ["input", "y", "add"]


def test_a_model_that_waits_for_its_first_batch_is_built_by_the_example():
    model = nn.Sequential([nn.Dense(3), nn.BatchNormalization()])
    with pytest.raises(ArgumentError, match=r"give an example of them: viz\.graph"):
        viz.graph(model)
    graph = viz.graph(model, np.ones((2, 4)))
    assert sum(box.parameters for box in graph.nodes) == model.count_params() == 15 + 12
    assert [w.requires_grad for w in model.weights] == [True] * 4 + [False] * 2


def test_inputs_of_open_shape_need_an_example():
    model = nn.models.UNet((None, None, 1), 2, filters=(2, 4))
    with pytest.raises(ArgumentError, match="open shape"):
        viz.graph(model)
    assert viz.graph(model, np.ones((1, 8, 8, 1))).nodes[-1].shape == (1, 8, 8, 2)


def test_lists_of_numbers_and_models_that_give_dicts_or_nothing():
    graph = viz.graph(nn.Dense(3), [[1.0, 2.0]])
    assert [(box.title, box.shape) for box in graph.nodes if box.kind == "input"] == [("input", (1, 2))]
    assert not any("result" in line for box in graph.nodes for line in box.lines)

    class Both(nn.Module):
        def call(self, x):
            return {"double": x * 2.0, "count": 3}

    assert [box.title for box in viz.graph(Both(), np.ones(2)).nodes if box.is_result] == ["multiply"]

    class Number(nn.Module):
        def call(self, x):
            return 3

    with pytest.raises(ArgumentError, match="number returned int, and no tensor"):
        viz.graph(Number(), np.ones(2))


def test_inputs_and_traces_are_refused_where_they_mean_nothing():
    with pytest.raises(ArgumentError, match="inputs are for a model"):
        viz.graph(leaf(2) * 2.0, np.ones(2))
    with pytest.raises(ArgumentError, match="give its loss"):
        viz.graph(nn.models.mlp(2), trace=True)
    with pytest.raises(DTypeError, match="trace must be True, False or a Trace, got str"):
        viz.graph(leaf(2) * 2.0, trace="yes")
    with pytest.raises(DTypeError, match="fold must name modules"):
        viz.graph(leaf(2) * 2.0, fold=3)
    with pytest.raises(DTypeError, match="or a model, got Dataset"):
        viz.graph(data.digits())


# -- gradients and values ----------------------------------------------------------------------------------


def test_after_backward_parameters_have_the_norms_of_their_gradients():
    loss = mlp_loss()
    assert all(box.gradient_norm is None for box in viz.graph(loss).nodes)
    assert "norm of the gradient" not in viz.graph(loss).svg
    model_weights = {b.title: None for b in viz.graph(loss).nodes if b.kind == "parameter"}
    tensors = {x.name: x for node in _nodes(loss) for x in node.inputs if getattr(x, "name", None)}
    loss.backward()
    graph = viz.graph(loss)
    found = {b.title: b.gradient_norm for b in graph.nodes if b.gradient_norm is not None}
    assert set(found) == set(model_weights)
    for name, norm in found.items():
        assert norm == pytest.approx(np.linalg.norm(tensors[name].grad.data), rel=1e-5)
    scale = Scale.of(graph)
    assert scale.high == max(found.values())
    assert scale.low <= min(found.values())
    assert {scale.fill(norm) for norm in found.values()} < set(re.findall('fill="(#[0-9a-f]{6})"', graph.svg))
    assert "norm of the gradient" in graph.svg
    # The legend is no box.
    assert set(drawn(graph.svg)[0]) == {box.id for box in graph.nodes}


def _nodes(loss):
    todo, seen = [loss.node], []
    while todo:
        node = todo.pop()
        seen.append(node)
        todo += [x for x in node.inputs if type(x).__name__ == "Node"]
    return seen


def test_colours_of_gradients_that_vanish_or_explode():
    w, v, u = (leaf(5, name=name) for name in "wvu")
    with np.errstate(all="ignore"):
        (w * 0.0 + v * 2.0 + u * 1e30 * 1e30).sum().backward()
    graph = viz.graph([w, v, u])
    norms = [box.gradient_norm for box in graph.nodes]
    assert norms[0] == 0
    assert norms[1] == pytest.approx(2 * 5**0.5)
    assert np.isnan(norms[2])
    assert graph.nodes[2].lines[-1] == "gradient has nan or inf"
    scale = Scale.of(graph)
    assert len({scale.fill(norm) for norm in [*norms, None]}) == 4
    assert "nan or inf" in graph.svg


def test_a_trace_puts_every_value_and_gradient_into_the_boxes():
    loss = mlp_loss()
    trace = te.trace_gradient(loss)
    graph = viz.graph(loss, trace=trace)
    for box in graph.nodes:
        step = trace[box.id]
        gradient = step.gradient
        if box.kind != "number":
            assert box.shape == (step.values[0] if box.kind == "operation" else step.value).shape
            expected = None if gradient is None else pytest.approx(gradient.final.norm)
            assert box.gradient_norm == expected
    assert viz.graph(loss, trace=True).nodes == graph.nodes
    folded = viz.graph(loss, depth=1, trace=True)
    assert folded.whole.nodes == graph.nodes


def test_values_and_gradients_are_those_of_the_computation():
    a, b = te.Tensor(2.0, requires_grad=True), te.Tensor([3.0, 4.0], requires_grad=True)
    product = a * b
    total = product.sum()
    boxes = {box.title: box.lines for box in viz.graph(total, trace=True).nodes}
    assert boxes == {
        "a = 2.0": ("gradient 7.0",),
        "b": ("(2,)", "2 parameters", "value [3, 4]", "gradient [2, 2]"),
        "multiply": ("(2,)", "product = [6, 8]", "gradient [1, 1]"),
        "sum": ("()", "total = 14.0", "gradient 1.0"),
    }


def test_a_trace_of_something_else_is_refused():
    with pytest.raises(ArgumentError, match="another computation"):
        viz.graph(mlp_loss(), trace=te.trace_gradient(mlp_loss()))
    loss = mlp_loss()
    loss.backward()
    with pytest.raises(GradientError, match="freed"):
        viz.graph(loss, trace=True)
