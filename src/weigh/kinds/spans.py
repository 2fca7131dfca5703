"""Entities: spans of tokens with a type. The target is `(n,)` object, tuples of (first token, token after the last, index of the type).

An answer is `(n, 2 × tokens)`: the code of every token's tag and its log probability (`tags.py`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from weigh.kinds.base import KINDS, LEAST_MINORITY, Blind, ClassCounts, Kind, Prediction, Strata, rows_of
from weigh.kinds.tags import BEYOND, decode_codes, unpack_tags
from weigh.language import text
from weigh.media import joined_tokens
from weigh.nouns import Noun
from weigh.problem import Problem

__all__ = ["SPANS", "Spans", "measure_entities"]

OF_TAGS = text(
    "a model gives the probability of a tag, not that of an entity", "模型给出的是标记的概率，而不是实体的概率"
)

ENTITIES = Noun.plain("entities", "entity", "实体", "个")


def measure_entities(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    """`(n, 3 * types)` counts per sentence, type by type: right, predicted, in the data. Types as far as any occurs."""
    predicted, actual = (
        [(row, *span) for row, spans in enumerate(column) for span in dict.fromkeys(spans)]
        for column in (prediction.labels, target)
    )
    right = set(predicted) & set(actual)
    types = 1 + max((entity for *_, entity in (*predicted, *actual)), default=0)
    counts = np.zeros((len(target), types, 3))
    for place, spans_of in enumerate((right, predicted, actual)):
        if spans_of:
            rows = np.array(list(spans_of))
            np.add.at(counts[:, :, place], (rows[:, 0], rows[:, 3]), 1.0)
    return counts.reshape(len(target), 3 * types)


def sum_entities(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Totals `(types, 3)` or `(b, types, 3)` under weights `(n,)` or `(b, n)`."""
    totals = weights @ statistics
    return totals.reshape(*totals.shape[:-1], -1, 3)


