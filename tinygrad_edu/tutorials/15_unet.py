# %% [markdown]
# # 15. U-Net: which pixels are the lesion?
#
# A classifier says what is in a picture. A segmentation says it for every pixel. We train one on drawn chest
# slices, where it gets good, and then on real ones of five patients, where it doesn't, and we measure both so
# that the difference shows.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as te
from tinygrad_edu import data, nn, viz
from tinygrad_edu.lesson import Lesson

lesson = Lesson("15_unet")

# %% [markdown]
# ## Drawn slices
#
# The course had 119 slices of real lungs, which can't be had freely. So we begin with phantoms: drawn chests
# with lungs, heart, spine, vessels, and up to three lesions. The outlines are known, because they were drawn.
# A vessel is as bright as a lesion but smaller; the body is as bright but lies elsewhere. Brightness alone
# decides nothing.
#
# 50 of the 250 are held out.

# %%
size = lesson.pick(128, fast=32)
phantoms = data.phantoms(lesson.pick(250, fast=130), size, test_size=lesson.pick(50, fast=30), seed=1)
print(phantoms)


def as_input(pixels):
    """Bytes (N, H, W) to numbers in 0…1 with the axis of one channel, (N, H, W, 1)."""
    return (pixels[..., np.newaxis] / 255).astype(np.float32)


def as_target(masks):
    return masks[..., np.newaxis].astype(np.float32)


x_train, y_train = as_input(phantoms.x_train), as_target(phantoms.y_train)
x_test, y_test = as_input(phantoms.x_test), as_target(phantoms.y_test)
lesson.picture(viz.show_images(x_train[:3], masks=y_train[:3]), "phantoms.png")

# %% [markdown]
# ## A good figure for a useless network
#
# One pixel in a hundred is lesion. Say "background" everywhere, and 99 of 100 pixels are right. The overlap
# of the true region T with the predicted one P isn't fooled:
#
#     Dice = 2 |T and P| / (|T| + |P|)
#     IoU  = |T and P| / |T or P|  =  Dice / (2 - Dice)
#
# Both are 1 for a perfect mask and 0 where the two don't meet. Background that was rightly left alone counts
# in neither. We sum over all pixels of all pictures before we divide: a healthy picture has no T, so its own
# Dice would be 0/0, but a lesion found there by mistake still counts in |P|.


# %%
def scores(truth, guess):
    """Return pixel accuracy, Dice and IoU of masks of any shape."""
    t, p = np.asarray(truth) > 0, np.asarray(guess) > 0
    both = (t & p).sum()
    accuracy, sizes = float((t == p).mean()), float(t.sum() + p.sum())
    return accuracy, float(2 * both / sizes), float(both / (sizes - both))


accuracy, dice, iou = scores(y_test, np.zeros_like(y_test))
print(f"background everywhere: accuracy {accuracy:.3f}, Dice {dice:.3f}, IoU {iou:.3f}")
lesson.claim("all background: pixel accuracy", accuracy, at_least=0.98, course="0.984, its U-Net's")
lesson.claim("all background: Dice", dice, about=0)

# %% [markdown]
# The course's notebook reported a pixel accuracy of 0.984 after two epochs. Now you know how little that
# says.
#
# ## The course's network
#
# Keras' segmentation tutorial draws it as a path down, on which the picture gets smaller and its channels
# more, and a path up. Convolutions are separable (each channel by itself, then a mixture), and residual
# connections lead around each pair of them. `nn.models.UNet` builds it; the last two lines of the summary
# count it.

# %%
course_model = nn.models.UNet((128, 128, 1), 2, style="xception")
course_model.summary()
lesson.claim(
    "parameters of the course's U-Net", course_model.count_params(), about=2_058_114, course=2_058_114
)
fixed = sum(parameter.size for parameter in course_model.non_trainable_weights)
lesson.claim("of which can't be trained", fixed, about=3776, course=3776)

# %% [markdown]
# Those fixed ones are the means and variances of batch normalisation. A step on ten slices takes us a quarter
# of a second on two cores, so the 500 epochs of the course take some twenty minutes. We take something
# smaller.
#
# ## Ours: small and classic
#
# Ronneberger's U-Net of 2015 with 8, 16 and 32 channels. On the way down it learns *what* is there, and max
# pooling throws away *where*. So each step up also gets what the step of its size on the way down saw, before
# the pooling: `concatenate([across, x])`. Without that the outlines would be blocks of four by four pixels.
#
# It has no dense layer, so it takes images of any size that can be halved twice: `(None, None, 1)`. That lets
# us train on windows, a quarter of the picture at a time, each epoch elsewhere, and then read whole pictures.
# A step costs a quarter, and the network can't learn pictures by heart that it never sees twice.

# %%
bce, soft_dice = nn.losses.BinaryCrossentropy(from_logits=True), nn.losses.Dice()


def overlap_loss(y_true, logits):
    """Cross-entropy of each pixel, and 1 - Dice of all of them with probabilities for P."""
    return bce(y_true, logits) + soft_dice(y_true, te.sigmoid(logits))


