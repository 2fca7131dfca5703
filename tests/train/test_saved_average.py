"""An average of saved models: of every kind that has one it answers as worked out by hand, also from one ONNX file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.test_saved import CLASSES, save
from weigh.data.pictures.unlabelled import new_pictures
from weigh.errors import ModelError, SpecError
from weigh.execute.averaging import check_average
from weigh.kinds.base import KINDS
from weigh.kinds.label import LABEL
from weigh.kinds.labels import LABELS
from weigh.kinds.number import NUMBER
from weigh.models.network import Network
from weigh.saved.average import Member, load_average, member_folder, save_average
from weigh.saved.meaning import blank_examples
from weigh.saved.model import load_saved
from weigh.saved.onnx_average import Averaging, Part, export_average
from weigh.saved.onnx_average import _check as check_graph
from weigh.spec import OutputSpec

RUNS = ("a" * 32, "b" * 32)
BIAS = {"label": [[0.0, 0.5], [0.3, -0.2]], "labels": [[0.2, 0.0], [0.0, -0.4]], "number": [None, None]}


def average(folder: Path, address: str, kind, *, sizes=(64, 64), temperature: float = 2.0) -> Path:
    """Two members that differ in what was learnt after the body, and in `sizes`."""
    task = {"number": "image-regression"}.get(kind.name, "image-classification")
    for at, (run, size) in enumerate(zip(RUNS, sizes, strict=True)):
        classes = {"classes": ()} if kind is NUMBER else {}
        save(member_folder(folder, run), address, seed=at, kind=kind, options={"image_size": size}, task=task,
             bias=BIAS[kind.name][at], **classes)  # fmt: skip
    members = [Member(f"m{at} <b>", share, run) for at, (run, share) in enumerate(zip(RUNS, (0.25, 0.75), strict=True))]
    save_average(folder, members, temperature=temperature, facts={})
    return folder


def logits_of(saved, files) -> list[np.ndarray]:
    meaning = saved.meaning
    examples = blank_examples(meaning.kind, meaning.classes, meaning.medium, np.array(files), None)
    return [member.outputs(examples).astype(np.float64) for member in saved.members]


def by_hand(kind, logits) -> np.ndarray:
    """`(n, k)`: probabilities as trained, averaged with 1/4 and 3/4; or numbers."""
    if kind is LABEL:
        powers = [np.exp(one) / np.exp(one).sum(axis=1, keepdims=True) for one in logits]
    else:
        powers = [1 / (1 + np.exp(-one)) for one in logits] if kind is LABELS else logits
    return 0.25 * powers[0] + 0.75 * powers[1]


@pytest.mark.parametrize("kind", [LABEL, LABELS, NUMBER], ids=lambda kind: kind.name)
def test_it_answers_as_worked_out_by_hand(kind, tmp_path, tiny, photos):
    files = sorted(map(str, photos.rglob("*.png")))[:6]
    saved = load_average(average(tmp_path / "ensemble", tiny, kind, sizes=(64, 32)))
    told: list[tuple] = []
    rows = saved.predict_new(new_pictures(files), progress=lambda *said: told.append(said))
    mean = by_hand(kind, logits_of(saved, files))
    assert told[-1][1:] == (6, 6)
    if kind is NUMBER:
        assert [row["value"] for row in rows] == pytest.approx(mean[:, 0].tolist(), abs=1e-5)
        return
    got = np.array([[row[f"p:{name}"] for name in CLASSES] for row in rows])
    bias = 0.25 * np.array(BIAS[kind.name][0]) + 0.75 * np.array(BIAS[kind.name][1])
    if kind is LABEL:
        expected = mean**0.5 / (mean**0.5).sum(axis=1, keepdims=True)
        assert [row["label"] for row in rows] == [CLASSES[i] for i in (np.log(mean) + bias).argmax(axis=1)]
    else:
        odds = np.log(mean / (1 - mean))
        expected = 1 / (1 + np.exp(-odds / 2))
        assert [row["label"] for row in rows] == ["|".join(np.array(CLASSES)[one]) for one in odds + bias > 0]
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("kind", [LABEL, LABELS, NUMBER], ids=lambda kind: kind.name)
def test_the_graph_averages_without_leaving_logarithms(kind, tmp_path, tiny):
    saved = load_average(average(tmp_path / "ensemble", tiny, kind))
    parts = [Part(member, (0,), lambda batch: batch) for member in saved.members]
    batch = torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = [30 * member.network(batch) for member in saved.members]
        told = Averaging(saved, parts).answers(torch.stack(logits))
    averaged = kind.averaged([one.numpy() for one in logits], np.array(saved.shares))
    if kind is NUMBER:
        np.testing.assert_allclose(told[0], averaged[:, 0], rtol=1e-5)
        return
    decided = saved.meaning.decide(averaged)
    np.testing.assert_allclose(told[0], averaged, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(told[1], decided.probabilities, atol=1e-5)
    np.testing.assert_array_equal(told[2], decided.labels)


def test_one_onnx_file_holds_the_average(tmp_path, tiny):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = average(tmp_path / "ensemble", tiny, LABEL, sizes=(64, 32))
    assert export_average(folder, tmp_path / "a.onnx") < 1e-4
    saved = load_average(folder)
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"))
    facts = session.get_modelmeta().custom_metadata_map
    assert [one["inputs"] for one in json.loads(facts["members"])] == [["pictures"], ["pictures_of_2"]]
    rng = np.random.default_rng(0)
    sizes = {"pictures": 64, "pictures_of_2": 32}
    inputs = {name: rng.normal(size=(5, 3, size, size)).astype(np.float32) for name, size in sizes.items()}
    logits, probabilities, label = session.run(["logits", "probabilities", "label"], inputs)
    with torch.inference_mode():
        batches = [torch.from_numpy(one) for one in inputs.values()]
        alone = [member.network(batch).numpy() for member, batch in zip(saved.members, batches, strict=True)]
    averaged = LABEL.averaged(alone, np.array(saved.shares))
    decided = saved.meaning.decide(averaged)
    np.testing.assert_allclose(logits, averaged, atol=1e-4)
    np.testing.assert_allclose(probabilities, decided.probabilities, atol=1e-4)
    np.testing.assert_array_equal(label, decided.labels)


def test_an_average_of_one_is_that_one(tmp_path, tiny, photos):
    folder = tmp_path / "ensemble"
    save(member_folder(folder, RUNS[0]), tiny)
    save_average(folder, [Member("a", 1.0, RUNS[0])], temperature=2.0, facts={})
    new = new_pictures(sorted(map(str, photos.rglob("*.png")))[:4])
    rows, alone = (
        saved.predict_new(new) for saved in (load_average(folder), load_saved(folder / "member-aaaaaaaaaaaa"))
    )
    assert [row["label"] for row in rows] == [row["label"] for row in alone]
    np.testing.assert_allclose(*([row["probability"] for row in some] for some in (rows, alone)), atol=1e-6)


def test_members_that_answer_another_question_are_refused(tmp_path, tiny):
    folder = average(tmp_path / "ensemble", tiny, LABEL)
    save(member_folder(folder, RUNS[1]), tiny, kind=LABELS, bias=None)
    save_average(folder, [Member("a", 0.5, RUNS[0]), Member("b", 0.5, RUNS[1])], temperature=1.0, facts={})
    with pytest.raises(ModelError, match="b answers another question than a"):
        load_average(folder)


@pytest.mark.parametrize("name", ["masks", "boxes", "spans"])
def test_what_has_no_average_is_refused_with_the_reason(name):
    kind = KINDS.get(name)
    reason = kind.unaveraged
    assert reason is not None
    for wanted in ("never", "auto"):
        check_average(OutputSpec(ensemble=wanted), kind)
    with pytest.raises(SpecError) as error:
        check_average(OutputSpec(ensemble="always"), kind)
    assert reason.en[1:] in str(error.value)
    assert "平均" in error.value.what.zh


def test_a_member_without_a_graph_is_named(tmp_path, tiny, monkeypatch):
    pytest.importorskip("onnxscript")
    folder = average(tmp_path / "ensemble", tiny, LABEL)
    monkeypatch.setattr(Network, "exportable", False)
    with pytest.raises(ModelError, match=r"because of its member m0 <b>"):
        export_average(folder, tmp_path / "a.onnx")


def test_a_member_that_is_very_sure_is_averaged_as_others(tmp_path, tiny):
    """A probability of several labels ends at 1e-15 from 0 and 1; the graph, which never leaves logarithms, goes on."""
    folder = tmp_path / "ensemble"
    save(member_folder(folder, RUNS[0]), tiny, kind=LABELS, bias=None)
    save_average(folder, [Member("a", 1.0, RUNS[0])], temperature=1.0, facts={})
    saved = load_average(folder)
    (member,) = saved.members
    batch = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        factor = 200 / member.network(batch).abs().max()
        for parameter in member.network.head.parameters():
            parameter.mul_(factor)
        assert member.network(batch).abs().max() > 100
    parts = [Part(member, (0,), lambda batch: batch)]
    check_graph(LABELS, saved, Averaging(saved, parts).eval(), parts, [batch])
