"""How each kind of figure is drawn: `Figure.kind` -> a drawing of numbers.

Findings hand over flat rows; here they become a forest of intervals, a plane of points or a table. An unknown kind
is shown as a table, a missing key leaves a gap: a report never fails for a figure. Why the drawings are our own SVG and
not Vega-Lite: `docs/decisions/report.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from weigh.findings.model import Figure
from weigh.report.forest import Bar, Dot, draw_forest, lanes
from weigh.report.grids import draw_classes, draw_confusion, draw_matrix
from weigh.report.plane import Point, Series, draw_plane
from weigh.report.quantities import number
from weigh.report.rows import field_title, plain_label, table_of, written_value
from weigh.report.scale import finite
from weigh.report.visible import visible
from weigh.report.words import STAGES, say

__all__ = ["DRAWINGS", "draw_figure"]

ROWS_DRAWN = 200  # rows of intervals that a reader can take in; all stand in the table
DOTS_DRAWN = 600
STAGE_SHAPES = {"train": "ring", "cv": "dot", "cross-validation": "dot", "test": "square", "shuffled": "dot"}
Row = dict[str, Any]


def draw_figure(figure: Figure, language: str) -> Markup:
    """The figure as HTML: a drawing, and its numbers as a folded table where the drawing does not show them all."""
    drawing = DRAWINGS.get(figure.kind)
    title = figure.title.render(language)
    if not figure.rows:
        return Markup("")
    if drawing is None:
        return Markup('<figure class="figure">{}</figure>').format(
            table_of(figure.rows, language, caption=title, figure=figure)
        )
    drawn = drawing(figure, language)
    numbers = Markup("")
    if figure.kind not in ("confusion", "matrix", "classes"):
        numbers = Markup('<details class="long"><summary>{}</summary>{}</details>').format(
            say("all_numbers", language), table_of(figure.rows, language, caption=title, figure=figure)
        )
    return Markup('<figure class="figure {}">{}{}</figure>').format(figure.kind, drawn, numbers)


def _scores(figure: Figure, language: str) -> Markup:
    """Candidates with an interval; a small mark for every run (rows with a fold or a repeat)."""
    bars = []
    for rows in _grouped(figure.rows, "candidate", "label"):
        totals = [row for row in rows if not _is_run(row)]
        dots = _dots([row for row in rows if _is_run(row)], language)
        for total in totals or [rows[0] | {"value": None}]:
            bars.append(_bar(total, language, dots=dots))
            dots = ()
    return _forest(figure, bars, language, first="candidate")


def _differences(figure: Figure, language: str) -> Markup:
    """Pairs with an interval against zero, the region of practical equivalence shaded."""
    bars = []
    for row in figure.rows[:ROWS_DRAWN]:
        label = plain_label(row, language)
        if not row.get("label") and row.get("candidate") and row.get("other"):
            label = f"{row['candidate']} − {row['other']}"
        relation = written_value("relation", row["relation"], language) if row.get("relation") else ""
        shape = {"better": "diamond", "worse": "diamond", "equal": "square"}.get(str(row.get("relation")), "ring")
        bars.append(Bar(label, *_ends(row), note=relation, shape=shape))
    rope = finite(figure.options.get("rope"))
    band = None if rope is None else (-abs(rope), abs(rope))
    return _forest(figure, bars, language, first="candidate", reference=0.0, band=band)


def _generalisation(figure: Figure, language: str) -> Markup:
    """Per candidate: training, cross-validation, test below each other."""
    return _forest(figure, _headed(figure.rows, "stage", language), language, first="candidate")


def _order(figure: Figure, language: str) -> Markup:
    """Per candidate: shuffled folds, then blocks of growing size."""
    return _forest(figure, _headed(figure.rows, "block", language), language, first="candidate")


def _spread(figure: Figure, language: str) -> Markup:
    """Every run as a mark, one row per candidate (or per source of variation), lanes by repeat."""
    bars = []
    for rows in _grouped(figure.rows, "candidate", "label", "source"):
        totals = [row for row in rows if not _is_run(row)]
        runs = [row for row in rows if _is_run(row)]
        if totals:
            for total in totals:
                bars.append(_bar(total, language, dots=_dots(runs, language)))
                runs = []
        else:
            bars.append(Bar(plain_label(rows[0], language), dots=_dots(runs, language)))
    return _forest(figure, bars, language, first="candidate")


def _slices(figure: Figure, language: str) -> Markup:
    """Parts of the data, each with an interval."""
    bars = []
    for row in figure.rows[:ROWS_DRAWN]:
        keys = ("level", "label", "slice", "group", "class", "candidate")
        several = len({row.get("slice") for row in figure.rows}) > 1
        label = plain_label(row, language, ("slice", *keys) if several else keys)
        bars.append(_bar(row | {"label": label}, language))
    names = {str(row["slice"]) for row in figure.rows if row.get("slice")}
    return _forest(figure, bars, language, first="slice", first_title=names.pop() if len(names) == 1 else None)


def _reliability(figure: Figure, language: str) -> Markup:
    """Stated probability against what came true; the diagonal is perfect."""
    series = []
    for rows in _grouped(figure.rows, "stage", "candidate"):
        name = plain_label(rows[0], language, ("stage", "candidate"))
        points = tuple(
            Point(
                x,
                y,
                _tip(row, name, language, ("x", "y", "n"), figure),
                finite(row.get("low")),
                finite(row.get("high")),
            )
            for row in sorted(rows, key=lambda r: finite(r.get("x")) or 0.0)
            if (x := finite(row.get("x"))) is not None and (y := finite(row.get("y"))) is not None
        )
        series.append(Series(name, points, joined=True))
    return draw_plane(series, **_titles(figure, language), diagonal=True, diagonal_label=say("diagonal", language))


def _front(figure: Figure, language: str) -> Markup:
    """Cost against score; candidates on the front are filled, the others hollow."""
    on, off = [], []
    crowded = len(figure.rows) > 12
    for row in figure.rows:
        x, y = finite(row.get("x")), finite(row.get("y"))
        if x is None or y is None:
            continue
        label, best = plain_label(row, language), bool(row.get("front", row.get("on_front", True)))
        point = Point(
            x,
            y,
            _tip(row, label, language, ("x", "y"), figure),
            finite(row.get("low")),
            finite(row.get("high")),
            "" if crowded and not best else label,
        )
        (on if best else off).append(point)
    series = [Series(say("on_front", language) if off else "", tuple(on))]
    if off:
        series.append(Series(say("off_front", language), tuple(off)))
    return draw_plane(series, **_titles(figure, language))


DRAWINGS: dict[str, Callable[[Figure, str], Markup]] = {
    "scores": _scores,
    "differences": _differences,
    "matrix": draw_matrix,
    "confusion": draw_confusion,
    "generalisation": _generalisation,
    "order": _order,
    "spread": _spread,
    "reliability": _reliability,
    "slices": _slices,
    "front": _front,
    "classes": draw_classes,
}


def _forest(
    figure: Figure,
    bars: Sequence[Bar],
    language: str,
    *,
    first: str,
    first_title: str | None = None,
    reference: float | None = None,
    band: tuple[float, float] | None = None,
) -> Markup:
    """A forest with what the figure's options ask for: a reference line and its name."""
    if reference is None:
        reference = finite(figure.options.get("reference"))
    named = figure.options.get("reference_label", "")
    drawn = draw_forest(
        bars[:ROWS_DRAWN],
        title=figure.title.render(language),
        label_title=first_title or field_title(figure, first, language),
        axis_title=field_title(figure, "value", language),
        reference=reference,
        reference_label=written_value("reference_label", named, language) if named else "",
        band=band,
        band_label=say("equivalence", language),
    )
    if len(bars) > ROWS_DRAWN:
        drawn += Markup('<p class="quiet">{}</p>').format(say("more_rows", language, n=len(bars) - ROWS_DRAWN))
    return drawn


