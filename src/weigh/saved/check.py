"""Whether a saved model answers as the refit did that it was saved from: its folder is opened as `weigh predict` opens it.

Before it: `model.py` (writing) and `train/sample.py` (answers of the refit). After it: `execute/saving.py`, which records what came out.
"""

from __future__ import annotations

from pathlib import Path

from weigh.data.examples import Examples
from weigh.run import Sample
from weigh.saved.folder import read_config, rewrite_config
from weigh.saved.model import load_saved

__all__ = ["allowed", "departure_of", "keep_failed"]

# `Kind.departure`: shares of how far answers lie apart. Measured in docs/decisions/saved.md: single precision stays below .00001, bfloat16 below .02,
# another interpolation alone makes .03. The TF32 and half precision of GPUs were not measured.
EXACT, ROUGH = 0.02, 0.05


def allowed(sample: Sample) -> float:
    """How far the answers of a saved model may be from those of the refit."""
    return EXACT if sample.exact else ROUGH


def departure_of(folder: Path, examples: Examples, sample: Sample, *, trust_code: bool = False) -> float | None:
    """How far the answers of the saved model in `folder` are from those of the refit (`Kind.departure`); None where no example can be read now.

    Args:
        examples: Of the study.

    Raises:
        ModelError: It cannot be opened; and whatever its network raises.
    """
    some, failed = examples.subset(sample.examples), dict[int, Exception]()
    answers = load_saved(folder, trust_code=trust_code).outputs(some, failed=failed)
    read = [i for i in range(len(some)) if i not in failed]
    if not read:
        return None
    recorded = some.kind.recorded(answers[read], some.target[read])
    return some.kind.departure(recorded, sample.answers[read], len(examples.classes))


def keep_failed(folder: Path, departure: float, most: float) -> None:
    """Keep with the model that it does not answer as the refit did; it is told whenever the model is opened (`load_saved`)."""
    config = read_config(folder)
    facts = {**config["weigh"]["facts"], "departure": departure, "departure_allowed": most}
    rewrite_config(folder, config, facts=facts)
