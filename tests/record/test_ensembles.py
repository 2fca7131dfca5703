"""Averages of candidates: drawn as a slow version draws them, blind to the fold that they answer for, and without useless candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml

from tests.findings.kinds import number_study
from tests.findings.reading import check
from tests.findings.synthetic import assign_folds, make_results, simulate_logits, simulate_target
from weigh.execute.averaging import choose_average
from weigh.findings.comparison.ensemble import find
from weigh.findings.file import findings_file
from weigh.findings.registry import read_findings
from weigh.kinds.label import LABEL
from weigh.metrics.base import METRICS
from weigh.notices import notices_to
from weigh.plan.racing import Dropped, Race
from weigh.record import ensembles
from weigh.record.choice_of_winner import choose_winner
from weigh.record.ensembles import DRAWS, average_candidates, read_ensemble
from weigh.report.card import average_card
from weigh.spec import OutputSpec
from weigh.stats.interval import score_estimate
from weigh.stats.resampling import make_units


def study(separations, *, n=240, repeats=2, seed=0, several=False, noise=0.5, difficulty=None, **more):
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n)
    if several:
        target = np.stack([target, rng.permutation(target), 1 - target], axis=1)
    logits = {}
    for i, separation in enumerate(separations):
        if several:
            drawn = rng.standard_normal((repeats, n, 3)) + separation * (target - 0.5)
            logits[f"m{i}"] = drawn.astype(np.float32)
        else:
            logits[f"m{i}"] = simulate_logits(
                rng, target, separation=separation, repeats=repeats, noise=noise, difficulty=difficulty
            )
    return make_results(logits, target, winner="m0", **more)


def drawn_slowly(answers, target, seen, gain):
    """Members by log loss: every average made and measured anew, example by example (single labels)."""

    def losses(members):
        mean = np.zeros((len(target), 2))
        for one in members:
            e = np.exp(answers[one] - answers[one].max(axis=1, keepdims=True))
            mean += e / e.sum(axis=1, keepdims=True) / len(members)
        return np.array([-np.log(mean[i, target[i]]) for i in range(len(target)) if seen[i]])

    order = sorted(range(len(answers)), key=lambda one: losses([one]).mean())
    members = [order[0]]
    while len(members) < DRAWS:
        now = losses(members)
        best = min(order, key=lambda one: losses(sorted([*members, one])).mean())
        better = losses(sorted([*members, best]))
        difference = now - better
        if difference.mean() <= 1e-12 + gain * np.sqrt(np.square(difference - difference.mean()).sum()) / len(now):
            break
        members.append(best)
    return sorted(members)


@pytest.mark.parametrize("seed", range(4))
def test_members_are_those_of_the_slow_version(seed):
    results = study([2.0, 1.8, 1.0, 0.0], repeats=1, n=120, seed=seed)
    ensemble = read_ensemble(results)
    runs = [results.out_of_fold(c.id) for c in results.candidates]
    answers, target = [one.answers[0].astype(float) for one in runs], runs[0].target
    for (_, fold), shares in ensemble.by_fold.items():
        members = drawn_slowly(answers, target, runs[0].fold[0] != fold, ensembles.GAIN)
        assert shares == pytest.approx({f"m{m}": members.count(m) / len(members) for m in set(members)})
    everything = drawn_slowly(answers, target, np.ones(len(target), bool), ensembles.GAIN)
    assert ensemble.members == pytest.approx({f"m{m}": everything.count(m) / len(everything) for m in set(everything)})


def test_every_fold_is_answered_by_its_own_members():
    results = study([2.0, 1.8, 1.6])
    ensemble = read_ensemble(results)
    for (repeat, fold), shares in ensemble.by_fold.items():
        rows = results.out_of_fold("m0").fold[repeat] == fold
        runs = {name: results.out_of_fold(name) for name in shares}
        mean = sum(share * runs[name].prediction(repeat).probabilities[rows] for name, share in shares.items())
        assert np.allclose(ensemble.out_of_fold.prediction(repeat).probabilities[rows], mean)
    assert sum(ensemble.members.values()) == pytest.approx(1)
    assert len(ensemble.by_fold) == 10


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("repeat", [0, 1])
def test_labels_of_a_fold_do_not_change_its_members(several, repeat):
    results = study([1.2, 1.1, 1.0, 0.2], several=several)
    before = read_ensemble(results)
    changed = 0
    for fold in range(5):
        target = results.examples.target.copy()
        rows = results.out_of_fold("m0").fold[repeat] == fold
        target[rows] = 1 - target[rows]
        after = read_ensemble(replace(results, examples=replace(results.examples, target=target)))
        assert after.by_fold[repeat, fold] == before.by_fold[repeat, fold]
        changed += after.by_fold != before.by_fold
    assert changed  # the other folds do look at them


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("separations", [[3.0, 0.0, 0.0, 0.0], [2.0, 2.0, 0.0, -1.0], [1.8, 1.6, 1.4, 0.0, 0.0]])
def test_useless_candidates_are_left_out(separations, seed):
    ensemble = read_ensemble(study(separations, n=400, seed=seed))
    useless = {f"m{i}" for i, separation in enumerate(separations) if separation <= 0}
    assert not useless & set(ensemble.members)
    assert useless <= set(ensemble.tried)


def test_two_good_candidates_with_other_errors_are_averaged_and_gain():
    results = study([1.5, 1.5], n=600)
    ensemble, metric = read_ensemble(results), METRICS.get("balanced_accuracy")
    assert set(ensemble.members) == {"m0", "m1"}
    single = max(results.out_of_fold(c.id).measured(metric).score().overall for c in results.candidates)
    assert ensemble.out_of_fold.measured(metric).score().overall > single + 0.02


def test_the_same_answers_twice_are_no_ensemble():
    results = study([2.0, 0.5])
    twice = {"m0": results.out_of_fold("m0"), "m1": results.out_of_fold("m0")}
    assert average_candidates(METRICS.get("balanced_accuracy"), twice).members == {"m0": 1.0}


def test_controls_are_no_members_and_do_not_make_two_of_one():
    results = study([1.5, 3.0, 1.4], controls=["m1"], recipes={"m1": "scratch"})
    assert "m1" not in read_ensemble(results).tried
    assert read_ensemble(study([1.5, 3.0], controls=["m1"], recipes={"m1": "scratch"})) is None


def test_what_a_race_dropped_is_no_member():
    out = (Dropped("m1", "m0", 5, 15, 0.2, 0.1, 0.3, 300),)
    race = Race({"m0": 10, "m1": 10}, 5, (5, 10), 2, {"m0": 10, "m1": 5}, out, stop="one left", leader="m0")
    assert "m1" not in read_ensemble(replace(study([1.5, 1.5, 1.4]), race=race)).tried


@pytest.mark.parametrize(
    ("failed", "tried", "repeats"),
    [
        ([("m1", 1, 2, "x")], {"m0", "m1", "m2"}, {0}),
        ([("m2", 0, 0, "x"), ("m2", 1, 0, "x")], {"m0", "m1"}, {0, 1}),
        ([("m1", 0, 0, "x"), ("m2", 0, 1, "x")], {"m0", "m1", "m2"}, {1}),
    ],
)
def test_only_whole_repeats_in_common_count(failed, tried, repeats):
    ensemble = read_ensemble(study([1.5, 1.4, 1.3], failed=failed))
    assert set(ensemble.tried) == tried
    assert {repeat for repeat, _ in ensemble.by_fold} == repeats
    assert set(np.flatnonzero(ensemble.out_of_fold.complete).tolist()) == repeats


def test_candidates_with_more_repeats_meet_in_those_of_all():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 200)
    logits = {name: simulate_logits(rng, target, separation=1.5, repeats=r) for name, r in (("head", 3), ("net", 1))}
    ensemble = read_ensemble(make_results(logits, target, fold=assign_folds(rng, target, 5, 3)))
    assert {repeat for repeat, _ in ensemble.by_fold} == {0}


def test_others_predictions_and_single_candidates_have_none():
    assert read_ensemble(replace(study([1.5, 1.4]), origin="folds")) is None
    assert read_ensemble(study([1.5])) is None


def test_numbers_are_averaged_by_their_mean():
    results = number_study()
    ensemble = read_ensemble(results)
    (repeat, fold), shares = next(iter(ensemble.by_fold.items()))
    rows = results.out_of_fold(next(iter(shares))).fold[repeat] == fold
    mean = sum(share * results.out_of_fold(name).answers[repeat, rows] for name, share in shares.items())
    assert np.allclose(ensemble.out_of_fold.answers[repeat, rows], mean)


def test_thresholds_of_members_are_averaged_too():
    results = study([1.5, 1.5], n=600, bias={"m0": [0.0, 0.8], "m1": [0.0, 0.4]})
    ensemble = read_ensemble(results)
    for (repeat, fold), shares in ensemble.by_fold.items():
        rows = results.out_of_fold("m0").fold[repeat] == fold
        added = 0.8 * shares.get("m0", 0) + 0.4 * shares.get("m1", 0)
        assert np.allclose(ensemble.out_of_fold.bias[repeat, rows], [0.0, added])


def test_the_winner_stays_a_single_candidate_and_draws_are_bounded_and_repeat():
    results = study([1.2] * 12, n=150)
    ensemble = read_ensemble(results)
    assert choose_winner(results) in {c.id for c in results.candidates}
    assert len(ensemble.members) <= DRAWS
    assert read_ensemble(study([1.2] * 12, n=150)).by_fold == ensemble.by_fold


def finding_of(results):
    (finding,) = [f for f in read_findings(results) if f.kind == "ensemble"]
    check(finding, results)
    return finding


SIZES = {"timm:m0": {"size_bytes": 10e6}, "timm:m1": {"size_bytes": 20e6}}
MACS = {"timm:m0": {"macs": 1e9}, "timm:m1": {"macs": 2e9}}


def test_the_report_says_that_an_average_is_better_and_what_it_costs():
    finding = finding_of(study([1.5, 1.5], n=800, models=MACS))
    assert (finding.verdict, finding.relation, finding.severity) == ("yes", "better", "evidence")
    assert "3.0 times the multiply-adds: it is better." in finding.sentence.en
    assert "乘加运算量为后者的 3.0 倍：平均确实更好。" in finding.sentence.zh
    assert "weigh run STUDY --set output.ensemble=always" in finding.sentence.en
    assert "trains its 2 members once more" in finding.sentence.en
    assert "weigh predict STUDY 文件 --ensemble" in finding.sentence.zh
    assert finding.estimates["difference"].low > 0


def test_a_small_member_does_not_come_for_nothing():
    work = {"timm:m0": {"macs": 1e9}, "timm:m1": {"macs": 3e7}}
    finding = finding_of(study([1.5, 1.5], n=800, models=work))
    assert "at 1.03 times the multiply-adds" in finding.sentence.en
    assert "乘加运算量为后者的 1.03 倍" in finding.sentence.zh


def test_an_average_that_is_not_shown_to_be_better_is_not_recommended():
    rng = np.random.default_rng(5)
    hard = rng.standard_normal((120, 2))
    finding = finding_of(study([1.5, 1.5], n=120, difficulty=hard, noise=0.6, seed=5))
    assert (finding.verdict, finding.severity, finding.next) == ("undecided", "detail", [])
    assert "not shown to be worth it" in finding.sentence.en
    assert "output.ensemble" not in finding.sentence.en
    assert finding.estimates["difference"].low < 0 < finding.estimates["difference"].high


def test_one_that_is_saved_is_told_with_its_score_on_the_test_part_and_an_older_one_as_older():
    rng = np.random.default_rng(0)
    part = simulate_target(rng, 60)
    test = {name: simulate_logits(rng, part, separation=1.5)[0] for name in ("m0", "m1")}
    results = study([1.5, 1.5], n=800, models=SIZES, test=test, test_target=part)
    shares = read_ensemble(results).members
    finding = finding_of(replace(results, averaged=shares))
    powers = [np.exp(one - one.max(axis=1, keepdims=True)) for one in test.values()]
    mean = sum(share * one / one.sum(axis=1, keepdims=True) for share, one in zip(shares.values(), powers, strict=True))
    right = mean.argmax(axis=1) == part
    recall = np.mean([right[part == k].mean() for k in (0, 1)])
    assert finding.estimates["test"].value == pytest.approx(recall)
    assert "It is saved beside the winner" in finding.sentence.en
    assert "with 30 MB of weights" in finding.sentence.en
    assert "on the test part (60 examples)" in finding.sentence.en
    saved = replace(results, averaged=shares)
    card = average_card(findings_file(saved), saved)
    (index,) = yaml.safe_load(card.split("---")[1])["model-index"]
    by_split = {one["dataset"]["split"]: one["metrics"][0]["value"] for one in index["results"]}
    assert by_split == pytest.approx(
        {"cross-validation": finding.estimates["score"].value, "test": finding.estimates["test"].value}, abs=1e-6
    )
    replaced = replace(results, averaged={"m0": 1.0})
    assert "model-index" not in average_card(findings_file(replaced), replaced), "its score is that of other members"
    older = finding_of(replace(results, averaged={"m0": 1.0}))
    assert "made before the last runs" in older.sentence.en
    assert "test" not in older.estimates


def test_times_of_the_members_are_added_up_apart_from_what_does_not_change():
    measured = {name: {"predict_seconds_per_example": 0.004, "train_seconds": 2.0} for name in ("m0", "m1")}
    finding = finding_of(study([1.5, 1.5], n=800, measured=measured))
    assert finding.measured["train_seconds"] == 4.0
    assert finding.measured["predict_milliseconds"] == pytest.approx(8.0)
    assert "takes 8 milliseconds" in finding.measured["sentence"]["en"]
    assert "milliseconds" not in finding.sentence.en


def test_the_luck_of_the_draws_is_the_jackknife_over_folds():
    results = study([1.2, 1.1, 1.0, 1.0], n=120, repeats=2, seed=1)
    ensemble = read_ensemble(results)
    metric = METRICS.get(results.spec.primary)
    runs = {name: results.out_of_fold(name) for name in ensemble.tried}
    by_repeat = []
    for repeat in range(2):
        scores = []
        for fold in range(5):
            shares = ensemble.by_fold[repeat, fold]
            means = [
                sum(share * runs[name].prediction(r).probabilities for name, share in shares.items()) for r in range(2)
            ]
            right = [mean.argmax(axis=1) == runs["m0"].target for mean in means]
            recalls = [[one[runs["m0"].target == k].mean() for k in (0, 1)] for one in right]
            scores.append(np.mean(recalls))
        by_repeat.append(4 / 5 * np.square(np.array(scores) - np.mean(scores)).sum())
    assert len({tuple(shares.items()) for shares in ensemble.by_fold.values()}) > 1
    assert ensemble.luck == pytest.approx(np.mean(by_repeat))
    assert ensemble.luck > 0
    plain = score_estimate(
        ensemble.out_of_fold.measured(metric), make_units(LABEL, runs["m0"].target), claim="this_data"
    )
    told = finding_of(results).estimates["score"]
    assert told.low < plain.low < plain.high < told.high


def test_members_that_are_the_same_in_every_fold_have_no_luck():
    assert read_ensemble(study([3.0, 0.0, 0.0], n=400)).luck == 0.0


def test_where_nobody_helps_the_best_stays_alone():
    finding = finding_of(study([3.0, 0.0, 0.0], n=400))
    assert (finding.verdict, finding.candidates) == ("no", ["m0"])
    assert "Of 3 candidates that could be averaged, none" in finding.sentence.en
    saved = finding_of(replace(study([3.0, 0.0, 0.0], n=400), averaged={"m0": 1.0}))
    assert "So what is saved as the average is m0 alone" in saved.sentence.en


def test_why_there_is_no_average_names_those_that_could_not_have_been_members():
    out = (Dropped("m1", "m0", 5, 10, 0.2, 0.1, 0.3, 300),)
    race = Race({"m0": 10, "m1": 10}, 5, (5, 10), 2, {"m0": 10, "m1": 5}, out, stop="one left", leader="m0")
    control = {"controls": ["m1"], "recipes": {"m1": "scratch"}}
    for results, words in (
        (study([1.5]), "candidates have"),
        (study([1.5, 3.0], **control), "candidates, controls aside, have"),
        (replace(study([1.5, 1.5]), race=race), "candidates, those that the race dropped aside, have"),
    ):
        wanted = results.spec.model_copy(update={"output": OutputSpec(ensemble="always")})
        told: list = []
        with notices_to(told.append):
            assert choose_average(replace(results, spec=wanted)) == {}
        assert [one.en for one in told] == [f"No average is saved: fewer than two {words} a complete repeat in common."]


def test_of_many_candidates_only_those_that_were_tried_are_said_not_to_help(monkeypatch):
    results = study([3.0, 0.0, 0.0, 0.0, 0.0], n=400)
    assert "Of 5 candidates that could be averaged, none made" in finding_of(results).sentence.en
    monkeypatch.setattr(ensembles, "MOST", 3)
    finding = finding_of(replace(results))
    assert finding.candidates == ["m0"]
    assert "Of 5 candidates that could be averaged, the 3 best were tried; none of them made" in finding.sentence.en
    assert "有 5 个，只试了其中最好的 3 个" in finding.sentence.zh
    assert finding.estimates["tried"].value == 3


def test_what_is_other_about_the_saved_average_is_said():
    results = study([1.5, 1.5], n=800)
    other = finding_of(replace(results, averaged={"m0": 0.9, "m1": 0.1})).sentence
    assert (
        "has the same members with other shares: it was made before the last runs. To save that of the present"
        in other.en
    )
    assert "成员相同而份额不同" in other.zh
    assert "other members" not in other.en
    alone = finding_of(replace(study([3.0, 0.0, 0.0], n=400), averaged={"m0": 0.5, "m1": 0.5})).sentence
    assert "has other members" in alone.en
    assert "trains its 1 member once more, on all training data, unless it is saved already" in alone.en


def test_an_average_is_not_said_to_lie_beside_a_winner_that_is_not_saved():
    results = study([1.5, 1.5], n=800)
    spec = results.spec.model_copy(update={"output": OutputSpec(refit=False, ensemble="always")})
    finding = finding_of(replace(results, spec=spec, averaged=read_ensemble(results).members))
    assert "It is saved: weigh predict STUDY FILE --ensemble" in finding.sentence.en
    assert "它已保存：用 weigh predict" in finding.sentence.zh


def test_a_winner_with_other_folds_than_the_average_is_said_to_have_them():
    (whole,) = find(study([1.5, 1.5], n=800))
    results = study([3.0, 1.5, 1.5], n=800, failed=[("m0", 0, 0, "x"), ("m0", 1, 1, "x")])
    (finding,) = find(results)
    check(finding, results)
    assert [row["candidate"] for row in finding.table][-1] == "m0"
    assert [row["on_other_folds"] for row in finding.table] == [False] * (len(finding.table) - 1) + [True]
    assert all("on_other_folds" not in row for row in whole.table)
    same = {one.outcome: one.detail for one in finding.assumptions if "same folds" in one.name.en}
    assert same["doubtful"].en == "Not all: the comparison uses the 8 runs (2 repeats) that both have."
    assert [one.outcome for one in whole.assumptions if "same folds" in one.name.en] == ["holds"]
