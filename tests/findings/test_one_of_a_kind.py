"""Where there is one of something, sentences say so in the singular."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.file import findings_file
from weigh.report.formats import render_report

ONE_MANY = re.compile(r"(?<![\d.,:×-] )(?<![\d.,:×-])\b1 (?:\w+ )?(\w+s)\b")
SINGULAR = {"is", "was", "has", "stands", "class", "less", "this", "pass", "across", "as", "loss", "comes", "does"}


@pytest.mark.parametrize("folds", [2, 5])
def test_a_test_part_of_one_example(folds):
    target = simulate_target(np.random.default_rng(0), 30)
    logits = {name: simulate_logits(np.random.default_rng(i), target)[:1] for i, name in enumerate("ab")}
    test = {name: simulate_logits(np.random.default_rng(9 + i), target[:1])[0] for i, name in enumerate("ab")}
    results = make_results(logits, target, folds=folds, test=test, test_target=target[:1], failed=[("b", 0, 1, "cut")])
    file = findings_file(results)
    page = render_report(file, results, "md", "en", None)
    written = "\n".join([page, *(finding.sentence.en for finding in file.findings)])
    assert "on the test part (1 example)" in written
    assert [m[0] for m in ONE_MANY.finditer(written) if m[1] not in SINGULAR] == []
