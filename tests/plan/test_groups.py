"""Groups and rare classes: what a design cannot measure is said, or refused, before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest

from weigh.cli.main import main
from weigh.errors import DataError, DesignError
from weigh.plan.prepare import prepare
from weigh.plan.runs import plan_runs
from weigh.spec_yaml import apply_settings, load_spec

WORDS = [
    "beach",
    "loan",
    "suitcase",
    "pancake",
    "cheese",
    "curry",
    "train",
    "museum",
    "ticket",
    "invoice",
    "salad",
    "harbour",
    "bread",
    "bill",
    "tent",
    "rice",
]


def _table(path, rows, header="text,label,site"):
    """Rows of (label, site) with texts that are all different."""
    rng = np.random.default_rng(0)
    lines = [
        f"{' '.join(rng.choice(WORDS, 6, replace=False))} {i * 7919 % 1000},{label},{site}"
        for i, (label, site) in enumerate(rows)
    ]
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


def _prepare(path, *settings):
    content = apply_settings(
        {"data": {"train": str(path)}, "models": ["hf:none"], "run": {"offline": True}}, list(settings)
    )
    return prepare(load_spec(content))


def _kinds(prepared):
    return {p.kind: p for p in prepared.problems}


MIXED = [(("food", "trip")[i % 2], f"s{i // 8}") for i in range(48)]


@pytest.mark.parametrize(
    ("rows", "lone"),
    [
        ([(f"c{i % 3}", f"from_c{i % 3}") for i in range(45)], ["c0", "c1", "c2"]),  # the group is the class
        ([(f"c{i % 2}", f"from_c{i % 2}") for i in range(40)], ["c0", "c1"]),
        ([("a", f"s{i % 6}") for i in range(30)] + [("b", "s0")] * 10, ["b"]),  # one class left to train
        ([(f"c{i % 4}", f"{i % 4}" if i % 4 else f"s{i}") for i in range(80)], ["c1", "c2", "c3"]),
    ],
)
@pytest.mark.parametrize("setting", ["design.group_by=site", "data.columns.group=site"])
def test_a_design_that_tests_only_classes_it_did_not_train_is_refused(tmp_path, rows, lone, setting):
    path = _table(tmp_path / "t.csv", rows)
    with pytest.raises(DataError) as caught:
        _prepare(path, setting)
    assert all(name in str(caught.value) for name in lone)
    assert "leave design.group_by out" in str(caught.value)
    assert "never-trained" not in _kinds(_prepare(path))  # the advice works


def test_the_command_says_it_before_training(tmp_path, capsys):
    path = _table(tmp_path / "t.csv", [(f"c{i % 3}", f"from_c{i % 3}") for i in range(45)])
    code = main(
        [
            "run",
            str(path),
            "--set",
            "design.group_by=site",
            "--models",
            "hf:none",
            "--yes",
            "-q",
            "--output",
            str(tmp_path / "s"),
        ]
    )
    assert code == 2
    assert "c0 (15), c1 (15), c2 (15)" in capsys.readouterr().err


def test_a_class_of_one_group_among_others_is_a_warning_that_names_it(tmp_path):
    path = _table(tmp_path / "t.csv", [*MIXED, *[("rare", "s1")] * 5])
    problem = _kinds(_prepare(path, "design.group_by=site", "design.folds=3"))["never-trained"]
    assert problem.severity == "warning"
    assert [d["class"] for d in problem.details] == ["rare"]
    assert "rare (5)" in problem.sentence.en
    assert "never-trained" not in _kinds(_prepare(path, "design.folds=3"))


@pytest.mark.parametrize("copies", [1, 4])
def test_a_class_of_one_example_cannot_be_trained_and_tested(tmp_path, copies):
    path = _table(tmp_path / "t.csv", MIXED)
    with path.open("a") as file:
        file.write("the only one of its kind in this table,rare,s1\n" * copies)
    problem = _kinds(_prepare(path))["never-trained"]
    assert "single example" in problem.sentence.en
    assert [d["class"] for d in problem.details] == ["rare"]


VALUES = {
    "unique": lambda i: f"id{i}",
    "fractional": lambda i: f"{(i // 4) + 0.5}",
    "many fractions": lambda i: f"{i // 2 / 8}",
    "long": lambda i: f"https://example.org/{'a' * 120}/{i // 4}",
    "long and different at the end only": lambda i: "x" * 5000 + str(i // 6),
    "dates": lambda i: f"2024-01-{i // 4 + 1:02d}T10:00:00",
    "words": lambda i: f'"a, {"b " * 70}{i // 8}"',
}


@pytest.mark.parametrize("how", VALUES)
def test_any_column_that_is_there_can_group(tmp_path, how):
    value = VALUES[how]
    path = _table(tmp_path / "t.csv", [(("food", "trip")[i % 2], value(i)) for i in range(48)])
    prepared = _prepare(path, "design.group_by=site")
    group = prepared.examples.group
    assert len(np.unique(group)) == len({value(i) for i in range(48)})
    assert [group[i] == group[j] for i in range(8) for j in range(48)] == [
        value(i) == value(j) for i in range(8) for j in range(48)
    ]
    assert group.dtype.itemsize <= 4 * 120  # bytes per example
    assert ("groups" in _kinds(prepared)) == (how == "unique")


def test_pictures_too(tmp_path):
    from tests.data.picture_files import folder

    folder(tmp_path, [f"p/{i}.png" for i in range(12)])
    lines = [f"p/{i}.png,{'ab'[i % 2]},{i // 4 + 0.25}" for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,depth", *lines]))
    content = {"data": {"train": str(tmp_path / "t.csv")}, "models": ["timm:resnet18"], "run": {"offline": True}}
    spec = load_spec(apply_settings(content, ["design.group_by=depth", "design.folds=3"]))
    assert sorted(set(prepare(spec).examples.group)) == ["0.25", "1.25", "2.25"]


def test_a_column_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DesignError, match="no column 'sight'"):
        _prepare(_table(tmp_path / "t.csv", MIXED), "design.group_by=sight")


def test_empty_cells_are_no_group(tmp_path):
    path = _table(tmp_path / "t.csv", [(label, site if i % 3 else "") for i, (label, site) in enumerate(MIXED)])
    group = _prepare(path, "design.group_by=site", "design.folds=3").examples.group
    assert len(np.unique(group)) == 6 + 16


def _plan(prepared):
    from weigh.plan.candidates import cross_candidates

    return plan_runs(prepared.examples, prepared.spec, cross_candidates(prepared.spec), copies=prepared.copies)


def test_too_few_groups_and_the_advice_works(tmp_path):
    path = _table(tmp_path / "t.csv", [(("food", "trip")[i % 2], f"s{i // 24}") for i in range(48)])
    with pytest.raises(DesignError) as caught:
        _plan(_prepare(path, "design.group_by=site"))
    assert "5 parts need as many groups; the data have 2" in str(caught.value)
    assert "--set design.folds=2" in str(caught.value)
    assert _plan(_prepare(path, "design.group_by=site", "design.folds=2")).runs


def test_nobody_grouped_and_no_group_is_mentioned(tmp_path):
    """All texts are copies of three: what is too few are different examples."""
    rows = ["the beach was lovely in the early morning light,trip", "a plate of rice and beans for two people,food", "an invoice for a long train ride,money"]  # fmt: skip
    (tmp_path / "t.csv").write_text(
        "text,label\n" + "\n".join(rows[i % 2] for i in range(40)) + "\n" + rows[2] + "\n" + rows[2]
    )
    with pytest.raises(DataError) as caught:
        _prepare(tmp_path / "t.csv")
    assert "single example (copies count once)" in str(caught.value)
    assert "group" not in str(caught.value).casefold()


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("b_group_is_class.csv", ["design.group_by=site"], "stand in one group only: 3 of 3"),
        ("c_two_groups.csv", ["design.group_by=site"], "stand in one group only: 2 of 2"),
        ("d_single_example.csv", [], "single example"),
        ("e_group_per_row.csv", ["design.group_by=site"], "a group of its own"),
        ("f_two_of_each.csv", [], "Some folds do not test them"),
    ],
)
def test_cases_of_groups(shared, name, settings, words):
    path = shared / "cases" / "c18_groups" / name
    try:
        said = " ".join(p.sentence.en for p in _prepare(path, *settings).problems)
    except DataError as error:
        said = str(error)
    assert words in said


@pytest.mark.parametrize("name", ["group_dates.csv", "group_long.csv"])
def test_variations_of_groups(shared, name):
    group = _prepare(shared / "cases" / "v" / name, "design.group_by=site").examples.group
    assert len(np.unique(group)) > 2
