"""A room full of visitors without browsers: sessions on the raw websocket, over every page, beside Streamlit's
defaults.

    python -m benchmarks.load                              # 30 visitors for a minute, ours and the defaults
    python -m benchmarks.load --visitors 100 --ours
    python -m benchmarks.load --pause 0 --ours             # nobody thinks: the next change comes with the answer
    python -m benchmarks.load --pause 0 --runs 10000 --ours   # how memory grows
    python -m benchmarks.load --beside "interpolate?frames=240&num_inference_steps=100"  # while a walk is drawn
    python -m benchmarks.load --beside "map?method=own&fit=background"                   # or while a UMAP is fitted

Every server has torch and the models imported before the first visitor comes (`/readyz`). A visitor opens a page,
changes its first text or slider a few times and goes on to the next page, each time after a while of looking and
thinking: `--pause` seconds on average. A run lasts from the change to the end of the script. Prints seconds, errors,
the CPU time of the server for a run, and memory.
"""

import argparse
import asyncio
import math
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from random import Random

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect

from benchmarks.serving import ROOT, server

PATIENCE = 300  # seconds; with the defaults the whole server may stand still for a minute
DEFAULTS = ("--runner.postScriptGC", "true", "--server.fileWatcherType", "auto")
THINGS = (
    "cat",
    "lion",
    "hat",
    "dog",
    "guitar",
    "rose",
    "house",
    "balloon",
    "@man-top-hat",
    "@lion-jungle-07",
    "@lion-snow-07",
    "@man",
)
LOOKS = ("red", "two blue", "snow", "a small green", "night", "jungle", "a photo of a", "orange")


def expression(rests: Random) -> str:
    """What somebody types: half of them a sum, half a text that nobody has asked for before."""
    thing, other = rests.sample(THINGS, 2)
    text = f"{rests.choice(LOOKS)} {other.strip('@')} number {rests.randrange(1000)}"
    return rests.choice([f"{thing} {rests.choice('+-')} {other}", text])


def lines(rests: Random) -> str:
    """Three things, one a line."""
    return "\n".join(rests.sample(THINGS, 3))


# What a visitor changes on a page, by the key of the field: the first of these that the page has, else its first
# slider of whole steps.
FIELDS = {
    "q": expression,
    "stops": lines,
    "points": lines,
    "class_names": lines,
    "objects": lambda rests: "\n".join(rests.sample(THINGS[:8], 3)),
    "picture": lambda rests: rests.choice(THINGS[8:]),
}


class Visitor:
    """One session: opens pages, changes things, and keeps how long each took and what went wrong."""

    def __init__(self, address: str, number: int = 0):
        self.address, self.chance = address, Random(number)
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self.fields: dict[str, str] = {}
        self.ranges: dict[str, tuple[int, int]] = {}

    async def visit(self, pages: list[str], reruns: int, pause: float, enough: Callable[[], bool]) -> None:
        """Goes through the pages until it is `enough`, with a rest of half to one and a half `pause` before every
        run.
        """
        async with self._connected() as self.socket:
            for page, number in cycle((page, number) for page in pages for number in range(reruns + 1)):
                await asyncio.sleep(pause * self.chance.uniform(0.5, 1.5))
                if enough():
                    return
                if number == 0:
                    self.fields = {}
                await self._run(page, self._change() if number else None)

    async def watch(self, link: str, until: asyncio.Event) -> None:
        """Opens a page with a long job and looks at it, as a browser does, until everybody else has finished."""
        async with self._connected() as self.socket:
            while not until.is_set():
                await self._run(link)
                await asyncio.sleep(2)

    def _connected(self):
        return connect(
            f"ws://{self.address}/_stcore/stream",
            subprotocols=["streamlit"],
            max_size=None,
            open_timeout=60,
            ping_interval=None,
        )

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
        return self._take(ForwardMsg.FromString(await asyncio.wait_for(self.socket.recv(), PATIENCE)), page)

    def _take(self, message: ForwardMsg, page: str) -> bool:
        """Looks at what the server says; whether the run has ended with it."""
        kind = message.WhichOneof("type")
        if kind == "delta" and message.delta.HasField("new_element"):
            self._look_at(message.delta.new_element, page)
        return kind == "script_finished" and message.script_finished in (
            ForwardMsg.FINISHED_SUCCESSFULLY,
            ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
        )

    def _look_at(self, element, page: str) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception" or (kind == "alert" and element.alert.format == element.alert.ERROR):
            self.errors.append(f"{page}: {element.alert.body if kind == 'alert' else element.exception.message}")
        if kind in ("text_input", "text_area"):
            id = getattr(element, kind).id
            self.fields.setdefault(id.rpartition("-")[2], id)
        if kind == "slider" and element.slider.step == 1:
            self.fields.setdefault("slider", id := element.slider.id)
            self.ranges[id] = round(element.slider.min), round(element.slider.max)

    def _change(self) -> WidgetState | None:
        """None where a page has nothing to change: it is run once more."""
        for key, typed in FIELDS.items():
            if key in self.fields:
                return WidgetState(id=self.fields[key], string_value=typed(self.chance))
        if "slider" not in self.fields:
            return None
        low, high = self.ranges[self.fields["slider"]]
        return WidgetState(
            id=self.fields["slider"], double_array_value={"data": [self.chance.randint(low, min(high, low + 20))]}
        )


