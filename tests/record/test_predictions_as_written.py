"""Predictions of strangers: labels counted from one, decimal commas, per cent, classes called nan, columns called otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from weigh.errors import DataError
from weigh.reading import read_predictions
from weigh.record.predictions.shift import notice_shift

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, 90)
CHOSEN = np.where(RNG.random(90) < 0.75, TRUTH, (TRUTH + 1) % 3)


def probabilities(classes=3) -> np.ndarray:
    numbers = RNG.dirichlet(np.ones(classes), 90) * 0.4
    numbers[np.arange(90), CHOSEN] += 0.6
    return numbers


def score(*paths, **options) -> float:
    found = read_predictions(*paths, **options)
    first = found.findings().of("performance")[0]
    return next(e.value for e in first.estimates.values() if e.low is not None)


def table(path, header, rows, separator=","):
    path.write_text("\n".join([separator.join(header), *(separator.join(map(str, r)) for r in rows)]) + "\n", "utf-8")
    return path


def hard(path, labels, chosen):
    return table(
        path,
        ("example", "label", "prediction"),
        [(f"e{i}", a, b) for i, (a, b) in enumerate(zip(labels, chosen, strict=True))],
    )


@pytest.mark.parametrize(("labels", "answers", "offset"), [(1, 0, -1), (0, 1, 1), (1, 2, 1), (5, 4, -1)])
def test_labels_that_count_from_another_number_are_noticed(tmp_path, labels, answers, offset):
    right = score(hard(tmp_path / "a.csv", TRUTH, CHOSEN))
    path = hard(tmp_path / "b.csv", TRUTH + labels, CHOSEN + answers)
    with pytest.raises(DataError, match="count from different numbers") as caught:
        read_predictions(path)
    setting = caught.value.do.en.rpartition(" ")[2]
    assert setting == f"data.label_offset={offset}"
    assert score(path, settings=[setting]) == pytest.approx(right)  # the advice works


def test_arrays_counted_from_one(tmp_path):
    for name, content in (("hard", CHOSEN), ("soft", probabilities())):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "vit.npy", content)
        np.save(tmp_path / "from_one.npy", TRUTH + 1)
        np.save(tmp_path / "labels.npy", TRUTH)
        right = score(tmp_path / name, labels=[tmp_path / "labels.npy"])
        with pytest.raises(DataError, match=r"(?s)count from.*data.label_offset=-1"):
            read_predictions(tmp_path / name, labels=[tmp_path / "from_one.npy"])
        moved = score(tmp_path / name, labels=[tmp_path / "from_one.npy"], settings=["data.label_offset=-1"])
        assert moved == pytest.approx(right)


def test_a_bad_model_is_not_taken_for_a_shift(tmp_path):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        path = hard(tmp_path / "a.csv", rng.integers(0, 3, 60), rng.integers(0, 3, 60))
        assert "shifted-labels" not in {f.kind for f in read_predictions(path).findings()}
    cycled = hard(tmp_path / "a.csv", TRUTH, (CHOSEN + 1) % 3)  # the same numbers on both sides: said, not refused
    assert "shifted-labels" not in {
        f.kind for f in read_predictions(hard(tmp_path / "b.csv", TRUTH, CHOSEN)).findings()
    }
    read_predictions(cycled)
    with pytest.raises(DataError, match="not all whole numbers"):
        read_predictions(
            hard(tmp_path / "a.csv", np.array(["x", "y", "z"])[TRUTH], CHOSEN), settings=["data.label_offset=1"]
        )


WAYS = {
    "comma": (lambda v: f"{v:.6f}".replace(".", ","), ";"),
    "per cent": (lambda v: f"{100 * v:.4f}%", ","),
    "per cent, comma": (lambda v: f"{100 * v:.4f} %".replace(".", ","), "\t"),
    "exponent": (lambda v: f"{v:.6e}", ","),
}


@pytest.mark.parametrize("way", WAYS)
def test_probabilities_as_people_write_them(tmp_path, way):
    numbers = probabilities()
    show, separator = WAYS[way]

    def rows(written):
        return [(f"e{i}", f"c{TRUTH[i]}", *map(written, numbers[i])) for i in range(90)]

    header = ("example", "label", "p:c0", "p:c1", "p:c2")
    right = score(table(tmp_path / "a.csv", header, rows(lambda v: f"{v:.6f}")))
    assert score(table(tmp_path / "b.csv", header, rows(show), separator)) == pytest.approx(right)


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "null", "inf"])
def test_a_class_may_be_called_like_a_missing_value(tmp_path, word):
    numbers = probabilities()
    names = (word, "dog", "owl")
    rows = [(f"e{i}", names[TRUTH[i]], *(f"{v:.6f}" for v in numbers[i])) for i in range(90)]
    found = read_predictions(table(tmp_path / "a.csv", ("example", "label", *(f"p:{n}" for n in names)), rows))
    assert set(found.results.examples.classes) == set(names)
    if word.casefold() == "nan":  # of decisions alone it cannot be told
        with pytest.raises(DataError, match="If NaN is the name of a class, call it otherwise"):
            read_predictions(hard(tmp_path / "b.csv", np.array(names)[TRUTH], np.array(names)[CHOSEN]))


def test_class_numbers_with_a_point(tmp_path):
    rows = [(f"e{i}", TRUTH[i], *(f"{v:.6f}" for v in n)) for i, n in enumerate(probabilities())]
    found = read_predictions(table(tmp_path / "a.csv", ("example", "label", "p:0.0", "p:1.0", "p:2.0"), rows))
    assert found.results.examples.classes == ("0", "1", "2")


def test_columns_that_are_called_otherwise_are_named(tmp_path):
    rows = [(f"e{i}", TRUTH[i], CHOSEN[i]) for i in range(90)]
    with pytest.raises(DataError, match="id → example, y_true → label, y_pred → prediction"):
        read_predictions(table(tmp_path / "a.csv", ("id", "y_true", "y_pred"), rows))
    rows = [(f"e{i}", "abc"[TRUTH[i]], *n) for i, n in enumerate(probabilities())]
    with pytest.raises(DataError, match="a → p:a, b → p:b, c → p:c"):
        read_predictions(table(tmp_path / "a.csv", ("example", "label", "a", "b", "c"), rows))


def test_header_lines_in_the_middle_are_named(tmp_path):
    path = hard(tmp_path / "a.csv", TRUTH, CHOSEN)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:40], lines[0], *lines[40:]]) + "\n")
    found = read_predictions(path)
    assert len(found.results.examples) == 90
    assert [f.examples for f in found.findings() if f.kind == "repeated-header"] == [["a.csv:41"]]


@pytest.mark.parametrize(
    ("counted_from", "set_already", "right"), [(1, 0, -1), (1, -2, -1), (0, 1, 0), (0, -1, 0), (2, -1, -2)]
)
def test_the_advice_counts_what_was_set_already(tmp_path, counted_from, set_already, right):
    path = hard(tmp_path / "a.csv", TRUTH + counted_from, CHOSEN)
    with pytest.raises(DataError, match="count from different numbers") as caught:
        read_predictions(path, settings=[f"data.label_offset={set_already}"])
    assert caught.value.do.en.endswith(f"data.label_offset={right}")


@pytest.mark.parametrize("n", [4, 8])
def test_a_shift_is_not_claimed_of_a_handful(n):
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1])[:n]
    answers = np.where(np.arange(n) % 2, labels + 1, labels)
    assert notice_shift(labels, [(np.arange(n), answers)]) is None


@pytest.mark.parametrize(
    ("shift", "allowed", "noticed"),
    [(1, None, 1), (-1, None, -1), (1, (0, 5), None), (-1, (0, 9), None), (1, (0, 6), 1)],
)
def test_labels_are_moved_only_to_numbers_that_exist(shift, allowed, noticed):
    """The one mechanism behind `weigh read` and `weigh evaluate`."""
    labels = np.arange(120) % 6
    found = notice_shift(labels, [(np.arange(120), labels + shift), (np.arange(60), labels[:60] + shift)], allowed)
    assert (found and found.by) == noticed
    if found:
        assert (found.own.value, found.moved.value) == (0.0, 1.0)
        assert found.remedy(3).en.endswith(f"data.label_offset={3 + shift}")
