"""GLUE by its names on the hub: the same task, labels and secret test files as from GLUE's own folder."""

from __future__ import annotations

import json

import pytest

from weigh.data.readers import read_and_check
from weigh.errors import DataError
from weigh.glue.hub import named_on_hub
from weigh.glue.tasks import complete_spec, submission_files
from weigh.spec_yaml import load_spec

datasets = pytest.importorskip("datasets")

NAMES = {
    "rte": ["entailment", "not_entailment"],
    "cola": ["unacceptable", "acceptable"],
    "mnli": ["entailment", "neutral", "contradiction"],
    "ax": ["entailment", "neutral", "contradiction"],
}
TEXTS = {"rte": ("sentence1", "sentence2"), "cola": ("sentence",), "mnli": ("premise", "hypothesis"),
         "ax": ("premise", "hypothesis"), "stsb": ("sentence1", "sentence2")}  # fmt: skip


def rows(configuration, split, n):
    """As the hub keeps them: class numbers with names, -1 where the label is secret."""
    secret, scale = split.startswith("test"), configuration == "stsb"
    content = {c: [f'"{split}" {c} {i}\tof a\nstory' for i in range(n)] for c in TEXTS[configuration]}
    content |= {"label": [-1 if secret else i * 5 / n if scale else i % 2 for i in range(n)], "idx": list(range(n))}
    found = datasets.Dataset.from_dict(content)
    kind = datasets.Value("float32") if scale else datasets.ClassLabel(names=NAMES[configuration])
    return found.cast_column("label", kind)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    asked = []

    def load_dataset(name, configuration=None):
        asked.append((name, configuration))
        splits = {"train": 24, "validation": 8, "test": 6}
        if configuration == "mnli":
            splits = {
                "train": 24,
                "validation_matched": 8,
                "validation_mismatched": 8,
                "test_matched": 6,
                "test_mismatched": 5,
            }
        if configuration == "ax":
            splits = {"test": 4}
        return datasets.DatasetDict({split: rows(configuration, split, n) for split, n in splits.items()})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_DATASETS_OFFLINE", raising=False)
    return asked


def spec_of(name, **run):
    return load_spec({"data": {"train": name}, "models": ["hf:some/encoder"], "run": run})


@pytest.mark.parametrize("name", ["glue/RTE", "nyu-mll/glue/rte", "hub:glue/RTE/"])
def test_a_task_by_its_name_is_read_like_its_folder(hub, name):
    spec, said = complete_spec(spec_of(name))
    assert "GLUE's RTE" in said[0].sentence.render("en")
    assert (spec.task, spec.title) == ("text-classification", "RTE")
    examples, _ = read_and_check(spec.data, spec.task, offline=True)
    assert sorted(examples.classes) == ["entailment", "not_entailment"]
    assert (examples.part == "train").sum() == 24
    assert (examples.part == "test").sum() == 8
    assert any('"train"' in t[0] and "\n" in t[0] for t in examples.rows)  # quotes, tabs and line breaks survive
    assert [(f.name, len(f.table.columns["sentence1"])) for f in submission_files(spec)] == [("RTE", 6)]


def test_it_is_downloaded_once_and_then_works_offline(hub):
    complete_spec(spec_of("glue/RTE"))
    assert hub == [("nyu-mll/glue", "rte")]
    spec, _ = complete_spec(spec_of("glue/RTE", offline=True))
    assert spec.task == "text-classification"
    assert len(hub) == 1


def test_offline_and_never_downloaded_is_said(hub):
    with pytest.raises(DataError, match=r"glue/RTE.*offline"):
        complete_spec(spec_of("glue/RTE", offline=True))
    assert hub == []


def test_labels_are_those_of_glues_files(hub):
    spec, _ = complete_spec(spec_of("glue/CoLA"))
    examples, _ = read_and_check(spec.data, spec.task, offline=True)
    assert sorted(examples.classes) == ["0", "1"]
    assert spec.primary == "matthews"
    spec, _ = complete_spec(spec_of("glue/STS-B"))
    examples, _ = read_and_check(spec.data, spec.task, offline=True)
    assert spec.task == "text-regression"
    assert examples.target.max() < 5
    assert examples.target.min() == 0


