"""Linear algebra put to use; singular matrices, equal eigenvalues, wrong arguments."""

import inspect
from typing import Any

import array_api_strict
import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor, linalg
from tinygrad_edu.errors import ArgumentError, GradientError, ShapeError
from tinygrad_edu.testing import gradcheck, gradgradcheck

RNG = np.random.default_rng(0)


def random(*shape: int) -> Any:
    return RNG.standard_normal(shape)


def gradient(function: Any, x: Any) -> Any:
    leaf = Tensor(np.array(x, np.float64), requires_grad=True)
    return te.grad(function(leaf), leaf).data


def hessian(function: Any, x: Any) -> Any:
    leaf = Tensor(np.array(x, np.float64), requires_grad=True)
    slopes = te.grad(function(leaf), leaf, create_graph=True).reshape(-1)
    rows = [te.grad(slopes[i], leaf, retain_graph=True).data.ravel() for i in range(slopes.size)]
    return np.array(rows)


def differences(function: Any, x: Any, h: float) -> Any:
    """Return the derivatives of an array function, by central differences and Richardson's extrapolation."""
    x = np.array(x, np.float64)

    def central(step: Any) -> Any:
        return (np.asarray(function(x + step)) - np.asarray(function(x - step))) / (2 * np.abs(step).max())

    steps = [h * e.reshape(x.shape) for e in np.eye(x.size)]
    return np.array([(4 * central(step / 2) - central(step)) / 3 for step in steps])


# -- Gaussian processes and principal components ---------------------------------------------------------

POINTS = np.sort(RNG.uniform(0, 5, 12))
TARGETS = np.sin(POINTS) + 0.1 * random(12)


def covariance(parameters: Any) -> Any:
    """The RBF kernel, given the logarithms of length scale, signal variance and noise variance."""
    scale, variance, noise = te.exp(parameters[0]), te.exp(parameters[1]), te.exp(parameters[2])
    squares = (POINTS[:, None] - POINTS[None, :]) ** 2
    return variance * te.exp(-squares / (2 * scale**2)) + noise * np.eye(12)


def evidence_by_cholesky(parameters: Any) -> Any:
    lower = linalg.cholesky(covariance(parameters))
    white = linalg.solve_triangular(lower, TARGETS, lower=True)
    return -te.vecdot(white, white) / 2 - te.sum(te.log(te.einsum("ii->i", lower))) - 6 * np.log(2 * np.pi)


def evidence_by_solve(parameters: Any) -> Any:
    k = covariance(parameters)
    fit = te.vecdot(TARGETS, linalg.solve(k, TARGETS))
    return -fit / 2 - linalg.slogdet(k).logabsdet / 2 - 6 * np.log(2 * np.pi)


@pytest.mark.parametrize("evidence", [evidence_by_cholesky, evidence_by_solve])
def test_the_evidence_of_a_gaussian_process_and_its_hessian(evidence):
    at = np.log([0.8, 1.3, 0.05])
    k = covariance(at)
    wanted = -TARGETS @ np.linalg.inv(k) @ TARGETS / 2 - np.linalg.slogdet(2 * np.pi * k)[1] / 2
    np.testing.assert_allclose(evidence(Tensor(at)).item(), wanted, rtol=1e-12)
    np.testing.assert_allclose(gradient(evidence, at), differences(evidence, at, 1e-3), rtol=1e-7)
    slopes = differences(lambda x: gradient(evidence, x), at, 1e-3)
    np.testing.assert_allclose(hessian(evidence, at), slopes, rtol=1e-6)


def test_explained_variance_by_eigenvalues_and_by_singular_values():
    data = random(9, 4) * [3.0, 2.0, 1.0, 0.5]

    def by_eigh(x: Any) -> Any:
        x = x - te.mean(x, axis=0)
        values = linalg.eigh(x.T @ x).eigenvalues
        return te.sum(values[-2:]) / te.sum(values)

    def by_svd(x: Any) -> Any:
        squares = linalg.svd(x - te.mean(x, axis=0), full_matrices=False).S ** 2
        return te.sum(squares[:2]) / te.sum(squares)

    one, other = gradient(by_eigh, data), gradient(by_svd, data)
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-14)
    wanted = differences(lambda x: by_svd(x), data, 1e-3).reshape(data.shape)
    np.testing.assert_allclose(one, wanted, rtol=1e-7, atol=1e-10)
    gradgradcheck(by_eigh, data)
    gradgradcheck(by_svd, data)


def test_projections_on_principal_components():
    def projector(x: Any) -> Any:
        vectors = linalg.eigh(x @ x.T).eigenvectors[:, -2:]
        return vectors @ vectors.T

    def onto_columns(x: Any) -> Any:
        q = linalg.qr(x).Q
        return q @ q.T

    gradcheck(projector, random(4, 3))
    gradgradcheck(onto_columns, random(4, 2))


