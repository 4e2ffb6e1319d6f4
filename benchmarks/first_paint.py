"""How soon a page stands for somebody who has never been here, beside a bare Streamlit page in the same run, and how
far what is on it jumps meanwhile.

    python -m benchmarks.first_paint             # five cold loads each of start, Search and the bare page
    python -m benchmarks.first_paint --shifts    # the layout shift of every page

A page stands when the server has answered and every part of it, pictures included, is there. Each load is by a new
browser profile, so that nothing is in its cache, from a server that is warm. The shift is Chromium's Cumulative Layout
Shift (https://web.dev/articles/cls): up to 0.1 counts as good, 0.05 is our limit.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.serving import ROOT, server
from clipexplore import links

BARE = Path(__file__).with_name("bare_page.py")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic")
SIZES = ((1280, 900), (390, 844))  # a laptop and a phone
LOADS = 5
STANDS = """() => {
  const app = document.querySelector("[data-testid=stApp]")?.dataset ?? {};
  const done = app.testScriptState === "notRunning" && app.testConnectionState === "CONNECTED"
    && !document.querySelector("[data-testid=stSkeleton]") && document.images.length > 4
    && [...document.images].every((each) => each.complete && each.naturalWidth);
  if (!done) window.stood = undefined;
  return done && performance.now() - (window.stood ??= performance.now()) > 300 ? window.stood : false;
}"""
WATCH = """new PerformanceObserver((list) => {
  for (const each of list.getEntries()) if (!each.hadRecentInput) window.shift = (window.shift ?? 0) + each.value;
}).observe({ type: "layout-shift", buffered: true });"""


def load(browser: Browser, address: str, size: tuple[int, int] = SIZES[0], stands: str = STANDS) -> tuple[float, float]:
    """Seconds until a page stands, and its layout shift."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    seconds = page.wait_for_function(stands, polling=50, timeout=120_000).json_value() / 1000
    page.wait_for_timeout(1000)
    shift = page.evaluate("window.shift ?? 0")
    context.close()
    return seconds, shift


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shifts", action="store_true", help="the layout shift of every page instead")
    parser.add_argument("pages", nargs="*", help="only these pages")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        with (
            server(ROOT / "app.py", ready="/readyz", CLIPEXPLORE_HOME=home) as (ours, _),
            server(BARE, "--server.fileWatcherType", "none") as (bare, _),
        ):
            if asked.shifts:
                shifts(browser, ours, asked.pages or list(links.PAGES))
            else:
                times(browser, ours, bare, asked.pages or ["start", "search"])
        browser.close()


def times(browser: Browser, ours: str, bare: str, pages: list[str]) -> None:
    """Prints the seconds of each, one after the other in turns."""
    addresses = {"bare": f"http://{bare}/", **{page: _address(ours, page) for page in pages}}
    taken: dict[str, list[float]] = {name: [] for name in addresses}
    for address in addresses.values():
        load(browser, address)  # the server's own first time
    for _ in range(LOADS):
        for name, address in addresses.items():
            taken[name].append(load(browser, address)[0])
    least = statistics.median(taken["bare"])
    for name, seconds in taken.items():
        middle = statistics.median(seconds)
        print(f"{name:12} {middle:5.2f} s  {middle / least:4.2f} ×   {min(seconds):.2f} to {max(seconds):.2f} s")


def shifts(browser: Browser, ours: str, pages: list[str]) -> None:
    """Prints the layout shift of each page, on each size of window."""
    anything = STANDS.replace("document.images.length > 4", "document.querySelector('h1')")
    for page in pages:
        found = [load(browser, _address(ours, page), size, anything)[1] for size in SIZES]
        print(f"{page:12} " + "  ".join(f"{shift:.3f}" for shift in found), flush=True)


def _address(host: str, page: str) -> str:
    return f"http://{host}/{'' if page == 'start' else page}"


if __name__ == "__main__":
    main()
