"""What was left out for want of time is said as long as it is so."""

from __future__ import annotations

from weigh.execute.left_out import LeftOut
from weigh.language import text
from weigh.run import Candidate

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
