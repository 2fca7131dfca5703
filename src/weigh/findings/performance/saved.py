"""Does the saved model answer as its training left it? Only where it does not is there anything to say.

Before it: `execute/saving.py` opened every model that it had saved, and asked it a few training examples again. After it: the report, and the
notice that the run itself gives.
"""

from __future__ import annotations

from weigh.findings.amounts import count, share
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.record.results import Results
from weigh.record.saved_checks import SavedCheck

__all__ = ["find", "told_of"]

METHOD = "root mean square of the change, as a share of how far answers lie apart"


@FINDINGS.named("saved")
def find(results: Results) -> list[Finding]:
    """One finding for each saved model that does not answer as its refit did."""
    labels = {candidate.id: candidate.label for candidate in results.candidates}
    findings = []
    for place, check in enumerate(results.saved_checks):
        name = "saved" if not place else f"saved:{place + 1}"
        findings.append(
            _finding(check._replace(candidate=labels.get(check.candidate, check.candidate)), check.candidate, name)
        )
    return findings


def told_of(check: SavedCheck) -> tuple[Text, Text]:
    """What is wrong with a saved model and why that matters; and what to do."""
    if check.departure is None:
        wrong = text(
            "The saved model of {c} ({f}) cannot be used: opened again, it does not answer ({e}). Its scores in this report were measured before it was saved and stand.",
            "{c} 保存的模型（{f}）无法使用：重新打开后不能给出回答（{e}）。本报告中的得分是在保存之前测得的，仍然有效。",
            c=check.candidate,
            f=check.folder,
            e=check.reason,
        )
    else:
        wrong = text(
            "The saved model of {c} ({f}) does not answer as its training left it: opened again, its answers about {n} training examples differ by {d} of how far answers lie apart, where rounding makes at most {m}. Its predictions are not those that this report scores.",
            "{c} 保存的模型（{f}）与训练结束时的回答不一致：重新打开后，它对 {n} 个训练样本的回答相差达回答间差异的 {d}，而舍入误差最多为 {m}。它的预测不是本报告所评价的预测。",
            c=check.candidate,
            f=check.folder,
            n=check.examples,
            d=f"{check.departure:.0%}",
            m=f"{check.allowed:.0%}",
        )
    do = text(
        "Do not predict with it. Delete the folder {f} in the study and run the same command again: only the refit is repeated. If that does not help, save another candidate (leave this model out) and report it with log.txt.",
        "请不要用它预测。删除研究中的文件夹 {f} 后再次运行同一命令：只会重做重新拟合。若仍无效，请改用其他候选方案（去掉该模型），并连同 log.txt 一并反馈。",
        f=check.folder,
    )
    return wrong, do


def _finding(check: SavedCheck, candidate: str, name: str) -> Finding:
    wrong, do = told_of(check)
    estimates = {"examples": count(check.examples, "examples")}
    if check.departure is not None:
        shares = {"departure": check.departure, "tolerance": check.allowed}
        estimates |= {key: share(value, n=check.examples, method=METHOD) for key, value in shares.items()}
    return Finding(
        id=name,
        kind="saved",
        **asked("saved", "no"),
        severity="problem",
        sentence=wrong,
        estimates=estimates,
        candidates=[candidate],
        next=[do],
    )
