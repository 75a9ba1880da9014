"""vjp, jvp, jacobian, hessian, hvp: values, structure, nesting, and what stays untouched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, DTypeError, GradientError, ShapeError

X = np.array([0.5, 1.5, -0.3])
V = np.array([1.0, -2.0, 0.5])


def leaf(values, **options):
    return Tensor(np.array(values, np.float64), requires_grad=True, **options)


def differences(function, x, step=1e-6):
    """Return the Jacobian of a function of one array, by central differences."""
    columns = []
    for i in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[i] = step
        columns.append((function(Tensor(x + e)).data - function(Tensor(x - e)).data) / (2 * step))
    return np.stack(columns, -1).reshape(*columns[0].shape, *x.shape)


def mixed(x):
    """Take three numbers to two, every one to each."""
    return te.stack([te.sin(x).sum() * x[0] ** 2, te.exp(x.sum()) * x[1]])


def quartic(x):
    return (x**4).sum() + (x[0] * x[1] ** 2 * x[2])


# --- Values ----------------------------------------------------------------------------------------------


def test_the_five_agree_with_differences_and_with_one_another():
    exact = differences(mixed, X)
    jacobian = te.jacobian(mixed, X).data
    np.testing.assert_allclose(jacobian, exact, rtol=1e-8)
    y, pullback = te.vjp(mixed, X)
    np.testing.assert_array_equal(y.data, mixed(Tensor(X)).data)
    np.testing.assert_allclose(pullback([1.0, 10.0]).data, [1, 10] @ jacobian, rtol=1e-12)
    np.testing.assert_allclose(pullback([1.0, 0.0]).data, jacobian[0], rtol=1e-12)  # as often as one likes
    y, pushed = te.jvp(mixed, X, V)
    np.testing.assert_array_equal(y.data, mixed(Tensor(X)).data)
    np.testing.assert_allclose(pushed.data, jacobian @ V, rtol=1e-12)

    hessian = te.hessian(quartic, X).data
    a, b, c = X
    own = np.diag(12 * X**2)
    own += [[0, 2 * b * c, b**2], [2 * b * c, 2 * a * c, 2 * a * b], [b**2, 2 * a * b, 0]]
    np.testing.assert_allclose(hessian, own, rtol=1e-12)
    value, product = te.hvp(quartic, X, V)
    assert value.item() == quartic(Tensor(X)).item()
    np.testing.assert_allclose(product.data, own @ V, rtol=1e-12)


SMOOTH = [te.sin, te.tanh, te.exp, te.softmax, lambda x: x * x, te.log_softmax, lambda x: x / (1 + x * x)]
SHAPED = [lambda x: x.T @ x, lambda x: x[::-1], lambda x: x - x.mean(axis=0), lambda x: te.concat([x, x * x])]


@given(st.lists(st.sampled_from(SMOOTH + SHAPED), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_forward_and_backward_are_each_others_transpose(chain, seed):
    """<u, J v> = <J^T u, v> for compositions drawn at random."""

    def function(x):
        for step in chain:
            x = te.tanh(step(x))
        return x

    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=(2, 3, 2))
    y, pushed = te.jvp(function, x, v)
    u = rng.normal(size=y.shape)
    pulled = te.vjp(function, x)[1](u)
    forward, backward = np.vdot(u, pushed.data), np.vdot(pulled.data, v)
    size = np.abs(u * pushed.data).sum() + np.abs(pulled.data * v).sum()
    assert abs(forward - backward) <= 1e-13 * size


@given(st.lists(st.sampled_from(SMOOTH), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_a_hessian_is_symmetric_and_hvp_a_product_with_it(chain, seed):
    def function(x):
        for step in chain:
            x = te.tanh(step(x))
        return (x * x * np.arange(1.0, 5.0)).sum()

    rng = np.random.default_rng(seed)
    x, v = rng.normal(size=(2, 4))
    hessian = te.hessian(function, x).data
    size = np.abs(hessian).max() + 1e-12
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12 * size)
    np.testing.assert_allclose(te.hvp(function, x, v)[1].data, hessian @ v, atol=1e-12 * size)


# --- Structure -------------------------------------------------------------------------------------------


def test_results_mirror_the_inputs_and_the_outputs():
    a, b = np.ones((2, 3)), np.array([1.0, 2.0, 3.0])

    def two(a, b):
        return a * b, (b * b).sum()

    (product, norm), pullback = te.vjp(two, a, b)
    assert (product.shape, norm.item()) == ((2, 3), 14)
    da, db = pullback(None, 1.0)  # None: zeros
    assert (da.tolist(), db.tolist()) == (np.zeros((2, 3)).tolist(), [2.0, 4.0, 6.0])
    (product, norm), (moved, grown) = te.jvp(two, (a, b), (a, np.zeros(3)))
    assert (moved.tolist(), grown.item()) == ([b.tolist()] * 2, 0)
    blocks = te.jacobian(two, (a, b))
    assert [[block.shape for block in row] for row in blocks] == [[(2, 3, 2, 3), (2, 3, 3)], [(2, 3), (3,)]]
    np.testing.assert_array_equal(blocks[0][1].data, [np.eye(3)] * 2)
    rows = te.hessian(lambda a, b: (a * b).sum() + (b**3).sum(), (a, b))
    assert [[block.shape for block in row] for row in rows] == [
        [(2, 3, 2, 3), (2, 3, 3)],
        [(3, 2, 3), (3, 3)],
    ]
    np.testing.assert_array_equal(rows[1][1].data, np.diag(6 * b))
    np.testing.assert_array_equal(rows[0][1].data, np.moveaxis(rows[1][0].data, 0, -1))
    assert isinstance(te.hvp(lambda a, b: (a * b).sum(), (a, b), (a, b))[1], tuple)
    # A tuple of one stays a tuple.
    assert isinstance(te.jacobian(te.sin, (b,)), tuple)
    assert isinstance(te.jacobian(lambda x: (x,), b), tuple)
    assert te.hessian(lambda b: (b * b).sum(), (b,))[0][0].shape == (3, 3)


def test_dtypes_and_plain_numbers():
    assert te.jacobian(te.sin, [1.0, 2.0]).dtype == np.float32
    assert te.jvp(te.sin, 1.0, 2.0)[1].dtype == np.float32
    assert te.hvp(lambda x: x**3, np.float64(2.0), 1)[1].dtype == np.float64
    assert te.vjp(te.sin, Tensor([1.0]))[1](np.ones(1)).dtype == np.float32


def test_what_the_outputs_do_not_depend_on_gets_zeros():
    x, y = leaf([1.0, 2.0]), [3.0]
    for function in (lambda x, y: x * 2, lambda x, y: Tensor([1.0, 2.0])):
        assert te.vjp(function, x, y)[1]([1.0, 1.0])[1].tolist() == [0.0]
        assert te.jacobian(function, (x, y))[1].tolist() == [[0.0], [0.0]]
        assert te.jvp(function, (x, y), ([0.0, 0.0], [5.0]))[1].tolist() == [0.0, 0.0]
    assert te.hessian(lambda x, y: x.sum(), (x, y))[0][0].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert te.hvp(lambda x: x.sum(), x, [1.0, 1.0])[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("shape", [(0,), (), (1,), (2, 0)])
def test_sizes_0_and_1(shape):
    x = np.full(shape, 2.0)
    assert te.jacobian(lambda x: x * x, x).shape == shape * 2
    assert te.hessian(lambda x: (x**3).sum(), x).shape == shape * 2
    assert te.jvp(lambda x: x * x, x, x)[1].tolist() == (2 * x * x).tolist()
    assert te.jacobian(lambda x: te.concat([x.flatten(), x.flatten()]), x).shape == (2 * x.size, *shape)


def test_the_identity_and_an_input_given_twice():
    x = leaf([1.0, 2.0])
    y, pullback = te.vjp(lambda x: x, x)
    u = np.ones(2)
    dx = pullback(u)
    u[:] = 5
    assert (y.tolist(), dx.tolist()) == ([1.0, 2.0], [1.0, 1.0])
    assert te.jvp(lambda x: x, X, V)[1].tolist() == V.tolist()
    assert te.jacobian(lambda a, b: a * b, (x, x))[0].tolist() == [[1.0, 0.0], [0.0, 2.0]]
    # What the function closes over isn't its input, also if it is the same tensor.
    assert te.jacobian(lambda a: a * x, x).tolist() == [[1.0, 0.0], [0.0, 2.0]]


# --- Nesting ---------------------------------------------------------------------------------------------


def test_a_jacobian_of_a_jacobian_and_of_that():
    def inner(x):
        return te.jacobian(mixed, x)

    second = te.jacobian(inner, X)
    np.testing.assert_allclose(second.data, differences(inner, X), rtol=1e-6, atol=1e-8)
    third = te.jacobian(lambda x: te.jacobian(inner, x), X)
    np.testing.assert_allclose(
        third.data, differences(lambda x: te.jacobian(inner, x), X), rtol=1e-6, atol=1e-7
    )


def test_jvp_of_jvp_and_of_vjp_and_the_other_way_round():
    def along(x):
        return te.jvp(mixed, x, V)[1]

    def back(x):
        return te.vjp(mixed, x)[1]([1.0, 2.0])

    for function in (along, back):
        np.testing.assert_allclose(
            te.jvp(function, X, V[::-1].copy())[1].data, differences(function, X) @ V[::-1], rtol=1e-7
        )
        np.testing.assert_allclose(te.jacobian(function, X).data, differences(function, X), rtol=1e-7)
    # In the tangent and in the gradient too, in which both are linear.
    np.testing.assert_allclose(
        te.jacobian(lambda v: te.jvp(mixed, X, v)[1], V).data, te.jacobian(mixed, X).data
    )
    np.testing.assert_allclose(
        te.jacobian(lambda u: te.vjp(mixed, X)[1](u), np.ones(2)).data, te.jacobian(mixed, X).data.T
    )


def test_a_gradient_of_an_hvp_and_a_loss_with_a_hessian_in_it():
    x, v = leaf(X), leaf(V)
    value, product = te.hvp(quartic, x, v)
    dx, dv = te.grad((product * product).sum() + value, [x, v])

    def loss(x, v=V):
        h = te.hessian(quartic, x)
        return ((h @ v) ** 2).sum() + quartic(x)

    np.testing.assert_allclose(dx.data, differences(loss, X), rtol=1e-7)
    np.testing.assert_allclose(dv.data, differences(lambda v: loss(Tensor(X), v), V), rtol=1e-7)
    loss(x).backward()
    np.testing.assert_allclose(x.grad.data, dx.data, rtol=1e-12)


def test_inner_and_outer_variables_are_not_confused():
    """d/dx [x · d/dy (x + y)] = 1; an engine that mixes the two up says 2 (Siskind & Pearlmutter 2005)."""

    def inner(x):
        return x * te.jvp(lambda y: x + y, 1.0, 1.0)[1]

    assert te.jvp(inner, 3.0, 1.0)[1].item() == 1
    assert te.jacobian(lambda x: x * te.jacobian(lambda y: x * y, x), 3.0).item() == 6


def test_inputs_keep_their_history():
    w = leaf([1.0, 2.0, 3.0])
    point = te.sin(w)
    loss = te.jacobian(lambda x: x**3, point).sum()
    np.testing.assert_allclose(te.grad(loss, w).data, 6 * np.sin(w.data) * np.cos(w.data))
    outputs, pullback = te.vjp(te.exp, te.sin(w))
    np.testing.assert_allclose(
        te.grad((outputs * pullback(np.ones(3))).sum(), w).data,
        2 * np.exp(2 * np.sin(w.data)) * np.cos(w.data),
    )


def test_parameters_that_are_closed_over():
    w = leaf([2.0, 3.0])
    x = np.array([1.0, 2.0])
    slope = te.jacobian(lambda x: (w * x * x).sum(), x)
    assert te.grad(slope.sum(), w).tolist() == [2.0, 4.0]
    slope = te.jacobian(lambda x: (w * x * x).sum(), x)
    slope.sum().backward()
    assert w.grad.tolist() == [2.0, 4.0]


# --- What stays as it was --------------------------------------------------------------------------------


def test_no_grad_changes_and_plain_inputs_give_plain_results():
    x, w = leaf(X), leaf(V)
    x.grad = w.grad = Tensor(np.ones(3))

    def function(x):
        return (te.sin(x) * w).sum()

    te.hessian(function, x)
    te.hvp(function, x, V)
    te.jvp(function, x, V)
    te.vjp(function, x)[1](1.0)
    assert x.grad.tolist() == w.grad.tolist() == [1.0, 1.0, 1.0]
    assert x.requires_grad
    plain = Tensor(X)
    for result in (
        *te.vjp(te.sin, plain)[:1],
        te.vjp(te.sin, plain)[1](V),
        *te.jvp(te.sin, plain, V),
        te.jacobian(te.sin, plain),
        te.hessian(quartic, plain),
        *te.hvp(quartic, plain, V),
    ):
        assert not result.requires_grad
    assert not plain.requires_grad


def test_under_no_grad_the_results_are_plain_and_the_same():
    x = leaf(X)
    with te.no_grad():
        results = [
            te.jacobian(mixed, x),
            te.hessian(quartic, x),
            *te.jvp(mixed, x, V),
            *te.hvp(quartic, x, V),
        ]
        y, pullback = te.vjp(mixed, x)
        results += [y, pullback([1.0, 2.0])]
    assert not any(result.requires_grad for result in results)
    np.testing.assert_array_equal(results[0].data, te.jacobian(mixed, x).data)
    np.testing.assert_array_equal(results[1].data, te.hessian(quartic, x).data)


def test_arrays_may_change_afterwards():
    a = X.copy()
    _, pullback = te.vjp(lambda x: x * x, a)
    a[:] = 0
    assert pullback(np.ones(3)).tolist() == (2 * X).tolist()
    x = leaf(X)
    _, pullback = te.vjp(lambda x: x * x, x)
    x.data -= 1.0
    with pytest.raises(GradientError, match="changed in place"):
        pullback(np.ones(3))


# --- Refusals --------------------------------------------------------------------------------------------


def test_what_can_not_be_differentiated_is_refused():
    for call in (
        lambda x: te.jacobian(te.sin, x),
        lambda x: te.vjp(te.sin, x),
        lambda x: te.hessian(quartic, x),
    ):
        with pytest.raises(DTypeError, match=r"input 0 is int64.*1\.0 for 1.*closing over"):
            call([1, 2])
    with pytest.raises(DTypeError, match="output 1 is float"):
        te.vjp(lambda x: (x, 1.0), X)
    with pytest.raises(GradientError, match="output 0 is int64"):
        te.jvp(te.argmax, X, V)
    with pytest.raises(ArgumentError, match="input 0 is a tuple"):
        te.vjp(te.add, (X, X))
    with pytest.raises(ArgumentError, match="no input"):
        te.vjp(lambda: X)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"gradient of output 1 must have its shape \(\), not \(2,\)"):
        te.vjp(lambda x: (x, x.sum()), X)[1](None, [1.0, 2.0])
    with pytest.raises(ArgumentError, match="2 outputs, 1 gradients"):
        te.vjp(lambda x: (x, x), X)[1](V)
    with pytest.raises(ShapeError, match=r"tangent of input 0 must have its shape \(3,\)"):
        te.jvp(te.sin, X, [1.0])
    with pytest.raises(ArgumentError, match="2 inputs, but 1 tangents"):
        te.jvp(te.multiply, (X, X), V)
    with pytest.raises(ShapeError, match=r"vector of input 0"):
        te.hvp(quartic, X, [1.0])
    for call in (te.hessian, lambda f, x: te.hvp(f, x, V)):
        with pytest.raises(ShapeError, match=r"one number.*returned \(3,\)"):
            call(te.sin, X)


def test_what_the_caller_writes_into_a_tensor_of_numbers_or_a_result_changes_nothing_else():
    x = Tensor([1.0, 2.0])
    _, pullback = te.vjp(te.square, x)
    x.data -= 10
    assert pullback([1.0, 1.0]).tolist() == [2.0, 4.0]
    a, b, given = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([1.0, 1.0])
    for gradient in (given, Tensor(np.ones(2))):
        pulled = te.vjp(te.add, a, b)[1](gradient)
        for first, second in (pulled, te.grad(a + b, [a, b], gradient, create_graph=True)):
            first.data[:] = 5
            assert (second.tolist(), gradient.tolist()) == ([1.0, 1.0], [1.0, 1.0])
    first, _ = te.grad(a + b, [a, b], given, create_graph=True)
    assert te.grad((first * 3).sum(), given).tolist() == [3.0, 3.0]  # the copy has its history


@pytest.mark.parametrize(
    "function",
    [
        lambda x: te.linalg.svd(x).U,
        lambda x: te.linalg.qr(x, mode="complete").Q,
        lambda x: te.linalg.svd(x).U[:, 2] - te.linalg.svd(x).U[::-1, 2],  # against u = 1 it would cancel
    ],
)
def test_a_rule_that_refuses_a_gradient_refuses_a_tangent(function):
    x = Tensor([[1.0, 2.0], [3.0, 5.0], [0.5, -1.0]])
    with pytest.raises(GradientError, match="any that complete"):
        te.jvp(function, x, Tensor(np.ones((3, 2))))
    _, tangent = te.jvp(lambda x: te.linalg.svd(x).U[:, :2], x, Tensor(np.ones((3, 2))))
    assert np.isfinite(tangent.data).all()
