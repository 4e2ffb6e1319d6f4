"""Exact search beside what one would use instead: scikit-learn, FAISS, and one read of the matrix, which nothing exact
can beat for one query.

    python -m benchmarks.search [--rows 10000 100000 1000000] [--folder TMP]

All in one run on the same clustered unit vectors (512 dimensions, k = 24), each the best of several rounds, in CPU
seconds of one thread, taking turns, so that a busy machine shifts them alike; a turn is ten calls of 10,000 rows, or
one of more. `ours` reads a memory-mapped float32 file. Prints milliseconds a query, the ratios to the bars, the recall
against sorting all cosines in float64, and the memory that ours takes beyond the file.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402 – after the threads were counted

from clipexplore.retrieval.nearest import search  # noqa: E402
from clipexplore.retrieval.shared_search import LARGE  # noqa: E402

DIM, K, TOGETHER = 512, 24, 64


def vectors(rows: int, file: Path, seed: int = 0) -> np.ndarray:
    """Clusters in a narrow cone, as CLIP's embeddings lie, in a file that is mapped."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((1000, DIM), np.float32) + 0.8
    out = np.lib.format.open_memmap(file, "w+", np.float32, (rows, DIM))
    for start in range(0, rows, 50_000):
        count = min(50_000, rows - start)
        block = centres[rng.integers(0, len(centres), count)] + 0.7 * rng.standard_normal((count, DIM), np.float32)
        out[start : start + count] = block / np.linalg.norm(block, axis=1, keepdims=True)
    out.flush()
    return np.asarray(np.load(file, mmap_mode="r"))


def race(functions: dict[str, Callable[[], object]], rounds: int, calls: int = 1) -> dict[str, float]:
    """CPU milliseconds a call in the quickest turn of each; they take turns, so that what else the machine does meets
    all alike.
    """
    seconds = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds):
        for name, function in functions.items():
            begun = time.process_time()
            for _ in range(calls):
                function()
            seconds[name] = min(seconds[name], (time.process_time() - begun) / calls)
    return {name: 1000 * least for name, least in seconds.items()}


def recall(queries: np.ndarray, matrix: np.ndarray, found: np.ndarray) -> float:
    """The share of the true nearest among what was found; exact, in float64."""
    shares = []
    for query, rows in zip(queries.astype(np.float64), found, strict=True):
        cosines = np.concatenate(
            [matrix[start : start + 50_000].astype(np.float64) @ query for start in range(0, len(matrix), 50_000)]
        )
        shares.append(len(set(np.argsort(-cosines)[:K]) & set(rows.tolist())) / K)
    return float(np.mean(shares))


def memory() -> float:
    """Memory of the process that is not a mapped file, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1000


READ, OURS, ROUNDED, FAISS, SKLEARN = (
    "one read of the matrix",
    "ours",
    "ours, bfloat16 and rescored",
    "FAISS IndexFlatIP",
    "scikit-learn NearestNeighbors",
)


def others(loaded: np.ndarray) -> dict[str, Callable[[np.ndarray], object]]:
    """The searches of other libraries in the same matrix."""
    import faiss
    from sklearn.neighbors import NearestNeighbors

    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatIP(DIM)
    flat.add(loaded)
    found = {FAISS: lambda queries: flat.search(queries, K)}
    if len(loaded) <= 100_000:
        found[SKLEARN] = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(loaded).kneighbors
    return found


def measure(rows: int, folder: Path, rounds: int) -> None:
    matrix = vectors(rows, folder / f"{rows}.npy")
    rng = np.random.default_rng(1)
    near = matrix[rng.integers(0, rows, TOGETHER)] + 0.03 * rng.standard_normal((TOGETHER, DIM), np.float32)
    queries = np.ascontiguousarray(near / np.linalg.norm(near, axis=1, keepdims=True), np.float32)
    before = memory()
    found = search(queries, matrix, K).indices
    used = memory() - before

    import torch

    from clipexplore.retrieval.coarse import Coarse

    torch.set_num_threads(1)
    begun = time.process_time()
    rounded = Coarse(matrix, "cpu")
    built, copy = time.process_time() - begun, memory() - before
    same = np.array_equal(search(queries, matrix, K, scan=rounded).indices, found)

    ways = {
        OURS: lambda asked: search(asked, matrix, K),
        ROUNDED: lambda asked: search(asked, matrix, K, scan=rounded),
        **others(np.array(matrix)),
    }
    alone = race(
        {READ: matrix.max} | {name: partial(way, queries[:1]) for name, way in ways.items()},
        rounds,
        max(1, 100_000 // rows),
    )
    together = {
        name: time / TOGETHER
        for name, time in race({name: partial(way, queries) for name, way in ways.items()}, max(2, rounds // 3)).items()
    }
    show(rows, alone, together)
    print(
        f"  recall@{K} {recall(queries[:8], matrix, found[:8]):.4f} (bfloat16 the same rows: {same})   "
        f"memory beyond the file {used:.0f} MB, with the "
        f"bfloat16 copy, made in {built:.1f} s, {copy:,.0f} MB",
        flush=True,
    )


def show(rows: int, alone: dict[str, float], together: dict[str, float]) -> None:
    """The table of one size, and how it stands to the bars."""
    print(f"\n{rows:,} × {DIM}, k = {K}: CPU ms a query           alone   of {TOGETHER} together")
    for name, time_alone in alone.items():
        print(f"  {name:32} {time_alone:14.3f} {'' if name not in together else f'{together[name]:14.3f}'}")
    one, many = (
        alone[ROUNDED if rows >= LARGE else OURS],
        min(together[OURS], together[ROUNDED]),
    )  # as the product chooses
    if SKLEARN in alone:
        print(
            f"  scikit-learn / ours: alone {alone[SKLEARN] / one:.1f} × (bar 8 at 100,000), of "
            f"{TOGETHER} {alone[SKLEARN] / many:.0f} × its single query (bar 20)"
        )
    print(
        f"  ours / one read: {one / alone[READ]:.2f} (bar 1.5)   FAISS / ours: alone "
        f"{alone[FAISS] / one:.2f}, together {together[FAISS] / many:.1f} (bar 1)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for rows in options.rows:
            measure(rows, Path(folder), options.rounds)


if __name__ == "__main__":
    main()
