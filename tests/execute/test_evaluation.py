"""What `weigh evaluate` says of few pictures and of a single class: nothing that they cannot show."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from weigh.cli import evaluation as told
from weigh.execute import evaluation
from weigh.execute.imagenet_labels import WRITTEN, Labelled
from weigh.models.published import published_of
from weigh.stats.estimate import Estimate


def labelled(target: np.ndarray) -> Labelled:
    """Pictures of these classes that stand each for itself."""
    accepted = np.zeros((len(target), 1000), bool)
    accepted[np.arange(len(target)), target] = True
    return Labelled(SimpleNamespace(group=None), accepted, None, WRITTEN["index"], False, [])


@pytest.mark.parametrize("classes", [1, 2])
def test_where_one_class_competes_alone_it_is_no_score(classes):
    model = SimpleNamespace(
        address=SimpleNamespace(written="timm:m"),
        provenance=SimpleNamespace(source="file", name="m.safetensors"),
        preprocessing=SimpleNamespace(size=32),
    )
    logits = np.random.default_rng(0).normal(size=(20, 1000)).astype(np.float32)
    answering = SimpleNamespace(model=model, logits=logits, output_of_class=np.arange(1000), elsewhere=0)
    head = evaluation._head(answering, labelled(np.arange(20) % classes), 0)
    assert (head.among is None) == (classes == 1)
    assert head.top1.n == 20


def test_without_an_interval_a_published_score_is_neither_inside_nor_outside():
    row = published_of("timm:resnet18.a1_in1k")._replace(score=70.0, pixels=160)
    validation = SimpleNamespace(labelled=SimpleNamespace(are_validation=True, target=np.zeros(1)))
    for low, word in ((None, "single picture"), (0.6, "inside the interval"), (0.8, "outside the interval")):
        top1 = Estimate(value=0.9, low=low, high=None if low is None else 0.95, n=1)
        sentence = told._published(validation, SimpleNamespace(published=row, pixels=160, top1=top1))
        assert word in sentence.en
        assert ("区间" in sentence.zh) == (low is not None)
