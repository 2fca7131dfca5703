"""Counted words with naive Bayes: the numbers of scikit-learn, a study from the command line to new texts, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import unicodedata

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB

from tests.journeys.test_journey import weigh
from tests.text_models import sentences, write_entities, write_reviews, write_similarity
from weigh.cli.main import main
from weigh.kinds.label import LABEL
from weigh.models.words import NGrams, ngrams
from weigh.study import Study
from weigh.train.naive_bayes import Counts, _matrix, fit_bayes

SMOOTHINGS = [0.01, 0.1, 1.0]
LOTS = 10**6


def counts_of(*columns: list[str]) -> Counts:
    encoded = [NGrams().encode([(one,) for one in column]) for column in columns]
    table = np.unique(np.concatenate([row[0] for part in encoded for row in part]))
    return Counts(table, tuple(_matrix(part, table) for part in encoded))


def vectors(train: list[str], *columns: list[str]) -> np.ndarray:
    """Of scikit-learn, fitted to `train`; columns side by side."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b").fit(train)
    return np.concatenate([vectorizer.transform(column).toarray() for column in columns], axis=1)


def drawn(n: int, seed: int, classes: int = 3) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    words = np.array([f"w{i}" for i in range(80)])
    target = np.concatenate(
        [
            np.arange(classes),
            rng.choice(classes, n - classes, p=np.array([6, 3, 1][:classes]) / sum([6, 3, 1][:classes])),
        ]
    )
    chance = rng.dirichlet(np.full(80, 0.3), classes)
    return [" ".join(rng.choice(words, rng.integers(1, 12), p=chance[k])) for k in target], target


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_probabilities_are_those_of_scikit_learn(smoothing, pairs, balanced):
    texts, target = drawn(120, 0)
    columns = (texts, texts[::-1]) if pairs else (texts,)
    train, test = np.arange(90), np.arange(90, 120)
    learnt = fit_bayes(counts_of(*columns), train, target[train], 3, [smoothing], vocabulary=LOTS, balanced=balanced)[0]
    own = LABEL.probabilities(learnt.logits(counts_of(*columns), test))
    x = vectors([column[i] for column in columns for i in train], *columns)
    share = np.bincount(target[train]) / len(train)
    weight = (1 / share)[target[train]] if balanced else None
    oracle = MultinomialNB(alpha=smoothing).fit(x[train], target[train], sample_weight=weight)
    np.testing.assert_allclose(own, oracle.predict_proba(x[test]), atol=1e-9)


def test_several_labels_are_several_questions():
    texts, first = drawn(120, 1, 2)
    labels = np.stack([first, np.roll(first, 3), np.arange(120) % 2], axis=1)
    learnt = fit_bayes(counts_of(texts), np.arange(90), labels[:90], 3, [0.1], vocabulary=LOTS)[0]
    own = 1 / (1 + np.exp(-learnt.logits(counts_of(texts), np.arange(90, 120))))
    x = vectors(texts[:90], texts)
    for k in range(3):
        oracle = MultinomialNB(alpha=0.1).fit(x[:90], labels[:90, k]).predict_proba(x[90:])[:, 1]
        np.testing.assert_allclose(own[:, k], oracle, atol=1e-9)


def test_a_class_that_the_training_part_lacks_is_finite_and_never_the_answer():
    texts, target = drawn(90, 2)
    learnt = fit_bayes(counts_of(texts), np.flatnonzero(target != 2), target[target != 2], 3, [0.1], vocabulary=LOTS)[0]
    logits = learnt.logits(counts_of(texts), np.arange(90))
    assert np.isfinite(logits).all()
    assert (logits.argmax(axis=1) != 2).all()


