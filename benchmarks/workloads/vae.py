"""W3: a convolutional variational autoencoder for digits, 28 by 28, with a code of two numbers."""

from typing import Any, ClassVar

import numpy as np

import tinygrad_edu as te
from tinygrad_edu import nn

from ..harness import Job
from ..peers import eager
from .base import Array, Problem, Workload


class AutoEncoder(nn.Module):
    def __init__(self) -> None:
        self.encoder = nn.Sequential(
            [
                nn.Input((28, 28, 1)),
                nn.Conv2D(32, 3, 2, "same", activation="relu"),
                nn.Conv2D(64, 3, 2, "same", activation="relu"),
                nn.Flatten(),
                nn.Dense(4),
            ]
        )
        self.decoder = nn.Sequential(
            [
                nn.Input((2,)),
                nn.Dense(7 * 7 * 32, activation="relu"),
                nn.Reshape((7, 7, 32)),
                nn.Conv2DTranspose(32, 3, 2, "same", activation="relu"),
                nn.Conv2DTranspose(64, 3, 2, "same", activation="relu"),
                nn.Conv2DTranspose(1, 3, 1, "same"),
            ]
        )

    def call(self, x: Any, noise: Any) -> Any:
        mean, log_variance = te.split(self.encoder(x), 2, axis=1)
        code = mean + noise * te.exp(log_variance / 2)
        return self.decoder(code), mean, log_variance


