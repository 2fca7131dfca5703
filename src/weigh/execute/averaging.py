"""Which average of candidates is to be saved, as `output.ensemble` asks for it.

Before it: the cross-validation (`record/ensembles.py` draws the members). After it: `saving.py`, once the members are refitted.
"""

from __future__ import annotations

from weigh.errors import SpecError
from weigh.findings.registry import FINDINGS
from weigh.kinds.base import Kind
from weigh.language import Text, as_sentence, text
from weigh.notices import notice
from weigh.record.ensembles import read_ensemble
from weigh.record.results import Results
from weigh.spec import OutputSpec

__all__ = ["check_average", "choose_average"]


def check_average(output: OutputSpec, kind: Kind) -> None:
    """Whether answers of this kind have an average, where one must be saved.

    Raises:
        SpecError: They have none.
    """
    if output.ensemble == "always" and kind.unaveraged is not None:
        raise SpecError(
            text(
                "output.ensemble=always: {k} cannot be averaged.", "output.ensemble=always：{k}不能取平均。", k=kind.title
            ),
            as_sentence(kind.unaveraged),
            text(
                "Leave it out: the winner alone is saved.", "请去掉该设置：只保存优胜者。"
            ),
        )  # fmt: skip


def choose_average(results: Results) -> dict[str, float]:
    """Candidate -> its share in the average that is to be saved; empty where none is. Why not is told where one was asked for, also with --quiet."""
    wanted = results.spec.output.ensemble
    if wanted == "never":
        return {}
    ensemble = results.once(read_ensemble)
    if ensemble is None:
        reason = results.examples.kind.unaveraged or _too_few(results)
        notice(text("No average is saved: {r}.", "未保存平均模型：{r}。", r=reason), always=True)
        return {}
    if wanted == "auto" and not any(finding.relation == "better" for finding in FINDINGS.get("ensemble")(results)):
        notice(
            text(
                "No average is saved: none is shown to be better than the winner alone (output.ensemble=auto).",
                "未保存平均模型：没有证据表明哪个平均优于单独的优胜者（output.ensemble=auto）。",
            ),
            always=True,
        )
        return {}
    return ensemble.members


def _too_few(results: Results) -> Text:
    """Why there is nothing to average; who could not have been a member in any case is named."""
    controls = any(candidate.control for candidate in results.candidates)
    dropped = results.race is not None and bool(results.race.out)
    if controls and dropped:
        aside = text(", controls and those that the race dropped aside,", "除对照和竞速中淘汰的方案外，")
    elif controls:
        aside = text(", controls aside,", "除对照外，")
    elif dropped:
        aside = text(", those that the race dropped aside,", "除竞速中淘汰的方案外，")
    else:
        aside = Text("", "")
    return text(
        "fewer than two candidates{a} have a complete repeat in common",
        "{a}共同完成了至少一次重复的候选方案不足两个",
        a=aside,
    )
