"""What a user does, through the command line: run, resume, extend, report, predict, and every mistake on the way."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pytest
from PIL import Image

from weigh.cli.main import main
from weigh.study import Study


def weigh(capsys, *arguments) -> tuple[int, str, str]:
    """Run a command; exit code, standard output, standard error."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_study_folder_holds_what_is_promised(finished):
    names = {path.name for path in finished.folder.iterdir()}
    assert {
        "study.yaml",
        "ledger.sqlite",
        "arrays",
        "report.html",
        "report.zh.html",
        "findings.json",
        "log.txt",
        "model",
    } <= names
    assert {"model.safetensors", "config.json", "README.md"} <= {
        path.name for path in (finished.folder / "model").iterdir()
    }
    stored = json.loads((finished.folder / "findings.json").read_text(encoding="utf-8"))
    assert set(stored) >= {"schema", "study", "findings"}
    assert stored["study"]["runs"] == {"done": 2 * 4 * 2 + stored["study"]["runs"]["done"] - 16, "failed": 0}
    assert not [finding for finding in stored["findings"] if finding["kind"] == "internal"]


def test_findings_answer_the_questions(finished):
    findings = finished.read()
    kinds = {finding.kind for finding in findings}
    assert {
        "performance",
        "comparison",
        "generalisation",
        "order",
        "stability",
        "calibration",
        "cost",
        "advice",
    } <= kinds
    for finding in findings:
        assert finding.verdict in ("yes", "no", "undecided")
        assert finding.sentence.en
        assert finding.sentence.zh
        if finding.relation:
            assert finding.claim in ("these_models", "this_data", "new_data")
    assert finished.results().test_looks == 1


