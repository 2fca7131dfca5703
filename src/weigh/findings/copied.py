"""How much too narrow intervals are that count every copy of an example as an example of its own.

Copies stay in one fold and get the same answer: together they say as much as one of them. Nothing is trained here; what is read are the sets of
copies that the checks of the data found. Before it: the problems of the data. After it: the headline (`performance/caveats.py`) and the assumptions
below every finding (`assumptions.py`); slices, calibration and what changes between repeats count each set of copies once (`independent_units`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from weigh.data.copies import duplicate_groups
from weigh.findings.amounts import count, gain_of
from weigh.findings.evidence import Evidence
from weigh.findings.model import Assumption
from weigh.language import Text, text
from weigh.record.results import Results
from weigh.stats.dependence import COPIES_MATTER, effect_of_copies
from weigh.stats.estimate import Estimate
from weigh.stats.resampling import Units, make_units

__all__ = [
    "SETS_OF_COPIES",
    "Copied",
    "copied_at",
    "copies_of_test",
    "independent_sets",
    "independent_units",
    "read_copied",
]

SETS_OF_COPIES = text(
    "Sets of copies, which count as one example each, are independent of each other",
    "各组副本（每组只算一个样本）相互独立",
)


class Copied(NamedTuple):
    """Copies among some examples: those that the cross-validation speaks of, or a test part.

    Attributes:
        copies: How many examples are copies of another one with the same label.
        examples: How many there are in all.
        factor: How many times as wide intervals should be that count them all.
        units: Each set of copies as a whole.
        lead_is_lost: The winner is better than the runner-up in cross-validation only where they are all counted.
    """

    copies: int
    examples: int
    factor: Estimate
    units: Units
    lead_is_lost: bool = False

    @property
    def estimates(self) -> dict[str, Estimate]:
        """The numbers of `words`."""
        counted = count(self.copies, "examples", of=self.examples)
        return {"copies": counted, "counted": count(self.examples, "examples"), "factor_of_copies": self.factor}

    @property
    def words(self) -> Text:
        """The sentence that follows an interval."""
        return text(
            "{c} of the {n} examples are copies of others, and intervals count each of them: they should be about {f} times as wide.",
            "{n} 个样本中有 {c} 个是其他样本的副本，而区间把它们各算作一个样本：应放宽到约 {f} 倍。",
            c=self.copies,
            n=self.examples,
            f=self.factor.format(1),
        )


def read_copied(evidence: Evidence) -> Copied | None:
    """The copies of a study; None where they are too few to matter, or groups are resampled as a whole. Call it through `evidence.once`."""
    copied = copied_at(evidence.results, evidence.results.judged)
    if copied is None:
        return None
    return copied._replace(lead_is_lost=_leads(evidence) and not _leads(replace(evidence, units=copied.units)))


def copied_at(results: Results, indices: np.ndarray) -> Copied | None:
    """Copies among the examples at `indices`; None where they are too few to matter, or groups are resampled as a whole."""
    if results.origin != "study" or not len(indices) or results.units_at(indices).name == "groups":
        return None
    sets = [duplicate_groups(results.problems, results.examples)[indices]]
    if results.examples.kind.exclusive:  # of copies under two labels one is right where the other is wrong
        sets.append(results.examples.target[indices])
    _, of, size = np.unique(np.stack(sets), axis=1, return_inverse=True, return_counts=True)
    total, effect = int(size.sum()), effect_of_copies(size)
    if effect < COPIES_MATTER:
        return None
    factor = Estimate(
        value=math.sqrt(effect), n=total, n_unit="examples", unit="1", method="Kish's design effect of sets of copies"
    )
    return Copied(
        total - len(size),
        total,
        factor,
        make_units(results.examples.kind, results.examples.target[indices], of.ravel()),
    )


def independent_units(evidence: Evidence) -> Units:
    """What is independent in the cross-validation: sets of copies where they matter, else the units of the study."""
    copied = evidence.once(read_copied)
    return evidence.units if copied is None else copied.units


def independent_sets(evidence: Evidence) -> list[Assumption]:
    """The assumption below a finding whose intervals come from `independent_units`; none where copies do not matter."""
    if evidence.once(read_copied) is None:
        return []
    return [Assumption(name=SETS_OF_COPIES, outcome="unchecked")]


def copies_of_test(evidence: Evidence, candidate: str, part: str = "test") -> list[Assumption]:
    """The assumption that copies in the test part break, whose score counts each of them; none where they do not matter.

    Args:
        part: Or a further test set ("shift:NAME").
    """
    tested = evidence.results.test(candidate, part)
    copied = None if tested is None else copied_at(evidence.results, tested.indices)
    if copied is None:
        return []
    apart = text("Examples of the test part are independent of each other", "测试部分的样本相互独立")
    if part != "test":
        name = part.removeprefix("shift:")
        apart = text("Examples of '{s}' are independent of each other", "“{s}”的样本相互独立", s=name)
    return [Assumption(name=apart, outcome="violated", detail=copied.words)]


def _leads(evidence: Evidence) -> bool:
    """Whether the winner is better than the runner-up."""
    if evidence.comparisons is None or len(evidence.ranked) < 2:
        return False
    gain = gain_of(evidence.comparisons.of(evidence.ranked[0], evidence.ranked[1]), evidence.metric)
    return gain.low is not None and gain.low > 0
