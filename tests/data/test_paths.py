"""Paths of other machines and in other letters: found where that is certain, else said what differs, with a remedy that works."""

from __future__ import annotations

import re
import unicodedata

import pytest

from tests.data.picture_files import folder, read, table
from weigh.data.rows.paths import Resolver
from weigh.errors import DataError

FILES = [f"photos/{c}/img_{i:03d}.jpg" for c in ("cat", "dog") for i in range(3)]


@pytest.fixture
def place(tmp_path):
    return folder(tmp_path / "place", FILES)


def _table(place, paths, name="t.csv"):
    return table(place, "path,label\n" + "\n".join(f'"{p}",{"cat" if "/cat" in f else "dog"}' for p, f in paths), name)


def _read(place, write, **options):
    return read(_table(place, [(write(f), f) for f in FILES]), **options)


WRITTEN = {
    "windows": lambda f: "C:\\Users\\someone\\Desktop\\" + f.replace("/", "\\"),
    "windows, other folders below": lambda f: "D:\\" + f.removeprefix("photos/").replace("/", "\\"),
    "colab": lambda f: f"/content/drive/MyDrive/{f}",
    "suffix in capitals": lambda f: f.replace(".jpg", ".JPG"),
    "name in capitals": lambda f: f.replace("img", "IMG"),
    "folder in capitals": lambda f: f.replace("photos", "Photos").replace("cat", "Cat"),
    "backslashes": lambda f: f.replace("/", "\\"),
    "dot": lambda f: ".\\" + f.replace("/", "\\"),
    "address": lambda f: f"https://example.org/{f}?size=full#top",
    "share": lambda f: "\\\\server\\lab\\" + f.replace("/", "\\"),
    "file address": lambda f: f"file:///home/some%20one/{f}",
    "without the upper folder": lambda f: f.removeprefix("photos/"),
    "without the suffix, of another machine": lambda f: f"/data/{f}".removesuffix(".jpg"),
    "from above": lambda f: f"../../elsewhere/{f}",
    "doubled slashes": lambda f: f.replace("/", "//"),
    "two machines": lambda f: ("/content/" if "0.jpg" in f else "E:\\x\\y\\") + f,
    "bucket": lambda f: f"s3://bucket/{f}",
    "blanks around": lambda f: f"  {f} ",
}


@pytest.mark.parametrize("how", WRITTEN)
def test_paths_are_found(place, how):
    examples, problems = _read(place, WRITTEN[how])
    assert examples.path.tolist() == FILES
    assert [examples.classes[t] for t in examples.target] == [f.split("/")[1] for f in FILES]
    exact = how in ("backslashes", "dot", "without the upper folder", "doubled slashes", "blanks around")
    assert ("paths" in problems) is not exact  # whatever was interpreted is said
    if not exact:
        assert len(problems["paths"].details) == len(FILES)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_the_other_unicode_form_are_the_same_names(tmp_path, form):
    names = [
        unicodedata.normalize("NFD" if form == "NFC" else "NFC", n)
        for n in ("Brötchen", "Ängstlich", "한글", "Tiếng Việt")
    ]
    place = folder(
        tmp_path,
        [f"bilder/{n}/Ö{i}.png".replace("Ö", unicodedata.normalize(form, "Ö")) for n in names for i in range(2)],
    )
    other = [(unicodedata.normalize(form, f"bilder/{n}/Ö{i}.png"), n) for n in names for i in range(2)]
    text = "path,label\n" + "\n".join(f"{p},{unicodedata.normalize(form, n)}" for p, n in other)
    examples, problems = read(table(place, text))
    assert len(examples) == 8
    assert set(examples.classes) == {unicodedata.normalize("NFC", n) for n in names}
    assert not {"missing", "paths"} & problems.keys()


def test_nothing_is_found_for_the_picture_of_another_class(place):
    """All of `dog` is missing here, and the numbers of `cat` are the same."""
    for file in (place / "photos/dog").iterdir():
        file.unlink()
    for prefix in ("", "C:\\data\\", "/data/"):
        wanted = [(prefix + f.replace("/", "\\" if ":" in prefix else "/"), f) for f in FILES]
        resolver = Resolver(place, [w for w, _ in wanted])
        for written, f in wanted:
            assert resolver.find(written).path == (f if "cat" in f else None)
    resolver = Resolver(place, only := [f"C:/data/{f}" for f in FILES if "dog" in f])
    assert [resolver.find(p).path for p in only] == [None] * 3