# -- singular matrices, equal eigenvalues ----------------------------------------------------------------


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_the_slopes_of_det_are_right_for_singular_matrices(rank):
    x = random(4, rank) @ random(rank, 4)
    wanted = differences(linalg.det, x, 1e-2).reshape(4, 4)
    np.testing.assert_allclose(gradient(linalg.det, x), wanted, atol=1e-8)
    slopes = differences(lambda y: gradient(linalg.det, y), x, 1e-2).reshape(16, 16)
    np.testing.assert_allclose(hessian(linalg.det, x), slopes, atol=1e-8)
    recorded = te.hessian(linalg.det, te.Tensor(x, requires_grad=True))  # to be differentiated further
    np.testing.assert_allclose(recorded.data.reshape(16, 16), slopes, atol=1e-8)


def test_the_pseudo_inverse_among_matrices_of_one_rank():
    gradcheck(lambda a, b: linalg.pinv(a @ b, rtol=1e-8), [random(4, 2), random(2, 3)])
    gradgradcheck(lambda a, b: linalg.pinv(a @ b, rtol=1e-8), [random(3, 1), random(1, 2)])


def test_equal_eigenvalues_have_slopes_though_their_vectors_have_none():
    turn = np.linalg.qr(random(3, 3))[0]
    x = turn @ np.diag([1.0, 2.0, 2.0]) @ turn.T
    for same in (np.eye(3), np.zeros((3, 3)), x):
        g = gradient(lambda x: te.sum(linalg.eigvalsh(x) ** 2), same)
        np.testing.assert_allclose(g, 2 * same, atol=1e-12)
        g = gradient(lambda x: te.sum(linalg.svdvals(x) ** 2), same)
        np.testing.assert_allclose(g, 2 * same, atol=1e-12)
    for row in gradient(lambda x: te.sum(linalg.svdvals(x)), np.zeros((2, 3))):
        assert np.isfinite(row).all()
    assert gradient(lambda x: linalg.matrix_norm(x), np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]


def test_the_symmetric_part_alone_counts():
    x = random(3, 3)
    a = x @ x.T + np.eye(3)
    skew = random(3, 3)
    skew = skew - skew.T
    np.testing.assert_allclose(linalg.cholesky(a + skew), np.linalg.cholesky(a), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(linalg.eigvalsh(a + skew), np.linalg.eigvalsh(a), rtol=1e-12)
    for function in (linalg.cholesky, linalg.eigvalsh):
        g = gradient(lambda x, f=function: te.sum(f(x)), a)
        np.testing.assert_array_equal(g, g.T)
        gradgradcheck(lambda b, f=function: f(b @ b.T + 2 * np.eye(3)), x)


def test_what_was_only_filled_in_has_no_gradient():
    x = Tensor(random(4, 2), requires_grad=True)
    u, _, _ = linalg.svd(x)
    assert u.shape == (4, 4)
    with pytest.raises(GradientError, match="last 2 columns of svd's U"):
        te.grad(u.sum(), x)
    q, _ = linalg.qr(x, mode="complete")
    with pytest.raises(GradientError, match="last 2 columns of qr's Q"):
        te.grad(q.sum(), x)
    flat = Tensor(np.eye(3)[:, :1] * [1.0, 2.0], requires_grad=True)
    with pytest.raises(GradientError, match="depend on one another"):
        te.grad(linalg.qr(flat).Q.sum(), flat)


# -- as in the standard, and as in NumPy -----------------------------------------------------------------


def test_names_and_arguments_are_the_standards():
    standard = {name: getattr(array_api_strict.linalg, name) for name in array_api_strict.linalg.__all__}
    assert set(standard) <= set(linalg.__all__)
    for name, function in standard.items():
        theirs, ours = (inspect.signature(f).parameters for f in (function, getattr(linalg, name)))
        assert [(p.name, p.kind, p.default) for p in ours.values()] == [
            (p.name, p.kind, p.default) for p in theirs.values()
        ], name


@pytest.mark.parametrize("name", ["qr", "eigh", "svd", "slogdet"])
def test_factors_and_their_names_are_numpys(name):
    x = random(2, 4, 4)
    x = x + np.swapaxes(x, -1, -2)
    wanted, found = getattr(np.linalg, name)(x), getattr(linalg, name)(Tensor(x))
    assert type(found).__name__ == type(wanted).__name__
    for field, y in found._asdict().items():
        np.testing.assert_allclose(y.data, getattr(wanted, field), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("subscripts", "sides"),
    [
        ("ij,jk,kl->il", "23 34 42"),
        ("ii", "33"),
        ("iij->ji", "332"),
        ("i,i,i->", "3 3 3"),
        ("i,ij", "2 23"),
        ("...ij,...jk->...ik", "223 34"),
        ("a...b->...", "2343"),
        ("ba", "23"),
        (",i->i", " 3"),
        ("ij,ij->ij", "21 23"),
        ("aab,ac->bc", "223 23"),
    ],
)
def test_einsum_is_numpys(subscripts, sides):
    inputs = [random(*map(int, side)) for side in sides.split(" ")]
    np.testing.assert_allclose(te.einsum(subscripts, *inputs), np.einsum(subscripts, *inputs), rtol=1e-12)
    gradcheck(lambda *x: te.einsum(subscripts, *x), inputs)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "kind", "words"),
    [
        ("ij,jk->ik", [(2, 3), (4, 5)], ShapeError, "index 'j' is 3, but 4 in operand 1"),
        ("ii", [(2, 3)], ShapeError, "index 'i' is 2 and 3 in operand 0"),
        ("ijk", [(2, 3)], ShapeError, "has 2 axes, but 'ijk' names 3"),
        ("i->ij", [(2,)], ArgumentError, "'j' in the result"),
        ("i->ii", [(2,)], ArgumentError, "'i' in the result"),
        ("i,j", [(2,)], ArgumentError, "for 2 operands, but there are 1"),
        ("i$", [(2, 2)], ArgumentError, "can't read"),
        ("...i->i", [(2, 3)], ArgumentError, "the result needs it too"),
    ],
)
def test_wrong_expressions(subscripts, shapes, kind, words):
    with pytest.raises(kind, match=words.replace("$", r"\$")):
        te.einsum(subscripts, *[np.ones(shape) for shape in shapes])


