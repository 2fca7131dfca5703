"""Was training long enough, and what should be changed where nothing was learnt? Read from the kept loss curves.

Before it: the history of each run of a network: the loss of every epoch, and the score on the part held back inside the training
folds. After it: the curves in the report, and the advice. Heads on frozen features are fitted to the end and have no history.
"""

from __future__ import annotations

import statistics
from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.budget import longer_budget
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.learning import nothing_learnt
from weigh.findings.model import Figure, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, as_sentence, join_texts, text
from weigh.record.results import Results
from weigh.run import RECIPES
from weigh.stats.estimate import Estimate

__all__ = ["Trained", "find", "longer", "read_training", "what_to_change"]

# Share of the runs whose last epoch was the best: above the first, training was too short; up to the second, it was long enough.
MOST_LAST, FEWEST_LAST = 0.5, 0.25
HARDLY = 0.9  # a loss that ends above this share of its first value has hardly fallen
RISEN = 1.02  # a loss that ends above so many times its first value has risen


class Trained(NamedTuple):
    """The runs of one candidate.

    Attributes:
        runs: With a history.
        epochs: The most that a run was trained.
        best: Median of the best epochs (0: as it began, with the head of a probe); None where no part was held back to tell.
        last: Runs whose last epoch was the best, and better than the one before.
        loss, score: Mean over the runs, by epoch; a run that stopped early counts while it ran. `score` is empty where nothing was
            held back.
    """

    runs: int
    epochs: int
    best: float | None
    last: int
    loss: list[float]
    score: list[float]

    @property
    def kept(self) -> float:
        """The last loss as a share of the first."""
        return self.loss[-1] / self.loss[0] if self.loss[0] > 0 else 1.0


def read_training(evidence: Evidence) -> dict[str, Trained]:
    """Candidate id -> how its runs went, for those that were trained by epochs; call it through `evidence.once`."""
    facts = {}
    for candidate in evidence.results.candidates:
        runs = [run for run in evidence.results.runs(candidate=candidate.id) if len(run.facts.get("history") or ()) > 1]
        if runs:
            facts[candidate.id] = _read([run.facts for run in runs])
    return facts


def _read(facts: list[dict]) -> Trained:
    histories = [fact["history"] for fact in facts]
    judged = [fact for fact in facts if all("validation" in row for row in fact["history"])]
    best = [int(fact["best_epoch"]) for fact in judged if fact.get("best_epoch") is not None]
    last = sum(
        _last_is_best([row["validation"] for row in fact["history"]]) and fact.get("best_epoch") != 0 for fact in judged
    )
    return Trained(
        len(facts),
        max(map(len, histories)),
        statistics.median(best) if best else None,
        last,
        _mean_by_epoch([[row["loss"] for row in history] for history in histories]),
        _mean_by_epoch([[row["validation"] for row in fact["history"]] for fact in judged]),
    )


def _last_is_best(scores: list[float]) -> bool:
    return scores[-1] > max(scores[:-1])


def _mean_by_epoch(curves: list[list[float]]) -> list[float]:
    return [
        float(np.mean([curve[epoch] for curve in curves if len(curve) > epoch]))
        for epoch in range(max(map(len, curves), default=0))
    ]


@FINDINGS.named("training")
def find(results: Results) -> list[Finding]:
    """One finding with the curves of all networks, about the winner or the best of them; none where none was trained."""
    evidence = read_evidence(results)
    trained = evidence.once(read_training)
    name = next((name for name in (*evidence.ranked, *trained) if name in trained), None)
    return [] if name is None else [_finding(evidence, name, trained)]


