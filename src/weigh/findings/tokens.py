"""Does a model's vocabulary fit these texts, and does it read them whole?

A tokenizer made for another language answers with unknown tokens, or with several tokens for one character; a score made with
it says little about the model. Texts beyond the model's length are cut; sentences of which every word is
labelled are read in pieces instead. Counted on the texts of the study, so no interval.
"""

from __future__ import annotations

from typing import Any

from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.record.results import Results
from weigh.stats.estimate import Estimate, digits_that_show, with_digits

__all__ = ["MOST_TOKENS", "MOST_UNKNOWN", "find"]

MOST_UNKNOWN = 0.05  # of all tokens; names and signs make up less in a language that a vocabulary was made for
MOST_TOKENS = 1.2  # per character: texts are then spelt out in pieces of letters
MOST_CUT = 0.01  # of all texts


@FINDINGS.named("tokens")
def find(results: Results) -> list[Finding]:
    """One finding per model whose tokenizer does not fit, one per model that cuts texts."""
    findings: list[Finding] = []
    for address, facts in results.models.items():
        counted = facts.get("texts")
        if counted:
            findings += [
                finding for finding in (_fit(address, counted, results), _cut(address, counted, results)) if finding
            ]
    return findings


def _counted(value: float, counted: dict[str, Any], unit: str = "percent") -> Estimate:
    value = 100 * value if unit == "percent" else value
    return Estimate(value=value, n=counted["examples"], method="counted on the texts of this study", unit=unit)


def _percent(estimate: Estimate) -> str:
    return f"{with_digits(estimate.value, digits_that_show([estimate.value], 1))} %"


def _concerned(address: str, results: Results) -> list[str]:
    return [candidate.id for candidate in results.candidates if candidate.model == address]


def _fit(address: str, counted: dict[str, Any], results: Results) -> Finding | None:
    unknown, spelt = counted["unknown_share"], counted["tokens_per_character"]
    if unknown <= MOST_UNKNOWN and spelt <= MOST_TOKENS:
        return None
    estimates = {"unknown_tokens": _counted(unknown, counted), "tokens_per_character": _counted(spelt, counted, "1")}
    symptom = (
        text(
            "{p} of the tokens are unknown to it",
            "其中 {p} 的词元不在其词表中",
            p=_percent(estimates["unknown_tokens"]),
        )
        if unknown > MOST_UNKNOWN
        else text("it needs {k} tokens per character", "平均每个字符需要 {k} 个词元", k=f"{spelt:.1f}")
    )
    return Finding(
        id=f"tokens:{address}",
        kind="tokens",
        **asked("tokens", "no"),
        severity="problem",
        sentence=text(
            "The tokenizer of {m} does not fit these texts: {s}. If that is because of their language, its scores here say nothing about what it can do "
            "in its own language, and little about what a model of this size can do in this one.",
            "{m} 的分词器不适合这些文本：{s}。若原因在于语言，则它在这里的得分不能说明它在自己语言上的能力，也很难说明同等规模的模型在这种语言上的能力。",
            m=address,
            s=symptom,
        ),
        estimates=estimates,
        candidates=_concerned(address, results),
        next=[
            text(
                "Unless it is emoji, codes or formulas that the tokenizer does not know, choose a model that was pretrained on this language, for example hf:intfloat/multilingual-e5-small.",
                "除非分词器不认识的只是表情符号、代码或公式，否则请选择用这种语言预训练的模型，例如 hf:intfloat/multilingual-e5-small。",
            )
        ],
    )


def _cut(address: str, counted: dict[str, Any], results: Results) -> Finding | None:
    cut = counted["cut"] / max(counted["examples"], 1)
    if cut <= MOST_CUT or results.examples.medium.in_windows:
        return None
    estimates = {
        "texts": _counted(counted["cut"], counted, "texts"),
        "length": _counted(counted["length"], counted, "tokens"),
        "cut": _counted(cut, counted),
        "lost": _counted(counted["lost_share"], counted),
    }
    return Finding(
        id=f"tokens:cut:{address}",
        kind="tokens",
        **asked("tokens:cut", "no"),
        severity="evidence",
        sentence=text(
            "{m} reads {k} tokens: {n} {n:|text|texts} ({p}) {n:|is|are} longer and {n:|is|are} cut; {l} of all tokens are never seen.",
            "{m} 最多读取 {k} 个词元：{n} 个文本（{p}）超出而被截断；全部词元中有 {l} 从未被读取。",
            m=address,
            k=counted["length"],
            n=counted["cut"],
            p=_percent(estimates["cut"]),
            l=_percent(estimates["lost"]),
        ),
        estimates=estimates,
        candidates=_concerned(address, results),
        next=[_longer(counted)],
    )


def _longer(counted: dict[str, Any]) -> Text:
    return text(
        "Set recipes.NAME.max_length higher where the model allows it (now {k}), or split the texts.",
        "若模型允许，请调高 recipes.NAME.max_length（现为 {k}），或拆分文本。",
        k=counted["length"],
    )
