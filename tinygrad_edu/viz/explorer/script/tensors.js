// Arrays to look at: a few numbers as a table, many as a heatmap, a histogram and what sums them up.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function number(x) { // 4 digits, as short as they can be written
  if (typeof x === "string") return x; // nan, inf and -inf
  if (typeof x === "boolean") return x ? "true" : "false";
  if (Number.isInteger(x) && Math.abs(x) < 1e6) return String(x).replace("-", "\u2212");
  const size = Math.abs(x);
  const text = size >= 1e5 || size < 1e-4 ? x.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e") : String(Number(x.toPrecision(4)));
  return text.replaceAll("-", "\u2212");
}

const STRANGE = [225, 60, 60]; // nan and inf

function tint(value, scale) { // 0 is the paper; green grows with what is positive, purple with what is negative
  if (typeof value === "string") return STRANGE;
  const strength = scale > 0 ? Math.min(1, Math.abs(value) / scale) ** 0.7 : 0;
  const dark = isDark();
  const paper = dark ? [28, 32, 38] : [252, 251, 248];
  const full = value < 0 ? (dark ? [205, 150, 232] : [106, 38, 122]) : dark ? [116, 214, 146] : [16, 108, 46];
  return paper.map((p, i) => Math.round(p + (full[i] - p) * strength));
}

function palette() { // the tints of -127 to 127 and, for nan and inf, of -128, by their byte
  return Array.from({ length: 256 }, (_, byte) => (byte === 128 ? STRANGE : tint(((byte << 24) >> 24) / 127, 1)));
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function table(t) {
  const numbers = t.numbers.map((x) => (typeof x === "boolean" ? Number(x) : x));
  const scale = Math.max(...numbers.filter((x) => typeof x === "number").map(Math.abs), 0);
  const body = element("tbody");
  for (let row = 0; row < t.rows; row++) {
    const line = element("tr");
    for (let column = 0; column < t.columns; column++) {
      const at = row * t.columns + column;
      const cell = element("td", {}, number(t.numbers[at]));
      // Not at full strength, so that the ink stays readable on it.
      cell.style.background = `rgb(${tint(numbers[at], scale).join(" ")} / 0.4)`;
      line.append(cell);
    }
    body.append(line);
  }
  const caption = t.about ? element("caption", {}, t.about) : null;
  return element("div", { class: "numbers", tabindex: "0", role: "region", "aria-label": "Numbers" }, element("table", {}, caption, body));
}

function heatmap(t) {
  const { tiles, rows, columns, scale, data: text, about } = t.heat;
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const gap = tiles > 1 ? Math.max(1, Math.round(rows / 14)) : 0;
  const ways = Array.from({ length: tiles }, (_, i) => { // so many side by side; the largest that has room is best
    const across = i + 1, down = Math.ceil(tiles / across);
    const [width, height] = [across * (columns + gap) - gap, down * (rows + gap) - gap];
    return { across, width, height, zoom: Math.min(330 / width, 132 / height, 14) };
  });
  const { across, width, height, zoom } = ways.reduce((best, way) => (way.zoom > best.zoom ? way : best));
  const picture = element("canvas", { width, height, role: "img", "aria-label": `Heatmap: ${about}, from ${number(-scale)} purple to ${number(scale)} green` });
  const image = new ImageData(width, height), colours = palette();
  for (let tile = 0; tile < tiles; tile++) {
    const left = (tile % across) * (columns + gap), top = Math.floor(tile / across) * (rows + gap);
    for (let i = 0; i < rows * columns; i++) {
      const [red, green, blue] = colours[bytes[tile * rows * columns + i]];
      const at = 4 * ((top + Math.floor(i / columns)) * width + left + (i % columns));
      image.data[at] = red;
      image.data[at + 1] = green;
      image.data[at + 2] = blue;
      image.data[at + 3] = 255;
    }
  }
  picture.getContext("2d").putImageData(image, 0, 0);
  picture.style.width = `${width * zoom}px`;
  picture.style.height = `${rows === 1 && tiles === 1 ? 18 : height * zoom}px`;
  return element("figure", { class: tiles > 1 ? "heat many" : "heat" }, picture, element("figcaption", {}, about));
}

function histogram(t) {
  const bars = t.histogram, most = Math.max(...bars);
  const [width, height] = [192, 44];
  const drawing = svg("svg", { class: "histogram", viewBox: `0 0 ${width} ${height + 14}`, width, height: height + 14, role: "img", "aria-label": `Histogram from ${number(t.low)} to ${number(t.high)}` });
  const step = width / bars.length;
  bars.forEach((count, i) => {
    if (!count) return;
    const tall = Math.max(1, (count / most) * height);
    const [from, to] = [i, i + 1].map((edge) => t.low + (edge / bars.length) * (t.high - t.low));
    svg("rect", { class: to <= 0 ? "negative" : from >= 0 ? "positive" : "both", x: i * step + 0.4, y: height - tall, width: step - 0.8, height: tall }, drawing);
  });
  svg("line", { x1: 0, x2: width, y1: height + 0.5, y2: height + 0.5 }, drawing);
  const write = (x, anchor, text) => { svg("text", { x, y: height + 12, "text-anchor": anchor }, drawing).textContent = text; };
  write(0, "start", number(t.low));
  write(width, "end", number(t.high));
  if (t.low < 0 && t.high > 0) {
    const zero = (-t.low / (t.high - t.low)) * width;
    svg("line", { class: "zero", x1: zero, x2: zero, y1: 0, y2: height + 3 }, drawing);
    if (zero > 58 && zero < width - 58) write(zero, "middle", "0");
  }
  return drawing;
}

function facts(t) {
  const size = t.shape.reduce((product, n) => product * n, 1);
  const list = element("dl", { class: "facts" });
  const say = (what, value) => list.append(element("div", {}, element("dt", {}, what), element("dd", {}, value)));
  say("mean", number(t.mean));
  say("norm", number(t.norm));
  if (t.zeros) say("zeros", t.zeros === size ? "all" : `${((100 * t.zeros) / size).toFixed(t.zeros / size > 0.1 ? 0 : 1)} %`);
  if (t.strange) say("nan or inf", String(t.strange));
  return list;
}

function symbol(name) { // x1 as x with a small 1
  const [, stem, digits] = name.match(/^(.*?[a-z])(\d*)$/i) ?? [null, name, ""];
  return element("span", {}, element("i", {}, stem), digits ? element("sub", {}, digits) : null);
}

function tensorCard(title, index, notes = [], kind = "") {
  const t = data.tensors[index];
  const head = element("header", {}, title, element("span", { class: "shape" }, `${t.dims} ${t.dtype}`));
  const card = element("section", { class: `tensor ${kind}` }, head);
  if (t.shape.includes(0)) card.append(element("p", { class: "note" }, "no elements"));
  else if (t.whole) card.append(table(t));
  else {
    if (t.heat) card.append(heatmap(t));
    card.append(element("div", { class: "spread" }, histogram(t), facts(t)));
    card.append(element("details", {}, element("summary", {}, "Numbers"), table(t)));
  }
  for (const note of notes) card.append(element("p", { class: "note" }, note));
  return card;
}
