"""Exact search: the rows of a matrix that are nearest to a query.

A matrix product that many queries share beats an approximate index up to a million rows, misses nothing and needs
nothing built.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import normalize

_SCORES_AT_ONCE = 1 << 19  # 2 MB of float32, which stay in the cache while they are looked through
_ROWS_AT_ONCE = 4_096, 32_768  # at least and at most
ROUNDING = 1e-5  # more than two float32 products of unit vectors of 1,024 dimensions ever differ by


@dataclass(frozen=True, eq=False)
class Hits:
    """The nearest rows of each query, best first; equal cosines in row order.

    Attributes
    ----------
    indices
        `(q, k)`, int.
    cosines
        `(q, k)`, float32, in [−1, 1].
    z
        `(q, k)`, float32: (cosine − mean) / std; 0 where all cosines are equal.
    mean, std
        `(q,)`, float32: of the cosines of that query with all n rows, the excluded ones too.
    """

    indices: np.ndarray
    cosines: np.ndarray
    z: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    def of(self, query: int) -> "Hits":
        """Those of one query."""
        return Hits(*(part[query : query + 1] for part in vars(self).values()))


def joined(hits: Sequence[Hits]) -> Hits:
    """Hits of several queries, at least one, each with as many results, as one."""
    return Hits(*map(np.concatenate, zip(*(vars(each).values() for each in hits), strict=True)))


class Scan(Protocol):
    """A faster way to know which rows can be among the nearest: see `coarse.Coarse`."""

    def candidates(
        self, queries: np.ndarray, k: int, left_out: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]: ...


def search(
    queries: np.ndarray,
    embeddings: np.ndarray,
    k: int,
    exclude: Iterable[int] = (),
    scan: Scan | None = None,
    among: np.ndarray | None = None,
) -> Hits:
    """The k rows of highest cosine for each query, found exactly.

    Queries share each read of the matrix, which is read a block at a time and may be a memory map; only what can be
    among the best k is looked at again. Those few are scored in float64, so a row's cosine does not depend on who else
    asked.

    Parameters
    ----------
    queries
        `(q, dim)`, of any length but zero.
    embeddings
        `(n, dim)`, float32 or float16, unit norm.
    k
        At least 1; fewer hits are returned where there are fewer rows.
    exclude
        Rows that are not returned.
    scan
        What finds the candidates instead of a pass through `embeddings`, which it was made of.
    among
        The rows `(m,)` that are searched, all different, which are read a block at a time too; all by default. Mean,
        standard deviation and z are those of these rows.

    Raises
    ------
    InputError
        For k below 1, and for a query that is zero or not finite.
    """
    if k < 1:
        raise InputError(_("k is {k}; ask for at least 1 result.").format(k=k))
    queries = normalize(queries)
    left_out = np.array(sorted(set(exclude)), np.intp)
    if among is not None:  # from here on a row is a place in `among`
        left_out = np.flatnonzero(np.isin(among, left_out))
    count, k = len(queries), min(k, len(embeddings if among is None else among) - len(left_out))
    indices, cosines = np.empty((count, k), np.intp), np.empty((count, k), np.float32)
    find = scan.candidates if scan else partial(candidates, embeddings, among)
    rows, mean, std = find(queries, k, left_out)
    if among is not None:
        rows = [among[places] for places in rows]
    for number in range(count):
        indices[number], cosines[number] = _best(queries[number], rows[number], embeddings, k)
    spread = np.where(std > ROUNDING, std, np.inf)
    return Hits(indices, cosines, (cosines - mean[:, None]) / spread[:, None], mean, std)


def candidates(
    embeddings: np.ndarray, among: np.ndarray | None, queries: np.ndarray, k: int, left_out: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Per query the rows, or places in `among`, that can be its k nearest; mean and std `(q,)` of all its cosines."""
    count, total = len(queries), len(embeddings if among is None else among)
    finders = [Finder(k) for _ in range(count)]
    (sums, squares), first = np.zeros((2, count)), None
    at_once = min(max(_SCORES_AT_ONCE // max(count, 1), _ROWS_AT_ONCE[0]), _ROWS_AT_ONCE[1])
    # One buffer for the scores of every block: new memory for each would cost more than the search.
    room = np.empty(count * min(at_once, total), np.float32)
    for start in range(0, total if count else 0, at_once):
        part = slice(start, start + at_once)
        block = np.asarray(embeddings[part if among is None else among[part]], np.float32)
        scores = _scores(queries, block, room[: count * len(block)])
        first = scores[:, :1].copy() if first is None else first
        scores -= first  # so that squares of nearly equal numbers do not swallow their difference
        sums += scores.sum(axis=1)
        squares += np.vecdot(scores, scores)
        look(finders, scores, start, left_out)
    shift = 0 if first is None else first[:, 0]
    mean = sums / max(total, 1)
    std = np.sqrt(np.maximum(squares / max(total, 1) - mean**2, 0))
    return [finder.rows for finder in finders], (mean + shift).astype(np.float32), std.astype(np.float32)


def _scores(queries: np.ndarray, block: np.ndarray, room: np.ndarray) -> np.ndarray:
    """The products of queries `(q, dim)` and rows `(n, dim)`, `(q, n)`, written into `room`."""
    if len(queries) == 1:  # row by row, on one core: threads that share so short a product wait for each other
        return np.vecdot(block, queries[0], out=room)[None]
    return np.matmul(queries, block.T, out=room.reshape(len(queries), -1))


class Finder:
    """The rows that can be among the k of highest cosine, from scores that come block by block.

    Parameters
    ----------
    slack
        How far apart two scores may be of which the lower one belongs to the higher cosine.

    Attributes
    ----------
    floor
        A row with a lower score is none of them.
    rows
        In ascending order.
    """

    def __init__(self, k: int, slack: float = ROUNDING):
        self._k, self._slack = k, slack
        self.floor = -np.finfo(np.float32).max if k else np.inf
        self.rows = np.empty(0, np.intp)
        self._scores, self._least = np.empty((2, 0), np.float32)

    def look(self, scores: np.ndarray, start: int, errors: np.ndarray | None = None) -> None:
        """Takes what can be among the best from the scores `(n,)` of the rows from `start` on, and lets go of what can
        be none of them any more.

        Parameters
        ----------
        errors
            `(n,)`: the most by which a cosine was wrong when its score was made; it is in the score already, so that
            this is the highest that the cosine can be.
        """
        if len(scores) > 4 * self._k and len(self.rows) < self._k:  # at first everything could: begin with the best
            sure = scores if errors is None else scores - 2 * errors
            self.floor = max(self.floor, np.partition(sure, -self._k)[-self._k] - self._slack)
        found = np.flatnonzero(scores >= self.floor)
        own = scores[found]
        self.rows = np.concatenate([self.rows, found + start])
        self._scores = np.concatenate([self._scores, own])
        self._least = np.concatenate([self._least, own - self._slack - (0 if errors is None else 2 * errors[found])])
        if len(self.rows) > self._k:
            self.floor = max(self.floor, np.partition(self._least, -self._k)[-self._k])
            kept = self._scores >= self.floor
            self.rows, self._scores, self._least = self.rows[kept], self._scores[kept], self._least[kept]


def look(
    finders: Sequence[Finder],
    scores: np.ndarray,
    start: int,
    left_out: np.ndarray,
    errors: np.ndarray | None = None,
) -> None:
    """Lets each look at its scores `(q, n)` of the rows from `start` on, but for those left out, which are rising."""
    inside = left_out[np.searchsorted(left_out, start) : np.searchsorted(left_out, start + scores.shape[1])]
    scores[:, inside - start] = -np.inf
    for finder, own, highest in zip(finders, scores, scores.max(axis=1), strict=True):
        if highest >= finder.floor:
            finder.look(own, start, errors)


def _best(query: np.ndarray, rows: np.ndarray, embeddings: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k of some rows that have the highest cosine, and their cosines."""
    if k == 0:
        return np.empty(0, np.intp), np.empty(0, np.float32)
    query, parts = query.astype(np.float64), range(0, len(rows), _ROWS_AT_ONCE[0])
    # Where all are alike, all are candidates.
    cosines = np.concatenate([np.vecdot(embeddings[rows[at : at + _ROWS_AT_ONCE[0]]], query) for at in parts])
    order = np.argsort(-cosines, kind="stable")[:k]
    return rows[order], cosines[order].clip(-1, 1)


def mapped_file(embeddings: np.ndarray) -> np.memmap | None:
    """The map of a whole file that a matrix is; None where it lies in memory."""
    base: Any = embeddings
    while base is not None and not (isinstance(base, np.memmap) and base.filename):
        base = getattr(base, "base", None)
    same = base is not None and embeddings.flags.c_contiguous and embeddings.nbytes == base.nbytes
    return base if same else None
