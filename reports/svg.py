"""Charts as SVG: one function for each kind. Colours are classes of the style, and never the only difference.

A chart is 400 units wide, so that its text is readable on a phone. It has a title and a description for those who
cannot see it, and the page shows its data as a table.
"""

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from .document import Bar, Bars, Chart, Histogram, Line, Lines
from .figures import percent
from .safe_text import visible

WIDTH = 400
ROW, GAP = 20, 10
FONT = 12
LETTER = 6.3
"""The width of a letter, about."""
PLOT_HEIGHT, STRIP = 220, 62
LEFT, RIGHT, TOP, BOTTOM = 40, 14, 12, 40
MARKERS = ("circle", "square", "triangle", "diamond")
DIGITS = 1


def svg(chart: Chart, name: str) -> Markup:
    """Return a chart as an SVG element; `name` makes the ids in it unique on the page."""
    if isinstance(chart, Bars):
        body, height = _bars(chart)
    elif isinstance(chart, Histogram):
        body, height = _histogram(chart)
    else:
        body, height = _lines(chart)
    return Markup(
        '<svg viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-t {n}-d" xmlns="http://www.w3.org/2000/svg">'
        '<title id="{n}-t">{title}</title><desc id="{n}-d">{about}</desc>{body}</svg>'
    ).format(w=WIDTH, h=_number(height), n=name, title=visible(chart.title), about=visible(chart.about), body=body)


def _bars(chart: Bars) -> tuple[Markup, float]:
    """Return one bar below the other, each with its label above it, its share after it, and its interval on it."""
    most = max([bar.high or bar.share or 0.0 for bar in chart.bars], default=0.0)
    end = _round_up(most)
    room = WIDTH - 66
    rows = [_bar(bar, i * (2 * ROW - 2) + 4, room / end) for i, bar in enumerate(chart.bars)]
    return Markup("").join(rows), len(chart.bars) * (2 * ROW - 2) + 6


def _bar(bar: Bar, y: float, scale: float) -> Markup:
    label = _text(0, y + FONT, bar.label, "label")
    top = y + FONT + 5
    if bar.share is None:
        return label + _text(0, top + 11, bar.note, "note")
    length = bar.share * scale
    parts = [label, _rect(0, top, max(length, 1.0 if bar.share else 0.0), 12, "bar")]
    end = length
    if bar.low is not None and bar.high is not None:
        low, high, middle = bar.low * scale, bar.high * scale, top + 6
        end = max(end, high)
        parts += [_line(low, middle, high, middle, "whisker")]
        parts += [_line(x, middle - 4, x, middle + 4, "whisker") for x in (low, high)]
    return Markup("").join([*parts, _text(end + 6, top + 10.5, percent(bar.share), "value")])


def _lines(chart: Lines) -> tuple[Markup, float]:
    """Return lines with markers of different shapes and dashes, and their names below the axes."""
    points = [point for line in chart.lines for point in _drawable(line, chart)]
    xs = [x for x, _ in points] or [0.1 if chart.log_x else 0.0, 1.0]
    low, high = (0.0, 1.0) if chart.diagonal else (min(xs), max(xs))
    top = 1.0 if chart.shares else _round_up(max([y for _, y in points], default=1.0))
    across, down = WIDTH - LEFT - RIGHT, PLOT_HEIGHT

    def x_of(value: float) -> float:
        first, last, at = (math.log10(v) for v in (low, high, value)) if chart.log_x else (low, high, value)
        return LEFT + (at - first) / ((last - first) or 1) * across

    def y_of(value: float) -> float:
        return TOP + (1 - value / top) * down

    ticks = [top * i / 4 for i in range(5)]
    parts = [_line(LEFT, y_of(tick), WIDTH - RIGHT, y_of(tick), "grid") for tick in ticks]
    parts += [
        _text(LEFT - 6, y_of(tick) + 4, f"{tick:.0%}" if chart.shares else f"{tick:.3g}", "tick end")
        for tick in ticks
    ]
    parts += [_text(x_of(tick), TOP + down + 16, f"{tick:g}", "tick middle") for tick in _ticks(chart, low, high)]
    parts.append(_text(LEFT + across / 2, TOP + down + 34, chart.x, "axis middle"))
    if chart.diagonal:
        parts.append(_line(x_of(0), y_of(0), x_of(1), y_of(1), "guide"))
    if chart.mark is not None and low <= chart.mark <= high:
        at = x_of(chart.mark)
        parts += [_line(at, TOP, at, TOP + down, "mark"), _text(at + 4, TOP + 10, "now", "tick")]
    for i, line in enumerate(chart.lines):
        parts.append(_one_line([(x_of(x), y_of(y)) for x, y in _drawable(line, chart)], i))
    legend = TOP + down + BOTTOM + 4
    parts += [_legend(line, i, legend + i * 18) for i, line in enumerate(chart.lines)]
    return Markup("").join(parts), legend + len(chart.lines) * 18


