"""Recipe `probe`: frozen features, a regularised linear head, its strength chosen inside the training folds.

All runs of a model come in one job and share one feature pass. Each run is solved by itself, with all its strengths and
inner folds together, so its numbers do not depend on which other runs are in the job. The strength with the least
inner out-of-fold log loss wins: a proper score, smoother than accuracy and good for ranks and calibration alike; the
head is then fitted to the whole training part in double precision.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from weigh.data.examples import Examples, kind_of
from weigh.data.folds import assign_folds
from weigh.errors import WeighError
from weigh.metrics.outputs import probabilities
from weigh.run import Outcome, Run, Setting
from weigh.tasks.base import TASKS
from weigh.train.decision import choose_bias, score_training
from weigh.train.determinism import one_thread
from weigh.train.device import peak_bytes
from weigh.train.features import Featurised, array_cache, features_of, forward_all, load_for
from weigh.train.logistic import LEADING, Basis, Heads, basis_of, eigenbasis, solve
from weigh.train.ridge import fit_ridge
from weigh.train.words import add_words, asks_words

__all__ = ["LinearHead", "fit", "fit_head"]

INNER_FOLDS = 5
INNER_TOLERANCE = 1e-3  # of two classes; gradients are the smaller the more classes there are
LARGE = 2**21  # rows × classes above which one inner fold is held out instead of all five: its rows are many enough
# Tolerance and most iterations in single precision, then in double: single precision usually gets all the way, and double
# then only finds that it did; where rounding stops it, double goes on.
ROUGH, FINAL = (7e-7, 60), (1e-6, 500)


class LinearHead:
    """A fitted head on raw (not standardised) features: `logits(features)`; weight `(classes, width)`, bias `(classes,)`."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray, strength: float, inner: np.ndarray | None) -> None:
        self.weight, self.bias, self.strength, self.inner = weight, bias, strength, inner

    def logits(self, features: np.ndarray) -> np.ndarray:
        """`(n, classes)` float32."""
        return (features.astype(np.float64) @ self.weight.T + self.bias).astype(np.float32)


def fit(
    runs: Sequence[Run], setting: Setting, examples: Examples, progress: Callable[[str, int, int], None] | None = None
) -> Iterator[Outcome]:
    """All probe runs of one model: one feature pass, then a head per run."""
    started = time.perf_counter()
    made = features_of(runs[0].model, examples, setting, options=runs[0].options, progress=progress)
    shared = (time.perf_counter() - started) / len(runs)
    basis = _basis(made, setting)
    # Heads are many and small: whole runs side by side on one thread each beat one run on all threads, and a run's
    # numbers do not depend on how many are solved at a time.
    with ThreadPoolExecutor(setting.threads, initializer=one_thread) as pool:
        tried = pool.map(lambda run: _try_run(run, made, basis, examples, setting, shared), runs)
        encoder = None
        for done, (run, (outcome, head)) in enumerate(zip(runs, tried, strict=True), 1):
            if progress:
                progress("heads", done, len(runs))
            if head is not None and asks_words(run, setting, examples):
                encoder = encoder or _Body(run, setting, examples)
                outcome = add_words(outcome, run, examples, encoder.tokenizer, partial(encoder.logits, head))
            yield outcome


class _Body:
    """The frozen body of the job, loaded for texts that are not among the features."""

    def __init__(self, run: Run, setting: Setting, examples: Examples) -> None:
        model = load_for(run.model, setting)
        self.setting, self.prepared = setting, model.configure(run.options)
        self.tokenizer = self.prepared.tokenizer
        self.body = TASKS.get(setting.task).build(model, examples, frozen=True).body

    def logits(self, head: LinearHead, examples: Examples) -> np.ndarray:
        """`(n, classes)` of any examples."""
        return head.logits(forward_all(self.body, self.prepared, examples, self.setting))


def _basis(made: Featurised, setting: Setting) -> Basis:
    """The basis of these features; kept beside them, for a later repeat would compute the same one."""
    cache, key = array_cache(setting), f"basis-{LEADING}-{made.key}"
    if cache is not None and (stored := cache.load(key)) is not None:
        return basis_of(np.array(stored))
    x = torch.from_numpy(np.array(made.features))
    basis = eigenbasis((x - x.mean(dim=0)) / x.std(dim=0).clamp_min(1e-6))
    if cache is not None:
        cache.store(key, basis.array())
    return basis


