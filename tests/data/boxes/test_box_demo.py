"""The demo's drawings: the same every time, and each box lies around what is seen of its object."""

from __future__ import annotations

import numpy as np

from weigh.data.boxes.demo import LEAST_SEEN, draw_demo
from weigh.data.pictures.drawn import CLASSES, PICTURES, draw_scenes
from weigh.data.readers import read_and_check
from weigh.data.recognition.tasks import recognise_task
from weigh.spec import DataSpec
from weigh.tasks import OBJECT_DETECTION


def test_the_drawings_are_read_as_they_were_drawn(tmp_path):
    first, second = draw_demo(tmp_path / "a"), tmp_path / "b"
    scenes = {scene.file: scene for scene in draw_scenes(second)}
    assert len(scenes) == PICTURES
    assert all((first / "images" / name).read_bytes() == (second / "images" / name).read_bytes() for name in scenes)
    assert recognise_task(first).task == OBJECT_DETECTION
    examples, problems = read_and_check(DataSpec(train=str(first)), OBJECT_DETECTION)
    assert examples.classes == CLASSES[1:]
    assert not [problem for problem in problems if problem.severity != "note"]
    assert (examples.class_counts(np.arange(PICTURES)) > 80).all()
    for path, boxes in zip(examples.path.tolist(), examples.target, strict=True):
        scene = scenes[path.rsplit("/")[-1]]
        covered = np.zeros(scene.objects.shape, bool)
        for left, top, right, bottom in boxes.corners.astype(int):
            covered[top:bottom, left:right] = True
        seen = np.isin(
            scene.objects, [i for i in range(1, len(scene.kinds)) if (scene.objects == i).sum() >= LEAST_SEEN]
        )
        assert covered[seen].all()
        assert boxes.area.sum() == seen.sum()
