// What the page shows, read from the data that Python put into it, and the one state that changes: the step,
// what is selected, and which modules are open.

const data = JSON.parse(document.getElementById("data").textContent);
const boxes = new Map(data.boxes.map((box) => [box.id, box]));
const modules = new Map(data.modules.map((module) => [module.id, module]));
const levels = data.levels;
const WHOLE = "m0";

for (const box of data.boxes) Object.assign(box, { ins: [], outs: [], forward: null, backward: null });
for (const arrow of data.arrows) {
  boxes.get(arrow.target).ins.push(arrow);
  boxes.get(arrow.source).outs.push(arrow);
}
// Step 0 is before everything; then each operation forward, then each backward; then the end.
const steps = [{ phase: "start", box: null }, ...data.steps]; // the last is "end": all gradients are there
steps.forEach((step, i) => { if (step.box) boxes.get(step.box)[step.phase] = i; });
const turn = steps.findIndex((step) => step.phase === "backward"); // the first step backward
const counts = { forward: turn - 1, backward: steps.length - 1 - turn };

const state = { step: 0, selected: null, open: new Set([WHOLE]), playing: false };

function moduleOf(id) {
  return boxes.has(id) ? boxes.get(id).module : modules.get(id).parent;
}

function ancestors(id) { // the modules around a box or module, the innermost first
  const found = [];
  for (let at = moduleOf(id); at !== null && at !== undefined; at = modules.get(at).parent) found.push(at);
  return found;
}

function visible(id) { // the box or module itself, or the folded module that hides it
  let seen = id;
  for (const module of ancestors(id)) if (!state.open.has(module)) seen = module;
  return seen;
}

function isShown(id) {
  return visible(id) === id;
}

function current() {
  return steps[state.step];
}

function isComputed(box) { // does its value exist at this step?
  return box.forward === null || box.forward <= state.step;
}

// The gradient that an arrow carries exists once the operation that it leads into has had its turn.
function hasFlowed(arrow) {
  const user = boxes.get(arrow.target);
  return arrow.grad !== null && user.backward !== null && user.backward <= state.step;
}

// All that flows into a box has arrived when the last of its users, in the order of backward, is done.
function hasGradient(box) {
  if (state.step < turn || box.grads.every((grad) => grad === null)) return false;
  return box.outs.every((arrow) => arrow.grad === null || hasFlowed(arrow));
}

function startsOpen() { // open as much as can be read at once, the outer modules before the inner ones
  const open = new Set([WHOLE]);
  let shown = size(WHOLE);
  let waiting = [...modules.get(WHOLE).modules];
  while (waiting.length) {
    const next = [];
    const fits = waiting.reduce((sum, id) => sum + size(id) - 1, shown) <= data.comfortable;
    for (const id of waiting) {
      // A module that is alone on its level hides all there is to see.
      const alone = modules.get(id).parent !== null && countOf(modules.get(id).parent) <= 6;
      if (!fits && !(alone && shown + size(id) <= data.comfortable)) continue;
      open.add(id);
      shown += size(id) - 1;
      next.push(...modules.get(id).modules);
    }
    waiting = next;
  }
  return open;
}

function countOf(id) {
  return modules.get(id).modules.length;
}

function size(id) {
  return modules.get(id).boxes.length + modules.get(id).modules.length;
}

function stepName(i) {
  const step = steps[i];
  if (step.phase === "start") return "Start: nothing is computed yet";
  if (step.phase === "end") return "End: every gradient has arrived";
  const box = boxes.get(step.box);
  const place = step.phase === "forward" ? i : i - turn + 1;
  const where = box.path ? ` in ${box.path}` : "";
  return `${step.phase === "forward" ? "Forward" : "Backward"} ${place} of ${counts[step.phase]}: ${box.title}${where}`;
}
