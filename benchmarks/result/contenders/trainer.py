"""Hugging Face's Trainer as its example scripts set it: three epochs, batch 8, a rate that falls to zero; stopped at the budget."""

from __future__ import annotations

import torch
from PIL import Image
from torch.utils.data import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)  # fmt: skip

from benchmarks.result.work import (
    LONGEST,
    Trained,
    Work,
    build_network,
    over,
    picture_transform,
    read_test,
    read_training,
)
from benchmarks.speed.contenders.transformers import Wrapped, collate

RATES = {"pictures": 5e-5, "texts": 2e-5}
EPOCHS = 3


class Deadline(TrainerCallback):
    """Ends training when the time is up."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def on_step_end(self, args, state, control, **kwargs) -> None:
        control.should_training_stop = control.should_training_stop or over(self.work)


class _Pictures(Dataset):
    def __init__(self, work: Work, paths: list, labels: list[int], *, training: bool) -> None:
        self.paths, self.labels, self.transform = paths, labels, picture_transform(work, training=training)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int):
        return self.transform(Image.open(self.paths[i]).convert("RGB")), self.labels[i]


def train(work: Work) -> Trained:
    set_seed(42)  # the scripts' own
    items, labels = read_training(work)
    test, _ = read_test(work)
    if work.medium == "pictures":
        model, collator = Wrapped(build_network(work)), collate
        training, predicted = (
            _Pictures(work, items, labels, training=True),
            _Pictures(work, test, [0] * len(test), training=False),
        )
    else:
        tokenizer = AutoTokenizer.from_pretrained(work.weights, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(
            work.weights, num_labels=len(work.classes), local_files_only=True
        )

        def rows(texts: list, numbers: list[int]) -> list[dict]:
            return [
                {**tokenizer(text, truncation=True, max_length=LONGEST), "labels": number}
                for text, number in zip(texts, numbers, strict=True)
            ]

        training, predicted, collator = (
            rows(items, labels),
            rows(test, [0] * len(test)),
            DataCollatorWithPadding(tokenizer),
        )
    arguments = TrainingArguments(
        output_dir=work.scratch, per_device_train_batch_size=8, num_train_epochs=EPOCHS, learning_rate=RATES[work.medium],
        use_cpu=not torch.cuda.is_available(), dataloader_num_workers=0, save_strategy="no", logging_strategy="no", report_to="none",
        disable_tqdm=True, remove_unused_columns=False,
    )  # fmt: skip
    trainer = Trainer(
        model=model, args=arguments, train_dataset=training, data_collator=collator, callbacks=[Deadline(work)]
    )
    trainer.train()

    def predict() -> list[int]:
        return trainer.predict(predicted).predictions.argmax(axis=-1).tolist()

    return Trained(
        predict,
        {"epochs": round(float(trainer.state.epoch or 0), 2), "steps": trainer.state.global_step, "of_epochs": EPOCHS},
    )
