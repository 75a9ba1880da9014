# %% [markdown]
# # 16. Inside the engine: an operation of your own
#
# An operation is a function and its slope. We write one that the engine doesn't have, break it on purpose,
# let a property test find what a hand-made test overlooks, and make it fast with Numba. The engine's own
# operations were made in just this way.

# %%
import importlib.util
import time

import matplotlib.pyplot as plt
import numba
import numpy as np

import tinygrad_edu as te
from tinygrad_edu import data, nn
from tinygrad_edu.lesson import Lesson
from tinygrad_edu.testing import gradcheck, gradgradcheck

lesson = Lesson("16_inside")

# %% [markdown]
# ## The function, and its slopes
#
# The bent identity is an activation that is nearly straight for large |x| and bends around 0. How widely it
# bends, c, shall be learned too, one number for each neuron:
#
#     y = x + (r - c) / 2        with r = sqrt(x² + c²)
#
# For a small x, r and c are nearly equal, and their difference has few right digits left. So we write r - c
# as x² / (r + c), which is the same and loses none. The slopes, by pencil, from dr/dx = x / r and dr/dc = c
# / r:
#
#     dy/dx = 1 + x / (2 r)
#     dy/dc = (c / r - 1) / 2 = -x² / (2 r (r + c))
#
# `forward` gets arrays. `backward` gets g, the gradient that arrives, and whatever of the inputs it asks
# for by name; it returns one gradient for each input. Write it with `te.`'s functions: they take arrays and
# tensors alike, so the same rule gives second derivatives, too.


# %%
class Bent(te.Function):
    name = "bent"
    formula = r"y = x + (\sqrt{x^2 + c^2} - c) / 2"

    @staticmethod
    def forward(x, c):
        return x + x**2 / (np.sqrt(x**2 + c**2) + c) / 2

    @staticmethod
    def backward(g, x, c):
        r = te.sqrt(x**2 + c**2)
        return g * (1 + x / (2 * r)), -g * x**2 / (2 * r * (r + c))


x = np.array([-2.0, -0.5, 0.5, 2.0])
c = np.array([1.0, 0.7, 1.3, 2.0])
print("value:", Bent.apply(x, c).round(3))
print("first derivative right: ", gradcheck(Bent.apply, (x, c)))
print("second derivative right:", gradgradcheck(Bent.apply, (x, c)))

# %% [markdown]
# `gradcheck` changes the inputs a little and compares. What it says of a wrong rule, here with a sign that
# slipped:


# %%
class Slipped(Bent):
    @staticmethod
    def backward(g, x, c):
        r = te.sqrt(x**2 + c**2)
        return g * (1 + x / (2 * r)), g * x**2 / (2 * r * (r + c))


def refused(operation, *inputs):
    """Tell whether gradcheck refuses the operation on these inputs, and what it says."""
    try:
        gradcheck(operation.apply, inputs)
    except te.TinygradEduError as error:
        return str(error)
    return ""


print(refused(Slipped, x, c))
lesson.claim("the slipped sign is found", int(bool(refused(Slipped, x, c))), about=1)

# %% [markdown]
# ## The bug that our example doesn't show
#
# The check above had x and c of one shape. In a layer x is (batch, neurons) and c is (neurons,), and NumPy
# stretches c over the batch. Then c's gradient must be summed over the batch again; an operation that lets
# its inputs be stretched says `broadcasts = True`, and the tape does the sum. `Bent` doesn't say it. Our
# test passed since it never tried.
#
# People try the case they thought of. A property test draws cases: "for all shapes that broadcast, the rule
# is right".


# %%
def random_shapes(generator):
    """Draw the shapes of x and of c: c lacks leading axes, or has 1 where x has more."""
    shape = tuple(int(side) for side in generator.integers(0, 4, generator.integers(0, 4)))
    small = tuple(1 if generator.random() < 0.3 else side for side in shape)
    return shape, small[generator.integers(0, len(small) + 1) :]


def failures(operation, trials=40):
    generator = np.random.default_rng(lesson.seed)
    found = []
    for _ in range(trials):
        shapes = random_shapes(generator)
        x, c = generator.uniform(-2, 2, shapes[0]), generator.uniform(0.5, 2, shapes[1])
        if refused(operation, x, c):
            found.append(shapes)
    return found


