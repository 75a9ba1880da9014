# %% [markdown]
# # 13. A variational autoencoder for digits
#
# Two numbers for an image of 784: what must they be, so that the image can be drawn again from them? An
# autoencoder finds such a code without labels. A *variational* one also learns how codes are spread, so that
# a code drawn at random gives a digit that nobody wrote.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

import tinygrad_edu as te
from tinygrad_edu import data, nn, viz
from tinygrad_edu.lesson import Lesson

lesson = Lesson("13_vae_digits")

# %% [markdown]
# ## The data
#
# MNIST's first 5,000 images: 3,000 to learn from, 1,000 to watch, 1,000 to judge. Pixels lie between 0 and 1.

# %%
digits = data.mnist_5000()
images = np.concatenate([digits.x_train, digits.x_test]).reshape(5000, 28, 28, 1).astype(np.float32) / 255
labels = np.concatenate([digits.y_train, digits.y_test])
x_train, x_val, x_test = np.split(
    images[: lesson.pick(5000, fast=1000)], lesson.pick([3000, 4000], [600, 800])
)
y_train, y_val, y_test = np.split(
    labels[: lesson.pick(5000, fast=1000)], lesson.pick([3000, 4000], [600, 800])
)
print(len(x_train), "to learn from,", len(x_val), "to watch,", len(x_test), "to judge")

# %% [markdown]
# ## What is learned: the evidence lower bound
#
# Think of how an image comes about: first a code z is drawn from N(0, 1), two numbers, then a network, the
# *decoder*, gives each pixel its probability of being white, p(x|z). A good decoder makes the images that we
# have probable:
#
#     p(x) = integral of p(x|z) p(z) dz
#
# Nobody can integrate that, and almost all z contribute nothing to a given x. So a second network, the
# *encoder*, says where to look: q(z|x), a normal distribution with its own mean and variance for each image.
# Then, for any q,
#
#     log p(x) = log E[p(x|z) p(z) / q(z|x)]                the mean over z from q
#             >= E[log p(x|z)] + E[log p(z) - log q(z|x)]   log of a mean >= mean of the log (Jensen)
#              = E[log p(x|z)] - KL(q(z|x) || p(z))         the ELBO
#
# Its first term wants images to be drawn again well, the second one wants codes that look like N(0, 1); the
# KL divergence counts, in nats, what a code tells about its image. Both networks climb the same bound.
#
# For normal distributions the KL divergence has a formula. Let us not believe it:
#
#     KL = 1/2 sum(mean² + variance - 1 - log variance)

# %%
random = np.random.default_rng(0)
mean, variance = np.array([1.0, -0.5]), np.array([0.3, 0.1])
z = mean + np.sqrt(variance) * random.normal(size=(100_000, 2))
log_q = (-((z - mean) ** 2) / (2 * variance) - np.log(2 * np.pi * variance) / 2).sum(axis=1)
log_p = (-(z**2) / 2 - np.log(2 * np.pi) / 2).sum(axis=1)
formula = te.gaussian_kl(te.Tensor(mean[None]), te.Tensor(np.log(variance)[None])).item()
print(f"KL as a mean over samples {(log_q - log_p).mean():.3f}, by the formula {formula:.3f}")
lesson.claim("KL, samples minus formula", (log_q - log_p).mean() - formula, about=0, within=0.02)

# %% [markdown]
# ## Sampling has no gradient
#
# In between stands a die: z is drawn from N(mean, variance), and the loss is computed from z. How does the
# loss change with the mean? Take the smallest case, the loss z². Its expectation is mean² + variance, so the
# gradients must be 2 mean and 2 deviation, 3 and 1 here.
#
# Ask the tape. The number that `normal` returns is a number like any other; that it came from the mean, no
# one has written down.

# %%
mean = te.Tensor(1.5, dtype="float64", requires_grad=True)
deviation = te.Tensor(0.5, dtype="float64", requires_grad=True)
z = te.Tensor(random.normal(mean.item(), deviation.item(), size=10_000))
try:
    te.grad((z**2).mean(), [mean, deviation])
except te.TinygradEduError as error:
    print(f"{type(error).__name__}: {error}")

