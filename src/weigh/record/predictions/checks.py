"""What a person should know about predictions that others made: before anything is concluded from them.

Before it: `table.py`, `folder.py`. After it: findings of the same kinds. Everything that is set
aside is named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from weigh.data.classes import alike_names
from weigh.errors import DataError
from weigh.language import Text, first_names, join_texts, text
from weigh.problem import Problem
from weigh.record.predictions.answers import Answers, PredictionTable

__all__ = ["check_answers", "check_probabilities", "copied_models", "keep_common", "without_bare"]

ROUNDING = 0.02  # probabilities written with two digits may miss a sum of one by so much
TINY = 1e-6  # arithmetic may leave a probability of 0 so far below
LEAST_SHARE = 0.5  # of the examples: a model that has fewer is set aside, since only examples of all models count


def check_probabilities(numbers: np.ndarray) -> tuple[np.ndarray, list[Problem]]:
    """`(m, classes)` finite numbers as float32 probabilities; small deviations of the sums are rounding and are scaled away.

    Raises:
        DataError: Below 0, or sums that are not one: scores or percentages, whose meaning would have to be guessed.
    """
    sums = numbers.sum(axis=1)
    wrong = (np.abs(sums - 1) > ROUNDING) | (numbers < -TINY).any(axis=1)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise DataError(
            text(
                "Probabilities do not add up to one, or are below zero, in {n} of {m} rows (the first: row {r}, sum {s:.4g}).",
                "{m} 行中有 {n} 行的概率之和不为 1 或出现负值（第一处：第 {r} 行，和为 {s:.4g}）。",
                n=int(wrong.sum()),
                m=len(numbers),
                r=first + 1,
                s=sums[first],
            ),
            text(
                "Scores that are not probabilities would be read wrongly.", "把不是概率的得分当作概率会得出错误结论。"
            ),
            text(
                "Turn scores (logits) into probabilities by softmax and percentages into shares, or give only a column prediction.",
                "请用 softmax 把得分（logits）转换为概率，把百分数转换为比例，或只提供 prediction 列。",
            ),
        )
    far = np.abs(sums - 1)
    problems = []
    if far.max(initial=0.0) > 1e-4:
        problems.append(
            Problem(
                "rounded-probabilities",
                text(
                    "Probabilities of {n} {n:|row|rows} add up to one only roughly (off by up to {d:.4f}): taken as rounding and scaled to one.",
                    "有 {n} 行的概率之和只是近似等于一（最多相差 {d:.4f}）：视为舍入误差，已按比例归一。",
                    n=int((far > 1e-4).sum()),
                    d=far.max(),
                ),
                severity="note",
                numbers={"rows": int((far > 1e-4).sum()), "largest": round(float(far.max()), 4)},
            )
        )
    return (np.maximum(numbers, 0) / sums[:, None]).astype(np.float32), problems


def without_bare(answers: Sequence[Answers]) -> tuple[tuple[Answers, ...], list[Problem]]:
    """Probabilities that are all 0 or 1 are decisions: to read certainty out of them would be to invent it."""
    certain = [a.probabilities is not None and _all_certain(a.probabilities) for a in answers]
    if not any(certain) or any(a.probabilities is None for a in answers):
        return tuple(answers), []
    if not all(certain):
        names = [name for name, bare in zip(_names(answers), certain, strict=True) if bare]
        sentence = text(
            "All probabilities of {m} are zero or one, those of others are not.",
            "{m} 的概率非零即一，其他模型则不是。",
            m=first_names(names, 5),
        )
        why = text(
            "If they are decisions written as probabilities, metrics that need probabilities (AUROC, log loss …) and calibration are unfair to them.",
            "如果这是写成概率的判断结果，需要概率的指标（AUROC、对数损失等）和校准结论对它们就不公平。",
        )
        do = text(
            "Give their probabilities, or compare all models by their decisions: the column prediction without p: columns.",
            "请给出它们的概率；或只按判断结果比较所有模型：只用 prediction 列，不用 p: 列。",
        )
        return tuple(answers), [Problem("bare-probabilities", sentence, why=why, do=do, numbers={"models": len(names)})]
    sentence = text(
        "All probabilities are 0 or 1: they are read as decisions, and nothing is concluded from them about certainty.",
        "所有概率都是 0 或 1：按判断结果读取，不据此得出有关自信程度的结论。",
    )
    return tuple(replace(a, probabilities=None) for a in answers), [
        Problem("bare-probabilities", sentence, severity="note")
    ]


def _all_certain(probabilities: np.ndarray) -> bool:
    """Whether all are 0 or 1; the first rows mostly show that they are not."""
    return all(bool(((rows == 0) | (rows == 1)).all()) for rows in (probabilities[:100], probabilities))


def keep_common(
    n: int, answers: Sequence[Answers], example: np.ndarray
) -> tuple[np.ndarray, tuple[Answers, ...], list[Problem]]:
    """The examples that every model has in every run, and the answers about them.

    Scores of different examples cannot be set side by side. A run that has less than half of the examples is set aside
    before, unless more would be set aside than are left.

    Returns:
        `(m,)` indices of the examples kept; the answers that are left, with `which` counted among these; what was left out.

    Raises:
        DataError: Less than half of the examples are common to those that are left.
    """
    sizes = np.array([len(a.which) for a in answers])
    few = sizes < LEAST_SHARE * n
    left = [a for a, out in zip(answers, few, strict=True) if not out] if 2 * few.sum() <= len(few) else list(answers)
    seen = np.zeros(n, dtype=np.int64)
    for answer in left:
        seen[answer.which] += 1
    kept = np.flatnonzero(seen == len(left)) if left else np.zeros(0, dtype=np.int64)
    names = _names(answers)
    lacking = {name: n - len(a.which) for a, name in zip(answers, names, strict=True) if len(a.which) < n}
    worst = sorted(lacking, key=lambda name: -lacking[name])[:5]
    listed = ", ".join(f"{name} ({lacking[name]})" for name in worst) + (", …" if len(lacking) > len(worst) else "")
    if len(kept) < LEAST_SHARE * n:
        raise _too_few_common(len(kept), n, listed, _called_otherwise(answers, names, example))
    if not lacking:
        return kept, tuple(answers), []
    problems = []
    if len(kept) < n:
        counts: dict[str, float] = {"set_aside": n - len(kept), "examples": n}
        counts |= {f"missing:{m}": lacking[m] for m in worst}
        problems.append(_examples_set_aside(counts, listed, example[np.setdiff1d(np.arange(n), kept)]))
    if few.any():
        problems.append(_runs_set_aside([name for name, out in zip(names, few, strict=True) if out]))
    return kept, tuple(answer.about(kept, n) for answer in left), problems


def _too_few_common(kept: int, n: int, listed: str, otherwise: Text) -> DataError:
    return DataError(
        text(
            "Only {k} of {n} examples {k:|has|have} a prediction of every model. Most are missing from: {l}.",
            "{n} 个样本中只有 {k} 个具备所有模型的预测。缺失最多的是：{l}。",
            k=kept,
            n=n,
            l=listed,
        )
        + otherwise,
        text("Scores on different examples cannot be compared.", "不同样本上的得分无法比较。"),
        text(
            "Give the predictions that are missing, or read the models that share their examples by themselves. An example must have the same name for all models.",
            "请补齐缺失的预测，或只读取样本相同的那些模型。同一样本在所有模型中必须名称一致。",
        ),
    )


def _called_otherwise(answers: Sequence[Answers], names: Sequence[str], example: np.ndarray) -> Text:
    """An example of each of two models that the other one lacks: mostly one example with two names."""
    if len(answers) > 1 and sum(len(a.which) for a in answers) == len(
        np.unique(np.concatenate([a.which for a in answers]))
    ):
        return text(
            "No two of them share an example. If they are parts of one model's predictions, such as folds, write its name into a column model of "
            "each table, and the fold into a column fold.",
            "任意两者都没有共同的样本。如果它们是同一模型预测的各个部分（例如各折），请在每张表的 model 列中写明该模型的名称，并在 fold 列中写明折。",
        )
    first = answers[0]
    other = min(range(len(answers)), key=lambda i: len(np.intersect1d(answers[i].which, first.which)))
    here, there = (
        np.setdiff1d(one.which, without.which) for one, without in ((first, answers[other]), (answers[other], first))
    )
    if not len(here) or not len(there):
        return text("", "")
    return text(
        "{a} has an example called '{x}' that {b} lacks, and {b} one called '{y}' that {a} lacks.",
        "{a} 有名为“{x}”的样本而 {b} 没有；{b} 有名为“{y}”的样本而 {a} 没有。",
        a=names[0],
        x=example[here[0]],
        b=names[other],
        y=example[there[0]],
    )


def _examples_set_aside(counts: dict[str, float], listed: str, paths: np.ndarray) -> Problem:
    return Problem(
        "missing-prediction",
        text(
            "{k} of {n} examples {k:|lacks|lack} a prediction of some model and {k:|is|are} set aside for all of them (missing: {l}). If such examples "
            "are harder than the rest, every score here is too good.",
            "{n} 个样本中有 {k} 个缺少某个模型的预测，对所有模型都不计入（缺失数：{l}）。如果这些样本比其余的更难，这里的所有得分都偏高。",
            k=counts["set_aside"],
            n=counts["examples"],
            l=listed,
        ),
        paths=tuple(map(str, paths)),
        numbers=counts,
        do=text("Add the predictions that are missing.", "请补齐缺失的预测。"),
    )


def _runs_set_aside(names: list[str]) -> Problem:
    return Problem(
        "missing-prediction",
        text(
            "Set aside, with predictions of less than half of the examples: {m}.",
            "以下预测不足样本的一半，已搁置：{m}。",
            m=", ".join(names),
        ),
        do=text("Add the predictions that are missing.", "请补齐缺失的预测。"),
    )


def _names(answers: Sequence[Answers]) -> list[str]:
    """Names of models, with the run where a model has several."""
    runs = Counter(a.model for a in answers)
    return [a.model if runs[a.model] == 1 else f"{a.model}/{a.run}" for a in answers]


def check_answers(table: PredictionTable, answers: Sequence[Answers]) -> list[Problem]:
    """Classes that no label has, models that always say the same or exactly alike, ties."""
    problems: list[Problem] = []
    labels = np.unique(table.target)
    predicted = np.unique(np.concatenate([np.unique(a.chosen) for a in answers]))
    strange = [table.classes[c] for c in np.setdiff1d(predicted, labels)]
    if strange:
        count = sum(int((~np.isin(a.chosen, labels)).sum()) for a in answers)
        problems.append(
            Problem(
                "unlabelled-class",
                text(
                    "Predictions of a class that no example is labelled with: {n} ({c}). They count as wrong.",
                    "有 {n} 个预测给出了没有任何样本标注过的类别：{c}。它们按错误计。",
                    n=count,
                    c=first_names(strange, 8),
                ),
                severity="note" if table.answers[0].probabilities is not None else "warning",
                numbers={"predictions": count},
                do=text("Check that labels and predictions are written alike.", "请检查标签与预测的写法是否一致。"),
            )
        )
    why = text(
        "They are probably one class, and right answers count as wrong.",
        "它们很可能是同一类别，而正确的答案被当成了错误。",
    )
    problems += alike_names(table.classes, why)
    if len(labels) == 1:
        problems.append(
            Problem(
                "one-class",
                text(
                    "All examples are labelled {c}: no model can be seen to tell classes apart.",
                    "所有样本都标注为 {c}：无法看出模型能否区分类别。",
                    c=table.classes[int(labels[0])],
                ),
            )
        )
    alike = [name for a, name in zip(answers, _names(answers), strict=True) if len(np.unique(a.chosen)) == 1]
    constant = alike if len(labels) > 1 else []
    if constant:
        problems.append(
            Problem(
                "constant-answer",
                text(
                    "The same class for every example: {m}. Nothing was learnt, or the predictions were written wrongly.",
                    "对所有样本都给出同一类别：{m}。可能什么都没学到，也可能预测写错了。",
                    m=", ".join(constant),
                ),
                do=text("Check how these predictions were written.", "请检查这些预测是如何写出的。"),
            )
        )
    return [*problems, *_same_predictions(answers), *_ties(answers), *_other_decisions(answers)]


def _other_decisions(answers: Sequence[Answers]) -> list[Problem]:
    """Decisions for another class than the most probable one: a threshold, or columns of probabilities that are named wrongly."""
    counts: dict[str, int] = {}
    for a, name in zip(answers, _names(answers), strict=True):
        if a.probabilities is not None:
            own = a.probabilities[np.arange(len(a.chosen)), a.chosen]
            counts[name] = int((own < a.probabilities.max(axis=1)).sum())
    total = sum(len(a.which) for a in answers)
    worst = {name: count for name, count in counts.items() if count}
    if not worst:
        return []
    most = max(worst, key=lambda name: worst[name])
    often = any(2 * counts.get(name, 0) > len(a.which) for a, name in zip(answers, _names(answers), strict=True))
    return [
        Problem(
            "other-decision",
            text(
                "{n} of {m} decisions are not for the most probable class (most often: {w}, {k}). Scores of decisions follow the column prediction, scores of "
                "probabilities the p: columns.",
                "{m} 个判断结果中有 {n} 个不是概率最大的类别（最多的是 {w}：{k} 个）。判断结果的得分依据 prediction 列，概率的得分依据 p: 列。",
                n=sum(worst.values()),
                m=total,
                w=most,
                k=worst[most],
            ),
            severity="warning" if often else "note",
            numbers={"decisions": sum(worst.values()), "most": worst[most], "of": total},
            do=text("Check that the p: columns are named rightly.", "请检查 p: 列的类别名称是否正确。")
            if often
            else None,
        )
    ]


def copied_models(contents: Iterable[tuple[str, Hashable]], what: Text) -> list[Problem]:
    """Models whose answers are the same to the last one, in one problem; nothing where there are none.

    Args:
        contents: Names of models, each with all that the model answered.
        what: The beginning of the sentence: "Exactly the same detections".
    """
    names_by_content: dict[Hashable, list[str]] = {}
    for name, content in contents:
        names_by_content.setdefault(content, []).append(name)
    copies = [names for names in names_by_content.values() if len(names) > 1]
    if not copies:
        return []
    sentence = text(
        "{w}: {l}. One may be a copy of the other.",
        "{w}：{l}。其中一个可能是另一个的副本。",
        w=what,
        l=join_texts([" = ".join(names) for names in copies], "; ", "；"),
    )
    do = text("Check that each file belongs to its own model.", "请检查每份预测是否确属各自的模型。")
    return [Problem("copied-model", sentence, pairs=tuple(map(tuple, copies)), do=do)]


def _same_predictions(answers: Sequence[Answers]) -> list[Problem]:
    predictions = (a.chosen if a.probabilities is None else a.probabilities for a in answers)
    contents = (a.which.tobytes() + one.tobytes() for a, one in zip(answers, predictions, strict=True))
    what = text("Exactly the same predictions for every example", "对每个样本的预测完全相同")
    return copied_models(zip(_names(answers), contents, strict=True), what)


def _ties(answers: Sequence[Answers]) -> list[Problem]:
    tied = total = 0
    for a in answers:
        if a.probabilities is not None and a.probabilities.shape[1] > 1:
            first, second = np.partition(a.probabilities, -2, axis=1)[:, -2:].T
            tied, total = tied + int((first == second).sum()), total + len(a.which)
    if not tied:
        return []
    return [
        Problem(
            "tied-probabilities",
            text(
                "{k} of {n} predictions {k:|gives its|give their} greatest probability to several classes; the first of these in the order of the "
                "classes, or the column prediction, counts as the decision.",
                "{n} 个预测中有 {k} 个将最大概率同时给了多个类别；以 prediction 列为准，没有该列则取类别顺序中靠前者作为判断。",
                k=tied,
                n=total,
            ),
            severity="note" if tied < 0.01 * total else "warning",
            numbers={"tied": tied, "predictions": total},
            do=text("Write probabilities with more digits.", "请用更多位数写出概率。"),
        )
    ]
