"""Words of a study.yaml and of `--set` that YAML or a keyboard changes: what is read, and what is answered."""

from __future__ import annotations

import pytest
import yaml

from weigh.errors import SpecError
from weigh.spec_yaml import apply_settings, dump_spec, load_spec, read_yaml

BASE = {"data": "photos/", "models": ["timm:resnet18"]}


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("data.positive=yes", "yes"), ("data.positive=No", "No"), ("data.positive=off", "off"), ("data.positive=true", "True"),
        ("data.positive=2024-05-01", "2024-05-01"), ("data.positive=2024-13-45", "2024-13-45"), ("data.positive=007", "007"), ("data.positive=-1", "-1"),
    ],
)  # fmt: skip
def test_names_of_classes_that_yaml_takes_for_something_else_are_read_as_written(setting, read):
    spec = load_spec(apply_settings({"data": "a", "models": ["timm:resnet18"]}, [setting]))
    assert spec.data.positive == read
    assert load_spec(yaml.safe_load(dump_spec(spec))) == spec


def test_what_is_on_or_off_takes_yes_and_no(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(
        "data: 2024-05-01\ndesign: {curve: yes, cleaned: no, stratify: Off, folds: 05}\nrun: {offline: on}\n"
    )
    spec = load_spec(read_yaml(path))
    assert (spec.data.train, spec.design.curve, spec.design.cleaned, spec.design.stratify) == (
        "2024-05-01",
        True,
        False,
        False,
    )
    assert (spec.design.folds, spec.run.offline) == (5, True)


def test_a_setting_of_several_types_is_one_mistake_under_its_own_name():
    with pytest.raises(SpecError) as caught:
        load_spec({"data": {"train": "a", "classes": True}})
    assert "data.classes: True must be text or a list or a section with settings." in caught.value.render("en")
    assert "problems" not in caught.value.render("en")
    assert "文本或列表" in caught.value.render("zh")


def test_a_recipe_that_the_study_has_not_is_answered_with_those_that_it_has():
    with pytest.raises(SpecError, match="no recipe 'finetun'") as caught:
        apply_settings(
            {**BASE, "recipes": ["probe", {"name": "finetune", "label": "slow"}, 5]}, ["recipes.finetun.epochs=3"]
        )
    assert caught.value.do is not None
    assert caught.value.do.en == "It has: probe, slow."


def test_a_mistyped_study_is_answered_with_the_file_beside_it(tmp_path):
    (tmp_path / "study.yaml").write_text("data: a\n")
    with pytest.raises(SpecError, match="cannot be read") as caught:
        read_yaml(tmp_path / "stduy.yaml")
    assert caught.value.do is not None
    assert str(tmp_path / "study.yaml") in caught.value.do.en


@pytest.mark.parametrize(
    "setting", ["design.test=.nan", "metrics.rope=.inf", "design.level=nan", "recipes.finetune.learning_rate=nan"]
)
def test_what_is_no_number_is_refused_although_no_comparison_with_a_limit_fails(setting):
    with pytest.raises(SpecError, match="is not a finite number") as caught:
        load_spec(apply_settings({**BASE, "recipes": ["finetune"]}, [setting]))
    assert setting.partition("=")[0] in caught.value.render("zh")


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(?P<a>x)(?P<a>y)"])
def test_a_pattern_that_python_cannot_read_is_refused(pattern):
    with pytest.raises(SpecError, match="is no regular expression"):
        load_spec({"data": {"train": "a", "group_pattern": pattern}})


def test_a_blank_behind_the_colon_of_an_address_is_told(tmp_path):
    (tmp_path / "study.yaml").write_text("data: a\nmodels:\n  - timm: resnet18\n")
    with pytest.raises(SpecError) as caught:
        load_spec(read_yaml(tmp_path / "study.yaml"))
    assert "models.0: {…} must be text. A blank behind a colon makes two words of one: write 'timm:resnet18'." in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("content", "en", "zh"),
    [
        ({"data": {"train": ""}}, "data.train: it is empty", "data.train：为空"),
        ({"data": {"train": "a", "encoding": "klingon"}}, "no encoding called 'klingon'", "没有名为“klingon”的编码"),
        ({"data": {"train": "a", "group_pattern": "("}}, "it is no regular expression", "不是正则表达式"),
        ({"data": {"train": "a", "label": "x", "columns": {"label": "y"}}}, "name different columns", "指定了不同的列"),
        ({**BASE, "design": {"vary": ["split", "split"]}}, "may be named once", "只能列出一次"),
        ({**BASE, "pretrain": {}}, "give either texts or pictures", "之一"),
        ({**BASE, "models": ["timm:a", "timm:a"]}, "models: timm:a is listed twice", "timm:a 列出了两次"),
    ],
)
def test_what_our_own_checks_say_is_said_in_both_languages(content, en, zh):
    with pytest.raises(SpecError) as caught:
        load_spec(content)
    assert en in caught.value.render("en")
    assert zh in caught.value.render("zh")
    assert en not in caught.value.render("zh")
    assert "{…}" not in caught.value.render("en")


@pytest.mark.parametrize(
    ("setting", "meant"),
    [("folds=3", "design.folds"), ("label=stars", "data.columns.label"), ("data.group=site", "data.columns.group"), ("design.fold=3", "folds")],
)  # fmt: skip
def test_a_setting_of_another_section_is_named_with_it(setting, meant):
    with pytest.raises(SpecError, match=rf"there is no such setting\. Did you mean '{meant}'\?"):
        load_spec(apply_settings({"data": "a"}, [setting]))
