"""`weigh run glue/RTE` and `weigh glue`: a folder of GLUE needs no settings, and nothing secret is made up."""

from __future__ import annotations

import json

import numpy as np
import pytest

from weigh.cli.main import main
from weigh.glue.tasks import GLUE, recognise_glue
from weigh.spec import DataSpec

FEW = ["--set", "design.folds=2", "--set", "design.repeats=1", "--set", "design.order_check=false", "--set", "design.curve=false",
       "--set", "run.jobs=1"]  # fmt: skip
KINDS = ("film", "story", "song", "night")


def lines(n, seed, answers, columns):
    """`n` rows whose label can be told from their words; `columns` names a maker of each cell, "label" the answer."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        k = int(rng.integers(len(answers)))
        said = f"the {KINDS[int(rng.integers(4))]} {i} {seed} is {('good', 'bad', 'cold')[k % 3]}"
        cells = {"index": str(i), "label": answers[k], "a": said, "b": f"a {KINDS[k % 4]} {i * 7 % 13}", "none": "x"}
        rows.append([cells[c] for c in columns])
    return rows


def write(path, rows, header=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join("\t".join(r) for r in ([header] if header else []) + rows) + "\n", "utf-8")


OFFICIAL = {  # task -> (header of train, its cells, header of test, its cells); no header: the authors' and GLUE's CoLA
    "CoLA": (None, ("none", "label", "", "a"), ("index", "sentence"), ("index", "a")),
    "SST-2": (("sentence", "label"), ("a", "label"), ("index", "sentence"), ("index", "a")),
    "MRPC": (("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"), ("label", "index", "index", "a", "b"),
             ("index", "#1 ID", "#2 ID", "#1 String", "#2 String"), ("index", "index", "index", "a", "b")),
    "STS-B": (("index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2", "score"),
              ("index", "none", "none", "none", "index", "none", "none", "a", "b", "label"),
              ("index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2"),
              ("index", "none", "none", "none", "index", "none", "none", "a", "b")),
    "QQP": (("id", "qid1", "qid2", "question1", "question2", "is_duplicate"), ("index", "index", "index", "a", "b", "label"),
            ("id", "question1", "question2"), ("index", "a", "b")),
    "QNLI": (("index", "question", "sentence", "label"), ("index", "a", "b", "label"),
             ("index", "question", "sentence"), ("index", "a", "b")),
    "RTE": (("index", "sentence1", "sentence2", "label"), ("index", "a", "b", "label"),
            ("index", "sentence1", "sentence2"), ("index", "a", "b")),
    "WNLI": (("index", "sentence1", "sentence2", "label"), ("index", "a", "b", "label"),
             ("index", "sentence1", "sentence2"), ("index", "a", "b")),
}  # fmt: skip
ANSWERS = {name: task.answers or ("0.500", "2.250", "4.800") for name, task in GLUE.items()}


def make(folder, name, train=48, dev=24, test=9):
    """A folder in GLUE's own layout of a task."""
    header, cells, secret_header, secret = OFFICIAL[name]
    for part, n, seed in (("train", train, 1), ("dev", dev, 2)):
        rows = lines(n, seed, ANSWERS[name], [c or "none" for c in cells])
        rows = [[r[0], r[1], "" if r[1] == "1" else "*", r[3]] for r in rows] if name == "CoLA" else rows
        write(folder / name / f"{part}.tsv", rows, header)
    write(folder / name / "test.tsv", lines(test, 3, ANSWERS[name], secret), secret_header)
    return folder / name


