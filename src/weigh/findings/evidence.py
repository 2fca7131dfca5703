"""The study as the inferential findings see it: every candidate measured once on the primary metric, compared once.

Before it: the records. After it: performance, comparison, generalisation, order and stability, which all speak of
the same numbers; `learning.py` and `assumptions.py` say what the evidence allows at all.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.targets import Baseline, answer_blindly
from weigh.language import Text, text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.design import MeasuredDesign
from weigh.plan.candidates import candidate_id, planned_repeats
from weigh.record.choice_of_winner import choose_winner, comparable_scores
from weigh.record.results import OutOfFold, Results
from weigh.seeds import generator
from weigh.spec import RecipeSpec
from weigh.stats.comparison import Comparisons, compare
from weigh.stats.estimate import Estimate
from weigh.stats.interval import Claim, estimate_of
from weigh.stats.racing import look_level
from weigh.stats.resampling import Resampler, Units, draw_weights

__all__ = ["Evidence", "read_evidence"]

T = TypeVar("T")
BUDGET = 1e7  # cells of a weight matrix: large data need, and get, fewer draws
LEAST_DRAWS, MOST_DRAWS = 200, 1000


@dataclass(frozen=True)
class Evidence:
    """One study, measured.

    Attributes:
        results: The records.
        metric: The primary metric.
        claim: What comparisons claim: "this_data" (purpose ship) or "new_data" (publish); "these_models" where others'
            trained models were read.
        level, rope: Of the intervals; region of practical equivalence in units of the metric.
        out_of_fold: Candidate id -> predictions; candidates without any finished run are missing.
        measured: The same, measured on the primary metric.
        units: What is independent of what.
        winner: Candidate id, or None where nothing can be chosen.
    """

    results: Results
    metric: Metric
    claim: Claim
    level: float
    rope: float
    out_of_fold: dict[str, OutOfFold]
    measured: dict[str, MeasuredDesign]
    units: Units
    winner: str | None

    @cached_property
    def draws(self) -> int:
        """Number of bootstrap draws: fewer for large data."""
        return int(np.clip(BUDGET // max(self.units.of.size, 1), LEAST_DRAWS, MOST_DRAWS))

    @cached_property
    def rivals(self) -> list[str]:
        """Candidates that count (no controls) and have results, in the order of the study."""
        return [c.id for c in self.results.candidates if not c.control and c.id in self.measured]

    @cached_property
    def comparisons(self) -> Comparisons | None:
        """All pairs of rivals, simultaneously; None with fewer than two."""
        return self.compare(self.rivals) if len(self.rivals) > 1 else None

    @cached_property
    def scores(self) -> dict[str, Estimate]:
        """Candidate id -> cross-validated primary metric with its interval."""
        resampler = self.resampler
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy leaves the interpreter free; each result stands alone
            list(pool.map(lambda item: resampler.of(*item), self.measured.items()))
        return {
            name: estimate_of(resampler.of(name, design), self.units, self.metric, claim=self.claim, level=self.level)
            for name, design in self.measured.items()
        }

    def recipe(self, name: str) -> RecipeSpec | None:
        """The recipe of a candidate as the study has it, with what was set of it; None where the study knows none, as of others' predictions."""
        model = self.results.candidate(name).model
        return next((one for one in self.results.spec.recipes if candidate_id(model, one) == name), None)

    def more_repeats(self, *names: str) -> str:
        """The settings that bring more repeats of these candidates: a race that stopped early would not run those of networks, nor would a study that was
        short of time, and a recipe with a number of its own takes no notice of the design's.
        """
        race, less, settings = self.results.race, self.results.less, []
        ended = {} if race is None or race.stop in (None, "spent") else race.planned
        if ended.keys() & names:
            return "design.race: false"
        trained = [one for one in map(self.results.candidate, names) if not one.cheap]
        if less is not None and any(one.model in less.models for one in trained):
            return "design.budget"
        if any(map(self._lost_repeats, names)):
            return "design.budget"
        for recipe in map(self.recipe, names):
            if recipe is None or recipe.repeats is None:
                settings.append("design.repeats")
            else:
                settings.append(f"recipes.{recipe.label or recipe.name}.repeats")
        return ", ".join(dict.fromkeys(settings)) or "design.repeats"

    def _lost_repeats(self, name: str) -> bool:
        """Whether there was no time for all repeats that a candidate was to have; those that failed or are still to run are not lost."""
        recipe = self.recipe(name) if "budget" in self.results.skipped else None
        if recipe is None or name in self.results.unfinished:
            return False
        begun = {run.repeat for run in self.results.runs(candidate=name, status=None)}
        return len(begun) < planned_repeats(self.results.spec, recipe)

    @cached_property
    def resampler(self) -> Resampler:
        """Influences of all candidates, and shared weights for those who draw."""
        return Resampler(draw_weights(self.rng("resampling"), self.units, self.draws), self.units)

    @cached_property
    def ranked(self) -> list[str]:
        """Rivals from the best score to the worst, the winner first whatever happens, and last who dropped out of a race.

        Folds differ in how hard they are: who has no complete repeat, or dropped out, stands where its difference to the winner in the folds that
        both have puts it.
        """
        sign = 1 if self.metric.greater_is_better else -1
        scores = self.comparable
        out = frozenset() if self.results.race is None else self.results.race.out
        return sorted(self.rivals, key=lambda n: (n != self.winner, n in out, math.isnan(scores[n]), -sign * scores[n]))

    @cached_property
    def comparable(self) -> dict[str, float]:
        """Candidate id -> its score as it may stand beside those of the others; NaN where it has no folds in common with the winner.

        Folds differ in how hard they are: who did not run in all of them has the winner's score, and to that by how much it is better in the folds
        that both have.
        """
        scores = {name: score.value for name, score in self.scores.items()}
        known = {} if self.results.less is None else comparable_scores(self.results)
        scores |= {name: score for name, score in known.items() if name in scores}
        winner = self.winner
        if winner is not None and winner in scores:
            for name in scores:
                if name != winner and name not in known and self.on_other_folds(name):
                    scores[name] = scores[winner] + self._ahead(name, winner)
        return scores

    def on_other_folds(self, name: str) -> bool:
        """Whether a candidate has no repeat of all folds, or dropped out of a race: its score as measured may not stand beside those of others."""
        out = frozenset() if self.results.race is None else self.results.race.out
        return name in out or not self.out_of_fold[name].complete.any()

    def fold_marks(self, names: Iterable[str]) -> dict[str, dict[str, bool]]:
        """Candidate id -> what a row says beside its score as measured: whether it is of some folds only. Empty where every one has a whole repeat,
        and of others' predictions, where single answers may be missing.
        """
        marks = {name: self.results.origin == "study" and self.on_other_folds(name) for name in names}
        return {name: {"on_other_folds": mark} if any(marks.values()) else {} for name, mark in marks.items()}

    def by_common_folds(self, name: str) -> bool:
        """Whether `comparable` has another score of it than was measured."""
        comparable = self.comparable[name]
        return not math.isnan(comparable) and not math.isclose(comparable, self.scores[name].value, abs_tol=1e-9)

    def _ahead(self, name: str, winner: str) -> float:
        """The score of a candidate minus that of the winner in the folds that both have."""
        known = self.comparisons
        pairs = known if known is not None and name in known.candidates else self.compare([name, winner])
        return pairs.of(name, winner).estimate.value

    @cached_property
    def blind(self) -> Baseline:
        """An answer that looks at nothing, with its score."""
        example = next(iter(self.out_of_fold.values()))
        return answer_blindly(self.metric, example.kind, example.target, len(self.results.examples.classes))

    def once(self, compute: Callable[[Evidence], T]) -> T:
        """The result of `compute`, which runs at most once per study: findings that need the same result all get it here."""
        if compute not in self._known:
            self._known[compute] = compute(self)
        return self._known[compute]

    @cached_property
    def _known(self) -> dict[Callable[[Evidence], Any], Any]:
        return {}

    def beside(self, *others: np.ndarray) -> Evidence:
        """The same study, speaking only of classes that can be judged in other parts too, whose targets these are."""
        if self.metric.judged is None:
            return self
        return replace(
            self, measured={name: runs.measured(self.metric, *others) for name, runs in self.out_of_fold.items()}
        )

    def more_repeats_help(self, *names: str) -> bool:
        """Whether a further repeat of any of these candidates would give other numbers.

        Not where heads are fitted to frozen features and there are no more groups than folds: every repeat then makes the same parts.
        """
        few = self.units.name == "groups" and self.units.count <= self.results.spec.design.folds

        def varies(name: str) -> bool:
            runs = self.out_of_fold[name]
            if len(runs.answers) > 1 and runs.complete[:2].all():
                return not np.array_equal(runs.answers[0], runs.answers[1])
            return not (few and self.results.candidate(name).cheap)

        return any(varies(name) for name in names)

    def folds_run(self, name: str) -> int:
        """Folds in which a candidate has predictions: the most of any of its repeats."""
        return max((len(np.unique(fold[fold >= 0])) for fold in self.out_of_fold[name].fold), default=0)

    def whole_repeats(self, name: str) -> np.ndarray:
        """`(repeats,)` bool: repeats with a score of all folds. In others' predictions single answers may be missing, so there any score counts."""
        scored = ~np.isnan(self.measured[name].score().repeat)
        return scored & self.out_of_fold[name].complete if self.results.origin == "study" else scored

    def further_folds(self, name: str) -> int:
        """Folds with predictions in repeats that are not whole."""
        rest = self.out_of_fold[name].fold[~self.whole_repeats(name)]
        return sum(len(np.unique(fold[fold >= 0])) for fold in rest)

    def partial(self, name: str) -> bool:
        """Whether a candidate of this study ran in some of the folds only: there was no time for more, or runs failed."""
        return self.results.origin == "study" and self.folds_run(name) < self.results.spec.design.folds

    def scattered(self, name: str) -> bool:
        """Whether several repeats of a candidate have some folds each, and none has all."""
        return self.partial(name) and self.further_folds(name) > self.folds_run(name)

    def short_of_time(self, *names: str) -> bool:
        """Whether any of these ran in some folds only while time was short (`less`): more repeats would not run either."""
        return self.results.less is not None and any(self.partial(name) for name in names)

    def validation(self, name: str) -> Text:
        """What a candidate's score stands on, in words: the numbers are those of `folds_estimates`."""
        if not self.partial(name):
            return text("cross-validation", "交叉验证")
        run, folds = self.folds_run(name), self.results.spec.design.folds
        if self.scattered(name):
            ran = self.further_folds(name)
            return text("{x} folds of several repeats of {f}", "若干次重复（每次 {f} 折）中的 {x} 折", x=ran, f=folds)
        return text("the {k} of {f} folds that ran", "全部 {f} 折中跑过的 {k} 折", k=run, f=folds)

    def folds_estimates(self, name: str) -> dict[str, Estimate]:
        """The numbers in `validation`: none where all folds ran."""
        if not self.partial(name):
            return {}
        folds = {"folds": count(self.results.spec.design.folds, "folds")}
        if self.scattered(name):
            return folds | {"further_folds": count(self.further_folds(name), "folds")}
        return folds | {"folds_run": count(self.folds_run(name), "folds")}

    def same_answers(self, a: str, b: str) -> bool:
        """Whether no answer of the two differs, as where a recipe that chooses always chose the other one."""
        one, other = self.out_of_fold[a], self.out_of_fold[b]
        repeats = min(len(one.present), len(other.present))
        both = one.present[:repeats] & other.present[:repeats]

        def equal(mine: np.ndarray, theirs: np.ndarray) -> bool:
            return mine.shape[2:] == theirs.shape[2:] and np.array_equal(mine[:repeats][both], theirs[:repeats][both])

        return bool(both.any()) and equal(one.answers, other.answers) and equal(one.bias, other.bias)

    def compare(self, names: list[str], further: Mapping[str, MeasuredDesign] = MappingProxyType({})) -> Comparisons:
        """Compare `names` simultaneously, with this study's claim, level and rope; a race's many looks are allowed for.

        Args:
            further: What is no candidate of the study, under names of its own.
        """
        race = self.results.race
        return compare(
            {name: further[name] if name in further else self.measured[name] for name in names},
            self.units,
            rng=self.rng("resampling"),
            claim=self.claim,
            level=self.level,
            rope=self.rope,
            resampler=self.resampler,
            once=None if race is None else look_level(race.looks, self.level, race.rivals),
            folds=self.results.spec.design.folds if self.results.in_some_folds else None,
        )

    def rng(self, purpose: str) -> np.random.Generator:
        """The generator of a purpose: the same records always give the same findings."""
        return generator(self.results.spec.design.seed, "findings", purpose)

    def label(self, name: str) -> str:
        """Short name of a candidate."""
        return self.results.candidate(name).label


def read_evidence(results: Results) -> Evidence:
    """The evidence of `results`, made once per `Results` object."""
    return results.once(_read)


def _read(results: Results) -> Evidence:
    spec = results.spec
    metric = METRICS.get(spec.primary).among(results.examples.kind, len(results.examples.classes))
    out_of_fold = {}
    for candidate in results.candidates:
        predictions = results.out_of_fold(candidate.id)
        if predictions is not None:
            out_of_fold[candidate.id] = predictions
    measured = {name: predictions.measured(metric) for name, predictions in out_of_fold.items()}
    winner = results.winner if results.winner in measured else choose_winner(results)
    return Evidence(
        results=results,
        metric=metric,
        claim=_claim(results),
        level=spec.design.level,
        rope=metric.rope if spec.metrics.rope is None else spec.metrics.rope,
        out_of_fold=out_of_fold,
        measured=measured,
        units=results.units_at(results.judged),
        winner=winner if winner in measured else None,
    )


def _claim(results: Results) -> Claim:
    """The widest claim that was asked for and that the records allow."""
    return "these_models" if results.origin == "models" else results.spec.design.claim
