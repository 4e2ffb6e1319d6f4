"""A copy of a matrix in bfloat16: read twice as fast, and multiplied by units made for it on a GPU or a CPU with AMX.

It names every row that can be among the nearest, by a bound on what rounding can do, and `nearest.search` scores those
few in float64. So the result is exact, and torch is imported only where a matrix is large and many ask.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from clipexplore.retrieval.nearest import Finder

# Rounding a unit vector to 8 significant bits moves it by at most 2⁻⁸ of its length. Query, row and product are rounded
# once each, and a GPU may round a sum of parts once more: |score − cosine| ≤ 4 · 2⁻⁸, so two scores are in doubt when
# they are within twice that.
_SLACK = 8 * 2.0**-8
_SCORES_AT_ONCE = 1 << 21
_BLOCK = 65_536  # rows that are copied at a time


class Coarse:
    """A matrix of unit vectors, rounded; never changed after it was made, so any number of threads may ask.

    Parameters
    ----------
    embeddings
        `(n, dim)`, float32 or float16, unit norm; may be a memory map. The copy takes 2 bytes a number.
    device
        Where the copy is; by default the GPU if there is one.
    """

    def __init__(self, embeddings: np.ndarray, device: str | None = None):
        import torch

        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._rows = torch.empty(embeddings.shape, dtype=torch.bfloat16, device=self._device)
        dim, total = embeddings.shape[1], len(embeddings)
        middle: Any = None
        mean, moment = np.zeros(dim), np.zeros((dim, dim))
        for start in range(0, total, _BLOCK):
            block = torch.from_numpy(np.array(embeddings[start : start + _BLOCK], np.float32)).to(self._device)
            self._rows[start : start + _BLOCK] = block.bfloat16()
            middle = block.mean(dim=0) if middle is None else middle
            block -= middle  # so that squares of nearly equal numbers do not swallow their difference
            mean += block.sum(dim=0, dtype=torch.float64).cpu().numpy()
            moment += (block.T @ block).double().cpu().numpy()
        self._mean = mean / total + middle.double().cpu().numpy()
        self._covariance = moment / total - np.outer(mean, mean) / total**2

    def candidates(
        self, queries: np.ndarray, k: int, left_out: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Per query the rows that can be among its k nearest; exact mean and deviation `(q,)` of all cosines."""
        import torch

        finders = [Finder(k, _SLACK) for _ in queries]
        asked = torch.from_numpy(queries).to(self._device).bfloat16()
        at_once = max(_SCORES_AT_ONCE // max(len(queries), 1), 4_096)
        with torch.inference_mode():
            for start in range(0, len(self._rows) if len(queries) else 0, at_once):
                scores = (asked @ self._rows[start : start + at_once].T).float().cpu().numpy()
                inside = left_out[np.searchsorted(left_out, start) : np.searchsorted(left_out, start + at_once)]
                scores[:, inside - start] = -np.inf
                for finder, own, highest in zip(finders, scores, scores.max(axis=1), strict=True):
                    if highest >= finder.floor:
                        finder.look(own, start)
        exact = queries.astype(np.float64)
        variance = np.einsum("qi,ij,qj->q", exact, self._covariance, exact, optimize=True)
        return (
            [finder.rows for finder in finders],
            (exact @ self._mean).astype(np.float32),
            np.sqrt(variance.clip(0)).astype(np.float32),
        )


def pays(dim: int = 512) -> bool:
    """Whether this machine multiplies bfloat16 clearly faster than float32; takes some milliseconds."""
    import torch

    if torch.cuda.is_available():
        return True
    rows, asked = torch.ones(8_192, dim), torch.ones(32, dim)
    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        a, b = asked.to(kind), rows.to(kind).T
        a @ b
        begun = time.perf_counter()
        for _ in range(3):
            a @ b
        seconds[kind] = time.perf_counter() - begun
    return seconds[torch.bfloat16] * 1.3 < seconds[torch.float32]
