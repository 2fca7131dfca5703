"""The words that mattered: a model in which one word decides names that word first; marks and hostile texts in both languages."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tests.arrays import kind_of
from tests.text_models import save_tiny_encoder, write_reviews
from weigh.data.examples import Examples
from weigh.kinds.base import rows_of
from weigh.media import medium_named
from weigh.report.effects import Effects, effects_sentence, marked
from weigh.run import Outcome
from weigh.study import Study
from weigh.train.words import ASKED, LONGEST, WORDS, add_words, pieces


def tokenizer(*words: str):
    """Cuts a text without blanks into the given words and single characters."""
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram

    letters = sorted({c for word in words for c in word})
    return Tokenizer(Unigram([("<unk>", -20.0), *((w, -2.0) for w in words), *((c, -8.0) for c in letters)], 0))


def bag(weights: dict[str, float]):
    """A linear bag of words: the log odds of class 1 are the sum of the weights of the words that occur."""

    def outputs(examples: Examples) -> np.ndarray:
        odds = [sum(w * said.count(word) for word, w in weights.items() for said in row) for row in examples.rows]
        return np.array([[0.0, value] for value in odds], np.float32)

    return outputs


def weigh_words(texts, target, weights, cutter=None):
    n = len(texts)
    blank = np.array([""] * n)
    examples = Examples(
        None, np.arange(n).astype(str), np.array(target), ("bad", "good"), blank, np.arange(n), blank,
        rows=rows_of([(t,) if isinstance(t, str) else t for t in texts]), medium=medium_named("texts"), kind=kind_of(np.array(target)),
    )  # fmt: skip
    run = SimpleNamespace(key="k", test=np.arange(n))
    outcome = Outcome("k", "done", answers=bag(weights)(examples))
    return add_words(outcome, run, examples, cutter or tokenizer(), bag(weights)), examples


def first(outcome, examples, at=0):
    one = outcome.words[at]
    part, start, end, effect = max(one["words"], key=lambda word: abs(word[3]))
    return examples.rows[one["example"]][part][start:end], effect


def test_the_word_that_decides_comes_first():
    outcome, examples = weigh_words(["the film was great, a little long"], [0], {"great": 3.0, "long": -0.5})
    assert outcome.words[0]["class"] == 1
    assert first(outcome, examples) == ("great", pytest.approx(3.0))
    effects = {examples.rows[0][0][a:b]: e for _, a, b, e in outcome.words[0]["words"]}
    assert effects["long"] == pytest.approx(-0.5)
    assert effects["film"] == 0
    assert outcome.measured["words_seconds"] > 0


def test_the_effect_is_on_the_predicted_class():
    outcome, examples = weigh_words(["a great but awful film"], [1], {"great": 1.0, "awful": -3.0})
    assert outcome.words[0]["class"] == 0
    assert first(outcome, examples) == ("awful", pytest.approx(3.0))


def test_both_texts_of_a_pair_are_asked():
    outcome, examples = weigh_words([("a film", "it was great")], [0], {"great": 2.0})
    assert first(outcome, examples) == ("great", pytest.approx(2.0))
    assert {word[0] for word in outcome.words[0]["words"]} == {0, 1}


def test_chinese_without_blanks():
    said = "房间很干净，可是服务太糟糕。"
    cutter = tokenizer("房间", "很", "干净", "可是", "服务", "太", "糟糕", "，", "。")
    outcome, examples = weigh_words([said], [1], {"糟糕": -4.0, "干净": 1.0}, cutter)
    assert first(outcome, examples) == ("糟糕", pytest.approx(4.0))
    assert [said[a:b] for a, b in pieces(said, cutter)] == ["房间", "很", "干净", "可是", "服务", "太", "糟糕"]


def test_words_are_cut_at_blanks_without_punctuation_around_them():
    said = '"Don\'t!" she said – well-made… 😡 !!!'
    assert [said[a:b] for a, b in pieces(said, tokenizer())] == ["Don't", "she", "said", "well-made", "😡"]


def test_only_the_hardest_short_texts_and_their_first_words():
    texts = [f"great film {i} " + "x " * (i % 3) for i in range(30)] + ["great " * 100, "great", "w " * 100]
    outcome, _ = weigh_words(texts, [0] * 33, {"great": 1.0})
    assert len(outcome.words) == ASKED
    asked = {one["example"] for one in outcome.words}
    assert 30 not in asked  # longer than LONGEST
    assert len("great " * 100) > LONGEST
    outcome, _ = weigh_words(["w " * 100], [0], {"w": 1.0})
    assert len(outcome.words[0]["words"]) == WORDS


def test_a_failure_costs_no_run():
    def broken(_):
        raise RuntimeError("no")

    outcome, examples = weigh_words(["great film"], [0], {"great": 1.0})
    again = add_words(
        Outcome("k", "done", answers=outcome.answers),
        SimpleNamespace(key="k", test=np.arange(1)),
        examples,
        tokenizer(),
        broken,
    )
    assert again.words == []
    assert again.status == "done"


def test_the_page_says_the_limits_of_the_method():
    from weigh.report.words import say

    limits = {"t": ASKED, "c": LONGEST, "w": WORDS}
    for language in ("en", "zh"):
        said = say("words_marked", language, n=1, y=2016, **limits)
        assert all(str(number) in said for number in limits.values())
        assert "{" not in said


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_text_of_one_word_is_not_said_to_have_been_asked_about(language):
    outcome, _ = weigh_words(["terrible"], [0], {"terrible": 3.0})
    (one,) = outcome.words
    assert one["words"] == []
    assert effects_sentence(Effects("good", []), ("terrible",), language) == ""
    tried = effects_sentence(Effects("good", [(0, 0, 1, 0.01)]), ("a great film",), language)
    assert ("taken out" in tried) or ("删去" in tried)


# ---- marks


def test_marked_pieces_are_the_text():
    text = "a great, long film"
    effects = Effects("good", [(0, 2, 7, 2.0), (0, 9, 13, -0.7), (0, 14, 18, 0.01)])
    found = marked(text, 0, effects)
    assert "".join(piece.text for piece in found) == text
    assert [(p.text, p.mark) for p in found if p.mark] == [("great", "for-3"), ("long", "against-1")]
    assert effects.strongest((text,), 1) == [("great", 2.0)]


def test_hardly_any_effect_is_not_marked():
    found = marked("a great film", 0, Effects("good", [(0, 2, 7, 0.04), (0, 8, 12, -0.01)]))
    assert [piece.mark for piece in found] == [""]


def test_damaged_offsets_lose_no_text():
    found = marked("great", 0, Effects("good", [(0, 3, 99, 1.0), (0, -2, 3, 1.0), (0, 4, 2, 1.0)]))
    assert "".join(piece.text for piece in found) == "great"


# ---- through the public door


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Reviews in which one word decides, some of them with the other label, and markup in the texts."""
    folder = tmp_path_factory.mktemp("words")
    table = write_reviews(folder / "reviews.csv", 100)
    bad = "<script>alert(1)</script> the <b>great</b> film was great and lovely"
    with table.open("a", encoding="utf-8") as file:
        file.writelines(f"{bad} {i * 'music '}</mark>\u202e,bad\n" for i in range(4))
    settings = ["design.folds=3", "design.repeats=2", "run.offline=true", "design.curve=false"]
    recipes = ["probe", {"name": "finetune", "epochs": 2, "learning_rate": 3e-3, "repeats": 1}]
    encoder = save_tiny_encoder(folder / "tiny")
    return Study.from_data(table, [encoder], recipes, settings=settings, folder=folder / "study").run()


def test_the_first_repeat_is_asked_and_recorded(study):
    records = [run for run in study.results().records if run.purpose == "main"]
    assert all(bool(run.words) == (run.repeat == 0) for run in records)
    assert {run.candidate.split(" × ")[1] for run in records if run.words} == {"probe", "finetune"}
    examples = study.results().examples
    for run in records:
        tested = set(study.ledger().predictions(run.key)[0].tolist())
        assert {one["example"] for one in run.words} <= tested
        assert all(
            0 <= a < b <= len(examples.rows[one["example"]][p]) for one in run.words for p, a, b, _ in one["words"]
        )


def test_the_page_shows_the_words_and_nothing_acts(study):
    for name, said in (("report.html", "words were taken out"), ("report.zh.html", "标出了起作用的词")):
        page = (study.folder / name).read_text("utf-8")
        assert said in page
        assert '<mark class="for-' in page or '<mark class="against-' in page
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page
        assert page.count("<mark") == page.count("</mark>")
        assert "\u202e" not in page


def test_reading_again_needs_no_torch(study):
    import subprocess
    import sys

    code = f"import sys; from weigh.study import Study; s = Study.open({str(study.folder)!r}); assert '<mark' in s.report('html'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
