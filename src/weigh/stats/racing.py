"""Which candidates need no further runs, and when is a race over?

Candidates run block by block (one fold of one repeat for all that are alive). At looks fixed beforehand a candidate is
dropped when it cannot be the best any more (multiple comparisons with the best), and the race stops when nothing is left to find out: one candidate is
left, the living ones are practically equal, or the rest of the design could not settle who is best any more.

Looking often makes false claims likely: with eight looks at 5 % each some 15 % of equal pairs would be told apart at one of
them. So every look uses a stricter level, the same for all (Pocock 1977), such that all looks together keep the promised
one; the intervals of the report use it too, whenever the race stopped (repeated confidence intervals, Jennison &
Turnbull 1989). A stop for futility claims nothing, so it costs no error.

Looks are made after each fold of the first repeat (from the second on) and after each whole repeat. Inside later
repeats little is learnt, and the noise between repeats can be told only from whole ones (`interval.py`).
Before it: `comparison.py`. After it: `record/racing.py`, which replays a race from records. Figures: docs/decisions/racing.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple, cast

import numpy as np

from weigh.stats.comparison import Difference, compare
from weigh.stats.interval import ALONE, HALVES, TWICE, Claim
from weigh.stats.resampling import Measured, Resampler, Units

__all__ = ["Drop", "Look", "Reason", "chance_to_settle", "drop_out", "look_level", "planned_looks"]

Reason = Literal["one left", "equal", "futile", "spent"]
FIRST = 2  # folds before the first look: fewer do not show whether whole runs differ
NOISE = 0.5  # share of the disagreement of two candidates that is noise of runs, while one repeat hides it (`power.py`)
FUTILE = 0.03  # below this chance that the rest of the design tells the leader from its nearest rival, it is not run
GRID = 301  # points of the numerical integration over a standardised difference


class Drop(NamedTuple):
    """A candidate that cannot be the best any more.

    Attributes:
        name: The candidate.
        leader: Who led at this look.
        difference: `leader` minus `name` at this look, on the runs that both have. Its interval holds for all pairs and
            looks at once and may include 0: whether a candidate may be the best asks less (`selection.may_be_best`).
    """

    name: str
    leader: str
    difference: Difference


@dataclass(frozen=True)
class Look:
    """What one look found.

    Attributes:
        blocks: Blocks that were run for every living candidate.
        leader: The candidate with the best score among those alive.
        dropped: Who is out from here on, in the order given.
        chance: Chance that the rest of the design settles leader against nearest rival; NaN where nobody is left.
        nearest: That rival.
        stop: Why the race is over, or None.
    """

    blocks: int
    leader: str
    dropped: tuple[Drop, ...]
    chance: float
    nearest: str | None
    stop: Reason | None


def planned_looks(folds: int, repeats: int) -> tuple[int, ...]:
    """Numbers of blocks after which a race looks; the last is the whole design."""
    first = range(min(FIRST, folds), folds + 1)
    return (*first, *(folds * repeat for repeat in range(2, repeats + 1)))


@lru_cache(maxsize=256)
def look_level(looks: tuple[int, ...], level: float, candidates: int = 2) -> float:
    """The level of a single look such that the claims of all looks hold together at `level`.

    Args:
        looks: Blocks at each look. Information is taken to grow with the blocks, as if each brought new examples; in
            truth later repeats bring less, and looks are more alike: the level is a little too strict.
        candidates: Their pairs share the error (the larger a threshold, the less alike are the looks at it).

    References:
        Pocock (1977); Armitage, McPherson & Rowe (1969) for the integration; Jennison & Turnbull (2000), ch. 2 and 9.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    if len(looks) < 2:
        return level
    pairs = max(candidates * (candidates - 1) // 2, 1)
    share = (1 - level) / pairs
    low, high = -float(ndtri(share / 2)), -float(ndtri(share / 2 / len(looks)))  # one look; Bonferroni over looks
    if _crossing(looks, low) <= share:  # to the last digits: looks that are all but one
        bound = low
    elif _crossing(looks, high) >= share:
        bound = high
    else:
        bound = cast(float, brentq(lambda bound: _crossing(looks, bound) - share, low, high, xtol=1e-10))
    return 1 - min(1 - level, 2 * pairs * float(ndtr(-bound)))


@cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Places and weights for integrals from -1 to 1."""
    return np.polynomial.legendre.leggauss(GRID)


def _crossing(looks: tuple[int, ...], bound: float) -> float:
    """Probability that a standardised difference of nothing leaves ± bound at any look."""
    z, weight = (of_one * bound for of_one in _nodes())
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    for before, now in pairwise(looks):
        kept = math.sqrt(before / now)
        spread = math.sqrt(1 - before / now)
        step = np.exp(-np.square((z[:, None] - kept * z) / spread) / 2) / (spread * math.sqrt(2 * math.pi))
        density = step @ (weight * density)
    return 1.0 - float(weight @ density)


def drop_out(
    measured: Mapping[str, Measured],
    units: Units,
    *,
    rng: np.random.Generator,
    claim: Claim,
    level: float,
    rope: float,
    looks: tuple[int, ...],
    blocks: int,
    field: int,
    resampler: Resampler | None = None,
) -> Look:
    """Look at the candidates that are alive, after `blocks` blocks.

    Args:
        measured: The living candidates, on these blocks alone.
        rng: For the simultaneous quantile.
        level: Promised over all looks.
        looks: As from `planned_looks`.
        field: Number of candidates that started; the error is shared by their pairs.

    Returns:
        The decisions. With fewer than two candidates the race is over.
    """
    names = list(measured)
    scores = {name: design.score().overall for name, design in measured.items()}
    greater = next(iter(measured.values())).metric.greater_is_better
    sign = 1.0 if greater else -1.0
    leader = max(names, key=lambda n: -math.inf if math.isnan(scores[n]) else sign * scores[n])  # the first of a tie
    if len(names) < 2:
        return Look(blocks, leader, (), math.nan, None, "one left")
    once = look_level(looks, level, field)
    compared = compare(measured, units, rng=rng, claim=claim, level=level, once=once, rope=rope, resampler=resampler)
    dropped = [
        Drop(name, leader, compared.of(leader, name)) for name in names if name not in compared.best and name != leader
    ]
    out = {drop.name for drop in dropped}
    alive = [name for name in names if name not in out]
    rivals = [compared.of(leader, name) for name in alive if name != leader]
    if not rivals:
        return Look(blocks, leader, tuple(dropped), math.nan, None, "one left")
    folds = next((b for a, b in zip(looks[1:], looks, strict=False) if a - b > 1), looks[-1])
    chances = [
        chance_to_settle(pair, rope, q=compared.adjusted, claim=claim, folds=folds, blocks=blocks, planned=looks[-1])
        for pair in rivals
    ]
    chance, nearest = min(zip(chances, (pair.b for pair in rivals), strict=True))
    stop: Reason | None = None
    if all(pair.negligible for pair in rivals):
        stop = "equal"
    elif blocks >= looks[-1]:
        stop = "spent"
    elif blocks >= folds and chance < FUTILE:
        stop = "futile"
    return Look(blocks, leader, tuple(dropped), chance, nearest, stop)


def chance_to_settle(
    pair: Difference, rope: float, *, q: float, claim: Claim, folds: int, blocks: int, planned: int
) -> float:
    """Chance that the rest of the design tells the two apart, or shows them to be practically equal.

    The final difference is predicted from the present one as it stands (flat prior); the variance shrinks by what more
    examples tested and more repeats take away. While one repeat hides how much of it is noise of runs, half is taken
    to be. Where there is no interval yet, everything is possible: 1.0.
    """
    from scipy.special import ndtr

    variance, value = pair.variance, pair.estimate.value
    if pair.estimate.low is None or not math.isfinite(variance.total) or not math.isfinite(value):
        return 1.0
    repeats = planned / folds
    if blocks <= folds:
        own = variance.total - variance.runs
        averaged = own / (ALONE[claim] + HALVES / min(blocks, folds)) if claim in ALONE else own
        whole = averaged * blocks / folds  # after the first repeat
        if repeats > 1:
            final = whole * (NOISE / repeats + (1 - NOISE) * (1 + TWICE[claim]))
        else:
            final = whole * (ALONE[claim] + HALVES / folds)
        final += variance.runs * blocks / planned
        moves = averaged - whole + NOISE * whole * (1 - 1 / repeats) + variance.runs * (1 - blocks / planned)
    else:
        final = variance.examples + variance.runs * blocks / planned
        moves = variance.runs * (1 - blocks / planned)
    half, spread = max(q * math.sqrt(final), pair.least), math.sqrt(max(moves, 1e-300))
    apart = float(ndtr((value - half) / spread) + ndtr((-value - half) / spread))
    room = rope - half
    equal = float(ndtr((room - value) / spread) - ndtr((-room - value) / spread)) if room > 0 else 0.0
    return min(1.0, apart + equal)
