"""Many callers, one call: small questions that arrive together are answered together.

Separate from the lanes because a question has no progress and no place in a queue: whoever asks waits for the answer,
some milliseconds, and a model answers 32 questions in hardly more time than one.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.embedder import Embedder
from clipexplore.errors import InputError
from clipexplore.models.devices import calibrate_threads
from clipexplore.models.residents import Residents, shared, size_of

if TYPE_CHECKING:
    from PIL import Image

log = logging.getLogger(__name__)


class Batcher:
    """One thread that calls `function` for the items of all its callers; shared by all sessions.

    Parameters
    ----------
    function : takes a list of items and gives as many results, in their order
    max_batch : the most items of a call
    window : seconds that a call waits for more items after its first
    """

    def __init__(self, function: Callable[[list], Sequence], max_batch: int = 32, window: float = 0.004):
        self._function, self._max_batch, self._window = function, max_batch, window
        self._lock = threading.Condition()  # guards the two below
        self._waiting: deque[tuple[object, Future]] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    def call(self, items: Sequence) -> list:
        """The results for `items`, in their order; waits for them.

        Who has thousands of items asks for `max_batch` at a time, so that others come in between.

        Raises
        ------
        InputError
            When the batcher is closed.
        Exception
            Whatever `function` raises for the first bad item, called with that item alone.
        """
        asked = [(item, Future()) for item in items]
        with self._lock:
            if self._closed:
                raise InputError("The server is stopping and takes no new work; try again in a minute.")
            self._waiting.extend(asked)
            self._lock.notify()
        return [answer.result() for _, answer in asked]

    def close(self, timeout: float = 5.0) -> None:
        """Answer what was asked already and end the thread; waits at most `timeout` seconds for that."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while batch := self._gather():
            self._answer(batch)
            del batch  # or its items and results would live until the next question comes

    def _gather(self) -> list[tuple[object, Future]]:
        """The next items, the longest waiting first; none when the batcher is closed."""
        with self._lock:
            self._lock.wait_for(lambda: self._waiting or self._closed)
            self._lock.wait_for(lambda: len(self._waiting) >= self._max_batch or self._closed, self._window)
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_batch))]

    def _answer(self, batch: list[tuple[object, Future]]) -> None:
        try:
            results = list(self._function([item for item, _ in batch]))
            if len(results) != len(batch):
                raise RuntimeError(f"{len(results)} results for {len(batch)} items")
        except BaseException as error:  # noqa: BLE001 – the thread outlives whatever is raised; the caller gets it
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            log.warning("a call for %d items failed (%s), each is tried alone", len(batch), type(error).__name__)
            results = None
        if results is None:  # outside of the except: by now what the failed call held is free
            for question in batch:
                self._answer([question])
        else:
            for (_, answer), result in zip(batch, results, strict=True):
                answer.set_result(result)


class SharedEmbedder:
    """An `Embedder` for all visitors: loaded by whoever first needs it, and everybody's texts and pictures share its passes.

    It may be unloaded when another model needs the room, and is loaded again when it is next asked.

    Parameters
    ----------
    folder : of the model, as `Embedder.load` takes it
    revision : what its revision is called; by default that of the weights
    residents : who keeps what is loaded
    """

    def __init__(self, folder: Path, revision: str | None = None, residents: Residents = shared):
        self._folder, self._revision, self._residents = folder, revision, residents
        self._texts = Batcher(lambda texts: self._model.embed_texts(texts))
        self._images = Batcher(lambda images: self._model.embed_images(images))

    @property
    def _model(self) -> Embedder:
        return self._residents.get(("clip", self._folder), self._load, needs=partial(size_of, self._folder))

    def _load(self) -> Embedder:
        calibrate_threads()
        return Embedder.load(self._folder, revision=self._revision)

    @property
    def max_tokens(self) -> int:
        return self._model.max_tokens

    @property
    def revision(self) -> str:
        return self._model.revision

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._model.count_tokens(texts)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Text embeddings `(n, dim)`, as `Embedder.embed_texts`."""
        return np.stack(self._texts.call(texts)) if len(texts) else self._model.embed_texts([])

    def embed_images(self, images: Sequence["Image.Image"]) -> np.ndarray:
        """Image embeddings `(n, dim)`, as `Embedder.embed_images`."""
        return np.stack(self._images.call(images)) if len(images) else self._model.embed_images([])
