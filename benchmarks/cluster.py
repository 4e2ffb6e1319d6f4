"""One process beside clusters of one and two nodes on this machine: what a call costs, and how much gets done.

    python -m benchmarks.cluster [--nodes 1 2] [--pictures 1024] [--rows 200000]

Each embeds the same texts with the bundled CLIP, for one caller and for thirty at a time, imports the same pictures and
searches the same rows. Nodes on one machine share its cores, so this tells what the cluster costs, and not what further
machines bring.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from clipexplore.batcher import shared_embedder
from clipexplore.cluster import connection, driver, local
from clipexplore.models import catalog
from clipexplore.retrieval.shared_search import shared_search
from clipexplore.settings import settings
from clipexplore.sources.recognise import open_source
from clipexplore.space import Space
from clipexplore.store.importing import add
from clipexplore.store.stored import Stored
from clipexplore.vectors import normalize

CALLS, CALLERS, EACH = 100, 30, 8
PORT = 26379


def pictures(folder: Path, count: int) -> None:
    """The first pictures of Emoji World, as files, over and over with another byte at the end of each."""
    collection = Space.open().collection
    folder.mkdir()
    for number in range(count):
        data = collection.picture(collection.ids[number % len(collection)])
        (folder / f"{number:05d}.webp").write_bytes(data + number.to_bytes(4, "big"))


def median(call: Callable[[], object], repeats: int) -> float:
    """Seconds of a call."""
    seconds = []
    for _repeat in range(repeats):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))


def measure(folder: Path, matrix: np.ndarray, work: Path) -> dict[str, float]:
    model = catalog.get("emoji")
    by = shared_embedder(model.clip.folder, model.clip.revisions)
    by.embed_texts(["warm up"])
    shared_search(matrix[:1], matrix, 10)
    call = median(lambda: by.embed_texts(["a red car in the snow"]), CALLS)
    with ThreadPoolExecutor(CALLERS) as people:
        begun = time.perf_counter()
        [*people.map(lambda number: by.embed_texts([f"{number} red cars"]), range(CALLERS * EACH))]
        requests = CALLERS * EACH / (time.perf_counter() - begun)
    store = Stored.create(work, name="it", title="It", kind="pictures")
    begun = time.perf_counter()
    added = add(store, open_source(folder), by, model.key, by.revision, lambda share, stage: None).added
    rows = added / (time.perf_counter() - begun)
    search = median(lambda: shared_search(matrix[7:8], matrix, 10), CALLS)
    return {"call": 1000 * call, "requests": requests, "rows": rows, "search": 1000 * search}


@contextmanager
def cluster(nodes: int) -> Iterator[None]:
    """So many nodes, and a head that only keeps the books."""
    local.make_token()
    port = PORT + nodes
    started = [local.start_head(port, cpus=0)]
    os.environ["CLIPEXPLORE_CLUSTER"] = f"127.0.0.1:{port}"
    settings.cache_clear()
    try:
        for number in range(nodes):
            started.append(local.start_node(port, f"node {number}", cpus=1))
            while sum(node.alive for node in connection.ask(driver.nodes)) < len(started):
                time.sleep(0.2)
        yield
    finally:
        connection.disconnect()
        for node in started:
            local.stop(node)
        del os.environ["CLIPEXPLORE_CLUSTER"]
        settings.cache_clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--pictures", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=200_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        pictures(work / "pictures", asked.pictures)
        np.save(
            work / "rows.npy", normalize(np.random.default_rng(0).normal(size=(asked.rows, 512)).astype(np.float32))
        )
        matrix = np.asarray(np.load(work / "rows.npy", mmap_mode="r"))
        print("                       call ms   requests/s   rows imported/s   search ms")
        print_row("one process", measure(work / "pictures", matrix, work / "here"))
        for nodes in asked.nodes:
            with cluster(nodes):
                print_row(f"cluster of {nodes}", measure(work / "pictures", matrix, work / f"on-{nodes}"))


def print_row(name: str, found: dict[str, float]) -> None:
    print(f"{name:20} {found['call']:9.1f} {found['requests']:12.0f} {found['rows']:17.0f} {found['search']:11.1f}")


if __name__ == "__main__":
    main()
