"""The plan as text: runs, time, and the smallest difference that the design can detect."""

from __future__ import annotations

from pathlib import Path

from weigh.cli.screen import duration
from weigh.language import Text, text
from weigh.plan.power import planned_power

__all__ = ["show_plan"]


def show_plan(prediction, folder: Path, language: str) -> str:
    """Lines for the terminal."""
    plan, prepared = prediction.plan, prediction.prepared
    examples, design = prepared.examples, prepared.spec.design
    train, test = len(examples.where("train")), len(examples.where("test"))
    lines = [
        text(
            "{n} examples in {c} classes: {a} for cross-validation, {b} held out for one test.",
            "{n} 个样本，{c} 个类别：{a} 个用于交叉验证，{b} 个留作一次性测试。",
            n=len(examples),
            c=len(examples.classes),
            a=train,
            b=test,
        ),
        *(problem.sentence for problem in prepared.problems if problem.severity != "note"),
    ]
    for candidate in plan.candidates:
        runs = [run for run in plan.runs if run.candidate == candidate.id]
        lines.append(
            text(
                "{c}: {f} folds × {r} repeats{o}",
                "{c}：{f} 折 × {r} 次重复{o}",
                c=candidate.id,
                f=design.folds,
                r=plan.repeats[candidate.id],
                o=text(
                    ", {n} runs for the order check",
                    "，另有 {n} 次用于顺序检查",
                    n=sum(r.purpose == "order-check" for r in runs),
                )
                if any(r.purpose == "order-check" for r in runs)
                else Text("", ""),
            )
        )
    if prediction.cut:
        lines.append(prediction.cut)
    lines += [text("Not planned: {r}", "未列入计划：{r}", r=reason) for reason in plan.skipped.values()]
    if prediction.recorded:
        lines.append(text("{n} runs are recorded already.", "已有 {n} 次运行的记录。", n=prediction.recorded))
    todo = sum(len(job.runs) for job in prediction.jobs)
    lines.append(
        text(
            "To run: {n} runs, about {d} on {v} with {t} threads.",
            "待运行：{n} 次，约需 {d}（{v}，{t} 线程）。",
            n=todo,
            d=duration(prediction.seconds),
            v=prediction.setting.device,
            t=prediction.setting.threads,
        )
    )
    lines += planned_power(examples, prepared.spec, plan)
    lines.append(text("Study folder: {f}", "研究文件夹：{f}", f=folder))
    return "\n".join(line.render(language) for line in lines)
