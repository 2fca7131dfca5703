"""What a study leaves out for want of time, kept with it: the same command again with the same budget does not change its mind.

Before it: `budget.py` and `less_training.py`, which decide. After it: `planner.py`, whose plans do without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from weigh.execute.budget import shortened
from weigh.language import Text, text
from weigh.plan.runs import Plan
from weigh.record.ledger import Ledger
from weigh.run import Candidate

__all__ = ["LeftOut", "joined", "too_short_for", "with_heads", "without_models"]


@dataclass(frozen=True)
class LeftOut:
    """What is left out with this budget, of these candidates.

    Attributes:
        ledger: None: nothing is kept.
        budget: As it is written in the specification; None: nothing is ever left out.
        candidates: All of the study.
        complete: Candidate -> repeats that are recorded, whatever the budget was when they ran: what is recorded is never left out.
        earlier: Models that an earlier start left out: they stay so.
        design: Of the whole study (`Plan.digest`): what was left out of another one is asked anew.
        chosen: What is said of the models that weigh chose, given those that are not tried; None where the user named them.
    """

    ledger: Ledger | None
    budget: str | None
    candidates: tuple[Candidate, ...]
    complete: Mapping[str, int] = field(default_factory=dict)
    earlier: tuple[str, ...] = ()
    design: str = ""
    chosen: Callable[[Collection[str]], Text] | None = None

    @classmethod
    def read(
        cls,
        ledger: Ledger | None,
        budget: str | None,
        candidates: Sequence[Candidate],
        complete: Mapping[str, int],
        design: str = "",
        chosen: Callable[[Collection[str]], Text] | None = None,
    ) -> LeftOut:
        """As the ledger has it when a study starts."""
        now = cls(ledger, budget, tuple(candidates), complete, design=design, chosen=chosen)
        heads = {model: [c.id for c in candidates if c.model == model and c.cheap] for model in now.models}
        ran = {model for model, names in heads.items() if names and all(name in complete for name in names)}
        return replace(now, earlier=tuple(model for model in now.models if model not in ran))

    @property
    def stopped(self) -> frozenset[str]:
        """Candidates that are not trained, or not to the end; those of `models` are not among them."""
        return self._stopped(self._kept)

    @property
    def models(self) -> tuple[str, ...]:
        """Addresses of models that are not tried."""
        return tuple(self._kept["models"])

    def everyone(self, models: Collection[str], stopped: Collection[str]) -> tuple[str, ...]:
        """Ids of all candidates that are left out: those that are kept here, `stopped`, and all of `models`."""
        return self._everyone(models, {*self.stopped, *stopped})

    def words(self, design: Text | None, models: Collection[str]) -> Text | None:
        """What is said of all of it.

        Args:
            design: What is said of what the design lacks.
            models: Those that are not tried.
        """
        return self._words(self._kept, design, models)

    def _words(self, kept: Mapping[str, Any], design: Text | None, models: Collection[str]) -> Text | None:
        sentences = [(Text(en, zh), set(about)) for en, zh, *about in kept["words"]]
        ran = self._ran_since(kept)
        stale = set().union(*(about for _, about in sentences if about & ran))
        current = [sentence for sentence, about in sentences if not about & ran]
        rest = self.stopped_words(self._stopped(kept) & stale)
        return joined([design, too_short_for(self.budget, models), *current, rest])

    def _stopped(self, kept: Mapping[str, Any]) -> frozenset[str]:
        return frozenset(kept["stopped"]) - self.complete.keys()

    def _everyone(self, models: Collection[str], stopped: Collection[str]) -> tuple[str, ...]:
        ids = {c.id for c in self.candidates if c.model in models}
        return tuple(sorted({*stopped, *ids}))

    def _ran_since(self, kept: Mapping[str, Any]) -> set[str]:
        """Candidates that were left out, or later repeats of them, and ran with another budget."""
        more = {name for name, many in kept["repeats"].items() if self.complete.get(name, 0) > many}
        return more | (self.complete.keys() & set(kept["stopped"]))

    def stopped_words(self, stopped: Collection[str]) -> Text | None:
        """What is said of candidates that there is no time for; a model is named once where none of its candidates runs."""
        names = []
        for candidate in self.candidates:
            everything = {other.id for other in self.candidates if other.model == candidate.model}
            name = candidate.model if everything <= set(stopped) else candidate.id
            if candidate.id in stopped and name not in names:
                names.append(name)
        return too_short_for(self.budget, names)

    def without(self, plan: Plan) -> Plan:
        """The plan without what was left out while the study ran."""
        repeats = {name: max(many, self.complete.get(name, 0)) for name, many in self._kept["repeats"].items()}
        return shortened(plan, repeats, self.stopped)

    def keep_plan(
        self, design: Text | None, models: Sequence[str], stopped: Collection[str], decided: Mapping[str, Any]
    ) -> None:
        """Remember what a plan leaves out: these models and no others, and these candidates too.

        Args:
            design: What is said of what the design lacks.
            decided: Further facts that the plan goes by. All is stored at once, so that a study that is killed never has half of it.
        """
        changed = {"design": None if design is None else [design.en, design.zh], "models": list(models)}
        self._keep(changed | self._stopping(stopped, self.stopped_words(stopped), {}), decided)

    def keep_models(self, models: Sequence[str]) -> None:
        """Remember that these models are not tried, and no others."""
        self._keep({"models": list(models)})

    def keep_stopped(self, stopped: Collection[str], words: Text | None, repeats: Mapping[str, int]) -> None:
        """Remember that these candidates are stopped too, which repeats are run, and what is said of it; nothing where nothing is said."""
        if words is not None:
            self._keep(self._stopping(stopped, words, repeats))

    def _stopping(self, stopped: Collection[str], words: Text | None, repeats: Mapping[str, int]) -> dict[str, Any]:
        if words is None:
            return {}
        before = self._kept
        everyone = sorted({*before["stopped"], *stopped})
        about = sorted({*stopped, *repeats})  # in its words a model may stand for its candidates
        sentences = [*before["words"], [words.en, words.zh, *about]]
        return {"repeats": before["repeats"] | dict(repeats), "stopped": everyone, "words": sentences}

    @property
    def _key(self) -> str:
        return f"left-out:{self.budget}:{','.join(candidate.id for candidate in self.candidates)}:{self.design}"

    @property
    def _kept(self) -> dict[str, Any]:
        nothing: dict[str, Any] = {"repeats": {}, "stopped": [], "models": [], "words": [], "design": None}
        if self.ledger is None or self.budget is None:
            return nothing
        return nothing | (self.ledger.fact(self._key) or {})

    def _keep(self, changed: Mapping[str, Any], decided: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Remember it, for this start and the next ones with the same budget, and for the report; in one transaction with `decided`."""
        ledger = self.ledger
        if self.budget is None:
            if ledger is not None and decided:
                ledger.set_facts(**decided)
            return
        assert ledger is not None
        kept = {**self._kept, **changed}
        models = kept["models"]
        words = self._words(kept, None if kept["design"] is None else Text(*kept["design"]), models)
        told = {"budget": words, "models": None if self.chosen is None else self.chosen(models)}
        skipped = {key: value for key, value in (ledger.fact("skipped") or {}).items() if key != "budget"}
        skipped |= {key: [sentence.en, sentence.zh] for key, sentence in told.items() if sentence is not None}
        stopped = self._everyone(models, self._stopped(kept))
        ledger.set_facts(**{self._key: kept}, **decided, stopped=stopped, skipped=skipped)


