"""What a person sees while a study runs: stages, bars with remaining time, the forecast, one question.

Before it: `execute/`, which tells a listener what happens. After it: `Study.run` shows it in a terminal and in a notebook, the command line
always.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text as Painted

from weigh.execute.forecast import duration
from weigh.execute.remaining import Remaining
from weigh.language import Text, text
from weigh.notices import notices_to
from weigh.report.visible import visible

__all__ = ["Screen", "is_watched"]

ASK_ABOVE = 600.0  # seconds: longer studies are asked about first
WHAT = {
    "index": Text("indexing", "建立索引"),
    "reading": Text("reading files", "读取文件"),
    "checking": Text("checking pictures", "检查图片"),
    "features": Text("computing features", "计算特征"),
    "decoding": Text("decoding pictures", "解码图片"),
    "activations": Text("computing activations of the frozen part", "计算冻结部分的激活值"),
    "heads": Text("fitting heads", "拟合线性头"),
    "words": Text(
        "asking which words push predictions (output.words: false leaves it out)",
        "考察哪些词左右预测（output.words: false 可关闭）",
    ),
    "pretraining": Text("pretraining further", "继续预训练"),
    "epochs": Text("training", "训练"),
    "training": Text("training", "训练"),
    "predicting": Text("predicting", "预测"),
}


WHOLE_JOBS = ("epochs",)  # what is told so makes up nearly all of a job
PLAIN_EVERY = 30.0  # seconds between lines where no bars can be shown (a file, a pipe)


def is_watched() -> bool:
    """Whether somebody sees what is drawn: standard error is a terminal, or this is a notebook."""
    console = Console(stderr=True)
    return console.is_terminal or console.is_jupyter


class _Told(ProgressColumn):
    """What stands behind a bar: "12/40", or of the study the time that is left; its bar moves with the clock."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.screen = screen

    def render(self, task: Task) -> Painted:
        remaining = self.screen.remaining
        if task.id != self.screen.outer or remaining is None:
            return Painted(f"{int(task.completed)}/{int(task.total or 0)}")
        task.completed = remaining.share(time.monotonic())
        return Painted(f"{100 * task.completed:.0f} %, {self.screen.time_left()}")


