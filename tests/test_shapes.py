"""Shapes and padding: the forms of their arguments, views and copies, and what is refused."""

import array_api_strict as strict
import numpy as np
import pytest

import tinygrad_edu as te
from tinygrad_edu import Tensor
from tinygrad_edu.errors import ArgumentError, DTypeError, IndexingError, ShapeError

GRID = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda xp, x: xp.reshape(x, (3, -1), copy=True),
        lambda xp, x: xp.expand_dims(x, axis=-1),
        lambda xp, x: xp.squeeze(xp.expand_dims(x, axis=0), axis=0),
        lambda xp, x: xp.squeeze(xp.expand_dims(x, axis=2), (-1,)),
        lambda xp, x: xp.permute_dims(x, (1, 0)),
        lambda xp, x: xp.matrix_transpose(x),
        lambda xp, x: xp.moveaxis(x, 0, -1),
        lambda xp, x: xp.moveaxis(x, (0, 1), (1, 0)),
        lambda xp, x: xp.broadcast_to(x, (4, 2, 3)),
        lambda xp, x: xp.flip(x, axis=(0, -1)),
        lambda xp, x: xp.roll(x, 4),
        lambda xp, x: xp.roll(x, (1, -1), axis=(0, 1)),
        lambda xp, x: xp.repeat(x, 2),
        lambda xp, x: xp.repeat(x, 2, axis=1),
        lambda xp, x: xp.repeat(x, xp.asarray([2, 0]), axis=0),
        lambda xp, x: xp.tile(x, (2,)),
        lambda xp, x: xp.tile(x, (2, 1, 2)),
        lambda xp, x: xp.concat([x, x], axis=1),
        lambda xp, x: xp.concat((x, x), axis=None),
        lambda xp, x: xp.stack([x, x], axis=-1),
        lambda xp, x: xp.unstack(x, axis=1),
        lambda xp, x: xp.broadcast_arrays(x, x[:, :1]),
        lambda xp, x: xp.take(x, xp.asarray([2, 0, 0]), axis=1),
        lambda xp, x: xp.take(x[0, :], xp.asarray([2, 0])),
        lambda xp, x: xp.take_along_axis(x, xp.asarray([[1], [2]])),
        lambda xp, x: xp.tril(x, k=1),
        lambda xp, x: xp.triu(x),
    ],
)
def test_calls_of_the_array_api_standard(call):
    expected = call(strict, strict.asarray(GRID))
    got = call(te, Tensor(GRID))
    many = isinstance(expected, tuple | list)
    for y, e in zip(got if many else [got], expected if many else [expected], strict=True):
        assert y.shape == e.shape
        np.testing.assert_array_equal(y.data, np.asarray(e))


def test_a_reshape_copies_when_it_is_told_to():
    x = np.arange(6.0)
    assert np.shares_memory(te.reshape(x, (2, 3)), x)
    assert np.shares_memory(te.reshape(x, (2, 3), copy=False), x)
    assert not np.shares_memory(te.reshape(x, (2, 3), copy=True), x)
    turned = GRID.T
    assert te.reshape(turned, 6, copy=True).tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(ArgumentError, match="copy is needed"):
        te.reshape(turned, 6, copy=False)
    assert te.reshape(np.zeros((0, 3)), (3, 0), copy=False).shape == (3, 0)


def test_lists_and_numbers_are_taken_like_arrays():
    assert te.expand_dims([1.0, 2.0], axis=1).tolist() == [[1], [2]]
    assert te.squeeze([[1.0]], 0).tolist() == [1]
    assert te.tile([1.0, 2.0], 2).tolist() == [1, 2, 1, 2]
    assert te.repeat(3.0, 2).tolist() == [3, 3]
    assert te.unstack([[1.0], [2.0]])[1].tolist() == [2]
    assert te.broadcast_to(1.0, 2).tolist() == [1, 1]
    assert te.pad([1.0], 1).dtype == np.float32
    assert te.tril([[1, 1], [1, 1]]).tolist() == [[1, 0], [1, 1]]


def test_shapes_may_be_arrays_and_tensors():
    for six in (np.array(6), np.int8(6), Tensor(6), Tensor([6]), range(6, 7)):
        assert te.reshape(Tensor(GRID), six).shape == (6,)
    assert te.tile([1.0], np.array(3)).shape == te.tile([1.0], Tensor([3])).shape == (3,)
    assert [len(part) for part in te.split(np.zeros(5), Tensor([1, -1]))] == [1, 3, 1]
    assert [len(part) for part in te.split(np.zeros(4), np.uint8(2))] == [2, 2]


def test_shapes_that_broadcast():
    assert te.broadcast_shapes((2, 1), (3,), 1) == (2, 3)
    assert te.broadcast_shapes() == ()
    assert te.broadcast_arrays() == ()
    with pytest.raises(ShapeError, match=r"\(2,\), \(3,\)"):
        te.broadcast_shapes((2,), (3,))
    with pytest.raises(ShapeError):
        te.broadcast_arrays(np.zeros(2), np.zeros(3))


