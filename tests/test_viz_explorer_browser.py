"""The explorer's page as a reader has it: in a real browser, with keys and mouse."""

import json
import shutil

import numpy as np
import pytest
from explorer_cases import broadcast_bias, cnn_loss, odd_losses, recurrent_loss, twin_loss
from graph_cases import inside, leaf, tape

import tinygrad_edu as te
from tinygrad_edu import viz

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests; without one they are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """Write a page and open it; whatever it says on the console or asks the network for fails the test."""
    context = browser.new_context(viewport={"width": 1300, "height": 800}, reduced_motion="reduce")
    said, asked, shown = [], [], []

    def show(outputs, **options):
        path = tmp_path / f"explorer{len(shown)}.html"
        shown.append(path.as_uri())
        viz.explore(outputs, path, **options)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))
        page.set_default_timeout(5000)
        page.goto(path.as_uri())
        return page

    yield show
    context.close()
    assert said == []
    assert asked == shown  # the files themselves, and nothing else


def number(text):
    return float(text.replace("\u2212", "-"))


def shown(page):
    """The ids of the boxes, folded modules and open ones that are drawn."""
    return page.eval_on_selector_all("#boxes > g", "all => all.map((g) => g.dataset.id)")


def module(page, name):
    return page.get_by_role("button", name=f"module {name},")


def status(page):
    return page.locator("#now").inner_text().replace("\n", ": ")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_every_node_of_the_tape_is_drawn_once(show):
    loss = cnn_loss()
    nodes, leaves, _ = tape(loss)
    page = show(loss)
    press(page, "e")
    boxes = page.eval_on_selector_all("#boxes > .box", "all => all.map((g) => g.dataset.id)")
    assert len(boxes) == len(set(boxes)) == len(nodes) + len(leaves)
    assert page.locator("#boxes > .operation").count() == len(nodes)


def test_stepping_shows_the_gradients_of_backward(show):
    loss, leaves = broadcast_bias()
    page = show(loss)
    found, phases = {}, []
    for _ in range(2 * 4):
        press(page, "ArrowRight")
        phases.append(status(page).split(" of ")[0])
        if "Backward" not in phases[-1]:
            continue
        for card in page.locator("#panel .tensor.gradient").all():
            head = card.locator("header").inner_text().split("\n")[0]
            if "\u2192" in head:  # what is handed on, and to whom
                cells = [number(text) for text in card.locator("td").all_inner_texts()]
                found[head.split("\u2192")[1].strip()] = cells
                if head.endswith(" b"):
                    assert "Summed over axis 0" in card.inner_text()
    assert phases == [f"Forward {i}" for i in (1, 2, 3, 4)] + [f"Backward {i}" for i in (1, 2, 3, 4)]
    press(page, "ArrowRight")
    assert status(page).startswith("End")
    assert page.get_by_role("button", name="One step on").is_disabled()
    loss.backward()
    for name, tensor in leaves.items():
        row = page.locator(".norms tr", has_text=name).locator("td").all_inner_texts()
        assert number(row[1]) == pytest.approx(float(np.linalg.norm(tensor.grad.data)), rel=1e-3)
    for name, tensor in leaves.items():
        np.testing.assert_allclose(found[name], tensor.grad.data.ravel(), rtol=1e-3)
        # The parameter's own page says the same.
        page.locator("#boxes .parameter", has_text=name).first.click()
        cells = [number(text) for text in page.locator("#panel .gradient td").all_inner_texts()]
        np.testing.assert_allclose(cells, tensor.grad.data.ravel(), rtol=1e-3)


def test_single_numbers_stand_in_their_boxes(show):
    x = te.Tensor(3.0, requires_grad=True, name="x")
    page = show(x * x)
    box = page.locator("#boxes .parameter")
    assert box.locator("text").all_text_contents() == ["x", "3", ""]
    press(page, "End")
    assert box.locator("text").all_text_contents() == ["x", "3", "gradient 6"]
    assert "has its gradient" in box.get_attribute("aria-label")
    press(page, "b")
    assert "= 1 · 3" in page.locator("#panel").inner_text()  # dL/dL times dy/dx


def test_one_module_is_opened_and_the_others_stay_folded(show):
    page = show(cnn_loss())
    press(page, "c")
    folded = shown(page)
    assert module(page, "cnn").get_attribute("aria-expanded") == "false"
    module(page, "cnn").click()
    module(page, "cnn/conv2d").click()
    assert module(page, "cnn/conv2d").get_attribute("aria-expanded") == "true"
    assert module(page, "cnn/dense").get_attribute("aria-expanded") == "false"
    names = page.locator("#boxes > .box .name").all_text_contents()
    assert "conv2d/kernel" in names
    assert "dense/kernel" not in names
    module(page, "cnn").click()
    assert shown(page) == folded


