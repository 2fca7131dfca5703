"""The order in which a reader meets the findings: verdict first, then what it allows, then the evidence.

Before it: `findings/` made the findings, in the order of their kinds. After it: every renderer walks over the same
`Story`, so the page, the terminal and the Markdown file cannot tell different stories.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weigh.findings.model import Assumption, Finding, FindingsFile
from weigh.findings.questions import QUESTIONS, is_open
from weigh.findings.registry import section_of
from weigh.language import Text, text
from weigh.report.quantities import show_estimate
from weigh.report.visible import visible_line
from weigh.report.words import LEFT_OUT, OUTCOMES, PURPOSES, RELATIONS, SECTIONS, VERDICTS, WORDS, say
from weigh.stats.estimate import Estimate

__all__ = ["HELD_BACK", "Point", "Story", "answer_of", "main_estimate", "rival_line", "subject", "tell"]

ADVICE = ("advice", "next")
HELD_BACK = ("doubtful", "violated")  # outcomes of assumptions that limit what may be concluded
STEPS = 12
FIRST = 3  # proposals that are shown at once; the others are folded away
LIMIT = 8  # a list that is read in full; everything stands in the evidence below


@dataclass(frozen=True)
class Section:
    """One question of the evidence and the findings that answer it."""

    key: str
    shown: tuple[Finding, ...]
    folded: tuple[Finding, ...]


@dataclass(frozen=True)
class Point:
    """A sentence of the opening lists, with the finding that it comes from (None: a fixed sentence)."""

    sentence: Text
    finding: Finding | None = None


@dataclass(frozen=True)
class Story:
    """The findings in the order of the report.

    Attributes:
        headline: The finding that opens the report, or None.
        estimate: The headline's score; None where it names no candidate, as its numbers are then no score.
        rival: The comparison of the winner with the runner-up.
        may, may_not: What may be concluded, and what not.
        problems: Findings about the data.
        warnings: Problems that the evidence found; they stand in their sections and are pointed at from the top.
        advice: What the advice says in a sentence, or None.
        next: What to do next, most useful first: at most three.
        later: The other proposals.
        sections: The evidence.
    """

    headline: Finding | None
    estimate: Estimate | None
    rival: Finding | None
    may: tuple[Point, ...]
    may_not: tuple[Point, ...]
    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    advice: Finding | None
    next: tuple[Point, ...]
    later: tuple[Point, ...]
    sections: tuple[Section, ...]


def tell(file: FindingsFile) -> Story:
    """The story of a study's findings; every finding appears in exactly one of headline, problems and sections."""
    headline = next((f for f in file.findings if f.severity == "headline"), None)
    rest = [f for f in file.findings if f is not headline]
    advice = [f for f in rest if f.kind in ADVICE]
    problems = tuple(f for f in rest if _is_about_data(f))
    evidence = [f for f in rest if f not in problems and f not in advice]
    rival = _rival(headline, evidence)
    sections = []
    for key in SECTIONS:
        chosen = [f for f in evidence if (_section(f.kind) or "other") == key]
        if chosen:
            shown = tuple(f for f in chosen if f.severity != "detail")
            folded = tuple(f for f in chosen if f.severity == "detail")
            sections.append(Section(key, shown, folded) if shown else Section(key, folded, ()))
    steps = _next([*([headline] if headline else []), *problems, *evidence], advice)
    return Story(
        headline,
        main_estimate(headline) if headline is not None and headline.candidates else None,
        rival,
        _may(evidence),
        _may_not(headline, evidence, file.study),
        problems,
        tuple(f for f in evidence if f.severity == "problem"),
        advice[0] if advice else None,
        steps[:FIRST],
        steps[FIRST:],
        tuple(sections),
    )


def main_estimate(finding: Finding | None) -> Estimate | None:
    """The number that answers the finding's question: named "score" or "value", else the first."""
    if finding is None or not finding.estimates:
        return None
    for name in ("score", "value", "difference"):
        if name in finding.estimates:
            return finding.estimates[name]
    return next(iter(finding.estimates.values()))


def subject(key: str, language: str) -> str:
    """What a kind or an id of findings is about, in words: of what was left out only the key is known."""
    subjects = {**SECTIONS, **PURPOSES, **LEFT_OUT, **{name: question.ask for name, question in QUESTIONS.items()}}
    return subjects[key].render(language).rstrip("?？") if key in subjects else visible_line(key)


def answer_of(finding: Finding, language: str) -> str:
    """ "Yes", "better", "Undecided"; "" where the question is open and the sentence has answered it."""
    if finding.relation:
        answer = RELATIONS[finding.relation].render(language)
        return answer[:1].upper() + answer[1:]
    if is_open(finding.question) and finding.verdict != "undecided":
        return ""
    return VERDICTS[finding.verdict].render(language)


def rival_line(file: FindingsFile, rival: Finding, language: str) -> str:
    """ "Against the runner-up: lite0 probe: undecided, 0.4 points [-0.9, 1.7]" as plain text."""
    winner = file.study.get("winner")
    name = next((c for c in rival.candidates if c != winner), rival.candidates[-1])
    labels = {c.get("id"): c.get("label") for c in file.study.get("candidates", []) if isinstance(c, dict)}
    relation = RELATIONS[rival.relation].render(language) if rival.relation else answer_of(rival, language)
    gap = main_estimate(rival)
    colon, comma = say("colon", language), say("comma", language)
    shown = f"{comma}{show_estimate(gap, language)}" if gap else ""
    return f"{say('runner_up', language)}{colon}{labels.get(name) or name}{comma}{relation}{shown}"


