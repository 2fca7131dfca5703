"""Everything registered passes the contracts that are offered to plugins, and the contracts can fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from weigh.findings.registry import FINDINGS
from weigh.metrics.base import METRICS
from weigh.run import RECIPES, Options
from weigh.testing.contracts import check_finding, check_metric, check_recipe


@pytest.mark.parametrize("name", list(METRICS))
def test_metrics(name):
    check_metric(METRICS.get(name))


@pytest.mark.parametrize("name", list(RECIPES))
def test_recipes(name):
    check_recipe(RECIPES.get(name))


@pytest.mark.parametrize("name", list(FINDINGS))
def test_findings(name, finished):
    check_finding(FINDINGS.get(name), finished.results())


def test_the_contract_of_metrics_can_fail():
    accuracy = METRICS.get("accuracy")
    with pytest.raises(AssertionError, match="NaN"):
        check_metric(replace(accuracy, reduce=lambda s, w: np.nan_to_num(accuracy.reduce(s, w))))
    with pytest.raises(AssertionError, match="copies"):
        check_metric(replace(accuracy, reduce=lambda s, w: accuracy.reduce(s, w * w)))
    iou = METRICS.get("mean_iou")
    with pytest.raises(AssertionError, match="without a unit"):
        check_metric(replace(iou, without=lambda s, unit, m: iou.without(s, (unit + 1) % m, m)))


def test_the_contract_of_recipes_can_fail():
    class Labelled(Options):
        label: str = "red"

    class Augmented(Options):
        views: int = 2
        epochs: int = 1
        augment: str = "light"

    with pytest.raises(AssertionError, match="settings of every recipe"):
        check_recipe(replace(RECIPES.get("probe"), options={"pictures": Labelled}))
    with pytest.raises(AssertionError, match="views"):
        check_recipe(replace(RECIPES.get("finetune"), frozen="last-stage"))
    with pytest.raises(AssertionError, match="augmented"):
        check_recipe(replace(RECIPES.get("last-stage"), options={"pictures": Augmented}))
