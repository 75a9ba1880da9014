"""VAE: a variational autoencoder around any encoder and decoder."""

from collections.abc import Callable
from typing import Any

from ... import ops
from ...errors import ArgumentError, DataError, ShapeError, unknown_name
from ...random import default_generator
from ...tensor import Tensor
from .. import losses
from ..layers.sampling import Sampling
from ..metrics import Mean, Metric
from ..model import Model
from ..module import Module
from ..preparation import unpack

__all__ = ["VAE"]


def _bernoulli(x: Any, logits: Tensor) -> Tensor:
    return ops.sigmoid_cross_entropy(logits, x)


def _gaussian(x: Any, mean: Tensor) -> Tensor:
    return ops.square(mean - x) * 0.5 + 0.9189385332046727  # ½ ln 2π


def _categorical(x: Any, logits: Tensor) -> Tensor:
    return -x * ops.log_softmax(logits, axis=-1)  # type: ignore[no-any-return]


# How probable an input is, given what the decoder says: -ln p of each number, and the decoder's mean.
LIKELIHOODS: dict[str, tuple[Callable[..., Tensor], Callable[..., Any]]] = {
    "bernoulli": (_bernoulli, ops.sigmoid),
    "gaussian": (_gaussian, lambda mean: mean),
    "categorical": (_categorical, lambda logits: ops.softmax(logits, axis=-1)),
}


