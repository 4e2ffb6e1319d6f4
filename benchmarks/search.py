"""Exact search beside what one would use instead: scikit-learn, FAISS, and one read of the matrix, which nothing exact can beat for one query.

    python -m benchmarks.search [--rows 10000 100000 1000000] [--folder TMP]

All in one run on the same clustered unit vectors (512 dimensions, k = 24), each the best of several rounds, in CPU seconds of one
thread, so that a busy machine shifts them alike; `ours` reads a memory-mapped float32 file. Prints milliseconds a query, the ratios to
the bars, the recall against sorting all cosines in float64, and the memory that ours takes beyond the file.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402 – after the threads were counted

from clipexplore.retrieval.nearest import search  # noqa: E402

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
    return np.load(file, mmap_mode="r")


def best(function: Callable[[], object], rounds: int) -> float:
    """CPU milliseconds of the quickest round."""
    seconds = []
    for _ in range(rounds):
        begun = time.process_time()
        function()
        seconds.append(time.process_time() - begun)
    return 1000 * min(seconds)


def recall(queries: np.ndarray, matrix: np.ndarray, found: np.ndarray) -> float:
    """The share of the true nearest among what was found; exact, in float64."""
    shares = []
    for query, rows in zip(queries.astype(np.float64), found, strict=True):
        cosines = np.concatenate([matrix[start : start + 50_000].astype(np.float64) @ query for start in range(0, len(matrix), 50_000)])
        shares.append(len(set(np.argsort(-cosines)[:K]) & set(rows.tolist())) / K)
    return float(np.mean(shares))


def peak() -> float:
    """Memory of the process that is not a mapped file, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1000


def measure(rows: int, folder: Path, rounds: int) -> None:
    matrix = vectors(rows, folder / f"{rows}.npy")
    rng = np.random.default_rng(1)
    near = matrix[rng.integers(0, rows, TOGETHER)] + 0.03 * rng.standard_normal((TOGETHER, DIM), np.float32)
    queries = np.ascontiguousarray(near / np.linalg.norm(near, axis=1, keepdims=True), np.float32)
    before = peak()
    one, many = best(lambda: search(queries[:1], matrix, K), rounds), best(lambda: search(queries, matrix, K), max(2, rounds // 2)) / TOGETHER
    used = peak() - before
    found = search(queries[:8], matrix, K).indices
    times = {"one read of the matrix": (best(lambda: matrix.max(), rounds), None), "ours": (one, many)}

    import torch

    from clipexplore.retrieval.coarse import Coarse

    torch.set_num_threads(1)
    begun = time.process_time()
    rounded = Coarse(matrix, "cpu")
    built = time.process_time() - begun
    times["ours, bfloat16 and rescored"] = (
        best(lambda: search(queries[:1], matrix, K, scan=rounded), rounds),
        best(lambda: search(queries, matrix, K, scan=rounded), max(2, rounds // 2)) / TOGETHER,
    )
    same = np.array_equal(search(queries[:8], matrix, K, scan=rounded).indices, found)
    rounded = None  # and with it its memory

    import faiss
    from sklearn.neighbors import NearestNeighbors

    faiss.omp_set_num_threads(1)
    loaded = np.array(matrix)
    flat = faiss.IndexFlatIP(DIM)
    flat.add(loaded)
    times["FAISS IndexFlatIP"] = (best(lambda: flat.search(queries[:1], K), rounds), best(lambda: flat.search(queries, K), 2) / TOGETHER)
    if rows <= 100_000:
        brute = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(loaded)
        times["scikit-learn NearestNeighbors"] = (best(lambda: brute.kneighbors(queries[:1]), 3), best(lambda: brute.kneighbors(queries), 2) / TOGETHER)

    print(f"\n{rows:,} × {DIM}, k = {K}: CPU ms a query           alone   of {TOGETHER} together")
    for name, (single, together) in times.items():
        print(f"  {name:32} {single:14.2f} {'' if together is None else f'{together:14.3f}'}")
    floor, (theirs, _) = times["one read of the matrix"][0], times.get("scikit-learn NearestNeighbors", (None, None))
    quickest = min(many, times["ours, bfloat16 and rescored"][1])
    if theirs:
        print(f"  scikit-learn / ours: alone {theirs / one:.1f} × (bar 8), together {theirs / quickest:.0f} × (bar 20)")
    print(f"  ours / one read: {one / floor:.2f} (bar 1.5)   FAISS / ours: alone {times['FAISS IndexFlatIP'][0] / one:.2f}, together "
          f"{times['FAISS IndexFlatIP'][1] / quickest:.1f} (bar 1)")  # fmt: skip
    print(f"  recall@{K} {recall(queries[:8], matrix, found):.4f} (bfloat16 the same rows: {same})   memory beyond the file {used:.0f} MB, peak of the process "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:,.0f} MB   bfloat16 copy made in {built:.1f} s")  # fmt: skip


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
