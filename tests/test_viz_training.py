"""Pictures of the training: gradients, updates, outputs and paths are those that plain NumPy finds."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

import tinygrad_edu as te
from tinygrad_edu import nn, viz
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, FileError, GradientError, ShapeError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)).astype(np.float32), RNG.normal(size=(40, 1)).astype(np.float32)


def made(activation="tanh", **options):
    te.seed(0)
    model = nn.Sequential([nn.Input((3,)), nn.Dense(4, activation=activation, **options), nn.Dense(1)])
    model.compile(nn.optimizers.SGD(0.1), "mse")
    return model


def length(arrays):
    return np.sqrt(sum((np.asarray(a, np.float64) ** 2).sum() for a in arrays))


# --- LayerWatch ------------------------------------------------------------------------------------------


class Slow(nn.callbacks.Callback):
    """Finds the same numbers the long way: all weights before and after each step."""

    def __init__(self):
        self.norms, self.ratios = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.old = [w.numpy().copy() for w in self.model.layers[0].weights]

    def on_train_batch_end(self, batch, logs):
        weights = self.model.layers[0].weights
        self.norms.append(length([w.grad.numpy() for w in weights]))
        moved = [w.numpy() - old for w, old in zip(weights, self.old, strict=True)]
        self.ratios.append(length(moved) / length(self.old))


@pytest.mark.parametrize("every", [1, 3, 100])
def test_the_watch_notes_norms_and_ratios(every):
    model, watch, slow = made(), viz.LayerWatch(every), Slow()
    model.fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=[watch, slow])
    assert watch.steps == list(range(1, 16, every))
    np.testing.assert_allclose(watch.gradient_norms["dense"], slow.norms[::every], rtol=1e-5)
    np.testing.assert_allclose(watch.update_ratios["dense"], slow.ratios[::every], rtol=1e-4)
    assert list(watch.gradient_norms) == ["dense", "dense_1"]
    np.testing.assert_allclose(watch.learning_rates, 0.1)


def test_watching_changes_nothing():
    plain, watched = made(), made()
    plain.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    watched.fit(X, Y, epochs=2, verbose=0, shuffle=False, callbacks=viz.LayerWatch(1))
    for a, b in zip(plain.weights, watched.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_loop_of_ones_own_is_watched():
    model, watch = made(), viz.LayerWatch(every=1)
    optimizer = nn.optimizers.SGD(0.5, params=model.parameters())
    for _ in range(2):
        loss = ((model(te.Tensor(X)) - Y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        watch.before(model)
        optimizer.step()
        watch.after()
    norm, ratio = watch.gradient_norms["dense_1"][-1], watch.update_ratios["dense_1"][-1]
    before = [w.numpy() + 0.5 * w.grad.numpy() for w in model.layers[1].weights]
    assert ratio == pytest.approx(0.5 * norm / length(before), rel=1e-4)


def test_a_model_that_is_built_late_and_frozen_layers_are_watched():
    model = nn.Sequential([nn.Dense(2), nn.Dense(1)])
    model.compile("sgd", "mse")
    watch = viz.LayerWatch(every=1)
    model.fit(X, Y, epochs=1, verbose=0, callbacks=watch)
    assert np.isnan(watch.update_ratios["dense"][0])  # there was nothing before the first step
    assert np.isfinite(watch.update_ratios["dense"][1:]).all()
    model.layers[0].trainable = False
    model.fit(X, Y, epochs=1, verbose=0, callbacks=watch)
    assert len(watch.steps) == len(watch.update_ratios["dense"]) == len(watch.gradient_norms["dense_1"]) == 4
    assert np.isnan(watch.gradient_norms["dense"][2:]).all()


def test_the_history_of_layers_is_drawn():
    model, watch = made(), viz.LayerWatch(every=1)
    falling = nn.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[falling, watch])
    figure = viz.layer_history(watch, title="run")
    assert [panel.get_ylabel() for panel in figure.axes] == [
        "gradient norm",
        "update / weight",
        "learning rate",
    ]
    for panel, curves in zip(figure.axes, (watch.gradient_norms, watch.update_ratios), strict=False):
        drawn = {line.get_label(): line.get_data() for line in panel.get_lines()}
        for name, values in curves.items():
            np.testing.assert_array_equal(drawn[name], [watch.steps, values])
    np.testing.assert_allclose(figure.axes[2].get_lines()[0].get_ydata(), watch.learning_rates)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["dense", "dense_1"]


def test_watches_that_saw_nothing_are_refused():
    with pytest.raises(DataError, match="seen no step"):
        viz.layer_history(viz.LayerWatch())
    with pytest.raises(DTypeError, match="LayerWatch"):
        viz.layer_history({"loss": [1.0]})
    with pytest.raises(ArgumentError, match="every"):
        viz.LayerWatch(0)


# --- Gradient flow ---------------------------------------------------------------------------------------


def bars(panel, label):
    (container,) = [found for found in panel.containers if found.get_label() == label]
    return [bar.get_height() for bar in container]


def test_the_flow_is_that_of_the_losses_gradient():
    model = made()
    panel = viz.gradient_flow(model, X, Y).axes[0]
    assert all(w.grad is None for w in model.parameters())  # nothing is left behind
    ((model(te.Tensor(X)) - Y) ** 2).mean().backward()
    sizes = [np.concatenate([np.abs(w.grad.numpy()).ravel() for w in d.weights]) for d in model.layers]
    for found in (panel, viz.gradient_flow(model).axes[0]):
        np.testing.assert_allclose(bars(found, "mean |gradient|"), [s.mean() for s in sizes], rtol=1e-5)
        np.testing.assert_allclose(bars(found, "greatest |gradient|"), [s.max() for s in sizes], rtol=1e-5)


def test_gradients_that_are_none_are_marked():
    dead = made("relu", bias_initializer=nn.initializers.Constant(-1000.0))
    assert [t.get_text() for t in viz.gradient_flow(dead, X, Y).axes[0].texts] == ["0"]
    model = made()
    model.layers[1].bias.grad = te.Tensor([np.nan])
    assert [t.get_text() for t in viz.gradient_flow(model).axes[0].texts] == ["none", "NaN"]


def test_a_model_without_gradients_is_refused():
    with pytest.raises(GradientError, match=r"backward\(\) first"):
        viz.gradient_flow(made())
    with pytest.raises(GradientError, match="no loss"):
        viz.gradient_flow(nn.Sequential([nn.Input((3,)), nn.Dense(1)]), X, Y)
    with pytest.raises(DataError, match="nothing to learn"):
        viz.gradient_flow(nn.Sequential([nn.Flatten()]))
    with pytest.raises(DTypeError, match="model or layer"):
        viz.gradient_flow(lambda x: x)


# --- Activations -----------------------------------------------------------------------------------------


def test_histograms_hold_all_outputs():
    model = made()
    figure = viz.activations(model, X, bins=7)
    hidden = model.layers[0](te.Tensor(X)).numpy()
    outputs = (hidden, model.predict(X))
    for panel, output in zip(figure.axes, outputs, strict=True):
        counts = [bar.get_height() * output.size for bar in panel.patches]
        np.testing.assert_allclose(counts, np.histogram(output.astype(np.float64), 7)[0], atol=1e-6)
        assert panel.get_title(loc="left") == f"{output.mean():.2g} ± {output.std():.2g}"
    assert [panel.get_xlabel() for panel in figure.axes] == ["dense (tanh)", "dense_1"]


def test_dead_units_and_saturated_outputs_are_counted():
    model = made("relu")
    model.layers[0].bias.assign([-1000.0, 0.0, -1000.0, 0.0])
    assert viz.activations(model, X).axes[0].get_title(loc="right") == "2 of 4 dead"
    model = made("sigmoid")
    model.layers[0].kernel.assign(model.layers[0].kernel * 30)
    y = model.layers[0](te.Tensor(X)).numpy()
    share = np.mean(4 * y * (1 - y) < 0.05)
    assert 0 < share < 1
    assert viz.activations(model, X).axes[0].get_title(loc="right") == f"{share:.0%} saturated"


def test_constant_and_strange_outputs_are_drawn():
    model = made(kernel_initializer="zeros")
    panel = viz.activations(model, X[:1], layers="dense").axes[0]
    assert sum(bar.get_height() for bar in panel.patches) == pytest.approx(1)
    assert panel.get_title(loc="right") == "4 of 4 dead, 0% saturated"
    model.layers[1].bias.assign([np.inf])
    panel = viz.activations(model, X, layers=["dense_1"]).axes[0]
    assert panel.get_title(loc="right") == "40 NaN or infinite"


def test_a_convolutions_unit_is_a_channel():
    te.seed(0)
    model = nn.Sequential([nn.Input((6, 6, 1)), nn.Conv2D(3, 3, activation="relu"), nn.MaxPooling2D(2)])
    model.layers[0].bias.assign([-1000.0, 0.0, 0.0])
    figure = viz.activations(model, RNG.random((5, 6, 6, 1)))
    assert [panel.get_title(loc="right") for panel in figure.axes] == ["1 of 3 dead"]


def test_what_has_no_activations_is_refused():
    with pytest.raises(ArgumentError, match="did you mean 'dense_1'"):
        viz.activations(made(), X, layers="dense_2")
    with pytest.raises(DataError, match="empty"):
        viz.activations(made(), X[:0])
    with pytest.raises(DTypeError, match="model or layer"):
        viz.activations(np.tanh, X)
    with pytest.raises(ArgumentError, match="bins"):
        viz.activations(made(), X, bins=0)


# --- Surfaces and paths ----------------------------------------------------------------------------------


def bowl(x, y):
    return x**2 + 3 * y**2


def test_descent_on_a_bowl_is_the_one_by_hand():
    figure = viz.optimizer_paths(bowl, (1.5, -1.0), {"SGD": nn.optimizers.SGD(0.1)}, steps=8)
    at, expected = np.array([1.5, -1.0]), []
    for _ in range(9):
        expected.append(at)
        at = at - 0.1 * np.array([2, 6]) * at
    panel = figure.axes[0]
    np.testing.assert_allclose(panel.get_lines()[0].get_xydata(), expected, rtol=1e-6)
    assert panel.get_title(loc="right") == f"{bowl(*expected[-1]):.3g} after 8 steps"
    left, right = panel.get_xlim()
    assert left < min(p[0] for p in expected) < max(p[0] for p in expected) < right


def test_optimizers_walk_side_by_side_and_stay_as_they_are():
    adam = nn.optimizers.Adam(0.1)
    model = made()
    model.compile(adam, "mse")
    model.fit(X, Y, epochs=1, verbose=0)
    iterations, params = adam.iterations, list(adam.params)
    figure = viz.optimizer_paths(bowl, (1, 1), {"a": adam, "b": "rmsprop"}, steps=3)
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["a", "b"]
    assert adam.iterations == iterations
    assert all(p is q for p, q in zip(adam.params, params, strict=True))
    limits = {(panel.get_xlim(), panel.get_ylim()) for panel in figure.axes}
    assert len(limits) == 1


def test_a_path_that_diverges_says_so_and_hides_no_other():
    rates = {"small": nn.optimizers.SGD(0.05), "large": nn.optimizers.SGD(5.0)}
    figure = viz.optimizer_paths(bowl, (1.0, 1.0), rates, steps=30)
    assert figure.axes[0].get_title(loc="right").endswith("after 30 steps")
    assert figure.axes[1].get_title(loc="right").startswith("diverged in")
    assert figure.axes[0].get_xlim()[1] < 10


@pytest.mark.parametrize("kind", ["contour", "3d"])
def test_any_function_of_two_has_a_surface(kind):
    for function in (bowl, lambda x, y: 1.0, lambda x, y: float(x.item() > y.item()), lambda x, y: te.log(x)):
        viz.surface(function, kind=kind, resolution=8)


def test_functions_that_are_none_are_refused():
    with pytest.raises(DTypeError, match="expected a function"):
        viz.surface(3.0)
    with pytest.raises(ShapeError, match="one number"):
        viz.surface(lambda x, y: np.zeros(3), resolution=4)
    with pytest.raises(DataError, match="finite nowhere"):
        viz.surface(lambda x, y: x * np.nan, resolution=4)
    with pytest.raises(ArgumentError, match="x must go from"):
        viz.surface(bowl, x=(1, 1))
    with pytest.raises(ArgumentError, match="did you mean 'contour'"):
        viz.surface(bowl, kind="contours")
    with pytest.raises(ShapeError, match="a gradient"):
        viz.optimizer_paths(lambda x, y: 1.0, (0, 0))
    with pytest.raises(DataError, match="start must be"):
        viz.optimizer_paths(bowl, (0, np.nan))
    with pytest.raises(DataError, match="at the start"):
        viz.optimizer_paths(lambda x, y: te.log(x) + y, (0.0, 1.0))
    with pytest.raises(ArgumentError, match="unknown optimizer"):
        viz.optimizer_paths(bowl, (1, 1), {"a": "addam"})
    with pytest.raises(ArgumentError, match="no optimizer"):
        viz.optimizer_paths(bowl, (1, 1), {})
    with pytest.raises(ArgumentError, match="steps"):
        viz.optimizer_paths(bowl, (1, 1), steps=0)


# --- The learning rate in the curves ---------------------------------------------------------------------


def test_the_learning_rate_comes_last_and_falls_by_factors():
    history = {"learning_rate": [1e-1, 1e-2], "loss": [2.0, 1.0], "accuracy": [0.1, 0.2]}
    panels = viz.plot_history(history).axes
    assert [panel.get_ylabel() for panel in panels] == ["loss", "accuracy", "learning rate"]
    assert [panel.get_yscale() for panel in panels] == ["linear", "linear", "log"]
    assert viz.plot_history({"loss": [1.0], "learning_rate": [0.0]}).axes[1].get_yscale() == "linear"


# --- All of them -----------------------------------------------------------------------------------------


def watched():
    watch = viz.LayerWatch(every=1)
    made().fit(X, Y, epochs=1, verbose=0, callbacks=watch)
    return watch


DRAWINGS = {
    "layer_history": lambda p: viz.layer_history(watched(), p),
    "gradient_flow": lambda p: viz.gradient_flow(made(), X, Y, p),
    "activations": lambda p: viz.activations(made(), X, p),
    "surface": lambda p: viz.surface(bowl, p, resolution=9),
    "optimizer_paths": lambda p: viz.optimizer_paths(bowl, (1, 1), {"SGD": "sgd"}, p, steps=2),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_files_are_whole_or_not_there_and_nothing_else_changes(name, tmp_path):
    settings = dict(matplotlib.rcParams)
    DRAWINGS[name](tmp_path / "a.png")
    assert Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).width > 100
    with pytest.raises(ArgumentError, match=rf"{name}.*suffix"):
        DRAWINGS[name](tmp_path / "a.txt")
    with pytest.raises(FileError, match="can't write"):
        DRAWINGS[name](tmp_path / "nowhere" / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert dict(matplotlib.rcParams) == settings
