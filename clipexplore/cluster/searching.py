"""Search on the cluster: one actor per shard of rows, which says what of it can be among the nearest.

What they find is scored here once more, as every search does, so the hits are those of one machine. Ray restarts an
actor whose node dies on another one, and asks it again.
"""

from __future__ import annotations

import math
import uuid
import weakref
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from clipexplore.cluster.connection import ask
from clipexplore.cluster.driver import ATTEMPTS, again, awaited, connected, forget, nodes, once
from clipexplore.retrieval.nearest import candidates, mapped_file

SHARD = 20_000  # rows at least: of fewer the asking takes longer than the search
SHARDS = "shards"  # kind of what the driver makes once
LONGEST = 60.0  # seconds until somebody who asks is told that nothing comes
Found = tuple[list[np.ndarray], np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Mapped:
    """Rows that lie in a file which every node sees under this path; `offset` in bytes."""

    path: str
    dtype: np.dtype
    offset: int
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Mapped:
        start, stop, _step = rows.indices(len(self))
        width = self.shape[1]
        return Mapped(self.path, self.dtype, self.offset + start * width * self.dtype.itemsize, (stop - start, width))

    def open(self) -> np.ndarray:
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)


Rows = Mapped | np.ndarray


class Shard:
    """Some rows of a matrix, on a node: those of a file, or such as were sent."""

    def __init__(self, rows: Rows):
        self._rows = rows.open() if isinstance(rows, Mapped) else rows

    def candidates(self, queries: np.ndarray, k: int, left_out: np.ndarray) -> Found:
        return candidates(self._rows, None, queries, k, left_out)


class Shards:
    """All rows of a matrix; a `nearest.Scan`.

    Rows that lie in a file are told by where they lie; others are sent once.
    """

    def __init__(self, embeddings: np.ndarray):
        self._key, self._embeddings = _key(embeddings), embeddings

    def candidates(self, queries: np.ndarray, k: int, left_out: np.ndarray) -> Found:
        """The rows of each query that can be its k nearest, rising; mean and std `(q,)` of its cosines with all rows.

        Raises
        ------
        NetworkError
            If the cluster does not answer.
        """
        file = mapped_file(self._embeddings)
        rows = file if file is None else Mapped(str(file.filename), file.dtype, file.offset, self._embeddings.shape)
        gone = tuple(_gone)
        found = ask(_candidates, self._key, rows, queries, k, left_out, gone)
        _gone.difference_update(gone)
        if found is None:
            found = ask(_candidates, self._key, self._embeddings, queries, k, left_out, ())
        assert found is not None  # noqa: S101 – for mypy
        return found


_keys: dict[int, str] = {}  # of a matrix, by its id
_gone: set[str] = set()  # keys whose matrix there is no more


def _key(embeddings: np.ndarray) -> str:
    if (place := id(embeddings)) not in _keys:
        _keys[place] = uuid.uuid4().hex
        weakref.finalize(embeddings, lambda: _gone.add(_keys.pop(place)))
    return _keys[place]


# What follows is the driver's.


def _candidates(
    key: str, rows: Rows | None, queries: np.ndarray, k: int, left_out: np.ndarray, gone: tuple[str, ...]
) -> Found | None:
    """As `Shards.candidates`; None where the rows are still to be sent. Of matrices that are gone, lets go."""
    from ray.exceptions import RayActorError

    for each in gone:
        forget((SHARDS, each))

    def found() -> Found:
        try:
            return once((SHARDS, key), lambda: _Shards(rows)).candidates(queries, k, left_out)
        except RayActorError:
            forget((SHARDS, key))
            raise

    try:
        return again(found)
    except _NoRows:
        return None


class _NoRows(Exception):
    """There are none yet."""


class _Shards:
    """The shards of all rows, spread over the nodes."""

    def __init__(self, rows: Rows | None):
        if rows is None:
            raise _NoRows
        ray = connected()
        there = sum(node.alive for node in nodes())
        count = max(1, min(there, math.ceil(len(rows) / SHARD)))
        edges = np.linspace(0, len(rows), count + 1).astype(int)
        self._starts, self._sizes = edges[:-1], np.diff(edges)
        kind = ray.remote(Shard).options(
            num_cpus=0.03,
            max_restarts=ATTEMPTS - 1,
            max_task_retries=ATTEMPTS - 1,
            scheduling_strategy="SPREAD",
        )
        # Held here, since an actor that begins anew needs them once more.
        self._rows = [ray.put(rows[start:stop]) for start, stop in pairwise(edges.tolist())]
        self._shards = [kind.remote(each) for each in self._rows]

    def candidates(self, queries: np.ndarray, k: int, left_out: np.ndarray) -> Found:
        asked = [
            shard.candidates.remote(queries, k, left_out[(left_out >= start) & (left_out < start + size)] - start)
            for shard, start, size in zip(self._shards, self._starts, self._sizes, strict=True)
        ]
        found: Any = awaited(lambda moment: connected().get(asked, timeout=moment), LONGEST)
        rows = [
            np.concatenate([own[query] + start for (own, _m, _s), start in zip(found, self._starts, strict=True)])
            for query in range(len(queries))
        ]
        means, stds = (np.stack([part[place] for part in found]).astype(np.float64) for place in (1, 2))
        shares = (self._sizes / self._sizes.sum())[:, None]
        mean = (shares * means).sum(axis=0)
        variance = (shares * (stds**2 + (means - mean) ** 2)).sum(axis=0)
        return rows, mean.astype(np.float32), np.sqrt(variance).astype(np.float32)
