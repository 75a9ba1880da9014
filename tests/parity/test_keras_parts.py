"""Initialisers, regularisers and constraints beside Keras' own: distributions, values, arguments."""

import inspect

import numpy as np
import pytest
from side_by_side import agree, array, both
from test_keras_layers import WITHOUT, same

from tinygrad_edu import nn


@pytest.mark.parametrize("shape", [(200, 300), (3, 3, 40, 60), (5, 100, 80), (4000,)], ids=str)
@pytest.mark.parametrize(
    "source",
    [
        "Zeros()", "Ones()", "Constant(0.3)", "RandomNormal(0.5, 0.2)", "RandomUniform(-1, 3)",
        "TruncatedNormal(1.0, 0.5)", "GlorotUniform()", "GlorotNormal()", "HeUniform()", "HeNormal()",
        "LecunUniform()", "LecunNormal()", "VarianceScaling(2.0, 'fan_out', 'normal')",
        "VarianceScaling(0.5, 'fan_avg', 'uniform')", "RandomNormal()", "RandomUniform()",
        "TruncatedNormal()",
    ],
)  # fmt: skip
def test_initialisers_draw_from_keras_distribution(keras, source, shape):
    keras.utils.set_random_seed(0)
    theirs, ours = both(keras, f"initializers.{source}")
    a, b = array(ours(shape)).astype("f8"), array(theirs(shape)).astype("f8")
    spread = b.std() or 1.0
    noise = 5 / np.sqrt(a.size)
    assert abs(a.mean() - b.mean()) <= 2 * noise * spread
    assert abs(a.std() - b.std()) <= 2 * noise * spread
    if "normal'" in source or source.startswith("RandomNormal"):
        return  # has no bounds
    assert a.max() == pytest.approx(b.max(), abs=0.2 * spread + 4 * noise * spread)
    assert a.min() == pytest.approx(b.min(), abs=0.2 * spread + 4 * noise * spread)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 3, 5, 7)], ids=str)
def test_orthogonal_and_identity(keras, shape):
    theirs, ours = both(keras, "initializers.Orthogonal(gain=2.0)")
    grams = []
    for w in (array(ours(shape)), array(theirs(shape))):
        flat = w.reshape(-1, shape[-1])
        grams.append(flat.T @ flat if flat.shape[0] >= flat.shape[1] else flat @ flat.T)
    agree(grams[0], grams[1], "orthogonal")
    if len(shape) == 2:
        theirs, ours = both(keras, "initializers.Identity(gain=0.5)")
        agree(ours(shape), theirs(shape), "identity")


@pytest.mark.parametrize("shape", [(4, 5), (3, 3, 2, 4)], ids=str)
@pytest.mark.parametrize(
    "source",
    [
        "regularizers.L1(0.3)", "regularizers.L2(0.3)", "regularizers.L1L2(0.1, 0.2)", "regularizers.L1()",
        "regularizers.L2()", "regularizers.L1L2()", "regularizers.get('l1')", "regularizers.get('l2')",
        "regularizers.OrthogonalRegularizer(0.1, 'rows')",
        "regularizers.orthogonal_regularizer(mode='columns')",
        "constraints.NonNeg()", "constraints.MaxNorm(1.0)", "constraints.MaxNorm(0.5, axis=1)",
        "constraints.UnitNorm()", "constraints.UnitNorm(axis=[0, 1])", "constraints.MinMaxNorm(0.5, 1.0)",
        "constraints.MinMaxNorm(1.0, 2.0, rate=0.5, axis=1)", "constraints.get('non_neg')",
        "constraints.get('max_norm')", "constraints.get('unit_norm')", "constraints.get('min_max_norm')",
    ],
)  # fmt: skip
def test_regularisers_and_constraints(keras, source, shape):
    theirs, ours = both(keras, source)
    x = np.random.default_rng(0).standard_normal(shape).astype("f4")
    if "rthogonal" in source and len(shape) > 2:
        return
    agree(ours(x), theirs(keras.ops.convert_to_tensor(x)), source)


# Fans counted over axes that one names: for kernels of einsum layers, which aren't here.
WITHOUT_HERE = {*WITHOUT, "args", "input_axes", "output_axes"}


@pytest.mark.parametrize("family", ["initializers", "regularizers", "constraints"])
def test_arguments_and_defaults(keras, family):
    """All that Keras has of a family is here, by every name, with the same arguments and defaults."""
    theirs, ours = getattr(keras, family), getattr(nn, family)
    elsewhere = {"STFT", "STFTInitializer", "stft", "Regularizer", "Initializer", "Constraint"}
    classes = [n for n, c in vars(theirs).items() if isinstance(c, type) and n not in elsewhere]
    assert classes
    assert [name for name in classes if not hasattr(ours, name)] == []
    for name in classes:
        wanted = inspect.signature(getattr(theirs, name).__init__).parameters
        got = inspect.signature(getattr(ours, name)).parameters
        names = [p for p in list(wanted)[1:] if p not in WITHOUT_HERE]
        assert list(got)[: len(names)] == names, name
        for p in names:
            same(got[p].default, wanted[p].default, f"{name}({p}=…)")
