"""A `Renderer` on the cluster: each batch of a drawing is a request of its own, so that all copies of the model work on
it; batches and their order are those of one machine, and so are the pixels.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

import numpy as np
from PIL import Image

from clipexplore.cluster.connection import LOOK, again, awaited, connected, errors_in_words, shared
from clipexplore.cluster.deploying import deployed, once_loaded
from clipexplore.draw.folders import usual_settings
from clipexplore.draw.renderer import Renderer, Shown
from clipexplore.draw.walks import Report, planned
from clipexplore.jobs import run_through

LONGEST = 600.0  # seconds after which texts that are still not encoded are given up


class _Withdrawn(Exception):
    """Ends the work of a batch that nobody wants any more, at its next step."""


class Artist:
    """One copy of a pipeline on a node, loaded by its first request. It draws one batch at a time."""

    def __init__(self, folder: str, clip: str, lora: str | None, checker: str | None, adapter: str | None):
        path = Path(lora) if lora else None
        self._load = once_loaded(partial(Renderer.load, folder, clip, lora=path, checker=checker, adapter=adapter))
        self._thread = ThreadPoolExecutor(1)

    async def encode_prompts(self, texts: list[str]) -> np.ndarray:
        return await self._run(lambda: self._load().encode_prompts(texts))

    async def draw(self, numbers: list[int], asked: dict[str, Any]) -> AsyncIterator[tuple[float, Any]]:
        """The share of the batch that is done and now and then a preview, after each step; in the end its pictures."""
        loop, news, withdrawn = asyncio.get_running_loop(), asyncio.Queue[Any](), Event()

        def report(share: float, preview: Image.Image | None) -> None:
            if withdrawn.is_set():
                raise _Withdrawn
            loop.call_soon_threadsafe(news.put_nowait, (share, preview))

        drawing = self._run(lambda: self._load().batch(numbers, report=report, **asked))
        work = asyncio.ensure_future(drawing)
        work.add_done_callback(lambda done: news.put_nowait(None))
        try:
            while (said := await news.get()) is not None:
                yield said
            yield 1.0, await work
        finally:
            withdrawn.set()

    async def _run(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _Batch:
    """A batch under way: `rows` are the numbers of its pictures, `asked` what `Renderer.batch` takes."""

    def __init__(self, begin: Callable[[], Any], rows: list[int], report: Report):
        self.rows, self._begin, self._report = rows, begin, report
        self._said: Any = begin()

    def pictures(self) -> list[Image.Image]:
        """Its pictures, once they are drawn; when it is called once more, they are drawn anew."""
        self._said, news, share = self._said or self._begin(), SimpleQueue[Any](), 0.0
        Thread(target=_pass_on, args=(self._said, news.put), name="batch", daemon=True).start()
        try:
            while True:
                try:
                    said = news.get(timeout=LOOK)
                except Empty:
                    connected()  # raises where it is gone
                    self._report(share, None)  # raises where nobody wants the drawing any more
                    continue
                if isinstance(said, Exception):
                    raise said
                share, seen = said
                if isinstance(seen, list):
                    return seen
                self._report(share, seen)
        except BaseException:
            self.cancel()
            raise

    def cancel(self) -> None:
        if self._said is not None:
            self._said.cancel()
            self._said = None


def _pass_on(said: Iterable, put: Callable[[Any], object]) -> None:
    """Passes on what a stream brings, or what it fails with: waiting for it cannot be broken off."""
    try:
        for each in said:
            put(each)
    except Exception as error:  # noqa: BLE001 – raised where it is waited for
        put(error)


class ClusterRenderer:
    """As `Renderer`, drawing on the cluster; this process never loads the pipeline.

    Parameters
    ----------
    folder, clip, lora, checker, adapter
        As in `Renderer.load`; under the same paths on every node.
    """

    def __init__(
        self,
        folder: Path,
        clip: Path,
        lora: Path | None = None,
        checker: Path | None = None,
        adapter: Path | None = None,
    ):
        self._arguments = [None if path is None else str(path) for path in (folder, clip, lora, checker, adapter)]
        self.num_inference_steps = usual_settings(folder, bool(lora))["num_inference_steps"]

    def encode_prompts(self, texts: Sequence[str]) -> np.ndarray:
        """Token states `(n, tokens, width)`, as `Renderer.encode_prompts`."""
        return again(partial(self._encode, [*texts]))

    def render(self, **asked: Any) -> list[Image.Image]:
        """A picture of each row, as `Renderer.render`."""
        return run_through(self.drawing(**asked))

    def drawing(
        self,
        *,
        prompt_embeds: np.ndarray | None = None,
        embeddings: np.ndarray | None = None,
        num_inference_steps: int | None = None,
        alike: bool = False,
        report: Report = lambda share, preview: None,
        shown: Shown = lambda number, picture: None,
        **settings: Any,
    ) -> Generator[None, None, list[Image.Image]]:
        """A picture of each row, as `Renderer.drawing`; what was drawn when a node dies is not drawn again."""
        steps = int(self.num_inference_steps if num_inference_steps is None else num_inference_steps)
        settings["num_inference_steps"] = steps
        rows_of = {"prompt_embeds": prompt_embeds, "embeddings": embeddings}
        count = max((len(each) for each in rows_of.values() if each is not None), default=1)
        pictures: dict[int, Image.Image] = {}
        waiting = deque(planned(count, steps, alike, report))
        begun: deque[_Batch] = deque()
        _options, places = shared()
        try:
            while waiting or begun:
                while waiting and len(begun) < places:
                    rows, filled, part = waiting.popleft()
                    given = {name: each if each is None else np.asarray(each)[filled] for name, each in rows_of.items()}
                    begun.append(_Batch(partial(self._begin, filled, given | settings), rows, part))
                batch = begun[0]
                drawn = again(batch.pictures)
                begun.popleft()
                for row, picture in zip(batch.rows, drawn, strict=False):
                    pictures[row] = picture
                    shown(row, picture)
                yield
        finally:
            for batch in begun:
                batch.cancel()
        return [pictures[row] for row in range(count)]

    def _encode(self, texts: list[str]) -> np.ndarray:
        asked = self._artist().encode_prompts.remote(texts)
        return awaited(lambda moment: asked.result(timeout_s=moment), LONGEST)

    def _begin(self, numbers: list[int], asked: dict[str, Any]) -> Any:
        with errors_in_words():
            return self._artist().options(stream=True).draw.remote(numbers, asked)

    def _artist(self) -> Any:
        return deployed(Artist, *self._arguments)
