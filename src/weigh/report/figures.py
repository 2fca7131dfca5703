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
from weigh.report.plane import Point, Series, draw_keys, draw_plane
from weigh.report.quantities import number
from weigh.report.rows import field_title, join_markup, plain_label, table_of, written_value
from weigh.report.scale import finite
from weigh.report.visible import visible
from weigh.report.words import STAGES, say

__all__ = ["DRAWINGS", "draw_figure", "figure_numbers"]

ROWS_DRAWN = 200  # rows of intervals that a reader can take in; all stand in the table
DOTS_DRAWN = 600
PLANES_DRAWN = 6
STAGE_SHAPES = {"train": "ring", "cv": "dot", "cross-validation": "dot", "test": "square", "shuffled": "dot"}
Row = dict[str, Any]


def draw_figure(figure: Figure, language: str, measured: dict[str, Any] | None = None) -> Markup:
    """The drawing as HTML; empty where there is nothing to draw.

    Args:
        measured: What the finding measured on this machine: a figure whose options name `measured_rows` draws those.
    """
    figure = _with_measured(figure, measured or {})
    if not figure.rows:
        return Markup("")
    drawing = DRAWINGS.get(figure.kind, _table)
    return Markup('<figure class="figure {}">{}</figure>').format(
        figure.kind if figure.kind in DRAWINGS else "", drawing(figure, language)
    )


def figure_numbers(figure: Figure, language: str, measured: dict[str, Any] | None = None) -> Markup:
    """All rows of a figure as a table; empty where the drawing is a table already."""
    figure = _with_measured(figure, measured or {})
    if not figure.rows or figure.kind not in DRAWINGS or figure.kind in ("confusion", "matrix", "classes"):
        return Markup("")
    rows = figure.rows
    if all(row.get("label") == row.get("candidate") for row in rows):  # a label that only repeats the id
        rows = [{key: value for key, value in row.items() if key != "label"} for row in rows]
    return table_of(rows, language, caption=figure.title.render(language), figure=figure)


def _with_measured(figure: Figure, measured: dict[str, Any]) -> Figure:
    """Cost is drawn in measured time where that was measured for all, else in what is known of the model."""
    name = figure.options.get("measured_rows")
    rows = measured.get(name) if isinstance(name, str) else None
    x = figure.options.get("x")
    if (
        isinstance(rows, list)
        and rows
        and all(isinstance(row, dict) and finite(row.get(x)) is not None for row in rows)
    ):
        return figure.model_copy(update={"rows": rows})
    if figure.options.get("fallback_x"):
        return figure.model_copy(update={"options": figure.options | {"x": figure.options["fallback_x"]}})
    return figure


def _table(figure: Figure, language: str) -> Markup:
    return table_of(figure.rows, language, caption=figure.title.render(language), figure=figure)


def _scores(figure: Figure, language: str) -> Markup:
    """Candidates with an interval; a small mark for every run (rows with a fold or a repeat)."""
    bars = []
    for rows in _grouped(figure.rows, "candidate", "label"):
        totals = [row for row in rows if not _is_run(row)]
        dots = _dots([row for row in rows if _is_run(row)], language)
        for total in totals or [rows[0] | {"value": None}]:
            bars.append(_bar(total, language, dots=dots))
            dots = ()
    return _forest(figure, bars, language, first="candidate") + _some_folds(figure, language)


def _differences(figure: Figure, language: str) -> Markup:
    """Pairs with an interval against zero, the region of practical equivalence shaded."""
    bars = []
    for row in figure.rows:
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
    forest = _forest(figure, _headed(figure.rows, "stage", language), language, first="candidate")
    return forest + _some_folds(figure, language)


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
    """Parts of the data, each with an interval, under the name of the column that makes the parts."""
    groups = _grouped(figure.rows, "slice")
    bars = []
    for rows in groups:
        if len(groups) > 1 and rows[0].get("slice"):
            bars.append(Bar(written_value("slice", rows[0]["slice"], language), head=True))
        for row in rows:
            level = next(
                (row[key] for key in ("level", "value", "label") if isinstance(row.get(key), str) and row[key]), None
            )
            label = level if level is not None else plain_label(row, language, ("label", "group", "class", "slice"))
            shape = "diamond" if row.get("worse") else "dot"
            bars.append(Bar(label, *_ends(row), note=_note(row), shape=shape))
    named = figure.rows[0].get("slice") if len(groups) == 1 else None
    key = "value" if "score" not in figure.fields else "score"
    return _forest(figure, bars, language, first="slice", first_title=str(named) if named else None, axis=key)


