"""Has anybody learnt anything? The winner against an answer that looks at nothing, and runs that give every example the same answer.

Before it: the evidence. After it: the verdict, and which findings can be asked at all (`registry.py`).
"""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

from weigh.findings.evidence import Evidence
from weigh.findings.generalisation.optimism import winner_score
from weigh.findings.model import Verdict

__all__ = ["ConstantRuns", "constant_runs", "nothing_learnt", "usefulness"]

ROUNDING = 1e-9  # an end of an interval that is nearer than this to the score of a blind answer is no better: 1e-18 above 0 is 0


def usefulness(evidence: Evidence) -> Verdict:
    """Whether the winner beats an answer that looks at nothing: "no" where it is shown to be worse. Call it through `evidence.once`."""
    if evidence.winner is None:
        return "undecided"
    score, base = winner_score(evidence), evidence.blind.score
    if score.low is None or score.high is None or math.isnan(base):
        return "undecided"
    sign = 1 if evidence.metric.greater_is_better else -1
    ends = sorted(sign * (v - base) for v in (score.low, score.value, score.high))
    return "yes" if ends[0] > ROUNDING else "no" if ends[-1] < -ROUNDING else "undecided"


def nothing_learnt(evidence: Evidence) -> bool:
    """Whether every run of the winner gives every example the same answer, and its score is no better: nothing to rank.

    Call it through `evidence.once`.
    """
    return evidence.once(usefulness) != "yes" and evidence.winner in evidence.once(constant_runs).throughout


class ConstantRuns(NamedTuple):
    """Runs that give every example the same answer although their part holds different ones.

    Attributes:
        rows: One for each such run: candidate, repeat, fold, the answer.
        looked: Candidate -> runs that were looked at (controls are not).
        throughout: Candidates all of whose runs are such.
    """

    rows: list[dict]
    looked: dict[str, int]
    throughout: tuple[str, ...]


def constant_runs(evidence: Evidence) -> ConstantRuns:
    """Look through the runs of all candidates but controls; call it through `evidence.once`."""
    rows, looked = [], Counter()
    for name, runs in evidence.out_of_fold.items():
        if evidence.results.candidate(name).control:
            continue
        for repeat in range(len(runs.answers)):
            labels = runs.prediction(repeat).labels
            for fold in range(evidence.measured[name].folds):
                where = (runs.fold[repeat] == fold) & evidence.measured[name].present[repeat]
                if not where.any():
                    continue
                if not runs.kind.varied(runs.target[where]):
                    continue
                looked[name] += 1
                answer = runs.kind.same_answer(labels[where], runs.target[where], evidence.results.examples.classes)
                if answer:
                    rows.append({"candidate": name, "repeat": repeat, "fold": fold, "predicted": answer})
    constant = Counter(row["candidate"] for row in rows)
    return ConstantRuns(rows, dict(looked), tuple(name for name, n in looked.items() if n and constant[name] == n))
