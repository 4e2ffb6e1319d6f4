"""A room full of browsers asks for pictures at once: all get theirs, in the order of asking, one drawing at a time,
with the pixels of a serial run.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from fixtures_drawing import build_drawing_assets
from views import open_view, settle

from clipexplore.images import open_picture
from clipexplore.settings import settings

# Read by the interpreter of the server before anything else: notes who asks for a drawing and every call of a pipeline,
# which waits until the file "open" is there.
NOTES = """
import os, time
from clipexplore import jobs
from clipexplore.draw import renderer

folder = os.environ["NOTES"]

def note(*words):
    with open(folder + "/notes", "a") as notes:
        print(*words, file=notes)

def load(cls, *args, **more):
    made = loaded(cls, *args, **more)
    kind, call = type(made.pipeline), type(made.pipeline).__call__

    def noted(self, *args, **more):
        seed = more["generator"][0].initial_seed() - 1
        note("begin", seed)
        while not os.path.exists(folder + "/open"):
            time.sleep(0.05)
        try:
            return call(self, *args, **more)
        finally:
            note("end", seed)

    if call.__name__ != "noted":
        kind.__call__ = noted
    return made

def submit(self, function, key=None, owner=None):
    if self.name == "render":
        note("asked", dict(part for part in key if isinstance(part, tuple) and part[0] == "seed")["seed"])
    return submitted(self, function, key, owner)

loaded, renderer.Renderer.load = renderer.Renderer.load.__func__, classmethod(load)
submitted, jobs.Lane.submit = jobs.Lane.submit, submit
"""

# What the lines of the library draw, one after the other, in a process of its own.
SERIAL = """
import sys
import numpy as np
from clipexplore import Renderer, Space, path
from clipexplore.settings import settings

