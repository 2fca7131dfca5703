"""Settings: all mistakes at once, clear in both languages; never a traceback."""

from __future__ import annotations

import copy
import random
import string
from dataclasses import replace
from typing import Annotated

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from weigh.errors import SpecError
from weigh.run import RECIPES, Options, recipe_options
from weigh.spec import RecipeSpec, StudySpec
from weigh.spec_yaml import apply_settings, dump_spec, load_spec, parse_duration, read_yaml, study_schema

BASE = {
    "task": "image-classification",
    "data": {"train": "photos/", "columns": {"path": "file", "label": "kind"}, "label_offset": 0},
    "models": ["timm:resnet18", "torchvision:resnet50/IMAGENET1K_V2"],
    "recipes": ["probe", {"name": "finetune", "epochs": 3}],
    "design": {"folds": 5, "repeats": 2, "test": 0.2, "vary": ["split", "init"], "budget": "1h30m"},
    "metrics": {"primary": "accuracy"},
    "output": {"folder": "out"},
    "run": {"device": "cpu", "offline": True},
}


def test_only_data_and_models_are_needed():
    spec = load_spec({"data": "photos/", "models": "timm:resnet18"})
    assert spec.recipes[0].name == "probe"
    assert spec.primary == "balanced_accuracy"
    assert spec.title == "photos"


def test_all_mistakes_are_reported_at_once():
    content = copy.deepcopy(BASE)
    content["design"] |= {"fold": 3, "test": 2}
    content["data"]["label_offset"] = "many"
    content["run"]["precision"] = "fp17"
    with pytest.raises(SpecError) as caught:
        load_spec(content)
    for language in ("en", "zh"):
        message = caught.value.render(language)
        for part in ("design.fold", "folds", "design.test", "data.label_offset", "fp17"):
            assert part in message
        assert message.count("\n- ") == 4


def test_unknown_names_are_reported_with_the_nearest():
    content = {**BASE, "metrics": {"primary": "acuracy"}, "recipes": ["prob"], "models": ["tim:resnet18"]}
    with pytest.raises(SpecError) as caught:
        load_spec(content)
    message = caught.value.render("en")
    assert "'accuracy'" in message
    assert "'probe'" in message
    assert "timm:" in message


def test_settings_override_and_reach_recipes():
    content = apply_settings(
        copy.deepcopy(BASE), ["design.folds=7", "recipes.finetune.epochs=9", "metrics.primary=auroc"]
    )
    spec = load_spec(content)
    assert (spec.design.folds, spec.recipes[1].epochs, spec.primary) == (7, 9, "auroc")
    assert apply_settings(BASE, ["data.label_separator=|"])["data"]["label_separator"] == "|"
    with pytest.raises(SpecError, match=r"a\.b=value"):
        apply_settings(BASE, ["design.folds"])


def test_a_recipe_refuses_settings_it_does_not_have():
    with pytest.raises(SpecError, match="probe has no setting 'epochs'"):
        load_spec({**BASE, "recipes": [{"name": "probe", "epochs": 3}]})


