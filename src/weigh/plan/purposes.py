"""Runs that findings need besides the score: the order check, the learning curve, crossed seeds, cleaned data.

All but the order check, which has folds of its own, repeat a run of the main design and change one thing: fewer training examples, the seed of
one source, or no suspects. Seeds and folds stay those of the main run, so every difference is paired, between sizes and between candidates.
Before it: the folds of `runs.py`. After it: `findings/generalisation/order.py`, `findings/generalisation/curve.py`, `findings/stability/variation.py`, `findings/comparison/cleaned.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from weigh.data.examples import Examples
from weigh.data.folds import assign_blocks, assign_folds
from weigh.kinds.base import Strata
from weigh.language import Text, as_sentence, text
from weigh.plan.identity import Split, make_run
from weigh.problem import Problem
from weigh.run import RECIPES, Candidate, Run
from weigh.seeds import generator
from weigh.spec import StudySpec

__all__ = [
    "CLEANED_REPEATS",
    "SHARES",
    "cleaned_runs",
    "crossed_runs",
    "curve_runs",
    "may_suspect",
    "order_check_runs",
    "sources_of",
]

PARTS = 8  # the training folds are dealt into so many parts; a subset is the first few of them
SHARES = {
    "size:0.125": 1,
    "size:0.25": 2,
    "size:0.5": 4,
    "size:0.75": 6,
}  # variant -> parts; the main runs are the whole
SPARED = ("size:0.75", "size:0.25")  # predictions are as good without them, but three points cannot contradict the law
SMALLEST_TRAINING = 20  # training examples below which a point of the curve says nothing
CURVE_REPEATS = 2
MOST_COPIES, MOST_OF_CLASS = (
    0.2,
    0.5,
)  # shares of a training part, and of a class in it, that an order check may do without, as copies are tested
CLEANED_REPEATS = 2


def order_check_runs(
    examples: Examples,
    spec: StudySpec,
    candidates: Sequence[Candidate],
    variants: Sequence[str],
    *,
    grouped: bool,
    copies: np.ndarray | None = None,
) -> list[Run] | Text:
    """Runs on contiguous blocks of the order of the data, of heads on frozen features, or why there are none.

    Shuffled folds keep copies together, blocks cannot: what has a copy in the tested blocks is not trained on, or the copies would hide any drop.

    Args:
        variants: "fifths", or the size of the blocks ("blocks:72", …).
        grouped: The user named groups, which the folds of the main design respect.
        copies: `(n,)` ids of sets of copies.
    """
    heads = [c for c in candidates if c.cheap and not c.control]
    if not spec.design.order_check:
        return text("design.order_check is off.", "design.order_check 已关闭。")
    if examples.kind.unordered is not None:
        return as_sentence(examples.kind.unordered)
    if not heads:
        return text(
            "The order check needs a recipe that trains only a head (probe); this study has none.",
            "顺序检查需要只训练线性头的方案（probe），本研究没有。",
        )
    if grouped:
        return text("The folds respect groups already.", "各折已按分组划分。")
    train = examples.where("train")
    ids = np.arange(len(train)) if copies is None else copies[train]
    _, set_of, size_of_set = np.unique(ids, return_inverse=True, return_counts=True)
    copied, strata = size_of_set[set_of] > 1, examples.strata(train, stratify=True)
    splits, hidden = [], False
    for variant in variants:
        size = None if variant == "fifths" else int(variant.split(":")[1])
        rng = generator(spec.design.seed, "order-check", variant)
        fold_of, _ = assign_blocks(examples.order[train], block_size=size, folds=spec.design.folds, rng=rng)
        for fold in range(spec.design.folds):
            inside = fold_of == fold
            tested = np.zeros(len(size_of_set), dtype=bool)
            tested[set_of[inside]] = True
            kept = ~inside & ~(copied & tested[set_of])
            hidden |= _much_is_lost(strata, ~inside, kept)
            splits.append((variant, Split(0, fold, train[kept], train[inside])))
    if hidden:
        return text(
            "Too many copies stand far apart in the order: contiguous blocks would test on what was trained on.",
            "顺序中相隔很远的副本太多：若按连续区块划分，测试的就是训练过的内容。",
        )
    return [
        make_run(examples, spec, candidate, "order-check", variant, split)
        for candidate in heads
        for variant, split in splits
    ]


def _much_is_lost(strata: Strata, outside: np.ndarray, kept: np.ndarray) -> bool:
    """Whether a training part without copies of what is tested is too small to be compared with one that has as many examples as usual.

    Args:
        outside, kept: `(n,)` bool: examples that are not tested, and those of them that are trained on.
    """
    before, after = (np.bincount(strata.stratum[of[strata.example]], minlength=strata.count) for of in (outside, kept))
    return kept.sum() < (1 - MOST_COPIES) * outside.sum() or bool((after < (1 - MOST_OF_CLASS) * before).any())


def curve_runs(
    examples: Examples,
    spec: StudySpec,
    candidates: Sequence[Candidate],
    repeats: Mapping[str, int],
    splits: Sequence[Split],
    group: np.ndarray | None,
) -> list[Run] | Text:
    """Runs on nested parts of the training folds, or why there are none.

    Each subset holds the smaller ones, keeps the shares of the classes, splits no group, and is the same for all candidates.
    By default only heads on frozen features have a curve, for their features are there anyway; `design.curve: true` adds
    networks and two more sizes.

    Args:
        repeats: Candidate id -> planned repeats.
        splits: In the order (repeat, fold).
        group: `(n,)` groups and copies of all examples, or None.
    """
    wanted = spec.design.curve
    if wanted is False:
        return text("design.curve is off.", "design.curve 已关闭。")
    chosen = [c for c in candidates if not c.control and (c.cheap or wanted)]
    if not chosen:
        return text(
            "The learning curve of recipes that train the network is planned only with design.curve: true.",
            "训练整个网络的方案只有在设置 design.curve: true 时才安排学习曲线。",
        )
    splits = [split for split in splits if split.repeat < CURVE_REPEATS]
    units = min(len(split.train) if group is None else len(np.unique(group[split.train])) for split in splits)
    if units < PARTS:
        return text("The training folds cannot be cut into {p} parts.", "训练折无法切分成 {p} 份。", p=PARTS)
    nested = [_nested(examples, spec, split, group) for split in splits]
    variants = [v for v in SHARES if all(_large_enough(examples, subsets[v]) for subsets in nested)]
    for spared in SPARED if not wanted else ():
        if len(variants) > 2 and spared in variants:
            variants.remove(spared)
    if sum(SHARES[v] <= PARTS // 2 for v in variants) < 2:
        return text("There are too few examples for a learning curve.", "样本太少，无法得到学习曲线。")
    return [
        make_run(examples, spec, candidate, "curve", variant, split._replace(train=subsets[variant]), paired=True)
        for candidate in chosen
        for split, subsets in zip(splits, nested, strict=True)
        if split.repeat < repeats[candidate.id]
        for variant in variants
    ]


def _nested(examples: Examples, spec: StudySpec, split: Split, group: np.ndarray | None) -> dict[str, np.ndarray]:
    """Variant -> indices of a subset of the training folds, each within the next."""
    rng = generator(spec.design.seed, "curve", split.repeat if "split" in spec.design.vary else 0, split.fold)
    part = assign_folds(
        examples.strata(split.train, stratify=spec.design.stratify),
        folds=PARTS,
        rng=rng,
        group=None if group is None else group[split.train],
    )
    return {variant: split.train[part < parts] for variant, parts in SHARES.items()}


def _large_enough(examples: Examples, subset: np.ndarray) -> bool:
    """Enough examples for a head, and no class that occurs in the data without any."""
    classes = len(examples.classes)
    if len(subset) < max(SMALLEST_TRAINING, 2 * classes):
        return False
    if not examples.kind.exclusive:
        return True
    present, held = (examples.class_counts(rows) > 0 for rows in (examples.where("train"), subset))
    return bool(held[present].all())


def sources_of(recipe: str) -> tuple[str, ...]:
    """Sources of chance that a recipe has within one split; a head on frozen features is solved and has none."""
    return () if RECIPES.get(recipe).trains == "head" else ("init", "order", "augmentation")


def crossed_runs(
    examples: Examples,
    spec: StudySpec,
    candidates: Sequence[Candidate],
    repeats: Mapping[str, int],
    splits: Sequence[Split],
) -> list[Run] | Text:
    """Every fold trained again with another seed of one source, the others held fixed, or why there are no such runs.

    A star around each main run: with S seeds of each of three sources 3 (S - 1) further runs per fold, where crossing
    all with all would take S³ - 1. Interactions between sources are counted with the sources that take part.
    """
    seeds = spec.design.crossed
    if seeds is None:
        return text(
            "Sources of variation are told apart only with design.crossed: 2.",
            "只有设置 design.crossed: 2，才能区分各个变异来源。",
        )
    runs = [
        make_run(
            examples,
            spec,
            candidate,
            "components",
            f"{source}:{number}",
            split,
            paired=True,
            changed={source: number},
        )
        for candidate in candidates
        if not candidate.control
        for split in splits[: repeats[candidate.id] * spec.design.folds]
        for source in sources_of(candidate.recipe)
        if source in spec.design.vary
        for number in range(1, seeds)
    ]
    return runs or text(
        "Heads on frozen features are solved, not trained: they have no seeds to cross.",
        "冻结特征上的线性头是直接求解的，没有可以交叉的随机种子。",
    )


def cleaned_runs(
    examples: Examples, spec: StudySpec, candidates: Sequence[Candidate], splits: Sequence[Split], suspects: np.ndarray
) -> list[Run]:
    """The main runs of these candidates once more, without the suspects, in training and in scoring.

    Args:
        suspects: `(n,)` bool over all examples.
    """
    runs = []
    for candidate in candidates:
        for split in splits:
            train, test = (side[~suspects[side]] for side in (split.train, split.test))
            if len(train) and len(test):
                rest = split._replace(train=train, test=test)
                runs.append(make_run(examples, spec, candidate, "cleaned", "", rest, paired=True))
    return runs


def may_suspect(examples: Examples, problems: Sequence[Problem], copies: np.ndarray) -> bool:
    """Whether `cleaned_runs` may have anything to leave out: copies that are known, or labels of classes, which predictions can contradict.

    Args:
        copies: `(n,)` ids of sets of copies.
    """
    train = examples.where("train")
    repeated = len(np.unique(copies[train])) < len(train)
    conflicting = any(problem.kind == "label-conflict" for problem in problems)
    return repeated or conflicting or (examples.kind.probable and len(examples.classes) > 1)