class Spans(Kind):
    """See the module."""

    name = "spans"
    title = text("entities", "实体")
    primary = "entity_f1"
    unaveraged = text(
        "what is recorded of a sentence is its likeliest sequence of tags, not the probabilities of all tags",
        "记录的是句子最可能的标记序列，而不是所有标记的概率",
    )
    unasked: ClassVar = {"calibration": OF_TAGS, "errors:labels": OF_TAGS}
    counted = ENTITIES
    unbalanced_why = text(
        "A score over all entities mostly speaks of the large types.", "总体得分主要反映数量多的类型。"
    )
    unbalanced_do = text("Look at the score of each type as well.", "请同时查看每种类型的得分。")
    from_nothing = True
    unordered = text("it compares how classes of whole examples are told apart", "该检查比较的是对整个样本类别的区分")

    def blank(self, n: int, classes: int) -> np.ndarray:
        return rows_of([()] * n)

    def named(self, row: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entity for _, _, entity in row))

    def encode(self, rows: Sequence[Any], classes: Sequence[str]) -> np.ndarray:
        index = {name: i for i, name in enumerate(classes)}
        return rows_of([tuple((start, end, index.get(entity, -1)) for start, end, entity in spans) for spans in rows])

    def strata(self, target: np.ndarray) -> Strata:
        """Every type that occurs in a sentence; a sentence without entities has the stratum "none"."""
        types = 1 + max((span[2] for spans in target for span in spans), default=0)
        return Strata.of_members(self.members(target, types))

    def informative(self, target: np.ndarray) -> tuple[int, int]:
        """The sentences that hold any entity."""
        return max(sum(bool(spans) for spans in target), 1), 1

    def members(self, target: np.ndarray, classes: int) -> np.ndarray:
        is_member = np.zeros((len(target), classes), dtype=bool)
        for i, spans in enumerate(target):
            is_member[i, [span[2] for span in spans]] = True
        return is_member

    def class_counts(self, target: np.ndarray, classes: int) -> np.ndarray:
        types = [span[2] for spans in target for span in spans]
        return np.bincount(np.array(types, dtype=np.int64), minlength=classes)

    def varied(self, target: np.ndarray) -> bool:
        return sum(bool(spans) for spans in target) >= LEAST_MINORITY

    def check(self, target: np.ndarray, part: np.ndarray) -> list[Problem]:
        """An error where no training sentence has an entity."""
        trained = target[part == "train"]
        if not len(trained) or any(trained):
            return []
        return [
            Problem(
                "no-entities",
                text("No training sentence has an entity.", "训练句子中没有任何实体。"),
                severity="error",
                why=text("There is nothing to find.", "没有可以识别的实体。"),
                do=text("Check that the last column holds the tags.", "请检查最后一列是否为标记。"),
            )
        ]

    def store(self, target: np.ndarray) -> np.ndarray:
        return np.frombuffer(self._json(target, (",", ":")), dtype=np.uint8)

    def restore(self, stored: np.ndarray) -> np.ndarray:
        return rows_of([tuple(map(tuple, row)) for row in json.loads(stored.tobytes())])

    def departure(self, recorded: np.ndarray, former: np.ndarray, classes: int) -> float:
        """Root mean square over the words: how far the probability of the tag moved, 1 where it is another tag."""
        one, other = unpack_tags(recorded), unpack_tags(former)
        codes, before = one.codes[one.codes != BEYOND], other.codes[other.codes != BEYOND]
        if codes.shape != before.shape:
            return float("inf")
        logs, logs_before = (tags.log_probabilities[tags.codes != BEYOND] for tags in (one, other))
        moved = np.where(codes == before, np.exp(logs) - np.exp(logs_before), 1.0)
        return float(np.sqrt(np.square(moved).mean())) if np.isfinite(moved).all() else float("inf")

    def bytes_of(self, target: np.ndarray) -> bytes:
        return self._json(target, None)

    @staticmethod
    def _json(target: np.ndarray, separators: tuple[str, str] | None) -> bytes:
        return json.dumps(target.tolist(), ensure_ascii=False, separators=separators).encode()

    def decide(self, answers: np.ndarray, bias: np.ndarray | float = 0.0) -> Prediction:
        tags = unpack_tags(answers)
        return Prediction(np.exp(tags.log_probabilities.sum(axis=1, keepdims=True)), decode_codes(tags.codes))

    def distances(self, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
        """How many entities were missed or invented."""
        return np.array([len(set(a) ^ set(b)) for a, b in zip(labels, target, strict=True)], dtype=float)

    def same_answer(self, labels: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> str:
        return "" if any(labels) else "∅"

    def blind(self, target: np.ndarray, classes: int) -> Blind:
        n = len(target)
        doing, short = text("finding no entity at all", "一个实体也不找"), text("no entity", "不找实体的基线")
        return Blind(Prediction(np.ones((n, 1)), rows_of([()] * n)), doing, short)

    def counts(self, prediction: Prediction, target: np.ndarray, weights: np.ndarray, classes: int) -> ClassCounts:
        """Counts of each type; those beyond what occurs have no support."""
        totals = sum_entities(measure_entities(prediction, target), weights)
        return ClassCounts(*np.pad(totals, ((0, max(classes - len(totals), 0)), (0, 0))).T)

    def metrics(self, classes: int) -> list[str]:
        return ["entity_f1", "entity_precision", "entity_recall", "entity_f1_macro"]

    def quote(self, target: Any, classes: Sequence[str], tokens: Sequence[str] | None = None) -> str:
        named = (f"{classes[k]}: {joined_tokens((tokens or ())[a:b])} [{a}:{b}]" for a, b, k in target)
        return "; ".join(named) or "–"

    def shown(self, target: Any, classes: Sequence[str], tokens: Sequence[str] | None = None) -> str:
        """ "New York [location]; Obama [person]", or ∅; places where the tokens are not known."""
        named = [(joined_tokens(tokens[a:b]) if tokens is not None else f"{a}–{b}", classes[c]) for a, b, c in target]
        return "; ".join(f"{what} [{entity}]" for what, entity in named) or "∅"

    def cells(self, labels: np.ndarray, classes: Sequence[str]) -> Any:
        return [json.dumps([[a, b, classes[c]] for a, b, c in spans], ensure_ascii=False) for spans in labels]

    def draw(self, rng: np.random.Generator, n: int, classes: int) -> tuple[Prediction, np.ndarray]:
        """Three places per sentence, each of which may hold an entity."""
        drawn = rng.integers(-1, classes, (2, n, 3))
        labels, target = (
            rows_of([tuple((2 * i, 2 * i + 1, int(k)) for i, k in enumerate(row) if k >= 0) for row in side])
            for side in drawn
        )
        return Prediction(rng.random((n, 1)), labels), target

    def row(
        self,
        prediction: Prediction | None,
        i: int,
        classes: Sequence[str],
        *,
        tokens: Sequence[str] = (),
        threshold: bool = False,
    ) -> dict[str, Any]:
        if prediction is None:
            return {"entities": None}
        return {
            "entities": [
                {"start": a, "end": b, "type": classes[entity], "text": joined_tokens(tokens[a:b])}
                for a, b, entity in prediction.labels[i]
            ]
        }


SPANS = KINDS.register(Spans.name, Spans())
