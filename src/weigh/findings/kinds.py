"""Every kind of finding that `--fail-on` may name."""

from __future__ import annotations

from weigh.findings.model import Finding
from weigh.findings.registry import ORDER

__all__ = ["KINDS", "is_problem"]

DATA = (
    "unreadable", "duplicate", "near-duplicate", "leak", "near-leak", "label-conflict", "tiny-class", "imbalance", "one-class",
    "odd-picture", "placeholder", "split", "outside-root", "missing", "unknown-class", "other-files",
    "missing-prediction", "repeated-prediction", "copied-model", "constant-answer", "split-group", "tied-probabilities",
)  # fmt: skip
KINDS = (*DATA, *ORDER, "label-errors")


def is_problem(finding: Finding) -> bool:
    """Whether a finding of a kind that `--fail-on` names stops a pipeline: a problem, or suspected label errors."""
    return finding.severity == "problem" or (finding.kind == "label-errors" and finding.verdict == "yes")
