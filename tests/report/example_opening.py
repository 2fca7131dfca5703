"""The first findings of the example: verdict, comparison and what is wrong with the data."""

from __future__ import annotations

import numpy as np

from tests.report.hostile import CANDIDATES, HOSTILE, b
from weigh.findings.model import Assumption, Figure, Finding
from weigh.stats.estimate import Estimate

__all__ = ["opening", "problems"]


def opening() -> list[Finding]:
    top = CANDIDATES[0]
    score = Estimate(value=0.846, low=0.829, high=0.862, n=2099, method="bootstrap over examples within repeats")
    return [
        Finding(
            id="performance",
            kind="performance",
            question=b(
                "Which candidate should be used, and how well will it do?", "应当使用哪个候选方案？效果会如何？"
            ),
            claim="this_data",
            verdict="yes",
            severity="headline",
            sentence=b(
                "{c} reaches a balanced accuracy of {v:.3f} [{l:.3f}, {h:.3f}] in cross-validation; always answering the most frequent class gives {m:.3f}.",
                "{c} 在交叉验证中的平衡准确率为 {v:.3f} [{l:.3f}, {h:.3f}]；始终回答最常见类别的平衡准确率为 {m:.3f}。",
                c=top[0],
                v=0.846,
                l=0.829,
                h=0.862,
                m=0.5,
            ),
            estimates={"score": score, "majority": Estimate(value=0.5, n=2099, method="constant answer")},
            assumptions=[
                Assumption(
                    name=b("Examples are independent of each other", "样本之间相互独立"),
                    outcome="doubtful",
                    detail=b(
                        "Neighbours in the file are alike, or conditions drift along the file: see the order check.",
                        "文件中相邻的样本彼此相似，或条件沿文件逐渐变化，见顺序检查。",
                    ),
                ),
                Assumption(name=b("All candidates saw the same folds", "所有候选方案使用相同的折"), outcome="holds"),
            ],
            candidates=[top[0]],
            next=[
                b(
                    "Record the module of every cell and set design.group_by: module.",
                    "记录每个电池片所属的组件，并设置 design.group_by: module。",
                )
            ],
            figure=_scores(),
            references=[
                "Bates, Hastie & Tibshirani (2021), Cross-validation: what does it estimate and how well does it do it?"
            ],
        ),
        Finding(
            id="order",
            kind="order",
            question=b(
                "Does the score survive when neighbours are kept together?", "让相邻样本待在同一折时，得分还能保持吗？"
            ),
            claim="this_data",
            verdict="no",
            severity="problem",
            sentence=b(
                "AUROC falls from {a:.3f} with shuffled folds to {c:.3f} with blocks of {k}: neighbours are alike or conditions drift along the file. Nothing is known about new modules, since modules are not recorded.",
                "随机打乱分折时 AUROC 为 {a:.3f}，按每 {k} 个样本一块分折时降到 {c:.3f}：说明相邻样本彼此相似，或条件沿文件逐渐变化。由于没有记录组件信息，无法判断在新组件上的表现。",
                a=0.908,
                c=0.864,
                k=72,
            ),
            estimates={
                "shuffled": Estimate(value=0.908, low=0.894, high=0.921, n=2099),
                "blocks:72": Estimate(value=0.864, low=0.846, high=0.881, n=36, n_unit="groups"),
                "fifths": Estimate(value=0.79, low=0.71, high=0.85, n=5, n_unit="groups"),
            },
            candidates=[top[0]],
            assumptions=[Assumption(name=b("One order for all classes", "所有类别共用同一顺序"), outcome="holds")],
            next=[b("Set design.group_by to what neighbours share.", "把 design.group_by 设为相邻样本的共同来源。")],
            figure=Figure(
                kind="order",
                title=b("Score by size of the blocks", "不同区块大小下的得分"),
                rows=[
                    {
                        "candidate": c,
                        "label": lab,
                        "block": block,
                        "value": v + d,
                        "low": v + d - 0.016,
                        "high": v + d + 0.014,
                        "n": n,
                    }
                    for (c, lab), d in (
                        ((CANDIDATES[0][0], "lite2 probe"), 0.0),
                        ((CANDIDATES[1][0], "lite0 probe"), -0.006),
                    )
                    for block, v, n in (
                        ("shuffled", 0.908, 2099),
                        ("8", 0.881, 263),
                        ("72", 0.864, 30),
                        ("fifths", 0.79, 5),
                    )
                ],
                fields={"value": b("AUROC within folds", "折内 AUROC"), "block": b("block", "区块")},
            ),
        ),
    ]


def _scores() -> Figure:
    rng = np.random.default_rng(3)
    rows: list[dict] = []
    for id, label, _, score, *_ in CANDIDATES:
        rows.append(
            {
                "candidate": id,
                "label": label,
                "value": score,
                "low": score - 0.017,
                "high": score + 0.016,
                "n": 2099,
                "control": id.endswith("scratch"),
            }
        )
        rows += [
            {
                "candidate": id,
                "label": label,
                "repeat": r,
                "fold": f,
                "value": round(float(score + rng.normal(0, 0.015)), 4),
            }
            for r in range(1 if id.endswith("scratch") else 5)
            for f in range(5)
        ]
    return Figure(
        kind="scores",
        title=b("Balanced accuracy of every candidate", "各候选方案的平衡准确率"),
        rows=rows,
        fields={"value": b("balanced accuracy", "平衡准确率")},
        options={"reference": 0.5, "reference_label": b("most frequent class", "最常见类别")._asdict()},
    )


def problems() -> list[Finding]:
    names = [
        HOSTILE["rlo"],
        HOSTILE["quote"],
        "../../x.jpg",
        HOSTILE["formula"],
        HOSTILE["terminal"],
        *[f"cells/cell{i:04}.png" for i in range(60)],
    ]
    return [
        Finding(
            id="duplicate",
            kind="duplicate",
            question=b("Does any picture stand in the data twice?", "数据中有没有重复的图片？"),
            verdict="yes",
            severity="problem",
            sentence=b(
                "{n} pictures stand in the data more than once (first: {p}).",
                "有 {n} 张图片在数据中重复出现（第一张：{p}）。",
                n=len(names),
                p=HOSTILE["rlo"],
            ),
            examples=names,
            next=[b("Keep one copy of each.", "每张只保留一份。")],
        ),
        Finding(
            id="placeholder",
            kind="placeholder",
            question=b("Is any file a placeholder?", "有没有占位图片？"),
            verdict="yes",
            severity="problem",
            sentence=b(
                "{n} file looks like a placeholder and was set aside: {p}.",
                "有 {n} 个文件像是占位图片，已被剔除：{p}。",
                n=1,
                p="cells/imageNotFound.gif",
            ),
            examples=["cells/imageNotFound.gif"],
        ),
    ]
