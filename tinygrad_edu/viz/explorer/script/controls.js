// Keys, buttons, the slider, the search; and at the end, the start.

let timer = 0;

function go(step, { stay = false } = {}) {
  state.step = Math.min(Math.max(step, 0), steps.length - 1);
  state.selected = null;
  refresh();
  if (!stay && current().box !== null) bringIntoSight(current().box);
}

function refresh() { // all that depends on the step and the selection
  mark();
  show();
  if (!canvas.contains(document.activeElement)) makeReachable(state.selected ?? current().box ?? data.order[0]);
  const slider = at("step");
  slider.value = state.step;
  slider.setAttribute("aria-valuetext", stepName(state.step));
  const [place, what] = stepName(state.step).split(": ");
  at("now").replaceChildren(element("b", {}, place), element("span", {}, what));
  at("now").dataset.phase = current().phase;
  at("first").disabled = at("back").disabled = state.step === 0;
  at("next").disabled = at("last").disabled = state.step === steps.length - 1;
}

function goAsDrawn(direction) { // on to the next box that can be seen: over a folded module in one go
  const here = current().box === null ? null : visible(current().box);
  let step = state.step + direction;
  while (steps[step]?.box && visible(steps[step].box) === here) step += direction;
  go(step);
}

function select(id) {
  const box = boxes.get(id);
  if (box?.kind === "operation") {
    const back = current().phase === "backward" && box.backward !== null;
    return go(back ? box.backward : box.forward, { stay: true });
  }
  state.selected = id;
  refresh();
}

function visit(id) { // wherever it is: open what hides it, show it, select it
  const hidden = ancestors(id).filter((module) => !state.open.has(module));
  if (hidden.length) { hidden.forEach((module) => state.open.add(module)); draw(); }
  select(id);
  bringIntoSight(id);
}

function toggle(id) {
  if (id === WHOLE || !modules.has(id)) return;
  keepInPlace(id, () => {
    if (state.open.has(id)) state.open.delete(id); else state.open.add(id);
    draw();
  });
  refresh();
}

function openAll(most = data.most) { // outer modules first, as many boxes as a browser moves smoothly
  let shown = 0;
  const queue = [WHOLE];
  state.open = new Set();
  for (const id of queue) {
    if (state.open.size && shown + size(id) > most) continue;
    state.open.add(id);
    shown += size(id);
    queue.push(...modules.get(id).modules);
  }
  changed();
}

function foldAll() {
  state.open = new Set([WHOLE]);
  changed();
}

function changed() {
  draw();
  refresh();
  fitAll(true, true);
}

function play(on) {
  state.playing = on && state.step < steps.length - 1;
  clearTimeout(timer);
  at("play").classList.toggle("playing", state.playing);
  at("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
  if (state.playing) timer = setTimeout(() => { goAsDrawn(1); play(true); }, 1100);
}

canvas.addEventListener("click", (event) => {
  const shape = event.target.closest("[data-id]");
  if (dragged || !shape) return;
  const id = shape.dataset.id;
  shape.focus({ preventScroll: true });
  if (!modules.has(id)) return select(id);
  toggle(id);
});
canvas.addEventListener("dblclick", (event) => event.preventDefault());
canvas.addEventListener("focusin", (event) => {
  const id = event.target.dataset?.id;
  if (!id) return;
  makeReachable(id);
  if (event.target.matches(":focus-visible")) bringIntoSight(id);
});

function moveFocus(direction) { // through what is shown, in the order of the computation
  const order = data.order.filter((id) => shapes.has(id));
  const place = order.indexOf(document.activeElement?.dataset?.id);
  const next = place < 0 ? current().box ?? order[0] : order[Math.min(Math.max(place + direction, 0), order.length - 1)];
  shapes.get(visible(next))?.focus({ preventScroll: true });
}

const keys = {
  ArrowRight: (event) => (event.shiftKey ? goAsDrawn(1) : go(state.step + 1)),
  ArrowLeft: (event) => (event.shiftKey ? goAsDrawn(-1) : go(state.step - 1)),
  ArrowDown: () => moveFocus(1),
  ArrowUp: () => moveFocus(-1),
  Home: () => go(0),
  End: () => go(steps.length - 1),
  b: () => go(turn),
  o: () => { const id = document.activeElement?.dataset?.id ?? state.selected ?? current().box; if (id) toggle(modules.has(id) ? id : moduleOf(id)); },
  e: () => openAll(),
  c: () => foldAll(),
  0: () => fitAll(),
  "+": () => zoom(1.25),
  "=": () => zoom(1.25),
  "-": () => zoom(0.8),
  t: () => changeTheme(),
  "/": () => at("search").focus(),
  "?": () => help(),
  " ": () => play(!state.playing),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || at("keys").open) return;
  const target = event.target, typing = target.matches("input[type=search]");
  if (typing) return;
  const onShape = target.dataset?.id !== undefined;
  if (onShape && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    const id = target.dataset.id;
    return modules.has(id) ? toggle(id) : select(id);
  }
  if (event.key === " " && target.matches("button, summary")) return;
  if ((event.key === "ArrowUp" || event.key === "ArrowDown") && !onShape) return;
  if (target.closest(".numbers, .formula") && event.key.startsWith("Arrow")) return; // they scroll
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  if (event.key !== " ") play(false);
  action(event);
});

