"""What a picture is of: a model by name with a real example, or one that a run left.

The named ones are as the course builds them, their weights fresh from seed 0.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..context import anchor, no_grad
from ..errors import ArgumentError, FileError, TinygradEduError
from ..tensor import Tensor
from .steps import Step, find_step

__all__ = ["NAMES", "Subject", "find_subject"]

MODEL_FILE = "model.safetensors"


class Subject(NamedTuple):
    """A model, what to call it on, and what it should say to that."""

    name: str
    model: Any
    x: Any  # a batch of one
    y: Any  # None where the model needs none

    @property
    def pictured(self) -> tuple[Any, ...]:
        """What viz.graph is given."""
        return self.model, self.x

    @anchor  # no line of a user's program led here, so pictures and pages name none
    def loss(self) -> Tensor:
        """Compute the loss of the example, in training mode, as ``fit`` would."""
        model = self.model
        with model.mode(training=True):
            if hasattr(model, "losses_of"):
                loss = model.losses_of(self.x, self.y)["loss"]
            else:
                loss = model.compute_loss(self.x, self.y, model(self.x))
        loss.name = "loss"
        return loss  # type: ignore[no-any-return]


def find_subject(name: str) -> Subject | Step:
    """Return the subject of a name (mlp, cnn, vae, unet), a run's folder, a saved model's file, or a step of
    a tutorial (1:p).

    Raises FileError if there is none.
    """
    if name in _MAKERS:
        from .. import seed

        seed(0)
        return _MAKERS[name](name)
    path = Path(name)
    path = path / MODEL_FILE if path.is_dir() else path
    if not path.is_file():
        step = find_step(name)
        if step is not None:
            return step
        raise FileError(
            f"there is no {name!r}: expected {', '.join(NAMES)}, the folder of a run (runs/mlp-digits), "
            "the file of a saved model, or a tutorial's tensor (1:p)"
        )
    from .. import nn

    model = nn.load_model(path)
    return Subject(path.parent.name if path.name == MODEL_FILE else path.stem, model, *_example(model))


def _example(model: Any) -> tuple[Any, Any]:
    """Return a sample that a saved model takes, a handwritten digit if it can be, and a target for it."""
    from .. import data

    shape = getattr(model, "input_shape", None)
    if shape is None and hasattr(model, "encoder"):
        shape = model.encoder.input_shape
    if shape is None or not all(isinstance(n, int) for n in shape[1:]):
        raise ArgumentError(
            f"{model.name} has inputs of shape {shape}, and an example can't be made up for that; "
            "in Python give one: viz.graph(model, x)"
        )
    sets: dict[Any, Callable[[], Any]] = {(8, 8): data.digits, (28, 28): data.mnist_5000}
    if shape[1:3] in sets and shape[3:] in ((), (1,)):
        digits = sets[shape[1:3]]().scaled()
        x, label = digits.x_train[:1].reshape(1, *shape[1:]), digits.y_train[:1]
    else:
        x = np.random.default_rng(0).standard_normal((1, *shape[1:])).astype("float32")
        label = np.zeros(1, "int64")
    return x, _target(model, x, label)


def _target(model: Any, x: Any, label: Any) -> Any:
    """Return what a model's loss takes: a class, a row with one 1, or zeros in the output's shape."""
    with no_grad():
        output = model(x, training=False)
        row = np.zeros(output.shape, output.dtype)
        if row.ndim == 2 and label[0] < row.shape[1]:
            row[0, label[0]] = 1.0
            if model.objective is not None:
                with suppress(TinygradEduError):
                    model.compute_loss(x, label, output)
                    return label
    return row


def _digit() -> tuple[Any, Any]:
    from .. import data

    digits = data.mnist_5000().scaled()
    return digits.x_train[:1, ..., np.newaxis], digits.y_train[:1]


def _mlp(name: str) -> Subject:
    from .. import nn

    model = nn.models.mlp((28, 28, 1), (128, 64), 10)
    model.compile("adam", "sparse_categorical_crossentropy")
    return Subject(name, model, *_digit())


def _cnn(name: str) -> Subject:
    from .. import nn

    model = nn.models.cnn((28, 28, 1))
    model.compile("adam", "sparse_categorical_crossentropy")
    return Subject(name, model, *_digit())


def _vae(name: str) -> Subject:
    from .. import nn

    encoder = nn.Sequential(
        [
            nn.Input((28, 28, 1)),
            nn.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            nn.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            nn.Flatten(),
            nn.Dense(4),
        ]
    )
    decoder = nn.Sequential(
        [
            nn.Input((2,)),
            nn.Dense(7 * 7 * 32, activation="relu"),
            nn.Reshape((7, 7, 32)),
            nn.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            nn.Conv2DTranspose(1, 3, strides=2, padding="same"),
        ]
    )
    model = nn.models.VAE(encoder, decoder)
    model.compile("adam")
    return Subject(name, model, _digit()[0], None)


def _unet(name: str) -> Subject:
    from .. import data, nn

    model = nn.models.UNet((64, 64, 1), 2, filters=(16, 32, 64, 128, 256), name="unet")
    model.compile("adam", "sparse_categorical_crossentropy")
    slices = data.phantoms(2, size=64).scaled()
    return Subject(name, model, slices.x_train[:1, ..., np.newaxis], slices.y_train[:1])


_MAKERS: dict[str, Callable[[str], Subject]] = {"mlp": _mlp, "cnn": _cnn, "vae": _vae, "unet": _unet}
NAMES = tuple(_MAKERS)
