"""What a study would do before it does it: runs, jobs, seconds, and the difference that it could detect."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from weigh.data.examples import Examples
from weigh.language import Text, detect_language, text
from weigh.plan.finalists import Chosen, chooses_finalists, finalist_words
from weigh.plan.jobs import group_jobs, shared_seconds
from weigh.plan.less_training import LessTraining
from weigh.plan.power import planned_power
from weigh.plan.prepare import Prepared
from weigh.plan.racing import Race, racing_words
from weigh.plan.runs import Plan
from weigh.run import Job, Run, Setting
from weigh.spec import StudySpec

__all__ = ["Forecast", "duration"]

BESIDES = {  # purpose -> what its runs are for
    "order-check": text("the order check", "顺序检查"),
    "curve": text("the learning curve", "学习曲线"),
    "components": text("the sources of variation", "区分变异来源"),
}


@dataclass(frozen=True, repr=False)
class Forecast:
    """What a study would do, before it does it.

    Attributes:
        prepared: The data, and the specification as there is time for.
        asked: The specification as it is kept with the study.
        plan: The runs.
        whole: With those that are left out for want of time or by a race; the race is held on it.
        jobs: Jobs that are not recorded yet.
        setting: The choices.
        seconds: Forecast time of the jobs and the refits.
        recorded: Runs of this plan that are recorded already.
        failed: Those of them that failed.
        cut: Why there are fewer repeats than asked for, if a budget cut them.
        timings: Model address -> timing.
        race: The race as far as it is decided; None where all candidates run to the end.
        finalists: Addresses of the models that go on to the other recipes; None where they are not chosen, or all go on.
        decided: Who the finalists are and who was passed over for them; None where `finalists` is.
        chosen: Which models weigh chose, where none were named.
        passed: Which models came before finalists and would take too long.
        less: How networks are trained in less time; None where they are trained in full.
        over: That the prediction is longer than the budget, where nothing more can be left out.
        stopped: Candidates that the budget is too short for, or was at an earlier start with the same one.
        late: Addresses of the models whose heads are not run for that.
        impossible: Those of the stopped candidates whose networks cannot be trained in the time, as was found now.
        lacking: What `cut` says of what the design lacks for want of time, but for `stopped`.
    """

    prepared: Prepared
    asked: StudySpec
    plan: Plan
    whole: Plan
    jobs: list[Job]
    setting: Setting
    workers: int
    seconds: float
    recorded: int
    failed: int
    cut: Text | None
    timings: dict[str, dict[str, Any]]
    race: Race | None = None
    finalists: tuple[str, ...] | None = None
    decided: Chosen | None = None
    chosen: Text | None = None
    passed: Text | None = None
    over: Text | None = None
    less: LessTraining | None = None
    stopped: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    impossible: tuple[str, ...] = ()
    lacking: Text | None = None

    @property
    def less_is_decided(self) -> bool:
        """Whether `less` speaks of the networks that will be trained; before finalists are known it is what the slowest would be trained for."""
        return self.finalists is not None or not chooses_finalists(self.prepared.spec)

    def missing_jobs(self, runs: Iterable[Run], recorded: Collection[str]) -> list[Job]:
        """Jobs of those of these runs that are not recorded yet.

        Args:
            recorded: Keys of runs.
        """
        missing = [run for run in runs if run.key not in recorded]
        return group_jobs(missing, self.setting, self.timings, len(self.prepared.examples))

    def shared_seconds(self, jobs: Sequence[Job]) -> float:
        """What these jobs are predicted to take by the clock."""
        return shared_seconds(jobs, self.workers)

    def lines(self) -> list[Text]:
        """What would run, for how long, and what it could detect, line by line."""
        plan, prepared = self.plan, self.prepared
        examples, design = prepared.examples, prepared.spec.design
        train, test = len(examples.where("train")), len(examples.where("test"))
        lines = [
            text(
                "{n} examples{c}: {a} for cross-validation, {b} held out for one test.",
                "{n} 个样本{c}：{a} 个用于交叉验证，{b} 个留作一次性测试。",
                n=len(examples),
                c=_kinds(examples),
                a=train,
                b=test,
            ),
            *(problem.sentence for problem in prepared.problems if problem.severity != "note"),
        ]
        if self.chosen:
            lines.append(self.chosen)
        for candidate in plan.candidates:
            runs = [run for run in plan.runs if run.candidate == candidate.id]
            if candidate.id in plan.folds:
                lines.append(
                    text("{c}: {k} of {f} folds", "{c}：{f} 折中的 {k} 折",
                         c=candidate.id, k=plan.folds[candidate.id], f=design.folds)
                )  # fmt: skip
                continue
            lines.append(
                text(
                    "{c}: {f} folds × {r} {r:|repeat|repeats}{o}",
                    "{c}：{f} 折 × {r} 次重复{o}",
                    c=candidate.id,
                    f=design.folds,
                    r=plan.repeats[candidate.id],
                    o=_besides(runs),
                )
            )
        lines += [reason for reason in (self.passed, self.cut, self.over) if reason]
        if words := finalist_words(prepared.spec, plan.candidates, self.finalists):
            lines.append(words)
        if not plan.folds and (words := racing_words(self.race, prepared.spec, plan.candidates)):
            lines.append(words)
        lines += [
            text("Not planned: {p}. {r}", "未列入计划：{p}。{r}", p=BESIDES[purpose], r=reason)
            if purpose in BESIDES
            else text("Not planned: {r}", "未列入计划：{r}", r=reason)
            for purpose, reason in plan.skipped.items()
            if purpose != "components"  # these run only on request, so there is nothing to explain
        ]
        if self.recorded:
            lines.append(text("{n} {n:|run is|runs are} recorded already.", "已有 {n} 次运行的记录。", n=self.recorded))
        todo = sum(len(job.runs) for job in self.jobs)
        lines.append(
            text(
                "To run: {n} {n:|run|runs}, about {d} on {v} with {t} {t:|thread|threads}.",
                "待运行：{n} 次，约需 {d}（{v}，{t} 线程）。",
                n=todo,
                d=duration(self.seconds),
                v=self.setting.device,
                t=self.setting.threads,
            )
        )
        lines += planned_power(examples, prepared.spec, plan)
        return lines

    def __str__(self) -> str:
        return "\n".join(line.render(detect_language()) for line in self.lines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


def _kinds(examples: Examples) -> Text:
    """ " in 3 classes", " with 4 types of entities"; nothing for numbers."""
    if not examples.classes:
        return text("", "")
    if examples.kind.counted is not None:
        return text(
            " with {c} {c:|type|types} of {w}", "，{c} 种{w}", c=len(examples.classes), w=examples.kind.counted.many
        )
    return text(" in {c} {c:|class|classes}", "，{c} 个类别", c=len(examples.classes))


def _besides(runs: list[Run]) -> Text:
    """ ", 10 runs for the order check, 30 for the learning curve"."""
    listed = Text("", "")
    for purpose, words in BESIDES.items():
        if many := sum(run.purpose == purpose for run in runs):
            listed = Text(f"{listed.en}, {many} runs for {words.en}", f"{listed.zh}，另有 {many} 次用于{words.zh}")
    return listed


def duration(seconds: float) -> Text:
    """ "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return text("{n} s", "{n} 秒", n=max(1, round(seconds)))
    if seconds < 5400:
        return text("{n} min", "{n} 分钟", n=round(seconds / 60))
    return text("{n} h", "{n} 小时", n=round(seconds / 3600, 1))