def test_written_spec_reads_back(tmp_path):
    spec = load_spec(BASE)
    path = tmp_path / "study.yaml"
    path.write_text(dump_spec(spec), encoding="utf-8")
    assert load_spec(read_yaml(path)) == spec


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("data: a\ndata: b\n", "given twice"),
        ("a: &x [1]\nb: [*x, *x]\n", "aliases"),
        ("- 1\n- 2\n", "no settings"),
        ("", "no settings"),
        ("data: [", "not valid YAML"),
        ("data: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
        ("\x00", "not valid YAML"),
        ("? [a, b]\n: c\n", "not valid YAML"),
    ],
)
def test_bad_yaml(tmp_path, content, said):
    path = tmp_path / "study.yaml"
    path.write_text(content)
    with pytest.raises(SpecError, match=said):
        read_yaml(path)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("name: größe\ndata: a\n".encode("latin-1"), 1),
        ("data: a\n# Größe\n".encode("cp1252"), 2),
        ("data: a\nname: 研究\n".encode("gb18030"), 2),
        ("data: a\r\nmodels: [x]\r\nname: 調査\r\n".encode("shift_jis"), 3),
        ("data: a\n\nname: день\n".encode("cp1251"), 3),
        (b"data: a\nname: \x9e\n", 2),
    ],
)
def test_another_encoding_is_said_with_the_line(tmp_path, raw, line):
    path = tmp_path / "study.yaml"
    path.write_bytes(raw)
    with pytest.raises(SpecError, match=rf"study\.yaml:{line} is not in UTF-8") as caught:
        read_yaml(path)
    assert "codec" not in str(caught.value)
    assert "UTF-8" in caught.value.do.en
    assert "0x" not in caught.value.render("zh")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_say_what_they_are_are_read(tmp_path, encoding):
    path = tmp_path / "study.yaml"
    path.write_bytes("name: größe 研究\n".encode(encoding))
    assert read_yaml(path) == {"name": "größe 研究"}


@pytest.mark.parametrize(
    ("raw", "line"), [(b"data: a\nx\0: 1\n", 2), ("data: a\n".encode("utf-16-le"), 1), (b"a: \x1b[31m\n", 1)]
)
def test_an_invisible_character_is_named_with_the_line(tmp_path, raw, line):
    path = tmp_path / "study.yaml"
    path.write_bytes(raw)
    with pytest.raises(SpecError, match=rf"study\.yaml:{line} .*invisible character U\+00(00|1B)"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"run": {"jobs": "many"}}, "run.jobs: 'many' is not"),
        ({"run": {"threads": [1]}}, "run.threads: […]"),
        ({"models": [{"a": 1}]}, "models.0: {…} must be text"),
        ({"design": {"repeats": {"x": 1}}}, "design.repeats: {…}"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_without_pydantics_words(setting, said):
    with pytest.raises(SpecError) as caught:
        load_spec({"data": "a", "models": ["timm:resnet18"], **setting})
    assert said in caught.value.what.en
    for word in ("constrained", "literal", "function-"):
        assert word not in caught.value.render("en")


@pytest.mark.parametrize("written", ["", "  "])
def test_an_empty_path_is_not_the_folder_one_stands_in(written):
    with pytest.raises(SpecError, match=r"data\.train: it is empty"):
        load_spec({"data": {"train": written}})


def test_no_file(tmp_path):
    with pytest.raises(SpecError, match="cannot be read"):
        read_yaml(tmp_path / "none.yaml")


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_durations(hours, minutes, seconds):
    written = f"{hours}h{minutes}m{seconds}s"
    if hours + minutes + seconds == 0:
        with pytest.raises(SpecError):
            parse_duration(written)
    else:
        assert parse_duration(written) == 3600 * hours + 60 * minutes + seconds


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("10 minutes", 600),
        ("1 hour", 3600),
        ("1.5M", 90),
        ("1h 30 min", 5400),
        ("45 sec", 45),
        ("10分钟", 600),
        ("2小时", 7200),
    ],
)
def test_durations_in_words(written, seconds):
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("10", "write 10m for minutes"), ("0", "is not a duration"), ("0s", "nothing can be run"), ("-5m", "is not a duration"), ("nan", "is not"),
        ("1e3s", "is not"), ("٣m", "is not a duration"), ("soon", "is not a duration"), ("", "is not a duration"), ("5x", "is not a duration"),
        ("9" * 400 + "h", "is not a duration"), ("9" * 5000, "is not a duration"),
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_what_to_write(written, told):
    with pytest.raises(SpecError, match=told):
        parse_duration(written)


def test_what_looks_like_a_time_is_quoted_as_it_was_written():
    """In YAML 1.1 it is a number in base 60."""
    with pytest.raises(SpecError, match="'1:30' is not a duration"):
        load_spec(apply_settings({"data": "a"}, ["design.budget=1:30"]))
    assert apply_settings({}, ["a.b=[1:20, 3, 1.5]"]) == {"a": {"b": ["1:20", 3, 1.5]}}


