"""A `Renderer` on the cluster: each batch of a drawing is a request of its own, so that all copies of the model work on
it; batches and their order are those of one machine, and so are the pixels.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from PIL import Image

from clipexplore.cluster.connection import Work, ask
from clipexplore.cluster.deploying import check_starts, deployed, once_loaded
from clipexplore.cluster.driver import again, awaited, shared, watched
from clipexplore.draw.folders import usual_settings
from clipexplore.draw.renderer import Renderer, Shown
from clipexplore.draw.walks import PreviewReport, planned
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
        return ask(_encoded, self._arguments, [*texts])

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
        report: PreviewReport = lambda share, preview: None,
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
        begun: deque[tuple[list[int], PreviewReport, Work]] = deque()
        _options, places = ask(shared)
        try:
            while waiting or begun:
                while waiting and len(begun) < places:
                    rows, filled, part = waiting.popleft()
                    given = {name: each if each is None else np.asarray(each)[filled] for name, each in rows_of.items()}
                    begun.append((rows, part, Work(_Batch, self._arguments, filled, given | settings)))
                rows, part, batch = begun[0]
                drawn = _pictures(batch, part)
                begun.popleft()
                for row, picture in zip(rows, drawn, strict=False):
                    pictures[row] = picture
                    shown(row, picture)
                yield
        finally:
            for _rows, _part, batch in begun:
                batch.close()
        return [pictures[row] for row in range(count)]


def _pictures(batch: Work, report: PreviewReport) -> list[Image.Image]:
    """The pictures of a batch, once they are drawn."""
    share = 0.0
    for said in batch:
        if said is None:
            report(share, None)  # raises where nobody wants the drawing any more
            continue
        share, seen = said
        if isinstance(seen, list):
            return seen
        report(share, seen)
    raise RuntimeError("a batch without pictures")


# What follows is the driver's.


def _encoded(arguments: list[str | None], texts: list[str]) -> np.ndarray:
    def answer() -> np.ndarray:
        serving = deployed(Artist, *arguments)
        asked = serving.encode_prompts.remote(texts)
        return awaited(lambda moment: asked.result(timeout_s=moment), LONGEST, partial(check_starts, serving.app_name))

    return again(answer)


class _Batch:
    """The news of a batch under way, as `Artist.draw` tells them, and None whenever there was none for a moment; begun
    again where its node dies.
    """

    def __init__(self, arguments: list[str | None], numbers: list[int], asked: dict[str, Any]):
        self._asked = arguments, numbers, asked
        self._begin()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return again(self._next)

    def close(self) -> None:
        self._drawing.cancel()

    def _begin(self) -> None:
        arguments, numbers, asked = self._asked
        serving = deployed(Artist, *arguments)
        self._name, self._drawing = serving.app_name, serving.options(stream=True).draw.remote(numbers, asked)
        self._news: Iterator[Any] | None = watched(self._drawing)

    def _next(self) -> Any:
        if self._news is None:
            self._begin()
        news, self._news = self._news, None
        said = next(news)  # type: ignore[arg-type]
        if said is None:
            check_starts(self._name)
        self._news = news
        return said
