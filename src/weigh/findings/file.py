"""All findings of a study in the order in which a reader needs them, with the facts that identify the study."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from weigh import __version__
from weigh.findings.data_problems import findings_from_problems
from weigh.findings.model import Finding, FindingsFile
from weigh.findings.registry import read_findings, unasked
from weigh.record.results import Results

__all__ = ["findings_file"]

ORDER = {"headline": 0, "problem": 1, "evidence": 2, "detail": 3}


def findings_file(results: Results) -> FindingsFile:
    """Everything that findings.json holds. Depends on the records alone: the same records give the same file."""
    findings = [*findings_from_problems(results.problems, results.examples, results.checked), *read_findings(results)]
    findings.sort(key=lambda finding: ORDER[finding.severity])  # stable: the registry's order within a severity
    return FindingsFile(study=_study(results), findings=_unique(findings), measured=_measured(results))


def _unique(findings: list[Finding]) -> list[Finding]:
    seen: dict[str, int] = {}
    numbered = []
    for finding in findings:
        seen[finding.id] = seen.get(finding.id, 0) + 1
        if seen[finding.id] > 1:
            finding = finding.model_copy(update={"id": f"{finding.id}:{seen[finding.id]}"})
        numbered.append(finding)
    return numbered


def _study(results: Results) -> dict[str, Any]:
    spec, examples = results.spec, results.examples
    skipped = unasked(results)
    return {
        "name": results.name,
        "weigh": __version__,
        "task": spec.task,
        "classes": list(examples.classes),
        "examples": {"train": len(examples.where("train")), "test": len(examples.where("test"))},
        "data": examples.fingerprint,
        "candidates": [
            {
                "id": c.id,
                "label": c.label,
                "model": c.model,
                "recipe": c.recipe,
                "control": c.control,
                **_ran(results, c.id),
            }
            for c in results.candidates
        ],
        "winner": results.winner,
        "primary": spec.primary,
        "design": _design(results),
        "origin": results.origin,
        "runs": {
            "done": sum(run.status == "done" for run in results.records),
            "failed": sum(run.status == "failed" for run in results.records),
        },
        "skipped": {key: value._asdict() for key, value in skipped.items()},
        "test_looks": results.test_looks if results.origin == "study" else None,
        "models": {
            address: {k: v for k, v in facts.items() if not k.endswith("seconds")}
            for address, facts in results.models.items()
        },
        "environment": _environment(results),
    }


def _environment(results: Results) -> dict[str, Any]:
    """That of the first run, and what only others state: versions of libraries that some models need, and that an operator was not deterministic."""
    whole: dict[str, Any] = {}
    for run in results.records:
        versions = {**run.environment.get("versions", {}), **whole.get("versions", {})}
        whole = {**run.environment, **whole, **({"versions": versions} if versions else {})}
    return whole


def _ran(results: Results, candidate: str) -> dict[str, int]:
    """Folds that a candidate has predictions of, the most of any repeat, and repeats in which it has all; the design is what was to be run."""
    if results.origin == "models":
        return {}
    runs = results.out_of_fold(candidate)
    if runs is None:
        return {"folds_run": 0, "whole_repeats": 0}
    folds = max((len(np.unique(fold[fold >= 0])) for fold in runs.fold), default=0)
    some = results.origin == "study" and folds < results.spec.design.folds
    return {"folds_run": folds, "whole_repeats": 0 if some else int(runs.complete.sum())}


def _design(results: Results) -> dict[str, Any]:
    """The design as specified; of others' predictions only what was read or decides the intervals."""
    design = results.spec.design.model_dump(mode="json")
    fields = {"folds": ("folds", "repeats", "purpose", "level", "seed"), "models": ("level", "seed")}
    return design if results.origin == "study" else {name: design[name] for name in fields[results.origin]}


def _measured(results: Results) -> dict[str, Any]:
    seconds = sum(run.measured.get("train_seconds") or 0.0 for run in results.records)
    started = [run.measured["started"] for run in results.records if run.measured.get("started")]
    return {"compute_seconds": round(seconds, 1), "started": _date(min(started, default=None))}


def _date(seconds: float | None) -> str | None:
    """Seconds since 1970 as a moment in UTC that people can read."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
