"""Operations written by a user: what a rule may ask for, what it may return, and what is refused."""

import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Function, Tensor
from tinygrad_edu.errors import DTypeError, GradientError, ShapeError
from tinygrad_edu.testing import gradcheck, gradgradcheck


def leaf(values):
    return Tensor(np.array(values, np.float64), requires_grad=True)


class Scale(Function):
    """One of everything that a rule may name."""

    words = "Multiplies by a weight and a factor."
    extras = ("product",)

    @staticmethod
    def forward(x, w, *, factor=2.0):
        product = x * w
        return product * factor, product

    @staticmethod
    def backward(g, x, w, x_shape, out, product, factor, needs):
        assert x_shape == x.shape
        if isinstance(g, Tensor):
            assert product is None  # it has no place in the graph
        else:
            assert np.allclose(out, product * factor)
        return g * w * factor if needs[0] else None, g * x * factor if needs[1] else None


class Divmod(Function):
    """Two results, one of them of whole numbers."""

    @staticmethod
    def forward(x, *, by):
        whole = np.floor_divide(x, by)
        return x - whole * by, x * by, whole.astype(np.int64)

    @staticmethod
    def backward(g, by):
        return g[0] + g[1] * by


class Total(Function):
    @staticmethod
    def forward(*terms, weight):
        return sum(terms[1:], terms[0]) * weight

    @staticmethod
    def backward(g, shapes, needs, weight):
        assert [tuple(s) for s in shapes] == [(2,)] * len(needs)
        return tuple(g * weight if need else None for need in needs)


def test_a_rule_gets_what_it_names():
    x, w = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert gradcheck(Scale.apply, [x, w])
    assert gradgradcheck(Scale.apply, [x, w])
    assert gradcheck(lambda x: Scale.apply(x, w, factor=5.0), x)
    out = Scale.apply(leaf(x), 3.0)
    assert out.tolist() == [6.0, 12.0]
    assert out.node.fn is Scale
    assert Scale.name == "scale"


def test_only_what_the_rule_names_is_kept():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    assert (x + y).node.saved == ()
    saved = (x * y).node.saved
    assert [s is a for s, a in zip(saved, (x.data, y.data), strict=True)] == [True, True]
    assert len(te.exp(x).node.saved) == 1


def test_arrays_alone_give_an_array():
    out = Scale.apply(np.ones(2), np.ones(2))
    assert type(out) is np.ndarray
    assert [type(part) for part in Divmod.apply(np.ones(2), by=2.0)] == [np.ndarray] * 3


def test_several_results_come_as_a_tuple():
    x = leaf([3.0, 5.0])
    rest, double, whole = Divmod.apply(x, by=2.0)
    assert rest.tolist() == [1.0, 1.0]
    assert whole.tolist() == [1, 2]
    assert not whole.requires_grad  # whole numbers carry no gradient
    assert te.grad(double.sum(), x, retain_graph=True).tolist() == [2.0, 2.0]
    assert te.grad((rest * 10 + double).sum(), x, retain_graph=True).tolist() == [12.0, 12.0]
    assert te.grad((rest + double).sum(), [rest, double])[0].tolist() == [1.0, 1.0]
    point = np.array([3.3, 5.1])
    assert gradcheck(lambda x: Divmod.apply(x, by=2.0), point)
    assert gradgradcheck(lambda x: [te.sin(part) for part in Divmod.apply(x, by=2.0)[:2]], point)


def test_results_may_be_plain_numbers():
    class Moments(Function):
        @staticmethod
        def forward(x):
            return float(x.mean()), x.var()

        @staticmethod
        def backward(g, x):
            n = x.size
            return (g[0] / n + g[1] * 2 / n * (x - te.mean(x))) * np.ones(n)

    assert gradcheck(Moments.apply, np.array([1.0, 2.0, 4.0]))


def test_any_number_of_inputs():
    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert gradcheck(lambda *xs: Total.apply(*xs, weight=0.5), [a, b, a + b])
    assert gradgradcheck(lambda *xs: te.exp(Total.apply(*xs, weight=0.5)), [a, b])
    x = leaf(a)
    Total.apply(x, b, weight=2.0).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


class Product(Function):
    """All that a rule of ``forward(*xs)`` may name."""

    extras = ("signs",)

    @staticmethod
    def forward(*xs, power=1):
        out = np.prod(xs, axis=0) ** power
        return out, np.sign(out).astype(int)

    @staticmethod
    def backward(g, xs, out, signs, power, needs):
        assert np.array_equal(signs, np.sign(out.data if isinstance(out, Tensor) else out))
        return tuple(g * power * out / x if need else None for x, need in zip(xs, needs, strict=True))


def test_a_rule_may_name_all_of_any_number_of_inputs_and_the_result():
    a, b, c = np.array([[1.0, -2.0], [3.0, 0.5], [2.0, 4.0]])
    x, y = leaf(a), leaf(b)
    dx, dy = te.grad(Product.apply(x, y, c, power=2).sum(), [x, y], create_graph=True)
    np.testing.assert_allclose(dx.data, 2 * a * (b * c) ** 2)
    np.testing.assert_allclose(dy.data, 2 * b * (a * c) ** 2)
    np.testing.assert_allclose(te.grad(dx.sum(), y).data, 4 * a * b * c**2)
    assert gradcheck(lambda *xs: Product.apply(*xs, power=2), [a, b, c])
    assert gradgradcheck(lambda *xs: Product.apply(*xs, power=2), [a, b, c])
    assert gradgradcheck(lambda x: Product.apply(x, x, x), a)