def _finding(evidence: Evidence, name: str, trained: dict[str, Trained]) -> Finding:
    own = trained[name]
    estimates = {
        "runs": count(own.runs, "runs"),
        "epochs": count(own.epochs, "epochs"),
        "loss_first": Estimate(value=own.loss[0], n=own.runs, n_unit="runs", method="mean over runs", unit="1"),
        "loss_last": Estimate(value=own.loss[-1], n=own.runs, n_unit="runs", method="mean over runs", unit="1"),
    }
    sentence = text(
        "Over up to {e} epochs the loss of {c} went from {a:.3f} to {b:.3f} (mean of {n} {n:|run|runs}).",
        "{c} 最多训练 {e} 轮，损失从 {a:.3f} 变为 {b:.3f}（{n} 次运行的平均）。",
        c=evidence.label(name),
        e=own.epochs,
        n=own.runs,
        a=own.loss[0],
        b=own.loss[-1],
    )
    verdict, judged = _judge(own, estimates)
    return Finding(
        id="training",
        kind="training",
        **asked("training", verdict),
        severity="evidence" if verdict == "no" else "detail",
        sentence=(sentence + judged),
        estimates=estimates,
        candidates=list(trained),
        next=what_to_change(evidence) if evidence.once(nothing_learnt) else longer(own),
        figure=_figure(evidence, trained),
    )


def _judge(own: Trained, estimates: dict[str, Estimate]) -> tuple[Verdict, Text]:
    if own.best is None:
        return "undecided", text(
            "Nothing was held back to see which epoch was the best.", "没有留出样本来判断哪一轮最好。"
        )
    values = {"k": own.last, "n": own.runs, "m": f"{own.best:g}"}
    estimates |= {
        "last_best": count(own.last, "runs"),
        "best_epoch": Estimate(value=own.best, method="median", unit="1"),
    }
    sentence = text(
        "The best epoch on the examples held back was number {m} in the median; in {k} of {n} {n:|run|runs} it was the last one.",
        "在留出的样本上，最好的一轮（中位数）是第 {m} 轮；{n} 次运行中有 {k} 次最后一轮最好。",
        **values,
    )
    if own.best == 0:  # `train.network`: the start is one of the epochs to choose from
        sentence = text(
            "In at least half of {n} {n:|run|runs} no epoch was clearly better, on the examples held back, than the head of a probe that training "
            "began with, so that was kept. In {k} the last epoch was the best.",
            "{n} 次运行中至少有一半，没有任何一轮在留出的样本上明显优于训练开始时由 probe 拟合的线性头，因此保留了训练前的权重；有 {k} 次最后一轮最好。",
            **values,
        )
    if max(own.score) - min(own.score) <= 0:
        estimates.pop("last_best")
        estimates.pop("best_epoch")
        return "undecided", text(
            "The score on the examples held back never changed, so no epoch can be called the best.",
            "在留出的样本上，得分始终没有变化，谈不上哪一轮最好。",
        )
    if own.last > MOST_LAST * own.runs:
        return "no", sentence + text(
            "The score was still getting better when training ended.", "训练结束时，得分仍在变好。"
        )
    if own.last <= FEWEST_LAST * own.runs:
        return "yes", sentence + text("More epochs would hardly help.", "增加轮数作用不大。")
    return "undecided", sentence


def longer(own: Trained) -> list[Text]:
    """Train longer, where the last epoch was mostly the best."""
    if own.best is None or own.last <= MOST_LAST * own.runs:
        return []
    return [
        text(
            "Train longer (epochs: {d}, now {e}): the last epoch was mostly the best.",
            "延长训练（epochs: {d}，现为 {e}）：多数运行的最后一轮最好。",
            d=2 * own.epochs,
            e=own.epochs,
        )
    ]


