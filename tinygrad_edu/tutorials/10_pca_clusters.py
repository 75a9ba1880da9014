# %% [markdown]
# # 10. PCA, k-means and a Gaussian mixture
#
# No labels today. Three ways to find structure in points: the directions in which they vary, the centres
# around which they lie, the density that they come from. Each has a classical algorithm, and each is also the
# optimum of something differentiable; we do both and compare.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

import tinygrad_edu as te
from tinygrad_edu import data, linalg, nn, viz
from tinygrad_edu.lesson import Lesson

lesson = Lesson("10_pca_clusters")

# %% [markdown]
# ## The direction in which points vary most
#
# 1,000 points from a Gaussian that is longer in one direction than in the other. A unit vector w picks a
# direction; the variance of the points along it is `w' C w`, with C the covariance matrix. PCA asks for the w
# that makes it largest, then for the next one at a right angle to it.

# %%
covariance = np.array([[2.0, 1.5], [1.5, 2.0]])
cloud = np.random.default_rng(1).multivariate_normal([0, 0], covariance, size=1000)
centred = cloud - cloud.mean(axis=0)
c = te.Tensor(centred.T @ centred / (len(cloud) - 1))
print("covariance of the points:", c.numpy().round(3).tolist())

# %% [markdown]
# **By gradient.** A w of any length will do if its length is divided out: `w' C w / w' w` is largest where w
# points in the right direction. Climb it.

# %%
w = te.Tensor([1.0, -0.5], dtype="float64", requires_grad=True, name="w")
optimizer = nn.optimizers.Adam(0.1, params=[w])
for step in range(200):
    variance = (w @ c @ w) / (w @ w)
    optimizer.zero_grad()
    (-variance).backward()
    optimizer.step()
    if step in (0, 5, 20, 199):
        direction = w.numpy() / np.linalg.norm(w.numpy())
        print(f"step {step:3}: variance {variance.item():.4f} along {direction.round(4)}")

# %% [markdown]
# **By eigenvectors.** At the top the gradient is zero, and that reads `C w = (w' C w / w' w) w`: w is an
# eigenvector, and the variance its eigenvalue. So linear algebra gives all directions at once.

# %%
values, vectors = linalg.eigh(c)  # the largest comes last
ratios = values.numpy()[::-1] / values.numpy().sum()
angle = np.degrees(np.arccos(min(1.0, abs(direction @ vectors.numpy()[:, -1]))))
print(f"shares of the variance: {ratios.round(4)}; the two ways are {angle:.5f} degrees apart")
lesson.claim(
    "cloud: explained variance of the first direction", ratios[0], about=0.88, within=0.02, course=0.88
)
lesson.claim("climbed direction against the eigenvector, in degrees", angle, at_most=0.01)

# %% [markdown]
# ## Two directions among 784
#
# An image of a digit is a point in 784 dimensions. Which two directions show most of how digits differ?
#
# For several directions at right angles, the columns of Q, the variance that they catch is `trace(Q' C Q)`.
# To keep them at right angles while we climb, let Q come from the QR factorization of a free matrix A; it has
# a gradient like any operation.

# %%
digits = data.mnist_5000()
images = np.concatenate([digits.x_train, digits.x_test]).reshape(5000, 784) / 255.0
labels = np.concatenate([digits.y_train, digits.y_test])
mean_image = images.mean(axis=0)
c = te.Tensor((images - mean_image).T @ (images - mean_image) / (len(images) - 1))
total = te.linalg.trace(c).item()

a = te.Tensor(np.random.default_rng(lesson.seed).normal(size=(784, 2)), requires_grad=True, name="A")
optimizer = nn.optimizers.Adam(0.1, params=[a])
for step in range(lesson.pick(200, fast=100)):
    q = linalg.qr(a).Q
    caught = te.linalg.trace(linalg.matrix_transpose(q) @ c @ q)
    optimizer.zero_grad()
    (-caught).backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step:3}: {caught.item() / total:.4f} of the variance")

# %% [markdown]
# Q spans the right plane, but turned by any angle: within it, all axes catch the same sum. The 2 by 2
# covariance in the plane has eigenvectors too, and they turn the axes so that the first catches as much as
# one can.

# %%
small, turn = linalg.eigh(linalg.matrix_transpose(q) @ c @ q)
by_gradient = small.numpy()[::-1] / total
values, vectors = linalg.eigh(c)
by_eigenvectors = values.numpy()[:-3:-1] / total
print("by gradient    ", by_gradient.round(5))
print("by eigenvectors", by_eigenvectors.round(5))
for i, course in enumerate((0.0987, 0.0740)):
    share = by_eigenvectors[i]
    lesson.claim(
        f"MNIST: explained variance, component {i + 1}", share, about=course, within=1e-3, course=course
    )
    apart = by_gradient[i] - share
    lesson.claim(
        f"component {i + 1}, by gradient minus by eigenvectors", apart, about=0, within=1e-4, fast=5e-3
    )

