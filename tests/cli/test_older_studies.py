"""A study that another version ran, with settings that this one refuses: it is read all the same, and resuming says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

import weigh
from weigh.cli.main import main
from weigh.errors import RecordError, SpecError
from weigh.notices import notices_to
from weigh.record.ledger import Ledger
from weigh.spec_stored import dump_stored
from weigh.study import Study


@pytest.fixture(scope="module")
def texts_study(tmp_path_factory):
    """A finished study of counted words, whose settings this version refuses: one that it does not know, and a value beyond its limits."""
    place = tmp_path_factory.mktemp("older")
    rows = "".join(f"the {'good' if i % 2 else 'bad'} words of text {i} {i * i % 7},{'ab'[i % 2]}\n" for i in range(24))
    (place / "t.csv").write_text(f"text,label\n{rows}")
    study = Study.from_data(
        place / "t.csv", (), ["naive-bayes"], folder=place / "s", settings=["design.folds=3", "design.repeats=1"]
    )
    study.run()
    return place


@pytest.fixture
def older(texts_study, monkeypatch):
    monkeypatch.chdir(texts_study)
    ledger = Ledger(Path("s"))
    taken = ledger.fact("spec")
    refused = {**taken, "design": {**taken["design"], "telepathy": True, "level": 0.5}}
    (recipe,) = taken["recipes"]
    refused["recipes"] = [{**recipe, "elixir": 3}]
    ledger.set_facts(spec=refused, version="9.9")
    Path("s/study.yaml").write_text(dump_stored(refused))
    yield texts_study
    ledger.set_facts(spec=taken, version=weigh.__version__)
    Path("s/study.yaml").write_text(dump_stored(taken))


def test_what_an_older_version_recorded_is_read(older, capsys):
    told: list = []
    with notices_to(told.append):
        opened = Study.open("s")
    assert len(told) == 1  # study.yaml is what ran: nothing is said of it
    assert "weigh 9.9: design.telepathy, design.level, recipes.naive-bayes.elixir" in told[0].en
    assert "weigh 9.9" in told[0].zh
    assert opened.spec.design.level == 0.5  # what the results were made with
    for begin in (opened.run, opened.plan):
        with pytest.raises(SpecError, match=r"weigh 9\.9"):
            begin()
    assert main(["report", "s", "--format", "text"]) == 0
    assert "24" in capsys.readouterr().out
    assert main(["predict", "s", "t.csv"]) == 0
    assert len(capsys.readouterr().out.strip().splitlines()) >= 24


def test_an_older_study_is_resumed_by_what_is_advised(older, capsys):
    assert main(["run", "s", "--yes"]) == 2
    told = capsys.readouterr().err
    assert "ran with these settings under weigh 9.9" in told
    assert "Correct them in s/study.yaml" in told
    assert "weigh report s" in told
    assert main(["run", "s", "--yes", "--set", "design.folds=x"]) == 2
    assert "design.folds" in capsys.readouterr().err
    content = Path("s/study.yaml").read_text()
    Path("s/study.yaml").write_text(
        content.replace("  telepathy: true\n", "").replace("level: 0.5", "level: 0.9").replace("  elixir: 3\n", "")
    )
    assert main(["run", "s", "--yes"]) == 0


@pytest.mark.parametrize(
    "change", [{"recipes": [{"name": "alchemy"}]}, {"task": "divination"}, {"metrics": {"primary": "charm"}}]
)
def test_what_this_version_does_not_know_at_all_needs_its_version(tmp_path, change):
    ledger = Ledger(tmp_path / "s", create=True)
    ledger.set_facts(spec={"data": {"train": "x"}, "models": ["timm:resnet18"], **change}, version="9.9")
    with pytest.raises(RecordError, match=r"weigh 9\.9"):
        Study.open(tmp_path / "s")
