"""A large collection from end to end: import rate, memory, how long the first and the next search take, and the first
paint of its pages.

    python -m benchmarks.own_collections vectors 1000000       # random unit vectors, brought as ready-made ones
    python -m benchmarks.own_collections scenes 100000         # drawn scenes as JPEG, embedded by the bundled CLIP
    python -m benchmarks.own_collections photos 3000           # 640 × 480 JPEGs in ten folders: computing and memory
    python -m benchmarks.own_collections captions 1000000      # a table: the same, read, checked and stored

Of the last two, `--older CHECKOUT` imports the same with an older build, in turn, and `--datasets PYTHON`, an
interpreter that has `datasets`, reads and decodes the same folder with its imagefolder.

Everything is made in a temporary data directory and deleted afterwards, or stays in `--folder`, where a run that was
ended goes on. Prints seconds on the wall and of computing, and the memory of the process. The first paint is looked at
where Chromium and playwright are installed.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
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


def photos(count: int, folder: Path) -> Path:
    """Noise with the spectrum of photographs, of about 80 kB each at quality 90."""
    from PIL import Image

    rng, frequency = np.random.default_rng(0), np.hypot(np.fft.fftfreq(480)[:, None], np.fft.rfftfreq(640))
    falling = 1 / (frequency + 1 / 640) ** 1.6
    for number in range(count):
        path = folder / "photos" / f"class{number % 10}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        grain = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((4, 480, 640)), axes=(1, 2)) * falling, (480, 640))
        pixels = 128 + 45 * (grain[0] + 0.4 * grain[1:]) / grain[0].std()  # most of the contrast is of grey
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)).save(path, quality=90)
    return folder / "photos"


def captions(count: int, folder: Path) -> Path:
    path = folder / "captions.csv"
    with open(path, "w") as file:
        file.write("caption,source\n")
        file.writelines(
            f'"a photograph, number {number}, of something else",s{number % 97}\n' for number in range(count)
        )
    return path


# What stores a table without embedding it, by the names of today and of the builds before.
STORE = """
import sys
from pathlib import Path
try:
    from clipexplore.store.importing import add
    from clipexplore.store.commands import store_for
    from clipexplore.sources.recognise import open_source
except ImportError:
    from clipexplore.collections.importing import add
    from clipexplore.collections.indexing import shards_for as store_for
    from clipexplore.collections.sources import open_source
source = open_source(Path(sys.argv[1]))
add(store_for("large", source, ""), source, None, "emoji", "0" * 12, lambda *_: None)
"""
READ = """
import sys
from datasets import load_dataset
for row in load_dataset("imagefolder", data_dir=sys.argv[1], split="train", cache_dir=sys.argv[2]):
    row["image"].convert("RGB")
"""


def compared(what: str, source: Path, count: int, older: Path | None, datasets: Path | None) -> None:
    """Prints how much computing an import takes, program start included, and its memory; beside others, in turn."""
    for label, checkout in (("older build", older), ("this build", ROOT)):
        if checkout:
            home = source.parent / f"home of {label}"
            ours = ["-m", "clipexplore", "index", str(source), "--name", "large", "--model", "emoji"]
            alone(
                label,
                count,
                checkout,
                home,
                sys.executable,
                *(ours if what == "photos" else ["-c", STORE, str(source)]),
            )
    if datasets:
        cache = source.parent / "cache"
        alone("datasets", count, ROOT, cache, str(datasets), "-c", READ, str(source), str(cache))


def alone(label: str, count: int, folder: Path, home: Path, *command: str) -> None:
    """Runs a program and prints its user time, its largest memory and what it has stored."""
    environment = {**os.environ, "CLIPEXPLORE_HOME": str(home)}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    stored = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    rate, peak, each = count / used.ru_utime, used.ru_maxrss / 1000, stored / count / 1000
    print(
        f"{label:12} {used.ru_utime:7.1f} s, {rate:8,.0f} a CPU second   peak {peak:5.0f} MB   "
        f"stored {each:5.1f} kB each   exit status {process.returncode}",
        flush=True,
    )


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
    parser.add_argument("what", choices=["vectors", "scenes", "photos", "captions"])
    parser.add_argument("count", type=int)
    parser.add_argument("--folder", type=Path, help="an existing folder that keeps what is made")
    parser.add_argument("--older", type=Path, help="a checkout of an older build, which imports the same")
    parser.add_argument("--datasets", type=Path, help="an interpreter that has datasets, which reads the same pictures")
    options = parser.parse_args()
    with nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory() as folder:
        if options.what in ("photos", "captions"):
            source = {"photos": photos, "captions": captions}[options.what](options.count, Path(folder).resolve())
            compared(options.what, source, options.count, options.older, options.datasets)
            return
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