def test_each_input_of_broadcast_arrays_gets_the_sum_of_its_copies():
    x = Tensor([[1.0], [2.0]], requires_grad=True)
    a, _ = te.broadcast_arrays(x, np.zeros(3))
    (a * [1.0, 2.0, 3.0]).sum().backward()
    assert x.grad.tolist() == [[6], [6]]


def test_a_roll_by_unsigned_numbers_is_undone():
    for shift in (np.uint8(1), np.array([1], np.uint8), Tensor([1])):
        x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        (te.roll(x, shift) * [1.0, 10.0, 100.0]).sum().backward()
        assert x.grad.tolist() == [10, 100, 1]


def test_parts_that_nobody_used_have_no_gradient():
    x = Tensor(np.arange(4.0), requires_grad=True)
    _, second, _ = te.split(x, [1, 3])
    (second * [5.0, 6.0]).sum().backward()
    assert x.grad.tolist() == [0, 5, 6, 0]
    x.zero_grad()
    te.unstack(x)[2].backward()
    assert x.grad.tolist() == [0, 0, 1, 0]


def test_taking_apart_and_putting_together_undo_each_other():
    x = Tensor(GRID)
    for axis in (0, 1, -1):
        assert te.all(te.stack(te.unstack(x, axis=axis), axis=axis) == x)
        assert te.all(te.concat(te.split(x, [1], axis=axis), axis=axis) == x)
    assert te.unstack(np.zeros((0, 3))) == ()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: te.reshape(x, (4, 2)), ShapeError, "reshape"),
        (lambda x: te.expand_dims(x, axis=3), ShapeError, "axis 3"),
        (lambda x: te.expand_dims(x, axis=(0, -4)), ShapeError, "twice"),
        (lambda x: te.squeeze(x, 0), ShapeError, "isn't of length 1"),
        (lambda x: te.permute_dims(x, (0, 0)), ShapeError, "permute_dims"),
        (lambda x: te.matrix_transpose(x[0]), ShapeError, "at least two"),
        (lambda x: te.swapaxes(x, 0, 2), ShapeError, "axis 2"),
        (lambda x: te.moveaxis(x, (0, 1), 0), ArgumentError, "2 axes can't move to 1 places"),
        (lambda x: te.moveaxis(x, (0, 0), (0, 1)), ShapeError, "twice"),
        (lambda x: te.broadcast_to(x, (3, 2)), ShapeError, "broadcast_to"),
        (lambda x: te.flip(x, axis=2), ShapeError, "flip"),
        (lambda x: te.roll(x, 1, axis=2), ShapeError, "roll"),
        (lambda x: te.roll(x, 1.5), DTypeError, "whole number"),
        (lambda x: te.repeat(x, -1), ArgumentError, "-1 times"),
        (lambda x: te.repeat(x, 1.5), DTypeError, "whole numbers"),
        (lambda x: te.repeat(x, [1, 2, 3], axis=0), ShapeError, "one count or 2"),
        (lambda x: te.tile(x, (-1,)), ShapeError, "tile"),
        (lambda x: te.tile(x, (1.5,)), DTypeError, "tile"),
        (lambda x: te.split(x, 2, axis=1), ShapeError, "equal division"),
        (lambda x: te.split(x, 0), ArgumentError, "0 parts"),
        (lambda x: te.split(x, [1, 0]), ArgumentError, "ascend"),
        (lambda x: te.split(x, 0.5), DTypeError, "split: indices_or_sections must be"),
        (lambda x: te.reshape(x, 6.0), DTypeError, "reshape: shape must be a whole number"),
        (lambda x: te.reshape(x, None), DTypeError, "reshape: shape"),
        (lambda x: te.broadcast_to(x, None), DTypeError, "broadcast_to: shape"),
        (lambda x: te.broadcast_shapes((2,), (1.0,)), DTypeError, "broadcast_shapes: a shape"),
        (lambda x: te.expand_dims(x, None), DTypeError, "expand_dims: axis"),
        (lambda x: te.expand_dims(x, 0.5), DTypeError, "expand_dims: axis"),
        (lambda x: te.squeeze(x, None), DTypeError, "squeeze: axis"),
        (lambda x: te.permute_dims(x, 1), ShapeError, "permute_dims"),
        (lambda x: te.permute_dims(x, None), DTypeError, "permute_dims: axes"),
        (lambda x: te.swapaxes(x, 0.5, 1), DTypeError, "whole number, got 0.5"),
        (lambda x: te.swapaxes(x, None, 1), DTypeError, "whole number, got None"),
        (lambda x: x.swapaxes(0, 5), ShapeError, "axis 5"),
        (lambda x: te.moveaxis(x, None, 0), DTypeError, "moveaxis: source"),
        (lambda x: te.tile(x, None), DTypeError, "tile: repetitions"),
        (lambda x: te.concat(None), DTypeError, "concat: expected a sequence of tensors, got NoneType"),
        (lambda x: te.stack(x[0, 0]), DTypeError, "stack: expected a sequence of tensors, got Tensor"),
        (lambda x: te.repeat(x, [[1], [1, 2]]), ShapeError, "repeats: lists of unequal lengths"),
        (lambda x: te.pad(x, ((1, 2), (1,))), ShapeError, "pad_width: lists of unequal lengths"),
        (lambda x: te.pad(x, 1, constant_values="a"), DTypeError, "constant_values must be of numbers"),
        (lambda x: te.pad(x, 1, constant_values=None), DTypeError, "constant_values must be of numbers"),
        (lambda x: te.pad(x, {"a": 1}), DTypeError, "whole number, got 'a'"),
        (lambda x: te.split(x, 2, axis=2), ShapeError, "split"),
        (lambda x: te.unstack(x, axis=2), ShapeError, "unstack"),
        (lambda x: te.concat([x, x[:1]], axis=1), ShapeError, "concat"),
        (lambda x: te.concat([]), ShapeError, "concat"),
        (lambda x: te.stack([x, x[:1]]), ShapeError, "stack"),
        (lambda x: te.pad(x, -1), ArgumentError, "negative"),
        (lambda x: te.pad(x, 1.0), DTypeError, "whole numbers"),
        (lambda x: te.pad(x, ((1, 1), (1, 1), (1, 1))), ShapeError, "2 pairs"),
        (lambda x: te.pad(x, 1, "mirror"), ArgumentError, "pad mode 'mirror'"),
        (lambda x: te.pad(x, 1, "edge", constant_values=1), ArgumentError, "'edge'"),
        (lambda x: te.pad(te.astype(x, "int64"), 1, constant_values=0.5), DTypeError, "int64"),
        (lambda x: te.pad(te.astype(x, "int64"), 1, constant_values=np.nan), DTypeError, "int64"),
        (lambda x: te.pad(x[:0], 1, "reflect"), ShapeError, "axis 0 is empty"),
    ],
)
def test_what_can_not_be_meant_is_refused(call, error, words):
    with pytest.raises(error, match=words) as info:
        call(Tensor(GRID))
    assert not isinstance(info.value, IndexingError)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("width", [0, 7, (1, 2), [[3, 0]], ((1, 0), (0, 9)), ((1,), (2,)), Tensor([1, 2])])
