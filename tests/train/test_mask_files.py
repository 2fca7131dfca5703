"""A saved model of masks in other hands: ONNX with pictures of any size, index PNGs, overlays, a few lines without weigh."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.scenes import CLASSES, draw_scenes
from weigh.data.examples import NewExamples
from weigh.errors import SpecError
from weigh.growing import GrowingFiles
from weigh.heads.network_task import network_task
from weigh.kinds.label import LABEL
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_pictures import index_png, overlaid
from weigh.kinds.masks import MASKS
from weigh.kinds.palette import palette
from weigh.models.pretrained import load_model
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model
from weigh.saved.pictures import AnswerFiles, answer_names, names_below, refuse_among_pictures
from weigh.train.determinism import torch_generator


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """A saved model with random weights, and the pictures that it is asked about."""
    root = tmp_path_factory.mktemp("saved")
    scenes = draw_scenes(root / "pictures", 6)
    options = MASKS.resolved({}, scenes.target)
    model = load_model(tiny, pretrained=True, offline=True)
    model.configure(options)
    network = network_task("semantic-segmentation").build(model, scenes, torch_generator(0))
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    meaning = Meaning("semantic-segmentation", MASKS, CLASSES, 1.0, np.zeros(len(CLASSES)))
    save_model(root / "model", address=tiny, weights=weights, meaning=meaning, options=options, frozen=False, facts={})
    return root


def answered(folder) -> tuple[list[str], dict[int, LabelMap]]:
    paths = sorted(map(str, (folder / "pictures").glob("*.png")))
    masks: dict[int, LabelMap] = {}
    rows = load_saved(folder / "model").predict_new(NewExamples.of_files(paths), each=masks.__setitem__)
    for i, row in enumerate(rows):
        shares = [row[f"area:{name}"] for name in CLASSES]
        np.testing.assert_allclose(shares, np.array(masks[i].counts) / (masks[i].height * masks[i].width))
    return paths, masks


def test_without_weigh_the_onnx_file_gives_the_masks_that_predict_gives(folder):
    onnxruntime = pytest.importorskip("onnxruntime")
    from weigh.saved.onnx_file import export_onnx

    assert export_onnx(folder / "model", folder / "model.onnx") < 1e-3
    paths, masks = answered(folder)

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    how = json.loads(session.get_modelmeta().custom_metadata_map["preprocessing"])
    for i, path in enumerate(paths):
        picture = Image.open(path).convert("RGB")
        frame = np.round(np.full((*how["frame"], 3), how["mean"]) * 255)
        scale = min(frame.shape[0] / picture.height, frame.shape[1] / picture.width)
        size = round(picture.width * scale), round(picture.height * scale)
        frame[: size[1], : size[0]] = picture.resize(size, Image.Resampling[how["interpolation"].upper()])
        pixels = ((frame / 255 - how["mean"]) / how["std"]).transpose(2, 0, 1)[None].astype("float32")
        (label,) = session.run(["label"], {"pictures": pixels})
        mask = Image.fromarray(label[0, : size[1], : size[0]].astype("uint8")).resize(
            picture.size, Image.Resampling.NEAREST
        )
        assert (
            np.asarray(mask) == masks[i].indices()
        ).mean() > 0.97  # logits, and not classes, are scaled up by predict


def test_an_index_png_holds_the_classes_and_a_palette(folder, tmp_path):
    paths, masks = answered(folder)
    files = AnswerFiles(MASKS, CLASSES, paths, {"masks": [tmp_path / "masks"]}, tmp_path / "over")
    with GrowingFiles([], {}, resumes=False) as growing:
        files.open(growing)
        for i, mask in masks.items():
            files.write(i, mask)
        files.close()
    for i, path in enumerate(paths):
        name = path.rpartition("/")[2]
        with Image.open(tmp_path / "masks" / name) as written, Image.open(tmp_path / "over" / name) as over:
            assert written.mode == "P"
            assert (np.asarray(written) == masks[i].indices()).all()
            assert written.getpalette()[:9] == palette(3).flatten().tolist()
            assert over.size == written.size


def test_ignored_pixels_are_255_in_the_file_and_left_alone_in_the_drawing(tmp_path):
    mask = LabelMap.of(np.array([[0, 1], [-1, 2]]), 3)
    (tmp_path / "mask.png").write_bytes(index_png(mask))
    assert np.asarray(Image.open(tmp_path / "mask.png")).tolist() == [[0, 1], [255, 2]]
    drawn = np.asarray(overlaid(Image.new("RGB", (4, 4), (10, 20, 30)), mask))
    assert (drawn[2:, :2] == (10, 20, 30)).all()
    assert (drawn[:2, :2] != (10, 20, 30)).any()


def test_beyond_254_classes_the_file_has_16_bits(tmp_path):
    (tmp_path / "mask.png").write_bytes(index_png(LabelMap.of(np.array([[0, 299], [-1, 2]]), 300)))
    assert np.asarray(Image.open(tmp_path / "mask.png")).tolist() == [[0, 299], [65535, 2]]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/1.jpg", "a/2.jpg"], ["1.png", "2.png"]),
        (["a/1.jpg", "b/1.jpg"], ["a/1.png", "b/1.png"]),
        (["a/1.jpg", "a/1.png"], ["1.jpg.png", "1.png.png"]),
        (["a/1.jpg", "a/1.jpg"], ["1.jpg.png", "1.jpg (2).png"]),
        (["../x/1.jpg", "y/2.jpg"], None),
        (["/etc/../tmp/1.jpg"], ["1.png"]),
        (["A/x.JPG", "A/X.jpg"], ["x.JPG.png", "X.jpg (2).png"]),
    ],
)
def test_names_of_answers_are_all_different_and_stay_in_their_folder(paths, names):
    made = answer_names(names_below(paths))
    assert names is None or made == names
    assert len({name.casefold() for name in made}) == len(made)
    assert all(".." not in name.split("/") and not name.startswith("/") for name in made)


@pytest.mark.parametrize(
    ("kind", "answers", "overlays", "told"),
    [
        (
            LABEL,
            {"masks": ["m"]},
            None,
            "--masks needs answers that have a place in a picture, and this study predicts examples with one label each",
        ),
        (LABEL, {"boxes": ["b.json"]}, None, "--boxes needs answers that have a place"),
        (LABEL, {}, "over", "--overlays needs answers that have a place"),
        (LABEL, {"masks": ["m"], "boxes": ["b"]}, "over", "--masks --boxes --overlays needs"),
        (MASKS, {"boxes": ["b.csv"]}, None, "--boxes cannot be written: this study predicts masks"),
    ],
)
def test_answers_are_not_written_in_the_form_of_another_kind(tmp_path, kind, answers, overlays, told):
    answers = {option: [tmp_path / name for name in names] for option, names in answers.items()}
    with pytest.raises(SpecError, match=told):
        AnswerFiles(kind, CLASSES, ["a.png"], answers, overlays and tmp_path / overlays)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("paths", "masks", "overlays", "sources", "told"),
    [
        (["p/1.png", "p/2.jpg"], "p", None, [], "--masks .*p: 1.png there is one of the pictures"),
        (["p/a/1.png", "p/b/2.png"], "p", None, [], "one of the pictures"),
        (["p/a/1.jpg", "p/b/1.png"], "p/b", None, [], None),
        (["p/1.jpg"], "m", "p", [], None),
        (["p/1.jpg"], "p/masks", None, ["p"], "would lie in .*p, the folder of the pictures"),
        (["p/1.jpg"], None, "p", ["p"], "--overlays .*would lie in"),
        (["p/1.jpg"], "m", "m", [], "--masks and --overlays both name"),
    ],
)
def test_answers_replace_no_picture_and_not_each_other(tmp_path, monkeypatch, paths, masks, overlays, sources, told):
    monkeypatch.chdir(tmp_path)
    given = [{"masks": [Path(masks)] if masks else []}, overlays and Path(overlays), [Path(one) for one in sources]]
    if told is None:
        AnswerFiles(MASKS, CLASSES, paths, *given)
        return
    with pytest.raises(SpecError, match=told):
        AnswerFiles(MASKS, CLASSES, paths, *given)
    assert not any(tmp_path.iterdir())


def test_pictures_on_several_drives(tmp_path, monkeypatch):
    """Windows knows no way from one drive to another."""

    def apart(*_):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", apart)
    refuse_among_pictures("masks", tmp_path, ["a.png"], ["p/a.png"], ["a.png"], [])
    monkeypatch.setattr(os.path, "commonpath", apart)
    with pytest.raises(SpecError, match="on several drives"):
        AnswerFiles(MASKS, CLASSES, ["p/a.png", "q/b.png"], {"masks": [tmp_path / "masks"]}, None)