def _drawable(line: Line, chart: Lines) -> list[tuple[float, float]]:
    """Return the points that have a place: finite, and above 0 on a logarithmic axis."""
    return [
        (x, y)
        for x, y in line.points
        if y is not None and math.isfinite(x) and math.isfinite(y) and (x > 0 or not chart.log_x)
    ]


def _one_line(points: Sequence[tuple[float, float]], i: int) -> Markup:
    path = " ".join(f"{'L' if n else 'M'}{_number(x)} {_number(y)}" for n, (x, y) in enumerate(points))
    line = Markup('<path d="{}" class="line s{}"/>').format(path, i % len(MARKERS))
    every = max(1, len(points) // 16)
    return line + Markup("").join(_marker(x, y, i) for x, y in points[::every])


def _legend(line: Line, i: int, y: float) -> Markup:
    drawn = Markup('<path d="M{} {}h28" class="line s{}"/>').format(LEFT, _number(y), i % len(MARKERS))
    return drawn + _marker(LEFT + 14, y, i) + _text(LEFT + 36, y + 4, line.name, "label")


def _marker(x: float, y: float, i: int) -> Markup:
    kind, r = MARKERS[i % len(MARKERS)], 3.5
    style = f"marker m{i % len(MARKERS)}"
    if kind == "circle":
        return Markup('<circle cx="{}" cy="{}" r="{}" class="{}"/>').format(_number(x), _number(y), r, style)
    corners = {
        "square": [(-r, -r), (r, -r), (r, r), (-r, r)],
        "triangle": [(0, -r - 1), (r + 1, r), (-r - 1, r)],
        "diamond": [(0, -r - 1.5), (r + 1.5, 0), (0, r + 1.5), (-r - 1.5, 0)],
    }[kind]
    path = " ".join(f"{_number(x + dx)},{_number(y + dy)}" for dx, dy in corners)
    return Markup('<polygon points="{}" class="{}"/>').format(path, style)


def _histogram(chart: Histogram) -> tuple[Markup, float]:
    """Return a strip of columns for each series, each with its name and its highest share."""
    across = WIDTH - 2 * GAP
    parts: list[Markup] = []
    y = 0.0
    for i, (name, shares) in enumerate(chart.series):
        most, wide = max(shares, default=0.0) or 1.0, across / max(len(shares), 1)
        base = y + FONT + 8 + STRIP
        parts.append(_text(GAP, y + FONT + 1, f"{name} (highest column {percent(most)})", "label"))
        for n, share in enumerate(shares):
            tall = share / most * STRIP
            if share:
                parts.append(
                    _rect(GAP + n * wide + 0.75, base - max(tall, 1), wide - 1.5, max(tall, 1), f"bar b{i}")
                )
        parts.append(_line(GAP, base, GAP + across, base, "grid"))
        parts += [_line(GAP + at * across, base - STRIP, GAP + at * across, base, "mark") for at, _ in chart.marks]
        y = base + 6
    parts += [_text(GAP + tick * across, y + 12, f"{tick:g}", "tick middle") for tick in (0, 0.25, 0.5, 0.75, 1)]
    marks = ", ".join(f"{name} cutoff {at:g}" for at, name in chart.marks)
    parts.append(_text(WIDTH / 2, y + 30, f"{chart.x}; dashed: {marks}" if marks else chart.x, "axis middle"))
    return Markup("").join(parts), y + 36


def _ticks(chart: Lines, low: float, high: float) -> Iterator[float]:
    if chart.log_x:
        yield from (
            10**power for power in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high)) + 1)
        )
        return
    step = _round_up((high - low) / 4) if high > low else 1.0
    tick = math.ceil(low / step - 1e-9) * step
    while tick <= high + step * 1e-6:
        yield round(tick, 10)
        tick += step


def _round_up(value: float) -> float:
    """Return the least of 1, 2, 2.5, 5 times a power of ten that is at least `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= value * (1 - 1e-9))


def _text(x: float, y: float, words: str, style: str) -> Markup:
    room = int((WIDTH - x) / LETTER) if "end" not in style and "middle" not in style else 200
    words = visible(words)
    shown = words if len(words) <= room else f"{words[: max(room - 3, 0)]}..."
    return Markup('<text x="{}" y="{}" class="{}">{}</text>').format(_number(x), _number(y), style, shown)


def _rect(x: float, y: float, width: float, height: float, style: str) -> Markup:
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>').format(
        *(_number(value) for value in (x, y, width, height)), escape(style)
    )


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(
        *(_number(value) for value in (x1, y1, x2, y2)), style
    )


def _number(value: float) -> str:
    """Return a coordinate, short and the same on every machine."""
    return f"{value:.{DIGITS}f}".rstrip("0").rstrip(".")