# %%
axes = vectors.numpy()[:, :-7:-1]  # the first six
shares = [f"{share:.1%}" for share in values.numpy()[:-7:-1] / total]
figure = viz.show_images(axes.T.reshape(6, 28, 28), titles=shares, title="Six directions among digits")
lesson.picture(figure, "directions.png")

# %% [markdown]
# Look at the first: a ring against an upright stroke. Along it, zeros lie at one end and ones at the other
# (which end is plus and which is minus, nobody can say: -w is as good an eigenvector as w). The first two
# directions have a sixth of the variance. That is little, and yet enough to see groups:

# %%
chosen = np.isin(labels, [0, 3, 6, 9])
plane = (images[chosen] - mean_image) @ vectors.numpy()[:, :-3:-1]  # (1967, 2)
names = labels[chosen]
lesson.picture(viz.latent_space(plane, y=names, title="Digits 0, 3, 6 and 9 in the plane"), "plane.png")

# %% [markdown]
# ## k-means is gradient descent
#
# k centres, and each point belongs to the nearest. The loss is the sum of squared distances to it:
#
#     loss = sum over points of  min over k of |x - centre k|²
#
# Lloyd's algorithm takes turns: assign the points, then put each centre at the mean of its points. But look
# at the gradient: a minimum passes it on to the nearest centre alone, so that centre's gradient is `2 (n
# centre - sum of its n points)`. A step of `1 / (2 n)` along it lands on the mean: one turn of Lloyd's.


# %%
def distances_to(centres, x):
    """Squared distances of all points to all centres, (points, k)."""
    return ((te.expand_dims(te.Tensor(x), axis=1) - centres) ** 2).sum(2)


def lloyd(x, centres):
    nearest = ((x[:, None] - centres) ** 2).sum(2).argmin(1)
    return np.array([x[nearest == k].mean(0) for k in range(len(centres))]), np.bincount(nearest)


pair = data.blobs(400, centers=[[0, 0], [4, 3]], cluster_std=1.0, test_size=0, seed=7)
centres = te.Tensor(pair.x[:2], requires_grad=True, name="centres")
for turn in range(8):
    loss = te.min(distances_to(centres, pair.x), axis=1).sum()
    loss.backward()
    expected, sizes = lloyd(pair.x, centres.numpy())
    moved = centres.numpy() - centres.grad.numpy() / (2 * sizes[:, None])
    apart = abs(moved - expected).max()
    centres = te.Tensor(moved, requires_grad=True, name="centres")
    print(f"turn {turn}: loss {loss.item():8.2f}, sizes {sizes}, gradient step against Lloyd's {apart:.1e}")
lesson.claim("a gradient step against Lloyd's", apart, at_most=1e-12)

nearest = distances_to(centres, pair.x).numpy().argmin(1)
agree = float(np.mean(nearest == pair.y))
lesson.claim("k-means, k = 2: points in the right cloud", max(agree, 1 - agree), at_least=0.98)
theirs = KMeans(2, n_init=1, init=pair.x[:2], tol=0).fit(pair.x)
lesson.claim("k-means loss against scikit-learn's", loss.item() / theirs.inertia_, about=1, within=1e-6)

# %% [markdown]
# ## A Gaussian mixture
#
# k-means says which; a mixture says how likely. Each point comes from one of k Gaussians, chosen with
# probabilities pi, and has the density
#
#     p(x) = sum over k of  pi[k] N(x; mean[k], covariance[k])
#
# The classical way to fit it is expectation maximization. Ours: the log-likelihood is differentiable, so
# climb it. Two things must be kept: the pi are positive and sum up to 1 (softmax of free numbers does that),
# and the covariances are positive definite. For that we learn a triangular matrix R, with the exponential of
# its diagonal, and let `R' R` be the *inverse* of the covariance: then `log N = -|R (x - mean)|² / 2 + log
# det R - log(2 pi)`, with no inverse to compute, and the determinant is the product of the diagonal.


# %%
class Mixture(nn.Module):
    """k Gaussians in the plane; ``mixture(x)`` is log p(x), (points,)."""

    def __init__(self, means, width):
        super().__init__()
        k = len(means)
        self.logits = nn.Parameter(np.zeros(k))
        self.means = nn.Parameter(np.array(means))
        self.log_diagonal = nn.Parameter(np.full((k, 2), -np.log(width)))
        self.corner = nn.Parameter(np.zeros(k))

    def parts(self, x):
        """log pi[k] + log N(x; k), (points, k)."""
        from_mean = te.expand_dims(te.Tensor(x), axis=1) - self.means  # (points, k, 2)
        diagonal = te.exp(self.log_diagonal)
        first = from_mean[..., 0] * diagonal[:, 0]
        second = from_mean[..., 0] * self.corner + from_mean[..., 1] * diagonal[:, 1]
        log_normal = -(first**2 + second**2) / 2 + self.log_diagonal.sum(1) - np.log(2 * np.pi)
        return te.log_softmax(self.logits) + log_normal

    def call(self, x):
        return te.logsumexp(self.parts(x), axis=1)


