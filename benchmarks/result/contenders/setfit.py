"""SetFit with its defaults: the encoder trained on contrastive pairs, then a logistic head. Pairs end at a share of the budget, the head needs the rest."""

from __future__ import annotations

import time

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments
from transformers import TrainerCallback

from benchmarks.result.work import Trained, Work, read_test, read_training

SHARE = 0.85  # of the budget for pairs


class Deadline(TrainerCallback):
    """Ends the contrastive part."""

    def __init__(self, work: Work) -> None:
        self.ends, self.steps = work.deadline - (1 - SHARE) * work.budget, 0

    def on_step_end(self, args, state, control, **kwargs) -> None:
        self.steps = state.global_step
        control.should_training_stop = control.should_training_stop or time.time() >= self.ends


def train(work: Work) -> Trained:
    items, labels = read_training(work)
    model = SetFitModel.from_pretrained(work.weights, local_files_only=True)
    arguments = TrainingArguments(
        output_dir=work.scratch, save_strategy="no", logging_strategy="no", report_to="none", show_progress_bar=False
    )
    deadline = Deadline(work)
    rows = Dataset.from_dict({"text": items, "label": labels})
    Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[deadline]).train()

    def predict() -> list[int]:
        test, _ = read_test(work)
        return [int(number) for number in model.predict(test)]

    return Trained(predict, {"steps": deadline.steps})
