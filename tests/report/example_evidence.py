"""The findings of the example that carry figures: evidence, slices, errors, cost, and one of a plugin."""

from __future__ import annotations

import numpy as np

from tests.report.hostile import CANDIDATES, CLASSES, HOSTILE, b
from weigh.findings.model import Assumption, Figure, Finding
from weigh.language import Text
from weigh.stats.estimate import Estimate

__all__ = ["evidence", "rest"]


def evidence() -> list[Finding]:
    ids = [c[0] for c in CANDIDATES]
    differences = [
        {
            "candidate": ids[0],
            "other": ids[1],
            "label": "lite2 probe − lite0 probe",
            "value": 0.004,
            "low": -0.009,
            "high": 0.017,
            "relation": "undecided",
        },
        {
            "candidate": ids[0],
            "other": ids[2],
            "label": "lite2 probe − lite1 probe",
            "value": 0.017,
            "low": 0.004,
            "high": 0.030,
            "relation": "better",
        },
        {
            "candidate": ids[1],
            "other": ids[2],
            "label": "lite0 probe − lite1 probe",
            "value": 0.013,
            "low": -0.001,
            "high": 0.027,
            "relation": "undecided",
        },
    ]
    return [
        Finding(
            id=f"comparison:{ids[0]}:{ids[1]}",
            kind="comparison",
            question=b("Is lite2 probe better than lite0 probe?", "lite2 probe 比 lite0 probe 更好吗？"),
            claim="this_data",
            relation="undecided",
            verdict="undecided",
            sentence=b(
                "lite2 probe scores {d:.1f} points higher than lite0 probe [{l:.1f}, {h:.1f}]; this does not settle which is better. A difference of {m:.1f} points could have been detected.",
                "lite2 probe 比 lite0 probe 高 {d:.1f} 个百分点 [{l:.1f}, {h:.1f}]；这还不足以判断哪个更好。本设计能检出的最小差异为 {m:.1f} 个百分点。",
                d=0.4,
                l=-0.9,
                h=1.7,
                m=2.1,
            ),
            estimates={
                "difference": Estimate(
                    value=0.4, low=-0.9, high=1.7, n=2099, unit="points", method="variance within repeats"
                ),
                "detectable": Estimate(value=2.1, unit="points", n=2099),
            },
            candidates=ids[:2],
            assumptions=[
                Assumption(
                    name=b(
                        "Test folds share training data; the interval allows for it", "各折共享训练数据，区间已作修正"
                    ),
                    outcome="holds",
                )
            ],
            next=[
                b(
                    "More repeats cannot settle this; about {n} more examples could.",
                    "增加重复次数无济于事；再增加约 {n} 个样本才可能分出高下。",
                    n=3100,
                )
            ],
            figure=Figure(
                kind="differences",
                title=b("Differences between candidates", "候选方案之间的差异"),
                rows=differences,
                fields={"value": b("difference in balanced accuracy", "平衡准确率之差")},
                options={"rope": 0.01},
            ),
        ),
        Finding(
            id=f"comparison:{ids[0]}:{ids[2]}",
            kind="comparison",
            question=b("Is lite2 probe better than lite1 probe?", "lite2 probe 比 lite1 probe 更好吗？"),
            claim="this_data",
            relation="better",
            verdict="yes",
            sentence=b(
                "lite2 probe is better than lite1 probe by {d:.1f} points [{l:.1f}, {h:.1f}].",
                "lite2 probe 比 lite1 probe 好 {d:.1f} 个百分点 [{l:.1f}, {h:.1f}]。",
                d=1.7,
                l=0.4,
                h=3.0,
            ),
            estimates={
                "difference": Estimate(
                    value=1.7, low=0.4, high=3.0, n=2099, unit="points", method="variance within repeats"
                )
            },
            candidates=[ids[0], ids[2]],
        ),
        Finding(
            id="comparison:matrix",
            kind="comparison",
            question=b("How does every pair compare?", "两两相比结果如何？"),
            claim="this_data",
            verdict="undecided",
            severity="detail",
            sentence=b("Of {n} pairs, {k} is settled.", "{n} 对比较中，有 {k} 对分出了高下。", n=3, k=1),
            figure=Figure(
                kind="matrix",
                title=b("Relations between candidates", "候选方案之间的关系"),
                rows=[
                    {"candidate": r["candidate"], "other": r["other"], "relation": r["relation"], "value": r["value"]}
                    for r in differences
                ],
            ),
        ),
        Finding(
            id="test",
            kind="generalisation",
            question=b("Does the score hold on the independent test part?", "在独立测试部分上，得分还成立吗？"),
            claim="these_models",
            verdict="yes",
            sentence=b(
                "The refitted lite2 probe scores {v:.3f} [{l:.3f}, {h:.3f}] on {n} test examples, cross-validation said {c:.3f}.",
                "重新训练的 lite2 probe 在 {n} 个测试样本上得分 {v:.3f} [{l:.3f}, {h:.3f}]，交叉验证为 {c:.3f}。",
                v=0.839,
                l=0.803,
                h=0.872,
                n=525,
                c=0.846,
            ),
            estimates={"test": Estimate(value=0.839, low=0.803, high=0.872, n=525, method="bootstrap over examples")},
            candidates=[ids[0]],
            figure=Figure(
                kind="generalisation",
                title=b("Training, cross-validation and test side by side", "训练、交叉验证与测试并列"),
                rows=[
                    {
                        "candidate": id,
                        "label": lab,
                        "stage": stage,
                        "value": s + d,
                        "low": None if stage == "train" else s + d - w,
                        "high": None if stage == "train" else s + d + w,
                    }
                    for id, lab, _, s, *_ in CANDIDATES[:3]
                    for stage, d, w in (("train", 0.071, 0), ("cv", 0.0, 0.017), ("test", -0.007, 0.034))
                ],
                fields={"value": b("balanced accuracy", "平衡准确率")},
            ),
        ),
    ]


