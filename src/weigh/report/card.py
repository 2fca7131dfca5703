"""The model card of the saved winner and that of a saved average, in the format of the Hugging Face hub.

Before it: `findings/` (what was found) and the saved model (its facts). The front matter carries the scores as
`model-index` results, so that tools read them; the text below says what they mean and what they do not. YAML is written
by a dumper, never by hand: a class called `---` or `!!python/object` is a string and stays one.

References: https://huggingface.co/docs/hub/model-cards, "Specifying a model card's metadata".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from weigh.errors import ModelError
from weigh.findings.model import Finding, FindingsFile
from weigh.models.address import Address, parse_address
from weigh.record.ensembles import read_ensemble
from weigh.record.results import Results
from weigh.report.markdown import escape_markdown
from weigh.report.quantities import show_estimate
from weigh.report.story import tell
from weigh.report.visible import visible, visible_line
from weigh.report.words import CLAIMS, CLAIMS_EXPLAINED, OUTCOMES
from weigh.stats.estimate import Estimate
from weigh.tasks import TASKS

__all__ = ["average_card", "model_card"]

LIBRARIES = {
    "timm": "timm",
    "torchvision": "torchvision",
    "hf": "transformers",
    "keras": "keras",
}
LICENCES = (
    "apache-2.0",
    "mit",
    "bsd-2-clause",
    "bsd-3-clause",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-sa-4.0",
    "gpl-3.0",
    "openrail",
)
CLASSES_LISTED = 200
AT_FACE_VALUE = {  # the verdict of the finding on calibration
    "yes": "by this study the probabilities can then be taken at face value for data like these",
    "no": "by this study the probabilities are too far off even then: they rank, and are not to be taken at face value",
}
OF_PROBABILITIES = ("temperature", "decision", "bias")  # facts that say nothing where answers have no probabilities


def model_card(file: FindingsFile, results: Results, *, facts: Mapping[str, Any] | None = None) -> str:
    """README.md of the model folder.

    Args:
        facts: What is known of the saved model (or, by model address, of all models of the study), all optional: `classes`, `temperature`, `preprocessing` (dict),
            `license`, `files` (list), `parameters`, `size_bytes`, `weights` (where they come from), `epochs`, `candidate` (whose
            refit it is: where that is no longer the winner, the card says so and tells no scores).
    """
    facts = dict(facts or {})
    winner = file.study.get("winner") or results.winner
    saved = facts.get("candidate") or winner
    winner = winner or saved
    candidate = next((c for c in results.candidates if c.id == saved), None)
    if candidate is not None and isinstance(facts.get(candidate.model), Mapping):  # facts on all models of the study
        facts = dict(facts[candidate.model])
    task = TASKS.get(results.spec.task) if results.spec.task else None
    front = {
        "library_name": _library(candidate.model) if candidate else None,
        "pipeline_tag": (task.pipeline or task.name) if task else None,
        "tags": ["weigh", *([candidate.recipe] if candidate else [])],
        **_licence(facts.get("license") or facts.get("licence")),
        "base_model": _repository(candidate.model) if candidate else None,
        "model-index": [{"name": visible_line(f"{results.name} {winner}"), "results": _index(file, results)}],
    }
    if saved != winner:  # the scores are those of another candidate
        del front["model-index"]
    head = yaml.safe_dump({k: v for k, v in front.items() if v}, allow_unicode=True, sort_keys=False, width=1000)
    return f"---\n{head}---\n\n" + "\n".join(_body(file, results, facts, str(saved), str(winner))) + "\n"


def average_card(file: FindingsFile, results: Results) -> str:
    """README.md of the folder of an average: who is averaged, what the report found of it, how it is used."""
    task = TASKS.get(results.spec.task) if results.spec.task else None
    front = {
        "pipeline_tag": (task.pipeline or task.name) if task else None,
        "tags": ["weigh", "ensemble"],
        "model-index": [{"name": visible_line(f"{results.name} average"), "results": _index_of_average(file, results)}],
    }
    front = front if front["model-index"][0]["results"] else {k: v for k, v in front.items() if k != "model-index"}
    head = yaml.safe_dump({k: v for k, v in front.items() if v}, allow_unicode=True, sort_keys=False, width=1000)
    lines = [f"# {escape_markdown(results.name)}: an average of candidates", ""]
    for finding in file.findings:
        if finding.kind == "ensemble":
            lines += [escape_markdown(visible(finding.sentence.en)), ""]
    lines += ["| member | share |", "|---|---|"]
    lines += [f"| {escape_markdown(name)} | {100 * share:.0f} % |" for name, share in results.averaged.items()]
    trust = _trust(one.model for one in results.candidates if one.id in results.averaged)
    use = f"weigh predict STUDY {results.examples.medium.new_files} --ensemble{trust}"
    lines += ["", "## Use", "", "```", use, "```", ""]
    lines += ["Each member lies in a folder of its own, as a saved winner does; config.json names them."]
    if results.examples.kind.probable:
        lines += [
            "Their probabilities are averaged as trained; the logits of the average are then divided by its temperature."
        ]
    return f"---\n{head}---\n\n" + "\n".join(lines) + "\n"


def _parsed(address: str) -> Address | None:
    """None where a plugin that knew it is gone."""
    try:
        return parse_address(address)
    except ModelError:
        return None


def _library(address: str) -> str | None:
    """The library that has the architecture, also of a checkpoint (`file:PATH@torchvision:NAME`); None where the hub knows none."""
    parsed = _parsed(address)
    return None if parsed is None else LIBRARIES.get(parsed.architecture.partition(":")[0])


def _trust(addresses: Iterable[str]) -> str:
    """What a command needs besides where a network is built by code of its own."""
    return " --trust-code" if any(one.runs_code for one in map(_parsed, addresses) if one is not None) else ""


def _repository(address: str) -> str | None:
    """The repository of the hub that an address names; folders on somebody's disk are none."""
    source, _, name = address.partition(":")
    repository = name.partition("@")[0]
    named = source == "hf" and not name.startswith((".", "/", "~")) and "\\" not in name and repository.count("/") < 2
    return visible_line(repository) if named else None


