"""The gradient checker itself: what it must pass, what it must reject, and the words it does it in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import Function, Tensor
from tinygrad_edu.errors import ArgumentError, DTypeError, GradientError
from tinygrad_edu.testing import (
    LAYOUTS,
    arrays,
    axes,
    broadcastable_shapes,
    gradcheck,
    gradgradcheck,
    indices,
    shapes,
    tensors,
    with_layout,
)


def rule(backward, forward=lambda x: x * x):
    """Make a function of one input with a rule of its own; x² unless said otherwise."""
    parts = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type("Custom", (Function,), parts).apply


right = rule(lambda g, x: 2 * g * x)


# --- What must pass --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e-6, 1.0, 1e6, 1e30, 1e150])
def test_any_scale_of_the_input(scale):
    x = np.array([1.0, -2.0, 0.5]) * scale
    assert gradcheck(right, x)
    assert gradcheck(lambda x: te.tanh(x / scale), x)
    assert gradcheck(te.abs, x)
    wrong = rule(lambda g, x: 2.02 * g * x)
    assert scale < 1e-200 or not gradcheck(wrong, x, raise_exception=False)  # below, x² is 0


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e12, 1e200])
def test_any_scale_of_the_output(scale):
    x = np.array([1.0, -2.0, 0.5])
    assert gradcheck(lambda x: te.sin(x) * scale, x)
    wrong = rule(lambda g, x: g * (np.cos(x) * scale * 1.01), lambda x: np.sin(x) * scale)
    assert not gradcheck(wrong, x, raise_exception=False)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (te.log, [1e-6, 1e6]),  # the usual step would leave the domain
        (te.sin, [1e-6, 1e6]),  # the usual step would be a sixth of the wave
        (te.exp, [700.0]),
        (te.softmax, [1e4, -1e4, 1e4]),
        (te.relu, [1e-9, 1.0, -1e-7]),  # close to the kink, but not on it
        (lambda x: (x + 1e8) - 1e8, [1.0, 2.0]),  # eight digits are lost inside
        (lambda x: x - x, [1.0, 3.0]),
        (lambda x: te.sum(x * 0), [1.0, 3.0]),
        (te.square, [0.0, 0.0]),
        (lambda x: (x[0] * 1e12, x[1]), [2.0, 3.0]),
    ],
)
def test_right_rules_pass_where_differences_are_hard(function, x):
    assert gradcheck(function, np.array(x))


@given(x=arrays(shapes(max_side=3)), directions=st.integers(1, 3), full=st.sampled_from([None, True, False]))
def test_right_rules_pass_and_wrong_ones_do_not(x, directions, full):
    options = {"directions": directions, "full": full}
    assert gradcheck(right, x, **options)
    assert gradgradcheck(right, x, **options)
    wrong = rule(lambda g, x: 1.9 * g * x)
    assert gradcheck(wrong, x, raise_exception=False, **options) == (x.size == 0)


def test_several_inputs_and_outputs_of_any_kind():
    def function(a, labels, b, scale):
        assert labels.dtype == np.int64
        assert scale == 2
        losses = te.softmax_cross_entropy(a @ b, labels)
        return losses, te.argmax(a, axis=1), a.sum() * scale

    inputs = [np.ones((2, 3)) + np.eye(2, 3), np.array([0, 1]), np.eye(3), 2]
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_nothing_to_compare_passes():
    assert gradcheck(te.exp, np.zeros((0, 3)))
    assert gradcheck(lambda x: te.logsumexp(x, axis=0), np.zeros((0, 3)))
    assert gradcheck(lambda x: x[:0], np.ones(3))


def test_float32_is_checked_in_float64():
    seen = set()

    def function(x):
        seen.add(x.dtype)
        return te.exp(x)

    assert gradcheck(function, Tensor([1.0, 2.0]))
    assert seen == {np.dtype(np.float64)}


def test_the_inputs_stay_as_they_are_and_no_grad_is_no_hindrance():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with te.no_grad():
        assert gradcheck(te.exp, x)
    assert x.grad is None
    assert x.dtype == np.float32


# --- What must not, and why ------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (lambda g, x: -2 * g * x, "wrong sign"),
        (lambda g, x: 4 * g * x, "2 times what it should be: a factor 2 too many"),
        (lambda g, x: g * x, "0.5 times what it should be: a factor 2 is missing"),
        (lambda g, x: 2 * g * x / 3, "an axis of length 3: a mean where a sum belongs"),
        (lambda g, x: 6 * g * x, "a sum where a mean belongs"),
        (lambda g, x: 2.02 * g * x, "1.01 times"),
        (lambda g: None, "no gradient"),
        (lambda g, x: 0 * x, "no gradient"),
        (lambda g, x: g * x * np.nan, "nan"),
        (lambda g, x: 2 * g * x * (x != 3), "a bug in the rule"),
        (lambda g, x: 2 * x, "a bug in the rule"),
        (lambda g, x: (2 * g * x).astype(np.float32), "float32"),
    ],
)
def test_broken_rules_are_named(backward, words, full):
    with pytest.raises(GradientError) as caught:
        gradcheck(rule(backward), np.array([1.0, 2.1, 3.0]), full=full)
    if full or words in ("float32", "no gradient", "a bug in the rule"):
        assert words in str(caught.value)
    assert not gradcheck(rule(backward), np.array([1.0, 2.1, 3.0]), raise_exception=False, full=full)


def test_the_element_and_both_slopes_are_named():
    wrong = rule(lambda g, x: 2 * g * x * (1 + (np.arange(6).reshape(2, 3) == 4)))
    x = Tensor(np.arange(1.0, 7.0).reshape(2, 3), name="weights")
    for full in (True, False):
        with pytest.raises(GradientError) as caught:
            gradcheck(wrong, x, full=full)
        text = str(caught.value)
        assert "input 0 'weights' (2, 3), element (1, 1), which is 5" in text
        assert "output 0 (2, 3), element (1, 1)" in text
        assert "the rule gives 20, the difference 10" in text


def test_one_wrong_element_in_ten_thousand_is_found():
    def backward(g, x):
        g = 2 * g * x
        g[7777] *= 1.01
        return g

    with pytest.raises(GradientError, match=r"element \(7777,\)"):
        gradcheck(rule(backward), np.linspace(0.5, 1.5, 10_000))


def test_a_small_gradient_cannot_hide_behind_a_large_one():
    class TwoScales(Function):
        @staticmethod
        def forward(x):
            return x * np.array([1e12, 1.0])

        @staticmethod
        def backward(g):
            return g * np.array([1e12, 1.001])

    for full in (True, False):
        assert not gradcheck(TwoScales.apply, np.array([1.0, 1.0]), full=full, raise_exception=False)
    with pytest.raises(GradientError, match="input 1"):
        gradcheck(lambda a, b: a * 1e9 + rule(lambda g, x: g * x)(b), [np.ones(2), np.ones(2)], full=False)


def test_swapped_and_transposed_gradients_are_recognised():
    class Swapped(Function):
        @staticmethod
        def forward(a, b):
            return a * b

        @staticmethod
        def backward(g, a, b):
            return g * a, g * b

    with pytest.raises(GradientError, match=r"gradient of input 1: are the two swapped"):
        gradcheck(Swapped.apply, [np.array([1.0, 2.0]), np.array([3.0, 4.0])])
    transposed = rule(lambda g, x: (2 * g * x).T.copy())
    with pytest.raises(GradientError, match="right when transposed"):
        gradcheck(transposed, np.arange(1.0, 5.0).reshape(2, 2))


def test_a_gradient_that_leaves_the_graph_is_missed():
    with pytest.raises(GradientError, match="no gradient"):
        gradcheck(lambda x: Tensor(x.data) * 2, np.ones(2))
    with pytest.raises(GradientError, match="a factor 2 is missing"):
        gradcheck(lambda x: x.detach() * x, np.array([1.0, 2.0]))


@pytest.mark.parametrize(
    ("function", "x", "words"),
    [
        (te.relu, [1.0, 0.0], r"kink here: left slope 0, right slope 1; the rule's 0 lies between"),
        (lambda x: te.relu(x) * 3 + x, [0.0], r"left slope 1, right slope 4; the rule's 1 lies between"),
        (te.max, [1.0, 1.0, 1.0], r"kink.*rule's 0\.333333 lies between"),
        (lambda x: te.clip(x, 0, 1), [1.0], r"left slope 1, right slope 0; the rule's 1 lies between"),
        (te.sqrt, [0.0], "ends here: to the left"),
    ],
)
@pytest.mark.parametrize("full", [True, False])
def test_a_kink_is_told_from_a_bug(function, x, words, full):
    with pytest.raises(GradientError, match=words):
        gradcheck(function, np.array(x), full=full)


def test_halfway_between_the_slopes_of_a_kink_rule_and_difference_agree():
    assert gradcheck(te.abs, np.array([0.0]))
    assert gradcheck(te.max, np.array([1.0, 1.0]))


def test_a_rule_outside_of_both_slopes_is_wrong_at_a_kink_too():
    wrong = rule(lambda g, x: g * 2.0, np.abs)
    with pytest.raises(GradientError, match="lies outside of both"):
        gradcheck(wrong, np.array([0.0]))


def test_a_jump_is_named():
    step = rule(lambda g, x: 0 * x, np.sign)
    with pytest.raises(GradientError, match="jumps here"):
        gradcheck(step, np.array([0.0]))
    with pytest.raises(GradientError, match="jumps here"):
        gradgradcheck(te.abs, np.array([0.0]))


def test_a_function_that_is_not_deterministic_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(GradientError, match="isn't deterministic"):
        gradcheck(lambda x: x * rng.random(3), np.ones(3))


def test_a_function_that_changes_its_input_is_refused():
    def function(x):
        x.data[0] = 5.0
        return x * 2

    with pytest.raises(GradientError, match="changed its input 0"):
        gradcheck(function, np.ones(3))


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(GradientError, match="output 0 isn't finite"):
        gradcheck(te.log, np.array([1.0, -1.0]))
    with pytest.raises(GradientError, match="input 1 has values"):
        gradcheck(te.add, [np.ones(2), np.array([1.0, np.nan])])


def test_calls_that_make_no_sense_are_refused():
    with pytest.raises(ArgumentError, match=r"np\.array"):
        gradcheck(te.exp, [1.0, 2.0])
    with pytest.raises(DTypeError, match="must return Tensors"):
        gradcheck(lambda x: x.data, np.ones(2))
    with pytest.raises(DTypeError, match="float32 for float64"):
        gradcheck(lambda x: x.astype("float32"), np.ones(2))


def test_the_engines_own_refusals_count_as_failures():
    wrong_shape = rule(lambda g, x: g.sum())
    with pytest.raises(GradientError, match="shape"):
        gradcheck(wrong_shape, np.ones(3))
    assert not gradcheck(wrong_shape, np.ones(3), raise_exception=False)


def test_wrong_second_derivatives_are_caught():
    # The right first derivative of x³, from an array that the tape knows nothing of.
    half = rule(lambda g, x: g * 3 * (x.data if isinstance(x, Tensor) else x) * x, lambda x: x**3)
    x = np.array([1.0, 2.0])
    assert gradcheck(half, x)
    with pytest.raises(GradientError, match="a factor 2 is missing"):
        gradgradcheck(half, x)
    assert not gradgradcheck(half, x, raise_exception=False)


# --- The strategies --------------------------------------------------------------------------------------


@given(data=st.data())
def test_shapes_broadcast_and_axes_and_indices_fit(data):
    several = data.draw(broadcastable_shapes(3))
    np.broadcast_shapes(*several)
    shape = data.draw(shapes(max_dims=3))
    x = np.zeros(shape)
    np.sum(x, axis=data.draw(axes(len(shape))))
    picked = x[data.draw(indices(shape))]
    assert isinstance(picked, np.ndarray | np.generic)


@given(data=st.data(), dtype=st.sampled_from(["float32", "float64", "int64", "bool"]))
def test_arrays_are_what_was_asked_for(data, dtype):
    x = data.draw(arrays(dtype=dtype, layouts=LAYOUTS))
    assert x.dtype == dtype
    assert np.all((x >= -2) & (x <= 2))
    away = data.draw(arrays(avoid=[0, 1], margin=0.1))
    assert np.all((np.abs(away) >= 0.0999) & (np.abs(away - 1) >= 0.0999))
    apart = np.sort(data.draw(arrays(distinct=True)).ravel())
    assert np.all(np.diff(apart) >= 4 / (2 * max(apart.size, 1)) - 1e-12)


@given(t=tensors((2, 3), dtype="float32"))
def test_tensors_require_a_gradient(t):
    assert t.requires_grad
    assert t.shape == (2, 3)


@given(x=arrays(), layout=st.sampled_from(LAYOUTS))
def test_a_layout_changes_no_value(x, layout):
    moved = with_layout(x, layout)
    np.testing.assert_array_equal(moved, x)
    assert moved.dtype == x.dtype
    if x.ndim == 2 and min(x.shape) > 1 and layout != "contiguous":
        assert not moved.flags.c_contiguous


def test_special_values_come_up():
    seen = set()

    @given(x=arrays((20,), special=True))
    def collect(x):
        seen.update({"nan"} if np.isnan(x).any() else set(), {"inf"} if np.isinf(x).any() else set())

    collect()
    assert seen == {"nan", "inf"}


def test_wrong_arguments_of_the_strategies_are_refused():
    with pytest.raises(ArgumentError, match="low"):
        arrays((2,), low=1, high=1)
    with pytest.raises(ArgumentError, match="did you mean 'strided'"):
        arrays((2,), layouts=["stride"])
    with pytest.raises(ArgumentError, match="layout"):
        with_layout(np.ones(2), "diagonal")
    with pytest.raises(ArgumentError, match="no axis"):
        axes(0, none=False, several=False)


def test_without_hypothesis_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "hypothesis.extra.numpy", None)
    with pytest.raises(ModuleNotFoundError, match="pip install hypothesis"):
        shapes()
