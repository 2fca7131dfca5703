"""A number per example, in the label's own unit: the target is `(n,)` float64; the answer is the number itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from weigh.kinds.base import KINDS, LEAST_MINORITY, Blind, Kind, Prediction, Strata
from weigh.kinds.departure import relative_departure
from weigh.language import Text, text
from weigh.problem import Problem

__all__ = ["NUMBER", "Number"]

TENTHS = 10  # parts of the range that are spread evenly
FEW_OTHERS = 10  # fewer labels than this that differ from all the others are hardly anything to learn
SAME = 1e-4  # numbers spread by less than this share of the labels' spread are one number
NO_CLASSES = text("numbers have no classes and come without a probability", "数值没有类别，也不带概率")


class Number(Kind):
    """See the module."""

    name = "number"
    title = text("numbers", "数值")
    primary = "pearson_spearman"
    linear = True
    unaveraged = None
    typed = False
    exact = False
    unasked: ClassVar = {
        "calibration": NO_CLASSES,
        "errors:labels": NO_CLASSES,
        "stability:agreement": text("two predicted numbers are never quite the same", "两次预测的数值几乎不会完全相同"),
    }
    unordered = text(
        "it compares how classes are told apart, and numbers have none", "该检查比较的是对类别的区分，而数值没有类别"
    )

    def blank(self, n: int, classes: int) -> np.ndarray:
        return np.zeros(n)

    def encode(self, rows: Sequence[Any], classes: Sequence[str]) -> np.ndarray:
        return np.array([float(cell) for cell in rows], dtype=np.float64)

    def strata(self, target: np.ndarray) -> Strata:
        edges = np.quantile(target, np.arange(1, TENTHS) / TENTHS) if len(target) else np.zeros(0)
        return Strata.single(np.searchsorted(edges, target, side="right"), TENTHS)

    def varied(self, target: np.ndarray) -> bool:
        return len(target) >= LEAST_MINORITY and float(np.ptp(target)) > 0

    def check(self, target: np.ndarray, part: np.ndarray) -> list[Problem]:
        """Numbers that do not vary: an error in training, where a correlation then says nothing, a warning in a test part."""
        problems = []
        for part_name in dict.fromkeys(part.tolist()):
            values, counts = np.unique(target[part == part_name], return_counts=True)
            n, others = int(counts.sum()), int(counts.sum() - counts.max())
            where = part_name.removeprefix("shift:")
            if part_name == "train" and n and (not others or (others < FEW_OTHERS and others * 5 < n)):
                what = (
                    text(
                        "All {n} training labels are {v:g}.",
                        "全部 {n} 个训练标签都是 {v:g}。",
                        n=n,
                        v=values[0],
                    )
                    if not others
                    else text(
                        "All but {k} of {n} training labels are {v:g}.",
                        "{n} 个训练标签中，除 {k} 个外都是 {v:g}。",
                        n=n,
                        k=others,
                        v=values[counts.argmax()],
                    )
                )
                problems.append(
                    Problem(
                        "constant-label",
                        what,
                        severity="error",
                        why=text(
                            "There is nothing to learn, and a correlation with what does not vary says nothing.",
                            "没有可学习的内容；与不变的数值计算相关性没有意义。",
                        ),
                        do=text(
                            "Check that the right column holds the labels: --set data.label=NAME",
                            "请检查标签列是否正确：--set data.label=列名",
                        ),
                        numbers={"n": n, **({"others": others} if others else {})},
                    )
                )
            elif part_name != "train" and n and not others:
                problems.append(
                    Problem(
                        "constant-label",
                        text(
                            "All {n} labels of the part {p} are {v:g}: no correlation can be measured there.",
                            "{p} 部分的 {n} 个标签全是 {v:g}：无法在其上计算相关性。",
                            n=n,
                            v=values[0],
                            p=where,
                        ),
                        why=text(
                            "A score that is a correlation is missing there.", "以相关性为得分的指标在该部分缺失。"
                        ),
                        do=text(
                            "Give test examples whose labels differ, or choose another metric: --set metrics.primary=mae",
                            "请提供标签有差异的测试样本，或改用其他指标：--set metrics.primary=mae",
                        ),
                        numbers={"n": n},
                    )
                )
        return problems

    def extent(self, target: np.ndarray) -> tuple[Text, dict[str, float]]:
        low, high = float(target.min()), float(target.max())
        sentence = text("Labels from {a} to {b}.", "标签从 {a} 到 {b}。", a=f"{low:g}", b=f"{high:g}")
        return sentence, {"lowest": low, "highest": high}

    def decide(self, answers: np.ndarray, bias: np.ndarray | float = 0.0) -> Prediction:
        values = answers.astype(np.float64)
        return Prediction(values, values[:, 0])

    def averaged(self, answers: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        return np.einsum("m,mnk->nk", weights, np.asarray(answers, dtype=np.float64))

    def departure(self, recorded: np.ndarray, former: np.ndarray, classes: int) -> float:
        """How far the numbers moved; a thousandth of the largest one is the least spread that they are compared with."""
        return relative_departure(recorded, former, max(1e-3 * float(np.abs(former).max(initial=0.0)), 1e-9))

    def pack(self, answers: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
        """The numbers in single precision; a label's unit may be anything, so half precision could be too narrow."""
        return {"logits": answers.astype(np.float32)}

    def distances(self, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
        """How far off each number is, in units of the label."""
        return np.abs(labels - target)

    def same_answer(self, labels: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> str:
        return f"{labels[0]:.4g}" if np.ptp(labels) <= SAME * np.ptp(target) else ""

    def blind(self, target: np.ndarray, classes: int) -> Blind:
        mean = np.full(len(target), target.mean())
        return Blind(
            Prediction(mean[:, None], mean),
            text("always answering the mean", "总是回答平均值"),
            text("mean", "均值基线"),
        )

    def metrics(self, classes: int) -> list[str]:
        return ["pearson_spearman", "pearson", "spearman", "mae", "mse"]

    def quote(self, target: Any, classes: Sequence[str], tokens: Sequence[str] | None = None) -> str:
        return f"{target:g}"

    def cells(self, labels: np.ndarray, classes: Sequence[str]) -> Any:
        return labels.astype(np.float64)

    def draw(self, rng: np.random.Generator, n: int, classes: int) -> tuple[Prediction, np.ndarray]:
        values = np.round(rng.normal(size=(2, n)), 1)
        return Prediction(values[0][:, None], values[0]), values[1]

    def row(
        self,
        prediction: Prediction | None,
        i: int,
        classes: Sequence[str],
        *,
        tokens: Sequence[str] = (),
        threshold: bool = False,
    ) -> dict[str, Any]:
        return {"value": None if prediction is None else float(prediction.labels[i])}


NUMBER = KINDS.register(Number.name, Number())
