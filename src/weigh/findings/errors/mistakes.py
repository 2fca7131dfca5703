"""What else is said about the mistakes of a kind of target: one function per kind, beside the hardest examples (`hardest.py`)."""

from __future__ import annotations

from collections.abc import Callable

from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding
from weigh.language import text
from weigh.registry import Registry

__all__ = ["MISTAKES"]

# by the name of the kind: (evidence, candidate whose predictions are read) -> findings
MISTAKES: Registry[Callable[[Evidence, str], list[Finding]]] = Registry(
    text("description of mistakes", "错误描述"),
    modules=tuple(f"weigh.findings.errors.{name}" for name in ("entities", "residuals", "masks", "boxes")),
)
