"""`weigh rank`: only the choosing, as a table, as JSON and as a report; `weigh run` goes on from it and trains nothing again."""

from __future__ import annotations

import io
import json
import shlex
import shutil
from contextlib import redirect_stdout

import numpy as np
import pytest

from tests.findings.synthetic import make_results
from tests.text_models import write_reviews
from weigh.cli import rank
from weigh.cli.main import main
from weigh.cli.rank_study import failed_candidates, not_tried_words
from weigh.findings.file import findings_file
from weigh.language import text
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


def printed_by(command: list[str], width: int = 120) -> str:
    """What a command writes to standard output in a terminal of this width."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as out:
        patch.setenv("COLUMNS", str(width))
        assert main(command) == 0
    return out.getvalue()


def test_what_is_missing_for_a_ranking_are_groups_where_groups_count():
    logits = np.random.default_rng(0).normal(size=(2, 160, 2)).astype(np.float32)
    target = np.arange(160) % 2
    for groups, words in ((np.arange(160) // 20, "more groups, at least 10"), (None, "more examples, at least 10")):
        file = findings_file(make_results({"a": logits[:1], "b": logits[1:]}, target, groups=groups))
        assert words in rank._why_no_table(file).en


def test_a_program_is_told_why_there_is_no_ranking(photos, two, tmp_path):
    """Eight pictures are too few to say how sure a difference is."""
    for group in sorted(folder for folder in photos.iterdir() if folder.is_dir())[:2]:
        (tmp_path / "few" / group.name).mkdir(parents=True)
        for picture in sorted(group.iterdir())[:4]:
            shutil.copy(picture, tmp_path / "few" / group.name)
    command = ["rank", str(tmp_path / "few"), "--models", ",".join(two), "--output", str(tmp_path / "s"), *QUICK]
    document = json.loads(printed_by([*command, "--format", "json"]))
    assert document["ranking"] == []
    assert "too few examples in common" in document["why_no_ranking"]["en"]


@pytest.fixture(scope="module")
def told(ranked) -> list[str]:
    """Lines that the command writes when it is repeated."""
    return printed_by(ranked[1]).splitlines()


@pytest.fixture(scope="module")
def document(ranked) -> dict:
    """The same as JSON."""
    return json.loads(printed_by([*ranked[1], "--format", "json"]))


@pytest.mark.parametrize("width", [80, 120])
def test_the_verdict_stands_first_then_the_table_and_what_it_means(ranked, told, width):
    folder, command = ranked
    lines = told if width == 120 else printed_by(command, width).splitlines()
    header = next(i for i, line in enumerate(lines) if line.split()[:3] == ["#", "model", "score"])
    assert "balanced accuracy" in " ".join(lines[:header]), "the verdict stands first"
    assert [line.split()[0] for line in lines[header + 2 : header + 4]] == ["1", "2"]
    assert max(map(len, lines[: header + 7])) <= width
    whole = " ".join(lines)
    assert "with a probability of" in whole
    assert "With 95 % confidence the best candidate is" in whole
    assert f"Report: {folder / 'report.html'}" in whole
    assert "weigh run" in lines[-1]


def test_json_holds_the_table_and_the_finding(document, two):
    assert [row["rank"] for row in document["ranking"]] == [1, 2]
    assert document["why_no_ranking"] is None
    assert sum(row["p_best"] for row in document["ranking"]) == pytest.approx(1, abs=0.01)
    assert all(row["seconds"] > 0 for row in document["ranking"])
    assert {row["model"] for row in document["ranking"]} == set(two), "a program needs the address, not the short name"
    assert document["verdict"]["en"]
    assert document["verdict"]["zh"]
    assert document["finding"]["kind"] == "choice"


def test_scores_without_a_head_are_columns_when_asked_for_and_always_in_json(ranked, told, document):
    assert "LogME" not in " ".join(told)
    lines = printed_by([*ranked[1], "--scores"]).splitlines()
    header = next(line for line in lines if "LogME" in line)
    assert [name for name in header.split() if name in ("LogME", "H-score", "kNN", "GMACs")] == [
        "LogME",
        "H-score",
        "kNN",
        "GMACs",
    ]
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
    assert "真正是这 2 个中最好的，概率" in out
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
    return text("not here", "不在这里")


def test_named_models_go_on_with_the_command_that_is_named(told, capsys):
    command = shlex.split(told[-1].partition(": ")[2])
    assert command[:2] == ["weigh", "run"]
    capsys.readouterr()
    assert main(["plan", *command[2:]]) == 0
    planned = capsys.readouterr()
    assert "recorded already" in planned.out + planned.err


def test_texts_are_ranked_as_often_as_one_likes(tiny_encoder, tmp_path, monkeypatch, capsys):
    """Counted words stand beside the models that weigh chose: they are no further recipe."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(suggested, "SUGGESTED", (Suggested(tiny_encoder, "texts"),))
    monkeypatch.setattr(suggested, "out_of_reach", lambda address, *, hub: None)
    write_reviews(tmp_path / "d.csv", 30)
    command = ["rank", "d.csv", *QUICK, "--set", "design.folds=2", "--set", "design.repeats=1"]
    assert main(command) == 0
    assert "naive-bayes" in capsys.readouterr().out
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "naive-bayes" in out
    further = shlex.split(out.splitlines()[-1].partition(": ")[2])
    assert further[-5:] == ["--set", "design.folds=2", "--set", "design.repeats=1", "--offline"], (
        "settings go on with it"
    )
    assert main(["rank", "studies/d", *QUICK]) == 0, "also from the folder, though weigh chose a single model"


