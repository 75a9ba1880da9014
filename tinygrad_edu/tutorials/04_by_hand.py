# %% [markdown]
# # 4. A neural network by hand, then with the engine
#
# Forty lines of NumPy are a neural network: layers, a forward pass, the chain rule backward. We write them,
# check them, let them learn, and then compare with the engine, which needs no rule from us.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as te
from tinygrad_edu import data, nn
from tinygrad_edu.lesson import Lesson

lesson = Lesson("04_by_hand")

# %% [markdown]
# ## A layer
#
#     z = x W + b          each neuron weighs its inputs
#     a = f(z)             the activation; without it, two layers would be no more than one
#
# Backward it gets g, the gradient of the loss by its result a, and needs three answers:
#
#     dz = g · f'(z)       through the activation
#     dW = xᵀ dz, db = sum of dz over the rows
#     dx = dz Wᵀ           for the layer before it
#
# All four activations below have a slope that can be told from the result a alone, so z needn't be kept.


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


ACTIVATIONS = {  # the function, and its slope as a function of the result
    "linear": (lambda z: z, lambda a: np.ones_like(a)),
    "sigmoid": (sigmoid, lambda a: a * (1 - a)),
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0).astype(float)),
}
STARTS = {
    "random": lambda rng, shape: rng.uniform(0, 1, shape),
    "zeros": lambda rng, shape: np.zeros(shape),
    "normal": lambda rng, shape: rng.normal(0, 1, shape),
}


class Layer:
    def __init__(self, inputs, units, activation, start, rng):
        self.W = STARTS[start](rng, (inputs, units))
        self.b = STARTS[start](rng, units)
        self.f, self.slope = ACTIVATIONS[activation]

    def forward(self, x):
        self.x = x
        self.a = self.f(x @ self.W + self.b)
        return self.a

    def backward(self, g):
        dz = g * self.slope(self.a)
        self.dW = self.x.T @ dz
        self.db = dz.sum(axis=0)
        return dz @ self.W.T


# %% [markdown]
# ## A network
#
# Forward from the first layer to the last, backward from the last to the first: of any depth. The loss is
# the cross-entropy, with p clipped so that log 0 can't happen; its gradient by p starts the way back.


