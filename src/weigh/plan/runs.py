"""From candidates and a design to runs: who trains on what, with which seeds, for which purpose.

All candidates share folds and seeds (paired). A run's key is a hash of everything that determines its numbers, so
a larger design contains the smaller one and only what is missing runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from weigh.data.examples import Examples
from weigh.data.folds import COPIES, GROUPS, assign_folds, holdout
from weigh.errors import DesignError
from weigh.language import Text, text
from weigh.plan.candidates import planned_repeats, recipe_of
from weigh.plan.identity import Split, make_run
from weigh.plan.purposes import crossed_runs, curve_runs, order_check_runs
from weigh.run import Candidate, Run
from weigh.seeds import generator, seed
from weigh.spec import StudySpec

__all__ = ["Plan", "hold_out_test", "plan_runs", "refit_run"]


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Attributes:
        candidates: All candidates.
        runs: Everything but the refits, which depend on the results of these.
        repeats: Candidate id -> planned repeats.
        skipped: What was asked for or usual and is not planned, and why.
        folds: Candidate id -> folds of its one repeat that are run, where those are not all (`less_training.py`).
    """

    candidates: tuple[Candidate, ...]
    runs: tuple[Run, ...]
    repeats: dict[str, int]
    skipped: dict[str, Text]
    folds: dict[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Candidate id -> what of it can be left out from the end: folds where it has some of its one repeat, else repeats."""
        return self.repeats | self.folds

    @cached_property
    def digest(self) -> str:
        """Names the design among what is kept with a study: with other data, folds, options, weights or arithmetic it is another one; more repeats or
        further questions are not.
        """
        first = "".join(run.key for run in self.runs if (run.purpose, run.repeat) == ("main", 0))
        return hashlib.blake2b(first.encode(), digest_size=8).hexdigest()

    def complete(self, recorded: Collection[str]) -> dict[str, int]:
        """Candidate id -> the first repeats of the main design of which everything is recorded; only candidates that have any.

        Args:
            recorded: Keys of runs.
        """
        repeats = {c.id: self.repeats.get(c.id, 0) for c in self.candidates}
        for run in self.runs:
            if run.purpose == "main" and run.key not in recorded:
                repeats[run.candidate] = min(repeats[run.candidate], run.repeat)
        return {name: many for name, many in repeats.items() if many}

    def only(self, ids: Collection[str]) -> Plan:
        """What of the plan is of these candidates.

        Args:
            ids: Of candidates.
        """
        return replace(
            self,
            candidates=tuple(candidate for candidate in self.candidates if candidate.id in ids),
            runs=tuple(run for run in self.runs if run.candidate in ids),
            repeats={name: many for name, many in self.repeats.items() if name in ids},
            folds={name: many for name, many in self.folds.items() if name in ids},
        )

    def number(self, run: Run) -> int:
        """The number, from 0, of the fold or repeat (as in `counts`) that a run of the main design is part of."""
        return run.fold if run.candidate in self.folds else run.repeat


def group_of(examples: Examples, spec: StudySpec) -> np.ndarray | None:
    """The groups that must not be split: `design.group_by`, else the table's group column, else none."""
    name = spec.design.group_by
    if name is None:
        return examples.group
    if name in ("group", spec.data.columns.group) and examples.group is not None:
        return examples.group
    if name not in examples.slices:
        columns = ", ".join(examples.slices) or "–"
        raise DesignError(
            text("design.group_by: the data has no column '{n}'.", "design.group_by：数据中没有“{n}”这一列。", n=name),
            text(
                "Groups keep examples of one patient, site or module on one side of every split.",
                "分组让同一病人、地点或组件的样本始终位于划分的同一侧。",
            ),
            text("Columns found: {k}.", "找到的列：{k}。", k=columns),
        )
    column = examples.slices[name]
    if not (column == "").any():
        return column
    # an empty cell is a group of its own: nothing is known about it
    return np.array([cell or f"(row {i + 1})" for i, cell in enumerate(column.tolist())], dtype=str)


def units_of(examples: Examples, spec: StudySpec) -> Text:
    """What `merge_groups` returns: groups that the user named, or sets of copies."""
    return COPIES if group_of(examples, spec) is None else GROUPS


def hold_out_test(examples: Examples, spec: StudySpec, copies: np.ndarray | None = None) -> Examples:
    """The same examples with `design.test` of them marked as the test part (once, before anything is trained).

    Args:
        copies: `(n,)` ids of sets of identical pictures: neither a group nor a set of copies is split.

    Raises:
        DesignError: There is a test part already and another is asked for.
    """
    if not spec.design.test:
        return examples
    if (examples.part == "test").any():
        raise DesignError(
            text(
                "design.test asks for a held-out share, but the data has a test part of {n} {n:|example|examples} already.",
                "design.test 要求留出一部分，但数据中已有 {n} 个测试样本。",
                n=int((examples.part == "test").sum()),
            ),
            do=text("Remove design.test, or the test folder.", "请去掉 design.test，或去掉测试文件夹。"),
        )
    rng = generator(spec.design.seed, "test part")
    group = merge_groups(group_of(examples, spec), copies)
    train, part = examples.where("train"), examples.part.copy()
    group = None if group is None else group[train]
    mask = holdout(
        examples.strata(train, stratify=spec.design.stratify),
        share=spec.design.test,
        rng=rng,
        group=group,
        units=units_of(examples, spec),
    )
    part[train[mask]] = "test"
    return replace(examples, part=part)


def plan_runs(
    examples: Examples,
    spec: StudySpec,
    candidates: Sequence[Candidate],
    *,
    variants: Sequence[str] = (),
    copies: np.ndarray | None = None,
    repeats: dict[str, int] | None = None,
) -> Plan:
    """Cross candidates with folds and repeats; add the order check, the learning curve and crossed seeds.

    Args:
        variants: Order checks to run ("fifths", "blocks:72", …).
        copies: `(n,)` ids of sets of identical pictures: copies stay in one fold.
        repeats: Overrides the planned repeats per candidate (a budget cuts them).
    """
    train = examples.where("train")
    strata = examples.strata(train, stratify=spec.design.stratify)
    whole = merge_groups(group_of(examples, spec), copies)
    group = None if whole is None else whole[train]
    counts = {c.id: (repeats or {}).get(c.id, planned_repeats(spec, recipe_of(spec, c))) for c in candidates}
    design = spec.design
    folds = []
    for repeat in range(max(counts.values(), default=0)):
        split_seed = seed(design.seed, "split", repeat if "split" in design.vary else 0)
        folds.append(
            assign_folds(
                strata,
                folds=design.folds,
                rng=np.random.default_rng(split_seed),
                group=group,
                units=units_of(examples, spec),
            )
        )
    splits = [
        Split(repeat, fold, train[of != fold], train[of == fold])
        for repeat, of in enumerate(folds)
        for fold in range(design.folds)
    ]
    runs = []
    for candidate in candidates:
        for split in splits[: counts[candidate.id] * design.folds]:
            runs.append(make_run(examples, spec, candidate, "main", "", split))
    skipped: dict[str, Text] = {}
    grouped = group_of(examples, spec) is not None
    for purpose, planned in (
        ("order-check", order_check_runs(examples, spec, candidates, variants, grouped=grouped, copies=copies)),
        ("curve", curve_runs(examples, spec, candidates, counts, splits, whole)),
        ("components", crossed_runs(examples, spec, candidates, counts, splits)),
    ):
        if isinstance(planned, Text):
            skipped[purpose] = planned
        else:
            runs += planned
    return Plan(tuple(candidates), tuple(runs), counts, skipped)


def refit_run(
    examples: Examples, spec: StudySpec, candidate: Candidate, *, epochs: int | None, keep_weights: bool,
    settled: Mapping[str, float] | None = None,
) -> Run:  # fmt: skip
    """The candidate trained on all training data; scored once on the test part and further test sets, if there are any."""
    split = Split(-1, -1, examples.where("train"), np.flatnonzero(examples.part != "train"))
    return make_run(
        examples, spec, candidate, "refit", "", split, epochs=epochs, settled=settled, keep_weights=keep_weights
    )


def merge_groups(group: np.ndarray | None, copies: np.ndarray | None) -> np.ndarray | None:
    """Groups such that neither a group nor a set of copies is split: connected components of both."""
    if group is None or copies is None:
        return group if copies is None else copies
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, a = np.unique(group, return_inverse=True)
    _, b = np.unique(copies, return_inverse=True)
    size = a.max() + 1 + b.max() + 1
    graph = coo_array((np.ones(len(a)), (a, b + a.max() + 1)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    return component[a].astype(str)
