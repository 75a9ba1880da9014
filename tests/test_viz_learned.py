"""Pictures of what was learned: what is drawn equals what the model, scikit-learn or plain NumPy says."""

import io
import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LogisticRegression

import tinygrad_edu as te
from tinygrad_edu import data, nn, viz
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, FileError, ShapeError

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(40, 2))
INNER = (np.hypot(*POINTS.T) < 1).astype(int)


def shown(panel):
    """Return the arrays drawn in a panel."""
    return [np.ma.filled(image.get_array(), 0) for image in panel.get_images()]


def texts(panel):
    return [text.get_text() for text in panel.texts]


@pytest.fixture(scope="module")
def binary():
    te.seed(0)
    model = nn.Sequential([nn.Input((2,)), nn.Dense(8, activation="tanh"), nn.Dense(1, activation="sigmoid")])
    model.compile(nn.optimizers.Adam(0.05), "binary_crossentropy")
    model.fit(POINTS, INNER, epochs=20, verbose=0)
    return model


@pytest.fixture(scope="module")
def vae():
    te.seed(0)
    encoder = nn.Sequential([nn.Input((6, 6)), nn.Flatten(), nn.Dense(4)])
    decoder = nn.Sequential([nn.Input((2,)), nn.Dense(36), nn.Reshape((6, 6))])
    return nn.models.VAE(encoder, decoder)


# --- Decision boundary -----------------------------------------------------------------------------------


def grid_of(panel, resolution):
    left, right, low, high = panel.get_images()[0].get_extent()
    grid = np.meshgrid(np.linspace(left, right, resolution), np.linspace(low, high, resolution))
    return np.stack(grid, axis=-1).reshape(-1, 2)


def test_the_plane_has_the_colours_that_the_model_gives(binary):
    figure = viz.decision_boundary(binary, POINTS, INNER, resolution=30, title="circles")
    panel = figure.axes[0]
    expected = binary.predict(grid_of(panel, 30))
    np.testing.assert_allclose(shown(panel)[0].ravel(), expected.ravel(), rtol=1e-4, atol=1e-6)
    right = np.mean((binary.predict(POINTS)[:, 0] > 0.5) == INNER)
    assert panel.get_title(loc="right") == f"accuracy {right:.3f}"
    assert figure.get_suptitle() == "circles"


def test_all_points_are_drawn_in_their_class(binary):
    panel = viz.decision_boundary(binary, POINTS, INNER, class_names=("out", "in"), resolution=5).axes[0]
    clouds = [c for c in panel.collections if c.get_label() in ("out", "in")]
    assert [len(cloud.get_offsets()) for cloud in clouds] == [(INNER == 0).sum(), INNER.sum()]
    for k, cloud in enumerate(clouds):
        np.testing.assert_allclose(cloud.get_offsets(), POINTS[k == INNER])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_regions_are_the_classes_that_an_estimator_gives(count):
    blobs = data.blobs(60, centers=count, seed=1)
    model = LogisticRegression().fit(blobs.x, blobs.y)
    panel = viz.decision_boundary(model, blobs.x, blobs.y, resolution=20).axes[0]
    grid = grid_of(panel, 20)
    drawn = shown(panel)[0].ravel()
    if count == 2:
        np.testing.assert_allclose(drawn, model.predict_proba(grid)[:, 1])
    else:
        np.testing.assert_array_equal(drawn, model.predict(grid))
        strength = panel.get_images()[0].get_alpha().ravel()
        np.testing.assert_allclose(strength, 0.1 + 0.45 * model.predict_proba(grid).max(axis=1))
    assert panel.get_title(loc="right") == f"accuracy {model.score(blobs.x, blobs.y):.3f}"


