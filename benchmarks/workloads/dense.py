"""W1 and W5: networks of dense layers, from the course's smallest to its widest."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_edu import nn

from ..harness import Job
from ..peers import eager
from .base import Array, Problem, Workload


@dataclass(frozen=True)
class DenseNet(Workload):
    """ReLU between the layers, dropout after it if there is any; one output means yes or no."""

    name: str
    title: str
    widths: tuple[int, ...]
    batch: int
    optimizer: str
    rate: float
    dropout: float = 0.0

    @property
    def binary(self) -> bool:
        return self.widths[-1] == 1

    def data(self) -> tuple[Array, ...]:
        rng = np.random.default_rng(0)
        x = rng.random((self.batch, self.widths[0]), np.float32)
        if self.binary:
            return x, rng.integers(0, 2, (self.batch, 1)).astype(np.float32)
        return x, rng.integers(0, self.widths[-1], self.batch)

    def names(self) -> list[str]:
        return ["dense", *(f"dense_{i}" for i in range(1, len(self.widths) - 1))]

    def model(self, dropout: float = 0.0) -> nn.Sequential:
        layers: list[Any] = [nn.Input((self.widths[0],))]
        for units in self.widths[1:-1]:
            layers += [nn.Dense(units, activation="relu"), nn.Dropout(dropout)][: 2 if dropout else 1]
        return nn.Sequential([*layers, nn.Dense(self.widths[-1])])

    def ours(self, problem: Problem) -> Job:
        x, y = problem.data
        model = self.model(0.0 if problem.checking else self.dropout).train()
        model.load_state_dict(problem.weights)
        optimizer = nn.optimizers.get(self.optimizer)
        optimizer.learning_rate = self.rate
        optimizer.bind(model.parameters())
        losses = nn.losses.BinaryCrossentropy, nn.losses.SparseCategoricalCrossentropy
        loss_of = losses[0 if self.binary else 1](from_logits=True)
        return eager.training(optimizer, lambda: loss_of(y, model(x)))

    def torch(self, problem: Problem) -> Job:
        import torch

        from ..peers import pytorch

        x, y = (torch.from_numpy(a) for a in problem.data)
        rate = 0.0 if problem.checking else self.dropout
        layers: list[torch.nn.Module] = []
        for inputs, outputs in zip(self.widths, self.widths[1:], strict=False):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
            layers += [torch.nn.Dropout(rate)] if rate else []
        model = torch.nn.Sequential(*layers[: -2 if rate else -1])
        pytorch.take_weights(model, problem.weights)
        parameters = model.parameters()
        optimizer = pytorch.optimizer_for(self.optimizer, parameters, self.rate, problem.checking)
        F = torch.nn.functional
        loss_of = F.binary_cross_entropy_with_logits if self.binary else F.cross_entropy
        return eager.training(optimizer, lambda: loss_of(model(x), y))

    def keras(self, problem: Problem) -> Job:
        import keras

        from ..peers import keras as peer

        layers: list[Any] = [keras.Input((self.widths[0],))]
        for name, units in zip(self.names(), self.widths[1:], strict=True):
            last = name == self.names()[-1]
            layers.append(keras.layers.Dense(units, None if last else "relu", name=name))
            if self.dropout and not problem.checking and not last:
                layers.append(keras.layers.Dropout(self.dropout))
        model = keras.Sequential(layers)
        peer.take_weights(model, problem.weights)
        losses = keras.losses.BinaryCrossentropy, keras.losses.SparseCategoricalCrossentropy
        loss = losses[0 if self.binary else 1](from_logits=True)
        optimizer = peer.optimizer_for(self.optimizer, self.rate)
        return peer.training(model, optimizer, loss, *problem.data, problem.checking)

    def jax(self, problem: Problem) -> Job:
        import jax

        from ..peers import jax as peer

        rate = 0.0 if problem.checking else self.dropout
        *hidden, last = self.names()

        def loss_of(w: Any, key: Any, x: Any, y: Any) -> Any:
            for name in hidden:
                x = jax.nn.relu(peer.dense(w, name, x))
                if rate:
                    key, now = jax.random.split(key)
                    x = jax.numpy.where(jax.random.bernoulli(now, 1 - rate, x.shape), x / (1 - rate), 0)
            logits = peer.dense(w, last, x)
            if self.binary:
                return peer.binary_cross_entropy(logits, y).mean()
            return peer.cross_entropy(logits, y)

        return peer.training(loss_of, problem.weights, self.optimizer, self.rate, *problem.data)

    def mygrad(self, problem: Problem) -> Job:
        import mygrad as mg
        from mygrad.nnet.activations import relu
        from mygrad.nnet.losses import softmax_crossentropy

        from ..peers.arrays import Optimizer

        x, y = problem.data
        rate = 0.0 if problem.checking else self.dropout
        rng = np.random.default_rng(0)
        w = {path: mg.tensor(a.copy()) for path, a in problem.weights.items()}
        optimizer = Optimizer(self.optimizer, self.rate, problem.weights)
        *hidden, last = self.names()

        def step() -> float:
            h = x
            for name in hidden:
                h = relu(mg.matmul(h, w[f"{name}/kernel"]) + w[f"{name}/bias"])
                if rate:
                    h = h * (rng.random(h.shape, np.float32) >= rate) / np.float32(1 - rate)
            z = mg.matmul(h, w[f"{last}/kernel"]) + w[f"{last}/bias"]
            if self.binary:
                loss = (mg.logaddexp(np.float32(0), z) - z * y).mean()
            else:
                loss = softmax_crossentropy(z, y)
            loss.backward()
            optimizer.step({p: t.data for p, t in w.items()}, {p: t.grad for p, t in w.items()})
            return loss.item()  # type: ignore[no-any-return]

        return Job(step)

    def autograd(self, problem: Problem) -> Job:
        import autograd.numpy as anp
        from autograd import value_and_grad
        from autograd.scipy.special import logsumexp

        from ..peers.arrays import Optimizer

        x, y = problem.data
        rate = 0.0 if problem.checking else self.dropout
        rng = np.random.default_rng(0)
        w = {path: a.copy() for path, a in problem.weights.items()}
        optimizer = Optimizer(self.optimizer, self.rate, w)
        *hidden, last = self.names()

        def loss_of(w: Any) -> Any:
            h = x
            for name in hidden:
                h = anp.maximum(anp.dot(h, w[f"{name}/kernel"]) + w[f"{name}/bias"], 0)
                if rate:
                    h = h * (rng.random(h.shape, np.float32) >= rate) / np.float32(1 - rate)
            z = anp.dot(h, w[f"{last}/kernel"]) + w[f"{last}/bias"]
            if self.binary:
                return anp.mean(anp.logaddexp(np.float32(0), z) - z * y)
            return anp.mean(logsumexp(z, axis=1) - z[anp.arange(len(y)), y])

        gradient = value_and_grad(loss_of)

        def step() -> float:
            loss, g = gradient(w)
            optimizer.step(w, g)
            return float(loss)

        return Job(step)


_MLP = (784, 1024, 512, 10)
WORKLOADS = [
    DenseNet("W1-b16", "MLP 784-1024-512-10, SGD, batch 16", _MLP, 16, "sgd", 0.01),
    DenseNet("W1-b128", "MLP 784-1024-512-10, Adam, batch 128", _MLP, 128, "adam", 0.001),
    DenseNet("W5a", "net 2-3-2, Adam, batch 56", (2, 3, 2), 56, "adam", 0.001),
    DenseNet(
        "W5b", "net 7129-64-32-1 with dropout, Adam, batch 64", (7129, 64, 32, 1), 64, "adam", 0.001, 0.5
    ),
]