found = failures(Bent)
print(f"{len(found)} of 40 drawn cases fail:", *found[:5])
lesson.claim("cases in which the property test refuses it", len(found), at_least=1)
x, c = np.ones((2, 3)), np.ones(3)
print("\nwhat is said of x (2, 3) and c (3,):\n" + refused(Bent, x, c))

# %% [markdown]
# With Hypothesis (`pip install hypothesis`) the failing case also *shrinks*: it looks for the smallest one
# that still fails, and that one mostly shows the cause. `tinygrad_edu.testing` has its strategies for
# shapes and arrays.

# %%
if importlib.util.find_spec("hypothesis"):
    import hypothesis

    from tinygrad_edu.testing import broadcastable_shapes

    smallest = hypothesis.find(
        broadcastable_shapes(2, min_side=1),
        lambda shapes: refused(Bent, np.ones(shapes[0]), np.ones(shapes[1])),
        settings=hypothesis.settings(database=None, derandomize=True),
    )
    print("the smallest shapes of x and c that fail:", *smallest)
else:
    print("Hypothesis isn't installed, so we go without the smallest case.")

# %% [markdown]
# One number against an array of one: even there the shapes differ, and the rule's answer has the wrong one.
# The mend is a line.


# %%
class Mended(Bent):
    name = "bent"
    broadcasts = True


found = failures(Mended)
print(f"{len(found)} of 40 drawn cases fail")
lesson.claim("cases in which the mended one is refused", len(found), at_most=0)

# %% [markdown]
# The engine's suite does this with every operation, for first and second derivatives. And it checks the
# checker: it breaks each rule in many ways and demands that every broken one is caught.
#
# ## In a network
#
# A layer is a few lines: `build` makes its weights, `call` uses them. Everything else, from `fit` to
# `save`, comes along.


# %%
class BentLayer(nn.Layer):
    def build(self, input_shape):
        self.c = self.add_weight("c", input_shape[-1:], "ones")

    def call(self, x):
        return Mended.apply(x, self.c)


circles = data.circles(500, seed=42)
x_train, x_test = circles.x_train.astype(np.float32), circles.x_test.astype(np.float32)
model = nn.Sequential([nn.Input((2,)), nn.Dense(8), BentLayer(), nn.Dense(1, activation="sigmoid")])
model.compile(nn.optimizers.Adam(0.03), "binary_crossentropy", ["accuracy"])
model.fit(x_train, circles.y_train, epochs=lesson.pick(100, fast=25), verbose=0)
_, accuracy = model.evaluate(x_test, circles.y_test, verbose=0)
print("c, which was 1 for all neurons:", model.layers[1].c.numpy().round(2))
lesson.claim("circles with the new activation, test accuracy", accuracy, at_least=0.97, fast=0.75)

# %% [markdown]
# ## Fast: one pass over the memory
#
# NumPy does one thing at a time: square x, add, take the root, divide; ten passes, and each writes an array
# that the next one reads. For a million numbers it is the memory that takes the time. A loop does all for
# one number while it is at hand; Python would be slow at that, Numba compiles it.
#
# How slow Python's loops are, first on something simpler: π by throwing random points into a square, and
# counting those inside the circle.


# %%
def inside(a, b):
    count = 0
    for i in range(len(a)):
        count += a[i] * a[i] + b[i] * b[i] < 1
    return count


compiled = numba.njit(inside)


def milliseconds(function, repeats=7):
    """Return the shortest of several times: what other programs take can only lengthen it."""
    function()  # the first call compiles
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


throws = lesson.pick(1_000_000, fast=100_000)
a, b = np.random.default_rng(lesson.seed).random((2, throws))
slow = milliseconds(lambda: inside(a, b), repeats=1)
fast = milliseconds(lambda: compiled(a, b))
print(f"π by {throws:,} throws: {4 * compiled(a, b) / throws:.4f}; Python {slow:.0f} ms, Numba {fast:.2f} ms")
lesson.claim("π by Numba, times faster", slow / fast, at_least=30, course="423 (275 ms to 0.65 ms)")

# %% [markdown]
# Now the operation. Forward and backward are one loop each, over rows and neurons. The backward loop also
# adds up c's gradient, so no large array is made for it.


