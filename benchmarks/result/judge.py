"""What the records allow to say: scores with intervals, and `weigh read`'s own verdict on every pair.

Before it: `run.py` and the truth of `sets.py`. After it: `publish.py`. Accuracy decides. Who has no prediction in time answers the most frequent class
of the training part. Verdicts speak about exactly these trained models on new examples of the same kind; each pair is judged for itself.
"""

from __future__ import annotations

import csv
import math
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.result.run import is_late
from weigh import read_predictions

__all__ = ["Score", "Verdict", "answers_of", "judge_pair", "most_frequent", "ranks", "read_truth", "score"]

TURNED = {"better": "worse", "worse": "better"}
Answers = Mapping[str, str]  # example -> class


class Score(NamedTuple):
    """Accuracy with its 95 % interval; not a number where one class alone is answered, of which `weigh read` says no score."""

    value: float
    low: float
    high: float

    def written(self) -> str:
        return f"{self.value:.3f}" + (f" [{self.low:.3f}, {self.high:.3f}]" if math.isfinite(self.low) else "")


class Verdict(NamedTuple):
    """How the first stands to the second: better, worse, equal or undecided; points of accuracy it is ahead, with the 95 % interval.

    "unlearnt", without an interval: the leader answers one class alone, and `weigh read` ranks nothing.
    """

    relation: str
    points: float
    low: float
    high: float

    def written(self) -> str:
        interval = f" [{self.low:.1f}, {self.high:.1f}]" if math.isfinite(self.low) else ""
        return f"{self.relation} {self.points:+.1f}{interval}"


def read_truth(place: Path) -> dict[str, str]:
    """Example of the test part -> its class."""
    with (place / "truth.csv").open(encoding="utf-8", newline="") as file:
        return {row["example"]: row["label"] for row in csv.DictReader(file)}


def most_frequent(place: Path) -> str:
    """The class that stands most often in the training part; the first by name among equals."""
    shown = place / "shown"
    if (shown / "train").is_dir():
        counts = Counter(path.parent.name for path in (shown / "train").rglob("*.png"))
    else:
        with (shown / "train.csv").open(encoding="utf-8", newline="") as file:
            counts = Counter(row["label"] for row in csv.DictReader(file))
    return min(counts, key=lambda name: (-counts[name], name))


def answers_of(record: Mapping[str, Any], truth: Answers, fallback: str, *, forgiving: bool = False) -> dict[str, str]:
    """What counts as its answers: the fallback for everything where it was late, and for examples that it left out.

    Args:
        forgiving: What came late counts too.
    """
    predicted = {} if is_late(dict(record)) and not forgiving else record["predictions"] or {}
    return {example: predicted.get(example) or fallback for example in truth}


def _table(path: Path, answers: Mapping[str, Answers], truth: Answers) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("example", "label", "model", "prediction"))
        for model, predicted in answers.items():
            writer.writerows((example, label, model, predicted[example]) for example, label in truth.items())
    return path


def _read(answers: Mapping[str, Answers], truth: Answers):
    with tempfile.TemporaryDirectory(prefix="judged-") as made:
        table = _table(Path(made) / "predictions.csv", answers, truth)
        return read_predictions(table, settings=["metrics.primary=accuracy"]).findings()


def score(answers: Answers, truth: Answers) -> Score:
    """Accuracy of one contender and the interval that `weigh read` gives."""
    findings = _read({"one": answers}, truth)
    estimate = next(found.estimates["score"] for found in findings.of("performance") if "score" in found.estimates)
    value = sum(answers[example] == label for example, label in truth.items()) / len(truth)
    return Score(value, *(float("nan") if edge is None else edge for edge in (estimate.low, estimate.high)))


def judge_pair(ours: Answers, theirs: Answers, truth: Answers) -> Verdict:
    """`weigh read`'s comparison of two contenders, seen from the first."""
    if all(ours[example] == theirs[example] for example in truth):
        return Verdict("equal", 0.0, 0.0, 0.0)
    findings = _read({"ours": ours, "theirs": theirs}, truth)
    pair = next(
        (
            found
            for found in findings.of("comparison")
            if sorted(found.candidates) == ["ours", "theirs"] and found.relation
        ),
        None,
    )
    if pair is None or pair.estimates["difference"].low is None:
        right = [sum(answers[example] == label for example, label in truth.items()) for answers in (ours, theirs)]
        return Verdict("unlearnt", 100 * (right[0] - right[1]) / len(truth), float("nan"), float("nan"))
    difference = pair.estimates["difference"]
    # "better" and "worse" are told with the better one first, whoever leads
    first = pair.candidates[0] if pair.relation != "worse" else pair.candidates[1]
    relation = "better" if pair.relation in TURNED else pair.relation
    low, high = difference.low, difference.high
    assert low is not None
    assert high is not None
    if first == "ours":
        return Verdict(str(relation), difference.value, low, high)
    return Verdict(TURNED.get(str(relation), str(relation)), -difference.value, -high, -low)


def ranks(scores: Mapping[str, float]) -> dict[str, float]:
    """1 for the best; equals share the mean of their places."""
    order: Sequence[float] = sorted(scores.values(), reverse=True)
    return {
        name: sum(place for place, value in enumerate(order, 1) if value == one) / order.count(one)
        for name, one in scores.items()
    }
