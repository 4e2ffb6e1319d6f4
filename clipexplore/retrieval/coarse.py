"""A copy of a matrix in one byte a number, of which a search reads a fourth of what float32 takes.

It names every row that can be among the nearest, and `nearest.search` scores those few in float64. A row is the middle
of all rows plus whole numbers from −127 to 127 times a scale of its own, and how far the row lies from that is kept: by
Cauchy and Schwarz no cosine is further from its estimate. So none of the nearest is missed, whatever the vectors are.

The copy lies in two files beside the one that the matrix is mapped from: what is large is mapped too, and compared with
its checksums as it is first read.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from clipexplore.retrieval.nearest import Finder, look, mapped_file

BLOCK = 32_768  # rows that are encoded, and have a checksum, together
MANY = 8  # queries, from which a product of matrices is faster than one row after the other
_CAST_AT_ONCE = 2_048  # rows of float32 that stay in the cache until they are multiplied
_STREAMS = 4  # places of a block that are read in turn: memory gives several at once faster than one
_SAMPLE = 65_536  # rows, the mean of which is the middle
_MOST = 127  # the highest whole number
_ROUNDING = 2e-4  # more than a sum of 1,024 products in float32 is ever wrong by, of vectors of length 1
# Rounding a number to 8 significant bits changes it by at most 2⁻⁸ of it. Query and product are rounded once each, and
# a GPU may round a sum of parts once more; the whole numbers are exact.
_BFLOAT16 = 3 * 2.0**-8


#: Writes the highest that the cosines of all queries with some rows can be; the middle's part is given.
Score = Callable[[slice, np.ndarray, np.ndarray], None]


class Damaged(Exception):
    """The files are not what was written."""


@dataclass(frozen=True, eq=False)
class Measures:
    """What is known of the rows, beside their whole numbers.

    Attributes
    ----------
    middle
        `(dim,)` float32, from which rows are counted.
    scales, errors
        `(n,)` float32: what the whole numbers of a row are multiplied by, and how far it lies from what that gives.
    reach
        No row is further from the middle, and nor is what its whole numbers give.
    mean, covariance
        `(dim,)` and `(dim, dim)` float64, of all rows.
    checks
        `(blocks,)` uint32, a checksum of the whole numbers of each block.
    """

    middle: np.ndarray
    scales: np.ndarray
    errors: np.ndarray
    reach: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    checks: np.ndarray


class Coarse:
    """A matrix of vectors of length 1 or 0, encoded; any number of threads may ask.

    Parameters
    ----------
    codes
        `(n, dim)` int8; may be a memory map.
    """

    def __init__(self, codes: np.ndarray, measures: Measures):
        self._codes, self._measures = codes, measures
        self._unchecked = set(range(len(measures.checks)))
        one = slice(1)  # so that it is compiled before somebody waits
        score, _ = self._row_by_row(np.ones((1, codes.shape[1]), np.float32))
        score(one, np.zeros(1, np.float32), np.empty((1, len(codes[one])), np.float32))

    @cached_property
    def _device(self) -> Any:
        return fast_device()

    @classmethod
    def of(cls, embeddings: np.ndarray) -> Coarse:
        """That of a matrix `(n, dim)`, float32 or float16.

        If it is mapped as a whole from an NPY, the copy is read from beside that, and written there where it is missing
        or damaged. Else it is held in memory.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        if not (files := _files(embeddings)):
            held = io.BytesIO()
            measures = _encode(embeddings, held.write)
            return cls(np.frombuffer(held.getbuffer(), np.int8).reshape(embeddings.shape), measures)
        with suppress(Exception):  # whatever is wrong with the files, they are made again
            return cls(*_read(*files, embeddings.shape))
        _write(*files, embeddings)
        return cls(*_read(*files, embeddings.shape))

    def candidates(
        self, queries: np.ndarray, k: int, left_out: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Per query the rows that can be among its k nearest; exact mean and deviation `(q,)` of all cosines.

        Raises
        ------
        Damaged
            If a file is not what was written.
        """
        measures, exact = self._measures, queries.astype(np.float64)
        few = len(queries) < MANY
        score, wrong = (self._row_by_row if few else self._products)(queries)
        slack = _ROUNDING + wrong * float(measures.reach)
        base = (exact @ measures.middle + slack).astype(np.float32)
        finders = [Finder(k, 2 * slack) for _ in queries]
        at_once = BLOCK if few else BLOCK // 4
        # One room for the scores of every block: new memory for each would cost more than the search.
        room = np.empty(len(queries) * at_once, np.float32)
        for start in range(0, len(self._codes) if len(queries) else 0, at_once):
            rows = slice(start, start + at_once)
            self._check(start // BLOCK)
            errors = measures.errors[rows]
            scores = room[: len(queries) * len(errors)].reshape(-1, len(errors))
            score(rows, base, scores)
            look(finders, scores, start, left_out, errors)
        variance = np.einsum("qi,ij,qj->q", exact, measures.covariance, exact, optimize=True)
        return (
            [finder.rows for finder in finders],
            (exact @ measures.mean).astype(np.float32),
            np.sqrt(variance.clip(0)).astype(np.float32),
        )

    def _row_by_row(self, queries: np.ndarray) -> tuple[Score, float]:
        """For few queries, rounded to 16 bits."""
        most = min(2**15 - 1, (2**31 - 1) // (_MOST * queries.shape[1]))  # so that their sums are of 32 bits
        whole, steps, wrong = _whole(queries, most, np.int16)
        sums = np.empty(len(queries) * BLOCK, np.int32)

        def score(rows: slice, base: np.ndarray, out: np.ndarray) -> None:
            own, measures = sums[: out.size].reshape(out.shape), self._measures
            _score()(self._codes[rows], measures.scales[rows], measures.errors[rows], whole, steps, base, own, out)

        return score, float(wrong.max(initial=0))

    def _products(self, queries: np.ndarray) -> tuple[Score, float]:
        """For many queries: products of matrices, in bfloat16 where that is faster."""
        if self._device is None:
            cast = np.empty((_CAST_AT_ONCE, queries.shape[1]), np.float32)

            def product(codes: np.ndarray, out: np.ndarray) -> None:
                for start in range(0, len(codes), _CAST_AT_ONCE):
                    part = codes[start : start + _CAST_AT_ONCE]
                    np.copyto(cast[: len(part)], part)
                    np.matmul(queries, cast[: len(part)].T, out=out[:, start : start + _CAST_AT_ONCE])

            return partial(self._finish, product), 0.0
        import torch

        asked = torch.from_numpy(queries).to(self._device).bfloat16()

        def rounded(codes: np.ndarray, out: np.ndarray) -> None:
            with torch.inference_mode():
                rows = torch.from_numpy(np.array(codes)).to(self._device).bfloat16()
                out[:] = (asked @ rows.T).float().cpu().numpy()

        return partial(self._finish, rounded), _BFLOAT16

    def _finish(
        self, product: Callable[[np.ndarray, np.ndarray], None], rows: slice, base: np.ndarray, out: np.ndarray
    ) -> None:
        """Makes scores of products with whole numbers."""
        product(self._codes[rows], out)
        out *= self._measures.scales[rows]
        out += self._measures.errors[rows]
        out += base[:, None]

    def _check(self, block: int) -> None:
        """Compares a block with its checksum, once."""
        if block in self._unchecked:
            if crc32(self._codes[block * BLOCK : (block + 1) * BLOCK].data) != self._measures.checks[block]:
                raise Damaged
            self._unchecked.discard(block)


def forget(embeddings: np.ndarray) -> None:
    """Deletes the copy beside the file of a matrix."""
    for path in _files(embeddings):
        path.unlink(missing_ok=True)


def _files(embeddings: np.ndarray) -> tuple[()] | tuple[Path, Path]:
    """Where the whole numbers and the measures of a matrix are kept; nowhere if it is not mapped."""
    if (file := mapped_file(embeddings)) is None:
        return ()
    path = Path(str(file.filename))
    return path.with_suffix(".codes.npy"), path.with_suffix(".codes.npz")


def _read(codes_file: Path, measures_file: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, Measures]:
    with np.load(measures_file, allow_pickle=False) as stored:
        measures = Measures(**stored)
    codes = np.asarray(np.load(codes_file, mmap_mode="r", allow_pickle=False))
    if codes.shape != shape or codes.dtype != np.dtype(np.int8) or measures.scales.shape != shape[:1]:
        raise Damaged
    return codes, measures


def _write(codes_file: Path, measures_file: Path, embeddings: np.ndarray) -> None:
    """Writes the copy, the measures last, whose checksums tell whether the whole numbers are theirs."""
    staged = codes_file.with_name(f"{os.getpid()}-{threading.get_ident()}.partial")
    try:
        with open(staged, "wb") as out:
            header = {"descr": "|i1", "fortran_order": False, "shape": embeddings.shape}
            np.lib.format.write_array_header_1_0(out, header)
            measures = _encode(embeddings, out.write)
        os.replace(staged, codes_file)
        with open(staged, "wb") as out:
            np.savez(out, **vars(measures))
        os.replace(staged, measures_file)
    finally:
        staged.unlink(missing_ok=True)


def _encode(embeddings: np.ndarray, write: Callable[[bytes], object]) -> Measures:
    """Writes the whole numbers, a block at a time."""
    total, dim = embeddings.shape
    sample = np.asarray(embeddings[:: max(total // _SAMPLE, 1)], np.float32)
    middle = sample.mean(axis=0) if total else np.zeros(dim, np.float32)
    scales, errors, checks = np.empty(total, np.float32), np.empty(total, np.float32), []
    mean, moment, reach = np.zeros(dim), np.zeros((dim, dim)), 0.0
    for start in range(0, total, BLOCK):
        rows = slice(start, start + BLOCK)
        # From the middle, also so that squares of nearly equal numbers do not swallow their difference.
        block = np.asarray(embeddings[rows], np.float32) - middle
        mean += block.sum(axis=0, dtype=np.float64)
        moment += block.T @ block
        codes, scales[rows], errors[rows] = _whole(block, _MOST, np.int8)
        reach = max(reach, float((np.linalg.norm(block, axis=1) + errors[rows]).max()))
        checks.append(crc32(data := codes.tobytes()))
        write(data)
    mean /= max(total, 1)
    covariance = moment / max(total, 1) - np.outer(mean, mean)
    return Measures(middle, scales, errors, np.array(reach), middle + mean, covariance, np.array(checks, np.uint32))


def _whole(vectors: np.ndarray, most: int, kind: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each vector as whole numbers from −most to most times a scale, and how far it lies from that."""
    scales = np.maximum(np.abs(vectors).max(axis=1) / most, np.finfo(np.float32).tiny)
    whole = np.rint(vectors / scales[:, None]).astype(kind)
    return whole, scales, np.linalg.norm(vectors - whole * scales[:, None], axis=1)


@cache
def _score() -> Any:
    """What writes the highest that the cosines of rows, whole numbers times scales, and of queries, whole numbers times
    steps, can be.

    Compiled when first called, within two seconds; it runs on one thread, and nothing is kept on disk.
    """
    from numba import njit

    @njit(nogil=True)
    def score(
        codes: np.ndarray,
        scales: np.ndarray,
        errors: np.ndarray,
        queries: np.ndarray,
        steps: np.ndarray,
        base: np.ndarray,
        sums: np.ndarray,
        out: np.ndarray,
    ) -> None:
        apart = -(-codes.shape[0] // _STREAMS)
        for first in range(apart):
            for row in range(first, codes.shape[0], apart):
                for query in range(queries.shape[0]):
                    total = np.int32(0)
                    for place in range(codes.shape[1]):
                        total += np.int32(codes[row, place]) * np.int32(queries[query, place])
                    sums[query, row] = total
        # Apart, or the compiler does not see that the above are products of 16 bits.
        for query in range(queries.shape[0]):
            for row in range(codes.shape[0]):
                cosine = np.float32(sums[query, row]) * (scales[row] * steps[query])
                out[query, row] = cosine + errors[row] + base[query]

    return score


def fast_device() -> Any:
    """The torch device that multiplies bfloat16 clearly faster than a CPU does float32: a GPU, a CPU with AMX, or None.

    Measured, within milliseconds.
    """
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    rows, asked = torch.ones(8_192, 512), torch.ones(32, 512)
    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        a, b = asked.to(kind), rows.to(kind).T
        a @ b
        begun = time.perf_counter()
        for _ in range(3):
            a @ b
        seconds[kind] = time.perf_counter() - begun
    return torch.device("cpu") if seconds[torch.bfloat16] * 1.3 < seconds[torch.float32] else None
