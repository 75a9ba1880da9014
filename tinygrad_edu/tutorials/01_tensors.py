# %% [markdown]
# # 1. Tensors, the tape and the chain rule
#
# Everything a network learns, it learns from slopes: how much does the loss change when this weight changes
# a little? Here we find slopes by hand, watch the engine find the same, draw what it recorded, and make the
# classic mistakes once on purpose.

# %%
import math

import numpy as np

import tinygrad_edu as te
from tinygrad_edu import nn, viz
from tinygrad_edu.lesson import Lesson
from tinygrad_edu.testing import gradcheck

lesson = Lesson("01_tensors")

# %% [markdown]
# ## Tensors
#
# A tensor is an array with a memory. It computes as NumPy's arrays do, with the same names and the same
# broadcasting. Numbers are float32 unless you ask for more: four bytes and about seven digits.

# %%
table = te.Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
print(table, table.shape, table.dtype)
print("plus a row:", table + te.Tensor([10.0, 20.0, 30.0]))
print("NumPy's functions:", np.sqrt(table).sum(axis=0))

# %% [markdown]
# ## A slope by hand
#
# One neuron: it takes x, weighs it, adds a bias and squashes the sum.
#
#     z = w x + b
#     p = 1 / (1 + exp(-z))
#
# How much does p change with w? The chain rule says: multiply the slopes along the way from w to p.
#
#     dp/dw = dp/dz · dz/dw = p (1 - p) · x

# %%
x_value, w_value, b_value = 2.0, -1.5, 4.0
z_value = w_value * x_value + b_value
p_value = 1 / (1 + math.exp(-z_value))
by_hand = p_value * (1 - p_value) * x_value
print(f"z = {z_value}, p = {p_value:.6f}, dp/dw = {by_hand:.6f}")

# %% [markdown]
# Without any calculus: move w a little in both directions and look what p does. That is slow, a pair of
# runs for each weight, and only nearly right, but it can't be derived wrongly.


# %%
def neuron(w):
    return 1 / (1 + math.exp(-(w * x_value + b_value)))


eps = 1e-5
by_difference = (neuron(w_value + eps) - neuron(w_value - eps)) / (2 * eps)
print(f"dp/dw by difference = {by_difference:.6f}")

# %% [markdown]
# ## The tape
#
# `requires_grad=True` says: its slope will be asked for. From then on each operation notes what it did,
# with what. That record is called the tape. `backward()` walks it from the end to the start, multiplies by
# each operation's slope, and leaves the result in `.grad`.

# %%
x = te.Tensor(2.0, requires_grad=True, name="x")
w = te.Tensor(-1.5, requires_grad=True, name="w")
b = te.Tensor(4.0, requires_grad=True, name="b")
p = te.sigmoid(w * x + b)
print(p)

# %% [markdown]
# `explain` steps through it, forward and backward, one operation at a time. Read it once from top to
# bottom; it is the whole secret.

# %%
print(te.explain(p))

# %%
p.backward()
print(f"the engine: {w.grad.item():.6f}, by hand: {by_hand:.6f}, by difference: {by_difference:.6f}")
lesson.claim("dp/dw, the engine's distance from ours", abs(w.grad.item() - by_hand), at_most=1e-7)
lesson.picture(viz.graph(p, direction="LR"), "graph.png")

# %% [markdown]
# The picture shows the tape: values go from left to right, gradients came back from right to left.
# `backward` has freed what it no longer needs, so explain and trace a computation *before* it.
#
# ## Two ways, and the sum of them
#
# Where a value is used twice, it has two ways of changing the result, and the slopes add up. y = x² + 3x
# uses x twice (x² even twice by itself): dy/dx = 2x + 3.

# %%
x = te.Tensor(5.0, requires_grad=True)
y = x * x + 3 * x
y.backward()
print("dy/dx at 5:", x.grad.item())
lesson.claim("slopes of two ways, added", x.grad.item(), about=13.0)

# %% [markdown]
# Broadcasting uses a value many times without saying so: a bias of shape (3,) is added to each of 4 rows.
# So its gradient is the sum over the rows, and has its own shape again.

