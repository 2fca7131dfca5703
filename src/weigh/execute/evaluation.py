"""Pretrained heads on labelled pictures, and frozen features for other tools: what needs a model but no study."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weigh.data.examples import Examples
from weigh.disk import replacing
from weigh.errors import DataError, ModelError
from weigh.execute.listener import Listener
from weigh.language import Text, text
from weigh.models.address import check_trust
from weigh.record.predictions_shift import WHOLE, notice_shift
from weigh.run import Setting
from weigh.settings import cache_folder, offline_by_environment
from weigh.spec import StudySpec
from weigh.stats.interval import share_estimate
from weigh.tasks import IMAGE_CLASSIFICATION

if TYPE_CHECKING:
    from weigh.models.pretrained import Pretrained

__all__ = ["evaluate_models", "export_features"]

GUESSING = 0.05  # top-1 of 1,000 classes below which a pretrained head has not recognised anything


def evaluate_models(spec: StudySpec, listener: Listener, *, trust_code: bool = False) -> list[dict[str, Any]]:
    """Top-1 and top-5 accuracy of each model's own 1000-class head, with intervals; and a hint where labels seem to be numbered otherwise.

    Raises:
        DataError: Labels that are not ImageNet indices (0 to 999, after data.label_offset) or names of synsets.
    """
    import torch

    check_trust(spec.models, trust_code=trust_code)
    from weigh.inputs.base import to_device
    from weigh.inputs.pictures import crops
    from weigh.models.pretrained import load_model
    from weigh.train.determinism import computing

    examples = _read(spec, IMAGE_CLASSIFICATION, listener)
    target = _imagenet_indices(examples)
    setting, rows = _setting(spec, IMAGE_CLASSIFICATION, examples), []
    for address in spec.models:
        listener.stage(text("Evaluating {m}", "评估 {m}", m=address))
        model = load_model(address, pretrained=True, offline=setting.offline, trust_code=trust_code)
        columns = _output_of_class(model)
        if columns is None:
            raise ModelError(
                text(
                    "{m} has no head of its own: its weights come without one, or with one of other classes.",
                    "{m} 没有自己的分类头：其权重不含分类头，或分类头的类别不同。",
                    m=address,
                ),
                text("Its answers would be random.", "其回答将是随机的。"),
                text("Train one: weigh run DATA --models {m}", "请训练一个：weigh run DATA --models {m}", m=address),
            )
        answers, done = [], 0
        with computing(threads=setting.threads), torch.inference_mode():
            network = model.module.to(setting.device).to(memory_format=torch.channels_last)
            for block in crops(examples, model.preprocessing, setting.batch):
                logits = network(model.preprocessing.normalise(to_device(block, setting.device)))
                logits = torch.nn.functional.pad(logits, (0, 1), value=-torch.inf)[:, columns]
                best = logits.topk(min(5, logits.shape[1]), dim=1).indices.cpu().numpy()
                answers.append(best)
                done += len(block)
                listener.progress("predicting", done, len(examples))
        answered = np.concatenate(answers)
        hits = answered == target[:, None]
        rows.append({
            "model": address, "top1": share_estimate(hits[:, 0]), "top5": share_estimate(hits.any(axis=1)), "n": len(hits),
            "weights": f"{model.provenance.source} {model.provenance.name}".strip(),
            "hint": _hint(answered, target, examples.classes, spec.data.label_offset),
        })  # fmt: skip
    return rows


def _output_of_class(model: Pretrained) -> list[int] | None:
    """For each class of ImageNet-1k the output of the model's own head that stands for it, -1 where none does; None: a head of other classes."""
    if model.imagenet is None:
        return list(range(1000)) if model.classes == 1000 else None
    outputs = {number: output for output, number in enumerate(model.imagenet)}
    return [outputs.get(number, -1) for number in range(1000)]


