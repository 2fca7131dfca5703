"""Pretrained heads on pictures with labels of ImageNet, without training: several models in one pass over the decoded pictures.

Top-1 and top-5 with intervals, every pair of models compared on the same pictures, accuracy per class, and the published accuracy beside.

Before it: `imagenet_labels.py`. After it: `cli/evaluation.py`; the answers are records as others' predictions are (`record/predictions/results.py`).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from weigh.data.cache import room
from weigh.data.examples import Examples
from weigh.data.pictures.imagenet import NO_CLASS, names, synsets
from weigh.errors import DataError, ModelError, reason_of
from weigh.execute.exported_features import setting_of
from weigh.execute.imagenet_labels import Labelled, read_labelled
from weigh.execute.listener import Listener
from weigh.findings.model import Finding
from weigh.findings.registry import FINDINGS
from weigh.kinds.label import LABEL
from weigh.language import Text, text
from weigh.models.address import check_trust
from weigh.models.catalogue import find_packaged
from weigh.models.published import Published, published_of
from weigh.record.predictions.results import results_of_models
from weigh.record.predictions.shift import WHOLE, notice_shift
from weigh.record.results import Results
from weigh.run import Setting
from weigh.spec import StudySpec
from weigh.stats.estimate import Estimate
from weigh.stats.interval import share_estimate
from weigh.tasks import IMAGE_CLASSIFICATION

if TYPE_CHECKING:
    from weigh.models.pretrained import Pretrained

__all__ = ["Evaluation", "Head", "evaluate_models"]

GUESSING = 0.05  # top-1 of 1,000 classes below which a pretrained head has not recognised anything
PER_CLASS = 5  # pictures per class from which on labels are a data set of some classes, not a sample of all
LEAST = -1e4  # in place of the logit of a class that a head does not have
ROWS = 1_000  # of answers that are looked at together
CHECKED = text(
    "pictures that cannot be decoded, labels that are no class, another numbering",
    "无法解码的图片、不属于任何类别的标签、不同的编号方式",
)


@dataclass(frozen=True)
class Head:
    """What one model's own head said.

    Attributes:
        top1, top5: Over all 1,000 classes; `among`: top-1 where only the classes that are right for some picture compete, None where these are
            all, only a sample, or a single one.
        elsewhere: Answers whose strongest output stands for no class of ImageNet-1k ("background"); the strongest class counted in their place.
        lacking: Classes that the head has no output for, of those that occur.
        logits: `(n, 1000)`.
        right: `(n,)` whether the top-1 answer is right.
        published: Of these weights, where it is known; `pixels` is the side of the pictures here.
        hint: What to try where labels seem to be numbered otherwise.
    """

    model: str
    weights: str
    pixels: int
    top1: Estimate
    top5: Estimate
    among: Estimate | None
    elsewhere: int
    lacking: int
    logits: np.ndarray
    right: np.ndarray
    published: Published | None
    hint: Text | None


@dataclass(frozen=True)
class Evaluation:
    """Several heads on the same pictures.

    Attributes:
        comparisons: Every pair that matters, as findings; empty for one model.
    """

    labelled: Labelled
    heads: list[Head]
    comparisons: list[Finding] = field(default_factory=list)

    def per_class(self) -> list[dict]:
        """A row per class that occurs: how many pictures, and how many of them each model got right."""
        rows = []
        for number in self.labelled.classes:
            members = self.labelled.accepted[:, number]
            right = {head.model: int(head.right[members].sum()) for head in self.heads}
            row = {
                "class": int(number),
                "synset": synsets()[number],
                "name": names()[number],
                "n": int(members.sum()),
            }
            rows.append({**row, "right": right})
        return rows

    def results(self, spec: StudySpec) -> Results | None:
        """The answers as records of trained models, for the report; None where several labels may be right."""
        if self.labelled.target is None:
            return None
        classes = tuple(f"{synset} {entry.partition(',')[0]}" for synset, entry in zip(synsets(), names(), strict=True))
        examples = replace(
            self.labelled.examples,
            target=self.labelled.target,
            classes=classes,
            part=np.full(len(self.labelled.target), "train"),
        )
        answers = {head.model: head.logits for head in self.heads}
        return results_of_models("evaluation", spec, IMAGE_CLASSIFICATION, "accuracy", examples, answers, [], CHECKED)


@dataclass
class _Answering:
    """A model while it answers.

    Attributes:
        output_of_class: As from `_output_of_class`.
        logits: `(n, 1000)`, filled batch by batch.
        elsewhere: As of a `Head`, so far.
    """

    model: Pretrained
    output_of_class: np.ndarray
    logits: np.ndarray
    elsewhere: int = 0


def evaluate_models(
    spec: StudySpec, listener: Listener, labels: str = "auto", *, trust_code: bool = False
) -> Evaluation:
    """Each model's own head on the pictures of a specification.

    Args:
        labels: How labels are written (`imagenet_labels.LABELS`), or a JSON file of several labels per validation picture.

    Raises:
        DataError: Labels that are no classes of ImageNet.
        ModelError: A model without a head of ImageNet's classes.
    """
    from weigh.models.pretrained import load_model

    check_trust(spec.models, trust_code=trust_code)
    labelled = read_labelled(spec, labels, listener)
    setting = setting_of(spec, IMAGE_CLASSIFICATION, labelled.examples)
    answering: list[_Answering] = []
    for address in dict.fromkeys(spec.models):
        listener.stage(text("Loading {m}", "加载 {m}", m=address))
        model = load_model(address, pretrained=True, offline=setting.offline, trust_code=trust_code)
        of_class = _output_of_class(model)
        if of_class is None:
            raise ModelError(
                text(
                    "{m} has no head of its own for ImageNet: its weights come without one, or with one of other classes.",
                    "{m} 没有用于 ImageNet 的分类头：其权重不含分类头，或分类头的类别不同。",
                    m=address,
                ),
                text("Its answers would be random.", "其回答将是随机的。"),
                text(
                    "Train one: weigh run DATA --models {m}",
                    "请训练一个：weigh run DATA --models {m}",
                    m=shlex.quote(address),
                ),
            )
        logits = room((len(labelled.examples), 1000), np.float32, setting.cache)
        answering.append(_Answering(model, of_class, logits))
    listener.stage(text("Evaluating {n} {n:|model|models}", "评估 {n} 个模型", n=len(answering)))
    failed = _answer(answering, labelled.examples, setting, listener)
    if failed:
        kept = np.setdiff1d(np.arange(len(labelled.examples)), list(failed))
        labelled = _only(kept, labelled, failed)
        for one in answering:
            one.logits = _rows_of(one.logits, kept, setting.cache)
    heads = [_head(one, labelled, spec.data.label_offset) for one in answering]
    return Evaluation(labelled, heads, _compare(spec, labelled, heads))


def _output_of_class(model: Pretrained) -> np.ndarray | None:
    """For each class of ImageNet-1k the output of the model's own head that stands for it, -1 where none does; None: a head of other classes."""
    if model.imagenet is None:
        return np.arange(1000) if model.classes == 1000 else None
    outputs = np.full(1000, NO_CLASS)
    for output, number in reversed(list(enumerate(model.imagenet))):
        if number != NO_CLASS:
            outputs[number] = output
    return outputs


