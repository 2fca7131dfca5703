"""Arrays of others, .npy and .npz: which one is meant, and damaged files named in plain words."""

from __future__ import annotations

import io
import re
import zipfile

import numpy as np
import pytest

from weigh.errors import DataError, reason_of
from weigh.files import read_array
from weigh.reading import read_predictions

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, 40)
SHARES = RNG.dirichlet(np.ones(3), 40)
INTERNALS = re.compile(
    r"0x[0-9a-f]{4,}|ast\.|\(\d, \d|<.*>|magic|malformed|codec|correct keys|statement|inhomogeneous|allow_pickle"
)


def read(folder, labels, **options):
    return read_predictions(folder, labels=[labels], **options).results.examples.target


@pytest.fixture
def answers(tmp_path):
    (tmp_path / "answers").mkdir()
    np.save(tmp_path / "answers" / "vit.npy", SHARES)
    return tmp_path / "answers"


@pytest.mark.parametrize(
    "arrays",
    [
        {"labels": TRUTH},
        {"whatever": TRUTH},
        {"arr_0": TRUTH},
        {"arr_0": TRUTH, "names": TRUTH[:2]},
        {"y_true": TRUTH, "y_pred": 2 - TRUTH},
        {"y_train": TRUTH[:5], "y": TRUTH},
        {"labels": TRUTH, "arr_0": TRUTH[:5]},
        {"label": TRUTH.astype(np.uint8)},
    ],
    ids=lambda arrays: ",".join(arrays),
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_labels_of_an_npz_are_found(tmp_path, answers, arrays, save):
    save(tmp_path / "l.npz", **arrays)
    assert read(answers, tmp_path / "l.npz").tolist() == TRUTH.tolist()


@pytest.mark.parametrize(
    "arrays",
    [{"probs": SHARES, "labels": TRUTH}, {"y_pred": SHARES, "y_true": TRUTH}, {"x": SHARES}],
    ids=lambda arrays: ",".join(arrays),
)
def test_the_answers_of_an_npz_are_found(tmp_path, arrays):
    (tmp_path / "answers").mkdir()
    np.savez(tmp_path / "answers" / "vit.npz", **arrays)
    np.save(tmp_path / "l.npy", TRUTH)
    made = read_predictions(tmp_path / "answers", labels=[tmp_path / "l.npy"]).results
    assert [candidate.id for candidate in made.candidates] == ["vit"]
    _, logits = made.predictions(made.records[0].key)
    assert np.allclose(np.exp(logits), SHARES, atol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        ({"train": TRUTH, "test": TRUTH}, r"2 arrays \(train, test\)"),
        ({"arr_0": TRUTH, "arr_1": TRUTH}, r"2 arrays \(arr_0, arr_1\)"),
        ({"a": TRUTH, "b": TRUTH, "c": TRUTH}, r"3 arrays \(a, b, c\)"),
        ({}, "holds no array"),
    ],
)
def test_arrays_among_which_none_is_meant_are_named(tmp_path, answers, arrays, named):
    np.savez(tmp_path / "l.npz", **arrays)
    with pytest.raises(DataError, match=named) as caught:
        read(answers, tmp_path / "l.npz")
    assert "np.save('l.npy', array)" in caught.value.do.en


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint64", "float32"])
def test_an_offset_fits_whatever_the_labels_are_stored_as(tmp_path, answers, dtype):
    np.savez(tmp_path / "l.npz", labels=(TRUTH + 1).astype(dtype))
    assert read(answers, tmp_path / "l.npz", settings=["data.label_offset=-1"]).tolist() == TRUTH.tolist()


HEADERS = {
    "an expression": "{'descr': '<i8', 'fortran_order': False, 'shape': (10**20,), }",
    "cut": "{'descr': '<i8'",
    "other keys": "{'a': 1}",
    "a call": "__import__('os')",
    "an attribute": "{'descr': a.b, 'fortran_order': False, 'shape': (3,), }",
    "less than nothing": "{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }",
    "an unknown type": "{'descr': '<q99', 'fortran_order': False, 'shape': (3,), }",
    "nested": "[" * 400,
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
    "more than there is": "{'descr': '<i8', 'fortran_order': False, 'shape': (3000,), }",
    "no bytes": "{'descr': '<V0', 'fortran_order': False, 'shape': (3,), }",
}


def with_header(header: str) -> bytes:
    written = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(written).to_bytes(2, "little") + written + bytes(40)


@pytest.mark.parametrize("case", HEADERS)
@pytest.mark.parametrize("packed", [False, True], ids=["npy", "npz"])
def test_a_damaged_header_is_said_in_plain_words(tmp_path, answers, case, packed):
    import zipfile

    path = tmp_path / f"l.np{'z' if packed else 'y'}"
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("labels.npy", with_header(HEADERS[case]))
    else:
        path.write_bytes(with_header(HEADERS[case]))
    with pytest.raises(DataError, match=path.name) as caught:
        read(answers, path)
    for language in ("en", "zh"):
        assert not INTERNALS.search(caught.value.render(language)), caught.value.render(language)
    assert caught.value.do


@pytest.mark.parametrize("damage", ["cut", "flipped", "wrong end", "no zip at all", "a member that is no array"])
def test_a_damaged_npz_is_said_in_plain_words(tmp_path, damage):
    import zipfile

    path = tmp_path / "l.npz"
    np.savez_compressed(path, labels=np.arange(500))
    raw = path.read_bytes()
    middle = len(raw) // 3
    wounded = {
        "cut": raw[:-60],
        "flipped": raw[:middle] + bytes([raw[middle] ^ 255]) + raw[middle + 1 :],
        "wrong end": raw[:-30] + bytes(30),
        "no zip at all": b"PK\x03\x04",
    }
    if damage in wounded:
        path.write_bytes(wounded[damage])
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("labels.npy", b"hello")
    with pytest.raises(DataError, match=r"l\.npz") as caught:
        read_array(path)
    assert not INTERNALS.search(str(caught.value))
    assert "np.save(" in caught.value.do.en


@pytest.mark.parametrize(
    "content", [b"[[1, 2], [3]]", b'["\xe9"]', b"[1e400, 123456789012345678901234567890]", b"[" * 100_000, b"[1, {}]"]
)
def test_json_that_is_no_array_is_said_in_plain_words(tmp_path, answers, content):
    (tmp_path / "l.json").write_bytes(content)
    with pytest.raises(DataError, match=r"l\.json") as caught:
        read(answers, tmp_path / "l.json")
    assert not INTERNALS.search(str(caught.value)), str(caught.value)


def test_an_npz_that_unpacks_to_more_than_any_honest_one_is_refused(tmp_path):
    content = io.BytesIO()
    np.save(content, np.zeros(40_000_000))
    with zipfile.ZipFile(tmp_path / "l.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("labels.npy", content.getbuffer())
    with pytest.raises(DataError, match="the limit is"):
        read_array(tmp_path / "l.npz")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ValueError(f"malformed node on line 1: {object()}"), "malformed node on line 1: object"),
        (TypeError("<function f at 0x7fbe12345678> is odd"), "<function f> is odd"),
        (RuntimeError("\x1b[31mred\x1b[0m\nmore"), "red"),
        (KeyError(), "KeyError"),
        (ValueError("\n  second line"), "second line"),
    ],
)
def test_what_libraries_say_stands_in_a_sentence(raised, said):
    assert reason_of(raised) == said
