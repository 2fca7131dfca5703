"""Do some boxes look wrong: forgotten, of the wrong class, swapped, badly drawn? Where runs that had not trained on a picture agree.

Before it: what every run of every candidate told of each picture, out of fold (`sightings.py`). After it: the report draws the pictures.

What a run's word is worth is measured on its other detections: of those that were at least as sure, the share that were right. A suspicion is
worth the mean of that over all runs (nothing from those that do not share it). Models are wrong together where objects are
hard, so what is left is a list to look at, the most suspicious first, and never a proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.errors.box_mistakes import BACKGROUND, BADLY_PLACED, BOTH, NEAR, WRONG_CLASS, mistakes_of
from weigh.findings.errors.sightings import Seen, Sightings
from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.kinds.box_list import Boxes, overlaps
from weigh.language import Text, join_texts, text

__all__ = ["Suspicion", "find_suspects", "suspicions"]

LEAST = 0.5  # of what a suspicion can be worth
MOST_LOOKED_AT = 10_000  # pictures times runs: some seconds
SAME = 0.7  # overlap of boxes of several runs that mean the same outline
FORGOTTEN, OF_CLASS, SWAPPED, OUTLINE = range(4)
NAMES = (
    text("no box was drawn", "漏标"),
    text("another class", "类别不同"),
    text("two classes swapped", "两个类别互换"),
    text("drawn elsewhere", "框的位置不同"),
)


class Suspicion(NamedTuple):
    """Something to look at.

    Attributes:
        at: Number of the picture.
        sort: `FORGOTTEN`, `OF_CLASS`, `SWAPPED` or `OUTLINE`.
        given, answered: Class of the box, and of what the runs tell; -1: no box.
        box: `(4,)` corners of the box that was drawn, or of what was found where none was.
        objects: Boxes of the picture that it is about.
        worth: In [0, 1].
        runs: How many share it.
    """

    at: int
    sort: int
    given: int
    answered: int
    box: np.ndarray
    objects: tuple[int, ...]
    worth: float
    runs: int


class _Vote(NamedTuple):
    """One detection of one run that contradicts what was drawn; `about` is the object, -1: none."""

    run: int
    sort: int
    about: int
    answered: int
    box: np.ndarray
    worth: float


def find_suspects(evidence: Evidence, sightings: dict[str, Sightings]) -> Finding | None:
    """One finding where pictures were told about by at least two runs; else None, as nobody can agree."""
    runs = [one.present.any(axis=1).sum() for one in sightings.values()]
    if sum(runs) < 2:
        return None
    results, classes = evidence.results, evidence.results.examples.classes
    own = evidence.out_of_fold[next(iter(sightings))]
    looked_at = np.unique(
        np.linspace(0, len(own.target) - 1, min(len(own.target), max(1, MOST_LOOKED_AT // int(sum(runs))))).astype(int)
    )
    suspects = suspicions([(one, evidence.measured[name].fold) for name, one in sightings.items()], looked_at.tolist())
    pictures = list(dict.fromkeys(one.at for one in suspects))
    values = {"n": len(looked_at), "r": int(sum(runs)), "p": len(pictures)}
    if results.origin != "models":
        values["u"] = text(", none of which had trained on the picture,", "（均未用该图训练）")
    else:
        values["u"] = text("", "")
    estimates = {"looked_at": count(len(looked_at), "examples"), "runs": count(sum(runs), "runs")}
    if suspects:
        estimates["examples"] = count(len(pictures), "examples")
        sentence = text(
            "Look at these: in {p} of {n} pictures most of {r} runs{u} agree against what is drawn: {l}.",
            "请查看：在 {n} 张图片中，有 {p} 张的某些位置上，{r} 次运行{u}大多一致地与标注不同：{l}。",
            l=_listed(suspects, estimates),
            **values,
        )
        sentence += text(
            "The most suspicious come first. Models can be wrong together: this proves nothing.",
            "最可疑的排在最前。多个模型也可能一起出错，因此这并不能证明标注有误。",
        )
    else:
        sentence = text(
            "In none of {n} pictures do most of {r} runs{u} agree against what is drawn.",
            "在 {n} 张图片中，没有发现 {r} 次运行{u}大多一致地与标注不同之处。",
            **values,
        )
    whole = len(looked_at) == len(own.target)
    if not whole:
        estimates["all_examples"] = count(len(own.target), "examples")
        sentence += text(
            "Of {a} pictures an even choice was looked at.", "在 {a} 张图片中均匀抽取了一部分查看。", a=len(own.target)
        )
    look = text(
        "Look at these places: what is drawn there, is it right? Correct only what you know to be wrong, and run again.",
        "请查看这些位置：那里的标注对吗？只改正能确定有误的，然后重新运行。",
    )
    return Finding(
        id="errors:suspects",
        kind="errors",
        **asked("errors:suspects", "no" if whole and not suspects else "undecided"),
        severity="evidence" if suspects else "detail",
        sentence=sentence,
        estimates=estimates,
        examples=[str(results.examples.path[own.indices[at]]) for at in pictures],
        candidates=list(sightings),
        next=[look] if suspects else [],
        table=[
            {
                "path": str(results.examples.path[own.indices[one.at]]),
                "suspected": NAMES[one.sort]._asdict(),
                "given": "" if one.given < 0 else classes[one.given],
                "predicted": "" if one.sort == OUTLINE else classes[one.answered],
                "box": " ".join(f"{value:.0f}" for value in one.box),
                "agreed": f"{one.runs}/{_runs_of(sightings, one.at)}",
                "worth": round(one.worth, 3),
            }
            for one in suspects
        ],
    )  # fmt: skip


def _listed(suspects: Sequence[Suspicion], estimates: dict) -> Text:
    """How many of each sort."""
    names = ("forgotten", "other_class", "swapped_pairs", "drawn_elsewhere")
    words = (
        text("{k} without a box", "{k} 处没有框"),
        text("{k} of another class", "{k} 处类别不同"),
        text("{k} {k:|pair|pairs} swapped", "{k} 对互换"),
        text("{k} drawn elsewhere", "{k} 处框的位置不同"),
    )
    parts = []
    for sort, (name, one_of) in enumerate(zip(names, words, strict=True)):
        number = sum(one.sort == sort for one in suspects)
        if number:
            estimates[name] = count(number, "1")
            parts.append(text(one_of.en, one_of.zh, k=number))
    return join_texts(parts, ", ", "，")


def _runs_of(sightings: dict[str, Sightings], at: int) -> int:
    return int(sum(one.present[:, at].sum() for one in sightings.values()))


# ---- what the runs agree on


def suspicions(runs: Sequence[tuple[Sightings, np.ndarray]], looked_at: Sequence[int]) -> list[Suspicion]:
    """What most runs tell otherwise than it is drawn, the most suspicious first.

    Args:
        runs: What each candidate found, and `(repeats, n)` the fold of each of its runs.
        looked_at: Numbers of pictures.
    """
    single = [(one, repeat, fold[repeat]) for one, fold in runs for repeat in range(len(fold))]
    worths = [_worth(one, repeat, fold) for one, repeat, fold in single]
    listed: list[Suspicion] = []
    for at in looked_at:
        boxes, votes, number = runs[0][0].target[at], [], 0
        for run, ((one, repeat, fold), worth) in enumerate(zip(single, worths, strict=True)):
            if not one.present[repeat, at]:
                continue
            number += 1
            seen = one.told(repeat, at)
            scores, precision = worth[int(fold[at])]
            votes += _votes(run, seen, boxes, np.interp(seen.scores, scores, precision))
        listed += _swapped(list(_agreed(at, boxes, votes, number)))
    return sorted(listed, key=lambda one: (-one.worth, one.at, one.objects))


def _worth(sightings: Sightings, repeat: int, fold: np.ndarray) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """For each fold's run the scores, rising, and the share of right ones among the detections that are at least as sure."""
    of = {}
    for number in np.unique(fold[sightings.present[repeat]]).tolist():
        own = [sightings.told(repeat, i) for i in np.flatnonzero((fold == number) & sightings.present[repeat]).tolist()]
        scores = np.concatenate([one.scores for one in own] or [np.zeros(0)])
        right = np.concatenate([one.object >= 0 for one in own] or [np.zeros(0)])
        order = np.argsort(-scores, kind="stable")
        share_right = (np.cumsum(right[order]) + 1) / (np.arange(len(order)) + 2)
        of[number] = np.r_[0.0, scores[order][::-1]], np.r_[0.0, share_right[::-1]]
    return of


