"""The study as the inferential findings see it: every candidate measured once on the primary metric, compared once.

Before it: the records. After it: performance, comparison, generalisation, order and stability, which all speak of
the same numbers. Here are also the small words that they share: how a score and a difference are written.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from weigh.findings.model import Assumption, Bilingual, Verdict
from weigh.findings.targets import Baseline, answer_blindly
from weigh.language import Text, text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.design import MeasuredDesign, measure_design
from weigh.record.results import OutOfFold, Results
from weigh.seeds import generator
from weigh.stats.comparison import Comparisons, Difference, compare
from weigh.stats.estimate import UNITS, Estimate, digits_that_show
from weigh.stats.interval import Claim, estimate_of
from weigh.stats.racing import look_level
from weigh.stats.resampling import Resampler, Units, draw_weights, make_units

__all__ = ["Evidence", "amount", "bilingual", "count", "gain_of", "read_evidence", "scaled", "scope", "share", "turned"]

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
        """Bootstrap draws."""
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

    @cached_property
    def more_repeats(self) -> str:
        """The setting that brings more repeats: a race that stopped early would not run them."""
        race = self.results.race
        return "design.repeats" if race is None or race.stop in (None, "spent") else "design.race: false"

    @cached_property
    def resampler(self) -> Resampler:
        """Influences of all candidates, and shared weights for those who draw."""
        return Resampler(draw_weights(self.rng("resampling"), self.units, self.draws), self.units)

    @cached_property
    def ranked(self) -> list[str]:
        """Rivals from the best score to the worst, the winner first whatever happens."""
        sign = 1 if self.metric.greater_is_better else -1
        known = {name: self.scores[name].value for name in self.rivals}
        return sorted(known, key=lambda n: (n != self.winner, math.isnan(known[n]), -sign * known[n]))

    @cached_property
    def blind(self) -> Baseline:
        """An answer that looks at nothing, with its score."""
        some = next(iter(self.out_of_fold.values()))
        return answer_blindly(self.metric, some.kind, some.target, len(self.results.examples.classes))

    def once(self, compute: Callable[[Evidence], T]) -> T:
        """What `compute` finds, worked out once: findings that speak of the same thing ask here, and none hands it to another."""
        if compute not in self._known:
            self._known[compute] = compute(self)
        return self._known[compute]

    @cached_property
    def _known(self) -> dict[Callable[[Evidence], Any], Any]:
        return {}

    @cached_property
    def useful(self) -> Verdict:
        """Whether the winner beats an answer that looks at nothing: "no" where it is shown to be worse."""
        from weigh.findings.generalisation.optimism import winner_score  # it builds on this module

        if self.winner is None:
            return "undecided"
        score, base = winner_score(self), self.blind.score
        if score.low is None or score.high is None or math.isnan(base):
            return "undecided"
        sign = 1 if self.metric.greater_is_better else -1
        ends = sorted(sign * (v - base) for v in (score.low, score.value, score.high))  # 1e-17 below a score of 0 is 0
        return "yes" if ends[0] > 0 else "no" if ends[-1] < 0 else "undecided"

    def more_repeats_help(self, *names: str) -> bool:
        """Whether a further repeat of any of these candidates would give other numbers.

        Not where heads are fitted to frozen features and there are no more groups than folds: every repeat then makes the same parts.
        """
        few = self.units.name == "groups" and self.units.count <= self.results.spec.design.folds

        def varies(name: str) -> bool:
            found = self.out_of_fold[name]
            if len(found.logits) > 1 and found.complete[:2].all():
                return not np.array_equal(found.logits[0], found.logits[1])
            return not (few and self.results.candidate(name).cheap)

        return any(varies(name) for name in names)

    @cached_property
    def nothing_learnt(self) -> bool:
        """Whether every run of the winner gives every example the same answer, and its score is no better: nothing to rank."""
        from weigh.findings.stability.degenerate import constant_runs  # it builds on this module

        return self.useful != "yes" and self.winner in self.once(constant_runs).throughout

    @cached_property
    def neighbours_alike(self) -> bool:
        """Whether the order check raised an alarm, or errors of neighbours are alike by more than chance explains."""
        from weigh.findings.generalisation.neighbours import dependence  # they build on this module
        from weigh.findings.generalisation.order_checks import check_order

        return any(check.alarm for check in self.once(check_order).checks) or self.once(dependence) is not None

    def compare(self, names: list[str]) -> Comparisons:
        """Compare `names` simultaneously, with this study's claim, level and rope; a race's many looks are allowed for."""
        race = self.results.race
        return compare(
            {name: self.measured[name] for name in names},
            self.units,
            rng=self.rng("resampling"),
            claim=self.claim,
            level=self.level,
            rope=self.rope,
            resampler=self.resampler,
            once=None if race is None else look_level(race.looks, self.level, race.rivals),
        )

    def rng(self, purpose: str) -> np.random.Generator:
        """The generator of a purpose: the same records always give the same findings."""
        return generator(self.results.spec.design.seed, "findings", purpose)

    def label(self, name: str) -> str:
        """Short name of a candidate."""
        return self.results.candidate(name).label

    def assumptions(self, names: list[str]) -> list[Assumption]:
        """What every inference from these folds rests on, with its outcome."""
        return _assumptions(self, names)


def read_evidence(results: Results) -> Evidence:
    """The evidence of `results`, made once per `Results` object.

    It is kept in the object's own dictionary, as `functools.cached_property` would: several findings need it, and it
    must not outlive the records.
    """
    kept = results.__dict__.get("_evidence")
    if kept is None:
        kept = _read(results)
        results.__dict__["_evidence"] = kept
    return kept


def _read(results: Results) -> Evidence:
    from weigh.plan.runs import group_of
    from weigh.record.selection import choose_winner

    spec = results.spec
    metric = METRICS.get(spec.primary)
    out_of_fold = {}
    for candidate in results.candidates:
        found = results.out_of_fold(candidate.id)
        if found is not None:
            out_of_fold[candidate.id] = found
    measured = {name: measure_design(metric, found) for name, found in out_of_fold.items()}
    indices = results.examples.where("train")
    groups = group_of(results.examples, spec)
    units = make_units(
        results.examples.kind, results.examples.target[indices], None if groups is None else groups[indices]
    )
    winner = results.winner if results.winner in measured else choose_winner(results)
    return Evidence(
        results=results,
        metric=metric,
        claim=_claim(results),
        level=spec.design.level,
        rope=metric.rope if spec.metrics.rope is None else spec.metrics.rope,
        out_of_fold=out_of_fold,
        measured=measured,
        units=units,
        winner=winner if winner in measured else None,
    )


def _claim(results: Results) -> Claim:
    """The widest claim that was asked for and that the records allow."""
    if results.origin == "models":
        return "these_models"
    return "this_data" if results.spec.design.purpose == "ship" else "new_data"


def _assumptions(evidence: Evidence, names: list[str]) -> list[Assumption]:
    units = evidence.units
    grouped = units.name == "groups"
    alarmed = evidence.neighbours_alike
    others = evidence.results.origin != "study"
    alone = (
        text(
            "Sentences of one document are alike; which belong together is not known here.",
            "同一文档中的句子彼此相似，而这里不知道哪些句子属于同一文档。",
        )
        if others and evidence.results.examples.tokens is not None
        else text(
            "If several examples share an origin, say which in a column group.",
            "如果多个样本来自同一来源，请用 group 列注明。",
        )
        if others
        else text(
            "If several examples share an origin, set design.group_by.",
            "如果多个样本来自同一来源，请设置 design.group_by。",
        )
    )
    independent = Assumption(
        name=bilingual(
            text("Groups are independent of each other", "各组相互独立")
            if grouped
            else text("Examples are independent of each other", "样本之间相互独立")
        ),
        outcome="doubtful" if alarmed else "unchecked",
        detail=bilingual(
            text(
                "Neighbours are alike, or conditions drift: see what was found about the order of the examples.",
                "相邻样本相似，或条件随顺序漂移：见关于样本顺序的结论。",
            )
            if alarmed
            else text("Groups were resampled as a whole.", "重抽样以整组为单位。")
            if grouped
            else alone
        ),
    )
    repeats = min((int((~np.isnan(evidence.measured[n].score().repeat)).sum()) for n in names), default=0)
    listed = [
        independent,
        Assumption(
            name=bilingual(text("New examples are like these", "新样本与这些样本同类")),
            outcome="unchecked",
            detail=bilingual(text("Nothing here speaks about other sources.", "这里的结论不涉及其他来源。")),
        ),
    ]
    if others:
        listed.append(
            Assumption(
                name=bilingual(
                    text("No model learnt from the examples that it is judged on", "没有模型从用来评判它的样本中学习过")
                ),
                outcome="unchecked",
                detail=bilingual(
                    text(
                        "Neither by training nor by tuning; predictions alone cannot show it.",
                        "既没有用于训练，也没有用于调参；仅凭预测无法核实。",
                    )
                ),
            )
        )
    if repeats == 1 and evidence.claim != "these_models":
        listed.append(
            Assumption(
                name=bilingual(text("One repeat tells enough", "一次重复就足够")),
                outcome="doubtful",
                detail=bilingual(
                    text(
                        "With a single repeat the luck of the training sample cannot be seen; the interval is widened by a fixed factor.",
                        "只有一次重复时看不出训练样本带来的运气成分；区间已按固定系数放宽。",
                    )
                ),
            )
        )
    return listed


# Words


def bilingual(source: Text) -> Bilingual:
    """A `Text` as the findings' model wants it."""
    return Bilingual.of(source)


