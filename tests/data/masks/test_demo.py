"""The demo's drawings: the same every time, and each pixel's class is the one that was drawn."""

from __future__ import annotations

import numpy as np

from weigh.data.masks.demo import draw_demo
from weigh.data.pictures.drawn import CLASSES, PICTURES
from weigh.data.readers import read_and_check
from weigh.spec import DataSpec


def test_the_drawings_are_read_as_they_were_drawn(tmp_path):
    first, second = draw_demo(tmp_path / "a"), draw_demo(tmp_path / "b")
    files = sorted(p.relative_to(first) for p in first.rglob("*.png"))
    assert len(files) == 2 * PICTURES
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in files)
    examples, problems = read_and_check(DataSpec(train=str(first)), "semantic-segmentation")
    assert examples.classes == CLASSES
    assert not [problem for problem in problems if problem.severity == "error"]
    shares = np.sum([m.counts for m in examples.target], axis=0) / sum(m.height * m.width for m in examples.target)
    assert (shares > [0.7, 0.05, 0.01]).all()
    assert abs(shares.sum() - 1) < 1e-12
