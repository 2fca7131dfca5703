"""Pictures that models may have seen in pretraining: planted, and data that look like nothing known."""

from __future__ import annotations

import pytest

from tests.findings.studies import called, pictures
from weigh.data.pictures.imagenet import synsets
from weigh.data.pictures.known_sets import resemblances
from weigh.findings.generalisation.familiar import find

OWN = ["photos/IMG_{i}.jpg"]
CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture(scope="module")
def study():
    return pictures((2.0, 1.0), repeats=1)


@pytest.mark.parametrize(
    ("paths", "classes", "models", "severity", "word"),
    [
        (["ants/n02219486_{i}.JPEG"], ["a", "b"], ["timm:resnet18"], "problem", "n02219486_0.JPEG"),
        (["ants/n02219486_{i}.JPEG", *OWN * 4], ["a", "b"], ["timm:resnet18"], "problem", "60 of 300"),
        (["x/ILSVRC2012_val_{i:08d}.JPEG"], ["a", "b"], ["torchvision:resnet18"], "problem", "ILSVRC2012 validation"),
        (OWN, ["n02085620-Chihuahua", "n02085782-Japanese_spaniel"], ["timm:resnet18"], "problem", "2 of 2 classes"),
        (OWN, synsets()[:2], ["timm:vit_base_patch16_224.augreg_in21k"], "problem", "synsets"),
        (["{i:012d}.jpg"], ["a", "b"], ["timm:vit_base_patch32_clip_224.laion2b_ft_in1k"], "problem", "LAION-2B"),
        (["{i:012d}.jpg"], ["a", "b"], ["torchvision:deeplabv3_resnet50"], "problem", "COCO"),
        (["n02219486_{i}.JPEG"], ["a", "b"], ["file:mine.pt@timm:resnet18"], "problem", "not known"),
        (OWN, ["ants", "bees"], ["timm:resnet18"], "evidence", "2 of 2 classes bear names"),
        (OWN, ["golden_retriever", "Siamese cat"], ["timm:resnet18"], "evidence", "golden_retriever"),
    ],
)  # fmt: skip
def test_what_looks_like_pretraining_data_is_named_and_never_certain(study, paths, classes, models, severity, word):
    (finding,) = find(called(study, paths, classes, models))
    assert finding.verdict == "undecided"
    assert finding.severity == severity
    assert word in finding.sentence.en
    assert "cannot be told from names" in finding.sentence.en
    assert "无法判断" in finding.sentence.zh
    assert finding.next


@pytest.mark.parametrize(
    ("paths", "classes", "models"),
    [
        (OWN, ["daisy", "dandelion", "roses", "sunflowers", "tulips"], ["timm:resnet18"]),  # one of five
        (OWN, ["mask", "no mask"], ["timm:resnet18"]),
        (OWN, ["0", "1"], ["timm:resnet18"]),
        (OWN, ["crack", "no crack"], ["timm:resnet18"]),
        (OWN, ["normal", "abnormal"], ["timm:resnet18"]),
        (["{i:012d}.jpg"], ["a", "b"], ["timm:resnet18"]),  # COCO is no part of ImageNet
        (["2020-01-01_{i}.jpg", "{i:06d}.jpg"], ["a", "b"], ["timm:resnet18"]),
        (["n02219486_{i}.JPEG", *OWN * 30], ["a", "b"], ["timm:resnet18"]),  # one in thirty-one
        (OWN, ["ants", "bees"], ["file:mine.pt@timm:resnet18"]),  # names alone, and nothing known of the model
    ],
)  # fmt: skip
def test_ordinary_data_raise_nothing(study, paths, classes, models):
    assert find(called(study, paths, classes, models)) == []


def test_models_that_are_not_concerned_are_not_named(study):
    results = called(study, ["{i:012d}.jpg"], ["a", "b"], ["torchvision:deeplabv3_resnet50", "timm:resnet18"])
    (finding,) = find(results)
    assert "timm:resnet18" not in finding.sentence.en
    assert finding.candidates == [results.candidates[0].id]


def test_known_lists_of_classes():
    (found,) = resemblances(["a.png"] * 50, CIFAR)
    assert (found.of, found.by) == ("CIFAR-10", "classes")
    assert resemblances(["a.png"] * 50, CIFAR[:9]) == []


@pytest.mark.shared
@pytest.mark.parametrize(("name", "by"), [("ants-bees", "names"), ("flowers", None)])
def test_real_folders(shared, name, by):
    folder = shared / "images" / name
    root = folder / "train" if (folder / "train").is_dir() else folder
    paths = [path.relative_to(root).as_posix() for path in root.rglob("*.*")]
    classes = sorted({path.split("/")[0] for path in paths if "/" in path})
    assert [found.by for found in resemblances(paths, classes)] == ([] if by is None else [by])