def _index(file: FindingsFile, results: Results) -> list[dict[str, Any]]:
    """Results of `model-index`: the cross-validated score, and that on the independent test part where there is one."""
    headline = tell(file).headline
    estimates = headline.estimates if headline else {}
    run, whole, repeats = (estimates.get(name) for name in ("folds_run", "folds", "repeats"))
    validated = f"held-out folds ({run.value:.0f} of {whole.value:.0f})" if run and whole else "cross-validation"
    further = estimates.get("further_folds")
    if further and whole and repeats and not repeats.value:
        validated = f"held-out folds ({further.value:.0f}, no whole repeat of {whole.value:.0f})"
    scores = [(validated, estimates.get("score"))]
    scores += [
        ("test", finding.estimates.get("test")) for finding in file.findings if finding.id == "generalisation:test"
    ]
    return _rows(results, scores)


def _index_of_average(file: FindingsFile, results: Results) -> list[dict[str, Any]]:
    """Results of `model-index` of a saved average; nothing where later runs gave the average other members than those that are saved."""
    ensemble = results.once(read_ensemble)
    if (
        ensemble is None
        or len(ensemble.members) < 2
        or ensemble.members != results.averaged
        or results.average_outdated
    ):
        return []
    estimates = next((finding.estimates for finding in file.findings if finding.kind == "ensemble"), {})
    return _rows(results, [("cross-validation", estimates.get("score")), ("test", estimates.get("test"))])


def _dataset(source: str) -> str:
    """The data set on the hub that was named as such; of others nobody said whether they are private."""
    return visible_line(source.removeprefix("hub:")) if source.startswith("hub:") else "weigh-study"


def _rows(results: Results, scores: Sequence[tuple[str, Estimate | None]]) -> list[dict[str, Any]]:
    rows = []
    for split, estimate in scores:
        if estimate is None or not math.isfinite(estimate.value):
            continue
        rows.append(
            {
                "task": {"type": results.spec.task},
                "dataset": {
                    "type": _dataset(results.spec.data.train),
                    "name": visible_line(results.name),
                    "split": split,
                    "revision": results.examples.fingerprint or None,
                },
                "metrics": [
                    {
                        "type": results.spec.primary,
                        "name": f"{results.spec.primary} ({split})",
                        "value": round(estimate.value, 6),
                        **_interval(estimate),
                    }
                ],
            }
        )
    return rows


def _interval(estimate: Estimate) -> dict[str, Any]:
    if estimate.low is None or estimate.high is None:
        return {}
    ends = [round(estimate.low, 6), round(estimate.high, 6)]
    return {"args": {"interval": ends, "level": estimate.level, "method": visible_line(estimate.method)}}


