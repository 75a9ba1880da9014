// Moving over the graph: the wheel or two fingers zoom, dragging moves, and a step brings its box into sight.

const canvas = document.getElementById("canvas");
const view = { x: 0, y: 0, scale: 1 };
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let gliding = 0;

function apply() {
  world.setAttribute("transform", `translate(${view.x.toFixed(2)},${view.y.toFixed(2)}) scale(${view.scale.toFixed(4)})`);
  moveMap();
}

function glide(x, y, scale) {
  cancelAnimationFrame(gliding);
  const from = { ...view }, to = { x, y, scale };
  if (calm.matches || document.hidden) { Object.assign(view, to); apply(); return; }
  const began = performance.now();
  const frame = (now) => {
    const t = Math.min(1, (now - began) / 220), eased = 1 - (1 - t) ** 3;
    for (const key of ["x", "y", "scale"]) view[key] = from[key] + (to[key] - from[key]) * eased;
    apply();
    if (t < 1) gliding = requestAnimationFrame(frame);
  };
  gliding = requestAnimationFrame(frame);
}

function fitAll(smooth = true, readable = false) { // all of it, or if that can't be read, its beginning
  const { clientWidth: width, clientHeight: height } = canvas;
  const whole = Math.min((width - 48) / drawn.width, (height - 72) / drawn.height, 1.25);
  const scale = readable && whole < 0.72 ? Math.max(whole, Math.min(0.95, (width - 48) / drawn.width)) : whole;
  const x = (width - drawn.width * scale) / 2;
  const y = scale > whole ? 24 : (height - 24 - drawn.height * scale) / 2;
  if (smooth) return glide(x, y, scale);
  cancelAnimationFrame(gliding);
  Object.assign(view, { x, y, scale });
  apply();
}

function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  cancelAnimationFrame(gliding);
  const scale = Math.min(4, Math.max(0.04, view.scale * factor));
  view.x = x - (x - view.x) * (scale / view.scale);
  view.y = y - (y - view.y) * (scale / view.scale);
  view.scale = scale;
  apply();
}

function bringIntoSight(id) {
  const rect = drawn.rects.get(visible(id));
  if (!rect) return;
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = view.scale < 0.45 ? 0.8 : view.scale; // too small to read: come closer
  const cx = rect.left + rect.width / 2, cy = rect.open ? rect.top + 30 : rect.top + rect.height / 2;
  const at = { x: view.x + cx * view.scale, y: view.y + cy * view.scale };
  const margin = { x: Math.min(120, width / 4), y: Math.min(110, height / 4) };
  const inside = at.x > margin.x && at.x < width - margin.x && at.y > margin.y && at.y < height - margin.y;
  if (inside && scale === view.scale) return;
  glide(width / 2 - cx * scale, height / 2 - cy * scale, scale);
}

function keepInPlace(id, change) { // what was clicked stays under the pointer while all around it moves
  const before = drawn.rects.get(id);
  const at = { x: view.x + before.left * view.scale, y: view.y + before.top * view.scale };
  change();
  const after = drawn.rects.get(id);
  if (!after) return;
  cancelAnimationFrame(gliding);
  const middle = (after.width - before.width) / 2;
  view.x = at.x - (after.left + middle) * view.scale;
  view.y = at.y - after.top * view.scale;
  apply();
}

const pointers = new Map();
let dragged = false;

canvas.addEventListener("wheel", (event) => {
  if (window.top !== window && !event.ctrlKey) return; // within a notebook the wheel scrolls the notebook
  event.preventDefault();
  const box = canvas.getBoundingClientRect();
  const lines = event.deltaMode === 1 ? 16 : 1;
  zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });

canvas.addEventListener("pointerdown", (event) => {
  if (event.button > 0) return;
  if (!pointers.size) dragged = false;
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
});

canvas.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const now = { x: event.clientX, y: event.clientY };
  const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
  if (!dragged && Math.hypot(now.x - before.x, now.y - before.y) < 4) return; // a click that trembled
  if (!dragged) { dragged = true; canvas.setPointerCapture(event.pointerId); canvas.classList.add("dragging"); }
  cancelAnimationFrame(gliding);
  if (others.length) {
    const box = canvas.getBoundingClientRect();
    const [other] = others;
    const was = Math.hypot(before.x - other.x, before.y - other.y), is = Math.hypot(now.x - other.x, now.y - other.y);
    zoom(is / Math.max(was, 1), (now.x + other.x) / 2 - box.left, (now.y + other.y) / 2 - box.top);
  } else {
    view.x += now.x - before.x;
    view.y += now.y - before.y;
    apply();
  }
  pointers.set(event.pointerId, now);
});

for (const name of ["pointerup", "pointercancel"]) {
  addEventListener(name, (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) canvas.classList.remove("dragging");
  });
}
