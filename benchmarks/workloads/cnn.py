"""W2: a small convolutional network for digits, 28 by 28."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinygrad_edu import nn

from ..harness import Job
from ..peers import eager
from .base import Array, Problem, Workload


@dataclass(frozen=True)
class Cnn(Workload):
    name: str
    title: str
    batch: int
    why_not: ClassVar = {"autograd": "its only convolution is SciPy's, a loop that takes seconds a step"}

    def data(self) -> tuple[Array, ...]:
        rng = np.random.default_rng(0)
        return rng.random((self.batch, 28, 28, 1), np.float32), rng.integers(0, 10, self.batch)

    def model(self) -> nn.Sequential:
        return nn.Sequential(
            [
                nn.Input((28, 28, 1)),
                nn.Conv2D(6, 3, activation="relu"),
                nn.MaxPooling2D(2),
                nn.Conv2D(16, 3, activation="relu"),
                nn.MaxPooling2D(2),
                nn.Flatten(),
                nn.Dense(1024, activation="relu"),
                nn.Dense(512, activation="relu"),
                nn.Dense(10),
            ]
        )

    def ours(self, problem: Problem) -> Job:
        x, y = problem.data
        model = self.model().train()
        model.load_state_dict(problem.weights)
        optimizer = nn.optimizers.SGD(0.01, params=model.parameters())
        loss_of = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
        return eager.training(optimizer, lambda: loss_of(y, model(x)))

    def torch(self, problem: Problem, channels_last: bool = False) -> Job:
        import torch

        from ..peers import pytorch

        t = torch.nn
        model = t.Sequential(
            t.Conv2d(1, 6, 3),
            t.ReLU(),
            t.MaxPool2d(2),
            t.Conv2d(6, 16, 3),
            t.ReLU(),
            t.MaxPool2d(2),
            t.Flatten(),
            t.Linear(400, 1024),
            t.ReLU(),
            t.Linear(1024, 512),
            t.ReLU(),
            t.Linear(512, 10),
        )
        first = pytorch.rows_of_images(problem.weights["dense/kernel"], (5, 5, 16))
        pytorch.take_weights(model, {**problem.weights, "dense/kernel": first})
        x, y = pytorch.images(problem.data[0]), torch.from_numpy(problem.data[1])
        if channels_last:
            x, model = (a.to(memory_format=torch.channels_last) for a in (x, model))
        optimizer = pytorch.optimizer_for("sgd", model.parameters(), 0.01)
        return eager.training(optimizer, lambda: t.functional.cross_entropy(model(x), y))

    def torch_channels_last(self, problem: Problem) -> Job:
        return self.torch(problem, channels_last=True)

    def keras(self, problem: Problem) -> Job:
        import keras

        from ..peers import keras as peer

        k = keras.layers
        model = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                k.Conv2D(6, 3, activation="relu", name="conv2d"),
                k.MaxPooling2D(2),
                k.Conv2D(16, 3, activation="relu", name="conv2d_1"),
                k.MaxPooling2D(2),
                k.Flatten(),
                k.Dense(1024, "relu", name="dense"),
                k.Dense(512, "relu", name="dense_1"),
                k.Dense(10, name="dense_2"),
            ]
        )
        peer.take_weights(model, problem.weights)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer = peer.optimizer_for("sgd", 0.01)
        return peer.training(model, optimizer, loss, *problem.data, problem.checking)

    def jax(self, problem: Problem) -> Job:
        from jax.nn import relu

        from ..peers import jax as peer

        def loss_of(w: Any, key: Any, x: Any, y: Any) -> Any:
            for name in ("conv2d", "conv2d_1"):
                x = relu(peer.conv(x, w[f"{name}/kernel"], padding="VALID") + w[f"{name}/bias"])
                x = peer.max_pool(x, 2, 2)
            x = x.reshape(len(x), -1)
            for name in ("dense", "dense_1"):
                x = relu(peer.dense(w, name, x))
            return peer.cross_entropy(peer.dense(w, "dense_2", x), y)

        return peer.training(loss_of, problem.weights, "sgd", 0.01, *problem.data)

    def mygrad(self, problem: Problem) -> Job:
        import mygrad as mg
        from mygrad.nnet.activations import relu
        from mygrad.nnet.layers import conv_nd, max_pool
        from mygrad.nnet.losses import softmax_crossentropy

        from ..peers.arrays import Optimizer

        x, y = np.ascontiguousarray(problem.data[0].transpose(0, 3, 1, 2)), problem.data[1]
        start = {
            path: np.ascontiguousarray(a.transpose(3, 2, 0, 1)) if a.ndim == 4 else a.copy()
            for path, a in problem.weights.items()
        }
        by_channel = start["dense/kernel"].reshape(5, 5, 16, -1).transpose(2, 0, 1, 3)
        start["dense/kernel"] = by_channel.reshape(400, -1)
        w = {path: mg.tensor(a) for path, a in start.items()}
        optimizer = Optimizer("sgd", 0.01, start)

        def step() -> float:
            h = x
            for name in ("conv2d", "conv2d_1"):
                h = conv_nd(h, w[f"{name}/kernel"], stride=1) + w[f"{name}/bias"].reshape(1, -1, 1, 1)
                h = relu(h)
                # Its pooling asks for even sides; the odd last row wouldn't count anyhow.
                even = (h.shape[2] // 2 * 2, h.shape[3] // 2 * 2)
                h = max_pool(h[:, :, : even[0], : even[1]], (2, 2), 2)
            h = h.reshape(len(x), -1)
            for name in ("dense", "dense_1"):
                h = relu(mg.matmul(h, w[f"{name}/kernel"]) + w[f"{name}/bias"])
            logits = mg.matmul(h, w["dense_2/kernel"]) + w["dense_2/bias"]
            loss = softmax_crossentropy(logits, y)
            loss.backward()
            optimizer.step({p: t.data for p, t in w.items()}, {p: t.grad for p, t in w.items()})
            return loss.item()  # type: ignore[no-any-return]

        return Job(step)


WORKLOADS = [Cnn(f"W2-b{n}", f"CNN 28x28, SGD, batch {n}", n) for n in (16, 64)]