def test_a_file_that_sets_an_option_of_the_heads_is_ranked_again(photos, two, tmp_path, capsys):
    written = tmp_path / "study.yaml"
    content = {"data": str(photos), "models": two, "recipes": [{"name": "probe", "image_size": 48}],
               "design": {"folds": 2, "repeats": 1}}  # fmt: skip
    written.write_text(json.dumps(content), "utf-8")
    command = ["rank", str(written), "--output", str(tmp_path / "s"), *QUICK]
    assert main(command) == 0
    assert main(command) == 0
    capsys.readouterr()
    assert main(["rank", str(tmp_path / "s"), *QUICK]) == 0
    further = shlex.split(capsys.readouterr().out.splitlines()[-1].partition(": ")[2])
    assert {"output.refit=true", "design.cleaned=true", "design.curve=null"} < set(further), (
        "a folder holds what ranking set"
    )
    further[further.index("--recipes") + 1] = "probe"  # a short training is as good here
    assert main([*further[1:], "--quiet"]) == 0
    assert (tmp_path / "s" / "model").is_dir()
    capsys.readouterr()
    assert main(command) == 2, "the report with a saved model stays"
    assert "holds a study that saves a model" in capsys.readouterr().err


def test_a_ranking_of_other_models_is_not_overwritten(ranked, tiny, photos, capsys):
    command = ["rank", str(photos), "--models", f"{tiny},timm:test_vit", "--output", str(ranked[0]), *QUICK]
    assert main(command) == 2
    assert "holds a study with further models: file:" in capsys.readouterr().err
    assert main(["rank", str(photos), "--output", str(ranked[0]), *QUICK]) == 2, "nor by models that weigh chooses"
    assert "holds a study with further models" in capsys.readouterr().err