model, space = settings().assets / "models/emoji", Space.open()
renderer = Renderer.load(model / "unclip", model / "clip")
walk = path(np.stack([space.point(stop).vector for stop in sys.argv[2].split()]), 2).points
drawn = [renderer.render(embeddings=walk, seed=seed) for seed in range(int(sys.argv[3]))]
np.save(sys.argv[1], [[np.asarray(picture) for picture in pictures] for pictures in drawn])
"""
ROOT = Path(__file__).parents[2]
STOPS = ("@lion-jungle-07", "@man-top-hat")
ABANDON = 3  # seconds after which a job that nobody watches goes
LONG = "frames=240&num_inference_steps=100"  # minutes, even for a small model


class Room:
    """A server with a small drawing model, and what it noted."""

    def __init__(self, folder: Path, new_server):
        (folder / "sitecustomize.py").write_text(NOTES)
        self.folder = folder
        assets = build_drawing_assets(folder / "assets", settings().assets)
        self.environ = {
            "CLIPEXPLORE_ASSETS": str(assets),
            "OMP_NUM_THREADS": "1",
            "CLIPEXPLORE_ABANDON_SECONDS": str(ABANDON),
        }
        self.server = new_server(
            **self.environ, PYTHONPATH=os.pathsep.join([str(folder), str(ROOT)]), NOTES=str(folder)
        )

    def link(self, seed: int, more: str = "frames=2") -> str:
        return f"{self.server.url}/interpolate?stops={'%0A'.join(STOPS)}&seed={seed}&{more}"

    def hold(self) -> None:
        """No pipeline goes on from here."""
        (self.folder / "open").unlink(missing_ok=True)
        (self.folder / "notes").unlink(missing_ok=True)

    def go_on(self) -> None:
        (self.folder / "open").touch()

    def noted(self, word: str) -> list[int]:
        return [int(seed) for each, seed in self._notes() if each == word]

    def never_two_at_once(self) -> bool:
        calls = [(word, seed) for word, seed in self._notes() if word != "asked"]
        # the last may be at work still
        return [word for word, _ in calls] == (["begin", "end"] * len(calls))[: len(calls)]

    def _notes(self) -> list[list[str]]:
        return [line.split() for line in (self.folder / "notes").read_text().splitlines()]

    def serial(self, count: int) -> np.ndarray:
        """The pixels `(count, 2, side, side, 3)` of what that many visitors ask for."""
        command = [sys.executable, "-c", SERIAL, str(self.folder / "serial.npy"), " ".join(STOPS), str(count)]
        subprocess.run(command, cwd=ROOT, env={**os.environ, **self.environ}, check=True, capture_output=True)
        return np.load(self.folder / "serial.npy")


@pytest.fixture(scope="module")
def room(new_server, tmp_path_factory):
    return Room(tmp_path_factory.mktemp("room"), new_server)


def cancel_button(window):
    return window.get_by_role("button", name="Cancel", exact=False)


def place(window) -> int:
    """Where a waiting visitor stands, as the page says; 0 for the one whose job is at work."""
    cancel_button(window).wait_for()
    said = re.search(r"number (\d+) in line", window.get_by_test_id("stMain").inner_text())
    return int(said[1]) if said else 0


def drawing(window) -> np.ndarray:
    """The pixels of the drawn frames on a page, once they are all there."""
    cancel_button(window).wait_for(state="hidden", timeout=300_000)
    settle(window)
    found = window.locator("img[alt^='Frame ']").evaluate_all("each => each.map((one) => one.src)")
    return np.stack([np.asarray(open_picture(window.request.get(address).body())) for address in found])


def in_order(seeds: list[int]) -> list[int]:
    return list(dict.fromkeys(seeds))


@pytest.mark.parametrize("count", [10, pytest.param(30, marks=pytest.mark.long)])
def test_everybody_gets_a_drawing_in_the_order_of_asking(visitor, room, count):
    room.hold()
    windows = [visitor() for _ in range(count)]
    for seed, window in enumerate(windows):
        window.goto(room.link(seed))
    for window in windows:
        cancel_button(window).wait_for()
    assert sorted(map(place, windows)) == list(range(count)), "one is at work, and everybody else has a place"
    room.go_on()
    drawn = [drawing(window) for window in windows]
    np.testing.assert_array_equal(np.stack(drawn), room.serial(count))
    assert room.never_two_at_once() and sorted(in_order(room.noted("begin"))) == list(range(count))
    assert in_order(room.noted("begin")) == room.noted("asked")


def test_a_closed_window_frees_its_place_and_the_pipeline(visitor, room):
    room.hold()
    first, second, third = windows = [visitor() for _ in range(3)]
    for seed, window in enumerate(windows, 100):
        window.goto(room.link(seed, LONG if window is first else "frames=2"))
        cancel_button(window).wait_for()
    assert [place(window) for window in windows] == [0, 1, 2]
    second.close()
    third.get_by_text("number 1 in line").wait_for()
    room.go_on()
    third.get_by_text("number 1 in line").wait_for()
    first.close()
    assert len(drawing(third)) == 2 and 101 not in room.noted("begin")
    assert room.noted("begin").count(100) < 31, "the walk of 240 frames was not drawn to its end"


def test_a_window_that_stands_still_keeps_its_place(visitor, room):
    """As one that its browser has put to sleep: connected, and no script of the page runs."""
    room.hold()
    windows = [visitor() for _ in range(3)]
    for seed, window in enumerate(windows, 400):
        window.goto(room.link(seed))
        cancel_button(window).wait_for()
    _, still, last = windows
    dialogs = []
    still.on("dialog", lambda dialog: dialogs.append(dialog))
    still.evaluate("() => void setTimeout(alert)")
    last.wait_for_timeout(4000 * ABANDON)
    assert place(last) == 2, "the one that stands still is before it"
    dialogs[0].dismiss()
    assert place(still) == 1
    room.go_on()
    assert [len(drawing(window)) for window in windows] == [2, 2, 2] and in_order(room.noted("begin")) == room.noted(
        "asked"
    )


@pytest.mark.parametrize("times", [5, pytest.param(50, marks=pytest.mark.long)])
def test_starting_and_cancelling_leaves_nothing(visitor, room, times):
    room.hold()
    room.go_on()
    window, process = visitor(), psutil.Process(room.server.process.pid)
    window.goto(room.link(200 + times, LONG))
    threads = []
    for _ in range(times):
        cancel_button(window).click()
        window.get_by_role("button", name="Start again").wait_for()
        threads.append(process.num_threads())
        window.get_by_role("button", name="Start again").click()
        cancel_button(window).wait_for()
    cancel_button(window).click()
    assert min(threads[times // 2 :]) <= max(threads[: times // 2]), threads
    assert room.noted("asked") == [200 + times] * (times + 1) and room.never_two_at_once()
    other = open_view(visitor(), room.link(300))
    assert len(drawing(other)) == 2, "nothing stands before it"