# %% [markdown]
# The trick: throw the die elsewhere. Draw e from N(0, 1), which depends on nothing, and *compute* z from it:
#
#     z = mean + deviation * e
#
# That z has the same distribution, and is a smooth function of both: dz/dmean = 1, dz/ddeviation = e. This is
# the reparameterisation (Kingma & Welling, *Auto-Encoding Variational Bayes*, 2014). `nn.Sampling` does it.
#
# There is another way, which needs no smooth loss: the mean of `loss * d log q / dmean`. It is right too. But
# look at how far its single samples lie apart.

# %%
e = random.normal(size=10_000)
z = mean + deviation * e
by_mean, by_deviation = (g.item() for g in te.grad((z**2).mean(), [mean, deviation]))
print(f"gradients: {by_mean:.3f} for the mean, {by_deviation:.3f} for the deviation")
lesson.claim("gradient for the mean, by the trick", by_mean, about=3, within=0.06)
lesson.claim("gradient for the deviation, by the trick", by_deviation, about=1, within=0.12)

trick = 2 * z.numpy()  # dloss/dz dz/dmean, sample by sample
score = z.numpy() ** 2 * e / deviation.item()  # loss * d log q / dmean
print(f"the trick     {trick.mean():.2f}, its samples spread by {trick.std():.2f}")
print(f"the other way {score.mean():.2f}, its samples spread by {score.std():.2f}")
lesson.claim("spread of the other way's samples over the trick's", score.std() / trick.std(), at_least=4)

# %% [markdown]
# A spread five times as large needs 25 times as many samples for the same certainty. With the trick, one
# sample for each image is enough.
#
# ## The two networks
#
# The encoder halves the image twice by convolutions of stride 2, and gives mean and log variance (of which
# any number is allowed), two of each. The decoder goes the same way back, with transposed convolutions.


# %%
def make_vae(rate):
    encoder = nn.Sequential(
        [
            nn.Input((28, 28, 1)),
            nn.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            nn.Conv2D(64, 3, strides=2, padding="same", activation="relu"),
            nn.Flatten(),
            nn.Dense(2 + 2),
        ],
        name="encoder",
    )
    decoder = nn.Sequential(
        [
            nn.Input((2,)),
            nn.Dense(7 * 7 * 32, activation="relu"),
            nn.Reshape((7, 7, 32)),
            nn.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),
            nn.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu"),
            nn.Conv2DTranspose(1, 3, padding="same"),
        ],
        name="decoder",
    )
    vae = nn.models.VAE(encoder, decoder, likelihood="bernoulli")
    vae.compile(nn.optimizers.Adam(rate))
    return vae


vae = make_vae(1e-3)
vae.encoder.summary()
vae.decoder.summary()

# %% [markdown]
# `VAE` puts them together, and its loss is -ELBO. Here is that loss by hand, for four images: encode, throw
# the die, decode, and add up the cross-entropies of 784 pixels and the KL divergence.
#
# The decoder gives logits a, with p = 1 / (1 + exp(-a)), since `log p` taken from a rounded p would overflow:
# `-log p(x|a) = log(1 + exp(a)) - x a`.

# %%
few = x_train[:4]
mean, log_variance = (part.numpy() for part in vae.encode(te.Tensor(few)))
te.seed(1)
z = mean + np.exp(log_variance / 2) * te.default_generator().standard_normal(mean.shape).astype(np.float32)
a = vae.decoder(te.Tensor(z)).numpy()
cross_entropy = (np.logaddexp(0, a) - few * a).sum(axis=(1, 2, 3))
kl = (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1) / 2
by_hand = float((cross_entropy + kl).mean())
te.seed(1)
by_model = vae.losses_of(few)["loss"].item()
print(f"-ELBO by hand {by_hand:.4f}, by the model {by_model:.4f}; 784 log 2 = {784 * np.log(2):.1f}")
lesson.claim("-ELBO by hand against the model", by_hand / by_model, about=1, within=1e-5)

# %% [markdown]
# Untrained, it takes every pixel for a coin: 784 log 2. And it can never reach 0: pixels are grey, and a grey
# x can't be foretold for certain. Even who knows the image pays its entropy:

# %%
grey = np.clip(x_val, 1e-7, 1 - 1e-7)
floor = float(-(grey * np.log(grey) + (1 - grey) * np.log(1 - grey)).sum(axis=(1, 2, 3)).mean())
print(f"the entropy of an image: {floor:.1f} nats")