# %%
@numba.njit
def bent_forward(x, c, y):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            square = x[i, j] * x[i, j]
            y[i, j] = x[i, j] + square / (np.sqrt(square + c[j] * c[j]) + c[j]) / np.float32(2)


@numba.njit
def bent_backward(g, x, c, dx, dc):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            square = x[i, j] * x[i, j]
            r = np.sqrt(square + c[j] * c[j])
            dx[i, j] = g[i, j] * (1 + x[i, j] / (2 * r))
            dc[j] -= g[i, j] * square / (2 * r * (r + c[j]))


def fits(*arrays):
    """Tell whether the loops are for these: a table in float32, and a number for each column."""
    return (
        all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in arrays)
        and arrays[0].ndim == 2
        and arrays[-1].shape == arrays[0].shape[1:]
    )


class Fast(Mended):
    @staticmethod
    def forward(x, c):
        if not fits(x, c):
            return Mended.forward(x, c)
        y = np.empty_like(x)
        bent_forward(x, c, y)
        return y

    @staticmethod
    def backward(g, x, c):
        if not fits(g, x, c):  # other dtypes and shapes, and tensors, for second derivatives
            return Mended.backward(g, x, c)
        dx, dc = np.empty_like(x), np.zeros(c.shape, np.float64)
        bent_backward(g, x, c, dx, dc)
        return dx, dc.astype(np.float32)


# %% [markdown]
# Fast code is where bugs hide, so the slow form stays: as the fallback, and as the truth that the fast one
# is held against, on many shapes. c's sum is kept in float64: adding a million small float32 numbers one by
# one loses digits.


# %%
def one_pass(operation, x, c):
    x, c = te.Tensor(x, requires_grad=True), te.Tensor(c, requires_grad=True)
    y = operation.apply(x, c)
    y.sum().backward()
    return y.numpy(), x.grad.numpy(), c.grad.numpy()


generator = np.random.default_rng(lesson.seed)
worst = 0.0
for _ in range(50):
    rows, columns = generator.integers(0, 40, 2)
    x = generator.normal(size=(rows, columns)).astype(np.float32)
    c = generator.uniform(0.5, 2, columns).astype(np.float32)
    for ours, truth in zip(one_pass(Fast, x, c), one_pass(Mended, x, c), strict=True):
        worst = max(worst, float(np.max(np.abs(ours - truth) / (1 + np.abs(truth)), initial=0)))
lesson.claim("fast against plain, the largest distance", worst, at_most=1e-5)
print("and the fast one passes the gradient check too:", gradcheck(Fast.apply, (np.ones((2, 3)), np.ones(3))))

# %%
rows = lesson.pick(10_000, fast=1000)
x = generator.normal(size=(rows, 100)).astype(np.float32)
c = np.ones(100, np.float32)
plain, fast = (milliseconds(lambda op=op: one_pass(op, x, c)) for op in (Mended, Fast))
print(f"forward and backward of {x.size:,} numbers: NumPy {plain:.2f} ms, Numba {fast:.2f} ms")
lesson.claim("the operation by Numba, times faster", plain / fast, at_least=1.2, fast=0.1)

# %%
line = np.linspace(-4, 4, 200)
figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4))
for width, style in ((0.2, "-"), (1.0, "--"), (3.0, ":")):
    points = te.Tensor(line, requires_grad=True)
    value = Mended.apply(points, np.array(width))
    left.plot(line, value.numpy(), style, color="C0", label=f"c = {width}")
    right.plot(line, te.grad(value.sum(), points).numpy(), style, color="C0")
left.set(xlabel="x", ylabel="y")
left.legend()
right.set(xlabel="x", ylabel="slope", ylim=(0, 1.6))
lesson.picture(figure, "bent.png")

# %% [markdown]
# Left the function, right its slope, from 1/2 to 3/2: it never dies, as a ReLU's does (tutorial 1).
#
# ## Try it
#
# - Forget the factor g in `backward`. With which inputs does `gradcheck` still pass, and why does it find
#   it all the same?
# - Let `bent_forward` use two cores: `numba.njit(parallel=True)` and `numba.prange` over the rows. Why
#   mustn't `bent_backward` do just that?
# - Read `tinygrad_edu/ops/activations.py`: each operation there is written like yours.
