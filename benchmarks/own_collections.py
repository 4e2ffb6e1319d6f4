"""A large collection from end to end: import rate, memory, how long the first and the next search take, and the first
paint of its pages.

    python -m benchmarks.own_collections vectors 1000000       # random unit vectors, brought as ready-made ones
    python -m benchmarks.own_collections scenes 100000         # drawn scenes as JPEG, embedded by the bundled CLIP

Everything is made in a temporary data directory and deleted afterwards, or stays in `--folder`, where a run that was
ended goes on. Prints seconds on the wall and of computing, and the memory of the process. The first paint is looked at
where Chromium and playwright are installed.
"""

import argparse
import os
import resource
import shutil
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from benchmarks.map import FLAGS
from benchmarks.serving import ROOT, server

# What a visitor waits for on a page, by its address, of pictures and of captions.
AWAITED = {
    "pictures": {
        "search": "[data-testid=stMain] [data-testid=stImage] img",
        "map": ".cloud[data-drawn] .over",
        "collections": "[data-testid=stMain] [data-testid=stImage] img",
    },
    "captions": {
        "search?in=captions": ".js-plotly-plot .barlayer path",
        "collections": "[data-testid=stMain] [data-testid=stDataFrame]",
    },
}


def megabytes() -> tuple[float, float]:
    """Memory of the process now that is no mapped file, and its peak with those."""
    anonymous = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(anonymous.split()[1]) / 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def vectors(count: int, folder: Path) -> Path:
    rng, path = np.random.default_rng(0), folder / "vectors.npy"
    out = np.lib.format.open_memmap(path, "w+", np.float16, (count, 512))
    for start in range(0, count, 50_000):
        out[start : start + 50_000] = rng.standard_normal((min(50_000, count - start), 512), np.float32)
    out.flush()
    return path


def scenes(count: int, folder: Path) -> Path:
    from random import Random

    from clipexplore.training import captions
    from clipexplore.training.scenes import draw, scene

    (folder / "scenes").mkdir(exist_ok=True)
    for seed in range(count):
        picture, caption = (folder / "scenes" / f"s{seed:06d}{suffix}" for suffix in (".jpg", ".txt"))
        if not caption.exists():
            one = scene(seed)
            draw(one).save(picture, quality=90)
            caption.write_text(captions.caption(one, Random(seed)))
    return folder / "scenes"


def timed(label: str, function):
    begun, computed = time.perf_counter(), time.process_time()
    found = function()
    print(
        f"{label:42} {time.perf_counter() - begun:8.2f} s, {time.process_time() - computed:8.2f} s of "
        f"one core   memory {megabytes()[0]:6.0f} MB",
        flush=True,
    )
    return found


def first_paints(home: Path, kind: str) -> None:
    """Prints the seconds from asking for a page to its first result on screen: of the server's first visitor, and of
    the next, each with an empty cache.
    """
    from playwright.sync_api import sync_playwright

    with server(ROOT / "app.py", CLIPEXPLORE_HOME=str(home)) as (host, _), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for address, awaited in AWAITED[kind].items():
            seconds = []
            for _ in range(2):
                page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
                begun = time.perf_counter()
                page.goto(f"http://{host}/{address}{'&' if '?' in address else '?'}collection=large")
                page.locator(awaited).first.wait_for(timeout=180_000)
                seconds.append(time.perf_counter() - begun)
                page.context.close()
            print(
                f"first paint of {address:27} {seconds[0]:8.2f} s, for the next visitor {seconds[1]:.2f} s", flush=True
            )
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=["vectors", "scenes"])
    parser.add_argument("count", type=int)
    parser.add_argument("--folder", type=Path, help="an existing folder that keeps what is made")
    options = parser.parse_args()
    with nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory() as folder:
        os.environ["CLIPEXPLORE_HOME"] = f"{folder}/home"
        from clipexplore import Space
        from clipexplore.__main__ import main as command

        source = {"vectors": vectors, "scenes": scenes}[options.what](options.count, Path(folder))
        begun = time.perf_counter()
        timed(
            f"import of {options.count:,}",
            lambda: command(["index", str(source), "--name", "large", "--model", "emoji"]),
        )
        print(f"{options.count / (time.perf_counter() - begun):,.0f} items a second")
        timed(
            "the same again: nothing is new",
            lambda: command(["index", str(source), "--name", "large", "--model", "emoji"]),
        )
        space = timed("open", lambda: Space.open(collection="large"))
        kind = "pictures" if options.what == "scenes" else "captions"
        query = np.random.default_rng(1).standard_normal(512).astype(np.float32)
        timed("first search, which compares the checksum", lambda: space.search(query, kind))
        for _ in range(3):
            timed("next search", lambda: space.search(query, kind))
        if kind == "pictures":
            hits = space.search(query, kind)
            timed("24 pictures", lambda: [space.collection.picture(hit.id) for hit in hits])
        print(f"peak memory {megabytes()[1]:,.0f} MB, mapped files included")
        if shutil.which("chromium"):
            first_paints(Path(folder) / "home", kind)


if __name__ == "__main__":
    main()