def test_mnli_comes_with_both_halves_and_the_diagnostics(hub):
    spec, _ = complete_spec(spec_of("glue/MNLI"))
    assert list(spec.data.shifted) == ["mismatched"]
    assert sorted(f.name for f in submission_files(spec)) == ["AX", "MNLI-m", "MNLI-mm"]


def test_other_names_and_folders_that_exist_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert named_on_hub("glue/unknown") is None
    assert named_on_hub("someone/RTE") is None
    assert named_on_hub("glue/sst2") == named_on_hub("glue/SST-2") == "SST-2"
    (tmp_path / "glue" / "RTE").mkdir(parents=True)
    assert named_on_hub("glue/RTE") is None


# Layouts of the authors -----------------------------------------------------------------------------------------------


def write_table(path, header, rows, start=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(header), *("\t".join(row) for row in rows)]
    path.write_text(start + "\n".join(lines) + "\n", encoding="utf-8")


def test_multinli_as_its_authors_hand_it_out(tmp_path):
    """Two formats of the same rows, two development sets, and "-" where the annotators did not agree."""
    folder, header = tmp_path / "multinli_1.0", ("gold_label", "sentence1", "sentence2", "pairID", "genre")
    for part, n in (("train", 60), ("dev_matched", 20), ("dev_mismatched", 20)):
        answers = ["-" if i % 10 == 0 else NAMES["mnli"][i % 3] for i in range(n)]
        rows = [(a, f"{part} premise {i}", f"{part} claim {i * 7}", f"{i}e", "fiction") for i, a in enumerate(answers)]
        write_table(folder / f"multinli_1.0_{part}.txt", header, rows)
        as_json = "\n".join(json.dumps(dict(zip(header, row, strict=True))) for row in rows)
        (folder / f"multinli_1.0_{part}.jsonl").write_text(as_json + "\n", encoding="utf-8")
    spec, _ = complete_spec(spec_of(str(folder)))
    examples, problems = read_and_check(spec.data, spec.task, offline=True)
    assert sorted(examples.classes) == sorted(NAMES["mnli"])
    sizes = {part: int((examples.part == part).sum()) for part in set(examples.part)}
    assert sizes == {"train": 54, "test": 18, "shift:mismatched": 18}
    assert not [p for p in problems if p.kind in ("duplicate", "leak")]
    assert any(p.kind == "missing-label" for p in problems)


def test_mrpc_and_qqp_as_their_authors_hand_them_out(tmp_path):
    folder = tmp_path / "MSRParaphraseCorpus"
    for part, n in (("train", 40), ("test", 20)):
        rows = [
            (str(i % 2), str(i), str(i + 99), f'{part} one {i}, "quoted', f"{part} other {i * 3}") for i in range(n)
        ]
        header = ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String")
        write_table(folder / f"msr_paraphrase_{part}.txt", header, rows, start="\ufeff")
    spec, _ = complete_spec(spec_of(str(folder)))
    assert (spec.primary, spec.data.positive) == ("accuracy_f1", "1")
    examples, _ = read_and_check(spec.data, spec.task, offline=True)
    assert [(examples.part == part).sum() for part in ("train", "test")] == [40, 20]

    file = tmp_path / "quora_duplicate_questions.tsv"
    rows = [(str(i), str(i), str(i + 50), f"question {i}?", f"asked {i * 3}?", str(i % 2)) for i in range(30)]
    write_table(file, ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"), rows)
    spec, _ = complete_spec(spec_of(str(file)))
    assert (spec.task, spec.primary) == ("text-classification", "accuracy_f1")
    assert submission_files(spec) == []


def test_a_damaged_file_in_the_cache_is_written_anew(hub, tmp_path, caplog):
    complete_spec(spec_of("glue/RTE"))
    file = tmp_path / "cache" / "glue" / "RTE" / "train.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"entailment", b"entailmint", 1))
    complete_spec(spec_of("glue/RTE"))
    assert file.read_bytes() == whole
    assert "Made anew: RTE" in caplog.text