def _section(kind: str) -> str | None:
    section = section_of(kind)
    return section if section in SECTIONS else None


def _is_about_data(finding: Finding) -> bool:
    """Kinds of data problems are open-ended; what no section knows and is a problem or a note on files is about data."""
    return (
        _section(finding.kind) is None
        and finding.kind not in ADVICE
        and (finding.severity == "problem" or finding.claim is None)
    )


def _rival(headline: Finding | None, evidence: list[Finding]) -> Finding | None:
    """The comparison of the winner with the first other candidate; the findings stand in order of interest."""
    if headline is None or not headline.candidates:
        return None
    winner = headline.candidates[0]
    pairs = [
        f
        for f in evidence
        if f.kind == "comparison" and f.relation is not None and winner in f.candidates and len(f.candidates) == 2
    ]
    if not pairs:
        return None
    if len(headline.candidates) > 1:
        named = [f for f in pairs if headline.candidates[1] in f.candidates]
        pairs = named or pairs
    return pairs[0]


def _may(evidence: list[Finding]) -> tuple[Point, ...]:
    """Inferences that were answered and whose assumptions are not known to fail: what was shown to be worse is shown as well.

    A proven drop stands first: it limits all that follows. Its assumptions say why it may be so, not whether.
    """
    chosen = [
        f for f in evidence if _decided(f) and (_is_shown(f) or not any(a.outcome == "violated" for a in f.assumptions))
    ]
    chosen.sort(
        key=lambda f: (
            not _is_shown(f),
            ("performance", "comparison").index(f.kind) if f.kind in ("performance", "comparison") else 2,
        )
    )
    return _first([Point(f.sentence, f) for f in chosen])


def _first(points: list[Point]) -> tuple[Point, ...]:
    """As many as are read in full, and how many more there are."""
    more = len(points) - LIMIT
    if more <= 0:
        return tuple(points)
    rest = text("There {n:|is|are} {n} more, in the evidence of the report.", "另有 {n} 条，见报告中的证据。", n=more)
    return (*points[:LIMIT], Point(rest))


def _decided(finding: Finding) -> bool:
    return (
        finding.claim is not None
        and "undecided" not in (finding.verdict, finding.relation)
        and finding.severity in ("evidence", "headline", "problem")
    )


def _is_shown(finding: Finding) -> bool:
    """Whether it is an inference with an answer that warns: a drop, a contradiction, a score below looking at nothing."""
    return finding.severity == "problem" and _decided(finding)


def _may_not(headline: Finding | None, evidence: list[Finding], study: dict[str, Any]) -> tuple[Point, ...]:
    """What was left undecided, what rests on assumptions that fail, and claims that were not examined."""
    points: list[Point] = []
    everything = [*([headline] if headline else []), *evidence]
    points += [Point(f.sentence, f) for f in evidence if f.severity == "problem" and not _decided(f)]
    points += [
        Point(f.sentence, f)
        for f in evidence
        if f.severity == "evidence" and f.claim is not None and (f.verdict == "undecided" or f.relation == "undecided")
    ]
    seen: set[str] = set()
    for finding in everything:
        for assumption in finding.assumptions:
            if assumption.outcome in HELD_BACK and assumption.name.en not in seen:
                seen.add(assumption.name.en)
                points.append(Point(_doubt(assumption), finding))
    claims, others = {f.claim for f in everything}, study.get("origin", "study") == "models"
    missing = []
    about_test = [f for f in everything if f.kind == "generalisation"]
    unasked = study.get("test_looks") and not about_test  # nothing was learnt: what was scored there says no more
    if not (others or unasked or any(f.claim == "these_models" for f in about_test)):
        tested = (study.get("examples") or {}).get("test")
        read = "missing_claim_test_read" if study.get("origin") == "folds" else "missing_claim_test"
        missing.append("missing_claim_test_waits" if tested else read)
    if "new_data" not in claims:
        missing.append("missing_claim_recipes" if others else "missing_claim_new_data")
    return (*_first(points), *(Point(WORDS[word]) for word in missing if everything))


def _doubt(assumption: Assumption) -> Text:
    """An assumption that may fail, as a sentence."""
    outcome, name = OUTCOMES[assumption.outcome], assumption.name
    detail = assumption.detail or text("", "")
    return Text(f"{name.en}: {outcome.en}. {detail.en}".strip(), f"{name.zh}：{outcome.zh}。{detail.zh}")


def _next(findings: list[Finding], advice: list[Finding]) -> tuple[Point, ...]:
    """Proposals without repetition, each with the finding below that made it; `advice` has weighed them all, else the headline's first."""
    below = [finding for finding in reversed(findings) if finding.severity != "headline"]
    source = {sentence.en: finding for finding in below for sentence in finding.next}
    sentences = {sentence.en: sentence for finding in [*advice, *findings] for sentence in finding.next}
    return tuple(Point(sentence, source.get(en)) for en, sentence in list(sentences.items())[:STEPS])