def count(value: float, unit: str) -> Estimate:
    """A number of things: exact, so without an interval."""
    return Estimate(value=float(value), n=int(value), n_unit=unit, method="count", unit=unit)


def share(level: float) -> Estimate:
    """A share as a percentage, exact."""
    return Estimate(value=100 * level, method="as set", unit="percent")


def gain_of(difference: Difference, metric: Metric) -> Estimate:
    """`difference` turned so that positive means "a is better", in hundredths (points) for scores between 0 and 1."""
    sign = (1.0 if metric.greater_is_better else -1.0) * (100.0 if metric.unit == "score" else 1.0)
    estimate = difference.estimate
    ends = [None if end is None else sign * end + 0.0 for end in (estimate.low, estimate.high)]
    low, high = ends if sign > 0 else ends[::-1]
    unit = "points" if metric.unit == "score" else metric.unit
    return estimate.model_copy(update={"value": sign * estimate.value + 0.0, "low": low, "high": high, "unit": unit})


def turned(gain: Estimate) -> Estimate:
    """The same difference, seen from the other side."""
    ends = {"low": None if gain.high is None else -gain.high, "high": None if gain.low is None else -gain.low}
    return gain.model_copy(update={"value": -gain.value, **ends})


def scaled(value: float, metric: Metric, *, n: int = 0, method: str = "") -> Estimate:
    """A size of a difference in the unit in which differences are written."""
    factor, unit = (100.0, "points") if metric.unit == "score" else (1.0, metric.unit)
    return Estimate(value=factor * value, n=n, method=method, unit=unit)


