"""How fast a map is drawn, lassoed and moved in a real browser, ours beside plotly; and projections beside each other.

    python -m benchmarks.map                       # 10 k, 100 k and 1 M points; about six minutes on two cores
    python -m benchmarks.map --points 10000        # a first look
    python -m benchmarks.map --only projections
    python -m benchmarks.map --only page --points 100000   # the page Map itself, of a collection like Emoji World's

Needs Chromium and playwright (requirements-dev.txt). WebGL is that of a software driver: plotly draws by it, ours lays
its dots itself, as where there is no graphics card. It draws as soon as it can and waits for no display. Every fit runs
in a process of its own, so that it pays for what it imports and compiles, as the first visitor does.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.serving import ROOT, server

FLAGS = (
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-gpu-vsync",
    "--disable-frame-rate-limit",
)
RANDOM_POINTS = Path(__file__).with_name("map_page.py")
PATIENCE = 180_000  # milliseconds until a library is said to have failed
# How many frames a second of dragging gives, counted in the browser.
FRAMES = (
    "() => { window.frames_seen = 0; const count = () => { window.frames_seen++; "
    "requestAnimationFrame(count); }; requestAnimationFrame(count); }"
)

FIT = """
import json, time
import numpy as np
from clipexplore import Space
from clipexplore.maps.trust import trust_in
here = Space.open()
x = here.background.embeddings(here.model.key, "captions")[:{count}]
start, cpu = time.perf_counter(), time.process_time()
{lines}
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
rows = np.random.default_rng(0).choice(len(x), min(len(x), 2000), replace=False)
worth = trust_in(x, places, 15, rows)
print(json.dumps([seconds, cpu, worth.trustworthiness, float(worth.shares.mean())]))
"""
FITS = {
    "PCA": "from clipexplore.maps.pca import pca\nplaces = pca(x).transform(x)",
    "UMAP, torch": "from clipexplore.maps.umap import fit_layout\nplaces = fit_layout(x)",
    "UMAP, umap-learn": "from clipexplore.maps.reference import fit_umap\nplaces = fit_umap(x)",
}


def draw(browser, url: str, by: str, count: int) -> dict[str, float | None]:
    """Seconds until `count` points are on screen, from the press of a lasso to its answer and from its release, and
    frames a second while they are moved.
    """
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    found: dict[str, float | None] = {"paint": None, "lasso": None, "answer": None, "frames": None}
    try:
        page.goto(f"{url}/?by=none&n=2")  # Streamlit itself is loaded, and is not what is measured
        page.get_by_text("holds").wait_for()
        start = time.perf_counter()
        page.goto(f"{url}/?by={by}&n={count}")
        canvas = page.locator(f".cloud[data-drawn='{count}'] .over" if by == "cloud" else ".js-plotly-plot .nsewdrag")
        canvas.wait_for()
        page.get_by_text("holds 0").wait_for()
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found["paint"] = time.perf_counter() - start
        page.wait_for_timeout(1500)
        found["lasso"], found["answer"] = lasso(page, canvas, "holds [1-9]")
        if by == "cloud":
            page.locator(".bar button[data-does=pan]").click()
        else:
            page.locator("[data-title=Pan]").first.click(force=True)
        found["frames"] = pan(page, canvas)
    except Exception as problem:  # the point of a benchmark is also to see where a library ends
        print(f"    {by}, {count:,} points: {str(problem).splitlines()[0][:100]}")
    finally:
        page.context.close()
    return found


def lasso(page, canvas, answer: str) -> tuple[float, float]:
    """Seconds from the press of a loop around nearly all points, and from its release, until the answer of the server
    is on screen; says how many it held.

    The hand moves as fast as the page lets it, so what a library computes during the drag counts, as it does for who
    draws.
    """
    box = canvas.bounding_box()

    def at(right: float, down: float) -> tuple[float, float]:
        return box["x"] + box["width"] * right, box["y"] + box["height"] * down

    page.mouse.move(*at(0.04, 0.12))
    start = time.perf_counter()
    page.mouse.down()
    for corner in ((0.96, 0.1), (0.97, 0.96), (0.03, 0.95)):
        page.mouse.move(*at(*corner), steps=8)
    released = time.perf_counter()
    page.mouse.up()
    said = page.wait_for_function(
        "[...document.querySelectorAll('[data-testid=stText], h3')].map((each) => "
        f"each.innerText).find((each) => /{answer}/.test(each))"
    )
    now = time.perf_counter()
    print(f"    the lasso: {said.json_value()}")
    return now - start, now - released


def pan(page, canvas) -> float:
    """Frames a second while the points are dragged to and fro."""
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(FRAMES)
    start = time.perf_counter()
    for step in range(60):
        page.mouse.move(x + 80 * (step % 20) / 20, y + step % 7)
    frames = page.evaluate("window.frames_seen") / (time.perf_counter() - start)
    page.mouse.up()
    return frames


def drawing(sizes: list[int], libraries: tuple[str, ...]) -> None:
    from playwright.sync_api import sync_playwright

    print(f"{'':10}{'points':>12}{'first paint':>14}{'lasso':>10}{'of it answer':>14}{'frames/s':>10}")
    with server(RANDOM_POINTS) as (address, _), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for count in sizes:
            seen = {}
            for by in libraries:
                seen[by] = draw(browser, f"http://{address}", by, count)
                paint, took, answer, frames = (
                    f"{value:.2f}" if value is not None else "failed" for value in seen[by].values()
                )
                print(f"{by:10}{count:12,}{paint:>12} s{took:>8} s{answer:>12} s{frames:>10}", flush=True)
            for part in ("lasso", "answer"):
                ours, theirs = seen["cloud"][part], seen.get("plotly", {}).get(part)
                if ours and theirs:
                    print(f"    {part}: {theirs / ours:.0f} times as fast as plotly's")
        browser.close()


def large_collection(count: int, folder: Path) -> None:
    """A collection of that many pictures in a data directory: those of Emoji World again and again, their embeddings a
    little different each time.
    """
    import numpy as np

    from clipexplore import Space
    from clipexplore.store.collection import Collection

    here, rng = Space.open(), np.random.default_rng(0)
    world, rows = here.collection, rng.integers(0, len(here.collection), count)
    pictures = [world.picture(id) for id in world.ids]
    items = (
        world.fields.iloc[rows]
        .reset_index(drop=True)
        .assign(id=[f"p{number}" for number in range(count)], caption=[world.captions[row] for row in rows])
    )
    made = Collection.create(
        folder / "collections" / "large",
        name="large",
        title="Large",
        items=items,
        pictures=[pictures[row] + b"%d" % number for number, row in enumerate(rows)],  # each a content of its own
    )
    for kind in ("pictures", "captions"):
        vectors = world.embeddings("emoji", kind)[rows]
        made.add_embeddings(
            "emoji",
            world.revision("emoji"),
            kind,
            vectors + rng.normal(scale=0.01, size=vectors.shape).astype(np.float32),
        )


def map_itself(count: int) -> None:
    """The page Map of a large collection: until it is drawn for its first visitor, and a lasso that lists the pictures
    inside.
    """
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as home:
        large_collection(count, Path(home))
        with server(ROOT / "app.py", CLIPEXPLORE_HOME=home) as (address, _), sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(PATIENCE)
            start = time.perf_counter()
            page.goto(f"http://{address}/map?collection=large&points=")
            canvas = page.locator(f".cloud[data-drawn='{count}'] .over")
            canvas.wait_for()
            print(
                f"\nthe page Map, {count:,} pictures: drawn for its first visitor {time.perf_counter() - start:.2f} s",
                flush=True,
            )
            page.wait_for_function(
                "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
            )
            page.wait_for_timeout(3000)
            for turn in ("first", "second"):
                canvas.scroll_into_view_if_needed()
                whole, answer = lasso(page, canvas, "pictures in the region")
                print(f"    the {turn} lasso {whole:.2f} s, of it the answer {answer:.2f} s", flush=True)
                canvas.dblclick(position={"x": 5, "y": 300})
                page.get_by_text("pictures in the region").wait_for(state="detached")
            browser.close()


def projections(count: int) -> None:
    print(
        f"\n{count:,} captions of the background, each fit in a fresh "
        f"process\n{'':20}{'seconds':>9}{'CPU':>8}{'trust':>9}{'kept':>8}"
    )
    worth = {}
    for name, lines in FITS.items():
        script = FIT.format(count=count, lines=lines)
        run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
        seconds, cpu, trustworthiness, kept = worth[name] = json.loads(run.stdout.splitlines()[-1])
        print(f"{name:20}{seconds:9.1f}{cpu:8.1f}{trustworthiness:9.4f}{kept:8.3f}", flush=True)
    torch, reference = worth["UMAP, torch"], worth["UMAP, umap-learn"]
    print(
        f"    torch: {reference[0] / torch[0]:.1f} times as fast, {torch[2] / reference[2]:.3f} of the "
        f"trustworthiness, {torch[3] / reference[3]:.3f} of the neighbours kept"
    )


def solvers(k: int = 10) -> None:
    from clipexplore import Space
    from clipexplore.maps.pca import SOLVERS, pca, same_subspace, solve

    here = Space.open()
    x = here.background.embeddings(here.model.key, "captions")
    solve(x[:200], 2, "full")  # imports scikit-learn
    reference = pca(x, k).components
    print(
        f"\nThe first {k} components of {x.shape[0]:,} × "
        f"{x.shape[1]}\n{'':20}{'seconds':>9}{'cosine of the largest angle to ours':>40}"
    )
    for solver in SOLVERS:
        components, seconds = solve(x, k, solver)
        print(f"{solver:20}{seconds:9.2f}{same_subspace(components, reference):40.6f}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--points", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--captions", type=int, default=10_000, help="how many the projections are fitted to")
    options.add_argument(
        "--ours", action="store_true", help="draw without plotly, which takes minutes over a million points"
    )
    options.add_argument("--only", choices=["drawing", "projections", "page"])
    asked = options.parse_args()
    if asked.only in (None, "drawing"):
        drawing(asked.points, ("cloud",) if asked.ours else ("cloud", "plotly"))
    if asked.only == "page":
        map_itself(max(asked.points))
    if asked.only in (None, "projections"):
        solvers()
        projections(asked.captions)


if __name__ == "__main__":
    main()
