"""Exact search beside what one would use instead: scikit-learn, FAISS, and one read of the matrix, which nothing that
reads it whole can beat for one query.

    python -m benchmarks.search [--rows 10000 100000 1000000] [--folder TMP]
    python -m benchmarks.search --rows 10000000 --folder TMP    # 15 GB on disk, float16; ours alone
    python -m benchmarks.search --kinds 1000000                 # recall on vectors of other kinds

All in one run on the same clustered unit vectors (512 dimensions, k = 24), each the best of several rounds, in CPU
seconds of one thread, taking turns, so that a busy machine shifts them alike; a turn is ten calls of 10,000 rows, or
one of more. `ours` reads a memory-mapped file. Prints milliseconds a query, the ratios to the bars, the recall against
sorting all cosines in float64, and the memory that ours takes beyond the files.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402 – after the threads were counted

from clipexplore.retrieval.coarse import Coarse  # noqa: E402
from clipexplore.retrieval.nearest import search  # noqa: E402
from clipexplore.retrieval.shared_search import COARSE_FROM  # noqa: E402

DIM, K, TOGETHER = 512, 24, 64
LARGE = 2_000_000  # rows, from which the matrix is of float16 and nothing else holds it
AT_ONCE = 50_000  # rows that are made and compared together
Made = Callable[[np.random.Generator, int], np.ndarray]  # so many rows, of any length


def clustered(centres: int = 1000, spread: float = 0.7) -> Made:
    """Clusters in a narrow cone, as CLIP's embeddings lie."""
    middles = np.random.default_rng(0).standard_normal((centres, DIM), np.float32) + 0.8

    def made(rng: np.random.Generator, count: int) -> np.ndarray:
        return middles[rng.integers(0, centres, count)] + spread * rng.standard_normal((count, DIM), np.float32)

    return made


def genuine() -> Made:
    """Sums of three of 1,283 texts that the genuine ViT-B/32 has embedded, with random weights."""
    folder = Path(os.environ["CLIPEXPLORE_TEST_DATA"])
    texts = np.load(folder / "genuine_vitb32_text_vectors.npz")["text_vectors"]

    def made(rng: np.random.Generator, count: int) -> np.ndarray:
        weights = rng.uniform(0.1, 1, (3, count, 1)).astype(np.float32)
        return sum(weight * texts[rng.integers(0, len(texts), count)] for weight in weights)

    return made


