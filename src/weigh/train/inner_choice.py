"""Recipes that choose inside the training folds: `auto` among recipes, `tuned` among settings of `finetune`. One run at a time.

A run deals its own training examples into five parts. Contenders (`plan/contenders.py`) train on four of them and are scored on the fifth; where
several parts are to be compared on, those that are clearly behind drop out between two, so that what is decided early is cheap. The
chosen one is then trained on all training examples of the run, as it would be without a choice: with the same seeds it gives the same numbers.

Nothing of the test fold takes part, so the cross-validation scores choice and training together. The scores of the choice itself are too good (they
chose) and stand in the facts of the run for that reason alone. A refit chooses anew, by the same procedure, on all training data.

Of those left at the end the first within one standard error of the best is taken (Breiman et al. 1984, section 3.4.3): recipes come with the cheapest
first; of a search the defaults, else the best.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import numpy as np

from weigh.data.examples import Examples
from weigh.data.folds import assign_folds, count_units
from weigh.metrics.base import METRICS, Metric
from weigh.notices import Progress
from weigh.run import RECIPES, Outcome, Run, Setting
from weigh.seeds import seed
from weigh.train.choosing_defaults import INNER_PARTS
from weigh.train.failures import MORE_EXACT
from weigh.train.length import epochs_of
from weigh.train.paired import CLEARLY, rise_of
from weigh.train.search import Search

__all__ = ["fit"]


@dataclass
class Contender:
    """What may be chosen.

    Attributes:
        settings: Of a search, those drawn for it; empty: the defaults.
        statistics: One array for each part that it was scored on, `(n, …)` as the primary metric measures; None where it failed.
        failed: The outcome of the training that failed.
    """

    recipe: str
    options: dict[str, Any]
    settings: dict[str, float | int] = field(default_factory=dict)
    statistics: list[np.ndarray] = field(default_factory=list)
    failed: Outcome | None = None

    def score(self, metric: Metric) -> float:
        """Its score on all parts so far; NaN where it failed."""
        if self.failed is not None or not self.statistics:
            return float("nan")
        if metric.pooling == "rank":  # scores of different trainings cannot be ranked together
            return float(
                _shares(self.statistics) @ [metric.reduce(part, np.ones(len(part))) for part in self.statistics]
            )
        pooled = _pooled(self.statistics)
        return float(metric.reduce(pooled, np.ones(len(pooled))))

    def behind(self, best: Contender, metric: Metric, errors: float) -> bool:
        """Whether it is behind by more than so many standard errors of the difference on the parts that both were scored on; an undefined score is behind."""
        pairs = list(zip(best.statistics, self.statistics, strict=True))
        if metric.pooling != "rank":
            pairs = [(_pooled(best.statistics), _pooled(self.statistics))]
        rises = np.array([rise_of(metric, after, before) for after, before in pairs])
        shares = _shares([after for after, _ in pairs])
        return not shares @ rises[:, 0] <= errors * float(np.sqrt(((shares * rises[:, 1]) ** 2).sum()))


def _pooled(parts: Sequence[np.ndarray]) -> np.ndarray:
    """`(n, k)` statistics of all parts. Counts per type of entity reach as far as the last type that a part holds: those beyond are 0."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])