def rest() -> list[Finding]:
    ids = [c[0] for c in CANDIDATES]
    rng = np.random.default_rng(5)
    wrong = [
        {
            "path": f"cells/cell{i:04}.png",
            "given": CLASSES[i % 2],
            "predicted": CLASSES[1 - i % 2],
            "probability": round(0.99 - 0.004 * i, 3),
        }
        for i in range(48)
    ]
    wrong[2]["path"], wrong[3]["path"] = HOSTILE["quote"], HOSTILE["rlo"]
    return [
        Finding(
            id="stability",
            kind="stability",
            question=b("Would the verdict be the same with other seeds?", "换一组随机种子，结论会变吗？"),
            claim="these_models",
            verdict="undecided",
            sentence=b(
                "Over {r} repeats the winner's score spreads by {s:.1f} points; the winner leads in {k} of {r}.",
                "在 {r} 次重复中，优胜者的得分波动 {s:.1f} 个百分点；{r} 次里有 {k} 次领先。",
                r=5,
                s=0.6,
                k=3,
            ),
            estimates={"spread": Estimate(value=0.6, unit="points", n=5, n_unit="repeats")},
            candidates=[ids[0]],
            figure=Figure(
                kind="spread",
                title=b("Every repeat and fold", "每次重复、每一折"),
                rows=[
                    {
                        "candidate": id,
                        "label": lab,
                        "repeat": r,
                        "fold": f,
                        "value": round(float(s + rng.normal(0, 0.014)), 4),
                    }
                    for id, lab, _, s, *_ in CANDIDATES[:3]
                    for r in range(5)
                    for f in range(5)
                ],
                fields={"value": b("balanced accuracy", "平衡准确率")},
            ),
        ),
        Finding(
            id="calibration",
            kind="calibration",
            question=b("Can the probabilities be believed?", "概率可信吗？"),
            claim="these_models",
            verdict="yes",
            sentence=b(
                "After temperature scaling ({t:.2f}) the calibration error is {a:.3f} [{l:.3f}, {h:.3f}]; before it was {c:.3f}.",
                "温度校准（{t:.2f}）之后，校准误差为 {a:.3f} [{l:.3f}, {h:.3f}]，之前为 {c:.3f}。",
                t=1.64,
                a=0.021,
                l=0.014,
                h=0.033,
                c=0.084,
            ),
            estimates={
                "ece_after": Estimate(value=0.021, low=0.014, high=0.033, n=2099),
                "ece_before": Estimate(value=0.084, low=0.071, high=0.098, n=2099),
            },
            figure=Figure(
                kind="reliability",
                title=b("Stated probability against what came true", "给出的概率与实际频率"),
                rows=[
                    {"stage": stage, "x": x, "y": round(x - g * (x - 0.5), 3), "n": n}
                    for stage, g in (("before", 0.32), ("after", 0.05))
                    for x, n in ((0.55, 210), (0.65, 260), (0.75, 330), (0.85, 480), (0.95, 819))
                ],
                fields={"x": b("stated probability", "给出的概率"), "y": b("share that came true", "实际发生的比例")},
            ),
        ),
        Finding(
            id="slices:type",
            kind="slices",
            question=b("Is the score the same for every type?", "各类型上的得分一样吗？"),
            claim="this_data",
            verdict="no",
            sentence=b(
                "poly scores {v:.3f} [{l:.3f}, {h:.3f}], the lowest of {n} types.",
                "poly 的得分为 {v:.3f} [{l:.3f}, {h:.3f}]，是 {n} 种类型中最低的。",
                v=0.811,
                l=0.785,
                h=0.836,
                n=2,
            ),
            figure=Figure(
                kind="slices",
                title=b("Score by type", "各类型的得分"),
                rows=[
                    {"slice": "type", "level": "mono", "value": 0.884, "low": 0.862, "high": 0.905, "n": 860},
                    {"slice": "type", "level": "poly", "value": 0.811, "low": 0.785, "high": 0.836, "n": 1239},
                    {"slice": "type", "level": HOSTILE["markdown"], "value": 0.84, "low": None, "high": None, "n": 4},
                ],
                fields={"value": b("balanced accuracy", "平衡准确率")},
            ),
        ),
        Finding(
            id="errors:confusion",
            kind="errors",
            question=b("Which classes are confused?", "哪些类别被混淆？"),
            verdict="yes",
            sentence=b("{n} of {m} examples are misclassified.", "{m} 个样本中有 {n} 个被分错。", n=312, m=2099),
            figure=Figure(
                kind="confusion",
                title=b("Confusion matrix", "混淆矩阵"),
                rows=[
                    {"given": CLASSES[i], "predicted": CLASSES[j], "n": n}
                    for i, j, n in ((0, 0, 1390), (0, 1, 121), (1, 0, 191), (1, 1, 397))
                ],
            ),
        ),
        Finding(
            id="errors:classes",
            kind="errors",
            question=b("How does every class do?", "每个类别表现如何？"),
            verdict="yes",
            severity="detail",
            sentence=b(
                "The weakest class is {c} with a recall of {r:.3f}.",
                "最弱的类别是 {c}，召回率为 {r:.3f}。",
                c=HOSTILE["script"],
                r=0.675,
            ),
            figure=Figure(
                kind="classes",
                title=b("Every class", "各类别"),
                rows=[
                    {"class": CLASSES[0], "precision": 0.879, "recall": 0.920, "f1": 0.899, "n": 1511},
                    {"class": CLASSES[1], "precision": 0.766, "recall": 0.675, "f1": 0.718, "n": 588},
                ],
            ),
        ),
        Finding(
            id="errors:labels",
            kind="errors",
            question=b("Which labels look wrong?", "哪些标注看起来有误？"),
            verdict="yes",
            sentence=b(
                "{n} labels are contradicted by every repeat; look at them first.",
                "有 {n} 个标注与所有重复的预测相矛盾，请优先检查。",
                n=len(wrong),
            ),
            examples=[row["path"] for row in wrong],
            table=wrong,
            next=[b("Check these {n} labels.", "检查这 {n} 个标注。", n=len(wrong))],
            references=["Northcutt, Jiang & Chuang (2021), Confident Learning, JAIR 70"],
        ),
        Finding(
            id="cost",
            kind="cost",
            question=b("Is a cheaper candidate as good?", "更便宜的候选方案一样好吗？"),
            verdict="undecided",
            sentence=b(
                "lite0 probe needs {s:.0f} % of the memory of lite2 probe.",
                "lite0 probe 所需内存是 lite2 probe 的 {s:.0f} %。",
                s=38,
            ),
            figure=Figure(
                kind="front",
                title=b("Score against size", "得分与体积"),
                rows=[
                    {
                        "candidate": id,
                        "label": lab,
                        "x": size / 1e6,
                        "y": s,
                        "low": s - 0.017,
                        "high": s + 0.016,
                        "front": i < 2,
                    }
                    for i, (id, lab, _, s, size, _) in enumerate(CANDIDATES[:3])
                ],
                fields={"x": b("size in MB", "体积（MB）"), "y": b("balanced accuracy", "平衡准确率")},
            ),
            measured={"seconds_per_example": {c[0]: c[5] for c in CANDIDATES}},
        ),
        Finding(
            id="odd",
            kind="somebody's plugin",
            question=b("What does {t} say?", "{t} 说了什么？", t=HOSTILE["template"]),
            claim="new_data",
            verdict="undecided",
            sentence=b("Nothing can be said: {c}", "无可奉告：{c}", c=HOSTILE["close"]),
            figure=Figure(
                kind="unheard of",
                title=Text(HOSTILE["close"], HOSTILE["close"]),
                rows=[{"a": 1, HOSTILE["img"]: HOSTILE["script"]}, {"a": 2.5}, {}],
            ),
        ),
        Finding(
            id="advice",
            kind="advice",
            question=b("What should be done next?", "下一步该做什么？"),
            verdict="yes",
            sentence=b("First look at the order check.", "请先看顺序检查。"),
            next=[b("Collect {n} more examples of the rare class.", "为稀有类别再收集 {n} 个样本。", n=400)],
        ),
    ]
