"""`weigh models --measure` and `--max-latency`: milliseconds of this machine, kept, valid for the files they were measured with, never guessed."""

from __future__ import annotations

import json

import pytest
import torch

from weigh.cli.main import main
from weigh.errors import SpecError
from weigh.execute import latency
from weigh.execute.latency import kept_latencies, parse_milliseconds
from weigh.models.pretrained import load_model

ADDRESS, REPOSITORY = "timm:mobilenetv3_small_050", "models--timm--mobilenetv3_small_050.lamb_in1k"
PATTERN = "timm:mobilenetv3_small_0*"  # that one, and one that does not lie here


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A cache of the hub with one small model of random weights."""
    import timm
    from safetensors.torch import save_file

    home = tmp_path_factory.mktemp("hub")
    folder = home / REPOSITORY / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    (home / REPOSITORY / "refs").mkdir()
    (home / REPOSITORY / "refs" / "main").write_text("a" * 40)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(timm.create_model("mobilenetv3_small_050").state_dict(), folder / "model.safetensors")
    return home, folder / "model.safetensors"


@pytest.fixture
def here(weights, tmp_path, monkeypatch):
    """That model lies here, nothing else does, and nothing was measured yet."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(weights[0]))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / "cache"))
    return weights[1]


def listed(capsys, *more: str, pattern: str = PATTERN) -> dict[str, dict]:
    assert main(["models", pattern, "--offline", "--format", "json", *more]) == 0
    return {row["address"]: row for row in json.loads(capsys.readouterr().out)}


def test_what_lies_here_is_timed_once_and_kept(here, capsys, monkeypatch):
    before = listed(capsys)
    assert before[ADDRESS]["milliseconds"] is None
    row = listed(capsys, "--measure")[ADDRESS]
    assert 0.1 < row["milliseconds"] < 5000

    monkeypatch.setattr(latency, "measure_latency", lambda address: pytest.fail(f"{address} is measured again"))
    assert listed(capsys, "--measure")[ADDRESS]["milliseconds"] == row["milliseconds"]
    assert listed(capsys)[ADDRESS]["milliseconds"] == row["milliseconds"]


def test_the_figure_is_what_a_pass_takes(here, capsys):
    """A network that works ten times as often takes about ten times as long."""
    from weigh.train.timing import read_example

    model = load_model(ADDRESS, pretrained=True, offline=True)
    once, inner = read_example(model).seconds, model.module.forward
    model.module.forward = lambda x: [inner(x) for _ in range(10)][-1]
    assert 5 * once < read_example(model).seconds < 20 * once


@pytest.mark.parametrize(("most", "stays"), [("0.001ms", False), ("1000s", True)])
def test_slow_models_are_left_out_and_counted_and_the_unmeasured_stay(here, capsys, most, stays):
    rows = listed(capsys, "--measure", "--max-latency", most)
    assert (ADDRESS in rows) is stays
    others = [row for address, row in rows.items() if address != ADDRESS]
    assert others
    assert all(row["milliseconds"] is None for row in others)

    for language, left_out, unmeasured in (
        ("en", "Left out: 1 measured", "not measured"),
        ("zh", "未列出：1", "未测量"),
    ):
        assert main(["models", PATTERN, "--offline", "--max-latency", most, "--lang", language]) == 0
        shown = capsys.readouterr().out
        assert (left_out in shown) is not stays
        assert unmeasured in shown
        assert "--measure" in shown
        assert ("ms, " in shown or " ms，" in shown) is stays
        assert ("without reading and preparing it" in shown or "不含读取和预处理" in shown) is stays


def test_a_limit_that_leaves_nothing_says_so_and_is_no_error(here, capsys):
    assert main(["models", ADDRESS, "--offline", "--measure", "--max-latency", "0.001ms"]) == 0
    assert "Left out: 1 measured model that takes longer than 0.001 ms" in capsys.readouterr().out


def test_other_weights_and_another_machine_are_not_measured_yet(here, capsys, monkeypatch):
    listed(capsys, "--measure")
    assert set(kept_latencies([ADDRESS])) == {ADDRESS}
    monkeypatch.setattr(latency, "_machine", lambda: ["Linux", "another processor"])
    assert kept_latencies([ADDRESS]) == {}


def test_a_file_that_changed_is_measured_again(here, capsys):
    listed(capsys, "--measure")
    content = here.read_bytes()
    here.write_bytes(content)
    assert listed(capsys)[ADDRESS]["milliseconds"] is None


def test_sorted_by_latency_the_unmeasured_come_last(here, capsys):
    rows = list(listed(capsys, "--measure", "--sort", "latency").values())
    assert rows[0]["address"] == ADDRESS
    assert rows[-1]["milliseconds"] is None


def test_a_model_that_cannot_be_loaded_is_listed_with_the_reason(here, capsys):
    content = here.read_bytes()
    here.write_bytes(content[: len(content) // 2])
    try:
        row = listed(capsys, "--measure")[ADDRESS]
        assert row["milliseconds"] is None
        assert row["not_measured_because"]["en"]
        assert main(["models", ADDRESS, "--offline", "--measure"]) == 0
        assert "not measured (" in capsys.readouterr().out
    finally:
        here.write_bytes(content)


def test_nothing_is_asked_of_the_network(here, capsys, monkeypatch):
    import socket

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("a server was looked up"))
    assert listed(capsys, "--measure")[ADDRESS]["milliseconds"]


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [("20ms", 20), ("20", 20), (" 0.5 s", 500), ("1.5MS", 1.5), ("20 毫秒", 20), (".5s", 500)],
)
def test_times_as_people_write_them(written, milliseconds):
    assert parse_milliseconds(written) == pytest.approx(milliseconds)


@pytest.mark.parametrize("written", ["quick", "0ms", "-3ms", "20 m", "1e3", "inf", "nan", "9" * 400, "20ms 30ms"])
def test_no_time_is_refused_with_an_example(written, capsys):
    with pytest.raises(SpecError, match="20ms"):
        parse_milliseconds(written)
    assert main(["models", "--offline", "--max-latency", written]) == 2
