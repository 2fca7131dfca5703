"""Label errors against human checks: our ranking next to cleanlab's own.

    WEIGH_TEST_DATA=../shared/data python -m benchmarks.label_errors

Data: CIFAR-10's test set with cross-validated probabilities of a network, and the checks of 275 suspected labels by five
people each (Northcutt, Athalye & Mueller 2021). A label counts as wrong where fewer than three of five agree with it.
Most labels were never checked; "all examples" counts those as right, "checked" ranks only what people looked at.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from weigh.stats.label_errors import average_precision, find_label_errors


class Checked(NamedTuple):
    """CIFAR-10's test labels and what people found.

    Attributes:
        target: `(10000,)` given labels.
        probabilities: `(10000, 10)` out of sample.
        looked_at: Indices that people checked.
        wrong: `(looked_at,)` whether they found the label wrong.
    """

    target: np.ndarray
    probabilities: np.ndarray
    looked_at: np.ndarray
    wrong: np.ndarray


def read_checks(data: Path) -> Checked:
    """The checks below `data/shift/cifar10-label-errors`."""
    folder = data / "shift" / "cifar10-label-errors"
    checks = json.loads((folder / "mturk" / "cifar10_mturk.json").read_text())
    return Checked(
        np.load(folder / "original_test_labels" / "cifar10_test_set_original_labels.npy").astype(np.int64),
        np.load(folder / "cross_validated_predicted_probabilities" / "cifar10_test_set_pyx.npy"),
        np.array([check["id"] for check in checks]),
        np.array([check["mturk"]["given"] < 3 for check in checks]),
    )


def suspicions(checked: Checked) -> dict[str, np.ndarray]:
    """Ranking -> `(n,)` suspicion, greater for more suspicious; cleanlab's where it is installed."""
    found = find_label_errors(checked.target, checked.probabilities)
    flagged_first = -found.self_confidence + found.flagged
    rankings = {
        "weigh: flagged first, by self-confidence": flagged_first,
        "weigh: self-confidence": -found.self_confidence,
    }
    try:
        from cleanlab import filter as cleanlab_filter
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return rankings
    flagged = cleanlab_filter.find_label_issues(
        checked.target, checked.probabilities, filter_by="confident_learning", n_jobs=1
    )
    theirs = -get_label_quality_scores(checked.target, checked.probabilities, method="self_confidence")
    rankings["cleanlab: flagged first, by self-confidence"] = theirs + flagged
    for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        quality = get_label_quality_scores(
            checked.target, checked.probabilities, method=method, adjust_pred_probs=False
        )
        rankings[f"cleanlab: {method}"] = -quality
    return rankings


def main() -> int:
    """Print average precisions; 1 where the data are missing."""
    folder = os.environ.get("WEIGH_TEST_DATA")
    if not folder or not (Path(folder) / "shift" / "cifar10-label-errors").is_dir():
        print("Set WEIGH_TEST_DATA to a folder with shift/cifar10-label-errors.", file=sys.stderr)
        return 1
    checked = read_checks(Path(folder))
    wrong = np.zeros(len(checked.target), dtype=bool)
    wrong[checked.looked_at[checked.wrong]] = True
    found = find_label_errors(checked.target, checked.probabilities)
    inside = found.flagged[checked.looked_at]
    print(f"{len(checked.target)} labels, {len(checked.looked_at)} checked by people, {wrong.sum()} found wrong")
    print(
        f"weigh flags {found.flagged.sum()}: {inside.sum()} of those checked, {found.flagged[wrong].sum()} of those wrong"
    )
    print(f"\n{'average precision':48}{'all':>8}{'checked':>10}")
    for name, suspicion in suspicions(checked).items():
        among = average_precision(checked.wrong, suspicion[checked.looked_at])
        print(f"{name:48}{average_precision(wrong, suspicion):8.3f}{among:10.3f}")
    print(f"{'chance':48}{wrong.mean():8.3f}{checked.wrong.mean():10.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