# %%
bias = te.Tensor([0.0, 0.0, 0.0], requires_grad=True)
rows = te.Tensor(np.arange(12.0).reshape(4, 3)) + bias
(rows * rows).sum().backward()
print(
    "gradient of the bias:", bias.grad, " by hand, 2 · the sum of each column:", 2 * rows.numpy().sum(axis=0)
)
distance = np.abs(bias.grad.numpy() - 2 * rows.numpy().sum(axis=0)).max()
lesson.claim("gradient of a broadcast bias, distance", distance, at_most=1e-4)

# %% [markdown]
# ## Is a rule right? Gradient checking
#
# An operation of your own is a class with `forward` and `backward`. Here is one with a mistake that is
# easily made: the slope of a cube, without its 3. `gradcheck` compares the rule with differences in float64
# and names the first element that is wrong. Never train with a rule that it hasn't seen.


# %%
def attempt(function):
    """Run something that is bound to fail, and print what the error says."""
    try:
        function()
    except te.TinygradEduError as error:
        print(f"{type(error).__name__}: {error}\n")
        return True
    return False


class Cube(te.Function):
    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def backward(g, x):
        return g * x**2  # should be g * 3 * x**2


found = attempt(lambda: gradcheck(Cube.apply, np.array([1.0, -2.0])))
lesson.claim("the wrong rule is found", int(found), about=1)
print("sigmoid's rule is right:", gradcheck(te.sigmoid, np.linspace(-3, 3, 7)))

# %% [markdown]
# ## Mistake 1: the forgotten zero_grad
#
# `backward` *adds* to `.grad`, since a weight may be part of several losses. Forget to clear it, and each
# step goes along the sum of all gradients so far: the descent gains speed, shoots over the bottom and
# swings.


# %%
def descend(clear, steps=30, lr=0.1):
    w = te.Tensor(3.0, requires_grad=True)
    path = []
    for _ in range(steps):
        if clear:
            w.zero_grad()
        (w * w).backward()  # the loss w², whose bottom is 0
        with te.no_grad():
            w -= lr * w.grad
        path.append(w.item())
    return path


right, wrong = descend(clear=True), descend(clear=False)
for name, path in (("cleared", right), ("forgotten", wrong)):
    print(f"{name:10}", *(f"{w:6.2f}" for w in path[::3]))
lesson.claim("with zero_grad, distance from the bottom", abs(right[-1]), at_most=0.01)
lesson.claim("without it, the widest swing of the last 15 steps", max(map(abs, wrong[15:])), at_least=1.0)

# %% [markdown]
# An optimizer does both: `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`, in this order.
#
# ## Mistake 2: (N, 1) against (N,)
#
# A model with one output gives (N, 1), labels often come as (N,). Their difference broadcasts to (N, N):
# everything against everything, without an error. Its best answer is the mean of the labels, for every
# sample.

# %%
labels = np.arange(5.0)
predictions = te.Tensor(labels[:, np.newaxis])  # all of them right
difference = predictions - labels
print("shape of the difference:", difference.shape, " mean square:", te.mean(difference**2).item())
loss = nn.losses.MeanSquaredError()(labels, predictions)
print("MeanSquaredError knows that the last axis of 1 isn't meant:", loss.item())
lesson.claim("loss of perfect predictions", loss.item(), about=0.0)
lesson.claim("the same by hand, everything against everything", te.mean(difference**2).item(), about=4.0)

# %% [markdown]
# Print the shapes of what you subtract. The losses of `nn.losses` compare row with row, and refuse shapes
# that don't fit:

# %%
attempt(lambda: nn.losses.MeanSquaredError()(np.arange(4.0), predictions))

# %% [markdown]
# ## Mistake 3: softmax twice, or not at all
#
# Cross-entropy comes in two forms: from probabilities (after a softmax) and from logits (before one), which
# is the more exact. Mix them up, and either nothing works or, worse, it half works. Probabilities given as
# logits are squeezed by a second softmax: even a perfect answer (1, 0) counts as e / (e + 1) = 0.73, the
# loss can't fall below 0.313, and gradients are small.

# %%
from_logits = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
perfect = te.Tensor([[1.0, 0.0]])
print("perfect probabilities, taken for logits:", from_logits(np.array([0]), perfect).item())
print("the right form:", nn.losses.SparseCategoricalCrossentropy()(np.array([0]), perfect).item())
floor = from_logits(np.array([0]), perfect).item()
lesson.claim("softmax twice: the loss can't fall below", floor, about=math.log(1 + math.exp(-1)), within=1e-6)