const actions = {
  first: () => go(0), back: () => go(state.step - 1), next: () => go(state.step + 1), last: () => go(steps.length - 1),
  fold: foldAll, unfold: () => openAll(), fit: () => fitAll(), theme: () => changeTheme(), help: () => help(),
};
for (const [id, action] of Object.entries(actions)) at(id).addEventListener("click", () => { play(false); action(); });
at("play").addEventListener("click", () => play(!state.playing));
at("step").addEventListener("input", (event) => { play(false); go(Number(event.target.value)); });

function changeTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  refresh();
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);

const HELP = [
  ["\u2192  \u2190", "one step on, one step back"],
  ["shift + \u2192  \u2190", "the same, over a folded module in one go"],
  ["space", "play, pause"],
  ["Home  b  End", "start, first step backward, end"],
  ["\u2193  \u2191", "in the graph: to the next box, the one before"],
  ["Enter", "in the graph: select a box, open or fold a module"],
  ["o", "open or fold the module around the selected box"],
  ["e  c", "open all, fold all"],
  ["+  \u2212  0", "closer, farther, all"],
  ["/", "search"],
  ["t", "light or dark"],
];

function help() {
  const rows = HELP.map(([key, what]) => element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, what)));
  const close = element("button", { onclick: () => at("keys").close() }, "Close");
  at("keys").replaceChildren(element("h2", {}, "Keys"), element("table", {}, element("tbody", {}, ...rows)),
    element("p", {}, "Drag to move, turn the wheel to zoom. In heatmaps and tables green is above 0, purple below; the stronger, the larger. A box with an orange dot has its gradient."), close);
  at("keys").showModal();
}

// -- search: all words must occur in what is known of a box or module ---------------------------------------

const searchable = [
  ...data.boxes.map((box) => ({ id: box.id, title: box.kind === "number" ? box.label[0] : called(box), kind: box.kind, where: box.path, text: [box.kind, box.title, box.name, box.path, box.shape, box.where?.place, box.where?.text].join(" ").toLowerCase() })),
  ...data.modules.filter((module) => module.id !== WHOLE).map((module) => ({ id: module.id, title: module.name, kind: "module", where: module.path.split("/").slice(0, -1).join("/"), text: `module ${module.path}`.toLowerCase() })),
];

function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const found = searchable.filter((entry) => words.every((word) => entry.text.includes(word)));
  const rank = (entry) => (entry.title.toLowerCase().startsWith(words[0]) ? 0 : entry.title.toLowerCase().includes(words[0]) ? 1 : 2);
  return found.sort((a, b) => rank(a) - rank(b));
}

let chosen = 0;

function listFound() {
  const text = at("search").value, found = find(text), list = at("found");
  chosen = 0;
  const most = 40;
  list.replaceChildren(...found.slice(0, most).map((entry, i) =>
    element("li", { role: "option", id: `found-${i}`, "data-id": entry.id, "aria-selected": String(i === 0) },
      element("span", { class: `sign ${entry.kind}` }), element("b", {}, entry.title), element("span", {}, entry.where))));
  if (found.length > most) list.append(element("li", { class: "more" }, `and ${found.length - most} more`));
  if (text.trim() && !found.length) list.append(element("li", { class: "more" }, "Nothing found"));
  const shown = text.trim() !== "";
  list.hidden = !shown;
  at("search").setAttribute("aria-expanded", String(shown));
  if (found.length) at("search").setAttribute("aria-activedescendant", "found-0");
  else at("search").removeAttribute("aria-activedescendant");
}

function choose(step) {
  const options = [...at("found").querySelectorAll("[role=option]")];
  if (!options.length) return;
  chosen = (chosen + step + options.length) % options.length;
  options.forEach((option, i) => option.setAttribute("aria-selected", String(i === chosen)));
  options[chosen].scrollIntoView({ block: "nearest" });
  at("search").setAttribute("aria-activedescendant", options[chosen].id);
}

function take(option) {
  if (!option) return;
  endSearch();
  visit(option.dataset.id);
  shapes.get(option.dataset.id)?.focus({ preventScroll: true });
}

function endSearch() {
  at("search").value = "";
  listFound();
}

at("search").addEventListener("input", listFound);
at("search").addEventListener("blur", () => setTimeout(() => { at("found").hidden = true; }, 150));
at("search").addEventListener("focus", listFound);
at("search").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") { event.preventDefault(); choose(1); }
  if (event.key === "ArrowUp") { event.preventDefault(); choose(-1); }
  if (event.key === "Enter") { event.preventDefault(); take(at("found").querySelectorAll("[role=option]")[chosen]); }
  if (event.key === "Escape") { endSearch(); canvas.querySelector("[tabindex='0']").focus(); }
});
at("found").addEventListener("mousedown", (event) => { event.preventDefault(); take(event.target.closest("[role=option]")); });

// -- start ---------------------------------------------------------------------------------------------------

at("title").textContent = data.title;
at("facts").textContent = data.facts;
at("step").max = steps.length - 1;
document.documentElement.style.setProperty("--turn", `${(100 * (turn - 0.5)) / (steps.length - 1)}%`);
state.open = startsOpen();
draw();
refresh();
fitAll(false, true);
new ResizeObserver(() => fitAll(false, true)).observe(canvas);
