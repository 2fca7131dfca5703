"""A study of a user's own model from end to end: in Python, from a YAML file, in worker processes, resumed, and as a saved model."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest
import timm
import torch
import yaml

import weigh
from tests.models.own_module import write_module
from weigh.cli.main import main
from weigh.errors import ModelError
from weigh.models.own_code import first_digest
from weigh.study import Study

OPTIONS = "?name=mine&size=64&mean=0.5:0.5:0.5&std=0.5:0.5:0.5"
SETTINGS = ["design.folds=2", "design.repeats=1", "design.curve=false", "design.cleaned=false", "run.offline=true"]
ROOT = Path(__file__).parents[2]
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory):
    """A study that a person ran in Python: two own models, in two worker processes."""
    folder = tmp_path_factory.mktemp("own")
    write_module(folder, "study_models")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    module = importlib.import_module("study_models")
    preprocess = {"size": 64, "resize": 64, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    own = weigh.model(module.build, preprocess=preprocess, name=HOSTILE)
    other = weigh.model(module.either, preprocess=preprocess, name="other")
    settings = [*SETTINGS, "run.jobs=2", "run.threads=1"]
    study = Study.from_data(photos, [own, other], ["probe"], settings=settings, folder=folder / "study").run()
    yield study
    sys.path.remove(str(folder))


def fresh(name):
    """From now on the module is imported anew, as in a new process."""
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]
    first_digest.cache_clear()
    importlib.invalidate_caches()


def test_it_is_studied_in_workers_and_named_in_the_report(finished):
    runs = finished.read().file.study["runs"]
    assert (runs["failed"], runs["done"] >= 4) == (0, True)
    for page in ("report.html", "report.zh.html"):
        written = (finished.folder / page).read_text("utf-8")
        assert HOSTILE not in written
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in written


def test_the_saved_model_predicts_only_where_its_code_is_trusted(finished, photos, capsys):
    picture = str(next(photos.rglob("*.png")))
    with pytest.raises(ModelError, match="--trust-code"):
        Study.open(finished.folder).predict([picture])
    assert main(["predict", str(finished.folder), picture]) == 2
    told = capsys.readouterr()
    assert "--trust-code" in told.err
    assert told.out == ""
    assert main(["predict", str(finished.folder), picture, "--trust-code", "--quiet"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("path,label,probability")
    assert finished.predict([picture])[0]["label"] in ("circle", "stripe")
    assert "weigh predict STUDY new/*.jpg --trust-code\n" in (finished.folder / "model" / "README.md").read_text(
        "utf-8"
    )
    assert main(["export", str(finished.folder), "--onnx"]) == 2
    assert "--trust-code" in capsys.readouterr().err


def test_a_study_goes_on_only_with_the_code_that_it_began_with(finished, photos, capsys):
    path = finished.folder.parent / "study_models.py"
    before = path.read_text()
    more = ["run", str(finished.folder), "--set", "design.repeats=2", "--quiet", "-y"]
    assert main(more) == 2
    assert "--trust-code" in capsys.readouterr().err
    path.write_text(before + "\n# changed\n")
    fresh("study_models")
    try:
        assert main([*more, "--trust-code"]) == 2
        told = capsys.readouterr().err
        assert "study_models.py" in told
        assert "is not the model that the study began with" in told
        assert main(["predict", str(finished.folder), str(next(photos.rglob("*.png"))), "--trust-code"]) == 2
        assert "study_models.py" in capsys.readouterr().err
    finally:
        path.write_text(before)
        fresh("study_models")
    assert main(["predict", str(finished.folder), str(next(photos.rglob("*.png"))), "--trust-code", "--quiet"]) == 0


def test_a_saved_model_says_where_its_code_is_looked_for(finished, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder != str(finished.folder.parent)])
    monkeypatch.chdir(tmp_path)
    fresh("study_models")
    command = ["predict", str(finished.folder), str(next(photos.rglob("*.png"))), "--trust-code", "--quiet"]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "There is no module study_models" in told
    assert str(tmp_path) in told
    monkeypatch.chdir(finished.folder.parent)  # where that folder is the current one, its modules are found
    assert main(command) == 0


@pytest.fixture
def received(photos, tmp_path, monkeypatch):
    """A study.yaml from a stranger beside a module whose import leaves a trace."""
    (tmp_path / "hostile_models.py").write_text("from pathlib import Path\nPath(__file__).with_name('RAN').touch()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def write(**content):
        Path("study.yaml").write_text(
            yaml.safe_dump({"data": str(photos), "models": ["python:hostile_models:build"], **content})
        )
        return "study.yaml"

    return write


@pytest.mark.parametrize(
    "content",
    [{}, {"run": {"trust_code": True}}, {"trust_code": True}, {"models": ["file:w.pth@python:hostile_models:build"]}, {"recipes": ["scratch"]},
     {"models": ["timm:resnet18", "python:hostile_models:build?size=64"]}],
)  # fmt: skip
@pytest.mark.parametrize("command", ["run", "plan", "evaluate", "features"])
def test_no_file_can_allow_its_own_code(received, capsys, content, command):
    source = received(**content)
    assert main([command, source, "--quiet", *(["-y"] if command == "run" else [])]) == 2
    told = capsys.readouterr().err
    assert "--trust-code" in told or "trust_code" in told
    assert "Traceback" not in told
    assert not Path("RAN").exists()
    with pytest.raises(Exception, match="trust"):
        Study.from_yaml(source).plan()
    assert not Path("RAN").exists()


def test_a_saved_model_of_a_stranger_runs_nothing(finished, photos, tmp_path, monkeypatch, capsys):
    """Also where study.yaml and the records say nothing of own models."""
    import shutil

    folder = Path(shutil.copytree(finished.folder, tmp_path / "s"))
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["report", str(folder), "--format", "md"]) == 0  # reports load no model
    capsys.readouterr()
    assert main(["predict", str(folder), str(next(photos.rglob("*.png")))]) == 2
    assert "--trust-code" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_example_of_the_readme_runs(photos, tmp_path, monkeypatch, name):
    blocks = re.findall(
        r"```python\n# \./(my_models|study)\.py\n(.*?)```", (ROOT / name).read_text("utf-8"), flags=re.DOTALL
    )
    code = dict(blocks)
    assert list(code) == ["my_models", "study"]
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda _name: create("test_resnet"))  # a smaller one
    torch.save(create("test_resnet").state_dict(), tmp_path / "ours.pt")
    (tmp_path / "my_models.py").write_text(code["my_models"])
    (tmp_path / "photos").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    fresh("my_models")
    script = (
        code["study"].replace(', "timm:tf_efficientnet_lite0"', "").replace("study.run()", "forecast = study.plan()")
    )
    names: dict = {"__name__": "__main__"}
    exec(script, names)
    assert names["study"].trust_code
    assert names["forecast"].jobs
    assert names["ours"] == (
        "python:my_models:build?name=ours&size=224&resize=256&mean=0.485:0.456:0.406&std=0.229:0.224:0.225"
    )


def test_an_address_in_yaml_runs(photos, tmp_path, monkeypatch):
    write_module(tmp_path, "yaml_models")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    content = {
        "data": str(photos),
        "models": [f"python:yaml_models:either{OPTIONS}"],
        "recipes": ["probe", {"name": "last-stage", "epochs": 1}],
    }
    Path("study.yaml").write_text(yaml.safe_dump(content))
    how = [argument for setting in SETTINGS for argument in ("--set", setting)]
    assert main(["run", "study.yaml", "--trust-code", "--quiet", "-o", "out", *how]) == 0
    assert Study.open("out").read().file.study["runs"]["failed"] == 0
    assert "mine" in Path("out/report.html").read_text("utf-8")


def test_it_is_evaluated_and_gives_features(photos, tmp_path, monkeypatch, capsys):
    write_module(tmp_path, "headed_models")
    monkeypatch.syspath_prepend(tmp_path)
    for label, picture in zip("01", sorted(photos.rglob("*.png")), strict=False):
        (tmp_path / "d" / label).mkdir(parents=True)
        (tmp_path / "d" / label / "a.png").write_bytes(picture.read_bytes())
    data, how = str(tmp_path / "d"), ["--offline", "--quiet", "--trust-code"]
    assert main(["evaluate", data, "--models", f"python:headed_models:of_timm{OPTIONS}", *how]) == 0
    assert "top-1" in capsys.readouterr().out
    assert (
        main(["evaluate", data, "--models", f"python:headed_models:build{OPTIONS}", *how]) == 2
    )  # a head of five classes
    assert (
        main(["features", data, "--models", f"python:headed_models:build{OPTIONS}", "-o", str(tmp_path / "f"), *how])
        == 0
    )
    assert "2 examples × 16 features" in capsys.readouterr().out


def test_scratch_needs_a_factory_that_can_draw(photos, tmp_path, monkeypatch):
    write_module(tmp_path, "scratch_models")
    monkeypatch.syspath_prepend(tmp_path)
    for factory in ("build", "ignores"):
        study = Study.from_data(
            photos, [f"python:scratch_models:{factory}{OPTIONS}"], ["scratch"], settings=SETTINGS, trust_code=True
        )
        with pytest.raises(ModelError, match="pretrained=False"):
            study.plan()
    for factory in ("either", "drawn"):
        study = Study.from_data(
            photos, [f"python:scratch_models:{factory}{OPTIONS}"], ["scratch"], settings=SETTINGS, trust_code=True
        )
        assert study.plan().jobs


def test_texts_are_refused(photos, tmp_path, monkeypatch):
    write_module(tmp_path, "picture_models")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(f"a text {i},{'ab'[i % 2]}\n" for i in range(40)))
    address = f"python:picture_models:build{OPTIONS}"
    with pytest.raises(ModelError) as raised:
        Study.from_data(tmp_path / "t.csv", [address], settings=SETTINGS, trust_code=True).plan()
    assert "hf:" in raised.value.render("en")
