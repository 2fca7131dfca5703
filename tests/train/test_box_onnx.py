"""The ONNX file of a detector: places of any frame in steps of 32, what overlaps is left to the reader, nothing to be found is no error."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.box_scenes import CLASSES, draw_rectangles
from weigh.data.examples import Examples, NewExamples
from weigh.heads.network_task import network_task
from weigh.kinds.boxes import BOXES
from weigh.models.pretrained import load_model
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model
from weigh.tasks import OBJECT_DETECTION
from weigh.train.determinism import torch_generator


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """A saved detector with random weights whose scores spread, and the pictures that it is asked about."""
    root = tmp_path_factory.mktemp("saved")
    names, target = draw_rectangles(root / "pictures", 6)
    examples = Examples(root / "pictures", names, target, CLASSES, np.array(["train"] * 6), np.arange(6), names, BOXES)
    options = BOXES.resolved({}, target)
    model = load_model(tiny, pretrained=True, offline=True)
    model.configure(options)
    network = network_task(OBJECT_DETECTION).build(model, examples, torch_generator(0))
    with torch.no_grad():
        network.head.last_classes.weight.normal_(0, 0.3, generator=torch_generator(1))
        network.head.last_sides.weight.normal_(0, 0.05, generator=torch_generator(2))
    network.settle({"threshold": 0.25})
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    meaning = Meaning(OBJECT_DETECTION, BOXES, CLASSES, 1.0, np.zeros(3))
    save_model(root / "model", address=tiny, weights=weights, meaning=meaning, options=options, frozen=False, facts={})
    return root


@pytest.fixture(scope="module")
def session(folder):
    onnxruntime = pytest.importorskip("onnxruntime")
    from weigh.saved.onnx_file import export_onnx

    assert export_onnx(folder / "model", folder / "model.onnx") < 1e-2
    return onnxruntime.InferenceSession(str(folder / "model.onnx"))


@pytest.mark.parametrize("frame", [(32, 32), (64, 96), (96, 64), (160, 32), (224, 256)])
def test_the_file_gives_what_torch_gives_for_any_frame(frame, folder, session):
    network = load_saved(folder / "model").network
    pictures = torch.randn(2, 3, *frame, generator=torch_generator(3))
    with torch.inference_mode():
        logits = network(pictures)
    boxes, scores = session.run(["boxes", "scores"], {"pictures": pictures.numpy()})
    assert boxes.shape == (2, sum(frame[0] * frame[1] // stride**2 for stride in (8, 16, 32)), 4)
    np.testing.assert_allclose(boxes, logits[..., 3:7], rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(scores, logits[..., :3].sigmoid(), atol=1e-4)


def test_the_file_holds_the_threshold_and_the_classes(session):
    facts = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    assert facts["threshold"] == 0.25
    assert facts["classes"] == list(CLASSES)
    assert len(facts["preprocessing"]["frame"]) == 2


def test_pictures_without_detections_are_told_nothing(folder):
    saved = load_saved(folder / "model")
    saved.network.settle({"threshold": 1.1})
    paths, answers = sorted(map(str, (folder / "pictures").glob("*.png"))), {}
    rows = saved.predict_new(NewExamples.of_files(paths), each=answers.__setitem__)
    assert len(rows) == len(answers) == 6
    assert all("error" not in row for row in rows)
    assert all(len(one.told().scores) == 0 < len(one.scores) for one in answers.values())