def test_an_ensemble_is_no_recipe_and_its_setting_is_named():
    with pytest.raises(SpecError, match=r"--set output\.ensemble=always"):
        load_spec({"data": "a", "recipes": ["probe", "ensemble"]})


def test_usual_recipes_are_those_that_are_for_the_task():
    for models in ([], ["hf:a/b"]):
        spec = load_spec({"data": "a", "models": models, "task": "token-classification"})
        assert [recipe.name for recipe in spec.recipes] == ["finetune"]
    assert [recipe.name for recipe in load_spec({"data": "a"}).recipes] == ["multilayer", "finetune"]
    with pytest.raises(SpecError, match="probe is not for token-classification"):
        load_spec({"data": "a", "task": "token-classification", "recipes": ["probe"]})


def mutate(text: str, rng: random.Random) -> str:
    """One random change of a YAML text: characters, lines, indentation, values."""
    lines = text.splitlines()
    kind = rng.randrange(8)
    at = rng.randrange(len(lines))
    if kind == 0:
        position = rng.randrange(len(text))
        return text[:position] + rng.choice(string.printable + "é中\u202e\ufeff") + text[position + rng.randrange(2) :]
    if kind == 1:
        del lines[at]
    elif kind == 2:
        lines.insert(at, rng.choice(lines))
    elif kind == 3:
        lines[at] = " " * rng.randrange(6) + lines[at].strip()
    elif kind == 4:
        key = lines[at].split(":")[0]
        values = [
            "null",
            "-1",
            "1e400",
            ".nan",
            "[]",
            "{}",
            "true",
            "'" + "x" * 5000 + "'",
            "2024-13-45",
            "0x1F",
            "!!binary aGk=",
            "!!set {a}",
            "[[[]]]",
            "=",
            "~",
        ]
        lines[at] = f"{key}: {rng.choice(values)}"
    elif kind == 5:
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 6:
        lines[at] = lines[at].replace(":", rng.choice(["", "::", " : ", "?"]), 1)
    else:
        lines[at] += rng.choice([" #", ": x", " &a", " *a", " |", " >", '"', "'", "]", "}", "\t"])
    return "\n".join(lines) + "\n"


def plan_it(spec: StudySpec) -> bool:
    """Plan a valid specification on a small data set: runs, or a clear error about the design."""
    from tests.plan.test_runs import make_examples
    from weigh.errors import WeighError
    from weigh.plan.candidates import cross_candidates
    from weigh.plan.runs import hold_out_test, plan_runs

    if spec.design.folds * (spec.design.repeats or 1) > 2000:
        return False  # a large design is valid too, and slow to plan in a test
    try:
        examples = hold_out_test(make_examples(), spec)
        return len(plan_runs(examples, spec, cross_candidates(spec)).runs) > 0
    except WeighError as error:
        assert error.render("zh")  # noqa: PT017
        return False


@pytest.mark.parametrize("count", [400, pytest.param(2000, marks=pytest.mark.thorough)])
def test_mutations_give_an_error_or_a_plan(tmp_path, count):
    """Every mutation of a study.yaml is a clear error in both languages or a valid specification."""
    rng = random.Random(20261123)
    original, path, outcomes = (
        yaml.safe_dump(BASE, sort_keys=False),
        tmp_path / "study.yaml",
        {"valid": 0, "error": 0, "planned": 0},
    )
    for _ in range(count):
        mutated = original
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            mutated = mutate(mutated, rng)
        path.write_text(mutated, encoding="utf-8", errors="surrogatepass")
        try:
            spec = load_spec(apply_settings(read_yaml(path), []), base=tmp_path)
        except SpecError as error:
            outcomes["error"] += 1
            lengths = [len(error.render(language)) for language in ("en", "zh")]
            assert 10 < min(lengths) <= max(lengths) < 20_000
        else:
            outcomes["valid"] += 1
            assert isinstance(spec, StudySpec)
            assert load_spec(yaml.safe_load(dump_spec(spec))) == spec
            outcomes["planned"] += plan_it(spec)
    assert min(outcomes.values()) > count / 20, outcomes