def export_features(
    spec: StudySpec, folder: Path, listener: Listener, *, trust_code: bool = False
) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Write one .npz per model with path, label, part and features; yields each file and the shape of its features."""
    from weigh.data.readers import task_of
    from weigh.train.determinism import computing
    from weigh.train.features import features_of

    check_trust(spec.models, trust_code=trust_code)
    task = task_of(spec.data, spec.task)
    examples = _read(spec, task, listener)
    setting = replace(_setting(spec, task, examples), trust_code=trust_code)
    labels = np.array(examples.classes)[examples.target] if examples.kind.exclusive else examples.target
    for address in spec.models:
        listener.stage(text("Computing features of {m}", "计算 {m} 的特征", m=address))
        with computing(threads=setting.threads):
            exported = features_of(address, examples, setting, progress=listener.progress)
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in address) + ".npz"
        columns = {"path": examples.path.astype(str), "label": labels, "part": examples.part.astype(str)}
        with replacing(folder / name) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **columns, features=exported.features)
        yield folder / name, exported.features.shape


def _read(spec: StudySpec, task: str, listener: Listener) -> Examples:
    from weigh.data.readers import read_and_check

    examples, problems = read_and_check(spec.data, task, offline=spec.run.offline, progress=listener.progress)
    for problem in problems:
        if problem.severity == "error":
            raise DataError(problem.sentence, problem.why, problem.do)
        if problem.severity == "warning":
            listener.stage(problem.sentence)
    return examples


def _setting(spec: StudySpec, task: str, examples: Examples) -> Setting:
    import os

    from weigh.train.device import resolve_device

    threads = os.cpu_count() or 1 if spec.run.threads == "auto" else int(spec.run.threads)
    precision = "fp32" if spec.run.precision == "auto" else spec.run.precision
    return Setting(
        task=task,
        classes=examples.classes,
        primary="accuracy",
        device=resolve_device(spec.run.device),
        threads=threads,
        precision=precision,
        offline=spec.run.offline or offline_by_environment(),
        cache=cache_folder(),
    )


def _imagenet_indices(examples: Examples) -> np.ndarray:
    """Class names as ImageNet-1k indices: numbers 0 to 999, or names of synsets (n01440764) in their sorted order."""
    names = examples.classes
    if all(re.fullmatch(r"-?\d{1,9}", name) for name in names):
        numbers = np.array([int(name) for name in names])
    else:
        synsets = _synsets()
        unknown = [name for name in names if name not in synsets]
        if unknown:
            raise DataError(
                text(
                    "{n} of {k} labels are not ImageNet classes (first: {f}).",
                    "{k} 个标签中有 {n} 个不是 ImageNet 类别（第一个：{f}）。",
                    n=len(unknown),
                    k=len(names),
                    f=unknown[0],
                ),
                text(
                    "A pretrained head answers with one of its 1,000 classes.",
                    "预训练分类头只会回答其 1,000 个类别之一。",
                ),
                text(
                    "Use class numbers 0 to 999 or synset names (n01440764).",
                    "请使用 0 到 999 的类别编号或 synset 名称（n01440764）。",
                ),
            )
        numbers = np.array([synsets[name] for name in names])
    if numbers.min() < 0 or numbers.max() > 999:
        raise DataError(
            text(
                "Label {n} is not an ImageNet class (0 to 999).",
                "标签 {n} 不是 ImageNet 类别（0 到 999）。",
                n=int(numbers.max() if numbers.max() > 999 else numbers.min()),
            ),
            do=text(
                "If your labels count from 1: --set data.label_offset=-1",
                "如果标签从 1 开始：--set data.label_offset=-1",
            ),
        )
    return numbers[examples.target]


def _hint(best: np.ndarray, target: np.ndarray, names: tuple[str, ...], offset: int) -> Text | None:
    """What to try where the labels seem to be numbered otherwise than the outputs of the head; None where they fit.

    Args:
        best: `(n, k)` indices of the most probable classes, the first one first.
        offset: What was added to the labels already.
    """
    if not all(WHOLE.fullmatch(name) for name in names):
        return None
    shift = notice_shift(target, [(np.arange(len(target)), best[:, 0])], allowed=(0, 999))
    if shift is not None:
        return shift.sentence + shift.remedy(offset)
    own = share_estimate(best[:, 0] == target)
    if own.high is not None and own.high < GUESSING:
        return text(
            "That is hardly better than guessing: either the labels are numbered in another order than ImageNet-1k's "
            "(names of synsets, n01440764, leave no doubt), or these are pictures that such models get wrong.",
            "这与乱猜相差无几：要么标签的编号顺序与 ImageNet-1k 不同（改用 synset 名称，如 n01440764，即可避免歧义），要么这些图片正是此类模型会认错的。",
        )
    return None


def _synsets() -> dict[str, int]:
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return {info.index_to_label_name(i): i for i in range(info.num_classes())}
