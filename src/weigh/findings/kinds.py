"""Every kind of finding that `--fail-on` may name."""

from __future__ import annotations

from weigh.findings.data_problems import QUESTIONS
from weigh.findings.model import Finding
from weigh.findings.registry import ORDER

__all__ = ["KINDS", "is_problem"]

FURTHER = ("unreadable", "outside-root", "missing", "label-errors")  # kinds without a question of their own
KINDS = tuple(dict.fromkeys((*QUESTIONS, *ORDER, *FURTHER)))


def is_problem(finding: Finding) -> bool:
    """Whether a finding of a kind that `--fail-on` names stops a pipeline: a problem, or suspected label errors."""
    return finding.severity == "problem" or (finding.kind == "label-errors" and finding.verdict == "yes")
