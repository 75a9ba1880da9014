// The graph as SVG: frames, curves and boxes are drawn when modules are opened or folded; a step only changes
// their classes.

const SVG = "http://www.w3.org/2000/svg";
const world = document.getElementById("world");
const shapes = new Map(); // id of a box or module -> its <g>
const lines = new Map(); // id of an arrow -> the curves that carry it
let drawn = null;

function svg(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent?.append(element);
  return element;
}

function at(id) {
  return document.getElementById(id);
}

function clear(id) {
  const element = at(id);
  element.replaceChildren();
  return element;
}

function draw() {
  drawn = layout();
  const focused = document.activeElement?.dataset?.id;
  shapes.clear();
  lines.clear();
  const frames = clear("frames"), edges = clear("edges"), nodes = clear("boxes");
  for (const { edge, path, head, tail } of drawn.curves) {
    const curve = svg("path", { class: "edge", d: path }, edges);
    if (head) curve.setAttribute("marker-end", "url(#arrow)");
    curve.dataset.tail = tail ? "box" : "";
    for (const arrow of edge.arrows) lines.set(arrow, [...(lines.get(arrow) ?? []), curve]);
  }
  for (const [id, rect] of drawn.rects) {
    const shape = modules.has(id) ? drawModule(modules.get(id), rect, frames, nodes) : drawBox(boxes.get(id), rect, nodes);
    shape.dataset.id = id;
    shapes.set(id, shape);
  }
  fitTexts();
  drawMap();
  mark();
  makeReachable(shapes.has(focused) ? focused : current().box ?? data.order[0]);
  shapes.get(focused)?.focus({ preventScroll: true });
}

function makeReachable(id) { // by the tab key: one of them all; the arrow keys lead to the others
  for (const [other, shape] of shapes) shape.setAttribute("tabindex", other === visible(id) ? "0" : "-1");
}

function group(parent, rect, kind, label) {
  return svg("g", { class: kind, role: "button", "aria-label": label, transform: `translate(${rect.left.toFixed(1)},${rect.top.toFixed(1)})` }, parent);
}

function writeLines(g, texts, rect, kinds = []) {
  const middle = rect.height / 2 - ((texts.length - 1) * 15) / 2;
  return texts.map((text, i) => {
    const line = svg("text", { class: kinds[i] ?? (i ? "detail" : "name"), x: rect.width / 2, y: middle + i * 15 + 4.5, "text-anchor": "middle" }, g);
    line.textContent = text;
    return line;
  });
}

function dot(g, rect) { // shown once the gradient has arrived
  svg("circle", { class: "dot", cx: rect.width - 3, cy: 3, r: 4.5 }, g);
}

function drawBox(box, rect, parent) {
  const g = group(parent, rect, `box ${box.kind}${box.result ? " result" : ""}`, "");
  const corner = box.kind === "operation" ? 9 : 2;
  svg("rect", { width: rect.width, height: rect.height, rx: corner }, g);
  dot(g, rect);
  const texts = [...box.label], kinds = box.label.map((_, i) => (i ? "detail" : "name"));
  if (box.scalar) { texts.push("", ""); kinds.push("value", "gradient"); }
  const written = writeLines(g, texts, rect, kinds);
  box.slots = box.scalar ? written.slice(-2) : null;
  return g;
}

function drawModule(module, rect, frames, parent) {
  if (rect.open) svg("rect", { class: "outline", x: rect.left, y: rect.top, width: rect.width, height: rect.height, rx: 12 }, frames);
  const g = group(parent, rect, rect.open ? "frame" : "module", "");
  g.setAttribute("aria-expanded", String(rect.open));
  if (rect.open) { // its handle: the name, above the curves that cross it
    svg("rect", { class: "touch", x: 5, y: 4, width: headerWidth(module.id) - 6, height: 21, rx: 6 }, g);
    svg("path", { class: "sign", d: "M11,14.5h8" }, g);
    const name = svg("text", { class: "name", x: 25, y: 19 }, g);
    name.textContent = module.label[0];
  } else {
    svg("rect", { class: "behind", x: 4, y: 4, width: rect.width, height: rect.height, rx: 9 }, g);
    svg("rect", { class: "outline", width: rect.width, height: rect.height, rx: 9 }, g);
    svg("path", { class: "sign", d: `M10,${rect.height / 2}h8m-4,-4v8` }, g);
    dot(g, rect);
    writeLines(g, module.label, { ...rect, width: rect.width + 14 });
  }
  return g;
}

function fitTexts() { // a font wider than was reckoned with is squeezed into its box
  for (const [id, shape] of shapes) {
    const rect = drawn.rects.get(id);
    if (rect.open) continue;
    const room = rect.width - (modules.has(id) ? 30 : 10);
    for (const text of shape.querySelectorAll("text")) {
      if (text.textContent.length * 5 < room && text.textContent.length < 12) continue; // surely fits
      if (text.getComputedTextLength() > room) {
        text.setAttribute("textLength", room);
        text.setAttribute("lengthAdjust", "spacingAndGlyphs");
      }
    }
  }
}

function mark() { // the step and the selection, as classes
  const step = current();
  const active = step.box;
  const shownActive = active === null ? null : visible(active);
  for (const [id, shape] of shapes) {
    const box = boxes.get(id);
    const classes = shape.classList;
    const members = box ? null : modules.get(id);
    classes.toggle("active", id === shownActive);
    classes.toggle("selected", id === (state.selected === null ? null : visible(state.selected)) && id !== shownActive);
    classes.toggle("todo", box ? !isComputed(box) : members.first > state.step);
    classes.toggle("graded", box ? hasGradient(box) : members.last <= state.step);
    shape.setAttribute("aria-label", describe(id));
    if (box?.slots) {
      const [value, gradient] = box.slots;
      value.textContent = isComputed(box) ? number(data.tensors[box.values[0]].numbers[0]) : "";
      gradient.textContent = hasGradient(box) ? `gradient ${number(data.tensors[box.grads[0]].numbers[0])}` : "";
    }
  }
  world.dataset.phase = step.phase;
  markOnMap(shownActive);
  const flow = clear("flow");
  for (const curve of at("edges").querySelectorAll(".busy")) curve.classList.remove("busy");
  if (active === null) return;
  for (const arrow of boxes.get(active).ins) {
    if (step.phase === "backward" && arrow.grad === null) continue;
    for (const curve of lines.get(arrow.id) ?? []) {
      const moving = svg("path", { class: `moving ${step.phase}`, d: curve.getAttribute("d") }, flow);
      if (step.phase === "forward" && curve.hasAttribute("marker-end")) moving.setAttribute("marker-end", "url(#arrow-forward)");
      curve.classList.add("busy");
      if (step.phase === "backward" && curve.dataset.tail) moving.setAttribute("marker-start", "url(#arrow-backward)");
    }
  }
}

function describe(id) {
  const box = boxes.get(id);
  if (!box) {
    const module = modules.get(id);
    return `module ${module.path || module.label[0]}, ${module.words}, ${state.open.has(id) ? "open" : "folded"}`;
  }
  const parts = [box.kind === "operation" ? `operation ${box.title}` : `${box.kind} ${box.title}`];
  if (box.path) parts.push(`in ${box.path}`);
  parts.push(`shape ${box.shape}`);
  if (box.id === current().box) parts.push(`this step, ${current().phase}`);
  else if (!isComputed(box)) parts.push("not computed yet");
  else if (hasGradient(box)) parts.push("has its gradient");
  return parts.join(", ");
}