def vectors(rows: int, file: Path, made: Made | None = None, seed: int = 0) -> np.ndarray:
    """Unit vectors in a file that is mapped."""
    rng, made = np.random.default_rng(seed), made or clustered()
    kind = np.float16 if rows >= LARGE else np.float32
    if file.exists():
        return np.asarray(np.load(file, mmap_mode="r"))
    out = np.lib.format.open_memmap(file, "w+", kind, (rows, DIM))
    for start in range(0, rows, AT_ONCE):
        block = made(rng, min(AT_ONCE, rows - start))
        out[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    out.flush()
    return np.asarray(np.load(file, mmap_mode="r"))


def asked(matrix: np.ndarray) -> np.ndarray:
    """Queries near rows of the matrix, `(64, 512)`."""
    rng = np.random.default_rng(1)
    near = matrix[rng.integers(0, len(matrix), TOGETHER)] + 0.03 * rng.standard_normal((TOGETHER, DIM), np.float32)
    return np.ascontiguousarray(near / np.linalg.norm(near, axis=1, keepdims=True), np.float32)


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
    """The share of the true nearest among what was found; exact, in float64. Of equal cosines any counts."""
    exact, least = queries.astype(np.float64), []
    cosines = np.empty((len(queries), 0))
    for start in range(0, len(matrix), AT_ONCE):
        cosines = np.hstack([cosines, exact @ matrix[start : start + AT_ONCE].T.astype(np.float64)])
        if cosines.shape[1] > K:
            cosines = np.partition(cosines, -K, axis=1)[:, -K:]
    least = cosines.min(axis=1) - 1e-12
    shares = [
        np.mean(matrix[rows].astype(np.float64) @ query >= floor)
        for query, rows, floor in zip(exact, found, least, strict=True)
    ]
    return float(np.mean(shares))


def memory() -> float:
    """Memory of the process that is not a mapped file, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1000


READ, OURS, COARSE, FAISS, QUANTISED, SKLEARN = (
    "one read of the matrix",
    "ours, float32",
    "ours, one byte a number first",
    "FAISS IndexFlatIP",
    "FAISS PQ256x4fs, 64 k rescored",
    "scikit-learn NearestNeighbors",
)


def quantised(loaded: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Product quantisation, of which the best 64 k are scored again; gives the rows `(q, k)`."""
    import faiss

    index = faiss.index_factory(DIM, "PQ256x4fs", faiss.METRIC_INNER_PRODUCT)
    index.train(loaded[:: -(-len(loaded) // AT_ONCE)])
    for start in range(0, len(loaded), AT_ONCE):
        index.add(np.asarray(loaded[start : start + AT_ONCE], np.float32))

    def find(queries: np.ndarray) -> np.ndarray:
        rows = index.search(queries, 64 * K)[1]
        cosines = (loaded[own] @ query for query, own in zip(queries, rows, strict=True))
        return np.stack([own[np.argsort(-each)[:K]] for each, own in zip(cosines, rows, strict=True)])

    return find


def others(loaded: np.ndarray) -> dict[str, Callable[[np.ndarray], object]]:
    """The searches of other libraries in the same matrix."""
    import faiss
    from sklearn.neighbors import NearestNeighbors

    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatIP(DIM)
    flat.add(loaded)
    found: dict[str, Callable] = {FAISS: lambda queries: flat.search(queries, K), QUANTISED: quantised(loaded)}
    if len(loaded) <= 100_000:
        found[SKLEARN] = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(loaded).kneighbors
    return found


def measure(rows: int, folder: Path, rounds: int) -> None:
    matrix = vectors(rows, folder / f"{rows}.npy")
    queries = asked(matrix)
    before, there = memory(), (folder / f"{rows}.codes.npz").exists()
    begun = time.process_time()
    coarse = Coarse.of(matrix)
    built = "is there" if there else f"made in {time.process_time() - begun:.1f} s of computing"
    begun = time.perf_counter()
    coarse = Coarse.of(matrix)
    opened = time.perf_counter() - begun
    begun = time.process_time()
    found = search(queries, matrix, K, scan=coarse).indices
    first, used = time.process_time() - begun, memory() - before

    ways = {COARSE: lambda asked: search(asked, matrix, K, scan=coarse)}
    if rows < LARGE:
        ways = {OURS: lambda asked: search(asked, matrix, K), **ways, **others(np.array(matrix))}
    read = {} if rows >= LARGE else {READ: matrix.max}
    alone = race(
        read | {name: partial(way, queries[:1]) for name, way in ways.items()}, rounds, max(1, 100_000 // rows)
    )
    together = {
        name: time / TOGETHER
        for name, time in race({name: partial(way, queries) for name, way in ways.items()}, max(2, rounds // 3)).items()
    }
    show(rows, alone, together)
    print(
        f"  recall@{K} {recall(queries, matrix, found):.4f}"
        + (f", of {QUANTISED} {recall(queries, matrix, ways[QUANTISED](queries)):.4f}" if QUANTISED in ways else "")
        + f"\n  the copy: {built}, opened in {opened:.3f} s; the first {TOGETHER} queries, "
        f"which compare its checksums, take {first:.2f} s\n  memory beyond the files {used:,.0f} MB, of the whole "
        f"process {memory():,.0f} MB",
        flush=True,
    )


def show(rows: int, alone: dict[str, float], together: dict[str, float]) -> None:
    """The table of one size, and how it stands to the bars."""
    print(f"\n{rows:,} × {DIM}, k = {K}: CPU ms a query           alone   of {TOGETHER} together")
    for name, time_alone in alone.items():
        print(f"  {name:32} {time_alone:14.3f} {'' if name not in together else f'{together[name]:14.3f}'}")
    ours = COARSE if rows >= COARSE_FROM else OURS  # as the product chooses
    one, many = alone[ours], together[ours]
    if SKLEARN in alone:
        print(
            f"  scikit-learn / ours: alone {alone[SKLEARN] / one:.1f} × (bar 8 at 100,000), of "
            f"{TOGETHER} {alone[SKLEARN] / many:.0f} × its single query (bar 20)"
        )
    if FAISS in alone:
        print(
            f"  ours / one read: {one / alone[READ]:.2f} (bar 1.5)   FAISS / ours: alone "
            f"{alone[FAISS] / one:.2f} (bar 2.5 at 1,000,000), together {together[FAISS] / many:.1f} (bar 1)"
        )


def kinds(rows: int, folder: Path) -> None:
    """Prints the recall on vectors of several kinds, how many candidates are scored again, and the time alone."""

    def random(rng: np.random.Generator, count: int) -> np.ndarray:
        return rng.standard_normal((count, DIM), np.float32)

    made = {
        "random": random,
        "clustered": clustered(),
        "near-duplicates": clustered(rows // 200, 0.002),
        "duplicates": clustered(rows // 200, 0.0),
    }
    if "CLIPEXPLORE_TEST_DATA" in os.environ:
        made["genuine"] = genuine()
    for name, make in made.items():
        matrix = vectors(rows, folder / f"{name}.npy", make)
        queries, coarse = asked(matrix), Coarse.of(matrix)
        found, others_found = search(queries, matrix, K, scan=coarse).indices, quantised(matrix)(queries)
        again = [len(each) for each in coarse.candidates(queries[:8], K, np.empty(0, np.intp))[0]]
        plain = partial(search, queries[:1], matrix, K)
        alone = race({"coarse": partial(plain, scan=coarse), "plain": plain}, 4)
        print(
            f"{name:16} recall@{K} {recall(queries, matrix, found):.4f}, of {QUANTISED} "
            f"{recall(queries, matrix, others_found):.4f}; scored again {np.median(again):,.0f} (median), "
            f"{max(again):,} at most; {alone['coarse']:.1f} ms instead of {alone['plain']:.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="an existing folder that keeps what is made")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--kinds", type=int, metavar="ROWS", help="instead: recall on vectors of several kinds")
    options = parser.parse_args()
    with nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory() as folder:
        if options.kinds:
            kinds(options.kinds, Path(folder))
        for rows in [] if options.kinds else options.rows:
            measure(rows, Path(folder), options.rounds)


if __name__ == "__main__":
    main()
