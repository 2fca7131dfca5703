"""Which texts are nearly the same: other case, spacing or punctuation, a changed word, a cut end.

Before it: texts. After it: `checks.py` says it in words; copies stay in one fold.

In three steps (Broder 1997, On the Resemblance and Containment of Documents; bands as in Leskovec, Rajaraman & Ullman, chapter 3):

1. Texts become letters and digits only, in lower case (NFKC); equal ones are near copies at once.
2. Each is a set of shingles of 5 characters (2 where there are no blanks between words), and a signature of 64 minima of random hashes.
   Texts that agree in one of 16 bands of 4 are candidates: a pair that shares 0.8 of its shingles is one with probability 0.9998, a
   pair that shares 0.3 with 0.12.
3. Candidates are compared exactly: shared shingles over all shingles of the two (Jaccard), `ALIKE` or more.

Time is linear in the number of characters (64 operations each) and in the number of candidates, of which one text gets at most `CHAIN`
a band where very many agree (forms, templates); memory is 256 bytes a text. In pairs both texts must be alike: data sets of
sentence pairs repeat one of them on purpose.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from weigh.data.copies import NearDuplicates
from weigh.data.unspaced import UNSPACED
from weigh.notices import Progress

__all__ = ["MOST_TEXTS", "near_texts", "normalised", "resemblance"]

ALIKE = 0.8  # shared shingles of copies; one changed word in twenty leaves about that
MOST_TEXTS = 1_000_000  # beyond it the signatures alone would take minutes
BANDS, ROWS = 16, 4
LONG, SHORT = 5, 2  # characters of a shingle: with, and without blanks between words
CHUNK = 2_000_000  # characters that are hashed at a time
CHAIN, ALL_PAIRS = 8, 24  # neighbours compared in a large bucket; size up to which all are
BASE = np.uint64(0x9E3779B97F4A7C15)
# the same random hashes for everybody: what is found must not depend on a seed
FACTORS = np.random.default_rng(1997).integers(0, 2**63, (BANDS * ROWS, 2), dtype=np.uint64) | np.uint64(1)


def normalised(written: str) -> str:
    """Letters and digits in lower case, one blank between words; what has none of them stays as it is, without outer blanks."""
    plain = re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", written).casefold()).strip()
    return plain or written.strip()


def resemblance(a: str, b: str) -> float:
    """Shared shingles over all shingles of two normalised texts, in [0, 1]."""
    left, right = _shingles(a), _shingles(b)
    if _size(a) != _size(b):
        return 0.0
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared / (len(left) + len(right) - shared)


def near_texts(
    rows: Sequence[tuple[str, ...]], keys: Sequence[str], *, progress: Progress | None = None
) -> NearDuplicates:
    """Pairs of texts that are nearly the same though not identical.

    Args:
        rows: One or two texts each.
        keys: Equal for identical rows; of those only the first is looked at.

    Returns:
        Pairs of indices, i < j, with the resemblance of the less alike of the two texts.
    """
    if len(rows) > MOST_TEXTS:
        return NearDuplicates(np.empty((0, 2), dtype=np.int64), np.empty(0), searched=False)
    first = list({key: i for i, key in reversed(list(enumerate(keys)))}.values())[::-1]
    plain = {i: tuple(map(normalised, rows[i])) for i in first}
    same: dict[tuple[str, ...], int] = {}
    scores: dict[tuple[int, int], float] = {}
    for i in first:
        if same.setdefault(plain[i], i) != i:
            scores[same[plain[i]], i] = 1.0
    by_size: dict[int, list[int]] = {}
    for i in same.values():
        by_size.setdefault(_size(" ".join(plain[i])), []).append(i)
    for size, members in by_size.items():
        signatures = _signatures([" ".join(plain[i]) for i in members], size, progress)
        for a, b in _candidates(signatures):
            i, j = members[a], members[b]
            score = min(resemblance(x, y) for x, y in zip(plain[i], plain[j], strict=True))
            if score >= ALIKE:
                scores[min(i, j), max(i, j)] = score
    pairs = sorted(scores)
    return NearDuplicates(
        np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array([scores[p] for p in pairs], dtype=np.float64)
    )


def _size(plain: str) -> int:
    return SHORT if len(UNSPACED.findall(plain)) * 2 > len(plain) else LONG


def _padded(plain: str, size: int) -> str:
    """The text with blanks around it: a change at an end costs as many shingles as one inside."""
    return " " * (size - 1) + plain + " " * (size - 1)


def _codes(texts: Sequence[str]) -> np.ndarray:
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)


def _hashes(codes: np.ndarray, size: int) -> np.ndarray:
    """`(len(codes) - size + 1,)` one well-mixed hash for every window."""
    windows = np.zeros(len(codes) - size + 1, dtype=np.uint64)
    for k in range(size):
        windows = windows * BASE + codes[k : len(codes) - size + 1 + k]
    windows ^= windows >> np.uint64(31)
    windows *= np.uint64(0xBF58476D1CE4E5B9)
    return windows ^ (windows >> np.uint64(29))


def _shingles(plain: str) -> np.ndarray:
    size = _size(plain)
    return np.unique(_hashes(_codes([_padded(plain, size)]), size))


def _signatures(texts: Sequence[str], size: int, progress: Progress | None) -> np.ndarray:
    """`(n, 64)` uint32 minima of random hashes of the shingles of each text."""
    padded = [_padded(t, size) for t in texts]
    signatures = np.empty((len(texts), BANDS * ROWS), dtype=np.uint32)
    start = 0
    while start < len(padded):
        stop, length = start, 0
        while stop < len(padded) and (stop == start or length + len(padded[stop]) <= CHUNK):
            length += len(padded[stop])
            stop += 1
        block = padded[start:stop]
        lengths = np.array([len(t) for t in block], dtype=np.int64)
        ends = np.cumsum(lengths)
        begins = ends - lengths
        hashes = _hashes(_codes(block), size)
        crossing = np.zeros(len(hashes) + size, dtype=bool)  # windows that reach into the next text
        for k in range(1, size):
            crossing[ends - k] = True
        crossing = crossing[: len(hashes)]
        for column, (factor, shift) in enumerate(FACTORS):
            mixed = ((hashes * factor + shift) >> np.uint64(32)).astype(np.uint32)
            mixed[crossing] = np.uint32(0xFFFFFFFF)
            signatures[start:stop, column] = np.minimum.reduceat(mixed, begins)
        start = stop
        if progress:
            progress("comparing texts", start, len(padded))
    return signatures


def _candidates(signatures: np.ndarray) -> list[tuple[int, int]]:
    """Pairs that agree in a band."""
    n = len(signatures)
    collisions: list[np.ndarray] = []
    for band in range(BANDS):
        key = np.zeros(n, dtype=np.uint64)
        for column in signatures[:, band * ROWS : (band + 1) * ROWS].T:
            key = (key ^ column.astype(np.uint64)) * BASE
        order = np.argsort(key, kind="stable")
        changes = np.flatnonzero(np.diff(key[order])) + 1
        for bucket in np.split(order, changes) if n else ():
            m = len(bucket)
            if m < 2:
                continue
            reach = m - 1 if m <= ALL_PAIRS else CHAIN
            steps = [np.stack([bucket[:-d], bucket[d:]], axis=1) for d in range(1, reach + 1)]
            collisions.append(np.concatenate(steps))
    if not collisions:
        return []
    pairs = np.sort(np.concatenate(collisions).astype(np.int64), axis=1)
    unique = np.unique(pairs[:, 0] * n + pairs[:, 1])
    return [(int(p // n), int(p % n)) for p in unique]
