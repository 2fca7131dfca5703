"""The model card beside a saved model: read by the hub, and saying no more than the report."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml

from tests.report.example import HOSTILE, example_file, example_results
from tests.report.hostile import hidden
from weigh.findings.model import FindingsFile
from weigh.report.card import model_card
from weigh.report.markdown import escape_markdown
from weigh.stats.estimate import Estimate


def test_the_card_is_read_by_the_hub():
    hub = pytest.importorskip("huggingface_hub")
    facts = {
        "classes": list(HOSTILE.values()),
        "temperature": 1.64,
        "license": "Apache-2.0",
        "preprocessing": {"mean": [0.5] * 3},
    }
    written = model_card(example_file(), example_results(name="---\nlicense: mit\n"), facts=facts)
    card = hub.ModelCard(written)
    assert card.data.license == "apache-2.0"
    assert card.data.pipeline_tag == "image-classification"
    (found,) = card.data.eval_results
    assert found.metric_value == 0.846
    assert found.metric_args["interval"] == [0.829, 0.862]
    assert found.dataset_type == "weigh-study", "nobody said that the data are private"
    assert "<script" not in card.text.replace("&lt;script", "")
    front = yaml.safe_load(written.split("---\n")[1])
    assert set(front) <= {"library_name", "pipeline_tag", "tags", "license", "model-index"}
    assert not hidden(written)


def test_the_card_takes_facts_by_model_and_names_other_licences():
    written = model_card(
        example_file(), example_results(), facts={"timm:tf_efficientnet_lite2": {"licence": "Our own: v2"}}
    )
    front = yaml.safe_load(written.split("---\n")[1])
    assert (front["license"], front["license_name"]) == ("other", "Our own: v2")


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("yes", "can then be taken at face value for data"),
        ("no", "too far off even then"),
        ("undecided", "is undecided"),
    ],
)
def test_the_card_says_of_probabilities_what_the_report_found(verdict, said):
    file = example_file()
    whole = Estimate(value=0.03)
    found = file.findings[0].model_copy(
        update={
            "id": "calibration", "kind": "calibration", "verdict": verdict,
            "estimates": {"temperature": Estimate(value=1.6), "calibration_error_before": whole},
        }
    )  # fmt: skip
    others = [finding for finding in file.findings if finding.kind != "calibration"]
    written = model_card(
        FindingsFile(study=file.study, findings=[*others, found]), example_results(), facts={"temperature": 1.6}
    )
    (line,) = (line for line in written.splitlines() if line.startswith("Logits are divided by the temperature"))
    assert said in line


@pytest.mark.parametrize(
    ("model", "library", "trust"),
    [
        ("timm:resnet18", "timm", ""),
        ("file:w.safetensors@torchvision:resnet18", "torchvision", ""),
        ("hf:./mine", "transformers", ""),
        ("onnx:net.onnx", None, ""),
        ("python:mine:build", None, " --trust-code"),
        ("file:w.pth@python:mine:build", None, " --trust-code"),
        ("gone:of-a-plugin", None, ""),
    ],
)
def test_the_card_names_the_library_and_a_command_that_works(model, library, trust):
    results = example_results()
    winner = example_file().study.get("winner") or results.winner
    candidates = tuple(replace(one, model=model) if one.id == winner else one for one in results.candidates)
    assert any(one.model == model for one in candidates)
    written = model_card(example_file(), replace(results, candidates=candidates))
    assert yaml.safe_load(written.split("---\n")[1]).get("library_name") == library
    assert f"weigh predict STUDY new/*.jpg{trust}\n" in written


def test_the_card_of_a_model_that_is_no_longer_the_winner_tells_no_scores_of_another():
    results = example_results()
    winner = example_file().study.get("winner") or results.winner
    other = next(one.id for one in results.candidates if one.id != winner)
    written = model_card(example_file(), results, facts={"candidate": other, "temperature": 1.6})
    assert "model-index" not in yaml.safe_load(written.split("---\n")[1])
    assert f"# solar cells: {escape_markdown(other)}\n" in written
    assert f"by which {escape_markdown(str(winner))} comes first" in written
    assert not re.search("Score:|## Evaluation|## Limits|alibrated", written)
    assert "## Evaluation" in model_card(example_file(), results, facts={"candidate": winner})
