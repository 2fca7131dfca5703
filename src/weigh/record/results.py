"""What findings read: a study's records as arrays. No torch, no files: `record/ledger.py` fills it from disk,
tests fill it from synthetic arrays, `record/predictions/results.py` from tables of predictions that others made.

Array order everywhere: (candidate, repeat, fold, example).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np

from weigh.data.cache import in_room, room
from weigh.data.examples import Examples
from weigh.kinds.base import Kind, Prediction
from weigh.language import Text
from weigh.metrics.base import Metric
from weigh.metrics.design import MeasuredDesign, measure_design
from weigh.plan.less_training import LessTraining
from weigh.plan.racing import Race
from weigh.plan.runs import group_of
from weigh.problem import Problem
from weigh.record.saved_checks import SavedCheck
from weigh.run import Candidate, Kept
from weigh.settings import cache_folder
from weigh.spec import StudySpec
from weigh.stats.resampling import Units, make_units

__all__ = ["Candidate", "OutOfFold", "Results", "RunRecord"]

T = TypeVar("T")
Purpose = Literal["main", "order-check", "curve", "components", "cleaned", "refit"]


@dataclass(frozen=True)
class RunRecord:
    """One run: one candidate trained and measured once.

    Attributes:
        key: Content hash of everything that determines the numbers.
        variant: Within a purpose: block size of an order check ("blocks:72"), share of the training folds of a curve
            ("size:0.25"), source and number of another seed of crossed runs ("init:1"); "" otherwise.
        repeat, fold: Position in the design; -1 for refits.
        status: "done" or "failed"; `cause` says why it failed.
        n_train: How many examples it was trained on; which ones follows from the design.
        facts: Decided or observed, the same on every execution: strength, best_epoch, history (list of per-epoch
            dicts), n_parameters, train_scores {metric: value on the training part}, bias (list, one per class:
            the decision threshold chosen inside the training folds; absent = zeros), temperature (refits).
        measured: train_seconds, predict_seconds_per_example, peak_bytes, started, … (changes from run to run).
        seeds: {"split": …, "init": …, "order": …, "augmentation": …}.
        words: Of the texts with the largest loss: {"example": index, "class": the predicted one, "words": [[text of a pair,
            start, end, change of the log odds], …]} (`train/words.py`); for classes of texts, in the first repeat.
    """

    key: str
    candidate: str
    purpose: Purpose
    repeat: int
    fold: int
    status: Literal["done", "failed"]
    variant: str = ""
    cause: str = ""
    n_train: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    words: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class OutOfFold:
    """The out-of-fold predictions of one candidate.

    Attributes:
        indices: `(n,)` index into `Results.examples` of the examples that were in the design (`Results.judged`).
        answers: `(repeats, n, k)` in the type that their kind unpacks, as it decides on them (logits of classes); they mean nothing where none is present.
        fold: `(repeats, n)` int16; -1 where a run is missing or failed. The same for every candidate of a study (paired).
        target: As in `Examples`.
        bias: `(repeats, n, classes)` float32: what each run adds to log probabilities before it decides (a threshold
            chosen inside its training folds; zeros: the most probable class); `(repeats, n, 1)` zeros where no run adds anything.
        kind: Of the targets.
        seeded: Whether a run has luck of its own beside its training examples. Not where a head is fitted to frozen features.
    """

    indices: np.ndarray
    answers: np.ndarray
    fold: np.ndarray
    target: np.ndarray
    bias: np.ndarray
    kind: Kind
    seeded: bool = True

    @property
    def complete(self) -> np.ndarray:
        """`(repeats,)` bool: repeats in which every example has a prediction."""
        return self.present.all(axis=1)

    @cached_property
    def present(self) -> np.ndarray:
        """`(repeats, n)` bool: whether there is an answer."""
        return self.fold >= 0

    def prediction(self, repeat: int) -> Prediction:
        """Probabilities and decisions of one repeat, `n` examples, decoded once; rows without an answer mean nothing. Large ones lie in a mapped file."""
        if repeat not in self._decided:
            decided = self.kind.decide(self.answers[repeat], self.bias[repeat])
            if self.kind.probable:
                decided = decided._replace(probabilities=in_room(decided.probabilities, cache_folder()))
            self._decided[repeat] = decided
        return self._decided[repeat]

    @cached_property
    def mean_distance(self) -> np.ndarray:
        """`(n,)` how far off the answers about an example are (`Kind.distances`), in the mean of its repeats; NaN: there is none."""
        wrong = np.zeros(self.fold.shape)
        for repeat, present in enumerate(self.present):
            wrong[repeat, present] = self.kind.distances(self.prediction(repeat).labels, self.target)[present]
        answers = self.present.sum(axis=0)
        return np.where(answers > 0, wrong.sum(axis=0) / np.maximum(answers, 1), np.nan)

    def measured(self, metric: Metric, *others: np.ndarray) -> MeasuredDesign:
        """Every answer measured on `metric`, once.

        Args:
            others: Targets of what it is compared with: the score then speaks of classes that can be judged there too.
        """
        if others and metric.judged is not None:
            return measure_design(metric.within(self.target, *others), self)
        if metric.name not in self._measured:
            self._measured[metric.name] = measure_design(metric, self)
        return self._measured[metric.name]

    @cached_property
    def _decided(self) -> dict[int, Prediction]:
        return {}

    @cached_property
    def _measured(self) -> dict[str, MeasuredDesign]:
        return {}


@dataclass(frozen=True)
class Results:
    """A study as findings see it.

    Attributes:
        name: Name of the study.
        spec: The resolved specification.
        examples: The index of the data, without the examples that were set aside.
        problems: What the data checks found.
        candidates: In the order of the specification; controls last.
        records: Every run, done or failed.
        predictions: `key -> (indices into examples, answers)`; lazily read.
        kept: `key -> ` the answers that a run kept as they are, or None; lazily read.
        skipped: What was planned and then not done, and why: {"order-check": Text, …}.
        test_looks: How often the test part was scored.
        winner: Candidate chosen on cross-validation alone, or None before that.
        models: Facts on each model address: parameters, macs, size_bytes, weights provenance, licence, input size.
        unfinished: Candidate id -> planned runs that are not recorded yet; empty for a finished study.
        origin: "study" for our own runs; predictions that others made: "folds" for a cross-validation, "models" for
            trained models on a test set (then `main` holds one fold, one repeat for each run of a model).
        race: Who was dropped before the end and why; None where all candidates run to the end.
        untried: Candidates that never ran, since their models were not among the finalists (`plan/finalists.py`).
        stopped: Candidates that the time was too short for; runs of theirs that are recorded count nowhere.
        averaged: Shares of the candidates whose average was refitted and saved; empty: none was.
        average_outdated: Whether the results would give another average than the saved one, and it was not saved anew.
        saved_checks: Saved models that did not answer as their refits did when they were opened.
        less: How networks were trained in less time (`plan/less_training.py`); None where in full.
        lost: What was recorded and cannot be read any more, in words; such runs are unfinished.
        measured_on: For others' predictions: name of the set that `main` speaks about, "" where there is one set.
        checked: For others' predictions: what was looked for before anything was concluded; None: what the checks of such examples look for.
    """

    name: str
    spec: StudySpec
    examples: Examples
    problems: tuple[Problem, ...]
    candidates: tuple[Candidate, ...]
    records: tuple[RunRecord, ...]
    predictions: Callable[[str], tuple[np.ndarray, np.ndarray]]
    kept: Callable[[str], Kept | None] = field(default_factory=lambda: dict[str, Kept]().get)
    skipped: dict[str, Any] = field(default_factory=dict)
    test_looks: int = 0
    winner: str | None = None
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    unfinished: dict[str, int] = field(default_factory=dict)
    origin: Literal["study", "folds", "models"] = "study"
    measured_on: str = ""
    checked: Text | None = None
    race: Race | None = None
    untried: tuple[Candidate, ...] = ()
    stopped: tuple[Candidate, ...] = ()
    averaged: dict[str, float] = field(default_factory=dict)
    average_outdated: bool = False
    saved_checks: tuple[SavedCheck, ...] = ()
    lost: Text | None = None
    less: LessTraining | None = None

    def once(self, compute: Callable[[Results], T]) -> T:
        """What `compute` makes of these records, worked out once; it does not outlive them."""
        if compute not in self._known:
            self._known[compute] = compute(self)
        return self._known[compute]

    @cached_property
    def _known(self) -> dict[Callable[[Results], Any], Any]:
        return {}

    def runs(
        self,
        purpose: Purpose = "main",
        *,
        candidate: str | None = None,
        variant: str | None = None,
        status: str | None = "done",
    ) -> list[RunRecord]:
        """Records of a purpose, in the order (candidate, variant, repeat, fold)."""
        rank = {c.id: i for i, c in enumerate(self.candidates)}
        chosen = [
            r
            for r in self.records
            if r.purpose == purpose
            and (candidate is None or r.candidate == candidate)
            and (variant is None or r.variant == variant)
            and (status is None or r.status == status)
        ]
        return sorted(chosen, key=lambda r: (rank.get(r.candidate, 99), r.variant, r.repeat, r.fold))

    def out_of_fold(self, candidate: str, purpose: Purpose = "main", variant: str = "") -> OutOfFold | None:
        """Out-of-fold predictions of a candidate, read once, or None where it has no finished run."""
        key = (candidate, purpose, variant)
        if key not in self._read:
            self._read[key] = self._out_of_fold(candidate, purpose, variant)
        return self._read[key]

    @cached_property
    def _read(self) -> dict[tuple[str, str, str], OutOfFold | None]:
        return {}

    def with_winner(self, winner: str | None) -> Results:
        """The same records with `winner`; predictions that were read to choose it are not read again."""
        chosen = replace(self, winner=winner)
        chosen._read.update(self._read)
        return chosen

    @property
    def in_some_folds(self) -> bool:
        """Whether no candidate ran in all folds, as nothing but networks was trained and there was no time for more (`less`)."""
        less = self.less is not None and self.less.folds < self.spec.design.folds
        return less and not any(candidate.cheap for candidate in self.candidates)

    @cached_property
    def judged(self) -> np.ndarray:
        """`(n,)` index into `examples` of those that the cross-validation speaks of: the training part, and of it the folds that ran where the others
        were left out for all candidates.
        """
        train = self.examples.where("train")
        runs = self.runs() if self.in_some_folds else []
        if not runs:
            return train
        return train[np.isin(train, np.concatenate([self.predictions(run.key)[0] for run in runs]))]

    def units_at(self, indices: np.ndarray) -> Units:
        """What is independent of what among the examples at `indices`: groups of the study, or single examples."""
        groups = group_of(self.examples, self.spec)
        own = None if groups is None else groups[indices]
        return make_units(self.examples.kind, self.examples.target[indices], own)

    def _out_of_fold(self, candidate: str, purpose: Purpose, variant: str) -> OutOfFold | None:
        runs = self.runs(purpose, candidate=candidate, variant=variant)
        if not runs:
            return None
        indices = self.judged if purpose == "main" else self.examples.where("train")
        position = np.full(len(self.examples), -1)
        position[indices] = np.arange(len(indices))
        repeats = 1 + max(r.repeat for r in self.runs(purpose, candidate=candidate, variant=variant, status=None))
        answers, biases = None, []
        fold = np.full((repeats, len(indices)), -1, dtype=np.int16)
        for run in runs:
            which, values = self.predictions(run.key)
            if answers is None:
                answers = np.asarray(room((repeats, len(indices), values.shape[1]), values.dtype, cache_folder()))
            answers = _as_wide(answers, values.shape[1])
            answers[run.repeat, position[which]] = _as_wide(values, answers.shape[2])
            if "bias" in run.facts:
                biases.append((run.repeat, position[which], run.facts["bias"]))
            fold[run.repeat, position[which]] = run.fold
        assert answers is not None
        bias = np.zeros((*fold.shape, max((np.shape(added)[-1] for *_, added in biases), default=1)), dtype=np.float32)
        for repeat, where, added in biases:
            bias[repeat, where] = added
        seeded = not self.candidate(candidate).cheap
        return OutOfFold(indices, answers, fold, self.examples.target[indices], bias, self.examples.kind, seeded)

    def kept_answers(self, candidate: str) -> dict[int, Any]:
        """Example -> the answer of `candidate` that was kept as it is, out of fold, in the first repeat that has it."""
        answers: dict[int, Any] = {}
        for run in self.runs(candidate=candidate) if self.examples.kind.kept else ():
            kept = self.kept(run.key)
            if kept is not None:
                answers = dict(zip(kept.examples.tolist(), kept.answers, strict=True)) | answers
        return answers

    def recorded(self, candidate: str, example: int) -> np.ndarray | None:
        """What a run of `candidate` recorded of an example out of fold, in the first repeat that has it; None where none has."""
        runs = self.out_of_fold(candidate)
        if runs is None:
            return None
        at = np.flatnonzero(runs.indices == example)
        repeat = np.flatnonzero(runs.present[:, at].any(axis=1))
        return runs.answers[repeat[0], at[0]] if len(at) and len(repeat) else None

    @property
    def shifted(self) -> tuple[str, ...]:
        """Names of the further test sets (part "shift:NAME"), in the order of the examples."""
        parts, first = np.unique(self.examples.part, return_index=True)
        named = [str(parts[i]) for i in np.argsort(first) if str(parts[i]).startswith("shift:")]
        return tuple(part.removeprefix("shift:") for part in named)

    def test(self, candidate: str, part: str = "test") -> OutOfFold | None:
        """Predictions of the refitted candidate on the test part, or None where there are none.

        One "repeat" for each refit: a study makes one, of others' models there may be several runs.

        Args:
            part: "test", or "shift:NAME" for a further test set.
        """
        key = (candidate, "refit", part)
        if key not in self._read:
            self._read[key] = self._test(candidate, part)
        return self._read[key]

    def _test(self, candidate: str, part: str) -> OutOfFold | None:
        refits = []
        for run in self.runs("refit", candidate=candidate):
            which, values = self.predictions(run.key)
            inside = self.examples.part[which] == part
            if inside.any():
                bias = np.atleast_2d(np.asarray(run.facts.get("bias", [0.0]), dtype=np.float32))
                bias = np.broadcast_to(bias, (len(values), bias.shape[1]))
                refits.append((which[inside], values[inside], bias[inside]))
        if not refits:
            return None
        which, widest = refits[0][0], max(values.shape[1] for _, values, _ in refits)
        answers = np.stack([_as_wide(values, widest) for _, values, _ in refits])
        bias = np.stack(np.broadcast_arrays(*(added for *_, added in refits)))
        return OutOfFold(
            which, answers, np.zeros(answers.shape[:2], np.int16), self.examples.target[which], bias, self.examples.kind
        )

    def candidate(self, id: str) -> Candidate:
        return next(c for c in self.candidates if c.id == id)


def _as_wide(values: np.ndarray, width: int) -> np.ndarray:
    """Rows with zeros at the right, as wide as that: those of pictures with fewer detections are shorter, and mean the same."""
    missing = width - values.shape[-1]
    return values if missing <= 0 else np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])