def _votes(run: int, seen: Seen, boxes: Boxes, worth: np.ndarray) -> Iterator[_Vote]:
    """Detections that contradict what is drawn; doubles of what was found do not."""
    mistakes = mistakes_of(seen, boxes)
    held = seen.objects(len(boxes.classes))
    judged = ~boxes.crowd & (boxes.classes >= 0)
    overlap = np.where(judged[None, :], overlaps(seen.corners, boxes.corners), 0.0)
    for d in np.flatnonzero(mistakes.sort >= 0).tolist():
        sort, answered = int(mistakes.sort[d]), int(seen.classes[d])
        of_sort = {
            WRONG_CLASS: boxes.classes != answered,
            BADLY_PLACED: boxes.classes == answered,
        }.get(sort, judged)
        about = int(np.where(of_sort, overlap[d], -1.0).argmax()) if len(held) else -1
        if sort == BACKGROUND or (sort in (BADLY_PLACED, BOTH) and held[about]):
            yield _Vote(run, FORGOTTEN, -1, answered, seen.corners[d], float(worth[d]))
        elif sort == WRONG_CLASS and not held[about]:
            yield _Vote(run, OF_CLASS, about, answered, seen.corners[d], float(worth[d]))
        elif sort == BADLY_PLACED:
            yield _Vote(run, OUTLINE, about, answered, seen.corners[d], float(worth[d]))