# %% [markdown]
# ## A loop with a mistake
#
# The course's notebook trained so: for each step i, the batch `x[i : i + 64]`. Meant was
# `x[64 * i : 64 * i + 64]`. Nothing fails, the loss falls, and the model sees the first few images again and
# again. We repeat it, with the course's rate of 1e-4.

# %%
epochs = lesson.pick(20, fast=2)
steps = len(x_train) // 64
seen = np.unique([np.arange(i, i + 64) for i in range(steps)])
print(f"{steps} steps of 64 images see {len(seen)} different ones")

te.seed(lesson.seed)
mistaken = make_vae(1e-4)
mistaken_curve = []
for epoch in range(epochs):
    for i in range(steps):
        mistaken.train_on_batch(x_train[i : i + 64])
    mistaken_curve.append(-mistaken.evaluate(x_val, batch_size=250, verbose=0, return_dict=True)["loss"])
    if epoch in (0, 1, epochs // 2, epochs - 1):
        print(f"epoch {epoch + 1:2}: validation ELBO {mistaken_curve[-1]:.1f}")
seen_elbo = -mistaken.evaluate(x_train[seen], verbose=0, return_dict=True)["loss"]
print(f"on the images it saw {seen_elbo:.1f}, on others {mistaken_curve[-1]:.1f}")
lesson.claim(
    "validation ELBO with the mistaken loop", mistaken_curve[-1],
    about=-198, within=15, fast=400, course=-198.2, unit="nats",
)  # fmt: skip

# %% [markdown]
# What would have shown it? Counting what a loop hands out, once, as we did above. Or the gap between the
# training images and the others.
#
# ## The honest loop
#
# `fit` shuffles, and hands out every image once in an epoch. The rate is ten times the course's.
#
# And the KL divergence is charged by and by, a sixth of it in the first epoch, all of it from the sixth on
# (Bowman et al. 2016). At the start a code says nothing yet, and still costs; the cheapest is then to say
# nothing at all, and a decoder that has learned to do without codes is slow to come back. The validation
# ELBO always has the whole of it.

# %%
te.seed(lesson.seed)
vae = make_vae(1e-3)
warm = lesson.pick(6, fast=1)
warming = nn.callbacks.LambdaCallback(
    on_epoch_begin=lambda epoch, logs=None: setattr(vae, "beta", min(1.0, (epoch + 1) / warm))
)
history = vae.fit(
    x_train, epochs=epochs, batch_size=64, validation_data=x_val, verbose=0, callbacks=[warming]
)  # fmt: skip
curves = {name: np.array(values) for name, values in history.history.items()}
train_curve = -(curves["reconstruction"] + curves["kl"])
curve = -(curves["val_reconstruction"] + curves["val_kl"])
for epoch in sorted({0, 1, epochs // 2, epochs - 1}):
    print(
        f"epoch {epoch + 1:2}: validation ELBO {curve[epoch]:.1f}, of which KL {curves['val_kl'][epoch]:.1f}"
    )
elbo = curve[-1]
lesson.claim(
    "validation ELBO, 3,000 images", elbo, at_least=-168, fast=-350,
    course="-198.2 (109 images by mistake)", unit="nats",
)  # fmt: skip
test_elbo = -vae.evaluate(x_test, batch_size=250, verbose=0, return_dict=True)["loss"]
lesson.claim("test ELBO", test_elbo, at_least=-176, fast=-350, unit="nats")

# %% [markdown]
# The test images cost some nats more than the validation images: they are other digits by other
# writers. Compare models on the same images only.

# %%
figure, panel = plt.subplots(figsize=(6.4, 3.8))
across = np.arange(1, epochs + 1)
panel.plot(across, train_curve, "--", color="0.6", label="3,000 images, as it learns")
panel.plot(across, curve, "o-", ms=3, label="3,000 images, validation")
panel.plot(across, mistaken_curve, "s-", ms=3, label=f"{len(seen)} images, validation")
panel.set(xlabel="epoch", ylabel="ELBO in nats", title="One index in a loop")
panel.set_xticks(across[:: max(1, epochs // 5)])
panel.legend(loc="lower right")
lesson.picture(figure, "elbo.png")

# %% [markdown]
# ## What two numbers keep

# %%
lesson.picture(
    viz.reconstructions(vae, x_test, titles=y_test[:10], title="Drawn from two numbers"), "again.png"
)

# %% [markdown]
# Slant and width are kept, and the kind of the plain ones, 0 and 1. A 7 may return as a 9, and where the code
# can't tell 3, 5 and 8 apart, the decoder paints all of them at once, in grey: by the cross-entropy that
# costs least. Blur is how this model says that it doesn't know.
#
# PCA also puts two numbers to an image, by a plane. Compare the squared errors:

# %%
flat = [part.reshape(len(part), 784) for part in (x_train, x_test)]
pca = PCA(2).fit(flat[0])
by_pca = pca.inverse_transform(pca.transform(flat[1]))
with te.no_grad():
    by_vae = vae.reconstruct(te.Tensor(x_test)).numpy().reshape(-1, 784)
    codes = [vae.encode(te.Tensor(part))[0].numpy() for part in (x_train, x_test)]
errors = [float(((flat[1] - again) ** 2).sum(axis=1).mean()) for again in (by_pca, by_vae)]
print(f"squared error of an image: plane {errors[0]:.1f}, VAE {errors[1]:.1f}")
lesson.claim("squared error over that of PCA", errors[1] / errors[0], at_most=1, fast=3)

# %% [markdown]
# ## The space of codes
#
# No label was used. Do like digits lie together? Let the five nearest training images vote on each test
# image, in the plane of either kind.

# %%
for name, train, test in (
    ("plane of PCA", pca.transform(flat[0]), pca.transform(flat[1])),
    ("codes of the VAE", *codes),
):
    vote = KNeighborsClassifier(5).fit(train, y_train).score(test, y_test)
    print(f"neighbours in the {name} are right for {vote:.1%}")
lesson.claim("digits found by their neighbours' codes", vote, at_least=0.4, fast=0.13)
lesson.picture(
    viz.latent_space(codes[1], y=y_test, title="Codes of 1,000 digits, found without labels"), "codes.png"
)

# %% [markdown]
# 0 and 1 stand apart. In the middle, kinds that resemble each other share a region (4, 7 and 9; 2, 3, 5, 6
# and 8), and so their neighbours find hardly more than PCA's: two numbers after 20 epochs are few for ten
# kinds. All lie around 0 as N(0, 1) does; the KL divergence saw to it, and so a random code falls among them,
# not into a void. That is the difference to a plain autoencoder.
#
# ## New digits, and a map
#
# Draw codes from N(0, 1) and decode: digits of no writer. Then go over the plane in rows.

# %%
te.seed(lesson.seed)
with te.no_grad():
    new = vae.sample(20).numpy()
lesson.picture(viz.show_images(new, columns=10, title="From random codes"), "new.png")
lesson.picture(viz.latent_grid(vae, title="What each code stands for"), "map.png")

# %% [markdown]
# ## A walk between two digits
#
# Take two images, and go from one code to the other in a straight line. Below, the same walk between the
# pixels.

# %%
first, last = (int(np.flatnonzero(y_test == digit)[0]) for digit in (0, 1))
share = np.linspace(0, 1, 10, dtype=np.float32)[:, None]
with te.no_grad():
    walk = vae.decode(te.Tensor((1 - share) * codes[1][first] + share * codes[1][last])).numpy()
blend = (1 - share[..., None, None]) * x_test[first] + share[..., None, None] * x_test[last]
both = np.concatenate([walk, blend])
lesson.picture(
    viz.show_images(both, columns=10, title="From 0 to 1: through codes, through pixels"), "walk.png"
)

# %% [markdown]
# Above, one form turns into another, and each step is a form of its own, though a blurred one. Below, two
# images fade through each other: in the middle there are two digits at once, and no one writes so.
#
# ## Try it
#
# - `make_vae(1e-4)` with the honest loop: how much of the gain is the images', how much the rate's? And
#   without `warming`?
# - Ten numbers in a code instead of two: how far does the ELBO rise? What do samples look like?
# - `beta=4` in `VAE`, then `beta=0`. Draw `latent_space` and `sample` for both: what does each term do?
