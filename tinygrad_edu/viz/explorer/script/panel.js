// The details: of the step's operation, or of the parameter, input or module that was selected.

const panel = document.getElementById("panel");

function show() {
  const { phase, box } = current();
  const content = [];
  if (state.selected !== null && boxes.has(state.selected)) content.push(...aboutLeaf(boxes.get(state.selected)));
  else if (state.selected !== null) content.push(...aboutModule(modules.get(state.selected)));
  else if (phase === "start") content.push(...aboutPage());
  else if (phase === "end") content.push(...aboutEnd());
  else content.push(...(phase === "forward" ? aboutForward : aboutBackward)(boxes.get(box)));
  panel.dataset.phase = state.selected === null ? phase : "selected";
  panel.replaceChildren(...content);
  panel.scrollTop = 0;
  fitFormulas();
}

function heading(kind, title, path) {
  return [element("p", { class: "kind" }, kind), element("h2", {}, title), ...(path ? [crumbs(path)] : [])];
}

function crumbs(id) {
  const around = [id, ...ancestors(id)].filter((module) => module !== WHOLE && modules.has(module)).reverse();
  if (!around.length) return element("p", { class: "crumbs" }, "outside of all modules");
  const parts = around.flatMap((module, i) => [i ? " / " : "", link(modules.get(module).name, module)]);
  return element("p", { class: "crumbs" }, "in ", ...parts);
}

function link(text, id) {
  return element("button", { class: "link", onclick: () => visit(id) }, text);
}

function jump(text, step) {
  return element("button", { class: "jump", onclick: () => go(step) }, text);
}

function source(box) {
  if (!box.where) return null;
  return element("p", { class: "source" }, element("span", {}, box.where.place), element("code", {}, box.where.text));
}

function formula(lines, latex) {
  if (!latex) return null;
  const holder = element("div", { class: "formula", tabindex: "0", role: "region", "aria-label": "Formula" });
  if (!lines) holder.append(element("code", {}, latex));
  for (const line of lines ?? []) {
    const parsed = new DOMParser().parseFromString(line, "application/xml").documentElement;
    holder.append(document.importNode(parsed, true));
  }
  return holder;
}

function fitFormulas() { // a long one is set smaller, as far as that can be read; then it scrolls
  for (const math of panel.querySelectorAll(".formula math")) {
    const room = math.parentElement.clientWidth - 16;
    const needed = math.getBoundingClientRect().width;
    if (needed > room) math.style.fontSize = `${Math.max(0.7, room / needed)}em`;
  }
}

function called(box) { // how a sentence names a box
  if (box.kind !== "operation") return box.kind === "number" ? box.label[0] : box.name || box.title;
  const module = box.path.split("/").pop();
  return box.name || (module ? `${box.title} of ${module}` : box.title);
}

function partial(name) {
  return element("span", { class: "partial" }, "\u2202L/\u2202", symbol(name));
}

function fromWhere(arrow) {
  const from = boxes.get(arrow.source);
  return element("span", {}, symbol(arrow.argument), from.kind === "number" ? ", a number" : " \u2190 ", from.kind === "number" ? null : link(called(from), from.id));
}

function valueOf(arrow) {
  const from = boxes.get(arrow.source);
  return from.values[Math.min(arrow.result, from.values.length - 1)];
}

function aboutForward(box) {
  const operation = data.operations[box.operation];
  const settings = box.params.map(([key, value]) => element("span", {}, `${key} = ${value}`));
  return [
    ...heading(stepName(state.step).split(":")[0], box.title, box.id),
    source(box),
    operation.words ? element("p", { class: "words" }, operation.words) : null,
    formula(operation.formula, operation.formula_latex),
    settings.length ? element("p", { class: "settings" }, ...settings) : null,
    element("h3", {}, box.ins.length ? "What goes in" : "Nothing goes in"),
    ...inputs(box),
    element("h3", {}, "What comes out"),
    ...results(box),
    box.backward === null
      ? element("p", { class: "note" }, "No gradient comes this way: nothing that was learned from lies above it.")
      : jump("Its step backward", box.backward),
  ].filter(Boolean);
}

function inputs(box) {
  return box.ins.map((arrow) => {
    const notes = arrow.stretched ? [`Broadcast: repeated from ${boxes.get(arrow.source).shape} to ${arrow.stretched}.`] : [];
    return tensorCard(fromWhere(arrow), valueOf(arrow), notes, "value");
  });
}