def what_to_change(evidence: Evidence, candidate: str | None = None) -> list[Text]:
    """Where nothing was learnt: what of the training to change first, as its loss tells; where only heads were fitted, the recipe.

    Args:
        candidate: Who learnt nothing; default: the winner, and so everybody.
    """
    if evidence.results.origin != "study":
        return [
            text(
                "Check that the predictions belong to these examples, and that the file holds all of them.",
                "请检查这些预测是否属于这些样本，以及文件是否完整。",
            )
        ]
    name = candidate or str(evidence.winner)
    own, less = evidence.once(read_training).get(name), evidence.results.less
    one, recipe = evidence.results.candidate(name), evidence.recipe(name)
    set_epochs = None if recipe is None else recipe.overrides.get("epochs")
    shorter = (
        less is not None and less.epochs is not None and set_epochs in (None, less.epochs)
    )  # not as the user set it
    items: list[Text] = []
    if own is None and one.cheap:
        items.append(
            text(
                "Take a pretrained model too (recipes probe, finetune): counted words alone find nothing.",
                "请同时尝试预训练模型（probe、finetune 方案）：仅靠词频统计，什么也没学到。",
            )
            if one.recipe in RECIPES and RECIPES.get(one.recipe).model
            else text(
                "Train the network itself (recipe finetune) or take another model: a head on these frozen features finds nothing.",
                "训练网络本身（finetune 方案）或换一个模型：只在这些冻结特征上训练线性头，什么也没学到。",
            )
        )
    elif less is not None and shorter and one.model in less.models and not one.cheap:
        items.append(
            text(
                "Train longer: give the study more time (--set design.budget={t}). Within {b} there was time for {e} {e:|epoch|epochs} only.",
                "延长训练：请给研究更多时间（--set design.budget={t}）。在 {b} 内只够训练 {e} 轮。",
                t=longer_budget(evidence.results.spec.design.budget),
                b=evidence.results.spec.design.budget,
                e=less.epochs,
            )
        )
    elif own is None:
        items.append(text("Train longer: set more epochs (epochs).", "延长训练：设置更多轮数（epochs）。"))
    elif own.kept > RISEN:
        items.append(
            text(
                "Lower the learning rate (recipes: learning_rate), to a tenth say: the loss rose from {a:.3f} to {b:.3f}.",
                "降低学习率（recipes 中的 learning_rate），例如降到十分之一：损失从 {a:.3f} 升到了 {b:.3f}。",
                a=own.loss[0],
                b=own.loss[-1],
            )
        )
    else:
        first = text("hardly fell", "几乎没有下降") if own.kept > HARDLY else text("was still falling", "仍在下降")
        items.append(
            text(
                "Train longer and faster: more epochs (epochs: {d}, now {e}) and a higher learning rate (learning_rate, five times as "
                "high say); the loss {f}, from {a:.3f} to {b:.3f}.",
                "加大训练力度：增加轮数（epochs: {d}，现为 {e}），并提高学习率（learning_rate，例如提高到五倍）；损失从 {a:.3f} 到 {b:.3f}，{f}。",
                d=3 * own.epochs,
                e=own.epochs,
                f=first,
                a=own.loss[0],
                b=own.loss[-1],
            )
        )
    if evidence.results.examples.kind.exclusive:
        both: list[Text] = []
        if recipe is None or recipe.overrides.get("class_weights") != "balanced":
            both.append(text("balance the classes (class_weights: balanced)", "平衡各类别（class_weights: balanced）"))
        if evidence.metric.name != "balanced_accuracy":
            both.append(text("judge by balanced accuracy", "改用平衡准确率评判"))
        items += [as_sentence(join_texts(both, ", or ", "，或"))] if both else []
    items.append(
        text(
            "Check that labels and examples belong together: `weigh data` shows how they were read.",
            "检查标注与样本是否对应：`weigh data` 会显示数据是如何读取的。",
        )
    )
    return items


def _figure(evidence: Evidence, trained: dict[str, Trained]) -> Figure:
    rows = []
    for name, own in trained.items():
        label = evidence.label(name)
        for stage, curve in (("loss", own.loss), ("validation", own.score)):
            rows += [
                {"candidate": name, "label": label, "stage": stage, "epoch": at, "value": round(value, 5)}
                for at, value in enumerate(curve, 1)
            ]
    return Figure(
        kind="training",
        title=text("Loss and score by epoch, mean over runs", "各轮的损失与得分（各次运行的平均）"),
        rows=rows,
        fields={
            "epoch": text("epoch", "轮次"),
            "value": text("value", "值"),
            "stage": text("curve", "曲线"),
        },
    )
