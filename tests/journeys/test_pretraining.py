"""Texts without labels: further pretraining before and beside fine-tuning, through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.arrays import kind_of
from tests.journeys.test_journey import weigh
from tests.text_models import BAD, GOOD, sentences, write_reviews
from weigh.data.contents import text_hashes
from weigh.data.examples import Examples
from weigh.findings.evidence import read_evidence
from weigh.findings.performance.yardsticks import worth_of_pretraining
from weigh.inputs.texts import Texts
from weigh.kinds.base import rows_of
from weigh.media import medium_named
from weigh.models.masked import Masking
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.run import Setting
from weigh.study import Study
from weigh.train import pretraining
from weigh.train.objectives import HiddenWords

QUICK = ["--offline", "--yes", "--set", "design.folds=2", "--set", "output.refit=false"]
NEAR = "a text of the study that is long enough to be told from all the others even with just one small word changed"
RECIPES = [{"name": name, "epochs": 2, "learning_rate": 3e-3} for name in ("finetune", "adapted", "joint", "scratch")]


def write_texts(path, n=150, seed=9):
    path.write_text("\n".join(text for text, _ in sentences(n, [BAD, GOOD], seed)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pretrained(tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretraining")
    data, more = write_reviews(folder / "reviews.csv", 120), write_texts(folder / "more.txt")
    with data.open("a", encoding="utf-8") as file:
        label = data.read_text("utf-8").splitlines()[1].rpartition(",")[2]
        file.write(f"{NEAR.replace('small', 'tiny')},{label}\n")
    more.write_text(
        more.read_text("utf-8") + "\n".join(_texts(data)[:7]).upper() + "\n" + NEAR + "\n", encoding="utf-8"
    )
    settings = ["design.folds=2", "design.repeats=1", "run.offline=true", f"pretrain.texts={more}", "pretrain.epochs=6",
                "pretrain.learning_rate=3e-3"]  # fmt: skip
    return Study.from_data(data, [tiny_encoder], RECIPES, settings=settings, folder=folder / "study").run()


def _texts(data):
    return [line.split(",")[0] for line in data.read_text("utf-8").splitlines()[1:]]


def test_all_candidates_are_trained_and_compared(pretrained):
    results = pretrained.results()
    assert {c.recipe for c in results.candidates} == {"finetune", "adapted", "joint", "scratch"}
    assert not [record.cause for record in results.records if record.status == "failed"]
    facts = next(r.facts for r in results.records if "adapted" in r.candidate)
    first, *_, last = facts["pretrain_loss"]
    assert last < first - 0.3, "guessing hidden words was not learnt"


def test_what_pretraining_is_worth_is_said(pretrained):
    # So small a study may learn nothing, which is then the verdict and nothing else is said: ask for these findings themselves.
    worth = worth_of_pretraining(read_evidence(pretrained.results()))
    found = {f.id: f for f in worth if f.id.startswith("performance:pretraining")}
    assert {f.rpartition(" × ")[2] for f in found} == {"adapted", "joint"}
    for finding in found.values():
        assert finding.relation in ("better", "worse", "equal", "undecided")
        assert finding.estimates["difference"].low is not None


def test_texts_of_the_study_are_never_used(pretrained):
    found = [f for f in pretrained.read() if "without labels are used" in f.sentence.en]
    assert len(found) == 1
    assert "7 are of the study itself and 1 are near copies of one" in found[0].sentence.en


@pytest.mark.parametrize(
    ("recipe", "setting", "said"),
    [
        ("adapted", "pretrain.texts={more}", ["none of its"]),
        ("adapted", "pretrain.pictures={folder}", ["this study has texts", "pretrain.texts"]),
        ("joint", "", ["pretrain.texts"]),
    ],
    ids=["only the study's own", "pictures for texts", "none"],
)
def test_what_cannot_be_used_is_said(recipe, setting, said, tiny_encoder, capsys, tmp_path):
    data, more = write_reviews(tmp_path / "reviews.csv", 60), tmp_path / "more.txt"
    more.write_text("\n".join(_texts(data)), encoding="utf-8")
    given = ["--set", setting.format(more=more, folder=tmp_path)] if setting else []
    code, _, err = weigh(
        capsys, "run", data, "--models", tiny_encoder, "--recipes", recipe, *QUICK, "--output", tmp_path / "s", *given
    )
    assert code != 0
    assert all(words in err for words in said), err
    assert "Traceback" not in err


OPTIONS = {"epochs": 2, "learning_rate": 1e-3, "batch_size": 8, "mask": 0.15}


def index_of(texts):
    rows = rows_of(texts)
    n = len(rows)
    return Examples(
        root=Path(), path=np.arange(n).astype(str), target=np.zeros(n, np.int64), classes=(), part=np.full(n, "unlabelled"),
        order=np.arange(n), content=text_hashes(rows), rows=rows, medium=medium_named("texts"), kind=kind_of(np.zeros(n, np.int64)),
    )  # fmt: skip


def adapted(encoder, texts, cache, monkeypatch, stop=None):
    """The adapted weights; stopped after so many steps if asked to."""
    monkeypatch.setenv("WEIGH_CACHE", str(cache))
    setting = Setting("text-classification", ("a", "b"), "accuracy", offline=True, cache=cache)
    model = load_model(encoder, pretrained=True, offline=True)

    def progress(_what, done, _total):
        if done == stop:
            raise KeyboardInterrupt

    network = make_network(model, 2)
    facts, _ = pretraining.adapt(model, network, model.configure({}), index_of(texts), OPTIONS, setting, progress)
    return {name: tensor.clone() for name, tensor in model.module.state_dict().items()}, facts


def test_a_stop_changes_nothing(tiny_encoder, tmp_path, monkeypatch):
    texts = [(text,) for text, _ in sentences(60, [BAD, GOOD], 5)]
    whole, facts = adapted(tiny_encoder, texts, tmp_path / "a", monkeypatch)
    monkeypatch.setattr(pretraining, "CHECKPOINT", 0.0)
    with pytest.raises(KeyboardInterrupt):
        adapted(tiny_encoder, texts, tmp_path / "b", monkeypatch, stop=9)
    steps = []
    original = HiddenWords.loss
    monkeypatch.setattr(HiddenWords, "loss", lambda *given: steps.append(1) or original(*given))
    resumed, again = adapted(tiny_encoder, texts, tmp_path / "b", monkeypatch)
    assert 0 < len(steps) < 16, "it began anew, or did nothing"
    assert again["pretrain_loss"] == facts["pretrain_loss"]
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    steps.clear()
    kept, _ = adapted(tiny_encoder, texts, tmp_path / "b", monkeypatch)
    assert not steps
    assert all(torch.equal(whole[name], kept[name]) for name in whole)


def test_tokens_are_hidden_as_said(tiny_encoder):
    model = load_model(tiny_encoder, pretrained=True, offline=True)
    preparation = model.configure({})
    masking = Masking.of(preparation, tiny_encoder)
    rows = preparation.encode([(text,) for text, _ in sentences(4000, [BAD, GOOD], 3)])
    batch = Texts([(row,) for row in rows], preparation.pad, "cpu").batch(np.arange(len(rows))).inputs
    hidden, chosen = masking.hide(batch, 0.15, torch.Generator().manual_seed(1))
    inside = (batch[:, 1] == 1) & ~torch.isin(batch[:, 0], masking.special)
    assert not (chosen & ~inside).any(), "a special or filled-up token was hidden"
    assert float(chosen.sum() / inside.sum()) == pytest.approx(0.15, abs=0.01)
    same = hidden[:, 0] == batch[:, 0]
    assert same[~chosen].all()
    assert float((hidden[:, 0][chosen] == masking.mask).float().mean()) == pytest.approx(0.8, abs=0.02)
    assert float(same[chosen].float().mean()) == pytest.approx(0.1, abs=0.02)
