"""Search on the cluster: one actor per shard of rows, which says what of it can be among the nearest.

What they find is scored here once more, as every search does, so the hits are those of one machine. Ray restarts an
actor whose node dies on another one, and asks it again.
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from clipexplore.cluster.connection import awaited, connected, errors_in_words, forget, nodes, once
from clipexplore.retrieval.nearest import candidates, mapped_file

SHARD = 20_000  # rows at least: of fewer the asking takes longer than the search
LONGEST = 60.0  # seconds until somebody who asks is told that nothing comes


@dataclass(frozen=True)
class Mapped:
    """Rows that lie in a file which every node sees under this path; `offset` in bytes."""

    path: str
    dtype: np.dtype
    offset: int
    shape: tuple[int, int]

    def open(self) -> np.ndarray:
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)


class Shard:
    """Some rows of a matrix, on a node: those of a file, or such as were sent."""

    def __init__(self, rows: Mapped | np.ndarray):
        self._rows = rows.open() if isinstance(rows, Mapped) else rows

    def candidates(
        self, queries: np.ndarray, k: int, left_out: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        return candidates(self._rows, None, queries, k, left_out)


class Shards:
    """All rows of a matrix; a `nearest.Scan`."""

    def __init__(self, embeddings: np.ndarray):
        ray = connected()
        there = sum(node.alive for node in nodes())
        count = max(1, min(there, math.ceil(len(embeddings) / SHARD)))
        edges = np.linspace(0, len(embeddings), count + 1).astype(int)
        self._starts, self._sizes = edges[:-1], np.diff(edges)
        kind = ray.remote(Shard).options(
            num_cpus=0.03, max_restarts=-1, max_task_retries=-1, scheduling_strategy="SPREAD"
        )
        # Held here, since an actor that begins anew needs them once more.
        self._rows = [ray.put(_located(embeddings, *ends)) for ends in pairwise(edges.tolist())]
        self._shards = [kind.remote(rows) for rows in self._rows]

    def candidates(
        self, queries: np.ndarray, k: int, left_out: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """The rows of each query that can be its k nearest, rising; mean and std `(q,)` of its cosines with all rows.

        Raises
        ------
        NetworkError
            If the cluster does not answer.
        """
        ray = connected()
        asked = [
            shard.candidates.remote(queries, k, left_out[(left_out >= start) & (left_out < start + size)] - start)
            for shard, start, size in zip(self._shards, self._starts, self._sizes, strict=True)
        ]
        with errors_in_words():
            found = awaited(lambda moment: ray.get(asked, timeout=moment), LONGEST)
        rows = [
            np.concatenate([own[query] + start for (own, _m, _s), start in zip(found, self._starts, strict=True)])
            for query in range(len(queries))
        ]
        means, stds = (np.stack([part[place] for part in found]).astype(np.float64) for place in (1, 2))
        shares = (self._sizes / self._sizes.sum())[:, None]
        mean = (shares * means).sum(axis=0)
        variance = (shares * (stds**2 + (means - mean) ** 2)).sum(axis=0)
        return rows, mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def shards_of(embeddings: np.ndarray) -> Shards:
    """The shards of a matrix, made once, and let go of with it. Raises as `connection.connected`."""
    connected()
    key = "shards", id(embeddings)

    def made() -> Shards:
        weakref.finalize(embeddings, forget, key)
        return Shards(embeddings)

    return once(key, made)


def _located(embeddings: np.ndarray, start: int, stop: int) -> Any:
    """Rows from `start` to `stop` as a shard opens them: where they lie in a file, so nothing is sent."""
    if (file := mapped_file(embeddings)) is None:
        return embeddings[start:stop]
    width = embeddings.shape[1]
    offset = file.offset + start * width * embeddings.itemsize
    return Mapped(str(file.filename), embeddings.dtype, offset, (int(stop - start), width))
