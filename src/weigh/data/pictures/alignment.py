"""Laying one small grey picture on another: scale and shift by Gauss-Newton, and the correlation that remains.

Before it: candidate pairs of copies (`near_copies.py`). After it: their verification. All arrays are `(m, side, side)`
float32, m pairs at once.

References:
    Evangelidis & Psarakis (2008), Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

__all__ = ["align", "band_pass", "centre", "correlation", "warp"]


def align(
    a: np.ndarray, b: np.ndarray, start: np.ndarray, *, steps: Sequence[tuple[int, float]], wide: float
) -> np.ndarray:
    """`(m, 4)` scale - 1 and shift in x, then in y, that lay `b` on `a` (both `(m, side, side)`); at most a fifth each."""
    side = a.shape[1]
    u = np.linspace(-1, 1, side, dtype=np.float32)
    p = start.copy()
    # the shape of the warp is regularised lightly, gain and offset hardly
    ridge = np.array([1, 1, 1, 1, 1e-3, 1e-3], np.float32) * np.eye(6, dtype=np.float32)
    for iterations, sigma in steps:
        fixed, moving = band_pass(a, sigma, wide), band_pass(b, sigma, wide)
        gy, gx = (g * ((side - 1) / 2) for g in np.gradient(moving, axis=(1, 2)))
        for _ in range(iterations):
            warped, dx, dy, inside = warp_all(p, moving, gx, gy)
            columns = (dx * u, dx, dy * u[:, None], dy, warped, np.ones_like(warped))
            f = (np.stack(columns, axis=1) * inside[:, None]).reshape(len(a), 6, -1)
            normal = f @ f.transpose(0, 2, 1)
            normal += ridge * (1e-3 * np.trace(normal, axis1=1, axis2=2) / 6 + 1e-6)[:, None, None]
            solved = np.linalg.solve(normal, f @ (fixed * inside).reshape(len(a), -1, 1))[..., 0]
            p = np.clip(p + np.clip(solved[:, :4] / np.maximum(solved[:, 4:5], 0.2), -0.08, 0.08), -0.2, 0.2)
    return p


def warp(x: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pictures moved by `p` (bilinear; scale and shift are separable), and where they have values (0 or 1)."""
    warped, inside = warp_all(p, x)
    return warped, inside


def warp_all(p: np.ndarray, *stacks: np.ndarray) -> list[np.ndarray]:
    """Several `(m, side, side)` arrays moved by the same `p`, and last where they have values."""
    side = stacks[0].shape[1]
    u, pixel = np.linspace(-1, 1, side, dtype=np.float32), np.arange(side, dtype=np.float32)

    def weights(scale: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = ((1 + scale[:, None]) * u + shift[:, None] + 1) * ((side - 1) / 2)
        return np.maximum(0, 1 - np.abs(at[:, :, None] - pixel)), (at >= -1e-3) & (at <= side - 1 + 1e-3)

    (wx, in_x), (wy, in_y) = weights(p[:, 0], p[:, 1]), weights(p[:, 2], p[:, 3])
    wx = wx.transpose(0, 2, 1)
    return [*(wy @ x @ wx for x in stacks), (in_y[:, :, None] & in_x[:, None, :]).astype(np.float32)]


def band_pass(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Difference of two Gaussian blurs of `(m, side, side)`, edges repeated."""
    fine, wide = _blur(x.shape[1], low), _blur(x.shape[1], high)
    return fine @ x @ fine.T - wide @ x @ wide.T


@cache
def _blur(side: int, sigma: float) -> np.ndarray:
    """`(side, side)` matrix that blurs a column: for small pictures a product is faster than a convolution."""
    reach = int(3 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    matrix = np.zeros((side, side))
    for row in range(side):
        at = np.clip(np.arange(row - reach, row + reach + 1), 0, side - 1)
        np.add.at(matrix[row], at, kernel / kernel.sum())
    return matrix.astype(np.float32)


def correlation(a: np.ndarray, b: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """`(n,)` correlations of grey pictures `a` and `b`, `(n, height, width)` each, over the pixels where `inside` is 1."""
    a, b = centre(a, inside), centre(b, inside)
    return (a * b).sum((1, 2)) / np.sqrt((a * a).sum((1, 2)) * (b * b).sum((1, 2)) + 1e-9)


def centre(x: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Pictures `(n, height, width)` less the mean of their pixels inside; 0 outside."""
    return (x - ((x * inside).sum((1, 2)) / np.maximum(inside.sum((1, 2)), 1))[:, None, None]) * inside
