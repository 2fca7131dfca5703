"""Figures that are tables: relations between candidates, confusions, scores per class.

Depth of colour is a class (`heat-0` … `heat-9`), never an inline style, which the page's security policy forbids.
Before it: `rows.py`. After it: `figures.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from weigh.findings.model import Figure
from weigh.report.quantities import number
from weigh.report.rows import ROWS_SHOWN, field_title, isolated, join_markup, label_of, plain_label, table_of
from weigh.report.scale import finite
from weigh.report.visible import visible
from weigh.report.words import RELATIONS, say
from weigh.stats.estimate import digits_that_show

__all__ = ["draw_classes", "draw_confusion", "draw_matrix"]

CLASSES_SHOWN = 12  # a larger confusion matrix cannot be read; its most frequent confusions can
PAIRS_SHOWN = 40
CANDIDATES_SHOWN, SIGNS_SHOWN = 15, 40  # cells with words and numbers; with signs alone; beyond it a table
SIGNS = {"better": "▲", "worse": "▼", "equal": "=", "undecided": "?"}
OPPOSITE = {"better": "worse", "worse": "better"}


def draw_confusion(figure: Figure, language: str) -> Markup:
    """Rows {given, predicted, n}: a matrix of counts and shares of the given class, or the worst pairs of many classes."""
    counts: dict[tuple[str, str], float] = {}
    for row in figure.rows:
        pair = (str(row.get("given", "–")), str(row.get("predicted", "–")))
        counts[pair] = counts.get(pair, 0.0) + (finite(row.get("n", row.get("count", row.get("value")))) or 0.0)
    names = list(dict.fromkeys(name for pair in counts for name in pair))
    if len(names) > CLASSES_SHOWN:
        return _worst_pairs(figure, counts, language)
    totals = {label: sum(counts.get((label, other), 0.0) for other in names) for label in names}
    head = join_markup(Markup('<th scope="col">{}</th>').format(isolated(name)) for name in names)
    body = []
    for label in names:
        cells = [Markup('<th scope="row">{}</th>').format(isolated(label))]
        for predicted in names:
            count = counts.get((label, predicted), 0.0)
            share = count / totals[label] if totals[label] else 0.0
            cells.append(
                Markup('<td class="heat {} heat-{}"><b>{}</b> <small>{} %</small></td>').format(
                    "right" if label == predicted else "wrong",
                    min(int(share * 10), 9),
                    number(count),
                    number(100 * share, 1),
                )
            )
        body.append(Markup("<tr>{}</tr>").format(join_markup(cells)))
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table class="matrix"><caption>{title}</caption>'
        '<thead><tr><th scope="col"><small>{corner}</small></th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    ).format(
        title=visible(figure.title.render(language)),
        corner=say("given_predicted", language),
        head=head,
        body=join_markup(body),
    )


def _worst_pairs(figure: Figure, counts: dict[tuple[str, str], float], language: str) -> Markup:
    totals: dict[str, float] = {}
    for (label, _), count in counts.items():
        totals[label] = totals.get(label, 0.0) + count
    wrong = [(count, *pair) for pair, count in counts.items() if pair[0] != pair[1] and count > 0]
    wrong.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))
    rows = [
        {"given": label, "predicted": predicted, "n": count, "share": round(count / totals[label], 3)}
        for count, label, predicted in wrong[:PAIRS_SHOWN]
    ]
    note = Markup('<p class="quiet">{}</p>').format(say("confusions_of_many", language, all=len(totals), n=len(rows)))
    return note + table_of(rows, language, caption=figure.title.render(language))


def draw_matrix(figure: Figure, language: str) -> Markup:
    """Rows {candidate, other, relation, value}: each pair once; the mirrored cell is filled with the opposite."""
    relations: dict[tuple[str, str], tuple[str, float | None]] = {}
    labels: dict[str, str] = {}
    for row in figure.rows:
        one, other = str(row.get("candidate", "–")), str(row.get("other", "–"))
        relation, value = str(row.get("relation", "")), finite(row.get("value"))
        relations[one, other] = (relation, value)
        relations.setdefault((other, one), (OPPOSITE.get(relation, relation), None if value is None else -value))
        labels.setdefault(one, str(row.get("label", one)))
        labels.setdefault(other, str(row.get("other_label", other)))
    for name, label in labels.items():  # a label of the pair ("a − b") does not name the candidate
        labels[name] = name if " − " in label else label
    names = list(labels)
    if len(names) > SIGNS_SHOWN:
        return table_of(figure.rows, language, caption=figure.title.render(language), figure=figure)
    numbered = {name: at + 1 for at, name in enumerate(names)}
    head = join_markup(Markup('<th scope="col" class="num">{}</th>').format(numbered[name]) for name in names)
    body = []
    for name in names:
        cells = [
            Markup('<th scope="row"><span class="nth">{}</span> {}</th>').format(numbered[name], isolated(labels[name]))
        ]
        for other in names:
            if name == other or (name, other) not in relations:
                cells.append(Markup('<td class="none">{}</td>').format("·" if name == other else "–"))
                continue
            relation, value = relations[name, other]
            word = RELATIONS[relation].render(language) if relation in RELATIONS else visible(relation)
            shown = "" if value is None else number(value, digits_that_show([value], 3 if abs(value) < 1 else 1))
            if len(names) > CANDIDATES_SHOWN:
                cells.append(
                    Markup(
                        '<td class="relation {kind}" title="{words}"><span aria-hidden="true">{sign}</span>'
                        '<span class="unseen">{words}</span></td>'
                    ).format(
                        kind=relation if relation in RELATIONS else "",
                        words=f"{word} {shown}".rstrip(),
                        sign=SIGNS.get(relation, ""),
                    )
                )
                continue
            cells.append(
                Markup('<td class="relation {}"><span aria-hidden="true">{}</span> {} <small>{}</small></td>').format(
                    relation if relation in RELATIONS else "", SIGNS.get(relation, ""), word, shown
                )
            )
        body.append(Markup("<tr>{}</tr>").format(join_markup(cells)))
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table class="matrix"><caption>{title}{stop}{how}</caption>'
        '<thead><tr><th scope="col"><span class="unseen">{candidate}</span></th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    ).format(
        title=visible(figure.title.render(language)),
        stop=". " if language == "en" else say("stop", language),
        how=say("matrix_how", language),
        candidate=field_title(figure, "candidate", language),
        head=head,
        body=join_markup(body),
    )


def draw_classes(figure: Figure, language: str) -> Markup:
    """One row per class, of many classes the first ones; every number between 0 and 1 has a bar behind it."""
    rows: Sequence[dict[str, Any]] = figure.rows
    skip = {"class", "label", "candidate"}
    columns = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in skip]
    head = [Markup('<th scope="col">{}</th>').format(field_title(figure, "class", language))]
    head += [
        Markup('<th scope="col" class="num">{}</th>').format(field_title(figure, key, language)) for key in columns
    ]
    body = []
    for row in rows[:ROWS_SHOWN]:
        cells = [
            Markup('<th scope="row" data-sort="{}">{}</th>').format(
                visible(plain_label(row, language, ("class", "label", "candidate"))),
                label_of(row, language, ("class", "label", "candidate")),
            )
        ]
        for key in columns:
            value = finite(row.get(key))
            counted = value is None or key in ("n", "count", "support") or not 0 <= value <= 1
            bar = (
                ""
                if counted
                else Markup(
                    '<svg class="bar" aria-hidden="true" height="6"><rect class="rail" width="100%" height="6"/>'
                    '<rect width="{}%" height="6"/></svg>'
                ).format(round(100 * value, 1))
            )
            written = number(row.get(key)) if counted else number(value, 3)
            sort = "" if value is None else repr(value)  # what has no number stays below, as in other tables
            cells.append(Markup('<td class="num" data-sort="{}">{}{}</td>').format(sort, visible(written), bar))
        body.append(Markup("<tr>{}</tr>").format(join_markup(cells)))
    more = Markup("")
    if len(rows) > ROWS_SHOWN:
        more = Markup('<p class="quiet">{}</p>').format(say("more_rows", language, n=len(rows) - ROWS_SHOWN))
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table class="classes sortable"><caption>{title}</caption>'
        "<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    ).format(title=visible(figure.title.render(language)), head=join_markup(head), body=join_markup(body), more=more)
