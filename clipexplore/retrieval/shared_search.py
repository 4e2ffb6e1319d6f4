"""Searches of all visitors in one pass: who asks of the same large matrix at the same time shares each read of it.

A small matrix is searched on the caller's thread: waiting for company would take longer than the search.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import defaultdict
from collections.abc import Collection as Rows
from functools import cache

import numpy as np

from clipexplore.batcher import Batcher
from clipexplore.cluster.connection import is_set
from clipexplore.retrieval.coarse import Coarse, Damaged, forget
from clipexplore.retrieval.nearest import Hits, Scan, joined, search

log = logging.getLogger(__name__)

TOGETHER_FROM = 20_000  # rows: below, a pass takes about as long as waiting for others would
COARSE_FROM = 100_000  # rows, from which a copy in one byte a number is made and searched first
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
        hits = _search(queries, embeddings, most)
        found |= {place: _without(hits.of(number), *asked[place][2:]) for number, place in enumerate(same)}
    return [found[place] for place in range(len(asked))]


def _search(queries: np.ndarray, embeddings: np.ndarray, k: int) -> Hits:
    try:
        return search(queries, embeddings, k, scan=_scan(embeddings))
    except Damaged:
        log.warning("the copy of %d rows that is searched first is damaged, and made again", len(embeddings))
        forget(embeddings)
        del _copies[id(embeddings)]
        return search(queries, embeddings, k)


def _scan(embeddings: np.ndarray) -> Scan | None:
    """What finds candidates faster than a pass through the matrix, if anything does."""
    if is_set():
        from clipexplore.cluster.searching import Shards

        return Shards(embeddings)
    return _coarse(embeddings)


def _without(hits: Hits, k: int, exclude: tuple[int, ...]) -> Hits:
    """The first k hits of one query that are not left out."""
    kept = np.flatnonzero(~np.isin(hits.indices[0], exclude))[:k]
    return Hits(hits.indices[:, kept], hits.cosines[:, kept], hits.z[:, kept], hits.mean, hits.std)


_copies: dict[int, Coarse | None] = {}  # by the id of the matrix; None while it is made, and where that failed


def _coarse(embeddings: np.ndarray) -> Coarse | None:
    """The copy of a matrix, if there is one; if it is worth one, it is opened or made meanwhile."""
    key = id(embeddings)
    if key not in _copies and len(embeddings) >= COARSE_FROM:
        _copies[key] = None
        weakref.finalize(embeddings, _copies.pop, key, None)
        threading.Thread(target=_copy, args=(weakref.ref(embeddings), key), name="coarse", daemon=True).start()
    return _copies.get(key)


def _copy(matrix: weakref.ref, key: int) -> None:
    if (embeddings := matrix()) is None:
        return
    try:
        made = Coarse.of(embeddings)
        if key in _copies:  # else the matrix has gone meanwhile
            _copies[key] = made
    except Exception:  # without a copy the search is slower and as exact
        log.exception("no copy of a matrix of %d rows", len(embeddings))
