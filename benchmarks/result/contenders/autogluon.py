"""AutoGluon's MultiModalPredictor with its default settings, but for the checkpoint: the common weights instead of a download.

Run by the Python of an environment of its own (AUTOGLUON_PYTHON). For pictures timm's factory is given the weights from the file, since AutoGluon asks
it for those of the hub.
"""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import timm
from autogluon.multimodal import MultiModalPredictor
from safetensors.torch import load_file

from benchmarks.result.work import Trained, Work, read_test, read_training


def _use_local_weights(work: Work) -> None:
    plain, held = timm.create_model, load_file(work.weights)

    def create_model(name: str, *arguments, pretrained: bool = False, num_classes: int | None = None, **options):
        network = plain(name, *arguments, pretrained=False, **options)
        if name == work.architecture:
            network.load_state_dict(held)
        if num_classes is not None:
            network.reset_classifier(num_classes)
        return network

    timm.create_model = create_model
    import autogluon.multimodal.models.timm_image as theirs

    if hasattr(theirs, "create_model"):
        theirs.create_model = create_model


def train(work: Work) -> Trained:
    items, labels = read_training(work)
    pictures = work.medium == "pictures"
    column = "image" if pictures else "text"
    settings = (
        {"model.names": ["timm_image"], "model.timm_image.checkpoint_name": work.architecture}
        if pictures
        else {"model.names": ["hf_text"], "model.hf_text.checkpoint_name": work.weights}
    )
    settings |= {"env.num_workers": 0, "env.num_workers_inference": 0}  # one core
    if pictures:
        _use_local_weights(work)
    predictor = MultiModalPredictor(
        label="label", problem_type="multiclass" if len(work.classes) > 2 else "binary", eval_metric="accuracy",
        path=str(Path(work.scratch) / "autogluon"), verbosity=1,
    )  # fmt: skip
    table = pd.DataFrame({column: [str(item) for item in items], "label": [work.classes[i] for i in labels]})
    # By itself it takes Chinese texts, which have no spaces, for categories.
    kinds = {column: "image_path" if pictures else "text"}
    limit = max(work.deadline - time.time(), 1.0)
    predictor.fit(table, hyperparameters=settings, column_types=kinds, time_limit=limit, seed=1)

    def predict() -> list[int]:
        test, _ = read_test(work)
        answers = predictor.predict(pd.DataFrame({column: [str(item) for item in test]}), as_pandas=False)
        return [work.classes.index(str(answer)) for answer in answers]

    return Trained(predict)