def test_the_vocabulary_holds_the_ngrams_of_the_most_texts():
    counts = counts_of(["a b", "a c", "a d", "b a"])
    learnt = fit_bayes(counts, np.arange(4), np.array([0, 1, 0, 1]), 2, [0.1], vocabulary=2)[0]
    assert len(learnt.columns) == 2
    assert set(counts.table[learnt.columns]) == set(NGrams().encode([("a",), ("b",)])[0][0]) | {
        *NGrams().encode([("b",)])[0][0]
    }


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("The film, THE end", ["the", "film", "the film", "the", "film the", "end", "the end"]),
        ("不好吃。", ["不", "好", "吃", "不好", "好吃", "不好吃"]),
        ("iPhone很好 ok", ["iphone", "很", "好", "很好", "ok"]),
        ("かな", ["か", "な", "かな"]),
        ("ดีมาก"[:3], ["ด", "ี", "ม", "ดี", "ีม", "ดีม"]),
        ("ｆｕｌｌ　ｗｉｄｔｈ", ["full", "width", "full width"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा", "हिन्दी भाषा"]),
        ("Ünïcode cafe\u0301", ["ünïcode", "café", "ünïcode café"]),
        ("한국어 문장", ["한국어", "문장", "한국어 문장"]),
        ("ភា", ["ភ", "ា", "ភា"]),
        ("!!! 😀", []),
        ("", []),
        ("\ud800 a", ["a"]),
    ],
)
def test_what_is_counted_in_each_script(written, expected):
    assert sorted(ngrams(written)) == sorted(unicodedata.normalize("NFKC", one) for one in expected)


QUICK = ["--offline", "--yes", "--set", "design.folds=3", "--set", "design.repeats=1", "--set", "run.threads=1"]


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    data = write_reviews(folder / "reviews.csv", 240)
    settings = ["design.folds=3", "design.repeats=1", "design.test=0.2", "run.offline=true", "run.threads=1"]
    return data, Study.from_data(data, [], ["naive-bayes"], settings=settings, folder=folder / "study").run()


def test_a_study_without_any_pretrained_model(reviews):
    _, study = reviews
    results = study.results()
    assert [c.id for c in results.candidates] == ["words:tfidf × naive-bayes"]
    assert not [finding.sentence.en for finding in study.read() if finding.kind == "internal"]
    assert not [record.cause for record in results.records if record.status == "failed"]
    runs = results.out_of_fold(results.candidates[0].id)
    assert (runs.prediction(0).labels == runs.target).mean() > 0.9
    asked = [word for record in results.records for word in record.words]
    assert asked
    assert any(effect for one in asked for *_, effect in one["words"])
    page = (study.folder / "report.html").read_text("utf-8")
    assert "transformers library" not in (study.folder / "model" / "README.md").read_text("utf-8")
    assert "naive-bayes" in page


def test_new_texts_are_answered_as_scikit_learn_would(reviews, capsys, tmp_path):
    _, study = reviews
    examples = study.results().examples
    train = examples.where("train")
    texts = [examples.rows[i][0] for i in train]
    new = ["a great film, and lovely music", "awful, dull", "entirely unheard words", ""]
    table = tmp_path / "new.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], *([one] for one in new)])
    code, out, err = weigh(capsys, "predict", study.folder, table)
    assert code in (0, 1), err
    rows = list(csv.DictReader(io.StringIO(out)))
    config = json.loads((study.folder / "model" / "config.json").read_text("utf-8"))["weigh"]
    refit = next(r for r in study.results().records if r.purpose == "refit")
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b").fit(texts)
    oracle = MultinomialNB(alpha=refit.facts["smoothing"]).fit(vectorizer.transform(texts), examples.target[train])
    logits = oracle.predict_joint_log_proba(vectorizer.transform(new[:3])) / config["temperature"]
    expected = LABEL.probabilities(logits)
    for row, p in zip(rows, expected, strict=False):
        assert [float(row[f"p:{name}"]) for name in examples.classes] == pytest.approx(p, abs=2e-4)


def test_the_saved_model_holds_arrays_and_json_alone(reviews):
    _, study = reviews
    names = {path.name for path in (study.folder / "model").iterdir()}
    assert names == {"model.safetensors", "config.json", "README.md"}


def test_it_cannot_be_written_as_onnx_and_says_so(reviews, capsys, tmp_path):
    _, study = reviews
    code, _, err = weigh(capsys, "export", study.folder, "--onnx", "--output", tmp_path / "m.onnx")
    assert code == 2
    assert "Counted words cannot be written as ONNX" in err
    assert "weigh predict" in err