def test_numbers_and_lists_keep_float32():
    x = Tensor([[2.0, 1.0], [1.0, 3.0]])
    results = [
        te.einsum(",ij->j", 2.0, x),
        te.vecdot(x, [1.0, 2.0]),
        linalg.solve(x, [1.0, 2.0]),
        linalg.det(x),
        linalg.pinv(x),
        linalg.matrix_power(x, -2),
        linalg.cholesky(x),
        linalg.solve_triangular(x, [1.0, 2.0]),
        linalg.matrix_power(x, 0),
        *linalg.svd(x),
    ]
    assert {y.dtype for y in results} == {np.dtype(np.float32)}
    assert linalg.det([[1, 2], [3, 4]]) == pytest.approx(-2)
    assert te.trace(np.ones((3, 3), np.float32), dtype=np.float64).dtype == np.float64
    assert linalg.matrix_power(x, 0).tolist() == np.eye(2).tolist()
    assert te.matmul(x, x).tolist() == linalg.matrix_power(x, 2).tolist()


# -- what can't be done ----------------------------------------------------------------------------------


def test_singular_matrices_are_named():
    bad = np.stack([np.eye(2), np.zeros((2, 2))])
    for function in (linalg.inv, lambda x: linalg.solve(x, np.eye(2)), lambda x: linalg.matrix_power(x, -1)):
        with pytest.raises(ArgumentError, match=r"matrix \(1,\) of the batch is singular"):
            function(bad)
        with pytest.raises(ArgumentError, match="the matrix is singular"):
            function(bad[1])
    with pytest.raises(ArgumentError, match="zero on its diagonal"):
        linalg.solve_triangular(bad[1], np.ones(2))
    with pytest.raises(
        ArgumentError, match=r"isn't positive definite(.|\n)*add a small number to the diagonal"
    ):
        linalg.cholesky(-np.eye(2))
    sign, logarithm = linalg.slogdet(bad)
    assert sign.tolist() == [1, 0]
    assert logarithm.tolist() == [0, -np.inf]
    for function in (linalg.svd, linalg.eigh, linalg.matrix_rank, linalg.pinv):
        with pytest.raises(ArgumentError, match=r"element \(1, 1\) is inf"):
            function(np.diag([1.0, np.inf]))


def test_shapes_that_do_not_fit():
    for function in (linalg.inv, linalg.det, linalg.slogdet, linalg.cholesky, linalg.eigh):
        with pytest.raises(ShapeError, match="square"):
            function(np.ones((2, 3)))
    for function in (linalg.solve, linalg.solve_triangular):
        with pytest.raises(ShapeError, match="expand_dims"):
            function(np.ones((3, 2, 2)) + np.eye(2), np.ones((3, 2)))
    with pytest.raises(ShapeError, match="3 and 2"):
        te.vecdot(np.ones(3), np.ones(2))
    with pytest.raises(ArgumentError, match="from the end"):
        te.vecdot(np.ones(3), np.ones((3, 1)), axis=0)
    with pytest.raises(ShapeError, match="vectors of 3"):
        te.cross(np.ones(2), np.ones(2))
    with pytest.raises(ShapeError, match="equally long"):
        te.tensordot(np.ones((2, 3)), np.ones((2, 3)), axes=1)
    with pytest.raises(ArgumentError, match="unknown ord"):
        linalg.matrix_norm(np.ones((2, 2)), ord=3)
    with pytest.raises(ArgumentError, match="unknown mode"):
        linalg.qr(np.ones((2, 2)), mode="raw")
