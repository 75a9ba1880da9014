"""Exported models: onnxruntime computes what we compute, or the export refuses."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor, nn, ops
from tinygrad_edu.errors import ArgumentError, FileError, ShapeError, TinygradEduError
from tinygrad_edu.nn import layers

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


from onnx_cases import Exports, drawn, kinds, sequential  # noqa: E402


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return Exports(tmp_path_factory.mktemp("onnx"))


# -- whole models ----------------------------------------------------------------------------------------


def test_the_cnn(exports):
    model = nn.models.cnn((28, 28, 1))
    proto = exports.compare(model, [drawn((1, 28, 28, 1))], [drawn((4, 28, 28, 1))])
    assert kinds(proto)["Transpose"] == 2  # of the image, and before Flatten
    names = {x.name for x in proto.graph.initializer}
    assert {path for path, _ in model.named_weights()} <= names


def test_a_vae_s_decoder(exports):
    decoder = nn.Sequential(
        [
            nn.Input((2,)),
            nn.Dense(7 * 7 * 4, "relu"),
            nn.Reshape((7, 7, 4)),
            nn.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
            nn.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
            nn.Conv2DTranspose(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    encoder = nn.Sequential([nn.Input((28, 28, 1)), nn.Flatten(), nn.Dense(4)])
    vae = nn.models.VAE(encoder, decoder)
    exports.compare(vae.decoder, [drawn((1, 2))], [drawn((5, 2))])
    with pytest.raises(ArgumentError, match="drawn at random"):
        nn.export_onnx(vae, exports.path, np.zeros((1, 28, 28, 1), "f4"))


@pytest.mark.parametrize("style", ["classic", "xception"])
def test_a_u_net_turns_its_image_once_and_its_result_back(exports, style):
    options = (
        {"filters": (4, 8, 16), "normalize": True, "dropout": 0.1}
        if style == "classic"
        else {"filters": (4, 8, 16)}
    )
    model = nn.models.UNet((16, 24, 3), 3, style=style, **options)
    for _, w in model.named_weights():
        if w.buffer:
            w.data = 1 + 0.3 * np.abs(drawn(w.shape))  # as after training
    proto = exports.compare(model, [drawn((1, 16, 24, 3))], [drawn((3, 16, 24, 3))])
    assert kinds(proto)["Transpose"] == 2


def test_no_transposes_between_convolutions(exports):
    x = nn.Input((8, 8, 3))
    y = a = nn.Conv2D(4, 3, padding="same")(x)
    y = nn.BatchNormalization()(nn.Activation("gelu")(y))
    y = nn.layers.add([y * 2.0, a, layers.PReLU()(y)])
    y = nn.layers.concatenate([layers.ZeroPadding2D(1)(y), layers.ZeroPadding2D(1)(a)])
    y = layers.Cropping2D(1)(nn.Softmax()(y))
    y = nn.layers.multiply([y, layers.GlobalAveragePooling2D(keepdims=True)(y)])
    proto = exports.compare(nn.Model(x, nn.Conv2D(2, 3)(y)), [drawn((2, 8, 8, 3))])
    assert kinds(proto)["Transpose"] == 2
    assert kinds(proto)["Pad"] == 2  # one for both axes


class TwoInTwoOut(nn.Model):
    def __init__(self):
        super().__init__()
        self.wide, self.deep = nn.Dense(3), nn.Dense(2, "relu")

    def call(self, numbers, words):
        return {
            "sum": self.wide(numbers) + self.deep(words).sum(axis=1, keepdims=True),
            "deep": self.deep(words),
        }


def test_a_subclass_needs_an_example(exports):
    model, x, y = TwoInTwoOut(), drawn((5, 4)), drawn((5, 3))
    with pytest.raises(ArgumentError, match="give an example"):
        nn.export_onnx(model, exports.path)
    proto = exports.compare(model, [x, y], [x[:1], y[:1]], example=(x[:2], y[:2]), arguments=list)
    assert [i.name for i in proto.graph.input] == ["numbers", "words"]
    assert [o.name for o in proto.graph.output] == ["sum", "deep"]


def test_a_model_that_is_not_built_takes_an_example(exports):
    x = drawn((3, 4))
    exports.compare(nn.Sequential([nn.Dense(3), nn.BatchNormalization(), nn.Dense(2)]), [x], example=x)
    exports.compare(TwoInTwoOut(), [x, x], example=(x, x), arguments=list)


def test_an_example_s_floats_come_in_the_model_s_dtype(exports):
    model = sequential((None, 4), nn.Dense(2))
    proto = exports.compare(model, [drawn((5, 3, 4))], example=np.random.default_rng(0).random((2, 3, 4)))
    assert proto.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    tokens = nn.Sequential([nn.Input((None,), dtype="int64"), layers.Embedding(9, 2)])
    exports.compare(tokens, [drawn((5, 3), "int64")], example=[[1, 2, 8]])
    exports.compare(TwoInTwoOut(), [drawn((5, 4))] * 2, example=(np.eye(4), np.eye(4)), arguments=list)
    with pytest.raises(ShapeError, match="has 1 inputs"):
        exports.write(tokens, [np.ones((1, 3)), np.ones((1, 3))])


def test_inputs_by_name_in_any_order(exports):
    inputs = {"a": nn.Input((None, 2), name="a"), "b": nn.Input((3,), name="b")}
    y = nn.Dense(2)(nn.layers.concatenate([nn.GlobalMaxPooling1D()(inputs["a"]), inputs["b"]]))
    a, b = drawn((5, 4, 2)), drawn((5, 3))
    example = {"b": b, "a": a}
    proto = exports.compare(
        nn.Model(inputs, y), [a, b], example=example, arguments=lambda x: [{"b": x[1], "a": x[0]}]
    )
    assert [x.name for x in proto.graph.input] == ["a", "b"]


def test_numbers_that_are_large(exports):
    functions = (
        ops.softplus, ops.logsigmoid, ops.softmax, ops.log_softmax, ops.gelu, ops.silu, ops.mish, ops.tanh,
        ops.elu, ops.sigmoid, lambda x: ops.logsumexp(x, axis=-1),
    )  # fmt: skip
    model = sequential((4,), layers.Lambda(lambda x: [f(x) for f in functions]))
    exports.compare(model, [np.array([[1e4, -1e4, 100, -100], [88.8, 89, 0, 1e-4]], np.float32)])


def test_a_model_that_random_numbers_do_not_fit_says_what_to_give(exports):
    def labels(x):
        return ops.embedding(ops.astype(x, "int64"), Tensor(np.eye(10, dtype="f4")))

    model = sequential((3,), layers.Lambda(labels))
    with pytest.raises(TinygradEduError) as caught:
        exports.write(model)
    assert "inputs=x gives it others" in "".join(caught.value.__notes__)
    x = drawn((6, 3), "int32").astype("f4")
    exports.compare(model, [x], example=x)


def test_a_single_layer_and_nested_models(exports):
    layer = nn.Dense(2)
    layer(drawn((3, 4)))
    exports.compare(layer, [drawn((5, 4))])
    inner = sequential((4,), nn.Dense(3, "relu"), nn.Dense(3))
    exports.compare(sequential((4,), nn.Dense(4), inner, nn.Dense(2)), [drawn((5, 4))])


def test_lengths_left_open_take_an_example(exports):
    model = sequential((None, None, 3), nn.Conv2D(4, 3, padding="same"), nn.GlobalMaxPooling2D())
    with pytest.raises(ArgumentError, match=r"open shape \(None, None, 3\)"):
        nn.export_onnx(model, exports.path)
    exports.compare(model, [drawn((4, 7, 5, 3))], example=drawn((1, 7, 5, 3)))


def test_float64_stays(exports):
    model = nn.Sequential([nn.Input((4,), dtype="float64"), nn.Dense(3, "tanh", dtype="float64")])
    proto = exports.compare(model, [drawn((3, 4), np.float64)])
    assert proto.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE


def test_pixels_as_bytes(exports):
    model = nn.Sequential([nn.Input((4, 4, 1), dtype="uint8"), layers.Rescaling(1 / 255), nn.Conv2D(2, 3)])
    exports.compare(model, [drawn((3, 4, 4, 1), np.uint8)])


def test_no_samples(exports):
    exports.compare(sequential((4, 4, 2), nn.Conv2D(3, 3), nn.Flatten(), nn.Dense(3)), [drawn((0, 4, 4, 2))])


def test_exporting_changes_nothing(exports):
    model = sequential((4,), nn.Dense(3), nn.BatchNormalization(), nn.Dropout(0.5), nn.Dense(1))
    model.train()
    before = model.state_dict()
    exports.write(model)
    assert model.training
    assert all(np.array_equal(w, before[path]) for path, w in model.state_dict().items())


# -- what is refused -------------------------------------------------------------------------------------


def once_or_twice(x):
    return x * 1.0 if ops.any(x > -9).item() else x * 2.0


REFUSED = {
    "drawn at random": lambda x: x + np.random.default_rng().normal(size=x.shape).astype("f4"),
    "depend on the number of samples": lambda x: x / x.shape[0],
    "numbers were taken out": lambda x: x * (x.data > 0),
    "taken out of a tensor here, and": once_or_twice,
    "taken out of a tensor here": lambda x: x if x.sum().item() > 0 else x * 2,
    "something else for 4 samples": lambda x: ops.stack([x[i] for i in range(x.shape[0])]),
    "no counterpart": lambda x: te.linalg.inv(x[:, :, None] * x[:, None] + np.eye(4, dtype="f4")),
    "isn't in proportion": lambda x: x[: x.shape[0] // 2],
    "in proportion": lambda x: ops.reshape(ops.tile(x, (x.shape[0] + 1, 1)), (x.shape[0] + 1, -1)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_has_no_counterpart_is_refused_and_nothing_written(tmp_path, reason):
    model = sequential((4,), layers.Lambda(REFUSED[reason], name="odd"))
    with pytest.raises(ArgumentError, match=reason) as caught:
        nn.export_onnx(model, tmp_path / "model.onnx")
    assert "in: odd" in str(caught.value)
    assert f"at: {__file__.rsplit('/', 1)[-1]}:" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="expected a model or a layer, got int"):
        nn.export_onnx(3, tmp_path / "model.onnx")
    stateful = nn.Sequential([nn.Input((5, 3), batch_size=4), layers.LSTM(2, stateful=True)])
    with pytest.raises(ArgumentError, match="keeps states"):
        nn.export_onnx(stateful, tmp_path / "model.onnx")
    with pytest.raises(ArgumentError, match="batch axis"):
        nn.export_onnx(nn.Dense(2), tmp_path / "model.onnx", 3.0)
    with pytest.raises(FileError, match="can't write"):
        nn.export_onnx(sequential((4,), nn.Dense(2)), tmp_path / "missing" / "model.onnx")
    assert not list(tmp_path.iterdir())
