"""Recall and precision of near duplicates on planted copies in real data (figures: docs/decisions/near-duplicates.md)."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.planted import measure
from weigh.data.pictures.demo import demo_spec
from weigh.data.pictures.index import read_images
from weigh.spec import DataSpec, StudySpec


@pytest.mark.shared
def test_planted_among_ants_and_bees(shared):
    examples, _ = read_images(DataSpec(train=str(shared / "images/ants-bees")))
    seen = measure(examples, each=8, seed=1)
    assert sum(seen.found.values()) >= 0.95 * sum(seen.planted.values())
    assert seen.wrong == []
    assert seen.natural == []


@pytest.mark.shared
@pytest.mark.thorough
def test_planted_among_flowers(shared):
    examples, _ = read_images(DataSpec(train=str(shared / "images/flowers")))
    seen = measure(examples, each=10, seed=1)
    assert sum(seen.found.values()) >= 0.95 * sum(seen.planted.values())
    assert seen.wrong == []
    assert len(seen.natural) <= 26


@pytest.mark.weights
@pytest.mark.slow
def test_planted_among_solar_cells_that_look_alike(tmp_path):
    """Every sixth of them: that all together give no false alarm, `test_checks.py` shows with the mark `thorough`."""
    examples, _ = read_images(StudySpec(**demo_spec(tmp_path)).data, offline=True)
    examples = examples.subset(np.arange(0, len(examples), 6))
    seen = measure(examples, each=8, seed=1, kinds=("25 % darker", "1.5 x size", "half size"))
    assert sum(seen.found.values()) >= 0.7 * sum(seen.planted.values())
    assert seen.wrong == []
    assert seen.natural == []
