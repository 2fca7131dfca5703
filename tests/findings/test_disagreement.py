"""What one part of the report knows, the others do not deny: the test part, further sets, dependence, few repeats, rounded ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.findings.reading import by_id, check
from tests.findings.studies import file_of, pictures, results_of, shifted, waiting
from weigh.findings.amounts import amount
from weigh.findings.evidence import read_evidence
from weigh.findings.file import findings_file
from weigh.findings.generalisation.independent_test import GIVE_A_TEST
from weigh.report.quantities import show_estimate
from weigh.report.story import tell
from weigh.report.words import WORDS
from weigh.stats.agreement import both_together
from weigh.stats.estimate import Estimate

# ---- the test part and the choice


def test_a_choice_that_the_test_part_contradicts_is_taken_back():
    for name in ("contradicted", "fallen"):
        found = by_id(file_of(name).findings)
        choice, top = found["generalisation:choice"], found["verdict"]
        assert (choice.verdict, choice.severity) == ("no", "problem")
        assert top.verdict == "undecided"
        assert "On the test part m1 is better" in top.sentence.en
        assert "在测试部分上，m1 更好" in top.sentence.zh
        assert any(point.finding is choice for point in tell(file_of(name)).may)
        assert any("Do not choose between" in item.en for item in found["advice"].next[:3])


def test_a_choice_that_the_test_part_confirms_stays():
    found = by_id(file_of("clear").findings)
    assert found["generalisation:choice"].verdict == "yes"
    assert found["verdict"].verdict == "yes"
    assert "test part" not in found["verdict"].sentence.en


def test_opposite_directions_are_said_though_nothing_is_settled():
    """2.6 points ahead in cross-validation, behind on a small test part: the headline says both."""
    results = pictures((2.3, 2.0), n=900, repeats=5, test=80, tested=(2.0, 2.7), seed=1)
    found = by_id(findings_file(results).findings)
    choice, top = found["generalisation:choice"], found["verdict"]
    check(choice, results)
    check(top, results)
    assert choice.verdict == "undecided"
    assert "opposite directions" in choice.sentence.en
    assert "opposite directions" in top.sentence.en


def test_both_together_is_the_mean_weighted_by_precision():
    one = Estimate(value=2.8, low=0.04, high=5.56, unit="points")
    other = Estimate(value=-3.4, low=-8.1, high=1.3, unit="points")
    both = both_together(one, other)
    weights = np.array([1 / 2.76**2, 1 / 4.7**2])
    assert both.value == pytest.approx(np.average([2.8, -3.4], weights=weights))
    assert both.high - both.value == pytest.approx(1 / np.sqrt(weights.sum()))
    assert both.low < 0 < both.high
    assert both_together(one, other.model_copy(update={"low": None, "high": None})) is None


# ---- what was measured is not denied


def test_further_sets_stand_in_the_headline_and_proven_drops_are_conclusions():
    file = file_of("moved")
    found, story = by_id(file.findings), tell(file)
    drop = found["shift:winter"]
    assert drop.verdict == "no"
    assert drop.estimates["second"].format() in found["verdict"].sentence.en
    assert drop.estimates["second"].format() in found["verdict"].sentence.zh
    assert "no other source" not in found["advice"].sentence.en
    assert "没有测过其他来源" not in found["advice"].sentence.zh
    assert "other sources than 'winter'" in found["advice"].sentence.en
    assert story.may[0].finding is drop
    assert all(point.finding is not drop for point in story.may_not)


def test_sets_that_were_not_reached_are_said_to_wait():
    file = findings_file(waiting(shifted(pictures(test=200), "winter", "night")))
    said = by_id(file.findings)["advice"].sentence
    assert "'winter', 'night' (given, but not scored yet)" in said.en
    assert "“winter”、“night”" in said.zh


def failing():
    results = pictures(test=100)
    broken = tuple(
        replace(run, status="failed", cause="out of memory") if run.purpose == "refit" else run
        for run in results.records
    )
    return replace(results, records=broken)


def constant():
    results = pictures(test=100)
    target = results.examples.target.copy()
    target[results.examples.part == "test"] = 0
    return replace(results, examples=replace(results.examples, target=target))


@pytest.mark.parametrize(
    ("results", "en", "zh"),
    [
        (waiting(pictures(test=100)), "has not been scored yet", "尚未评分"),
        (failing(), "failed (out of memory)", "失败（out of memory）"),
        (constant(), "not defined on the test part", "没有定义"),
        (pictures(), "There is no test part", "没有测试部分"),
    ],
    ids=["not reached", "refit failed", "one class", "none"],
)
def test_why_there_is_no_score_on_a_test_part(results, en, zh):
    if en.startswith("not defined"):
        results = replace(results, spec=results.spec.model_copy(update={"metrics": AUROC}))
    file = findings_file(results)
    found = by_id(file.findings)["generalisation:test"]
    check(found, results)
    assert en in found.sentence.en
    assert zh in found.sentence.zh
    given = len(results.examples.where("test")) > 0
    assert (GIVE_A_TEST.en in {item.en for item in by_id(file.findings)["advice"].next}) != given
    said = [point.sentence.en for point in tell(file).may_not]
    assert (WORDS["missing_claim_test"].en in said) != given
    assert (WORDS["missing_claim_test_waits"].en in said) == given


AUROC = pictures(metrics={"primary": "auroc"}).spec.metrics

# ---- one pair, one verdict


def test_the_cleaned_check_gives_its_reason_where_fewer_repeats_show_less():
    file = file_of("clean-fewer")
    found = by_id(file.findings)
    pair, cleaned = found["comparison:m0:m1"], found["cleaned"]
    assert pair.relation == "better"
    assert cleaned.verdict == "undecided"
    assert "With all 10 repeats of the study" in cleaned.sentence.en
    assert "open in both cases" not in cleaned.sentence.en
    assert cleaned.estimates["difference"].format() == pair.estimates["difference"].format()
    assert "全部 10 次重复" in cleaned.sentence.zh


def test_the_order_check_does_not_clear_a_score_that_falls_below_its_interval():
    """AUROC near 1 cannot fall; a threshold that fits no block halves the accuracy all the same."""
    rng = np.random.default_rng(0)
    n = 1000
    target = rng.permutation(np.arange(n) % 2)
    sure = np.zeros((1, n, 2), np.float32)
    sure[0, np.arange(n), target] = 6 + rng.normal(size=n)
    from tests.findings.synthetic import assign_folds, contiguous_folds, make_results

    off = sure.copy()
    off[..., 0] += 5.5
    checks = {
        "m0": {
            "fifths": (off, contiguous_folds(np.arange(n), 5)),
            "blocks:8": (off, contiguous_folds(np.arange(n), 5, 8)),
        }
    }
    results = make_results({"m0": sure}, target, fold=assign_folds(rng, target, 5, 1), order_checks=checks)
    found = by_id(findings_file(results).findings)["order"]
    check(found, results)
    assert found.verdict == "undecided"
    assert "no all-clear" in found.sentence.en
    assert "balanced accuracy" in found.sentence.en
    assert by_id(file_of("order-clear").findings)["order"].verdict == "yes"


def test_the_headline_says_by_how_much_its_interval_is_too_narrow():
    found = by_id(file_of("alike").findings)
    factor = found["order:neighbours"].estimates["factor"]
    assert factor.low > 1
    assert f"about {factor.format(1)} times as wide" in found["verdict"].sentence.en
    assert found["verdict"].assumptions[0].outcome == "doubtful"
    assert "times as wide" not in by_id(file_of("clear").findings)["verdict"].sentence.en


def test_a_lead_that_wider_intervals_do_not_show_is_not_settled():
    results = pictures((2.0, 1.85), n=800, alike=0.9, repeats=5, seed=1)
    evidence = read_evidence(results)
    gain = evidence.comparisons.of("m0", "m1")
    assert gain.relation == "better"
    found = by_id(findings_file(results).findings)
    top, pair = found["verdict"], found["comparison:m0:m1"]
    check(top, results)
    assert top.verdict == "undecided"
    assert "lead over the runner-up is not settled" in top.sentence.en
    check(pair, results)
    factor = found["order:neighbours"].estimates["factor"].format(1, 1.0)
    assert f"with an interval about {factor} times as wide this would not be settled" in pair.sentence.en
    check(found["comparison:matrix"], results)
    assert found["comparison:matrix"].verdict == "undecided"
    assert "1 settled pair would not be settled" in found["comparison:matrix"].sentence.en
    far = by_id(findings_file(pictures((2.0, 0.5), n=800, alike=0.9, repeats=5, seed=1)).findings)["comparison:m0:m1"]
    assert far.relation == "better"
    assert "would not be settled" not in far.sentence.en


# ---- ends that show their signs


@pytest.mark.parametrize(("low", "high"), [(0.04, 5.7), (-0.04, 2.8), (0.0004, 3.1), (-3.0, -0.00002), (0.0, 2.8)])
@pytest.mark.parametrize("unit", ["points", "score", "nats"])
def test_an_end_that_is_not_zero_is_not_written_as_zero(low, high, unit):
    estimate = Estimate(value=(low + high) / 2, low=low, high=high, unit=unit)
    for written in (amount(estimate).en, amount(estimate).zh, show_estimate(estimate, "zh"), estimate.format(1)):
        ends = [float(end) for end in written[written.index("[") + 1 : written.index("]")].split(",")]
        for end, truth in zip(ends, (low, high), strict=True):
            assert np.sign(end) == np.sign(truth), written


def test_better_and_undecided_never_print_the_same_ends():
    for name in ("clean-fewer", "many", "restless"):
        for finding in file_of(name).findings:
            estimate = finding.estimates.get("difference")
            if (
                finding.kind == "comparison"
                and finding.relation in ("better", "undecided")
                and estimate
                and estimate.low is not None
            ):
                shown = show_estimate(estimate, "en")
                low = float(shown[shown.index("[") + 1 :].split(",")[0])
                assert (low > 0) == (finding.relation == "better"), shown


# ---- a lost array of one part


def test_a_study_that_lost_an_array_keeps_its_verdict():
    """The ledger hands such runs over as unfinished; the headline does not depend on the order check."""
    results = results_of("order-alarm")
    kept = tuple(run for run in results.records if run.purpose != "order-check" or run.fold)
    lost = replace(results, records=kept, unfinished={"m0": 2})
    file = findings_file(lost)
    assert not [finding for finding in file.findings if finding.kind == "internal"]
    top = tell(file).headline
    assert "balanced accuracy is" in top.sentence.en
    assert "no verdict" not in top.sentence.en
