"""Questions and what their answers say: the table is complete, and both languages ask the same way round."""

from __future__ import annotations

import re

import pytest

from weigh.findings.data_problems import QUESTIONS as DATA_QUESTIONS
from weigh.findings.model import Finding
from weigh.findings.questions import QUESTIONS, asked, is_open
from weigh.language import Text
from weigh.report.html import render_html
from weigh.report.markdown import render_markdown
from weigh.report.story import answer_of
from weigh.report.terminal import render_terminal

OPEN_ZH = re.compile("哪|什么|多少|多大|如何|怎么|怎样")
NOT_EN = re.compile(r"\b(not|no|nothing|hardly|cannot)\b", re.I)
NOT_ZH = re.compile("不|没有|并非|尚未|未")
SMALL = {"the", "a", "is", "are", "its", "it", "of", "to", "that", "there", "some", "be", "would", "does", "did", "do"}
SMALL |= {"every", "when", "was", "all", "on", "in", "for", "with", "than", "has", "can", "could", "were", "any"}
WHETHER = [key for key, question in QUESTIONS.items() if not question.open]


def words(sentence: str) -> set[str]:
    """Beginnings of the words that carry the meaning."""
    return {w[:4] for w in re.findall(r"[a-z]+", sentence.lower()) if w not in SMALL}


def agrees(ask: Text, yes: Text | None, no: Text | None) -> list[str]:
    """Why question and answers do not go together; empty where they do."""
    wrong = []
    predicate = re.sub(r"(了?吗)?？$", "", ask.zh)[-2:]
    for said, meaning in (("yes", yes), ("no", no)):
        if meaning is None:
            continue
        if len(words(ask.en) & words(meaning.en)) < 0.5 * len(words(ask.en)):
            wrong.append(f"{said} speaks of something else: {meaning.en}")
        if set(re.findall(r"\{\w+\}", meaning.en)) != set(re.findall(r"\{\w+\}", meaning.zh)):
            wrong.append(f"{said}: other blanks")
    if yes is not None:
        if predicate not in yes.zh:
            wrong.append(f"yes in Chinese does not say {predicate}: {yes.zh}")
        if bool(NOT_EN.search(yes.en)) != bool(NOT_EN.search(ask.en)):
            wrong.append(f"yes turns the question round: {yes.en}")
        if bool(NOT_ZH.search(yes.zh)) != bool(NOT_ZH.search(ask.zh.replace("是否", ""))):
            wrong.append(f"yes turns the Chinese question round: {yes.zh}")
    if no is not None and not (NOT_EN.search(no.en) and NOT_ZH.search(no.zh)):
        wrong.append(f"no does not deny: {no.en} / {no.zh}")
    return wrong


@pytest.mark.parametrize("key", WHETHER)
def test_question_and_answers_go_the_same_way_in_both_languages(key):
    question = QUESTIONS[key]
    assert question.yes or question.no, "a question that nothing answers"
    assert agrees(*question) == []


def test_the_old_question_that_said_the_opposite_is_found():
    """1: as it stood; 2 to 4: brothers of it, one for each way of turning a question round."""
    right = QUESTIONS["stability:spread"]
    ask, yes, no = right
    for wrong in (
        (Text(en=ask.en, zh="换一组划分和随机种子，优胜者会变吗？"), yes, no),
        (Text(en="Would other splits and seeds not change the winner?", zh=ask.zh), yes, no),
        (ask, yes, Text(en=no.en, zh=yes.zh)),
        (ask, no, no),
    ):
        assert agrees(*wrong)


@pytest.mark.parametrize("key", [*QUESTIONS, *(f"data {kind}" for kind in DATA_QUESTIONS)])
def test_open_questions_are_open_in_both_languages(key):
    ask = QUESTIONS[key].ask if key in QUESTIONS else DATA_QUESTIONS[key.removeprefix("data ")]
    stays_open = is_open(ask)
    assert bool(OPEN_ZH.search(ask.zh)) == stays_open
    assert stays_open or re.search("吗？$|是否", ask.zh)
    assert ask.en.endswith("?")
    assert ask.zh.endswith("？")
    if key in QUESTIONS and stays_open:
        assert QUESTIONS[key].yes is None
        assert QUESTIONS[key].no is None


@pytest.mark.parametrize("kind", DATA_QUESTIONS)
def test_the_chinese_singular_stands_behind_each_or_the_same(kind):
    """`Noun.one` has its measure word ("张图片"), which nothing else can come before."""
    assert not re.search(r"(?<!每)(?<!同一)\{o\}", DATA_QUESTIONS[kind].zh)


def test_an_answer_that_a_question_does_not_have_is_refused():
    for key, verdict in (("slices", "yes"), ("order:columns", "no"), ("data:clean", "yes")):
        with pytest.raises(ValueError, match="no answer"):
            asked(key, verdict)
    assert asked("verdict", "yes")["answer"] is None
    assert asked("shift", "no", t="x")["answer"].en == "The score does not hold on x"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("key", ["performance:metrics", "verdict", "errors:entities", "reading"])
def test_an_open_question_gets_no_yes_or_no(key, language):
    from weigh.findings.model import FindingsFile

    for verdict, badge in (("yes", ""), ("no", ""), ("undecided", {"en": "Undecided", "zh": "尚无定论"}[language])):
        finding = Finding(id="f", kind="performance", sentence=Text(en="So.", zh="如此。"), **asked(key, verdict))
        assert answer_of(finding, language) == badge
        file = FindingsFile(study={}, findings=[finding])
        page = render_html(file, None, language=language, picture=None)
        for shown in (
            "".join(re.findall(r"<article.*?</article>", page, re.DOTALL)),
            render_markdown(file, None, language=language),
            render_terminal(file, language=language, width=100),
        ):
            assert not re.search(r"\bYes\b|\bNo\b|>是<|？ 是|？ 否|\*\*[是否]\*\*", shown)
            assert badge in shown
