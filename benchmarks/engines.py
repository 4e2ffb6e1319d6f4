"""What else could search a million vectors first: quantised indexes of FAISS, and products of int8 by other libraries.

    pip install usearch simsimd numkong
    python -m benchmarks.engines [--rows 1000000]

CPU milliseconds of one query, k = 24, and how many times as fast as FAISS's exact index; of an index also its recall
once the best 4, 16 and 64 k are scored again. What is not installed is left out.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

from benchmarks.search import DIM, FAISS, K, asked, others, race, recall, vectors
from clipexplore.retrieval.coarse import Coarse
from clipexplore.retrieval.nearest import search

INDEXES = ("SQ8", "SQfp16", "PQ128x4fs", "PQ256x4fs", "RaBitQ", "RaBitQfs")


def products(codes: np.ndarray, query: np.ndarray) -> dict[str, Callable[[], object]]:
    """Every dot product of one query with a matrix, of whole numbers."""

    def torch() -> object:
        import torch

        return torch._int_mm(torch.from_numpy(codes), torch.from_numpy(query.T.copy()))

    def usearch() -> object:
        from usearch.index import MetricKind, search

        return search(codes, query, 4 * K, MetricKind.IP, exact=True, threads=1)

    return {
        "SimSIMD cdist of int8": lambda: import_module("simsimd").cdist(query, codes, "dot"),
        "NumKong cdist of int8": lambda: import_module("numkong").cdist(query, codes, "dot"),
        "usearch, exact, of int8": usearch,
        "torch._int_mm": torch,
    }


def installed(function: Callable[[], object]) -> bool:
    try:
        function()
    except ImportError:
        return False
    return True


def rescored(index: object, matrix: np.ndarray, queries: np.ndarray, times: int) -> np.ndarray:
    rows = index.search(queries, times * K)[1]
    return np.stack([own[np.argsort(-(matrix[own] @ query))[:K]] for query, own in zip(queries, rows, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        import faiss

        matrix = vectors(rows, Path(folder) / "vectors.npy")
        queries, coarse = asked(matrix)[:8], Coarse.of(matrix)
        exact = partial(others(np.array(matrix))[FAISS], queries[:1])
        codes = np.array(np.load(Path(folder) / "vectors.codes.npy", mmap_mode="r"))
        whole = np.rint(queries[:1] / np.abs(queries[:1]).max() * 127).astype(np.int8)
        ways = {FAISS: exact, "ours": partial(search, queries[:1], matrix, K, scan=coarse)}
        ways |= {name: way for name, way in products(codes, whole).items() if installed(way)}
        found = {}
        for name in INDEXES:
            index = faiss.index_factory(DIM, name, faiss.METRIC_INNER_PRODUCT)
            index.train(matrix[:: max(rows // 50_000, 1)])
            index.add(matrix)
            ways[name] = partial(rescored, index, matrix, queries[:1], 64)
            found[name] = [recall(queries, matrix, rescored(index, matrix, queries, times)) for times in (4, 16, 64)]
        times = race(ways, 4)
    for name, each in times.items():
        recalls = "   recall " + ", ".join(f"{share:.3f}" for share in found[name]) if name in found else ""
        print(f"{name:28} {each:8.1f} ms   {times[FAISS] / each:5.1f} times as fast{recalls}")


if __name__ == "__main__":
    main()
