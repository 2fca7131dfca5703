"""Frames of films and slices of stacks: told from names and pixels, named where they leak, and what is proposed works."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from tests.data.masks.mask_files import draw, save
from weigh.data.folds import assign_folds
from weigh.data.readers import read_and_check
from weigh.errors import DataError
from weigh.spec import DataSpec
from weigh.spec_yaml import apply_settings, load_spec
from weigh.tasks import IMAGE_CLASSIFICATION, SEMANTIC_SEGMENTATION


def _film(seed, n, step=2):
    """`n` frames of a camera that moves along a scene."""
    rng = np.random.default_rng(seed)
    scene = gaussian_filter(rng.normal(size=(48, 64 + step * n)), 4)
    scene = (255 * (scene - scene.min()) / np.ptp(scene)).astype(np.uint8)
    return [scene[:, step * i : step * i + 64] for i in range(n)]


def _write(root, part, name, frames, first=0, every=1, folder="images"):
    for i, frame in enumerate(frames):
        path = root / part / folder / name.format(i=first + every * i)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(path)
        if folder == "images":
            save(root / part / "masks" / path.name, draw(i, (0, 1, 2), frame.shape))


def _check(root, settings=(), task=SEMANTIC_SEGMENTATION):
    spec = load_spec(apply_settings({"data": str(root), "models": ["timm:resnet18"]}, list(settings)))
    examples, problems = read_and_check(spec.data, task, offline=True)
    return spec, examples, {p.kind: p for p in problems if p.kind in ("sequence", "sequence-leak", "group-pattern")}


def _proposed(problem):
    """The settings in what is to be done."""
    for sentence in (problem.do.en, problem.do.zh):
        words = shlex.split(sentence.replace("：", " ").replace("。", " ").replace(". ", " "))
        yield [words[i + 1].rstrip(".") for i, word in enumerate(words) if word == "--set"]


def _follow(root, problem, task=SEMANTIC_SEGMENTATION):
    """What is left to be said after the proposal, the groups, and folds of them."""
    first, second = _proposed(problem)
    assert first == second
    spec, examples, left = _check(root, first, task)
    train = examples.where("train")
    folds = assign_folds(
        examples.strata(train), folds=spec.design.folds, rng=np.random.default_rng(0), group=examples.group[train]
    )
    for group in set(examples.group[train]):
        assert len(set(folds[examples.group[train] == group])) == 1
    return examples, left


NAMES = {  # of three films
    "frames": ("0016E5_{i:05d}.png", "0001TP_{i:06d}.png", "Seq05VD_f{i:05d}.png"),
    "dashes": ("walk-{i:03d}.png", "run-{i:03d}.png", "rest-{i:03d}.png"),
    "glued": ("day{i:04d}.png", "night{i:04d}.png", "dusk{i:04d}.png"),
    "folders": ("a/{i}.png", "b/{i}.png", "c/{i}.png"),
}


@pytest.mark.parametrize(
    "names", [pytest.param(name, marks=pytest.mark.thorough if name in ("dashes", "glued") else []) for name in NAMES]
)
def test_sequences_are_named_and_the_pattern_keeps_them_together(tmp_path, names):
    for seed, name in enumerate(NAMES[names]):
        frames = _film(seed, 12)
        if names == "folders":
            for i, frame in enumerate(frames):
                for kind, array in (("images", frame), ("masks", draw(i, (0, 1, 2), frame.shape))):
                    save(tmp_path / kind / name.format(i=i), array)
        else:
            _write(tmp_path, "", name, frames, first=100, every=7)
    _, examples, problems = _check(tmp_path)
    problem = problems["sequence"]
    assert problem.severity == "warning"
    assert problem.numbers == {"n": 36, "sequences": 3}
    assert len(problem.paths) == len(examples) == 36
    examples, left = _follow(tmp_path, problem)
    assert not left
    assert len(set(examples.group)) == 3


def test_sequences_across_parts_are_a_leak(tmp_path):
    """As in CamVid: validation is a sequence of training, another stands in training and test."""
    one, two = _film(0, 20), _film(1, 20)
    _write(tmp_path, "train", "0016E5_{i:05d}.png", one[:12])
    _write(tmp_path, "val", "0016E5_{i:05d}.png", one[12:], first=12)
    _write(tmp_path, "train", "0001TP_{i:06d}.png", two[:10])
    _write(tmp_path, "test", "0001TP_{i:06d}.png", two[10:], first=10)
    _write(tmp_path, "train", "0006R0_f{i}.png", _film(2, 8))
    _, _, problems = _check(tmp_path)
    leak = problems["sequence-leak"]
    assert "0016E5: train 12, val 8" in leak.sentence.en
    assert "0001TP: train 10, test 10" in leak.sentence.zh
    assert len(leak.paths) == 40
    examples, left = _follow(tmp_path, problems["sequence"])
    assert set(left) == {"sequence-leak"}
    assert "0016E5" not in left["sequence-leak"].sentence.en
    assert set(examples.group) == {"0016E5", "0001TP", "0006R0"}


@pytest.mark.parametrize("name", ["{i}.png", "slice_{i:03d}.png", "a-{i}.png"])
def test_one_stack_is_cut_into_blocks(tmp_path, name):
    _write(tmp_path, "", name, _film(3, 30))
    _, _, problems = _check(tmp_path)
    assert problems["sequence"].numbers["sequences"] == 1
    examples, left = _follow(tmp_path, problems["sequence"])
    assert left["sequence"].severity == "note"
    assert left["sequence"].numbers == {"apart": 5, "pairs": 29}
    by_order = examples.group[np.argsort(examples.order)]
    assert (by_order == np.repeat(["1", "2", "3", "4", "5", "6"], 5)).all()


def test_films_of_classes_leak_across_parts_and_the_order_check_measures_the_rest(tmp_path):
    for seed, name in enumerate(("cat", "dog")):
        frames = _film(seed, 30)
        _write(tmp_path, "train", "{i:04d}.png", frames[:20], folder=name)
        _write(tmp_path, "test", "{i:04d}.png", frames[20:], first=20, folder=name)
    _, _, problems = _check(tmp_path, task=IMAGE_CLASSIFICATION)
    assert set(problems) == {"sequence-leak"}
    assert problems["sequence-leak"].numbers == {"sequences": 2, "of": 2, "n": 60}


def _alone(root, n, name):
    for i in range(n):
        _write(root, "", name, _film(100 + i, 1), first=i)


@pytest.mark.parametrize("name", ["img_{i:04d}.png", "2007_{i:06d}.png", "{i}.png"])
def test_numbered_pictures_that_are_not_alike_are_no_sequence(tmp_path, name):
    _alone(tmp_path, 40, name)
    assert not _check(tmp_path)[2]


def test_frames_in_an_order_of_chance_are_no_sequence(tmp_path):
    frames = [frame for seed in range(8) for frame in _film(seed, 5)]
    order = np.random.default_rng(0).permutation(len(frames))
    _write(tmp_path, "", "x_{i:03d}.png", [frames[i] for i in order])
    assert not _check(tmp_path)[2]


def test_names_without_numbers_and_few_frames_are_no_sequence(tmp_path):
    for i, word in enumerate(("a", "b", "c", "d", "e", "f", "g", "h", "j", "k", "l", "m", "n")):
        _write(tmp_path / "words", "", f"{word}.png", [_film(0, 13)[i]])
    _write(tmp_path / "few", "", "f_{i}.png", _film(0, 5))
    assert not _check(tmp_path / "words")[2]
    assert not _check(tmp_path / "few")[2]


def test_groups_from_a_table_that_keep_films_together_silence_it(tmp_path):
    for seed in range(3):
        _write(tmp_path, "", f"film{seed}_{{i:03d}}.png", _film(seed, 10))
    rows = [f"images/film{s}_{i:03d}.png,masks/film{s}_{i:03d}.png,{s}" for s in range(3) for i in range(10)]
    (tmp_path / "t.csv").write_text("\n".join(["image,mask,film", *rows]))
    assert "sequence" in _check(tmp_path / "t.csv")[2]
    assert not _check(tmp_path / "t.csv", ["data.columns.group=film"])[2]


# Settings -----------------------------------------------------------------------------------------------------------


def test_patterns_that_do_not_fit_are_named(tmp_path):
    _alone(tmp_path, 8, "x_{i}.png")
    with pytest.raises(DataError, match="no path holds zzz"):
        _check(tmp_path, ["data.group_pattern=zzz"])
    with pytest.raises(Exception, match="no regular expression"):
        DataSpec(train="x", group_pattern="([a")
    _, examples, problems = _check(tmp_path, ["data.group_pattern=x_([0-3])"])
    assert problems["group-pattern"].numbers["n"] == 4
    assert len(set(examples.group)) == 8
    (tmp_path / "t.csv").write_text(
        "\n".join(["image,mask,g", *(f"images/x_{i}.png,masks/x_{i}.png,{i % 2}" for i in range(8))])
    )
    with pytest.raises(DataError, match="twice"):
        _check(tmp_path / "t.csv", ["data.columns.group=g", "data.group_blocks=2"])


def test_blocks_within_groups_of_a_pattern(tmp_path):
    for name in "ab":
        _write(tmp_path, "", f"{name}_{{i}}.png", [_film(i, 1)[0] for i in range(4)])
    _, examples, _ = _check(tmp_path, ["data.group_pattern=([ab])_", "data.group_blocks=2"])
    groups = dict(zip(examples.path.tolist(), examples.group.tolist(), strict=True))
    assert groups["images/a_0.png"] == groups["images/a_1.png"] == "a 1"
    assert groups["images/b_3.png"] == "b 2"
    assert len(set(groups.values())) == 4


# Real data ----------------------------------------------------------------------------------------------------------


def test_camvid_names_its_own_leak(shared):
    _, _, problems = _check(shared / "masks" / "camvid-mini", ["data.ignore=11"])
    sentence = problems["sequence-leak"].sentence.en
    assert "0016E5: train 25, val 13" in sentence
    assert "0001TP: train 8, test 8" in sentence
    assert re.search(r"2 of 4 sequences", sentence)
    examples, _ = _follow(shared / "masks" / "camvid-mini", problems["sequence"])
    assert set(examples.group) == {"0001TP", "0006R0", "0016E5", "Seq05VD"}


def test_slices_of_a_stack_are_named(shared):
    _, examples, problems = _check(shared / "masks" / "em-membrane")
    assert len(problems["sequence"].paths) == 30
    examples, left = _follow(shared / "masks" / "em-membrane", problems["sequence"])
    assert len(set(examples.group)) == 6
    assert left["sequence"].numbers["apart"] == 5


@pytest.mark.parametrize("name", ["ants-bees"])
def test_photos_are_no_films(shared, name):
    assert not _check(shared / "images" / name, task=IMAGE_CLASSIFICATION)[2]