def test_schema_describes_every_setting():
    schema = study_schema()
    assert {"data", "models", "recipes", "design", "metrics", "pretrain", "output", "run", "task", "name"} == set(
        schema["properties"]
    )


@pytest.mark.parametrize("task", ["image-regression", "text-regression", "token-classification"])
def test_weights_of_classes_are_refused_where_there_are_none(task):
    asked = RecipeSpec(name="finetune", class_weights="balanced")
    with pytest.raises(SpecError, match="class_weights"):
        recipe_options(asked, task)
    for weighed in ("image-classification", "semantic-segmentation", "object-detection"):
        assert recipe_options(asked, weighed)["class_weights"] == "balanced"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "finetune", "epochs": -1}, "recipes.finetune.epochs: -1 must be ≥ 1"),
        ({"name": "finetune", "epochs": "many"}, "recipes.finetune.epochs: 'many' is not a whole number"),
        ({"name": "finetune", "label": "slow", "learning_rate": 0}, "recipes.slow.learning_rate: 0 must be > 0"),
        ({"name": "lora", "targets": "all"}, "recipes.lora.targets: 'all' is not one of"),
        ({"name": "probe", "strengths": [0]}, "recipes.probe.strengths.0: 0 must be > 0"),
        ({"name": "last-stage", "fine_weight": 2}, "last-stage has no setting 'fine_weight'. It has: "),
    ],
)
def test_options_are_checked_by_their_recipe(options, words):
    with pytest.raises(SpecError) as caught:
        load_spec({**BASE, "task": None, "recipes": [options]})
    assert words in caught.value.render("en")
    assert "recipes" in caught.value.render("zh")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("run.jobs=many", "run.jobs: 'many' is not a whole number. It may also be 'auto'."),
        ("run.jobs=0", "run.jobs: 0 must be ≥ 1. It may also be 'auto'."),
    ],
)
def test_a_setting_of_several_types_is_one_mistake(setting, sentence):
    with pytest.raises(SpecError) as caught:
        load_spec(apply_settings(BASE, [setting]))
    assert sentence in caught.value.render("en")
    assert "problems" not in caught.value.render("en")


def test_options_are_kept_as_they_are_read():
    spec = load_spec({**BASE, "recipes": [{"name": "finetune", "epochs": "3", "average": None}]})
    assert spec.recipes[0].overrides == {"epochs": 3}
    assert load_spec(yaml.safe_load(dump_spec(spec))) == spec


def test_a_recipe_of_a_plugin_has_options_of_its_own():
    class Warmed(Options):
        warmth: Annotated[float, Field(gt=0, le=1, description="How warm.")] = 0.5

    recipe = replace(RECIPES.get("probe"), name="warmed", options={"pictures": Warmed})
    RECIPES.register("warmed", recipe)
    try:
        spec = load_spec({**BASE, "recipes": [{"name": "warmed", "warmth": 0.25}]})
        assert recipe_options(spec.recipes[0], "image-classification") == {"warmth": 0.25}
        with pytest.raises(SpecError, match="warmth: 2 must be ≤ 1"):
            load_spec({**BASE, "recipes": [{"name": "warmed", "warmth": 2}]})
        with pytest.raises(SpecError, match="probe has no setting 'warmth'"):
            load_spec({**BASE, "recipes": [{"name": "probe", "warmth": 0.25}]})
        shown = study_schema()["$defs"]["RecipeSpec"]["anyOf"]
        (own,) = [one for one in shown if one["properties"]["name"] == {"const": "warmed"}]
        assert own["properties"]["warmth"]["description"] == "How warm."
        assert "epochs" not in own["properties"]
    finally:
        del RECIPES._entries["warmed"]
