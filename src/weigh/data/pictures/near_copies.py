"""Which pictures are copies of one another: identical, or rescaled, recompressed, brightened or slightly cropped.

Before it: facts on every picture (`facts.py`). After it: `checks.py` says it in words; `folds.py` keeps copies together.

Near duplicates in three steps, each cheaper than the next is exact (figures: docs/decisions/near-duplicates.md):

1. *Candidates*: 63 low frequencies (DCT) of a 64 x 64 grey copy, whitened over the data set, so that what all pictures
   share does not count; the nearest few of each picture by blocked matrix products. Time O(n^2), memory O(n).
2. *Alignment*: scale and shift between the two by Gauss-Newton on band-passed copies (after Evangelidis & Psarakis 2008,
   Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization), at 32 x 32, then at 64 x 64.
3. *Verification* at 128 x 128: the correlation of fine structure, after what each shares with a dozen merely similar
   pictures of the same data set was regressed out (a partial correlation).

A picture *looks like the others* where it agrees in structure even with its eleventh nearest neighbour (photos of solar
cells: one machine, one layout, sister wafers). There agreement proves little, and only a pair that agrees as closely as
a recompressed file agrees with its original is called a near duplicate (crops are then not found).
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from weigh.data.copies import NearDuplicates
from weigh.data.examples import Examples
from weigh.data.memo import Memo
from weigh.data.pictures.alignment import align, band_pass, centre, correlation, warp
from weigh.data.pictures.decoding import PictureError, open_picture
from weigh.notices import Progress

__all__ = ["MOST_PICTURES", "near_duplicates"]

VERSION = "near-1"  # raised when the method changes
COPY = 0.90  # partial correlation of copies of one photo; other pairs of photos stay below 0.7
STRICT = 0.995  # the same where pictures look alike: what only rescaling or a good recompression leaves
MOST_PICTURES = 200_000  # the search takes O(n^2); beyond this it would take hours
NEAREST, SIMILAR = 6, 0.45  # candidates of one picture, and their least similarity
NEAREST_BLOCK = 2**21  # similarities that are sorted at a time, some 40 bytes each
COARSE, MIDDLE, FINE = 32, 64, 128  # sides of the copies that are aligned and compared
COARSE_PASS, MIDDLE_PASS, ALIKE_PASS = 0.55, 0.75, 0.99  # least correlation to go on
LOOKS_ALIKE = 0.5  # correlation with an ordinary neighbour above which a picture looks like the others
MANY_ALIKE, SAMPLE = 0.1, 300  # share of a sample of pictures above which the whole data set is judged so
FIRST_REFERENCE, REFERENCES = 10, 12  # similar, but not the most similar: those may be further copies
BAND = (1.2, 5.0)  # standard deviations of the two Gaussians, in pixels of the fine copy
LEAST_DETAIL = 0.8  # grey levels: below it a picture has no structure that could agree


def near_duplicates(
    examples: Examples, grey: np.ndarray, pixels: list[str], *, progress: Progress | None = None
) -> NearDuplicates:
    """Pairs of pictures that are copies of one photo though not identical.

    Args:
        grey: `(n, 64, 64)` uint8 copies.
        pixels: Hash of each picture's pixels; of identical pictures only the first is looked at.
    """
    first: dict[str, int] = {}
    for i, value in enumerate(pixels):
        first.setdefault(value, i)
    which = np.array(sorted(first.values()), dtype=np.int64)
    which = which[_detailed(grey, which)]
    nothing = NearDuplicates(np.empty((0, 2), np.int64), np.empty(0))
    if len(which) < 2:
        return nothing
    if len(which) > MOST_PICTURES:
        return NearDuplicates(nothing.pairs, nothing.score, searched=False)
    memo, key = Memo(VERSION), _digest([pixels[i] for i in which])
    if remembered := memo.get_many([key]).get(key):
        rows = json.loads(remembered)
    else:
        rows = _search(examples, grey, which, progress)
        memo.put_many({key: json.dumps(rows).encode()})
    scored = np.array(rows["pairs"], dtype=np.float64).reshape(-1, 4)
    copies = scored[:, 2] >= np.where(scored[:, 3] > 0, STRICT, COPY)
    pairs = which[scored[:, :2].astype(np.int64)].reshape(-1, 2)
    return NearDuplicates(pairs[copies], scored[copies, 2], float(rows["alike"]))


# Step 1: candidates -------------------------------------------------------------------------------------------------


def _search(examples: Examples, grey: np.ndarray, which: np.ndarray, progress: Progress | None) -> dict:
    """`pairs`: [position a, position b, score, looks alike] of every pair that was verified; positions in `which`."""
    near, similarity = _nearest(
        _whiten(_low_frequencies(grey, which)), min(len(which) - 1, FIRST_REFERENCE + REFERENCES), progress
    )
    a = np.repeat(np.arange(len(which)), min(NEAREST, near.shape[1]))
    b, s = near[:, :NEAREST].ravel(), similarity[:, :NEAREST].ravel()
    pairs = np.unique(np.sort(np.column_stack([a, b])[s >= SIMILAR], axis=1), axis=0)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # thousands of small products: more threads only get in each other's way
        return _compare(examples, grey, which, near, pairs, progress)


def _compare(
    examples: Examples,
    grey: np.ndarray,
    which: np.ndarray,
    near: np.ndarray,
    pairs: np.ndarray,
    progress: Progress | None,
) -> dict:
    """Steps 2 and 3 for all candidate pairs."""
    sample = np.unique(np.linspace(0, len(which) - 1, SAMPLE).astype(np.int64))
    share = float(_look_like_others(grey, which, near, sample).mean())
    if share > MANY_ALIKE:
        registered = _compare_as_is(grey, which, pairs, ALIKE_PASS)
        alike = np.ones(len(registered.rows), dtype=bool)
    else:
        registered = _register(grey, which, pairs, COARSE_PASS, MIDDLE_PASS, progress)
        pictures = np.unique(pairs[registered.rows])
        others = np.zeros(len(which), dtype=bool)
        others[pictures] = _look_like_others(grey, which, near, pictures)
        alike = others[pairs[registered.rows, 0]] | others[pairs[registered.rows, 1]]
    go_on = registered.agreement >= np.where(alike, ALIKE_PASS, MIDDLE_PASS)
    pairs, moves, alike = pairs[registered.rows][go_on], registered.moves[go_on], alike[go_on]

    copies = _FineCopies(examples, which)
    rows = []
    for start in range(0, len(pairs), 16):
        block = slice(start, start + 16)
        scores = _verify(pairs[block], moves[block], near, copies, aligned=share <= MANY_ALIKE)
        for (i, j), score, strict in zip(pairs[block].tolist(), scores, alike[block], strict=True):
            rows.append([i, j, round(float(score), 6), int(strict)])
        if progress:
            progress("comparing pictures", min(start + 16, len(pairs)), len(pairs))
    return {"pairs": rows, "alike": round(share, 6)}


def _look_like_others(grey: np.ndarray, which: np.ndarray, near: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """`(m,)` bool: does each of `pictures` agree in structure even with an ordinary neighbour?"""
    alike = np.zeros(len(pictures), dtype=bool)
    if near.shape[1] > FIRST_REFERENCE:  # else there is no ordinary neighbour to ask
        ordinary = near[pictures, FIRST_REFERENCE]
        usual = _register(grey, which, np.column_stack([pictures, ordinary]), LOOKS_ALIKE - 0.2, LOOKS_ALIKE, None)
        alike[usual.rows] = True
    return alike


def _detailed(grey: np.ndarray, which: np.ndarray) -> np.ndarray:
    """`(len(which),)` bool: is there anything to see, more than one grey level of standard deviation?"""
    detailed = np.empty(len(which), dtype=bool)
    for start in range(0, len(which), 2048):
        block = grey[which[start : start + 2048]].reshape(-1, grey[0].size)
        detailed[start : start + 2048] = block.std(axis=1, dtype=np.float32) > 1.0
    return detailed


def _low_frequencies(grey: np.ndarray, which: np.ndarray) -> np.ndarray:
    from scipy.fft import dctn

    out = np.empty((len(which), 63), dtype=np.float32)
    for start in range(0, len(which), 2048):
        block = grey[which[start : start + 2048]].astype(np.float32)
        low = np.asarray(dctn(block, axes=(1, 2), norm="ortho"))[:, :8, :8]
        out[start : start + 2048] = low.reshape(len(block), -1)[:, 1:]
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)


def _whiten(x: np.ndarray) -> np.ndarray:
    """Rows of unit length, in coordinates in which the data set's own variation is about round."""
    centred = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred / max(len(x) - 1, 1))
    white = centred @ (vectors / np.sqrt(np.maximum(values, 0) + 0.1 * values.mean() + 1e-12)).astype(np.float32)
    return white / np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-6)


