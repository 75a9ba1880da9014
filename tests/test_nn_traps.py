"""Traps that once caught somebody: state that leaks, memory that is shared, work that is lost."""

import threading
import weakref

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, GradientError, ShapeError


def line(weights, n=64):
    x = np.random.default_rng(0).normal(size=(n, 3)).astype("f4")
    return x, (x @ np.array(weights, "f4"))[:, None]


def linear(optimizer="sgd", **options):
    model = nn.Sequential([nn.Input((3,)), nn.Dense(1, **options)])
    model.compile(optimizer, "mse")
    return model


# -- state that leaks ----------------------------------------------------------------------------------


def test_best_weights_start_anew_with_each_run():
    best = nn.callbacks.BestWeights("loss")
    for target in ([1, 2, 3], [-30, 0, 9]):
        model = linear(nn.optimizers.SGD(0.1))
        model.fit(*line(target), epochs=20, verbose=0, callbacks=[best])
        np.testing.assert_allclose(model.layers[0].kernel.numpy().ravel(), target, atol=0.5)


def test_best_weights_refuse_what_they_can_not_judge():
    with pytest.raises(ArgumentError, match='mode="min" or mode="max"'):
        nn.callbacks.BestWeights("val_score")
    with pytest.raises(ArgumentError, match="did you mean 'loss'"):
        linear().fit(*line([1, 2, 3]), verbose=0, callbacks=[nn.callbacks.BestWeights("los", "min")])


def test_layers_that_come_later_are_trained_too():
    model = linear(nn.optimizers.Adam(0.01))
    x, y = line([1, 2, 3])
    model.fit(x, y, verbose=0)
    steps = model.optimizer.iterations
    model.add(nn.Dense(1))
    before = model.state_dict()
    model.fit(x, y, verbose=0)
    assert all(not np.array_equal(before[k], w) for k, w in model.state_dict().items())
    assert model.optimizer.iterations == 2 * steps


