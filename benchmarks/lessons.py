"""The networks of four tutorials, trained by our ``fit`` and by Keras': python -m benchmarks.lessons

The same layers, data, optimizer and batches, as a student would write them. The two libraries take turns,
each in a process of its own, since two pools of threads in one would slow each other down. What the first
epoch takes longer (tracing a graph, loading kernels) is told apart. The scores show that both learn.
"""

import argparse
import os
import statistics
import time
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from .estimators import libraries

Array = np.ndarray[Any, Any]


class Task(NamedTuple):
    """A compiled model and what to train it on; the score is named as ``evaluate`` reports it."""

    model: Any
    x: Array
    y: Array
    test: tuple[Array, Array]
    batch_size: int
    score: str


def digits() -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    from tinygrad_edu import data

    (x, y), (x_test, y_test) = data.mnist_5000().scaled()
    return (x.reshape(-1, 28, 28, 1)[:3000], y[:3000]), (x_test.reshape(-1, 28, 28, 1), y_test)


def mlp(k: Any) -> Task:
    (x, y), test = digits()
    layers = [k.layers.Flatten(), *[k.layers.Dense(n, activation="relu") for n in (1024, 512)]]
    layers.append(k.layers.Dense(10, activation="softmax"))
    model = k.Sequential([k.Input((28, 28, 1)), *layers])
    model.compile(k.optimizers.SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Task(model, x, y, test, 16, "accuracy")


def cnn(k: Any) -> Task:
    (x, y), test = digits()
    layers = []
    for n in (6, 16):
        layers += [k.layers.Conv2D(n, 3, activation="relu"), k.layers.MaxPooling2D(2)]
    layers += [k.layers.Flatten(), *[k.layers.Dense(n, activation="relu") for n in (1024, 512)]]
    layers.append(k.layers.Dense(10, activation="softmax"))
    model = k.Sequential([k.Input((28, 28, 1)), *layers])
    optimizer = k.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return Task(model, x, y, test, 16, "accuracy")


def vae(k: Any) -> Task:
    """Ours is ``nn.models.VAE``; Keras has none, and gets the layer that its documentation writes for it."""
    (x, _), (x_test, _) = digits()
    down = [k.layers.Conv2D(n, 3, strides=2, padding="same", activation="relu") for n in (32, 64)]
    up = [k.layers.Conv2DTranspose(n, 3, strides=2, padding="same", activation="relu") for n in (32, 64)]
    encoder = k.Sequential([k.Input((28, 28, 1)), *down, k.layers.Flatten(), k.layers.Dense(4)])
    wide, square = k.layers.Dense(7 * 7 * 32, activation="relu"), k.layers.Reshape((7, 7, 32))
    last = k.layers.Conv2DTranspose(1, 3, padding="same")
    decoder = k.Sequential([k.Input((2,)), wide, square, *up, last])
    if k.__name__ == "keras":
        model = in_keras(k, encoder, decoder)
        model.compile(k.optimizers.Adam(1e-3), pixels_of(k))
        return Task(model, x, x, (x_test, x_test), 64, "loss")
    model = k.models.VAE(encoder, decoder, likelihood="bernoulli")
    model.compile(k.optimizers.Adam(1e-3))
    return Task(model, x, x, (x_test, x_test), 64, "loss")


def in_keras(keras: Any, encoder: Any, decoder: Any) -> Any:
    class Sample(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.seeds = keras.random.SeedGenerator(0)

        def call(self, code: Any) -> Any:
            ops = keras.ops
            mean, log_variance = ops.split(code, 2, axis=1)
            self.add_loss(ops.mean(ops.sum(mean**2 + ops.exp(log_variance) - 1 - log_variance, axis=1)) / 2)
            noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
            return mean + noise * ops.exp(log_variance / 2)

    images = keras.Input((28, 28, 1))
    return keras.Model(images, decoder(Sample()(encoder(images))))


def pixels_of(keras: Any) -> Any:
    def pixels(x: Any, logits: Any) -> Any:
        each = keras.ops.binary_crossentropy(x, logits, from_logits=True)
        return keras.ops.sum(each, axis=(1, 2, 3))

    return pixels


def unet(k: Any) -> Task:
    from tinygrad_edu import data

    phantoms = data.phantoms(250, 128, test_size=50, seed=1)
    x, x_test = ((a[..., np.newaxis] / 255).astype("float32") for a in (phantoms.x_train, phantoms.x_test))
    y, y_test = (a[..., np.newaxis].astype("float32") for a in (phantoms.y_train, phantoms.y_test))

    def double(h: Any, n: int) -> Any:
        for _ in range(2):
            h = k.layers.Conv2D(n, 3, padding="same", activation="relu")(h)
        return h

    inputs = h = k.Input((128, 128, 1))
    across = []
    for n in (8, 16):
        across.append(double(h, n))
        h = k.layers.MaxPooling2D(2)(across[-1])
    h = double(h, 32)
    for n, seen in zip((16, 8), reversed(across), strict=True):
        h = k.layers.Conv2DTranspose(n, 2, strides=2)(h)
        h = double(k.layers.Concatenate()([seen, h]), n)
    model = k.Model(inputs, k.layers.Conv2D(1, 1)(h))
    watched = [k.metrics.BinaryIoU(target_class_ids=[1], threshold=0.0, name="iou")]
    # From logits: a sigmoid that rounds to 0 has no slope (Keras on TensorFlow finds the logits behind it).
    bce, dice = k.losses.BinaryCrossentropy(from_logits=True), k.losses.Dice()

    def overlap_loss(t: Any, logits: Any) -> Any:
        return bce(t, logits) + dice(t, k.activations.sigmoid(logits))

    model.compile(k.optimizers.Adam(3e-3), overlap_loss, metrics=watched)
    return Task(model, x, y, (x_test, y_test), 10, "iou")


TASKS = {
    "6": (mlp, "MNIST, MLP", 10),
    "7": (cnn, "MNIST, CNN", 10),
    "13": (vae, "VAE", 5),
    "15": (unet, "U-Net", 8),
}
_library: dict[str, Any] = {}


def start(library: str) -> str:
    """Import a library, which isn't counted, and say which it is."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if library == "ours":
        from tinygrad_edu import nn as module

        version = "tinygrad_edu"
    else:
        import keras as module

        version = f"Keras {module.__version__} on {module.backend.backend()}"
    _library["k"] = module
    return version


def train(number: str, epochs: int, seed: int) -> tuple[float, float, float]:
    """Return the seconds of the first epoch and of each other, and the score on the test data."""
    k = _library["k"]
    if k.__name__ == "keras":
        k.utils.set_random_seed(seed)
    else:
        import tinygrad_edu as te

        te.seed(seed)
    task = TASKS[number][0](k)
    began = time.perf_counter()
    task.model.fit(task.x, task.y, batch_size=task.batch_size, epochs=1, verbose=0)
    first = time.perf_counter() - began
    began = time.perf_counter()
    task.model.fit(task.x, task.y, batch_size=task.batch_size, epochs=epochs - 1, verbose=0)
    each = (time.perf_counter() - began) / (epochs - 1)
    logs = task.model.evaluate(*task.test, batch_size=50, verbose=0, return_dict=True)
    return first, each, float(logs[task.score])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tutorials", nargs="*", help=f"of {', '.join(TASKS)}; by default all")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    unknown = [number for number in arguments.tutorials if number not in TASKS]
    if unknown:
        parser.error(f"expected numbers of tutorials out of {', '.join(TASKS)}, got {', '.join(unknown)}")
    if find_spec("keras") is None:
        parser.error("Keras isn't installed; pip install -e '.[bench]' brings it")
    pools = libraries()
    named = {name: pool.submit(start, name).result() for name, pool in pools.items()}
    print(f"{' beside '.join(named.values())}: medians of {arguments.rounds} rounds in turns")
    for number in arguments.tutorials or TASKS:
        _, title, epochs = TASKS[number]
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in pools}
        for seed in range(arguments.rounds):
            for name in list(pools)[:: -1 if seed % 2 else 1]:  # each comes first as often
                found[name].append(pools[name].submit(train, number, epochs, seed).result())
                time.sleep(0.3)  # the other's threads fall asleep
        print(f"tutorial {number}, {title}, {epochs} epochs")
        for label, runs in zip(("ours", "Keras"), found.values(), strict=True):
            first, each, score = (statistics.median(column) for column in zip(*runs, strict=True))
            print(
                f"  {label:6} first epoch {first:6.2f} s, each other {each:7.3f} s   test score {score:.4g}"
            )
        ratio = statistics.median(a[1] / b[1] for a, b in zip(found["ours"], found["theirs"], strict=True))
        print(f"  ours over Keras, an epoch: {ratio:.2f}", flush=True)
    for pool in pools.values():
        pool.shutdown()


if __name__ == "__main__":
    main()
