"""Contracts that everything registered must pass. Plugins run them on their own entries:

    from weigh.testing.contracts import check_metric
    def test_my_metric(): check_metric(METRICS.get("my_metric"))

Each raises AssertionError with what is broken.
"""

from __future__ import annotations

import numpy as np

from weigh.findings.model import Finding
from weigh.kinds.base import KINDS
from weigh.metrics.base import Metric
from weigh.record.results import Results
from weigh.run import Recipe
from weigh.spec import RecipeSpec

__all__ = ["check_finding", "check_metric", "check_recipe"]


def check_metric(metric: Metric, *, n: int = 60, classes: int = 3) -> None:
    """Weights behave like copies, any number of weight rows at once, order does not matter, nothing is changed in place."""
    assert metric.title.en, f"{metric.name}: no title"
    assert metric.title.zh, f"{metric.name}: no Chinese title"
    assert metric.kinds <= set(KINDS), f"{metric.name}: unknown kind"
    assert metric.rope >= 0, f"{metric.name}: a region of equivalence is not negative"
    assert metric.kinds, f"{metric.name}: accepts no target"
    rng = np.random.default_rng(0)
    for kind in sorted(metric.kinds):
        prediction, target = KINDS.get(kind).draw(rng, n, classes)
        statistics = metric.within(target).measure(prediction, target)
        kept = statistics.copy()
        assert statistics.ndim == 2, f"{metric.name}: statistics are (n, k)"
        assert len(statistics) == n, f"{metric.name}: one row of statistics per example"
        weights = rng.integers(0, 4, (5, n)).astype(np.float64)
        scores = metric.reduce(statistics, weights)
        assert scores.shape == (5,), f"{metric.name}: one score per row of weights"
        for row, score in zip(weights, scores, strict=True):
            copies = np.repeat(np.arange(n), row.astype(int))
            _same(metric, "a weight is so many copies", score, metric.reduce(statistics[copies], np.ones(len(copies))))
            _same(metric, "rows of weights do not touch each other", score, metric.reduce(statistics, row))
        shuffled = rng.permutation(n)
        _same(
            metric,
            "the order of examples does not matter",
            scores[0],
            metric.reduce(statistics[shuffled], weights[0, shuffled]),
        )
        _same(metric, "the scale of weights does not matter", scores[0], metric.reduce(statistics, 7.5 * weights[0]))
        if metric.without is not None:
            unit = rng.integers(0, 7, n)
            left = metric.reduce(statistics, (unit != np.arange(7)[:, None]).astype(np.float64))
            _same(metric, "without a unit is with its weights at 0", metric.without(statistics, unit, 7), left)
        assert np.isnan(metric.reduce(statistics, np.zeros(n))), (
            f"{metric.name}: without weight the score is NaN, not a number"
        )
        assert (statistics == kept).all(), f"{metric.name}: reduce changed its input"


def _same(metric: Metric, rule: str, a, b) -> None:
    assert np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True), f"{metric.name}: {rule} ({a} and {b})"


def check_recipe(recipe: Recipe) -> None:
    """Its defaults are settings that exist and are valid, and its work can be found."""
    from importlib import import_module

    defaults_of = [options().model_dump() for options in recipe.options.values()]
    assert defaults_of, f"{recipe.name}: for nothing that a model reads"
    assert recipe.trains in ("head", "network"), f"{recipe.name}: trains"
    for defaults in defaults_of:
        own = RecipeSpec.model_fields.keys()
        assert not defaults.keys() & own, f"{recipe.name}: {defaults.keys() & own} are settings of every recipe"
        assert recipe.trains == "head" or "epochs" in defaults, (
            f"{recipe.name}: a network is trained for a number of epochs"
        )
    if recipe.low_rank:
        assert recipe.trains == "network", f"{recipe.name}: adapters are trained as a network is"
        assert recipe.pretrained, f"{recipe.name}: random weights are not adapted"
        assert all({"rank", "alpha", "dropout", "targets"} <= defaults.keys() for defaults in defaults_of), (
            f"{recipe.name}: adapters have a rank, alpha, dropout and targets"
        )
    if recipe.frozen:  # what is predicted and cached of a frozen part counts its views, and is of pretrained weights
        assert recipe.trains == "network", f"{recipe.name}: a frozen part leaves a network to train"
        assert recipe.pretrained, f"{recipe.name}: random weights are not frozen"
        for options in defaults_of:
            assert "views" in options, f"{recipe.name}: a frozen part is kept in so many views"
            assert "augment" not in options, f"{recipe.name}: kept activations cannot be augmented"
    module, function = recipe.fit.split(":")
    assert callable(getattr(import_module(module), function)), f"{recipe.name}: {recipe.fit} is not there"


def check_finding(find, results: Results) -> list[Finding]:
    """Both languages, numbers backed by estimates, a relation has a claim, the same records give the same findings."""
    findings = find(results)
    assert [f.model_dump_json() for f in find(results)] == [f.model_dump_json() for f in findings], (
        "the same records gave other findings"
    )
    for finding in findings:
        assert finding.sentence.en.strip(), f"{finding.id}: no sentence"
        assert finding.sentence.zh.strip(), f"{finding.id}: no Chinese sentence"
        assert finding.relation is None or finding.claim is not None, f"{finding.id}: a relation without a claim"
        for name, estimate in finding.estimates.items():
            if estimate.low is not None and estimate.high is not None:
                assert estimate.low <= estimate.high, f"{finding.id}: {name} has its ends the wrong way round"
    assert len({finding.id for finding in findings}) == len(findings), "two findings share an id"
    return findings