def amount(estimate: Estimate) -> Text:
    """ "1.7 points [0.4, 3.0]" in both languages; never rounded so far that an end changes its side of zero."""
    digits = digits_that_show((estimate.low, estimate.high), 1 if estimate.unit == "points" else 3)
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f" [{_number(estimate.low, digits)}, {_number(estimate.high, digits)}]"
    unit = UNITS.get(estimate.unit, text(estimate.unit, estimate.unit))
    return text("{v} {u}{i}", "{v} {u}{i}", v=_number(estimate.value, digits), u=unit, i=interval)


def _number(value: float, digits: int) -> str:
    written = f"{value:.{digits}f}"
    return written[1:] if float(written) == 0 and written.startswith("-") else written


def scope(claim: Claim, *, number: int = 2) -> Text:
    """What a claim speaks about, to be put into a sentence about one or several candidates."""
    one = number == 1
    recipes = text("this recipe", "这个方案") if one else text("these recipes", "这些方案")
    models = (
        text("this trained model", "这个训练好的模型") if one else text("these trained models", "这几个训练好的模型")
    )
    return {
        "these_models": text("{m} on new examples like these", "{m}用在同类新样本上的表现", m=models),
        "this_data": text(
            "{r}, trained on all the data at hand, on new examples like these",
            "{r}用手头全部数据训练后，在同类新样本上的表现",
            r=recipes,
        ),
        "new_data": text(
            "{r} on other data sets of this size from the same source",
            "{r}在来源相同、规模相同的其他数据集上的表现",
            r=recipes,
        ),
    }[claim]