def _answer(
    answering: list[_Answering], examples: Examples, setting: Setting, listener: Listener
) -> dict[int, Exception]:
    """Fill the logits of all models in one pass over the pictures; returns those that cannot be decoded."""
    import torch

    from weigh.inputs.base import to_device
    from weigh.inputs.pictures import crops_of_each
    from weigh.train.determinism import computing

    failed: dict[int, Exception] = {}
    done = 0
    plain = [replace(one.model.preprocessing, mean=(0.0,) * 3, std=(1.0,) * 3) for one in answering]
    distinct = list(dict.fromkeys(plain))  # pictures are cut once for all models that are prepared alike
    with computing(threads=setting.threads), torch.inference_mode():
        networks = [one.model.module.to(setting.device).to(memory_format=torch.channels_last) for one in answering]
        for rows, blocks in crops_of_each(examples, distinct, setting.batch, failed):
            for one, alike, network in zip(answering, plain, networks, strict=True):
                block = to_device(blocks[distinct.index(alike)], setting.device)
                outputs = network(one.model.preprocessing.normalise(block)).float().cpu().numpy()
                of_classes = np.where(one.output_of_class >= 0, outputs[:, one.output_of_class], LEAST)
                one.logits[rows] = of_classes
                one.elsewhere += int((outputs.max(axis=1) > of_classes.max(axis=1)).sum())
            done += len(rows)
            listener.progress("predicting", done, len(examples))
    return failed


def _only(kept: np.ndarray, labelled: Labelled, failed: dict[int, Exception]) -> Labelled:
    """The pictures `kept`, without those that cannot be decoded, of which a note tells."""
    first = min(failed)
    note = text(
        "{n} {n:|picture|pictures} cannot be decoded and {n:|is|are} left out (first: {p}: {e}).",
        "有 {n} 张图片无法解码，未计入（第一张：{p}：{e}）。",
        n=len(failed), p=str(labelled.examples.path[first]), e=reason_of(failed[first], 120),
    )  # fmt: skip
    if not len(kept):
        raise DataError(note)
    target = None if labelled.target is None else labelled.target[kept]
    return labelled._replace(
        examples=labelled.examples.subset(kept),
        accepted=labelled.accepted[kept],
        target=target,
        notes=[*labelled.notes, note],
    )


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + ROWS, n)) for start in range(0, n, ROWS)]