def _shares(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The share of the examples that each part holds."""
    return np.array([len(part) for part in parts]) / sum(map(len, parts))


def fit(
    runs: Sequence[Run], setting: Setting, examples: Examples, progress: Progress | None = None
) -> Iterator[Outcome]:
    """Choose, then train what was chosen; one outcome per run, with what was chosen in `facts["choice"]`."""
    for run in runs:
        yield _fit_run(run, setting, examples, _Trainings.of(run, progress))


@dataclass
class _Trainings:
    """Tells the progress of one training after the other as that of one long one.

    Attributes:
        most: Trainings of the run, if no contender drops out.
        done: Those that have ended.
    """

    progress: Progress | None
    most: int
    done: int = 0

    @classmethod
    def of(cls, run: Run, progress: Progress | None) -> _Trainings:
        contenders = run.options.get("trials", len(run.options["contenders"]))
        return cls(progress, contenders * run.options["inner_folds"] + 1)

    def __call__(self, what: str, done: int, total: int) -> None:
        if self.progress is not None and what == "epochs":
            self.progress(what, 100 * self.done + 100 * done // total, 100 * self.most)
        elif self.progress is not None:
            self.progress(what, done, total)


def _fit_run(run: Run, setting: Setting, examples: Examples, progress: _Trainings) -> Outcome:
    started = time.perf_counter()
    parts = _inner_parts(run, examples)
    metric = METRICS.get(setting.primary)
    if "search" in run.options:
        tried = _search(run, parts, metric, setting, examples, progress)
    else:
        tried = [Contender(one["recipe"], one["options"]) for one in run.options["contenders"]]
        for contender in tried:
            _compete(contender, run, parts[0], metric, setting, examples, progress)
    racing = _still_racing(tried, metric, halved="search" in run.options)
    for part in parts[1:]:
        if len(racing) < 2:
            break
        for contender in racing:
            _compete(contender, run, part, metric, setting, examples, progress)
        racing = _still_racing(racing, metric, halved="search" in run.options)
    if not racing:  # nothing could be trained: the run fails for the same reason as its first contender
        cause = next(contender.failed for contender in tried if contender.failed is not None)
        return replace(cause, key=run.key)
    chosen = _choose([one for one in racing if "search" not in run.options or one is tried[0]], racing, metric)
    seconds = time.perf_counter() - started
    progress.done = progress.most - 1
    outcome = _train(replace(run, recipe=chosen.recipe, options=chosen.options), setting, examples, progress)
    choice = {
        **_facts(chosen, metric),
        "options": chosen.options,
        "examples": sum(map(len, chosen.statistics)),
        "tried": [_facts(contender, metric) for contender in tried],
    }
    measured = outcome.measured | {"choice_seconds": seconds}
    if "train_seconds" in measured:
        measured["train_seconds"] += seconds
    return replace(outcome, facts={**outcome.facts, "choice": choice}, measured=measured)


def _facts(contender: Contender, metric: Metric) -> dict[str, Any]:
    """What is recorded of a contender; a score that is undefined is None."""
    score = contender.score(metric)
    facts = {"recipe": contender.recipe, "settings": contender.settings, "parts": len(contender.statistics)}
    if contender.failed is not None:
        return {**facts, "score": None, "cause": contender.failed.cause}
    return {**facts, "score": None if np.isnan(score) else score}


def _inner_parts(run: Run, examples: Examples) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each part that contenders are compared on: the other training examples of the run, and itself. Groups stay whole."""
    group = examples.group_at(run.train)
    if count_units(group, len(run.train)) < 2:  # one group is all there is
        group = None
    units = count_units(group, len(run.train))
    rng = np.random.default_rng(seed(run.seeds["split"], "inner choice"))
    part = assign_folds(examples.strata(run.train), folds=min(INNER_PARTS, units), rng=rng, group=group)
    count = min(run.options["inner_folds"], int(part.max()) + 1)
    return [(run.train[part != number], run.train[part == number]) for number in range(count)]


def _compete(
    contender: Contender, run: Run, part: tuple[np.ndarray, np.ndarray], metric: Metric, setting: Setting,
    examples: Examples, progress: _Trainings,
) -> None:  # fmt: skip
    """Train a contender without a part and score it on that."""
    train, scored = part
    inner = replace(
        run, recipe=contender.recipe, options=contender.options, train=train, test=scored, purpose="inner", keep_weights=False,
        seeds={**run.seeds, "split": seed(run.seeds["split"], "inner choice", len(contender.statistics))},
    )  # fmt: skip
    outcome = _train(inner, setting, examples, progress)
    progress.done += 1
    if outcome.status != "done":
        contender.failed = outcome
        return
    assert outcome.answers is not None  # it is done
    bias = outcome.facts.get("bias")
    prediction = examples.kind.decide(outcome.answers, 0.0 if bias is None else np.asarray(bias))
    contender.statistics.append(metric.measure(prediction, examples.target[scored]))


def _train(run: Run, setting: Setting, examples: Examples, progress: _Trainings) -> Outcome:
    """Train a run by its recipe, in the arithmetic that recipes of its kind have in this study; once more in a more exact one where numbers left that."""
    recipe = RECIPES.get(run.recipe)
    again = setting.precision != setting.precisions.get("network", setting.precision)  # the whole run is tried again
    precision = setting.precision if again else setting.precisions.get(recipe.trains, setting.precision)
    module, function = recipe.fit.split(":")
    work = getattr(import_module(module), function)
    (outcome,) = work([run], replace(setting, precision=precision), examples, progress)
    exact = MORE_EXACT[recipe.trains].get(precision)
    if outcome.status == "failed" and outcome.remedy == "exact" and exact is not None:
        (outcome,) = work([run], replace(setting, precision=exact), examples, progress)
    return outcome


def _search(
    run: Run, parts: Sequence[tuple[np.ndarray, np.ndarray]], metric: Metric, setting: Setting, examples: Examples,
    progress: _Trainings,
) -> list[Contender]:  # fmt: skip
    """Every trial, scored on the first part; the defaults come first."""
    base = run.options["contenders"][0]
    defaults: dict[str, float | int] = {
        name: epochs_of(base["options"], len(parts[0][0])) if name == "epochs" else base["options"][name]
        for name in sorted(run.options["search"])
    }
    rng = np.random.default_rng(seed(run.seeds["split"], "search"))
    search = Search(
        defaults,
        run.options["search"],
        trials=run.options["trials"],
        greater_is_better=metric.greater_is_better,
        rng=rng,
    )
    tried: list[Contender] = []
    for number in range(run.options["trials"]):
        drawn = search.ask()
        settings = drawn if number else {}
        contender = Contender(base["recipe"], {**base["options"], **settings}, settings)
        _compete(contender, run, parts[0], metric, setting, examples, progress)
        search.tell(contender.score(metric))
        tried.append(contender)
    return tried


def _still_racing(contenders: Sequence[Contender], metric: Metric, *, halved: bool) -> list[Contender]:
    """The contenders that go on, in their order: trained, and not clearly behind the best.

    Args:
        halved: Of a search the first goes on, the defaults, and of the others those that are among the better half (successive halving; Jamieson &
            Talwalkar 2016). Else every one has to score better than all before it, which are cheaper.
    """
    alive = [contender for contender in contenders if contender.failed is None]
    best = _best(alive, metric)
    if best is None:
        return alive
    near = [one for one in alive if one is best or not one.behind(best, metric, CLEARLY)]
    if halved:
        better = sorted(near, key=lambda one: -_signed(one, metric))[: max(1, len(alive) // 2)]
        return [one for one in near if one in better or one is contenders[0]]
    going: list[Contender] = []
    for contender in near:
        if all(_signed(contender, metric) > _signed(cheaper, metric) for cheaper in going):
            going.append(contender)
    return going


def _choose(preferred: Sequence[Contender], contenders: Sequence[Contender], metric: Metric) -> Contender:
    """The first of the preferred ones that is within one standard error of the best of all; else the best."""
    best = _best(contenders, metric) or contenders[0]
    return next((one for one in preferred if one is best or not one.behind(best, metric, 1.0)), best)


def _best(contenders: Sequence[Contender], metric: Metric) -> Contender | None:
    """The first of those with the best score; None where no score is defined."""
    scored = [contender for contender in contenders if not np.isnan(contender.score(metric))]
    return max(scored, key=lambda one: _signed(one, metric), default=None)


def _signed(contender: Contender, metric: Metric) -> float:
    score = contender.score(metric)
    return -np.inf if np.isnan(score) else score if metric.greater_is_better else -score