async def room(
    address: str, options: argparse.Namespace, visitors: int, seconds: float, runs: float = math.inf, watch=lambda: None
) -> list[Visitor]:
    """All visitors at once, each starting at another page, until the time is up or there were so many runs; `watch`
    is called before each.
    """
    people = [Visitor(address, number) for number in range(visitors)]
    end, done, pages = time.monotonic() + seconds, asyncio.Event(), options.pages
    job = asyncio.create_task(Visitor(address).watch(options.beside, done)) if options.beside else None

    def enough() -> bool:
        watch()
        return time.monotonic() > end or sum(len(person.seconds) for person in people) >= runs

    turns = [pages[i % len(pages) :] + pages[: i % len(pages)] for i in range(visitors)]
    await asyncio.gather(
        *(person.visit(turn, options.reruns, options.pause, enough) for person, turn in zip(people, turns, strict=True))
    )
    done.set()
    await asyncio.gather(*filter(None, [job]))
    return people


def measure(name: str, options: argparse.Namespace, *flags: str) -> float:
    """One server, one room; prints a line and gives the 95th percentile in seconds."""
    unasked = {"CLIPEXPLORE_ASK_SECONDS": "1000000"}  # what is drawn `--beside` begins at once
    with server(ROOT / "app.py", *flags, ready="/readyz", log=options.log, **unasked) as (address, process):
        everything = argparse.Namespace(pages=options.pages, reruns=1, pause=0, beside=None)
        asyncio.run(
            room(address, everything, 1, math.inf, 2 * len(options.pages))
        )  # caches of the process, as after the first visitor of the day
        memory, cpu, begun = [], sum(process.cpu_times()[:2]), time.perf_counter()
        until, runs = math.inf if options.runs else options.seconds, options.runs or math.inf
        people = asyncio.run(
            room(
                address, options, options.visitors, until, runs, lambda: memory.append(process.memory_info().rss / 1e6)
            )
        )
        wall, cpu = time.perf_counter() - begun, sum(process.cpu_times()[:2]) - cpu
    seconds = np.concatenate([person.seconds for person in people])
    half, most = np.percentile(seconds, [50, 95])
    print(
        f"{name:9} {len(people)} visitors, {len(seconds):,} runs in {wall:.0f} s: p50 {half:.2f} s, "
        f"p95 {most:.2f} s, slowest {seconds.max():.2f} s, {1000 * cpu / len(seconds):.0f} ms of CPU a "
        f"run, {_growth(memory)}",
        flush=True,
    )
    errors = [error for person in people for error in person.errors]
    print(f"{'':9} {len(errors)} errors", *sorted(set(errors))[:10], sep="\n          ", flush=True)
    return most


def _growth(memory: list[float]) -> str:
    """Memory before, and what came to it in the first tenth of the runs, when everybody arrives, in the rest of the
    first half, and in the second; in MB.
    """
    before, there, half, after = (np.median(memory[len(memory) * share // 100 :][:10]) for share in (0, 10, 50, 99))
    return (
        f"memory {before:,.0f} MB, {there - before:+.0f} MB in the first tenth, "
        f"{half - there:+.0f} MB in the rest of the first half, {after - half:+.0f} MB in the second"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60, help="how long visitors go on")
    parser.add_argument("--runs", type=int, help="go on until there were so many runs, however long it takes")
    parser.add_argument("--pause", type=float, default=5, help="seconds between an answer and the next change")
    parser.add_argument("--reruns", type=int, default=5, help="changes that a visitor makes on each page")
    parser.add_argument(
        "--pages",
        nargs="*",
        default=sorted(path.stem for path in (ROOT / "pages").glob("*.py") if path.stem != "start"),
    )
    parser.add_argument("--beside", help="a page with its query, whose long job one more visitor watches")
    parser.add_argument("--log", type=Path, help="a file for what the server says")
    parser.add_argument("--ours", action="store_true", help="leave Streamlit's defaults out")
    options = parser.parse_args()
    ours = measure("ours", options)
    if not options.ours:
        print(f"ratio     {measure('defaults', options, *DEFAULTS) / ours:.1f} × the 95th percentile")


if __name__ == "__main__":
    main()
