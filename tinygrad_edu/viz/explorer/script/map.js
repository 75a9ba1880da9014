// The small map in the corner: all of the graph, and which part of it is to be seen.

const map = document.getElementById("map");
let mapScale = 1;

function drawMap() {
  map.replaceChildren();
  mapScale = Math.min(150 / drawn.width, 170 / drawn.height);
  map.setAttribute("width", drawn.width * mapScale);
  map.setAttribute("height", drawn.height * mapScale);
  map.setAttribute("viewBox", `0 0 ${drawn.width} ${drawn.height}`);
  const outline = (rects) => rects.map((r) => `M${r.left},${r.top}h${r.width}v${r.height}h${-r.width}z`).join("");
  const rects = [...drawn.rects.values()];
  svg("path", { class: "frames", d: outline(rects.filter((rect) => rect.open)) }, map);
  svg("path", { class: "things", d: outline(rects.filter((rect) => !rect.open)) }, map);
  svg("rect", { class: "here" }, map);
  svg("rect", { class: "seen" }, map);
}

function markOnMap(id) {
  const rect = drawn.rects.get(id), here = map.querySelector(".here");
  here.classList.toggle("hidden", !rect);
  if (!rect) return;
  const least = 7 / mapScale; // a box of a long graph would be too small to be seen
  const [width, height] = [Math.max(rect.width, least), Math.max(rect.height, least)];
  const place = { x: rect.left + (rect.width - width) / 2, y: rect.top + (rect.height - height) / 2, width, height };
  for (const [key, value] of Object.entries(place)) here.setAttribute(key, value);
}

function moveMap() {
  const { clientWidth, clientHeight } = canvas;
  const place = { x: -view.x / view.scale, y: -view.y / view.scale, width: clientWidth / view.scale, height: clientHeight / view.scale };
  const all = place.x <= 1 && place.y <= 1 && place.x + place.width >= drawn.width - 1 && place.y + place.height >= drawn.height - 1;
  map.classList.toggle("hidden", all); // nothing is out of sight
  for (const [key, value] of Object.entries(place)) map.querySelector(".seen").setAttribute(key, value);
}

function moveByMap(event) {
  if (!event.buttons) return;
  const box = map.getBoundingClientRect();
  const x = (event.clientX - box.left) / mapScale, y = (event.clientY - box.top) / mapScale;
  cancelAnimationFrame(gliding);
  view.x = canvas.clientWidth / 2 - x * view.scale;
  view.y = canvas.clientHeight / 2 - y * view.scale;
  apply();
}

map.addEventListener("pointerdown", (event) => { map.setPointerCapture(event.pointerId); moveByMap(event); });
map.addEventListener("pointermove", moveByMap);