def _rows_of(logits: np.ndarray, kept: np.ndarray, cache: Path | None) -> np.ndarray:
    """Some rows; where these are many, they lie in a file as all of them did."""
    fewer = room((len(kept), logits.shape[1]), np.float32, cache)
    for rows in _blocks(len(kept)):
        fewer[rows] = logits[kept[rows]]
    return fewer


def _head(answering: _Answering, labelled: Labelled, offset: int) -> Head:
    model, logits = answering.model, answering.logits
    n, occurring = len(logits), labelled.classes
    best, five, among = np.zeros(n, np.int64), np.zeros(n, bool), None
    compete = 1 < len(occurring) < 1000 and n >= PER_CLASS * len(occurring)  # a single one cannot be confused
    units = labelled.units
    winner = np.zeros(n if compete else 0, np.int64)
    for rows in _blocks(n):  # what is computed of all rows at once takes three times as much as the logits
        some = np.asarray(logits[rows])
        best[rows] = some.argmax(axis=1)
        highest = np.argpartition(-some, 5, axis=1)[:, :5]
        five[rows] = np.take_along_axis(labelled.accepted[rows], highest, axis=1).any(axis=1)
        if compete:
            winner[rows] = occurring[some[:, occurring].argmax(axis=1)]
    right = labelled.accepted[np.arange(n), best]
    if compete:
        among = share_estimate(labelled.accepted[np.arange(n), winner], units)
    return Head(
        model=model.address.written,
        weights=f"{model.provenance.source} {model.provenance.name}".strip(),
        pixels=model.preprocessing.size,
        top1=share_estimate(right, units),
        top5=share_estimate(five, units),
        among=among,
        elsewhere=answering.elsewhere,
        lacking=int((answering.output_of_class[occurring] < 0).sum()),
        logits=logits,
        right=right,
        published=_published(model),
        hint=None if labelled.target is None else _hint(best, labelled.target, labelled.examples.classes, offset),
    )


def _published(model: Pretrained) -> Published | None:
    """What is published of the very weights that were loaded."""
    where = model.provenance
    if where.source == "package":
        packaged = find_packaged(model.address.architecture)
        return published_of(packaged.published) if packaged is not None and packaged.published else None
    if where.source != "hub":
        return None
    return published_of(
        where.name.replace(" ", ":", 1) if where.name.startswith("torchvision ") else model.address.written
    )


def _compare(spec: StudySpec, labelled: Labelled, heads: list[Head]) -> list[Finding]:
    """All pairs on the share of right answers, by the rules of every comparison of weigh: right or wrong is all that is asked."""
    if len(heads) < 2:
        return []
    n = len(labelled.examples)
    examples = replace(
        labelled.examples,
        kind=LABEL,
        classes=("wrong", "right"),
        target=np.ones(n, np.int64),
        part=np.full(n, "train"),
        slices={},
    )
    answers = {head.model: np.stack([~head.right, head.right], axis=1).astype(np.float32) for head in heads}
    results = results_of_models("evaluation", spec, IMAGE_CLASSIFICATION, "accuracy", examples, answers, [], CHECKED)
    return FINDINGS.get("comparison")(results)


def _hint(best: np.ndarray, target: np.ndarray, written: tuple[str, ...], offset: int) -> Text | None:
    """What to try where the labels seem to be numbered otherwise than the outputs of the head; None where they fit.

    Args:
        best: `(n,)` the most probable classes.
        offset: What was added to the labels already.
    """
    if not all(WHOLE.fullmatch(name) for name in written):
        return None
    shift = notice_shift(target, [(np.arange(len(target)), best)], allowed=(0, 999))
    if shift is not None:
        return shift.sentence + shift.remedy(offset)
    own = share_estimate(best == target)
    if own.high is not None and own.high < GUESSING:
        return text(
            "That is hardly better than guessing: either the labels are numbered in another order than ImageNet-1k's "
            "(names of synsets, n01440764, leave no doubt), or these are pictures that such models get wrong.",
            "这与乱猜相差无几：要么标签的编号顺序与 ImageNet-1k 不同（改用 synset 名称，如 n01440764，即可避免歧义），要么这些图片正是此类模型会认错的。",
        )
    return None
