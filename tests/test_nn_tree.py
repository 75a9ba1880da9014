"""The walk that ``fit`` makes at each step finds what the one with names does, at any time."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import nn


def checked(module):
    """Compare the two walks; return how many weights there are."""
    tree = module._tree()
    assert [id(m) for m, _ in tree] == [id(m) for _, m in module.named_modules()]
    assert [id(m) for m in module.modules()] == [id(m) for m, _ in tree]
    for part, weights in tree:
        assert [id(w) for w in weights] == [id(w) for _, w in part._own_weights()]
    held = {id(w): w for _, weights in tree for w in weights}
    assert sorted(held) == sorted(map(id, module.weights))
    return len(held)


def shared():
    """Return a model with a layer that is called twice, and a model in it."""
    a, b, twice = nn.Input((4,)), nn.Input((4,)), nn.Dense(3)
    inner = nn.Sequential([nn.Dense(3, activation="relu"), nn.BatchNormalization()])
    return nn.Model([a, b], nn.Dense(1)(inner(nn.layers.add([twice(a), twice(b)]))))


class Nested(nn.Model):
    """Modules and weights in lists, dicts and tuples, some of them twice."""

    def __init__(self):
        super().__init__()
        self.blocks = [nn.Dense(2), (nn.Dense(2), {"last": nn.Dense(2), "none": None})]
        self.again = self.blocks[0]
        self.scales = {"a": nn.Parameter([1.0]), "b": [nn.Parameter([2.0])]}
        self.empty, self.text = [], "text"

    def call(self, x):
        first, (second, more) = self.blocks
        return more["last"](second(first(x))) * self.scales["a"] * self.scales["b"][0]


@pytest.mark.parametrize(
    "model",
    [
        shared,
        Nested,
        lambda: nn.Sequential([nn.Input((4,)), nn.Dense(3), nn.Sequential([nn.Dense(2)])]),
        lambda: nn.Sequential([nn.Bidirectional(nn.LSTM(3)), nn.Dense(1)]),
        lambda: nn.models.UNet((16, 16, 1), 2),
        lambda: nn.Dense(3),
        nn.Sequential,
    ],
)
def test_both_walks_find_the_same(model):
    checked(model())


def test_what_is_changed_is_found_at_once():
    model = Nested()
    x = te.Tensor([[1.0, 2.0]])
    model(x)
    assert checked(model) == 8
    model.blocks.append(nn.Dense(5))
    model.blocks[-1](x)
    assert checked(model) == 10
    model.scales["c"] = nn.Parameter([1.0])
    model.empty.append(model.scales["c"])
    assert checked(model) == 11
    del model.again
    model.blocks[1] = ()
    assert checked(model) == 7
    model.text = nn.Dense(2)
    model.text(x)
    vars(model)["more"] = nn.Dense(2)
    vars(model)["more"](x)
    assert checked(model) == 11


class Priced(nn.Layer):
    def call(self, x):
        self.add_loss(3.0)
        return x


def test_losses_follow_what_is_changed():
    model = nn.Sequential(
        [nn.Dense(2, kernel_initializer="ones", kernel_regularizer=nn.regularizers.L1(1.0))]
    )
    x = te.Tensor(np.ones((1, 2)))
    model(x)
    assert [loss.item() for loss in model.losses] == [4.0]
    model.add(Priced())
    model(x)
    assert [loss.item() for loss in model.losses] == [3.0, 4.0]
    model.layers[0].trainable = False
    assert [loss.item() for loss in model.losses] == [3.0]
    model.layers[0].trainable = True
    model.layers[0].kernel.regularizer = None
    model.layers[0].bias.regularizer = nn.regularizers.L1(1.0)
    assert [loss.item() for loss in model.losses] == [3.0, 0.0]
    model.pop()
    assert [loss.item() for loss in model.losses] == [0.0]


def test_a_layer_that_comes_in_training_is_priced():
    model = Nested()
    model.compile("sgd", "mse")
    seen = []

    class Grow(nn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            seen.append(logs["loss"])
            if epoch == 0:
                model.again.kernel.regularizer = lambda w: te.Tensor(100.0)

    model.fit(np.ones((4, 2)), np.ones((4, 2)), epochs=2, verbose=0, callbacks=[Grow()])
    assert seen[1] > 50 > seen[0]
