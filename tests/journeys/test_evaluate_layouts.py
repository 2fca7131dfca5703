"""`weigh evaluate` on the layouts that people have of ImageNet, with several models in one pass."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from weigh.cli.main import main
from weigh.data.pictures.imagenet import names, synsets
from weigh.execute import evaluation as evaluating
from weigh.inputs import pictures as feeding

OFFLINE = ("--offline", "--quiet", "--set", "run.threads=1")


def evaluate(capsys, source, *more, format="json"):
    assert main(["evaluate", str(source), "--format", format, *OFFLINE, *more]) == 0
    written = capsys.readouterr().out
    return json.loads(written) if format == "json" else written


SPELLINGS = {
    "synset": lambda number: synsets()[number],
    "index": str,
    "padded index": lambda number: f"{number:04d}",
    "name": lambda number: names()[number],
    "name with underscores": lambda number: names()[number].replace(" ", "_"),
}


@pytest.fixture(scope="module")
def folders(heads_of_1000, tmp_path_factory):
    """For each spelling a folder per class, with every picture where the model would put it."""
    files, answers, _ = heads_of_1000
    roots = {}
    for spelling, spell in SPELLINGS.items():
        roots[spelling] = root = tmp_path_factory.mktemp("folders")
        for i, (file, answer) in enumerate(zip(files, answers, strict=True)):
            (root / spell(answer)).mkdir(exist_ok=True)
            shutil.copy(file, root / spell(answer) / f"{i:03d}.png")
    return roots


@pytest.fixture(scope="module")
def poorer(heads_of_1000, tmp_path_factory):
    """The same model with noise in its head: right now and then."""
    path = heads_of_1000[2].removeprefix("file:").rpartition("@")[0]
    state = load_file(path)
    torch.manual_seed(1)
    name = next(key for key in state if key.endswith("fc.weight"))
    state[name] = state[name] + torch.randn_like(state[name]) * state[name].std() / 12
    other = tmp_path_factory.mktemp("poorer") / "poorer.safetensors"
    save_file(state, other)
    return f"file:{other}@timm:test_resnet"


@pytest.mark.parametrize(
    "spelling",
    [pytest.param(name, marks=pytest.mark.thorough if name in ("index", "name") else []) for name in SPELLINGS],
)
def test_labels_are_understood_as_people_write_them(folders, heads_of_1000, capsys, spelling):
    document = evaluate(capsys, folders[spelling], "--models", heads_of_1000[2])
    (row,) = document["models"]
    assert row["top1"]["value"] > 0.95
    assert row["top5"]["value"] >= row["top1"]["value"]
    assert document["n"] == 80
    assert sum(entry["n"] for entry in document["per_class"]) == 80


def test_several_models_in_one_pass_are_compared_in_pairs(folders, heads_of_1000, poorer, capsys, monkeypatch):
    decoded = []
    real = feeding.use_picture
    monkeypatch.setattr(feeding, "use_picture", lambda path, *a, **k: decoded.append(path) or real(path, *a, **k))
    models = f"{heads_of_1000[2]},{poorer}"
    document = evaluate(capsys, folders["synset"], "--models", models)
    assert len(decoded) == 80
    good, poor = document["models"]
    pair = document["comparisons"][0]
    assert 0.2 < poor["top1"]["value"] < 0.9
    assert pair["relation"] == "better"
    assert pair["claim"] == "these_models"
    difference = pair["estimates"]["difference"]
    assert difference["value"] == pytest.approx(100 * (good["top1"]["value"] - poor["top1"]["value"]))
    alone = evaluate(capsys, folders["synset"], "--models", poorer)
    assert alone["models"][0]["top1"] == poor["top1"]
    assert alone["comparisons"] == []


def test_text_csv_and_the_written_folder_agree(folders, heads_of_1000, poorer, capsys, tmp_path):
    models, out = f"{heads_of_1000[2]},{poorer}", tmp_path / "out"
    shown = evaluate(capsys, folders["synset"], "--models", models, "--lang", "zh", format="text")
    assert "优于" in shown
    assert "张图片" in shown
    rows = list(csv.DictReader(io.StringIO(evaluate(capsys, folders["synset"], "--models", models, format="csv"))))
    document = evaluate(capsys, folders["synset"], "--models", models, "--output", str(out))
    poor = document["models"][1]
    assert sum(int(row[f"right:{poorer}"]) for row in rows) == round(80 * poor["top1"]["value"])
    assert all(synsets()[int(row["class"])] == row["synset"] for row in rows)
    with (out / "predictions.csv").open(encoding="utf-8") as file:
        predictions = [row for row in csv.DictReader(file) if row["model"] == poorer]
    assert np.mean([row["label"] == row["prediction"] for row in predictions]) == pytest.approx(poor["top1"]["value"])
    findings = json.loads((out / "findings.json").read_text(encoding="utf-8"))["findings"]
    pair = next(finding for finding in findings if finding["kind"] == "comparison" and finding["relation"])
    assert pair["estimates"]["difference"] == pytest.approx(document["comparisons"][0]["estimates"]["difference"])


def test_a_head_with_a_background_class_is_read_by_its_map(folders, heads_of_1000, capsys, monkeypatch):
    from weigh.data.pictures.imagenet import BACKGROUND
    from weigh.models import pretrained

    load = pretrained.load_model

    def with_background(address, **options):
        model = load(address, **options)
        head = model.module.get_classifier()
        wider = torch.nn.Linear(head.in_features, 1001)
        with torch.no_grad():
            wider.weight.copy_(torch.cat([torch.zeros(1, head.in_features), head.weight]))
            wider.bias.copy_(torch.cat([torch.full((1,), 1e3), head.bias]))  # background is everybody's favourite
        model.module.fc = wider
        model.classes, model.imagenet = 1001, BACKGROUND
        return model

    monkeypatch.setattr(pretrained, "load_model", with_background)
    document = evaluate(capsys, folders["synset"], "--models", heads_of_1000[2])
    (row,) = document["models"]
    assert row["top1"]["value"] > 0.95
    assert row["answers_that_are_no_class"] == 80
    assert "background" in row["remarks"][0]["en"]


def test_a_head_of_other_classes_is_refused(folders, heads_of_1000, capsys, monkeypatch):
    monkeypatch.setattr(evaluating, "_output_of_class", lambda model: None)
    assert main(["evaluate", str(folders["synset"]), "--models", heads_of_1000[2], *OFFLINE]) == 2
    assert "no head of its own for ImageNet" in " ".join(capsys.readouterr().err.split())


def test_a_data_set_of_some_classes_is_scored_over_all_outputs_and_over_its_own(
    heads_of_1000, poorer, tmp_path, capsys
):
    files, answers, _ = heads_of_1000
    common = [number for number, count in zip(*np.unique(answers, return_counts=True), strict=True) if count >= 5]
    for i, (file, answer) in enumerate(zip(files, answers, strict=True)):
        if answer in common:
            (tmp_path / synsets()[answer]).mkdir(exist_ok=True)
            shutil.copy(file, tmp_path / synsets()[answer] / f"{i}.png")
    document = evaluate(capsys, tmp_path, "--models", poorer)
    (row,) = document["models"]
    assert row["among_classes_of_labels"]["value"] > row["top1"]["value"]
    assert f"Where only the {len(common)} classes" in row["remarks"][0]["en"]


@pytest.fixture
def validation(heads_of_1000, tmp_path):
    """Sixty pictures called like those of the validation set, with a list of synsets that the model gets right; ReaL-like labels beside."""
    files, answers, model = heads_of_1000
    lists = [[] for _ in range(50_000)]
    lines = []
    (tmp_path / "val").mkdir()
    for i, (file, answer) in enumerate(zip(files[:60], answers, strict=False), 1):
        shutil.copy(file, tmp_path / "val" / f"ILSVRC2012_val_{i:08d}.JPEG")
        lines.append(f"ILSVRC2012_val_{i:08d}.JPEG {synsets()[answer]}")
        lists[i - 1] = (
            [] if i > 50 else [int((answer + 1) % 1000), int(answer)] if i % 2 else [int((answer + 1) % 1000)]
        )
    (tmp_path / "val.txt").write_text("\n".join(lines))
    (tmp_path / "several.json").write_text(json.dumps(lists))
    return tmp_path / "val", model


def test_several_labels_for_a_picture_count_if_one_is_right(validation, heads_of_1000, capsys):
    folder, model = validation
    document = evaluate(capsys, folder, "--models", model, "--labels", str(folder.parent / "several.json"))
    assert document["n"] == 50
    assert document["models"][0]["top1"]["value"] == pytest.approx(0.5, abs=0.05)
    assert "10 of 60 pictures have no label" in document["notes"][-1]["en"]
    assert document["models"][0]["hint"] is None
    assert evaluate(capsys, folder, "--models", model, "--labels", "real")["n"] < 60


def test_where_several_labels_may_be_right_it_is_told_that_there_is_no_report(validation, capsys, tmp_path):
    folder, model = validation
    labels = str(folder.parent / "several.json")
    command = ["evaluate", str(folder), "--models", model, "--labels", labels, "-o", str(tmp_path / "o")]
    assert main([*command, *OFFLINE]) == 0
    assert "Only predictions.csv is written" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "o").iterdir()] == ["predictions.csv"]


@pytest.mark.parametrize(("score", "word"), [(97.5, "inside"), (60.0, "outside")])
def test_the_published_accuracy_stands_beside(validation, capsys, monkeypatch, score, word):
    folder, model = validation
    row = evaluating.published_of("timm:resnet18.a1_in1k")._replace(score=score, pixels=160)
    monkeypatch.setattr(evaluating, "_published", lambda model: row)
    document = evaluate(capsys, folder, "--models", model)
    remarks = " ".join(remark["en"] for remark in document["models"][0]["remarks"])
    assert f"lies {word} the interval" in remarks


def test_other_pictures_are_not_held_against_a_published_accuracy(folders, heads_of_1000, capsys, monkeypatch):
    monkeypatch.setattr(evaluating, "_published", lambda model: evaluating.published_of("timm:resnet18.a1_in1k"))
    shown = evaluate(capsys, folders["synset"], "--models", heads_of_1000[2], format="text")
    assert "These are other pictures or labels." in shown
    assert "the interval." not in shown


def test_only_the_validation_part_is_evaluated(folders, heads_of_1000, tmp_path, capsys):
    shutil.copytree(folders["synset"], tmp_path / "train")
    shutil.copytree(folders["synset"], tmp_path / "val")
    broken = next((tmp_path / "val").rglob("*.png"))
    broken.write_bytes(b"no picture")
    document = evaluate(capsys, tmp_path, "--models", heads_of_1000[2])
    assert document["n"] == 79
    notes = " ".join(note["en"] for note in document["notes"])
    assert "Only the 80 pictures" in notes
    assert "1 picture cannot be decoded and is left out" in notes


def test_copies_of_a_picture_make_no_interval_narrower(folders, poorer, tmp_path, capsys):
    files = sorted(folders["synset"].rglob("*.png"))
    for file in files:
        (tmp_path / file.parent.name).mkdir(exist_ok=True)
        for i in range(4):
            shutil.copy(file, tmp_path / file.parent.name / f"{file.stem}-{i}.png")
    distinct = len({file.read_bytes() for file in files})
    alone, copied = (evaluate(capsys, folder, "--models", poorer) for folder in (folders["synset"], tmp_path))
    note = f"{4 * len(files) - distinct} of the {4 * len(files)} pictures are copies of others"
    assert note in " ".join(one["en"] for one in copied["notes"])
    assert copied["groups"] == copied["models"][0]["top1"]["n"] == distinct
    widths = [one["models"][0]["top1"]["high"] - one["models"][0]["top1"]["low"] for one in (alone, copied)]
    assert widths[1] > 0.8 * widths[0]
    assert f"in {distinct} groups" in evaluate(capsys, tmp_path, "--models", poorer, format="text")


def test_groups_are_what_intervals_and_comparisons_count(heads_of_1000, poorer, tmp_path, capsys):
    files, answers, model = heads_of_1000
    rows = [f"{f.parent.name}/{f.name},{a},p{i % 8}" for i, (f, a) in enumerate(zip(files, answers, strict=True))]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label,patient", *rows]), encoding="utf-8")
    more = ("--set", f"data.root={files[0].parents[1]}", "--set", "design.group_by=patient")
    document = evaluate(capsys, tmp_path / "labels.csv", "--models", f"{model},{poorer}", *more)
    assert document["groups"] == 8
    assert {(row["top1"]["n"], row["top1"]["n_unit"]) for row in document["models"]} == {(8, "groups")}
    assert "Groups are independent of each other" in json.dumps(document["comparisons"])


def test_pictures_that_models_were_probably_trained_on_are_named(heads_of_1000, tmp_path, capsys):
    files, answers, model = heads_of_1000
    for i, (file, answer) in enumerate(zip(files, answers, strict=True)):
        (tmp_path / synsets()[answer]).mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / synsets()[answer] / f"{synsets()[answer]}_{i}.JPEG")
    document = evaluate(capsys, tmp_path, "--models", model)
    assert "80 of the 80 pictures are called like those that ImageNet is made of" in document["notes"][-1]["en"]


@pytest.mark.parametrize(
    ("labels", "more", "word"),
    [
        (("crane", "tench"), (), "n02012849"),
        (("daisies", "tench"), (), "daisy"),
        (("cat of mine", "dog of mine"), (), "weigh run"),
        (("1", "1000"), (), "label_offset=-1"),
        (("tench", "hen"), ("--labels", "index"), "not a number"),
        (("tench", "hen"), ("--labels", "real"), "ILSVRC2012_val_00000001.JPEG"),
        (("tench", "hen"), ("--labels", "imagenet21k"), "synset"),
        (("tench", "hen"), ("--labels", "none.json"), "validation set"),
    ],
)
def test_labels_that_mean_nothing_are_refused_with_what_helps(heads_of_1000, tmp_path, capsys, labels, more, word):
    for label, file in zip(labels, heads_of_1000[0], strict=False):
        (tmp_path / label).mkdir()
        shutil.copy(file, tmp_path / label / "a.png")
    assert main(["evaluate", str(tmp_path), "--models", heads_of_1000[2], *OFFLINE, *more]) == 2
    assert word in " ".join(capsys.readouterr().err.split())