def test_padding_as_in_numpy(mode, width):
    for x in (GRID, GRID[:1], GRID.astype(np.float32), GRID.astype(int), GRID > 2):
        numpys = width.data if isinstance(width, Tensor) else width
        got = te.pad(Tensor(x), width, mode)
        assert got.dtype == x.dtype
        np.testing.assert_array_equal(got.data, np.pad(x, numpys, mode))


def test_padding_with_several_constants_as_in_numpy():
    for values in (5, (1, 2), [[1, 2], [3, 4]], ((1,), (2,)), np.float64(np.nan), -np.inf):
        got = te.pad(Tensor(GRID), 2, constant_values=values)
        np.testing.assert_array_equal(got.data, np.pad(GRID, 2, constant_values=values))
    assert te.pad(Tensor(5.0), 3).item() == 5


def test_constants_get_the_gradient_of_the_border():
    x, inner, outer = (Tensor(v, requires_grad=True) for v in ([[1.0]], 5.0, [[0.0, 1.0], [2.0, 3.0]]))
    te.pad(x, 1, constant_values=inner).sum().backward()
    assert (x.grad.item(), inner.grad.item()) == (1, 8)
    y = te.pad(x, ((1, 2), (3, 1)), constant_values=outer)
    assert y.shape == (4, 5)
    y.sum().backward()
    assert outer.grad.tolist() == [[1, 2], [12, 4]]  # the last axis has the corners


def test_widths_of_few_bits_add_up_all_the_same():
    for mode in ("constant", "wrap"):
        assert te.pad(np.ones(200), np.array([100, 100], np.uint8), mode).shape == (400,)


def test_padding_of_axes_by_number():
    got = te.pad(Tensor(GRID), {-1: (1, 2)}, "edge")
    np.testing.assert_array_equal(got.data, np.pad(GRID, ((0, 0), (1, 2)), "edge"))
    assert te.pad(Tensor(GRID), {0: 1, 1: 2}).shape == (4, 7)
    with pytest.raises(ShapeError, match="axis 2"):
        te.pad(Tensor(GRID), {2: 1})


def test_an_element_that_is_mirrored_gets_the_gradient_of_each_image():
    def gradient(mode):
        x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        te.pad(x, (2, 1), mode).backward([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
        return x.grad.tolist()

    assert gradient("constant") == [4, 8, 16]
    assert gradient("edge") == [7, 8, 48]
    assert gradient("reflect") == [4, 42, 17]
    assert gradient("symmetric") == [6, 9, 48]
    assert gradient("wrap") == [36, 9, 18]