# %% [markdown]
# The other way round, logits where probabilities belong, can be seen from the numbers, and is refused:

# %%
attempt(lambda: nn.losses.SparseCategoricalCrossentropy()(np.array([0]), te.Tensor([[3.2, -1.0]])))

# %% [markdown]
# ## Mistake 4: the saturated sigmoid
#
# Far from 0 the sigmoid is flat. Its slope p (1 - p) at z = 20 is 2·10⁻⁹; in float32 p is 1 and the slope
# exactly 0. A neuron that is sure and wrong then learns nothing from the squared error. Cross-entropy on
# the logit doesn't have the problem: its gradient is p - y, the error itself.

# %%
z = te.Tensor([0.0, 5.0, 20.0], requires_grad=True)
squared = te.grad(((te.sigmoid(z) - 0.0) ** 2).sum(), z)
entropy = te.grad(te.sigmoid_cross_entropy(z, te.zeros(3)).sum(), z)
print("z:", z.numpy(), " right would be p = 0")
print("gradient of the squared error:", squared.numpy())
print("gradient of the cross-entropy:", entropy.numpy())
lesson.claim("squared error, gradient at z = 20", squared.numpy()[2].item(), about=0.0)
lesson.claim("cross-entropy, gradient at z = 20", entropy.numpy()[2].item(), about=1.0, within=1e-6)

# %% [markdown]
# ## Mistake 5: the dead ReLU
#
# ReLU is 0 for negative sums, and so is its slope. A neuron whose sum is negative for *every* sample, after
# a step that was too large, gets no gradient any more and never comes back. Start with small biases, take
# smaller steps, or use a leaky ReLU, which keeps a small slope.

# %%
inputs = te.Tensor(np.random.default_rng(lesson.seed).normal(size=(100, 3)))
weights = te.Tensor([0.5, -0.3, 0.2], requires_grad=True)
for name, activation in (("relu", te.relu), ("leaky_relu", te.leaky_relu)):
    gradient = te.grad(activation(inputs @ weights - 10.0).sum(), weights)
    print(f"{name:10} with a bias of -10: gradient {gradient.numpy().round(3)}")
    if name == "relu":
        lesson.claim("dead ReLU, its largest gradient", float(te.abs(gradient).max().item()), about=0.0)
    else:
        lesson.claim("leaky ReLU, its largest gradient", float(te.abs(gradient).max().item()), at_least=0.1)

# %% [markdown]
# ## When something else goes wrong
#
# Errors say what was called, what was expected, what came, on which line, and how to mend it. Read them to
# the end.

# %%
weight = te.Tensor([1.0, 2.0], requires_grad=True)
loss = (weight**2).sum()
loss.backward()


def step_without_no_grad():
    global weight
    weight -= 0.1 * weight.grad


mistakes = {
    "shapes that don't fit": lambda: te.ones((32, 10)) @ te.ones((784, 10)),
    "backward from a vector": lambda: (weight * 2).backward(),
    "backward a second time": lambda: loss.backward(),
    "nothing to differentiate": lambda: te.Tensor([1.0]).sum().backward(),
    "whole numbers with a gradient": lambda: te.Tensor([1, 2, 3], requires_grad=True),
    "a step on record": step_without_no_grad,
    "a misspelt activation": lambda: nn.Dense(3, activation="rleu"),
}
told = 0
for name, mistake in mistakes.items():
    print(f"--- {name}")
    told += attempt(mistake)
lesson.claim("mistakes that are told", told, about=len(mistakes))

# %% [markdown]
# And when numbers turn into nan or inf, `detect_anomaly` names the operation that made the first one,
# instead of the loss where you notice it:


# %%
def log_of_relu():
    with te.detect_anomaly():
        hidden = te.relu(te.Tensor([1.0, -1.0]))
        return te.log(hidden).mean()


lesson.claim("the log of 0 is found", int(attempt(log_of_relu)), about=1)

# %% [markdown]
# ## Try it
#
# - Replace the sigmoid by `te.tanh` and derive dp/dw by hand first. Does `explain` agree?
# - Mend `Cube` and check it again. What does `gradcheck` say if `backward` forgets g?
# - Which step size brings the forgotten `zero_grad` to rest? Is there one?
