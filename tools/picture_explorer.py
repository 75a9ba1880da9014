"""Make docs/explorer.png and docs/explorer-dark.png: the explorer on a CNN, halfway through backward.

It needs the test extra and Chromium: ``python tools/picture_explorer.py``.
"""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import tinygrad_edu as te
from tinygrad_edu import data, nn, viz

DOCS = Path(__file__).parent.parent / "docs"
KEYS = ["b", *["ArrowRight"] * 12]  # to the second convolution, backward

te.seed(0)
digits = data.mnist_5000().scaled()
model = nn.models.cnn((28, 28, 1))
images = te.Tensor(digits.x_train[:16, ..., None], name="images")
labels = te.Tensor(digits.y_train[:16], name="labels")
loss = nn.losses.SparseCategoricalCrossentropy()(labels, model(images))
loss.name = "loss"

with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
    path = Path(folder) / "explorer.html"
    viz.explore(loss, path)
    browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    for scheme, name in (("light", "explorer.png"), ("dark", "explorer-dark.png")):
        page = browser.new_page(
            viewport={"width": 1280, "height": 800},
            device_scale_factor=1.5,
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        page.goto(path.as_uri())
        for key in KEYS:
            page.keyboard.press(key)
        page.screenshot(path=DOCS / name)
    browser.close()