def test_an_estimator_of_texts_keeps_its_names():
    y = np.array(["no", "yes"])[INNER]
    figure = viz.decision_boundary(LogisticRegression().fit(POINTS, y), POINTS, y, resolution=5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["no", "yes"]
    model, names = LogisticRegression().fit(POINTS, INNER), np.array(["out", "in"])
    figure = viz.decision_boundary(model, POINTS, INNER, class_names=names, resolution=5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["out", "in"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[:, 0] > 0.2,
        lambda x: (x[:, 0] > 0.2).astype(int),
        lambda x: te.sigmoid(te.Tensor(x[:, :1]) * 9 - 1.8),
        lambda x: np.stack([0.2 - x[:, 0], 0 * x[:, 0]], axis=1) * -1.0,
    ],
)
def test_any_function_of_points_is_a_model(function):
    y = POINTS[:, 0] > 0.2
    panel = viz.decision_boundary(function, POINTS.tolist(), te.Tensor(y.astype(int)), resolution=9).axes[0]
    if "0 *" not in str(function):
        assert panel.get_title(loc="right").startswith("accuracy")


def test_logits_need_to_be_told_from_probabilities():
    def logits(x):
        return 3 * x[:, 0]

    with pytest.raises(ArgumentError, match="threshold=0 for logits"):
        viz.decision_boundary(logits, POINTS)
    y = POINTS[:, 0] > 0
    panel = viz.decision_boundary(logits, POINTS, y, threshold=0, resolution=9).axes[0]
    assert panel.get_title(loc="right") == "accuracy 1.000"


@pytest.mark.parametrize("x", [[[0.0, 0.0]], [[1.0, 2.0], [1.0, 2.0]]])
def test_a_point_alone_has_room_around_it(x):
    panel = viz.decision_boundary(lambda x: x[:, 0] > 0, x, resolution=4).axes[0]
    assert np.ptp(panel.get_xlim()) > 0
    assert np.ptp(panel.get_ylim()) > 0


def test_what_has_no_boundary_is_refused():
    def model(x):
        return x[:, 0] > 0

    with pytest.raises(ShapeError, match=r"\(N, 2\)"):
        viz.decision_boundary(model, np.zeros((3, 4)))
    with pytest.raises(DataError, match="empty"):
        viz.decision_boundary(model, np.zeros((0, 2)))
    with pytest.raises(DataError, match="1 of 4 values in x"):
        viz.decision_boundary(model, [[0, np.nan], [1, 1]])
    with pytest.raises(DataError, match=r"x has 2 rows.*y has 3"):
        viz.decision_boundary(model, np.eye(2), [0, 1, 1])
    with pytest.raises(DTypeError, match="expected a model"):
        viz.decision_boundary("model", np.eye(2))
    with pytest.raises(ShapeError, match="it gave"):
        viz.decision_boundary(lambda x: np.zeros((len(x), 2, 2)), np.eye(2))
    with pytest.raises(ShapeError, match="a row for each row"):
        viz.decision_boundary(lambda x: np.zeros(3), np.eye(2))
    with pytest.raises(DataError, match="what the model gave"):
        viz.decision_boundary(lambda x: np.full(len(x), np.nan), np.eye(2))
    with pytest.raises(DataError, match="labels 0, 1"):
        viz.decision_boundary(model, np.eye(2), [-1, 1])


def test_three_features_are_drawn_in_space():
    x = RNG.normal(size=(20, 3))
    y = np.repeat([0, 2], 10)
    panel = viz.scatter_3d(x, y, class_names="abc", feature_names=("u", "v", "w")).axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel(), panel.get_zlabel()) == ("u", "v", "w")
    for cloud, k in zip(panel.collections, (0, 2), strict=True):
        np.testing.assert_allclose(np.stack(cloud._offsets3d, axis=1), x[y == k])
    with pytest.raises(ShapeError, match=r"\(N, 3\)"):
        viz.scatter_3d(POINTS)


# --- Confusion matrix, ROC, precision and recall ---------------------------------------------------------


@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30),
    names=st.booleans(),
)
def test_the_cells_are_scikit_learns(pairs, names):
    truth, guess = np.array(pairs).T
    figure = viz.confusion_matrix(truth, guess, class_names="abcde" if names else ())
    cells = np.array([int(text) for text in texts(figure.axes[0])])
    labels = range(5) if names else np.union1d(truth, guess)
    if len(labels) == 1:  # scikit-learn warns of it
        expected = np.array([[len(pairs)]])
    else:
        expected = sklearn.metrics.confusion_matrix(truth, guess, labels=labels)
    np.testing.assert_array_equal(cells, expected.ravel())
    assert cells.sum() == len(pairs)
    accuracy = sklearn.metrics.accuracy_score(truth, guess)
    assert figure.axes[0].get_title(loc="right") == f"accuracy {accuracy:.3f} of {len(pairs)}"