@pytest.mark.parametrize("case", [cnn_loss, twin_loss])
def test_nothing_overlaps_whatever_is_open(show, case):
    page = show(case())
    rng = np.random.default_rng(0)
    for _ in range(12):
        overlapping = page.evaluate(
            """() => {
              const outline = (g) => g.querySelector("rect:not(.behind)").getBoundingClientRect();
              const all = [...document.querySelectorAll("#boxes > .box, #boxes > .module")].map(outline);
              const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
                && a.top < b.bottom - 1 && b.top < a.bottom - 1;
              return all.flatMap((a, i) => all.slice(0, i).filter((b) => meet(a, b))).length;
            }"""
        )
        assert overlapping == 0
        handles = page.locator("#boxes > .module, #boxes > .frame").all()
        handles[rng.integers(len(handles))].dispatch_event("click")


def test_curves_end_at_what_they_connect(show):
    page = show(cnn_loss())
    press(page, "e")
    gaps = page.evaluate(
        """() => {
          const outlines = document.querySelectorAll("#boxes > g > rect, #frames > rect");
          const rects = [...outlines].map((r) => r.getBoundingClientRect());
          const away = ({ x, y }) => Math.min(...rects.map((r) => {
            const dx = Math.max(r.left - x, x - r.right), dy = Math.max(r.top - y, y - r.bottom);
            return dx <= 0 && dy <= 0 ? Math.min(-dx, -dy) : Math.hypot(Math.max(dx, 0), Math.max(dy, 0));
          }));
          return [...document.querySelectorAll("#edges path")].map((path) => {
            const at = (length) => path.getPointAtLength(length).matrixTransform(path.getScreenCTM());
            return Math.max(away(at(0)), away(at(path.getTotalLength())));
          });
        }"""
    )
    assert max(gaps) < 5


def test_a_step_in_a_folded_module_marks_the_module(show):
    page = show(cnn_loss())
    press(page, "c", "ArrowRight")
    assert module(page, "cnn").get_attribute("class") == "module active"
    press(page, "Shift+ArrowRight")  # over the whole module in one go
    assert "softmax_cross_entropy" in status(page)
    press(page, "e", "Home", "ArrowRight")
    assert page.locator("#boxes .active .name").text_content() == "conv2d_bias"
    assert page.locator("#flow path").count() >= 3  # the image on its way in, the kernel and the bias


def test_the_gradient_is_seen_to_flow(show):
    page = show(cnn_loss())
    press(page, "b")
    assert status(page).startswith("Backward 1 of ")
    assert page.locator("#flow .backward").count() == 1
    assert page.locator("#flow .backward").get_attribute("marker-start") == "url(#arrow-backward)"
    press(page, "End")
    assert page.locator("#boxes .parameter.graded").count() == page.locator("#boxes .parameter").count()


def test_the_formula_is_drawn_as_mathml(show):
    page = show(broadcast_bias()[0])
    press(page, "ArrowRight")
    math = page.locator("#panel math").first
    assert math.evaluate("m => m.namespaceURI") == "http://www.w3.org/1998/Math/MathML"
    assert math.bounding_box()["height"] > 10
    assert "Multiplies matrices" in page.locator("#panel").inner_text()
    assert "explorer_cases.py" in page.locator("#panel .source").inner_text()


def test_search_opens_what_hides_the_found(show):
    page = show(cnn_loss())
    press(page, "c", "/")
    page.keyboard.type("dense_1 bias")
    options = page.get_by_role("option")
    assert options.count() >= 1
    assert options.first.get_attribute("aria-selected") == "true"
    press(page, "Enter")
    assert page.locator("#panel h2").inner_text() == "dense_1/bias"
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused.startswith("parameter dense_1/bias")
    press(page, "/")
    page.keyboard.type("nothing like it")
    assert page.locator("#found").inner_text() == "Nothing found"
    press(page, "Escape")
    assert page.locator("#found").is_hidden()


def test_everything_goes_by_keyboard_and_has_a_name(show):
    page = show(cnn_loss())
    press(page, "End")
    assert page.locator("#step").input_value() == page.locator("#step").get_attribute("max")
    assert page.locator("#step").get_attribute("aria-valuetext").startswith("End")
    press(page, "Home")
    assert status(page).startswith("Start")
    reached = set()
    for _ in range(40):
        press(page, "Tab")
        reached.add(
            page.evaluate("document.activeElement.id || document.activeElement.closest('#canvas')?.id")
        )
    assert {"search", "fold", "unfold", "canvas", "step", "next", "play", "theme", "help"} <= reached
    page.locator("#canvas [tabindex='0']").focus()
    first = page.evaluate("document.activeElement.dataset.id")
    press(page, "ArrowDown")
    assert page.evaluate("document.activeElement.dataset.id") != first
    while page.evaluate("document.activeElement.getAttribute('aria-expanded')") != "true":
        press(page, "ArrowDown")
    before = len(shown(page))
    press(page, "Enter")
    assert len(shown(page)) < before
    press(page, "Enter")
    assert len(shown(page)) == before
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, [role=button], [role=img], [tabindex='0']")]
          .filter((e) => !(e.getAttribute("aria-label") || e.textContent).trim()).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    press(page, "?")
    assert page.get_by_role("dialog").is_visible()
    press(page, "Escape")
    assert page.get_by_role("dialog").is_hidden()