@pytest.mark.parametrize("words", [(), ("river",)])
def test_texts_without_a_word_are_answered_and_predicted(words, tmp_path, capsys):
    """Nothing but emoji, in all of the training texts or in half of them, and in all that are new."""
    faces = [chr(0x1F600 + i) for i in range(24)]
    texts = [f"{face} {words[0]} {i}" if words and i % 2 else face for i, face in enumerate(faces)]
    (tmp_path / "t.csv").write_text(
        "text,label\n" + "".join(f"{t},{'ab'[i % 4 // 2]}\n" for i, t in enumerate(texts)), "utf-8"
    )
    (tmp_path / "new.csv").write_text("text\n👍🏽\n👍🏽👍🏽\n", "utf-8")
    study = ["-o", str(tmp_path / "s"), "--set", "design.repeats=1", "--set", "design.folds=2"]
    assert main(["run", str(tmp_path / "t.csv"), "--recipes", "naive-bayes", "--offline", "-q", *study]) == 0
    told = capsys.readouterr()
    assert "Nothing was learnt" in told.out or words
    assert "Warning" not in told.err
    assert main(["predict", str(tmp_path / "s"), str(tmp_path / "new.csv"), "-q"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_pairs_are_counted_side_by_side_and_predicted(tmp_path, capsys):
    rng = np.random.default_rng(0)
    rows = [(a, b, "yes" if "good" in a.split() + b.split() else "no")
            for a, b in zip(*[[text for text, _ in sentences(80, [["bad"], ["good"]], int(s))] for s in rng.integers(0, 99, 2)], strict=True)]  # fmt: skip
    data = tmp_path / "pairs.csv"
    with data.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["sentence1", "sentence2", "label"], *dict.fromkeys(rows)])
    folder = tmp_path / "s"
    code, _, err = weigh(capsys, "run", data, "--recipes", "naive-bayes", *QUICK, "--output", folder)
    assert code == 0, err
    code, out, err = weigh(capsys, "predict", folder, data)
    assert code == 0, err
    answers = [row["label"] for row in csv.DictReader(io.StringIO(out))]
    assert np.mean([a == row[2] for a, row in zip(answers, dict.fromkeys(rows), strict=True)]) > 0.9


@pytest.mark.parametrize(
    ("what", "options", "told"),
    [
        ("photos", ["--recipes", "naive-bayes"], "Recipe naive-bayes is not for image-classification"),
        ("numbers", ["--recipes", "naive-bayes"], "Recipe naive-bayes is not for text-regression"),
        ("entities", ["--recipes", "naive-bayes"], "Recipe naive-bayes is not for token-classification"),
        ("reviews", ["--models", "words:tfidf"], "--recipes naive-bayes"),
        ("reviews", ["--models", "words:bm25"], "words:tfidf"),
        ("reviews", ["--models", "ENCODER", "--recipes", "naive-bayes"], "--recipes probe,naive-bayes"),
    ],
)
def test_what_it_is_not_for_is_said(what, options, told, photos, tiny_encoder, tmp_path, capsys):
    make = {"numbers": write_similarity, "entities": write_entities, "reviews": write_reviews}
    data = (
        photos
        if what == "photos"
        else make[what](tmp_path / ("d.conll" if what == "entities" else "d.tsv" if what == "numbers" else "d.csv"))
    )
    options = [tiny_encoder if one == "ENCODER" else one for one in options]
    code, _, err = weigh(capsys, "run", data, *options, *QUICK, "--output", tmp_path / "s")
    assert code == 2, err
    assert told in err


def test_beside_a_pretrained_model_it_is_one_candidate_and_the_verdict_compares(tiny_encoder, tmp_path, capsys):
    data = write_reviews(tmp_path / "reviews.csv", 100)
    folder = tmp_path / "s"
    code, _, err = weigh(
        capsys, "run", data, "--models", tiny_encoder, "--recipes", "probe,naive-bayes", *QUICK, "--output", folder
    )
    assert code == 0, err
    file = json.loads((folder / "findings.json").read_text("utf-8"))
    by_id = {finding["id"]: finding for finding in file["findings"]}
    assert len(file["study"]["candidates"]) == 2
    compared = by_id["performance:counting"]
    for language, stop in (("en", ":"), ("zh", "：")):
        none_better = compared["sentence"][language].partition(stop)[0]
        assert (none_better in by_id["verdict"]["sentence"][language]) == (compared["relation"] != "better")
