"""How much luck is in having chosen the best of several candidates by the scores that are then reported?

Before it: the out-of-fold scores of all candidates. After it: `independent_test.py`, which reports it beside the test part.
"""

from __future__ import annotations

from weigh.findings.amounts import amount, count, share, whole_percent
from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.language import text
from weigh.stats.estimate import Estimate
from weigh.stats.luck_of_choosing import Optimism, selection_optimism

__all__ = ["RELATIVE", "find_optimism", "winner_score"]

RELATIVE = 0.1  # of a score in the unit of the label; less luck than this does not change what to expect of a model


def luck_of_choosing(evidence: Evidence) -> Optimism | None:
    """Call it through `evidence.once`; None where nothing was chosen, or candidates cannot be compared."""
    if evidence.winner is None or evidence.winner not in evidence.rivals or evidence.comparisons is None:
        return None
    return selection_optimism(
        evidence.comparisons,
        evidence.winner,
        evidence.scores[evidence.winner],
        rng=evidence.rng("optimism"),
        lowest=evidence.metric.lowest,
        highest=evidence.metric.highest,
    )


def winner_score(evidence: Evidence) -> Estimate:
    """What to expect of the winner: its score without the luck of having been chosen by it. `evidence.scores` keeps the scores as measured."""
    luck = evidence.once(luck_of_choosing)
    return evidence.scores[str(evidence.winner)] if luck is None else luck.score


def find_optimism(evidence: Evidence) -> list[Finding]:
    """One finding; none where nothing was chosen."""
    rivals = evidence.rivals
    if len(rivals) < 2:
        return []  # nothing was chosen
    luck = evidence.once(luck_of_choosing)
    winner = str(evidence.winner)
    if luck is None:
        return [
            Finding(
                id="generalisation:optimism",
                kind="generalisation",
                **asked("generalisation:optimism", "undecided"),
                severity="detail",
                sentence=text(
                    "How much luck is in having chosen the best cannot be told: too few examples or missing runs.",
                    "无法判断挑选最优方案带来多少运气成分：样本太少或缺少运行。",
                ),
                candidates=[winner],
            )
        ]
    factor = 100.0 if evidence.metric.unit == "score" else 1.0
    optimism = luck.optimism.model_copy(
        update={
            "value": factor * luck.optimism.value,
            "unit": "points" if evidence.metric.unit == "score" else evidence.metric.unit,
        }
    )
    chosen = share(luck.chosen[winner], method="share of repeated choices")
    reported, corrected = evidence.scores[winner], luck.score
    large = luck.optimism.value > (evidence.rope or RELATIVE * abs(reported.value))
    return [
        Finding(
            id="generalisation:optimism",
            kind="generalisation",
            **asked("generalisation:optimism", "yes" if large else "no"),
            claim=evidence.claim,
            severity="evidence" if large else "detail",
            sentence=text(
                "Having chosen the best of {k} candidates by these scores adds about {o} of luck: {r:.3f} becomes {s:.3f} without it. "
                "{c} would have been chosen in {p} % of resampled studies.",
                "从 {k} 个候选方案中按得分挑选最优，带来约 {o}的运气成分：扣除后 {r:.3f} 变为 {s:.3f}。在重抽样的研究中，{c} 有 {p} % 的机会被选中。",
                k=len(rivals),
                o=amount(optimism),
                r=reported.value,
                s=corrected.value,
                c=evidence.label(winner),
                p=whole_percent(chosen.value),
            ),
            estimates={
                "optimism": optimism,
                "reported": reported,
                "corrected": corrected,
                "candidates": count(len(rivals), "candidates"),
                "chosen": chosen,
            },
            candidates=[winner],
            table=[
                {"candidate": evidence.label(name), "share": round(share, 4)} for name, share in luck.chosen.items()
            ],
            references=[
                "Oliveira, Lei & Tibshirani (2021), Unbiased risk estimation via coupled bootstrap",
                "Tsamardinos, Greasidou & Borboudakis (2018), Bootstrapping the out-of-sample predictions, ML 107",
            ],
        )
    ]
