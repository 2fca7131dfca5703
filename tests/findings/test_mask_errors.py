"""Mistakes of masks: what was planted is found with its size, what was not is not claimed, few pictures or groups decide nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.findings.planted_masks import (
    border_errors,
    halves_confused,
    inside_errors,
    objects_missed,
    planted_study,
    wrong_masks,
)
from tests.findings.reading import by_id, check
from weigh.findings.errors import hardest, pixels
from weigh.findings.performance import headline
from weigh.kinds.base import rows_of
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_statistics import compare_with_shifted
from weigh.run import Kept


def found_in(results):
    found = by_id(hardest.find(results))
    for finding in found.values():
        check(finding, results)
    return found


def sequences(n, groups):
    """Options of a study of groups: one group cannot be kept together in folds."""
    return {"groups": groups} | ({"fold": np.arange(n)[None] % 5} if groups is not None else {})


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.12])
def test_a_planted_confusion_is_named_with_its_share(share, repeats):
    found = found_in(planted_study(halves_confused(share), repeats=repeats))["errors:confusions"]
    assert found.verdict == "yes"
    assert found.claim == "this_data"
    estimate = found.estimates["sign → pole"]
    assert estimate.covers(100 * share)
    assert estimate.value == pytest.approx(100 * share, abs=2)
    assert estimate.high - estimate.low < 25
    assert "of 'sign' for 'pole'" in found.sentence.en
    assert "“sign”" in found.sentence.zh
    assert found.table[0]["given"] == "sign"
    assert next(row["n"] for row in found.figure.rows if (row["given"], row["predicted"]) == ("sign", "pole")) > 0


def test_pixels_in_thousands_keep_their_shares(monkeypatch):
    """2,400 of 8,000 pixels stood as 2 of 8, a quarter."""
    monkeypatch.setattr(pixels, "MANY_PIXELS", 0.0)
    found = found_in(planted_study(halves_confused(0.3)))["errors:confusions"]
    assert found.figure.title.en == "Pixels, in thousands"
    n = {(row["given"], row["predicted"]): row["n"] for row in found.figure.rows}
    assert sum(n.values()) == pytest.approx(16)
    of_signs = sum(number for (given, _), number in n.items() if given == "sign")
    assert 100 * n["sign", "pole"] / of_signs == pytest.approx(found.estimates["sign → pole"].value, abs=0.5)


def test_where_nothing_is_confused_no_pair_is_claimed():
    found = found_in(planted_study(halves_confused(0.005, 0.0), n=60))["errors:confusions"]
    assert found.verdict == "yes"
    assert "takes no class for another in more than 5 %" in found.sentence.en
    perfect = found_in(planted_study(halves_confused(0.0, 0.0)))
    assert perfect["errors:confusions"].verdict == "undecided"
    assert "errors:borders" not in perfect
    assert perfect["errors:hardest"].examples == []


@pytest.mark.parametrize(("n", "groups"), [(7, None), (40, np.zeros(40)), (40, np.arange(40) // 20), (6, np.arange(6))])
def test_few_pictures_or_groups_name_nothing(n, groups):
    found = found_in(planted_study(halves_confused(0.3, 0.2), n=n, **sequences(n, groups)))["errors:confusions"]
    assert found.verdict == "undecided"
    assert "cannot be told" in found.sentence.en
    assert not any("[" in row["share"] for row in found.table)


@pytest.mark.parametrize("groups", [4, 5])
def test_few_groups_make_wide_intervals(groups):
    of = np.arange(40) * groups // 40

    def sequences(rng, i):
        return halves_confused((0.05, 0.5, 0.2, 0.7, 0.3)[of[i]], 0.01)(rng, i)

    grouped = found_in(planted_study(sequences, groups=of))["errors:confusions"].estimates["sign → pole"]
    single = found_in(planted_study(sequences))["errors:confusions"].estimates["sign → pole"]
    assert (grouped.n, single.n) == (groups, 40)
    assert grouped.high - grouped.low > max(60, 1.3 * (single.high - single.low))


@pytest.mark.parametrize(
    ("drawn", "verdict"),
    [
        (border_errors(0.4), "yes"),
        (border_errors(0.4, 0.005), "yes"),
        (inside_errors(0.05), "no"),
        (border_errors(0.1, 0.3), "no"),
        (border_errors(0.36, 0.04), "undecided"),
    ],
)
def test_errors_at_borders_are_told_from_those_inside(drawn, verdict):
    found = found_in(planted_study(drawn))["errors:borders"]
    assert found.verdict == verdict
    assert ("not settled" in found.sentence.en) == (verdict == "undecided")
    assert "at most 1 px from a border" in found.sentence.en


def test_pixels_beside_ignored_ones_count_as_near_a_border_and_that_is_said():
    def drawn(rng, i):
        truth, answer = border_errors(0.4)(rng, i)
        return np.where(np.arange(40)[:, None] < 5, -1, truth), answer

    for study, said in ((planted_study(drawn), True), (planted_study(border_errors(0.4)), False)):
        sentence = found_in(study)["errors:borders"].sentence
        assert ("from a border between classes or from ignored pixels, where" in sentence.en) == said
        assert ("距类别边界或被忽略的像素不超过" in sentence.zh) == said


@pytest.mark.parametrize("groups", [np.zeros(40), np.arange(40) // 20])
def test_one_or_two_sequences_do_not_say_where_errors_are(groups):
    found = found_in(planted_study(border_errors(0.4), **sequences(40, groups)))["errors:borders"]
    assert found.verdict == "undecided"


@pytest.mark.parametrize(
    ("small", "large", "verdict"),
    [(0.8, 0.05, "yes"), (0.5, 0.0, "yes"), (0.05, 0.6, "no"), (0.3, 0.3, "undecided")],
)
def test_missed_small_objects(small, large, verdict):
    found = found_in(planted_study(objects_missed(small, large), n=60))["errors:objects"]
    assert found.verdict == verdict
    assert found.estimates["missed_first"].covers(100 * small)
    assert found.estimates["missed_last"].covers(75 * large)  # the ground is a large object too
    if verdict != "undecided":
        assert (found.estimates["difference"].value > 0) == (verdict == "yes")
    sizes = {row["sort"]["en"]: row["objects"] for row in found.table}
    assert sizes == {"small": 180, "large": 240}


@pytest.mark.parametrize(("n", "groups"), [(5, None), (60, np.arange(60) // 12)])
def test_few_pictures_or_groups_say_nothing_about_sizes(n, groups):
    found = found_in(planted_study(objects_missed(0.9, 0.0), n=n, groups=groups))["errors:objects"]
    assert found.verdict == "undecided"
    assert found.sentence.en.startswith("It is not settled")


def test_objects_of_one_size_are_not_compared():
    assert "errors:objects" not in found_in(planted_study(halves_confused(0.3)))


def test_the_hardest_pictures_come_first():
    def drawn(rng, i):
        return halves_confused(i / 60, 0.0)(rng, i)

    found = found_in(planted_study(drawn, repeats=2))["errors:hardest"]
    assert found.examples[:3] == ["images/picture_00039.jpg", "images/picture_00038.jpg", "images/picture_00037.jpg"]
    assert len(found.examples) == 12
    assert found.table[0] == {
        "path": "images/picture_00039.jpg",
        "wrong": "32.5 %",
        "confusion": {"en": "'sign' taken for 'pole' (100 %)", "zh": "“sign”判成“pole”（100 %）"},
    }


def test_runs_that_are_missing_are_left_out():
    results = planted_study(halves_confused(0.3), failed=[("m0", 0, 1, "out of memory")])
    found = found_in(results)
    assert found["errors:confusions"].estimates["sign → pole"].n == 32
    assert found["errors:hardest"].estimates["examples"].value == 32


# What masks allow


def shifted_slowly(mask, classes):
    """IoU of a mask with itself moved, from the definition: every pixel, every direction."""
    hit, mine, theirs = np.zeros(classes), np.zeros(classes), np.zeros(classes)
    height, width = mask.shape
    for dy, dx in [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]:
        for y in range(height):
            for x in range(width):
                if not (0 <= y + dy < height and 0 <= x + dx < width):
                    continue
                a, b = mask[y, x], mask[y + dy, x + dx]
                if min(a, b) < 0:
                    continue
                mine[a] += 1
                theirs[b] += 1
                hit[a] += a == b
    return np.stack([hit, mine, theirs], axis=1)


@pytest.mark.parametrize("seed", range(6))
def test_a_shift_is_counted_as_the_definition_says(seed):
    rng = np.random.default_rng(seed)
    mask = rng.integers(-1, 3, rng.integers(1, 8, 2))
    assert compare_with_shifted(LabelMap.of(mask, 3)).tolist() == shifted_slowly(mask, 3).tolist()


def test_thin_things_lose_most_by_a_shift():
    def drawn(rng, i):
        truth = np.zeros((40, 40), int)
        truth[20:] = 1
        truth[:, 5] = 2
        return truth, truth

    results = planted_study(drawn, n=10)
    found = found_in(results)["errors:shift"]
    assert "most by 'pole'" in found.sentence.en
    rows = {row["class"]: row["IoU"] for row in found.table}
    counts = compare_with_shifted(rows_of([*results.examples.target])[0])
    expected = counts[:, 0] / (counts[:, 1] + counts[:, 2] - counts[:, 0])
    assert list(rows.values()) == pytest.approx(expected, abs=1e-4)
    assert rows["pole"] < 0.2 < rows["ground"]
    assert found.estimates["cost"].value == pytest.approx(100 * (1 - expected.mean()))


# Classes one by one


def test_every_class_has_its_iou_with_an_interval():
    results = planted_study(halves_confused(0.3), n=40)
    found = by_id(headline.find(results))["performance:classes"]
    check(found, results)
    rows = {row["class"]: row for row in found.table}
    assert rows["sign"]["examples"] == 40
    iou, low, high = map(float, rows["sign"]["IoU"].replace("[", "").replace("]", "").replace(",", "").split())
    assert low < 0.7 < high
    assert iou == pytest.approx(0.7, abs=0.02)
    assert float(rows["sign"]["Dice"].split()[0]) == pytest.approx(2 * iou / (1 + iou), abs=1e-3)
    assert rows["pole"]["IoU"] == "0.000"  # it stands in no mask and was answered
    assert rows["pole"]["note"] == "too few to tell"
    assert "best on 'ground' (IoU 1.000" in found.sentence.en
    assert "'pole' in 0" in found.sentence.en


@pytest.mark.parametrize("held", [1, 5, 7, 8, 20])
def test_a_class_of_few_pictures_is_not_judged(held):
    def drawn(rng, i):
        truth, answer = halves_confused(0.1)(rng, i)
        truth = np.where((np.arange(400).reshape(20, 20) < 40) & (i < held), 2, truth)
        return truth, answer

    found = by_id(headline.find(planted_study(drawn, n=40)))["performance:classes"]
    row = {row["class"]: row for row in found.table}["pole"]
    assert row["examples"] == held
    assert ("[" in row["IoU"]) == (held >= 8)
    assert (f"'pole' in {held}" in found.sentence.en) == (held < 8)
    assert (f"“pole”见于 {held} 张" in found.sentence.zh) == (held < 8)


# Masks that may be drawn wrong


def test_regions_that_all_candidates_contradict_are_to_be_looked_at():
    found = found_in(planted_study(wrong_masks(4), rivals=[wrong_masks(4, 0.01)]))["errors:regions"]
    assert found.verdict == "undecided"
    assert sorted(found.examples) == [f"images/picture_{i:05d}.jpg" for i in range(4)]
    assert {(row["given"], row["predicted"]) for row in found.table} == {("sign", "ground")}
    assert found.estimates["regions"].value == 4
    assert "proves nothing" in found.sentence.en
    assert "不能证明" in found.sentence.zh
    assert found.claim is None


def test_where_all_answers_are_kept_and_none_contradicts_there_is_nothing_to_look_at():
    found = found_in(planted_study(wrong_masks(0), rivals=[wrong_masks(0)]))["errors:regions"]
    assert (found.verdict, found.examples, found.next) == ("no", [], [])


def habitual(rng, i):
    return halves_confused(0.3)(rng, i)


def slivers(rng, i):
    """Both are wrong along the border, as wide as borders are drawn."""
    truth, _ = border_errors(0.0)(rng, i)
    answer = truth.copy()
    answer[:, 19] = 1
    return truth, answer


def tiny(rng, i):
    """Two pixels by two that both get wrong."""
    truth, answer = border_errors(0.0)(rng, i)
    answer[5:7, 5:7] = 1
    return truth, answer


@pytest.mark.parametrize("drawn", [habitual, slivers, tiny])
def test_habits_borders_and_specks_are_no_suspects(drawn):
    found = found_in(planted_study(drawn, rivals=[drawn]))["errors:regions"]
    assert found.verdict == "no"


def test_one_candidate_cannot_agree():
    assert "errors:regions" not in found_in(planted_study(wrong_masks(4)))


def test_candidates_that_differ_do_not_agree():
    right = wrong_masks(4)

    def as_the_mask(rng, i):
        truth, _ = right(rng, i)
        return truth, truth

    assert found_in(planted_study(right, rivals=[as_the_mask]))["errors:regions"].verdict == "no"


def test_only_pictures_whose_answers_were_kept_are_looked_at():
    results = planted_study(wrong_masks(4), rivals=[wrong_masks(4, 0.01)])

    def some(key):
        kept = results.kept(key)
        return None if kept is None else Kept(kept.examples[:3], kept.answers[:3])

    found = found_in(replace(results, kept=some))["errors:regions"]
    assert found.verdict == "undecided"
    assert found.estimates["looked_at"].value == 15
    assert "output.masks: true" in found.sentence.en
    found = found_in(replace(planted_study(wrong_masks(0), rivals=[wrong_masks(0)]), kept=some))["errors:regions"]
    assert found.verdict == "undecided"  # most pictures were not looked at
    assert "errors:regions" not in found_in(replace(results, kept={}.get))