def test_light_and_dark(show):
    page = show(broadcast_bias()[0])
    background = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(background)
    press(page, "t")
    after = page.evaluate(background)
    assert before != after
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == after  # what was chosen stays
    press(page, "t")
    assert page.evaluate(background) == before


def test_it_plays_and_pauses(show):
    page = show(broadcast_bias()[0])
    press(page, " ")
    page.locator("#now", has_text="Forward 1").wait_for()
    assert page.get_by_role("button", name="Pause").is_visible()
    press(page, " ")
    assert page.get_by_role("button", name="Play").is_visible()


def test_names_that_look_like_script_stay_text(show):
    name = "</script><img src=x onerror=alert(1)>{{data}}"
    loss = inside(f"net<b>/{name}", lambda: (leaf(2, name=name) * 2.0).sum())
    loss.name = "<i>loss</i>"
    page = show(loss)
    press(page, "e", "End")
    assert page.locator("#title").inner_text() == "<i>loss</i> = 4"
    page.locator("#boxes .parameter").click()
    assert page.locator("#panel h2").inner_text() == name
    assert page.locator("img, i:has-text('loss')").count() == 0


def test_a_thousand_operations_stay_few_boxes(show):
    page = show(recurrent_loss())
    facts = page.locator("#facts").inner_text()
    assert int(facts.split(" ")[0].replace(",", "")) > 1000
    assert len(shown(page)) < 60
    press(page, "/")
    page.keyboard.type("linear")
    press(page, "Enter")  # deep inside, it opens what hides it, and only that
    assert len(shown(page)) < 250
    assert page.locator("#canvas *").count() < 3000  # what a browser moves without effort
    for _ in range(5):
        press(page, "ArrowRight")
    assert "active" in page.locator("#boxes .active").get_attribute("class")


def test_the_map_shows_what_is_out_of_sight(show):
    page = show(cnn_loss())
    press(page, "0")
    assert page.locator("#map").is_hidden()
    press(page, *"+++++")
    assert page.locator("#map").is_visible()
    before = page.locator("#world").get_attribute("transform")
    page.locator("#map").click(position={"x": 10, "y": 10})
    assert page.locator("#world").get_attribute("transform") != before


def test_dragging_moves_and_the_wheel_zooms(show):
    page = show(cnn_loss())
    box = page.locator("#boxes .box").first
    before = box.bounding_box()
    area = page.locator("#canvas").bounding_box()
    x, y = area["x"] + 40, area["y"] + 300
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 20, steps=3)
    page.mouse.up()
    moved = box.bounding_box()
    assert moved["x"] - before["x"] == pytest.approx(30, abs=5)
    assert moved["y"] - before["y"] == pytest.approx(20, abs=5)
    assert status(page).startswith("Start")  # it was no click
    page.mouse.wheel(0, -300)
    expect_larger = box.bounding_box()
    assert expect_larger["width"] > 1.2 * moved["width"]


def test_whatever_was_computed_can_be_looked_at(show):
    page = show(list(odd_losses().values()))
    press(page, "e")
    strange = page.evaluate(
        """() => {
          const step = document.getElementById("step"), strange = [];
          const look = () => {
            document.querySelectorAll("#panel details").forEach((details) => { details.open = true; });
            const text = document.getElementById("panel").innerText;
            if (text.length < 20 || /undefined|NaN|\\[object/.test(text)) strange.push(text);
          };
          for (let i = 0; i <= Number(step.max); i++) {
            step.value = i;
            step.dispatchEvent(new Event("input"));
            look();
          }
          for (const shape of document.querySelectorAll("#boxes > .box")) {
            shape.dispatchEvent(new MouseEvent("click", { bubbles: true }));
            look();
          }
          return strange;
        }"""
    )
    assert strange == []


def test_a_narrow_screen_has_everything_too(show):
    page = show(cnn_loss())
    page.set_viewport_size({"width": 420, "height": 800})
    press(page, "ArrowRight")
    for selector in ("#canvas", "#panel", "#step", "#next", "#search"):
        box = page.locator(selector).bounding_box()
        assert box["width"] > 20
        assert box["x"] + box["width"] <= 421
    assert json.loads(page.evaluate("JSON.stringify(document.documentElement.scrollWidth)")) <= 421


def test_a_notebook_shows_it_within_its_page(browser):
    loss, _ = broadcast_bias()
    page = browser.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_content(f"<!doctype html><h1>notebook</h1>{viz.explore(loss)._repr_html_()}")
    inner = page.frame_locator("iframe")
    inner.locator("#next").click()
    assert inner.locator("#now").inner_text().startswith("Forward 1 of 4")
    assert inner.locator("#boxes .operation").count() == 4
    page.close()
    assert said == []