def _agreed(at: int, boxes: Boxes, votes: list[_Vote], runs: int) -> Iterator[Suspicion]:
    """What enough runs share. The surest vote gathers those that mean the same, one of each run."""
    left = sorted(votes, key=lambda vote: -vote.worth)
    while left and left[0].worth >= LEAST:  # the mean cannot be more than the surest
        first, *others = left
        least = SAME if first.sort == OUTLINE else NEAR
        between = overlaps(first.box[None], np.array([vote.box for vote in others]).reshape(-1, 4))[0]
        own, left = {first.run: first.worth}, []
        for vote, overlap in zip(others, between.tolist(), strict=True):
            if (vote.sort, vote.about, vote.answered) == (first.sort, first.about, first.answered) and overlap >= least:
                own.setdefault(vote.run, vote.worth)
            else:
                left.append(vote)
        worth = sum(own.values()) / max(runs, 1)
        if worth >= LEAST and len(own) > 1:
            objects = () if first.about < 0 else (first.about,)
            given = -1 if first.about < 0 else int(boxes.classes[first.about])
            box = first.box if first.about < 0 else boxes.corners[first.about]
            yield Suspicion(at, first.sort, given, first.answered, box, objects, worth, len(own))


def _swapped(suspects: list[Suspicion]) -> list[Suspicion]:
    """Make one suspicion of two boxes of a picture that each should have the class of the other."""
    kept: list[Suspicion] = []
    for one in suspects:
        pair = next(
            (
                other
                for other in kept
                if one.sort == other.sort == OF_CLASS and (one.given, one.answered) == (other.answered, other.given)
            ),
            None,
        )
        if pair is None:
            kept.append(one)
            continue
        kept.remove(pair)
        worth, runs = min(one.worth, pair.worth), min(one.runs, pair.runs)
        kept.append(pair._replace(sort=SWAPPED, objects=pair.objects + one.objects, worth=worth, runs=runs))
    return kept