def _try_run(run: Run, *given) -> tuple[Outcome, LinearHead | None]:
    """One run and its head; what goes wrong in it is its own failure and not that of its neighbours."""
    try:
        return _fit_run(run, *given)
    except WeighError as error:
        return Outcome(run.key, "failed", cause=error.render("en")), None
    except Exception as error:
        trace = traceback.format_exc(limit=-6)
        failed = Outcome(
            run.key, "failed", cause=f"{type(error).__name__}: {error}"[:300], measured={"traceback": trace}
        )
        return failed, None


def _fit_run(
    run: Run, made: Featurised, basis: Basis, examples: Examples, setting: Setting, shared: float
) -> tuple[Outcome, LinearHead]:
    started = time.perf_counter()
    target = examples.target[run.train]
    group = None if examples.group is None else examples.group[run.train]
    classes = TASKS.get(setting.task).width(examples)
    balanced = run.options.get("class_weights") == "balanced"
    head = fit_head(
        made.features[run.train],
        target,
        run.options["strengths"],
        classes,
        basis,
        rng=np.random.default_rng(run.seeds["split"]),
        group=group,
        balanced=balanced,
    )
    trained = time.perf_counter() - started
    bias = choose_bias(run.options.get("decision", "auto"), setting.primary, target, head.inner, classes)
    train_logits = head.logits(made.features[run.train])
    started = time.perf_counter()
    logits = head.logits(made.features[run.test]) if len(run.test) else np.zeros((0, classes), np.float32)
    facts = {
        "strength": head.strength,
        "n_parameters": head.weight.size + head.bias.size,
        "train_scores": score_training(setting.primary, train_logits, target, bias),
    }
    if bias is not None:
        facts["bias"] = bias
    weights = _state(run.model, setting, head, examples) if run.keep_weights else None
    measured = {
        "train_seconds": trained + shared,
        "feature_seconds": shared,
        "predict_seconds_per_example": made.seconds_per_example
        + (time.perf_counter() - started) / max(1, len(run.test)),
        "peak_bytes": peak_bytes(setting.device),
    }
    outcome = Outcome(run.key, "done", logits=logits, facts=facts, measured=measured, weights=weights, model=made.model)
    return outcome, head