def make_mnli(folder, train=48, dev=24, test=9):
    """MNLI: two development sets, two test sets, the diagnostics beside it."""
    header = ("index", "promptID", "pairID", "genre", "sentence1", "sentence2", "label1", "gold_label")
    cells = ("index", "index", "index", "none", "a", "b", "label", "label")
    for part, n, seed in (("train", train, 1), ("dev_matched", dev, 2), ("dev_mismatched", dev, 4)):
        rows = [[*r[:3], KINDS[i % 2], *r[4:]] for i, r in enumerate(lines(n, seed, ANSWERS["MNLI"], cells))]
        write(folder / "MNLI" / f"{part}.tsv", rows, header)
    for part, seed in (("test_matched", 5), ("test_mismatched", 6)):
        write(folder / "MNLI" / f"{part}.tsv", lines(test, seed, ANSWERS["MNLI"], cells[:6]), header[:6])
    write(
        folder / "AX" / "diagnostic.tsv", lines(5, 7, ("x",), ("index", "a", "b")), ("index", "sentence1", "sentence2")
    )
    return folder / "MNLI"


def run(folder, study, encoder, *more):
    return main(["run", str(folder), "--models", encoder, "--offline", "--yes", "-q", "-o", str(study), *FEW, *more])


def found(study, kind):
    findings = json.loads((study / "findings.json").read_text("utf-8"))["findings"]
    return [f for f in findings if f["kind"] == kind]


def test_every_task_is_recognised_by_name_and_columns(tmp_path):
    for name in OFFICIAL:
        folder = make(tmp_path, name)
        assert recognise_glue(DataSpec(train=str(folder))) == GLUE[name]
    assert recognise_glue(DataSpec(train=str(make_mnli(tmp_path)))) == GLUE["MNLI"]
    folder = make(tmp_path / "other", "RTE")
    assert recognise_glue(DataSpec(train=str(folder.rename(folder.parent / "mine")))) is None
    rows = lines(30, 1, ("yes", "no"), ("index", "a", "b", "label"))
    write(tmp_path / "odd" / "RTE" / "train.tsv", rows, OFFICIAL["RTE"][0])  # the name, but not the labels
    assert recognise_glue(DataSpec(train=str(tmp_path / "odd" / "RTE"))) is None


def test_rte_from_a_folder_to_a_submission(tmp_path, tiny_encoder, capsys):
    study = tmp_path / "study"
    assert run(make(tmp_path, "RTE"), study, tiny_encoder) == 0
    printed = capsys.readouterr().out
    assert "submission/RTE.tsv" in printed
    assert "9 answers" in printed
    submission = study / "submission" / "RTE.tsv"
    head, *rows = submission.read_text().splitlines()
    assert head == "index\tprediction"
    assert [r.split("\t")[0] for r in rows] == [str(i) for i in range(9)]
    assert {r.split("\t")[1] for r in rows} <= {"entailment", "not_entailment"}
    content = json.loads((study / "findings.json").read_text("utf-8"))["study"]
    assert content["primary"] == "accuracy"
    assert content["examples"] == {"train": 48, "test": 24}  # nothing of the test file
    assert "GLUE's RTE" in found(study, "glue")[0]["sentence"]["en"]
    # what was answered is not answered again, and the winner says the same
    before = submission.stat().st_mtime_ns
    assert run(tmp_path / "RTE", study, tiny_encoder) == 0
    assert submission.stat().st_mtime_ns == before
    assert main(["predict", str(study), str(tmp_path / "RTE" / "test.tsv"), "-q"]) == 0
    said = [row.split(",")[1] for row in capsys.readouterr().out.splitlines()[-9:]]
    assert said == [r.split("\t")[1] for r in rows]


def test_mnli_has_a_second_test_set_and_three_submissions(tmp_path, tiny_encoder):
    study = tmp_path / "study"
    assert run(make_mnli(tmp_path), study, tiny_encoder) == 0
    assert sorted(p.name for p in (study / "submission").iterdir()) == ["AX.tsv", "MNLI-m.tsv", "MNLI-mm.tsv"]
    assert len((study / "submission" / "AX.tsv").read_text().splitlines()) == 6
    assert [f["id"] for f in found(study, "shift")] == ["shift:mismatched"]
    content = json.loads((study / "findings.json").read_text("utf-8"))["study"]
    assert content["examples"] == {"train": 48, "test": 24}
    assert content["classes"] == ["contradiction", "entailment", "neutral"]


