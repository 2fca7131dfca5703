"""`--set recipes.NAME.FIELD` where no recipes are named: it speaks of those that run by themselves for the task."""

from __future__ import annotations

import pytest

from weigh.errors import SpecError
from weigh.spec_recipes import recipes_of_study
from weigh.spec_yaml import apply_settings, load_spec


@pytest.mark.parametrize(
    ("models", "task", "setting", "recipes"),
    [
        (["timm:a"], "token-classification", "finetune.epochs=3", {"finetune": {"epochs": 3}}),
        ([], "token-classification", "finetune.epochs=3", {"finetune": {"epochs": 3}}),
        (["timm:a"], "semantic-segmentation", "decoder.epochs=20", {"decoder": {"epochs": 20}}),
        (["timm:a"], "semantic-segmentation", "probe.epochs=20", {"decoder": {"epochs": 20}}),
        (["timm:a"], "image-classification", "probe.repeats=2", {"probe": {}}),
        ([], "image-classification", "finetune.epochs=3", {"multilayer": {}, "finetune": {"epochs": 3}}),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_what_is_set_of_a_recipe_reaches_those_that_run_where_none_is_named(models, task, setting, recipes, named):
    content = {"data": "a", "models": models} | ({"task": task} if named else {})
    spec = load_spec(apply_settings(content, [f"recipes.{setting}"]))
    of_study = recipes_of_study(spec, task)
    assert {recipe.name: recipe.overrides for recipe in of_study} == recipes
    assert of_study[0].repeats == (2 if "repeats" in setting else None)


def test_what_is_set_of_a_recipe_that_does_not_run_is_an_error_that_lists_those_that_do():
    content = {"data": "a", "models": ["timm:a"]}
    with pytest.raises(SpecError, match="lora does not run in this study") as caught:
        load_spec(apply_settings({**content, "task": "token-classification"}, ["recipes.lora.epochs=3"]))
    assert "these run: finetune." in str(caught.value)
    with pytest.raises(SpecError, match="finetun does not run"):
        load_spec(apply_settings(content, ["recipes.finetun.epochs=3"]))
    undecided = load_spec(apply_settings(content, ["recipes.finetune.epochs=3"]))
    with pytest.raises(SpecError, match=r"these run: probe\."):
        recipes_of_study(undecided, "image-classification")
    for wrong in ("epoch=3", "epochs=-1"):
        with pytest.raises(SpecError, match="epoch"):
            load_spec(apply_settings(content, [f"recipes.finetune.{wrong}"]))
    with pytest.raises(SpecError, match="repeats"):
        load_spec(apply_settings({**content, "task": "image-classification"}, ["recipes.probe.repeats=none"]))


def test_of_a_task_that_is_not_known_yet_no_recipe_is_refused_but_one_that_is_none():
    content = {"data": "a", "models": ["timm:a"]}
    spec = load_spec(apply_settings(content, ["recipes.lora.epochs=3"]))
    with pytest.raises(SpecError, match=r"these run: decoder\."):
        recipes_of_study(spec, "semantic-segmentation")
    with pytest.raises(SpecError, match="depending on the task: probe, "):
        load_spec(apply_settings(content, ["recipes.finetun.epochs=3"]))


def test_an_average_is_no_recipe_and_of_what_there_is_one_is_said():
    with pytest.raises(SpecError) as caught:
        load_spec({"data": "d", "models": ["timm:resnet18"], "recipes": ["ensemble"]})
    assert "every study of classes, labels or numbers with several candidates" in caught.value.render("en")
    assert "--set output.ensemble=always" in caught.value.render("zh")
