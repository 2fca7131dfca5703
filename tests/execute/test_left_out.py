"""What was left out for want of time is said as long as it is so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.arrays import kind_of
from tests.plan.test_runs import make_examples
from weigh.execute.budget import Clock
from weigh.execute.choices import chooser
from weigh.execute.essentials import keep_essentials
from weigh.execute.left_out import LeftOut
from weigh.language import text
from weigh.plan.candidates import cross_candidates
from weigh.plan.prepare import Prepared
from weigh.run import Candidate, Setting
from weigh.spec_yaml import load_spec

GOOD, POOR = (Candidate(f"timm:{name} × finetune", f"timm:{name}", "finetune", name) for name in ("good", "poor"))


class Facts(dict):
    """As a ledger keeps them."""

    def fact(self, key, default=None):
        return self.get(key, default)

    def set_facts(self, **facts):
        self.update(facts)


def left_out(facts, complete=()):
    return LeftOut.read(facts, "5m", (GOOD, POOR), dict.fromkeys(complete, 1))


def test_who_ran_since_with_another_budget_is_not_said_to_be_left_out():
    """A model whose only candidate is left out is named in place of it."""
    facts, both = Facts(), {GOOD.id, POOR.id}
    first = left_out(facts)
    first.keep_stopped(both, first.stopped_words(both), {})
    assert "no time for timm:good, timm:poor;" in left_out(facts).words(None, ()).en
    assert "no time for timm:poor;" in left_out(facts, [GOOD.id]).words(None, ()).en
    assert left_out(facts, both).words(None, ()) is None


def test_what_is_said_of_the_models_that_were_chosen_is_stored_with_those_that_are_left_out():
    """A study that was killed between the two said of a model that it is tried, and that there is no time for it."""
    writes = []

    class Recording(Facts):
        def set_facts(self, **facts):
            writes.append(facts)
            super().set_facts(**facts)

    said = lambda late: text("tries all but {m}", "除 {m} 外都尝试", m=", ".join(late))  # noqa: E731
    LeftOut.read(Recording(), "5m", (GOOD, POOR), {}, chosen=said).keep_models([POOR.model])
    (facts,) = writes
    assert facts["skipped"]["models"][0] == "tries all but timm:poor"
    assert "no time for timm:poor" in facts["skipped"]["budget"][0]
    assert facts["stopped"] == (POOR.id,)


def test_what_is_said_of_others_stays():
    facts = Facts()
    for candidate in (GOOD, POOR):
        now = left_out(facts)
        now.keep_stopped({candidate.id}, now.stopped_words({candidate.id}), {})
    words = left_out(facts, [GOOD.id]).words(None, ())
    assert words.en == "Within 5m there is no time for timm:poor; a longer --budget tries it too."


def too_short_for(examples, task: str, copies=None):
    """What is said of two models' heads on these examples within a second."""
    spec = load_spec(
        {
            "data": "d",
            "task": task,
            "models": ["timm:resnet18", "timm:resnet34"],
            "recipes": ["probe"],
            "design": {"budget": "1s"},
        }
    )
    copies = np.arange(len(examples)) if copies is None else copies
    prepared = Prepared(spec, examples, (), copies, ("fifths",))
    setting = Setting(task, examples.classes, spec.primary)
    candidates, timing = cross_candidates(spec), {"seconds_per_example": 0.01}
    kept = keep_essentials(prepared, candidates, setting, lambda address: timing, chooser(None), Clock(1.0), "")
    return kept.words


def test_a_longer_budget_promises_no_runs_without_suspects_where_nothing_can_be_suspected():
    """Of numbers no label is ever suspected; the sentence promised such runs all the same."""
    words = too_short_for(make_examples(), "image-classification")
    assert "the leaders once more without suspected labels or copies (if there are any)" in words.en
    assert "去掉可疑标注或副本（如果有）后重跑领先方案" in words.zh
    numbers = np.linspace(0.0, 1.0, 60)
    examples = replace(make_examples(), target=numbers, classes=(), kind=kind_of(numbers))
    words = too_short_for(examples, "image-regression")
    assert words.en == "Within 1s there is no time for more than one repeat of heads; a longer --budget brings it."
    assert "领先" not in words.zh
    twins = np.maximum(np.arange(60), 1)
    assert "the leaders once more" in too_short_for(examples, "image-regression", twins).en
