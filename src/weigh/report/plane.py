"""Figures with two axes: calibration curves, cost against score.

Marks stand at per cents of width and height; the y axis is a column of its own, so nothing needs a script to fit.
The same numbers stand in a table below the figure. Before it: `scale.py`, `rows.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from weigh.report.forest import draw_mark
from weigh.report.rows import isolated, join_markup
from weigh.report.scale import Scale, make_scale
from weigh.report.visible import visible, visible_line

__all__ = ["Point", "Series", "draw_keys", "draw_plane"]

SHAPES = ("dot", "ring", "square", "diamond")


@dataclass(frozen=True)
class Point:
    """A mark with an optional vertical interval, a label beside it and a tip."""

    x: float
    y: float
    tip: str
    low: float | None = None
    high: float | None = None
    label: str = ""


@dataclass(frozen=True)
class Series:
    """Points of one kind; `joined` draws a line through them in order."""

    title: str
    points: tuple[Point, ...]
    joined: bool = False


def draw_plane(
    series: Sequence[Series],
    *,
    title: str,
    x_title: str,
    y_title: str,
    diagonal: bool = False,
    within: Sequence[float] = (),
    keys: bool = True,
) -> Markup:
    """The figure.

    Args:
        diagonal: Draw where x = y, on equal axes.
        within: Values that the axes must hold besides the points: the same for figures that stand side by side.
        keys: Whether to explain the shapes above the figure.
    """
    points = [point for one in series for point in one.points]
    xs = [p.x for p in points]
    ys = [v for p in points for v in (p.y, p.low, p.high)]
    if diagonal:
        x_scale = y_scale = make_scale([*xs, *ys], include=within, log=False)
    else:
        x_scale, y_scale = make_scale(xs), make_scale(ys, log=False)
    parts = [_grid(x_scale, y_scale)]
    if diagonal:
        parts.append(Markup('<line class="reference" x1="0%" y1="100%" x2="100%" y2="0%"/>'))
    for at, one in enumerate(series):
        colour, shape = _look(at)
        parts.append(Markup('<g class="series s{}">{}</g>').format(colour, _series(one, shape, x_scale, y_scale)))
    return Markup(
        '<div class="plot plane{square}" tabindex="0" role="group" aria-label="{title}">'
        '<p class="plot-title"><b>{title}</b> {keys}</p><div class="y-title" aria-hidden="true">{y_title}</div>'
        '<div class="frame" aria-hidden="true"><svg class="y-axis">{y_ticks}</svg><svg class="field">{parts}</svg>'
        '<span></span><svg class="x-axis" height="22">{x_ticks}</svg></div>'
        '<div class="x-title" aria-hidden="true">{x_title}</div></div>'
    ).format(
        square=" square" if diagonal else "",
        title=visible(title),
        keys=draw_keys([one.title for one in series]) if keys else "",
        y_title=visible(y_title),
        x_title=visible(x_title),
        parts=join_markup(parts),
        y_ticks=join_markup(
            Markup('<text x="100%" y="{}%" dy=".35em" text-anchor="end">{}</text>').format(
                _flip(y_scale, t), y_scale.tick_label(t)
            )
            for t in y_scale.ticks
        ),
        x_ticks=join_markup(
            Markup('<text x="{}%" y="15" text-anchor="middle">{}</text>').format(
                x_scale.place(t), x_scale.tick_label(t)
            )
            for t in x_scale.ticks
        ),
    )


def draw_keys(titles: Sequence[str], *, diagonal_label: str = "") -> Markup:
    """What each shape means."""
    parts = [
        Markup(
            '<span class="key"><svg width="16" height="16" aria-hidden="true" class="series s{}">{}</svg>{}</span>'
        ).format(colour, draw_mark(shape, 50, 8), isolated(title))
        for at, title in enumerate(titles)
        if title
        for colour, shape in (_look(at),)
    ]
    if diagonal_label:
        parts.append(Markup('<span class="key"><i class="key-line"></i>{}</span>').format(visible(diagonal_label)))
    return Markup('<span class="keys">{}</span>').format(join_markup(parts)) if parts else Markup("")


def _look(at: int) -> tuple[int, str]:
    """Colour and shape of a series by its number: the first four differ in both, sixteen in one of them; then they come again."""
    return at % 4, SHAPES[(at + at // 4) % 4]


def _flip(scale: Scale, value: float) -> float:
    return round(100 - scale.place(value), 2)


def _grid(x_scale: Scale, y_scale: Scale) -> Markup:
    vertical = (
        Markup('<line class="grid" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(x_scale.place(t))
        for t in x_scale.ticks
    )
    level = (
        Markup('<line class="grid" x1="0" x2="100%" y1="{0}%" y2="{0}%"/>').format(_flip(y_scale, t))
        for t in y_scale.ticks
    )
    return join_markup([*vertical, *level])


def _series(one: Series, mark: str, x_scale: Scale, y_scale: Scale) -> Markup:
    at = [(x_scale.place(p.x), _flip(y_scale, p.y)) for p in one.points]
    parts = []
    if one.joined:
        parts += [
            Markup('<line class="join" x1="{}%" y1="{}%" x2="{}%" y2="{}%"/>').format(*a, *b) for a, b in pairwise(at)
        ]
    labelled: list[tuple[float, float]] = []
    for point, (x, y) in zip(one.points, at, strict=True):
        inner = []
        if point.low is not None and point.high is not None:
            inner.append(
                Markup('<line class="range" x1="{0}%" x2="{0}%" y1="{1}%" y2="{2}%"/>').format(
                    x, _flip(y_scale, point.low), _flip(y_scale, point.high)
                )
            )
        inner.append(draw_mark(mark, x, f"{y}%"))
        if point.label:
            crowded = any(abs(x - a) < 30 and abs(y - b) < 8 for a, b in labelled)
            labelled.append((x, y))
            inner.append(
                Markup('<text class="label" x="{}%" y="{}%" dx="{}" dy="{}" text-anchor="{}">{}</text>').format(
                    x,
                    y,
                    *(
                        (-10, "1.5em")
                        if x > 55 and crowded
                        else (-10, "-.7em")
                        if x > 55
                        else (10, "1.5em")
                        if crowded
                        else (10, "-.7em")
                    ),
                    "end" if x > 55 else "start",
                    visible_line(point.label),
                )
            )
        parts.append(Markup('<g data-tip="{}">{}</g>').format(visible_line(point.tip), join_markup(inner)))
    return join_markup(parts)
