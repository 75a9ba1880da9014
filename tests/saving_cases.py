"""Models of every kind to save, a batch of inputs for each, and files that say what nobody saved."""

import json
import struct

import numpy as np

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.nn.arrays import read_arrays, write_arrays
from tinygrad_edu.nn.saving import NOTE, _checksum


class Scale(nn.Layer):
    """A layer of a user's with weights, and no word on its output's shape."""

    fields = ("power",)

    def __init__(self, power=1, **options):
        super().__init__(**options)
        self.power = power

    def build(self, input_shape):
        self.factor = self.add_weight("factor", input_shape[-1:], "ones")

    def call(self, x):
        return (x * self.factor) ** self.power


class Pair(nn.Layer):
    """A layer of a user's with layers, which are built when it is first called."""

    fields = ("units",)

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.first, self.others = nn.Dense(units), [nn.Dense(units, use_bias=False), Scale(2)]

    def call(self, x):
        return self.others[1](self.others[0](self.first(x)))


class Network(nn.Model):
    """A subclass as notebooks write them: no arguments, and a constructor that doesn't take a name."""

    def __init__(self):
        super().__init__()
        self.pair = Pair(3)
        self.drop = nn.Dropout(0.5, seed=1)
        self.head = nn.Sequential([nn.Dense(4), nn.BatchNormalization(), nn.Dense(2)])

    def call(self, x):
        return self.head(self.drop(self.pair(x)))


class Coder(nn.Model):
    """A subclass that gets its parts as arguments."""

    fields = ("parts", "scale")

    def __init__(self, parts, scale=1.0, name=None):
        super().__init__(name=name)
        self.parts, self.scale = parts, scale

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x * self.scale


def sequential():
    return nn.Sequential(
        [
            nn.Input((8, 8, 1), batch_size=None, name="image"),
            nn.Conv2D(
                2, (3, 2), (1, 1), "same", activation="tanh",
                kernel_initializer=nn.initializers.HeNormal(seed=1), kernel_regularizer="l2",
            ),
            nn.MaxPooling2D(2, padding="same"),
            nn.BatchNormalization(),
            nn.ReLU(),
            nn.Flatten(),
            nn.Reshape((4, -1)),
            nn.Dropout(0.25, seed=3),
            nn.Sequential([nn.Flatten(), nn.Dense(5, use_bias=False)], name="inner"),
            nn.Dropout(0.25),
            nn.Dense(3),
            nn.Softmax(),
        ],
        name="everything",
    )  # fmt: skip


def functional():
    a, b = nn.Input((4,), name="a"), nn.Input((4,), name="b")
    shared = nn.Dense(4, name="shared")
    x = shared(a) + 2.0 * shared(b)
    y = nn.layers.concatenate([nn.Dense(2)(x[:, 1:]), nn.functional.exp(b)])
    return nn.Model([a, b], {"left": Scale()(y), "right": nn.Dense(1, name="right")(x)})


def nested():
    inside = nn.Input((None, 3))
    inner = nn.Model(inside, nn.Conv1D(3, 1)(nn.functional.tanh(inside)), name="inner")
    x = nn.Input((6, 3))
    y = inner(nn.AveragePooling1D()(inner(x)))
    return nn.Model(x, nn.Dense(2)(Pair(2)(nn.Flatten()(y))))


def subclass():
    return Network()


def coder():
    return Coder([nn.Sequential([nn.Dense(3)]), Pair(2), nn.models.mlp(2)], 0.5, name="coder")


def vae():
    x = nn.Input((6,))
    encoder = nn.Model(x, [nn.Dense(2)(x), nn.Dense(2)(x)])
    return nn.models.VAE(encoder, nn.Sequential([nn.Dense(6)]), beta=0.5, seed=4)


def unet():
    return nn.models.UNet((16, 16, 1), 2, filters=(2, 4), normalize=True, dropout=0.2)


def sequences():
    x, words = nn.Input((5, 4)), nn.Input((5,), dtype="int32")
    y, scores = nn.MultiHeadAttention(2, 3, seed=1)(x, x, return_attention_scores=True)
    y, *states = nn.Bidirectional(nn.LSTM(3, return_sequences=True, return_state=True))(y)
    y = nn.TimeDistributed(nn.Sequential([nn.Dense(3), nn.BatchNormalization()]))(y)
    z = nn.GRU(3, return_sequences=True)(nn.Embedding(9, 3)(words))
    return nn.Model([x, words], [nn.layers.Dot((2, 2))([y, z]), nn.Attention()([y, z]), states[0], scores])


MODELS = {
    "sequential": (sequential, [(5, 8, 8, 1)]),
    "functional": (functional, [(5, 4), (5, 4)]),
    "nested": (nested, [(5, 6, 3)]),
    "sequences": (sequences, [(5, 5, 4), (5, 5)]),
    "subclass": (subclass, [(5, 3)]),
    "coder": (coder, [(5, 4)]),
    "vae": (vae, [(5, 6)]),
    "unet": (unet, [(3, 16, 16, 1)]),
}


def made(name):
    """Return a model that has seen data, and that data."""
    make, shapes = MODELS[name]
    rng = np.random.default_rng(0)
    arrays = [rng.random(shape, np.float32) for shape in shapes]
    if name == "sequences":
        arrays[1] = (9 * arrays[1]).astype(int)
    x = arrays if len(arrays) > 1 else arrays[0]
    model = make()
    model.predict(x)
    return model, x


def same_arrays(a, b):
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def data():
    rng = np.random.default_rng(0)
    return rng.random((30, 8, 8, 1), np.float32), rng.integers(0, 3, 30)


def trained(epochs=1):
    te.seed(0)
    model = sequential()
    model.compile(nn.optimizers.Adam(0.01), "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(*data(), epochs=epochs, verbose=0)
    return model


def forge(path, change=None, arrays=None):
    """Change the description in a file, or its arrays, and make the checksum fit."""
    kept, notes = read_arrays(path)
    description = json.loads(notes[NOTE])
    del description["checksum"]
    kept |= arrays or {}
    description = description if change is None else change(description) or description
    if isinstance(description, dict):
        description["checksum"] = _checksum(description, kept)
    write_arrays(path, kept, {NOTE: json.dumps(description)})


def header_of(raw):
    """Return the length of a safetensors file's header."""
    return struct.unpack("<Q", raw[:8])[0]