@pytest.mark.parametrize("normalize", ["true", "pred", "all"])
def test_shares_are_scikit_learns(normalize):
    truth, guess = RNG.integers(0, 3, (2, 50))
    cells = texts(viz.confusion_matrix(truth, guess, normalize=normalize).axes[0])
    expected = sklearn.metrics.confusion_matrix(truth, guess, normalize=normalize)
    assert cells == [f"{share:.2f}" for share in expected.ravel()]


def test_predictions_come_as_a_model_gives_them():
    truth = np.array([0, 1, 1, 0])
    for guess in (
        [0, 1, 0, 0],
        [0.2, 0.9, 0.5, 0.1],
        [[0.2], [0.9], [0.5], [0.1]],
        te.Tensor([[0.8, 0.2], [0.1, 0.9], [0.6, 0.4], [0.9, 0.1]]),
    ):
        assert texts(viz.confusion_matrix(np.eye(2)[truth], guess).axes[0]) == ["2", "0", "1", "1"]
    logits = [-1.0, 2.0, -3.0, -4.0]
    with pytest.raises(ArgumentError, match="no probabilities"):
        viz.confusion_matrix(truth, [-1.5, 2.0, -3.0, -4.0])
    assert texts(viz.confusion_matrix(truth, logits, threshold=0).axes[0]) == ["2", "0", "1", "1"]
    assert texts(viz.confusion_matrix(["b", "a"], ["b", "b"]).axes[0]) == ["0", "1", "0", "1"]


def test_many_classes_are_drawn_without_numbers():
    y = np.arange(60)
    panel = viz.confusion_matrix(y, y).axes[0]
    assert texts(panel) == []
    np.testing.assert_array_equal(shown(panel)[0], np.eye(60))


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"y_true has 2 rows.*y_pred has 3"):
        viz.confusion_matrix([0, 1], [0, 1, 1])
    with pytest.raises(DataError, match="empty"):
        viz.confusion_matrix([], [])
    with pytest.raises(DataError, match="2 in all, got 1"):
        viz.confusion_matrix([0, 1], [0, 1], class_names=["a"])
    with pytest.raises(DataError, match="NaN"):
        viz.confusion_matrix([0, 1], [0.5, np.nan])
    with pytest.raises(ArgumentError, match="did you mean 'true'"):
        viz.confusion_matrix([0, 1], [0, 1], normalize="tru")
    with pytest.raises(DataError, match="both must be labels"):
        viz.confusion_matrix(["a", "b"], [0, 1])


CURVES = {
    "roc_curve": (viz.roc_curve, "AUC", sklearn.metrics.roc_auc_score),
    "precision_recall_curve": (viz.precision_recall_curve, "AP", sklearn.metrics.average_precision_score),
}


@pytest.mark.parametrize("name", CURVES)
def test_curves_and_areas_are_scikit_learns(name):
    draw, word, area = CURVES[name]
    truth = RNG.integers(0, 2, 40)
    score = truth + RNG.normal(size=40)
    line = draw(truth, score[:, None]).axes[0].get_lines()[0]
    first, second, _ = getattr(sklearn.metrics, name)(truth, score)
    if name != "roc_curve":
        first, second = second, first  # precision comes first there, and is drawn upwards here
    np.testing.assert_array_equal(line.get_data(), [first, second])
    assert line.get_label() == f"{word} {area(truth, score):.3f}"
    two = np.stack([1 - score, score], axis=1)
    assert draw(truth, two).axes[0].get_lines()[0].get_label() == line.get_label()


@pytest.mark.parametrize("name", CURVES)
def test_each_class_and_each_model_has_a_curve(name):
    draw, word, area = CURVES[name]
    truth = np.repeat([0, 1, 3], 10)
    score = RNG.random((30, 4))
    lines = draw(truth, score, class_names="abcd").axes[0].get_lines()
    labels = [f"{'abcd'[k]}  {word} {area(truth == k, score[:, k]):.3f}" for k in (0, 1, 3)]
    assert [line.get_label() for line in lines[:3]] == labels
    models = {"one": score[:, 0], "two": score[:, 1]}
    lines = draw(truth > 0, models).axes[0].get_lines()
    assert [line.get_label().split()[0] for line in lines[:2]] == ["one", "two"]


