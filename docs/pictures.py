"""Takes the pictures of the README again, from the app as it is: a small one of each page, and the tour.

    pip install playwright pillow && python docs/pictures.py [PAGE ...]

Needs Chromium. Pages are named as in links; "tour" types an expression and watches a walk being drawn.
"""

import sys
import tempfile
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.serving import server  # noqa: E402

FOLDER = Path(__file__).with_name("pictures")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic")
LINKS: dict[str, dict[str, object]] = {
    "search": {},
    "classify": {"image": "@frog-crown"},
    "map": {},
    "interpolate": {},
    "arithmetic": {},
    "components": {"part": "spectrum"},
    "match": {},
    "properties": {},
    "pixels": {},
    "words": {},
    "collections": {},
    "status": {},
    "apart": {},
    "lessons": {"lesson": "hat"},
    "two": {"q": "@money-bag"},
    "concepts": {},
}
WIDE, SMALL = {"width": 980, "height": 900}, (490, 450)
TOUR, TOUR_SIZE = {"width": 1100, "height": 840}, (733, 560)
FRAME, LAST_FRAME, PATIENCE = 400, 3_000, 240_000  # milliseconds


def settle(page: Page) -> None:
    """Waits until no script runs, nothing is still to come and every picture stands."""
    page.wait_for_timeout(1_500)
    for pending in ("stStatusWidget", "stProgress", "stSkeleton", "stToast"):
        page.wait_for_function(f"!document.querySelector('[data-testid={pending}]')", timeout=PATIENCE)
    page.wait_for_function("[...document.images].every(image => image.complete)", timeout=PATIENCE)
    page.wait_for_timeout(1_000)


def shot(page: Page) -> Image.Image:
    return Image.open(BytesIO(page.screenshot())).convert("RGB")


def take(page: Page, url: str, name: str) -> None:
    page.set_viewport_size(WIDE)
    page.goto(f"{url}/{name}?{urlencode(LINKS[name])}")
    page.wait_for_selector("[data-testid=stMain] h1, [data-testid=stMain] h2", timeout=60_000)
    settle(page)
    shot(page).resize(SMALL, Image.Resampling.LANCZOS).save(FOLDER / f"{name}.webp", quality=80, method=6)


def tour(page: Page, url: str) -> None:
    """Types an expression on Search letter by letter, then watches a walk arrive on Interpolate."""
    page.set_viewport_size(TOUR)
    frames = []
    page.goto(f"{url}/search?q=lion")
    page.wait_for_selector("[data-testid=stTextInput] input", timeout=60_000)
    settle(page)
    frames.append(shot(page))
    box = page.locator("[data-testid=stTextInput] input").first
    box.click()
    for part in (" + sn", "ow"):
        box.press("End")
        box.type(part)
        frames.append(shot(page))
    box.press("Enter")
    settle(page)
    frames += [shot(page)] * 2
    page.goto(f"{url}/interpolate?seed=1&frames=17")  # another seed than the one whose drawings may be kept
    page.wait_for_selector("[data-testid=stMain] h1, [data-testid=stMain] h2", timeout=60_000)
    for _ in range(40):
        page.wait_for_timeout(400)
        frames.append(shot(page))
    settle(page)
    frames.append(shot(page))
    small = [frame.resize(TOUR_SIZE, Image.Resampling.LANCZOS) for frame in frames]
    durations = [FRAME] * (len(small) - 1) + [LAST_FRAME]
    small[0].save(
        FOLDER / "tour.webp", save_all=True, append_images=small[1:], duration=durations, loop=0, quality=70, method=6
    )


def main(names: list[str]) -> None:
    with (
        tempfile.TemporaryDirectory() as home,
        server(ROOT / "app.py", CLIPEXPLORE_HOME=home) as (address, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(device_scale_factor=1)
        for name in names or [*LINKS, "tour"]:
            tour(page, f"http://{address}") if name == "tour" else take(page, f"http://{address}", name)


if __name__ == "__main__":
    main(sys.argv[1:])
