"""Every registered task: its batches hold every example once, its network learns from them, its outputs have the promised width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.arrays import kind_of
from tests.text_models import BAD, GOOD, NAMES, sentences
from weigh.data.examples import Examples
from weigh.heads.base import head_of
from weigh.heads.network_task import network_task
from weigh.kinds.base import rows_of
from weigh.kinds.box_list import Boxes
from weigh.kinds.boxes import BOXES
from weigh.kinds.label_map import LabelMap
from weigh.kinds.masks import MASKS
from weigh.media import medium_named
from weigh.models.pretrained import load_model
from weigh.run import Setting
from weigh.tasks import TASKS

N = 23


def some(name: str, photos: Path) -> Examples:
    """Examples of a task."""
    order, part = np.arange(N), np.array(["train"] * N)
    texts = [(text,) for text, _ in sentences(N, [BAD, GOOD])]
    if name.startswith("image-"):
        path = np.array([str(p.relative_to(photos)) for p in sorted(photos.rglob("*.png"))[:N]])
        target, classes = (np.linspace(0, 5, N), ()) if name == "image-regression" else (order % 2, ("a", "b"))
        return Examples(photos, path, target, classes, part, order, path, kind=kind_of(target))
    if name == "semantic-segmentation":
        path = np.array([str(p.relative_to(photos)) for p in sorted(photos.rglob("*.png"))[:N]])
        sizes = [Image.open(photos / p).size for p in path]
        halves = [np.arange(wide * high).reshape(high, wide) % wide * 2 // wide for wide, high in sizes]
        target = rows_of([LabelMap.of(half, 2) for half in halves])
        return Examples(photos, path, target, ("left", "right"), part, order, path, kind=MASKS)
    if name == "object-detection":
        path = np.array([str(p.relative_to(photos)) for p in sorted(photos.rglob("*.png"))[:N]])
        sizes = [Image.open(photos / p).size for p in path]
        target = rows_of([Boxes.of(h, w, [(0, 0, w / 2, h), (w / 2, 0, w, h)], [0, 1]) for w, h in sizes])
        return Examples(photos, path, target, ("left", "right"), part, order, path, kind=BOXES)
    if name == "token-classification":
        tokens = rows_of([(*text.split(), NAMES[i % 6]) for i, (text,) in enumerate(texts)])
        spans = rows_of([((len(row) - 1, len(row), i % 2),) for i, row in enumerate(tokens)])
        return Examples(
            Path(),
            order.astype(str),
            spans,
            ("LOC", "PER"),
            part,
            order,
            order.astype(str),
            rows=tokens,
            medium=medium_named("sentences"),
            kind=kind_of(spans),
        )
    target = np.linspace(0, 5, N) if name == "text-regression" else order % 2
    classes = () if name == "text-regression" else ("bad", "good")
    return Examples(
        Path(),
        order.astype(str),
        target,
        classes,
        part,
        order,
        order.astype(str),
        rows=rows_of(texts),
        medium=medium_named("texts"),
        kind=kind_of(target),
    )


@pytest.mark.parametrize("name", list(TASKS))
def test_contract_of_tasks(name, photos, tiny, tiny_encoder):
    task, examples = network_task(name), some(name, photos)
    assert task.name == name
    model = load_model(tiny if task.medium.reads == "pictures" else tiny_encoder, pretrained=True, offline=True)
    setting, preparation = (
        Setting(name, examples.classes, ""),
        model.configure(examples.kind.resolved({}, examples.target)),
    )
    network = task.build(model, examples, torch.Generator().manual_seed(0)).eval()
    inputs = task.inputs(examples, preparation, setting, {})
    width, everything = head_of(examples).width(examples), np.arange(N)
    for training in (False, True):
        batches = inputs.cut(everything[::-1], 4, training=training)
        assert sorted(np.concatenate(batches)) == list(range(N))
        assert not training or {len(batch) for batch in batches} == {4, 3}
    outputs = {}
    for size in (4, N):
        rows = {}
        with torch.inference_mode():
            for positions in inputs.cut(everything, size):
                answers = network.answers(inputs.batch(everything[positions]), width)
                recorded = examples.kind.recorded(answers, examples.target[everything[positions]])
                rows |= dict(zip(positions.tolist(), recorded, strict=True))
        most = max(rows[i].shape[0] for i in range(N))  # zeros at the right of shorter ones, as `Work.predict` does it
        outputs[size] = np.array(
            [np.pad(rows[i], [(0, most - len(rows[i])), *[(0, 0)] * (rows[i].ndim - 1)]) for i in range(N)]
        )
        assert np.isfinite(outputs[size]).all()
    np.testing.assert_allclose(outputs[4], outputs[N], atol=1e-4)  # the neighbours do not matter
    batch = inputs.batch(everything[:4])
    loss = network.loss(batch.inputs, batch.targets)
    loss.backward()
    assert loss.ndim == 0
    assert network.count(batch.targets) >= 4
    assert max(float(weight.grad.abs().max()) for weight in network.head.parameters()) > 0
    seen = np.concatenate([positions for positions, _ in task.feed.stream(examples, preparation, setting)])
    assert sorted(seen) == list(range(N))
