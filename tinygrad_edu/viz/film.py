"""Storyboards as moving pictures: SVG that any browser plays, GIF that any slide does."""

import io
from dataclasses import dataclass
from html import escape
from typing import Any

from .layout import Curve, Layout, Rectangle
from .storyboard import WIDTH, Badge, Flow, Mark, Page, Storyboard, Veil

__all__ = ["as_gif", "as_svg", "fits_slide"]

MARGIN = 12.0  # around Graphviz' picture, in points: room for frames and badges
PAD = MARGIN + 4.0  # with Graphviz' own margin
SIZE, LEADING = 11.0, 16.0  # of the page's text


@dataclass(frozen=True)
class _Stage:
    """How picture and page stand together. Of a picture that is too large a window shows what it is about."""

    width: float
    height: float
    window: tuple[float, float]  # the size of what is seen of the picture
    corners: tuple[tuple[float, float], ...]  # of the window in the picture, for each frame
    page: tuple[float, float]

    @classmethod
    def of(cls, layout: Layout, board: Storyboard) -> "_Stage":
        full = layout.width + 2 * PAD, layout.height + 2 * PAD
        wide, high = min(full[0], SEEN[0]), min(full[1], SEEN[1])
        lines = max(len(page.lines) for page in board.pages)
        page_wide, page_high = WIDTH * 0.602 * SIZE + 30, (lines + 3) * LEADING
        corners = tuple(
            [
                (_clamp(p.x + PAD + p.width / 2 - wide / 2, full[0] - wide),
                 _clamp(p.y + PAD + p.height / 2 - high / 2, full[1] - high))
                for p in board.focus
            ]
        )  # fmt: skip
        if wide > 0.8 * SEEN[0]:
            return cls(max(wide, page_wide), high + page_high, (wide, high), corners, (16.0, high))
        return cls(wide + page_wide, max(high, page_high), (wide, high), corners, (wide + 10, 0.0))


SEEN = (860.0, 500.0)  # the most points of a picture that are shown at a time


def _clamp(x: float, most: float) -> float:
    return round(max(0.0, min(x, most)), 1)


def fits_slide(layout: Layout) -> float:
    """Return how large a picture comes out on a slide of 16 : 9, beside its page or above it."""
    width, height = layout.width + 2 * PAD, layout.height + 2 * PAD
    return min(10 / width, 9 / height) if width < height else min(16 / width, 5 / height)


def _durations(board: Storyboard, seconds: float) -> list[float]:
    """Return how long each frame stays: the first and the last, which are read, twice as long."""
    return [seconds * (2 if i in (0, board.frames - 1) else 1) for i in range(board.frames)]


def as_svg(svg: str, layout: Layout, board: Storyboard, seconds: float) -> str:
    """Put the storyboard over a picture; it plays for ever, in any browser and without a script."""
    times = [0.0]
    for duration in _durations(board, seconds):
        times.append(times[-1] + duration)

    def shown(start: int, stop: int) -> str:
        """Switch on and off in each round."""
        if start == 0 and stop >= board.frames:
            return ""
        keys = [("hidden", 0.0)] if start else []
        keys.append(("visible", times[start] / times[-1]))
        if stop < board.frames:
            keys.append(("hidden", times[stop] / times[-1]))
        values = ";".join(value for value, _ in keys)
        moments = ";".join(f"{moment:.5g}" for _, moment in keys)
        return (
            f'<animate attributeName="visibility" calcMode="discrete" values="{values}" keyTimes="{moments}" '
            f'dur="{times[-1]:g}s" repeatCount="indefinite"/>'
        )

    stage = _Stage.of(layout, board)
    parts: dict[bool, list[str]] = {True: [], False: []}
    for item in board.items:
        first = "visible" if item.start == 0 else "hidden"
        drawn = f'<g visibility="{first}">{shown(item.start, item.stop)}{_svg_of(item, *stage.page)}</g>'
        parts[isinstance(item, Page)].append(drawn)
    inner = svg[svg.index("<svg") :]
    inner = inner[inner.index(">") + 1 : inner.rindex("</svg>")]
    wide, high = stage.window
    views = [f"{x:g} {y:g} {wide:g} {high:g}" for x, y in stage.corners]
    moves = ";".join(f"{moment / times[-1]:.5g}" for moment in times[:-1])
    travel = (
        f'<animate attributeName="viewBox" calcMode="discrete" values="{";".join(views)}" keyTimes="{moves}" '
        f'dur="{times[-1]:g}s" repeatCount="indefinite"/>'
        if len(set(views)) > 1
        else ""
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" '
        f'width="{stage.width:.0f}pt" height="{stage.height:.0f}pt" '
        f'viewBox="0 0 {stage.width:.2f} {stage.height:.2f}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n'
        f'<svg width="{wide:g}" height="{high:g}" viewBox="{views[0]}">{travel}\n'
        f'<g transform="translate({MARGIN:g} {MARGIN:g})">{inner}</g>\n{chr(10).join(parts[False])}\n</svg>\n'
        f"{chr(10).join(parts[True])}\n</svg>\n"
    )


