"""What an example is labelled with, and what an answer about it is: one object per kind, one file each.

A kind owns everything that differs between classes, several labels, numbers, entities, masks and boxes: how targets are spread over folds, how an
answer becomes a decision, how far off it is, how both are kept on disk and written for people. Nobody else asks *which* kind it is; they
call its methods, or ask for one of its properties. No torch: heads and losses are in `heads/`. Third parties add kinds under
the entry point `kind.NAME`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from weigh.kinds.departure import relative_departure
from weigh.kinds.shown import Form, Pane, Swatch
from weigh.language import Text, text
from weigh.nouns import Noun
from weigh.problem import Problem
from weigh.registry import Registry

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "FLOAT16_MAX",
    "KINDS",
    "LEAST_HOLDERS",
    "LEAST_MINORITY",
    "Blind",
    "ClassCounts",
    "Kind",
    "Prediction",
    "Strata",
    "kind_named",
    "rows_of",
]

NO_PROBABILITY = text("answers come without a probability of each class", "回答不带各类别的概率")
NEVER_THE_SAME = text("two answers are never quite the same", "两次回答几乎不会完全相同")
FLOAT16_MAX = 60_000.0  # half precision overflows beyond
LEAST_HOLDERS = 8  # a class, or anything else, that stands in fewer examples is not judged
LEAST_MINORITY = 3  # examples unlike the most frequent answer that a part needs before a constant answer is a failure


class Prediction(NamedTuple):
    """What a model says about `n` examples.

    Attributes:
        probabilities: `(n, classes)` float64 where the kind has them; else what its kind says (a number: itself; entities: `(n, 1)` the
            probability of the whole answer; masks: what was recorded, or the shares of the classes).
        labels: The decisions, in the form of targets of the kind. For classes they differ from the most probable one where a
            threshold was chosen for unbalanced data.
    """

    probabilities: np.ndarray
    labels: np.ndarray


class Strata(NamedTuple):
    """What is spread evenly over folds: pairs (`example`, `stratum`), `(pairs,)` each, of `n` examples and `count` strata.

    Every example has at least one stratum.
    """

    n: int
    example: np.ndarray
    stratum: np.ndarray
    count: int

    @classmethod
    def single(cls, stratum: np.ndarray, count: int) -> Strata:
        """One stratum per example."""
        return cls(len(stratum), np.arange(len(stratum)), stratum, count)

    @classmethod
    def of_members(cls, members: np.ndarray) -> Strata:
        """Every class that stands in an example, `(n, classes)` bool; examples without any share a last stratum."""
        whole = np.column_stack([members, ~members.any(axis=1)])
        example, stratum = np.nonzero(whole)
        return cls(len(members), example, stratum, whole.shape[1])


class Blind(NamedTuple):
    """An answer that looks at no example.

    Attributes:
        prediction: None where nothing is to be told apart.
        doing: "always giving the most frequent answer", to be put into a sentence.
        short: "most frequent class", for a figure.
    """

    prediction: Prediction | None
    doing: Text
    short: Text


class ClassCounts(NamedTuple):
    """Weighted totals, `(..., classes)` each; `...` is () or (b,).

    Attributes:
        hit: Weight of what is of the class and was given it.
        predicted: Weight of what was given the class.
        actual: Weight of what is of the class.
    """

    hit: np.ndarray
    predicted: np.ndarray
    actual: np.ndarray


class Kind:
    """What all kinds can be asked. An instance holds no state; `target` is always `Examples.target`, or rows of it.

    Attributes:
        name: As it is stored, and as metrics name what they measure.
        title: "numbers", for messages.
        primary: Default metric.
        exclusive: Every example has exactly one class (then a class is a stratum, and one class has many examples of its own).
        probable: An answer is a probability for every class.
        linear: A linear head on one vector per example can be fitted exactly (recipe `probe`).
        placed: An answer has a place in the picture: networks see whole pictures, and recipes need options of their own for it.
        typed: Targets name classes (or types): there is a table of them.
        exact: An answer can be right; false where it is only near (numbers).
        unasked: Kinds or ids of findings that have no meaning, and why, where `probable` and `exact` do not say so in the best words.
        unaveraged: Why answers of several models cannot be averaged; None: they can (`averaged`).
        unordered: Why the order check cannot be asked; None: it can.
        apart: What a model tells apart, in a question: "the classes".
        detectable: Whether the smallest difference that a design finds can be told beforehand.
        shown_side: How long a small copy of a picture is in a report, in pixels.
        kept: How many answers of a run, those furthest off, are kept as the network gave them, to be drawn; 0: what is recorded says all.
        from_nothing: A model that has learnt little answers nothing at all, and scores stay at 0 for a while: an epoch that is as good as the
            best one is then no reason to stop.
        scored: Title -> metric that can score classes one by one (`Metric.alone`, or statistics that are numbers of each class, one class
            after the other): they are then told one by one.
        fewest: How many examples must hold a class for a score of classes to speak of it; 0: any class is scored.
        beside: What else stands in that table, of `metrics/tables.py`.
        written: The option of `weigh predict` that writes decisions as files, without its dashes; "": they have no place in a picture.
        forms: How the name that follows the option ends (".json"; "": a folder) -> how decisions are written there.
        counted: What is counted class by class, where it is not the examples.
        unbalanced_why, unbalanced_do: What it means for a score that some classes are much larger than others, and what to do.
    """

    name: str
    title: Text
    primary: str
    exclusive = False
    probable = False
    linear = False
    placed = False
    typed = True
    exact = True
    unasked: Mapping[str, Text] = {}
    unaveraged: Text | None = text("no average of such answers is known", "尚无对此类回答取平均的方法")
    unordered: Text | None = None
    apart = text("examples", "样本")
    detectable = False
    fewest = 0
    scored: Mapping[str, str] = {}
    beside: Sequence[str] = ()
    counted: Noun | None = None
    unbalanced_why = text(
        "Accuracy would mostly speak of the large classes; balanced accuracy does not.",
        "准确率主要反映大类别；平衡准确率则不会。",
    )
    unbalanced_do = text("Keep balanced accuracy as the primary metric.", "请以平衡准确率作为主要指标。")
    shown_side = 192
    kept = 0
    from_nothing = False
    written = ""
    forms: Mapping[str, Form] = {}

    @property
    def meaningless(self) -> dict[str, Text]:
        """Kinds or ids of findings that cannot be asked, and why: those that need probabilities or exact answers, and `unasked`."""
        reasons: dict[str, Text] = {}
        if not self.probable:
            reasons |= {"calibration": NO_PROBABILITY, "errors:labels": NO_PROBABILITY}
        if not self.exact:
            reasons["stability:agreement"] = NEVER_THE_SAME
        return {**reasons, **self.unasked}

    @property
    def weighable(self) -> bool:
        """Whether classes can be weighed in the loss, so that rare ones count as much as frequent ones."""
        return self.probable

    # ---- targets

    def sizes(self, target: np.ndarray) -> np.ndarray | None:
        """`(n, 2)` height and width of the pictures that the targets belong to; None where answers have no place in them."""
        return None

    def resolved(self, options: dict[str, Any], target: np.ndarray) -> dict[str, Any]:
        """Options of a recipe with those that follow from the targets of the study."""
        return options

    def blank(self, n: int, classes: int) -> np.ndarray:
        """Targets of `n` examples of which none is known."""
        raise NotImplementedError

    def named(self, row: Any) -> tuple[str, ...]:
        """The class names in one row of a source: names, or spans (first token, token after the last, name); asked only where `typed`."""
        return row

    def encode(self, rows: Sequence[Any], classes: Sequence[str]) -> np.ndarray:
        """Targets of rows as a reader hands them over: tuples of class names, spans of tokens, or (not `typed`) the cells themselves.

        Names that are no class are left out, or -1 (the reader sets such rows aside).
        """
        raise NotImplementedError

    def strata(self, target: np.ndarray) -> Strata:
        """What folds spread evenly."""
        raise NotImplementedError

    def informative(self, target: np.ndarray) -> tuple[int, int]:
        """How many of `n` examples speak about the rarest event, as a share would count them, and how many classes occur (1: not asked)."""
        return len(target), 1

    def members(self, target: np.ndarray, classes: int) -> np.ndarray:
        """`(n, classes)` bool: which class stands in which example."""
        raise NotImplementedError

    def judged(self, target: np.ndarray, classes: int) -> np.ndarray:
        """`(classes,)` bool: those that stand in enough examples (`fewest`) for a score of classes to speak of them (`Metric.within`)."""
        return self.members(target, classes).sum(axis=0) >= self.fewest if self.fewest else np.ones(classes, dtype=bool)

    def class_counts(self, target: np.ndarray, classes: int) -> np.ndarray:
        """`(classes,)` how often each class is given."""
        return self.members(target, classes).sum(axis=0, dtype=np.int64)

    def varied(self, target: np.ndarray) -> bool:
        """Whether a constant answer would be a failure there."""
        raise NotImplementedError

    def check(self, target: np.ndarray, part: np.ndarray) -> list[Problem]:
        """What is wrong with the targets themselves, part by part (`Examples.part`)."""
        return []

    def shares(self, target: np.ndarray, classes: int) -> np.ndarray | None:
        """`(classes,)` share of each class in what is labelled, where that is not told by counting examples."""
        return None

    def extent(self, target: np.ndarray) -> tuple[Text, dict[str, float]]:
        """Where targets have no classes: from where to where they go, and the numbers in the sentence."""
        return text("", ""), {}

    def store(self, target: np.ndarray) -> np.ndarray:
        """As an array without objects, for the index of a study."""
        return target

    def restore(self, stored: np.ndarray) -> np.ndarray:
        """What `store` was given."""
        return stored

    def bytes_of(self, target: np.ndarray) -> bytes:
        """Bytes that only the same targets give: part of the fingerprint of the data."""
        return np.ascontiguousarray(target).tobytes()

    # ---- answers

    def recorded(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        """`(n, k)` what a run keeps of the answers of a network about examples whose targets are known; `decide` and `pack` take it."""
        return answers

    def decide(self, answers: np.ndarray, bias: np.ndarray | float = 0.0) -> Prediction:
        """What a run left of `n` examples, `(n, k)`, as what it says about them; `bias` is added to log probabilities of classes."""
        raise NotImplementedError

    def pack(self, answers: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays that keep the answers of one run; half precision, unless a kind needs more."""
        return {"logits": np.clip(answers, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)}

    def unpack(self, stored: Mapping[str, np.ndarray]) -> np.ndarray:
        """`(n, k)` of what `pack` kept, in a type that holds it: float32, or float64 for large counts."""
        return stored["logits"].astype(np.float32)

    def probabilities(self, answers: np.ndarray) -> np.ndarray:
        """Float64 in the shape of `answers`, class by class; asked only where `probable`."""
        raise NotImplementedError

    def most_probable(self, probabilities: np.ndarray) -> np.ndarray:
        """The decisions without a threshold, in the form of targets; asked only where `probable`."""
        raise NotImplementedError

    def averaged(self, answers: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        """`(n, k)` float64: what several models, `(n, k)` each, answer on average (probabilities; numbers); asked only where not `unaveraged`.

        Args:
            weights: Of the models; they sum to 1.
        """
        raise NotImplementedError

    def departure(self, recorded: np.ndarray, former: np.ndarray, classes: int) -> float:
        """How far two records `(n, k)` of the same examples are apart: 0 the same answers, 1 as far as answers about different examples."""
        return relative_departure(recorded, former)

    def answer_of(self, recorded: np.ndarray, target: Any) -> Any | None:
        """The answer of a network that one row `(k,)` was recorded of, where the row says all of it; None: it does not."""
        return None

    def distances(self, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
        """`(n,)` how far each answer is off; 0 is right."""
        raise NotImplementedError

    def same_answer(self, labels: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> str:
        """The one answer that all examples were given, or ""."""
        raise NotImplementedError

    def blind(self, target: np.ndarray, classes: int) -> Blind:
        """The answer that looks at nothing."""
        raise NotImplementedError

    def counts(self, prediction: Prediction, target: np.ndarray, weights: np.ndarray, classes: int) -> ClassCounts:
        """Totals of every class, for the table of classes; asked only where `typed`."""
        raise NotImplementedError

    # ---- for people

    def metrics(self, classes: int) -> list[str]:
        """Metrics that a report shows by default, the most informative first."""
        return [self.primary]

    def quote(self, target: Any, classes: Sequence[str], tokens: Sequence[str] | None = None) -> str:
        """One target, or decision, for a reader."""
        raise NotImplementedError

    def shown(self, target: Any, classes: Sequence[str], tokens: Sequence[str] | None = None) -> str:
        """One target or decision, where what was predicted stands beside what was given."""
        return self.quote(target, classes, tokens)

    def panes(
        self, target: Any, answer: Any | None, side: int, classes: Sequence[str], picture: bytes | None = None
    ) -> tuple[Pane, ...]:
        """How an example is shown: its picture, target and answer, at most `side` pixels long; none: the picture alone.

        Args:
            answer: As a network gives it; None: it is not known any more.
            picture: A small copy; None: it is gone.
        """
        return ()

    def legend(self, drawn: Sequence[Any], classes: Sequence[str]) -> list[Swatch]:
        """What the colours of the panes of these targets and answers mean."""
        return []

    def cells(self, labels: np.ndarray, classes: Sequence[str]) -> Any:
        """Targets, or decisions, as a column of a table."""
        raise NotImplementedError

    def row(
        self, prediction: Prediction | None, i: int, classes: Sequence[str], *, tokens: Sequence[str] = (), threshold: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """What `weigh predict` says of example `i`; without a prediction that it could not be read.

        Args:
            threshold: The decision may be another class than the most probable one, which is then told too.
        """
        raise NotImplementedError

    def errors(self, labels: np.ndarray, target: np.ndarray, classes: int) -> np.ndarray | None:
        """`(n, k)` absolute errors of the quantities that `ranges` speaks about; None: it says nothing."""
        return None

    def ranges(self, prediction: Prediction, i: int, classes: Sequence[str], margins: np.ndarray) -> dict[str, Any]:
        """What `weigh predict` says of example `i` besides: from where to where a quantity may be; asked only where there are `errors`."""
        return {}

    def drawn(self, decision: Any, picture: Image, classes: Sequence[str]) -> Image:
        """The picture with the decision drawn over it; asked only where `placed`."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator, n: int, classes: int) -> tuple[Prediction, np.ndarray]:
        """`n` predictions and targets with ties, unrelated to each other: what the contracts of metrics are tried on."""
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return kind_named, (self.name,)

    def __repr__(self) -> str:
        return f"<kind {self.name}>"


KINDS: Registry[Kind] = Registry(
    text("kind", "标注类型"),
    modules=tuple(f"weigh.kinds.{name}" for name in ("label", "labels", "number", "spans", "masks", "boxes")),
)


def kind_named(name: str) -> Kind:
    """The kind of that name; also how pickle finds it again in a worker."""
    return KINDS.get(name)


def rows_of(values: Sequence[tuple]) -> np.ndarray:
    """`(n,)` object array of tuples, whatever their lengths (numpy would make equal ones a matrix)."""
    return np.fromiter(values, dtype=object, count=len(values))