class VAE(Model):
    """A variational autoencoder: it learns codes of the data, and to make new data from random codes.

    The encoder says for each sample which codes z it could have, as a normal distribution q(z|x); the decoder
    says which samples a code could stand for, p(x|z). Both learn to make the evidence lower bound large,

        ELBO = E ln p(x|z) - KL(q(z|x) ‖ N(0, 1)) ≤ ln p(x),

    with z sampled once for each x: how well samples are reconstructed, less what their codes tell beyond
    N(0, 1). The loss is -ELBO, in nats, averaged over the samples; it is reported with its two parts,
    "reconstruction" and "kl". From: Kingma & Welling, *Auto-encoding variational Bayes*, 2014; beta: Higgins
    et al. 2017; with a property: Gómez-Bombarelli et al. 2018.

    Parameters
    ----------
    encoder
        A model from samples to [mean, log_variance], (batch, n) each, or to both in one (batch, 2 n).
    decoder
        A model from codes (batch, n) to the likelihood's parameters, in the samples' shape.
    likelihood
        "bernoulli": x lies between 0 and 1, the decoder gives logits. "gaussian": variance 1, the decoder
        gives means. "categorical": one-hot along the last axis, the decoder gives logits.
    beta
        What KL is multiplied by in the loss.
    predictor
        A model from codes to a property of the samples, which is learned with them: fit(x, y).
    property_loss, property_weight
        The loss of that prediction, and what it is multiplied by. It is reported as "property".
    seed
        Of the codes' noise.

    Raises ArgumentError for an unknown likelihood, ShapeError if encoder and decoder don't fit one another,
    DataError if there is a predictor and no y.

    Examples
    --------
    >>> import numpy as np, tinygrad_edu as te
    >>> from tinygrad_edu import nn
    >>> te.seed(0)
    >>> encoder = nn.Sequential([nn.Input((8,)), nn.Dense(4)])
    >>> vae = nn.models.VAE(encoder, nn.Sequential([nn.Input((2,)), nn.Dense(8)]))
    >>> vae.compile("adam")
    >>> history = vae.fit(np.eye(8), epochs=2, verbose=0)
    >>> sorted(history.history)
    ['kl', 'loss', 'reconstruction']
    >>> vae.sample(3).shape, vae.encode(np.eye(8))[0].shape
    ((3, 8), (8, 2))
    """

    fields = (
        "encoder", "decoder", "likelihood", "beta", "predictor", "property_loss", "property_weight", "seed",
    )  # fmt: skip

    def __init__(
        self,
        encoder: Module,
        decoder: Module,
        *,
        likelihood: str = "bernoulli",
        beta: float = 1.0,
        predictor: Module | None = None,
        property_loss: Any = "mse",
        property_weight: float = 1.0,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if likelihood not in LIKELIHOODS:
            raise unknown_name("likelihood", likelihood, LIKELIHOODS)
        if not beta >= 0:
            raise ArgumentError(f"VAE: beta must be a number of at least 0, got {beta!r}")
        self.encoder, self.decoder, self.predictor = encoder, decoder, predictor
        self.likelihood, self.beta, self.seed = likelihood, float(beta), seed
        self.property_loss, self.property_weight = losses.get(property_loss), float(property_weight)
        self.sampling = Sampling(seed)
        self.parts = [Mean("reconstruction"), Mean("kl")] + (
            [Mean("property")] if predictor is not None else []
        )

    # -- what it is for --------------------------------------------------------------------------------

    def encode(self, x: Any) -> tuple[Tensor, Tensor]:
        """Return the mean and the log variance of each sample's code, (batch, n) both."""
        given = self.encoder(x)
        if isinstance(given, list | tuple):
            mean, log_variance = given
        elif given.shape[-1] % 2:
            raise ShapeError(
                f"{self.encoder.name}: expected [mean, log_variance], or both side by side on a last axis of "
                f"even length, got shape {given.shape}"
            )
        else:
            mean, log_variance = ops.split(given, 2, axis=-1)
        return mean, log_variance

    def decode(self, z: Any) -> Tensor:
        """Return the mean of what each code (batch, n) can stand for: probabilities, or plain values."""
        return LIKELIHOODS[self.likelihood][1](self.decoder(z))  # type: ignore[no-any-return]

    def reconstruct(self, x: Any) -> Tensor:
        """Return what is left of samples after their mean code."""
        return self.decode(self.encode(x)[0])

    def predict_property(self, x: Any) -> Tensor:
        """Return the property that is predicted from each sample's mean code."""
        if self.predictor is None:
            raise ArgumentError("this VAE has no predictor; make it with VAE(..., predictor=model)")
        return self.predictor(self.encode(x)[0])  # type: ignore[no-any-return]

    def sample(self, n: int = 1) -> Tensor:
        """Return n new samples, the means for codes drawn from N(0, 1)."""
        shape = getattr(self.decoder, "input_shape", None)
        if shape is None:
            raise ArgumentError(
                "VAE: the decoder isn't built yet; call the model on data first, or start it with Input"
            )
        z = default_generator().standard_normal((n, *shape[1:])).astype("float32")
        return self.decode(z)

    def call(self, x: Any) -> Tensor:
        """Reconstruct by a sampled code; the likelihood's mean."""
        return self.decode(self.sampling(list(self.encode(x))))

    # -- learning --------------------------------------------------------------------------------------

    def losses_of(self, x: Any, y: Any = None) -> dict[str, Tensor]:
        """Return -ELBO and its parts for a batch, each averaged over the samples.

        >>> from tinygrad_edu import nn
        >>> vae = nn.models.VAE(nn.Sequential([nn.Dense(2)]), nn.Sequential([nn.Dense(3)]))
        >>> sorted(vae.losses_of([[0.0, 1.0, 1.0]]))
        ['kl', 'loss', 'reconstruction']
        """
        mean, log_variance = self.encode(x)
        z = self.sampling([mean, log_variance])
        surprise = LIKELIHOODS[self.likelihood][0]
        given = self.decoder(z)
        x = x.data if isinstance(x, Tensor) else x
        if tuple(given.shape) != tuple(getattr(x, "shape", given.shape)):
            raise ShapeError(f"VAE: the decoder gives {given.shape}, and the samples are {x.shape}")
        target = Tensor(x, dtype=given.dtype).data
        parts = {
            "reconstruction": ops.sum(surprise(target, given)) / len(given),
            "kl": ops.mean(ops.gaussian_kl(mean, log_variance)),
        }
        loss = parts["reconstruction"] + self.beta * parts["kl"]
        if self.predictor is not None:
            if y is None:
                raise DataError("VAE: its predictor needs the property of each sample: fit(x, y)")
            parts["property"] = self.property_loss(y, self.predictor(z))
            loss = loss + self.property_weight * parts["property"]
        return {"loss": loss, **parts}

    @property
    def metrics(self) -> list[Metric]:
        return [self.loss_tracker, *self.parts]

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y, _ = unpack(data)
        found = self.losses_of(x, y)
        self.minimize(found["loss"])
        return self._report(found, len(x))

    def test_step(self, data: Any) -> dict[str, Any]:
        x, y, _ = unpack(data)
        return self._report(self.losses_of(x, y), len(x))

    def _report(self, found: dict[str, Tensor], n: int) -> dict[str, Any]:
        for mean in (self.loss_tracker, *self.parts):
            mean.add(found[mean.name].item(), n)
        return {mean.name: mean.result() for mean in (self.loss_tracker, *self.parts)}