def _reliability(figure: Figure, language: str) -> Markup:
    """Stated probability against what came true; the diagonal is perfect. One plane per candidate, equal axes."""
    x_key, y_key = _axes(figure, "confidence", "accuracy")
    within = [v for row in figure.rows for key in (x_key, y_key) if (v := finite(row.get(key))) is not None]
    planes, stages = [], []
    groups = _grouped(figure.rows, "candidate")
    for rows in groups[:PLANES_DRAWN]:
        series = []
        for stage in _grouped(rows, "stage"):
            name = plain_label(stage[0], language, ("stage",)) if stage[0].get("stage") else ""
            stages += [name] if name not in stages else []
            ordered = sorted(stage, key=lambda row: finite(row.get(x_key)) or 0.0)
            points = _points(ordered, x_key, y_key, name, language, figure)
            series.append(Series(name, tuple(points), joined=True))
        titles = _titles(figure, language, x_key, y_key)
        titles["title"] = plain_label(rows[0], language, ("candidate",)) if rows[0].get("candidate") else ""
        planes.append(draw_plane(series, **titles, diagonal=True, within=within, keys=False))
    keys = draw_keys(stages, diagonal_label=say("diagonal", language))
    more = Markup("")
    if len(groups) > PLANES_DRAWN:
        more = Markup('<p class="quiet">{}</p>').format(say("more_planes", language, n=len(groups) - PLANES_DRAWN))
    return Markup('<p class="plot-title"><b>{}</b> {}</p><div class="planes">{}</div>{}').format(
        visible(figure.title.render(language)), keys, join_markup(planes), more
    )


def _front(figure: Figure, language: str) -> Markup:
    """Cost against score; candidates on the front (no other beats them in both) are filled, the others hollow."""
    x_key, y_key = _axes(figure, "macs", "score")
    on = [row for row in figure.rows if row.get("front", True)]
    off = [row for row in figure.rows if not row.get("front", True)]
    crowded = len(figure.rows) > 12
    series = [
        Series(
            say("on_front", language) if off else "",
            tuple(_points(on, x_key, y_key, None, language, figure, labelled=True)),
        )
    ]
    if off:
        points = _points(off, x_key, y_key, None, language, figure, labelled=not crowded)
        series.append(Series(say("off_front", language), tuple(points)))
    drawn = draw_plane(series, **_titles(figure, language, x_key, y_key))
    if any(row.get("by_common_folds") for row in figure.rows):
        drawn += Markup('<p class="quiet">{}</p>').format(say("common_folds_mean", language))
    return drawn


def _curve(figure: Figure, language: str) -> Markup:
    """Score against training examples, one line per candidate; what is predicted stands at its end with its interval."""
    x_key, y_key = _axes(figure, "examples", "value")
    series = [
        Series(
            plain_label(rows[0], language),
            tuple(_points(rows, x_key, y_key, plain_label(rows[0], language), language, figure)),
            joined=True,
        )
        for rows in _grouped(figure.rows, "candidate", "label")
    ]
    return draw_plane(series, **_titles(figure, language, x_key, y_key))


