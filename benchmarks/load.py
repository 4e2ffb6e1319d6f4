"""A room full of visitors without browsers: sessions on the raw websocket, over every page, beside Streamlit's defaults.

    python -m benchmarks.load                              # 30 visitors, 5 changes each on every page, ours and the defaults
    python -m benchmarks.load --visitors 100 --ours
    python -m benchmarks.load --visitors 20 --reruns 40 --ours   # how memory grows over thousands of runs
    python -m benchmarks.load --beside "map?method=umap&n_neighbors=30"   # while a long job of another visitor runs

Every server has torch and the models imported before the first visitor comes (`/readyz`). A visitor opens a page and then
changes its first text or slider; a rerun lasts from the change to the end of the script. Prints seconds, errors and memory.
"""

import argparse
import asyncio
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import numpy as np
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect

ROOT = Path(__file__).parent.parent
DEFAULTS = ("--runner.postScriptGC", "true", "--server.fileWatcherType", "auto")
WORDS = ("cat", "lion", "hat", "red", "snow", "dog - hat", "@man-top-hat - @man", "lion + snow")


@contextmanager
def server(*options: str):
    """A server with everything imported; gives its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "serve.py", "--server.port", str(port), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/readyz")
        yield f"127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(url: str, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"{url} was not ready after {seconds:.0f} s")


class Visitor:
    """One session: opens pages, changes things, and keeps how long each took and what went wrong."""

    def __init__(self, address: str, words):
        self.address, self.words = address, words
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self.fields: dict[str, str] = {}

    async def visit(self, pages: list[str], reruns: int) -> None:
        async with connect(f"ws://{self.address}/_stcore/stream", subprotocols=["streamlit"], max_size=None, open_timeout=60) as self.socket:
            for page in pages:
                self.fields = {}
                await self._run(page)
                for _ in range(reruns):
                    await self._run(page, self._change())

    async def watch(self, link: str, until: asyncio.Event) -> None:
        """Opens a page with a long job and looks at it, as a browser does, until everybody else has finished."""
        async with connect(f"ws://{self.address}/_stcore/stream", subprotocols=["streamlit"], max_size=None, open_timeout=60) as self.socket:
            while not until.is_set():
                await self._run(link)
                await asyncio.sleep(2)

    async def _run(self, link: str, change: WidgetState | None = None) -> None:
        page, _, query = link.partition("?")
        message = BackMsg()
        message.rerun_script.page_name, message.rerun_script.query_string = page, query
        if change:
            message.rerun_script.widget_states.widgets.append(change)
        begun = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        while not await self._finished(page):
            pass
        self.seconds.append(time.perf_counter() - begun)

    async def _finished(self, page: str) -> bool:
        message = ForwardMsg.FromString(await asyncio.wait_for(self.socket.recv(), 120))
        kind = message.WhichOneof("type")
        if kind == "delta" and message.delta.HasField("new_element"):
            self._look_at(message.delta.new_element, page)
        return kind == "script_finished" and message.script_finished in (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)

    def _look_at(self, element, page: str) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception" or (kind == "alert" and element.alert.format == element.alert.ERROR):
            self.errors.append(f"{page}: {element.alert.body if kind == 'alert' else element.exception.message}")
        if kind in ("text_input", "text_area") and not getattr(element, kind).id.endswith("-names"):
            self.fields.setdefault("text", getattr(element, kind).id)
        if kind == "slider" and element.slider.step == 1:
            self.fields.setdefault("slider", element.slider.id)

    def _change(self) -> WidgetState | None:
        if "text" in self.fields:
            return WidgetState(id=self.fields["text"], string_value=next(self.words))
        return WidgetState(id=self.fields["slider"], double_array_value={"data": [5.0]}) if "slider" in self.fields else None


async def room(address: str, visitors: int, pages: list[str], reruns: int, beside: str | None) -> list[Visitor]:
    """All visitors at once, each starting at another page."""
    people, done = [Visitor(address, cycle(WORDS[i % len(WORDS) :] + WORDS[: i % len(WORDS)])) for i in range(visitors)], asyncio.Event()
    job = asyncio.create_task(Visitor(address, cycle(WORDS)).watch(beside, done)) if beside else None
    turns = [pages[i % len(pages) :] + pages[: i % len(pages)] for i in range(visitors)]
    await asyncio.gather(*(person.visit(turn, reruns) for person, turn in zip(people, turns, strict=True)))
    done.set()
    await asyncio.gather(*filter(None, [job]))
    return people


def measure(name: str, options: argparse.Namespace, *flags: str) -> float:
    """One server, one room; prints a line and gives the 95th percentile in seconds."""
    with server(*flags) as (address, process):
        asyncio.run(room(address, 1, options.pages, 1, None))  # caches of the process, as after the first visitor of the day
        before, begun = process.memory_info().rss, time.perf_counter()
        people = asyncio.run(room(address, options.visitors, options.pages, options.reruns, options.beside))
        wall, grown = time.perf_counter() - begun, (process.memory_info().rss - before) / 1e6
    seconds = np.concatenate([person.seconds for person in people])
    errors = [error for person in people for error in person.errors]
    half, most = np.percentile(seconds, [50, 95])
    print(f"{name:9} {options.visitors} visitors, {len(seconds):,} runs in {wall:.0f} s: p50 {half:.2f} s, p95 {most:.2f} s, slowest {seconds.max():.2f} s, "
          f"{len(errors)} errors, memory {grown:+.0f} MB", flush=True)  # fmt: skip
    for error in sorted(set(errors))[:10]:
        print("   ", error)
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--reruns", type=int, default=5, help="changes that a visitor makes on each page")
    parser.add_argument("--pages", nargs="*", default=sorted(path.stem for path in (ROOT / "pages").glob("*.py") if path.stem != "start"))
    parser.add_argument("--beside", help="a page with its query, whose long job one more visitor watches")
    parser.add_argument("--ours", action="store_true", help="leave Streamlit's defaults out")
    options = parser.parse_args()
    ours = measure("ours", options)
    if not options.ours:
        print(f"ratio     {measure('defaults', options, *DEFAULTS) / ours:.1f} × the 95th percentile")


if __name__ == "__main__":
    main()
