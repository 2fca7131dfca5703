"""A user's own model: what its factory may give, what is found out about it, and what is refused with which reason."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import weigh
from tests.models.own_module import write_module
from weigh.errors import ModelError
from weigh.models.address import check_trust, parse_address
from weigh.models.own_code import files_of, find_code, first_digest
from weigh.models.own_ports import say_once
from weigh.models.pretrained import load_model

NAME = "own_module_of_tests"
SIZE = "?size=64&mean=0.5:0.5:0.5&std=0.5:0.5:0.5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    write_module(folder, NAME)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    say_once.cache_clear()
    yield folder
    sys.path.remove(str(folder))


def load(factory, *, pretrained=True, options=SIZE):
    return load_model(f"python:{NAME}:{factory}{options}", pretrained=pretrained, offline=True, trust_code=True)


ALL = {"features", "network", "maps"}
FORMS = {  # factory -> width of its features, outputs of its head, ports
    "build": (16, 5, ALL), "either": (16, 5, ALL), "Class": (16, 5, ALL), "Holder.build": (16, 5, ALL), "compiled": (16, 5, ALL),
    "parallel": (16, 5, ALL), "half": (16, 5, ALL), "frozen": (16, 5, ALL), "same_object": (16, 5, ALL), "shared_body": (16, 5, ALL),
    "new_head": (16, 3, ALL), "headless": (16, 0, ALL), "of_timm": (96, 1000, ALL), "softmax": (0, 0, {"network", "maps"}),
    "sigmoid": (0, 0, {"network", "maps"}), "maps": (0, 0, {"network", "maps"}), "pair": (0, 0, {"maps"}), "dictionary": (0, 0, {"maps"}),
    "pair_in_training": (16, 5, {"features", "maps"}), "without_gradient": (16, 5, {"features", "maps"}), "unsettled": (16, 5, ALL),
}  # fmt: skip


@pytest.mark.parametrize("factory", FORMS)
def test_ports_are_found_by_trying(folder, factory):
    width, classes, ports = FORMS[factory]
    model = load(factory)
    layers = {"layers"} if ports >= {"features", "maps"} else set()
    assert (model.ports, model.classes) == (ports | layers, classes)
    assert set(model.anatomy.lacking) == ALL - ports
    assert model.module.training is False
    assert {p.dtype for p in model.module.parameters()} == {torch.float32}
    assert all(p.requires_grad for p in model.module.parameters())
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    if "maps" in ports:
        assert len(load(factory).maps().strides) >= 2
    if width:
        assert model.width() == width
        assert model.module(torch.rand(2, 3, 64, 64)).shape == (2, width)


@pytest.mark.parametrize(
    ("factory", "port", "reason"),
    [("softmax", "features", "softmax"), ("sigmoid", "features", "sigmoid"), ("maps", "features", "(3, 16, 8, 8)"), ("pair", "features", "tuple"),
     ("dictionary", "features", "dict"), ("pair_in_training", "network", "tuple"), ("without_gradient", "network", "grad")],
)  # fmt: skip
def test_a_missing_port_is_named_with_the_reason_and_what_remains(folder, factory, port, reason):
    with pytest.raises(ModelError) as raised:
        load(factory).require(port, "image-classification")
    for language in ("en", "zh"):
        assert reason in raised.value.what.render(language)
    assert raised.value.do


@pytest.mark.parametrize(
    ("factory", "words"),
    [("dropout", "from pass to pass"), ("of_the_batch", "other pictures"), ("flat_only", "was given pictures"), ("of_texts", "hf:./FOLDER"),
     ("raises", "OSError: no weights here (own_module_of_tests.py:"), ("ends", "SystemExit"), ("number", "returned int"), ("state", "OrderedDict"),
     ("scripted", "torch.jit"), ("needs", "needs the argument width"), ("VALUE", "no function VALUE"), ("absent", "no function absent"),
     ("locked", "cannot be copied"), ("drawn", "drawn at random")],
)  # fmt: skip
def test_what_is_no_model_is_refused_with_the_reason(folder, factory, words):
    with pytest.raises(ModelError) as raised:
        load(factory)
    assert words in raised.value.render("en")
    assert raised.value.do
    assert raised.value.do.zh != raised.value.do.en


def test_what_is_drawn_at_random_is_no_pretrained_model_but_a_control(folder, caplog):
    assert load("drawn", pretrained=False).provenance.source == "random"
    assert load("either", pretrained=False).provenance.source == "random"
    assert load("build", pretrained=False).provenance.source == "file"
    assert load("ignores", pretrained=False).provenance.source == "file"  # then `scratch` is refused
    assert "0.2% of the weights" in load("partly").provenance.note
    assert "0.2%" in caplog.text
    assert load("new_head").provenance.note == ""  # a head is thrown away


def test_models_are_never_those_of_another_load(folder):
    for factory in ("same_object", "shared_body"):
        one, two = load(factory), load(factory)
        with torch.no_grad():
            next(one.module.parameters()).add_(1)
        assert not torch.equal(next(one.module.parameters()), next(two.module.parameters()))
        one.width()
        assert load(factory).classes == 5


def test_loading_is_repeatable_and_disturbs_nothing(folder, capfd):
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    for factory in ("build", "new_head", "head_of_numpy", "partly"):
        models = [load(factory), load(factory)]
        assert models[0].identity == models[1].identity
        assert models[0].built == models[1].built
    assert (states[0], states[1]) == (random.getstate(), np.random.get_state()[1].tolist())
    assert torch.equal(states[2], torch.get_rng_state())
    assert capfd.readouterr().out == ""  # what a module prints does not stand among predictions


def test_the_usual_preparation_is_told_once(folder, caplog):
    say_once.cache_clear()
    for _ in range(2):
        model = load("build", options="")
    assert (model.preprocessing.size, model.preprocessing.resize) == (224, 256)
    assert caplog.text.count("as usual for ImageNet") == 1
    caplog.clear()
    load("build")
    assert not caplog.text


def test_weights_of_a_file_stand_on_an_own_architecture(folder, tmp_path):
    torch.save(load("build").module.state_dict(), tmp_path / "w.pth")
    address = f"file:{tmp_path / 'w.pth'}@python:{NAME}:drawn{SIZE}"
    model = load_model(address, pretrained=True, offline=True, trust_code=True)
    assert torch.equal(model.module.stem[0].weight, load("build").module.stem[0].weight)
    assert model.classes == 5
    with pytest.raises(ModelError, match="--trust-code"):
        load_model(address, pretrained=True, offline=True)


def test_it_computes_what_the_same_model_of_timm_does(folder, tmp_path):
    own = load("of_timm")
    torch.save(own.module.state_dict(), tmp_path / "w.pth")
    theirs = load_model(f"file:{tmp_path / 'w.pth'}@timm:test_resnet", pretrained=True, offline=True)
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(own.module(pictures), theirs.module(pictures))
        assert own.width() == theirs.width()
        assert torch.equal(own.module(pictures), theirs.module(pictures))
    assert own.macs == pytest.approx(theirs.macs * (64 / theirs.preprocessing.size) ** 2, rel=0.05)
    split = own.anatomy.split(own.module, shape=(64, 64), native=64, address="own")
    assert split.first == theirs.anatomy.split(theirs.module, shape=(64, 64), native=64, address="theirs").first


# What a study is named by


def facts(name):
    """Identity and design of a model as a new process sees them."""
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]
    first_digest.cache_clear()
    importlib.invalidate_caches()
    model = load_model(f"python:{name}:build{SIZE}", pretrained=True, offline=True, trust_code=True)
    return model.identity, model.built


def test_code_and_weights_enter_the_key(tmp_path, monkeypatch):
    path = write_module(tmp_path, "changing")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "unrelated.py").write_text("x = 1\n")
    before = facts("changing")
    (tmp_path / "unrelated.py").write_text("x = 2\n")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert facts("changing") == before
    beside = tmp_path / "changing_layers.py"  # what it imports
    beside.write_text(beside.read_text() + "\n# the same\n")
    of_code = facts("changing")
    assert of_code[0] != before[0]
    assert of_code[1] != before[1]
    weights = {**torch.load(tmp_path / "weights.pt"), "stem.0.weight": torch.ones(8, 3, 3, 3)}
    torch.save(weights, tmp_path / "weights.pt")
    of_weights = facts("changing")
    assert of_weights[0] != of_code[0]
    assert of_weights[1] == of_code[1]


def test_files_of_a_package_are_found_through_its_imports(tmp_path, monkeypatch):
    package = tmp_path / "own_package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "__init__.py").write_text("from .part import Part\n")
    (package / "inner" / "part.py").write_text("from torch import nn\nclass Part(nn.Identity): pass\n")
    (package / "other.py").write_text("")
    (package / "lazy.py").write_text("")
    (package / "models.py").write_text(
        "from .inner import Part\ndef build():\n    from own_package import lazy\n    return Part()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    code = find_code("own_package.models:build")
    names = [path.relative_to(tmp_path).as_posix() for path in code.files]
    assert names[0] == "own_package/models.py"
    assert set(names[1:]) == {
        "own_package/__init__.py",
        "own_package/inner/__init__.py",
        "own_package/inner/part.py",
        "own_package/lazy.py",
    }
    assert {path.parent.name for path in files_of("safetensors.torch")} == {"safetensors"}  # installed: its own alone


def test_a_file_that_changed_under_a_running_python_is_refused(tmp_path, monkeypatch):
    path = write_module(tmp_path, "edited")
    monkeypatch.syspath_prepend(tmp_path)
    address = f"python:edited:build{SIZE}"
    load_model(address, pretrained=True, offline=True, trust_code=True)
    path.write_text(path.read_text() + "\n# edited\n")
    with pytest.raises(ModelError, match=r"edited\.py changed since this process imported it"):
        load_model(address, pretrained=True, offline=True, trust_code=True)


# Who may run code


@pytest.mark.parametrize(
    "written", ["python:own_canary:build", "python:own_canary:build?size=64", "file:x.pth@python:own_canary:build"]
)
def test_no_code_runs_without_trust(tmp_path, monkeypatch, written):
    (tmp_path / "own_canary.py").write_text(f"open({str(tmp_path / 'RAN')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="--trust-code"):
        load_model(written, pretrained=True, offline=True)
    with pytest.raises(ModelError, match="--trust-code"):
        check_trust([written], trust_code=False)
    assert not (tmp_path / "RAN").exists()


@pytest.mark.parametrize(
    "written",
    ["python:", "python:a", "python:a:", "python::b", "python:a b:c", "python:a:b()", "python:a-b:c", "python:../a:b", "python:a:b?", "python:a:b?size",
     "python:a:b?size=", "python:os;x:y"],
)  # fmt: skip
def test_an_address_names_a_function_of_a_module(written):
    with pytest.raises(ModelError, match="does not name a function") as raised:
        parse_address(written)
    assert "python:my_models:build" in raised.value.render("zh")


@pytest.mark.parametrize(("address", "short"), [
    ("python:my_models:build", "my_models:build"), ("python:my_models:build?name=mine&size=96", "mine"),
    ("python:a.b:c?name=%3Cb%3E", "<b>"), ("file:/x/mine.pth@python:a:b", "mine"),
])  # fmt: skip
def test_names_for_figures(address, short):
    assert parse_address(address).short == short


@pytest.mark.parametrize(
    "options",
    [
        "?siz=64",
        "?size=0",
        "?size=big",
        "?size=99999",
        "?mean=0.5",
        "?std=a:b:c",
        "?interpolation=magic",
        "?squash=maybe",
    ],
)
def test_options_that_are_none_are_refused(folder, options):
    with pytest.raises(ModelError, match="cannot be read"):
        load("build", options=options)


# weigh.model


def local():
    def build():
        return nn.Identity()

    return build


class Callable:
    def __call__(self):
        return nn.Identity()


@pytest.mark.parametrize(("factory", "words"), [
    (lambda: nn.Identity(), "lambda"), (local(), "inside a function"), (Callable(), "no name in a module"), (nn.Identity(), "no name in a module"), (3, "int"),
])  # fmt: skip
def test_a_factory_must_be_importable(factory, words):
    with pytest.raises(ModelError) as raised:
        weigh.model(factory)
    assert words in raised.value.render("en")
    assert "my_models" in raised.value.render("zh")


def test_a_factory_of_the_script_is_refused(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import weigh\nfrom torch import nn\ndef build(): return nn.Identity()\nweigh.model(build)\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert "file of its own, such as my_models.py" in done.stderr


@pytest.mark.parametrize("name", ["mine", "我的模型", "<b>&,?=@x", "50 %"])
def test_a_declared_model_is_an_address_that_says_everything(folder, name):
    module = importlib.import_module(NAME)
    preprocess = {
        "size": 96,
        "mean": (0.1, 0.2, 0.3),
        "std": (1 / 3, 0.5, 0.5),
        "interpolation": "bicubic",
        "squash": True,
    }
    address = weigh.model(module.build, preprocess=preprocess, name=name)
    assert "," not in address
    assert parse_address(address).short == name
    prepared = load_model(address, pretrained=True, offline=True, trust_code=True).preprocessing
    assert {key: getattr(prepared, key) for key in preprocess} == preprocess


@pytest.mark.parametrize("name", ["a\nb", "x" * 61, "   ", "\x1b[31m"])
def test_names_that_cannot_be_shown_are_refused(folder, name):
    with pytest.raises(ModelError, match="cannot be shown"):
        weigh.model(importlib.import_module(NAME).build, name=name)
