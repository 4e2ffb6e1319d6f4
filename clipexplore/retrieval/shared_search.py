"""Searches of all visitors in one pass: who asks of the same large matrix at the same time shares each read of it.

A small matrix is searched on the caller's thread: waiting for company would take longer than the search.
"""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from collections import defaultdict
from collections.abc import Collection as Rows
from functools import cache

import numpy as np

from clipexplore.batcher import Batcher
from clipexplore.cluster.connection import is_set
from clipexplore.retrieval.nearest import Hits, Scan, joined, search

log = logging.getLogger(__name__)

TOGETHER_FROM = 20_000  # rows: below, a pass takes about as long as waiting for others would
ROUNDED_FROM = 50_000  # rows, from which a copy in bfloat16 is made once several ask together
MANY = 8  # queries that ask together
LARGE = 2_000_000  # rows, from which a query alone takes long enough that the copy is made for whoever comes first
MOST_QUERIES = 64


def shared_search(queries: np.ndarray, embeddings: np.ndarray, k: int, exclude: Rows[int] = ()) -> Hits:
    """As `nearest.search`, for queries `(q, dim)`; waits for the answer."""
    if len(embeddings) < TOGETHER_FROM or not len(queries):
        return search(queries, embeddings, k, exclude)
    return joined(_together().call([(query, embeddings, k, tuple(exclude)) for query in queries]))


@cache
def _together() -> Batcher:
    return Batcher(answer, MOST_QUERIES, window=0.002)


def answer(asked: list[tuple[np.ndarray, np.ndarray, int, tuple[int, ...]]]) -> list[Hits]:
    """The hits of each (query, matrix, k, rows left out), in one pass through each matrix."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, (_, embeddings, *_) in enumerate(asked):
        places[id(embeddings)].append(place)
    found: dict[int, Hits] = {}
    for same in places.values():
        queries, embeddings = np.stack([asked[place][0] for place in same]), asked[same[0]][1]
        most = max(asked[place][2] + len(asked[place][3]) for place in same)
        hits = search(queries, embeddings, most, scan=_scan(embeddings, len(same)))
        found |= {place: _without(hits.of(number), *asked[place][2:]) for number, place in enumerate(same)}
    return [found[place] for place in range(len(asked))]


def _scan(embeddings: np.ndarray, queries: int) -> Scan | None:
    """What finds candidates faster than a pass through the matrix, if anything does."""
    if is_set():
        from clipexplore.cluster.searching import shards_of

        return shards_of(embeddings)
    return _rounded(embeddings, queries)


def _without(hits: Hits, k: int, exclude: tuple[int, ...]) -> Hits:
    """The first k hits of one query that are not left out."""
    kept = np.flatnonzero(~np.isin(hits.indices[0], exclude))[:k]
    return Hits(hits.indices[:, kept], hits.cosines[:, kept], hits.z[:, kept], hits.mean, hits.std)


_copies: dict[int, Scan | None] = {}  # by the id of the matrix; None while it is made, and where it does not pay


def _rounded(embeddings: np.ndarray, queries: int) -> Scan | None:
    """The rounded copy of a matrix, if there is one; if it is worth one, it is made meanwhile."""
    key = id(embeddings)
    wanted = len(embeddings) >= (ROUNDED_FROM if queries >= MANY else LARGE)
    if key not in _copies and wanted and "torch" in sys.modules:
        _copies[key] = None
        weakref.finalize(embeddings, _copies.pop, key, None)
        threading.Thread(target=_copy, args=(weakref.ref(embeddings), key), name="coarse", daemon=True).start()
    return _copies.get(key)


def _copy(matrix: weakref.ref, key: int) -> None:
    from clipexplore.retrieval.coarse import Coarse, pays

    if (embeddings := matrix()) is None:
        return
    try:
        if pays(embeddings.shape[1]):
            made = Coarse(embeddings)
            if key in _copies:  # else the matrix has gone meanwhile
                _copies[key] = made
    except Exception:  # without a copy the search is slower and as exact
        log.exception("no rounded copy of a matrix of %d rows", len(embeddings))
