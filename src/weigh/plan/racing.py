"""Who races, in which blocks, and which runs are left when candidates drop out.

A block is one fold of one repeat for every candidate that is alive. Only candidates that train networks race: heads on
frozen features share one feature pass and cost almost nothing, so all of them run; they are rivals all the same. Controls
are yardsticks: they run and neither drop out nor drop others.
Before it: `runs.py`. After it: `record/racing.py` (what the records decide), `execute/racing.py` (the loop).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from weigh.language import Text, text
from weigh.run import Candidate, Run
from weigh.spec import StudySpec
from weigh.stats.racing import planned_looks

__all__ = ["Dropped", "Race", "kept_runs", "racing_candidates", "racing_words", "start_race"]

MANY = 4  # with more rivals than so many, racing is on by default


@dataclass(frozen=True)
class Dropped:
    """A candidate that racing took out, and the numbers behind it.

    Attributes:
        candidate: Its id.
        leader: Who led at that look.
        blocks, planned: Folds that it ran, of those planned.
        value, low, high: `leader` minus `candidate` in units of the metric on the folds that both had; the interval
            allows for all pairs and all looks.
        examples: Independent examples or groups behind it.
    """

    candidate: str
    leader: str
    blocks: int
    planned: int
    value: float
    low: float | None
    high: float | None
    examples: int


@dataclass(frozen=True)
class Race:
    """A race as the records decide it; `as_json` goes into the ledger.

    Attributes:
        planned: Racing candidate -> blocks of the full design.
        folds: Blocks of one repeat.
        looks: Blocks after which candidates are looked at.
        rivals: Number of candidates that count (with heads): their pairs share the error.
        ends: Racing candidate -> blocks that it runs, as far as is decided.
        dropped: In the order of the decisions.
        history: One row for each look.
        upto: Blocks that living candidates run next; None when the race is over.
        stop: Why it is over ("one left", "equal", "futile", "spent"), or None.
        leader: Who leads at the last look, or None before the first.
    """

    planned: dict[str, int]
    folds: int
    looks: tuple[int, ...]
    rivals: int
    ends: dict[str, int]
    dropped: tuple[Dropped, ...] = ()
    history: tuple[dict[str, Any], ...] = ()
    upto: int | None = None
    stop: str | None = None
    leader: str | None = None
    out: frozenset[str] = field(default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "out", frozenset(drop.candidate for drop in self.dropped))

    @property
    def as_json(self) -> dict[str, Any]:
        stored = asdict(self)
        del stored["out"]
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Race | None:
        if stored is None:
            return None
        dropped = tuple(Dropped(**one) for one in stored["dropped"])
        lists = {"dropped": dropped, "looks": tuple(stored["looks"]), "history": tuple(stored["history"])}
        return cls(**{**stored, **lists})


def racing_candidates(spec: StudySpec, candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Ids of the candidates that race; empty where racing is off or no candidate could be dropped."""
    rivals = [c for c in candidates if not c.control]
    wanted = spec.design.race if spec.design.race is not None else len(rivals) > MANY
    if not wanted or len(rivals) < 2:
        return ()
    return tuple(c.id for c in rivals if not c.cheap)


def start_race(spec: StudySpec, candidates: Sequence[Candidate], repeats: Mapping[str, int]) -> Race | None:
    """The race of a design before any run; None where there is none.

    Args:
        repeats: Candidate id -> planned repeats.
    """
    racing = racing_candidates(spec, candidates)
    if not racing:
        return None
    folds = spec.design.folds
    looks = planned_looks(folds, max(repeats[name] for name in racing))
    planned = {name: folds * repeats[name] for name in racing}
    rivals = sum(not c.control for c in candidates)
    return Race(planned, folds, looks, rivals, dict(planned), upto=looks[0])


def kept_runs(runs: Iterable[Run], race: Race | None) -> tuple[Run, ...]:
    """The runs that are left: nothing of a racing candidate beyond its last block, whatever the purpose."""
    if race is None:
        return tuple(runs)
    return tuple(run for run in runs if run.repeat * race.folds + run.fold < race.ends.get(run.candidate, 1 << 30))


def racing_words(race: Race | None, spec: StudySpec, candidates: Sequence[Candidate]) -> Text | None:
    """What a plan says about racing; None for a few candidates where racing was not asked for."""
    if race is None:
        rivals = sum(not c.control for c in candidates)
        if spec.design.race is None and rivals <= MANY:
            return None
        if spec.design.race is False:
            return text("Racing is off: every candidate runs to the end.", "未启用竞速：每个候选方案都跑完全程。")
        return text(
            "No racing: only candidates that train networks race, and this study has none; all heads run.",
            "不进行竞速：只有训练网络的候选方案参与竞速，本研究没有；线性头全部运行。",
        )
    planned, kept = sum(race.planned.values()), sum(race.ends.values())
    if race.upto is None:
        return text(
            "Racing is over: {k} of {n} runs of the {c} {c:|candidate that trains a network|candidates that train networks} {k:|was|were} kept.",
            "竞速已结束：{c} 个训练网络的候选方案原计划 {n} 次运行，保留 {k} 次。",
            k=kept,
            n=planned,
            c=len(race.planned),
        )
    return text(
        "Racing is on: the {c} {c:|candidate that trains a network runs|candidates that train networks run} fold by fold, and who cannot be the best any more drops out. "
        "The time below is the worst case, {k} such runs; at the least {m} are needed. All heads run. Off: design.race=false.",
        "已启用竞速：{c} 个训练网络的候选方案逐折运行，不可能再成为最好的随即退出。"
        "下面的时间是最坏情况（此类运行 {k} 次），最少需要 {m} 次。线性头全部运行。关闭：design.race=false。",
        c=len(race.planned),
        k=kept,
        m=min(kept, len(race.planned) * race.looks[0]),
    )
