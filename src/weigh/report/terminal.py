"""The report in a terminal: the same sentences as on the page, verdict first.

Before it: `findings/`, `story.py`, `wrapping.py`. Texts are written after `visible` and without any markup
language, so that a class name cannot colour, clear or retitle somebody's terminal.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.style import Style

from weigh.findings.model import Finding, FindingsFile
from weigh.report.quantities import show_estimate
from weigh.report.story import HELD_BACK, Point, Story, answer_of, rival_line, tell
from weigh.report.visible import visible, visible_line
from weigh.report.words import CLAIMS, OUTCOMES, SECTIONS, say
from weigh.report.wrapping import wrap

__all__ = ["render_terminal", "summary_line"]

FILES_SHOWN = 5
NARROWEST = 20
STYLES = {"yes": "bold", "no": "bold", "undecided": "bold cyan"}


class Sheet:
    """Lines of a fixed width, with or without ANSI colours."""

    def __init__(self, width: int, *, colour: bool) -> None:
        self.width, self.colour, self.lines = max(width, NARROWEST), colour, []

    def write(self, source: str, *, style: str = "", indent: int = 0, mark: str = "") -> None:
        """A paragraph, wrapped; `mark` hangs left of the first line."""
        hang = cell_len(mark) + 1 if mark else 0
        for at, line in enumerate(wrap(visible(source), self.width - indent - hang)):
            left = " " * indent + ((mark + " ") if mark and at == 0 else " " * hang)
            self.lines.append((left + self.paint(line, style)).rstrip())

    def rule(self, title: str) -> None:
        """An empty line, then a title with a line to the right edge."""
        title = visible_line(title)
        if cell_len(title) > self.width - 4:
            self.lines.append("")
            self.write(title, style="bold")
            return
        line = "─" * (self.width - cell_len(title) - 1)
        self.lines += ["", f"{self.paint(title, 'bold')} {self.paint(line, 'dim')}"]

    def paint(self, line: str, style: str) -> str:
        return Style.parse(style).render(line) if self.colour and style and line else line


def render_terminal(file: FindingsFile, *, language: str, width: int = 100, colour: bool = False) -> str:
    """The report as text.

    Args:
        language: "en" or "zh".
        width: Columns of the terminal; readable from 40.
        colour: Whether to write ANSI colours.
    """
    story, sheet = tell(file), Sheet(width, colour=colour)
    name = file.study.get("name", "")
    sheet.rule(f"weigh · {name}" if name else "weigh")
    _verdict(sheet, file, story, language)
    _problems(sheet, story, language)
    if story.next or story.advice:
        sheet.rule(say("next", language))
        if story.advice:
            sheet.write(story.advice.sentence.render(language))
        for point in story.next:
            sheet.write(point.sentence.render(language), mark="→", indent=2)
            if point.finding:
                sheet.write(visible_line(point.finding.question.render(language)), style="dim", indent=4)
        if story.later:
            sheet.write(say("next_further", language, n=len(story.later)), style="dim", indent=2)
    for section in story.sections:
        sheet.rule(SECTIONS[section.key].render(language))
        for finding in (*section.shown, *section.folded):
            _finding(sheet, finding, language)
    return "\n".join(sheet.lines[1:]) + "\n"


def summary_line(file: FindingsFile, language: str) -> str:
    """One line that says what was found: the last line of `weigh run`."""
    headline = tell(file).headline
    sentence = say("no_headline", language) if headline is None else headline.sentence.render(language)
    return " ".join(visible(sentence).split())


def _verdict(sheet: Sheet, file: FindingsFile, story: Story, language: str) -> None:
    headline = story.headline
    if headline is None:
        sheet.write(say("no_headline", language))
    else:
        sheet.write(headline.sentence.render(language), style="bold")
        if story.estimate is not None:
            sheet.write(show_estimate(story.estimate, language), style="bold cyan", indent=2)
        if headline.claim:
            sheet.write(say("claim_is", language, claim=CLAIMS[headline.claim].render(language)), style="dim", indent=2)
    if story.rival is not None:
        sheet.lines.append("")
        sheet.write(rival_line(file, story.rival, language))
    for title, points in (("may", story.may), ("may_not", story.may_not)):
        rest = [point for point in points if point.finding is None or point.finding is not story.rival]
        if rest:
            sheet.lines.append("")
            sheet.write(say(title, language), style="bold")
            _points(sheet, rest, language, mark="·")


def _problems(sheet: Sheet, story: Story, language: str) -> None:
    if not story.problems:
        return
    sheet.rule(say("problems", language))
    for finding in story.problems:
        sheet.write(finding.sentence.render(language), mark="!" if finding.severity == "problem" else "·", indent=2)
        for path in finding.examples[:FILES_SHOWN]:
            sheet.write(visible_line(path), style="dim", indent=4)
        if len(finding.examples) > FILES_SHOWN:
            sheet.write(say("files_more", language, n=len(finding.examples) - FILES_SHOWN), style="dim", indent=4)


def _points(sheet: Sheet, points: tuple[Point, ...] | list[Point], language: str, *, mark: str) -> None:
    for point in points:
        sheet.write(point.sentence.render(language), mark=mark, indent=2)


def _finding(sheet: Sheet, finding: Finding, language: str) -> None:
    question = visible_line(finding.question.render(language))
    sheet.write(f"{question} {answer_of(finding, language)}".rstrip(), style=STYLES[finding.verdict])
    sheet.write(finding.sentence.render(language), indent=2)
    for assumption in finding.assumptions:
        if assumption.outcome in HELD_BACK:
            outcome = OUTCOMES[assumption.outcome].render(language)
            name = assumption.name.render(language)
            sheet.write(say("assumption_is", language, name=name, outcome=outcome), style="yellow", indent=2)
