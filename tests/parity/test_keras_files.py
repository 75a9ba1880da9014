"""Files that Keras writes here and now, and models of ours that read them."""

from pathlib import Path

import numpy as np
import pytest
from keras_samples.sources import CNN, SAMPLES, SUBCLASS, TOWERS, inputs, made, randomize
from side_by_side import agree

from tinygrad_edu import nn
from tinygrad_edu.nn.keras_files import keras_order

HERE = Path(__file__).parent
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # Keras on PyTorch

NESTED = """
inner = keras.Sequential([layers.Input((4,)), layers.Dense(4), layers.Dense(4)])
a = layers.Input((4,))
branch = keras.Model(a, [layers.Dense(4)(layers.Dense(4)(a)), layers.Dense(4)(a)])
x = layers.Input((4,))
first, second = branch(inner(x))
third, fourth = branch(layers.Dense(4)(second))
model = keras.Model(x, layers.Dense(4)(layers.Concatenate()([first, inner(third), fourth])))
"""

CONVOLUTIONS = """
x = i = layers.Input((8, 8, 2))
x = layers.Conv2D(4, 3, padding="same")(x)
y = layers.SeparableConv2D(4, 3, padding="same", depth_multiplier=2)(x)
z = layers.DepthwiseConv2D(3, padding="same")(x)
z = layers.BatchNormalization(scale=False)(z)
x = layers.Add()([x, y, z])
x = layers.MaxPooling2D()(layers.LayerNormalization()(x))
x = layers.Conv2DTranspose(2, 3, strides=2, padding="same")(x)
x = layers.UpSampling2D()(x) * 0.5
model = keras.Model(i, layers.GlobalAveragePooling2D()(x))
"""

DICTS = """
a, b = layers.Input((3,), name="a"), layers.Input((3,), name="b")
x, y = layers.Dense(3)(b), layers.Dense(3)(a)
model = keras.Model({"b": b, "a": a}, {"v": layers.Dense(3)(layers.Add()([x, y])), "u": layers.Dense(3)(y)})
"""

LISTS = """
class Block(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.project = layers.Dense(2)
        self.many = [layers.Dense(2), [layers.Dense(2), layers.Dense(2)], {"a": [layers.Dense(2)]}]
    def call(self, x):
        x = self.many[1][0](self.many[0](self.project(x)))
        return self.many[2]["a"][0](self.many[1][1](x))

class Network(keras.Model):
    def __init__(self):
        super().__init__()
        self.zoom, self.again = Block(), layers.Dense(2)
        self.also = self.again
        self.body = keras.Sequential([Block(), layers.Dense(2)])
    def call(self, x):
        return self.zoom(self.also(self.body(x)))

model = Network()
"""

KINDS = """
i, words = layers.Input((6, 3)), layers.Input((4,), dtype="int32")
x = layers.Normalization()(i)
x = layers.PReLU(shared_axes=[1])(layers.Conv1D(4, 3, padding="same")(x))
x = layers.GroupNormalization(2)(layers.SpatialDropout1D(0.2)(x))
x = layers.LayerNormalization()(layers.RMSNormalization()(x))
y = layers.GlobalMaxPooling1D()(layers.Embedding(5, 4)(words))
x = layers.Concatenate()([layers.Flatten()(x), y])
model = keras.Model([i, words], layers.Dense(2)(layers.GaussianNoise(0.1)(x)))
"""

RECURRENT = """
x = layers.Input((5, 3))
y = layers.SimpleRNN(3, use_bias=False, return_sequences=True)(layers.LSTM(3, return_sequences=True)(x))
model = keras.Model(x, [layers.GRU(3)(y), layers.GRU(3, dropout=0.1, seed=1)(x)])
"""

ATTENTION = """
x = layers.Input((5, 4))
y = layers.MultiHeadAttention(2, 3)(x, x) + layers.MultiHeadAttention(2, 3, use_bias=False)(x, x)
y = layers.Attention(use_scale=True, score_mode="concat")([y, x])
y = layers.Bidirectional(layers.GRU(3, return_sequences=True))(layers.AdditiveAttention()([y, x]))
model = keras.Model(x, layers.TimeDistributed(layers.Dense(2))(y))
"""

MODELS = {
    "cnn": (CNN, [(4, 6, 6, 1)]),
    "towers": (TOWERS, [(4, 3), (4, 3)]),
    "subclass": (SUBCLASS, [(4, 3)]),
    "nested": (NESTED, [(4, 4)]),
    "convolutions": (CONVOLUTIONS, [(2, 8, 8, 2)]),
    "kinds": (KINDS, [(4, 6, 3), (4, 4)]),
    "dicts": (DICTS, [(4, 3), (4, 3)]),
    "lists": (LISTS, [(4, 3)]),
    "recurrent": (RECURRENT, [(4, 5, 3)]),
    "attention": (ATTENTION, [(4, 5, 4)]),
}


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
@pytest.mark.parametrize("name", MODELS)
def test_a_file_that_keras_writes_predicts_the_same(keras, tmp_path, name, ending):
    source, shapes = MODELS[name]
    theirs, ours, x = made(keras, source), made(nn, source), inputs(shapes)
    x = dict(zip("ab", x, strict=True)) if name == "dicts" else x
    if name == "kinds":
        x[1] = (np.abs(x[1]) * 2).astype("i4")
    theirs(x)
    ours.predict(x)
    randomize(theirs)
    theirs.compile("adam", "mse")
    path = tmp_path / f"x{ending}"
    (theirs.save if ending == ".keras" else theirs.save_weights)(path)
    ours.load_weights(path)
    expected, predicted = theirs(x, training=False), ours.predict(x)
    if name == "dicts":
        expected, predicted = ([y[key] for key in "uv"] for y in (expected, predicted))
    agree(predicted, expected, name)
    if getattr(ours, "graph", None) is not None and not isinstance(ours, nn.Sequential):
        order = [type(layer).__name__ for layer in keras_order(ours.graph)]
        kinds = [type(layer).__name__.replace("Functional", "Model") for layer in theirs.layers]
        assert [kind for kind in order if kind != "Operation"] == kinds


def test_the_kept_samples_are_as_keras_writes_them_now(keras):
    """What the quick tests read was written by the same source texts, and Keras still predicts that."""
    for name, (source, shapes) in SAMPLES.items():
        theirs, x = made(keras, source), inputs(shapes)
        theirs(x)
        randomize(theirs)
        ours = made(nn, source)
        ours.predict(x)
        ours.load_weights(HERE.parent / "keras_samples" / name)
        agree(ours.predict(x), theirs(x, training=False), name)
        assert sum(w.size for w in ours.weights) == np.sum([np.prod(w.shape) for w in theirs.weights])
