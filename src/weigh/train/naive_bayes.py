"""Recipe `naive-bayes`: the baseline of texts. Words are counted, weighed by TF-IDF, and naive Bayes adds up what each says.

All of it is learnt on the training part of a run alone: which n-grams there are, how rare each is, how often each occurs in texts of
a class. How much is added to every count (the smoothing) is chosen inside the training part by the primary metric; of equal scores
the least log loss decides. Two texts of a pair are counted apart and stand side by side.

Multinomial naive Bayes on TF-IDF (Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, chapters 6 and 13).
Before it: `models/words.py`. After it: outcomes like those of every other recipe.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import sparse

from weigh.data.examples import Examples
from weigh.data.folds import inner_folds
from weigh.heads.network_task import network_task
from weigh.metrics.base import METRICS
from weigh.models.encoder import Siamese
from weigh.models.words import CountedWords, NGrams
from weigh.notices import Progress
from weigh.run import Outcome, Run, Setting
from weigh.train.decision import choose_bias, score_training
from weigh.train.failures import failed_outcome
from weigh.train.features import load_for
from weigh.train.sample import sample_of
from weigh.train.words import add_words, asks_words

__all__ = ["Counts", "fit", "fit_bayes"]

UNSEEN = 0.5  # examples that a class without any in the training part counts as


class Counts(NamedTuple):
    """How often each n-gram occurs in each text.

    Attributes:
        table: `(m,)` int64 hashes, ascending.
        parts: `(n, m)` of the texts; of pairs two.
    """

    table: np.ndarray
    parts: tuple[sparse.csr_matrix, ...]


class Bayes(NamedTuple):
    """What was learnt; `columns` of a table of n-grams.

    Attributes:
        idf: `(k,)`.
        weight: `(parts, k, classes)` what an n-gram adds to the logits.
        bias: `(classes,)` logits of a text without known words.
    """

    columns: np.ndarray
    idf: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def logits(self, counts: Counts, rows: np.ndarray) -> np.ndarray:
        """`(n, classes)` float64."""
        values = [_tfidf(part[rows], self.columns, self.idf) for part in counts.parts]
        return sum((x @ w for x, w in zip(values, self.weight, strict=True)), self.bias)


def count_words(examples: Examples) -> Counts:
    """The words of all examples, counted."""
    preparation, width = NGrams(), 1 + examples.are_pairs
    encoded = [preparation.encode([(row[part],) for row in examples.rows]) for part in range(width)]
    table = np.unique(np.concatenate([np.empty(0, np.int64), *(row[0] for part in encoded for row in part)]))
    return Counts(table, tuple(_matrix(part, table) for part in encoded))


def _matrix(encoded: Sequence[np.ndarray], table: np.ndarray) -> sparse.csr_matrix:
    """`(n, len(table))`; what the table does not hold is left out."""
    if not len(table):
        return sparse.csr_matrix((len(encoded), 0))
    whole = np.concatenate(encoded, axis=1)
    row = np.repeat(np.arange(len(encoded)), [one.shape[1] for one in encoded])
    place = np.searchsorted(table, whole[0]).clip(max=len(table) - 1)
    known = table[place] == whole[0]
    entries = whole[1][known].astype(np.float64), (row[known], place[known])
    return sparse.csr_matrix(entries, shape=(len(encoded), len(table)))


def _tfidf(counts: sparse.csr_matrix, columns: np.ndarray, idf: np.ndarray) -> sparse.csr_matrix:
    """Rows of length one (a text without known words: zero)."""
    values = (counts[:, columns] @ sparse.diags(idf)).tocsr()
    length = np.sqrt(values.multiply(values).sum(axis=1)).A1 if values.nnz else np.ones(values.shape[0])
    return (sparse.diags(1 / np.where(length > 0, length, 1.0)) @ values).tocsr()


def fit_bayes(
    counts: Counts,
    rows: np.ndarray,
    target: np.ndarray,
    classes: int,
    smoothings: Sequence[float],
    *,
    vocabulary: int,
    balanced: bool = False,
) -> list[Bayes]:
    """One for each smoothing.

    Args:
        rows: `(n,)` the training part.
        target: `(n,)` classes, or `(n, classes)` labels.
        vocabulary: Most n-grams that are kept: those of the most texts.
        balanced: Every class counts alike, as does yes and no of every label.
    """
    parts = [part[rows] for part in counts.parts]
    frequency = sum(np.bincount(part.indices, minlength=len(counts.table)) for part in parts)
    columns = np.flatnonzero(frequency)
    if len(columns) > vocabulary:
        columns = np.sort(columns[np.argsort(-frequency[columns], kind="stable")[:vocabulary]])
    idf = np.log((1 + len(rows) * len(parts)) / (1 + frequency[columns])) + 1
    x = sparse.hstack([_tfidf(part, columns, idf) for part in parts]).tocsr()
    if target.ndim == 2:
        yes, no = _Class.of(x, target, balanced=balanced), _Class.of(x, 1 - target, balanced=balanced)
        weights = [yes.log_share(s) - no.log_share(s) for s in smoothings]
        bias = np.log(yes.number) - np.log(no.number)
    else:
        own = _Class.of(x, np.eye(classes)[target], balanced=balanced)
        weights = [own.log_share(s) for s in smoothings]
        weights = [w - w.mean(axis=1, keepdims=True) for w in weights]  # probabilities stay; smaller numbers
        bias = np.log(own.number) - np.log(own.number.sum())
    return [Bayes(columns, idf, w.reshape(len(parts), len(columns), classes), bias) for w in weights]


class _Class(NamedTuple):
    """What the texts of each class hold.

    Attributes:
        mass: `(features, classes)`: sums of the values of features.
        number: `(classes,)`: of texts.
    """

    mass: np.ndarray
    number: np.ndarray

    @classmethod
    def of(cls, x: sparse.csr_matrix, members: np.ndarray, *, balanced: bool) -> _Class:
        members = members.astype(np.float64)
        mass, number = x.T @ members, members.sum(axis=0)
        if balanced:
            scale = np.where(number > 0, len(members) / np.maximum(number, 1), 1.0)
            mass, number = mass * scale, number * scale
        absent = number == 0
        if absent.any():  # it says what all texts say, and is the least probable
            mass[:, absent] = np.asarray(x.sum(axis=0)).reshape(-1, 1)
        return cls(mass, np.where(absent, UNSEEN, number))

    def log_share(self, smoothing: float) -> np.ndarray:
        added = self.mass + smoothing
        if not len(added):  # no text of the training part holds a word
            return added
        return np.log(added) - np.log(added.sum(axis=0))


def fit(
    runs: Sequence[Run], setting: Setting, examples: Examples, progress: Progress | None = None
) -> Iterator[Outcome]:
    """All runs of the yardstick: words are counted once."""
    started, began = time.perf_counter(), time.thread_time()
    counts = count_words(examples)
    model = {**load_for(runs[0].model, setting).facts(), **_size(counts, len(examples.classes), runs[0].options)}
    counting = (time.thread_time() - began) / len(examples)
    shared = (time.perf_counter() - started) / len(runs)
    for done, run in enumerate(runs, 1):
        try:
            yield _fit_run(run, counts, examples, setting, model, shared=shared, counting=counting)
        except Exception as error:
            yield failed_outcome(run.key, error)
        if progress:
            progress("heads", done, len(runs))


def _size(counts: Counts, classes: int, options: dict) -> dict[str, int]:
    """Parameters and bytes where all n-grams of the data are known. Multiply-adds are not counted: the time goes into cutting texts."""
    known, width = min(len(counts.table), options["vocabulary"]), classes * len(counts.parts)
    return {"parameters": known * width, "size_bytes": known * (12 + 4 * width)}


def _fit_run(
    run: Run, counts: Counts, examples: Examples, setting: Setting, model: dict, *, shared: float, counting: float
) -> Outcome:
    started, kind = time.perf_counter(), examples.kind
    classes, target = len(examples.classes), examples.target[run.train]
    options = {
        "vocabulary": run.options["vocabulary"],
        "balanced": run.balanced,
    }
    smoothing, inner = _choose(run, counts, examples, setting, options)
    learnt = fit_bayes(counts, run.train, target, classes, [smoothing], **options)[0]
    trained = time.perf_counter() - started
    bias = choose_bias(kind, run.options["decision"], setting.primary, target, inner, classes, weighed=run.balanced)
    began = time.thread_time()
    logits = learnt.logits(counts, run.test).astype(np.float32)
    seconds = counting + (time.thread_time() - began) / max(len(run.test), 1)
    facts = {
        "smoothing": smoothing,
        "ngrams": len(learnt.columns),
        "n_parameters": learnt.weight.size + learnt.bias.size,
        "train_scores": score_training(
            examples, setting.primary, learnt.logits(counts, run.train).astype(np.float32), run.train, bias
        ),
    }
    if bias is not None:
        facts["bias"] = bias
    measured = {"train_seconds": trained + shared, "predict_seconds_per_example": seconds}
    outcome = Outcome(
        run.key, "done", answers=logits, facts=facts, measured=measured, model=model,
        weights=_state(run, counts, learnt, examples, setting) if run.keep_weights else None,
        sample=sample_of(run, setting, seconds, lambda rows: learnt.logits(counts, rows).astype(np.float32)),
    )  # fmt: skip
    if not asks_words(run, setting, examples):
        return outcome
    return add_words(outcome, run, examples, NGrams().tokenizer, partial(_outputs, learnt, counts.table))  # type: ignore[arg-type]


def _choose(
    run: Run, counts: Counts, examples: Examples, setting: Setting, options: dict
) -> tuple[float, np.ndarray | None]:
    """The smoothing, and `(n, classes)` probabilities of the training part from inner folds that did not see them."""
    kind, target, smoothings = examples.kind, examples.target[run.train], sorted(run.options["smoothings"])
    rng = np.random.default_rng(run.seeds["split"])
    of = inner_folds(kind.strata(target), rng=rng, group=examples.group_at(run.train))
    if of is None:
        return smoothings[len(smoothings) // 2], None
    inner_logits = np.zeros((len(smoothings), len(target), len(examples.classes)))
    for k in np.unique(of):
        training, out = of != k, of == k
        learnt = fit_bayes(counts, run.train[training], target[training], inner_logits.shape[2], smoothings, **options)
        inner_logits[:, out] = [one.logits(counts, run.train[out]) for one in learnt]
    primary = METRICS.get(setting.primary).within(examples.target[examples.where("train")])

    def quality(logits: np.ndarray) -> tuple[float, float]:
        score = float(primary.score(kind.decide(logits, 0.0), target))
        score = score if primary.greater_is_better else -score
        return (-np.inf if np.isnan(score) else score), -_loss(logits, target)

    best = max(range(len(smoothings)), key=lambda i: quality(inner_logits[i]))
    return smoothings[best], kind.probabilities(inner_logits[best])


def _loss(logits: np.ndarray, target: np.ndarray) -> float:
    """Mean log loss."""
    if target.ndim == 2:
        return float((np.logaddexp(0, logits) - logits * target).mean())
    return float((np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(target)), target]).mean())


def _outputs(learnt: Bayes, table: np.ndarray, examples: Examples) -> np.ndarray:
    """`(n, classes)` of texts that were not counted."""
    preparation = NGrams()
    parts = (
        _matrix(preparation.encode([(row[part],) for row in examples.rows]), table)
        for part in range(len(learnt.weight))
    )
    return learnt.logits(Counts(table, tuple(parts)), np.arange(len(examples))).astype(np.float32)


def _state(run: Run, counts: Counts, learnt: Bayes, examples: Examples, setting: Setting) -> dict[str, np.ndarray]:
    """The whole network with what was learnt in it, ready to predict."""
    model = load_for(run.model, setting)
    body, classes = model.module, len(learnt.bias)
    assert isinstance(body, CountedWords)
    body.learn(counts.table[learnt.columns], learnt.idf, np.concatenate(learnt.weight, axis=1))
    network = network_task(setting.task).build(model, examples, frozen=True)
    parts = len(learnt.weight)
    head = np.zeros((classes, classes * parts * (Siamese.PARTS if parts == 2 else 1)))
    for part in range(parts):  # of what stands for the first text as the first, of the second as the second
        start = part * classes * parts + part * classes
        head[:, start : start + classes] = np.eye(classes)
    network.set_head(head, learnt.bias)
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}
