"""Many callers, one call: small questions that arrive together are answered together, and each caller has its turn.

A model answers 32 questions in hardly more time than one. A question has no progress and no place in a queue, unlike
a job: whoever asks waits some milliseconds for the answer, beside somebody with thousands of questions too.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from clipexplore.closing import closed_with_process
from clipexplore.cluster.connection import is_set
from clipexplore.errors import NoRoomError
from clipexplore.language import _
from clipexplore.models.devices import calibrate_threads
from clipexplore.models.embedder import Embedder
from clipexplore.models.residents import Residents, residents
from clipexplore.models.revisions import Revisions

if TYPE_CHECKING:
    from PIL import Image

    from clipexplore.cluster.embedding import ClusterEmbedder

log = logging.getLogger(__name__)
Question = tuple[Any, Future]  # an item, and where its result will be


class Batcher:
    """One thread that calls `function` for the items of all its callers; shared by all sessions.

    The function takes a list of items, `max_batch` at most, and gives as many results, in their order. A call waits
    `window` seconds for more items after its first.
    """

    def __init__(self, function: Callable[[list], Iterable], max_batch: int = 32, window: float = 0.004):
        self._function, self._max_batch, self._window = function, max_batch, window
        self._lock = threading.Condition()  # guards the two below
        self._callers: deque[deque[Question]] = deque()  # the questions of each that are not yet at work; none is empty
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()
        closed_with_process.add(self)

    def call(self, items: Iterable) -> list:
        """The results for `items`, in their order; waits for them.

        Raises
        ------
        NoRoomError
            When the batcher is closed.
        Exception
            Whatever `function` raises for the first bad item, called with that item alone.
        """
        asked: list[Question] = [(item, Future()) for item in items]
        with self._lock:
            if self._closed:
                raise NoRoomError(_("The server is stopping and takes no new work. Try again in a minute."))
            if asked:
                self._callers.append(deque(asked))
            self._lock.notify()
        return [answer.result() for _item, answer in asked]

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

    def _waiting(self) -> int:
        return sum(map(len, self._callers))

    def _gather(self) -> list[Question]:
        """The next questions, one of each caller in turn; none when the batcher is closed."""
        with self._lock:
            self._lock.wait_for(lambda: self._callers or self._closed)
            self._lock.wait_for(lambda: self._waiting() >= self._max_batch or self._closed, self._window)
            batch: list[Question] = []
            while self._callers and len(batch) < self._max_batch:
                caller = self._callers.popleft()
                batch.append(caller.popleft())
                if caller:
                    self._callers.append(caller)
            return batch

    def _answer(self, batch: list[Question]) -> None:
        try:
            results = list(self._function([item for item, _answer in batch]))
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
            for (_item, answer), result in zip(batch, results, strict=True):
                answer.set_result(result)


class SharedEmbedder:
    """An `Embedder` for all visitors: loaded by whoever first needs it, and everybody's texts and pictures share its
    passes.

    It may be unloaded when another model needs the room, and is loaded again when it is next asked.

    Parameters
    ----------
    folder : of the model, as `Embedder.load` takes it
    revisions : what its revisions are called; by default those of the weights
    residents : who keeps what is loaded
    """

    def __init__(self, folder: Path, revisions: Revisions | None = None, residents: Residents = residents):
        self._folder, self._revisions, self._residents = folder, revisions, residents
        self._texts = Batcher(lambda texts: self._model.embed_texts(texts))
        self._images = Batcher(lambda images: self._model.embed_images(images))

    @property
    def _model(self) -> Embedder:
        calibrate_threads()
        return Embedder.resident(self._folder, self._revisions, self._residents)

    @property
    def max_tokens(self) -> int:
        return self._model.max_tokens

    @property
    def revision(self) -> str:
        return self.revisions.model

    @property
    def revisions(self) -> Revisions:
        return self._model.revisions

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._model.count_tokens(texts)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Text embeddings `(n, dim)`, as `Embedder.embed_texts`."""
        return np.stack(self._texts.call(texts)) if len(texts) else self._model.embed_texts([])

    def embed_images(self, images: Sequence["Image.Image"]) -> np.ndarray:
        """Image embeddings `(n, dim)`, as `Embedder.embed_images`."""
        return np.stack(self._images.call(images)) if len(images) else self._model.embed_images([])


Shared: TypeAlias = "SharedEmbedder | ClusterEmbedder"


def shared_embedder(folder: Path, revisions: Revisions | None = None) -> Shared:
    """What embeds for all visitors by the model of a folder: on the cluster where one is set, else in this process."""
    if is_set():
        from clipexplore.cluster.embedding import ClusterEmbedder

        return ClusterEmbedder(folder, revisions)
    return SharedEmbedder(folder, revisions)
