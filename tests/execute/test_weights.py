"""The identity of a model enters the keys of its runs: another one under the same name is refused, and never mixed in."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from weigh.errors import WeightsReplaced
from weigh.execute.listener import Silent
from weigh.execute.planner import plan_study
from weigh.models.pretrained import load_model
from weigh.study import Study

SETTINGS = ["design.folds=2", "design.repeats=1", "run.offline=true", "run.threads=1", "design.curve=false", "design.order_check=false",
            "recipes.finetune.epochs=1", "recipes.finetune.image_size=32", "recipes.scratch.epochs=1", "recipes.scratch.image_size=32",
            "output.refit=false"]  # fmt: skip


def write_checkpoint(path: Path, seed: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), path)


def study(photos: Path, address: str, recipes: list[str], folder: Path) -> Study:
    settings = [s for s in SETTINGS if not s.startswith("recipes.") or s.split(".")[1] in recipes]
    return Study.from_data(photos, [address], recipes, settings=settings, folder=folder)


@pytest.fixture
def mine(tmp_path) -> tuple[Path, str]:
    path = tmp_path / "mine.safetensors"
    write_checkpoint(path, 1)
    return path, f"file:{path}@timm:test_resnet"


class InterruptAfter(Silent):
    """Stops a study after some jobs."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def job_done(self, job, failed, done, total) -> None:
        if done == self.jobs:
            raise KeyboardInterrupt


def test_a_killed_finetuning_does_not_go_on_with_another_file(photos, mine, tmp_path):
    """Refused by name before anything runs; with the former file it goes on, with the new one only elsewhere and with other keys."""
    path, address = mine
    with pytest.raises(KeyboardInterrupt):
        study(photos, address, ["finetune"], tmp_path / "s").run(InterruptAfter(1))
    before = study(photos, address, ["finetune"], tmp_path / "s").ledger().recorded()
    assert list(before.values()) == ["done"]
    shutil.copy2(path, tmp_path / "former")
    write_checkpoint(path, 2)
    with pytest.raises(WeightsReplaced) as caught:
        study(photos, address, ["finetune"], tmp_path / "s").run()
    assert str(path) in caught.value.what.en
    assert str(path) in caught.value.what.zh
    assert "--output" in caught.value.do.en
    assert study(photos, address, ["finetune"], tmp_path / "s").ledger().recorded() == before
    elsewhere = plan_study(study(photos, address, ["finetune"], tmp_path / "t").spec, None, Silent())
    assert not {run.key for run in elsewhere.plan.runs} & before.keys()
    os.replace(tmp_path / "former", path)  # another time and another number, the same content
    resumed = study(photos, address, ["finetune"], tmp_path / "s").run().ledger().recorded()
    assert len(resumed) == 2
    assert before.items() <= resumed.items()


@pytest.mark.parametrize("added", ["finetune", "probe"])
def test_a_recipe_added_after_the_file_was_replaced_is_refused(photos, mine, tmp_path, added):
    path, address = mine
    study(photos, address, ["scratch", "probe"], tmp_path / "s").run()
    write_checkpoint(path, 2)
    recipes = (
        ["scratch", "probe", "finetune"] if added == "finetune" else ["scratch", {"name": "probe", "strengths": [3.0]}]
    )
    settings = [s for s in SETTINGS if not s.startswith("recipes.") or s.split(".")[1] in recipes]
    with pytest.raises(WeightsReplaced):
        Study.from_data(photos, [address], recipes, settings=settings, folder=tmp_path / "s").run()


def test_a_finished_study_needs_its_checkpoint_no_more(photos, mine, tmp_path):
    path, address = mine
    study(photos, address, ["probe"], tmp_path / "s").run()
    path.unlink()
    assert study(photos, address, ["probe"], tmp_path / "s").run().read().file.study["runs"]["failed"] == 0


def test_a_file_replaced_while_the_study_runs_is_no_failed_run(photos, mine, tmp_path):
    path, address = mine

    class Replace(Silent):
        def job_done(self, job, failed, done, total) -> None:
            write_checkpoint(path, 2)

    with pytest.raises(WeightsReplaced):
        study(photos, address, ["finetune"], tmp_path / "s").run(Replace())
    assert list(study(photos, address, ["finetune"], tmp_path / "s").ledger().recorded().values()) == ["done"]


def test_nothing_is_loaded_to_know_the_keys(photos, mine, tmp_path, monkeypatch):
    import weigh.models.pretrained as module

    path, address = mine
    first = study(photos, address, ["finetune", "scratch"], tmp_path / "s")
    with pytest.raises(KeyboardInterrupt):
        first.run(InterruptAfter(1))
    path.touch()
    again = plan_study(
        first.spec, first.ledger(), Silent()
    )  # the file was touched: loaded once, and found to be the same
    assert again.recorded == 1
    monkeypatch.setattr(module, "load_model", None)  # loading would fail
    assert plan_study(first.spec, first.ledger(), Silent()).recorded == 1


def test_every_part_of_a_folder_counts(tiny_encoder, tmp_path):
    """Weights, tokenizer, how vectors are pooled, how layers compute; of random weights their shapes and all the rest; not the folder's name."""
    source = Path(tiny_encoder.removeprefix("hf:"))

    def identity(change=None, *, pretrained: bool = True) -> str:
        folder = tmp_path / f"m{len(list(tmp_path.iterdir()))}"
        shutil.copytree(source, folder)
        if change is not None:
            change(folder)
        return load_model(f"hf:{folder}", pretrained=pretrained, offline=True).identity

    def weights(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        name = next(name for name, tensor in state.items() if tensor.is_floating_point())
        state[name] = state[name].clone()
        state[name].view(-1)[0] += 1e-3
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})

    def tokenizer(folder: Path) -> None:
        file = folder / "tokenizer.json"
        content = json.loads(file.read_text("utf-8"))
        words = content["model"]["vocab"]
        one, two = list(words)[-2:]
        words[one], words[two] = words[two], words[one]
        file.write_text(json.dumps(content), "utf-8")

    def layers(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"hidden_act": "relu"}), "utf-8")

    def pooling(folder: Path) -> None:
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": false, "x": 1}', "utf-8")

    identities = [identity(), *(identity(change) for change in (weights, tokenizer, layers, pooling))]
    assert len(set(identities)) == 5
    assert identity() == identities[0]
    random = [identity(change, pretrained=False) for change in (None, weights, tokenizer, layers, pooling)]
    assert len(set(random)) == 4
    assert random[0] == random[1]
    assert not set(random) & set(identities)