class Screen:
    """A listener that draws on standard error, so that standard output stays clean.

    Args:
        language: "en" or "zh".
        quiet: Show nothing but results and what is told always (`notices.notice`); questions are still asked.
        confirmed: The user said --yes.
        file: Where to draw; default: standard error, or the cell of a notebook. Texts are filtered here.
    """

    def __init__(self, language: str, *, quiet: bool, confirmed: bool, file: TextIO | None = None) -> None:
        self.language, self.quiet, self.confirmed = language, quiet, confirmed
        self.console = Console(file=file, stderr=file is None, highlight=False)
        self.watched = self.console.is_terminal or self.console.is_jupyter
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Told(self),
            console=self.console,
            transient=True,
            disable=quiet or not self.watched,
        )
        self.inner = self.outer = None
        self.workers = 1
        self.remaining: Remaining | None = None
        self.last_plain = time.monotonic()

    def __enter__(self) -> Screen:
        self.bars.start()
        self.notices = notices_to(self.say, self.insist)
        self.notices.__enter__()
        return self

    def __exit__(self, *_) -> None:
        self.bars.stop()
        self.notices.__exit__(None, None, None)

    def say(self, what: Text) -> None:
        if not self.quiet:
            self.console.print(visible(what.render(self.language)), markup=False, emoji=False, soft_wrap=True)

    def insist(self, what: Text) -> None:
        """A notice that is told also where nothing else is: something that was asked for did not happen."""
        self.tell(what.render(self.language))

    def tell(self, written: str) -> None:
        """A line that is part of the result: it is told also where nothing else is."""
        self.console.print(visible(written), markup=False, emoji=False, soft_wrap=True)

    def stage(self, what: Text) -> None:
        self._drop_inner()
        self.say(what)

    def progress(self, what: str, done: int, total: int) -> None:
        """How far a stage of one job is; `what` is its name in English, `done` and `total` count its own units."""
        title = visible(WHAT.get(what.split()[0].lower() if what else "", Text(what, what)).render(self.language))
        if self.inner is None or self.bars.tasks[-1].description != title:
            self._drop_inner()
            self.inner = self.bars.add_task(title, total=total)
        self.bars.update(self.inner, completed=done, total=total)
        if self.remaining is not None and what in WHOLE_JOBS:
            self.remaining.inside = done / max(total, 1)
        if self.remaining is not None and self.workers == 1:  # else several jobs tell of themselves in turn
            self.remaining.job_at(what, done, total, time.monotonic())
        if not self.watched and not self.quiet and time.monotonic() - self.last_plain > PLAIN_EVERY:
            self.last_plain = time.monotonic()  # a log file gets a line now and then, not a bar
            left = "" if self.remaining is None else f", {self.time_left()}"
            self.console.print(f"{title} {done}/{total}{left}", markup=False, soft_wrap=True)
        if done >= total:
            self._drop_inner()

    def planned(self, forecast) -> bool:
        """Says what is about to run, and asks where that takes long; False: the answer was no.

        Raises:
            SpecError: It takes long, and nobody is there to be asked.
        """
        self.workers = max(1, min(forecast.workers, len(forecast.jobs)))
        jobs, runs = len(forecast.jobs), sum(len(job.runs) for job in forecast.jobs)
        if forecast.recorded:
            self.say(text("{n} {n:|run is|runs are} recorded already.", "已有 {n} 次运行的记录。", n=forecast.recorded))
        if forecast.failed:
            self.say(
                text(
                    "{n} of them failed and {n:|is|are} not run again; --retry-failed does that.",
                    "其中 {n} 次失败，不会再次运行；加上 --retry-failed 可重试。",
                    n=forecast.failed,
                )
            )
        for reason in (forecast.passed, forecast.cut, forecast.over):
            if reason:
                self.say(reason)
        if runs:
            self.say(
                text(
                    "{r} {r:|run|runs} in {j} {j:|job|jobs}, about {d}.",
                    "{r} 次运行，{j} 个任务，约需 {d}。",
                    r=runs,
                    j=jobs,
                    d=duration(forecast.seconds),
                )
            )
        if forecast.seconds <= ASK_ABOVE or self.confirmed:
            self._begin(forecast.seconds if runs else 0.0)
            return True
        if sys.stdin is None or not sys.stdin.isatty():
            from weigh.errors import SpecError

            raise SpecError(
                text(
                    "The study is predicted to take {d}, and nobody is there to confirm it.",
                    "预计需要 {d}，但无人在场确认。",
                    d=duration(forecast.seconds),
                ),
                do=text(
                    "Add --yes, or keep it short: --set design.budget=10m",
                    "请加上 --yes，或限制时长：--set design.budget=10m",
                ),
            )
        self.bars.stop()
        answer = self._asked(text("Start? [y/N] ", "开始吗？[y/N] "))
        self.bars.start()
        if answer:
            self._begin(forecast.seconds)
        return answer

    def _asked(self, question: Text) -> bool:
        """Whether the answer is yes. The question is drawn like everything else: standard output may be a file, which nobody sees."""
        self.console.print(question.render(self.language), end="", markup=False, soft_wrap=True)
        try:
            return input().strip().lower() in ("y", "yes", "是", "好")
        except EOFError:  # Ctrl-D
            self.console.print()
            return False

    def _begin(self, seconds: float) -> None:
        if seconds:
            self.remaining = Remaining(seconds, time.monotonic())
            self.outer = self.bars.add_task(text("study", "研究").render(self.language), total=1.0)

    def ahead(self, seconds: float) -> None:
        if self.remaining is not None:
            self.remaining.ahead(seconds)

    def time_left(self) -> str:
        """ "about 12 min left"."""
        assert self.remaining is not None
        left = duration(self.remaining.left(time.monotonic()))
        return text("about {d} left", "约剩 {d}", d=left).render(self.language)

    def job_done(self, job, failed: int, done: int, total: int) -> None:
        """One job has ended: `failed` of its runs failed; `done` of `total` jobs are over."""
        self._drop_inner()
        if self.remaining is not None:
            self.remaining.job_done(job.predicted_seconds / self.workers, time.monotonic())
        if failed:
            self.say(
                text(
                    "{f} of {n} {n:|run|runs} of {c} failed (see log.txt). The same command with --retry-failed tries {f:|it|them} again.",
                    "{c} 的 {n} 次运行中有 {f} 次失败（见 log.txt）。用同一命令加上 --retry-failed 可重试。",
                    f=failed,
                    n=len(job.runs),
                    c=job.runs[0].candidate,
                )
            )

    def _drop_inner(self) -> None:
        if self.inner is not None:
            self.bars.remove_task(self.inner)
            self.inner = None
