"""The report as Markdown: the same sentences, to paste into an issue or a notebook.

Before it: `findings/`, `story.py`. Users' names and texts are hostile: what Markdown or its HTML would act on is
escaped, direction overrides are made visible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from weigh.findings.model import Figure, Finding, FindingsFile
from weigh.record.results import Results
from weigh.report.methods import method_in_words
from weigh.report.quantities import show_estimate
from weigh.report.rows import estimate_title, field_title, written_value
from weigh.report.story import Point, answer_of, rival_line, tell
from weigh.report.visible import visible, visible_line
from weigh.report.words import CLAIMS, CLAIMS_EXPLAINED, OUTCOMES, SECTIONS, say, unit_word

__all__ = ["escape_markdown", "render_markdown"]

FILES_SHOWN = 50
ROWS_SHOWN = 50
_ACTIVE = re.compile(r"([\\`*_|~$@])")


def render_markdown(file: FindingsFile, results: Results | None = None, *, language: str) -> str:
    """The report as GitHub-flavoured Markdown."""
    story = tell(file)
    name = file.study.get("name") or (results.name if results else "")
    lines = [f"# weigh · {escape_markdown(name)}", "", f"## {say('verdict', language)}", ""]
    if story.headline is None:
        lines += [say("no_headline", language), ""]
    else:
        lines += _finding(story.headline, language, heading=False)
    if story.rival is not None:
        lines += [_text(rival_line(file, story.rival, language)), ""]
    for title, points in (("may", story.may), ("may_not", story.may_not)):
        lines += [f"### {say(title, language)}", "", *_points(points, language), ""]
    lines += [f"## {say('problems', language)}", ""]
    if not story.problems:
        lines += [say("data_fine", language), ""]
    for finding in story.problems:
        lines += _finding(finding, language)
    if story.next or story.advice:
        lead = [_text(story.advice.sentence.render(language)), ""] if story.advice else []
        lines += [f"## {say('next', language)}", "", *lead, *_steps(story.next, language), ""]
        if story.later:
            lines += [f"### {say('next_more', language)}", "", *_steps(story.later, language), ""]
    for section in story.sections:
        lines += [f"## {SECTIONS[section.key].render(language)}", ""]
        for finding in (*section.shown, *section.folded):
            lines += _finding(finding, language)
    return "\n".join(lines).rstrip() + "\n"


def escape_markdown(source: Any) -> str:
    """One line of text that Markdown shows as it is."""
    return _text(visible_line(source))


def _text(source: Any) -> str:
    """Text whose characters mean only themselves; line breaks become spaces, so no line can start a block."""
    written = visible(source).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    written = _ACTIVE.sub(r"\\\1", written).replace("](", "]\\(").replace("://", ":\\//")
    written = " ".join(written.split())
    written = re.sub(r"^(#{1,6}(?=\s|$)|[+-](?=\s|$)|[-=]+$)", r"\\\1", written)  # headings, lists, rules
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", written)  # numbered lists


def _points(points: Sequence[Point], language: str) -> Iterable[str]:
    return [f"- {_text(point.sentence.render(language))}" for point in points] or [
        f"- {say('nothing_to_conclude', language)}"
    ]


def _steps(points: Sequence[Point], language: str) -> list[str]:
    """What to do, each with the question that it answers."""
    questions = [f" *{_text(point.finding.question.render(language))}*" if point.finding else "" for point in points]
    return [f"- {_text(point.sentence.render(language))}{ask}" for point, ask in zip(points, questions, strict=True)]


def _finding(finding: Finding, language: str, *, heading: bool = True) -> list[str]:
    answer = answer_of(finding, language)
    lines = []
    if heading:
        lines += [f"### {_text(finding.question.render(language))}", ""]
    badge = f"**{answer}** · " if answer else ""
    colon, comma, semicolon = (say(mark, language) for mark in ("colon", "comma", "semicolon"))
    lines += [f"{badge}{_text(finding.sentence.render(language))}", ""]
    if finding.claim:
        claim, explained = CLAIMS[finding.claim].render(language), CLAIMS_EXPLAINED[finding.claim].render(language)
        end = ". " if language == "en" else say("stop", language)
        lines += [f"*{say('claim', language)}*{colon}**{claim}**{end}{explained}", ""]
    for key, estimate in finding.estimates.items():
        unit = unit_word(estimate.n_unit, str(estimate.n), language)
        counted = f"{estimate.n} {_text(unit)}{semicolon}{_text(method_in_words(estimate.method, language))}"
        title = estimate_title(key, language)
        aside = _aside(counted, language) if estimate.n else ""
        lines.append(f"- {_text(title)}{colon}{show_estimate(estimate, language)}{aside}")
    for assumption in finding.assumptions:
        name, outcome = _text(assumption.name.render(language)), OUTCOMES[assumption.outcome].render(language)
        detail = _aside(_text(assumption.detail.render(language)), language) if assumption.detail else ""
        lines.append(f"- {name}{colon}**{outcome}**{detail}")
    if lines[-1]:
        lines.append("")
    lines += _table(finding.table or _summary_rows(finding.figure), language, finding.figure)
    if finding.examples:
        shown = [_code(visible_line(path)) for path in finding.examples[:FILES_SHOWN]]
        more = len(finding.examples) - len(shown)
        tail = f"{comma}{say('files_more', language, n=more)}" if more else ""
        lines += [f"{say('examples', language)}{colon}{comma.join(shown)}{tail}", ""]
    if finding.next:
        lines += [*(f"- → {_text(sentence.render(language))}" for sentence in finding.next), ""]
    if finding.references:
        lines += [f"{say('references', language)}{colon}{semicolon.join(_text(r) for r in finding.references)}", ""]
    return lines


def _code(name: str) -> str:
    """A name as it is, between more backticks than it has in a row."""
    longest = max(map(len, re.findall("`+", name)), default=0)
    fence, blank = "`" * (longest + 1), " " if longest or name != name.strip() else ""
    return f"{fence}{blank}{name}{blank}{fence}"


def _aside(words: str, language: str) -> str:
    """Words in brackets, as they follow others in this language."""
    return f" ({words})" if language == "en" else f"（{words}）"


def _summary_rows(figure: Figure | None) -> list[dict[str, Any]]:
    """A figure's rows without the single runs: the page draws those, a page of text has no use for hundreds."""
    return [row for row in figure.rows if row.get("fold") is None] if figure else []


def _table(rows: Sequence[dict[str, Any]], language: str, figure: Figure | None) -> list[str]:
    if not rows:
        return []
    columns = list(dict.fromkeys(key for row in rows for key in row))
    titles = [_text(field_title(figure, key, language)) for key in columns]
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(columns)}"]
    lines += [
        f"| {' | '.join(_text(written_value(key, row.get(key), language)) for key in columns)} |"
        for row in rows[:ROWS_SHOWN]
    ]
    if len(rows) > ROWS_SHOWN:
        lines += ["", say("more_rows", language, n=len(rows) - ROWS_SHOWN)]
    return [*lines, ""]
