"""How long a visitor waits for what must be quick whatever else goes on, in Chromium.

    python -m benchmarks.waits             # or one of cancel, close and kill

Prints seconds from the press of a button until the walk that is being drawn has stopped; from closing the window of a
walk until whoever is next in line is drawn; and from a killed server's start until five open pages are connected
again with everything as it was. Needs Chromium and playwright (requirements-dev.txt).
"""

import argparse
import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.map import FLAGS
from benchmarks.serving import ROOT, free_port, server

WALK = "interpolate?frames=240&num_inference_steps=100&seed={}"  # longer than this takes
SHORT = "interpolate?frames=2&num_inference_steps=1&seed={}"
OPEN = (
    "search?k=5&q=cat",
    "arithmetic?bank=captions",
    "map?points=cat",
    "interpolate?frames=5&draw=false",
    "classify?class_names=lion%0Acat",
)
CONNECTED = "[data-testid=stApp][data-test-connection-state=CONNECTED]"
DONE = f"{CONNECTED}[data-test-script-state=notRunning]"
TYPED = (
    "[...document.querySelectorAll('[data-testid=stMain] :is(input[type=text], textarea)')].map((each) => each.value)"
)
TIMES = 10
seeds = count(1)


@contextmanager
def windows(address: str):
    """Opens pages of the server at that address, each in a window of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        context = browser.new_context()
        context.set_default_timeout(300_000)

        def visit(link: str):
            window = context.new_page()
            window.goto(f"http://{address}/{link}")
            window.get_by_role("heading", level=1).wait_for()
            return window

        yield visit
        browser.close()


def cancelling(visit, log: Path) -> None:
    """From the press until the lane has stopped, which it does at the end of a step."""
    window, chance, seconds = visit(WALK.format(next(seeds))), Random(0), []
    cancel, again = (window.get_by_role("button", name=name) for name in ("Cancel", "Start again"))
    for number in range(1, TIMES + 1):
        window.get_by_text(re.compile(r"Drawing · \d+ done")).wait_for()
        window.wait_for_timeout(1000 * chance.uniform(0, 3))
        begun = time.perf_counter()
        cancel.click()
        while log.read_text().count(" cancelled after ") < number:
            time.sleep(0.005)
        seconds.append(time.perf_counter() - begun)
        again.click()
        cancel.wait_for()
    cancel.click()
    window.close()
    print(
        f"cancelled {TIMES} times: stopped after p50 {np.median(seconds):.2f} s, slowest {max(seconds):.2f} s",
        flush=True,
    )


def closing(visit) -> None:
    seconds = []
    for _ in range(2):
        first = visit(WALK.format(next(seeds)))
        first.get_by_role("button", name="Cancel").wait_for()
        second = visit(SHORT.format(next(seeds)))
        waiting = second.get_by_text("number 1 in line")
        waiting.wait_for()
        first.close()
        begun = time.perf_counter()
        waiting.wait_for(state="hidden")
        seconds.append(time.perf_counter() - begun)
        second.close()
    print(f"a closed window freed its place after {min(seconds):.1f} to {max(seconds):.1f} s", flush=True)


def killing() -> None:
    port = free_port()
    with server(ROOT / "app.py", ready="/readyz", port=port) as (address, process), windows(address) as visit:
        opened = [visit(link) for link in OPEN]
        for window in opened:
            window.wait_for_selector(DONE)
        before = [window.evaluate(TYPED) for window in opened]
        process.kill()
        opened[0].wait_for_selector(f"[data-testid=stApp]:not({CONNECTED})")
        begun = time.perf_counter()
        with server(ROOT / "app.py", port=port):
            started = time.perf_counter() - begun
            for window in opened:
                window.wait_for_selector(DONE)
            seconds = time.perf_counter() - begun
            kept = sum(window.evaluate(TYPED) == was for window, was in zip(opened, before, strict=True))
    print(
        f"killed under {len(OPEN)} pages: {kept} as they were {seconds:.1f} s after its start, "
        f"of which it took {started:.1f} s itself",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "what",
        nargs="*",
        default=["cancel", "close", "kill"],
        help="cancel, close or kill; all of them where none is named",
    )
    wanted = parser.parse_args().what
    with (
        tempfile.TemporaryDirectory() as home,
        server(
            ROOT / "app.py",
            ready="/readyz",
            log=(log := Path(home) / "log"),
            CLIPEXPLORE_HOME=home,
            CLIPEXPLORE_ASK_SECONDS="1000000",
        ) as (
            address,
            _,
        ),
        windows(address) as visit,
    ):
        if "cancel" in wanted:
            cancelling(visit, log)
        if "close" in wanted:
            closing(visit)
    if "kill" in wanted:
        killing()


if __name__ == "__main__":
    main()
