"""The models and blocks of the course: VAE, U-Net, and the networks in one line."""

import numpy as np
import pytest
from scipy import stats

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, DataError, ShapeError
from tinygrad_edu.testing import gradcheck


def make_vae(likelihood="bernoulli", shape=(6,), two_outputs=False, dtype="float32", **options):
    size = int(np.prod(shape))
    x = nn.Input(shape, dtype=dtype)
    h = nn.Dense(5, "tanh", dtype=dtype)(nn.Flatten(dtype=dtype)(x))
    codes = (
        [nn.Dense(2, dtype=dtype)(h), nn.Dense(2, dtype=dtype)(h)]
        if two_outputs
        else nn.Dense(4, dtype=dtype)(h)
    )
    decoder = nn.Sequential(
        [nn.Input((2,), dtype=dtype), nn.Dense(size, dtype=dtype), nn.Reshape(shape, dtype=dtype)]
    )
    return nn.models.VAE(nn.Model(x, codes), decoder, likelihood=likelihood, **options)


def data(likelihood, n=12, shape=(6,), seed=0):
    rng = np.random.default_rng(seed)
    if likelihood == "gaussian":
        return rng.standard_normal((n, *shape)).astype("f4")
    if likelihood == "categorical":
        return np.eye(shape[-1], dtype="f4")[rng.integers(0, shape[-1], (n, *shape[:-1]))]
    return rng.integers(0, 2, (n, *shape)).astype("f4")


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "categorical"])
@pytest.mark.parametrize("two_outputs", [False, True])
def test_the_loss_is_the_negative_elbo(likelihood, two_outputs):
    """Against densities from SciPy, with the codes that were drawn."""
    te.seed(0)
    shape = (3, 4)
    vae = make_vae(likelihood, shape, two_outputs, beta=0.5, seed=1)
    x = data(likelihood, shape=shape)
    found = {name: t.item() for name, t in vae.losses_of(x).items()}
    mean, log_variance = (t.data.astype("f8") for t in vae.encode(x))
    z = mean + np.exp(log_variance / 2) * np.random.default_rng(1).standard_normal(mean.shape).astype("f4")
    given = vae.decode(z.astype("f4")).data.astype("f8")
    if likelihood == "gaussian":
        log_p = stats.norm.logpdf(x, given)
    elif likelihood == "bernoulli":
        log_p = stats.bernoulli.logpmf(x, given)
    else:
        log_p = x * np.log(given)
    v = np.exp(log_variance)
    kl = 0.5 * (mean**2 + v - 1 - log_variance).sum(axis=1).mean()
    assert found["kl"] == pytest.approx(kl, rel=1e-5)
    assert found["reconstruction"] == pytest.approx(-log_p.sum(axis=(1, 2)).mean(), rel=1e-5)
    assert found["loss"] == pytest.approx(found["reconstruction"] + 0.5 * found["kl"], rel=1e-6)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "categorical"])
def test_gradients_flow_through_the_sample(likelihood):
    te.seed(3)
    vae = make_vae(likelihood, dtype="float64")
    vae.sampling.dtype = np.dtype("float64")
    x = data(likelihood, 3).astype("f8")
    weights = vae.parameters()

    def loss(*values):
        vae.sampling._generator = np.random.default_rng(2)  # the same noise each time
        for w, value in zip(weights, values, strict=True):
            w._data = value.data
        return vae.losses_of(x)["loss"]

    values = [w.data.copy() for w in weights]
    vae.sampling._generator = np.random.default_rng(2)
    vae.losses_of(x)["loss"].backward()
    for i, w in enumerate(weights):
        step = np.zeros_like(values[i])
        step.flat[0] = 1e-6
        up = loss(*[te.Tensor(v + step if j == i else v) for j, v in enumerate(values)]).item()
        low = loss(*[te.Tensor(v - step if j == i else v) for j, v in enumerate(values)]).item()
        assert (up - low) / 2e-6 == pytest.approx(w.grad.data.flat[0], rel=1e-4, abs=1e-7)


