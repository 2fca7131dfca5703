"""Recipes `probe` and `multilayer`: frozen features, a regularised linear head, its strength chosen inside the training folds.

All runs of a model come in one job and share one feature pass. Each run is solved by itself, with all its strengths and
inner folds together, so its numbers do not depend on which other runs are in the job. The strength with the least
inner out-of-fold log loss wins: a proper score, smoother than accuracy and good for ranks and calibration alike; the
head is then fitted to the whole training part in double precision.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from weigh.data import cache
from weigh.data.examples import Examples
from weigh.data.folds import inner_folds
from weigh.heads.base import head_of
from weigh.heads.network_task import network_task
from weigh.kinds.base import Kind
from weigh.notices import Progress
from weigh.run import Outcome, Run, Setting
from weigh.train.decision import choose_bias, score_training
from weigh.train.determinism import one_thread
from weigh.train.device import peak_bytes
from weigh.train.failures import failed_outcome
from weigh.train.features import Featurised, features_of, forward_all, load_for
from weigh.train.logistic import LEADING, Basis, Heads, basis_of, eigenbasis, solve
from weigh.train.ridge import fit_ridge
from weigh.train.rows import Rows
from weigh.train.sample import sample_of
from weigh.train.transferability import transferability
from weigh.train.words import add_words, asks_words

__all__ = ["fit", "fit_head"]

# Of two classes; gradients are the smaller the more classes there are. With a hundred, single precision does not reach it:
# such heads end where less than `INNER_GAIN` of log loss is left to gain.
INNER_TOLERANCE, INNER_GAIN = 1e-3, 3e-6
LARGE = 2**21  # rows × classes above which one inner fold is held out instead of all five: its rows are many enough
AT_A_TIME = 4096  # rows whose logits are computed at a time
# Tolerance and most iterations in single precision, then in double: single precision usually gets all the way, and double
# then only finds that it did; where rounding stops it, double goes on.
ROUGH, FINAL = (7e-7, 60), (1e-6, 500)


class LinearHead:
    """A fitted head on raw (not standardised) features: `logits(features)`; weight `(classes, width)`, bias `(classes,)`."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray, strength: float, inner: np.ndarray | None) -> None:
        self.weight, self.bias, self.strength, self.inner = weight, bias, strength, inner

    def logits(self, features: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """`(n, classes)` float32, of some rows of the features or of all."""
        rows = np.arange(len(features)) if rows is None else rows
        logits = np.empty((len(rows), len(self.bias)), np.float32)
        for i in range(0, len(rows), AT_A_TIME):
            some = features[rows[i : i + AT_A_TIME]].astype(np.float64)
            logits[i : i + AT_A_TIME] = some @ self.weight.T + self.bias
        return logits


def fit(
    runs: Sequence[Run], setting: Setting, examples: Examples, progress: Progress | None = None
) -> Iterator[Outcome]:
    """All probe runs of one model: one feature pass, then a head per run."""
    exact = setting.precision == "fp64"
    setting = replace(setting, precision="fp32") if exact else setting  # features are the same
    started = time.perf_counter()
    made = features_of(runs[0].model, examples, setting, options=runs[0].options, progress=progress)
    shared = (time.perf_counter() - started) / len(runs)
    basis = _basis(made, setting)
    # Heads are many and small: whole runs side by side on one thread each beat one run on all threads, and a run's
    # numbers do not depend on how many are solved at a time.
    pool = ThreadPoolExecutor(setting.threads, initializer=one_thread)
    tried: list[tuple[Outcome, LinearHead | None]] = []
    try:
        fitted = pool.map(lambda run: _try_run(run, made, basis, examples, setting, shared, exact=exact), runs)
        for run, (outcome, head) in zip(runs, fitted, strict=True):
            tried.append((outcome, head if asks_words(run, setting, examples) else None))
            if progress:
                progress("heads", len(tried), len(runs))
    finally:
        pool.shutdown(cancel_futures=True)  # after an interrupt no further head is begun
    asked, encoder, done = sum(head is not None for _, head in tried), None, 0
    for run, (outcome, head) in zip(runs, tried, strict=True):
        if head is not None:
            if progress:
                progress("words", done, asked)
            encoder, done = encoder or _Body(run, setting, examples), done + 1
            outcome = add_words(outcome, run, examples, encoder.tokenizer, partial(encoder.logits, head))
        yield outcome
    if asked and progress:
        progress("words", asked, asked)


class _Body:
    """The frozen body of the job, loaded for texts that are not among the features."""

    def __init__(self, run: Run, setting: Setting, examples: Examples) -> None:
        model = load_for(run.model, setting)
        self.setting, self.prepared = setting, model.configure(run.options)
        self.tokenizer = self.prepared.tokenizer
        network = network_task(setting.task).build(model, examples, frozen=True)
        self.body = network.frozen(self.prepared.blank(2, setting.device))

    def logits(self, head: LinearHead, examples: Examples) -> np.ndarray:
        """`(n, classes)` of any examples."""
        return head.logits(forward_all(self.body, self.prepared, examples, self.setting))


def _basis(made: Featurised, setting: Setting) -> Basis:
    """The basis of these features; kept beside them, for a later repeat would compute the same one."""
    key = f"basis-{LEADING}-{made.key}"
    if (stored := cache.load(key, setting.cache)) is not None:
        return basis_of(np.array(stored))
    basis = eigenbasis(Rows.standardise(made.features))
    cache.store(key, basis.array(), setting.cache)
    return basis


def _try_run(run: Run, *arguments, **keywords) -> tuple[Outcome, LinearHead | None]:
    """One run and its head; what goes wrong in it is its own failure and not that of its neighbours."""
    try:
        return _fit_run(run, *arguments, **keywords)
    except Exception as error:
        return failed_outcome(run.key, error), None


def _fit_run(
    run: Run, made: Featurised, basis: Basis, examples: Examples, setting: Setting, shared: float, *, exact: bool
) -> tuple[Outcome, LinearHead]:
    started = time.perf_counter()
    target = examples.target[run.train]
    classes = head_of(examples).width(examples)
    head = fit_head(
        made.features,
        target,
        run.options["strengths"],
        classes,
        basis,
        kind=examples.kind,
        rng=np.random.default_rng(run.seeds["split"]),
        rows=run.train,
        group=examples.group_at(run.train),
        balanced=run.balanced,
        exact=exact,
    )
    trained = time.perf_counter() - started
    decision = run.options.get("decision", "auto")
    bias = choose_bias(examples.kind, decision, setting.primary, target, head.inner, classes, weighed=run.balanced)
    train_logits = head.logits(made.features, run.train)
    logits = head.logits(made.features, run.test)
    if not np.isfinite(logits).all():
        raise FloatingPointError("the fitted head predicts values that are not finite")
    facts = {
        "strength": head.strength,
        "n_parameters": head.weight.size + head.bias.size,
        "train_scores": score_training(examples, setting.primary, train_logits, run.train, bias),
        **made.operations,
    }
    if bias is not None:
        facts["bias"] = bias
    if run.purpose == "main" and run.repeat == run.fold == 0 and target.ndim == 1 and examples.kind.probable:
        facts["transferability"] = _score_features(run, made, examples)
    weights = _state(run, setting, head, examples) if run.keep_weights else None
    measured = {
        "train_seconds": trained + shared,
        "feature_seconds": shared,
        "load_seconds": made.load_seconds,  # of the job, not of the run
        "predict_seconds_per_example": made.seconds_per_example,
        "delay": (setting.model or {}).get("delay"),
        "peak_bytes": peak_bytes(setting.device),
    }
    outcome = Outcome(
        run.key, "done", answers=logits, facts=facts, measured=measured, weights=weights, model=made.model,
        preparation=made.prepared if run.keep_weights else None,
        sample=sample_of(run, setting, made.seconds_per_example, partial(head.logits, made.features)),
    )  # fmt: skip
    return outcome, head


def _score_features(run: Run, made: Featurised, examples: Examples) -> dict[str, float]:
    """Scores of the features of all examples that take part in the cross-validation: those that a run trains on and those that it answers."""
    rows = np.union1d(run.train, run.test)
    return transferability(made.features[rows], examples.target[rows], examples.group_at(rows))


@torch.inference_mode()  # nothing is differentiated by torch, and hundreds of small operations cost a quarter less
def fit_head(
    features: np.ndarray,
    target: np.ndarray,
    strengths: Sequence[float],
    classes: int,
    basis: Basis,
    *,
    kind: Kind,
    rng: np.random.Generator,
    rows: np.ndarray | None = None,
    group: np.ndarray | None = None,
    balanced: bool = False,
    exact: bool = False,
) -> LinearHead:
    """A head whose strength is chosen by inner cross-validation on these examples alone; for numbers see `ridge.py`.

    Args:
        features: `(all, width)` float32, raw; standardised here with statistics of the rows in use only.
        target: `(n,)` or `(n, classes)`.
        basis: Preconditioner (see `logistic.py`).
        rows: `(n,)` which features are the examples'; None: all, in their order.
        group: `(n,)`: examples that inner folds do not split.
        exact: Everything in double precision, where single precision failed.
    """
    rows = np.arange(len(features)) if rows is None else rows
    if not kind.probable:
        ridge = fit_ridge(features, target, strengths, rng=rng, rows=rows, group=group)
        return LinearHead(ridge.weight, ridge.bias, ridge.strength, None)
    parts, order = [], np.arange(len(target))
    of = inner_folds(kind.strata(target), rng=rng, group=group)
    if of is not None:  # rows fold by fold, so that a fold is a stretch of them
        order = np.argsort(of, kind="stable")
        ends = np.cumsum(np.bincount(of)).tolist()
        parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    multilabel, softmax = target.ndim == 2, target.ndim == 1 and classes > 2
    # Where a question has one answer only (folds by groups), its best bias is infinite. Double precision stops on the way there, single
    # precision runs off by millions.
    exact = exact or bool((target == target[0]).all(axis=0).any())
    if softmax and len(target) * classes > LARGE:
        parts = parts[:1]
    target = target[order]
    x = Rows.standardise(features, rows[order])
    truth = torch.from_numpy(target.astype(np.int64) if softmax else _questions(target).astype(np.float32))
    weights = _balance(target, truth) if balanced else None
    columns = classes if softmax else truth.shape[1]
    options = sorted(float(strength) for strength in strengths)
    strength, start, inner = options[len(options) // 2], None, None
    if parts:
        dtype = torch.float64 if exact else torch.float32
        best = _choose(_Inner(x, truth, parts, basis.to(dtype), weights, columns, dtype), options)
        strength, start = best.strength, best.heads.part(slice(len(parts), None))
        if len(best.inner_logits) == len(x):
            logits_by_row = best.inner_logits[torch.from_numpy(np.argsort(order))].numpy()
            inner = kind.probabilities(_both(logits_by_row, classes, multilabel=multilabel))
    final = start
    for dtype, tolerance, iterations in ((torch.float32, *ROUGH), (torch.float64, *FINAL))[exact:]:
        final = solve(
            x,
            truth,
            torch.ones(len(x), 1, dtype=dtype),
            torch.tensor([strength], dtype=dtype),
            basis.to(dtype),
            columns=columns,
            weights=weights,
            start=None if final is None else final.to(dtype),
            tolerance=tolerance,
            iterations=iterations,
        )
    assert final is not None
    slope = final.weight[0].numpy() / x.scale.double().numpy()[:, None]  # (width, columns), on raw features
    offset = final.bias[0].numpy() - x.mean.double().numpy() @ slope
    if not multilabel and classes == 2:  # one logit becomes two that differ by it
        slope, offset = np.concatenate([-slope / 2, slope / 2], axis=1), np.concatenate([-offset / 2, offset / 2])
    return LinearHead(slope.T, offset, strength, inner)


def _questions(target: np.ndarray) -> np.ndarray:
    """`(n, columns)` answers to yes-or-no questions: is it the second of two classes, or every label."""
    return target if target.ndim == 2 else (target == 1)[:, None]


def _balance(target: np.ndarray, truth: torch.Tensor) -> torch.Tensor:
    """Weights of the shape of `truth`, mean one, that give every class (or both answers of every label) the same total."""
    if target.ndim == 2:
        share = truth.mean(dim=0).clamp(1 / (2 * len(truth)), 1 - 1 / (2 * len(truth)))
        return torch.where(truth > 0, 0.5 / share, 0.5 / (1 - share))
    counts = np.bincount(target)
    weights = (len(target) / (np.maximum(counts, 1) * (counts > 0).sum()))[target].astype(np.float32)
    return torch.from_numpy(weights).view(truth.shape)


class _Inner(NamedTuple):
    """The inner problems of one training part: a head per inner fold, and last one on all rows.

    Attributes:
        parts: The rows of each fold.
        kind: The precision in which they are solved.
    """

    x: Rows
    truth: torch.Tensor
    parts: list[slice]
    basis: Basis
    weights: torch.Tensor | None
    columns: int
    kind: torch.dtype

    def solve(self, strength: float, start: Heads | None) -> _Tried:
        """All heads at one strength, from those at a neighbouring one."""
        heads = len(self.parts) + 1
        seen = torch.ones(len(self.x), heads, dtype=self.kind)
        for k, rows in enumerate(self.parts):
            seen[rows, k] = 0
        solved = solve(
            self.x,
            self.truth,
            seen,
            torch.full((heads,), strength, dtype=self.kind),
            self.basis,
            columns=self.columns,
            weights=self.weights,
            start=start,
            tolerance=INNER_TOLERANCE * (2 / self.columns if self.truth.ndim == 1 else 1),
            gain=INNER_GAIN,
        )
        inner_logits = torch.empty(self.parts[-1].stop, self.columns, dtype=self.kind)
        for k, rows in enumerate(self.parts):
            for which, some in self.x.stretches(self.kind, AT_A_TIME, rows):
                inner_logits[which] = some @ solved.weight[k] + solved.bias[k]
        return _Tried(strength, solved, inner_logits, _log_loss(inner_logits, self.truth[: len(inner_logits)]))


class _Tried(NamedTuple):
    """One strength: its heads, the logits `(rows held out, columns)` from the heads that did not see them, their log loss."""

    strength: float
    heads: Heads
    inner_logits: torch.Tensor
    loss: float


def _choose(inner: _Inner, strengths: Sequence[float]) -> _Tried:
    """The strength with the least log loss, found by walking along the ascending `strengths` while the loss falls.

    The walk begins at the second strongest (strong penalties are solved fast, and each strength starts from its
    neighbour) and ends at the first rise: the choice of the whole grid wherever the loss has a single valley.
    """
    first = max(len(strengths) - 2, 0)
    best = begin = inner.solve(strengths[first], None)
    for path in (range(first - 1, -1, -1), range(first + 1, len(strengths))):
        if best is not begin:
            break
        for i in path:
            tried = inner.solve(strengths[i], best.heads)
            if not tried.loss < best.loss:
                break
            best = tried
    return best


def _log_loss(z: torch.Tensor, truth: torch.Tensor) -> float:
    if truth.ndim == 1:
        return float(torch.nn.functional.cross_entropy(z, truth, reduction="none").double().mean())
    return float((torch.nn.functional.softplus(z) - z * truth).double().mean())


def _both(z: np.ndarray, classes: int, *, multilabel: bool) -> np.ndarray:
    return np.concatenate([-z / 2, z / 2], axis=1) if classes == 2 and not multilabel else z


def _state(run: Run, setting: Setting, head: LinearHead, examples: Examples) -> dict[str, np.ndarray]:
    """The whole network with this head in it, ready to predict."""
    model = load_for(run.model, setting)
    model.configure(run.options)
    network = network_task(setting.task).build(model, examples, frozen=True)
    network.set_head(head.weight, head.bias)
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}
