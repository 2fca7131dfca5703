"""`weigh rank`: only the choosing, as a table, as JSON and as a report; `weigh run` goes on from it and trains nothing again."""

from __future__ import annotations

import json
import shlex

import pytest

from weigh.cli.main import main
from weigh.models import suggested
from weigh.models.suggested import Suggested
from weigh.study import Study
from weigh.train import length

QUICK = ["--offline", "--quiet"]


@pytest.fixture(scope="module")
def two(tiny, tmp_path_factory):
    """A second tiny model, of other random weights."""
    import timm
    import torch
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("weights") / "other.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(1)
        save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), path)
    return [tiny, f"file:{path}@timm:test_resnet"]


@pytest.fixture(scope="module")
def ranked(photos, two, tmp_path_factory):
    """A finished ranking of two models, and the command that made it."""
    folder = tmp_path_factory.mktemp("studies") / "ranked"
    command = ["rank", str(photos), "--models", ",".join(two), "--output", str(folder), *QUICK]
    assert main(command) == 0
    return folder, command


def test_the_table_stands_first_then_what_it_means(ranked, two, capsys, monkeypatch):
    folder, command = ranked
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        capsys.readouterr()
        assert main(command) == 0
        lines = capsys.readouterr().out.splitlines()[1:]
        assert lines[0].split()[:3] == ["#", "model", "score"]
        assert [line.split()[0] for line in lines[2:4]] == ["1", "2"]
        assert max(map(len, lines[:8])) <= width
        told = " ".join(lines)
        assert "with a probability of" in told
        assert "With 95 % confidence the best candidate is" in told
        assert f"Report: {folder / 'report.html'}" in told
        assert "weigh run" in lines[-1]


def test_json_holds_the_table_and_the_finding(ranked, two, capsys):
    capsys.readouterr()
    assert main([*ranked[1], "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["rank"] for row in document["ranking"]] == [1, 2]
    assert sum(row["p_best"] for row in document["ranking"]) == pytest.approx(1, abs=0.01)
    assert all(row["seconds"] > 0 for row in document["ranking"])
    assert {row["model"] for row in document["ranking"]} == set(two), "a program needs the address, not the short name"
    assert document["verdict"]["en"]
    assert document["verdict"]["zh"]
    assert document["finding"]["kind"] == "choice"


def test_scores_without_a_head_are_columns_when_asked_for_and_always_in_json(ranked, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    capsys.readouterr()
    assert main(ranked[1]) == 0
    assert "LogME" not in capsys.readouterr().out
    assert main([*ranked[1], "--scores"]) == 0
    lines = capsys.readouterr().out.splitlines()
    header = next(line for line in lines if "LogME" in line)
    assert [name for name in header.split() if name in ("LogME", "H-score", "kNN", "GMACs")] == [
        "LogME",
        "H-score",
        "kNN",
        "GMACs",
    ]
    assert main([*ranked[1], "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    for row, line in zip(document["ranking"], lines[lines.index(header) + 2 :], strict=False):
        assert [f"{row[key]:.3f}" for key in ("logme", "h_score", "knn")] == line.split()[-5:-2]
        assert 0 <= row["knn"] <= 1


def test_html_prints_where_the_report_stands(ranked, capsys):
    capsys.readouterr()
    assert main([*ranked[1], "--format", "html"]) == 0
    assert capsys.readouterr().out.strip() == str(ranked[0] / "report.html")
    assert "How safe is it to take the first of the ranking?" in (ranked[0] / "report.html").read_text("utf-8")


def test_in_chinese(ranked, capsys):
    capsys.readouterr()
    assert main([*ranked[1], "--lang", "zh"]) == 0
    out = capsys.readouterr().out
    assert "真正是这 2 个中最好的，概率为" in out
    assert "report.zh.html" in out


def test_the_command_that_it_names_goes_on_and_trains_nothing_again(photos, tiny, monkeypatch, tmp_path, capsys):
    """Models that weigh chose; the finetune of the tiny model makes two candidates of one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(length, "MOST_EPOCHS", 2)  # a short training is as good here
    other = Suggested("timm:test_vit", "pictures")
    monkeypatch.setattr(suggested, "SUGGESTED", (Suggested(tiny, "pictures"), other))
    monkeypatch.setattr(suggested, "out_of_reach", lambda address, *, hub: None if address == tiny else other_reason())
    assert main(["rank", str(photos), "--offline"]) == 0
    told = capsys.readouterr()
    assert f"weigh tries {tiny}" in told.err
    command = told.out.splitlines()[-1].partition(": ")[2]
    folder = next((tmp_path / "studies").iterdir())
    before = {run.key for run in Study.open(folder).results().runs(purpose="main")}
    short = ["design.repeats=1", "recipes.finetune.image_size=32"]
    assert main([*shlex.split(command)[1:], "--quiet", *(part for one in short for part in ("--set", one))]) == 0
    after = Study.open(folder)
    runs = after.results().runs(purpose="main")
    assert {recipe.name for recipe in after.spec.recipes} == {"probe", "finetune"}
    kept = [run for run in runs if run.key in before]
    assert len(kept) == 5, "one repeat of the probe: the same runs, not new ones"
    assert sum(run.candidate.endswith("probe") for run in runs) == len(kept)
    assert main(["rank", str(photos), "--offline"]) == 2, "ranking would take finetune out of the report"
    assert "holds a study with further recipes" in capsys.readouterr().err


def other_reason():
    from weigh.language import text

    return text("not here", "不在这里")


def test_named_models_go_on_with_the_command_that_is_named(ranked, capsys):
    capsys.readouterr()
    assert main(ranked[1]) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[-1].partition(": ")[2])
    assert command[:2] == ["weigh", "run"]
    assert main(["plan", *command[2:]]) == 0
    told = capsys.readouterr()
    assert "recorded already" in told.out + told.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rank", "no-such-folder"], "no-such-folder"),
        (["rank", "{photos}", "--format", "pdf"], "pdf is none of text, json, html"),
        (["rank", "{photos}", "--models", "timm:test_resnet"], "Among one model nothing can be chosen"),
        (["rank", "{photos}", "--models", "a:b,c:d"], "a"),
        (["rank", "{photos}", "--budget", "soon"], "is not a duration"),
        (["rank", "{photos}", "--task", "poetry"], "poetry"),
    ],
)
def test_what_cannot_be_ranked_is_refused_with_the_reason(photos, tmp_path, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(tmp_path)
    assert main([one.format(photos=photos) for one in arguments]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert "Traceback" not in captured.err
