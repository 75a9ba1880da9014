"""Molecules as structures."""

import sys

import numpy as np
import pytest

from tinygrad_edu import data, viz
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, FileError


@pytest.fixture(autouse=True)
def drawing():
    pytest.importorskip("rdkit")
    pytest.importorskip("deepsmiles")


def pictures(figure):
    return [np.asarray(panel.get_images()[0].get_array()) for panel in figure.axes]


def test_each_molecule_has_a_panel_and_its_text(tmp_path):
    texts = data.molecules().x_test[:6]
    figure = viz.show_molecules(texts, tmp_path / "m.png", title="six")
    assert [panel.get_title() for panel in figure.axes] == texts.tolist()
    drawn = pictures(figure)
    for picture in drawn:
        assert picture.shape[2] == 3
        assert 0.002 < (picture < 128).any(axis=2).mean() < 0.3  # lines on white
    assert len({picture.tobytes() for picture in drawn}) == 6
    assert (tmp_path / "m.png").stat().st_size > 10_000


def test_both_notations_draw_the_same_molecule():
    deep = viz.show_molecules("CCCF)C4", notation="deepsmiles", titles=["a"])
    plain = viz.show_molecules(["C1CC(F)C1"], notation="smiles", titles=["a"])
    np.testing.assert_array_equal(pictures(deep)[0], pictures(plain)[0])


@pytest.mark.parametrize("text", ["F=F", "C(C", "", "CXC"])
def test_what_is_no_molecule_is_named(text, capfd):
    with pytest.raises(DataError, match=r"number 1.*is no molecule"):
        viz.show_molecules(["CC", text], notation="smiles")
    assert capfd.readouterr() == ("", "")  # RDKit would print


def test_other_arguments_are_refused(tmp_path):
    with pytest.raises(DataError, match="no molecule to show"):
        viz.show_molecules(np.array([], "U3"))
    with pytest.raises(DTypeError, match=r"texts are expected.*\(2, 3\) of float64"):
        viz.show_molecules(np.zeros((2, 3)))
    with pytest.raises(DataError, match="2 images but 1 titles"):
        viz.show_molecules(["C", "N"], titles=["a"])
    with pytest.raises(ArgumentError, match="did you mean 'smiles'"):
        viz.show_molecules("C", notation="smile")
    with pytest.raises(FileError, match="nowhere"):
        viz.show_molecules("C", tmp_path / "nowhere" / "m.png")


def test_without_rdkit_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(ArgumentError, match=r"tinygrad_edu\[drawing\]"):
        viz.show_molecules("C")
