"""Every kind of finding that `--fail-on` may name."""

from __future__ import annotations

from weigh.findings.registry import ORDER

__all__ = ["KINDS"]

DATA = (
    "unreadable", "duplicate", "near-duplicate", "leak", "near-leak", "label-conflict", "tiny-class", "imbalance", "one-class",
    "odd-picture", "placeholder", "split", "outside-root", "missing", "unknown-class", "other-files",
)  # fmt: skip
KINDS = (*DATA, *ORDER)