def test_it_learns_and_makes_new_samples():
    te.seed(0)
    x = np.repeat([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]], 64, axis=0).astype("f4")
    vae = make_vae()
    vae.compile(nn.optimizers.Adam(0.02))
    history = vae.fit(x, epochs=40, batch_size=32, verbose=0, validation_data=(x, None)).history
    assert set(history) == {f"{v}{n}" for v in ("", "val_") for n in ("loss", "reconstruction", "kl")}
    np.testing.assert_allclose(history["loss"], np.add(history["reconstruction"], history["kl"]), rtol=1e-5)
    assert history["val_loss"][-1] < 0.5 * history["val_loss"][0]
    assert history["kl"][-1] > 0.3  # the code tells which of the two it is: ln 2 nats, or a little less
    np.testing.assert_array_equal(vae.reconstruct(x).data.round(), x)
    drawn = vae.sample(50).data.round()
    assert np.mean([(row == x[0]).all() or (row == x[-1]).all() for row in drawn]) > 0.8
    assert vae.predict(x[:3]).shape == (3, 6)


def test_a_property_is_learned_from_the_code():
    te.seed(0)
    x = data("bernoulli", 200)
    y = x.sum(axis=1)
    predictor = nn.Sequential([nn.Input((2,)), nn.Dense(8, "tanh"), nn.Dense(1)])
    vae = make_vae(predictor=predictor, property_weight=10.0)
    vae.compile(nn.optimizers.Adam(0.02))
    history = vae.fit(x, y, epochs=30, verbose=0).history
    assert history["property"][-1] < 0.3 * history["property"][0]
    assert vae.predict_property(x).shape == (200, 1)
    with pytest.raises(DataError, match=r"fit\(x, y\)"):
        vae.fit(x, verbose=0)
    with pytest.raises(ArgumentError, match="no predictor"):
        make_vae().predict_property(x)


def test_a_vae_is_described_and_built_again():
    vae = make_vae(
        "gaussian", two_outputs=True, beta=2.0, predictor=nn.Sequential([nn.Input((2,)), nn.Dense(1)]), seed=3
    )
    again = nn.models.VAE.from_config(vae.get_config())
    assert again.get_config() == vae.get_config()
    again.set_weights(vae.get_weights())
    np.testing.assert_array_equal(
        again.reconstruct(np.ones((1, 6))).data, vae.reconstruct(np.ones((1, 6))).data
    )


@pytest.mark.parametrize(
    ("mistake", "kind", "text"),
    [
        (lambda: make_vae("normal"), ArgumentError, "unknown likelihood"),
        (lambda: make_vae(beta=-1), ArgumentError, "beta must be"),
        (lambda: nn.models.VAE(nn.Dense(3), nn.Dense(2)).encode(np.ones((1, 2))), ShapeError, "even length"),
        (
            lambda: nn.models.VAE(nn.Dense(2), nn.Dense(2)).losses_of(np.ones((1, 3))),
            ShapeError,
            r"gives \(1, 2\), and the samples are \(1, 3\)",
        ),
        (lambda: nn.models.VAE(nn.Dense(2), nn.Dense(2)).sample(), ArgumentError, "isn't built yet"),
        (lambda: nn.Sampling()(np.ones((1, 2))), ArgumentError, "mean, log_variance"),
        (lambda: nn.models.UNet((30, 32, 1), 2), ShapeError, "30 can't be halved 4 times"),
        (lambda: nn.models.UNet((32, 32, 1), 2, style="vgg"), ArgumentError, "unknown style"),
        (lambda: nn.models.UNet((32, 32, 1), 2, filters=(8,)), ArgumentError, "at least two"),
    ],
)
def test_mistakes_are_named(mistake, kind, text):
    with pytest.raises(kind, match=text):
        mistake()


@pytest.mark.parametrize("style", ["classic", "xception"])
def test_a_unet_learns_to_tell_pixels_apart(style):
    te.seed(0)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 0.4, (8, 16, 16, 1)).astype("f4")
    y = np.zeros((8, 16, 16), int)
    for i, (r, c) in enumerate(rng.integers(1, 10, (8, 2))):
        y[i, r : r + 5, c : c + 5] = 1
    x += 0.5 * y[..., None]
    model = nn.models.UNet((16, 16, 1), 2, filters=(8, 16, 16), style=style)
    assert model.output_shape == (None, 16, 16, 2)
    model.compile(nn.optimizers.Adam(0.01), "sparse_categorical_crossentropy", ["accuracy"])
    history = model.fit(x, y, epochs=15, batch_size=4, verbose=0)
    assert history.history["accuracy"][-1] > 0.95


