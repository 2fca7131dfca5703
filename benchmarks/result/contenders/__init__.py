"""Who is compared: names, what they are, for which medium, which packages they need (requirements/bench.txt)."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.speed.contenders import Named, missing

__all__ = ["CONTENDERS", "INTERPRETERS", "MEDIA", "OURS", "absent"]

OURS = ("weigh", "weigh, one model")
CONTENDERS: dict[str, Named] = {
    "weigh": Named("", "`weigh run DATA --budget …`, which chooses the models itself"),
    "weigh, one model": Named(
        "", "`weigh run DATA --models MODEL --recipes multilayer,finetune --budget …`", options={"one": True}
    ),
    "textbook": Named(
        "textbook",
        "the tutorials' loop: pictures SGD 0.001 with momentum 0.9, crops and mirroring; texts AdamW 2e-5; batch 16, ten epochs or until the budget "
        "ends, the last state predicts",
        needs=("transformers",),
    ),
    "scikit-learn": Named(
        "linear",
        "LogisticRegression on standardised frozen features (texts: mean of the words)",
        needs=("transformers",),
    ),
    "Trainer": Named(
        "trainer",
        "Hugging Face Trainer as in run_glue.py (2e-5) and run_image_classification.py (5e-5): 3 epochs, batch 8, stopped at the budget",
        needs=("transformers", "accelerate"),
    ),
    "fastai": Named(
        "fastai",
        "`fine_tune` with its default rates, item and batch transforms of its tutorial; as many epochs, one to ten, as fit",
        needs=("fastai",),
    ),
    "SetFit": Named(
        "setfit",
        "contrastive pairs with its defaults until 85 % of the budget, then its logistic head",
        needs=("setfit", "sentence-transformers"),
    ),
    "AutoGluon": Named(
        "autogluon",
        "AutoGluon MultiModalPredictor with its default settings but for the checkpoint, `time_limit` is what is left of the budget; in an environment "
        "of its own, with older torch and timm",
    ),
}
MEDIA = {"fastai": ("pictures",), "SetFit": ("texts",)}  # all others take both
INTERPRETERS = {"AutoGluon": "AUTOGLUON_PYTHON"}  # variables that name the Python of an environment of its own


def absent(name: str) -> str:
    """Why a contender cannot be run here; "" where it can."""
    if name in INTERPRETERS:
        python = os.environ.get(INTERPRETERS[name], "")
        return (
            ""
            if python and Path(python).exists()
            else f"{INTERPRETERS[name]} names no Python with autogluon.multimodal"
        )
    lacking = missing(name, CONTENDERS)
    return f"not installed: {', '.join(lacking)} (requirements/bench.txt)" if lacking else ""
