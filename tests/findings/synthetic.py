"""Studies with known truth, made of arrays: what the tests of findings read instead of trained models.

`simulate_logits` draws logits of a learner of known accuracy; `make_results` puts logits of several candidates, a
design, a test part, groups, an order check and failed runs together as the `Results` that findings read.

    rng = np.random.default_rng(0)
    target = simulate_target(rng, n=300, prevalence=[0.7, 0.3])
    logits = {"good": simulate_logits(rng, target, separation=2.0), "poor": simulate_logits(rng, target, separation=1.0)}
    results = make_results(logits, target, folds=5)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.arrays import kind_of
from weigh.data.examples import Examples
from weigh.kinds.base import rows_of
from weigh.media import medium_named
from weigh.problem import Problem
from weigh.record.choice_of_winner import choose_winner
from weigh.record.results import Candidate, Results, RunRecord
from weigh.spec import StudySpec

__all__ = ["assign_folds", "contiguous_folds", "make_results", "simulate_logits", "simulate_target"]


def simulate_target(rng: np.random.Generator, n: int, prevalence: Sequence[float] = (0.5, 0.5)) -> np.ndarray:
    """`(n,)` class indices with exact class counts (up to rounding), in random order."""
    counts = np.floor(np.asarray(prevalence) * n).astype(int)
    counts[0] += n - counts.sum()
    return rng.permutation(np.repeat(np.arange(len(counts)), counts))


def simulate_logits(
    rng: np.random.Generator,
    target: np.ndarray,
    *,
    separation: float = 2.0,
    classes: int | None = None,
    repeats: int = 1,
    noise: float = 0.5,
    difficulty: np.ndarray | None = None,
    sharpness: float = 1.0,
) -> np.ndarray:
    """`(repeats, n, classes)` float32 logits of a learner.

    Args:
        separation: Distance of the true class's logit from the others, in standard deviations of an example's own
            difficulty: the error of two classes is about `normal.cdf(-separation / sqrt(2))`.
        noise: Standard deviation of what changes from repeat to repeat (seed, split), on the same scale.
        difficulty: `(n, classes)` the examples' own difficulty; pass the same array to two learners to make their
            errors alike.
        sharpness: Multiplies the logits: above 1 a learner is too sure of itself.
    """
    target = np.asarray(target)
    classes = classes or int(target.max()) + 1
    if difficulty is None:
        difficulty = rng.standard_normal((len(target), classes))
    drawn = difficulty + noise * rng.standard_normal((repeats, len(target), classes))
    drawn[:, np.arange(len(target)), target] += separation
    return (sharpness * drawn).astype(np.float32)


def assign_folds(
    rng: np.random.Generator, target: np.ndarray, folds: int, repeats: int, groups: np.ndarray | None = None
) -> np.ndarray:
    """`(repeats, n)` stratified random folds; whole groups stay together where groups are given."""
    out = np.empty((repeats, len(target)), dtype=np.int16)
    for repeat in range(repeats):
        if groups is not None:
            names = np.unique(groups)
            where = dict(zip(rng.permutation(names), np.arange(len(names)) % folds, strict=True))
            out[repeat] = [where[g] for g in groups]
            continue
        kind = kind_of(target)
        key = target if kind.exclusive else target[:, 0] if kind.probable else np.zeros(len(target))
        shuffled = rng.permutation(len(target))
        ordered = shuffled[np.argsort(key[shuffled], kind="stable")]
        out[repeat, ordered] = np.arange(len(target)) % folds
    return out


def contiguous_folds(order: np.ndarray, folds: int, size: int | None = None) -> np.ndarray:
    """`(n,)` folds of an order check: `folds` contiguous parts, or blocks of `size` dealt to the folds in turn."""
    position = np.argsort(np.argsort(order, kind="stable"), kind="stable")
    block = position * folds // len(order) if size is None else position // size
    return (block % folds).astype(np.int16)


def make_results(
    logits: Mapping[str, np.ndarray],
    target: np.ndarray,
    *,
    folds: int = 5,
    fold: np.ndarray | None = None,
    classes: Sequence[str] | None = None,
    test: Mapping[str, np.ndarray] | None = None,
    test_target: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    order: np.ndarray | None = None,
    slices: Mapping[str, np.ndarray] | None = None,
    order_checks: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]] | None = None,
    failed: Iterable[tuple[str, int, int, str]] = (),
    controls: Sequence[str] = (),
    recipes: Mapping[str, str] | None = None,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    measured: Mapping[str, Mapping[str, Any]] | None = None,
    test_facts: Mapping[str, Mapping[str, Any]] | None = None,
    models: Mapping[str, Mapping[str, Any]] | None = None,
    bias: Mapping[str, Sequence[float]] | None = None,
    problems: Sequence[Problem] = (),
    skipped: Mapping[str, Any] | None = None,
    winner: str | None = None,
    test_looks: int | None = None,
    texts: Sequence[tuple[str, ...]] | None = None,
    tokens: Sequence[tuple[str, ...]] | None = None,
    task: str = "image-classification",
    metrics: Mapping[str, Any] | None = None,
    design: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Results:
    """A study from arrays.

    Args:
        logits: Candidate name -> `(repeats, n, classes)` out-of-fold logits; NaN rows count as missing. Candidates may
            have different numbers of repeats. The candidate's id is the name itself.
        target: `(n,)` class indices, or `(n, classes)` zeros and ones for multi-label, or numbers or spans as in `Examples`.
        fold: `(repeats, n)` fold of every example; default: stratified, random (`seed`), group-safe.
        test, test_target: Logits `(m, classes)` of the refitted candidates on a test part of `m` further examples.
        groups, order, slices: For the `n` examples; the test part gets fresh groups "test-…" and later positions.
        order_checks: Candidate -> variant ("fifths", "blocks:72") -> (logits `(repeats, n, classes)`, fold `(n,)` or
            `(repeats, n)`).
        failed: `(candidate, repeat, fold, cause)`: these runs become failed records.
        facts, measured: Candidate -> entries of every run's `facts` / `measured` ("train_scores": {...}, ...).
        test_facts: Candidate -> facts of its refit ("temperature", ...).
        models: Model address ("timm:NAME") -> facts on the model (n_parameters, macs, size_bytes, ...).
        bias: Candidate -> what is added to its log probabilities before it decides.
        winner: Default: the candidate (no control) with the best mean balanced accuracy; of numbers and spans as a study chooses.
        texts, tokens: Of the `n` examples and the test part together.
        metrics, design: Sections of the specification ("primary", "rope"; "purpose", "level", ...).
    """
    rng = np.random.default_rng(seed)
    target = target if isinstance(target, np.ndarray) else np.asarray(target)
    n, width = len(target), next(iter(logits.values())).shape[2]
    repeats = max(array.shape[0] for array in logits.values())
    classes = tuple([f"class{i}" for i in range(width)] if classes is None else classes)
    if fold is None:
        fold = assign_folds(rng, target, folds, repeats, groups)
    folds = int(fold.max()) + 1
    extra = 0 if test_target is None else len(test_target)
    examples = _examples(target, test_target, classes, groups, order, slices, texts, tokens)
    recipes = dict(recipes or {})
    names = list(logits)
    candidates = tuple(
        Candidate(
            id=name,
            model=f"timm:{name}",
            recipe=recipes.get(name, "scratch" if name in controls else "probe"),
            label=name,
            control=name in controls,
            cheap=recipes.get(name, "probe") == "probe",
        )
        for name in [*(m for m in names if m not in controls), *(m for m in names if m in controls)]
    )
    broken = {(c, r, f): cause for c, r, f, cause in failed}
    store: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    records: list[RunRecord] = []

    def add(name: str, purpose: Any, variant: str, repeat: int, k: int, where: np.ndarray, values: np.ndarray) -> None:
        key = f"{name}/{purpose}/{variant}/{repeat}/{k}"
        cause = broken.get((name, repeat, k), "") if purpose == "main" else ""
        if not cause and len(values) and np.isnan(values).any():
            cause = "loss became infinite in epoch 3"
        run_facts: dict[str, Any] = dict((facts or {}).get(name, {}))
        if bias and name in bias:
            run_facts["bias"] = list(bias[name])
        if purpose == "refit":
            run_facts |= dict((test_facts or {}).get(name, {}))
        if not cause:
            store[key] = (
                where,
                values if values.dtype == np.float64 and examples.kind.placed else values.astype(np.float32),
            )
        records.append(
            RunRecord(
                key=key,
                candidate=name,
                purpose=purpose,
                repeat=repeat,
                fold=k,
                status="failed" if cause else "done",
                variant=variant,
                cause=cause,
                n_train=n if purpose == "refit" else n - len(where),
                facts=run_facts,
                measured=dict((measured or {}).get(name, {"train_seconds": 1.0})),
                seeds={"split": repeat, "init": repeat},
            )
        )

    for name, array in logits.items():
        for repeat in range(array.shape[0]):
            for k in range(folds):
                where = np.flatnonzero(fold[repeat] == k)
                add(name, "main", "", repeat, k, where, array[repeat, where])
    for name, variants in (order_checks or {}).items():
        for variant, (array, blocks) in variants.items():
            blocks = np.broadcast_to(blocks, array.shape[:2])
            for repeat in range(array.shape[0]):
                for k in range(int(blocks.max()) + 1):
                    where = np.flatnonzero(blocks[repeat] == k)
                    add(name, "order-check", variant, repeat, k, where, array[repeat, where])
    for name, array in (test or {}).items():
        add(name, "refit", "", -1, -1, np.arange(n, n + extra), np.asarray(array))

    spec = StudySpec(
        name="synthetic",
        task=task,
        data={"train": "synthetic"},
        models=[c.model for c in candidates],
        design={"folds": folds, **(design or {})},
        metrics=dict(metrics or {}),
    )
    if winner is None and examples.kind.probable:
        winner = max(
            (c.id for c in candidates if not c.control),
            key=lambda name: _mean_balanced_accuracy(logits[name], target, (bias or {}).get(name, 0.0)),
            default=None,
        )
    results = Results(
        name="synthetic",
        spec=spec,
        examples=examples,
        problems=tuple(problems),
        candidates=candidates,
        records=tuple(records),
        predictions=store.__getitem__,
        skipped=dict(skipped or {}),
        test_looks=(1 if test else 0) if test_looks is None else test_looks,
        winner=winner,
        models={name: dict(values) for name, values in (models or {}).items()},
    )
    return results if winner is not None else replace(results, winner=choose_winner(results))


def _examples(target, test_target, classes, groups, order, slices, texts, tokens) -> Examples:
    n, m = len(target), 0 if test_target is None else len(test_target)
    everything = target if not m else np.concatenate([target, test_target])
    rows = texts if tokens is None else tokens
    if rows is None:
        first = everything if everything.ndim == 1 else everything.argmax(axis=1)
        folder = ["images"] * (n + m) if first.dtype == object else [classes[c] for c in first]
        path = np.array([f"{name}/picture_{i:05d}.jpg" for i, name in enumerate(folder)])
    else:
        path = np.array([f"train.tsv:{i + 2}" for i in range(n + m)])
    order = np.arange(n) if order is None else np.asarray(order)
    fresh = np.array([f"test-{i}" for i in range(m)], dtype=object)
    return Examples(
        root=Path("synthetic"),
        path=path,
        target=everything,
        classes=classes,
        part=np.array(["train"] * n + ["test"] * m),
        order=np.concatenate([order, order.max() + 1 + np.arange(m)]).astype(np.int64),
        content=np.array([f"{i:016x}" for i in range(n + m)]),
        group=None if groups is None else np.concatenate([np.asarray(groups).astype(str), fresh.astype(str)]),
        slices={
            k: np.concatenate([np.asarray(v).astype(str), np.resize(v, m).astype(str)])
            for k, v in (slices or {}).items()
        },
        fingerprint="synthetic",
        rows=None if rows is None else rows_of(rows),
        medium=medium_named("pictures" if rows is None else "texts" if tokens is None else "sentences"),
        kind=kind_of(everything),
    )


def _mean_balanced_accuracy(array: np.ndarray, target: np.ndarray, bias: Any) -> float:
    if target.ndim == 2:
        return float(np.nanmean((array > 0) == target[None]))
    right = np.where(np.isnan(array).any(axis=2), np.nan, (array + np.asarray(bias)).argmax(axis=2) == target[None])
    return float(np.mean([np.nanmean(right[:, target == c]) for c in np.unique(target)]))
