"""What is asked of a cluster and of one process alike."""

import time
from contextlib import suppress

import numpy as np
import psutil
from fixtures_drawing import DIM
from PIL import Image

from clipexplore.vectors import normalize


def pictures(count: int) -> list[Image.Image]:
    colours = np.random.default_rng(1).integers(0, 256, (count, 40, 50, 3), np.uint8)
    return [Image.fromarray(each) for each in colours]


def pixels(drawn) -> np.ndarray:
    return np.stack([np.asarray(each) for each in drawn])


def points(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, DIM)).astype(np.float32)


def vectors(count: int) -> np.ndarray:
    """Unit rows `(count, 32)`."""
    return normalize(np.random.default_rng(0).normal(size=(count, 32)).astype(np.float32))


def until(holds, seconds: float = 120) -> None:
    """Waits for what other processes do."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.2)


def runs(node, name: str) -> bool:
    """Whether an actor of that name is at work on a node."""
    found = []
    for process in psutil.Process(node.pid).children(recursive=True):
        try:
            found += process.cmdline()[:1]
        except psutil.Error:  # it has just ended
            continue
    return any(name in title for title in found)


def end(node) -> None:
    """Ends a node with all that runs on it, at once."""
    for process in [*psutil.Process(node.pid).children(recursive=True), node]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    node.wait()