def _headed(rows: Sequence[Row], key: str, language: str) -> list[Bar]:
    """A row that names the candidate, then one row per stage or block; without heads where there is one candidate."""
    groups = _grouped(rows, "candidate", "label")
    bars = []
    for group in groups:
        if len(groups) > 1:
            bars.append(Bar(plain_label(group[0], language, ("label", "candidate")), head=True))
        for row in group:
            value = row.get(key)
            label = written_value(key, value, language) if value not in (None, "") else plain_label(row, language)
            if key == "block" and str(value) not in STAGES and (finite(value) is not None or str(value).isdigit()):
                label = say("blocks_of", language, n=value)
            shape = STAGE_SHAPES.get(str(value), "diamond")
            bars.append(Bar(label, *_ends(row), note=_note(row), shape=shape))
    return bars


def _bar(row: Row, language: str, dots: tuple[Dot, ...] = ()) -> Bar:
    label = plain_label(row, language)
    under = str(row["candidate"]) if row.get("candidate") and str(row["candidate"]) != label else ""
    return Bar(label, *_ends(row), small=under, note=_note(row), quiet=bool(row.get("control")), dots=dots)


def _dots(rows: Sequence[Row], language: str) -> tuple[Dot, ...]:
    lane = lanes(row.get("repeat") for row in rows)
    return tuple(
        Dot(
            value, _tip(row, plain_label(row, language), language, ("repeat", "fold", "value")), lane[row.get("repeat")]
        )
        for row in rows[:DOTS_DRAWN]
        if (value := finite(row.get("value"))) is not None
    )


def _tip(row: Row, name: str, language: str, keys: Sequence[str], figure: Figure | None = None) -> str:
    """What a mark says when asked: its name and its numbers."""
    parts = [
        f"{field_title(figure, key, language)} {number(row[key])}" for key in keys if finite(row.get(key)) is not None
    ]
    return f"{name}: {', '.join(parts)}" if parts else visible(name)


def _note(row: Row) -> str:
    return f"n {number(row['n'])}" if finite(row.get("n")) is not None else ""


def _ends(row: Row) -> tuple[float | None, float | None, float | None]:
    return finite(row.get("value")), finite(row.get("low")), finite(row.get("high"))


def _is_run(row: Row) -> bool:
    return row.get("fold") is not None or row.get("repeat") is not None


def _grouped(rows: Sequence[Row], *keys: str) -> list[list[Row]]:
    """Rows with the same value of the first of `keys` that they have, in order of appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        name = next((str(row[key]) for key in keys if row.get(key) not in (None, "")), "")
        groups.setdefault(name, []).append(row)
    return list(groups.values())


def _titles(figure: Figure, language: str) -> dict[str, str]:
    return {
        "title": figure.title.render(language),
        "x_title": field_title(figure, "x", language),
        "y_title": field_title(figure, "y", language),
    }
