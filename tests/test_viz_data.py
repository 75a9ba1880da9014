"""Pictures of data: what is drawn is what is there, masks lie where they should, files are whole."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from tinygrad_edu import data, viz
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, FileError, ShapeError


def shown(panel):
    """Return the arrays drawn in a panel, the image first."""
    return [np.asarray(image.get_array()) for image in panel.get_images()]


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
@pytest.mark.parametrize("count", [1, 2, 7, 24])
def test_each_image_has_a_panel_with_its_title(count, channels):
    x = (
        np.random.default_rng(0)
        .random((count, 4, 6, *channels))
        .transpose(0, 2, 1, *range(3, 3 + len(channels)))
    )
    figure = viz.show_images(x, titles=range(count), title="all")
    assert figure.get_suptitle() == "all"
    assert [panel.get_title() for panel in figure.axes] == [str(n) for n in range(count)]
    for panel, image in zip(figure.axes, x, strict=True):
        np.testing.assert_array_equal(shown(panel)[0], image[..., 0] if channels == (1,) else image)


def test_grey_images_share_one_scale():
    figure = viz.show_images(np.stack([np.zeros((2, 2)), np.full((2, 2), 5), np.full((2, 2), 9)]))
    assert {panel.get_images()[0].get_clim() for panel in figure.axes} == {(0, 9)}


def test_masks_and_predictions_lie_over_their_image():
    rng = np.random.default_rng(0)
    x, masks, predictions = (
        rng.random((3, 5, 6, 1)),
        rng.integers(0, 2, (3, 5, 6)),
        rng.random((3, 5, 6, 1)) > 0.5,
    )
    figure = viz.show_images(x, masks=masks, predictions=predictions)
    assert len(figure.axes) == 9
    assert [panel.get_title() for panel in figure.axes[:3]] == ["image", "truth", "prediction"]
    hues = set()
    for number in range(3):
        plain, truth, prediction = (shown(panel) for panel in figure.axes[3 * number : 3 * number + 3])
        assert len(plain) == 1
        for drawn, mask in ((truth, masks), (prediction, predictions[..., 0])):
            np.testing.assert_array_equal(drawn[0], x[number, ..., 0])
            np.testing.assert_array_equal(drawn[1][..., 3] > 0, mask[number] != 0)
            hues.add(tuple(drawn[1][mask[number] != 0][0]))
    assert len(hues) == 2


def test_columns_say_how_wide_a_grid_is():
    for columns in (1, 3, 5):
        figure = viz.show_images(np.zeros((5, 2, 2)), columns=columns)
        assert figure.axes[0].get_subplotspec().get_gridspec().ncols == columns


def test_images_that_are_none_are_refused():
    with pytest.raises(ShapeError, match=r"images\[None\]"):
        viz.show_images(np.zeros((4, 4)))
    with pytest.raises(ShapeError, match="channels"):
        viz.show_images(np.zeros((1, 4, 4, 2)))
    with pytest.raises(DTypeError, match="numbers"):
        viz.show_images(np.full((1, 4, 4), "a"))
    with pytest.raises(DataError, match="no image"):
        viz.show_images(np.zeros((0, 4, 4)))
    with pytest.raises(DataError, match="2 images but 1 titles"):
        viz.show_images(np.zeros((2, 4, 4)), titles=["a"])
    with pytest.raises(ShapeError, match="masks must be"):
        viz.show_images(np.zeros((2, 4, 4)), masks=np.zeros((2, 4, 5)))
    with pytest.raises(DataError, match=r"images has 2 rows.*predictions has 3"):
        viz.show_images(np.zeros((2, 4, 4)), predictions=np.zeros((3, 4, 4)))
    with pytest.raises(ArgumentError, match="columns"):
        viz.show_images(np.zeros((2, 4, 4)), columns=0)


def test_bars_are_as_long_as_classes_have_rows():
    y = np.repeat([2, 0], [3, 1])
    panel = viz.class_balance(y[:, None], class_names=("a", "b", "c")).axes[0]
    assert [bar.get_width() for bar in panel.patches] == [1, 0, 3]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["a", "b", "c"]
    assert [text.get_text() for text in panel.texts] == ["1  (25.0%)", "0  (0.0%)", "3  (75.0%)"]
    low, high = panel.get_ylim()
    assert low > high  # the first class on top
    plain = viz.class_balance(["x", "y", "x"]).axes[0]
    assert [bar.get_width() for bar in plain.patches] == [2, 1]


def test_labels_that_are_none_are_refused():
    with pytest.raises(ShapeError, match="one label a row"):
        viz.class_balance(np.eye(3))
    with pytest.raises(DataError, match="no labels"):
        viz.class_balance([])
    for y in ([0, 2], [-1, 0], [0.0, 1.0]):
        with pytest.raises(DataError, match="2 class names"):
            viz.class_balance(y, class_names=("a", "b"))


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 6), (5, 4, 4)])
def test_histograms_count_every_value(shape):
    x = np.random.default_rng(0).normal(size=shape)
    figure = viz.histograms(x, bins=7)
    columns = x if x.ndim == 2 else x.reshape(-1, 1)
    assert len(figure.axes) == columns.shape[1]
    for panel, column in zip(figure.axes, columns.T, strict=True):
        counts = [bar.get_height() for bar in panel.patches]
        np.testing.assert_array_equal(counts, np.histogram(column, 7)[0])


def test_values_that_can_not_be_counted_are_refused():
    with pytest.raises(DataError, match="NaN"):
        viz.histograms([1.0, np.nan])
    with pytest.raises(DataError, match="none that is"):
        viz.histograms(np.zeros((0, 3)))
    with pytest.raises(DataError, match="21 columns"):
        viz.histograms(np.zeros((3, 21)))
    with pytest.raises(DataError, match="2 columns but 1 names"):
        viz.histograms(np.zeros((3, 2)), feature_names=["a"])
    with pytest.raises(DTypeError, match="numbers"):
        viz.histograms(["a"])


DRAWINGS = {
    "show_images": lambda path: viz.show_images(np.eye(4)[None], path),
    "class_balance": lambda path: viz.class_balance([0, 1], path),
    "histograms": lambda path: viz.histograms([0.0, 1.0], path),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_files_are_whole_the_same_again_or_not_there(name, tmp_path):
    draw = DRAWINGS[name]
    settings = dict(matplotlib.rcParams)
    for suffix in ("png", "svg", "pdf"):
        draw(tmp_path / f"a.{suffix}")
        draw(tmp_path / f"b.{suffix}")
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).width > 100
    with pytest.raises(ArgumentError, match=rf"{name}.*suffix"):
        draw(tmp_path / "a.txt")
    with pytest.raises(FileError, match="can't write"):
        draw(tmp_path / "nowhere" / "a.png")
    assert dict(matplotlib.rcParams) == settings


def test_real_sets_are_drawn():
    wine = data.wine_quality()
    figure = viz.histograms(wine.x, feature_names=wine.feature_names)
    assert [panel.get_xlabel() for panel in figure.axes] == list(wine.feature_names)
    digits = data.digits()
    assert len(viz.class_balance(digits.y, class_names=digits.class_names).axes[0].patches) == 10


@pytest.mark.parametrize(
    ("name", "panels", "bars"),
    [("digits", 9, 10), ("lesions", 9, 2), ("iris", 5, 3), ("wine_quality", 9, 30), ("molecules", 1, 30)],
)
def test_a_card_tells_and_shows_a_set(name, panels, bars, tmp_path):
    dataset = getattr(data, name)()
    figure = viz.data_card(dataset, tmp_path / "card.png")
    assert figure.get_suptitle() == dataset.name
    assert Image.open(io.BytesIO((tmp_path / "card.png").read_bytes())).width > 1000
    assert len(figure.axes) == panels
    assert len(figure.axes[-1].patches) == bars
    assert (
        sum(bar.get_height() for bar in figure.axes[-1].patches) == len(dataset.y_train)
        or dataset.class_names
    )
    told = figure.subfigs[0].texts[0].get_text()
    assert " ".join(told.split()) == " ".join(repr(dataset).split())


def test_a_card_is_of_a_set():
    with pytest.raises(DTypeError, match="expected a Dataset"):
        viz.data_card(np.zeros((3, 3)))