def test_the_same_command_resumes_and_does_nothing_twice(finished, capsys, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    before = (folder / "findings.json").read_bytes()
    code, out, err = weigh(capsys, "run", folder)
    assert code == 0, err
    assert "Report:" in out
    assert (folder / "findings.json").read_bytes() == before


def test_a_larger_design_extends(finished, capsys, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    code, _, err = weigh(capsys, "run", folder, "--set", "design.repeats=3")
    assert code == 0, err
    assert "16 runs are recorded already" in err.replace("\n", " ") or "recorded already" in err
    larger, smaller = Study.open(folder).results(), finished.results()
    assert {run.key for run in smaller.runs()} < {run.key for run in larger.runs()}
    assert larger.test_looks == 1  # the refit of a head does not depend on the repeats


def test_other_data_is_refused_with_the_reason(finished, capsys, tmp_path, photos, tiny):
    folder, other = tmp_path / "copy", tmp_path / "photos"
    shutil.copytree(finished.folder, folder)
    shutil.copytree(photos, other)
    next((other / "circle").iterdir()).unlink()
    code, _, err = weigh(
        capsys, "run", other, "--models", tiny, "--offline", "--output", folder, "--set", "design.test=0.25"
    )
    assert code == 2
    assert "another number of examples" in err or "another data" in err
    assert "--output" in err


@pytest.mark.parametrize(("format", "reader"), [("csv", lambda text: list(csv.DictReader(io.StringIO(text)))),
                                                 ("jsonl", lambda text: [json.loads(line) for line in text.splitlines()])])  # fmt: skip
def test_predict(finished, photos, capsys, tmp_path, format, reader):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff not a picture")
    pictures = sorted((photos / "circle").iterdir())[:2]
    code, out, err = weigh(
        capsys, "predict", finished.folder, *pictures, broken, tmp_path / "none.png", "--format", format
    )
    assert code == 0
    rows = reader(out)
    assert [row["path"] for row in rows] == [*map(str, pictures), str(broken), str(tmp_path / "none.png")]
    for row in rows[:2]:
        probabilities = {name: float(row[f"p:{name}"]) for name in ("circle", "stripe")}
        assert abs(sum(probabilities.values()) - 1) < 1e-5
        assert float(row["probability"]) == pytest.approx(probabilities[row["label"]], abs=1e-5)
    assert not rows[2]["label"]
    assert not rows[3]["label"]
    assert "broken.jpg" in err
    assert "none.png" in err


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\xff\xd8\xff\xe0 cut off"])
def test_predict_fails_where_nothing_could_be_read(finished, capsys, tmp_path, content):
    """Exit code 0 would tell a script that there are predictions."""
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path in paths if content is not None else ():
        path.write_bytes(content)
    code, out, err = weigh(capsys, "predict", finished.folder, *paths)
    assert code == 2
    assert len(out.splitlines()) == 3  # rows out = rows in
    assert "None of the 2 inputs" in err


def test_predict_agrees_with_the_record(finished, capsys):
    """The saved model says of the test part what the refit said when it was scored."""
    import numpy as np

    from weigh.kinds.label import LABEL, decide_class

    results = finished.results()
    test = results.test(results.winner)
    paths = [results.examples.root / path for path in results.examples.path[test.indices]]
    rows = finished.predict(paths)
    temperature = finished.ledger().fact("temperature")
    expected = LABEL.probabilities(test.answers[0] / temperature)
    got = np.array([[row[f"p:{name}"] for name in results.examples.classes] for row in rows])
    np.testing.assert_allclose(got, expected, atol=5e-3)
    labels = [results.examples.classes[i] for i in decide_class(expected, test.bias[0])]
    assert sum(row["label"] == label for row, label in zip(rows, labels, strict=True)) >= len(rows) - 1


@pytest.mark.parametrize("format", ["json", "md"])
def test_report_prints(finished, capsys, format):
    code, out, _ = weigh(capsys, "report", finished.folder, "--format", format)
    assert code == 0
    study = finished.read().file.study
    label = next(c["label"] for c in study["candidates"] if c["id"] == study["winner"])
    assert f"{label} comes out best" in out


def test_report_in_chinese(finished, capsys):
    code, out, _ = weigh(capsys, "report", finished.folder, "--format", "text", "--lang", "zh")
    assert code == 0
    assert "报告：" in out


def test_plan_trains_nothing(photos, tiny, capsys, tmp_path):
    code, out, err = weigh(capsys, "plan", photos, "--models", tiny, "--offline", "--output", tmp_path / "s")
    assert code == 0, err
    assert "5 folds × 5 repeats" in out
    assert "smallest" in out.lower()
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["features", "{photos}"], "No models are named"),
        (["run", "nowhere/", "--models", "timm:test_resnet"], "nowhere"),
        (["run", "{photos}", "--models", "timm:test_resnett"], "test_resnet"),
        (["run", "{photos}", "--models", "{tiny}", "--set", "design.fold=3"], "folds"),
        (["run", "{photos}", "--models", "{tiny}", "--task", "poetry"], "poetry"),
        (["run", "{photos}", "--models", "{tiny}", "--fail-on", "leek"], "leak"),
        (["run", "{photos}", "--models", "{tiny}", "--device", "toaster"], "toaster"),
        (["run", "{photos}", "--models", "{tiny}", "--set", "design.group_by=site"], "site"),
        (["report", "{photos}"], "holds no study"),
        (["predict", "{photos}", "x.jpg"], "holds no study"),
        (["run", "none.yaml"], "none.yaml"),
        (["frobnicate"], ""),
        (["run", "{photos}", "--models", "{tiny}", "--jobs", "-3"], "run.jobs"),
    ],
)
def test_mistakes_are_said_and_exit_with_2(photos, tiny, capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    filled = [a.format(photos=photos, tiny=tiny) for a in arguments]
    code, _, err = weigh(capsys, *filled, *(["--offline"] if filled[0] == "run" else []))
    assert code == 2
    assert "Traceback" not in err
    assert said in err


def test_mistakes_in_chinese(capsys, tmp_path):
    code, _, err = weigh(capsys, "report", tmp_path, "--lang", "zh")
    assert code == 2
    assert "没有研究" in err


def test_fail_on(photos, tiny, capsys, tmp_path):
    data = tmp_path / "photos"
    shutil.copytree(photos, data)
    copied = next((data / "circle").iterdir())
    shutil.copy(copied, data / "stripe" / "copied.png")
    (data / "stripe" / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (40, 40), "red").save(data / "circle" / "plain.bmp")
    arguments = [
        "run",
        data,
        "--models",
        tiny,
        "--offline",
        "--set",
        "design.repeats=1",
        "--set",
        "design.folds=3",
        "--set",
        "design.curve=false",
        "--set",
        "design.cleaned=false",
        "--output",
        tmp_path / "s",
        "--quiet",
    ]
    code, _, err = weigh(capsys, *arguments, "--fail-on", "label-conflict,unreadable")
    assert code == 1, err
    found = Study.open(tmp_path / "s").read()
    assert any("copied.png" in path for finding in found.of("label-conflict") for path in finding.examples)
    assert any("broken.png" in path for finding in found.of("unreadable") for path in finding.examples)
    code, _, err = weigh(capsys, *arguments, "--fail-on", "one-class")
    assert code == 0, err


def test_hostile_names(tiny, capsys, tmp_path):
    from tests.conftest import make_photos

    data = make_photos(tmp_path / "data", classes=("<img src=x onerror=alert(1)>", "=cmd()"), per_class=12)
    code, _, err = weigh(
        capsys,
        "run",
        data,
        "--models",
        tiny,
        "--offline",
        "--set",
        "design.repeats=1",
        "--set",
        "design.folds=3",
        "--output",
        tmp_path / "s",
        "--quiet",
    )
    assert code == 0, err
    for name in ("report.html", "report.zh.html"):
        assert "<img src=x" not in (tmp_path / "s" / name).read_text(encoding="utf-8")


def test_a_hostile_table(tiny, photos, capsys, tmp_path):
    """Labels that are scripts and paths that climb out: the study runs, the path is named and never opened."""
    outside = tmp_path / "x.png"
    shutil.copy(next((photos / "circle").iterdir()), outside)
    data = tmp_path / "a" / "b"
    data.mkdir(parents=True)
    rows = ["path,label"]
    for name, label in (("circle", "<script>alert(1)</script>"), ("stripe", '"\'><svg onload=alert(2)>"')):
        for i, picture in enumerate(sorted((photos / name).iterdir())[:12]):
            shutil.copy(picture, data / f"{name}{i}.png")
            rows.append(f"{name}{i}.png,{label}")
    rows += ["../../x.png,<script>alert(1)</script>", f"{outside},<script>alert(1)</script>"]
    (data / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    arguments = [
        "--models",
        tiny,
        "--offline",
        "--set",
        "design.repeats=1",
        "--set",
        "design.folds=3",
        "--output",
        tmp_path / "s",
        "--quiet",
    ]
    code, _, err = weigh(capsys, "run", data / "table.csv", *arguments)
    assert code == 0, err
    study = Study.open(tmp_path / "s")
    assert {"../../x.png", str(outside)} == {
        path for finding in study.read().of("outside-root") for path in finding.examples
    }
    assert len(study.results().examples) == 24
    for name in ("report.html", "report.zh.html"):
        page = (tmp_path / "s" / name).read_text(encoding="utf-8")
        assert "<script>alert" not in page
        assert "<svg onload" not in page
    code, out, _ = weigh(capsys, "predict", tmp_path / "s", data / "circle0.png")
    assert code == 0
    assert out.count("\n") == 2


def test_interrupted_by_the_user(photos, tiny, capsys, tmp_path, monkeypatch):
    """Ctrl-C: exit code 130, a report of what was finished, and the same command goes on."""
    import weigh.execute.local as local

    real, calls = local.run_job, []

    def interrupt_after_first(*given):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(local, "run_job", interrupt_after_first)
    arguments = ["run", photos, "--models", tiny, "--recipes", "probe,scratch", "--offline", "--set", "design.folds=2", "--set", "design.repeats=1",
                 "--set", "recipes.scratch.epochs=1", "--set", "recipes.scratch.image_size=32", "--output", tmp_path / "s", "--quiet"]  # fmt: skip
    code, _, err = weigh(capsys, *arguments)
    assert code == 130
    assert "goes on from here" in err
    assert (tmp_path / "s" / "report.html").exists()
    monkeypatch.setattr(local, "run_job", real)
    code, _, err = weigh(capsys, *arguments)
    assert code == 0, err
    assert Study.open(tmp_path / "s").read().file.study["runs"]["failed"] == 0
