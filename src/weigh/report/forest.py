"""Rows of intervals (a forest plot) that are a table at the same time.

Every row is label | track | numbers. The track is a small SVG whose marks stand at per cents of its width; the
numbers beside it say the same to a reader who cannot see the track. Before it: `scale.py`, `rows.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup
from rich.cells import cell_len

from weigh.report.rows import isolated, join_markup
from weigh.report.scale import Scale, make_scale
from weigh.report.visible import visible, visible_line
from weigh.report.words import say

__all__ = ["Bar", "Dot", "draw_forest", "draw_mark", "lanes"]

HEIGHT, DOTS_HEIGHT = 26, 24
WIDE = 14  # columns of a label that leave no room for numbers beside it on a phone


@dataclass(frozen=True)
class Dot:
    """A single run: a small mark; `tip` is read on hover; `lane` (0 to 1) spreads dots over the height."""

    value: float
    tip: str
    lane: float = 0.5


@dataclass(frozen=True)
class Bar:
    """One row.

    Attributes:
        label: Plain text. `small` stands under it.
        value, low, high: Drawn where they exist.
        note: Short plain text after the numbers ("n 2099", "better").
        shape: "dot", "square", "diamond" or "ring": told apart without colour.
        quiet: Drawn in grey (controls).
        head: A row that only names the rows after it.
    """

    label: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    small: str = ""
    note: str = ""
    shape: str = "dot"
    quiet: bool = False
    head: bool = False
    dots: tuple[Dot, ...] = field(default=())


def draw_forest(
    bars: Sequence[Bar],
    *,
    title: str,
    language: str,
    label_title: str,
    axis_title: str,
    reference: float | None = None,
    reference_label: str = "",
    band: tuple[float, float] | None = None,
    band_label: str = "",
) -> Markup:
    """The table. `reference` is a line (zero, the majority class), `band` a shaded range (practical equivalence)."""
    values = [v for bar in bars for v in (bar.value, bar.low, bar.high, *(dot.value for dot in bar.dots))]
    scale = make_scale(values, include=[*([] if reference is None else [reference]), *(band or ())], log=False)
    ground = _ground(scale, reference, band)
    body = join_markup(_row(bar, scale, ground) for bar in bars)
    keys = []
    if reference is not None and reference_label:
        keys.append(_key("line", f"{reference_label} {scale.write(reference)}"))
    if band is not None and band_label:
        keys.append(_key("band", f"{band_label} [{scale.write(band[0], *band)}, {scale.write(band[1], *band)}]"))
    return Markup(
        '<div class="plot" tabindex="0" role="group" aria-label="{title}">'
        '<table class="forest" role="table"><caption><b>{title}</b>{keys}</caption>'
        '<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">{label}</th>'
        '<th scope="col" role="columnheader" class="axis-title">{axis}</th>'
        '<th scope="col" role="columnheader"><span class="unseen">{numbers}</span></th>'
        '<th scope="col" role="columnheader"><span class="unseen">{notes}</span></th></tr></thead>'
        '<tbody role="rowgroup">{body}</tbody>'
        '<tfoot aria-hidden="true"><tr><td></td><td class="track"><svg height="22">{ticks}</svg></td><td></td><td></td></tr></tfoot>'
        "</table></div>"
    ).format(
        title=visible(title),
        keys=Markup(' <span class="keys">{}</span>').format(join_markup(keys)) if keys else "",
        label=visible(label_title),
        axis=visible(axis_title),
        numbers=say("value_and_interval", language),
        notes=say("note", language),
        body=body,
        ticks=join_markup(_tick(scale.place(tick), scale.tick_label(tick)) for tick in scale.ticks),
    )


def _key(mark: str, words: str) -> Markup:
    return Markup('<span class="key"><i class="key-{}"></i>{}</span>').format(mark, visible(words))


def _row(bar: Bar, scale: Scale, ground: Markup) -> Markup:
    small = Markup("<small>{}</small>").format(isolated(bar.small)) if bar.small else ""
    if bar.head:
        return Markup(
            '<tr role="row" class="head"><th scope="rowgroup" role="rowheader" colspan="4">{}{}</th></tr>'
        ).format(isolated(bar.label), small)
    height = HEIGHT + (DOTS_HEIGHT if bar.dots else 0)
    marks = [_interval(bar, scale)] if bar.value is not None else []
    for dot in bar.dots:
        y = HEIGHT - 2 + round(dot.lane * (DOTS_HEIGHT - 6), 1)
        if bar.value is None:
            y = round(5 + dot.lane * (height - 10), 1)
        marks.append(
            Markup('<circle class="run" cx="{}%" cy="{}" r="3" data-tip="{}"/>').format(
                scale.place(dot.value), y, visible_line(dot.tip)
            )
        )
    return Markup(
        '<tr role="row"{quiet}><th scope="row" role="rowheader">{label}{small}</th>'
        '<td role="cell" class="track"><svg class="ground" aria-hidden="true">{ground}</svg>'
        '<svg height="{height}" aria-hidden="true">{marks}</svg></td>'
        '<td role="cell" class="numbers">{numbers}</td><td role="cell" class="note">{note}</td></tr>'
    ).format(
        quiet=_classes(bar),
        label=isolated(bar.label),
        small=small,
        height=height,
        ground=ground,
        marks=join_markup(marks),
        numbers=_numbers(bar, scale),
        note=visible(bar.note),
    )


def _classes(bar: Bar) -> Markup:
    names = [name for name, holds in (("control", bar.quiet), ("wide", cell_len(bar.label) > WIDE)) if holds]
    return Markup(' class="{}"').format(" ".join(names)) if names else Markup("")


def _numbers(bar: Bar, scale: Scale) -> Markup:
    if bar.value is None:
        return Markup("")
    if bar.low is None or bar.high is None:
        return Markup("<b>{}</b>").format(scale.write(bar.value))
    return Markup('<b>{}</b> <span class="ci">[{}, {}]</span>').format(*_written(bar, scale))


def _written(bar: Bar, scale: Scale) -> list[str]:
    """Value, low and high: an end is never rounded so far that it changes its side of zero."""
    return [scale.write(number, bar.low, bar.high) for number in (bar.value, bar.low, bar.high)]


def _interval(bar: Bar, scale: Scale) -> Markup:
    """The line from low to high and the mark of the value, with one tip for both."""
    y = HEIGHT / 2
    value, low, high = _written(bar, scale)
    tip = f"{bar.label}: {value}"
    line = Markup("")
    if bar.low is not None and bar.high is not None:
        tip += f" [{low}, {high}]"
        line = Markup('<line class="range" x1="{}%" x2="{}%" y1="{}" y2="{}"/>').format(
            scale.place(bar.low), scale.place(bar.high), y, y
        )
    if bar.note:
        tip += f" ({bar.note})"
    return Markup('<g data-tip="{}">{}{}</g>').format(
        visible_line(tip), line, draw_mark(bar.shape, scale.place(bar.value or 0.0), y)
    )


def draw_mark(name: str, x: float, y: float | str) -> Markup:
    """A mark at `x` per cent; `y` in pixels, or a text with its own unit."""
    paths = {
        "square": Markup('<rect x="-5" y="-5" width="10" height="10"/>'),
        "diamond": Markup('<path d="M0-7 7 0 0 7-7 0Z"/>'),
        "ring": Markup('<circle r="5" class="hollow"/>'),
        "dot": Markup('<circle r="5.5"/>'),
    }
    return Markup('<svg class="mark {}" x="{}%" y="{}">{}</svg>').format(
        name if name in paths else "dot", x, y, paths.get(name, paths["dot"])
    )


def _ground(scale: Scale, reference: float | None, band: tuple[float, float] | None) -> Markup:
    """What stands behind the marks of every row: grid, band, reference line."""
    parts = []
    if band is not None:
        left, right = scale.place(band[0]), scale.place(band[1])
        parts.append(
            Markup('<rect class="band" x="{}%" width="{}%" y="0" height="100%"/>').format(left, round(right - left, 2))
        )
    parts += [
        Markup('<line class="grid" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(scale.place(tick))
        for tick in scale.ticks
    ]
    if reference is not None:
        parts.append(
            Markup('<line class="reference" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(scale.place(reference))
        )
    return join_markup(parts)


def _tick(x: float, label: str) -> Markup:
    anchor = "start" if x < 4 else "end" if x > 96 else "middle"
    return Markup('<text x="{}%" y="15" text-anchor="{}">{}</text>').format(x, anchor, label)


def lanes(keys: Iterable[object]) -> dict[object, float]:
    """Each distinct key (a repeat) gets its own lane between 0 and 1, so that equal scores do not hide each other."""
    distinct = sorted(set(keys), key=str)
    return {key: (at + 0.5) / len(distinct) for at, key in enumerate(distinct)}
