"""Where runs differ from: planted sources are found, sources that were not crossed are not told apart."""

from __future__ import annotations

import numpy as np

from tests.findings.planned import add_runs
from tests.findings.reading import by_id, check
from tests.findings.synthetic import assign_folds, make_results, simulate_logits, simulate_target
from weigh.findings.stability import variation


def study(*, effects, n=1000, repeats=3, crossed=2, recipe="finetune", seed=0, cells=None, names=("m",), **options):
    """Runs whose separation has a random part per fold and source; crossed runs draw the part of one source anew."""
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n)
    fold = assign_folds(rng, target, 5, repeats)
    sources = ("init", "order", "augmentation")

    def draw(source):
        return rng.normal(0, effects.get(source, 0.0), (repeats, 5))

    hard = rng.standard_normal((n, 2))
    studies, extra = {}, []
    for name in names:
        parts = {s: draw(s) for s in ("split", *sources)}

        def logits(parts):
            shift = 1.5 + sum(parts.values())
            made = simulate_logits(rng, target, separation=0.0, repeats=repeats, noise=0.3, difficulty=hard)
            per_example = np.take_along_axis(shift, fold.astype(int), axis=1)
            made[:, np.arange(n), target] += per_example
            return made

        studies[name] = logits(parts)
        for source in sources:
            for number in range(1, crossed):
                extra.append((name, f"{source}:{number}", logits({**parts, source: draw(source)})))
    results = make_results(studies, target, fold=fold, recipes=dict.fromkeys(names, recipe), **options)
    for name, variant, made in extra:
        results = add_runs(results, name, "components", made, variant=variant)
    return results


def test_the_planted_source_has_the_largest_share():
    results = study(effects={"init": 0.6}, repeats=5, crossed=3, n=2000)
    found = by_id(variation.find(results))["variation"]
    check(found, results)
    shares = {k.partition(":")[2]: e for k, e in found.estimates.items() if k.startswith("share:")}
    assert set(shares) == {"evaluation", "split", "init", "order", "augmentation"}
    assert max(shares, key=lambda s: shares[s].value) == "init"
    assert shares["init"].low > 25
    assert "that of the initialisation matters most" in found.sentence.en
    assert shares["order"].high < 20
    assert found.verdict == "yes"  # repeats average it
    assert found.claim == "this_data"
    assert abs(sum(s.value for s in shares.values()) - 100) < 1e-6


def test_without_crossed_seeds_it_says_how_to_tell_them_apart():
    results = study(effects={"init": 0.3}, crossed=1)
    found = by_id(variation.find(results))["variation"]
    check(found, results)
    assert "share:split and seeds" in found.estimates
    assert "cannot be told apart" in found.sentence.en
    assert any("design.crossed" in item.en for item in found.next)


def test_a_head_has_only_the_split():
    results = study(effects={"split": 0.3}, crossed=1, recipe="probe")
    found = by_id(variation.find(results))["variation"]
    check(found, results)
    assert "share:split" in found.estimates
    assert "Nothing but the split varies" in found.sentence.en
    assert not any("crossed" in item.en for item in found.next)


def test_examples_that_explain_everything_ask_for_examples():
    results = study(effects={}, repeats=5, crossed=1, recipe="probe")
    found = by_id(variation.find(results))["variation"]
    check(found, results)
    assert found.verdict == "no"
    assert "more examples would" in found.sentence.en
    assert any("collect more examples" in item.en for item in found.next)


def test_loud_runs_ask_for_repeats():
    results = study(effects={"init": 2.0}, repeats=2, n=2000, crossed=1)
    found = by_id(variation.find(results))["variation"]
    check(found, results)
    assert found.verdict == "yes"
    assert any("design.repeats" in item.en for item in found.next)


def test_one_repeat_of_few_folds_is_undecided():
    results = study(effects={"init": 0.4}, repeats=1, n=300, crossed=1)
    found = by_id(variation.find(results))["variation"]
    check(found, results)
    assert found.verdict == "undecided"


def test_tiny_folds_say_so_and_failed_runs_are_survived():
    results = study(effects={}, n=15, crossed=2)
    found = by_id(variation.find(results))["variation"]
    check(found, results)
    assert found.verdict == "undecided"
    results = study(
        effects={"init": 0.5}, failed=[("m", 0, 4, "x"), ("m", 1, 4, "x"), ("m", 2, 4, "x"), ("m", 1, 0, "x")]
    )
    found = by_id(variation.find(results))["variation"]
    check(found, results)
    assert found.estimates["runs"].value == 11


def test_the_best_crossed_candidate_is_reported_beside_a_winner_without():
    results = study(effects={"init": 0.5}, names=("a", "b"))
    winner = results.winner
    from dataclasses import replace

    kept = tuple(r for r in results.records if r.purpose != "components" or r.candidate != winner)
    found = by_id(variation.find(replace(results, records=kept)))
    other = "a" if winner == "b" else "b"
    assert set(found) == {"variation", f"variation:{other}"}
    for finding in found.values():
        check(finding, results)


def test_the_same_records_give_the_same_finding():
    a, b = (variation.find(study(effects={"init": 0.5}))[0] for _ in range(2))
    assert a == b


def test_runs_that_all_score_alike_have_no_sources():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 200)
    logits = {"m": simulate_logits(rng, target, separation=40.0, repeats=3)}
    finding = by_id(variation.find(make_results(logits, target)))["variation"]
    assert finding.verdict == "undecided"
    assert "practically alike" in finding.sentence.en
    assert not finding.next


def test_a_class_of_a_few_examples_is_too_little_to_say():
    rng = np.random.default_rng(1)
    target = simulate_target(rng, 200, [0.97, 0.03])
    logits = {"m": simulate_logits(rng, target, separation=1.5, repeats=5)}
    finding = by_id(variation.find(make_results(logits, target, metrics={"primary": "auroc"})))["variation"]
    assert finding.verdict == "undecided"
    assert not finding.next
