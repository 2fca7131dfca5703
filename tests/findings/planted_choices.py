"""Studies in which something was chosen: a candidate that chose inside its training folds, models that went on to be trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.record.results import Results
from weigh.record.saved_checks import SavedCheck
from weigh.run import Candidate
from weigh.spec import RecipeSpec

__all__ = ["STOPPED", "UNLIKE", "narrowed", "study"]

STOPPED = Candidate("timm:b × finetune", "timm:b", "finetune", "b × finetune", control=False, cheap=False)
UNLIKE = (SavedCheck("m0", "m", 8, 0.31, 0.02), SavedCheck("m0", "m", 8, None, 0.02, "–"))


def study(recipe: str, chosen: list[tuple[str, dict]], inner: float | list[float], seconds: float = 3.0):
    """Five folds of a candidate; `inner`: score of the choice less that of its test fold, on average about .85."""
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 400)
    logits = {
        "one": simulate_logits(rng, target, separation=2.0),
        "other": simulate_logits(rng, target, separation=1.0),
    }
    results = make_results(logits, target, winner="one", recipes={"one": recipe, "other": "probe"})
    scores = np.broadcast_to(inner, 5)
    names = {name for name, _ in chosen}
    records = []
    for record in results.records:
        if record.candidate == "one" and record.purpose == "main":
            name, settings = chosen[record.fold]
            tried = [{"recipe": one, "settings": {}, "parts": 1, "score": 0.8} for one in sorted(names | {name})] * 2
            choice = {
                "recipe": name,
                "options": {},
                "settings": settings,
                "score": float(scores[record.fold]),
                "parts": 1,
                "examples": 64,
                "tried": tried,
            }
            measured = {"train_seconds": 4 * seconds, "choice_seconds": seconds}
            record = replace(record, facts={**record.facts, "choice": choice}, measured=measured)
        records.append(record)
    return replace(results, records=tuple(records))


def narrowed() -> Results:
    """Two models with heads, of which only the better one is trained as a network too."""
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 300)
    separations = {"timm:a × probe": 2.0, "timm:b × probe": 1.0, "timm:a × finetune": 2.2}
    logits = {name: simulate_logits(rng, target, separation=value, repeats=2) for name, value in separations.items()}
    results = make_results(logits, target, recipes={"timm:a × finetune": "finetune"}, design={"finalists": 1})
    models = [name.partition(" ")[0] for name in separations]
    candidates = tuple(replace(c, model=m) for c, m in zip(results.candidates, models, strict=True))
    both = [RecipeSpec(name="probe"), RecipeSpec(name="finetune")]
    spec = results.spec.model_copy(update={"models": ["timm:a", "timm:b"], "recipes": both})
    return replace(results, candidates=candidates, spec=spec, untried=(STOPPED,))