class Vae(Workload):
    name = "W3"
    title = "convolutional VAE 28x28, Adam, batch 64"
    tolerance = 3e-6  # the loss is a sum over 784 pixels, most of it the same whatever the weights are
    why_not: ClassVar = {
        "mygrad": "it has no transposed convolution",
        "autograd": "it has no strided or transposed convolution",
    }
    batch = 64

    def data(self) -> tuple[Array, ...]:
        # As smooth as digits are, so that the loss is of the usual size.
        coarse = np.random.default_rng(0).random((self.batch, 7, 7, 1), np.float32)
        return ((coarse.repeat(4, axis=1).repeat(4, axis=2) > 0.7).astype(np.float32),)

    def model(self) -> AutoEncoder:
        return AutoEncoder()

    def ours(self, problem: Problem) -> Job:
        (x,) = problem.data
        model = self.model().train()
        model.load_state_dict(problem.weights)
        optimizer = nn.optimizers.Adam(1e-4, params=model.parameters())

        def loss_of() -> Any:
            noise = np.zeros((len(x), 2), np.float32)
            if not problem.checking:
                noise = te.default_generator().standard_normal((len(x), 2), np.float32)
            logits, mean, log_variance = model(x, noise)
            reconstruction = te.sigmoid_cross_entropy(logits, x).sum(axis=(1, 2, 3))
            return (reconstruction + te.gaussian_kl(mean, log_variance)).mean()

        return eager.training(optimizer, loss_of)

    def torch(self, problem: Problem, channels_last: bool = False) -> Job:
        """PyTorch's ``padding=1`` puts the odd pixel at the other end than "same" does.

        So it is given the mirror image: mirrored digits, kernels and rows of dense kernels. Every number in
        the network is then that of ours, in mirrored places, and the model is what its users write.
        """
        import torch

        from ..peers import pytorch

        t = torch.nn
        encoder = t.Sequential(
            t.Conv2d(1, 32, 3, stride=2, padding=1),
            t.ReLU(),
            t.Conv2d(32, 64, 3, stride=2, padding=1),
            t.ReLU(),
            t.Flatten(),
            t.Linear(64 * 7 * 7, 4),
        )
        decoder = t.Sequential(
            t.Linear(2, 32 * 7 * 7),
            t.ReLU(),
            t.Unflatten(1, (32, 7, 7)),
            t.ConvTranspose2d(32, 32, 3, stride=2, padding=1, output_padding=1),
            t.ReLU(),
            t.ConvTranspose2d(32, 64, 3, stride=2, padding=1, output_padding=1),
            t.ReLU(),
            t.ConvTranspose2d(64, 1, 3, padding=1),
        )
        model = t.ModuleList([encoder, decoder])
        weights = {k: w[::-1, ::-1] if w.ndim == 4 else w for k, w in problem.weights.items()}
        into, out = "encoder/dense/kernel", "decoder/dense/"
        weights[into] = pytorch.rows_of_images(weights[into], (7, 7, 64), mirrored=True)
        kernel = pytorch.rows_of_images(weights[out + "kernel"].T, (7, 7, 32), mirrored=True)
        weights[out + "kernel"] = kernel.T
        weights[out + "bias"] = pytorch.rows_of_images(weights[out + "bias"], (7, 7, 32), mirrored=True)
        pytorch.take_weights(model, weights)
        x = pytorch.images(problem.data[0][:, ::-1, ::-1])
        if channels_last:
            x, model = (a.to(memory_format=torch.channels_last) for a in (x, model))
        optimizer = pytorch.optimizer_for("adam", model.parameters(), 1e-4, problem.checking)

        def loss_of() -> Any:
            mean, log_variance = encoder(x).chunk(2, dim=1)
            noise = torch.zeros_like(mean) if problem.checking else torch.randn_like(mean)
            logits = decoder(mean + noise * torch.exp(log_variance / 2))
            reconstruction = t.functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
            kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1)
            return (reconstruction.sum((1, 2, 3)) + kl).mean()

        return eager.training(optimizer, loss_of)

    def torch_channels_last(self, problem: Problem) -> Job:
        return self.torch(problem, channels_last=True)

    def keras(self, problem: Problem) -> Job:
        import keras

        from ..peers import keras as peer

        k, ops = keras.layers, keras.ops

        class Sample(k.Layer):  # type: ignore[misc,name-defined]
            def __init__(self, scale: float) -> None:
                super().__init__(name="sample")
                self.scale, self.seeds = scale, keras.random.SeedGenerator(0)

            def call(self, code: Any) -> Any:
                mean, log_variance = ops.split(code, 2, axis=1)
                kl = -0.5 * ops.sum(1 + log_variance - mean**2 - ops.exp(log_variance), axis=1)
                self.add_loss(ops.mean(kl))
                noise = self.scale * keras.random.normal(ops.shape(mean), seed=self.seeds)
                return mean + noise * ops.exp(log_variance / 2)

        encoder = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                k.Conv2D(32, 3, 2, "same", activation="relu", name="conv2d"),
                k.Conv2D(64, 3, 2, "same", activation="relu", name="conv2d_1"),
                k.Flatten(),
                k.Dense(4, name="dense"),
            ],
            name="encoder",
        )
        decoder = keras.Sequential(
            [
                keras.Input((2,)),
                k.Dense(7 * 7 * 32, "relu", name="dense"),
                k.Reshape((7, 7, 32)),
                k.Conv2DTranspose(32, 3, 2, "same", activation="relu", name="conv2d_transpose"),
                k.Conv2DTranspose(64, 3, 2, "same", activation="relu", name="conv2d_transpose_1"),
                k.Conv2DTranspose(1, 3, 1, "same", name="conv2d_transpose_2"),
            ],
            name="decoder",
        )
        images = keras.Input((28, 28, 1))
        sample = Sample(0.0 if problem.checking else 1.0)
        model = keras.Model(images, decoder(sample(encoder(images))))
        peer.take_weights(model, problem.weights)

        def loss(x: Any, logits: Any) -> Any:
            each = ops.maximum(logits, 0.0) - logits * x + ops.log1p(ops.exp(-ops.abs(logits)))
            return ops.sum(each, axis=(1, 2, 3))

        (x,) = problem.data
        return peer.training(model, peer.optimizer_for("adam", 1e-4), loss, x, x, problem.checking)

    def jax(self, problem: Problem) -> Job:
        import jax

        from ..peers import jax as peer

        relu = jax.nn.relu

        def loss_of(w: Any, key: Any, x: Any) -> Any:
            h = x
            for name in ("encoder/conv2d", "encoder/conv2d_1"):
                h = relu(peer.conv(h, w[f"{name}/kernel"], 2) + w[f"{name}/bias"])
            mean, log_variance = jax.numpy.split(peer.dense(w, "encoder/dense", h.reshape(len(x), -1)), 2, 1)
            noise = 0.0 if problem.checking else jax.random.normal(key, mean.shape)
            h = mean + noise * jax.numpy.exp(log_variance / 2)
            h = relu(peer.dense(w, "decoder/dense", h)).reshape(len(x), 7, 7, 32)
            for i, strides in enumerate((2, 2, 1)):
                name = f"decoder/conv2d_transpose{f'_{i}' if i else ''}"
                h = relu(h) if i else h
                h = peer.conv_transpose(h, w[f"{name}/kernel"], strides) + w[f"{name}/bias"]
            reconstruction = peer.binary_cross_entropy(h, x).sum((1, 2, 3))
            kl = -0.5 * (1 + log_variance - mean**2 - jax.numpy.exp(log_variance)).sum(1)
            return (reconstruction + kl).mean()

        return peer.training(loss_of, problem.weights, "adam", 1e-4, *problem.data)


WORKLOADS = [Vae()]
