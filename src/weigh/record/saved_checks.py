"""What a saved model answered when it was opened again, beside what its refit had answered in memory: facts of the study.

Before it: `execute/saving.py`, which saves a refit and opens its folder. After it: `findings/performance/saved.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["FACT", "SavedCheck", "failed_checks", "with_check"]

FACT = "saved_checks"  # of the ledger: key of the refit -> its check


class SavedCheck(NamedTuple):
    """One saved model, opened once.

    Attributes:
        candidate: Its id in the study.
        folder: Where it lies in the study folder: "model", or a member of "ensemble".
        examples: On so many training examples both answers were compared.
        departure: How far they are apart (`Kind.departure`); None: it gave no answers that could be compared.
        allowed: How far they may be apart.
        reason: Why it gave no answers; "" where it did.
    """

    candidate: str
    folder: str
    examples: int
    departure: float | None
    allowed: float
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether it answers as the refit did."""
        return self.departure is not None and self.departure <= self.allowed


def with_check(stored: Mapping[str, Sequence[Any]] | None, run: str, check: SavedCheck) -> dict[str, Sequence[Any]]:
    """The fact with the check of one more refit; an older one of the same folder is forgotten."""
    kept = {key: one for key, one in (stored or {}).items() if SavedCheck(*one).folder != check.folder}
    return {**kept, run: list(check)}


def failed_checks(stored: Mapping[str, Sequence[Any]] | None, saved: Collection[str]) -> tuple[SavedCheck, ...]:
    """The checks that did not pass, of the refits that are saved now.

    Args:
        saved: Keys of refits.
    """
    checks = {key: SavedCheck(*one) for key, one in (stored or {}).items()}
    return tuple(check for key, check in checks.items() if key in saved and not check.passed)