def test_an_optimizer_goes_from_one_model_to_the_next():
    optimizer = nn.optimizers.Adam(0.01)
    for model in (nn.Sequential([nn.Dense(1)]), nn.Sequential([nn.Dense(2), nn.Dense(1)])):
        model.compile(optimizer, "mse")
        losses = model.fit(*line([1, 2, 3]), epochs=3, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        assert len(optimizer.params) == len(model.parameters())
        assert optimizer.iterations == 6


def test_frozen_layers_stay_as_they_are_also_on_disk(tmp_path):
    model = nn.Sequential([nn.Input((3,)), nn.Dense(4, name="trunk"), nn.Dense(1)])
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    before = model.state_dict()
    model.fit(*line([1, 2, 3]), verbose=0)
    after = model.state_dict()
    assert [k for k in before if np.array_equal(before[k], after[k])] == ["trunk/kernel", "trunk/bias"]
    lines = []
    model.summary(print_fn=lines.append)
    assert "Not trainable: 16" in lines[0]
    model.save(tmp_path / "m")
    same = nn.load_model(tmp_path / "m")
    assert not same.layers[0].trainable
    assert len(same.parameters()) == 2
    same.trainable = True
    assert len(same.parameters()) == 4


def test_a_thread_that_predicts_does_not_stop_dropout_in_another():
    model = nn.Sequential([nn.Input((3,)), nn.Dropout(0.5)])
    inside, go_on = threading.Event(), threading.Event()

    def train():
        with model.mode(training=True):
            inside.set()
            go_on.wait(10)

    thread = threading.Thread(target=train)
    thread.start()
    inside.wait(10)
    with model.mode(training=False):
        go_on.set()
        thread.join()
    assert not model.layers[0].training
    np.testing.assert_array_equal(model.predict(np.ones((2, 3))), np.ones((2, 3)))


def test_evaluating_in_the_middle_of_an_epoch_changes_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)).astype("f4"), rng.integers(0, 2, 60)

    class Peek(nn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs):
            self.model.evaluate(x[:5], y[:5], verbose=0)

    results = []
    for callbacks in ([], Peek()):
        te.seed(0)
        model = nn.Sequential([nn.Dense(2)])
        model.compile("sgd", nn.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
        results.append(model.fit(x, y, batch_size=10, verbose=0, callbacks=callbacks).history)
    assert results[0] == results[1]


def test_building_leaves_buffers_and_randomness_alone():
    class Running(nn.Layer):
        def build(self, input_shape):
            self.mean = self.add_weight("mean", input_shape[-1:], "ones", trainable=False)

        def call(self, x):
            if self.training:
                self.mean.data = 0.9 * self.mean.data + 0.1 * x.numpy().mean(axis=0)
            return x * 1

    model = nn.Sequential([Running(), nn.Dropout(0.5)])
    te.seed(0)
    expected = te.default_generator().random()
    te.seed(0)
    model.train()
    model.build((None, 2))
    assert model.layers[0].mean.tolist() == [1, 1]
    assert te.default_generator().random() == expected
    assert len(model.parameters()) == 0
    assert [name for name, _ in model.named_buffers()] == ["running/mean"]


def test_a_model_is_freed_when_nobody_holds_it():
    model = linear()
    model.fit(*line([1, 2, 3]), verbose=0)
    gone = weakref.ref(model)
    del model
    assert gone() is None


# -- names and memory ----------------------------------------------------------------------------------


def test_weights_in_lists_are_found_and_names_never_collide():
    class Odd(nn.Module):
        def __init__(self):
            self.scales = [nn.Parameter([1.0]), nn.Parameter([2.0])]
            self.blocks = {"a": [nn.Dense(1), nn.Dense(1)]}
            self.me = self

        def call(self, x):
            return self.blocks["a"][1](self.blocks["a"][0](x) * self.scales[0]) * self.scales[1]

    odd = Odd()
    odd(np.ones((1, 2)))
    names = [name for name, _ in odd.named_parameters()]
    assert names[:2] == ["scales_0", "scales_1"]
    assert names[2:] == ["blocks_a_0/kernel", "blocks_a_0/bias", "blocks_a_1/kernel", "blocks_a_1/bias"]
    odd.scales_0 = nn.Parameter([3.0])
    with pytest.raises(ArgumentError, match="two weights are called 'scales_0'"):
        odd.state_dict()


def test_a_number_that_is_taken_is_passed_over():
    model = nn.Sequential([nn.Dense(1, name="dense_1"), nn.Dense(1), nn.Dense(1)])
    assert [layer.name for layer in model.layers] == ["dense_1", "dense", "dense_2"]


def test_optimizers_write_into_nobody_elses_memory():
    mine = np.ones((3, 1), np.float32)
    a, b = nn.Parameter(mine), nn.Parameter(np.zeros((3, 1), np.float32))
    b.data = a.data
    c = te.Tensor(mine, requires_grad=True)
    optimizer = nn.optimizers.SGD(0.5, params=[a, c, a])
    ((a + c) * 1).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(a.numpy(), mine - 0.5)  # once, though it was given twice
    np.testing.assert_array_equal(b.numpy(), np.ones((3, 1)))
    np.testing.assert_array_equal(mine, np.ones((3, 1)))


def test_transposed_weights_train():
    for optimizer in ("sgd", "adam"):
        model = nn.Sequential([nn.Input((3,)), nn.Dense(2)])
        model.load_state_dict({"dense/kernel": np.arange(6.0).reshape(2, 3).T, "dense/bias": np.zeros(2)})
        model.compile(optimizer, "mse")
        model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)


def test_loading_odd_arrays_changes_nothing():
    model = linear()
    before = model.state_dict()
    with pytest.raises(DTypeError, match="expected real numbers"):
        model.load_state_dict({"dense/kernel": np.ones((3, 1)), "dense/bias": np.array(["x"])})
    assert all(np.array_equal(before[k], w) for k, w in model.state_dict().items())


# -- files ---------------------------------------------------------------------------------------------