def test_an_input_among_any_number_that_is_changed_in_place_is_noticed():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    loss = Product.apply(x, y).sum()
    y.data -= 1.0
    with pytest.raises(GradientError, match=r"product.*changed in place"):
        loss.backward()


def test_a_part_is_one_thing_however_the_graph_comes_upon_it():
    class Powers(Function):
        """Its rule uses its own results, which are made again for a rule that is recorded."""

        @staticmethod
        def forward(x):
            return x * x, x * x * x

        @staticmethod
        def backward(g, x, out):
            return g[0] * 2 * x + g[1] * 3 * out[0]

    x = leaf([2.0])
    square, cube = Powers.apply(x)
    slope = te.grad(cube.sum(), x, create_graph=True)  # 3 x², by way of the first result
    assert te.grad(slope.sum(), square, retain_graph=True).tolist() == [3.0]
    assert te.grad(slope.sum(), [cube, x], allow_unused=True, retain_graph=True)[0] is None
    assert te.grad(slope.sum(), x).tolist() == [12.0]


def test_a_gradient_may_be_a_view_the_incoming_one_or_an_argument():
    class Same(Function):
        @staticmethod
        def forward(x, y):
            return x + y

        @staticmethod
        def backward(g):
            return g, g[:]

    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    Same.apply(x, y).backward(np.ones(2))
    x.grad.data[:] = 5
    assert y.grad.tolist() == [1.0, 1.0]

    class Weight(Function):
        @staticmethod
        def forward(x, *, w):
            return (x * w).sum()

        @staticmethod
        def backward(g, w):
            return w

    w, x = np.ones(2), leaf([1.0, 2.0])
    Weight.apply(x, w=w).backward()
    assert x.grad.data is not w


def test_without_a_rule_nothing_is_recorded():
    class Round(Function):
        @staticmethod
        def forward(x):
            return np.round(x)

    assert not Round.differentiable
    assert not Round.apply(leaf([1.2])).requires_grad


def test_an_unknown_name_in_the_rule_is_refused_when_the_class_is_made():
    with pytest.raises(
        GradientError, match=r"Bad\.backward asks for 'y'.*may name: x, x_shape, out, scale, needs"
    ):

        class Bad(Function):
            @staticmethod
            def forward(x, *, scale):
                return x * scale

            @staticmethod
            def backward(g, y):
                return g

    with pytest.raises(GradientError, match=r"'ys'.*may name: xs, shapes, out, needs"):

        class BadToo(Function):
            @staticmethod
            def forward(*xs):
                return xs[0]

            @staticmethod
            def backward(g, ys):
                return g


def returning(*gradients):
    """Make an operation of two inputs whose rule returns these gradients."""
    parts = {
        "name": "custom",
        "forward": staticmethod(lambda a, b: a + b),
        "backward": staticmethod(lambda g: gradients),
    }
    return type("Custom", (Function,), parts).apply(leaf([1.0, 2.0]), leaf([3.0, 4.0])).sum()


def test_the_wrong_number_of_gradients_is_refused():
    for gradients in ([np.ones(2)], [np.ones(2)] * 3):
        with pytest.raises(GradientError, match=rf"returned {len(gradients)} gradients for 2 inputs"):
            returning(*gradients).backward()


def test_a_gradient_of_the_wrong_shape_is_refused():
    with pytest.raises(GradientError, match=r"custom.*shape \(3,\) for input 1, which is \(2,\).*sum over"):
        returning(np.ones(2), np.ones(3)).backward()
    with pytest.raises(GradientError, match=r"shape \(\)"):
        returning(1.0, np.ones(2)).backward()


def test_broadcast_gradients_are_summed_only_where_the_operation_says_so():
    class Broadcast(Function):
        broadcasts = True

        @staticmethod
        def forward(a, b):
            return a * 2 + b

        @staticmethod
        def backward(g):
            return g * 2, g

    inputs = [np.ones((3, 1)), np.ones(2)]
    assert gradcheck(Broadcast.apply, inputs)
    assert gradgradcheck(Broadcast.apply, inputs)
    unsummed = type("Unsummed", (Broadcast,), {"broadcasts": False})
    with pytest.raises(GradientError, match="sum over those axes"):
        unsummed.apply(leaf(np.ones((3, 1))), leaf(np.ones(2))).sum().backward()


def test_errors_of_the_forward_pass_are_put_in_context():
    class Fits(Function):
        @staticmethod
        def forward(x, *, n):
            if n < 0:
                raise TypeError("n must not be negative")
            return np.reshape(x, n)

        @classmethod
        def hint(cls, *inputs):
            return "choose another n"

    x = leaf([1.0, 2.0])
    with pytest.raises(
        ShapeError, match=r"(?s)fits: .*got: x \(2,\) float64.*test_autograd_function.py.*choose another n"
    ):
        Fits.apply(x, n=3)
    with pytest.raises(DTypeError, match="negative"):
        Fits.apply(x, n=-1)