# %%
class Network:
    def __init__(self, sizes, activations, start="normal", rng=None):
        rng = rng or np.random.default_rng(lesson.seed)
        steps = zip(sizes[:-1], sizes[1:], activations, strict=True)
        self.layers = [Layer(i, o, activation, start, rng) for i, o, activation in steps]

    def predict(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def gradients(self, x, y):
        """Fill each layer's dW and db, and return the loss."""
        p = np.clip(self.predict(x), 1e-15, 1 - 1e-15)
        g = (p - y) / (p * (1 - p)) / len(y)
        for layer in reversed(self.layers):
            g = layer.backward(g)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    def step(self, x, y, lr):
        loss = self.gradients(x, y)
        for layer in self.layers:
            layer.W -= lr * layer.dW
            layer.b -= lr * layer.db
        return loss

    def accuracy(self, x, y):
        return np.mean((self.predict(x) > 0.5) == (y > 0.5))


# %% [markdown]
# ## Is the chain rule right?
#
# Never believe a gradient that you derived yourself. Move one weight a little up and a little down, and
# look how the loss changes: (loss(w + ε) - loss(w - ε)) / 2ε is the slope, without any calculus.


# %%
def largest_error(network, x, y, eps=1e-6):
    """Compare each dW with differences of the loss: the largest distance, by the largest gradient."""
    network.gradients(x, y)
    errors, sizes = [], []
    for layer in network.layers:
        rule = layer.dW.copy()
        for place in np.ndindex(layer.W.shape):
            losses = []
            for change in (eps, -2 * eps, eps):  # up, down, and back to where it was
                layer.W[place] += change
                p = network.predict(x)
                losses.append(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
            errors.append(abs((losses[0] - losses[1]) / (2 * eps) - rule[place]))
            sizes.append(abs(rule[place]))
    return max(errors) / max(sizes)


class Forgetful(Layer):
    """The course's layer: its weights' gradient forgets the activation's slope."""

    def backward(self, g):
        dz = g * self.slope(self.a)
        self.dW = self.x.T @ g
        self.db = dz.sum(axis=0)
        return dz @ self.W.T


rng = np.random.default_rng(0)
x_few, y_few = rng.normal(size=(7, 2)), rng.integers(0, 2, (7, 1)).astype(float)
network = Network([2, 4, 3, 1], ["tanh", "relu", "sigmoid"])
right = largest_error(network, x_few, y_few)
for layer in network.layers:
    layer.__class__ = Forgetful
wrong = largest_error(network, x_few, y_few)
print(f"our layer: {right:.1e}; the one that forgets the slope: {wrong:.1e}")
lesson.claim("our chain rule, distance from differences", right, at_most=1e-6)
lesson.claim("the forgetful one is found, its distance", wrong, at_least=0.01)

# %% [markdown]
# The forgetful layer learned its task in the course all the same. Gradients that are only roughly right
# often do, more slowly or to a worse end, and nobody notices. That is why there are gradient checks.
#
# ## It learns: 100 points, one sample at a time
#
# The course's first task: whole numbers from -5 to 4 in two coordinates, label 1 where the first is at
# least 0. A net 2-4-1, linear and sigmoid, starting from uniform numbers in 0…1, ten epochs with lr 0.01.
# The points are the course's, by its generator and seed.

# %%
points = np.random.RandomState(42).randint(-5, 5, (100, 2)).astype(float)
labels = (points[:, :1] >= 0).astype(float)
x_train, y_train, x_valid, y_valid = points[:70], labels[:70], points[70:], labels[70:]

network = Network([2, 4, 1], ["linear", "sigmoid"], start="random")
rng = np.random.default_rng(lesson.seed)
errors = []
for epoch in range(10):
    for i in rng.permutation(len(x_train)):
        network.step(x_train[i : i + 1], y_train[i : i + 1], lr=0.01)
    errors.append(np.mean((network.predict(x_train) - y_train) ** 2))
    if epoch in (0, 1, 9):
        print(f"epoch {epoch + 1:2}  squared error {errors[-1]:.4f}  W of the first layer:")
        print(network.layers[0].W.round(3))
lesson.claim("by hand, training error at the end", errors[-1], at_most=0.016, course="0.126 to 0.016")
lesson.claim("by hand, training accuracy", network.accuracy(x_train, y_train), at_least=0.971, course=0.9714)
lesson.claim("by hand, validation accuracy", network.accuracy(x_valid, y_valid), at_least=1.0, course=1.0)

# %% [markdown]
# Look at the weights: the first row, which belongs to the coordinate that matters, changes most. The hidden
# layer is linear, so the whole net is one neuron in disguise, and that is enough here, since a line
# separates the classes.
#
# ## Circles: a hidden layer that bends
#
# Logistic regression guessed here (tutorial 3). One hidden layer of five sigmoids, all rows a step, lr
# 0.08. The course stops at 20,000 epochs, or when the loss changes by less than 0.01; in our mean loss a
# change is never that large, so we take the 20,000.

# %%
circles = data.circles(500, seed=42)
c_train, c_test = circles.x_train, circles.x_test
l_train, l_test = circles.y_train[:, np.newaxis].astype(float), circles.y_test[:, np.newaxis]

nets, losses = {}, {}
epochs, lr = lesson.pick((20_000, 0.08), fast=(1000, 1.5))
for name, hidden, start, length in (
    ("5 hidden", 5, "normal", epochs),
    ("2 hidden", 2, "normal", epochs),
    ("5 hidden, zeros", 5, "zeros", epochs // 10),
):
    net = nets[name] = Network([2, hidden, 1], ["sigmoid", "sigmoid"], start)
    losses[name] = [net.step(c_train, l_train, lr) for _ in range(length)]
    print(f"{name:16} loss {losses[name][-1]:.3f}  test accuracy {net.accuracy(c_test, l_test):.2f}")

five, two = (nets[name].accuracy(c_test, l_test) for name in ("5 hidden", "2 hidden"))
lesson.claim("circles, 5 hidden, test accuracy", five, at_least=1.0, fast=0.9, course=1.0)
lesson.claim("circles, 2 hidden aren't enough: test accuracy", two, at_most=0.95)

# %% [markdown]
# Each hidden neuron draws one line. Two lines make a strip or a wedge, which can't enclose the inner
# circle; a triangle or more can. How good a wedge happens to be depends on the start (try other seeds).
#
# The course's two neurons came to 0.92.
#
# And zeros? Equal neurons get equal gradients, so they would stay equal for ever: one neuron, five times.
# Here it is even worse. No gradient passes a second layer of zeros, so nothing moves at all, and the loss
# stays log 2, a coin's. Weights must start different from each other; biases needn't.

# %%
lesson.claim(
    "neurons that started from zeros, their distance",
    np.ptp(nets["5 hidden, zeros"].layers[0].W),
    at_most=1e-9,
)
lesson.claim("their loss: log 2", losses["5 hidden, zeros"][-1], about=np.log(2), within=1e-6)

figure, panels = plt.subplots(1, 3, figsize=(10, 3.6))
side = np.linspace(-1.3, 1.3, 150)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
for panel, name in zip(panels[:2], ("5 hidden", "2 hidden"), strict=True):
    panel.grid(visible=False)
    p = nets[name].predict(plane).reshape(150, 150)
    panel.contour(side, side, p, levels=[0.5], colors="0.2")
    hidden = nets[name].layers[0]
    for weights, bias in zip(hidden.W.T, hidden.b, strict=True):
        z = (plane @ weights + bias).reshape(150, 150)
        panel.contour(side, side, z, levels=[0], colors="0.6", linestyles="dashed", linewidths=0.8)
    for label, marker, colour in ((0, "o", "C0"), (1, "^", "C1")):
        panel.plot(*c_test[l_test[:, 0] == label].T, marker, color=colour, markersize=4)
    panel.set(title=f"{name}: accuracy {nets[name].accuracy(c_test, l_test):.2f}", aspect="equal")
for name, values in losses.items():
    colour = {"5 hidden": "C0", "2 hidden": "C1"}.get(name, "0.5")
    panels[2].plot(np.arange(1, len(values) + 1), values, color=colour, label=name)
panels[2].set(xscale="log", xlabel="epoch", ylabel="loss")
panels[2].legend(fontsize=8)
lesson.picture(figure, "circles.png")

# %% [markdown]
# Dashed: where a hidden neuron is 0.5, one line each. The black boundary follows them and rounds the
# corners. In the right panel the loss lies still for a long time and then falls: a plateau isn't the end.
#
# ## Stochastic: one random row a step

# %%
blobs = data.blobs(400, n_features=3, cluster_std=4, seed=42)
rng = np.random.default_rng(lesson.seed)
for name, points, hidden, lr, steps, course in (
    ("circles", circles, 5, 0.08, 80_000, 1.0),
    ("blobs", blobs, 3, 0.04, 40_000, 0.9875),
):
    x, y = points.x_train, points.y_train[:, np.newaxis].astype(float)
    network = Network([x.shape[1], hidden, 1], ["sigmoid", "sigmoid"])
    steps = lesson.pick(steps, fast=steps // 40)
    lr = lesson.pick(lr, fast=0.5)
    running = [network.step(x[i : i + 1], y[i : i + 1], lr) for i in rng.integers(len(x), size=steps)]
    means = np.reshape(running, (8, -1)).mean(axis=1)
    print(name, "mean loss of each eighth:", *np.round(means, 3))
    accuracy = network.accuracy(points.x_test, points.y_test[:, np.newaxis])
    lesson.claim(f"{name}, stochastic, test accuracy", accuracy, at_least=0.97, fast=0.8, course=course)

# %% [markdown]
# ## The same with the engine
#
# Two layers, the same weights, the same loss, and no backward pass of ours: the engine has recorded what
# was done and applies the rule of each operation. Its gradients must be ours.

# %%
by_hand = Network([2, 5, 1], ["sigmoid", "sigmoid"])
model = nn.Sequential(
    [nn.Input((2,), dtype="float64")]
    + [nn.Dense(len(layer.b), activation="sigmoid", dtype="float64") for layer in by_hand.layers]
)
model.set_weights([array for layer in by_hand.layers for array in (layer.W, layer.b)])

loss = nn.losses.BinaryCrossentropy()(l_train, model(te.Tensor(c_train)))
loss.backward()
loss_by_hand = by_hand.gradients(c_train, l_train)
print(f"loss by hand {loss_by_hand:.12f}, the engine's {loss.item():.12f}")
ours = [array for layer in by_hand.layers for array in (layer.dW, layer.db)]
distance = max(
    np.abs(parameter.grad.numpy() - array).max()
    for parameter, array in zip(model.parameters(), ours, strict=True)
)
lesson.claim("gradients by hand against the engine's", distance, at_most=1e-6)

# %% [markdown]
# And trained with the engine, by Adam, which adapts its step to each weight: 20,000 epochs become a few
# hundred. That is the next lesson.

# %%
model.compile(nn.optimizers.Adam(0.05), "binary_crossentropy", ["accuracy"])
model.fit(c_train, l_train, batch_size=400, epochs=400, verbose=0)
_, accuracy = model.evaluate(c_test, l_test, verbose=0)
print(f"Adam, 400 epochs: test accuracy {accuracy:.2f}")
lesson.claim("circles with the engine and Adam, test accuracy", accuracy, at_least=0.99)

# %% [markdown]
# ## Try it
#
# - Replace `slope` of the sigmoid by `a * (1 + a)`. Does the check find it? Does the network still learn?
# - A net 2-5-5-1 on the circles: does it need more epochs, or fewer?
# - Start from `normal` divided by 10, as the course did: how long is the plateau?