def new_model(learning_rate):
    model = nn.models.UNet((None, None, 1), 1, filters=(8, 16, 32), activation=None)
    watched = [
        nn.metrics.BinaryAccuracy(threshold=0.0, name="accuracy"),
        nn.metrics.BinaryIoU(target_class_ids=[1], threshold=0.0, name="iou"),
    ]
    model.compile(nn.optimizers.Adam(learning_rate), overlap_loss, watched)
    return model


model = new_model(3e-3)
print(f"{model.count_params():,} parameters")

# %% [markdown]
# **The loss** has two parts. Cross-entropy is a mean over pixels, so its cheapest first step is to say
# "background" a hundred times more often than "lesion". Dice counts pixels, and so does its loss, with the
# probability p as a share of a pixel; whether a million background pixels are right is nothing to it:
#
#     1 - 2 sum(t p) / (sum(t) + sum(p))
#
# Cross-entropy gives each pixel a clear direction early, Dice weighs them as we judge them later.
#
# **The output is a logit**, any number; above 0 means lesion. A sigmoid as the last layer would do the same
# in exact numbers. But where float32 rounds it to 0, its slope is 0, and a pixel that is surely wrong stops
# teaching. `from_logits=True` keeps the slope.
#
# ## Training

# %%
window = data.RandomCrop(size // 2, size // 2)
batches = data.DataLoader(
    x_train, y_train, batch_size=10, shuffle=True, seed=lesson.seed,
    transform=data.Augmentation([window], seed=lesson.seed),
)  # fmt: skip
epochs = lesson.pick(20, fast=12)
history = model.fit(batches, epochs=epochs, validation_data=(x_test, y_test), verbose=0)
held_out = {name: np.array(history.history[f"val_{name}"]) for name in ("accuracy", "iou")}
held_out["dice"] = 2 * held_out["iou"] / (1 + held_out["iou"])
for epoch in (0, 1, 3, 7, epochs - 1):
    print(f"epoch {epoch + 1:2}", *(f"{name} {values[epoch]:.3f}" for name, values in held_out.items()))

figure, panel = plt.subplots(figsize=(6, 3.6))
for name, label in (("accuracy", "pixel accuracy"), ("dice", "Dice"), ("iou", "IoU")):
    panel.plot(np.arange(epochs) + 1, held_out[name], label=label)
panel.set(xlabel="epoch", ylabel="held-out phantoms", ylim=(0, 1.02))
panel.legend(loc="lower right")
lesson.picture(figure, "curves.png")

# %% [markdown]
# Look at the two curves: accuracy is at 0.99 before anything was learned, and hardly moves. Dice starts at
# zero and tells when the network begins to see.

# %%
logits = model.predict(x_test, verbose=0)
accuracy, phantoms_dice, iou = scores(y_test, logits)
print(f"held-out phantoms: accuracy {accuracy:.3f}, Dice {phantoms_dice:.3f}, IoU {iou:.3f}")
lesson.claim(
    "phantoms, held out: Dice", phantoms_dice, at_least=0.85, fast=0.2, course="not given (accuracy 0.984)"
)
figure = viz.segmentation(x_test, y_test, logits, threshold=0.0, count=4)
lesson.picture(figure, "phantom_masks.png")

# %% [markdown]
# What is wrong lies on the outlines, where a pixel is half lesion and nobody could say. A lesion of a few
# pixels is nearly all outline, which is why small lesions have small Dice.
#
# ## Real slices: five patients
#
# `data.lesions()` has 57 slices of five scans, 27 of them with a lesion: two lungs from CT, two brains and a
# breast from MR. That is five patients, not 57 samples: neighbouring slices are nearly the same picture. So
# the honest question is how the network does on a *patient* it never saw. We leave one scan out, train on the
# others, and ask about the one; five times.
#
# So few pictures need help:
#
# - We start from the weights that the phantoms taught, and mix 40 phantoms in, so that they aren't forgotten.
# - Augmentation: mirrored, turned, zoomed, lit otherwise, each epoch anew; masks move with their images.


# %%
scans = ("lung1", "lung2", "brain1", "brain2", "breast1")
parts = {scan: data.lesions(test_scans=[scan]) for scan in scans}
slices = {scan: as_input(part.x_test) for scan, part in parts.items()}
masks = {scan: as_target(part.y_test) for scan, part in parts.items()}
for scan in scans:
    ill = masks[scan].any(axis=(1, 2, 3)).sum()
    print(
        f"{scan:8} {len(masks[scan]):2} slices, {ill:2} with a lesion of {masks[scan].sum() / ill:.0f} pixels"
    )

learned = model.get_weights()
changes = [
    data.RandomFlip("horizontal"),
    data.RandomRotation(0.05),
    data.RandomZoom(0.2),
    data.RandomTranslation(0.1, 0.1),
    data.RandomBrightness(0.1, value_range=(0, 1)),
    data.RandomCrop(64, 64),
]


def go_on(x, y):
    """Train a fresh copy of the phantoms' network on slices, with phantoms among them."""
    model = new_model(2e-3)
    model.set_weights(learned)
    if not lesson.fast:
        x, y = np.concatenate([x_train[:40], x]), np.concatenate([y_train[:40], y])
    augment = data.Augmentation(changes, seed=lesson.seed)
    batches = data.DataLoader(x, y, batch_size=8, shuffle=True, seed=lesson.seed, transform=augment)
    model.fit(batches, epochs=lesson.pick(40, fast=1), verbose=0)
    return model


# %% [markdown]
# `go_on` makes a new model for each fold. Training one model on through all folds, as the course's notebooks
# did with other data, would show it every patient before it is asked about them.

# %%
found = {}
for scan in lesson.pick(scans, fast=("lung2",)):
    others = [other for other in scans if other != scan]
    of_others = go_on(
        np.concatenate([slices[other] for other in others]),
        np.concatenate([masks[other] for other in others]),
    )
    found[scan] = of_others.predict(slices[scan], verbose=0)
    accuracy, dice, iou = scores(masks[scan], found[scan])
    print(f"{scan:8} left out: accuracy {accuracy:.3f}, Dice {dice:.3f}, IoU {iou:.3f}")

by_patient = [scores(masks[scan], found[scan])[1] for scan in found]
all_truth = np.concatenate([masks[scan] for scan in found])
accuracy, pooled, _ = scores(all_truth, np.concatenate(list(found.values())))
left_out = float(np.mean(by_patient))
print(
    f"mean over patients: Dice {left_out:.3f}; all their pixels: Dice {pooled:.3f}, accuracy {accuracy:.3f}"
)

largest = {scan: masks[scan].sum(axis=(1, 2, 3)).argmax() for scan in found}
figure = viz.segmentation(
    np.stack([slices[scan][k] for scan, k in largest.items()]),
    np.stack([masks[scan][k] for scan, k in largest.items()]),
    np.stack([found[scan][k] for scan, k in largest.items()]),
    threshold=0.0, count=5,
)  # fmt: skip
lesson.picture(figure, "patients.png")

# %% [markdown]
# ## The same, measured wrongly
#
# Now the split that is so easily made: shuffle all slices, hold a fifth of them out. Nearly every one of
# these has a neighbour, a few millimetres away, among the training slices.

# %%
every_slice, every_mask = np.concatenate(list(slices.values())), np.concatenate(list(masks.values()))
order = np.random.default_rng(0).permutation(len(every_slice))
test, train = order[:12], order[12:]
with_neighbours = go_on(every_slice[train], every_mask[train])
_, leaked, _ = scores(every_mask[test], with_neighbours.predict(every_slice[test], verbose=0))
print(f"12 slices held out at random: Dice {leaked:.3f}; whole patients held out: {left_out:.3f}")
everywhere = scores(every_mask, np.ones_like(every_mask))[1]
print(f"marking every pixel: {everywhere:.3f}; phantoms: {phantoms_dice:.3f}")
lesson.claim("phantoms' Dice minus the patients'", phantoms_dice - left_out, at_least=0.3)
if not lesson.fast:
    lesson.claim(
        "5 patients (57 slices), each left out: mean Dice",
        left_out,
        at_least=0.1,
        course="not given (119 other slices)",
    )

# %% [markdown]
# ## What these figures can bear
#
# Run it with three seeds and look at the patients one by one:
#
# - **lung2** has a large lesion in dark lung, as the phantoms do: a Dice of 0.55 to 0.6, with one seed as
#   with another.
# - **lung1** has three slices with a nodule of some twenty pixels: 0.56 with one seed, 0 with another. A
#   figure that hangs on a seed is no figure.
# - **brain1** shows a lesion hardly brighter than the tissue around it, and the only other brain in the
#   training data has three slices with a small one: about 0.1. One patient can't teach what lesions of the
#   brain have in common. **brain2** the other way round: 0, with a pixel accuracy of 0.98 to 0.99.
# - **breast1** has no other breast beside it at all: what it gets (0.3 to 0.55) is "bright spot on dark".
#
# A mean of five numbers between 0 and 0.6 is no promise for the sixth patient; slices held out at random
# (0.54 with one seed) make it look like one. And there is a leak that no split closes: a first version of
# this lesson, on pictures of half the size and without phantoms among them, found next to nothing in any
# scan, and we changed it after seeing that. Settings chosen by looking at these five patients are fitted to
# them, a little; only new patients could tell how much. What would help is more patients, not more slices of
# these.
#
# ## Try it
#
# - Leave one of the two losses out, then the other. Which one leaves "background everywhere" sooner?
# - `activation="sigmoid"` in the model and plain "binary_crossentropy" as the loss, with a learning rate of
#   0.03: what does Dice do, and what do the logits of a lesion's pixels say?
# - `max_lesions=1` in the phantoms: rarer lesions, the same accuracy. And Dice?
# - Train without the phantoms: new weights, and none mixed in. How many epochs pass before it marks a pixel?