class NoFields(nn.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def call(self, x):
        return x * self.units


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    with pytest.raises(ArgumentError, match="in `fields`"):
        nn.Sequential([nn.Input((2,)), NoFields(3)]).save(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
    model.compile("sgd", lambda y_true, y_pred: (y_true - y_pred) ** 2)
    with pytest.warns(UserWarning, match="without its optimizer"):
        model.save(tmp_path / "b")
    assert nn.load_model(tmp_path / "b").loss is None


def test_a_class_of_ones_own_does_not_take_the_place_of_ours(tmp_path):
    linear().save(tmp_path / "ours")

    class Dense(nn.Dense):
        def call(self, x):
            return super().call(x) * 100

    assert type(nn.load_model(tmp_path / "ours").layers[0]) is nn.Dense
    nn.Sequential([nn.Input((3,)), Dense(1)]).save(tmp_path / "mine")
    assert type(nn.load_model(tmp_path / "mine").layers[0]) is Dense


# -- mistakes ------------------------------------------------------------------------------------------


def test_a_function_as_loss_compares_each_target_with_its_own_prediction():
    x, y = line([1, 2, 3])
    losses = []
    for loss in ("mse", lambda a, b: ((a - b) ** 2).mean()):
        te.seed(0)
        model = linear()
        model.compile("sgd", loss)
        losses.append(model.fit(x, y[:, 0], epochs=3, verbose=0).history["loss"])
    assert losses[0] == pytest.approx(losses[1])

    def crossed(a, b):
        return (a.reshape(1, -1) - b) ** 2

    model.compile("sgd", crossed, [crossed])
    with pytest.raises(ShapeError, match="every target was compared with every prediction"):
        model.fit(x, y, verbose=0)


def test_functions_as_metrics_go_by_their_names():
    def largest(y_true, y_pred):
        return te.max(te.abs(y_pred - y_true))

    model = linear()
    model.compile("sgd", "mse", largest)
    assert "largest" in model.fit(*line([1, 2, 3]), verbose=0).history


def test_a_loss_that_becomes_nan_is_remarked():
    model = linear(nn.optimizers.SGD(1e20))
    with np.errstate(all="ignore"), pytest.warns(UserWarning, match="learning rate ten times smaller"):
        model.fit(*line([1, 2, 3]), epochs=5, verbose=0)


X, Y = line([1, 2, 3])


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda m: m.fit(5.0, 3.0), DataError, "expected arrays .samples, …., got float"),
        (lambda m: m.predict(3.0), DataError, "got float"),
        (lambda m: m.predict(iter([1])), DataError, "expected samples"),
        (lambda m: m.predict(X, batch_size=0), ArgumentError, "batch_size: expected a positive"),
        (lambda m: m.fit([[1, 2, 3], [1]], [1, 2]), DataError, "equal shape"),
        (lambda m: m.fit(X, Y, validation_data=(X,)), DataError, r"expected \(x, y\)"),
        (lambda m: m.fit(X, Y, epochs=2.0), ArgumentError, "epochs: expected a positive whole number"),
        (lambda m: m.fit(X, Y, batch_size="32"), ArgumentError, "batch_size: expected"),
        (lambda m: m.evaluate([(X, Y)], sample_weight=[1]), ArgumentError, "need x and y as arrays"),
        (lambda m: m.build((None, 5)), ShapeError, "built for 3"),
        (lambda m: m.build((3,)), ArgumentError, "the batch axis comes first"),
        (lambda m: m.compile("sgd", "mse", ["mae", "mae"]), ArgumentError, "a name of its own"),
        (lambda m: m.compile(nn.optimizers.Adam, "mse"), ArgumentError, r"write Adam\(\)"),
        (lambda m: m.compile("sgd", nn.losses.MeanSquaredError), ArgumentError, r"MeanSquaredError\(\)"),
        (lambda m: nn.optimizers.Adam(m.parameters(), 0.1), ArgumentError, r"Adam\(0.1, params="),
        (lambda m: nn.Sequential(nn.Dense(3), nn.Dense(2)), ArgumentError, "in a list"),
        (lambda m: nn.losses.MeanSquaredError()(m(X), Y), ArgumentError, "swapped"),
        (lambda m: nn.Sequential([nn.Dense(1)]).load_weights("x"), ArgumentError, "isn't built"),
        (lambda m: te.Tensor(m(X)), GradientError, "out of its graph"),
    ],
)
def test_mistakes_are_named(call, kind, text):
    model = linear()
    with pytest.raises(kind, match=text):
        call(model)


def test_whole_numbers_that_were_told_to_have_a_gradient():
    x = te.Tensor([1, 2, 3])
    x.requires_grad = True
    with pytest.raises(GradientError, match="whole numbers"):
        (x * 0.5).sum().backward()


def test_loading_in_one_thread_does_not_empty_layers_built_in_another():
    inside, go_on = threading.Event(), threading.Event()

    def load():
        with nn.description.skeleton(0):
            inside.set()
            go_on.wait(10)

    thread = threading.Thread(target=load)
    thread.start()
    inside.wait(10)
    try:
        kernel = nn.Sequential([nn.Input((3,)), nn.Dense(2)]).layers[0].kernel
    finally:
        go_on.set()
        thread.join()
    assert kernel.numpy().any()
