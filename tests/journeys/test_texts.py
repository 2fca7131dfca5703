"""What a user does with texts, through the command line: classes, pairs, numbers, entities; run, read, predict, export."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from safetensors import safe_open

from tests.journeys.test_journey import weigh
from tests.text_models import sentences, write_entities, write_reviews, write_similarity
from weigh.errors import ModelError
from weigh.notices import notices_to
from weigh.study import Study

QUICK_STUDY = ["design.folds=3", "design.repeats=1", "run.offline=true", "run.threads=1"]
NOTHING_BESIDES = ["design.order_check=false", "design.curve=false", "design.cleaned=false"]
QUICK = [
    "--offline",
    "--yes",
    *(part for one in ("design.folds=3", "design.repeats=1", *NOTHING_BESIDES) for part in ("--set", one)),
]


def run(capsys, data, encoder, folder, recipes, *more) -> Study:
    code, _, err = weigh(
        capsys, "run", data, "--models", encoder, "--recipes", recipes, *QUICK, "--output", folder, *more
    )
    assert code == 0, err
    study = Study.open(folder)
    assert not [finding.sentence.en for finding in study.read() if finding.kind == "internal"]
    failed = [record.cause for record in study.results().records if record.status == "failed"]
    assert not failed
    return study


@pytest.fixture(scope="module")
def reviews(tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviews")
    data = write_reviews(folder / "reviews.csv", 120)
    settings = ["design.folds=3", "design.repeats=1", "design.test=0.2", "run.offline=true", *NOTHING_BESIDES]
    recipes = [
        "probe",
        {"name": "finetune", "epochs": 12, "learning_rate": 3e-3, "batch_size": 8, "patience": 12},
        {"name": "scratch", "epochs": 1},
    ]
    return Study.from_data(data, [tiny_encoder], recipes, settings=settings, folder=folder / "study").run()


def test_classes_are_learnt_and_reported(reviews):
    findings = reviews.read()
    assert not [finding.sentence.en for finding in findings if finding.kind == "internal"]
    results = reviews.results()
    tuned = results.out_of_fold(next(c.id for c in results.candidates if c.recipe == "finetune"))
    assert (tuned.prediction(0).labels == tuned.target).mean() > 0.9
    page = (reviews.folder / "report.html").read_text("utf-8")
    assert "pictures" not in page.casefold().replace("pictures of", "")


def test_new_texts_one_row_out_for_each_row_in(reviews, capsys, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text("id,text\n1,the film was great and lovely\n2,\n3,we saw an awful dull play\n", encoding="utf-8")
    code, out, err = weigh(capsys, "predict", reviews.folder, table)
    assert code == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["row"] for row in rows] == ["1", "2", "3"]
    assert set(rows[0]) == {"row", "label", "probability", "p:good", "p:bad"}
    assert [row["label"] for row in rows] == ["good", "", "bad"]
    assert float(rows[0]["p:good"]) + float(rows[0]["p:bad"]) == pytest.approx(1, abs=1e-5)
    assert "there is no text" in err


@pytest.mark.parametrize("content", ["", "id,text\n"])
def test_a_table_without_texts_is_said(reviews, capsys, tmp_path, content):
    (tmp_path / "new.csv").write_text(content, encoding="utf-8")
    code, out, err = weigh(capsys, "predict", reviews.folder, tmp_path / "new.csv", "-o", tmp_path / "rows.csv")
    assert (code, out) == (2, "")
    assert "new.csv holds no texts" in err
    assert not list(tmp_path.glob("rows*"))
    for typed in ("this film is great", "this film is great " * 30):  # a name of a file has at most 255 letters
        code, _, err = weigh(capsys, "predict", reviews.folder, typed)
        assert code == 2
        assert "There is no file this film" in err
        assert "echo TEXT | weigh predict STUDY -" in err


def test_lines_on_standard_input(reviews, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("great lovely film\nawful nasty film\n"))
    code, out, _ = weigh(capsys, "predict", reviews.folder, "-", "--format", "jsonl")
    assert code == 0
    assert [json.loads(line)["label"] for line in out.splitlines()] == ["good", "bad"]


def test_texts_beyond_the_models_length_are_told(reviews):
    told = []
    with notices_to(told.append):
        reviews.predict(["a film " * 100, "a film " * 10])  # 200 words, and 70 letters that are fewer tokens than fit
        reviews.predict(["a film"])
    (sentence,) = [one for one in told if "longer than the model reads" in one.en]
    assert sentence.en.startswith("Of 2 texts, 1 is longer than the model reads (64 tokens)")
    assert "2 条文本中有 1 条" in sentence.zh


def test_predictions_do_not_depend_on_the_neighbours(reviews):
    texts = [text for text, _ in sentences(40, [["great"], ["awful"]], seed=5)]
    together = reviews.predict(texts)
    alone = [reviews.predict([text])[0] for text in texts[:5]]
    for one, same in zip(alone, together, strict=False):
        assert one["p:good"] == pytest.approx(same["p:good"], abs=1e-5)


def test_the_same_study_gives_the_same_numbers(tiny_encoder, tmp_path, monkeypatch):
    data = write_reviews(tmp_path / "reviews.csv", 40)
    recipes = [
        "probe",
        {"name": "finetune", "epochs": 1, "learning_rate": 3e-3, "batch_size": 8},
        {"name": "scratch", "epochs": 1},
    ]
    studies = []
    for name in ("first", "second"):
        monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / f"cache of the {name}"))
        settings = [*QUICK_STUDY, *NOTHING_BESIDES, "output.refit=false"]
        studies.append(Study.from_data(data, [tiny_encoder], recipes, settings=settings, folder=tmp_path / name).run())
    candidates = [c.id for c in studies[0].results().candidates]
    assert len(candidates) == 3
    for candidate in candidates:
        first, second = (study.results().out_of_fold(candidate).answers for study in studies)
        np.testing.assert_array_equal(first, second)


def test_pairs_for_numbers(tiny_encoder, capsys, tmp_path):
    data = write_similarity(tmp_path / "pairs.tsv")
    study = run(capsys, data, tiny_encoder, tmp_path / "study", "probe,finetune", "--set", "recipes.finetune.epochs=2")
    results = study.results()
    assert results.spec.task == "text-regression"
    probe = results.out_of_fold(next(c.id for c in results.candidates if c.recipe == "probe"))
    assert np.corrcoef(probe.prediction(0).labels, probe.target)[0, 1] > 0.3
    rows = study.predict([("great film", "great film"), ("great film", "rome then")])
    assert rows[0]["value"] > rows[1]["value"]


def test_entities(tiny_encoder, capsys, tmp_path):
    data = write_entities(tmp_path / "train.conll")
    study = run(
        capsys, data, tiny_encoder, tmp_path / "study", "finetune", "--set", "recipes.finetune.epochs=8",
        "--set", "recipes.finetune.learning_rate=0.005", "--set", "recipes.finetune.batch_size=8",
    )  # fmt: skip
    performance = study.read().of("performance")[0]
    score = next(e for e in performance.estimates.values() if e.low is not None)
    assert score.value > 0.8
    found = study.predict([("we", "saw", "anna", "and", "then", "paris")])[0]["entities"]
    assert {(e["text"], e["type"]) for e in found} == {("anna", "PER"), ("paris", "LOC")}


def test_a_model_of_pictures_is_refused(tiny, capsys, tmp_path):
    data = write_reviews(tmp_path / "reviews.csv")
    code, _, err = weigh(
        capsys, "run", data, "--models", tiny, "--recipes", "probe", *QUICK, "--output", tmp_path / "s"
    )
    assert code != 0
    assert "reads pictures, and this study has texts" in err
    assert "Traceback" not in err


def test_a_recipe_of_pictures_is_refused(tiny_encoder, capsys, tmp_path):
    data = write_reviews(tmp_path / "reviews.csv")
    code, _, err = weigh(
        capsys, "run", data, "--models", tiny_encoder, "--recipes", "last-stage", *QUICK, "--output", tmp_path / "s"
    )
    assert code != 0
    assert "last-stage" in err
    assert "text-classification" in err


def test_recipes_that_need_one_vector_per_example_are_refused_for_entities(tiny_encoder, capsys, tmp_path):
    data = write_entities(tmp_path / "train.conll")
    for recipe in ("probe", "lp-ft"):
        code, _, err = weigh(
            capsys, "run", data, "--models", tiny_encoder, "--recipes", recipe, *QUICK, "--output", tmp_path / "s"
        )
        assert code != 0
        assert f"Recipe {recipe} is not for token-classification" in err
        assert "finetune" in err


@pytest.mark.parametrize(
    ("recipe", "pooling"),
    [
        ("probe", "mean"), ("finetune", "first"), pytest.param("probe", "first", marks=pytest.mark.thorough),
        pytest.param("finetune", "mean", marks=pytest.mark.thorough),
    ],
)  # fmt: skip
def test_the_saved_model_predicts_what_was_trained(recipe, pooling, tiny_encoder, tmp_path):
    """Also with the pooling of the model itself, which for a BERT is the first token."""
    data = write_reviews(tmp_path / "reviews.csv", 80)
    given = (
        {"name": recipe} if recipe == "probe" else {"name": recipe, "epochs": 2, "learning_rate": 3e-3, "batch_size": 8}
    )
    given |= {} if pooling == "first" else {"pooling": pooling}
    settings = [*QUICK_STUDY, *NOTHING_BESIDES, "run.precision=fp32"]  # predictions are made in fp32
    study = Study.from_data(data, [tiny_encoder], [given], settings=settings, folder=tmp_path / "study").run()
    assert same_as_refit(study, data)
    config = json.loads((study.folder / "model" / "config.json").read_text("utf-8"))
    assert config["weigh"]["options"] == {"pooling": pooling, "layers": "last"}
    changed = {**config, "weigh": {**config["weigh"], "options": {"pooling": "mean", "layers": "last-4"}}}
    (study.folder / "model" / "config.json").write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(ModelError, match="not what was written"):
        study.predict(["a film"])


def same_as_refit(study, data) -> bool:
    """The saved model is right on the training texts as often as the refit recorded of itself."""
    rows = list(csv.DictReader(data.open(encoding="utf-8")))
    said = study.predict([row["text"] for row in rows])
    right = np.mean([one["label"] == row["label"] for one, row in zip(said, rows, strict=True)])
    (refit,) = [record for record in study.results().records if record.purpose == "refit"]
    return right == pytest.approx(refit.facts["train_scores"]["accuracy"], abs=1e-9)


QUICK_LORA = {"name": "lora", "epochs": 12, "learning_rate": 3e-3, "batch_size": 8, "patience": 12}


def test_lora_beside_probe_and_finetune(tiny_encoder, tmp_path):
    pytest.importorskip("peft")
    data = write_reviews(tmp_path / "reviews.csv", 160)
    recipes = ["probe", {"name": "finetune", "epochs": 1}, QUICK_LORA]
    settings = [*QUICK_STUDY, *NOTHING_BESIDES, "output.refit=false"]  # the test below saves one
    study = Study.from_data(data, [tiny_encoder], recipes, settings=settings, folder=tmp_path / "study").run()
    assert not [finding.sentence.en for finding in study.read() if finding.kind == "internal"]
    results = study.results()
    assert not [record.cause for record in results.records if record.status == "failed"]
    assert {c.recipe for c in results.candidates} == {"probe", "finetune", "lora"}
    adapted = results.out_of_fold(f"{tiny_encoder} × lora")
    assert (adapted.prediction(0).labels == adapted.target).mean() > 0.8  # by chance: 0.5
    facts = [record.facts for record in results.records if record.candidate.endswith("lora")]
    assert {f["adapted_layers"] for f in facts} == {12}  # six in each of two layers
    assert all(f["n_trained"] < f["n_parameters"] for f in facts)


def test_what_lora_saves_is_a_plain_encoder_that_predicts_the_same(reviews, tiny_encoder, tmp_path):
    """Its files hold what those of another model hold, so whatever opens or exports the one does the other."""
    pytest.importorskip("peft")
    data = write_reviews(tmp_path / "reviews.csv", 80)
    settings = [*QUICK_STUDY, *NOTHING_BESIDES, "run.precision=fp32"]  # as predictions are made
    recipe = {**QUICK_LORA, "epochs": 4}
    study = Study.from_data(data, [tiny_encoder], [recipe], settings=settings, folder=tmp_path / "study").run()
    assert same_as_refit(study, data)
    weights, configs = [], []
    for folder in (study.folder / "model", reviews.folder / "model"):
        with safe_open(folder / "model.safetensors", "np") as held:
            weights.append({name: held.get_slice(name).get_shape() for name in list(held.keys())})
        configs.append(json.loads((folder / "config.json").read_text("utf-8")))
    assert weights[0] == weights[1]
    assert not [name for name in weights[0] if "lora" in name or "base_layer" in name]
    assert configs[0].keys() == configs[1].keys()
    assert configs[0]["weigh"].keys() == configs[1]["weigh"].keys()


def test_lora_for_entities(tiny_encoder, capsys, tmp_path):
    pytest.importorskip("peft")
    data = write_entities(tmp_path / "train.conll")
    study = run(
        capsys, data, tiny_encoder, tmp_path / "study", "lora", "--set", "recipes.lora.epochs=2",
        "--set", "recipes.lora.learning_rate=0.005", "--set", "recipes.lora.batch_size=8", "--set", "run.threads=1",
    )  # fmt: skip
    for record in (r for r in study.results().records if r.purpose == "main"):
        losses = [entry["loss"] for entry in record.facts["history"]]
        assert losses[-1] < losses[0]
    assert "entities" in study.predict([("we", "saw", "anna", "and", "then", "paris")])[0]


@pytest.mark.parametrize("recipes", ["lora", "probe,lora"])
def test_lora_without_peft_is_refused_before_anything_runs(recipes, tiny_encoder, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("weigh.train.lora.find_spec", lambda name: None)
    data = write_reviews(tmp_path / "reviews.csv")
    code, _, err = weigh(
        capsys, "run", data, "--models", tiny_encoder, "--recipes", recipes, *QUICK, "--output", tmp_path / "s"
    )
    assert code == 2
    assert "pip install 'weigh[lora]'" in err
    assert "Traceback" not in err


def test_lora_is_for_texts_and_its_options_are_checked(tiny, tiny_encoder, photos, capsys, tmp_path):
    code, _, err = weigh(
        capsys, "run", photos, "--models", tiny, "--recipes", "lora", *QUICK, "--output", tmp_path / "s"
    )
    assert code == 2
    assert "Recipe lora is not for image-classification" in err
    assert "last-stage" in err
    data = write_reviews(tmp_path / "reviews.csv")
    for setting in ("rank=0", "alpha=-1", "dropout=1", "targets=everything"):
        code, _, err = weigh(
            capsys, "run", data, "--models", tiny_encoder, "--recipes", "lora", *QUICK, "--output", tmp_path / "s",
            "--set", f"recipes.lora.{setting}",
        )  # fmt: skip
        assert code == 2
        assert setting.partition("=")[0] in err
        assert "Traceback" not in err


def test_new_texts_from_python_in_every_form(reviews, tmp_path):
    """A table by its path as text, as a path, in a list of paths, and its texts."""
    table = write_reviews(tmp_path / "new.csv", 12, seed=5)
    texts = [line.rpartition(",")[0] for line in table.read_text("utf-8").splitlines()[1:]]
    expected = reviews.predict(texts)
    assert reviews.predict(str(table)) == reviews.predict(table) == reviews.predict([table]) == expected
    again = reviews.predict([table, table])[
        len(texts) :
    ]  # in other batches, whose arithmetic may differ in the last bits
    assert [(row["row"], row["label"]) for row in again] == [
        (i, row["label"]) for i, row in enumerate(expected, len(texts) + 1)
    ]
    assert [row["p:good"] for row in again] == pytest.approx([row["p:good"] for row in expected], abs=1e-6)
