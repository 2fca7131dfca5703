"""The loop that tutorials teach, in forty lines: ten epochs with fixed settings, no validation; the last state predicts."""

from __future__ import annotations

import torch
from PIL import Image
from torch import nn

from benchmarks.result.work import (
    EPOCHS,
    LONGEST,
    Trained,
    Work,
    batches,
    build_network,
    over,
    picture_transform,
    read_test,
    read_training,
)  # fmt: skip

BATCH = 16


def train(work: Work) -> Trained:
    items, labels = read_training(work)
    torch.manual_seed(1)
    model, inputs = (_pictures if work.medium == "pictures" else _texts)(work)
    optimiser = (
        torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
        if work.medium == "pictures"
        else torch.optim.AdamW(model.parameters(), lr=2e-5)
    )
    steps, epochs = 0, 0
    for _ in range(EPOCHS):
        model.train()
        for some in batches(len(items), BATCH, torch.randperm(len(items)).tolist()):
            if over(work):
                break
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(
                model(inputs([items[i] for i in some], True)), torch.tensor([labels[i] for i in some])
            )
            loss.backward()
            optimiser.step()
            steps += 1
        else:
            epochs += 1
            continue
        break

    def predict() -> list[int]:
        model.eval()
        test, _ = read_test(work)
        with torch.inference_mode():
            return [
                number
                for some in batches(len(test), 32)
                for number in model(inputs([test[i] for i in some], False)).argmax(dim=1).tolist()
            ]

    return Trained(predict, {"epochs": epochs, "steps": steps, "of_epochs": EPOCHS})


def _pictures(work: Work):
    training, test = (picture_transform(work, training=which) for which in (True, False))

    def inputs(paths: list, augmented: bool) -> torch.Tensor:
        transform = training if augmented else test
        return torch.stack([transform(Image.open(path).convert("RGB")) for path in paths])

    return build_network(work), inputs


class _Logits(nn.Module):
    """A text classifier that gives its logits alone."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, batch) -> torch.Tensor:
        return self.classifier(**batch).logits


def _texts(work: Work):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(work.weights, local_files_only=True)
    classifier = AutoModelForSequenceClassification.from_pretrained(
        work.weights, num_labels=len(work.classes), local_files_only=True
    )

    def inputs(texts: list, _augmented: bool):
        return tokenizer(texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")

    return _Logits(classifier), inputs