function results(box) {
  const named = box.name ? element("span", {}, element("i", {}, "y"), ` = ${box.name}`) : element("i", {}, "y");
  return box.values.map((index, i) => tensorCard(box.values.length > 1 ? `result ${i + 1}` : named, index, [], "value"));
}

function aboutBackward(box) {
  const operation = data.operations[box.operation];
  const lazy = element("details", { class: "again" }, element("summary", {}, "The values of the forward pass"));
  lazy.addEventListener("toggle", () => lazy.append(...inputs(box), ...results(box)), { once: true });
  return [
    ...heading(stepName(state.step).split(":")[0], box.title, box.id),
    source(box),
    element("h3", {}, "What arrives"),
    ...arrivals(box),
    element("h3", {}, "The rule"),
    operation.words ? element("p", { class: "words" }, operation.words) : null,
    formula(operation.derivative, operation.derivative_latex),
    operation.derivative ? element("p", { class: "hint" }, "A bar marks a gradient: the bar of ", element("i", {}, "x"), " is ", partial("x"), ".") : null,
    element("h3", {}, "What is handed on"),
    ...box.ins.map(handed),
    lazy,
    jump("Its step forward", box.forward),
  ].filter(Boolean);
}

function arrivals(box) {
  return box.grads.flatMap((index, i) => {
    if (index === null) return [];
    const name = box.values.length > 1 ? `y${i + 1}` : box.name || "y";
    return [tensorCard(partial(name), index, [origin(box, i)], "gradient")];
  });
}

function origin(box, result) { // where a gradient came from, in a sentence
  const parts = box.parts[result];
  const names = parts.map((part) => (part === null ? "the start, where \u2202L/\u2202L = 1" : link(called(boxes.get(part)), part)));
  if (names.length === 1 && parts[0] === null) return "Backward starts here: the loss changes as much as itself, \u2202L/\u2202L = 1.";
  if (names.length === 1) return element("span", {}, "From ", names[0], ".");
  const listed = names.flatMap((name, i) => (i ? [i + 1 === names.length ? " and " : ", ", name] : [name]));
  return element("span", {}, `It is used ${names.length} times, so ${names.length} gradients meet and are added: from `, ...listed, ".");
}

function handed(arrow) {
  const to = boxes.get(arrow.source);
  const name = element("span", {}, partial(arrow.argument), to.kind === "number" ? "" : " \u2192 ", to.kind === "number" ? null : link(called(to), to.id));
  if (arrow.grad === null) {
    const why = to.kind === "parameter" || to.kind === "operation" ? "The rule gives it none." : "It isn't learned, so it gets no gradient.";
    return element("section", { class: "tensor none" }, element("header", {}, name), element("p", { class: "note" }, why));
  }
  const notes = [];
  if (arrow.summed.length) {
    const axes = arrow.summed.length > 1 ? `axes ${arrow.summed.join(", ")}` : `axis ${arrow.summed[0]}`;
    notes.push(`Summed over ${axes}: forward, ${to.shape} was repeated to ${arrow.raw}, and what was copied adds its copies' gradients up.`);
  }
  const chain = inNumbers(arrow);
  if (chain) notes.push(chain);
  const others = to.outs.filter((other) => other !== arrow && other.grad !== null).length;
  if (others) notes.push(`${called(to)} is used ${others + 1} times: this is added to what comes from its other uses.`);
  return tensorCard(name, arrow.grad, notes, "gradient");
}

function inNumbers(arrow) { // the chain rule, where all are single numbers
  const user = boxes.get(arrow.target);
  if (user.grads.length > 1) return null; // of several results not each need have a gradient
  const [given, sent] = [data.tensors[user.grads[0]], data.tensors[arrow.grad]];
  if (given.shape.length || sent.shape.length) return null;
  const [g, dx] = [given.numbers[0], sent.numbers[0]];
  if (typeof g !== "number" || typeof dx !== "number" || g === 0) return null;
  const y = user.name || "y";
  const local = element("span", { class: "partial" }, "\u2202", symbol(y), "/\u2202", symbol(arrow.argument));
  return element("span", {}, "= ", partial(y), " \u00b7 ", local, ` = ${number(g)} \u00b7 ${number(dx / g).replace(/^(\u2212.*)$/, "($1)")}`);
}

