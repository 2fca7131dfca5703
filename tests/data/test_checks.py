"""What the checks find, and that they find nothing where nothing is; every file named; the second look the same."""

from __future__ import annotations

import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.arrays import strata_of
from weigh.data.copies import clusters, duplicate_groups
from weigh.data.folds import assign_folds
from weigh.data.pictures import facts as facts_module
from weigh.data.pictures.checks import check_pictures
from weigh.data.pictures.demo import DEMO_MODELS, demo_root, demo_spec
from weigh.data.pictures.index import read_images
from weigh.errors import MissingExtra
from weigh.findings.data_problems import findings_from_problems
from weigh.language import text
from weigh.problem import Problem
from weigh.spec import DataSpec, StudySpec


def scene(seed, width=160, height=120):
    """A picture with structure at every size, like a photo: smooth noise of several scales, in colour."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3))
    for cells in (3, 6, 12, 24, 48):
        patch = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        picture += np.asarray(patch.resize((width, height), Image.Resampling.BICUBIC), float) / cells**0.5
    picture -= picture.min()
    return Image.fromarray((picture / picture.max() * 255).astype(np.uint8))


@pytest.fixture
def data(tmp_path):
    """24 different pictures of two classes in train/, 8 in test/."""
    for i in range(32):
        path = tmp_path / ("train" if i < 24 else "test") / ("cat" if i % 2 else "dog") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        scene(i).save(path)
    return tmp_path


def check(root, chosen=lambda examples: examples):
    """The examples and their problems, of all pictures in `root` or of those that are `chosen`."""
    examples, read = read_images(DataSpec(train=str(root)))
    examples, problems = check_pictures(chosen(examples))
    again, problems_again = check_pictures(chosen(read_images(DataSpec(train=str(root)))[0]))
    assert problems_again == problems
    assert again.fingerprint == examples.fingerprint
    assert (again.path == examples.path).all()
    for p in problems:
        values = [v for v in p.numbers.values() if float(v).is_integer()]
        for language in (p.sentence.en, p.sentence.zh):
            for value in values:
                assert str(int(value)) in language, (p, value)
    return examples, {(p.kind, i): p for i, p in enumerate([*read, *problems])}


def kinds(problems):
    return sorted(kind for kind, _ in problems)


def one(problems, kind):
    (found,) = [p for (k, _), p in problems.items() if k == kind]
    return found


def test_clean_data_have_no_problem(data):
    examples, problems = check(data)
    assert problems == {}
    assert len(examples) == 32
    (finding,) = findings_from_problems([], examples)
    assert finding.verdict == "no"


def test_bad_files_are_set_aside_and_named(data):
    good = (data / "train/cat/1.png").read_bytes()
    (data / "train/cat/cut.png").write_bytes(good[: len(good) // 2])
    (data / "train/dog/empty.jpg").write_bytes(b"")
    (data / "test/dog/text.jpg").write_text("no picture")
    (data / "train/dog/gone.jpg").symlink_to(data / "nowhere.jpg")
    examples, problems = check(data)
    found = one(problems, "unreadable")
    assert set(found.paths) == {"train/cat/cut.png", "train/dog/empty.jpg", "test/dog/text.jpg", "train/dog/gone.jpg"}
    assert {d["path"]: d["reason"] for d in found.details} == {
        "train/cat/cut.png": "truncated",
        "train/dog/empty.jpg": "truncated",
        "test/dog/text.jpg": "not a picture",
        "train/dog/gone.jpg": "missing",
    }
    assert not set(found.paths) & set(examples.path)
    assert len(examples) == 32


def test_a_class_that_cannot_be_read_at_all_is_an_error(tmp_path):
    for c in "ab":
        (tmp_path / c).mkdir()
        scene(1).save(tmp_path / c / "1.png")
    (tmp_path / "b/1.png").write_text("no")
    _, problems = check(tmp_path)
    assert one(problems, "one-class").severity == "error"


def test_identical_pictures(data):
    shutil.copy(data / "train/cat/1.png", data / "train/cat/1 (copy).png")  # the same bytes
    Image.open(data / "train/dog/2.png").save(data / "train/dog/2b.png", compress_level=1)  # the same pixels
    shutil.copy(data / "train/dog/4.png", data / "test/dog/40.png")  # a leak
    shutil.copy(data / "train/cat/5.png", data / "train/dog/5.png")  # two labels
    shutil.copy(data / "test/cat/25.png", data / "test/cat/25b.png")  # within test
    examples, problems = check(data)
    assert kinds(problems) == ["duplicate", "duplicate", "label-conflict", "leak"]
    assert set(one(problems, "leak").pairs) == {("train/dog/4.png", "test/dog/40.png")}
    assert one(problems, "label-conflict").pairs == (("train/cat/5.png", "train/dog/5.png"),)
    train, test = sorted((p for (k, _), p in problems.items() if k == "duplicate"), key=lambda p: -len(p.paths))
    assert {d["path"]: d["bytes"] for d in train.details}["train/dog/2b.png"] == "different"
    assert {d["path"]: d["bytes"] for d in train.details}["train/cat/1.png"] == "same"
    assert test.pairs == (("test/cat/25.png", "test/cat/25b.png"),)
    groups = duplicate_groups(list(problems.values()), examples)
    assert len(np.unique(groups)) == len(examples) - 5
    fold = assign_folds(strata_of(examples.target), folds=5, rng=np.random.default_rng(0), group=groups)
    of = dict(zip(examples.path, fold, strict=True))
    for pair in [*train.pairs, *test.pairs, ("train/dog/4.png", "test/dog/40.png")]:
        assert len({of[p] for p in pair}) == 1


def test_near_duplicates(data):
    out = io.BytesIO()
    scene(1).resize((100, 75), Image.Resampling.BICUBIC).save(out, "JPEG", quality=60)
    (data / "train/cat/small.jpg").write_bytes(out.getvalue())
    scene(2).crop((4, 3, 156, 117)).save(data / "train/dog/cropped.png")
    scene(4).point(lambda v: int(v * 0.8)).save(data / "test/dog/dark.png")
    scene(7).convert("L").save(data / "train/dog/grey.png")
    _, problems = check(data)
    assert set(one(problems, "near-leak").pairs[0]) == {"train/dog/4.png", "test/dog/dark.png"}
    assert {frozenset(s) for s in one(problems, "near-duplicate").pairs} == {
        frozenset(("train/cat/1.png", "train/cat/small.jpg")),
        frozenset(("train/dog/2.png", "train/dog/cropped.png")),
        frozenset(("train/cat/7.png", "train/dog/grey.png")),
    }
    assert set(one(problems, "label-conflict").paths) == {"train/cat/7.png", "train/dog/grey.png"}
    assert one(problems, "odd-picture").paths == ("train/dog/grey.png",)


def test_pictures_that_look_alike_are_not_copies(tmp_path):
    """One machine, one layout: a common pattern far stronger than what tells the pictures apart."""
    common = np.asarray(scene(1000).convert("L"), float)
    for i in range(60):
        rng = np.random.default_rng(i)
        own = Image.fromarray(rng.integers(0, 256, (30, 40), dtype=np.uint8)).resize(
            (160, 120), Image.Resampling.BICUBIC
        )
        picture = common + 0.12 * (np.asarray(own, float) - 128) + rng.normal(0, 2, (120, 160))
        path = tmp_path / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)
    _, problems = check(tmp_path)
    assert "near-duplicate" not in kinds(problems)
    assert "near-leak" not in kinds(problems)
    Image.open(tmp_path / "a/0.png").point(lambda v: int(v * 0.8)).save(tmp_path / "a/dark.png")
    _, problems = check(tmp_path)
    assert one(problems, "near-duplicate").pairs == (("a/0.png", "a/dark.png"),)


def test_flat_pictures_are_no_copies_but_placeholders(data):
    for i, colour in enumerate([(250, 250, 250), (10, 10, 10)]):
        Image.new("RGB", (160, 120), colour).save(data / f"train/cat/flat{i}.png")
    _, problems = check(data)
    assert kinds(problems) == ["placeholder"]
    assert one(problems, "placeholder").paths == ("train/cat/flat0.png", "train/cat/flat1.png")


def test_odd_modes(data):
    Image.fromarray((np.arange(160 * 120).reshape(120, 160) * 3 % 65536).astype(np.uint16)).save(
        data / "train/cat/deep.png"
    )
    scene(50).convert("CMYK").save(data / "train/cat/cmyk.jpg")
    scene(51).convert("RGBA").save(data / "train/cat/opaque.png")
    clear = scene(52).convert("RGBA")
    clear.putalpha(128)
    clear.save(data / "train/cat/clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(53).save(data / "train/cat/turned.jpg", exif=exif)
    scene(54).save(data / "train/cat/film.gif", save_all=True, append_images=[scene(55)])
    _, problems = check(data)
    named = {p.details[0]["oddity"]: p.paths for (k, _), p in problems.items() if k == "odd-picture"}
    assert named["16 bit"] == ("train/cat/deep.png",)
    assert named["CMYK"] == ("train/cat/cmyk.jpg",)
    assert named["alpha"] == ("train/cat/clear.png", "train/cat/opaque.png")
    assert named["rotated"] == ("train/cat/turned.jpg",)
    assert named["animated"] == ("train/cat/film.gif",)
    assert all(p.severity == "note" for (k, _), p in problems.items() if k == "odd-picture")


def test_classes(data):
    for i in range(110):
        scene(100 + i, 40, 30).save(data / f"train/dog/more{i}.png")
    (data / "train/Cat").mkdir()
    scene(99).save(data / "train/Cat/99.png")
    _, problems = check(data)
    assert one(problems, "tiny-class").details == ({"class": "Cat", "examples": 1},)
    assert one(problems, "imbalance").numbers == {"largest": 122, "smallest": 1}
    assert "Cat = cat" in one(problems, "class-names").sentence.en


def test_the_second_look_opens_nothing(data, monkeypatch):
    examples, _ = read_images(DataSpec(train=str(data)))
    _, first = check_pictures(examples)

    def never(path):
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr(facts_module, "facts_of_file", never)
    monkeypatch.setattr("weigh.data.pictures.near_copies.open_picture", never)
    assert check_pictures(examples)[1] == first


def test_results_do_not_depend_on_the_cache(data, monkeypatch, tmp_path_factory):
    shutil.copy(data / "train/cat/1.png", data / "train/cat/copy.png")
    with_cache = check_pictures(read_images(DataSpec(train=str(data)))[0])[1]
    blocked = tmp_path_factory.mktemp("blocked") / "file"
    blocked.write_text("")
    monkeypatch.setenv("WEIGH_CACHE", str(blocked))
    assert check_pictures(read_images(DataSpec(train=str(data)))[0])[1] == with_cache


def test_clusters():
    assert clusters([(5, 3), (1, 2), (3, 9), (2, 2)]) == [[1, 2], [3, 5, 9]]


def test_one_finding_per_problem_with_every_file_and_number(data):
    examples, _ = read_images(DataSpec(train=str(data)))
    problems = [
        Problem("odd-picture", text("{n} odd", "{n} 个", n=3), ("a", "b", "c"), severity="note", numbers={"n": 3}),
        Problem("odd-picture", text("{n} odder", "{n} 个", n=1), ("d",), severity="note", numbers={"n": 1}),
        Problem("leak", text("{n} leak", "{n} 个泄漏", n=2), ("e", "f"), (("e", "f"),), numbers={"n": 2}),
    ]
    found = findings_from_problems(problems, examples)
    assert [f.kind for f in found] == ["odd-picture", "odd-picture", "leak"]
    assert len({f.id for f in found}) == 3
    assert [f.examples for f in found] == [["a", "b", "c"], ["d"], ["e", "f"]]
    assert all(f.claim is None for f in found)
    assert [f.severity for f in found] == ["detail", "detail", "problem"]
    assert [f.estimates["n"].value for f in found] == [3, 1, 2]
    (clean,) = [f for f in findings_from_problems(problems[:2], examples) if f.kind == "data"]
    assert clean.verdict == "no"


# Real data ----------------------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_the_placeholder_among_the_ants(shared):
    _, problems = check(shared / "images/ants-bees")
    assert one(problems, "placeholder").paths == ("train/ants/imageNotFound.gif",)
    assert kinds(problems) == ["odd-picture", "placeholder", "split"]


# Of the flowers: those under two labels, those that are there twice, and six of the near copies.
COPIED_FLOWERS = [
    "daisy/10466290366_cc72e33532.jpg", "daisy/10993710036_2033222c91.jpg", "daisy/10993818044_4c19b86c82.jpg",
    "daisy/10994032453_ac7f8d9e2e.jpg", "daisy/33885735373_444ba02d9c_n.jpg", "daisy/34310869690_56cdc84a17_n.jpg",
    "daisy/7630517248_98fb8bee1f_n.jpg", "daisy/9204730092_a7f2182347.jpg", "dandelion/284497199_93a01f48f6.jpg",
    "dandelion/284497233_c19801752c.jpg", "dandelion/4278757393_bca8415ed4_n.jpg", "dandelion/4654848357_9549351e0b_n.jpg",
    "rose/15922772266_1167a06620.jpg", "rose/17104364030_ee31ee279b_n.jpg", "rose/17291451621_0e39f08b9e_n.jpg",
    "rose/17291930305_79deae6a90_n.jpg", "sunflower/14889392928_9742aed45b_m.jpg", "sunflower/15066430311_fb57fa92b0_m.jpg",
    "sunflower/15069459615_7e0fd61914_n.jpg", "sunflower/15072973261_73e2912ef2_n.jpg", "tulip/15922772266_1167a06620.jpg",
    "tulip/17104364030_ee31ee279b_n.jpg", "tulip/17291451621_0e39f08b9e_n.jpg", "tulip/17291930305_79deae6a90_n.jpg",
]  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize(
    ("step", "near"), [(8, (6, 10)), pytest.param(1, (20, 26), marks=[pytest.mark.thorough, pytest.mark.slow])]
)
def test_the_four_flowers_in_two_classes(shared, step, near):
    """Of all pictures, or of every eighth and the copies that are known."""

    def chosen(examples):
        every = np.arange(len(examples)) % step == 0
        return examples.subset(np.flatnonzero(every | np.isin(examples.path, COPIED_FLOWERS)))

    _, problems = check(shared / "images/flowers", chosen)
    conflict = one(problems, "label-conflict")
    assert len(conflict.pairs) == 4
    assert all(len({os.path.dirname(p) for p in pair}) == 2 for pair in conflict.pairs)
    assert len(one(problems, "duplicate").pairs) == 6
    # looked at one by one: all are the same photo, recompressed, recoloured or cropped
    assert near[0] <= len(one(problems, "near-duplicate").pairs) <= near[1]
    assert kinds(problems) == ["duplicate", "label-conflict", "near-duplicate"]


@pytest.mark.weights
@pytest.mark.parametrize("step", [6, pytest.param(1, marks=[pytest.mark.thorough, pytest.mark.slow])])
def test_the_demo_has_its_order_and_no_flood(tmp_path, step):
    """A flood would come from pictures that look alike, as they all do: every sixth, or all."""
    spec = StudySpec(**demo_spec(tmp_path))
    examples, problems = read_images(spec.data, offline=True)
    assert len(examples) == 2624
    assert spec.models == list(DEMO_MODELS)
    assert examples.path[:2].tolist() == ["images/cell0001.png", "images/cell0002.png"]
    assert examples.order.tolist() == list(range(2624))
    assert examples.classes == ("defective", "functional")
    assert (examples.target == 0).sum() == sum(
        float(line.split()[1]) >= 0.5 for line in (demo_root() / "labels.csv").read_text().splitlines()
    )
    assert set(examples.slices["type"]) == {"mono", "poly"}
    assert [p.kind for p in problems] == ["columns"]
    kept, problems = check_pictures(examples.subset(np.arange(0, len(examples), step)))
    assert len(kept) == len(range(0, 2624, step))
    assert [p.kind for p in problems] == ["odd-picture"]  # grey, and nothing else


def test_the_demo_without_its_package(monkeypatch, tmp_path):
    from importlib.metadata import PackageNotFoundError

    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("weigh.data.pictures.demo.distribution", absent)
    with pytest.raises(MissingExtra, match=r"weigh\[demo\]"):
        demo_spec(tmp_path)
