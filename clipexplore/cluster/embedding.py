"""An `Embedder` on the cluster, for all visitors of all app servers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from clipexplore.cluster.connection import ask
from clipexplore.cluster.deploying import check_starts, deployed, once_loaded
from clipexplore.cluster.driver import again, awaited
from clipexplore.models.embedder import Embedder
from clipexplore.models.preparing import Picture
from clipexplore.models.revisions import Revisions

AT_ONCE = 32  # texts or pictures in one request: many enough that sending them costs little beside embedding them
TOGETHER, WINDOW = 32, 0.004  # requests that share a pass, and the seconds that the first waits for others
MOST = 2 * TOGETHER  # requests under way at one copy: those of a pass, and of the next
LONGEST = 300.0  # seconds after which a request without an answer is given up


class Facts(NamedTuple):
    """What is asked of an `Embedder` besides vectors."""

    dim: int
    max_tokens: int
    revisions: Revisions


class Clip:
    """One copy of a model on a node, loaded by its first request; those that arrive together share its passes."""

    def __init__(self, folder: str, revisions: Revisions | None):
        self._load = once_loaded(partial(Embedder.load, Path(folder), revisions=revisions))
        self._texts = _together(lambda texts: self._load().embed_texts(texts))
        self._images = _together(lambda images: self._load().embed_images(images))

    async def embed_texts(self, texts: list[str]) -> np.ndarray:
        return _answer(await self._texts(texts))

    async def embed_images(self, images: list) -> np.ndarray:
        return _answer(await self._images(images))

    async def count_tokens(self, texts: list[str]) -> list[int]:
        return (await asyncio.to_thread(self._load)).count_tokens(texts)

    async def facts(self) -> Facts:
        own = await asyncio.to_thread(self._load)
        return Facts(own.dim, own.max_tokens, own.revisions)


def _together(embed: Callable[[list], np.ndarray]) -> Callable[[list], Awaitable[np.ndarray | Exception]]:
    """Embeds the items of one request, in a pass with those of others."""
    from ray import serve

    @serve.batch(max_batch_size=TOGETHER, batch_wait_timeout_s=WINDOW)
    async def answers(requests: list[list]) -> list[np.ndarray | Exception]:
        return await asyncio.to_thread(_answers, embed, requests)

    return answers


def _answers(embed: Callable[[list], np.ndarray], requests: list[list]) -> list[np.ndarray | Exception]:
    """The rows of each request, or why there are none; what is wrong with one is no matter of the others."""
    try:
        rows = embed([item for request in requests for item in request])
        return [*np.split(rows, np.cumsum([len(request) for request in requests])[:-1])]
    except Exception as error:  # noqa: BLE001 – each request is given its own
        return [error] if len(requests) == 1 else [_answers(embed, [request])[0] for request in requests]


def _answer(found: np.ndarray | Exception) -> np.ndarray:
    if isinstance(found, Exception):
        raise found
    return found


class ClusterEmbedder:
    """As `batcher.SharedEmbedder`, with its model on the cluster, which this process never loads.

    Parameters
    ----------
    folder
        Of the model, under the same path on every node.
    revisions
        What its revisions are called; by default those of the weights.

    Attributes
    ----------
    at_once
        Pictures of an import that are given to it together, so that several copies have work.
    opens
        Files are sent as they are, and opened on the nodes: so they are a tenth as large.
    """

    at_once, opens = 8 * AT_ONCE, True

    def __init__(self, folder: Path, revisions: Revisions | None = None):
        self._model = str(folder), revisions

    @cached_property
    def _facts(self) -> Facts:
        return ask(_answered, self._model, "facts")

    @property
    def max_tokens(self) -> int:
        return self._facts.max_tokens

    @property
    def revision(self) -> str:
        return self.revisions.model

    @property
    def revisions(self) -> Revisions:
        return self._facts.revisions

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return ask(_answered, self._model, "count_tokens", [*texts])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Text embeddings `(n, dim)`, as `Embedder.embed_texts`."""
        return self._embed("embed_texts", [*texts])

    def embed_images(self, images: Iterable[Picture]) -> np.ndarray:
        """Image embeddings `(n, dim)`, as `Embedder.embed_images`."""
        return self._embed("embed_images", [*images])

    def _embed(self, method: str, items: list) -> np.ndarray:
        return ask(_embedded, self._model, method, items) if items else np.empty((0, self._facts.dim), np.float32)


# What follows is the driver's.


def _answered(model: tuple, method: str, *asked: Any) -> Any:
    """What a method of `Clip` gives."""
    return again(_Request(model, method, *asked).answer)


def _embedded(model: tuple, method: str, items: list) -> np.ndarray:
    """All requests are under way at once; one whose node dies is made again."""
    parts = [items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE)]
    requests = [_Request(model, method, part) for part in parts]
    return np.concatenate([again(request.answer) for request in requests])


class _Request:
    """A call of a method of `Clip`, under way."""

    def __init__(self, model: tuple, method: str, *asked: Any):
        self._model, self._method, self._arguments = model, method, asked
        self._begin()

    def _begin(self) -> None:
        serving = deployed(Clip, *self._model, most=MOST)
        self._name = serving.app_name
        self._asked: Any = getattr(serving, self._method).remote(*self._arguments)

    def answer(self) -> Any:
        """What it gives; when this is called once more, it is asked for anew."""
        if self._asked is None:
            self._begin()
        asked, self._asked = self._asked, None
        return awaited(lambda moment: asked.result(timeout_s=moment), LONGEST, partial(check_starts, self._name))
