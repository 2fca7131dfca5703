"""A benchmark is a room of its own: what it registers completes a specification before the data are read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weigh.data.benchmarks import BENCHMARKS, Benchmark, complete_spec, submit
from weigh.language import text
from weigh.problem import Problem
from weigh.spec import DataSpec, StudySpec


@pytest.fixture
def benchmark():
    def complete(spec):
        if not spec.data.train.endswith("toy"):
            return spec, []
        metrics = spec.metrics.model_copy(update={"primary": spec.metrics.primary or "f1_macro"})
        note = Problem("toy", text("Recognised as the toy benchmark.", "识别为玩具基准。"), severity="note")
        return spec.model_copy(update={"metrics": metrics}), [note]

    entry = BENCHMARKS.register("toy", Benchmark("toy", text("toy", "玩具"), complete))
    yield entry
    del BENCHMARKS._entries["toy"]


def spec_of(train: str, **metrics) -> StudySpec:
    return StudySpec(data=DataSpec(train=train), models=["timm:resnet18"], recipes=["probe"], metrics=metrics)


def test_a_registered_benchmark_completes_what_the_user_left_open(benchmark):
    spec, problems = complete_spec(spec_of("folder/toy"))
    assert spec.metrics.primary == "f1_macro"
    assert [p.kind for p in problems] == ["toy"]
    assert complete_spec(spec_of("folder/toy", primary="accuracy"))[0].metrics.primary == "accuracy"
    assert complete_spec(spec_of("folder/other")) == (spec_of("folder/other"), [])


def test_only_benchmarks_that_keep_labels_are_asked_for_submissions(benchmark, tmp_path):
    assert submit(tmp_path, spec_of("folder/toy"), lambda texts: []) == []
    asked = []
    BENCHMARKS._entries["toy"] = replace(benchmark, submit=lambda *of: asked.append(of[0]) or [])
    assert submit(tmp_path, spec_of("folder/toy"), lambda texts: []) == []
    assert asked == [tmp_path]
