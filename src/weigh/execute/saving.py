"""The refitted winner, saved with everything that a prediction needs."""

from __future__ import annotations

from pathlib import Path

from weigh.language import text
from weigh.notices import notice
from weigh.record.ledger import Ledger
from weigh.record.results import Results
from weigh.run import RECIPES, Outcome, Run

__all__ = ["model_there", "save_winner"]


def save_winner(ledger: Ledger, run: Run, outcome: Outcome, results: Results, *, trust_code: bool = False) -> None:
    """Write `model/`: the refitted network, its temperature from the out-of-fold predictions."""
    from weigh.saved.model import save_model
    from weigh.stats.calibration import fit_temperature
    from weigh.stats.conformal import margin

    out_of_fold = results.out_of_fold(run.candidate)
    assert out_of_fold is not None
    examples = results.examples
    temperature = (
        fit_temperature(out_of_fold.answers, out_of_fold.target, present=out_of_fold.present)
        if examples.kind.probable
        else 1.0
    )
    errors = examples.kind.errors(out_of_fold.prediction(0).labels, out_of_fold.target, len(examples.classes))
    if errors is not None:
        seen = out_of_fold.present[0]
        group = None if examples.group is None else examples.group[out_of_fold.indices][seen]
        errors = margin(errors[seen], group)
    save_model(
        ledger.folder / "model",
        address=run.model,
        weights=outcome.weights,
        task=results.spec.task or "",
        kind=examples.kind,
        pair=examples.are_pairs,
        classes=examples.classes,
        options=run.options,
        frozen=RECIPES.get(run.recipe).trains == "head",
        temperature=temperature,
        bias=outcome.facts.get("bias"),
        margins=None if errors is None else errors.tolist(),
        written=examples.written,
        facts={**outcome.model, "run": run.key, "candidate": run.candidate},
        trust_code=trust_code,
    )
    ledger.set_facts(saved_model=run.key, temperature=temperature)


def model_there(folder: Path) -> bool:
    """Whether the winner lies in the study folder as it was written; a damaged one is reported."""
    from weigh.saved.folder import FORMAT, read_config

    try:
        own = read_config(folder / "model").get("weigh")
        return isinstance(own, dict) and own.get("format") == FORMAT
    except (OSError, ValueError, AttributeError) as error:
        if (folder / "model").exists():
            notice(
                text(
                    "The saved model is not what was written ({e}): the winner is refitted.",
                    "保存的模型与写入时不符（{e}）：重新拟合优胜者。",
                    e=error,
                )
            )
        return False