def _svg_of(item: Any, left: float, top: float) -> str:
    if isinstance(item, Page):
        y = top + 2 * LEADING
        lines = [
            f'<text x="{left:.1f}" y="{y:.1f}" font-size="{SIZE + 3:g}" font-weight="bold" '
            f'fill="{item.colour}">{escape(item.title)}</text>'
        ]
        for i, line in enumerate(item.lines, start=1):
            lines.append(
                f'<text x="{left:.1f}" y="{y + (i + 0.3) * LEADING:.1f}" font-size="{SIZE:g}" '
                f'xml:space="preserve">{escape(line)}</text>'
            )
        return "".join(lines)
    if isinstance(item, Flow):
        path = f"{item.curve.path} L{item.curve.tip[0]:g},{item.curve.tip[1]:g}"
        points = _polygon(_head(item.curve, item.back))
        own = f'<polygon points="{_polygon(_head(item.curve, False))}" fill="white"/>' if item.back else ""
        return (
            f'{own}<path d="{path}" transform="translate({PAD:g} {PAD:g})" fill="none" '
            f'stroke="{item.colour}" stroke-width="3"/><polygon points="{points}" fill="{item.colour}"/>'
        )
    x, y, w, h = item.place.x + PAD, item.place.y + PAD, item.place.width, item.place.height
    if isinstance(item, Badge):
        bx, by, bw, bh = _badge(item)
        return (
            f'<rect x="{bx:.1f}" y="{by:.1f}" width="{bw:.1f}" height="{bh:.1f}" rx="4" fill="white" '
            f'stroke="{item.colour}"/><text x="{bx + bw / 2:.1f}" y="{by + bh - 4:.1f}" font-size="10" '
            f'text-anchor="middle" fill="{item.colour}">{escape(item.text)}</text>'
        )
    if isinstance(item, Veil):
        return (
            f'<rect x="{x - 1:.1f}" y="{y - 1:.1f}" width="{w + 2:.1f}" height="{h + 2:.1f}" '
            'fill="white" opacity="0.7"/>'
        )
    assert isinstance(item, Mark)
    return (
        f'<rect x="{x - 2:.1f}" y="{y - 2:.1f}" width="{w + 4:.1f}" height="{h + 4:.1f}" rx="6" fill="none" '
        f'stroke="{item.colour}" stroke-width="{4 if item.strong else 1.5}"/>'
    )


def _polygon(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x + PAD:.1f},{y + PAD:.1f}" for x, y in points)


def _badge(item: Badge) -> tuple[float, float, float, float]:
    """Return where a number stands: over the right end of the box's lower or upper edge."""
    width, height = 6.02 * len(item.text) + 8, 14.0
    place: Rectangle = item.place
    x = PAD + place.x + max(place.width + 12 - width, 0)
    y = PAD + place.y + (0 if item.upper else place.height) - height / 2
    return x, y, width, height


def _head(curve: Curve, back: bool) -> list[tuple[float, float]]:
    """Return the triangle of an arrow's head: at its tip, or for what goes back at its other end."""
    (x, y), (from_x, from_y) = (curve.points[0], curve.points[1]) if back else (curve.tip, curve.points[-1])
    dx, dy = x - from_x, y - from_y
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    dx, dy = dx / length, dy / length
    bx, by = x - 9 * dx, y - 9 * dy
    return [(x, y), (bx - 5 * dy, by + 5 * dx), (bx + 5 * dy, by - 5 * dx)]


