"""Runs grouped into jobs, with the time they will take.

All head runs of one model share one feature pass, so they are one job; a run that trains a network is a job of its
own. Predicted times come from short timings (`train/timing.py`): numbers in, no torch.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from weigh.kinds.base import KINDS
from weigh.media import MEDIA
from weigh.plan.contenders import contending_runs
from weigh.run import ASKED_WORDS, RECIPES, Job, Run, Setting
from weigh.tasks import TASKS
from weigh.train.length import epochs_of, scored_every

__all__ = [
    "cut_to_budget",
    "cut_to_time",
    "group_jobs",
    "heads_in",
    "least_timing",
    "next_block",
    "pass_seconds",
    "predict_seconds",
    "shared_seconds",
    "wider",
]

STEP_OF = {
    "last-stage": "seconds_per_tail_step_example",
    "head": "seconds_per_head_step_example",
}  # `Recipe.frozen` -> what was timed
# a step of further pretraining against one of fine-tuning: guessing words has a vocabulary on top, pictures come in two views
PRETRAINING = {"texts": 1.2, "pictures": 2.2}
WORDS = 20  # of a text that are taken out in turn, roughly
USUAL_PASSES = 3  # that a step of training costs, where it is not timed
# That it costs at the least: its own forward pass, and one backward through the same layers, which costs about two; a step of
# adapters has no gradients of the weights. With a frozen part a step may cost next to nothing.
LEAST_PASSES, LEAST_PASSES_LOW_RANK = 2.0, 1.5
# How much of that a step takes in half precision, where the pass was timed in single precision: roughly (a step of EfficientNet-Lite0 with
# AVX-512-BF16 took 2.2 passes in single precision), and at the least (the same of ResNet-18 1.7; matrix units of other processors do better)
HALF_SHARE, LEAST_HALF_SHARE = 0.7, 0.25
HEAD_SECONDS = 0.15  # one linear head with its strengths and inner folds, roughly; corrected by the measured figure
# Times as long takes a head on several layers, roughly: 1.6 to 2.5 with pictures (docs/decisions/multilayer.md).
WIDER = 2


def group_jobs(runs: Sequence[Run], setting: Setting, timings: dict[str, dict[str, Any]], n_examples: int) -> list[Job]:
    """Jobs in an order that gives a readable report early: cheap ones first, then repeat by repeat.

    Args:
        timings: Model address -> what `train/timing.py` found: seconds, precisions, layout, and what names the model.
    """
    heads: dict[tuple, list[Run]] = {}
    networks: list[Run] = []
    for run in runs:
        if RECIPES.get(run.recipe).trains == "head":
            heads.setdefault((run.model, run.candidate), []).append(run)
        else:
            networks.append(run)
    jobs = [_job(tuple(group), setting, timings, n_examples) for group in heads.values()]
    networks.sort(key=lambda run: (run.repeat, run.fold))  # block by block: every candidate gets its first repeat first
    return jobs + [_job((run,), setting, timings, n_examples) for run in networks]


def next_block(jobs: Sequence[Job]) -> list[Job]:
    """The first of them that stand at one place of the design: all heads, or a fold of a repeat of all networks."""

    def place(job: Job) -> tuple:
        run = job.runs[0]
        return () if RECIPES.get(run.recipe).trains == "head" else (run.purpose == "main", run.repeat, run.fold)

    return [job for job in jobs if place(job) == place(jobs[0])]


def _job(runs: tuple[Run, ...], setting: Setting, timings: dict, n_examples: int) -> Job:
    timing = timings.get(runs[0].model, {})
    trains = RECIPES.get(runs[0].recipe).trains
    own = replace(
        setting,
        precision=timing.get(f"precision_{trains}", setting.precision),
        precisions={kind: timing.get(f"precision_{kind}", setting.precision) for kind in ("head", "network")},
        channels_last=timing.get("channels_last", setting.channels_last),
        model=timing.get("model"),
        weights=runs[0].weights,
    )
    identity = hashlib.blake2b("".join(run.key for run in runs).encode(), digest_size=8).hexdigest()
    seconds = predict_seconds(runs, timing, n_examples) + _words_seconds(runs, own, timing)
    return Job(identity, runs, own, seconds, pass_seconds(runs, timing, n_examples))


def _words_seconds(runs: tuple[Run, ...], setting: Setting, timing: dict[str, Any]) -> float:
    """Seconds for asking which words pushed the predictions (`train/words.py`)."""
    task = TASKS.get(setting.task)
    exclusive = any(KINDS.get(kind).exclusive for kind in task.kinds)
    if not (setting.words and exclusive and MEDIA.get(task.medium).in_words):
        return 0.0
    runs_with_words = sum(run.purpose == "main" and run.repeat == 0 for run in runs)
    return runs_with_words * ASKED_WORDS.texts * WORDS * timing.get("seconds_per_example", 0.0)


def shared_seconds(jobs: Sequence[Job], workers: int) -> float:
    """What these jobs are predicted to take by the clock, shared by the workers; more workers than jobs make nothing faster."""
    return sum(job.predicted_seconds for job in jobs) / max(1, min(workers, len(jobs)))


def predict_seconds(runs: Sequence[Run], timing: dict[str, Any], n_examples: int) -> float:
    """Seconds that a job will take: the feature pass and its heads, or the epochs of one network.

    With a frozen part an epoch costs the last stage alone; the passes that all runs share count for the first run, as does
    further pretraining on data without labels. Of a recipe that chooses inside the training folds: every training for the choice, and then
    that of the dearest.
    """
    if RECIPES.get(runs[0].recipe).chooses:
        return sum(_choice_seconds(run, timing, n_examples) for run in runs)
    if RECIPES.get(runs[0].recipe).trains == "head":
        each = timing.get("seconds_per_head", HEAD_SECONDS * wider([runs[0].recipe]))
        return pass_seconds(runs, timing, n_examples) + heads_in(runs) * each
    size = _size(runs[0].options, timing)
    forward = size * timing.get("seconds_per_example", 0.0)
    step = size * timing.get(
        "seconds_per_step_example", _passes(USUAL_PASSES, HALF_SHARE, timing) * _pass_seconds(timing)
    )
    total = 0.0
    frozen = RECIPES.get(runs[0].recipe).frozen
    if frozen:
        step = size * timing[STEP_OF[frozen]] if STEP_OF[frozen] in timing else step
    if RECIPES.get(runs[0].recipe).low_rank:
        step = size * timing.get("seconds_per_low_rank_step_example", step / size)
    # of adapters, and where a part is frozen, few weights are updated
    few = frozen or RECIPES.get(runs[0].recipe).low_rank
    update = 0.0 if few else timing.get("seconds_per_update", 0.0)
    unlabelled, pretrain = RECIPES.get(runs[0].recipe).unlabelled, runs[0].options.get("pretrain", {})
    further = PRETRAINING.get(pretrain.get("of", ""), 0.0) * step
    if unlabelled == "beside":
        step += further * pretrain["batch_size"] / runs[0].options["batch_size"]
    for run in runs:
        if frozen and (run.purpose, run.repeat, run.fold) == ("main", 0, 0):
            total += run.options["views"] * n_examples * forward
        if unlabelled == "before" and (run.purpose, run.repeat, run.fold) == ("main", 0, 0):
            total += pretrain["epochs"] * pretrain["n"] * further
        epochs = epochs_of(run.options, len(run.train)) if run.epochs is None else run.epochs
        passes = len(run.test)
        if run.options.get("head") == "probe":
            passes += len(run.train)  # its features
        passes += math.ceil(
            len(run.train) / scored_every(run.epochs, len(run.train))
        )  # the score on what was trained on
        total += timing.get("load_seconds", 0.0)  # building a network takes about as long as loading it once
        total += epochs * (len(run.train) * step + _updates(run) * update) + (0 if frozen else passes * forward)
    return total


def _updates(run: Run) -> int:
    """Steps of the optimiser in an epoch."""
    return math.ceil(len(run.train) / run.options["batch_size"])


def pass_seconds(runs: Sequence[Run], timing: Mapping[str, Any], n_examples: int) -> float:
    """Seconds of the feature pass that heads share: loading the model, and every example through it. None where the features are there, which is where
    no examples are passed, and none for networks.
    """
    if not n_examples or RECIPES.get(runs[0].recipe).trains != "head":
        return 0.0
    size = _size(runs[0].options, timing)
    return timing.get("load_seconds", 0.0) + n_examples * size * timing.get("seconds_per_example", 0.0)


def heads_in(runs: Sequence[Run]) -> float:
    """The number of heads, counted in heads on the largest training part: one on half as many examples takes half as long and counts half."""
    return sum(len(run.train) for run in runs) / max(len(run.train) for run in runs)


def wider(recipes: Iterable[str]) -> int:
    """How many times as long the heads of these recipes may take as those on the last layer."""
    return WIDER if any(RECIPES.get(name).layers for name in recipes) else 1


def least_timing(timing: Mapping[str, Any]) -> dict[str, Any]:
    """The timing with the least that steps of training can cost where they are not timed: what does not fit with it does not fit."""
    forward = _pass_seconds(timing)
    least = {
        "seconds_per_step_example": _passes(LEAST_PASSES, LEAST_HALF_SHARE, timing) * forward,
        "seconds_per_low_rank_step_example": _passes(LEAST_PASSES_LOW_RANK, LEAST_HALF_SHARE, timing) * forward,
        **dict.fromkeys(STEP_OF.values(), 0.0),
    }
    return {**least, **timing}


def _passes(many: float, half_share: float, timing: Mapping[str, Any]) -> float:
    """How many timed passes a step takes that takes `many` in the same arithmetic."""
    faster = timing.get("precision_network") in ("bf16", "fp16") and timing.get("precision_head") == "fp32"
    return many * half_share if faster else many


def _pass_seconds(timing: Mapping[str, Any]) -> float:
    """Seconds of one example in the network, without reading it: training reads its examples once."""
    return timing.get("seconds_per_pass_example", timing.get("seconds_per_example", 0.0))


def _choice_seconds(run: Run, timing: dict[str, Any], n_examples: int) -> float:
    """Seconds of one run that chooses, too many where contenders drop out early. Passes that all runs share count for the first run of a study."""
    inner, last = contending_runs(run)
    shared = 0.0
    if (run.purpose, run.repeat, run.fold) == ("main", 0, 0):
        shared = sum(predict_seconds([one], timing, n_examples) - predict_seconds([one], timing, 0) for one in last)
    alone = [predict_seconds([one], timing, 0) for one in last]
    return shared + sum(predict_seconds([one], timing, 0) for one in inner) + max(alone)


def _size(options: Mapping[str, Any], timing: Mapping[str, Any]) -> float:
    """How many times as long a picture of the recipe's size takes as one of the model's own: the work grows with the area, a tenth of it does not."""
    own, chosen = timing.get("image_size"), options.get("image_size")
    return 0.1 + 0.9 * (chosen / own) ** 2 if own and chosen else 1.0


def cut_to_budget(
    repeats: dict[str, int],
    seconds_per_repeat: dict[str, float],
    fixed: float,
    budget: float,
    done: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, int]:
    """Fewer repeats, the most expensive candidates first, until the prediction fits; never fewer than one, or than are recorded.

    Args:
        repeats: Candidate -> planned repeats.
        seconds_per_repeat: Candidate -> predicted seconds of one repeat.
        fixed: Seconds that no cut saves (feature passes, refits).
        done: Candidate -> first repeats that are recorded: they cost nothing.
    """
    cut = dict(repeats)

    def seconds(candidate: str) -> float:
        return max(0, cut[candidate] - done.get(candidate, 0)) * seconds_per_repeat[candidate]

    while fixed + sum(map(seconds, cut)) > budget:
        longer = [c for c in cut if cut[c] > max(1, done.get(c, 0))]
        if not longer:
            break
        cut[max(longer, key=seconds)] -= 1
    return cut


def cut_to_time(
    repeats: Mapping[tuple[str, int], float],
    fixed: float,
    refits: Mapping[str, float],
    stoppable: Collection[str],
    left: float,
    *,
    all_refitted: bool,
) -> tuple[set[tuple[str, int]], frozenset[str]]:
    """What of the missing runs is left out so that the rest fits into the time: (candidate, repeat), and candidates that are stopped.

    Args:
        repeats: (candidate, repeat) -> seconds that are missing.
        fixed: Seconds of all other work.
        refits: Candidate -> seconds of its refit.
        stoppable: Candidates that may be left out altogether.
        left: Seconds.
        all_refitted: All candidates are refitted, not the winner alone.
    """
    missing, dropped, stopped = dict(repeats), set(), set()

    def total() -> float:
        ahead = [seconds for candidate, seconds in refits.items() if candidate not in stopped]
        return fixed + (sum(ahead) if all_refitted else max(ahead, default=0.0)) + sum(missing.values())

    while total() > left:
        later = [unit for unit in missing if unit[1] > 0]
        first = [unit for unit in missing if unit[0] in stoppable]
        if not (later or first):
            break
        last = max((repeat for _, repeat in later), default=0)
        unit = max((u for u in later or first if u[1] == last), key=lambda u: missing[u])
        del missing[unit]
        dropped.add(unit)
        if not unit[1]:
            stopped.add(unit[0])
    return dropped, frozenset(stopped)