def _training(figure: Figure, language: str) -> Markup:
    """Loss and score by epoch side by side, one line per candidate."""
    planes = []
    for rows in _grouped(figure.rows, "stage"):
        part = figure.model_copy(update={"rows": rows})
        series = [
            Series(name, tuple(_points(own, "epoch", "value", name, language, part)), joined=True)
            for own in _grouped(rows, "candidate", "label")
            for name in (plain_label(own[0], language),)
        ]
        titles = _titles(part, language, "epoch", "value") | {"title": plain_label(rows[0], language, ("stage",))}
        planes.append(draw_plane(series, **titles))
    return Markup('<p class="plot-title"><b>{}</b></p><div class="planes">{}</div>').format(
        visible(figure.title.render(language)), join_markup(planes)
    )


def _axes(figure: Figure, x: str, y: str) -> tuple[str, str]:
    """The keys of the two axes: what the options say, else x and y where rows have them, else the usual names."""
    has = {key for row in figure.rows for key in row}
    return (
        str(figure.options.get("x") or ("x" if "x" in has else x)),
        str(figure.options.get("y") or ("y" if "y" in has else y)),
    )


def _points(
    rows: Sequence[Row],
    x_key: str,
    y_key: str,
    name: str | None,
    language: str,
    figure: Figure,
    *,
    labelled: bool = False,
) -> list[Point]:
    points = []
    for row in rows:
        x, y = finite(row.get(x_key)), finite(row.get(y_key))
        if x is None or y is None:
            continue
        label = plain_label(row, language) if name is None else name
        label += " *" if row.get("by_common_folds") else ""
        tip = _tip(row, label, language, (x_key, y_key, "n"), figure)
        points.append(Point(x, y, tip, finite(row.get("low")), finite(row.get("high")), label if labelled else ""))
    return points


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
    "curve": _curve,
    "training": _training,
    "classes": draw_classes,
}


def _forest(
    figure: Figure,
    bars: Sequence[Bar],
    language: str,
    *,
    first: str,
    first_title: str | None = None,
    axis: str = "value",
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
        language=language,
        label_title=first_title or field_title(figure, first, language),
        axis_title=field_title(figure, axis, language),
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
            bars.append(Bar(label, *_ends(row), small=_small(row, language), note=_note(row), shape=shape))
    return bars


def _bar(row: Row, language: str, dots: tuple[Dot, ...] = ()) -> Bar:
    label, small = plain_label(row, language), _small(row, language)
    shape = "ring" if row.get("on_other_folds") else "dot"
    quiet = bool(row.get("control"))
    return Bar(label, *_ends(row), small=small, note=_note(row), shape=shape, quiet=quiet, dots=dots)


def _dots(rows: Sequence[Row], language: str) -> tuple[Dot, ...]:
    lane = lanes(str(row.get("repeat")) for row in rows)
    return tuple(
        Dot(
            value,
            _tip(row, plain_label(row, language), language, ("repeat", "fold", "value")),
            lane[str(row.get("repeat"))],
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


def _small(row: Row, language: str) -> str:
    return say("some_folds", language) if row.get("on_other_folds") else ""


def _some_folds(figure: Figure, language: str) -> Markup:
    """What the mark of scores of some folds means; nothing where no score has it."""
    marked = any(row.get("on_other_folds") for row in figure.rows)
    return Markup('<p class="quiet">{}</p>').format(say("some_folds_mean", language)) if marked else Markup("")


def _ends(row: Row) -> tuple[float | None, float | None, float | None]:
    value = finite(row.get("value"))
    return finite(row.get("score")) if value is None else value, finite(row.get("low")), finite(row.get("high"))


def _is_run(row: Row) -> bool:
    return row.get("fold") is not None or row.get("repeat") is not None


def _grouped(rows: Sequence[Row], *keys: str) -> list[list[Row]]:
    """Rows with the same value of the first of `keys` that they have, in order of appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        name = next((str(row[key]) for key in keys if row.get(key) not in (None, "")), "")
        groups.setdefault(name, []).append(row)
    return list(groups.values())


def _titles(figure: Figure, language: str, x_key: str, y_key: str) -> dict[str, str]:
    return {
        "title": figure.title.render(language),
        "x_title": field_title(figure, x_key, language),
        "y_title": field_title(figure, y_key, language),
    }
