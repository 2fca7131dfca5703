"""Masks in training: they move with their pictures, classes are never mixed, and what is kept of a frozen part is the network itself."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
from PIL import Image

from tests.scenes import CLASSES, draw_scenes
from weigh.data.examples import Examples
from weigh.heads.base import HEADS
from weigh.heads.network_task import network_task
from weigh.inputs.augment import augment, draw
from weigh.inputs.base import Placed
from weigh.inputs.pictures import crops
from weigh.kinds.base import rows_of
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_statistics import MaskStatistics
from weigh.kinds.masks import MASKS
from weigh.models.preprocessing import Preprocessing, fitted
from weigh.models.pretrained import load_model
from weigh.run import RECIPES, Setting
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model
from weigh.train.determinism import computing

IGNORED = -100


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Examples:
    return draw_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture
def mask_run(scenes, make_run, tmp_path):
    """`mask_run(recipe, **options) -> (run, setting)`."""

    def make(recipe: str, **options):
        asked = RECIPES.get(recipe).options_for("semantic-segmentation")(**options).model_dump()
        run = make_run("finetune", keep_weights=True)
        train, test = scenes.where("train"), scenes.where("test")
        run = replace(run, recipe=recipe, options=MASKS.resolved(asked, scenes.target), train=train, test=test)
        return run, Setting(
            "semantic-segmentation", CLASSES, "mean_iou", offline=True, batch=8, cache=tmp_path / "cache"
        )

    return make


def fit(run, setting, examples):
    name, function = RECIPES.get(run.recipe).fit.split(":")
    with computing(threads=setting.threads):
        return next(getattr(import_module(name), function)([run], setting, examples, None))


@pytest.mark.parametrize("side", [32, 50, 64, 100, 128, 333])
@pytest.mark.parametrize("horizontal", [False, True])
def test_stripes_of_one_pixel_are_scaled_by_the_nearest_pixel_and_never_mixed(side, horizontal):
    """Every pixel of the frame shows the class of the pixel under its centre."""
    stripes = np.tile(np.arange(64) % 7, (64, 1))
    stripes = stripes.T if horizontal else stripes
    targets = HEADS.get("masks").targets(rows_of([LabelMap.of(stripes, 7)]), torch.zeros(1), Placed((side, side), None))
    under = np.floor((np.arange(side) + 0.5) * 64 / side).astype(int)
    np.testing.assert_array_equal(targets[0].numpy(), stripes[np.ix_(under, under)])


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (64, 64), (1, 50), (300, 40), (2000, 3)])
def test_the_whole_picture_stands_in_the_corner_of_the_frame_and_the_rest_is_ignored(size):
    frame = (64, 96)
    prepared = Preprocessing(32, 36, (0.5, 0.5, 0.5), (0.2,) * 3).configured({"frame": frame})
    placed = prepared.crop(Image.fromarray(np.full((*size, 3), 200, dtype=np.uint8)))
    high, wide = fitted(size, frame)
    assert placed.shape == (*frame, 3)
    assert high == frame[0] or wide == frame[1]
    assert (placed[:high, :wide] == 200).all()
    assert (placed[high:] == 128).all()
    assert (placed[:, wide:] == 128).all()
    target = rows_of([LabelMap.of(np.zeros(size, dtype=int), 2)])
    classes = HEADS.get("masks").targets(target, torch.zeros(1), Placed(frame, None))[0]
    assert (classes[:high, :wide] == 0).all()
    assert int((classes == IGNORED).sum()) == frame[0] * frame[1] - high * wide


@pytest.mark.parametrize("kind", ["light", "standard"])
def test_masks_move_with_their_pictures(kind, scenes):
    """Of a picture whose colours are its classes, every pixel away from borders still has the colour of its class after augmentation."""
    rng = np.random.default_rng(3)
    classes = np.kron(rng.integers(0, 3, (6, 8)), np.ones((16, 16), dtype=int))
    many = 32
    pictures = torch.from_numpy(np.eye(3, dtype=np.uint8)[classes] * 255)[None].expand(many, -1, -1, -1)
    drawn = draw(many, kind, torch.Generator().manual_seed(0))
    moved = augment(pictures, drawn, classes.shape).numpy()
    target = rows_of([LabelMap.of(classes, 3)] * many)
    labels = HEADS.get("masks").targets(target, torch.zeros(1), Placed(classes.shape, drawn)).numpy()
    pure = (moved.max(axis=-1) == 255) & (moved.sum(axis=-1) == 255)  # at borders colours are mixed
    assert pure.mean() > 0.7
    assert (labels[pure] == moved.argmax(axis=-1)[pure]).all()
    assert len({row.tobytes() for row in labels}) == many


@pytest.mark.parametrize("recipe", ["decoder", "last-stage"])
def test_kept_maps_give_what_the_whole_network_gives(recipe, scenes, mask_run):
    run, setting = mask_run(recipe)
    model = load_model(run.model, pretrained=True, offline=True)
    preparation = model.configure(run.options)
    network = network_task(setting.task).build(model, scenes, torch.Generator().manual_seed(0)).eval()
    at = "head" if recipe == "decoder" else "last-stage"
    stage = network.split(shape=preparation.shape, native=64, address=run.model, at=at)
    batch = torch.randn(preparation.blank(3).shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole, cut = network(batch), stage.tail(stage.prefix(batch))
    assert whole.std() > 0
    np.testing.assert_allclose(cut, whole, atol=1e-4 * float(whole.std()))
    trained = sum(p.numel() for p in stage.tail.parameters() if p.requires_grad)
    of_the_head = sum(p.numel() for p in network.head.parameters())
    assert (trained == of_the_head) == (recipe == "decoder")


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("decoder", {"epochs": 12}), ("last-stage", {"epochs": 15}), ("finetune", {"epochs": 6, "loss": "cross-entropy+dice"}),
        ("scratch", {"epochs": 6, "class_weights": "balanced"}),
    ],
)  # fmt: skip
def test_recipes_learn_scenes_and_the_saved_model_answers_as_the_run_did(recipe, options, scenes, mask_run, tmp_path):
    run, setting = mask_run(recipe, learning_rate=0.01, batch_size=4, patience=20, **options)
    outcome = fit(run, setting, scenes)
    assert outcome.status == "done", outcome.cause
    test = scenes.target[run.test]
    hit, answered, actual = MaskStatistics(outcome.answers, 3).counts.sum(axis=0).T
    assert actual.tolist() == np.sum([mask.counts for mask in test], axis=0).tolist()
    assert (hit / (answered + actual - hit)).mean() > 0.5  # "everything is ground" has .27
    save_model(
        tmp_path / "model", address=run.model, weights=outcome.weights, options=run.options, frozen=False, facts={},
        meaning=Meaning(setting.task, MASKS, CLASSES, 1.0, np.zeros(len(CLASSES))),
    )  # fmt: skip
    saved = load_saved(tmp_path / "model")
    answers = saved.outputs(scenes.subset(run.test))
    again = MaskStatistics(MASKS.recorded(answers, test), 3).counts
    np.testing.assert_allclose(again, MaskStatistics(outcome.answers, 3).counts, atol=12)  # pixels on a tie, of 5,000
    assert [(m.height, m.width) for m in answers] == [(m.height, m.width) for m in test]


@pytest.mark.parametrize("pretrained", [True, False])
def test_batch_norms_keep_what_pretraining_measured_unless_weights_are_random(pretrained, tiny, scenes):
    model = load_model(tiny if pretrained else tiny.partition("@")[2], pretrained=pretrained, offline=True)
    network = network_task("semantic-segmentation").build(model, scenes, torch.Generator().manual_seed(0)).train()
    norms = [part.training for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert norms
    assert all(training != pretrained for training in norms)


def test_new_pictures_need_no_masks(scenes):
    """Sizes come from the pictures themselves."""
    prepared = Preprocessing(32, 36, (0.5,) * 3, (0.2,) * 3).configured({"frame": (64, 96)})
    assert next(crops(scenes, prepared, 5)).shape == (5, 64, 96, 3)
