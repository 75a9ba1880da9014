// Where everything stands. Each level comes from Graphviz with its modules folded. An opened module needs more
// room than that, so the level around it is stretched: along each axis by a map that never decreases, so that
// what stood beside or below still does, and nothing comes to overlap.

const PAD = 16, TOP = 32; // room between a frame and what is in it

function stretcher(spans) { // spans: [from, to, how much longer this has to become]
  const cuts = [...new Set(spans.flatMap(([from, to]) => [from, to]))].sort((a, b) => a - b);
  const pieces = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [from, to] = [cuts[i], cuts[i + 1]];
    // Modules side by side share the room: what the one that needs most gets is enough for all.
    const density = Math.max(0, ...spans.filter(([a, b]) => a <= from && b >= to).map(([a, b, more]) => more / (b - a)));
    pieces.push([from, to, density]);
  }
  return (at) => pieces.reduce((moved, [from, to, density]) => moved + density * (Math.min(Math.max(at, from), to) - from), at);
}

function headerWidth(id) {
  return modules.get(id).label[0].length * 7.6 + 36;
}

function arrange(id) { // a level with the opened ones in it: its size, its maps and the sizes of its items
  const level = levels[id];
  const inner = new Map();
  const across = [], down = [];
  for (const child of modules.get(id).modules) {
    if (!state.open.has(child)) continue;
    const inside = arrange(child);
    inner.set(child, inside);
    const [x, y, w, h] = level.items[child];
    across.push([x - w / 2, x + w / 2, Math.max(0, inside.outer[0] - w)]);
    down.push([y - h / 2, y + h / 2, Math.max(0, inside.outer[1] - h)]);
  }
  const X = stretcher(across), Y = stretcher(down);
  const [width, height] = [X(level.width), Y(level.height)];
  const wide = Math.max(width, headerWidth(id));
  // The rank of a level's ports is room enough by itself.
  const items = Object.keys(level.items);
  const top = items.some((item) => item.startsWith("in:")) ? 20 : TOP;
  const bottom = items.some((item) => item.startsWith("out:")) ? 2 : PAD;
  return { id, level, inner, X, Y, width, height, top, shift: (wide - width) / 2, outer: [wide + 2 * PAD, height + top + bottom] };
}

function layout() { // rectangles {left, top, width, height} and curves, all in the coordinates of the whole
  const rects = new Map(), ports = new Map(), curves = [];
  const whole = arrange(WHOLE);

  function place(part, left, top) { // left and top of the level's own coordinates
    part.left = left + part.shift;
    part.top = top;
    for (const [item, [x, y, w, h]] of Object.entries(part.level.items)) {
      const cx = part.left + part.X(x), cy = part.top + part.Y(y);
      if (item.includes(":")) { ports.set(`${part.id} ${item}`, cx); continue; }
      const inside = part.inner.get(item);
      const [width, height] = inside ? inside.outer : [w, h];
      rects.set(item, { left: cx - width / 2, top: cy - height / 2, width, height, cx, cy, open: !!inside });
      if (inside) place(inside, cx - width / 2 + PAD, cy - height / 2 + inside.top);
    }
  }

  function anchor(part, item, port, x, y, leaving) { // where a curve's end really is, of one laid out at x, y
    if (item.includes(":")) { // a port of the level itself lies on its frame
      const frame = rects.get(part.id);
      const at = ports.get(`${part.id} ${item}`);
      return [at, item.startsWith("in:") ? frame.top : frame.top + frame.height];
    }
    const rect = rects.get(item);
    if (rect.open) { // the port inside an opened module
      const at = ports.get(`${item} ${port}`);
      return [at, leaving ? rect.top + rect.height : rect.top];
    }
    const [cx, cy] = part.level.items[item];
    return [rect.cx + x - cx, rect.cy + y - cy];
  }

  function connect(part) {
    for (const edge of part.level.edges) {
      const points = [];
      for (let i = 0; i < edge.points.length; i += 2)
        points.push([part.left + part.X(edge.points[i]), part.top + part.Y(edge.points[i + 1])]);
      const n = points.length;
      // Each end is moved to where it belongs, and the control point next to it as far.
      const ends = [[0, 1, edge.source, edge.leaves, true], [n - 1, n - 2, edge.target, edge.enters, false]];
      for (const [end, beside, item, port, leaving] of ends) {
        const [x, y] = anchor(part, item, port, edge.points[2 * end], edge.points[2 * end + 1], leaving);
        const [dx, dy] = [x - points[end][0], y - points[end][1]];
        points[end] = [x, y];
        points[beside] = [points[beside][0] + dx, points[beside][1] + dy];
      }
      const text = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`);
      const rect = rects.get(edge.target);
      const head = rect !== undefined && !rect.open;
      const start = rects.get(edge.source);
      const tail = start !== undefined && !start.open;
      curves.push({ edge, path: `M${text[0]}C${text.slice(1).join(" ")}`, head, tail });
    }
    for (const inside of part.inner.values()) connect(inside);
  }

  place(whole, 0, 0);
  connect(whole);
  return { rects, curves, width: whole.width + 2 * whole.shift, height: whole.height };
}