def test_a_classic_unet_by_hand():
    """Its parameters, counted from the paper's drawing."""
    f = (4, 8, 16)

    def double(i, o):
        return 9 * i * o + o + 9 * o * o + o

    wanted = double(3, f[0]) + double(f[0], f[1]) + double(f[1], f[2])
    wanted += (
        (4 * f[2] * f[1] + f[1]) + double(2 * f[1], f[1]) + (4 * f[1] * f[0] + f[0]) + double(2 * f[0], f[0])
    )
    wanted += f[0] * 5 + 5
    model = nn.models.UNet((8, 8, 3), 5, filters=f)
    assert model.count_params() == wanted
    assert len([name for name, _ in model.named_children() if name.startswith("concatenate")]) == 2
    np.testing.assert_allclose(model(np.ones((1, 8, 8, 3))).data.sum(-1), 1, rtol=1e-5)
    any_size = nn.models.UNet((None, None, 1), 2, filters=(2, 4))
    assert any_size(np.ones((1, 6, 10, 1))).shape == (1, 6, 10, 2)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("filters", [3, 4])
def test_a_residual_block_without_weights_is_its_shortcut(strides, filters):
    x = nn.Input((4, 4, 3))
    model = nn.Model(x, nn.blocks.residual(x, filters, strides))
    for layer in model.layers:
        if isinstance(layer, nn.Conv2D) and layer.kernel_size == (3, 3):
            layer.kernel.data = np.zeros_like(layer.kernel.data)
    shortcuts = [la for la in model.layers if isinstance(la, nn.Conv2D) and la.kernel_size == (1, 1)]
    assert len(shortcuts) == (strides != 1 or filters != 3)
    v = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype("f4")
    y = model(v).data
    if not shortcuts:
        np.testing.assert_allclose(y, np.maximum(v, 0), rtol=1e-6)
    else:
        wanted = v[:, ::strides, ::strides] @ shortcuts[0].kernel.data[0, 0] / np.sqrt(1.001)
        np.testing.assert_allclose(y, np.maximum(wanted, 0), rtol=1e-4, atol=1e-6)


def test_networks_in_one_line():
    assert nn.models.mlp((28, 28), (1024, 512), 10).count_params() == 1_333_770
    assert nn.models.cnn((28, 28, 1)).count_params() == 941_494
    assert nn.models.mlp(2, (3,), 2).count_params() == 17
    wine = nn.models.mlp(11, (1024, 512, 256, 128, 64), 1, output_activation=None, dropout=0.1)
    assert wine.layers[-1].activation is nn.activations.linear
    assert sum(isinstance(layer, nn.Dropout) for layer in wine.layers) == 5
    model = nn.models.logistic_regression(3, kernel_regularizer="l2")
    x = np.random.default_rng(0).standard_normal((4, 3))
    np.testing.assert_allclose(model(x).data, 1 / (1 + np.exp(-x @ model.layers[0].kernel.data)), rtol=1e-5)


def test_sampling_has_the_mean_and_variance_it_was_given():
    te.seed(0)
    mean, log_variance = np.full((20_000, 2), [1.0, -2.0]), np.full((20_000, 2), [0.0, np.log(4.0)])
    z = nn.Sampling()([mean, log_variance]).data
    np.testing.assert_allclose(z.mean(axis=0), [1, -2], atol=0.05)
    np.testing.assert_allclose(z.std(axis=0), [1, 2], rtol=0.02)
    a, b = (nn.Sampling(seed=1)([mean[:3], log_variance[:3]]).data for _ in range(2))
    np.testing.assert_array_equal(a, b)

    def sampled(m, v):
        return nn.Sampling(seed=1, dtype="float64")([m, v])

    gradcheck(
        sampled, [te.Tensor(mean[:2], requires_grad=True), te.Tensor(log_variance[:2], requires_grad=True)]
    )


def test_validation_data_without_targets_may_stand_in_a_tuple():
    x = np.random.default_rng(0).random((12, 6), np.float32)
    vae = make_vae()
    vae.compile("adam")
    for given in (x, (x,)):
        history = vae.fit(x, epochs=1, verbose=0, validation_data=given).history
        assert np.isfinite(history["val_loss"]).all()
