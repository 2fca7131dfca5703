"""What the records decide in a race: replayed from the first look on, so that the same records decide the same.

Nothing is remembered between two starts but the records themselves; what was decided is stored for readers. A failed run
is a record like any other: its fold is missing in the comparisons.
Before it: the records. After it: `execute/racing.py`, which runs the next blocks; `findings/comparison/racing.py`, which tells of it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign, measure_design
from weigh.plan.racing import Dropped, Race
from weigh.record.results import OutOfFold, Results
from weigh.seeds import generator
from weigh.stats.racing import Look, drop_out
from weigh.stats.resampling import Units

__all__ = ["replay_race"]


def replay_race(results: Results, race: Race) -> Race:
    """The race as far as the records reach.

    Args:
        results: With the records of all runs of the full design that there are.
        race: As from `plan.racing.start_race`.
    """
    recorded = {
        (r.candidate, r.repeat * race.folds + r.fold) for r in results.runs("main", status=None) if r.repeat >= 0
    }
    rivals = [c.id for c in results.candidates if not c.control]
    predictions = {name: results.out_of_fold(name) for name in rivals}
    units = results.units_at(results.examples.where("train"))
    out: set[str] = set()  # with heads, which lose nothing by it
    for blocks in race.looks:
        racing = [name for name in race.planned if name not in race.out]
        if any((name, block) not in recorded for name in racing for block in range(min(blocks, race.planned[name]))):
            return replace(race, upto=blocks)
        measured = {}
        for name in rivals:
            runs = predictions[name]
            if runs is not None and name not in out:
                cut = _upto(results, runs, blocks, race.folds)
                if cut.present.any():
                    measured[name] = cut
        if len(measured) < 2:
            continue  # everything else failed so far: nothing to decide on
        look = _look(results, race, measured, units, blocks)
        out |= {drop.name for drop in look.dropped}
        race = _decided(race, look, blocks)
        if race.upto is None:
            return race
    ends = {name: race.ends[name] for name in race.planned}
    return replace(race, upto=None, stop=race.stop or "spent", ends=ends)


def _upto(results: Results, runs: OutOfFold, blocks: int, folds: int) -> MeasuredDesign:
    """The first blocks of a candidate, measured on the primary metric."""
    repeats = min(-(-blocks // folds), len(runs.fold))
    fold = runs.fold[:repeats]
    inside = (fold >= 0) & (fold + folds * np.arange(repeats)[:, None] < blocks)
    cut = replace(runs, answers=runs.answers[:repeats], fold=np.where(inside, fold, -1), bias=runs.bias[:repeats])
    metric = METRICS.get(results.spec.primary).among(results.examples.kind, len(results.examples.classes))
    return measure_design(metric, cut)


def _look(results: Results, race: Race, measured: dict[str, MeasuredDesign], units: Units, blocks: int) -> Look:
    spec, metric = results.spec, METRICS.get(results.spec.primary)
    return drop_out(
        measured,
        units,
        rng=generator(spec.design.seed, "racing", blocks),
        claim=spec.design.claim,
        level=spec.design.level,
        rope=metric.rope if spec.metrics.rope is None else spec.metrics.rope,
        looks=race.looks,
        blocks=blocks,
        field=race.rivals,
    )


def _decided(race: Race, look: Look, blocks: int) -> Race:
    """The race after a look: who is out, how far the others run, whether it goes on."""
    dropped, ends = list(race.dropped), dict(race.ends)
    for drop in look.dropped:
        if drop.name not in race.planned:
            continue  # a head: all of it is run already
        estimate = drop.difference.estimate
        ends[drop.name] = min(blocks, race.planned[drop.name])
        dropped.append(
            Dropped(
                drop.name,
                drop.leader,
                ends[drop.name],
                race.planned[drop.name],
                estimate.value,
                estimate.low,
                estimate.high,
                estimate.n,
            )
        )
    gone = {drop.candidate for drop in dropped}
    alive = [name for name in race.planned if name not in gone]
    stop = look.stop or (None if alive else "one left")
    if stop:
        for name in alive:
            # the leader is tested on every example once: the rest of the report needs it
            least = race.folds if name == look.leader else 0
            ends[name] = min(max(blocks, least), race.planned[name])
    row = {
        "blocks": blocks,
        "leader": look.leader,
        "dropped": [drop.candidate for drop in dropped if drop.candidate not in race.out],
        "alive": len(alive),
        "nearest": look.nearest,
        "chance": None if math.isnan(look.chance) else look.chance,
        "stop": stop,
    }
    return replace(
        race,
        ends=ends,
        dropped=tuple(dropped),
        history=(*race.history, row),
        leader=look.leader,
        stop=stop,
        upto=None if stop else blocks,
    )
