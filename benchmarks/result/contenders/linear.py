"""scikit-learn's logistic regression on features of the frozen network, standardised; nothing is tuned."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.result.work import (
    LONGEST,
    Trained,
    Work,
    batches,
    build_network,
    picture_transform,
    read_test,
    read_training,
)  # fmt: skip


def train(work: Work) -> Trained:
    items, labels = read_training(work)
    features = (_picture_features if work.medium == "pictures" else _text_features)(work)
    head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features(items), labels)

    def predict() -> list[int]:
        test, _ = read_test(work)
        return head.predict(features(test)).tolist()

    return Trained(predict)


def _picture_features(work: Work):
    network, transform = build_network(work, head=False).eval(), picture_transform(work, training=False)

    def features(paths: list) -> np.ndarray:
        with torch.inference_mode():
            parts = [
                network(torch.stack([transform(Image.open(paths[i]).convert("RGB")) for i in some]))
                for some in batches(len(paths), 32)
            ]
        return torch.cat(parts).numpy()

    return features


def _text_features(work: Work):
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(work.weights, local_files_only=True)
    encoder = AutoModel.from_pretrained(work.weights, local_files_only=True).eval()

    def features(texts: list) -> np.ndarray:
        parts = []
        with torch.inference_mode():
            for some in batches(len(texts), 32):
                batch = tokenizer(
                    [texts[i] for i in some], padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
                )
                mask = batch["attention_mask"][..., None]
                parts.append((encoder(**batch).last_hidden_state * mask).sum(dim=1) / mask.sum(dim=1))
        return torch.cat(parts).numpy()

    return features