@pytest.mark.parametrize("name", CURVES)
def test_what_has_no_curve_is_refused(name):
    draw = CURVES[name][0]
    with pytest.raises(DataError, match="all 3 samples are of class 1"):
        draw([1, 1, 1], [0.1, 0.2, 0.3])
    with pytest.raises(DataError, match="y_true has 2 rows"):
        draw([0, 1], [0.1, 0.2, 0.3])
    with pytest.raises(ShapeError, match="a score for each class"):
        draw([0, 1, 2], [0.1, 0.2, 0.3])
    with pytest.raises(DataError, match="scores of 3 classes, but labels up to 3"):
        draw([0, 3], np.eye(3)[:2])
    with pytest.raises(DataError, match="NaN"):
        draw([0, 1], [0.1, np.nan])
    with pytest.raises(DataError, match="no scores"):
        draw([0, 1], {})


# --- Codes and reconstructions ---------------------------------------------------------------------------


def test_points_lie_at_the_codes(vae):
    x = RNG.random((30, 6, 6))
    y = np.arange(30) % 3
    panel = viz.latent_space(vae, x, y).axes[0]
    codes = vae.encode(te.Tensor(x))[0].numpy()
    for k, cloud in enumerate(panel.collections):
        np.testing.assert_allclose(cloud.get_offsets(), codes[y == k], rtol=1e-5)
    assert texts(panel) == ["0", "1", "2"]
    np.testing.assert_allclose(viz.latent_space(codes).axes[0].collections[0].get_offsets(), codes)


def test_many_dimensions_are_projected_to_the_principal_ones():
    from sklearn.decomposition import PCA

    codes = RNG.normal(size=(50, 5)) * [5, 3, 1, 1, 1]
    figure = viz.latent_space(codes, y=codes[:, 0], label="gap")
    pca = PCA(2).fit(codes)
    drawn = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(np.abs(drawn), np.abs(pca.transform(codes)), atol=1e-9)
    assert figure.axes[0].get_xlabel() == f"component 1 of 5 ({pca.explained_variance_ratio_[0]:.0%})"
    assert figure.axes[1].get_ylabel() == "gap"  # a quantity has a colour bar
    np.testing.assert_array_equal(figure.axes[0].collections[0].get_array(), codes[:, 0])


def test_the_grid_is_what_the_decoder_makes_of_its_codes(vae):
    panel = viz.latent_grid(vae, size=3, extent=1.5).axes[0]
    sheet = shown(panel)[0]
    steps = [-1.5, 0, 1.5]
    for row, z2 in enumerate(reversed(steps)):
        for column, z1 in enumerate(steps):
            image = sheet[6 * row : 6 * row + 6, 6 * column : 6 * column + 6]
            np.testing.assert_allclose(image, vae.decode([[z1, z2]]).numpy()[0], rtol=1e-5)
    assert viz.latent_grid(vae.decoder, size=1).axes[0].get_xlabel() == "z1"
    many = nn.Sequential([nn.Input((4,)), nn.Dense(6)])
    panel = viz.latent_grid(many, size=2, dimensions=(3, 1), shape=(2, 3)).axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel(), shown(panel)[0].shape) == ("z4", "z2", (4, 6))


def test_reconstructions_stand_under_their_images(vae):
    x = RNG.random((4, 6, 6)).astype(np.float32)
    figure = viz.reconstructions(vae, x, count=3, titles="abcd")
    made = vae.reconstruct(te.Tensor(x[:3])).numpy()
    assert [panel.get_title() for panel in figure.axes[:3]] == ["a", "b", "c"]
    for panels, images in zip(np.array(figure.axes).reshape(3, 3), (x, made, made - x[:3]), strict=True):
        for panel, image in zip(panels, images, strict=False):
            np.testing.assert_allclose(shown(panel)[0], image, atol=1e-6)
    flat = viz.reconstructions(lambda x: x / 2, x.reshape(4, 36), shape=(6, 6))
    np.testing.assert_allclose(shown(flat.axes[4])[0], x[0] / 2)