def as_gif(png: bytes, layout: Layout, board: Storyboard, seconds: float, width: int) -> bytes:
    """Draw the frames over a picture, at most ``width`` pixels wide."""
    from PIL import Image

    stage = _Stage.of(layout, board)
    scale = min(2.0, width / stage.width)
    own = 2 * (PAD - MARGIN)
    size = round((layout.width + own) * scale), round((layout.height + own) * scale)
    picture = Image.open(io.BytesIO(png)).convert("RGB").resize(size, Image.Resampling.LANCZOS)
    base = Image.new("RGB", [n + round(2 * MARGIN * scale) for n in size], "white")
    base.paste(picture, (round(MARGIN * scale), round(MARGIN * scale)))
    fonts = _Fonts(scale)
    frames = [_frame(base, stage, board, i, scale, fonts) for i in range(board.frames)]
    # One palette for all, so that a frame stores only what has changed in it.
    sample = Image.new("RGB", (frames[0].width, frames[0].height * 3))
    for i, number in enumerate((0, len(frames) // 3, len(frames) - 2)):
        sample.paste(frames[number], (0, i * frames[0].height))
    palette = sample.quantize(64)
    quantized = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    out = io.BytesIO()
    quantized[0].save(
        out,
        "GIF",
        save_all=True,
        append_images=quantized[1:],
        duration=[round(1000 * duration) for duration in _durations(board, seconds)],
        loop=0,
        optimize=False,
    )
    return out.getvalue()


class _Fonts:
    """DejaVu's, which matplotlib brings: it has the signs of formulas."""

    def __init__(self, scale: float) -> None:
        from pathlib import Path

        import matplotlib
        from PIL import ImageFont

        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self.text = ImageFont.truetype(str(folder / "DejaVuSansMono.ttf"), SIZE * scale)
        self.title = ImageFont.truetype(str(folder / "DejaVuSansMono-Bold.ttf"), (SIZE + 3) * scale)
        self.badge = ImageFont.truetype(str(folder / "DejaVuSansMono.ttf"), 10 * scale)


def _frame(base: Any, stage: _Stage, board: Storyboard, number: int, scale: float, fonts: _Fonts) -> Any:
    from PIL import Image, ImageDraw

    frame = base.copy()
    veil = Image.new("RGB", base.size, "white")
    mask = Image.new("L", base.size, 0)
    shade = ImageDraw.Draw(mask)
    now = [item for item in board.items if item.start <= number < item.stop]
    for item in now:
        if isinstance(item, Veil):
            shade.rectangle(_corners(item.place, 1, scale), fill=178)
    frame.paste(veil, (0, 0), mask)
    pen = ImageDraw.Draw(frame)
    for item in now:
        if isinstance(item, Mark):
            line = max(1, round((4 if item.strong else 1.5) * scale))
            pen.rounded_rectangle(_corners(item.place, 4, scale), 6 * scale, outline=item.colour, width=line)
        elif isinstance(item, Flow):
            points = [((x + PAD) * scale, (y + PAD) * scale) for x, y in _points(item.curve)]
            if item.back:  # the arrow's own head is in the way
                own = [((x + PAD) * scale, (y + PAD) * scale) for x, y in _head(item.curve, False)]
                pen.polygon(own, fill="white")
            pen.line(points, fill=item.colour, width=round(3 * scale), joint="curve")
            head = [((x + PAD) * scale, (y + PAD) * scale) for x, y in _head(item.curve, item.back)]
            pen.polygon(head, fill=item.colour)
        elif isinstance(item, Badge):
            x, y, w, h = (v * scale for v in _badge(item))
            pen.rounded_rectangle((x, y, x + w, y + h), 4 * scale, "white", item.colour, max(1, round(scale)))
            pen.text((x + w / 2, y + h / 2), item.text, item.colour, fonts.badge, anchor="mm")
    (x, y), (wide, high) = stage.corners[number], stage.window
    window = frame.crop(tuple(round(v * scale) for v in (x, y, x + wide, y + high)))
    whole = Image.new("RGB", (round(stage.width * scale), round(stage.height * scale)), "white")
    whole.paste(window, (0, 0))
    pen = ImageDraw.Draw(whole)
    left, top = stage.page[0], stage.page[1] + 2 * LEADING
    for page in board.pages:
        if page.start <= number < page.stop:
            pen.text((left * scale, top * scale), page.title, page.colour, fonts.title, anchor="ls")
            for i, text in enumerate(page.lines, start=1):
                place = left * scale, (top + (i + 0.3) * LEADING) * scale
                pen.text(place, text, "#222222", fonts.text, anchor="ls")
    return whole


def _corners(place: Rectangle, margin: float, scale: float) -> tuple[float, float, float, float]:
    x, y = place.x + PAD - margin, place.y + PAD - margin
    right, low = x + place.width + 2 * margin, y + place.height + 2 * margin
    return x * scale, y * scale, right * scale, low * scale


def _points(curve: Curve) -> list[tuple[float, float]]:
    """Return points along an arrow's Bézier curves, close enough to look like one."""
    found = [curve.points[0]]  # and the head's tip at the end
    for i in range(0, len(curve.points) - 3, 3):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = curve.points[i : i + 4]
        for k in range(1, 13):
            t = k / 12
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            found.append((a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy))
    return [*found, curve.tip]
