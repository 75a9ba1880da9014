"""W4: the U-Net of Keras' segmentation tutorial, in the style of Xception: 2,058,114 numbers, two classes."""

from typing import Any, ClassVar

import numpy as np

import tinygrad_edu as te
from tinygrad_edu import nn

from ..harness import Job
from ..peers import eager
from .base import Array, Problem, Workload

SIDE = 128
DOWN, UP = (64, 128, 256), (256, 128, 64, 32)
PARAMETERS = 2_058_114


class Down(nn.Module):
    """Half as large: two separable convolutions and a pooling, beside a 1x1 convolution."""

    def __init__(self, filters: int) -> None:
        self.first = nn.SeparableConv2D(filters, 3, padding="same")
        self.first_norm = nn.BatchNormalization()
        self.second = nn.SeparableConv2D(filters, 3, padding="same")
        self.second_norm = nn.BatchNormalization()
        self.pool = nn.MaxPooling2D(3, strides=2, padding="same")
        self.residual = nn.Conv2D(filters, 1, strides=2, padding="same")

    def call(self, x: Any) -> Any:
        y = self.first_norm(self.first(te.relu(x)))
        y = self.second_norm(self.second(te.relu(y)))
        return self.pool(y) + self.residual(x)


class Up(nn.Module):
    """Twice as large: two transposed convolutions and a repetition of pixels, beside a 1x1 convolution."""

    def __init__(self, filters: int) -> None:
        self.first = nn.Conv2DTranspose(filters, 3, padding="same")
        self.first_norm = nn.BatchNormalization()
        self.second = nn.Conv2DTranspose(filters, 3, padding="same")
        self.second_norm = nn.BatchNormalization()
        self.larger = nn.UpSampling2D(2)
        self.residual = nn.Conv2D(filters, 1, padding="same")

    def call(self, x: Any) -> Any:
        y = self.first_norm(self.first(te.relu(x)))
        y = self.second_norm(self.second(te.relu(y)))
        return self.larger(y) + self.residual(self.larger(x))


class UNet(nn.Module):
    def __init__(self) -> None:
        self.entry = nn.Conv2D(32, 3, strides=2, padding="same")
        self.entry_norm = nn.BatchNormalization()
        self.down = [Down(filters) for filters in DOWN]
        self.up = [Up(filters) for filters in UP]
        self.head = nn.Conv2D(2, 3, padding="same")

    def call(self, x: Any) -> Any:
        x = te.relu(self.entry_norm(self.entry(x)))
        for block in [*self.down, *self.up]:
            x = block(x)
        return self.head(x)  # logits: their softmax is in the loss


