"""What the values of masks mean: by index, by grey, by colour; named or not; which are ignored, and that a guess is said."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.data.masks.mask_files import draw, indices, paint, read, save, write
from weigh.cli.main import main
from weigh.errors import DataError
from weigh.spec_yaml import apply_settings, load_spec

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def _study(root, make, n=4):
    """`n` pictures and the masks that `make(path, i)` writes."""
    for i in range(n):
        paint(root / "images" / f"{i}.png", i)
        (root / "masks").mkdir(parents=True, exist_ok=True)
        make(root / "masks" / f"{i}.png", i)
    return root


def _coloured(array, colours):
    return np.array(colours, dtype=np.uint8)[array]


def test_index_files_are_read_by_index(tmp_path):
    """Colours of a palette whose grey levels are the same, or run the other way, change nothing."""
    palette = [(255, 255, 255), (76, 76, 76), (255, 0, 0)]  # red as grey is 76
    root = _study(tmp_path, lambda path, i: save(path, draw(i), palette=palette))
    assert Image.open(root / "masks/0.png").mode == "P"
    examples, _ = read(root)
    assert examples.classes == ("0", "1", "2")
    for i in range(4):
        assert (indices(examples, f"images/{i}.png") == draw(i).astype(str)).all()


@pytest.mark.parametrize("by_colour", [False, True])
def test_an_index_behind_the_end_of_the_palette_is_an_index_like_any_other(tmp_path, by_colour):
    """Programs write a palette of the 21 classes alone, and 255 where nothing is labelled: no such file could be read."""
    palette = [(k, 0, 0) for k in range(21)]
    root = _study(tmp_path, lambda path, i: save(path, draw(i, (0, 1, 2, 255)), palette=palette))
    assert len(Image.open(root / "masks/0.png").getpalette("RGB")) == 3 * 21
    named = {"classes": {"0,0,0": "0", "1,0,0": "1", "2,0,0": "2"}} if by_colour else {}
    examples, problems = read(root, **named)
    assert "unreadable" not in problems
    assert examples.classes == ("0", "1", "2")
    for i in range(4):
        drawn = draw(i, (0, 1, 2, 255))
        assert (indices(examples, f"images/{i}.png") == np.where(drawn == 255, "", drawn.astype(str))).all()
    assert ("unknown-value" in problems) == by_colour  # where colours count, it has none


def test_stripes_of_one_pixel_arrive_as_they_are(tmp_path):
    stripes = np.arange(16) % 2 + np.zeros((12, 1), int)
    root = _study(tmp_path, lambda path, i: save(path, stripes))
    examples, _ = read(root)
    assert (examples.target[0].indices() == stripes).all()
    assert examples.target[0].counts == (96, 96)


@pytest.mark.parametrize("form", ["L", "1", "P", "RGB", "RGBA", "I;16", "gif", "bmp", "tiff"])
def test_black_and_white_are_two_classes(tmp_path, form):
    def make(path, i):
        array = draw(i, (0, 255))
        if form == "I;16":
            save(path, draw(i, (0, 65_535)))
        elif form in ("gif", "bmp", "tiff"):
            Image.fromarray(array.astype(np.uint8)).save(path.with_suffix(f".{form}"))
        else:
            Image.fromarray(array.astype(np.uint8)).convert(form).save(path)

    examples, problems = read(_study(tmp_path, make))
    assert len(examples.classes) == 2
    assert "ignored" not in problems
    assert all(mask.ignored == 0 for mask in examples.target)
    high = examples.classes[1]
    assert ((indices(examples, "images/0.png") == high) == (draw(0, (0, 255)) == 255)).all()
    if form in ("L", "RGB", "bmp", "tiff"):
        assert "255 is not ignored" in problems["values"].sentence.en
    named, problems = read(tmp_path, classes=["cell", "membrane"])
    assert named.classes == ("cell", "membrane")
    assert "values" not in problems


IGNORED = {  # values, what is ignored without a word from the user
    "indices and 255": ((0, 1, 2, 255), ["255"]),
    "two indices and 255": ((0, 1, 255), ["255"]),
    "holes between indices": ((0, 7, 8, 11, 255), ["255"]),
    "levels of grey": ((0, 127, 255), []),
    "grey palette": ((38, 75, 113, 255), []),
    "two values": ((1, 255), []),
    "no 255": ((0, 1, 2, 254), []),
    "16 bits": ((0, 300, 65_535), []),
    "16 bits, indices": ((0, 1, 2, 3, 65_535), []),
}


@pytest.mark.parametrize("name", IGNORED)
def test_what_is_ignored_is_guessed_and_said(tmp_path, name):
    values, ignored = IGNORED[name]
    if name == "16 bits, indices":
        ignored = ["65535"]
    root = _study(tmp_path, lambda path, i: save(path, draw(i, values)))
    examples, problems = read(root)
    assert list(examples.classes) == [str(v) for v in values if str(v) not in ignored]
    assert ("ignored" in problems) == bool(ignored)
    if not ignored:
        return
    problem = problems["ignored"]
    assert problem.severity == "warning"
    assert ignored[0] in problem.sentence.en
    assert "guessed" in problem.sentence.en
    assert examples.target[0].ignored == (draw(0, values) == int(ignored[0])).sum()
    spec = load_spec(apply_settings({"data": str(root), "models": ["timm:resnet18"]}, [f"data.ignore=[{ignored[0]}]"]))
    told, problems = read(root, ignore=spec.data.ignore)
    assert told.fingerprint == examples.fingerprint
    assert problems["ignored"].severity == "note"
    kept, problems = read(root, ignore=[])
    assert len(kept.classes) == len(values)
    assert "ignored" not in problems
    assert kept.fingerprint != examples.fingerprint


@pytest.mark.parametrize(
    ("setting", "left"),
    [
        ("data.ignore=11", ("0", "1")),
        ("data.ignore=[11, 1]", ("0",)),
        ("data.ignore=[]", ("0", "1", "11")),
        ("data.classes={0: sky, 1: road, 11: void}", ("sky", "road")),
        ("data.classes={0: sky, 11: pole}", ("sky", "pole")),
        ("data.classes=[a, b, c, d, e, f, g, h, i, j, k, l]", ("a", "b", "l")),
    ],
)
def test_what_a_person_says_counts(tmp_path, setting, left):
    root = _study(tmp_path, lambda path, i: save(path, draw(i, (0, 1, 11))))
    spec = load_spec(apply_settings({"data": str(root), "models": ["timm:resnet18"]}, [setting]))
    examples, problems = read(root, ignore=spec.data.ignore, classes=spec.data.classes)
    assert examples.classes == left
    if "pole" in left:
        assert problems["unknown-value"].numbers["values"] == 1


TABLES = {
    "classes.txt": "background\nhouse\ntree\n",
    "codes.txt": "background\r\nhouse\r\ntree\r\n",
    "label_colors.txt": "0 0 0\tbackground\n200 0 0\thouse\n0 200 0\ttree\n",
    "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\nhouse:200,0,0::\ntree:0,200,0::\n",
    "class_dict.csv": "name,r,g,b\nbackground,0,0,0\nhouse,200,0,0\ntree,0,200,0\n",
    "classes.csv": "background,0,0,0\nhouse,200,0,0\ntree,0,200,0\n",
    "classes.json": '[{"name": "background", "color": "#000000"}, {"name": "house", "color": [200, 0, 0]}, {"title": "tree", "color": "#00c800"}]',
    "labels.json": '{"0,0,0": "background", "200,0,0": "house", "0,200,0": "tree"}',
}


@pytest.mark.parametrize("coloured", [False, True])
@pytest.mark.parametrize("name", TABLES)
def test_tables_of_classes(tmp_path, name, coloured):
    """Beside the masks or named; by colour where masks are in colour, by position where they hold indices."""

    def make(path, i):
        save(path, _coloured(draw(i), [(0, 0, 0), RED, GREEN]) if coloured else draw(i))

    write(_study(tmp_path / "d", make) / name, TABLES[name])
    write(tmp_path / "elsewhere" / name, TABLES[name])
    if coloured and name in ("classes.txt", "codes.txt"):
        examples, problems = read(tmp_path / "d")
        assert examples.classes == ("0,0,0", "0,200,0", "200,0,0")
        assert name in problems["values"].sentence.en
        return
    if name == "labels.json" and not coloured:
        return  # a table of colours alone says nothing of indices in another order
    examples, problems = read(tmp_path / "d")
    assert examples.classes == ("background", "house", "tree")
    names = np.array(["background", "house", "tree"])
    assert (indices(examples, "images/1.png") == names[draw(1)]).all()
    assert not problems
    (tmp_path / "d" / name).unlink()
    named, _ = read(tmp_path / "d", classes=str(tmp_path / "elsewhere" / name))
    assert named.fingerprint == examples.fingerprint


def test_colours_without_a_table_are_classes_and_that_is_said(tmp_path):
    root = _study(tmp_path, lambda path, i: save(path, _coloured(draw(i), [RED, GREEN, BLUE])))
    examples, problems = read(root)
    assert examples.classes == ("0,0,200", "0,200,0", "200,0,0")
    assert (indices(examples, "images/0.png") == np.array(examples.classes[::-1])[draw(0)]).all()
    assert "colours" in problems["values"].sentence.en


def test_the_border_of_voc_is_ignored(tmp_path):
    colours = [(0, 0, 0), (128, 0, 0), (224, 224, 192)]
    _, problems = read(_study(tmp_path, lambda path, i: save(path, _coloured(draw(i), colours))))
    assert "224,224,192" in problems["ignored"].sentence.en
    assert "data.ignore=['224,224,192']" in problems["ignored"].do.en
    told, _ = read(tmp_path, ignore=["224,224,192"])
    assert len(told.classes) == 2


def test_a_wholly_black_mask_among_coloured_ones_is_the_class_of_black(tmp_path):
    def make(path, i):
        save(path, _coloured(draw(i) if i else 0 * draw(i), [(0, 0, 0), RED, GREEN]))

    examples, problems = read(_study(tmp_path, make), classes={"0,0,0": "sky", "200,0,0": "road", "0,200,0": "car"})
    assert (indices(examples, "images/0.png") == "sky").all()
    assert "unknown-value" not in problems


def test_transparent_pixels_are_a_colour_of_their_own(tmp_path):
    def make(path, i):
        alpha = np.where(draw(i, (0, 1)) == 1, 255, 0)
        save(path, np.dstack([np.full((*alpha.shape, 3), 255), alpha]))

    examples, _ = read(_study(tmp_path, make))
    assert len(examples.classes) == 2
    assert ((indices(examples, "images/0.png") == "255,255,255") == (draw(0, (0, 1)) == 1)).all()


def test_wide_values_need_no_more_than_they_are(tmp_path):
    root = _study(tmp_path, lambda path, i: save(path, draw(i, (0, 1000, 40_000))))
    examples, _ = read(root)
    assert examples.classes == ("0", "1000", "40000")
    assert examples.target[0].indices().dtype == np.uint8


def test_the_content_of_masks_is_in_the_fingerprint(tmp_path):
    root = _study(tmp_path, lambda path, i: save(path, draw(i)))
    before, _ = read(root)
    changed = draw(2)
    changed[0, 0] = 2 - changed[0, 0]
    save(root / "masks/2.png", changed)
    after, _ = read(root)
    assert before.fingerprint != after.fingerprint
    assert before.digest == after.digest


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ignore": ["tre"]}, "'tre'"),
        ({"ignore": ["1,2,3"]}, "1,2,3"),
        ({"classes": "none.txt"}, "none.txt"),
        ({"classes": {"tree": "0"}}, "tree"),
        ({"classes": []}, "data.classes"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path, options, words):
    root = _study(tmp_path, lambda path, i: save(path, draw(i)))
    with pytest.raises(DataError, match=words) as caught:
        read(root, **options)
    assert caught.value.do is not None


def test_a_new_user_sees_sizes_classes_and_shares(tmp_path, capsys):
    root = _study(tmp_path, lambda path, i: save(path, draw(i, (0, 1, 2, 255))))
    for lang, words in (("en", ("16 x 12 pixels", "0: 33.3% (4)", "guessed")), ("zh", ("16 x 12 像素", "推测"))):
        assert main(["data", str(root), "--lang", lang, "--quiet"]) == 0
        out = capsys.readouterr().out
        for word in words:
            assert word in out


@pytest.mark.parametrize(
    ("there", "told"),
    [("sky\nroad\ncar\n", False), ("sky\nroad\n", False), ("Sky\nroad\ncar\n", False), ("sky\ncar\nroad\n", True)],
)
def test_a_test_folder_that_names_values_otherwise_is_refused(tmp_path, there, told):
    """Its masks were read by the table of the training masks, without a word."""
    for part, names in (("a", "sky\nroad\ncar\n"), ("b", there)):
        for i in range(3):
            paint(tmp_path / part / "images" / f"{part}{i}.png", i + 10 * (part == "b"))
            save(tmp_path / part / "masks" / f"{part}{i}.png", draw(i))
        write(tmp_path / part / "classes.txt", names)
    _, problems = read(tmp_path / "a", test=str(tmp_path / "b"))
    assert ("class-ids" in problems) == told
    if told:
        assert problems["class-ids"].severity == "error"
        assert "2 (first: 1 is car there, and road in training)" in problems["class-ids"].sentence.en
        file = write(tmp_path / "all.txt", "sky\nroad\ncar\n")
        assert "class-ids" not in read(tmp_path / "a", test=str(tmp_path / "b"), classes=str(file))[1]