def test_a_model_that_cannot_be_used_is_left_out_and_named(photos, two, tmp_path, monkeypatch, capsys):
    gone = f"file:{tmp_path}/gone.safetensors@timm:test_resnet"
    monkeypatch.setattr(suggested, "SUGGESTED", tuple(Suggested(address, "pictures") for address in (gone, *two)))
    monkeypatch.setattr(suggested, "out_of_reach", lambda address, *, hub: None)
    command = ["rank", str(photos), "--output", str(tmp_path / "s"), *QUICK, "--set", "design.repeats=1"]
    for _ in range(2):
        capsys.readouterr()
        assert main([*command, "--format", "json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert {row["model"] for row in document["ranking"]} == set(two)
        assert [row["model"] for row in document["not_tried"]] == [gone]
        assert document["not_tried"][0]["reason"]["en"].startswith("cannot be used")
        assert document["not_tried"][0]["reason"]["zh"].startswith("无法使用")
        assert document["failed"] == []
    assert main(command) == 0
    assert f"Nottried:{gone}(cannotbeused" in "".join(capsys.readouterr().out.split())


def test_failed_candidates_are_named_with_their_cause():
    results = make_results(
        {"m0": np.zeros((1, 40, 2)), "m1": np.zeros((1, 40, 2))},
        np.arange(40) % 2,
        failed=[("m1", 0, fold, "out of memory.") for fold in range(3)] + [("m1", 0, 3, "disk full")],
    )
    failed = failed_candidates(results)
    assert failed == [("m1", "timm:m1", 4, 5, "out of memory.")]
    late = text("no time within 1m", "1m 内来不及")
    words = not_tried_words({"timm:a": late, "timm:b": late}, failed)
    assert words.en == "Not tried: timm:a, timm:b (no time within 1m). Failed: m1 (4 of 5 runs: out of memory)."
    assert words.zh == "未尝试：timm:a, timm:b（1m 内来不及）。失败：m1（5 次运行中有 4 次：out of memory）。"
    assert not_tried_words({}, []) is None


def test_options_of_run_reach_the_study(photos, two, tmp_path, monkeypatch):
    seen: list[tuple[Study, dict]] = []
    monkeypatch.setattr(rank, "run_and_tell", lambda study, tell, **how: seen.append((study, how)))
    command = ["rank", str(photos), "--models", ",".join(two), "--output", str(tmp_path / "s"), "--device", "cpu",
               "--jobs", "2", "--retry-failed", "--set", "design.cleaned=true", "--set", "recipes.probe.image_size=48"]  # fmt: skip
    assert main(command) == 0
    study, how = seen[0]
    assert how["retry_failed"]
    assert (study.spec.run.device, study.spec.run.jobs) == ("cpu", 2)
    assert study.spec.design.cleaned, "a user's setting counts more than that of ranking"
    assert not study.spec.output.refit
    assert study.spec.recipes[0].overrides == {"image_size": 48}
    assert main(["rank", str(photos), "--output", str(tmp_path / "s"), "--set", "recipes.probe.image_size=48"]) == 0


def test_who_declines_is_not_shown_an_old_table(ranked, monkeypatch, capsys):
    monkeypatch.setattr("weigh.screen.ASK_ABOVE", -1.0)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda: "n")
    capsys.readouterr()
    assert main([*ranked[1], "--set", "design.repeats=6"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert f"Not started. What was recorded before: weigh report {ranked[0]} --format text" in told.err


@pytest.mark.parametrize("source", ["yaml", "set"])
def test_one_model_in_a_file_is_no_choice_either(photos, tiny, tmp_path, source, capsys):
    (tmp_path / "one.yaml").write_text(json.dumps({"data": str(photos), "models": [tiny]}), "utf-8")
    named = [str(tmp_path / "one.yaml")] if source == "yaml" else [str(photos), "--set", f"models=[{tiny}]"]
    assert main(["rank", *named, "--output", str(tmp_path / "s")]) == 2
    assert "Among one model nothing can be chosen" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rank", "no-such-folder"], "no-such-folder"),
        (["rank", "{photos}", "--format", "pdf"], "pdf is none of text, json, html"),
        (["rank", "{photos}", "--models", "timm:test_resnet"], "Among one model nothing can be chosen"),
        (["rank", "{photos}", "--models", "a:b,c:d"], "a"),
        (["rank", "{photos}", "--budget", "soon"], "is not a duration"),
        (["rank", "{photos}", "--budget", "1:30"], "'1:30' is not a duration"),
        (["rank", "{photos}", "--device", "toaster"], "toaster"),
        (["rank", "{photos}", "--set", "design.fold=3"], "design.fold"),
        (["rank", "{photos}", "--task", "poetry"], "poetry"),
    ],
)
def test_what_cannot_be_ranked_is_refused_with_the_reason(photos, tmp_path, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(tmp_path)
    assert main([one.format(photos=photos) for one in arguments]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert "Traceback" not in captured.err


def test_without_a_table_the_reason_is_told(capsys):
    from tests.findings.studies import pictures, results_of
    from weigh.cli.rank import _print_ranking
    from weigh.findings.file import findings_file

    for results, reason in (
        (pictures((3.0, 1.0), n=8, winner="m0"), "too few examples in common"),
        (pictures((3.0,), winner="m0"), "a single model has results"),
        (results_of("apart"), "with --retry-failed goes on"),
    ):
        _print_ranking(findings_file(results), "en", [], without=())
        assert reason in " ".join(capsys.readouterr().out.split())


def test_a_score_of_some_folds_is_marked_in_the_table(capsys):
    from tests.findings.studies import raced
    from weigh.cli.rank import _print_ranking
    from weigh.findings.file import findings_file

    for dropped in (True, False):
        _print_ranking(findings_file(raced(dropped=dropped)), "en", [], without=())
        assert ("* The score of some folds only" in capsys.readouterr().out) is dropped


def test_no_probability_to_be_best_is_written_as_certain():
    row = {"rank": 1, "candidate": "m0", "score": 0.9, "low": None, "high": None, "possibly_best": True}
    for value, written in ((1.0, "> 0.99"), (0.99, "0.99"), (0.406, "0.41"), (0.004, "< 0.01")):
        assert rank._cells({**row, "p_best": value}, "en")["p_best"] == written


def test_ends_of_intervals_keep_their_side_of_zero():
    """Errors of labels on a small scale all stood as 0.000 [0.000, 0.001]."""
    row = {"rank": 1, "candidate": "m0", "score": 0.0003, "low": 0.00004, "high": 0.0009, "possibly_best": True}
    assert rank._cells(row, "en")["score"] == "0.00030 [0.00004, 0.00090]"
    assert rank._cells({**row, "score": 0.5, "low": None, "high": None}, "en")["score"] == "0.500"