def test_two_paths_are_never_one_file(tmp_path):
    place = folder(tmp_path, ["1.png", "2.png", "p/3.png"])
    resolver = Resolver(place, written := ["/x/cat/1.png", "/x/dog/1.png", "/x/cat/2.png", "/x/dog/2.png"])
    assert [resolver.find(p).path for p in written] == [None] * 4


def test_which_of_two_folders_is_not_guessed(tmp_path):
    place = folder(
        tmp_path, [f"{part}_images/{c}/{i}.png" for part in ("train", "test") for c in "ab" for i in range(2)]
    )
    resolver = Resolver(place, written := [f"/x/{c}/{i}.png" for c in "ab" for i in range(2)])
    assert [resolver.find(p).path for p in written] == [None] * 4
    one = Resolver(place / "test_images", written)
    assert [one.find(p).path for p in written] == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]


def test_names_that_differ_in_case_only_are_two_files(tmp_path):
    place = folder(tmp_path, ["a.png", "A.png", "b.png"])
    if len(list(place.iterdir())) < 3:
        pytest.skip("this file system does not tell them apart")
    resolver = Resolver(place, ["a.png", "A.png", "B.png"])
    assert [resolver.find(p).path for p in ("a.png", "A.png", "B.png")] == ["a.png", "A.png", "b.png"]
    assert Resolver(place, ["x/a.PNG"]).find("a.PNG").path is None


def test_the_advice_works_when_the_table_lies_elsewhere(place, tmp_path):
    elsewhere = tmp_path / "tables"
    elsewhere.mkdir()
    for write in (WRITTEN["colab"], WRITTEN["windows"], lambda f: f, lambda f: f"../nowhere/{f}"):
        path = _table(elsewhere, [(write(f), f) for f in FILES])
        with pytest.raises(DataError) as caught:
            read(path)
        assert "--set data.root=FOLDER" in str(caught.value)
        assert "No file below" in str(caught.value)
        for root in (place, place / "photos", place.parent):
            assert len(read(path, root=str(root))[0]) == len(FILES)


def test_paths_may_start_at_the_table_where_the_root_is_another(place, tmp_path):
    """`../place/photos/…` leads out of the table's folder; with the root that the message asks for it must be found."""
    (tmp_path / "tables").mkdir()
    path = _table(tmp_path / "tables", [(f"../place/{f}", f) for f in FILES])
    with pytest.raises(DataError, match=r"data\.root"):
        read(path)
    for root in (tmp_path, place):
        assert len(read(path, root=str(root))[0]) == len(FILES)


def test_a_root_that_is_set_wrongly_is_named(place, tmp_path):
    (tmp_path / "wrong").mkdir()
    with pytest.raises(DataError) as caught:
        read(_table(place, [(f"/x/{f}", f) for f in FILES]), root=str(tmp_path / "wrong"))
    assert str(tmp_path / "wrong") in str(caught.value)


def test_what_differs_is_said(tmp_path):
    place = folder(tmp_path, ["a/one.png", "b/two.png", "c/two.png"])
    resolver = Resolver(place, ["a/one.jpg"])
    assert resolver.find("a/one.jpg").path is None  # a mask may be called like its picture but for the suffix
    assert "a/one.png" in resolver.remedy("a/one.jpg").en
    assert re.search(r"2 files are called so \(b/two.png, c/two.png\)", resolver.remedy("/x/two.png").en)
    assert "download" in Resolver(place, []).remedy("http://example.org/three.png").en


def test_rows_that_are_missing_do_not_hide_the_others(place):
    examples, problems = read(
        _table(place, [*((f"C:\\x\\{f}", f) for f in FILES), ("C:\\x\\photos\\cat\\gone.jpg", "/cat")])
    )
    assert len(examples) == len(FILES)
    assert problems["outside-root"].paths == ("C:\\x\\photos\\cat\\gone.jpg",)


@pytest.mark.parametrize(
    "name",
    [
        f"{c}.csv"
        for c in [
            "a_windows",
            "b_colab",
            "c_case",
            "d_backslash",
            "e_dot",
            "f_url",
            "g_share",
            "h_file_url",
            "i_case_folder",
        ]
    ],
)
def test_cases_of_other_machines(shared, name):
    examples, _ = read(shared / "cases" / "c09_other_machine" / name)
    assert len(examples) == 24
    assert {p.split("/")[1]: examples.classes[t] for p, t in zip(examples.path, examples.target, strict=True)} == {"cat": "cat", "dog": "dog"}  # fmt: skip