def _nearest(x: np.ndarray, k: int, progress: Progress | None) -> tuple[np.ndarray, np.ndarray]:
    """`(n, k)` nearest rows and their cosines, descending; one block of rows against all at a time."""
    n = len(x)
    block = max(1, min(n, NEAREST_BLOCK // n))
    near, similarity = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    for start in range(0, n, block):
        cosines = x[start : start + block] @ x.T
        rows = np.arange(len(cosines))
        cosines[rows, rows + start] = -2
        top = np.argpartition(-cosines, min(k, n - 1) - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(cosines, top, 1), axis=1, kind="stable")
        near[start : start + block] = np.take_along_axis(top, order, 1)
        similarity[start : start + block] = np.take_along_axis(cosines, near[start : start + block], 1)
        if progress and n > 20_000:
            progress("looking for copies", min(start + block, n), n)
    return near, similarity


# Step 2: alignment --------------------------------------------------------------------------------------------------


class _Registered(NamedTuple):
    """Pairs that agree once aligned: rows of the pairs given, correlation, and the moves `(m, 4)` that align them."""

    rows: np.ndarray
    agreement: np.ndarray
    moves: np.ndarray


def _register(
    grey: np.ndarray, which: np.ndarray, pairs: np.ndarray, coarse: float, middle: float, progress: Progress | None
) -> _Registered:
    """Align the second picture of each pair to the first, at 32 x 32 and, for those that agree there, at 64 x 64."""
    rows, agreement, moves = [np.empty(0, np.int64)], [np.empty(0)], [np.empty((0, 4), np.float32)]
    for start in range(0, len(pairs), 512):
        block = pairs[start : start + 512]
        a, b = (grey[which[block[:, side]]].astype(np.float32) for side in (0, 1))
        still = np.zeros((len(block), 4), np.float32)
        moved = align(_halve(a), _halve(b), still, steps=((5, 1.25), (3, 0.6)), wide=5.0)
        passed = _better(_halve(a), _halve(b), still, moved, (0.6, 3.0))[0] >= coarse
        a, b, still, moved = a[passed], b[passed], still[passed], moved[passed]
        if len(a):
            moved = align(a, b, moved, steps=((3, 1.5), (3, 0.8)), wide=8.0)
            agree, move = _better(a, b, still, moved, (0.8, 4.0))
            enough = agree >= middle
            rows.append(start + np.flatnonzero(passed)[enough])
            agreement.append(agree[enough])
            moves.append(move[enough])
        if progress:
            progress("looking for copies", min(start + 512, len(pairs)), len(pairs))
    return _Registered(np.concatenate(rows), np.concatenate(agreement), np.concatenate(moves))


def _compare_as_is(grey: np.ndarray, which: np.ndarray, pairs: np.ndarray, least: float) -> _Registered:
    """Pairs that agree without being aligned, at 64 x 64."""
    agreement = np.empty(len(pairs))
    for start in range(0, len(pairs), 512):
        a, b = (grey[which[pairs[start : start + 512, side]]].astype(np.float32) for side in (0, 1))
        agreement[start : start + 512] = correlation(band_pass(a, 0.8, 4.0), band_pass(b, 0.8, 4.0), np.ones_like(a))
    rows = np.flatnonzero(agreement >= least)
    return _Registered(rows, agreement[rows], np.zeros((len(rows), 4), np.float32))


def _better(
    a: np.ndarray, b: np.ndarray, still: np.ndarray, moved: np.ndarray, band: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of each pair, aligned or as it stands, whichever is more; and that move."""
    band_a, band_b = band_pass(a, *band), band_pass(b, *band)
    as_is, aligned = (correlation(band_a, *warp(band_b, p)) for p in (still, moved))
    return np.maximum(as_is, aligned), np.where((aligned > as_is)[:, None], moved, still)


def _halve(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), COARSE, 2, COARSE, 2).mean(axis=(2, 4))


# Step 3: verification -----------------------------------------------------------------------------------------------


class _FineCopies:
    """128 x 128 float copies and their band, opened when needed; the last 1,500 are kept (128 KB each)."""

    def __init__(self, examples: Examples, which: np.ndarray, keep: int = 1500) -> None:
        self._examples, self._which, self._keep = examples, which, keep
        self._copies: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def whole(self, position: int) -> np.ndarray:
        return self._get(position)[0]

    def band(self, position: int) -> np.ndarray:
        return self._get(position)[1]

    def _get(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        if position in self._copies:
            self._copies.move_to_end(position)
            return self._copies[position]
        path = self._examples.root / str(self._examples.path[self._which[position]])
        try:
            image = open_picture(path, draft_size=FINE).convert("L").convert("F")  # floats: no rounding on the way
            copy = np.asarray(image.resize((FINE, FINE), Image.Resampling.LANCZOS), dtype=np.float32)
        except PictureError:  # vanished since the facts were gathered: it agrees with nothing
            copy = np.zeros((FINE, FINE), dtype=np.float32)
        self._copies[position] = copy, band_pass(copy[None], *BAND)[0]
        if len(self._copies) > self._keep:
            self._copies.popitem(last=False)
        return self._copies[position]


def _verify(
    pairs: np.ndarray, moves: np.ndarray, near: np.ndarray, copies: _FineCopies, *, aligned: bool
) -> np.ndarray:
    """`(m,)` partial correlation of fine structure given similar pictures, the better of aligned and as it stands."""
    a, b = (np.stack([copies.whole(i) for i in pairs[:, side].tolist()]) for side in (0, 1))
    band_a, band_b = (np.stack([copies.band(i) for i in pairs[:, side].tolist()]) for side in (0, 1))
    still = np.zeros((len(pairs), 4), np.float32)
    tried = [still, align(a, b, moves, steps=((3, 1.5), (2, 1.0)), wide=8.0)] if aligned else [still]
    others = [[r for r in near[i, FIRST_REFERENCE:].tolist() if r != j] for i, j in pairs.tolist()]
    best = np.full(len(pairs), -1.0)
    for p in tried:
        warped, inside = warp(band_b, p)
        for row, partners in enumerate(others):
            references = np.stack([copies.band(r) for r in partners]) if partners else np.empty((0, FINE, FINE))
            best[row] = max(best[row], _partial(band_a[row], warped[row], inside[row], references))
    detail = np.minimum(band_a.std(axis=(1, 2)), band_b.std(axis=(1, 2)))
    return np.where(detail >= LEAST_DETAIL, best, 0.0)


def _partial(a: np.ndarray, b: np.ndarray, inside: np.ndarray, references: np.ndarray) -> float:
    """Correlation of `a` and `b`, or what is left of it after regressing both on `references` if that is less."""
    stacked = np.concatenate([a[None], b[None], references])
    x = centre(stacked, np.broadcast_to(inside, stacked.shape)).reshape(len(stacked), -1)
    x, z = x[:2], x[2:]
    plain = _cosine(x)
    if not len(z):
        return plain
    normal = (z @ z.T).astype(np.float64)
    normal += np.eye(len(z)) * (1e-2 * np.trace(normal) / len(z) + 1e-6)
    return min(plain, _cosine(x - np.linalg.solve(normal, z @ x.T).T.astype(np.float32) @ z))


def _cosine(x: np.ndarray) -> float:
    return float(x[0] @ x[1] / np.sqrt((x[0] @ x[0]) * (x[1] @ x[1]) + 1e-9))


def _digest(values: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(values).encode(), digest_size=16).hexdigest()
