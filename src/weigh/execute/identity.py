"""What makes a study the same one when it is started again: its task, data, test part and seed.

Before it: the data. After it: `planner.py`, which refuses to go on with another; `driver.py`, which records it.
"""

from __future__ import annotations

from typing import Any

from weigh.data.examples import Examples
from weigh.errors import StudyMismatch
from weigh.language import text
from weigh.record.ledger import Ledger
from weigh.spec import StudySpec

__all__ = ["check_same_study", "identity_of"]


def identity_of(spec: StudySpec, examples: Examples) -> dict[str, Any]:
    """What must stay."""
    return {
        "task": spec.task,
        "data": examples.fingerprint,
        "n": len(examples),
        "test": spec.design.test,
        "seed": spec.design.seed,
    }


def check_same_study(ledger: Ledger, spec: StudySpec, examples: Examples) -> None:
    """Other data, another task or another test part than what is recorded is refused with the reason.

    Raises:
        StudyMismatch: The folder holds another study.
    """
    recorded = ledger.fact("identity")
    now = identity_of(spec, examples)
    if recorded is None:
        return
    names = {  # the first that differs is named
        "task": text("task", "任务"),
        "n": text("number of examples", "样本数"),
        "data": text("data", "数据"),
        "test": text("held-out share (design.test)", "留出比例（design.test）"),
        "seed": text("seed (design.seed)", "随机种子（design.seed）"),
    }
    for key, name in names.items():
        if recorded[key] != now[key]:
            raise StudyMismatch(
                text(
                    "{f} holds a study with another {w}: recorded {a}, now {b}.",
                    "{f} 中的研究{w}不同：记录为 {a}，现在是 {b}。",
                    f=ledger.folder,
                    w=name,
                    a=str(recorded[key])[:24],
                    b=str(now[key])[:24],
                ),
                text("Results of different data must not be mixed in one table.", "不同数据的结果不能混在同一张表里。"),
                text("Choose another folder: --output studies/NAME", "请另选文件夹：--output studies/名称"),
            )