def _body(file: FindingsFile, results: Results, facts: dict[str, Any], saved: str, winner: str) -> list[str]:
    story, passed = tell(file), saved != winner
    lines = [f"# {escape_markdown(results.name)}: {escape_markdown(saved)}", ""]
    if passed:
        lines += [
            f"The study has results since by which {escape_markdown(winner)} comes first; its report speaks of that candidate, and its scores are not those of "
            "this model. `weigh run STUDY --set output.refit=true` saves the other one here.",
            "",
        ]
    elif story.headline is not None:
        lines += [escape_markdown(visible(story.headline.sentence.en)), "", *_meaning(story.headline)]
    for finding in file.findings:
        if finding.kind == "saved":
            lines += [escape_markdown(visible(point.en)) + "\n" for point in (finding.sentence, *finding.next)]
    kind = results.examples.kind
    ending = next((ending for ending in kind.forms if ending), "/")
    files = f" --{kind.written} {kind.written}{ending}" if kind.written else ""
    files += _trust(one.model for one in results.candidates if one.id == saved)
    lines += ["## Use", "", "```", f"weigh predict STUDY {results.examples.medium.new_files}{files}", "```", ""]
    if not kind.probable:
        facts = {name: value for name, value in facts.items() if name not in OF_PROBABILITIES}
    lines += [_of_temperature(file), ""] if facts.get("temperature") and not passed else []
    decision = next((finding for finding in file.findings if finding.kind == "decision" and not passed), None)
    lines += [escape_markdown(point.en) + "\n" for point in (decision.sentence, *decision.next)] if decision else []
    counted = facts.get("weights") == "none"  # then there is no network of another library
    elsewhere = () if counted else results.examples.medium.opened_elsewhere
    lines += [*elsewhere, ""] if elsewhere else []
    shown = [
        (key, value) for key, value in facts.items() if key not in ("classes", "files") and value not in (None, "")
    ]
    if shown:
        lines += ["| fact | value |", "|---|---|"]
        lines += [f"| {escape_markdown(key)} | {escape_markdown(_short(value))} |" for key, value in shown] + [""]
    classes = list(facts.get("classes") or results.examples.classes)
    listed = ", ".join(escape_markdown(name) for name in classes[:CLASSES_LISTED])
    more = f" and {len(classes) - CLASSES_LISTED} more" if len(classes) > CLASSES_LISTED else ""
    lines += [f"Classes ({len(classes)}): {listed}{more}.", ""] if classes else []
    if not passed:
        lines += ["## Evaluation", ""]
        lines += [f"- {escape_markdown(point.sentence.en)}" for point in story.may] + [""]
        lines += ["## Limits", ""]
        lines += [f"- {escape_markdown(point.sentence.en)}" for point in story.may_not] + [""]
    if story.problems:
        lines += ["## Problems of the training data", ""]
        lines += [f"- {escape_markdown(finding.sentence.en)}" for finding in story.problems] + [""]
    environment = file.study.get("environment") or {}
    versions = ", ".join(f"{escape_markdown(k)} {escape_markdown(v)}" for k, v in sorted(environment.items()))
    lines += [
        "## Reproduce",
        "",
        f"weigh {escape_markdown(file.study.get('weigh', ''))}; data {escape_markdown(results.examples.fingerprint)}; "
        f"seed {results.spec.design.seed}. {versions}".strip(),
    ]
    return lines


def _meaning(headline: Finding) -> list[str]:
    lines = []
    if headline.claim:
        lines += [f"**{CLAIMS[headline.claim].en}**: {CLAIMS_EXPLAINED[headline.claim].en}", ""]
    for key, estimate in headline.estimates.items():
        if key == "score":
            lines += [f"Score: {show_estimate(estimate, 'en')} ({escape_markdown(estimate.method)})", ""]
    lines += [f"- {escape_markdown(a.name.en)}: {OUTCOMES[a.outcome].en}" for a in headline.assumptions]
    return [*lines, ""] if headline.assumptions else lines


def _licence(name: Any) -> dict[str, str]:
    """A licence as the hub writes it; "other" with its name where the hub has none of that name."""
    if not name:
        return {}
    if str(name).lower() in LICENCES:
        return {"license": str(name).lower()}
    return {"license": "other", "license_name": visible_line(name)}


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key} = {_short(entry)}" for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_short(entry) for entry in value)
    return f"{value:.6g}" if isinstance(value, float) else visible_line(value)


def _of_temperature(file: FindingsFile) -> str:
    """What the temperature of the saved model was fitted on, and whether that was judged."""
    calibration = next((finding for finding in file.findings if finding.kind == "calibration"), None)
    if calibration is None or "temperature" not in calibration.estimates:
        return "Logits are divided by the temperature below."
    if "calibration_error_before" in calibration.estimates:
        reliability = AT_FACE_VALUE.get(
            calibration.verdict, "whether the probabilities can then be taken at face value is undecided"
        )
        return f"Logits are divided by the temperature below, which was fitted on predictions for held-out folds; {reliability}."
    judged = "judged on the test part" if "calibration_error_test" in calibration.estimates else "not judged on others"
    return f"Logits are divided by the temperature below, which was fitted on the examples of one fold and {judged}."