def fit_head(
    features: np.ndarray,
    target: np.ndarray,
    strengths: Sequence[float],
    classes: int,
    basis: Basis,
    *,
    rng: np.random.Generator,
    group: np.ndarray | None = None,
    balanced: bool = False,
) -> LinearHead:
    """A head whose strength is chosen by inner cross-validation on these examples alone; for numbers see `ridge.py`.

    Args:
        features: `(n, width)` float32, raw; standardised here with statistics of these rows only.
        target: `(n,)` or `(n, classes)`.
        basis: Preconditioner (see `logistic.py`).
    """
    if kind_of(target) == "number":
        found = fit_ridge(features, target, strengths, rng=rng, group=group)
        return LinearHead(found.weight, found.bias, found.strength, None)
    units = len(target) if group is None else len(np.unique(group))
    folds = min(INNER_FOLDS, units)
    parts, order = [], np.arange(len(target))
    if folds >= 2:  # rows fold by fold, so that a fold is a stretch of them
        of = assign_folds(target, folds=folds, rng=rng, group=group, stratify=True)
        order = np.argsort(of, kind="stable")
        ends = np.cumsum(np.bincount(of, minlength=folds)).tolist()
        parts = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    softmax = target.ndim == 1 and classes > 2
    if softmax and len(target) * classes > LARGE:
        parts = parts[:1]
    target = target[order]
    x = torch.from_numpy(features[order])
    mean = x.mean(dim=0)
    x -= mean
    scale = ((x * x).sum(dim=0) / max(len(x) - 1, 1)).sqrt()
    scale = torch.where(scale > 1e-6, scale, torch.ones_like(scale))  # a constant feature stays zero
    x /= scale
    multilabel = target.ndim == 2
    truth = _columns(target, classes)
    weights = _balance(target, truth) if balanced else None
    options = sorted(float(strength) for strength in strengths)
    strength, start, inner = options[len(options) // 2], None, None
    if parts:
        best = _choose(_Inner(x, truth, parts, basis, weights, softmax), options)
        strength, start = best.strength, best.heads.part(slice(len(parts), None))
        if len(best.held) == len(x):
            held = best.held[torch.from_numpy(np.argsort(order))].numpy()
            inner = probabilities(_both(held, classes, multilabel=multilabel), multilabel=multilabel)
    final = start
    for kind, tolerance, iterations in ((torch.float32, *ROUGH), (torch.float64, *FINAL)):
        final = solve(
            x,
            truth.to(kind),
            torch.ones(len(x), 1, dtype=kind),
            torch.tensor([strength], dtype=kind),
            basis.to(kind),
            softmax=softmax,
            weights=None if weights is None else weights.to(kind),
            start=None if final is None else final.to(kind),
            tolerance=tolerance,
            iterations=iterations,
        )
    assert final is not None
    slope = final.weight[0].numpy() / scale.double().numpy()[:, None]  # (width, columns), on raw features
    offset = final.bias[0].numpy() - mean.double().numpy() @ slope
    if not multilabel and classes == 2:  # one logit becomes two that differ by it
        slope, offset = np.concatenate([-slope / 2, slope / 2], axis=1), np.concatenate([-offset / 2, offset / 2])
    return LinearHead(slope.T, offset, strength, inner)


def _columns(target: np.ndarray, classes: int) -> torch.Tensor:
    if target.ndim == 2:
        return torch.from_numpy(target.astype(np.float32))
    if classes == 2:
        return torch.from_numpy((target == 1).astype(np.float32))[:, None]
    return torch.nn.functional.one_hot(torch.from_numpy(target.astype(np.int64)), classes).float()


def _balance(target: np.ndarray, truth: torch.Tensor) -> torch.Tensor:
    """`(n, columns)` weights, mean one, that give every class (or both answers of every label) the same total."""
    if target.ndim == 2:
        share = truth.mean(dim=0).clamp(1 / (2 * len(truth)), 1 - 1 / (2 * len(truth)))
        return torch.where(truth > 0, 0.5 / share, 0.5 / (1 - share))
    counts = np.bincount(target)
    weights = (len(target) / (np.maximum(counts, 1) * (counts > 0).sum()))[target].astype(np.float32)
    return torch.from_numpy(weights)[:, None].expand_as(truth)


class _Inner(NamedTuple):
    """The inner problems of one training part: a head per inner fold, and last one on all rows.

    Attributes:
        parts: The rows of each fold.
    """

    x: torch.Tensor
    truth: torch.Tensor
    parts: list[slice]
    basis: Basis
    weights: torch.Tensor | None
    softmax: bool

    def solve(self, strength: float, start: Heads | None) -> _Tried:
        """All heads at one strength, from those at a neighbouring one."""
        heads = len(self.parts) + 1
        seen = torch.ones(len(self.x), heads)
        for k, rows in enumerate(self.parts):
            seen[rows, k] = 0
        solved = solve(
            self.x,
            self.truth,
            seen,
            torch.full((heads,), strength),
            self.basis,
            softmax=self.softmax,
            weights=self.weights,
            start=start,
            tolerance=INNER_TOLERANCE * (2 / self.truth.shape[1] if self.softmax else 1),
        )
        held = torch.cat([self.x[rows] @ solved.weight[k] + solved.bias[k] for k, rows in enumerate(self.parts)])
        return _Tried(strength, solved, held, _log_loss(held, self.truth[: len(held)], softmax=self.softmax))


class _Tried(NamedTuple):
    """One strength: its heads, the logits `(rows held out, columns)` from the heads that did not see them, their log loss."""

    strength: float
    heads: Heads
    held: torch.Tensor
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


def _log_loss(z: torch.Tensor, truth: torch.Tensor, *, softmax: bool) -> float:
    if softmax:
        return float((torch.logsumexp(z, dim=1) - (z * truth).sum(dim=1)).double().mean())
    return float((torch.nn.functional.softplus(z) - z * truth).double().mean())


def _both(z: np.ndarray, classes: int, *, multilabel: bool) -> np.ndarray:
    return np.concatenate([-z / 2, z / 2], axis=1) if classes == 2 and not multilabel else z


def _state(address: str, setting: Setting, head: LinearHead, examples: Examples) -> dict[str, np.ndarray]:
    """The whole network with this head in it, ready to predict."""
    network = TASKS.get(setting.task).build(load_for(address, setting), examples, frozen=True)
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return {**state, "head.weight": head.weight.astype(np.float32), "head.bias": head.bias.astype(np.float32)}
