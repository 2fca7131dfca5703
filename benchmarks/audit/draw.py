"""Two small pictures of the audit, as SVG: false claims per design, and coverage against width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["dots"]

ROW, LEFT, WIDTH, TOP = 14, 210, 760, 40
COLOURS = ("#1b6ca8", "#c8553d", "#8a8a8a", "#5b8c5a")
SHAPES = ("circle", "square", "diamond", "cross")


def dots(
    title: str,
    rows: Mapping[str, Sequence[float]],
    names: Sequence[str],
    *,
    low: float,
    high: float,
    lines: Sequence[float],
    unit: str = " %",
) -> str:
    """One row per design, one mark per rule; `lines` are drawn down the page. Values beyond the axis stand at its end.

    Marks differ by shape as well as by colour.
    """
    height = TOP + ROW * len(rows) + 40

    def x(value: float) -> float:
        return LEFT + (min(max(value, low), high) - low) / (high - low) * (WIDTH - LEFT - 20)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="16" font-size="12" font-weight="bold">{escape(title)}</text>',
    ]
    for i, name in enumerate(names):
        out.append(_mark(i, 220 + 170 * i, 30) + f'<text x="{229 + 170 * i}" y="33">{escape(name)}</text>')
    bottom = TOP + ROW * len(rows)
    for value in lines:
        out.append(
            f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP}" y2="{bottom}" stroke="#333" stroke-dasharray="3 3"/>'
            f'<text x="{x(value):.1f}" y="{bottom + 14}" text-anchor="middle">{value:g}{unit}</text>'
        )
    for r, (name, values) in enumerate(rows.items()):
        y = TOP + ROW * r + ROW / 2
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eeeeee"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 3:.1f}" text-anchor="end">{escape(name)}</text>')
        out += [_mark(i, x(v), y) for i, v in enumerate(values) if v == v]
    return "\n".join([*out, "</svg>\n"])


def _mark(kind: int, x: float, y: float) -> str:
    colour, shape = COLOURS[kind % len(COLOURS)], SHAPES[kind % len(SHAPES)]
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{colour}"/>'
    if shape == "square":
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{colour}"/>'
    if shape == "diamond":
        return f'<path d="M{x:.1f} {y - 4:.1f}l4 4l-4 4l-4 -4z" fill="{colour}"/>'
    return f'<path d="M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6" stroke="{colour}" stroke-width="1.6"/>'