class Segmentation(Workload):
    name = "W4"
    title = "Xception U-Net 128x128, SGD, batch 10"
    tolerance = 1e-4  # 40 layers deep
    check_steps = 2
    batch = 10
    why_not: ClassVar = {
        "mygrad": "it has no depthwise and no transposed convolution",
        "autograd": "it has no strided, depthwise or transposed convolution",
    }

    def data(self) -> tuple[Array, ...]:
        rng = np.random.default_rng(0)
        masks = rng.integers(0, 2, (self.batch, SIDE // 16, SIDE // 16)).repeat(16, axis=1).repeat(16, axis=2)
        noise = rng.standard_normal((*masks.shape, 1), np.float32)
        return masks[..., np.newaxis].astype(np.float32) + noise, masks

    def model(self) -> UNet:
        model = UNet()
        model(np.zeros((1, SIDE, SIDE, 1), np.float32))  # builds the layers
        assert model.count_params() == PARAMETERS, model.count_params()
        return model

    def ours(self, problem: Problem) -> Job:
        x, y = problem.data
        model = self.model().train()
        model.load_state_dict(problem.weights)
        optimizer = nn.optimizers.SGD(1e-3, params=model.parameters())
        loss_of = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
        return eager.training(optimizer, lambda: loss_of(y, model(x)))

    def torch(self, problem: Problem, channels_last: bool = False) -> Job:
        """The network in PyTorch; where "same" isn't symmetrical, zeros or a rounding up make it so."""
        import torch

        from ..peers import pytorch

        t = torch.nn

        def norm(channels: int) -> t.Module:
            return t.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

        def separable(inputs: int, outputs: int) -> t.Module:
            depthwise = t.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
            return t.Sequential(depthwise, t.Conv2d(inputs, outputs, 1))

        def transposed(inputs: int, outputs: int) -> t.Module:
            return t.ConvTranspose2d(inputs, outputs, 3, padding=1)

        class Block(t.Module):
            def __init__(
                self, layer: Any, inputs: int, outputs: int, rest: t.Module, beside: t.Module
            ) -> None:
                super().__init__()
                steps = t.ReLU(), layer(inputs, outputs), norm(outputs)
                steps += t.ReLU(), layer(outputs, outputs), norm(outputs)
                self.path = t.Sequential(*steps, rest)
                self.beside = beside

            def forward(self, x: Any) -> Any:
                return self.path(x) + self.beside(x)

        layers: list[t.Module] = [t.ZeroPad2d((0, 1, 0, 1)), t.Conv2d(1, 32, 3, stride=2), norm(32), t.ReLU()]
        channels = 32
        for filters in DOWN:
            pool, beside = t.MaxPool2d(3, 2, ceil_mode=True), t.Conv2d(channels, filters, 1, stride=2)
            layers.append(Block(separable, channels, filters, pool, beside))
            channels = filters
        for filters in UP:
            beside = t.Sequential(t.Upsample(scale_factor=2), t.Conv2d(channels, filters, 1))
            layers.append(Block(transposed, channels, filters, t.Upsample(scale_factor=2), beside))
            channels = filters
        model = t.Sequential(*layers, t.Conv2d(channels, 2, 3, padding=1))
        pytorch.take_weights(model, problem.weights)
        x, y = pytorch.images(problem.data[0]), torch.from_numpy(problem.data[1])
        if channels_last:
            x, model = (a.to(memory_format=torch.channels_last) for a in (x, model))
        optimizer = pytorch.optimizer_for("sgd", model.parameters(), 1e-3)
        return eager.training(optimizer, lambda: t.functional.cross_entropy(model(x), y))

    def torch_channels_last(self, problem: Problem) -> Job:
        return self.torch(problem, channels_last=True)

    def keras(self, problem: Problem) -> Job:
        import keras

        from ..peers import keras as peer

        k = keras.layers
        images = keras.Input((SIDE, SIDE, 1))
        x = k.Conv2D(32, 3, strides=2, padding="same", name="entry")(images)
        x = k.Activation("relu")(k.BatchNormalization(name="entry_norm")(x))
        for i, filters in enumerate(DOWN):
            y = x
            for name in (f"down_{i}-first", f"down_{i}-second"):
                y = k.SeparableConv2D(filters, 3, padding="same", name=name)(k.Activation("relu")(y))
                y = k.BatchNormalization(name=f"{name}_norm")(y)
            y = k.MaxPooling2D(3, strides=2, padding="same")(y)
            beside = k.Conv2D(filters, 1, strides=2, padding="same", name=f"down_{i}-residual")(x)
            x = k.add([y, beside])
        for i, filters in enumerate(UP):
            y = x
            for name in (f"up_{i}-first", f"up_{i}-second"):
                y = k.Conv2DTranspose(filters, 3, padding="same", name=name)(k.Activation("relu")(y))
                y = k.BatchNormalization(name=f"{name}_norm")(y)
            beside = k.Conv2D(filters, 1, padding="same", name=f"up_{i}-residual")(k.UpSampling2D(2)(x))
            x = k.add([k.UpSampling2D(2)(y), beside])
        model = keras.Model(images, k.Conv2D(2, 3, padding="same", name="head")(x))
        # A layer's name can't hold the "/" of a path.
        peer.take_weights(model, {_dashed(path): w for path, w in problem.weights.items()})
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return peer.training(model, peer.optimizer_for("sgd", 1e-3), loss, *problem.data, problem.checking)

    def jax(self, problem: Problem) -> Job:
        import jax

        from ..peers import jax as peer

        relu = jax.nn.relu
        moving = {path: w for path, w in problem.weights.items() if "moving" in path}
        weights = {path: w for path, w in problem.weights.items() if path not in moving}

        def loss_of(w: Any, averages: Any, key: Any, x: Any, y: Any) -> Any:
            averages = dict(averages)

            def norm(name: str, x: Any) -> Any:
                x, mean, variance = peer.batch_norm(w, name, x)
                for path, now in ((f"{name}/moving_mean", mean), (f"{name}/moving_variance", variance)):
                    averages[path] = 0.99 * averages[path] + 0.01 * now
                return x

            def conv(name: str, x: Any, strides: int = 1) -> Any:
                return peer.conv(x, w[f"{name}/kernel"], strides) + w[f"{name}/bias"]

            def separable(name: str, x: Any) -> Any:
                x = peer.depthwise(x, w[f"{name}/depthwise_kernel"])
                return peer.conv(x, w[f"{name}/pointwise_kernel"]) + w[f"{name}/bias"]

            def transposed(name: str, x: Any) -> Any:
                return peer.conv_transpose(x, w[f"{name}/kernel"]) + w[f"{name}/bias"]

            def larger(x: Any) -> Any:
                return x.repeat(2, axis=1).repeat(2, axis=2)

            def twice(layer: Any, block: str, x: Any) -> Any:
                for name in (f"{block}/first", f"{block}/second"):
                    x = norm(f"{name}_norm", layer(name, relu(x)))
                return x

            x = relu(norm("entry_norm", conv("entry", x, 2)))
            for i in range(len(DOWN)):
                h = peer.max_pool(twice(separable, f"down_{i}", x), 3, 2, "SAME")
                x = h + conv(f"down_{i}/residual", x, 2)
            for i in range(len(UP)):
                x = larger(twice(transposed, f"up_{i}", x)) + conv(f"up_{i}/residual", larger(x))
            return peer.cross_entropy(conv("head", x), y), averages

        return peer.training(loss_of, weights, "sgd", 1e-3, *problem.data, statistics=moving)


def _dashed(path: str) -> str:
    """Return "down_0/first/kernel" as "down_0-first/kernel"."""
    *modules, weight = path.split("/")
    return f"{'-'.join(modules)}/{weight}"


WORKLOADS = [Segmentation()]