def test_similarity_is_a_number_on_the_scale(tmp_path, tiny_encoder):
    study = tmp_path / "study"
    assert run(make(tmp_path, "STS-B"), study, tiny_encoder) == 0
    values = [float(r.split("\t")[1]) for r in (study / "submission" / "STS-B.tsv").read_text().splitlines()[1:]]
    assert len(values) == 9
    assert all(0 <= v <= 5 for v in values)
    content = json.loads((study / "findings.json").read_text("utf-8"))["study"]
    assert (content["task"], content["primary"]) == ("text-regression", "pearson_spearman")


def test_what_the_user_sets_stays(tmp_path, capsys):
    folder = make(tmp_path, "MRPC")
    assert main(["data", str(folder), "--lang", "en"]) == 0
    assert "GLUE's MRPC: text-classification, scored by accuracy_f1." in capsys.readouterr().out
    assert main(["data", str(folder), "--set", "metrics.primary=f1", "--lang", "zh"]) == 0
    assert "这里按您的要求以 f1 评分" in capsys.readouterr().out
    assert main(["data", str(folder), "--set", "data.label=#1 ID"]) == 0  # other labels: no task of GLUE
    assert "GLUE" not in capsys.readouterr().out


def test_the_diagnostics_alone_are_explained(tmp_path, tiny_encoder, capsys):
    make_mnli(tmp_path)
    assert run(tmp_path / "AX", tmp_path / "study", tiny_encoder) == 2
    assert "MNLI" in capsys.readouterr().err


def test_the_table_of_studies(tmp_path, tiny_encoder, capsys):
    for name in ("WNLI", "SST-2"):
        assert run(make(tmp_path, name), tmp_path / "studies" / name, tiny_encoder, "--set", "output.refit=false") == 0
    assert run(make_mnli(tmp_path), tmp_path / "studies" / "MNLI", tiny_encoder, "--set", "output.refit=false") == 0
    capsys.readouterr()
    studies = [str(tmp_path / "studies" / name) for name in ("WNLI", "SST-2", "MNLI")]
    assert main(["glue", *studies, "-f", "json", "-o", str(tmp_path / "out")]) == 0
    table = json.loads(capsys.readouterr().out)
    (row,) = table["rows"]
    score = {task: row["scores"][task] for task in ("WNLI", "SST-2", "MNLI", "MNLI-mm")}
    assert all(s["low"] <= s["value"] <= s["high"] and s["n"] == 24 for s in score.values())
    mnli = (score["MNLI"]["value"] + score["MNLI-mm"]["value"]) / 2
    assert row["mean"]["value"] == pytest.approx((score["WNLI"]["value"] + score["SST-2"]["value"] + mnli) / 3)
    above = [(s["high"] - s["value"]) * w for s, w in zip(score.values(), (1 / 3, 1 / 3, 1 / 6, 1 / 6), strict=True)]
    assert row["mean"]["high"] - row["mean"]["value"] == pytest.approx(np.hypot.reduce(above))
    assert set(table["missing"]) == set(GLUE) - {"WNLI", "SST-2", "MNLI"}
    assert table["mean_over"] == ["SST-2", "MNLI", "WNLI"]
    assert all(column in table["columns"] for column in GLUE)  # a missing task has its column
    for name in ("glue.txt", "glue.md", "glue.json"):
        assert "RTE" in (tmp_path / "out" / name).read_text("utf-8")
    assert main(["glue", *studies, *studies[:1], "-o", str(tmp_path / "out")]) == 2  # the same task twice
    assert main(["glue", studies[0], "--lang", "zh", "-o", str(tmp_path / "out")]) == 0
    assert "不是 GLUE 总分" in capsys.readouterr().out


def test_a_study_of_something_else_is_refused(tmp_path, tiny_encoder, capsys):
    folder = make(tmp_path, "SST-2")
    assert (
        run(folder.rename(tmp_path / "reviews"), tmp_path / "study", tiny_encoder, "--set", "output.refit=false") == 0
    )
    assert main(["glue", str(tmp_path / "study"), "-o", str(tmp_path / "out")]) == 2
    assert "no task of GLUE" in capsys.readouterr().err