def test_codes_and_images_that_are_none_are_refused(vae):
    with pytest.raises(ShapeError, match="two numbers or more"):
        viz.latent_space(np.zeros((3, 1)))
    with pytest.raises(DataError, match="samples that the model is to encode"):
        viz.latent_space(vae)
    with pytest.raises(DataError, match=r"codes has 3 rows.*y has 2"):
        viz.latent_space(np.zeros((3, 2)), y=[0, 1])
    with pytest.raises(DataError, match="NaN"):
        viz.latent_space([[0.0, np.nan]])
    with pytest.raises(ArgumentError, match="0 to 1"):
        viz.latent_grid(vae, dimensions=(0, 2))
    with pytest.raises(ArgumentError, match="two dimensions"):
        viz.latent_grid(vae, dimensions=(1, 1))
    with pytest.raises(ShapeError, match="shape="):
        viz.latent_grid(nn.Sequential([nn.Input((2,)), nn.Dense(36)]))
    with pytest.raises(ShapeError, match="can't be"):
        viz.latent_grid(vae, shape=(5, 5))
    with pytest.raises(ShapeError, match="but reconstructions"):
        viz.reconstructions(np.zeros((2, 3, 3)), np.zeros((2, 4, 4)))
    with pytest.raises(DataError, match="2 images but 1 titles"):
        viz.reconstructions(np.zeros((2, 3, 3)), np.zeros((2, 3, 3)), titles=["a"])


def test_a_single_code_and_constant_ones_are_drawn():
    assert len(viz.latent_space([[1.0, 2.0]], y=[0]).axes[0].collections) == 1
    assert viz.latent_space(np.ones((3, 4))).axes[0].get_xlabel() == "component 1 of 4 (0%)"


# --- All of them -----------------------------------------------------------------------------------------

DRAWINGS = {
    "decision_boundary": lambda p: viz.decision_boundary(lambda x: x[:, 0] > 0, POINTS, INNER, p),
    "scatter_3d": lambda p: viz.scatter_3d(np.eye(3), [0, 1, 2], p),
    "confusion_matrix": lambda p: viz.confusion_matrix([0, 1, 1], [0, 1, 0], p),
    "roc_curve": lambda p: viz.roc_curve([0, 1, 1], [0.1, 0.2, 0.05], p),
    "precision_recall_curve": lambda p: viz.precision_recall_curve([0, 1, 1], [0.1, 0.2, 0.05], p),
    "latent_space": lambda p: viz.latent_space(POINTS, None, INNER, p),
    "latent_grid": lambda p: viz.latent_grid(lambda z: np.tile(z, 2), p, size=2, shape=(2, 2)),
    "reconstructions": lambda p: viz.reconstructions(np.eye(3)[None], np.eye(3)[None], p),
    "filters": lambda p: viz.filters(RNG.normal(size=(3, 3, 1, 2)), p),
    "feature_maps": lambda p: viz.feature_maps(nn.MaxPooling2D(2), np.eye(4), p),
    "segmentation": lambda p: viz.segmentation(np.eye(4)[None], np.eye(4)[None], np.eye(4)[None], p),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_files_are_whole_or_not_there_and_nothing_else_changes(name, tmp_path):
    settings = dict(matplotlib.rcParams)
    figure = DRAWINGS[name](tmp_path / "a.png")
    assert Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).width > 100
    DRAWINGS[name](tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().rstrip().endswith("</svg>")
    assert figure._repr_png_()[1:4] == b"PNG"
    with pytest.raises(ArgumentError, match=rf"{name}.*suffix"):
        DRAWINGS[name](tmp_path / "a.txt")
    with pytest.raises(FileError, match="can't write"):
        DRAWINGS[name](tmp_path / "nowhere" / "a.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg"]
    assert dict(matplotlib.rcParams) == settings


def test_no_display_and_no_pyplot_are_needed():
    """In a fresh program without a display: pyplot, which opens windows, isn't even imported."""
    program = (
        "import sys, numpy as np; from tinygrad_edu import viz; viz.confusion_matrix([0, 1], [0, 1]); "
        "viz.decision_boundary(lambda x: x[:, 0] > 0, np.eye(2), [0, 1]); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    bare = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=bare | {"MPLBACKEND": "tkagg"}
    )
    assert done.stdout.strip() == "False", done.stderr