function aboutLeaf(box) {
  const content = [...heading(box.kind, box.title, box.id), element("p", { class: "words" }, LEAVES[box.kind])];
  content.push(element("h3", {}, "Value"), ...results({ ...box, name: box.name || "x" }));
  if (box.kind === "parameter") {
    content.push(element("h3", {}, "Gradient"));
    if (box.grads[0] === null) content.push(element("p", { class: "note" }, "None: the result doesn't depend on it."));
    else if (hasGradient(box)) content.push(...arrivals(box));
    else {
      const last = Math.max(...box.outs.filter((arrow) => arrow.grad !== null).map((arrow) => boxes.get(arrow.target).backward), 0);
      content.push(element("p", { class: "note" }, "It hasn't arrived yet."), jump("Go to where it arrives", last));
    }
  }
  const users = box.outs.flatMap((arrow, i) => [i ? ", " : "", link(boxes.get(arrow.target).title, arrow.target)]);
  if (users.length) content.push(element("p", { class: "crumbs" }, "Used by ", ...users));
  return content;
}

const LEAVES = {
  parameter: "What is learned: an optimizer moves it against its gradient.",
  input: "What comes from outside: it is taken as it is and gets no gradient.",
  number: "A constant of the program.",
};

function aboutModule(module) {
  const inside = data.boxes.filter((box) => box.id === module.id || ancestors(box.id).includes(module.id));
  const operations = inside.filter((box) => box.kind === "operation");
  const parameters = inside.filter((box) => box.kind === "parameter");
  const list = (title, found) => (found.length ? [element("h3", {}, title), element("ul", { class: "inside" }, ...found.map((box) => element("li", {}, link(box.kind === "operation" ? box.title : called(box), box.id), element("span", { class: "shape" }, ` ${box.shape}`))))] : []);
  const open = state.open.has(module.id);
  return [
    ...heading(module.group ? "part of the graph" : "module", module.name, module.parent === WHOLE ? null : module.parent),
    element("p", { class: "words" }, `${module.words}.`),
    element("button", { class: "jump", onclick: () => toggle(module.id) }, open ? "Fold it" : "Open it"),
    ...list("Operations, in order", operations),
    ...list("Parameters", parameters),
  ];
}

function aboutEnd() {
  const learned = data.boxes.filter((box) => box.kind === "parameter" && box.grads[0] !== null);
  const norms = learned.map((box) => data.tensors[box.grads[0]].norm);
  const most = Math.max(...norms.filter((norm) => typeof norm === "number"), 0);
  const rows = learned.map((box, i) => {
    const bar = element("span", { class: "bar" });
    bar.style.width = `${most > 0 && typeof norms[i] === "number" ? (100 * norms[i]) / most : 0}%`;
    return element("tr", {}, element("td", {}, link(called(box), box.id), element("span", { class: "shape" }, ` ${box.shape}`)), element("td", {}, number(norms[i]), bar));
  });
  return [
    ...heading("end", "Every gradient has arrived", null),
    element("p", { class: "words" }, "Each says how the loss would change with its parameter. An optimizer now moves every parameter a little against its gradient; then the next step begins."),
    element("table", { class: "norms" }, element("thead", {}, element("tr", {}, element("th", {}, "parameter"), element("th", {}, "norm of its gradient"))), element("tbody", {}, ...rows)),
  ];
}

function aboutPage() {
  const item = (sign, text) => element("li", {}, element("span", { class: `sign ${sign}` }), text);
  const flow = (name, ...text) => element("li", {}, element("b", { class: name }, text[0]), ...text.slice(1));
  return [
    ...heading("start", data.title, null),
    element("p", { class: "words" }, data.facts),
    element("ol", { class: "tour" },
      flow("forward", "Forward", ", operations turn the inputs into the result, from top to bottom."),
      flow("backward", "Backward", ", each operation turns the gradient of its result into those of its inputs: the chain rule, one factor a step. At the end each parameter has its gradient.")),
    jump("Run the first operation", 1),
    element("p", { class: "words" }, "The key ", element("kbd", {}, "\u2192"), " goes one step on, ", element("kbd", {}, "\u2190"), " one back. Click anything to see its numbers; click a module to open or fold it."),
    element("ul", { class: "signs" }, item("operation", "an operation"), item("parameter", "a parameter: it is learned"), item("input", "an input"), item("module", "a module that is folded")),
  ];
}
