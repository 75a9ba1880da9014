"""The models whose files are kept here: one source text each, for Keras and for tinygrad_edu.

``python tests/keras_samples/sources.py`` writes the files anew, with Keras itself: the weights, as
``.weights.h5`` or ``.keras``, and beside them the inputs and what Keras predicts.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

HERE = Path(__file__).parent

CNN = """
model = keras.Sequential([
    layers.Input((6, 6, 1)),
    layers.Conv2D(2, 3, activation="relu"),
    layers.BatchNormalization(),
    layers.Dropout(0.5),
    layers.Flatten(),
    layers.Dense(3, activation="softmax"),
])
"""

# Every layer is of one shape, so nothing but the order says which is which.
TOWERS = """
a, b = layers.Input((3,), name="a"), layers.Input((3,), name="b")
first, second, shared = layers.Dense(3), layers.Dense(3), layers.Dense(3)
x = shared(second(b))
y = shared(first(a)) + layers.Dense(3)(x)
model = keras.Model([a, b], [layers.Dense(3)(y), layers.Dense(3)(layers.Add()([x, y]))])
"""

SUBCLASS = """
class Scale(layers.Layer):
    def build(self, input_shape):
        self.shift = self.add_weight(shape=(input_shape[-1],), name="shift", trainable=False)
        self.factor = self.add_weight(shape=(input_shape[-1],), name="factor")

    def call(self, x):
        return x * self.factor + self.shift

class Network(keras.Model):
    def __init__(self):
        super().__init__()
        self.zoom = Scale()
        self.blocks = [layers.Dense(3), layers.Dense(3)]
        self._head = layers.Dense(3)
        self.core = keras.Sequential([layers.Dense(3), layers.Dense(3)])

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self._head(self.zoom(self.core(x)))

model = Network()
"""

SAMPLES = {  # the file, the source text and the shapes of the inputs
    "cnn.keras": (CNN, [(4, 6, 6, 1)]),
    "towers.weights.h5": (TOWERS, [(4, 3), (4, 3)]),
    "subclass.keras": (SUBCLASS, [(4, 3)]),
}


def made(keras: Any, source: str) -> Any:
    """Run a source text with Keras or with ours, and return the model that it makes."""
    names = {"keras": keras, "layers": keras.layers}
    exec(source, names)
    return SimpleNamespace(**names).model


def inputs(shapes: Any) -> Any:
    """Return normal random numbers of some shapes, an array for one."""
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(shape).astype("f4") for shape in shapes]
    return arrays if len(arrays) > 1 else arrays[0]


def randomize(model: Any) -> None:
    """Give a model weights that tell which is which: random, and positive, as variances must be."""
    rng = np.random.default_rng(2)
    model.set_weights([rng.uniform(0.1, 1.0, w.shape) for w in model.get_weights()])


def write() -> None:
    import keras

    for name, (source, shapes) in SAMPLES.items():
        model, x = made(keras, source), inputs(shapes)
        model.predict(x, verbose=0)
        randomize(model)
        if name.endswith(".keras"):
            model.compile("sgd", "mse")
            model.save(HERE / name)
        else:
            model.save_weights(HERE / name)
        y = model.predict(x, verbose=0)
        np.savetxt(HERE / f"{name}.txt", np.concatenate(y, axis=-1) if isinstance(y, list) else y, "%.7g")


if __name__ == "__main__":
    write()