def fit_mixture(x, means, width, steps, rate=0.05):
    mixture = Mixture(means, width)
    optimizer = nn.optimizers.Adam(rate, params=mixture.parameters())
    for step in range(steps):
        loss = -mixture(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in (0, 20, steps - 1):
            print(f"step {step:3}: log p of a point {-loss.item():.4f}")
    return mixture


def draw(mixture, x, y, title):
    low, high = x.min(0) - 1, x.max(0) + 1
    across, up = np.meshgrid(np.linspace(low[0], high[0], 120), np.linspace(low[1], high[1], 120))
    with te.no_grad():
        density = mixture(np.stack([across.ravel(), up.ravel()], 1)).numpy().reshape(across.shape)
    figure, panel = plt.subplots(figsize=(5.6, 4.4))
    for label in np.unique(y):
        panel.plot(*x[y == label].T, ".", markersize=3, label=str(label))
    levels = density.max() - np.array([6, 5, 4, 3, 2, 1, 0.3])
    panel.contour(across, up, density, levels=levels, colors="0.15", linewidths=0.9, linestyles="solid")
    panel.plot(*mixture.means.numpy().T, "k+", markersize=12, markeredgewidth=2)
    panel.set(title=title)
    panel.legend(loc="upper right", markerscale=3)
    return figure


rng = np.random.default_rng(3)
tilted = np.concatenate(
    [
        rng.multivariate_normal([0, 0], [[2.0, 1.4], [1.4, 1.3]], 300),
        rng.multivariate_normal([3, -2], [[0.5, -0.3], [-0.3, 0.8]], 200),
    ]
)
which = np.repeat([0, 1], [300, 200])
start = KMeans(2, n_init=2, random_state=lesson.seed).fit(tilted).cluster_centers_
mixture = fit_mixture(tilted, start, width=1.0, steps=lesson.pick(400, fast=150))
ours = mixture(tilted).mean().item()
theirs = GaussianMixture(2, n_init=5, random_state=0, tol=1e-8, max_iter=500).fit(tilted).score(tilted)
print(f"log p of a point: ours {ours:.5f}, scikit-learn's {theirs:.5f}")
print("shares found:", te.softmax(mixture.logits).numpy().round(3), "of 0.6 and 0.4")
lesson.claim(
    "mixture: log p of a point against scikit-learn's", ours - theirs, about=0, within=1e-3, fast=0.02
)
lesson.picture(draw(mixture, tilted, which, "Two Gaussians, found by gradient"), "mixture.png")

# %% [markdown]
# ## Digits, without their names
#
# The plane of the digits 0, 3, 6 and 9, and four Gaussians that were never told what a digit is. Afterwards
# we look at which digit each has caught: the share of points whose Gaussian mostly holds their own digit is
# the purity.

# %%
start = KMeans(4, n_init=2, random_state=0).fit(plane)
digit_mixture = fit_mixture(plane, start.cluster_centers_, width=1.5, steps=lesson.pick(400, fast=60))
groups = {"k-means": start.labels_, "mixture": digit_mixture.parts(plane).numpy().argmax(1)}
for name, group in groups.items():
    in_group = [names[group == k] for k in range(4)]
    table = np.array([[np.sum(members == digit) for digit in (0, 3, 6, 9)] for members in in_group])
    purity = table.max(1).sum() / table.sum()
    print(f"{name}: purity {purity:.3f}; rows are groups, columns the digits 0, 3, 6, 9")
    print(table)
    lesson.claim(f"digits 0, 3, 6, 9: purity of {name}", purity, at_least=0.5)
lesson.picture(draw(digit_mixture, plane, names, "Four Gaussians among unnamed digits"), "digits.png")

# %% [markdown]
# k-means draws straight borders half way between centres, as if all groups were round and of one size. The
# mixture may stretch its Gaussians along the groups, and gets a fifth more digits right.
#
# Two of 784 dimensions tell most zeros from most nines, and neither method knew that there are digits. But
# where digits overlap in the plane, no clustering can part them: what PCA has thrown away is gone.
#
# ## Try it
#
# - Start the centres of k-means at two points of the same cloud. Does it recover? And with k = 3?
# - Start the mixture with both means at the same place. What does the gradient say, and why does it never
#   part them?
# - Cluster in the plane of the first ten directions instead of two, and look at the purity.
