"""Every kind of finding that `--fail-on` may name, and which of them can stop a pipeline at all."""

from __future__ import annotations

from weigh.findings.data_problems import QUESTIONS
from weigh.findings.model import Finding
from weigh.findings.registry import ORDER

__all__ = ["KINDS", "NEVER_A_PROBLEM", "is_problem"]

FURTHER = ("unreadable", "outside-root", "missing", "label-errors", "internal")  # kinds without a question of their own
NEVER_A_PROBLEM = (  # they compare, describe or advise: a check on them could never fail
    "reading",
    "decision",
    "comparison",
    "ensemble",
    "choice",
    "finalists",
    "time",
    "racing",
    "inner-choice",
    "curve",
    "variation",
    "training",
    "calibration",
    "slices",
    "errors",
    "cost",
    "advice",
)
KINDS = tuple(kind for kind in dict.fromkeys((*QUESTIONS, *ORDER, *FURTHER)) if kind not in NEVER_A_PROBLEM)


def is_problem(finding: Finding) -> bool:
    """Whether a finding of a kind that `--fail-on` names stops a pipeline: a problem, or any suspected label.

    Suspected labels are never a problem by themselves, since a hard example looks the same to a model. Who names `label-errors` asks to be
    stopped for a look at them. Their number against that of right labels would stop nobody: wrong labels make the model less certain, and so
    raise what it expects by chance.
    """
    return finding.severity == "problem" or (finding.kind == "label-errors" and bool(finding.examples))