def without_models(plan: Plan, models: Collection[str]) -> Plan:
    """The plan without these models."""
    return plan.only({candidate.id for candidate in plan.candidates if candidate.model not in models})


def with_heads(plan: Plan, whole: Plan, models: Collection[str]) -> Plan:
    """The plan with the heads of these models too, as they stand in `whole`."""
    added = {c.id for c in whole.candidates if c.cheap and c.model in models} - plan.repeats.keys()
    candidates = tuple(c for c in whole.candidates if c.id in plan.repeats or c.id in added)
    runs = tuple(run for run in whole.runs if run.candidate in added)
    repeats = {c.id: (whole.repeats | plan.repeats)[c.id] for c in candidates}
    return replace(plan, candidates=candidates, runs=(*plan.runs, *runs), repeats=repeats)


def joined(sentences: Sequence[Text | None]) -> Text | None:
    """The sentences one after the other, without those that are None; None where all are."""
    told = [one for one in sentences if one is not None]
    return sum(told[1:], told[0]) if told else None


def too_short_for(budget: str | None, names: Collection[str]) -> Text | None:
    """What is said of models or candidates that there is no time for; None where there are none."""
    if not names:
        return None
    return text(
        "Within {b} there is no time for {m}; a longer --budget tries {k:|it|them} too.",
        "在 {b} 内来不及尝试 {m}；预算更长（--budget）时会一并尝试。",
        b=budget,
        m=", ".join(names),
        k=len(names),
    )
