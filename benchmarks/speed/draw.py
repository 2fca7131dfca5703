"""A picture of growth as SVG: a panel for each thing that grows; seconds and memory against it, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

__all__ = ["Line", "Panel", "panels"]

PANEL, GAP, HEIGHT, TOP, BOTTOM = 230, 62, 190, 64, 44
COLOURS = ("#1b6ca8", "#c8553d", "#5b8c5a")


class Line(NamedTuple):
    """A named series: `(x, y)` points, all above zero."""

    name: str
    points: Sequence[tuple[float, float]]


class Panel(NamedTuple):
    """What grows, and lines against it."""

    title: str
    lines: Sequence[Line]


def panels(title: str, given: Sequence[Panel], unit: str) -> str:
    """Panels side by side with one vertical scale; lines differ by colour and by mark."""
    values = [y for panel in given for line in panel.lines for _, y in line.points if y > 0]
    low, high = _decades(values)
    width = GAP + len(given) * (PANEL + GAP)
    total = TOP + HEIGHT + BOTTOM
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" height="{total}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{total}" fill="#ffffff"/>',
        f'<text x="8" y="16" font-size="12" font-weight="bold">{escape(title)}</text>',
    ]
    for i, line in enumerate(given[0].lines if given else ()):
        x = 14 + 190 * i
        out.append(_mark(i, x, 33) + f'<text x="{x + 9}" y="36">{escape(line.name)}</text>')
    for i, panel in enumerate(given):
        out += _panel(panel, GAP + i * (PANEL + GAP), low, high, unit)
    return "\n".join([*out, "</svg>\n"])


def _panel(panel: Panel, left: float, low: int, high: int, unit: str) -> list[str]:
    across = sorted({x for line in panel.lines for x, _ in line.points})
    first, last = math.log10(across[0]), math.log10(across[-1])

    def at(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - first) / ((last - first) or 1)
        up = (math.log10(max(y, 10.0**low)) - low) / (high - low)
        return left + 10 + share * (PANEL - 20), TOP + (1 - up) * HEIGHT

    out = [f'<text x="{left}" y="{TOP - 8}" font-weight="bold">{escape(panel.title)}</text>']
    for decade in range(low, high + 1):
        y = at(across[0], 10.0**decade)[1]
        out.append(f'<line x1="{left}" x2="{left + PANEL}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        out.append(f'<text x="{left - 5}" y="{y + 3:.1f}" text-anchor="end">{10.0**decade:g}{unit}</text>')
    for x in across:
        out.append(f'<text x="{at(x, 1)[0]:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{_short(x)}</text>')
    for i, line in enumerate(panel.lines):
        points = [at(x, y) for x, y in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[i % len(COLOURS)]}" stroke-width="1.4"/>')
        out += [_mark(i, x, y) for x, y in points]
    return out


def _decades(values: Sequence[float]) -> tuple[int, int]:
    if not values:
        return 0, 1
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _short(x: float) -> str:
    return f"{x / 1000:g}k" if x >= 1000 else f"{x:g}"


def _mark(kind: int, x: float, y: float) -> str:
    colour = COLOURS[kind % len(COLOURS)]
    if kind % 3 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" fill="{colour}"/>'
    if kind % 3 == 1:
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{colour}"/>'
    return f'<path d="M{x:.1f} {y - 4:.1f}l4 4l-4 4l-4 -4z" fill="{colour}"/>'
